
# pg_rewind and point-in-time recovery.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4');

my $xfs  = create_volume('data', size => '2G');
my $ext4 = create_volume('ext4', fs   => 'ext4', size => '1G');

# ---- pg_rewind ------------------------------------------------------------------

my $old = new_node('old', volume => $xfs, streaming => 1, checksums => 1,
	conf => "shared_buffers = 4MB\nwal_keep_size = 256MB\nautovacuum = off\n");
$old->start;
init_bank($old, 1);
reach($old, 'active', 'old primary');
$old->backup('base');
my $new = node_from('new', $xfs, $old, 'base', has_streaming => 1);
$new->start;
$old->wait_for_catchup($new);
$new->promote;
$new->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
reach($new, 'paused', 'new primary, paused at once');
is(control($new), 'on', 'new primary, paused at once: images are on');
$new->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
reach($new, 'active', 'new primary');

# both go their own way
$old->safe_psql('postgres', 'CREATE TABLE only_old AS SELECT 1; UPDATE pgbench_tellers SET filler = filler');
$new->safe_psql('postgres', 'CREATE TABLE only_new AS SELECT 1; UPDATE pgbench_accounts SET filler = filler WHERE aid < 500; CHECKPOINT');
$old->stop;

my @rewind = ('pg_rewind', '-D', $old->data_dir, '--source-server', $new->connstr('postgres'), '--no-sync');
command_fails_like(\@rewind, qr/"?full_page_writes"? must be enabled/,
	'pg_rewind from a server with images off: refused');

# in a pause, while the source is at work
my $load = start_load($new);
wait_for_load($new, 100);
$new->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
reach($new, 'paused', 'pause');
is(control($new), 'on', 'pause: the last checkpoint was made with images on');
command_ok(\@rewind, 'pg_rewind in a pause');
$new->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
reach($new, 'active', 'resumed');
follow_as_rewound($old, $new);
$old->start;
wait_for_load($new, 100);
stop_load($load);
$new->wait_for_catchup($old);
balanced($old, 'rewound, it follows');
is($old->safe_psql('postgres', q{SELECT to_regclass('only_old') IS NULL AND to_regclass('only_new') IS NOT NULL}),
	't', 'rewound: has the history of its new primary');
is(now($old)->{mode_in_force}, 'direct', 'rewound: pages are written atomically');
$_->stop for $old, $new;
command_ok([ 'pg_checksums', '--check', '-D', $old->data_dir ], 'rewound: every page is whole');
$old->clean_node;
$new->clean_node;

# ---- point-in-time recovery -------------------------------------------------------

my $sum = 'SELECT count(*) || $$ $$ || sum(delta) FROM pgbench_history';
my $wanted;

my $journal = "smgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\n";
for my $mode (qw(direct doublewrite))
{
	my $source = archive_work($mode);
	restored_safely(restore($source, "same_$mode", $xfs, ''), $mode, "$mode: restored on XFS");
	restored_safely(restore($source, "journal_$mode", $ext4, $journal), 'doublewrite', "$mode: restored on ext4, with a page journal");
	restored_where_pages_tear($source) if $mode eq 'direct';
	$source->clean_node;
}
done_testing();

# A stopped server with a base backup, and WAL in its archive that has what is
# wanted and more.
sub archive_work
{
	my ($mode) = @_;

	my $source = new_node("source_$mode", mode => $mode, volume => $xfs, streaming => 1, archiving => 1,
		conf => "shared_buffers = 4MB\nautovacuum = off\n");
	$source->start;
	init_bank($source, 1);
	reach($source, 'active', "$mode: source");
	$source->backup('base');
	my $load = start_load($source);
	wait_for_load($source, 200);
	stop_load($load);
	$wanted = $source->safe_psql('postgres', $sum);
	$source->safe_psql('postgres', q{SELECT pg_create_restore_point('here')});
	$source->safe_psql('postgres', 'DELETE FROM pgbench_history; CHECKPOINT');
	my $segment = $source->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn())');
	$source->safe_psql('postgres', 'SELECT pg_switch_wal()');
	$source->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver")
	  or die 'WAL is not archived';
	$source->stop;
	return $source;
}

sub restore
{
	my ($source, $name, $volume, $conf) = @_;
	my $node = node_from($name, $volume, $source, 'base', has_restoring => 1, standby => 0);
	$node->append_conf('postgresql.conf',
		"recovery_target_name = 'here'\nrecovery_target_action = promote\narchive_mode = off\n$conf");
	return $node;
}

# Where pages can be as safe as at the source: arms by itself, and all is there.
sub restored_safely
{
	my ($restored, $mode, $what) = @_;

	$restored->start;
	reach($restored, 'active', "$what: arms by itself");
	is(now($restored)->{mode_in_force}, $mode, "$what: mode in force");
	is($restored->safe_psql('postgres', $sum), $wanted, "$what: as it was");
	is(counters($restored)->{delegated_off}, 0, "$what: pages written safely");
	balanced($restored, $what);
	kill_cluster($restored);
	$restored->start;
	balanced($restored, "$what, crashed");
	$restored->clean_node;
	return;
}

sub restored_where_pages_tear
{
	my ($source) = @_;

	my $restored = restore($source, 'on_ext4', $ext4, '');
	my ($runs, $log) = try_start($restored);
	ok(!$runs, 'restored on ext4: does not start');
	like($log, qr/FATAL:  .*WAL.* no full-page images, and pages can tear.*HINT:  .*smgr_atomic\.allow_unsafe_standby = on to take the risk/s,
		'restored on ext4: says why and what to do');
	$restored->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = on\n");
	$restored->start;
	ok($restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'restored on ext4, allowed: promoted');
	is($restored->safe_psql('postgres', $sum), $wanted, 'restored on ext4, allowed: as it was');
	is(shown($restored), 'on', 'restored on ext4, allowed: images on from here');
	is(status($restored)->{state}, 'off', 'restored on ext4, allowed: state');
	balanced($restored, 'restored on ext4, allowed');
	$restored->clean_node;

	$restored = restore($source, 'bare', $xfs, "shared_preload_libraries = ''\nmax_worker_processes = 20\n");
	($runs, $log) = try_start($restored);
	wait_for_end($restored, qr/FATAL:  resource manager with ID 128 not registered/, 0) if $runs;
	$log = slurp_file($restored->logfile);
	like($log, qr/FATAL:  resource manager with ID 128 not registered/, 'restored without the library: stops');
	$restored->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
	$restored->start;
	reach($restored, 'active', 'with the library: goes on');
	is($restored->safe_psql('postgres', $sum), $wanted, 'with the library: as it was');
	$restored->stop;
	return;
}
