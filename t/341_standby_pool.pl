
# The write-behind pool while WAL is replayed: databases that are copied and
# removed behind the storage manager's back, unlogged tables, crash recovery.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $xfs  = create_volume('data', size => '4G');
my $slow = create_volume('slow', size => '3G');

# Small buffers, so that pages leave them all the time; the standby's pool is
# large and its disk slow, so that they stay there if nobody asks for them.
my $primary = new_node('primary', volume => $xfs, streaming => 1,
	conf => "shared_buffers = 1MB\nwal_keep_size = 512MB\nautovacuum = off\nmax_wal_size = 4GB\n");
$primary->start;
reach($primary, 'active', 'primary');
$primary->backup('base');
my $standby = node_from('standby', $slow, $primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "smgr_atomic.write_behind_size = 64MB\n");
$standby->start;

sub pool
{
	my ($node) = @_;
	return fetch_row($node, 'SELECT * FROM smgr_atomic_pool');
}

my $digest = q{SELECT count(*), sum(hashtext(t::text)::bigint) FROM t};

sub same_in
{
	my ($db, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$primary->wait_for_catchup($standby);
	return is($standby->safe_psql($db, $digest), $primary->safe_psql($db, $digest), $name);
}

$primary->safe_psql('postgres', 'CREATE DATABASE source');
$primary->safe_psql('source',
	q{CREATE TABLE t AS SELECT g, repeat('x', 200) AS filler FROM generate_series(1, 30000) g});
same_in('source', 'standby has the table');
my $pool = pool($standby);
ok($pool->{accepting} && $pool->{accepted} > 0, 'standby: its pages went through the pool') || diag explain $pool;

# ---- directories that are copied, moved and removed by redo --------------------

throttle_volume('slow', iops => 400);
for my $round (1 .. 2)
{
	$primary->safe_psql('source', "UPDATE t SET filler = repeat('$round', 200) WHERE g % 3 = $round % 3");
	$primary->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE source STRATEGY file_copy');
	same_in('copy', "round $round: the copy is whole on the standby");
	$primary->safe_psql('copy', "UPDATE t SET filler = 'changed' WHERE g % 5 = 0");
	$primary->safe_psql('postgres', 'DROP DATABASE copy');
	$primary->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE source STRATEGY wal_log");
	same_in('copy', "round $round: and the other strategy's");
	$primary->safe_psql('postgres', 'DROP DATABASE copy');
	$primary->wait_for_catchup($standby);
}

# ---- relations that come and go -------------------------------------------------

$primary->safe_psql('source', q{
	CREATE TABLE gone AS SELECT g, repeat('y', 500) AS filler FROM generate_series(1, 20000) g;
	UPDATE gone SET filler = 'z';
	TRUNCATE gone;
	INSERT INTO gone SELECT g, 'n' FROM generate_series(1, 1000) g;
	DELETE FROM t WHERE g > 15000;
	VACUUM (FREEZE) t;
	DROP TABLE gone;
	VACUUM FULL t;});
same_in('source', 'truncated, dropped, rewritten');

# ---- without fsync nothing asks for the pages at a restartpoint ------------------

my $position = log_position($standby);
$standby->append_conf('postgresql.conf', "fsync = off\n");
$standby->reload;
$standby->wait_for_log(qr/parameter "fsync" cannot be changed without restarting the server/, $position);
is($standby->safe_psql('postgres', 'SHOW fsync'), 'on', 'standby: fsync does not change while it runs');
$standby->restart;
is($standby->safe_psql('postgres', 'SHOW fsync'), 'off', 'standby: fsync is off');
$primary->safe_psql('source', q{UPDATE t SET filler = repeat('f', 200); CHECKPOINT});
$primary->wait_for_catchup($standby, 'replay');
$standby->stop('fast');
throttle_volume('slow');
$standby->start;
same_in('source', 'a standby stopped with fsync = off has every page');
$standby->append_conf('postgresql.conf', "fsync = on\n");
$standby->restart;
is($standby->safe_psql('postgres', 'SHOW fsync'), 'on', 'standby: fsync is on again');

# ---- unlogged tables are made again from their init forks at promotion ----------

$primary->safe_psql('source', q{
	CREATE UNLOGGED TABLE u (a int PRIMARY KEY, b text);
	CREATE INDEX ON u USING gin (to_tsvector('simple', b));
	CREATE INDEX ON u USING brin (a);
	CREATE INDEX ON u USING spgist (b);
	INSERT INTO u SELECT g, g::text FROM generate_series(1, 5000) g});
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
reach($standby, 'active', 'promoted');
is($standby->safe_psql('source', 'SELECT count(*) FROM u'), '0', 'unlogged table is empty after promotion');
is($standby->safe_psql('source', q{INSERT INTO u SELECT g, g::text FROM generate_series(1, 5000) g; SELECT count(*) FROM u WHERE a < 10}),
	'9', 'and takes rows through all its indexes');
stop_clean($standby);

# ---- crash recovery, with all of the above in its WAL ----------------------------

$primary->start;
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->safe_psql('source', "UPDATE t SET filler = 'before the copy'");
$primary->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE source STRATEGY file_copy');
$primary->safe_psql('copy', "UPDATE t SET filler = 'after the copy' WHERE g % 2 = 0");
my $source = $primary->safe_psql('source', $digest);
my $copy   = $primary->safe_psql('copy', $digest);
$primary->stop('immediate');
$primary->append_conf('postgresql.conf', "smgr_atomic.write_behind_size = 64MB\n");
$primary->start;
is($primary->safe_psql('source', $digest), $source, 'crash recovery: the source');
is($primary->safe_psql('copy',   $digest), $copy,   'crash recovery: the copy');
is($primary->safe_psql('source', 'SELECT count(*) FROM u'), '0', 'crash recovery: unlogged table is empty');
stop_clean($primary);

done_testing();
