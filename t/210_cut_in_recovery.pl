
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
use constant MOST_CUTS => 20;   # one that comes too late does not count

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	my $run = $lab->begin(arm => $arm, seed => $seed);
	my ($cuts, $split, $torn) = (0, 0, 0);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");

	leave_much_to_recover($run);
	for my $time (1 .. MOST_CUTS)
	{
		# (a batch of the page journal is less than 200 sectors: some pages in place then)
		my $in_redo = cut_in_redo($run, $time % 2 ? 60 : 200);

		$cuts += $in_redo;
		$split += $run->split_writes;
		$run->power_on;
		$torn += torn_pages($run, "after the cut in recovery $time");
		last if $cuts >= CUTS && $split && ($torn || $SmgrAtomic::Crash::arms{$arm}{whole});
	}
	cmp_ok($cuts, '>=', CUTS, "$arm, seed $seed: the power went while WAL was replayed");
	cmp_ok($split, '>', 0, "$arm, seed $seed: the cuts in recovery did split writes");
	if ($SmgrAtomic::Crash::arms{$arm}{whole})
	{
		is($torn, 0, '... and tore no page');
	}
	else
	{
		cmp_ok($torn, '>', 0, '... and tore pages');
	}

	$run->recover_and_verify;
	is(join("\n", @{ $run->{problems} }), '', "$arm, seed $seed: sound after the last recovery");
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	$run->end;
}
done_testing();

# Of pages that were there before: redo can make new ones again, torn or not.
sub leave_much_to_recover
{
	my ($run) = @_;

	$run->workload(checkpoints => 0);
	sleep 2;
	$run->value('CHECKPOINT');
	my $start = $run->value('SELECT pg_current_wal_insert_lsn()');
	SmgrAtomic::Crash::wait_for(60,
		sub { $run->value("SELECT pg_current_wal_insert_lsn() - '$start' > 8 * 1024 * 1024") eq 't' });
	$run->cut(after => 0, unflushed => 12);
	$run->power_on;
	return;
}

# Returns whether the power went while WAL was replayed.
# The disk is slow until the cut is armed: redo would be over before that.
sub cut_in_redo
{
	my ($run, $unflushed) = @_;

	$run->sync_disk;    # what mounting left unflushed must not count
	$run->set('latency', 500);
	$run->launch;
	SmgrAtomic::Crash::wait_for(120, sub { $run->log_text =~ /redo starts at/ || $run->has_ended });
	$run->set('cut-unflushed', $unflushed);
	$run->set('latency', 0);
	my $done = $run->ctl('wait-off 60')->{done};
	$run->cut_now(at_once => 1);
	# (WAL that cannot be read any more ends redo, too)
	my ($log) = $run->log_text =~ m{\A(.*?)(?:Input/output error|\z)}s;
	return $done && $log =~ /redo starts at/ && $log !~ /redo done at|ready to accept connections/ ? 1 : 0;
}

sub torn_pages
{
	my ($run, $when) = @_;
	my $scan = $run->scan;
	my $torn = $scan->{torn} + $scan->{damaged};

	note "$run->{arm}, $when: $torn torn pages";
	return $torn;
}
