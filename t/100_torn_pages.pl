
# smgr_atomic_torn_pages() reads storage past shared buffers: it must see a page
# that is torn on disk while shared buffers still have it whole, and no other.

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
	volume => create_volume('data', size => '1G'),
	checksums => 1,
	conf   => "autovacuum = off\n");
$node->start;
settle($node);
$node->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT i AS id, repeat('x', 500) AS filler FROM generate_series(1, 1000) i;
	CHECKPOINT;
});

sub torn { return $node->safe_psql('postgres', q{SELECT block, expected <> found FROM smgr_atomic_torn_pages('t')}) }

is(torn(), '', 'a sound table has none');

# overwrite the second half of block 7 in the file, as a torn write would
my ($file, $offset) = block_in_file($node, 't', 7);
my $path = $node->data_dir . "/$file";
open my $fh, '+<:raw', $path or die "$path: $!";
seek $fh, $offset + 4096, 0 or die "seek: $!";
read $fh, my $half, 4096;
seek $fh, $offset + 4096, 0 or die "seek: $!";
print {$fh} 'y' x 4096;
close $fh or die "close: $!";

is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 1000, 'shared buffers have the page whole');
is(torn(), '7|t', 'storage has it torn');

open $fh, '+<:raw', $path or die "$path: $!";
seek $fh, $offset + 4096, 0 or die "seek: $!";
print {$fh} $half;
close $fh or die "close: $!";
is(torn(), '', 'mended');
stop_clean($node);

my $without = new_node('without', volume => create_volume('without', size => '1G'), checksums => 0);
$without->start;
settle($without);
my ($rc, $out, $err) = $without->psql('postgres', q{SELECT * FROM smgr_atomic_torn_pages('pg_class')});
like($err, qr/ERROR:  data checksums are not enabled in this cluster.*HINT:  Enable them with pg_checksums/s,
	'without checksums it says so');
stop_clean($without);

done_testing();
