
# Power is cut between the record in the page journal that makes copies void
# ("forget") and the truncation that it announces, by a session and again in
# recovery: redo reads those pages once more, without copies, so they must be whole
# in their places.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Contract;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $library = build_library('file_faults.c');
my $lab = SmgrAtomic::Crash->new(fs => 'ext4');
my $run;

sub write_file
{
	my ($file, $text) = @_;
	open my $fh, '>', $file or die "$file: $!";
	print $fh $text;
	close $fh or die "$file: $!";
	return;
}

# Starts the server so that a process that is about to truncate the file stops.
sub launch_holding
{
	my ($who, $file, @conf) = @_;
	unlink "$run->{data}/test_faults";
	write_file("$run->{data}/test_fault", "truncate $who 0 1 $file\n") if $who;
	local $ENV{LD_PRELOAD} = $library;
	$run->launch(conf => \@conf);
	return;
}

# What is still dirty of the file goes to the disk, but stays in its volatile cache.
sub cut_when_held
{
	my ($name, $file) = @_;
	ok(SmgrAtomic::Crash::wait_for(120, sub { $run->has_ended || -s "$run->{data}/test_faults" }) && !$run->has_ended, $name)
	  or BAIL_OUT($run->log_text);
	system('xfs_io', '-c', 'sync_range -b -w -a 0 1g', "$run->{data}/$file") == 0 or die 'xfs_io';
	$run->cut_now(at_once => 1);
	return;
}

# Pages that are changed, become the last ones of their file, and are to go.  Who
# has few buffers has evicted them, so that their copies are there when the file is
# truncated: the session, or, when that has kept them all in its buffers, redo.
# They are the last that are changed, or those that stay could be the only ones in
# the journal; and the pool is small, or they could all be waiting in it.
sub cut_twice
{
	my ($who, $session_buffers) = @_;
	$run = $lab->begin(arm => 'doublewrite', seed => $seed,
		conf => [ 'autovacuum=off', 'checkpoint_timeout=1h', 'max_wal_size=1GB', 'bgwriter_lru_maxpages=0',
			'smgr_atomic.write_behind_size=256kB' ]);

	launch_holding(undef, undef, "shared_buffers=$session_buffers");
	SmgrAtomic::Crash::wait_for(120, sub { $run->has_ended || $run->log_text =~ /full_page_writes is now off/ }) or BAIL_OUT('images stay on');
	$run->value(q{CREATE TABLE victim WITH (fillfactor = 50) AS SELECT i, 0 AS v, repeat('v', 200) AS f FROM generate_series(1, 20000) i});
	$run->value('VACUUM FREEZE victim');
	my $file = $run->value(q{SELECT pg_relation_filepath('victim')});
	$run->value('CHECKPOINT');
	my $size = -s "$run->{data}/$file";
	# (pages that stay are written before; that VACUUM finds them all visible)
	$run->value($_) for 'UPDATE victim SET v = 1 WHERE i <= 5000', 'VACUUM (TRUNCATE off) victim', 'UPDATE victim SET v = 1 WHERE i > 5000', 'DELETE FROM victim WHERE i > 5000';
	write_file("$run->{data}/test_fault", "truncate VACUUM 0 1 $file\n");
	push @{ $run->{clients} }, $run->spawn("$run->{dir}/vacuum.log", 'psql', '-X', '-h', $run->{dir}, '-c', 'VACUUM victim', 'postgres');
	cut_when_held('VACUUM is about to truncate the file', $file);

	# recovery comes to the same point
	$run->power_on;
	launch_holding('startup', $file, 'shared_buffers=1MB');
	cut_when_held('recovery is about to truncate the file', $file);
	has_made_void('VACUUM') if $who eq 'VACUUM';

	$run->power_on;
	unlink "$run->{data}/test_fault" or die "unlink: $!";
	$run->recover_and_verify(check => sub {
		is($run->value('SELECT count(*) || chr(32) || sum(v) FROM victim'), '5000 5000', 'nothing is lost');
		is(-s "$run->{data}/$file" < $size / 2 ? 1 : 0, 1, 'the file is truncated');
	});
	has_made_void('recovery') if $who eq 'recovery';
	is(join("\n", @{ $run->{problems} }), '', "sound after recovery, seed $seed");
	$run->end;
	return;
}

# Seen by the start last launched.
sub has_made_void
{
	my ($who) = @_;
	like($run->log_text, qr/page journal: .* [1-9]\d* void/, "$who had made copies void");
	return;
}

cut_twice('VACUUM', '1MB');
cut_twice('recovery', '32MB');
done_testing();
