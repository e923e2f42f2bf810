#!/usr/bin/perl
#
# uml-rows.pl - the rows of uml-matrix, run inside the user-mode kernel
#
# Each row makes a disk of scsi_debug, a filesystem on it, asks the probe, and
# writes pages with RWF_ATOMIC while it counts the commands that the disk gets.
# Rows with a server go on: a server works, the filesystem is shut down under
# it, mounted again, recovered and verified (uml-server.pl).
#
# Usage: uml-rows.pl --results DIR [--servers ROW,...] [ROW ...]
#        uml-rows.pl --results DIR --killed work|verify DISK
#        uml-rows.pl --list
# One JSON object for each row is appended to DIR/rows when the row has ended.
# With --killed the server works on an XFS on DISK until somebody kills the
# kernel, and is verified after the next boot.

use strict;
use warnings;

use Fcntl qw(O_RDONLY O_NONBLOCK SEEK_END);
use File::Path qw(make_path remove_tree);
use FindBin;
use Getopt::Long;
use JSON::PP;
use POSIX qw(EAGAIN EPIPE);
use Time::HiRes qw(sleep time);

use constant MOUNT => '/mnt/disk';
use constant WORK => '/tmp/rows';
use constant SERVER => WORK . '/server';
use constant TRIAL_PAGES => 64;
use constant COUNT_SECONDS => 2;
use constant WRITE_ATOMIC_16 => '9c';
use constant IO_URING_DISABLED => '/proc/sys/kernel/io_uring_disabled';
use constant SCSI => '/sys/bus/pseudo/drivers/scsi_debug';

# What every trial must do: who makes a page whole.
#	device		one atomic command for every page (XFS may copy a page or two)
#	filesystem	the write succeeds without any
#	refused		the write fails
#	silent		the write "succeeds", but goes through the page cache: the hazard
my $xfs    = 'mkfs.xfs -q -f';
my $ext4   = 'mkfs.ext4 -q -F';
my $bigalloc = "$ext4 -O bigalloc -C 16384";
my $atomic = 'atomic_wr=1';

my @rows = (
	{
		name    => 'xfs', title => 'XFS, disk with units to 64 KiB',
		disk    => $atomic, mkfs => $xfs, server => 1,
		verdict => 'hardware', reason => qr/^device writes up to 65536 bytes atomically$/, trial => 'device'
	},
	{
		name    => 'xfs-16k', title => 'XFS, disk with units to 16 KiB',
		disk    => "$atomic atomic_wr_max_length=32", mkfs => $xfs, server => 1,
		verdict => 'hardware', reason => qr/^device writes up to 16384 bytes atomically$/, trial => 'device'
	},
	{
		name    => 'xfs-4k', title => 'XFS, disk with units to 4 KiB',
		disk    => "$atomic atomic_wr_max_length=8", mkfs => $xfs, server => 1,
		verdict => 'software', reason => qr/^XFS copy-on-write, up to \d+ bytes atomically$/, trial => 'filesystem'
	},
	{
		# its server does without io_uring: a sysctl is for all of a kernel, so not for the tests' own
		name    => 'xfs-plain-disk', title => 'XFS, disk without atomic units',
		disk    => '', mkfs => $xfs, server => 1, io_uring_disabled => 2,
		verdict => 'software', reason => qr/^XFS copy-on-write, up to \d+ bytes atomically$/, trial => 'filesystem'
	},
	{
		name    => 'xfs-noreflink', title => 'XFS reflink=0, disk with units to 64 KiB',
		disk    => $atomic, mkfs => "$xfs -m reflink=0",
		verdict => 'none', reason => qr/^XFS without reflink: largest atomic unit is 4096; .*-m reflink=1/, trial => 'refused'
	},
	{
		name    => 'xfs-noreflink-plain-disk', title => 'XFS reflink=0, disk without atomic units',
		disk    => '', mkfs => "$xfs -m reflink=0",
		verdict => 'none', reason => qr/^XFS without reflink: largest atomic unit is 0; .*-m reflink=1/, trial => 'refused'
	},
	{
		name    => 'xfs-odd-groups', title => 'XFS, allocation groups of an odd size',
		disk    => $atomic, mkfs => "$xfs -d agsize=81924k",
		verdict => 'none', reason => qr/^XFS allocation groups of 83890176 bytes are not a multiple of 8192: .*agsize=81m/, trial => 'refused'
	},
	{
		name    => 'xfs-even-groups', title => 'XFS, allocation groups as the probe advises for the row above',
		disk    => $atomic, mkfs => "$xfs -d agsize=81m",
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device'
	},
	{
		name    => 'xfs-realtime', title => 'XFS, files on a realtime device without atomic units',
		disk    => "$atomic add_host=2 per_host_store=1", second => 1,
		mkfs    => "$xfs -m reflink=0,rmapbt=0 -r rtdev=%second%", mount => 'rtdev=%second%',
		prepare => sub { run('xfs_io', '-c', 'chattr +t', $_[0]); return $_[0] },
		verdict => 'none', reason => qr/^files here go to the realtime device of XFS.*chattr -t/, trial => 'refused'
	},
	{
		name    => 'xfs-realtime-reflink', title => 'XFS, files on a realtime device with atomic units and reflink',
		needs   => [ 'mkfs.xfs 2>&1 | grep -q metadir=', 'mkfs.xfs is older than 6.13' ],
		disk    => "$atomic add_host=2 per_host_store=1", second => 1,
		mkfs    => "$xfs -m metadir=1,reflink=1,rmapbt=1 -r rtdev=%second%", mount => 'rtdev=%second%',
		prepare => sub { run('xfs_io', '-c', 'chattr +t', $_[0]); return $_[0] },
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device'
	},
	{
		name    => 'xfs-bind', title => 'XFS seen through a bind mount',
		disk    => $atomic, mkfs => $xfs,
		prepare => sub {
			mkdir "$_[0]/part";
			mkdir WORK . '/bound';
			run('mount', '--bind', "$_[0]/part", WORK . '/bound');
			return WORK . '/bound';
		},
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device'
	},
	{
		name    => 'partition', title => 'XFS on an aligned partition',
		disk    => $atomic, partition => 2048, mkfs => $xfs,
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device', device_unit => 65536
	},
	{
		name    => 'partition-off', title => 'XFS on a partition that starts at sector 63',
		disk    => $atomic, partition => 63, mkfs => $xfs,
		server  => 1,
		verdict => 'software', reason => qr/^XFS copy-on-write.* starts at sector 63, so that the device's own unit/, trial => 'filesystem'
	},
	{
		name    => 'partition-off-ext4', title => 'ext4 bigalloc on a partition that starts at sector 63',
		disk    => $atomic, partition => 63, mkfs => $bigalloc,
		verdict => 'none', reason => qr/^the partition starts at sector 63, so that the device's atomic unit of 65536 bytes cannot be used/, trial => 'refused'
	},
	{
		name    => 'ext4', title => 'ext4 as made by default',
		disk    => $atomic, mkfs => $ext4,
		verdict => 'none', reason => qr/^ext4 without bigalloc.*-O bigalloc -C 16384/, trial => 'refused'
	},
	{
		name    => 'ext4-bigalloc', title => 'ext4 bigalloc 16 KiB',
		disk    => $atomic, mkfs => $bigalloc, server => 1,
		verdict => 'hardware', reason => qr/^device writes up to 16384 bytes atomically$/, trial => 'device'
	},
	{
		name    => 'ext4-bigalloc-64k', title => 'ext4 bigalloc 64 KiB, disk with units to 16 KiB',
		disk    => "$atomic atomic_wr_max_length=32", mkfs => "$ext4 -O bigalloc -C 65536",
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to 16384 bytes atomically$/, trial => 'device'
	},
	{
		name    => 'ext4-bigalloc-4k', title => 'ext4 bigalloc, disk with units to 4 KiB',
		disk    => "$atomic atomic_wr_max_length=8", mkfs => $bigalloc,
		verdict => 'none', reason => qr/^ext4 has no software path and the device promises 4096 bytes/, trial => 'refused'
	},
	{
		name    => 'ext4-bigalloc-plain-disk', title => 'ext4 bigalloc, disk without atomic units',
		disk    => '', mkfs => $bigalloc,
		verdict => 'none', reason => qr/^ext4 has no software path and the device promises 0 bytes/, trial => 'refused'
	},
	{
		name    => 'ext4-inline', title => 'ext4 bigalloc with inline_data: pages are never that small',
		disk    => $atomic, mkfs => "$ext4 -O bigalloc,inline_data -C 16384",
		verdict => 'hardware', reason => qr/^device writes up to 16384/, trial => 'device'
	},
	{
		name    => 'ext4-journal', title => 'ext4 bigalloc mounted with data=journal',
		disk    => $atomic, mkfs => $bigalloc, mount => 'data=journal',
		verdict => 'none', reason => qr/^ext4 data=journal silently loses the guarantee/, trial => 'silent'
	},
	{
		name    => 'ext4-journal-default', title => 'ext4 bigalloc with data=journal by tune2fs',
		disk    => $atomic, mkfs => "$bigalloc %disk% && tune2fs -o journal_data",
		verdict => 'none', reason => qr/silently loses the guarantee/, trial => 'silent'
	},
	{
		name    => 'ext4-journal-file', title => 'ext4 bigalloc nodelalloc, directory with chattr +j',
		disk    => $atomic, mkfs => $bigalloc, mount => 'nodelalloc',
		prepare => sub { run('chattr', '+j', $_[0]); return $_[0] },
		verdict => 'none', reason => qr/silently loses the guarantee/, trial => 'silent'
	},
	{
		name    => 'md-raid1', title => 'XFS on md raid1 of two such disks',
		disk    => "$atomic add_host=2 per_host_store=1", second => 1, stack => \&md_raid1, mkfs => $xfs,
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to \d+ bytes atomically$/, trial => 'device', copies => 2
	},
	{
		name    => 'dm-linear', title => 'XFS on dm linear of such a disk',
		disk    => $atomic, stack => dm('linear'), mkfs => $xfs,
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device', device_unit => 65536
	},
	{
		name    => 'dm-stripe', title => 'XFS on dm stripe of two such disks',
		disk    => "$atomic add_host=2 per_host_store=1", second => 1, stack => dm('stripe'), mkfs => $xfs,
		server  => 1,
		verdict => 'hardware', reason => qr/^device writes up to 65536/, trial => 'device', device_unit => 65536
	},
	{
		name    => 'dm-snapshot', title => 'XFS on a dm snapshot origin of such a disk',
		disk    => "$atomic add_host=2 per_host_store=1", second => 1, stack => dm('snapshot-origin'), mkfs => $xfs,
		server  => 1,
		verdict => 'software', reason => qr/^XFS copy-on-write/, trial => 'filesystem'
	},
	{
		name    => 'btrfs', title => 'btrfs',
		disk    => $atomic, mkfs => 'mkfs.btrfs -q -f',
		verdict => 'none', reason => qr/statx reports no atomic writes on btrfs/, trial => 'refused'
	},
	{
		name    => 'btrfs-subvolume', title => 'a subvolume of btrfs',
		disk    => $atomic, mkfs => 'mkfs.btrfs -q -f',
		prepare => sub { run('btrfs', 'subvolume', 'create', "$_[0]/sub"); return "$_[0]/sub" },
		verdict => 'none', reason => qr/statx reports no atomic writes on btrfs/, trial => 'refused'
	},
	{
		name    => 'overlay', title => 'overlayfs on XFS that could',
		disk    => $atomic, mkfs => $xfs,
		prepare => sub {
			mkdir "$_[0]/$_" for qw(lower upper work over);
			run('modprobe', 'overlay');
			run('mount', '-t', 'overlay', '-o', "lowerdir=$_[0]/lower,upperdir=$_[0]/upper,workdir=$_[0]/work",
				'overlay', "$_[0]/over");
			return "$_[0]/over";
		},
		verdict => 'none', reason => qr/^overlayfs repeats what the filesystem below it promises and refuses such writes/, trial => 'refused'
	},
	{
		name    => 'tmpfs', title => 'tmpfs',
		prepare => sub { run('mount', '-t', 'tmpfs', 'tmpfs', $_[0]); return $_[0] },
		verdict => 'none', reason => qr/tmpfs/, trial => 'refused'
	});

my %option;
GetOptions(\%option, 'list', 'results=s', 'servers=s', 'killed=s') && ($option{list} || $option{results})
  or die "see the head of $0\n";
if ($option{list})
{
	print "$_->{name}\t$_->{title}\n" for @rows;
	exit 0;
}
make_path(WORK . '/server', MOUNT);
run('dmesg', '-n', '1');    # what the disk logs is read, not shown
if ($option{killed})
{
	killed($option{killed}, @ARGV);
	exit 0;
}
my %wanted = map { $_ => 1 } @ARGV;
@rows = grep { $wanted{ $_->{name} } } @rows if @ARGV;
if (defined $option{servers})
{
	my %server = map { $_ => 1 } split /,/, $option{servers};
	$_->{server} &&= $server{ $_->{name} } for @rows;
}
make_golden() if grep { $_->{server} } @rows;
for my $row (@rows)
{
	open my $results, '>>', "$option{results}/rows" or die "$option{results}: $!\n";
	print $results JSON::PP->new->canonical->encode(run_row($row)) . "\n";
	close $results;
}

# ---- one row -------------------------------------------------------------------

# What was seen; "problems" has what should have been otherwise.
sub run_row
{
	my ($row) = @_;
	my $start = time;
	my %seen = (name => $row->{name}, title => $row->{title}, expected => $row->{verdict}, problems => []);

	my $done = eval { try_row($row, \%seen); 1 };
	if (!$done)
	{
		my $error = $@ =~ s/\s+$//r;
		if ($error =~ s/^skip: //) { $seen{skipped} = $error; }
		else                       { push @{ $seen{problems} }, $error; }
	}
	eval { clean_up(); 1 } or push @{ $seen{problems} }, "clean up: $@";
	$seen{seconds} = sprintf '%.1f', time - $start;
	return \%seen;
}

sub try_row
{
	my ($row, $seen) = @_;
	my $directory = MOUNT;

	make_filesystem($row) if $row->{mkfs};
	$directory = $row->{prepare}->(MOUNT) if $row->{prepare};
	check_verdict($row, $seen, $directory);
	check_trial($row, $seen, $directory);
	check_server($row, $seen) if $row->{server};
	return;
}

sub make_filesystem
{
	my ($row) = @_;
	die "skip: $row->{needs}[1]\n" if $row->{needs} && system($row->{needs}[0]);
	my @disks = make_disks($row);
	my $disk  = $disks[0];

	$disk = make_partition($disk, $row->{partition}) if $row->{partition};
	$disk = $row->{stack}->(@disks) if $row->{stack};
	my ($mkfs, $mount) = map { s/%second%/$disks[1]/r =~ s/%disk%/$disk/r } $row->{mkfs}, $row->{mount} // '';
	run('sh', '-c', "$mkfs $disk");
	$row->{mounted} = [ $mount ? ('-o', $mount) : (), $disk, MOUNT ];
	run('mount', @{ $row->{mounted} });
	return;
}

sub check_verdict
{
	my ($row, $seen, $directory) = @_;
	my $probe = decode_json(output('smgr-atomic-check', '--json', $directory));

	$seen->{$_} = $probe->{$_}
	  for qw(verdict reason filesystem device kernel unit_min unit_max unit_max_opt device_unit_max);
	problem($seen, "verdict $probe->{verdict}") if $probe->{verdict} ne $row->{verdict};
	problem($seen, "reason \"$probe->{reason}\"") if $probe->{reason} !~ $row->{reason};
	problem($seen, "unit of the device $probe->{device_unit_max}")
	  if defined $row->{device_unit} && $probe->{device_unit_max} != $row->{device_unit};
	return;
}

# Overwrites pages with RWF_ATOMIC and sees who made them whole.
sub check_trial
{
	my ($row, $seen, $directory) = @_;
	my ($said, $failed);
	my $count = count_commands(sub {
		$said = eval { output("$FindBin::Bin/atomicwrite", "$directory/trial", TRIAL_PAGES) };
		$failed = $@;
	});
	my %trial = ($said // '') =~ /(\w+)=(\d+)/g;

	# a filesystem without direct I/O does not even open the file
	%trial = (written => 0, error => 'open', cached => 0) if $failed =~ /could not open the file/;
	die $failed unless %trial;
	$seen->{trial_written} = $trial{written};
	$seen->{trial_error} = $trial{error};
	$seen->{trial_unit_max} = $trial{unit_max} // 0;
	$seen->{trial_cached} = $trial{cached};
	$seen->{trial_atomic_commands} = $count->{+WRITE_ATOMIC_16} // 0;
	$seen->{trial} = judge_trial($seen, $row->{copies} // 1);
	problem($seen, "trial $seen->{trial}: $said") if $seen->{trial} ne $row->{trial};
	return;
}

sub judge_trial
{
	my ($seen, $copies) = @_;
	my $commands = $seen->{trial_atomic_commands};

	# XFS copies a page whose place is not aligned; ext4 has no other way
	my $least = $copies * TRIAL_PAGES * ($seen->{filesystem} eq 'xfs' ? 0.9 : 1);

	return 'refused' if $seen->{trial_written} == 0 && $commands == 0;
	return 'mixed' if $seen->{trial_written} != TRIAL_PAGES;
	return 'device' if $commands <= $copies * TRIAL_PAGES && $commands >= $least && !$seen->{trial_cached};
	return 'mixed' if $commands;
	return $seen->{trial_cached} ? 'silent' : 'filesystem';
}

# ---- a server, and the end of its filesystem ------------------------------------

sub check_server
{
	my ($row, $seen) = @_;

	run('cp', '-a', WORK . '/golden/.', MOUNT);
	run('sync', '-f', MOUNT);

	spurt(IO_URING_DISABLED, $row->{io_uring_disabled} // 0);
	my $working = start_server('work');
	wait_for(sub { -s SERVER . '/ready' || ended($working) }) && !$working->{ended}
	  or die 'the server does not get to work: ' . slurp($working->{out});
	$seen->{server_io_method} = slurp(SERVER . '/ready');
	my $is_hardware = $row->{verdict} eq 'hardware';
	for (1 .. $is_hardware ? 30 : 1)		# of a host that stands still
	{
		my $count = count_commands(sub { sleep COUNT_SECONDS });
		$seen->{server_atomic_commands} = $count->{+WRITE_ATOMIC_16} // 0;
		last if $seen->{server_atomic_commands} > 0;
	}
	run('xfs_io', '-x', '-c', 'shutdown', MOUNT);
	wait_for(sub { ended($working) }) or die 'the server does not end';
	die 'server: ' . slurp($working->{out}) if $working->{status};
	run('umount', MOUNT);
	run('mount', @{ $row->{mounted} });

	my $verifying = start_server('verify');
	wait_for(sub { ended($verifying) }) or die 'verification does not end';
	die 'server: ' . slurp($verifying->{out}) if $verifying->{status};
	my $verified = decode_json(slurp(SERVER . '/verified.json'));
	$seen->{"server_$_"} = $verified->{$_} for grep { $_ ne 'problems' } keys %$verified;
	problem($seen, $_) for @{ $verified->{problems} };
	problem($seen, "pages are written by $seen->{server_io_method}")
	  if $seen->{server_io_method} ne ($row->{io_uring_disabled} ? 'pwritev2 (io_uring refused: Operation not permitted)' : 'io_uring');
	problem($seen, "$verified->{protection} instead of $row->{verdict}") if $verified->{protection} ne $row->{verdict};
	problem($seen, "$seen->{server_atomic_commands} atomic commands from the server")
	  if $is_hardware != ($seen->{server_atomic_commands} > 0);
	return;
}

# A kernel that is killed while the server works, and the next one.
sub killed
{
	my ($what, $disk) = @_;
	my @options = ('--killed', '--outside', $option{results});

	if ($what eq 'work')
	{
		make_golden();
		run('sh', '-c', "$xfs $disk");
		run('mount', $disk, MOUNT);
		run('cp', '-a', WORK . '/golden/.', MOUNT);
		run('sync', '-f', MOUNT);
	}
	else
	{
		run('mount', $disk, MOUNT);
	}
	my $server = start_server($what, @options);
	wait_for(sub { ended($server) }) or die "the server does not end\n";
	die 'server: ' . slurp($server->{out}) if $server->{status};
	run('umount', MOUNT);
	return;
}

# The cluster that every row gets a copy of; made once, in memory.
sub make_golden
{
	make_path(WORK . '/golden');
	run('mount', '--bind', WORK . '/golden', MOUNT);
	run('chown', 'postgres:', MOUNT);
	my $loading = start_server('load');
	wait_for(sub { ended($loading) }) or die 'the cluster cannot be made';
	die 'cluster: ' . slurp($loading->{out}) if $loading->{status};
	run('umount', MOUNT);
	return;
}

# uml-server.pl as the server's user.
sub start_server
{
	my ($what, @options) = @_;
	my $server = { out => WORK . "/$what.out" };

	if ($what ne 'verify' || @options)
	{
		remove_tree(SERVER);
		mkdir SERVER or die "mkdir: $!";
		run('chown', 'postgres:', SERVER);
	}
	$server->{pid} = fork() // die "fork: $!";
	return $server if $server->{pid};

	open STDOUT, '>', $server->{out} or die "$server->{out}: $!";
	open STDERR, '>&', \*STDOUT;
	exec 'setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--',
	  $^X, "$FindBin::Bin/uml-server.pl", $what, '--mount', MOUNT, '--dir', SERVER, @options
	  or POSIX::_exit(127);
}

sub ended
{
	my ($server) = @_;

	return 1 if $server->{ended};
	return 0 unless waitpid($server->{pid}, POSIX::WNOHANG) == $server->{pid};
	$server->{status} = $?;
	return $server->{ended} = 1;
}

# ---- disks -----------------------------------------------------------------------

sub make_disks
{
	my ($row) = @_;
	my $size  = $row->{server} ? 600 : 320;
	my $want  = $row->{second} ? 2 : 1;
	my @found;

	run('modprobe', 'sd_mod');
	run('modprobe', 'scsi_debug', "dev_size_mb=$size", 'delay=0', split ' ', $row->{disk});
	wait_for(sub { (@found = sort map { m{([^/]+)$} } glob SCSI . '/adapter*/host*/target*/*/block/*') == $want
			&& !grep { !-b "/dev/$_" } @found })
	  or die "scsi_debug makes no disk\n";
	return map { "/dev/$_" } @found;
}

# The kernel is told of a partition, the disk need not know.
sub make_partition
{
	my ($disk, $start) = @_;
	my $length = slurp('/sys/block/' . $disk =~ s{/dev/}{}r . '/size') - 4096;

	run('addpart', $disk, 1, $start, $length);
	wait_for(sub { -b "${disk}1" }) or die "no partition on $disk\n";
	return "${disk}1";
}

# A function that puts a device-mapper target on disks.
sub dm
{
	my ($target) = @_;

	return sub {
		my (@disks) = @_;
		my $sectors = slurp('/sys/block/' . $disks[0] =~ s{/dev/}{}r . '/size') + 0;
		my %table = (
			'linear'          => "0 $sectors linear $disks[0] 0",
			'stripe'          => "0 " . 2 * $sectors . " striped 2 128 $disks[0] 0 $disks[-1] 0",
			'snapshot-origin' => "0 $sectors snapshot-origin $disks[0]");

		die "skip: dmsetup is not installed\n" if system('dmsetup --version >/dev/null 2>&1');
		try_module('dm-mod');
		try_module('dm-snapshot') if $target =~ /snapshot/;
		run('dmsetup', '--noudevsync', 'create', 'row', '--table', $table{$target});
		return '/dev/dm-0';
	};
}

# Two disks as one mirror without metadata, by sysfs: needs no mdadm.
sub md_raid1
{
	my (@disks) = @_;
	my $md = '/sys/block/md0/md';

	try_module('md-mod');
	try_module('raid1');
	spurt('/sys/module/md_mod/parameters/new_array', 'md0');
	spurt("$md/level", 'raid1');
	spurt("$md/raid_disks", scalar @disks);
	for my $slot (0 .. $#disks)
	{
		my $name = $disks[$slot] =~ s{/dev/}{}r;
		spurt("$md/component_size", slurp("/sys/block/$name/size") / 2) if $slot == 0;
		spurt("$md/new_dev", slurp("/sys/block/$name/dev"));
		spurt("$md/dev-$name/state", 'insync');
		spurt("$md/dev-$name/slot", $slot);
	}
	spurt("$md/array_state", 'active');
	return '/dev/md0';
}

sub try_module
{
	my ($module) = @_;
	die "skip: this kernel has no $module\n" if system("modprobe $module 2>/dev/null");
	return;
}

# Runs a function and counts the commands the disks get meanwhile, by operation
# code: scsi_debug logs each when it is told to.
sub count_commands
{
	my ($function) = @_;
	my %count;

	if (!-e SCSI . '/opts')
	{
		$function->();
		return {};
	}
	sysopen my $log, '/dev/kmsg', O_RDONLY | O_NONBLOCK or die "/dev/kmsg: $!";
	sysseek $log, 0, SEEK_END or die "/dev/kmsg: $!";
	spurt(SCSI . '/opts', '1');
	$function->();
	spurt(SCSI . '/opts', '0');
	while (1)
	{
		my $got = sysread $log, my $line, 8192;
		if (!defined $got)
		{
			last if $! == EAGAIN;
			die "the kernel's log is too small to count commands\n" if $! == EPIPE;
			die "/dev/kmsg: $!";
		}
		$count{$1}++ if $line =~ /scsi_debug: tag=\S+ cmd ([0-9a-f]{2}) /;
	}
	return \%count;
}

# ---- helpers ---------------------------------------------------------------------

# Everything a row has mounted or made; the next one starts afresh.
sub clean_up
{
	for my $target (reverse map { (split ' ')[1] } split /\n/, slurp('/proc/mounts'))
	{
		run('umount', $target) if $target =~ m{^(?:@{[MOUNT]}|@{[WORK]}/)};
	}
	run('dmsetup', '--noudevsync', 'remove', 'row') if -e '/sys/block/dm-0';
	spurt('/sys/block/md0/md/array_state', 'clear') if -e '/sys/block/md0';
	run('rmmod', 'scsi_debug') if -e SCSI;
	return;
}

sub output
{
	my (@command) = @_;
	my $error = WORK . '/stderr';

	open my $keep, '>&', \*STDERR or die "dup: $!";
	open STDERR, '>', $error or die "$error: $!";
	my $pid = open my $out, '-|', @command;
	open STDERR, '>&', $keep or die "dup: $!";
	die "$command[0]: $!\n" unless $pid;
	my $said = join '', <$out>;
	close $out;

	# the probe's status is its verdict
	die "@command: $said" . slurp($error) . "\n" if $? && $command[0] ne 'smgr-atomic-check';
	return $said;
}

sub run
{
	my (@command) = @_;
	output(@command);
	return;
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<', $file or return '';
	my $text = join '', <$fh>;
	chomp $text;
	return $text;
}

sub spurt
{
	my ($file, $text) = @_;
	open my $fh, '>', $file or die "$file: $!\n";
	syswrite $fh, $text or die "$file: $!\n";
	close $fh;
	return;
}

sub wait_for
{
	my ($condition) = @_;
	my $end = time + 900;

	until ($condition->())
	{
		return 0 if time > $end;
		sleep 0.05;
	}
	return 1;
}

sub problem
{
	my ($seen, $text) = @_;
	push @{ $seen->{problems} }, $text;
	return;
}
