
=head1 NAME

SmgrAtomic::Moments - every state of the machine and every step between them, to crash in

=head1 SYNOPSIS

  use SmgrAtomic::Root;
  use SmgrAtomic::Node;
  use SmgrAtomic::Contract;
  use SmgrAtomic::Moments;

  start_holding($node, $library);
  for my $moment (moments('direct'))
  {
      prepare($node, $moment);
      bring_to($node, $moment);
      ...    # crash
      end_clients($node);
  }

=cut

package SmgrAtomic::Moments;

use strict;
use warnings;

use Exporter qw(import);
use SmgrAtomic::Contract;
use Test::More;

our @EXPORT = qw(moments prepare bring_to end_clients);

=head2 moments($mode)

Each is { name =>, before =>, go =>, is => }: the mode before, how to get from
there to the moment, and what is so then: state, images, method.  Checkpoints are
held, so that a moment lasts as long as the test needs it.

=cut

sub moments
{
	my ($mode) = @_;

	return (
		{ name => 'off', before => 'off', go => sub { }, is => [ 'off', 'on', 'off' ] },
		{
			# the checkpointer, held in a checkpoint, does not answer the barrier; nor
			# could the page journal be opened for the first time since the start
			name   => 'arming, not every process writes atomically yet',
			before => $mode,
			go     => sub {
				set_mode($_[0], 'off');
				reach($_[0], 'off', 'and back');
				in_checkpoint($_[0], \&checkpoint_by_hand);
				set_mode($_[0], $mode);
				reach($_[0], 'arming', 'before the barrier');
			},
			is => [ 'arming', 'on', $mode ]
		},
		{
			name   => 'arming, in its checkpoint',
			before => 'off',
			go     => sub { in_checkpoint($_[0], sub { set_mode($_[0], $mode) }) },
			is     => [ 'arming', 'on', $mode ]
		},
		{ name => 'active', before => $mode, go => sub { }, is => [ 'active', 'off', $mode ] },
		{
			name   => 'active, in a checkpoint',
			before => $mode,
			go     => sub { in_checkpoint($_[0], \&checkpoint_by_hand) },
			is     => [ 'active', 'off', $mode ]
		},
		{
			name   => 'going to pause',
			before => $mode,
			go     => sub { in_checkpoint($_[0], \&pause) },
			is     => [ 'active', 'off', $mode ]
		},
		{
			name   => 'going to pause, images on',
			before => $mode,
			go     => sub { in_second_checkpoint($_[0], \&pause) },
			is     => [ 'active', 'on', $mode ]
		},
		{
			name   => 'paused',
			before => $mode,
			go     => \&reach_pause,
			is     => [ 'paused', 'on', $mode ]
		},
		{
			name   => 'coming back from a pause',
			before => $mode,
			go     => sub {
				reach_pause($_[0]);
				in_checkpoint($_[0], sub { $_[0]->safe_psql('postgres', 'SELECT smgr_atomic_resume()') });
			},
			is => [ 'paused', 'on', $mode ]
		},
		{
			name   => 'disarming, images still off',
			before => $mode,
			go     => sub { in_checkpoint($_[0], sub { set_mode($_[0], 'off') }) },
			is     => [ 'disarming', 'off', $mode ]
		},
		{
			name   => 'disarming, images on',
			before => $mode,
			go     => sub { in_second_checkpoint($_[0], sub { set_mode($_[0], 'off') }) },
			is     => [ 'disarming', 'on', $mode ]
		});
}

# In the checkpoint that an action brings, or in the one after.
sub in_checkpoint
{
	my ($node, $action) = @_;
	my $held = hold($node);
	$action->($node);
	$held->();
	return;
}

sub in_second_checkpoint
{
	my ($node, $action) = @_;
	in_checkpoint($node, $action);
	hold($node)->();
	return;
}

sub checkpoint_by_hand
{
	my ($node) = @_;
	$node->{client_at_moment} = start_checkpoint($node);
	return;
}

sub pause
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
	return;
}

sub reach_pause
{
	my ($node) = @_;
	pause($node);
	reach($node, 'paused', 'pause');
	return;
}

=head2 prepare($node, $moment), bring_to($node, $moment), end_clients($node)

prepare() puts the mode before in force.  bring_to() goes to the moment and tests
that it is there.  end_clients() waits, after the crash, for clients of that.

=cut

sub prepare
{
	my ($node, $moment) = @_;
	set_mode($node, $moment->{before});
	reach($node, $moment->{before} eq 'off' ? 'off' : 'active', 'before');
	return;
}

sub bring_to
{
	my ($node, $moment) = @_;
	my ($state, $images, $method) = @{ $moment->{is} };

	$moment->{go}->($node);
	is_deeply([ @{ now($node) }{qw(state full_page_writes mode_in_force)} ],
		[ $state, $images, $method ], "state $state, images $images, pages $method");
	return;
}

sub end_clients
{
	my ($node) = @_;
	my $client = delete $node->{client_at_moment} or return;
	eval { $client->finish };
	return;
}

1;
