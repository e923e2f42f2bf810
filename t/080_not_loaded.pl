
# The SQL surface on a server that does not preload the library, and who may
# call what.  Needs no volume.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', preload => 0);
$node->start;

my $message = qr/ERROR:  smgr_atomic must be loaded via shared_preload_libraries/;
my $hint    = qr/HINT:  Add smgr_atomic to shared_preload_libraries and restart the server\./;

$node->safe_psql('postgres', 'CREATE EXTENSION smgr_atomic');
pass('the extension can be created without the preload');
for my $query (
	'SELECT * FROM smgr_atomic_status',
	'SELECT * FROM smgr_atomic_tablespaces',
	'SELECT * FROM smgr_atomic_stats',
	'SELECT * FROM smgr_atomic_journal',
	q{SELECT * FROM smgr_atomic_probe('/proc')},
	'SELECT smgr_atomic_stats_reset()',
	q{SELECT smgr_atomic_pause('1 minute')},
	'SELECT smgr_atomic_resume()',
	q{SELECT smgr_atomic_wait('active')})
{
	refused($node, $query, qr/$message.*$hint/s, "not preloaded: $query");
}

# loaded late: who asks for it is refused, nothing is changed
refused($node, q{LOAD 'smgr_atomic'}, qr/$message\nDETAIL:  .*nothing was changed.*$hint/s, 'LOAD');
refused($node, q{DO $$BEGIN LOAD 'smgr_atomic'; END$$}, qr/$message.*$hint/s, 'LOAD inside of something');
is($node->safe_psql('postgres', 'SHOW full_page_writes'), 'on', 'LOAD: full_page_writes');

# an error here would keep everybody out
$node->append_conf('postgresql.conf', "session_preload_libraries = 'smgr_atomic'\n");
$node->restart;
my ($status, $out, $err) = $node->psql('postgres', 'SHOW full_page_writes');
is("$status $out", '0 on', 'session_preload_libraries: sessions begin, images are on');
like($err, qr/WARNING:  smgr_atomic must be loaded via shared_preload_libraries.*$hint/s,
	'session_preload_libraries: warning and hint');
refused($node, 'SELECT * FROM smgr_atomic_status', qr/$message.*$hint/s, 'session_preload_libraries');
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT generate_series(1, 1000) i; CHECKPOINT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 1000, 'the server works as ever');

# who may call what
$node->append_conf('postgresql.conf', "session_preload_libraries = ''\n");
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
$node->restart;
settle($node);
$node->safe_psql('postgres', q{
	CREATE ROLE nobody;
	CREATE ROLE reader IN ROLE pg_read_server_files;
	CREATE ROLE monitor IN ROLE pg_monitor;
});
my @everybody = ('SELECT * FROM smgr_atomic_status', 'SELECT * FROM smgr_atomic_stats');
my %only = (
	q{SELECT verdict FROM smgr_atomic_probe('/proc')} => 'reader',
	'SELECT count(*) FROM smgr_atomic_tablespaces'    => 'monitor',
	'SELECT smgr_atomic_stats_reset()'                => '',
	q{SELECT smgr_atomic_pause('1 minute')}           => '',
	'SELECT smgr_atomic_resume()'                     => '');
for my $role ('nobody', 'reader', 'monitor')
{
	my $as = "SET ROLE $role;";

	for my $query (@everybody)
	{
		($status) = $node->psql('postgres', "$as $query");
		is($status, 0, "$role: $query");
	}
	for my $query (sort keys %only)
	{
		if ($only{$query} eq $role)
		{
			($status) = $node->psql('postgres', "$as $query");
			is($status, 0, "$role: $query");
		}
		else
		{
			refused($node, "$as $query", qr/permission denied/, "$role: $query");
		}
	}
	refused($node, "$as SET smgr_atomic.mode = off", qr/cannot be changed now|permission denied/,
		"$role: SET smgr_atomic.mode");
	refused($node, "$as ALTER SYSTEM SET smgr_atomic.mode = off", qr/permission denied/,
		"$role: ALTER SYSTEM");
}
refused($node, 'SET smgr_atomic.require = on', qr/cannot be changed without restarting/, 'SET smgr_atomic.require');
refused($node, q{ALTER SYSTEM SET smgr_atomic.mode = 'sometimes'},
	qr/invalid value for parameter "smgr_atomic\.mode": "sometimes".*HINT:  Available values: auto, direct, writethrough, doublewrite, off/s,
	'wrong value of smgr_atomic.mode');
refused($node, 'SET smgr_atomic.nonsense = 1', qr/invalid configuration parameter name/, 'unknown setting');

# removing the extension leaves the library at work
$node->safe_psql('postgres', 'DROP EXTENSION smgr_atomic');
$node->safe_psql('postgres', 'UPDATE t SET i = i + 1; CHECKPOINT');
$node->safe_psql('postgres', 'CREATE EXTENSION smgr_atomic');
is(fetch_row($node, 'SELECT attached FROM smgr_atomic_status')->{attached},
	JSON::PP::true, 'still attached after DROP and CREATE EXTENSION');
stop_clean($node);

done_testing();
