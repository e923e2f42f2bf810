
# Relation files appear, move and vanish while pgbench writes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

need_torn_free_xfs();

my $mount = create_volume('data', size => '4G');
my $other = create_volume('other', size => '1G');
my $node = new_node('main', volume => $mount, checksums => 1,
	conf => "shared_buffers = 2MB\nmax_wal_size = 64MB\ncheckpoint_timeout = 30s\n");
$node->start;
mkdir "$other/space" or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE other LOCATION '$other/space'");
$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
is(places($node), 'other=software pg_default=software pg_global=software', 'all places are torn-free');
$node->command_ok([ 'pgbench', '-i', '-q', '-s', '5', 'postgres' ], 'pgbench -i');

my ($out, $err) = ('', '');
my $writer = IPC::Run::start(
	[
		'pgbench', '-n', '-c', '2', '-T', '600', '--max-tries=100',
		'-h', $node->host, '-p', $node->port, 'postgres'
	],
	'<', \undef, '>', \$out, '2>', \$err);

sub still_writing
{
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
	$node->poll_query_until('postgres', "SELECT count(*) > $done + 200 FROM pgbench_history")
	  or die "pgbench does not write: $err";
	return;
}
# Files that the server's processes have open.
sub open_files
{
	my ($node) = @_;
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	my @children = split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children");

	# a process may end meanwhile
	return map { readlink($_) // () } map { glob("/proc/$_/fd/*") } @children;
}

settle($node);
still_writing();

my $fill = q{SELECT i AS id, repeat('x', 400) AS v FROM generate_series(1, 4000) i};
my $check = q{SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || min(length(v)) FROM t};

my @changes = (
	[ 'TRUNCATE',    'TRUNCATE t', "INSERT INTO t $fill" ],
	[ 'VACUUM FULL', 'VACUUM FULL t' ],
	[ 'CLUSTER',     'CLUSTER t USING t_id' ],
	[ 'REINDEX',     'REINDEX TABLE t' ],
	[ 'REINDEX CONCURRENTLY', 'REINDEX INDEX CONCURRENTLY t_id' ],
	[ 'SET TABLESPACE', 'ALTER TABLE t SET TABLESPACE other' ],
	[ 'SET TABLESPACE of the index', 'ALTER INDEX t_id SET TABLESPACE other' ],
	[ 'SET TABLESPACE back', 'ALTER TABLE t SET TABLESPACE pg_default' ],
	[ 'SET UNLOGGED', 'ALTER TABLE t SET UNLOGGED' ],
	[ 'SET LOGGED',   'ALTER TABLE t SET LOGGED' ],
	[ 'DROP', 'DROP TABLE t', "CREATE TABLE t AS $fill", 'CREATE INDEX t_id ON t (id)' ]);

$node->safe_psql('postgres', $_)
  for "CREATE TABLE t AS $fill", 'CREATE INDEX t_id ON t (id)';
for my $change (@changes)
{
	my ($name, @statements) = @$change;

	$node->safe_psql('postgres', 'UPDATE t SET v = v');
	$node->safe_psql('postgres', $_) for @statements;
	$node->safe_psql('postgres', 'UPDATE t SET v = v');
	$node->safe_psql('postgres', 'CHECKPOINT');
	is($node->safe_psql('postgres', $check), '4000 4000 400', "$name while writing: rows");
	is($node->safe_psql('postgres', q{SELECT bt_index_check('t_id', true)}), '', "$name while writing: index");
}

# VACUUM that gives pages back
$node->safe_psql('postgres', 'DELETE FROM t WHERE id > 100');
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', "INSERT INTO t SELECT * FROM ($fill) f WHERE id > 100");
is($node->safe_psql('postgres', $check), '4000 4000 400', 'VACUUM and filling again: rows');

# databases: copied page by page through WAL, or file by file
for my $strategy ('wal_log', 'file_copy')
{
	for my $round (1, 2)
	{
		my $name = "CREATE DATABASE strategy $strategy, round $round";

		$node->safe_psql('postgres', "CREATE DATABASE template_db STRATEGY $strategy");
		$node->safe_psql('template_db', "CREATE TABLE t AS $fill; CREATE EXTENSION amcheck");
		$node->safe_psql('postgres',
			"CREATE DATABASE copy TEMPLATE template_db STRATEGY $strategy TABLESPACE other");
		$node->safe_psql('copy', 'UPDATE t SET v = v; CHECKPOINT');
		is($node->safe_psql('copy', $check), '4000 4000 400', "$name: rows");
		$node->safe_psql('postgres', 'ALTER DATABASE copy SET TABLESPACE pg_default');
		$node->safe_psql('copy', 'UPDATE t SET v = v; CHECKPOINT');
		is($node->safe_psql('copy', $check), '4000 4000 400', "$name: rows after SET TABLESPACE");
		$node->command_ok([ 'pg_amcheck', '--heapallindexed', 'copy' ], "$name: pg_amcheck");
		$node->safe_psql('postgres', 'DROP DATABASE copy');
		$node->safe_psql('postgres', 'DROP DATABASE template_db');
	}
}
settle($node);
still_writing();

# A database that leaves and comes back has files of the same names as before.
# Whoever still held one of the old files would write to nowhere; recovery from
# the checkpoint after the last update does not mend that.
$node->safe_psql('postgres', 'CREATE DATABASE wanderer');
$node->safe_psql('wanderer', "CREATE TABLE t AS $fill; CREATE EXTENSION amcheck");
for my $space ('pg_default', 'other', 'pg_default')
{
	$node->safe_psql('postgres', "ALTER DATABASE wanderer SET TABLESPACE $space");
	$node->safe_psql('wanderer', "UPDATE t SET v = repeat(left('$space', 1), 400); CHECKPOINT");
}
still_writing();

# No process goes on holding files of a database that was dropped: their space
# would not come back.  (A process may close them a moment later.)
$node->safe_psql('postgres', 'CREATE DATABASE gone');
$node->safe_psql('gone', "CREATE TABLE t AS $fill; CHECKPOINT");
my $gone = $node->safe_psql('postgres', q{SELECT 'base/' || oid FROM pg_database WHERE datname = 'gone'});
$node->safe_psql('postgres', 'DROP DATABASE gone');
my @held;
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	@held = grep { m{/\Q$gone\E/} } open_files($node) or last;
	Time::HiRes::usleep(100_000);
}
is_deeply(\@held, [], 'no process holds a file of a dropped database');

# crash in the middle of it, then check every page
$node->safe_psql('postgres', 'CREATE DATABASE late STRATEGY file_copy');
$node->safe_psql('late', "CREATE TABLE t AS $fill");
$node->safe_psql('postgres', 'ALTER TABLE t SET TABLESPACE other');
$node->safe_psql('postgres', 'UPDATE t SET v = v');
is(counters($node)->{errors}, 0, 'no errors');
is(counters($node)->{delegated_off}, 0, 'no page was left to the server');
$node->stop('immediate');
$writer->finish;
unlike($err, qr/ERROR|could not|invalid page/, 'pgbench saw no error but the end');
$node->start;
is($node->safe_psql('postgres', $check), '4000 4000 400', 'rows after a crash');
is($node->safe_psql('wanderer', q{SELECT string_agg(DISTINCT v, ' ') = repeat('p', 400) FROM t}),
	't', 'rows of the database that came back after a crash');
is($node->safe_psql('late', $check), '4000 4000 400', 'rows of the late database after a crash');
$node->command_ok([ 'pg_amcheck', '--heapallindexed', '--all' ], 'pg_amcheck of everything');
unlike(slurp_file($node->logfile), qr/PANIC|could not (?:write|open|read|fsync)|invalid page/,
	'no complaint in the log');
stop_clean($node);
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'every checksum is right');

done_testing();
