#!/usr/bin/perl
#
# The patch, before PostgreSQL sees it: what one call does (calls.c), against
# everything else that changes a file (race.c), on a device that is slow or
# refuses (flight.c), random operations compared with a model (ops.c), and what is
# on the disk (stream.c) after a kernel was killed, and after a disk with a volatile
# cache lost power.
#
# Usage (as root, with the kernel built): prove contrib-bench/lab/kernel/tests/kernel.pl
# KILLS=N cuts off N times in each way and by each method, OPERATIONS=N, SECONDS=N.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Test::More;
use TestKernel;

my $kills      = $ENV{KILLS}      // 6;
my $operations = $ENV{OPERATIONS} // 4000;
my $seconds    = $ENV{SECONDS}    // 3;

prepare();
my $work = work();
my $disk = "$work/disk";
options('--memory', '1200M', '--boot-timeout', 180, '--timeout', 1200);

for my $program (qw(calls race ops stream flight))
{
	system('gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', "$work/$program",
		"$FindBin::Bin/$program.c") == 0
	  or die "gcc: $?";
}

# ---- calls, races, operations --------------------------------------------------

# Makes XFS on a device and runs all programs there.  (allocsize: see ops.c)
sub programs
{
	my ($device, @mkfs) = @_;
	return "set -e; mkfs.xfs -q -f @mkfs $device; mount $device /mnt; cd /mnt; /outside/calls; /outside/race $seconds;"
	  . " cd /; umount /mnt; mount -o allocsize=4096 $device /mnt; cd /mnt;"
	  . " for seed in 1 2 3; do /outside/ops \$seed $operations; done";
}

my @hardware = ('--append', 'scsi_debug.atomic_wr=1 scsi_debug.dev_size_mb=400 scsi_debug.delay=0');

new_disk($disk, 600 * 1024 * 1024);
report('XFS copy-on-write',
	boot(programs('/dev/ubda'), '--disk', $disk));
report('XFS on a device with atomic writes',
	boot(programs('/dev/sda'), @hardware));
report('XFS with blocks of 1 KiB',
	boot(programs('/dev/sda', '-b', 'size=1024'), @hardware));
# The log, which XFS looks at every 30 seconds, must not be written meanwhile.
report('a slow device, and one that refuses',
	boot('set -e; echo 720000 > /proc/sys/fs/xfs/xfssyncd_centisecs;'
		  . ' mkfs.xfs -q -f /dev/sda; mount /dev/sda /mnt; cd /mnt; /outside/flight sda',
		@hardware));
report('filesystems that do not know the flag',
	boot("set -e; mkfs.ext4 -q -F /dev/sda; mount /dev/sda /mnt; cd /mnt; /outside/calls --refused;"
		  . ' cd /tmp; /outside/calls --refused',
		@hardware));

# ---- cut off ---------------------------------------------------------------------

# Pages written in four streams until they are cut off; then what is there.
sub cut_stream
{
	my ($how, $method) = @_;

	system('cp', '--sparse=always', "$work/prepared", $disk) == 0 or die 'cp';
	my $cut = cut_off($how, $disk,
		'mount $DISK /mnt;'
		  . " for n in 0 1 2 3; do /outside/stream $method /mnt/file \$n > /run/\$n & done;"
		  . ' for n in 0 1 2 3; do until grep -q streaming /run/$n; do sleep 0.1; done; done;'
		  . ' touch /outside/ready; wait');
	my ($status, @lines) =
	  boot('set -e; mount /dev/ubda /mnt; /outside/stream check /mnt/file', '--disk', $disk);
	my ($written, $torn) = "@lines" =~ /written (\d+) torn (\d+)/;
	die "@lines" unless defined $torn;
	note "$method, $how ($cut): $written pages written, $torn torn";
	cmp_ok($written, '>', 0, "$method, $how: pages were written");
	return $torn;
}

new_disk($disk, 600 * 1024 * 1024);
my ($status, @lines) =
  boot('set -e; mkfs.xfs -q -f -b size=1024 -s size=1024 /dev/ubda; mount /dev/ubda /mnt; /outside/stream make /mnt/file; umount /mnt',
	'--disk', $disk);
is($status, 0, 'a file laid out to tear') or diag @lines;
rename $disk, "$work/prepared" or die "rename: $!";

sector(1024);

# Each way to cut off with a control that it tears; the control may need a few
# cuts more to show it.
my %control = (killed => 'direct-plain', power => 'plain');
for my $how (qw(killed power))
{
	my %torn = map { $_ => 0 } $control{$how}, 'writethrough';

	$torn{writethrough} += cut_stream($how, 'writethrough') for 1 .. $kills;
	for my $cut (1 .. $kills + 8)
	{
		last if $cut > $kills && $torn{ $control{$how} } > 0;
		$torn{ $control{$how} } += cut_stream($how, $control{$how});
	}
	cmp_ok($torn{ $control{$how} }, '>', 0, "control, $how: $torn{ $control{$how} } pages of $control{$how} writes are torn")
	  or diag 'the control shows nothing, so neither does the rest';
	is($torn{writethrough}, 0, "written through, $how: no page is torn");
}

done_testing();
