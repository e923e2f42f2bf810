
# Method doublewrite on a filesystem without an atomic unit: pages go through the
# page journal, images go off; crashes of the server, small journals that wrap
# all the time, relations that are truncated, dropped and rebuilt, modes that
# change.  (What power cuts do is in the tests that follow.)

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4');

my $marker  = 'smgr_atomic.journal';
my $journal = 'pgsql_tmp_smgr_atomic/smgr_atomic.journal';
my $node    = new_node(
	'main',
	volume => create_volume('data', fs => 'ext4', size => '3G'),
	checksums => 1,
	conf   => "shared_buffers = 1MB\nautovacuum = off\nmax_wal_size = 2GB\ncheckpoint_timeout = 1h\n"
	  . "smgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\n");
my $data = $node->data_dir;

sub method_is
{
	my ($state, $images, $method, $name) = @_;
	my $status = status($node);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply([ @$status{qw(state full_page_writes mode_in_force)} ], [ $state, $images, $method ], $name)
	  || diag explain $status;
	return $status;
}

sub digest
{
	return $node->safe_psql('postgres',
		'SELECT (SELECT count(*) || sum(hashtext(t::text)::bigint)::text FROM t),'
		  . ' (SELECT count(*) || sum(hashtext(b::text)::bigint)::text FROM b)');
}

sub churn
{
	my ($salt) = @_;
	$node->safe_psql('postgres', qq{
		UPDATE t SET filler = repeat('$salt', 150) WHERE g % 3 = $salt % 3;
		TRUNCATE b; INSERT INTO b SELECT g, g * $salt FROM generate_series(1, 20000) g;
		DROP TABLE IF EXISTS gone;
		CREATE TABLE gone AS SELECT g, repeat('y', 300) AS f FROM generate_series(1, 10000) g;
		UPDATE gone SET f = 'z';
		DELETE FROM t WHERE g > 38000; VACUUM t;
		INSERT INTO t SELECT g, 'n' FROM generate_series(38001, 40000) g;});
	return;
}

$node->start;
my $status = method_is('active', 'off', 'doublewrite', 'ext4: images go off');
is($status->{protection}, 'journal', 'protection');
ok(-e "$data/$marker",  'the marker is there');
is(-s "$data/$journal" > 8_000_000, 1, 'the journal has its size');

$node->safe_psql('postgres', q{
	CREATE EXTENSION IF NOT EXISTS smgr_atomic;
	CREATE TABLE t AS SELECT g, repeat('x', 150) AS filler FROM generate_series(1, 40000) g;
	CREATE INDEX ON t (g);
	CREATE TABLE b (g int PRIMARY KEY, n int)});

# ---- crashes of the server; every second one while it works -----------------------

for my $round (1 .. 3)
{
	churn($round);
	my $before = digest();
	my $load = $round == 2 ? undef : $node->background_psql('postgres');
	$load->query_until(qr/begun/, "\\echo begun\nUPDATE b SET n = n + 1; UPDATE t SET filler = filler || 'z'; SELECT pg_sleep(100);\n")
	  if $load;
	$node->stop('immediate');
	eval { $load->quit } if $load;
	my $position = log_position($node);
	$node->start;
	like(log_since($node, $position), qr/page journal: [1-9]\d* batches, [1-9]\d* pages checked, \d+ restored, \d+ emptied, [1-9]\d* rewritten/,
		"round $round: repaired at start, what the page cache has is written to storage");
	my $after = digest();
	$load ? ok(1, '(load was cut)') : is($after, $before, "round $round: nothing lost");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class c, smgr_atomic_torn_pages(c.oid) WHERE relkind IN ('r', 'i')}),
		'0', "round $round: no torn page");
	method_is('active', 'off', 'doublewrite', "round $round: active again");
}

# ---- a file that is shortened and then written past the journal ----------------------

# In a relation that is made in this transaction nothing is logged, no page has
# an LSN, and the index is built anew in its old file: copies of the pages it
# had would look as good as those in place.
$node->safe_psql('postgres', q{
	SET wal_skip_threshold = 0;
	BEGIN;
	CREATE TABLE m (g int);
	CREATE INDEX m_g ON m (g);
	INSERT INTO m SELECT g FROM generate_series(1, 60000) g;
	TRUNCATE m;
	COMMIT;});
$node->stop('immediate');
my $after_truncate = log_position($node);
$node->start;
like(log_since($node, $after_truncate), qr/page journal: \d+ batches/, 'rebuilt in place: repaired at start');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; INSERT INTO m VALUES (7); SELECT g FROM m WHERE g < 100'),
	'7', '... and no old copy came back');

# ---- a backend's crash: the postmaster repairs, without a start --------------------

$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->reload;
churn(7);
my $before = digest();
my $position = log_position($node);
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
kill KILL => $pid;
$node->wait_for_log(qr/ready to accept connections/, $position);
is(digest(), $before, 'backend crash: nothing lost');
like(log_since($node, $position), qr/page journal: [1-9]\d* batches/, '... repaired');
method_is('active', 'off', 'doublewrite', '... active again');

# ---- other modes and back ----------------------------------------------------------

sub go
{
	my ($mode, @want) = @_;
	$node->append_conf('postgresql.conf', "smgr_atomic.mode = $mode\n");
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT state = '$want[0]' AND current_setting('smgr_atomic.mode') = '$mode' FROM smgr_atomic_status")
	  or die "mode $mode: state is not $want[0]";
	return method_is(@want, "mode $mode");
}

churn(8);
go('off', 'off', 'on', 'off');
ok(!-e "$data/$marker", 'the marker is gone');
churn(9);
$node->stop('immediate');
$node->start;
go('doublewrite', 'active', 'off', 'doublewrite');
is($node->safe_psql('postgres', 'SELECT path FROM smgr_atomic_journal'), $journal,
	'a journal that was not opened at start');
churn(9);
go('off', 'off', 'on', 'off');
go('doublewrite', 'active', 'off', 'doublewrite');
ok(-e "$data/$marker", 'the marker is back');
churn(10);
$before = digest();
$node->stop('immediate');

# started with another mode, the crash is repaired and replayed with the journal
$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$position = log_position($node);
$node->start;
like(log_since($node, $position), qr/page journal: [1-9]\d* batches/, 'mode off after a crash: repaired');
is(digest(), $before, '... nothing lost');
method_is('off', 'on', 'off', '... off in the end');
ok(!-e "$data/$marker", '... and the marker is gone');

stop_clean($node);
done_testing();
