
# Reading ahead of redo: a worker has the kernel read what redo will have to read, and
# nothing else, not far ahead; it ends by itself, and can be turned off.

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

need_volumes('ext4');

# The server itself reads nothing ahead here: what is in the page cache is our doing.
my $ext4 = create_volume('data', fs => 'ext4', size => '4G');
my $node = new_node('node', volume => $ext4, streaming => 1, checksums => 1,
	conf => "shared_buffers = 16MB\nautovacuum = off\ncheckpoint_timeout = 1h\nwal_keep_size = 512MB\n"
	  . "recovery_prefetch = off\nsmgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\n");
$node->start;
reach($node, 'active', 'doublewrite');

sub sql
{
	my ($statement) = @_;
	return $node->safe_psql('postgres', $statement);
}

# A table with one row on each of so many pages.
sub create_table
{
	my ($name, $pages) = @_;
	sql("CREATE TABLE $name (n int, filler text) WITH (fillfactor = 10);
		ALTER TABLE $name ALTER filler SET STORAGE PLAIN;
		INSERT INTO $name SELECT 0, repeat('x', 700) FROM generate_series(1, $pages)");
	is(sql("SELECT pg_relation_size('$name') / 8192"), $pages, "table $name: $pages pages");
	return;
}

# Its file in this server's data directory is no longer in the page cache.
sub forget_file
{
	my ($server, $path) = @_;
	my $file = $server->data_dir . "/$path";
	system_or_bail('sync', $file);
	system_or_bail('dd', 'status=none', "if=$file", 'iflag=nocache', 'count=0');
	return;
}

# How many pages of the file are in the page cache.
sub cached
{
	my ($server, $path) = @_;
	my ($out, $err) = run_command([ 'fincore', '--bytes', '--noheadings', '--output', 'res', $server->data_dir . "/$path" ]);
	die "fincore: $err" if $out !~ /(\d+)/;
	return $1 / 8192;
}

# What the reader says in this log: pages, requests; nothing if there was none.
sub said
{
	my ($log) = @_;
	return $log =~ /read ahead of redo: (\d+) pages in (\d+) requests/ ? ($1, $2) : ();
}

# A crash, and the start after it, with a disk on which redo takes long enough for the
# reader to begin.
my ($t, $log);

sub recover
{
	my ($conf) = @_;
	$node->stop('immediate');
	$node->append_conf('postgresql.conf', $conf) if $conf;
	forget_file($node, $_) for ($t, map { "pg_wal/$_" } grep { /^[0-9A-F]{24}$/ } slurp_dir($node->data_dir . '/pg_wal'));
	my $position = log_position($node);
	throttle_volume('data', bandwidth => 20, iops => 400);
	$node->start;
	wait_until('the reader to end', sub { !worker_pid($node, 'smgr_atomic readahead') });
	throttle_volume('data');
	$log = log_since($node, $position);
	like($log, qr/redo done/, '... redo was needed');
	return said($log);
}

create_table('t', 4000);
$t = sql(q{SELECT pg_relation_filepath('t')});

# After a crash: pages that WAL changes, also of a table that is dropped later, and none that
# WAL makes or has.
sql('CHECKPOINT; UPDATE t SET n = n + 1');
create_table('dropped', 100);
sql('UPDATE dropped SET n = 1; DROP TABLE dropped');
create_table('made', 1000);
my ($pages, $requests) = recover();
cmp_ok($pages, '>=', 2000, 'after a crash: pages that redo changes were read ahead');
cmp_ok($pages, '<', 4200, '... and hardly any else');
cmp_ok($requests, '<', $pages / 10, '... neighbours in one request');
is(sql('SELECT sum(n), count(*) FROM t'), '4000|4000', '... rows are as they were');

sql('CHECKPOINT; UPDATE t SET n = n + 1 WHERE ctid IN
	(SELECT format(\'(%s,%s)\', p, i)::tid FROM generate_series(0, 3999, 5) p, generate_series(1, 3) i)');
($pages, $requests) = recover();
cmp_ok($pages, '>=', 400, 'every fifth page');
cmp_ok($pages, '<', 900, '... these alone');
cmp_ok($requests, '>=', 0.95 * $pages, '... not what is between them');
is(sql('SELECT sum(n), count(*) FROM t'), '4800|4000', '... rows are as they were');

# Hints are logged, but redo does nothing with them.  (Not so where a page is found to be
# all-visible, which 19 logs as a change of it: an older transaction is in the way.)
my $older = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
	'BEGIN; SELECT pg_current_xact_id(), pg_sleep(1000)' ], '>', '/dev/null', '2>', \my $ended);
wait_until('an older transaction', sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL}) });
sql('CREATE TABLE hints AS SELECT g FROM generate_series(1, 600000) g; CHECKPOINT');
sql($_) for ('UPDATE t SET n = n', 'SELECT count(*) FROM hints');
($pages) = recover();
eval { $older->finish };
cmp_ok($pages, '>=', 2000, 'pages with hints');
cmp_ok($pages, '<', 4200, '... are not read ahead');

# Turned off, then with images, which bring the pages.
sql('CHECKPOINT; UPDATE t SET n = n + 1');
($pages) = recover("smgr_atomic.recovery_readahead = off\n");
is($pages, undef, 'turned off: no reader');
$node->append_conf('postgresql.conf', "smgr_atomic.recovery_readahead = on\nsmgr_atomic.mode = off\n");
$node->restart;
sql('CHECKPOINT');
sql(q{SELECT pg_logical_emit_message(false, 'test', repeat('x', 40000000))});    # 2 s for the reader to begin
sql('UPDATE t SET n = n + 1');
($pages) = recover("smgr_atomic.mode = doublewrite\n");
ok(defined $pages && $pages < 100, 'with full-page images hardly anything is read ahead');
is(sql('SELECT sum(n), count(*) FROM t'), '12800|4000', '... rows are as they were');
reach($node, 'active', 'doublewrite again');

# No process for it
sql('CHECKPOINT; UPDATE t SET n = n + 1');
($pages) = recover("max_worker_processes = 0\nmax_logical_replication_workers = 0\n");
is(sql('SELECT sum(n) FROM t'), '16800', 'max_worker_processes = 0: recovers');
like($log, qr/no process is free to read ahead of redo/, '... and says that no process was free');
is($pages, undef, '... for reading ahead');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;

# A standby whose redo waits at a commit has the WAL behind that: the reader is ahead, but not
# further than two batches, of 512 pages each.
create_table('small', 60);
my $small = sql(q{SELECT pg_relation_filepath('small')});
$node->backup('base');
my $standby = node_from('standby', $ext4, $node, 'base', has_streaming => 1);
$standby->start;
sql('CHECKPOINT');
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = 1h\n");
$standby->restart;
sql($_) for ('CREATE TABLE first (n int)', 'UPDATE small SET n = n + 1', 'UPDATE t SET n = n + 1');
my $end = sql('SELECT pg_current_wal_flush_lsn()');
ok($standby->poll_query_until('postgres', "SELECT pg_last_wal_receive_lsn() >= '$end'"), 'a standby has WAL and waits with it');

sub restart_standby
{
	my ($conf) = @_;
	$standby->stop;
	$standby->append_conf('postgresql.conf', "smgr_atomic.recovery_readahead = $conf\n");
	forget_file($standby, $_) for ($small, $t);
	is(cached($standby, $small) + cached($standby, $t), 0, "restarted with readahead $conf: no page is cached");
	$standby->start;
	return;
}

sub reader { return worker_pid($standby, 'smgr_atomic readahead'); }

restart_standby('off');
sleep 2;
is(reader(), undef, '... no reader');
is(cached($standby, $small) + cached($standby, $t), 0, '... no page is cached while redo waits');
restart_standby('on');
wait_until('pages are cached while redo waits', sub { cached($standby, $small) == 60 });
isnt(reader(), undef, '... by the reader');
sleep 2;
my $ahead = cached($standby, $t);
cmp_ok($ahead, '>', 0, '... also of the table behind');
cmp_ok($ahead, '<', 1200, '... but not far ahead');
sleep 8;
my $pid = reader();
isnt($pid, undef, '... the reader waits with redo');
kill 'TERM', $pid if $pid;
wait_until('told to stop, the reader ends', sub { !reader() });

restart_standby('on');
wait_until('pages are cached again', sub { cached($standby, $small) == 60 });
$standby->stop;
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = 0\n");
my $position = log_position($standby);
forget_file($standby, $t);
throttle_volume('data', bandwidth => 20, iops => 400);
$standby->start;
$node->wait_for_catchup($standby);
wait_until('WAL ends, the reader ends', sub { !reader() });
throttle_volume('data');
($pages) = said(log_since($standby, $position));
cmp_ok($pages, '>=', 2000, '... and says what it did');
is($standby->safe_psql('postgres', 'SELECT sum(n) FROM t'), sql('SELECT sum(n) FROM t'), 'redo goes on: rows as on the primary');
$standby->stop;
$node->stop;

done_testing();
