
# A witness that does not trust our own counters.  Every system call of every
# server process that can change a file is recorded by strace while the server
# evicts pages, checkpoints, crashes and recovers.  Then for each relation file
# the recorded calls are replayed into its length, and each write is judged: a
# write that begins below the end of the file overwrites a page, and must be one
# pwritev2() with RWF_ATOMIC: of exactly 8192 bytes without write-behind, of an aligned
# power of two of pages, which the kernel keeps whole too, with it.
#
# strace does not see what io_uring writes, so it is off here; 091_relocation.pl
# looks at that from the other end, the filesystem's.
#
# The same workload on the stock server is the control: there the witness must
# see plain overwrites, or it proves nothing.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Witness;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $mount = create_volume('data', size => '3G');
my $marker = 'witness_marker';

# Evictions by backends, background writer and checkpoints, new and dropped
# relations, truncation, vacuum, unlogged tables, a database by file copy.
sub workload
{
	my ($node) = @_;

	$node->command_ok([ 'pgbench', '-n', '-c', '2', '-t', '500', 'postgres' ], 'pgbench');
	$node->safe_psql('postgres', $_) for (
		q{CREATE TABLE t AS SELECT i, repeat('x', 300) v FROM generate_series(1, 5000) i},
		q{CREATE INDEX ON t (i)},
		q{UPDATE t SET v = v || 'y'},
		q{CREATE UNLOGGED TABLE u AS SELECT * FROM t},
		q{UPDATE u SET v = v || 'z'},
		q{CHECKPOINT},
		q{UPDATE t SET v = 'short' WHERE i % 2 = 0},
		q{DELETE FROM t WHERE i > 2500},
		q{VACUUM t},
		q{INSERT INTO t SELECT i, repeat('w', 300) FROM generate_series(1, 5000) i},
		q{REINDEX TABLE t},
		q{VACUUM FULL t},
		q{TRUNCATE u},
		q{INSERT INTO u SELECT * FROM t},
		q{CREATE DATABASE copy STRATEGY file_copy},
		q{CREATE DATABASE copy2 STRATEGY wal_log},
		q{CHECKPOINT});
	$node->safe_psql('copy2', 'CREATE TABLE x AS SELECT generate_series(1, 1000) i; UPDATE x SET i = i + 1; VACUUM x');
	$node->safe_psql('postgres', $_) for 'DROP DATABASE copy', 'DROP DATABASE copy2', 'CHECKPOINT';
	return;
}

# Runs the workload under strace: from a clean start, then a crash, then
# recovery.  conf without text is the stock server.  Returns a witness for the
# running server and one for recovery, and what the counters said.
sub observe
{
	my ($name, $conf, @options) = @_;
	my $preload = defined $conf;
	my $trace = PostgreSQL::Test::Utils::tempdir;
	my $node = new_node(
		$name,
		volume  => $mount,
		preload => $preload,
		conf    => "shared_buffers = 1MB\nmax_wal_size = 48MB\nbgwriter_delay = 20ms\n"
		  . "autovacuum_naptime = 2s\n" . ($conf // ''));

	$node->start;
	$node->command_ok([ 'pgbench', '-i', '-q', '-s', '3', 'postgres' ], "$name: pgbench -i");
	$node->safe_psql('postgres', 'CREATE EXTENSION smgr_atomic') if $preload;
	stop_clean($node);

	my $running = SmgrAtomic::Witness->new($node->data_dir, @options);
	start_traced($node, $running->strace_options("$trace/running"));
	settle($node) if $preload;
	workload($node);
	my $counters = $preload ? count_until_marker($node) : undef;
	$node->safe_psql('postgres', 'UPDATE t SET v = v; UPDATE pgbench_accounts SET filler = $$x$$ WHERE aid < 20000');
	kill_traced($node);
	$running->replay("$trace/running");

	my $recovery = SmgrAtomic::Witness->new($node->data_dir, @options);
	start_traced($node, $recovery->strace_options("$trace/recovery"));
	settle($node) if $preload;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pgbench_accounts'), 300000, "$name: recovered");
	stop_traced($node);
	$recovery->replay("$trace/recovery");

	like(slurp_file($node->logfile), qr/redo done at/, "$name: WAL was replayed");
	$node->clean_node;
	return ($running, $recovery, $counters);
}

# The counters, and a mark in the trace for the same moment: no page may be
# written between the two.  Nothing else runs, but the session that counts reads
# catalogs, may set hint bits there and evict those pages: then it counts again.
sub count_until_marker
{
	my ($node) = @_;
	my $sum = 'SELECT coalesce(sum(pages), 0) FROM smgr_atomic_stats';

	$node->append_conf('postgresql.conf', "autovacuum = off\nbgwriter_lru_maxpages = 0\n");
	$node->reload;
	$node->poll_query_until('postgres', q{
		SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type ~ '^autovacuum')})
	  or die 'autovacuum does not end';
	for my $marker (map { "${marker}_$_" } 1 .. 20)
	{
		$node->safe_psql('postgres', 'CHECKPOINT');
		my ($before, undef, $after) = split /\n/,
		  $node->safe_psql('postgres', "$sum; SELECT pg_stat_file('$marker', true) IS NULL; $sum");
		return { pages => $before, marker => $marker } if $before == $after;
		note "counted again: $before and $after pages";
	}
	return;
}

# -- the control

my ($stock, $stock_recovery) = observe('stock', undef);
for my $control ([ $stock, 'running' ], [ $stock_recovery, 'recovery' ])
{
	my ($witness, $name) = @$control;
	cmp_ok($witness->plain_overwrites, '>', 100, "stock, $name: the witness sees plain overwrites");
	is($witness->atomic_overwrites, 0, "stock, $name: and no atomic ones");
}
my %writers = $stock->writers;
cmp_ok(scalar keys %writers, '>=', 3, 'stock: several processes overwrite pages');

# -- the proof

for my $case (
	[ 'direct', "smgr_atomic.write_behind_size = 0\nsmgr_atomic.io_uring = off\n" ],
	[ 'write_behind', "smgr_atomic.io_uring = off\n", longest => 131072 ])
{
	my ($kind, @options) = @$case;
	my ($running, $recovery, $counters) = observe($kind, @options);

	for my $proof ([ $running, 'running' ], [ $recovery, 'recovery' ])
	{
		my ($witness, $name) = ($proof->[0], "$kind, $proof->[1]");
		is_deeply([ $witness->complaints ], [], "$name: every overwrite of a page was atomic");
		is($witness->plain_overwrites, 0, "$name: no plain overwrites");
		cmp_ok($witness->atomic_overwrites, '>', 100, "$name: atomic overwrites");
		is_deeply([ $witness->unseen ], [], "$name: no way to write that the witness cannot see");
		note "$name: ", $witness->summary;
	}
	cmp_ok($running->extensions, '>', 100, "$kind: new pages were seen as such");

	# the counters agree with the witness; write-behind writes a page once that
	# was handed to it twice in a row, and counts when it is handed over
	next if $kind ne 'direct';
	%writers = $running->writers;
	cmp_ok(scalar keys %writers, '>=', 3, "$kind: several processes overwrite pages");
	ok($counters, "$kind: nothing was written while counting");
	is($running->atomic_writes_until($counters->{marker}), $counters->{pages},
		"$kind: smgr_atomic_stats counts what the witness saw");
}

done_testing();
