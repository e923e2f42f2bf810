
# A page that is still in the pool is read as it is there, whatever way the
# server reads; what was written past shared buffers is in its file at once.  The
# writer is stopped, so that pages stay in the pool.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

use constant ROWS => 10_000;

my $node = new_node(
	'main',
	volume => create_volume('data', size => '2G'),
	conf   => <<'CONF');
autovacuum = off
bgwriter_lru_maxpages = 0
checkpoint_timeout = 1h
max_wal_size = 1GB
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
CONF
my $async = $node->pg_version >= 18;
my $wait_event = $node->pg_version >= 17 ? 'SmgrAtomicPool' : 'Extension';
my ($writer, $observer);

END { kill CONT => $writer if $writer }

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# This session reads nothing that may be in the pool.
sub observed
{
	return $observer->query_safe($_[0]);
}

sub start_with
{
	my ($conf) = @_;

	$node->append_conf('postgresql.conf', $conf);
	my ($runs, $log) = try_start($node);
	return $log unless $runs;
	reach($node, 'active', 'started');
	$observer = $node->background_psql('postgres');
	observed("SELECT waiting('nothing'); SELECT used FROM smgr_atomic_pool");
	return;
}

# With the pool empty; every page handed over from now on stays.
sub stop_writer
{
	sql('CHECKPOINT');
	$writer = worker_pid($node, 'smgr_atomic writer') or die 'no writer';
	kill STOP => $writer;
	return;
}

sub continue_writer
{
	kill CONT => $writer;
	return;
}

sub begin_sql
{
	my ($sql) = @_;
	my %psql = (out => '', err => '');

	$psql{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
		'<', \undef, '>', \$psql{out}, '2>', \$psql{err});
	return \%psql;
}

sub finish_sql
{
	my ($psql) = @_;

	$psql->{run}->finish or return "failed: $psql->{err}";
	return $psql->{out} =~ s/\s+$//r;
}

# Waits until a session waits for the pool; false if it ended instead.
sub waits
{
	my ($psql) = @_;
	my $there = 0;

	wait_until('a session to wait for the pool, or to end', sub {
		$psql->{run}->pump_nb;
		$there = observed("SELECT waiting('$wait_event')");
		return $there || !$psql->{run}->pumpable;
	});
	return $there ? 1 : 0;
}

$node->start;
init_bank($node, 1);
sql(q{
	CREATE TABLE t (i int, v int, pad text) WITH (fillfactor = 40);
	CREATE TABLE u AS SELECT i FROM generate_series(1, 200000) i;
	CREATE FUNCTION waiting(event text) RETURNS bigint LANGUAGE sql AS
		'SELECT count(*) FROM pg_stat_get_activity(NULL) WHERE wait_event = event'});
sql("INSERT INTO t SELECT i, 0, repeat('x', 900) FROM generate_series(1, ${\ROWS}) i");
stop_clean($node);

# ---- reads ----------------------------------------------------------------------------

my $updates = 0;
for my $method ($async ? qw(sync worker io_uring) : 'sync')
{
	my $name = $async ? "io_method $method" : 'reads';

	subtest $name => sub {
		my $log = start_with("shared_buffers = 1MB\n" . ($async ? "io_method = $method\n" : ''));
		plan skip_all => 'this server or kernel has no io_uring' if $log && $method eq 'io_uring';
		ok(!$log, 'starts') or return;

		stop_writer();
		sql('UPDATE t SET v = v + 1');
		$updates++;
		cmp_ok(observed('SELECT used FROM smgr_atomic_pool'), '>', 500, 'pages are in the pool');
		my $reads = observed('SELECT reads FROM smgr_atomic_pool');
		my $query = begin_sql('SELECT sum(v) FROM t');
		if ($async)
		{
			ok(waits($query), 'a reader waits until the file has the page');
			continue_writer();
			is(finish_sql($query), $updates * ROWS, 'and then reads the newest');
		}
		else
		{
			is(finish_sql($query), $updates * ROWS, 'a reader gets the newest from the pool');
			cmp_ok(observed('SELECT reads FROM smgr_atomic_pool'), '>', $reads + 100, 'which is counted');
			continue_writer();
		}
		$observer->quit;
		stop_clean($node);
	};
}

# ---- an index, built past shared buffers ------------------------------------------------

start_with("shared_buffers = 64MB\n" . ($async ? "io_method = worker\n" : ''));
sql('SELECT count(*) FROM u');
stop_writer();
sql('CREATE INDEX built ON u (i)');
my ($file) = block_in_file($node, 'built', 0);
open my $fh, '<:raw', $node->data_dir . "/$file" or die "$file: $!";
read $fh, my $page, 8192;
is(unpack('x24 V', $page), 0x053162, 'the first page of an index, written last, is in its file when the build ends');
continue_writer();
is(sql('SET enable_seqscan = off; SELECT count(*) FROM u WHERE i BETWEEN 1001 AND 2000'), 1000, 'the index works');
$observer->quit;
balanced($node, 'in the end');
stop_clean($node);

done_testing();
