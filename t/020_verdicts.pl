
# What each kind of storage is judged to promise, and what that does to
# full_page_writes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4', 'tmpfs');

my $xfs   = create_volume('xfs',   fs => 'xfs',   size => '1G');
my $ext4  = create_volume('ext4',  fs => 'ext4',  size => '1G');
my $tmpfs = create_volume('tmpfs', fs => 'tmpfs', size => '500M');

sub directory_on
{
	my ($mount, $name) = @_;
	mkdir "$mount/$name" or die "mkdir $mount/$name: $!";
	return "$mount/$name";
}

# A data directory on storage that cannot: images are on whatever is configured.
for my $case ([ 'ext4', $ext4, qr/ext4 has no software path/ ], [ 'tmpfs', $tmpfs, qr/tmpfs/ ])
{
	my ($fs, $mount, $reason) = @$case;
	my $node = new_node("on_$fs", volume => $mount, conf => "full_page_writes = off\n");
	$node->start;

	is(images($node), 'on', "$fs: full_page_writes is on, even when configured off");
	$node->safe_psql('postgres', 'CHECKPOINT');
	my ($control) = run_command([ 'pg_controldata', $node->data_dir ]);
	like($control, qr/full_page_writes:\s+on/, "$fs: also in pg_control");
	$node->reload;
	ok($node->poll_query_until('postgres', 'SELECT pg_conf_load_time() IS NOT NULL'), 'reloaded');
	is(images($node), 'on', "$fs: still on after a reload");

	my $status = status($node);
	ok($status->{attached}, "$fs: attached");
	is($status->{mode_in_force}, 'off', "$fs: mode in force");
	is($status->{protection}, 'none', "$fs: protection");
	like($status->{reason}, $reason, "$fs: reason in the status");
	is(places($node), 'pg_default=none pg_global=none', "$fs: both places judged");
	like(place($node, 'pg_default')->{reason}, $reason, "$fs: reason of the place");
	is(place($node, 'pg_default')->{filesystem}, $fs, "$fs: name of the filesystem");
	like(slurp_file($node->logfile), qr/smgr_atomic: full_page_writes is on: .*$reason/,
		"$fs: the log says what was decided and why");
	is(counters($node)->{pages}, 0, "$fs: no page written atomically");

	# a torn-free tablespace does not make up for it
	my $space = directory_on($xfs, "space_of_$fs");
	$node->safe_psql('postgres', "CREATE TABLESPACE good LOCATION '$space'");
	$node->restart;
	is(places($node), 'good=software pg_default=none pg_global=none', "$fs: with a tablespace on XFS");
	is(images($node), 'on', "$fs: the weakest place counts");

	# the user's own choice, when asked not to touch it
	$node->append_conf('postgresql.conf', "smgr_atomic.manage_full_page_writes = off\n");
	$node->restart;
	is(images($node), 'off', "$fs: unmanaged, full_page_writes stays as configured");
	like(slurp_file($node->logfile),
		qr/full_page_writes is off, but page writes are not atomic/, "$fs: unmanaged, with a warning");
	stop_clean($node);
}

# A data directory on XFS, and tablespaces that come and go.
my $node = new_node('on_xfs', volume => $xfs);
$node->start;
is(places($node), 'pg_default=software pg_global=software', 'XFS: both places judged');
is(images($node), 'off', 'XFS: full_page_writes is off');
my $place = place($node, 'pg_default');
is($place->{filesystem}, 'xfs', 'XFS: name of the filesystem');
like($place->{device}, qr{^/dev/loop\d+$}, 'XFS: device');
cmp_ok($place->{unit_min}, '<=', 8192, 'XFS: unit_min');
cmp_ok($place->{unit_max}, '>=', 8192, 'XFS: unit_max');
is($place->{unit_max_opt}, 0, 'XFS: unit_max_opt');
is($place->{segments_max}, 1, 'XFS: segments_max');
is($place->{device_unit_max}, 0, 'XFS: the loop device promises nothing');
cmp_ok($place->{dio_mem_align}, '>', 0, 'XFS: dio_mem_align');
cmp_ok($place->{dio_offset_align}, '>', 0, 'XFS: dio_offset_align');

$node->append_conf('postgresql.conf', "full_page_writes = on\n");
$node->restart;
is(images($node), 'off', 'XFS: off also when configured on: the library manages it');
$node->append_conf('postgresql.conf', "smgr_atomic.manage_full_page_writes = off\n");
$node->restart;
is(images($node), 'on', 'XFS: unmanaged, full_page_writes stays as configured');
is(status($node)->{mode_in_force}, 'direct', 'XFS: unmanaged, pages are atomic all the same');
$node->append_conf('postgresql.conf', "smgr_atomic.manage_full_page_writes = on\n");

# mixed: the tablespace is made while the library is not in charge
$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$node->restart;
my $bad = directory_on($ext4, 'space');
$node->safe_psql('postgres', "CREATE TABLESPACE bad LOCATION '$bad'");
$node->append_conf('postgresql.conf', "smgr_atomic.mode = direct\n");
$node->restart;
is(places($node), 'bad=none pg_default=software pg_global=software', 'mixed: each place judged');
is(images($node), 'on', 'mixed: full_page_writes is on');
is(status($node)->{mode_in_force}, 'off', 'mixed: mode in force');
like(status($node)->{reason}, qr{pg_tblspc/\d+.*ext4}, 'mixed: the reason names the place');
$node->safe_psql('postgres', 'DROP TABLESPACE bad');
$node->restart;
is(images($node), 'off', 'mixed: off again without the bad tablespace');

# fsync = off: nothing is known to be on storage
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->restart;
is(images($node), 'on', 'fsync off: full_page_writes is on');
like(status($node)->{reason}, qr/fsync is off/, 'fsync off: reason');
$node->append_conf('postgresql.conf', "fsync = on\n");
$node->restart;
is(images($node), 'off', 'fsync on: full_page_writes is off');

# Places not yet in use: asked by path.
sub probe
{
	my ($path) = @_;
	return fetch_row($node, "SELECT * FROM smgr_atomic_probe('$path')");
}

my @kinds = (
	[ 'XFS', 'software', qr/XFS copy-on-write/, fs => 'xfs' ],
	[ 'XFS without reflink', 'none', qr/XFS without reflink.*mkfs\.xfs -m reflink=1/,
		fs => 'xfs', mkfs_options => '-m reflink=0' ],
	[ 'ext4', 'none', qr/ext4/, fs => 'ext4' ],
	[ 'ext4 bigalloc on a device without atomic writes', 'none', qr/ext4/,
		fs => 'ext4', mkfs_options => '-O bigalloc -C 16384' ],
	[ 'ext4 data=journal', 'none', qr/data=journal/, fs => 'ext4', mount_options => 'data=journal' ],
	[ 'tmpfs', 'none', qr/tmpfs/, fs => 'tmpfs' ],
	[ 'btrfs', 'none', qr/btrfs/, fs => 'btrfs' ]);
my $number = 0;
for my $kind (@kinds)
{
	my ($name, $verdict, $reason, %options) = @$kind;
	SKIP:
	{
		my $missing = missing_filesystem($options{fs});
		skip $missing, 4 if $missing;
		$number++;
		my $mount = create_volume("kind$number", size => '400M', %options);
		my $probe = probe($mount);
		is($probe->{verdict}, $verdict, "probe of $name: verdict");
		like($probe->{reason}, $reason, "probe of $name: reason");
		is(!!$probe->{journal}, $options{fs} =~ /^(?:xfs|ext4)$/, "probe of $name: page journal");
		is_deeply([ grep { !/lost\+found/ } glob("$mount/* $mount/.[!.]*") ],
			[], "probe of $name: nothing left behind");
		remove_volume("kind$number");
	}
}

my $nowhere = "$xfs/nowhere";
is(probe($nowhere)->{verdict}, 'none', 'probe of a directory that does not exist: verdict');
like(probe($nowhere)->{reason}, qr/could not open directory .*No such file/,
	'probe of a directory that does not exist: reason');
my $readonly = directory_on($xfs, 'readonly');
chmod 0500, $readonly;
is(probe($readonly)->{verdict}, 'none', 'probe of a directory without write permission: verdict');
like(probe($readonly)->{reason}, qr/could not create a trial file .*Permission denied/,
	'probe of a directory without write permission: reason');

stop_clean($node);
done_testing();
