
# Restarts, crashes and recovery with the library, with and without data
# checksums; and taking the library away again.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $mount = create_volume('data', size => '3G');

# All of pgbench's money is there: the sum of balances is the sum of deltas.
sub balanced
{
	my ($node, $name) = @_;
	is($node->safe_psql('postgres', q{
		SELECT count(DISTINCT s) FROM (
			SELECT sum(abalance) s FROM pgbench_accounts UNION ALL
			SELECT sum(tbalance) FROM pgbench_tellers UNION ALL
			SELECT sum(bbalance) FROM pgbench_branches UNION ALL
			SELECT sum(delta) FROM pgbench_history) x}),
		'1', "$name: accounts, tellers, branches and history agree");
	$node->command_ok([ 'pg_amcheck', '--heapallindexed', 'postgres' ], "$name: pg_amcheck");
	return;
}

# A fixed number of transactions, small buffers: many evictions.
sub write_some
{
	my ($node, @more) = @_;
	$node->command_ok(
		[ 'pgbench', '-n', '-c', '2', '-j', '1', '-t', '1000', @more, 'postgres' ],
		'pgbench');
	return;
}

# Stop a server that is in the middle of writing.
sub crash_while_writing
{
	my ($node) = @_;
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
	my $writer = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '4', '-T', '600', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null');

	$node->poll_query_until('postgres', "SELECT count(*) > $done + 2000 FROM pgbench_history")
	  or die 'pgbench does not write';
	$node->stop('immediate');
	$writer->finish;
	return $done;
}

sub crash_and_recover
{
	my ($node, $name) = @_;
	my $done = crash_while_writing($node);
	my $position = log_position($node);

	$node->start;
	like(log_since($node, $position), qr/redo starts at/, "$name: WAL was replayed");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history'),
		'>=', $done + 2000, "$name: committed transactions are there");
	balanced($node, $name);
	return;
}

for my $checksums (1, 0)
{
	my $name = $checksums ? 'checksums' : 'no checksums';
	my $node = new_node(
		$checksums ? 'checksums' : 'plain',
		volume    => $mount,
		checksums => $checksums,
		conf      => "shared_buffers = 2MB\nrestart_after_crash = on\nmax_wal_size = 64MB\n");

	$node->start;
	is($node->safe_psql('postgres', 'SHOW data_checksums'), $checksums ? 'on' : 'off', $name);
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	$node->command_ok([ 'pgbench', '-i', '-q', '-s', '5', 'postgres' ], "$name: pgbench -i");
	is(status($node)->{state}, 'active', "$name: active");

	write_some($node);
	balanced($node, "$name, first run");

	# clean restart
	stop_clean($node);
	$node->start;
	is(status($node)->{state}, 'active', "$name, restart: active");
	balanced($node, "$name, restart");
	is(counters($node)->{errors}, 0, "$name, restart: no errors");

	# crash of everything
	crash_and_recover($node, "$name, crash");
	is(status($node)->{state}, 'active', "$name, crash: active");
	is(images($node), 'off', "$name, crash: images off again");
	cmp_ok(
		$node->safe_psql('postgres',
			q{SELECT coalesce(sum(pages), 0) FROM smgr_atomic_stats
			  WHERE backend_type IN ('startup', 'checkpointer')}),
		'>', 0, "$name, crash: recovery wrote atomically");
	is(counters($node)->{delegated_off}, 0, "$name, crash: no page was left to the server");

	# crash of one backend: all processes but the postmaster are new
	my $position = log_position($node);
	my $pid = $node->safe_psql('postgres', q{
		SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
	kill KILL => $pid;
	$node->wait_for_log(qr/database system is ready to accept connections/, $position);
	is(status($node)->{state}, 'active', "$name, backend crash: active");
	balanced($node, "$name, backend crash");
	write_some($node);
	is(counters($node)->{delegated_off}, 0, "$name, backend crash: still atomic");

	# WAL written with images off is replayed atomically even when the mode
	# says off at that start; then the server goes on as stock.
	crash_while_writing($node);
	$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
	$node->start;
	balanced($node, "$name, crash then mode off");
	is(images($node), 'on',
		"$name, crash then mode off: full_page_writes");
	ok($node->poll_query_until('postgres', q{SELECT state FROM smgr_atomic_status}, 'off'),
		"$name, crash then mode off: pages are plain after a checkpoint");
	cmp_ok(
		$node->safe_psql('postgres',
			q{SELECT coalesce(sum(pages), 0) FROM smgr_atomic_stats
			  WHERE backend_type IN ('startup', 'checkpointer')}),
		'>', 0, "$name, crash then mode off: recovery wrote atomically");
	$node->append_conf('postgresql.conf', "smgr_atomic.mode = direct\n");
	$node->restart;
	is(status($node)->{state}, 'active', "$name, mode auto again: active");
	write_some($node);

	# without the library everything is as it was
	stop_clean($node);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
	$node->start;
	is($node->safe_psql('postgres', 'SHOW full_page_writes'), 'on',
		"$name, library removed: full_page_writes on");
	balanced($node, "$name, library removed");
	write_some($node);
	$node->safe_psql('postgres', 'CHECKPOINT');
	my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
	like($control, qr/full_page_writes:\s+on/, "$name, library removed: also in pg_control");
	$node->stop;

	command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], "$name: every checksum is right")
	  if $checksums;
	$node->clean_node;
}

done_testing();
