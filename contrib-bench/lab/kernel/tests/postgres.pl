#!/usr/bin/perl
#
# The extension on the test kernel: inside.pl there, then power cuts under load.
#
# Usage (as root, with kernel and extension built and installed):
# prove contrib-bench/lab/kernel/tests/postgres.pl; CRASHES=N cuts N times, each arm.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use TestKernel;

my $crashes = $ENV{CRASHES} // 3;
my $top = abs_path("$FindBin::Bin/../../../..");
my $inside = '/smgr_atomic/contrib-bench/lab/kernel/tests';
my $disk_size = 3 * 1024**3;

prepare();
my $work = work();
my $disk = "$work/disk";
options('--bind', "$top:/smgr_atomic", '--memory', '1500M', '--boot-timeout', 180,
	'--timeout', 1800, '--append',
	'scsi_debug.atomic_wr=1 scsi_debug.dev_size_mb=200 scsi_debug.delay=0');

sub guest { return "export PERL5LIB=/smgr_atomic/t; $inside/guest @_" }

new_disk($disk, $disk_size);
report('the extension with RWF_WRITETHROUGH', boot(guest("perl $inside/inside.pl"), '--disk', $disk));

# ---- the power goes under a server ------------------------------------------------

# A disk with a volatile cache.  Page writes of stock PostgreSQL, images off, are
# the control: without torn pages there, none in ours shows nothing.

sector(4096);

new_disk($disk, $disk_size);
my ($status, @lines) = boot(guest("bash $inside/crash make"), '--disk', $disk);
is($status, 0, 'a bank') or diag @lines;
rename $disk, "$work/bank" or die "rename: $!";

# What the look at the disk after a cut has said, and its status.
sub cut_server
{
	my ($arm) = @_;

	system('cp', '--sparse=always', "$work/bank", $disk) == 0 or die 'cp';
	my $cut = cut_off('power', $disk, guest("bash $inside/crash load $arm"));
	note "$arm: power cut, $cut";
	return boot(guest("bash $inside/crash check $arm"), '--disk', $disk);
}

report("writethrough, power cut $_", cut_server('writethrough')) for 1 .. $crashes;

# The control may need a few cuts more to show it.
my $torn = 0;
for my $cut (1 .. $crashes + 8)
{
	last if $cut > $crashes && $torn > 0;
	my ($failed, @said) = cut_server('stock');
	my ($found, $damaged) = "@said" =~ /: (\d+) torn, (\d+) damaged otherwise/ or die "@said";
	note "stock, images off: $found pages torn, $damaged damaged otherwise";
	$torn += $found;
}
cmp_ok($torn, '>', 0, "control: stock without images has $torn torn pages");

done_testing();
