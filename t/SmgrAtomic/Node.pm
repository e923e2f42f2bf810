
=head1 NAME

SmgrAtomic::Node - a PostgreSQL server on a given volume, with the library

=head1 SYNOPSIS

  use SmgrAtomic::Root;
  use SmgrAtomic::Node;

  my $node = new_node('main', volume => create_volume('data'));
  $node->start;
  is(status($node)->{state}, ...);

=cut

package SmgrAtomic::Node;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Run ();
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

our @EXPORT = qw(need_torn_free_xfs need_volumes
  new_node settle status images place places counters fetch_row
  log_since log_position try_start stop_clean refused start_traced stop_traced kill_traced block_in_file);

=head2 need_torn_free_xfs()

Skips the whole test file where the kernel cannot write pages torn-free on an
ordinary XFS volume (software atomic writes that are safe: 6.18 and later), or
where no volumes can be made.

=cut

sub need_torn_free_xfs
{
	my ($major, $minor) = (POSIX::uname())[2] =~ /^(\d+)\.(\d+)/;

	need_volumes('xfs');
	plan skip_all => "kernel $major.$minor is older than 6.18"
	  if $major * 1000 + $minor < 6018;
	return;
}

=head2 need_volumes(@filesystems)

Skips the whole test file unless volumes of these filesystems can be made.

=cut

sub need_volumes
{
	for my $fs (@_)
	{
		my $missing = SmgrAtomic::Root::missing_filesystem($fs);
		plan skip_all => $missing if $missing;
	}
	return;
}

=head2 new_node($name, volume =>, mode =>, checksums =>, preload =>, conf =>, streaming =>, archiving =>)

Makes a data directory on the volume (a directory; without it, among the test's
temporary files) and returns the PostgreSQL::Test::Cluster.  fsync is on, the
library is preloaded unless preload => 0, with mode "direct" unless another one is
given; doublewrite comes with a small journal, so that it wraps.  conf is more
postgresql.conf text.
checksums => 1 or 0 asks for data checksums or for none; the server's default
depends on its major.
streaming and archiving prepare the node to be a source of standbys or restores.

=cut

sub new_node
{
	my ($name, %options) = @_;
	my $node;

	{
		# PostgreSQL::Test::Cluster puts data directories there
		local $PostgreSQL::Test::Utils::tmp_check =
		  $options{volume} // $PostgreSQL::Test::Utils::tmp_check;
		$node = PostgreSQL::Test::Cluster->new($name);
	}
	my @checksums;
	@checksums = '--data-checksums' if $options{checksums};
	@checksums = '--no-data-checksums'
	  if !($options{checksums} // 1) && $node->pg_version >= 18;
	$node->init(
		extra            => \@checksums,
		allows_streaming => $options{streaming},
		has_archiving    => $options{archiving});
	$node->append_conf('postgresql.conf', "fsync = on\n");
	my $mode = $options{mode} // 'direct';
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\nsmgr_atomic.mode = $mode\n"
		  . ($mode eq 'doublewrite' ? "smgr_atomic.journal_size = 8MB\n" : ''))
	  if $options{preload} // 1;
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	return $node;
}

=head2 fetch_row($node, $query)

The only row of a query as a reference to a hash, NULL as undef.

=cut

sub fetch_row
{
	my ($node, $query) = @_;
	my $json = $node->safe_psql('postgres', "SELECT row_to_json(q) FROM ($query) q");
	return JSON::PP->new->utf8->decode($json);
}

=head2 settle($node), status($node), images($node)

settle() waits until no change of state is under way (after a start, the first
checkpoint must complete before images go off).  status() then gives the row of
smgr_atomic_status, images() what full_page_writes is.

=head2 place($node, $tablespace), places($node)

Rows of smgr_atomic_tablespaces; places() gives "tablespace=verdict" pairs,
sorted.  The extension is created on first use.

=cut

sub create_extension
{
	my ($node) = @_;
	$node->safe_psql('postgres',
		'SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS smgr_atomic')
	  unless $node->safe_psql('postgres', 'SELECT pg_is_in_recovery()') eq 't';
	return;
}

sub settle
{
	my ($node) = @_;
	create_extension($node);
	$node->poll_query_until('postgres',
		q{SELECT state IN ('off', 'active', 'paused') FROM smgr_atomic_status})
	  or die 'smgr_atomic does not settle: '
	  . $node->safe_psql('postgres', 'SELECT * FROM smgr_atomic_status');
	return;
}

sub images
{
	my ($node) = @_;
	settle($node);
	return $node->safe_psql('postgres', 'SHOW full_page_writes');
}

sub status
{
	my ($node) = @_;
	settle($node);
	return fetch_row($node, 'SELECT * FROM smgr_atomic_status');
}

sub place
{
	my ($node, $tablespace) = @_;
	create_extension($node);
	return fetch_row($node,
		"SELECT * FROM smgr_atomic_tablespaces WHERE tablespace = '$tablespace'");
}

sub places
{
	my ($node) = @_;
	create_extension($node);
	return $node->safe_psql('postgres',
		q{SELECT string_agg(tablespace || '=' || verdict, ' ' ORDER BY tablespace)
		  FROM smgr_atomic_tablespaces});
}

=head2 counters($node)

Sums over smgr_atomic_stats of all backend types.

=cut

sub counters
{
	my ($node) = @_;
	create_extension($node);
	return fetch_row($node,
		'SELECT '
		  . join(', ',
			map { "coalesce(sum($_), 0) AS $_" }
			  qw(pages bytes retries delegated_temporary delegated_off errors))
		  . ' FROM smgr_atomic_stats');
}

=head2 log_position($node), log_since($node, $position)

=cut

sub log_position
{
	my ($node) = @_;
	return -s $node->logfile // 0;
}

sub log_since
{
	my ($node, $position) = @_;
	return substr(slurp_file($node->logfile), $position);
}

=head2 try_start($node)

Starts a server that may refuse to.  Returns whether it runs and its log since.

=cut

sub try_start
{
	my ($node)   = @_;
	my $position = log_position($node);
	my $runs;

	{
		# pg_ctl of 18 and later takes a standby that refuses to start for one
		# that has reached its recovery target; that there is no server then
		# would end all tests
		no warnings qw(redefine);
		local *PostgreSQL::Test::Cluster::BAIL_OUT = sub { die @_ };
		$runs = eval { $node->start(fail_ok => 1) } // 0;
	}
	return ($runs, log_since($node, $position));
}

=head2 stop_clean($node)

Stops the server; a test that it shut down without complaint.

=cut

sub stop_clean
{
	my ($node) = @_;
	my $position = log_position($node);

	$node->stop;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	subtest 'server stops cleanly' => sub {
		my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
		like($control, qr/cluster state:\s+shut down$/m, 'cluster state');
		# a session that was about to end may find its client gone
		unlike(log_since($node, $position),
			qr/PANIC|WARNING|could not (?!send data to client)/, 'log');
	};
	return;
}

=head2 refused($node, $sql, $pattern, $name, %psql_options)

A statement must fail with a message that matches.

=cut

sub refused
{
	my ($node, $sql, $pattern, $name, %options) = @_;
	my ($status, $out, $err) =
	  $node->psql('postgres', $sql, on_error_stop => 1, extra_params => $options{params} // []);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	subtest $name => sub {
		isnt($status, 0, 'fails');
		like($err, $pattern, 'says why');
	};
	return;
}

=head2 start_traced($node, @strace_options)

Starts the server under strace, so that every process of it is followed from
its first system call on.  No root is needed to trace one's own children.

=head2 stop_traced($node), kill_traced($node)

Stops the server (fast or immediate) and waits until strace has written all.

=cut

sub start_traced
{
	my ($node, @options) = @_;
	my $log = $node->logfile;

	$node->{_tracer} = IPC::Run::start(
		[
			'strace', '-f', '-qq', '--seccomp-bpf', @options,
			'postgres', '-D', $node->data_dir, '--cluster-name=' . $node->name
		],
		'<', \undef, '>>', $log, '2>&1');
	$node->_set_traced_pid;
	return;
}

sub stop_traced
{
	my ($node) = @_;
	$node->stop('fast');
	IPC::Run::finish(delete $node->{_tracer});
	return;
}

sub kill_traced
{
	my ($node) = @_;
	$node->stop('immediate');
	IPC::Run::finish(delete $node->{_tracer});
	return;
}

# PostgreSQL::Test::Cluster stops only servers whose process id it knows.
sub PostgreSQL::Test::Cluster::_set_traced_pid
{
	my ($node) = @_;

	local %ENV = $node->_get_env();
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if system_log('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0;
		$node->{_tracer}->pump_nb;
		Time::HiRes::usleep(100_000);
	}
	$node->_update_pid(1);
	return;
}

=head2 block_in_file($node, $relation, $block)

Path of the segment of a relation's main fork that holds a block, relative to
the data directory, and the block's offset in it.

=cut

sub block_in_file
{
	my ($node, $relation, $block) = @_;
	my $path = $node->safe_psql('postgres', "SELECT pg_relation_filepath('$relation')");
	my $segment = int($block / 131072);

	return ($segment ? "$path.$segment" : $path, ($block % 131072) * 8192);
}

1;
