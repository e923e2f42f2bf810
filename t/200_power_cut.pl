
# Power is cut under a working server, on a disk with a volatile cache.  With
# stock and images: pages are torn, recovery mends them, nothing is lost.  With
# stock without images: damage, so the test can see it.  With smgr_atomic: no
# torn page even before recovery, nothing lost.
#
# CRASH_SEED repeats a run's cuts, CRASH_CUTS makes more of them.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $cuts = $ENV{CRASH_CUTS} // 2;
my $lab  = SmgrAtomic::Crash->new;

use constant MOST_CUTS_OF_A_CONTROL => 8;

sub one_cut
{
	my ($arm, $number, $before_power_on) = @_;
	my $run = $lab->begin(arm => $arm, seed => $number);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	$run->workload;
	$run->cut;
	$before_power_on->($run) if $before_power_on;
	$run->power_on;
	$run->recover_and_verify;
	note "$arm, seed $number: cut by $run->{cut}{last_cut}, $run->{split} writes split, "
	  . "$run->{torn} torn pages, $run->{acknowledged} commits, $run->{lost} lost";
	note "  $_" for @{ $run->{problems} };
	$run->end;
	return $run;
}

sub is_sound
{
	my ($run) = @_;
	my $name = "$run->{arm}, seed $run->{seed}";

	is(join("\n", @{ $run->{problems} }), '', "$name: sound after recovery");
	is($run->{lost}, 0, '... no acknowledged commit lost');
	cmp_ok($run->{acknowledged}, '>', 0, '... of some');
	return;
}

# The controls go on until they have shown what they are for.
my $torn = 0;
for my $i (1 .. MOST_CUTS_OF_A_CONTROL)
{
	my $run = one_cut('stock-on', $seed + $i);
	is_sound($run);
	$torn += $run->{torn};
	last if $torn && $i >= $cuts;
}
cmp_ok($torn, '>', 0, 'stock with images: the disk tears pages, recovery mends them');

my $damaged = $torn = 0;
for my $i (1 .. MOST_CUTS_OF_A_CONTROL)
{
	my $run = one_cut('stock-off', $seed + $i);
	$torn += $run->{torn};
	$damaged += @{ $run->{problems} } > 0;
	last if $torn && $damaged && $i >= $cuts;
}
cmp_ok($torn, '>', 0, 'stock without images: the disk tears pages');
cmp_ok($damaged, '>', 0, '... and damage is seen after recovery');

# What "crashtest --keep" saves of a run makes its disk again.
sub can_be_replayed
{
	my ($run) = @_;

  SKIP:
	{
		skip 'no directory for logs (t/run has one)', 1 unless $ENV{SMGR_ATOMIC_TEST_LOGS};
		ok($run->replays, "$run->{arm}, seed $run->{seed}: powerreplay makes the same disk from what was kept");
	}
	return;
}

my $split = 0;
for my $i (1 .. MOST_CUTS_OF_A_CONTROL)
{
	my $run = one_cut('atomic', $seed + $i, $i == 1 ? \&can_be_replayed : ());
	is_sound($run);
	is($run->{torn} + $run->{damaged_before}, 0, '... no torn page even before recovery');
	$split += $run->{split};
	last if $split && $i >= $cuts;
}
cmp_ok($split, '>', 0, 'smgr_atomic: the cuts did split writes');

done_testing();
