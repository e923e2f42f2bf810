
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

sub peek
{
	my ($path, $offset, $length) = @_;
	open my $fh, '<:raw', $path or die "$path: $!";
	seek $fh, $offset, 0 or die "seek: $!";
	read($fh, my $bytes, $length) == $length or die "read: $!";
	return $bytes;
}

sub poke
{
	my ($path, $offset, $bytes) = @_;
	open my $fh, '+<:raw', $path or die "$path: $!";
	seek $fh, $offset, 0 or die "seek: $!";
	print {$fh} $bytes;
	close $fh or die "close: $!";
	return;
}

# Puts bytes into a page, calls the test, mends the page.
sub damaged
{
	my ($path, $block, $within, $bytes, $test) = @_;
	my $offset = $block * 8192;
	my $page = peek($path, $offset, 8192);
	poke($path, $offset + $within, $bytes);
	$test->();
	poke($path, $offset, $page);
	return;
}

my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('t')});

# the second half of block 7, as a torn write would do
my ($high, $low, $checksum) = unpack 'LLS', peek($path, 7 * 8192, 10);
damaged($path, 7, 4096, 'y' x 4096, sub {
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), 1000, 'shared buffers have the page whole');
	is(torn(), '7|t', 'storage has it torn');
	my ($lsn, $expected, $found) = split /\|/, $node->safe_psql('postgres',
		q{SELECT page_lsn - '0/0', expected, found FROM smgr_atomic_torn_pages('t')});
	is($lsn, $high * 2**32 + $low, 'page_lsn is that of the page');
	is($found, $checksum, 'found is the checksum in the page');
	poke($path, 7 * 8192 + 8, pack 'S', $expected);
	is(torn(), '', 'expected is the checksum of what is there');
});
is(torn(), '', 'mended');

# a write that lost its first half, or all: only a page of zeroes was never written
damaged($path, 3, 0, "\0" x 4096, sub {
	is($node->safe_psql('postgres', q{SELECT block, page_lsn - '0/0', expected IS NULL, found FROM smgr_atomic_torn_pages('t')}),
		'3|0|t|0', 'half of a page is zero: torn') });
damaged($path, 3, 0, "\0" x 8191 . "\1", sub { is(torn(), '3|', 'all but the last byte is zero: torn') });
damaged($path, 3, 0, "\0" x 8192, sub { is(torn(), '', 'a page of zeroes is none') });

# a header that is none, with a checksum that fits
damaged($path, 5, 14, pack('S', 16), sub {    # pd_upper before pd_lower
	poke($path, 5 * 8192 + 8, pack 'S',
		$node->safe_psql('postgres', q{SELECT expected FROM smgr_atomic_torn_pages('t')}));
	is(torn(), '5|f', 'a header that cannot be: reported');
});
is(torn(), '', 'mended');

# other forks, and an index
$node->safe_psql('postgres', 'CREATE INDEX i ON t (id); VACUUM t; CHECKPOINT');
for my $case ([ 't', 'fsm', '_fsm' ], [ 't', 'vm', '_vm' ], [ 'i', 'main', '' ])
{
	my ($relation, $fork, $suffix) = @$case;
	my $file = $node->data_dir . '/'
	  . $node->safe_psql('postgres', qq{SELECT pg_relation_filepath('$relation')}) . $suffix;
	my $query = qq{SELECT block FROM smgr_atomic_torn_pages('$relation', '$fork')};

	is($node->safe_psql('postgres', $query), '', "$relation, $fork: sound");
	damaged($file, 0, 4096, 'y' x 4096,
		sub { is($node->safe_psql('postgres', $query), '0', "$relation, $fork: torn") });
}
is(torn(), '', 'not in the main fork of the table');

# who may
$node->safe_psql('postgres', 'CREATE ROLE reader; GRANT pg_read_server_files TO reader; CREATE ROLE nobody');
is($node->safe_psql('postgres', q{SET ROLE reader; SELECT count(*) FROM smgr_atomic_torn_pages('t')}), 0,
	'a member of pg_read_server_files may');
refused($node, q{SET ROLE nobody; SELECT count(*) FROM smgr_atomic_torn_pages('t')},
	qr/ERROR:  permission denied to read storage\n.*HINT:  Only superusers and members of pg_read_server_files/,
	'others may not');
stop_clean($node);

my $without = new_node('without', volume => create_volume('without', size => '1G'), checksums => 0);
$without->start;
settle($without);
my ($rc, $out, $err) = $without->psql('postgres', q{SELECT * FROM smgr_atomic_torn_pages('pg_class')});
like($err, qr/ERROR:  data checksums are not enabled in this cluster.*HINT:  Enable them with pg_checksums/s,
	'without checksums it says so');
stop_clean($without);

done_testing();
