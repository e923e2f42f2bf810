
=head1 NAME

TestKernel - boots the lab's test kernel and cuts it off

=head1 DESCRIPTION

What kernel.pl and postgres.pl have in common.  One process has one kernel at a
time.  What they make lies in a directory that the kernel has as /outside, and
is removed at the end, with the kernel and the disk that still run.

=cut

package TestKernel;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(prepare work options sector boot report new_disk cut_off);

# Bytes that are unflushed when the disk's power goes: more than WAL of a few small
# transactions.
use constant UNFLUSHED => 128 * 1024;

my $here = abs_path(dirname(__FILE__));
my $lab  = abs_path("$here/../..");
my $owner = $$;
my ($kernel, $flag, $work, $sector, @options, $running, $fuse);

END
{
	my $status = $?;
	clean_up() if $$ == $owner;
	$? = $status;
}

sub clean_up
{
	end_kernel() if $running;
	eval { remove_powerdisk(); 1 } or warn $@ if $fuse;		# the rest goes all the same
	system('rm', '-rf', '--one-file-system', $work) if $work;
	return;
}

# Ended from outside: END must run.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

=head2 prepare()

Skips everything where the kernel cannot be booted.

=head2 work()

The directory, outside.

=head2 options(@options)

Options of contrib-bench/lab/uml for every boot.

=head2 sector($bytes)

Between sectors of that size a disk tears that loses power.  They must not be smaller
than XFS's blocks: its recovery leaves a metadata block alone whose start is as
new as the log (xlog_recover_buf_commit_pass2()), so one that is torn stays torn, and
the filesystem cannot be mounted.

=cut

sub prepare
{
	plan skip_all => 'booting a kernel needs root' if $> != 0;
	chomp($kernel = `$here/../build --path 2>&1`);
	plan skip_all => $kernel if $?;
	chomp($flag = `$here/../build --flag`);
	$work = File::Temp::mkdtemp('/var/tmp/writethrough-XXXXXX');
	for my $program (qw(powerdisk powerctl tornscan))
	{
		system('make', '-s', '-C', $lab, $program) == 0 or die "$program cannot be built";
	}
	return;
}

sub work { return $work }

sub options
{
	@options = @_;
	return;
}

sub sector
{
	($sector) = @_;
	return;
}

# ---- booting --------------------------------------------------------------------

# Becomes the program that boots the kernel with a script.
sub exec_uml
{
	my ($script, @more) = @_;
	{
		exec "$lab/uml", '--kernel', $kernel, '--bind', "$work:/outside", @options, @more, '--', 'bash', '-c',
		  "export RWF_WRITETHROUGH=$flag\n$script";
	}
	POSIX::_exit(127);
}

=head2 boot($script, @options)

Runs a bash script in the kernel; returns its status and the lines it and the
tool have written.

=cut

sub boot
{
	my ($script, @more) = @_;
	my $pid = open my $out, '-|' // die "fork: $!";

	if (!$pid)
	{
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		exec_uml($script, @more);
	}
	my @lines = <$out>;
	close $out;
	return ($? >> 8, @lines);
}

=head2 report($name, $status, @lines)

The tests that programs in the kernel have reported, as a subtest.

=cut

sub report
{
	my ($name, $status, @lines) = @_;

	subtest $name => sub {
		for (@lines)
		{
			chomp;
			if (/^(not )?ok \d+ - (.*)/) { ok(!$1, $2) }
			elsif (/^\s|^1\.\.\d+$|^# Subtest/) { note($_) }
			else                                { diag($_) }
		}
		is($status, 0, 'ran to the end');
	};
	return;
}

=head2 new_disk($file, $size)

An empty disk image.

=cut

sub new_disk
{
	my ($file, $size) = @_;
	open my $fh, '>', $file or die "$file: $!";
	truncate $fh, $size or die "truncate: $!";
	return;
}

# ---- cutting off ----------------------------------------------------------------

=head2 cut_off($how, $image, $script, @options)

Runs a script in the kernel that makes the file /outside/ready when it is under
way, and ends it in the middle.  The image is then what is left of the disk.

  killed  the kernel is killed.  Every write of the disk waits for the host's,
          which takes time: between two of them the kernel dies
  power   the disk (powerdisk) has a volatile cache and loses power with some
          sectors unflushed, half of which survive; then the kernel is killed.
          The disk is then a loop device on a file of the host: user-mode
          Linux's own disks (ubd) take requests to flush and do nothing, as
          ubd_submit_request() gives them no descriptor and io_thread() works
          through descriptors (7.3).  Hostfs passes an fsync on

In the script, $DISK is the disk's name.

Returns how it was cut; the log of the powerdisk is then /outside/power.log.

=cut

sub cut_off
{
	my ($how, $image, $script, @more) = @_;
	my $cut = 'killed';

	unlink "$work/ready", "$work/kernel.pid", "$work/power.log";
	if ($how eq 'power')
	{
		make_powerdisk($image);
		$script = "export DISK=\$(losetup --sector-size $sector --find --show /outside/fuse/disk)\n$script";
	}
	else
	{
		$script = "export DISK=/dev/ubda\n$script";
		push @more, '--append', "ubdas=$image";
	}
	start_kernel($script, @more);
	sleep rand 1;
	$cut = cut_power($image) if $how eq 'power';
	end_kernel();
	if ($how eq 'power')
	{
		remove_powerdisk();
		system('grep', '-q', '^flush ', "$work/power.log") == 0 or die 'the kernel never flushed its disk';
	}
	return $cut;
}

# Until the script is under way.
sub start_kernel
{
	my ($script, @more) = @_;

	$running = fork() // die "fork: $!";
	if ($running == 0)
	{
		open STDOUT, '>', "$work/kernel.out" or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		exec_uml($script, '--pid-file', "$work/kernel.pid", @more);
	}
	for (1 .. 3000)
	{
		return if -e "$work/ready" && -s "$work/kernel.pid";
		if (waitpid($running, POSIX::WNOHANG()) != 0)
		{
			$running = undef;
			last;
		}
		sleep 0.1;
	}
	die 'the kernel did not get under way: ' . `tail -n 30 $work/kernel.out`;
}

# The tool's own end would be an orderly one for the disk; kill the session that
# the kernel is in.
sub end_kernel
{
	if (open my $file, '<', "$work/kernel.pid")
	{
		chomp(my $session = <$file> // '');
		kill KILL => -$session if $session =~ /^\d+$/;
	}
	else { kill TERM => $running }
	waitpid $running, 0;
	$running = undef;
	return;
}

# A cluster of writes long enough for the disk to cut itself may not come.
sub cut_power
{
	my ($image) = @_;
	my @control = ("$lab/powerctl", "$image.ctl");

	system(@control, 'set', 'cut-unflushed', UNFLUSHED / $sector) == 0 or die 'powerctl set';
	return 'when ' . UNFLUSHED . ' bytes were unflushed' if system("@control wait-off 20 >/dev/null 2>&1") == 0;
	system("@control cut >/dev/null") == 0 or die 'powerctl cut';
	return 'at a random moment';
}

sub make_powerdisk
{
	my ($image) = @_;

	$fuse = "$work/fuse";
	mkdir $fuse;
	system("$lab/powerdisk", '--sector', $sector, '--seed', 1 + int rand 1e9, '--log', "$work/power.log", $image, $fuse) == 0
	  or die 'powerdisk';
	return;
}

# Tries for a minute.
sub until_true
{
	my ($what, $condition) = @_;

	for (1 .. 600)
	{
		return if $condition->();
		sleep 0.1;
	}
	die $what;
}

# The log is complete when the socket is gone, and the next disk may have its name.
sub remove_powerdisk
{
	my $mount = $fuse;

	$fuse = undef;
	until_true('the disk cannot be unmounted', sub { system("fusermount3 -u $mount 2>/dev/null") == 0 });
	until_true('the disk does not end', sub { my @sockets = glob "$work/*.ctl"; !@sockets });
	return;
}

1;
