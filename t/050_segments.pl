
# Relations of more than one segment (1 GB).  The first segment is made by
# extending its file sparsely: to the server these are empty new pages, and the
# next page it adds is the first of the second segment.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

use constant SEGMENT_PAGES => 131072;

my $node = new_node(
	'main',
	volume => create_volume('data', size => '3G'),
	conf   => "shared_buffers = 1MB\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION amcheck;
	CREATE TABLE t (id int, v int, filler text) WITH (fillfactor = 40);
	INSERT INTO t VALUES (0, 0, 'first');
});
my ($file) = block_in_file($node, 't', 0);
my ($second, $offset) = block_in_file($node, 't', SEGMENT_PAGES);
is("$second $offset", "$file.1 0", 'where the second segment begins');

sub grow_to_a_segment
{
	stop_clean($node);
	truncate($node->data_dir . "/$file", SEGMENT_PAGES * 8192) or die "truncate: $!";
	$node->start;
	return;
}

grow_to_a_segment();
is($node->safe_psql('postgres', q{SELECT pg_relation_size('t')}), SEGMENT_PAGES * 8192, 'one full segment');

$node->safe_psql('postgres', q{
	INSERT INTO t SELECT i, 0, repeat('x', 300) FROM generate_series(1, 20000) i;
	CREATE INDEX ON t (id);
});
my $pages = $node->safe_psql('postgres', q{SELECT pg_relation_size('t') / 8192});
cmp_ok($pages, '>', SEGMENT_PAGES + 1000, 'pages in the second segment');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE ctid >= '(" . SEGMENT_PAGES . ",0)'"),
	'>', 19900, 'rows in the second segment');

sub update_all
{
	my ($name, $value) = @_;
	my $before = counters($node);

	$node->safe_psql('postgres', "UPDATE t SET v = $value; CHECKPOINT");
	my $after = counters($node);
	cmp_ok($after->{pages} - $before->{pages}, '>', 1000, "$name: written atomically");
	is($after->{delegated_off}, 0, "$name: nothing left to the server");
	is($after->{errors}, 0, "$name: no errors");
	return;
}

update_all('both segments', 1);

# crash with changes in both segments; the replay writes to both
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', 'UPDATE t SET v = 2');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*), min(v), max(v) FROM t'), '20001|2|2', 'rows after recovery');
$node->command_ok([ 'pg_amcheck', '--heapallindexed', '-t', 't', 'postgres' ], 'pg_amcheck after recovery');

# recovery makes a segment that is missing, as the stock server does: it may
# have been dropped later
$node->safe_psql('postgres', 'CHECKPOINT');
$node->safe_psql('postgres', 'UPDATE t SET v = 3');
my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
$node->safe_psql('postgres', 'DROP TABLE t');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', q{SELECT to_regclass('t') IS NULL}), 't', 'replay of writes to a dropped table');
ok(!-s $node->data_dir . "/$second", 'its second segment is gone');

# truncation across the boundary and growing again
$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, v int, filler text) WITH (fillfactor = 40);
	INSERT INTO t VALUES (0, 0, 'first');
});
($file) = block_in_file($node, 't', 0);
grow_to_a_segment();
my $insert = q{INSERT INTO t SELECT i, 0, repeat('x', 300) FROM generate_series(1, 5000) i};
my $session = $node->background_psql('postgres', on_error_stop => 1, timeout => 900);
$session->query_safe($insert);
$session->query_safe('UPDATE t SET v = 1');
$session->query_safe('CHECKPOINT');
$session->query_safe('DELETE FROM t WHERE id > 0');
$session->query_safe('VACUUM t');
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('t') / 8192}),
	'<=', SEGMENT_PAGES, 'VACUUM has truncated the second segment');
is(-s $node->data_dir . "/$file.1", 0, 'its file is empty');
$session->quit;
grow_to_a_segment();
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, 0, repeat($$x$$, 300) FROM generate_series(1, 20000) i');
cmp_ok(-s $node->data_dir . "/$file.1", '>', 8192 * 100, 'the second segment has grown again');
update_all('grown again', 4);
$node->safe_psql('postgres', 'TRUNCATE t');
is($node->safe_psql('postgres', q{SELECT pg_relation_size('t')}), 0, 'TRUNCATE');
is(counters($node)->{errors}, 0, 'no errors');

done_testing();
