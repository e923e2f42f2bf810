
# Method doublewrite on a nearly full volume: a page that has no blocks yet gets all of
# them or waits, it is not written by half.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Space;
use Errno qw(EOPNOTSUPP);
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4', 'xfs');

# blocks of half a page, which ext4 allocates one by one if their data is in its journal
my $full = create_volume('full', fs => 'ext4', size => '200M', mount_options => 'data=journal');
my $library = build_library('file_faults.c');
my $node = new_node('main', volume => create_volume('data', fs => 'ext4', size => '1G'), mode => 'doublewrite',
	checksums => 1, conf => "shared_buffers = 16MB\nautovacuum = off\ncheckpoint_timeout = 1h\n"
	  . "bgwriter_lru_maxpages = 0\nrestart_after_crash = off\n");
my $data = $node->data_dir;
my $contents = 'SELECT count(*), sum(hashtext(proname)), (SELECT sum(hashtext(attname)) FROM pg_attribute) FROM pg_proc';
my $seconds = $PostgreSQL::Test::Utils::timeout_default;
{
	local $ENV{LD_PRELOAD} = $library;
	$node->start;
}
mkdir "$full/space" or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE full_space LOCATION '$full/space'");
reach($node, 'active', 'with a tablespace on ext4, data=journal');

# Leaves so many blocks.
sub fill
{
	my ($blocks) = @_;
	system_or_bail('fallocate', '-l', $blocks * 4096, "$full/rest");
	my $space = SmgrAtomic::Space->take("$full/filler");

	$space->stop_taking;
	unlink "$full/rest" or die "unlink: $!";
	system_or_bail('sync', '-f', $full);
	wait_until('the space to be there', sub { qx(stat -f -c %a '$full') > $blocks / 2 });
	return $space;
}

# Its pages are written by the checkpoint at the latest, which waits for those that have
# no space; of the last block there is half a page, in one try of two.
sub make_database
{
	my ($name) = @_;
	my @sql = ('psql', '-X', '-d', $node->connstr('postgres'), '-c');

	# the server may crash
	run_log([ 'timeout', $seconds, @sql, "CREATE DATABASE $name TABLESPACE full_space STRATEGY wal_log" ]);
	run_log([ 'timeout', 5, @sql, 'CHECKPOINT' ]);
	return;
}

sub is_whole
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is($node->safe_psql($name, $contents), $node->safe_psql('template1', $contents), "$name is whole");
	return;
}

my @tries = (1001, 1002);
for my $blocks (@tries)
{
	my $name = "kept$blocks";
	my $position = log_position($node);
	my $space = fill($blocks);

	make_database($name);
	my $log = log_since($node, $position);
	like($log, qr/WARNING:  could not write block \d+ in file "pg_tblspc.*: No space left on device/, "$name: pages wait");
	unlike($log, qr/PANIC/, '... none is written by half');
	$space->give_back;
	$node->safe_psql('postgres', 'CHECKPOINT', timeout => $seconds);
	is_whole($name);
	$node->safe_psql('postgres', "DROP DATABASE $name");
}

# ---- pages that have blocks need no space ------------------------------------------
#
# XFS would not promise any then.
my %volumes = (ext4 => $full, xfs => create_volume('xfs', size => '320M'));
for my $fs (sort keys %volumes)
{
	mkdir "$volumes{$fs}/old" or die "mkdir: $!";
	$node->safe_psql('postgres', $_) for (
		"CREATE TABLESPACE old_$fs LOCATION '$volumes{$fs}/old'",
		"CREATE TABLE $fs WITH (fillfactor = 50) TABLESPACE old_$fs AS SELECT i, repeat('x', 1000) f FROM generate_series(1, 600) i",
		"VACUUM $fs", 'CHECKPOINT');
}
reach($node, 'active', 'with a tablespace on XFS');
for my $fs (sort keys %volumes)
{
	my $as_before = '-180300|' . $node->safe_psql('postgres', "SELECT pg_relation_size('$fs')");
	my $space = SmgrAtomic::Space->take("$volumes{$fs}/filler");

	$node->safe_psql('postgres', $_, timeout => $seconds) for ("UPDATE $fs SET i = -i", 'CHECKPOINT');
	is($node->safe_psql('postgres', "SELECT sum(i), pg_relation_size('$fs') FROM $fs"), $as_before, "$fs: full, pages are overwritten");
	$space->give_back;
}

# ---- control: who cannot get blocks first finds out by the write -------------------
#
# That is a PANIC; the journal has the page.
append_to_file("$data/test_fault", 'reserve writer ' . EOPNOTSUPP . " 1000000 full/space/\n");
my $position = log_position($node);
my $panic = qr/PANIC:  could not write block \d+ in file "pg_tblspc.*: Input\/output error/;
my ($space, $name);
for my $blocks (@tries, @tries, @tries)
{
	$space->give_back if $space;
	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $name", timeout => $seconds) if $name;
	$name = "half$blocks";
	$space = fill($blocks);
	make_database($name);
	last if log_since($node, $position) =~ $panic;
}
SKIP:
{
	skip 'this kernel wrote no page by half', 1 if log_since($node, $position) !~ $panic;
	wait_for_end($node, $panic, $position);
	pass('control: a page is written by half');
	my ($runs, $log) = try_start($node);
	wait_for_end($node, qr/No space left/, $position) if $runs;
	$space->give_back;
	$node->start if !-e "$data/postmaster.pid";
	is_whole($name) if $node->safe_psql('postgres', "SELECT 1 FROM pg_database WHERE datname = '$name'");
}
stop_clean($node);
command_ok([ 'pg_checksums', '--check', '-D', $data ], 'every page is whole');
done_testing();
