
# The library takes over page writes of a stock server, every process takes
# part, and what status and settings say agrees with what happens.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $node = new_node(
	'main',
	volume => create_volume('data'),
	conf   => "shared_buffers = 1MB\nbgwriter_delay = 10ms\nautovacuum = off\n");
$node->start;

# what it says of itself
my $status = status($node);
ok($status->{attached}, 'attached');
is($status->{mode}, 'direct', 'mode asked');
is($status->{mode_in_force}, 'direct', 'mode in force');
is($status->{protection}, 'software', 'protection');
is($status->{state}, 'active', 'state');
is($status->{full_page_writes}, 'off', 'full_page_writes in the status');
like($status->{reason}, qr/XFS copy-on-write/, 'reason');
is($status->{kernel} =~ /(\d+\.\d+)/ && $1, (POSIX::uname())[2] =~ /^(\d+\.\d+)/ && $1, 'kernel');
like($status->{library_version}, qr/^\d+\.\d+/, 'library version');

is(images($node), 'off', 'SHOW full_page_writes');
$node->safe_psql('postgres', 'CHECKPOINT');
my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
like($control, qr/full_page_writes:\s+off/, 'full_page_writes in pg_control');
unlike(slurp_file($node->data_dir . "/$_"),
	qr/^\s*full_page_writes/m, "full_page_writes is not written to $_")
  for qw(postgresql.conf postgresql.auto.conf);

my @log = slurp_file($node->logfile) =~ /LOG:  (smgr_atomic: .*)/g;
is_deeply(
	\@log,
	[
		'smgr_atomic: every page is written atomically (direct, software); '
		  . 'full_page_writes goes off after the first checkpoint',
		'smgr_atomic: full_page_writes is now off'
	],
	'the log says what was decided and why');

# every kind of process writes atomically: backends evict, the background
# writer cleans, the checkpointer flushes
$node->safe_psql('postgres', 'SELECT smgr_atomic_stats_reset()');
my $before = counters($node)->{pages};
$node->safe_psql(
	'postgres', q{
	CREATE TABLE t (id int, v text) WITH (fillfactor = 50);
	INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
	UPDATE t SET v = v || 'y';
	UPDATE t SET v = v || 'z';
	CHECKPOINT;
});
cmp_ok(counters($node)->{pages}, '>', $before + 1000, 'pages are counted');
my $types = "SELECT count(*) FROM smgr_atomic_stats WHERE pages > 0 AND backend_type = ";
is($node->safe_psql('postgres', "$types '$_'"), 1, "$_ writes pages")
  for 'client backend', 'checkpointer';
ok($node->poll_query_until('postgres', "$types 'background writer'", '1'),
	'background writer writes pages');
my $counted = counters($node);
is($counted->{bytes}, $counted->{pages} * 8192, 'bytes are pages');
is($counted->{errors}, 0, 'no errors');
is($counted->{delegated_off}, 0, 'no page was left to the server');

# temporary tables are not worth it
$node->safe_psql('postgres', q{
	SET temp_buffers = '800kB';
	CREATE TEMP TABLE tt AS SELECT i, repeat('x', 500) FROM generate_series(1, 5000) i;
	UPDATE tt SET i = i + 1;
});
cmp_ok(counters($node)->{delegated_temporary}, '>', 0, 'temporary tables are left to the server');

# unlogged tables are protected: they survive a clean restart
$before = counters($node)->{pages};
$node->safe_psql('postgres', q{
	CREATE UNLOGGED TABLE u AS SELECT i, repeat('x', 500) v FROM generate_series(1, 5000) i;
	UPDATE u SET i = i + 1;
});
cmp_ok(counters($node)->{pages}, '>', $before, 'unlogged tables are written atomically');
is(counters($node)->{delegated_off}, 0, 'nothing of them is left to the server');

# full-page images really are gone from WAL, and come when the library is off
sub images_of_update
{
	my $lsn = $node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');
	my $images = 'SELECT wal_fpi FROM pg_stat_wal';
	$node->safe_psql('postgres', q{SELECT pg_stat_reset_shared('wal')});
	$node->safe_psql('postgres', 'UPDATE t SET v = v WHERE id % 100 = 0');
	ok($node->poll_query_until('postgres', 'SELECT wal_records > 100 FROM pg_stat_wal'),
		'WAL statistics have arrived');
	return $node->safe_psql('postgres', $images);
}
is(images_of_update(), 0, 'no full-page images in WAL');

stop_clean($node);
$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$node->start;
$status = status($node);
ok($status->{attached}, 'mode off: attached all the same');
is($status->{mode_in_force}, 'off', 'mode off: in force');
is($status->{state}, 'off', 'mode off: state');
is(images($node), 'on', 'mode off: full_page_writes on');
cmp_ok(images_of_update(), '>', 50, 'mode off: full-page images in WAL');
is(counters($node)->{pages}, 0, 'mode off: no atomic writes');
cmp_ok(counters($node)->{delegated_off}, '>', 0, 'mode off: pages are left to the server');

# settings read well
my $settings = $node->safe_psql('postgres', q{
	SELECT string_agg(name || ' ' || vartype || ' ' || boot_val, ', ' ORDER BY name)
	FROM pg_settings
	WHERE name LIKE 'smgr_atomic.%' AND name ~ 'mode|require|manage_full|writethrough_flag'});
is($settings,
	'smgr_atomic.manage_full_page_writes bool on, smgr_atomic.mode enum auto, '
	  . 'smgr_atomic.require bool off, smgr_atomic.writethrough_flag integer 0',
	'settings');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM pg_settings WHERE name LIKE 'smgr_atomic.%'
	AND (coalesce(short_desc, '') NOT LIKE '%.' OR context NOT IN ('postmaster', 'sighup', 'superuser'))}),
	0, 'every setting has a description that is a sentence, and a context');
is($node->safe_psql('postgres', q{SELECT enumvals FROM pg_settings WHERE name = 'smgr_atomic.mode'}),
	'{auto,direct,writethrough,doublewrite,off}', 'values of mode');

stop_clean($node);
done_testing();
