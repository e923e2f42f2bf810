
# Power is cut under a working server with method doublewrite, where no page
# write is atomic: ext4, also on a disk with 512-byte sectors, and XFS without
# reflink, with and without checksums, with copies as they are and compressed.  (XFS's recovery leaves a metadata block alone
# whose start is as new as its log; on a disk that tears between 512 bytes it may
# be lost by that, whatever the server does.)  Torn pages are there after the cut and gone after
# repair.  The control starts without repair on the same disk: damage.  (Without checksums
# only what is missing or wrong shows it, so that disk tears between 512 bytes, too: at
# 4096 ten cuts in succession have shown none.)  With
# data=journal there is none: the filesystem replays each block from a journal of
# its own, so that a page tears only between two of its transactions.
#
# CRASH_SEED repeats a run's cuts, CRASH_CUTS makes more of them.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use PostgreSQL::Test::Utils;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $cuts = $ENV{CRASH_CUTS} // 1;

use constant MOST_CUTS => 10;

# More than a batch of the journal can be, which takes a section of it: pages that are
# being written to their places are among it.
use constant BEYOND_A_BATCH => 1280 * 1024;

sub one_cut
{
	my ($lab, $arm, $number, $cut, %options) = @_;
	my $run = $lab->begin(arm => $arm, seed => $number);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	$run->value('CREATE EXTENSION smgr_atomic');
	$run->workload;
	SmgrAtomic::Crash::wait_for(30, sub { $run->value('SELECT packed_pages > 0 FROM smgr_atomic_journal') eq 't' })
	  or BAIL_OUT("no copy is compressed, see $run->{log}")
	  if $arm eq 'doublewrite-lz4';
	$run->cut(%$cut);
	$run->power_on;
	$run->recover_and_verify(%options);
	note "seed $number: cut by $run->{cut}{last_cut}, $run->{split} writes split, "
	  . "$run->{torn} torn pages, $run->{acknowledged} commits, $run->{lost} lost";
	note "  $_" for @{ $run->{problems} };
	return $run;
}

for my $place (
	{ name => 'ext4, 512-byte sectors', fs => 'ext4', sector => 512 },
	{ name => 'ext4, 512-byte sectors, compressed copies', fs => 'ext4', sector => 512, arm => 'doublewrite-lz4' },
	{ name => 'XFS without reflink', fs => 'xfs', mkfs_options => '-m reflink=0' },
	{ name => 'ext4, no checksums', fs => 'ext4', sector => 512, checksums => 0 },
	{ name => 'ext4 data=journal', fs => 'ext4', mount_options => 'data=journal', control => 0 })
{
	my $name = delete $place->{name};
	my $arm  = delete $place->{arm} // 'doublewrite';
	my $control = delete $place->{control} // 1;
	my $lab = SmgrAtomic::Crash->new(%$place);
	my ($torn, $damaged) = (0, 0);

	for my $i (1 .. MOST_CUTS)
	{
		my $run = one_cut($lab, $arm, $seed + $i, {});
		is(join("\n", @{ $run->{problems} }), '', "$name, seed $run->{seed}: sound after repair and recovery");
		is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
		like($run->log_text, qr/page journal: [1-9]\d* batches/, '... pages were repaired from the journal')
		  if $run->{torn};
		unlike($run->log_text, qr/page journal: .* [1-9]\d* rewritten/, '... only what storage had lost was written')
		  if $run->{torn};
		like(slurp_file('/proc/mounts'), qr/^\S+ \Q$run->{mount}\E ext4 \S*\b\Q$place->{mount_options}\E\b/m, '... mounted so')
		  if $place->{mount_options};
		$torn += $run->{torn} || $run->{split};
		$run->end;
		last if $torn && $i >= $cuts;
	}
	cmp_ok($torn, '>', 0, "$name: the cuts did tear");
	next unless $control;

	for my $i (1 .. MOST_CUTS)
	{
		my %cut = $i % 2 ? (unflushed => BEYOND_A_BATCH / $lab->{sector}) : ();
		my $run = one_cut($lab, $arm, $seed + $i, \%cut, conf => ['smgr_atomic.ignore_journal=on']);

		$damaged += @{ $run->{problems} } > 0;
		$run->end;
		last if $damaged;
	}
	cmp_ok($damaged, '>', 0, "$name: without repair there is damage");
}

done_testing();
