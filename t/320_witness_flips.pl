
# The system-call witness over changes of smgr_atomic.mode and pauses: from
# before images go off until the checkpoint after they came on has completed, no
# page is overwritten but by an atomic pwritev2(); with the page journal, none but
# after a write of the same page to the journal has returned, or zeroes that were
# added to the file after the redo point from which a crash would be recovered.
#
# Where that time begins and ends is read from the same trace: the server's log
# lines are system calls too, and so is the write of pg_control that completes a
# checkpoint.  The control: outside of it, the witness sees plain overwrites.

package FlipWitness;

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use parent -norequire, 'SmgrAtomic::Witness';

use constant { PAGE => 8192, MAX_ATOMIC => 131072 };

sub new
{
	my ($class, $data_dir, $mode) = @_;
	my $self = SmgrAtomic::Witness::new($class, $data_dir);

	%$self = (%$self, mode => $mode, phase => 'plain', since_checkpoint => [], windows => 0,
		inside => { safe => 0, new => 0, plain => 0 }, outside => { safe => 0, new => 0, plain => 0 }, bad => [],
		calls => 0, last_call => {}, redo => {}, completed => undef, added => {});
	return $self;
}

# Enough of each string to recognise a line of the log and a page, and of each
# vector for a batch of the journal.  A process that waits ends a wait before it acts.
sub strace_options
{
	my ($self, $file) = @_;
	my @options = $self->SUPER::strace_options($file);

	$options[2] = 300;
	$options[-1] .= ',?epoll_wait,?epoll_pwait,?epoll_pwait2';
	return @options;
}

# Phases: plain -> off (images are off) -> on (images on again, checkpoint due)
# -> plain.  What was written since the checkpoint began that took images off
# is judged when they have gone off.
sub call
{
	my ($self, $pid, $name, $args, $result, $length) = @_;
	my $before = $self->{last_call}{$pid} // 0;

	$self->{last_call}{$pid} = ++$self->{calls};
	return if $name =~ /^epoll/;
	if ($name eq 'write' && $args =~ /LOG:  (checkpoint starting|smgr_atomic: full_page_writes is now (on|off))/)
	{
		if    (!$2)         { $self->checkpoint_begun($pid, $before) }
		elsif ($2 eq 'off') { $self->images_off }
		else                { $self->{phase} = 'on' }
	}
	elsif ($name =~ /^p?write/ && $args =~ m{^\d+<[^>]*/global/pg_control>})
	{
		$self->{phase} = 'plain' if $self->{phase} eq 'on';
		$self->{completed} = delete $self->{redo}{$pid} if defined $self->{redo}{$pid};
	}
	return $self->SUPER::call($pid, $name, $args, $result, $length);
}

# Its redo point came after the checkpointer's call before it said so.
sub checkpoint_begun
{
	my ($self, $pid, $before) = @_;
	$self->{since_checkpoint} = [];
	$self->{redo}{$pid} = $before;
	return;
}

sub images_off
{
	my ($self) = @_;
	$self->{phase} = 'off';
	$self->{windows}++;
	push @{ $self->{bad} }, @{ $self->{since_checkpoint} };
	$self->{since_checkpoint} = [];
	return;
}

sub judge
{
	my ($self, $pid, $path, $offset, $bytes, $asked, $result, $length, $line) = @_;
	my @blocks = map { "$path $_" } $offset / PAGE .. ($offset + $bytes) / PAGE - 1;

	return $self->appended($line, @blocks) if $offset >= $length;
	my $safe = $self->{mode} eq 'doublewrite' ? $self->from_journal($pid, $bytes, $line)
	  : $asked && $bytes >= PAGE && $bytes <= MAX_ATOMIC
	  && ($bytes & ($bytes - 1)) == 0 && $offset % $bytes == 0
	  && ($result eq '?' || $result == $bytes);
	my $new = !$safe && $self->{mode} eq 'doublewrite' && $self->are_new(@blocks);
	my $where = $self->{phase} eq 'plain' ? 'outside' : 'inside';

	$self->{$where}{ $safe ? 'safe' : $new ? 'new' : 'plain' }++;
	return if $safe || $new;
	push @{ $where eq 'inside' ? $self->{bad} : $self->{since_checkpoint} },
	  "overwritten plainly (phase $self->{phase}): $line";
	return;
}

# Zeroes count from now on; what is not known to be zeroes does not.
sub appended
{
	my ($self, $line, @blocks) = @_;
	my @shown = SmgrAtomic::Witness::shown($line);
	my $zeroes = @shown && !grep { !/^"(?:\\0)+"/ } @shown;

	$self->{added}{$_} = $zeroes ? $self->{calls} : 0 for @blocks;
	return;
}

sub allocated
{
	my ($self, $path, $offset, $bytes) = @_;
	$self->{added}{"$path $_"} = $self->{calls} for $offset / PAGE .. ($offset + $bytes) / PAGE - 1;
	return;
}

# Recovery would begin before these blocks of zeroes were added, so it can make them
# again.  Those of the last checkpoint that began are fewer; but one that is on its
# way when a checkpoint begins was looked at before.
sub are_new
{
	my ($self, @blocks) = @_;
	return defined $self->{completed} && !grep { ($self->{added}{$_} // 0) <= $self->{completed} } @blocks;
}

package main;

use strict;
use warnings;

use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Witness;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

use constant ROUNDS => 3;

watch($_) for qw(direct doublewrite);
done_testing();

sub watch
{
	my ($mode) = @_;

	# io_uring would hide writes from strace; the pool is the same without it
	my $trace = PostgreSQL::Test::Utils::tempdir . "/trace_$mode";
	my $node  = new_node(
		$mode,
		mode   => $mode,
		volume => create_volume($mode, size => '2G'),
		conf   => "wal_level = replica\nshared_buffers = 1MB\nbgwriter_delay = 20ms\n"
		  . "smgr_atomic.io_uring = off\nautovacuum_naptime = 2s\n");
	$node->start;
	init_bank($node, 1);
	reach($node, 'active', "$mode, before");
	set_mode($node, 'off');
	reach($node, 'off', "$mode, before");
	$node->stop;

	my $witness = FlipWitness->new($node->data_dir, $mode);
	start_traced($node, $witness->strace_options($trace));
	reach($node, 'off', "$mode, watched from here on");
	my $load = start_load($node);
	for my $round (1 .. ROUNDS)
	{
		my $name = "$mode, round $round";

		wait_for_load($node, 100);
		set_mode($node, $mode);
		reach($node, 'active', $name);
		wait_for_load($node, 100);
		$node->safe_psql('postgres', 'CHECKPOINT');
		wait_for_load($node, 50);
		$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
		reach($node, 'paused', $name);
		wait_for_load($node, 50);
		$node->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
		reach($node, 'active', "$name, again");
		wait_for_load($node, 50);
		set_mode($node, 'off');
		reach($node, 'off', $name);
		# what the checkpoint of a paused server leaves is plain only now
		wait_for_load($node, 100);
		$node->safe_psql('postgres', 'CHECKPOINT');
	}
	stop_load($load);
	balanced($node, "$mode, after it all");
	stop_traced($node);

	$witness->replay($trace);
	is($witness->{windows}, 2 * ROUNDS, 'the witness saw images go off each time');
	is_deeply([ splice @{ $witness->{bad} }, 0, 10 ], [],
		'no plain overwrite from before images go off until a checkpoint with images is complete');
	cmp_ok($witness->{inside}{safe}, '>', 100, 'safe overwrites in that time');
	is($witness->{inside}{plain}, 0, 'and only such');
	cmp_ok($witness->{outside}{plain}, '>', 100, 'outside of it the witness sees plain overwrites');
	is_deeply([ $witness->unseen ], [], 'no way to write that the witness cannot see');
	is_deeply([ grep { /cannot judge/ } $witness->complaints ], [], 'every write could be judged');
	note explain { map { $_ => $witness->{$_} } qw(inside outside) };
	unlink $trace;
	return;
}
