
=head1 NAME

SmgrAtomic::Witness - judges from system calls how pages were overwritten

=head1 SYNOPSIS

  my $witness = SmgrAtomic::Witness->new($node->data_dir);   # server is stopped
  start_traced($node, $witness->strace_options($trace));
  ...
  stop_traced($node);
  $witness->replay($trace);
  is($witness->plain_overwrites, 0);

=head1 DESCRIPTION

Keeps the length of every relation file: as it is on disk before the server
starts, then as the recorded calls change it (writes, truncations, creation,
removal).  A write that begins below the length a file has when the call begins
overwrites a page; one at or above it extends the file.

strace writes one line per call in the order in which calls end; a call during
which another process makes one is split into a line where it begins and one
where it ends.  A page that one process appends can be overwritten by another
only after the first call has ended, so the order is right for the judgement.

An overwrite is atomic if it is one pwritev2() with RWF_ATOMIC, from one buffer, of
exactly a page; or, with longest => N, of up to N bytes, a power of two at a
multiple of its own length, as the kernel demands.

The page journal's pages are written plainly, so another rule holds:
from_journal() tells whether a write to a page's place is of pages that the same
process has written to the journal before, as part of its last batch, in a call
that had returned by then.  Pages are recognised by their beginning, as much of it
as strace shows.

Writes through io_uring are not visible to strace; unseen() tells of any attempt.

Only permanent and unlogged relations count: a temporary one does not survive a
crash.  Tablespaces other than the default are not looked at.

=cut

package SmgrAtomic::Witness;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Find ();

use constant { PAGE => 8192, RWF_ATOMIC => 0x40 };

my $relation = qr{^(?:base/\d+|global)/\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$};

# calls that change a relation file or say which file a descriptor is
my @judged = qw(write writev pwrite64 pwritev pwritev2 ftruncate truncate
  fallocate open openat creat unlink unlinkat rename renameat renameat2);

# ways to change a file that this witness cannot judge: none may be used
my @unseen = qw(io_uring_setup io_uring_enter io_submit copy_file_range sendfile
  splice vmsplice process_vm_writev mmap ioctl);

# to recognise a marker in the trace
my @marked = qw(stat newfstatat);

sub new
{
	my ($class, $data_dir, %options) = @_;
	my $self = bless {
		data_dir   => abs_path($data_dir),
		longest    => $options{longest} // PAGE,
		length     => {},
		position   => {},
		pending    => {},
		journaled  => {},
		writers    => {},
		complaints => [],
		unseen     => [],
		marks      => {},
		atomic     => 0,
		plain      => 0,
		extended   => 0,
		written_atomically => 0,
	}, $class;

	for my $dir ('base', 'global')
	{
		File::Find::find(
			sub {
				my $path = $self->relative($File::Find::name);
				$self->{length}{$path} = -s $_ if defined $path && $path =~ $relation;
			},
			"$self->{data_dir}/$dir");
	}
	return $self;
}

sub strace_options
{
	my ($self, $file) = @_;
	my @calls = (@judged, @unseen, @marked);

	# one byte of data: with none, strace leaves out the lengths too
	return ('-y', '-s', '1', '-e', 'signal=none', '-o', $file,
		'-e', 'trace=' . join(',', map { "?$_" } @calls));
}

sub plain_overwrites  { return $_[0]->{plain} }
sub atomic_overwrites { return $_[0]->{atomic} }
sub extensions        { return $_[0]->{extended} }
sub complaints        { return @{ $_[0]->{complaints} }[ 0 .. min(20, $#{ $_[0]->{complaints} }) ] }
sub unseen            { return @{ $_[0]->{unseen} } }
sub writers           { return %{ $_[0]->{writers} } }

# Pages written atomically before a file of this name was looked for.
sub atomic_writes_until { return $_[0]->{marks}{ $_[1] } }

sub summary
{
	my ($self) = @_;
	return "$self->{atomic} atomic and $self->{plain} plain overwrites by "
	  . keys(%{ $self->{writers} })
	  . " processes, $self->{extended} pages appended";
}

sub min { return $_[0] < $_[1] ? $_[0] : $_[1] }

# ---- reading the trace -------------------------------------------------------

sub replay
{
	my ($self, $file) = @_;

	open my $fh, '<', $file or die "$file: $!";
	while (my $line = <$fh>)
	{
		chomp $line;
		my ($pid, $rest) = $line =~ /^(\d+)\s+(.*)$/ or die "unexpected line: $line";
		next if $rest =~ /^(?:\+\+\+|---)/;

		if ($rest =~ /^(\w+)\((.*) <unfinished \.\.\.>$/)
		{
			$self->{pending}{$pid} = [ $1, $2, $self->length_before($1, $2) ];
		}
		elsif ($rest =~ /^<\.\.\. (\w+) resumed>(.*)\)\s+= (.*)$/)
		{
			my $begun = delete $self->{pending}{$pid} or die "no beginning: $line";
			$self->call($pid, $1, $begun->[1] . $2, $3, $begun->[2]);
		}
		elsif ($rest =~ /^(\w+)\((.*)\)\s+= (.*)$/)
		{
			$self->call($pid, $1, $2, $3, $self->length_before($1, $2));
		}
		else
		{
			die "cannot read: $line";
		}
	}

	# killed in the middle of a call: it may have been carried out
	for my $pid (sort keys %{ $self->{pending} })
	{
		my ($name, $args, $length) = @{ $self->{pending}{$pid} };
		$self->call($pid, $name, $args, '?', $length);
	}
	return;
}

# Path relative to the data directory, undef outside of it.
sub relative
{
	my ($self, $path) = @_;

	$path =~ s{^(?!/)}{$self->{data_dir}/};
	return $path =~ s{^\Q$self->{data_dir}\E/}{} ? $path : undef;
}

# The relation file of a descriptor argument, "7</path>"; undef if it is none.
sub relation_of
{
	my ($self, $args) = @_;
	my ($path) = $args =~ /^\d+<([^>]*)>/ or return undef;

	return undef if $args =~ /^\d+<[^>]*(?: \(deleted\)>|>\(deleted\))/;
	$path = $self->relative($path);
	return defined $path && $path =~ $relation ? $path : undef;
}

sub length_before
{
	my ($self, $name, $args) = @_;
	return undef unless $name =~ /^p?write/;
	my $path = $self->relation_of($args);
	return defined $path ? $self->{length}{$path} : undef;
}

sub complain
{
	my ($self, $what) = @_;
	push @{ $self->{complaints} }, $what;
	return;
}

# ---- one call ----------------------------------------------------------------

my %handle = (
	(map { $_ => \&data_written } qw(write writev pwrite64 pwritev pwritev2)),
	(map { $_ => \&file_opened } qw(open openat creat)),
	(map { $_ => \&file_removed } qw(unlink unlinkat)),
	(map { $_ => \&file_renamed } qw(rename renameat renameat2)),
	(map { $_ => \&file_looked_for } @marked),
	ftruncate => \&file_truncated,
	truncate  => \&path_truncated,
	fallocate => \&file_allocated,
	mmap      => \&file_mapped,
	ioctl     => \&file_ioctl);

sub call
{
	my ($self, $pid, $name, $args, $result, $length) = @_;

	if (my $function = $handle{$name})
	{
		$function->($self, $pid, $args, $result, $length, $name);
	}
	elsif ($result !~ /^-1/ || $name =~ /^io_/)
	{
		push @{ $self->{unseen} }, "$name($args) = $result";
	}
	return;
}

sub data_written
{
	my ($self, $pid, $args, $result, $length, $name) = @_;
	return if $result =~ /^-1/;
	return $self->journal_written($pid, $args, $result) if $args =~ m{^\d+<[^>]*/smgr_atomic\.journal>};
	my $path = $self->relation_of($args) // return;
	my ($fd) = $args =~ /^(\d+)</;
	my ($bytes, $offset, $asked) = parse_write($name, $args, $result);

	if ($name =~ /^write/)
	{
		$offset = $self->{position}{"$pid $fd"};
		$self->{position}{"$pid $fd"} += $bytes if defined $offset;
	}
	unless (defined $offset && defined $length && $bytes =~ /^\d+$/)
	{
		$self->complain("cannot judge: $pid $name($args) = $result");
		return;
	}
	$self->judge($pid, $path, $offset, $bytes, $asked, $result, $length, "$pid $name($args) = $result");
	my $end = $offset + ($result eq '?' ? 0 : $bytes);
	$self->{length}{$path} = $end if $end > $self->{length}{$path};
	return;
}

# What is shown of each buffer of a vector.
sub buffers
{
	my ($args) = @_;
	return $args =~ /iov_base=("(?:[^"\\]|\\.)*"(?:\.\.\.)?)/g;
}

# The same, or of the one buffer of a call without a vector.
sub shown
{
	my ($args) = @_;
	my @shown = buffers($args);
	return @shown ? @shown : $args =~ /, ("(?:[^"\\]|\\.)*"(?:\.\.\.)?), \d/;
}

# A header alone is a superblock or says what is void.
sub journal_written
{
	my ($self, $pid, $args, $result) = @_;
	my ($header, @pages) = buffers($args);

	return unless @pages && $result eq PAGE * (1 + @pages);
	$self->{journaled}{$pid} = \@pages;
	return;
}

# Each copy counts for one write.
sub from_journal
{
	my ($self, $pid, $bytes, $line) = @_;
	my ($first) = buffers($line);
	my $batch = $self->{journaled}{$pid} // [];
	my $count = $bytes / PAGE;

	for my $i (0 .. @$batch - $count)
	{
		next unless defined $first && $batch->[$i] eq $first;
		splice @$batch, $i, $count;
		return 1;
	}
	return 0;
}

# Bytes, offset and whether the call asks for one atomic write.
sub parse_write
{
	my ($name, $args, $result) = @_;

	$args =~ s/"(?:[^"\\]|\\.)*"(?:\.\.\.)?/""/g;
	if ($name =~ /writev/)
	{
		my ($vector, $count, $offset, $flags) =
		  $args =~ /\[(.*)\], (\d+)(?:, (\d+))?(?:, (.*))?$/ or die "$name($args)";
		my ($bytes) = $vector =~ /iov_len=(\d+)/;
		my $atomic = $name eq 'pwritev2' && $count == 1 && flags_have_atomic($flags);
		return ($count == 1 ? $bytes : $result, $offset, $atomic);
	}
	my ($bytes, $offset) = $args =~ /, "", (\d+)(?:, (\d+))?$/ or die "$name($args)";
	return ($bytes, $offset, 0);
}

# strace that does not know the flag prints its number.
sub flags_have_atomic
{
	my ($flags) = @_;
	return 1 if $flags =~ /\bRWF_ATOMIC\b/;
	return scalar grep { hex($_) & RWF_ATOMIC } $flags =~ /0x([0-9a-f]+)/g;
}

sub judge
{
	my ($self, $pid, $path, $offset, $bytes, $asked, $result, $length, $line) = @_;
	my $atomic = $asked
	  && $bytes >= PAGE && $bytes <= $self->{longest} && ($bytes & ($bytes - 1)) == 0
	  && $offset % $bytes == 0
	  && ($result eq '?' || $result == $bytes);

	$self->{written_atomically} += $bytes / PAGE if $atomic;
	if ($offset >= $length)
	{
		$self->{extended} += int($bytes / PAGE);
		return;
	}
	$self->{writers}{$pid}++;
	if ($atomic)
	{
		$self->{atomic}++;
		return;
	}
	$self->{plain}++;
	$self->complain("overwritten plainly (length $length): $line");
	return;
}

sub file_opened
{
	my ($self, $pid, $args, $result) = @_;
	my ($fd) = $result =~ /^(\d+)</ or return;
	my $path = $self->relation_of($result) // return;

	$self->{position}{"$pid $fd"} = 0;
	$self->{length}{$path} = 0 if $args =~ /\bO_TRUNC\b/ || $args =~ /\bO_CREAT\b/ && !defined $self->{length}{$path};
	return;
}

sub path_arguments
{
	my ($self, $args) = @_;
	return map { $self->relative($_) // '' } $args =~ /"([^"]*)"/g;
}

sub file_removed
{
	my ($self, $pid, $args, $result) = @_;
	return if $result =~ /^-1/;
	delete $self->{length}{$_} for $self->path_arguments($args);
	return;
}

sub file_renamed
{
	my ($self, $pid, $args, $result) = @_;
	return if $result =~ /^-1/;
	my ($old, $new) = $self->path_arguments($args);
	my $length = delete $self->{length}{$old};
	$self->{length}{$new} = $length if defined $length;
	return;
}

sub file_truncated
{
	my ($self, $pid, $args, $result) = @_;
	my $path = $self->relation_of($args) // return;
	return if $result =~ /^-1/;
	($self->{length}{$path}) = $args =~ /, (\d+)$/;
	return;
}

sub path_truncated
{
	my ($self, $pid, $args, $result) = @_;
	my ($path) = $self->path_arguments($args);
	return if $result =~ /^-1/ || $path !~ $relation;
	($self->{length}{$path}) = $args =~ /, (\d+)$/;
	return;
}

sub file_allocated
{
	my ($self, $pid, $args, $result) = @_;
	my $path = $self->relation_of($args) // return;
	return if $result =~ /^-1/;
	my ($mode, $offset, $bytes) = $args =~ /, (\S+), (\d+), (\d+)$/ or die "fallocate($args)";
	$self->complain("fallocate($args)") if $mode ne '0';
	$self->allocated($path, $offset, $bytes);
	my $end = $offset + $bytes;
	$self->{length}{$path} = $end if $end > ($self->{length}{$path} // 0);
	return;
}

# For those who want to know which blocks were added so.
sub allocated { return }

sub file_mapped
{
	my ($self, $pid, $args, $result) = @_;
	my ($descriptor) = $args =~ /, (\d+<[^>]*>[^,]*), [^,]*$/ or return;
	push @{ $self->{unseen} }, "mmap($args)"
	  if $args =~ /PROT_WRITE/ && $args =~ /MAP_SHARED/ && defined $self->relation_of($descriptor);
	return;
}

# Cloning a file into another; other requests change no data.
sub file_ioctl
{
	my ($self, $pid, $args, $result) = @_;
	push @{ $self->{unseen} }, "ioctl($args)"
	  if $args =~ /FICLONE|FIDEDUPERANGE/ && defined $self->relation_of($args);
	return;
}

sub file_looked_for
{
	my ($self, $pid, $args) = @_;
	my ($path) = $args =~ /"([^"]*)"/ or return;
	$self->{marks}{$path} //= $self->{written_atomically};
	return;
}

1;
