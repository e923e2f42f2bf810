
=head1 NAME

SmgrAtomic::Space - a filesystem without space

=head1 SYNOPSIS

  my $space = SmgrAtomic::Space->take("$mount/filler");
  ...                    # nobody else gets any
  $space->stop_taking;   # what is freed from now on, others get
  $space->give_back;

=head1 DESCRIPTION

To take all there is once is not enough: a filesystem frees more later (XFS: what it
had preallocated, files unlinked before).  So a process goes on taking it.  It ends by
itself when its file, the filesystem or the test is gone.

=cut

package SmgrAtomic::Space;

use strict;
use warnings;

use Carp qw(croak);
use IPC::Run ();
use Time::HiRes qw(sleep time);

my $script = <<'SCRIPT';
trap exit TERM
size=0
while [ -e "$1" ] && kill -0 "$2" 2>/dev/null; do
	for piece in 16777216 1048576 65536 4096; do
		while fallocate -o $size -l $piece "$1" 2>/dev/null; do
			size=$((size + piece))
		done
	done
	sleep 0.02
done
SCRIPT

# Takes all space for a new file; returns when there has been none for a second.
sub take
{
	my ($class, $path) = @_;
	open my $file, '>', $path or croak "$path: $!";
	close $file;
	my $self = bless { path => $path }, $class;

	$self->{process} = IPC::Run::start([ 'sh', '-c', $script, 'sh', $path, $$ ], '<', \undef);
	my ($size, $since, $until) = (0, time, time + 60);
	while ($size == 0 || time - $since < 1)
	{
		my $now = -s $path;
		($size, $since) = ($now, time) if $now != $size;
		croak "$path: still finds space after a minute" if time > $until;
		sleep 0.05;
	}
	return $self;
}

sub stop_taking
{
	my ($self) = @_;
	my $process = delete $self->{process};

	# not before the fallocate that it may be at has ended: that would take what is freed now
	return if !$process;
	$process->signal('TERM');
	$process->finish;
	return;
}

sub give_back
{
	my ($self) = @_;

	$self->stop_taking;
	unlink $self->{path} or croak "$self->{path}: $!";
	return;
}

sub DESTROY
{
	my ($self) = @_;
	$self->stop_taking;
	return;
}

1;
