#!/usr/bin/perl
#
# The extension on the test kernel: inside.pl there, then a server whose kernel
# is killed under load.
#
# Usage (as root, with kernel and extension built and installed):
# prove contrib-bench/lab/kernel/tests/postgres.pl; CRASHES=N kills N times.

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
my $top  = abs_path("$lab/../..");
chomp(my $kernel = `$here/../build --path 2>&1`);
plan skip_all => $kernel if $?;
chomp(my $flag = `$here/../build --flag`);

my $crashes = $ENV{CRASHES} // 3;
my $work = File::Temp::mkdtemp('/var/tmp/writethrough-XXXXXX');
my $disk = "$work/disk";

END
{
	my $status = $?;
	system('rm', '-rf', $work) if $work;
	$? = $status;
}

my $inside = '/smgr_atomic/contrib-bench/lab/kernel/tests';

sub uml_command
{
	my ($script, @options) = @_;
	return (
		"$lab/uml", '--kernel', $kernel, '--bind', "$top:/smgr_atomic", '--bind', "$work:/outside",
		'--memory', '1500M', '--timeout', 1800, '--disk', $disk, '--append',
		'scsi_debug.atomic_wr=1 scsi_debug.dev_size_mb=200 scsi_debug.delay=0',
		@options, '--', 'bash', '-c',
		"export RWF_WRITETHROUGH=$flag PERL5LIB=/smgr_atomic/t; $script");
}

# Status and output of a script in the kernel.
sub boot
{
	my ($script) = @_;
	my $pid = open my $out, '-|' // die "fork: $!";

	if (!$pid)
	{
		open STDERR, '>&', \*STDOUT or die "dup: $!";
		{ exec uml_command($script); }
		POSIX::_exit(127);
	}
	my @lines = <$out>;
	close $out;
	return ($? >> 8, @lines);
}

# What a TAP program in the kernel has reported, as a subtest.
sub report
{
	my ($name, $status, @lines) = @_;

	subtest $name => sub {
		for (@lines)
		{
			chomp;
			if (/^(not )?ok \d+ - (.*)/) { ok(!$1, $2) }
			elsif (/^\s|^1\.\.\d+$|^# Subtest/) { note($_) }
			else { diag($_) }
		}
		is($status, 0, 'ran to the end');
	};
	return;
}

sub new_disk
{
	open my $file, '>', $disk or die "$disk: $!";
	truncate $file, 3 * 1024**3 or die "truncate: $!";
	return;
}

new_disk();
report('the extension with RWF_WRITETHROUGH', boot("$inside/guest perl $inside/inside.pl"));

# ---- the kernel is killed under a server ------------------------------------------

# Boots, starts the server and a load; kills the kernel when the load has run
# for a while.
sub crash
{
	unlink "$work/loaded", "$work/pid";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', "$work/out";
		open STDERR, '>&', \*STDOUT;
		{ exec uml_command("$inside/guest bash $inside/crash load", '--pid-file', "$work/pid"); }
		POSIX::_exit(127);
	}
	for (1 .. 3000)
	{
		last if -e "$work/loaded" || waitpid($pid, POSIX::WNOHANG()) != 0;
		sleep 0.1;
	}
	die 'no load: ' . `cat $work/out` unless -e "$work/loaded";
	sleep rand 3;
	open my $file, '<', "$work/pid" or die "$work/pid: $!";
	chomp(my $session = <$file>);
	kill KILL => -$session or die "kill: $!";
	waitpid $pid, 0;
	return;
}

new_disk();
my ($status, @lines) = boot("$inside/guest bash $inside/crash make");
is($status, 0, 'a bank') or diag @lines;
for my $crash (1 .. $crashes)
{
	crash();
	report("crash of the kernel, $crash", boot("$inside/guest bash $inside/crash check"));
}

done_testing();
