
# A disk short of bandwidth: writers and the retirer make pauses while others flush WAL,
# so that these need not wait behind a line of pages.  And none when nobody flushes,
# when so much WAL has come that the checkpoint must end, when a session waits for
# them, nor when images are to come on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use IPC::Run ();
use Test::More;

need_volumes('ext4');

my $node = new_node(
	'paused',
	volume => create_volume('data', fs => 'ext4', size => '2G'),
	conf   => "shared_buffers = 192MB\nautovacuum = off\nmax_wal_size = 64MB\ncheckpoint_timeout = 1h\n"
	  . "smgr_atomic.mode = doublewrite\n");
$node->start;
reach($node, 'active', 'doublewrite');

sub sql
{
	my ($statement) = @_;
	return $node->safe_psql('postgres', $statement);
}

my $log;

sub goes_on
{
	my ($name) = @_;
	unlike(log_since($node, $log), qr/checkpoint complete/, "$name: the checkpoint goes on");
	return;
}

sub pauses { return sql('SELECT pauses FROM smgr_atomic_journal'); }

# Changes all pages of a table of so many; a checkpoint at 10 MB/s then begins and goes on.
sub checkpoint_begins
{
	my ($pages) = @_;
	sql("DROP TABLE IF EXISTS t; CREATE TABLE t (f text) WITH (fillfactor = 10);
		ALTER TABLE t ALTER f SET STORAGE PLAIN;
		INSERT INTO t SELECT repeat('x', 500) FROM generate_series(1, $pages); CHECKPOINT; UPDATE t SET f = repeat('y', 500)");
	$log = log_position($node);
	throttle_volume('data', bandwidth => 10);
	return start_checkpoint($node);
}

sub checkpoint_ends
{
	my ($checkpoint, $name) = @_;
	throttle_volume('data');
	ok($checkpoint->finish, "$name: the checkpoint ends");
	is(sql("SELECT count(*) FROM t WHERE f <> repeat('y', 500)"), '0', '... pages are as written');
	return;
}

sub commit
{
	my ($seconds) = @_;
	sql('CREATE TABLE IF NOT EXISTS c (i int)');
	my $until = time + $seconds;
	sql(join '', map { "INSERT INTO c VALUES ($_);\n" } 1 .. 3) while time < $until;
	return;
}

# While others commit.  Sizes have to be found first, which takes some batches.
sub pauses_come
{
	my $before = pauses();
	for (1 .. 12)
	{
		commit(1);
		return 1 if pauses() - $before > 20;
	}
	return 0;
}

# ---- nobody commits (the server itself flushes WAL now and then) ----------------

my $checkpoint = checkpoint_begins(4000);
my $before     = pauses();
sleep 5;
my $after = pauses();
goes_on('nobody commits');
cmp_ok($after - $before, '<', 6, '... hardly a pause');
checkpoint_ends($checkpoint, 'nobody commits');

# ---- somebody does -------------------------------------------------------------

$checkpoint = checkpoint_begins(16000);
ok(pauses_come(), 'commits: pauses');
goes_on('commits');

# ---- somebody waits for the pool -----------------------------------------------

my $loading = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
	q{CREATE UNLOGGED TABLE u AS SELECT repeat('x', 500) FROM generate_series(1, 400000)} ], '>&', \my $out);
my $waits = q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE UNLOGGED%' AND state = 'active'};
wait_until('the load waits for the pool', sub { sql("$waits AND wait_event IN ('Extension', 'SmgrAtomicPool')") });
$before = pauses();
commit(3);
$after = pauses();
goes_on('a session waits for the pool');
is(sql($waits), '1', '... and still does');
cmp_ok($after - $before, '<', 2, '... no pauses');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE UNLOGGED%' AND state = 'active'});
$loading->finish;

# ---- the checkpoint is late ----------------------------------------------------

sql("SELECT pg_logical_emit_message(false, 'test', repeat('x', 34000000))");
commit(1);
$before = pauses();
commit(4);
$after = pauses();
goes_on('more than half of max_wal_size has come');
cmp_ok($after - $before, '<', 2, '... without pauses');
checkpoint_ends($checkpoint, 'late');

# ---- the state is to change ----------------------------------------------------

$checkpoint = checkpoint_begins(16000);
ok(pauses_come(), 'pauses again after a time without');
set_mode($node, 'off');
wait_until('disarming', sub { sql(q{SELECT state = 'disarming' FROM smgr_atomic_status}) eq 't' });
commit(1);
$before = pauses();
commit(3);
$after = pauses();
is(sql('SELECT state FROM smgr_atomic_status'), 'disarming', 'mode off: the state is to change');
cmp_ok($after - $before, '<', 2, '... no pauses');
throttle_volume('data');
reach($node, 'off', '... it does');
set_mode($node, 'doublewrite');
reach($node, 'active', '... and back');
checkpoint_ends($checkpoint, 'mode off');

$node->stop('immediate');
$node->start;
is(sql("SELECT count(*) FROM t WHERE f = repeat('y', 500)"), '16000', 'a crash: all is there');

done_testing();
