#!/usr/bin/perl
#
# The disk that loses power, through FUSE, a loop device and XFS, as root.
# What the model promises on its own is in model.c; this is about the way
# there: that flushes, forced writes and errors arrive, and nothing is cached
# on the way.

use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:DEFAULT :seek);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Handle;
use POSIX ();
use Test::More;
use Time::HiRes ();

plan skip_all => 'mounting needs root' if $> != 0;

my $lab  = abs_path(dirname(__FILE__) . '/..');
my $work = File::Temp::mkdtemp('/var/tmp/powerdisk-XXXXXX');
my $seed = $ENV{SEED} // 1 + int rand 1_000_000;
my $tool = "$lab/powervolume";
note "seed $seed (set SEED to repeat)";

END
{
	my $status = $?;
	if ($work)
	{
		system('fusermount3', '-q', '-u', "$work/raw");
		system($tool, 'remove', $_) for "$work/fs", "$work/fs2";
		system("$lab/volume", 'remove', "$work/limited");
		system('rm', '-rf', $work);
	}
	$? = $status;
}

sub run_ok
{
	my (@command) = @_;
	my $rc = system(@command);
	is($rc, 0, "@command" =~ s/\Q$work\E/WORK/gr =~ s/\Q$lab\E\///gr);
	return;
}

sub status_of
{
	my ($socket) = @_;
	my %status = map { chomp; split /=/, $_, 2 } `$lab/powerctl $socket status`;
	return \%status;
}

sub wait_until_gone
{
	my ($path) = @_;
	for (1 .. 200) { return 1 unless -e $path; select undef, undef, undef, 0.05; }
	return 0;
}

# Writes bytes at an offset of a file; true when it worked.
sub put
{
	my ($path, $offset, $bytes, $flags) = @_;
	sysopen(my $fh, $path, O_WRONLY | ($flags // 0)) or return 0;
	sysseek($fh, $offset, SEEK_SET);
	my $n = syswrite $fh, $bytes;
	return defined $n && $n == length $bytes && close $fh;
}

sub get
{
	my ($path, $offset, $length) = @_;
	sysopen(my $fh, $path, O_RDONLY) or return undef;
	sysseek($fh, $offset, SEEK_SET);
	my $bytes;
	my $n = sysread $fh, $bytes, $length;
	return defined $n ? $bytes : undef;
}

sub slurp_line
{
	my ($path) = @_;
	open my $fh, '<', $path or die "$path: $!";
	return scalar(<$fh>) =~ s/\s+$//r;
}

sub sync_file
{
	my ($path) = @_;
	open my $fh, '+<', $path or return 0;
	return defined $fh->sync;
}

# ---- the FUSE file alone ------------------------------------------------------

my $image = "$work/raw.img";
my $disk  = "$work/raw/disk";
my $ctl   = "$image.ctl";
mkdir "$work/raw";
run_ok("$lab/powerdisk", '--size', '64M', '--seed', $seed, '--log', "$work/log",
	'--log-data', $image, "$work/raw");
is(-s $disk, 64 << 20, 'the file has the size of the disk');

ok(put($disk, 0, 'a' x 65536), 'write');
is(get($disk, 0, 65536), 'a' x 65536, 'a read sees it');
is(get($image, 0, 4096), "\0" x 4096, 'it is not on the image before a flush');
is(status_of($ctl)->{unflushed_sectors}, 16, '16 sectors are unflushed');
ok(sync_file($disk), 'fsync');
is(get($image, 0, 65536), 'a' x 65536, 'now it is on the image');
is(status_of($ctl)->{unflushed_sectors}, 0, 'nothing is unflushed');

ok(put($disk, 4096 * 8, 'b' x (4096 * 100)), 'write over a half of it, and more');
run_ok("$lab/powerctl", $ctl, 'cut');
ok(!put($disk, 0, 'c' x 4096) && $!{EIO}, 'without power a write fails with EIO');
ok(!defined get($disk, 0, 4096) && $!{EIO}, '... a read too');
ok(!sync_file($disk) && $!{EIO}, '... fsync too');
isnt(system("$lab/powerctl $ctl cut 2>/dev/null"), 0, '... and it cannot be cut again');
run_ok("$lab/powerctl", $ctl, 'power-on');
is(get($disk, 0, 4096 * 8), 'a' x (4096 * 8), 'what was flushed and not written since is there');
my $left = get($disk, 4096 * 8, 4096 * 100);
my $kept = grep { substr($left, $_ * 4096, 4096) eq 'b' x 4096 } 0 .. 99;
my $lost = grep { substr($left, $_ * 4096, 4096) eq ($_ < 8 ? 'a' : "\0") x 4096 } 0 .. 99;
is($kept + $lost, 100, "every sector is old or new, whole ($kept survived, $lost vanished)");
ok($kept > 10 && $lost > 10, 'both kinds occur');
my $status = status_of($ctl);
is("$status->{last_cut_kept} $status->{last_cut_lost}", "$kept $lost", 'the disk says the same');

run_ok("$lab/powerctl", $ctl, 'set', 'cut-unflushed', '10');
ok(!put($disk, 1 << 20, 'd' x (4096 * 10)) && $!{EIO}, 'the disk cuts itself at 10 unflushed sectors');
run_ok("$lab/powerctl", $ctl, 'wait-off', '10');
run_ok("$lab/powerctl", $ctl, 'power-on');
run_ok("$lab/powerctl", $ctl, 'set', 'eio-write', '1');
ok(!put($disk, 0, 'e' x 4096) && $!{EIO}, 'an injected error');
ok(put($disk, 0, 'e' x 4096), '... once');
run_ok("$lab/powerctl", $ctl, 'set', 'full', 'on');
ok(!put($disk, 32 << 20, 'f' x 4096) && $!{ENOSPC}, 'a full disk: ENOSPC');
isnt(system("$lab/powerctl $ctl set nonsense 1 2>/dev/null"), 0, 'an unknown setting is refused');
run_ok("$lab/powerctl", $ctl, 'set', 'full', 'off');

# Ten writes one after the other: a busy machine makes them slower, nothing faster.
for my $pace ([ 'latency', 20_000, 4096, 0.2 ], [ 'iops', 50, 4096, 0.2 ], [ 'bandwidth', 1_000_000, 40_960, 0.4 ])
{
	my ($setting, $value, $bytes, $least) = @$pace;

	run_ok("$lab/powerctl", $ctl, 'set', $setting, $value);
	my $begin = Time::HiRes::time();
	my $done = grep { put($disk, 0, 'g' x $bytes) } 1 .. 10;
	my $took = Time::HiRes::time() - $begin;
	is($done, 10, "$setting: ten writes");
	cmp_ok($took, '>=', $least, "$setting $value: they take $least s at least");
	run_ok("$lab/powerctl", $ctl, 'set', $setting, 0);
}

run_ok('fusermount3', '-u', "$work/raw");
ok(wait_until_gone($ctl), 'it ends with the mount');
run_ok("$lab/powerreplay", "$work/log", "$work/replayed.img");
run_ok('cmp', $image, "$work/replayed.img");
isnt(system("$lab/powerreplay --seed " . ($seed + 1) . " $work/log $work/other.img >/dev/null"),
	0, 'another seed is another disk (control)');

# ---- loop device and XFS on it ------------------------------------------------

my $mount = "$work/fs";
$ctl = "$mount.power/disk.img.ctl";
run_ok("$tool create $mount --size 512M -- --seed $seed >/dev/null");

sub count_flushes
{
	my ($what) = @_;
	my $before = status_of($ctl)->{flushes};
	$what->();
	return status_of($ctl)->{flushes} - $before;
}

my $O_DIRECT = 040000;
open my $fh, '>', "$mount/file" or die "$mount/file: $!";
print $fh 'x' x (1 << 20);
close $fh;
sync_file("$mount/file");
is(status_of($ctl)->{unflushed_sectors}, 0, 'fsync of a file leaves nothing unflushed');
is(count_flushes(sub { put("$mount/file", 0, 'y' x 8192) }), 0, 'a buffered write: no flush');
ok(count_flushes(sub { sync_file("$mount/file") }) >= 1, 'fsync of a file: a flush arrives');
ok(count_flushes(sub { put("$mount/file", 8192, 'z' x 8192, O_DSYNC) }) >= 1,
	'an O_DSYNC write: a flush arrives');
is(status_of($ctl)->{unflushed_sectors}, 0, '... and leaves nothing unflushed');

# straight to the device, so that the answer is about FUA and discard alone
my $device = `cat $mount.power/device`;
chomp $device;
my $queue = '/sys/block/' . ($device =~ s/.*\///r) . '/queue';
is(`cat $queue/write_cache`, "write back\n", 'the kernel takes it for a drive with a cache');
is(`cat $queue/fua`, "0\n", '... without FUA, so a forced write ends in a flush');
my $before = status_of($ctl);
my $first  = get($device, 0, 4096);
system("blkdiscard -f -o 0 -l 4096 $device 2>/dev/null");
is(get($device, 0, 4096), $first, 'a discard changes nothing');
is(status_of($ctl)->{writes}, $before->{writes}, '... and writes nothing');
my $far = 400 << 20;
system("blkdiscard -f -z -o $far -l 65536 $device 2>/dev/null");
cmp_ok(status_of($ctl)->{writes}, '>', $before->{writes}, 'write-zeroes arrives as ordinary writes');

# what was synced survives; the rest may be lost but the filesystem is whole
put("$mount/file", 0, 'k' x 65536);
sync_file("$mount/file");
put("$mount/file", 65536, 'l' x 65536);
run_ok($tool, 'ctl', $mount, 'cut');
ok(!sync_file("$mount/file"), 'without power fsync fails');
run_ok($tool, 'power-on', $mount);
is(get("$mount/file", 0, 65536), 'k' x 65536, 'what fsync promised is there after the cut');
is(get("$mount/file", 65536 * 2, 65536), 'x' x 65536, '... from all the fsyncs before');

# a copy of the image is a disk of its own
put("$mount/file", 0, 'n' x 4096);
run_ok($tool, 'remove', $mount, '--keep', "$work/golden.img");
ok(!-e "$mount.power", 'nothing is left');
run_ok("$tool create $work/fs2 --from $work/golden.img -- --seed $seed >/dev/null");
is(get("$work/fs2/file", 0, 4096), 'n' x 4096, 'a clean removal loses nothing');
run_ok($tool, 'remove', "$work/fs2");

# ---- limits of a loop device outlive it ----------------------------------------

SKIP:
{
	my ($limits) = grep { -e } '/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device';
	skip 'no block throttle of cgroup v1 here', 3 unless $limits;

	my $limit_of = sub {
		my ($number) = map { slurp_line("/sys/block/$_/dev") } $_[0] =~ m{([^/]+)$};
		open my $fh, '<', $limits or die "$limits: $!";
		return join '', map { /^\Q$number\E (\d+)/ ? $1 : () } <$fh>;
	};
	my ($device) = `$lab/volume create $work/limited --size 300M` =~ /^device=(.*)$/m;
	system("$lab/volume", 'throttle', "$work/limited", '--iops', 1);
	is($limit_of->($device), 1, 'a limit');
	system('umount', "$work/limited") == 0 && system('losetup', '-d', $device) == 0 or die 'could not detach';
	is($limit_of->($device), 1, 'the kernel keeps it when the device has gone');
	system('losetup', $device, "$work/limited.img") == 0 or skip 'somebody else has taken the device', 1;
	system("$lab/volume", 'unthrottle', $device);
	is($limit_of->($device), '', 'who has it next can free it of that');
	system('losetup', '-d', $device);
	system("$lab/volume", 'remove', "$work/limited");
}

done_testing();
