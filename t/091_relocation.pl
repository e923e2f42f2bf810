
# A witness for writes that strace cannot see (io_uring): the filesystem.  XFS
# makes an atomic write in software by writing the page to a new place and
# mapping that; a plain direct write of a page goes to the place it has.  So
# after pages have been overwritten with RWF_ATOMIC each of them lies elsewhere
# on the device, and pages that were not written lie where they did.
#
# Controls: the stock server leaves every page in its place, and so does a plain
# direct write.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

use constant PAGE => 8192;

my $mount = create_volume('data', size => '2G');

# Where each page of a file lies on the device, in units of 4096 bytes.
sub places_of_pages
{
	my ($file) = @_;
	my ($out) = run_command([ 'filefrag', '-s', '-v', '-b4096', $file ]);
	my @place;

	# ext: logical: physical: length: ..., e.g. "0: 0.. 63: 1040.. 1103: 64:"
	while ($out =~ /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\./mg)
	{
		my ($first, $last, $physical) = ($1, $2, $3);
		$place[$_] = $physical + $_ - $first for $first .. $last;
	}
	return [ map { $place[ 2 * $_ ] } 0 .. int(@place / 2) - 1 ];
}

sub moved
{
	my ($before, $after) = @_;
	return grep { $before->[$_] != $after->[$_] } 0 .. $#$before;
}

# Overwrites every second page of a table, checkpoints, and returns the page
# numbers that were to be written and those that lie elsewhere now.
sub overwrite
{
	my ($node) = @_;
	my ($path) = block_in_file($node, 't', 0);
	my $file = $node->data_dir . "/$path";
	my $before = places_of_pages($file);

	$node->safe_psql('postgres', q{
		UPDATE t SET v = v + 1 WHERE (ctid::text::point)[0]::int % 2 = 1; CHECKPOINT});
	my $after = places_of_pages($file);
	is(scalar @$after, scalar @$before, 'no page was added');
	return ([ grep { $_ % 2 == 1 } 0 .. $#$before ], [ moved($before, $after) ]);
}

# HOT updates in half-empty pages change only the page itself.
sub make_table
{
	my ($node) = @_;
	$node->safe_psql('postgres', $_) for (
		q{CREATE TABLE t (id int, v int, filler text) WITH (fillfactor = 20, autovacuum_enabled = off)},
		q{INSERT INTO t SELECT i, 0, repeat('x', 200) FROM generate_series(1, 3000) i},
		q{VACUUM (FREEZE) t},
		q{CHECKPOINT});
	return;
}

sub new_server
{
	my ($name, %options) = @_;
	my $node = new_node($name, volume => $mount, %options);
	$node->start;
	settle($node) if $options{preload} // 1;
	make_table($node);
	return $node;
}

# control: stock
my $node = new_server('stock', preload => 0);
my ($written, $moved) = overwrite($node);
cmp_ok(scalar @$written, '>', 100, 'stock: pages to overwrite');
is_deeply($moved, [], 'stock: no page has moved');
stop_clean($node);

# control: the volume moves nothing by itself when a page is written directly
my ($path) = ("$mount/control");
system_or_bail('dd', 'if=/dev/urandom', "of=$path", 'bs=8192', 'count=64', 'oflag=direct', 'conv=fsync');
my $before = places_of_pages($path);
system_or_bail('dd', 'if=/dev/urandom', "of=$path", 'bs=8192', 'count=8', 'seek=16',
	'oflag=direct', 'conv=notrunc,fsync');
is(scalar @$before, 64, 'plain direct write: pages of the control file');
is_deeply([ moved($before, places_of_pages($path)) ], [], 'plain direct write: no page has moved');

for my $case (
	[ 'io_uring',  "smgr_atomic.io_uring = on\n" ],
	[ 'pwritev2',  "smgr_atomic.io_uring = off\n" ],
	[ 'direct',    "smgr_atomic.write_behind_size = 0\n" ])
{
	my ($name, $conf) = @$case;
	$node = new_server($name, conf => $conf);
	($written, $moved) = overwrite($node);
	is_deeply($moved, $written, "$name: every page that was overwritten has moved, and no other");
	stop_clean($node);
}

done_testing();
