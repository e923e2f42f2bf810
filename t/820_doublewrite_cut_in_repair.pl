
# Power is cut while pages are repaired from the page journal, and again during
# the repair after that: the journal is as it was until all is durable, so the
# next start repairs once more.  With copies as they are, or compressed: the seed decides.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new(fs => 'ext4');
my $arm  = $seed % 2 ? 'doublewrite-lz4' : 'doublewrite';
my $run  = $lab->begin(arm => $arm, seed => $seed);
note $arm;

use constant MOST_TRIES => 12;

# Much in the window, much of it not in place.
$run->start or BAIL_OUT("the server does not start, see $run->{log}");
$run->value('CREATE EXTENSION smgr_atomic');
$run->workload(checkpoints => 0);
SmgrAtomic::Crash::wait_for(120, sub {
		$run->value("SELECT state = 'active' AND used > 1500000 FROM smgr_atomic_status, smgr_atomic_journal") eq 't' })
  or BAIL_OUT("the journal does not fill, see $run->{log}");
$run->cut_now(unflushed => 200);

my ($in_repair, $split) = (0, 0);
for my $try (1 .. MOST_TRIES)
{
	$run->power_on;
	# what mounting left unflushed must not set it off
	$run->sync_disk;
	$run->set('cut-unflushed', 8 + 2 * ($try % 6));
	$run->launch;
	$run->ctl('wait-off 60');
	$run->cut_now(at_once => 1);
	unlike($run->log_text, qr/ready to accept connections/, "try $try: power goes before the server is up");
	if ($run->log_text =~ /to repair it from the page journal/)
	{
		$in_repair++;
		$split += $run->split_writes;
	}
	last if $in_repair >= 2 && $split;
}
cmp_ok($in_repair, '>=', 2, "power went twice during repair, seed $seed");
cmp_ok($split, '>', 0, '... and split writes of it');

$run->power_on;
$run->recover_and_verify;
like($run->log_text, qr/page journal: [1-9]\d* batches, [1-9]\d* pages checked/, 'repaired in the end');
is(join("\n", @{ $run->{problems} }), '', '... sound after recovery');
is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
$run->end;
done_testing();
