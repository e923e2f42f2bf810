#!/usr/bin/perl
#
# What repair believes of a read (smgr_atomic/readback.c), as root: on ext4 and
# XFS on loop devices with and without direct I/O, on tmpfs, and of pages that
# the page cache has or not.  Devices upon devices are stand-ins: a directory in
# place of /sys.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Temp ();
use POSIX ();
use Test::More;

plan skip_all => 'mounting needs root' if $> != 0;

my $lab    = abs_path(dirname(__FILE__) . '/..');
my $source = abs_path("$lab/../../smgr_atomic");
my $work   = File::Temp::mkdtemp('/var/tmp/readback-XXXXXX');
my ($device, $mounted);

sub remove_volume
{
	system('umount', "$work/fs") if $mounted;
	system('losetup', '-d', $device) if $device;
	($device, $mounted) = ();
	return;
}

END
{
	my $status = $?;
	remove_volume();
	remove_tree($work) if $work;
	$? = $status;
}

# "trusted, cached" of a file
sub ask
{
	my ($file, @through) = @_;
	open my $pipe, '-|', @through, "$work/ask", $file or die "$work/ask: $!\n";
	chomp(my $answer = <$pipe> // '');
	close $pipe;
	return $answer;
}

sub make_file
{
	my ($file) = @_;
	open my $fh, '>', $file or die "$file: $!\n";
	print {$fh} 'x' x 65536;
	close $fh or die "$file: $!\n";
	return $file;
}

open my $program, '>', "$work/ask.c" or die "$work/ask.c: $!\n";
print {$program} <<'C';
#include "readback.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ask FILE: with DROP in the environment, once it is on storage and out of the page cache */
int
main(int argc, char **argv)
{
	int			fd = open(argv[argc - 1], O_RDWR);

	if (fd < 0)
		return 1;
	if (getenv("DROP") && (fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0))
		return 1;
	printf("%d, %d\n", sa_readback_trusted(fd), sa_readback_cached(fd, 8192, 8192));
	return 0;
}
C
close $program;
system('gcc', '-std=gnu11', '-D_GNU_SOURCE', "-I$source", '-o', "$work/ask", "$work/ask.c", "$source/readback.c", "$source/probe.c") == 0
  or BAIL_OUT('readback.c does not build by itself');
mkdir "$work/fs" or die "$work/fs: $!\n";

my ($major, $minor) = (POSIX::uname())[2] =~ /^(\d+)\.(\d+)/;
my $can_tell = $major > 6 || ($major == 6 && $minor >= 5);
for my $fs (qw(ext4 xfs))
{
	for my $direct (qw(on off))
	{
		my $what = "$fs, loop device with direct I/O $direct";

		system('truncate', '-s', '400M', "$work/image");
		chomp($device = `losetup --find --show $work/image`);
		system('losetup', "--direct-io=$direct", $device) == 0 or BAIL_OUT("losetup --direct-io=$direct");
		system("mkfs.$fs", '-q', $device) == 0 or BAIL_OUT("mkfs.$fs");
		system('mount', $device, "$work/fs") == 0 or BAIL_OUT('mount');
		$mounted = 1;
		my $file    = make_file("$work/fs/file");
		my $trusted = $direct eq 'on' ? 1 : 0;
		is(ask($file), "$trusted, 1", "$what, just written");
		SKIP:
		{
			skip 'cachestat(2) is of kernel 6.5', 1 unless $can_tell;
			local $ENV{DROP} = 1;
			is(ask($file), "$trusted, 0", "$what, not in the page cache");
		}
		remove_volume();
		unlink "$work/image";
	}
}

SKIP:
{
	skip 'no tmpfs', 1 if system('mount', '-t', 'tmpfs', 'tmpfs', "$work/fs") != 0;
	$mounted = 1;
	like(ask(make_file("$work/fs/file")), qr/^0,/, 'tmpfs');
	remove_volume();
}

# ---- devices upon devices, in a stand-in for /sys --------------------------------

my $file = make_file("$work/file");
my ($type) = `stat -f -c %T $work` =~ /(\S+)/;
my $dev = (stat $file)[0];
my $own = sprintf '%d:%d', ($dev >> 8) & 0xfff, ($dev & 0xff) | (($dev >> 12) & 0xfff00);

sub with_devices
{
	my ($expected, $what, @tree) = @_;
	my $sys = "$work/sys";

	make_path("$sys/dev/block/$own");
	for (map { "$sys/dev/block/$own/$_" } @tree)
	{
		make_path(/\/$/ ? $_ : dirname($_));
		next if /\/$/;
		my ($path, $text) = split /=/;
		open my $fh, '>', $path or die "$path: $!\n";
		print {$fh} $text // '';
		close $fh;
	}
	like(ask($file, 'unshare', '--mount', 'sh', '-c', "mount --bind $sys /sys && exec \"\$@\"", 'sh'), qr/^$expected,/, $what);
	remove_tree($sys);
	return;
}

SKIP:
{
	skip "/var/tmp is on $type", 9 if $type !~ /^(?:ext|xfs)/;
	with_devices(1, 'a disk', 'slaves/');
	with_devices(0, 'nothing is said about what is below');
	with_devices(1, 'one device upon another', 'slaves/sda/slaves/');
	with_devices(0, 'upon two', 'slaves/sda/slaves/', 'slaves/sdb/slaves/');
	with_devices(0, 'upon one that is upon two', 'slaves/dm-0/slaves/sda/slaves/', 'slaves/dm-0/slaves/sdb/slaves/');
	with_devices(0, 'md', 'md/', 'slaves/sda/slaves/');
	with_devices(0, 'upon md', 'slaves/md0/md/', 'slaves/md0/slaves/sda/slaves/');
	with_devices(1, 'upon a loop device with direct I/O', 'slaves/loop0/loop/dio=1', 'slaves/loop0/slaves/');
	with_devices(0, 'upon one without', 'slaves/loop0/loop/dio=0', 'slaves/loop0/slaves/');
}
done_testing();
