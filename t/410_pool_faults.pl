
# What can go wrong around the write-behind pool: writers that are told to stop
# or killed with writes under way, a disk that stalls, io_uring refused, no space.
# (Backends that are killed: 230_kill.pl.)

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Space;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $data = create_volume('data', size => '2G');
my $slow = create_volume('slow', size => '1G');

sub pool
{
	my ($node, $what) = @_;
	return $node->safe_psql('postgres', "SELECT $what FROM smgr_atomic_pool");
}

sub writer_pid
{
	my ($node) = @_;
	for my $pid (SmgrAtomic::Contract::children($node))
	{
		open my $file, '<', "/proc/$pid/cmdline" or next;
		return $pid if (<$file> // '') =~ /smgr_atomic writer/;
	}
	return undef;
}

sub new_writer
{
	my ($node, $old) = @_;
	wait_until('a new writer', sub { (writer_pid($node) // $old) != $old });
	return $node->poll_query_until('postgres', 'SELECT writers = 1 FROM smgr_atomic_pool');
}

# ---- io_uring refused, as containers do ----------------------------------------

my $node = new_node('refused', volume => $data, conf => <<'CONF');
max_worker_processes = 4
max_parallel_workers = 8
max_logical_replication_workers = 0
max_parallel_workers_per_gather = 8
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
CONF
start_holding($node, build_library('refuse_io_uring.c'));
reach($node, 'active', 'io_uring refused by a seccomp filter');
is(pool($node, 'io_method'), 'pwritev2 (io_uring refused: Operation not permitted)', '... status says so');
is(pool($node, 'io_depth'), '1', '... and what it costs');
like(slurp_file($node->logfile), qr/WARNING:  smgr_atomic: the kernel refuses io_uring: .*DETAIL:  Each writer has one write.*HINT:  Allow io_uring/s,
	'... so does the log');
$node->safe_psql('postgres', q{CREATE TABLE t AS SELECT i, repeat('x', 500) f FROM generate_series(1, 20000) i; ANALYZE t; ALTER TABLE t SET (parallel_workers = 8); CHECKPOINT});
cmp_ok(pool($node, 'written'), '>', 0, '... pages are written');
like($node->safe_psql('postgres', 'EXPLAIN (ANALYZE, COSTS OFF) SELECT sum(length(f)) FROM t'),
	qr/Workers Launched: 4$/m, 'parallel queries have all of max_worker_processes');
$node->stop;

# ---- a writer is told to stop --------------------------------------------------

$node = new_node('writers', volume => $data, conf => <<'CONF');
shared_buffers = 4MB
autovacuum = off
restart_after_crash = on
smgr_atomic.write_behind_size = 512kB
CONF
$node->start;
reach($node, 'active', 'writers');
init_bank($node, 4);
my $load = start_load($node, '-c', '4');
wait_for_load($node, 100);
for (1 .. 30)
{
	my $old = writer_pid($node);

	kill TERM => $old;
	ok(new_writer($node, $old), 'SIGTERM of a writer: a new one comes');
	wait_for_load($node, 50);
	last if pool($node, 'helped') > 0;
}
cmp_ok(pool($node, 'helped'), '>', 0, '... meanwhile those who wait help themselves');

# ---- the disk stalls -----------------------------------------------------------

throttle_volume('data', iops => 1);
sleep 10;
throttle_volume('data');
wait_for_load($node, 100);
ok(stop_load($load), 'the disk stalls for ten seconds: sessions go on');
unlike(slurp_file($node->logfile), qr/(?:ERROR|PANIC):/, '... nobody has failed');
balanced($node, 'writers stopped, disk stalled');

# ---- a writer is killed with writes under way ----------------------------------
#
# The kernel does not wait for them when the process ends; recovery must.  They
# go to a disk of their own: the server's files would wait in the same queue.
my $position = log_position($node);
my ($out, $err) = ('', '');
my $writer = writer_pid($node);
mkdir "$slow/space" or die "mkdir: $!";
$node->safe_psql('postgres', $_) for (
	"CREATE TABLESPACE slow LOCATION '$slow/space'",
	q{CREATE TABLE t WITH (fillfactor = 50) TABLESPACE slow AS SELECT i, repeat('x', 1000) f FROM generate_series(1, 480) i},
	'CREATE TABLE marker AS SELECT 1 AS acknowledged',
	'CHECKPOINT');
$node->safe_psql('postgres', 'UPDATE t SET i = -i WHERE i % 4 = 0');
throttle_volume('slow', iops => 1);
my $checkpoint = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CHECKPOINT' ], '<', \undef, '>', \$out, '2>', \$err);
wait_until('requests to be under way', sub {
		$node->safe_psql('postgres', 'SELECT in_flight > 4 FROM smgr_atomic_pool') eq 't' });
kill KILL => $writer;
$node->wait_for_log(qr/waiting for page writes of processes that have died/, $position);
pass('SIGKILL of a writer: recovery waits for its writes');
throttle_volume('slow');
eval { $checkpoint->finish };
$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
reach($node, 'active', 'after recovery');
is($node->safe_psql('postgres', 'SELECT acknowledged, (SELECT sum(sign(i)) FROM t) FROM marker'), '1|240', '... what was acknowledged is there');
like(log_since($node, $position), qr/smgr_atomic writer.* was terminated by signal 9/, '... the crash was a writer\'s');
balanced($node, 'a killed writer');
stop_clean($node);

# ---- no space: dropping what fills the disk helps --------------------------------

my $small = create_volume('small', size => '400M');
$node = new_node('full', volume => $small, conf => "autovacuum = off\nmax_wal_size = 64MB\n");
# a checkpoint panics if it cannot write the file of replication origins
$node->append_conf('postgresql.conf',
	($node->pg_version < 18 ? 'max_replication_slots' : 'max_active_replication_origins') . " = 0\n");
$node->start;
reach($node, 'active', 'small disk');
$node->safe_psql('postgres', $_) for (
	q{CREATE TABLE big WITH (fillfactor = 50) AS SELECT i, repeat('x', 1000) f FROM generate_series(1, 5000) i},
	'CHECKPOINT');
$position = log_position($node);
my $space = SmgrAtomic::Space->take("$small/filler");
$node->safe_psql('postgres', 'UPDATE big SET i = -i WHERE i % 3 = 0');
($out, $err) = ('', '');
my $waiting = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CHECKPOINT' ],
	'<', \undef, '>', \$out, '2>', \$err);
$node->wait_for_log(qr/could not write block \d+ in file "base.*: No space left on device/, $position);
$space->stop_taking;
$node->safe_psql('postgres', 'DROP TABLE big', timeout => 60);
pass('no space: a table whose pages wait for space can be dropped');
$waiting->finish;
is($err, '', '... and that gives the checkpoint its space');
$space->give_back;
$node->stop;

done_testing();
