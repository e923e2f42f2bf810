#!/usr/bin/perl
#
# The user-mode kernel: what a command in it has and gives back, and that
# nothing is left of a kernel that ends well, badly, by force or not at all.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'namespaces need root' if $> != 0;

my $lab  = abs_path(dirname(__FILE__) . '/..');
my $said = `$lab/root make uml --suite forky user-mode-linux 2>&1`;
plan skip_all => "no kernel: $said" if $? >> 8 == 77;
die $said if $?;

my $work = File::Temp::mkdtemp('/var/tmp/uml-test-XXXXXX');
my $next = 0;

END
{
	my $status = $?;
	system('rm', '-rf', $work) if $work;
	$? = $status;
}

# Runs uml; returns exit status, what it wrote, what it complained of.
sub uml
{
	my (@arguments) = @_;
	my $run = start(@arguments);
	return finish($run);
}

sub start
{
	my (@arguments) = @_;
	my $base = "$work/" . $next++;
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		open STDOUT, '>', "$base.out" or die "$base.out: $!";
		open STDERR, '>', "$base.err" or die "$base.err: $!";
		exec "$lab/uml", @arguments or die "uml: $!";
	}
	return { pid => $pid, base => $base };
}

sub finish
{
	my ($run) = @_;
	waitpid $run->{pid}, 0;
	return ($? & 127 ? 128 + ($? & 127) : $? >> 8, map { slurp("$run->{base}.$_") } qw(out err));
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<', $file or return '';
	local $/;
	return <$fh> // '';
}

sub wait_for
{
	my ($condition) = @_;
	my $end = time + 60;
	until ($condition->())
	{
		return 0 if time > $end;
		sleep 0.05;
	}
	return 1;
}

# Kernels (and what started them) that run below our temporary directory.
sub leftovers
{
	my @found = grep { !/^$$ / } map {
		my ($pid) = m{(\d+)};
		my $words = slurp("/proc/$pid/cmdline") =~ tr/\0/ /r;
		$words =~ /smgr_atomic-uml/ ? "$pid $words" : ();
	} glob '/proc/[0-9]*';
	return (@found, glob '/var/tmp/smgr_atomic-uml-*');
}
my %before = map { $_ => 1 } leftovers();

sub nothing_left
{
	my ($name) = @_;
	wait_for(sub { !grep { !$before{$_} } leftovers() });
	is_deeply([ grep { !$before{$_} } leftovers() ], [], "$name: no process, no directory left");
	unlike(slurp('/proc/self/mountinfo'), qr/smgr_atomic-uml/, "$name: no mount left");
	return;
}

my ($status, $out, $err) = uml('--', 'sh', '-c', 'echo "two  words"; echo oops >&2; exit 7');
is($status, 7, 'exit status of the command');
is($out, "two  words\n", 'its output');
is($err, "oops\n", 'its errors');
nothing_left('a command that ends');

($status, $out) = uml('--memory', '700M', '--', 'sh', '-c',
	'uname -r; id -u; awk "/MemTotal/ {print \$2}" /proc/meminfo; test -w /dev/shm -a -w /tmp -a -d /sys/block && echo yes;'
	  . ' modprobe loop && echo module; wc -c; touch /usr/lib/uml-test && echo written');
like($out, qr/^\d+\.\d+\S*\n0\n(\d+)\nyes\nmodule\n0\nwritten\n$/, 'kernel, user, filesystems, modules, input');
unlike($out, qr/^\Q@{[ `uname -r` ]}\E/, 'a kernel of its own');
my ($memory) = $out =~ /\n0\n(\d+)/;
ok($memory > 600 * 1024 && $memory < 720 * 1024, "its own memory ($memory KiB)");
ok(!-e '/usr/lib/uml-test', 'what it changes is forgotten');

mkdir "$work/shared" or die "mkdir: $!";
open my $image, '>', "$work/image" or die "image: $!";
truncate $image, 20 << 20;
close $image;
($status) = uml('--disk', "$work/image", '--bind', "$work/shared:/srv/here", '--', 'sh', '-c',
	'echo kept > /srv/here/file; printf on-disk | dd of=/dev/ubda bs=4096 seek=1 conv=fsync 2>/dev/null');
is(slurp("$work/shared/file"), "kept\n", 'a directory of the machine can be written');
is(substr(slurp("$work/image"), 4096, 7), 'on-disk', 'so can a disk');

# ends by force
my $run = start('--pid-file', "$work/pid", '--bind', "$work/shared:/srv/here",
	'--', 'sh', '-c', 'echo started; touch /srv/here/running; sleep 600');
ok(wait_for(sub { -e "$work/shared/running" && -s "$work/pid" }), 'a long command runs');
ok(kill(KILL => -slurp("$work/pid")), 'its kernel is killed');
($status, $out, $err) = finish($run);
is($status, 137, 'that is an exit status of its own');
is($out, "started\n", 'what it had written is passed on');
like($err, qr/kernel ended before the command did/, 'and said');
nothing_left('a kernel killed');

unlink "$work/shared/running";
$run = start('--pid-file', "$work/pid2", '--bind', "$work/shared:/srv/here",
	'--', 'sh', '-c', 'touch /srv/here/running; sleep 600');
ok(wait_for(sub { -e "$work/shared/running" && -s "$work/pid2" }), 'another runs');
kill KILL => $run->{pid};
finish($run);
my $session = slurp("$work/pid2");
chomp $session;
ok(wait_for(sub { !kill 0, -$session }), 'its kernel ends when uml is killed');
system('rm', '-rf', '--one-file-system', grep { !$before{$_} } glob '/var/tmp/smgr_atomic-uml-*');
nothing_left('uml killed');

($status, $out, $err) = uml('--timeout', 2, '--', 'sleep', 600);
is($status, 124, 'a command that does not end is ended');
like($err, qr/ended after 2 s/, 'and that is said');
nothing_left('timeout');

($status, $out, $err) = uml('--', 'sh', '-c', 'echo c > /proc/sysrq-trigger; sleep 600');
is($status, 137, 'panic');
like($err, qr/sysrq triggered crash/, 'the kernel is quoted');
nothing_left('panic');

($status, $out, $err) = uml('--append', 'root=/dev/nowhere rootfstype=ext4', '--', 'true');
is($status, 125, 'a kernel that finds no root');
like($err, qr/has not started the command.*Unable to mount root/s, 'is quoted');
nothing_left('no root');

open my $script, '>', "$work/hangs" or die "hangs: $!";
print $script "#!/bin/sh\nsleep 600\n";
close $script;
chmod 0755, "$work/hangs";
($status, $out, $err) = uml('--kernel', "$work/hangs", '--boot-timeout', 1, '--', 'true');
is($status, 125, 'a kernel that hangs');
like($err, qr/has not started the command/, 'is given up');
nothing_left('a kernel that hangs');

for my $case (
	[ qr/no command/, '--' ],
	[ qr/no such option: --nonsense/, '--nonsense', 'x' ],
	[ qr/needs a value/, '--root' ],
	[ qr/no file/, '--disk', "$work/nothing", '--', 'true' ],
	[ qr/no kernel/, '--kernel', "$work/nothing", '--', 'true' ])
{
	my ($message, @arguments) = @$case;
	($status, $out, $err) = uml(@arguments);
	is($status, 125, "@arguments: refused");
	like($err, $message, "@arguments: with the reason");
}

done_testing();
