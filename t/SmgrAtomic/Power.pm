
=head1 NAME

SmgrAtomic::Power - the part of SmgrAtomic::Root that cuts power

=head1 DESCRIPTION

Requests that the root helper serves for crash tests: filesystems on a disk
that loses power (contrib-bench/lab/powervolume).  One test process may have
several; what is still there at the end is removed.  Tests do not call this
directly, see SmgrAtomic::Crash.

=cut

package SmgrAtomic::Power;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use POSIX ();

my ($work, %mounts);

my %name   = (name => qr/^[a-z][a-z0-9_]{0,30}$/);
my $number = qr/^\d{1,18}$/;
my $image  = qr/^[a-z][a-z0-9_]*$/;

=head2 requests()

Entries for the table of requests of SmgrAtomic::Root.

=cut

sub requests
{
	return (
		power_create => [
			\&create,
			{
				%name,
				size          => qr/^\d{1,5}[MG]$/,
				fs            => qr/^(?:xfs|ext4)$/,
				from          => $image,
				sector        => $number,
				seed          => $number,
				survive       => $number,
				atomic_unit   => $number,
				log_data      => qr/^1$/,
				mkfs_options  => qr/^[-\w ,=^]*$/,
				mount_options => qr/^[-\w,=]*$/
			}
		],
		power_ctl    => [ \&ctl,    { %name, command => qr/^(?:status|cut|flush-log|wait-off \d+|set [-a-z]+ [\w:]+)$/ } ],
		power_on     => [ \&on,     {%name} ],
		power_save   => [ \&save,   { %name, from => $image, as => qr/^[-a-z0-9]+$/, server_log => qr/^[-a-z0-9]+\/server\.log$/ } ],
		power_replay => [ \&replay, { %name, as => qr/^[-a-z0-9]+$/ } ],
		power_remove => [ \&remove, { %name, keep => $image } ]);
}

=head2 start($work_directory), clean_up()

What was kept under a name lies in the work directory as NAME.img.

=cut

sub start
{
	($work) = @_;
	return;
}

sub clean_up
{
	my @failed;

	for my $name (sort keys %mounts)
	{
		stop_processes($mounts{$name});
		eval { powervolume('remove', $mounts{$name}); 1 } or push @failed, $@;
	}
	return @failed;
}

# Servers of a test that died would keep the filesystem busy.  Only processes
# that run in a directory of this test's own filesystem are stopped; without
# power no file in it can be read, so postmaster.pid is no help.
sub stop_processes
{
	my ($mount) = @_;

	for (1 .. 50)
	{
		my @pids = grep { (readlink("/proc/$_/cwd") // '') =~ /^\Q$mount\E\// }
		  map { m{^/proc/(\d+)$} } glob '/proc/[0-9]*';
		return unless @pids;
		kill KILL => @pids;
		select undef, undef, undef, 0.1;
	}
	return;
}

# ---- requests ----------------------------------------------------------------

sub create
{
	my ($args) = @_;
	my $mount = "$work/volumes/$args->{name}";
	my @volume = map { defined $args->{$_} ? ('--' . tr/_/-/r, $args->{$_}) : () }
	  qw(size fs sector mkfs_options mount_options);
	my @disk = map { defined $args->{$_} ? ('--' . tr/_/-/r, $args->{$_}) : () }
	  qw(seed survive atomic_unit);

	push @volume, '--from', "$work/$args->{from}.img" if defined $args->{from};
	push @disk, '--log-data' if $args->{log_data};
	$mounts{ $args->{name} } = $mount;
	powervolume('create', $mount, @volume, '--owner', 'postgres', '--', @disk);
	return { mount => $mount, log => "$mount.power/log" };
}

# A command that the disk refuses is an answer, not an error of the helper.
sub ctl
{
	my ($args) = @_;
	my $said = eval { powervolume('ctl', mount_of($args), split / /, $args->{command}) };
	return { done => defined $said ? 1 : 0, said => $said // $@ };
}

sub on
{
	my ($args) = @_;
	powervolume('power-on', mount_of($args));
	return {};
}

# For a closer look later, into the directory where logs of failed tests go:
# powerreplay makes the disk again from the image and the logs of the disk.
sub save
{
	my ($args) = @_;
	my $logs = $ENV{SMGR_ATOMIC_TEST_LOGS} or die "no directory to save to\n";
	my $to = "$logs/$args->{as}";
	my $state = mount_of($args) . '.power';

	powervolume('ctl', mount_of($args), 'flush-log');
	make_path($to);
	system('cp', '--sparse=always', "$work/$args->{from}.img", "$to/start.img") == 0
	  && system('cp', "$state/log", "$state/log.data", "$work/home/$args->{server_log}", $to) == 0
	  or die "could not save to $to\n";
	return {};
}

# What save() saved makes the disk that is there, byte by byte; takes it away again.
sub replay
{
	my ($args) = @_;
	my $saved = "$ENV{SMGR_ATOMIC_TEST_LOGS}/$args->{as}";
	my $tool  = abs_path(dirname(__FILE__) . '/../../contrib-bench/lab/powerreplay');
	my $image = mount_of($args) . '.power/disk.img';

	my $said = `'$tool' '$saved/log' '$saved/start.img' 2>&1`;
	my $same = $? == 0 && system('cmp', '-s', $image, "$saved/start.img") == 0;
	remove_tree($saved) if $same;
	return { same => $same ? 1 : 0, said => $said =~ s/\s+/ /gr };
}

sub remove
{
	my ($args) = @_;
	powervolume('remove', mount_of($args),
		defined $args->{keep} ? ('--keep', "$work/$args->{keep}.img") : ());
	delete $mounts{ $args->{name} };
	return {};
}

sub mount_of
{
	my ($args) = @_;
	return $mounts{ $args->{name} } // die "no disk \"$args->{name}\"\n";
}

sub powervolume
{
	my @args = @_;
	my $tool = abs_path(dirname(__FILE__) . '/../../contrib-bench/lab/powervolume');

	my $pid = open(my $out, '-|') // die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT;
		open STDIN, '<', '/dev/null';
		exec $tool, @args or POSIX::_exit(127);
	}
	my $said = join '', <$out>;
	close $out or die "powervolume @args: $said\n";
	return $said;
}

1;
