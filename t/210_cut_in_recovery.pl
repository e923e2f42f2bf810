
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
	my ($split, $torn) = (0, 0);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");

	# much to recover, of pages that were there before: redo can make new ones
	# again, torn or not
	$run->workload(checkpoints => 0);
	sleep 2;
	$run->value('CHECKPOINT');
	$run->cut(after => 3, unflushed => 12);
	$run->power_on;

	for my $time (1 .. MOST_CUTS)
	{
		# (a batch of the page journal is less than 200 sectors: some pages in place then)
		cut_in_redo($run, $time % 2 ? 60 : 200, "$arm, seed $seed: power goes during recovery $time");
		$split += $run->split_writes;
		$run->power_on;
		$torn += torn_pages($run, "after the cut in recovery $time");
		last if $time >= CUTS && $split && ($torn || $SmgrAtomic::Crash::arms{$arm}{whole});
	}
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
	# (WAL that cannot be read any more ends redo, too)
	my ($log) = $run->log_text =~ m{\A(.*?)(?:Input/output error|\z)}s;
	like($log, qr/redo starts at/, '... while WAL is replayed');
	unlike($log, qr/redo done at|ready to accept connections/, '... before its end');
	return;
}

sub torn_pages
{
	my ($run, $when) = @_;
	my $scan = $run->scan;
	my $torn = $scan->{torn} + $scan->{damaged};

	note "$run->{arm}, $when: $torn torn pages";
	return $torn;
}
