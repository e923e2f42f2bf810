
# Power is cut during crash recovery, and again during the recovery from that.

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

# (with the page journal, the cut would come in its repair: t/820)
for my $arm (grep { $SmgrAtomic::Crash::arms{$_}{whole} } @SmgrAtomic::Crash::safe_arms)
{
	my $run = $lab->begin(arm => $arm, seed => $seed);
	$run->start or BAIL_OUT("the server does not start, see $run->{log}");

	# no checkpoints, so that there is much to recover
	$run->workload(checkpoints => 0);
	$run->cut(after => 4, unflushed => 12);

	for my $time (1, 2)
	{
		$run->power_on;
		whole_or_not($run, "before recovery $time");
		# what mounting left unflushed must not set it off
		$run->sync_disk;
		$run->set('cut-unflushed', 12 + 8 * $time);
		$run->launch;
		ok($run->ctl('wait-off 60')->{done}, "$arm, seed $seed: power goes during recovery $time");
		$run->cut_now(at_once => 1);
		my $log = $run->log_text;
		like($log, qr/automatic recovery in progress/, '... it had begun');
		unlike($log, qr/ready to accept connections/, '... and had not ended');
	}

	$run->power_on;
	whole_or_not($run, 'before recovery 3');
	$run->recover_and_verify;
	is(join("\n", @{ $run->{problems} }), '', "$arm, seed $seed: sound after the third recovery");
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	$run->end;
}
done_testing();

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
