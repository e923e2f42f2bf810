
# A page journal that was in use when the server crashed with images on, after
# which the library was taken away: the server mends everything from WAL, works
# on, changes pages and files that the journal has copies of, and crashes.  When
# the library is back there are a marker, a journal, and a start after a crash;
# none of the old copies may come back, not even over a torn page.

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

my $library = build_library('hold_fsync.c');
my $node    = new_node('main', volume => create_volume('data', fs => 'ext4', size => '1G'), checksums => 1,
	conf => "smgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\nautovacuum = off\ncheckpoint_timeout = 1h\nwal_buffers = 16MB\n");
my $data = $node->data_dir;

sub preload
{
	my ($libraries) = @_;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\n");
	return;
}

# Rows that an index-only scan sees, which believes the visibility map.
sub rows_by_index
{
	my $query = 'SET enable_seqscan = off; SET enable_bitmapscan = off;';
	my $count = 'SELECT count(*) FROM t WHERE g > 0';
	like($node->safe_psql('postgres', "$query EXPLAIN $count"), qr/Index Only Scan/, 'the plan');
	return $node->safe_psql('postgres', "$query $count");
}

start_holding($node, $library);
reach($node, 'active', 'started');
$node->safe_psql('postgres', q{CREATE TABLE t AS SELECT g FROM generate_series(1, 20000) g; CREATE INDEX ON t (g)});
$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
reach($node, 'paused', 'images on');

# copies of all of it, the visibility map too, and a crash before they are void; it
# takes WAL that nobody has asked to be flushed
$node->safe_psql('postgres', 'VACUUM ANALYZE t');
my $held = hold($node);
kill STOP => $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'});
$node->safe_psql('postgres', q{SELECT pg_logical_emit_message(false, 'lost', repeat('x', 8000000))});
my $checkpoint = $node->background_psql('postgres');
$checkpoint->query_until(qr/begun/, "\\echo begun\nCHECKPOINT;\n");
$held->();
$node->poll_query_until('postgres', 'SELECT used = 0 FROM smgr_atomic_pool') or die 'the pool does not drain';
kill_cluster($node);
eval { $checkpoint->quit };
ok(-e "$data/smgr_atomic.journal", 'the marker is left behind');

preload('');
$node->start;
is($node->safe_psql('postgres', 'SHOW full_page_writes'), 'on', 'without the library: images on');
is(rows_by_index(), 20000, 'without the library: mended from WAL');
$node->safe_psql('postgres', 'DELETE FROM t WHERE g % 2 = 0; CHECKPOINT; UPDATE t SET g = -g WHERE g <= 5');
my ($file, $offset) = block_in_file($node, 't', 0);
kill_cluster($node);

# the crash has torn a page that WAL has an image of
open my $fh, '+<:raw', "$data/$file" or die "$file: $!";
seek $fh, $offset + 4096, 0;
print $fh "\0" x 4096;
close $fh or die "$file: $!";

preload('smgr_atomic');
my $position = log_position($node);
$node->start;
like(log_since($node, $position), qr/page journal: 0 batches, 0 pages checked/, 'with the library again: no old copy counts');
reach($node, 'active', 'with the library again');
is(rows_by_index(), 9997, 'with the library again: no row comes back');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE g < 0'), 3, 'the torn page was mended from WAL');
stop_clean($node);
$node->command_ok([ 'pg_checksums', '--check', '-D', $data ], 'every page is whole');

done_testing();
