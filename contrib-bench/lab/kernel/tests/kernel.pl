#!/usr/bin/perl
#
# The patch, before PostgreSQL sees it: what one call does (calls.c), against
# everything else that changes a file (race.c), random operations compared with
# a model (ops.c), and what a kernel that is killed leaves on its disk (stream.c).
#
# Usage (as root, with the kernel built): prove contrib-bench/lab/kernel/tests/kernel.pl
# KILLS=N kills the kernel N times for each method, OPERATIONS=N, SECONDS=N.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'booting a kernel needs root' if $> != 0;

my $here = abs_path(dirname(__FILE__));
my $lab  = abs_path("$here/../..");
chomp(my $kernel = `$here/../build --path 2>&1`);
plan skip_all => $kernel if $?;
chomp(my $flag = `$here/../build --flag`);

my $kills      = $ENV{KILLS}      // 6;
my $operations = $ENV{OPERATIONS} // 4000;
my $seconds    = $ENV{SECONDS}    // 3;
my $work = File::Temp::mkdtemp('/var/tmp/writethrough-XXXXXX');

END
{
	my $status = $?;
	system('rm', '-rf', $work) if $work;
	$? = $status;
}

for my $program (qw(calls race ops stream))
{
	system('gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-o', "$work/$program",
		"$here/$program.c") == 0
	  or die "gcc: $?";
}

# ---- in a kernel -------------------------------------------------------------

my @uml = ("$lab/uml", '--kernel', $kernel, '--bind', "$work:/outside", '--memory', '1200M');

# Runs a script in the kernel; returns status and output.
sub boot
{
	my ($script, @options) = @_;
	my $pid = open my $out, '-|' // die "fork: $!";

	if (!$pid)
	{
		open STDERR, '>&', \*STDOUT or die "dup: $!";
		{
			exec @uml, '--timeout', 1200, @options, '--', 'bash', '-c',
			  "set -e; export RWF_WRITETHROUGH=$flag\n$script";
		}
		POSIX::_exit(127);
	}
	my @lines = <$out>;
	close $out;
	return ($? >> 8, @lines);
}

# The tests that programs in the kernel have reported, as a subtest.
sub report
{
	my ($name, $status, @lines) = @_;

	subtest $name => sub {
		for (@lines)
		{
			chomp;
			if (/^(not )?ok \d+ - (.*)/) { ok(!$1, $2) }
			elsif (/^1\.\.\d+$/) { }
			else                 { diag($_) }
		}
		is($status, 0, 'ran to the end');
	};
	return;
}

my $disk = "$work/disk";

sub new_disk
{
	my ($size) = @_;
	open my $file, '>', $disk or die "$disk: $!";
	truncate $file, $size or die "truncate: $!";
	return;
}

# ---- calls, races, operations --------------------------------------------------

# Makes XFS on a device and runs all programs there.  (allocsize: see ops.c)
sub programs
{
	my ($device, @mkfs) = @_;
	return "mkfs.xfs -q -f @mkfs $device; mount $device /mnt; cd /mnt; /outside/calls; /outside/race $seconds;"
	  . " cd /; umount /mnt; mount -o allocsize=4096 $device /mnt; cd /mnt;"
	  . " for seed in 1 2 3; do /outside/ops \$seed $operations; done";
}

my @hardware = ('--append', 'scsi_debug.atomic_wr=1 scsi_debug.dev_size_mb=400 scsi_debug.delay=0');

new_disk(600 * 1024 * 1024);
report('XFS copy-on-write',
	boot(programs('/dev/ubda'), '--disk', $disk));
report('XFS on a device with atomic writes',
	boot(programs('/dev/sda'), @hardware));
report('XFS with blocks of 1 KiB',
	boot(programs('/dev/sda', '-b', 'size=1024'), @hardware));
report('filesystems that do not know the flag',
	boot("mkfs.ext4 -q -F /dev/sda; mount /dev/sda /mnt; cd /mnt; /outside/calls --refused;"
		  . ' cd /tmp; /outside/calls --refused',
		@hardware));

# ---- a kernel that is killed ---------------------------------------------------

# Pages written in four streams until the kernel is killed; then what is there.
sub killed
{
	my ($method) = @_;
	my $pidfile = "$work/pid";

	unlink $pidfile, "$work/streaming";
	system('cp', '--sparse=always', "$work/prepared", $disk) == 0 or die 'cp';
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		# "s": every write of the disk waits for the host's, which takes time
		{ exec @uml, '--append', "ubdas=$disk", '--pid-file', $pidfile, '--', 'bash', '-c',
		  "export RWF_WRITETHROUGH=$flag; mount /dev/ubda /mnt;"
		  . " for n in 0 1 2 3; do /outside/stream $method /mnt/file \$n > /run/\$n & done;"
		  . ' for n in 0 1 2 3; do until grep -q streaming /run/$n; do sleep 0.1; done; done;'
		  . ' touch /outside/streaming; wait'; }
		POSIX::_exit(127);
	}
	for (1 .. 1200)
	{
		last if -e "$work/streaming" && -s $pidfile;
		sleep 0.1;
	}
	die 'no stream' unless -e "$work/streaming";
	open my $file, '<', $pidfile or die "$pidfile: $!";
	chomp(my $session = <$file>);
	sleep rand 1;
	kill KILL => -$session or die "kill: $!";
	waitpid $pid, 0;

	my ($status, @lines) =
	  boot('mount /dev/ubda /mnt; /outside/stream check /mnt/file', '--disk', $disk);
	my ($written, $torn) = "@lines" =~ /written (\d+) torn (\d+)/;
	die "@lines" unless defined $torn;
	return ($written, $torn);
}

my ($status, @lines) =
  boot('mkfs.xfs -q -f -b size=1024 /dev/ubda; mount /dev/ubda /mnt; /outside/stream make /mnt/file; umount /mnt',
	'--disk', $disk);
is($status, 0, 'a file laid out to tear') or diag @lines;
rename $disk, "$work/prepared" or die "rename: $!";

my %torn;
for my $method (qw(direct-plain writethrough))
{
	for my $kill (1 .. $kills)
	{
		my ($written, $torn) = killed($method);
		note "$method, kill $kill: $written pages written, $torn torn";
		cmp_ok($written, '>', 0, "$method, kill $kill: pages were written");
		$torn{$method} += $torn;
	}
}
cmp_ok($torn{'direct-plain'}, '>', 0, 'control: plain writes are torn when the kernel is killed')
  or diag 'the control shows nothing, so neither does the rest';
is($torn{writethrough}, 0, 'written through: no page is torn');

done_testing();
