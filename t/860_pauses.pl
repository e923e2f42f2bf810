
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
	conf   => "shared_buffers = 384MB\nautovacuum = off\nmax_wal_size = 64MB\ncheckpoint_timeout = 1h\n"
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

# of writers, of the retirer
sub pauses { return split /\|/, sql('SELECT p.pauses, j.pauses FROM smgr_atomic_pool p, smgr_atomic_journal j'); }

sub pages { return sql('SELECT pages FROM smgr_atomic_journal'); }

# For so many seconds hardly any, while pages are written.
sub no_pauses
{
	my ($seconds, $work) = @_;
	my ($pages, @before) = (pages(), pauses());
	$work->($seconds);
	my @after = pauses();
	cmp_ok(pages() - $pages, '>', 100, '... pages are written');
	cmp_ok($after[0] + $after[1] - $before[0] - $before[1], '<', 4, '... hardly a pause');
	return;
}

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

# While others commit.  Sizes have to be found first: some seconds, after a time in which the
# device had a line of requests before it.
sub pauses_come
{
	my @before = pauses();
	for (1 .. 35)
	{
		commit(1);
		my @after = pauses();
		return 1 if $after[0] - $before[0] > 3 && $after[1] - $before[1] > 3;
	}
	return 0;
}

# ---- nobody commits (the server itself flushes WAL now and then) ----------------

my $checkpoint = checkpoint_begins(8000);
no_pauses(5, sub { sleep $_[0] });
goes_on('nobody commits');
checkpoint_ends($checkpoint, 'nobody commits');

# ---- somebody does -------------------------------------------------------------

$checkpoint = checkpoint_begins(30000);
ok(pauses_come(), 'commits: pauses of writers and of the retirer');
goes_on('commits');

# ---- somebody waits for the pool -----------------------------------------------

my $loading = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
	q{CREATE UNLOGGED TABLE u AS SELECT repeat('x', 500) FROM generate_series(1, 400000)} ], '>&', \my $out);
my $waits = q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE UNLOGGED%' AND state = 'active'};
wait_until('the load waits for the pool', sub { sql("$waits AND wait_event IN ('Extension', 'SmgrAtomicPool')") });
no_pauses(5, \&commit);
goes_on('a session waits for the pool');
is(sql($waits), '1', '... it has not ended');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE UNLOGGED%' AND state = 'active'});
$loading->finish;
checkpoint_ends($checkpoint, 'a session waits');

# ---- the checkpoint is late ----------------------------------------------------

$checkpoint = checkpoint_begins(30000);
ok(pauses_come(), 'pauses again');
sql("SELECT pg_logical_emit_message(false, 'test', repeat('x', 34000000))");
commit(1);
no_pauses(5, \&commit);
goes_on('more than half of max_wal_size has come');
checkpoint_ends($checkpoint, 'late');

# ---- the state is to change ----------------------------------------------------

$checkpoint = checkpoint_begins(30000);
ok(pauses_come(), 'pauses again after a time without');
set_mode($node, 'off');
wait_until('disarming', sub { sql(q{SELECT state = 'disarming' FROM smgr_atomic_status}) eq 't' });
commit(1);
no_pauses(5, \&commit);
is(sql('SELECT state FROM smgr_atomic_status'), 'disarming', 'mode off: the state is to change');
throttle_volume('data');
reach($node, 'off', '... it does');
set_mode($node, 'doublewrite');
reach($node, 'active', '... and back');
checkpoint_ends($checkpoint, 'mode off');

$node->stop('immediate');
$node->start;
is(sql("SELECT count(*) FROM t WHERE f = repeat('y', 500)"), '30000', 'a crash: all is there');

done_testing();
