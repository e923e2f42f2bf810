
=head1 NAME

SmgrAtomic::Root - what a test needs root for, and nothing else

=head1 SYNOPSIS

  use FindBin;
  use lib $FindBin::Bin;
  use SmgrAtomic::Root;           # before any module that starts servers

  need_root();                    # skips the whole file where there is no root
  my $mount = create_volume('data', fs => 'xfs', size => '1G');

=head1 DESCRIPTION

PostgreSQL does not run as root and filesystems cannot be made without it.
When a test file is started as root, loading this module splits the process:

=over

=item *

The child gives up root for good (user postgres, no other groups), gets a home
directory and a place for temporary files of its own, and goes on with the test.

=item *

The parent stays root.  It serves the few requests in the table C<%serve>, each
of which checks what it is asked, and removes everything it made when the child
ends or when it is told to stop.  It exits with the child's status.

=back

Started by anybody else the module only finds PostgreSQL: tests that need a
volume skip with the reason, all others run.

=cut

package SmgrAtomic::Root;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(basename dirname);
use File::Copy ();
use File::Path qw(make_path remove_tree);
use File::Temp ();
use JSON::PP qw(encode_json decode_json);
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

use SmgrAtomic::Power ();

our @EXPORT = qw(need_root missing_filesystem
  create_volume remove_volume remount_volume cover_volume uncover_volume throttle_volume);

use constant SERVER_USER => 'postgres';

my ($channel, $no_root);

# ---- before the test: find PostgreSQL, split (called at the end) -------------

# Does for "prove t/x.pl" what PGXS does for "make prove_installcheck".
sub find_postgres
{
	my $config = $ENV{PG_CONFIG} ||= 'pg_config';
	my $bindir = `$config --bindir`;
	my $pgxs   = `$config --pgxs`;
	die "$config does not work: is PostgreSQL's development package installed?\n"
	  unless $bindir && $pgxs;
	chomp($bindir, $pgxs);
	my $test = dirname(dirname($pgxs)) . '/test';

	unshift @INC, "$test/perl";
	$ENV{PG_REGRESS} ||= "$test/regress/pg_regress";
	$ENV{PATH} = "$bindir:$ENV{PATH}:/usr/sbin:/sbin";
	return;
}

sub split_process
{
	my $work = make_work_directory();

	socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
	  or die "socketpair: $!";
	$_->autoflush(1) for $ours, $theirs;
	my $child = fork() // die "fork: $!";
	if ($child == 0)
	{
		close $ours;
		$channel = $theirs;
		become_server_user($work);
		return;
	}
	close $theirs;
	POSIX::_exit(serve_until_end($ours, $child, $work));
}

# Not under /tmp, which may be a tmpfs: images would then lie in memory.
sub make_work_directory
{
	my ($uid, $gid) = (getpwnam SERVER_USER)[ 2, 3 ];
	die 'no user "' . SERVER_USER . "\" on this machine\n" unless $uid;

	my $work = File::Temp::mkdtemp('/var/tmp/smgr_atomic-XXXXXX');
	chmod 0755, $work or die "chmod $work: $!";
	mkdir "$work/volumes" or die "mkdir: $!";
	for my $dir ('home', 'home/tmp_check', 'home/tmp_check/log')
	{
		mkdir "$work/$dir" or die "mkdir: $!";
		chown $uid, $gid, "$work/$dir" or die "chown: $!";
	}
	return $work;
}

# ---- the child ---------------------------------------------------------------

sub become_server_user
{
	my ($work) = @_;
	my ($uid, $gid) = (getpwnam SERVER_USER)[ 2, 3 ];

	$) = "$gid $gid";    # setgroups() too
	POSIX::setgid($gid);
	POSIX::setuid($uid);
	check_no_root_left($uid, $gid);

	for my $file (__FILE__, $0)
	{
		die 'user ' . SERVER_USER . " cannot read $file (t/run makes a copy)\n" unless -r $file;
	}
	chdir "$work/home" or die "chdir: $!";
	$ENV{HOME}        = "$work/home";
	$ENV{USER}        = $ENV{LOGNAME} = SERVER_USER;
	$ENV{TMPDIR}      = "$work/home";
	$ENV{TESTDIR}     = "$work/home";                        # PostgreSQL 15
	$ENV{TESTDATADIR} = "$work/home/tmp_check";              # 16 and later
	$ENV{TESTLOGDIR}  = "$work/home/tmp_check/log";
	delete @ENV{ grep { /^SUDO_/ } keys %ENV };
	return;
}

sub check_no_root_left
{
	my ($uid, $gid) = @_;
	my %status;

	open my $fh, '<', '/proc/self/status' or die "/proc/self/status: $!";
	while (<$fh>)
	{
		$status{$1} = join ' ', split ' ', $2 if /^(Uid|Gid|Groups|CapEff|CapPrm):(.*)/;
	}
	die "could not give up root"
	  unless $status{Uid} eq join(' ', ($uid) x 4)
	  && $status{Gid} eq join(' ', ($gid) x 4)
	  && $status{Groups} eq $gid
	  && hex($status{CapEff}) == 0
	  && hex($status{CapPrm}) == 0
	  && !defined POSIX::setuid(0);
	return;
}

# Ask the parent; returns its answer or dies with its reason.
sub ask
{
	my ($request, %args) = @_;

	die "$no_root\n" if $no_root;
	print $channel encode_json({ request => $request, %args }) . "\n";
	my $line = <$channel> // die "the root helper has gone away\n";
	my $answer = decode_json($line);
	die "$request: $answer->{error}\n" if defined $answer->{error};
	return $answer;
}

# ---- what tests call ---------------------------------------------------------

=head1 FUNCTIONS

=head2 need_root()

Skips the whole test file where no volumes can be made.

=cut

sub need_root
{
	return unless $no_root;
	require Test::More;
	Test::More::plan(skip_all => $no_root);
	return;
}

=head2 missing_filesystem($fs)

The reason why no volume of this filesystem can be made here, or undef.

=cut

sub missing_filesystem
{
	my ($fs) = @_;

	return $no_root if $no_root;
	return undef if $fs eq 'tmpfs';
	return "mkfs.$fs is not installed"
	  unless grep { -x "$_/mkfs.$fs" } split /:/, $ENV{PATH};
	open my $fh, '<', '/proc/filesystems' or die "/proc/filesystems: $!";
	return undef if grep { /^\s*$fs$/ } <$fh>;
	return undef if system("modprobe -n -q $fs >/dev/null 2>&1") == 0;
	return "this kernel has no $fs";
}

=head2 create_volume($name, fs =>, size =>, mkfs_options =>, mount_options =>)

Makes a filesystem that the server's user owns and returns where it is mounted.

=head2 remove_volume($name), remount_volume($name, mount_options =>, in_place => 1)

=head2 cover_volume($name, with => $other), uncover_volume($name)

Mounts the filesystem of another volume over this one, which is then hidden;
ends that.

=head2 throttle_volume($name, iops =>, bandwidth =>)

Limits the volume; without limits, lifts them.  These are the commands of
contrib-bench/lab/volume, see there.  Volumes still there at the end of the
test are removed by themselves.

=cut

sub create_volume
{
	my ($name, %options) = @_;
	return ask('create_volume', name => $name, %options)->{mount};
}

sub remove_volume
{
	my ($name) = @_;
	ask('remove_volume', name => $name);
	return;
}

sub remount_volume
{
	my ($name, %options) = @_;
	ask('remount_volume', name => $name, %options);
	return;
}

sub cover_volume
{
	my ($name, %options) = @_;
	ask('cover_volume', name => $name, %options);
	return;
}

sub uncover_volume
{
	my ($name) = @_;
	ask('uncover_volume', name => $name);
	return;
}

sub throttle_volume
{
	my ($name, %options) = @_;
	ask('throttle_volume', name => $name, %options);
	return;
}

# ---- the parent --------------------------------------------------------------

# What root does for a test.  Each entry: the options it takes with the form
# their values must have, and the function that does it.  "name" must be given.
my (%serve, $work_directory, %volumes, $stop_signal);

my %name = (name => qr/^[a-z][a-z0-9_]{0,30}$/);
my $mount_options = qr/^[-\w,=]*$/;
%serve = (
	create_volume => [
		\&serve_create,
		{
			%name,
			fs            => qr/^(?:xfs|ext4|btrfs|tmpfs)$/,
			size          => qr/^\d{1,5}[MG]$/,
			mkfs_options  => qr/^[-\w ,=^]*$/,
			mount_options => $mount_options
		}
	],
	remove_volume   => [ \&serve_remove,  {%name} ],
	remount_volume  => [ \&serve_remount, { %name, mount_options => $mount_options, in_place => qr/^1$/ } ],
	cover_volume    => [ \&serve_cover,   { %name, with => $name{name} } ],
	uncover_volume  => [ \&serve_uncover, {%name} ],
	throttle_volume => [ \&serve_throttle, { %name, iops => qr/^\d+$/, bandwidth => qr/^\d+$/ } ],
	SmgrAtomic::Power::requests());

sub serve_until_end
{
	my ($socket, $child, $work) = @_;

	$work_directory = $work;
	SmgrAtomic::Power::start($work);
	for my $signal (qw(INT TERM HUP))
	{
		$SIG{$signal} = sub { $stop_signal = $signal; kill TERM => $child; };
	}
	local $SIG{ALRM} = sub { end_test($child) };
	alarm($ENV{TEST_SECONDS} // 0);
	local $SIG{PIPE} = 'IGNORE';
	while (defined(my $line = read_line($socket)))
	{
		my $answer = eval { serve_request(decode_json($line)) };
		$answer = { error => $@ =~ s/\s+$//r } unless $answer;
		print $socket encode_json($answer) . "\n";
	}
	1 until waitpid($child, 0) == $child || !$!{EINTR};
	alarm 0;
	my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;

	$SIG{$_} = 'IGNORE' for qw(INT TERM HUP);
	my $clean = eval { clean_up($status); 1 };
	warn $@ unless $clean;
	return $status || ($clean && !$stop_signal ? 0 : 1);
}

# A test that hangs: it is told to stop, and killed if it does not.
sub end_test
{
	my ($child) = @_;

	warn "$0: takes longer than $ENV{TEST_SECONDS} s (TEST_SECONDS), and is stopped\n";
	kill $stop_signal ? 'KILL' : 'TERM', $child;
	$stop_signal = 'ALRM';
	alarm 60;
	return;
}

# One line, or undef at the end; a signal does not end it, the child's end does.
sub read_line
{
	my ($socket) = @_;
	my $line = '';

	while ($line !~ /\n/)
	{
		my $n = sysread $socket, $line, 1, length $line;
		next if !defined $n && $!{EINTR};
		return undef unless $n;
	}
	return $line;
}

sub serve_request
{
	my ($args) = @_;
	my $request = delete $args->{request} // '';
	my $entry = $serve{$request} or die "no such request\n";
	my ($function, $forms) = @$entry;

	die "stopping\n" if $stop_signal;
	die "name is missing\n" unless defined $args->{name};
	for my $key (sort keys %$args)
	{
		my $form = $forms->{$key} or die "no such option: $key\n";
		die "invalid $key: $args->{$key}\n" unless $args->{$key} =~ $form;
	}
	return $function->($args);
}

sub serve_create
{
	my ($args)  = @_;
	my $mount   = "$work_directory/volumes/$args->{name}";
	my @options = map { defined $args->{$_} ? ("--" . tr/_/-/r, $args->{$_}) : () }
	  qw(fs size mkfs_options mount_options);

	$volumes{ $args->{name} } = $mount;
	volume('create', $mount, @options, '--owner', SERVER_USER);
	return { mount => $mount };
}

sub serve_remove
{
	my ($args) = @_;
	volume('remove', mount_of($args));
	delete $volumes{ $args->{name} };
	return {};
}

sub serve_remount
{
	my ($args) = @_;
	volume('remount', mount_of($args),
		defined $args->{mount_options} ? ('--mount-options', $args->{mount_options}) : (),
		$args->{in_place} ? '--in-place' : ());
	return {};
}

sub serve_cover
{
	my ($args) = @_;
	volume('cover', mount_of($args), '--with', mount_of({ name => $args->{with} }));
	return {};
}

sub serve_uncover
{
	my ($args) = @_;
	volume('uncover', mount_of($args));
	return {};
}

sub serve_throttle
{
	my ($args) = @_;
	volume('throttle', mount_of($args),
		map { defined $args->{$_} ? ("--$_", $args->{$_}) : () } qw(iops bandwidth));
	return {};
}

sub mount_of
{
	my ($args) = @_;
	return $volumes{ $args->{name} } // die "no volume \"$args->{name}\"\n";
}

# Run the project's volume command; dies with what it said.
sub volume
{
	my @args = @_;
	my $tool = abs_path(dirname(__FILE__) . '/../../contrib-bench/lab/volume');

	my $pid = open(my $out, '-|') // die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		exec $tool, @args or POSIX::_exit(127);
	}
	my $said = join '', <$out>;
	close $out or die "volume @args: $said\n";
	return $said;
}

# Servers of a test that ended without stopping them would keep volumes busy.
# A process is stopped only if it is the postmaster of a data directory of this
# test: named by postmaster.pid and running in that directory.
sub stop_servers
{
	my @dirs = ("$work_directory/home/tmp_check", values %volumes);

	for my $data (map { glob("$_/*/pgdata") } @dirs)
	{
		open my $fh, '<', "$data/postmaster.pid" or next;
		my ($pid) = (<$fh> // '') =~ /^(\d+)$/ or next;
		next unless (readlink("/proc/$pid/cwd") // '') eq $data;
		warn "# stopping a server left behind in $data\n";
		kill QUIT => $pid;
		for (1 .. 100)
		{
			last unless -e "/proc/$pid";
			select undef, undef, undef, 0.1;
		}
	}
	return;
}

sub clean_up
{
	my ($status) = @_;
	my @failed;

	stop_servers();
	for my $mount (sort values %volumes)
	{
		eval { volume('remove', $mount); 1 } or push @failed, $@;
	}
	push @failed, SmgrAtomic::Power::clean_up();
	keep_logs() if $status != 0;
	die join '', @failed if @failed;
	remove_tree($work_directory) if $status == 0 || $ENV{SMGR_ATOMIC_TEST_LOGS};
	return;
}

# Logs of a failed test stay in $SMGR_ATOMIC_TEST_LOGS, or where they are.
sub keep_logs
{
	my $logs = "$work_directory/home/tmp_check/log";
	my $keep = $ENV{SMGR_ATOMIC_TEST_LOGS};

	if ($keep)
	{
		make_path($keep);
		File::Copy::copy($_, "$keep/" . basename($_)) for grep { -f } glob("$logs/*");
		$logs = $keep;
	}
	warn "# logs of " . basename($0) . " are in $logs\n";
	return;
}

find_postgres();
if ($> == 0)
{
	split_process();
}
else
{
	$no_root = 'volumes need root (sudo make test)';
}

1;
