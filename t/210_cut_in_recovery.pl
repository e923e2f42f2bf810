
# Power is cut while WAL is replayed, and again during the recovery from that.
# (A cut in the repair before it, with the page journal, is in t/820.)

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new;

use constant CUTS => 2;
use constant MOST_CUTS => 6;

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	my $run = $lab->begin(arm => $arm, seed => $seed);
	my $split = 0;

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");

	# no checkpoints, so that there is much to recover
	$run->workload(checkpoints => 0);
	$run->cut(after => 4, unflushed => 12);

	for my $time (1 .. MOST_CUTS)
	{
		$run->power_on;
		whole_or_not($run, "before recovery $time");
		cut_in_redo($run, 12 + 8 * ($time % 3), "$arm, seed $seed: power goes during recovery $time");
		$split += $run->split_writes;
		last if $time >= CUTS && $split;
	}
	cmp_ok($split, '>', 0, "$arm, seed $seed: the cuts in recovery did split writes");

	$run->power_on;
	whole_or_not($run, 'before the last recovery');
	$run->recover_and_verify;
	is(join("\n", @{ $run->{problems} }), '', "$arm, seed $seed: sound after the last recovery");
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	$run->end;
}
done_testing();

# The disk is slow until the cut is armed: redo would be over before that.
sub cut_in_redo
{
	my ($run, $unflushed, $name) = @_;

	$run->sync_disk;    # what mounting left unflushed must not count
	$run->set('latency', 500);
	$run->launch;
	SmgrAtomic::Crash::wait_for(120, sub { $run->log_text =~ /redo starts at/ || $run->has_ended });
	$run->set('cut-unflushed', $unflushed);
	$run->set('latency', 0);
	ok($run->ctl('wait-off 60')->{done}, $name);
	$run->cut_now(at_once => 1);
	my $log = $run->log_text;
	like($log, qr/redo starts at/, '... while WAL is replayed');
	unlike($log, qr/redo done at|ready to accept connections/, '... before its end');
	return;
}

sub whole_or_not
{
	my ($run, $when) = @_;
	my $scan = $run->scan;
	my $torn = $scan->{torn} + $scan->{damaged};

	note "$run->{arm}, $when: $torn torn pages";
	is($torn, 0, "$run->{arm}, seed $seed: no torn page $when")
	  if $SmgrAtomic::Crash::arms{ $run->{arm} }{whole};
	return;
}
