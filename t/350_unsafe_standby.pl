
# Standbys that cannot keep the promise: on storage where pages can tear, or
# without the library.  They stop, and say what to do.

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
need_volumes('ext4', 'tmpfs');

my $xfs   = create_volume('data',  size => '2G');
my $ext4  = create_volume('ext4',  fs   => 'ext4', size => '1G');
my $tmpfs = create_volume('tmpfs', fs   => 'tmpfs', size => '600M');

my $primary = new_node('primary', volume => $xfs, streaming => 1,
	conf => "shared_buffers = 4MB\nwal_keep_size = 256MB\nautovacuum = off\n");
$primary->start;
init_bank($primary, 1);
reach($primary, 'active', 'primary');

my $at_start = qr/FATAL:  WAL since the last checkpoint has no full-page images, and pages can tear on this server's storage\n.*DETAIL:  .*ext4.*A crash during recovery could damage this server beyond repair\.\n.*HINT:  Put the data on storage that smgr-atomic-check accepts, or set smgr_atomic\.allow_unsafe_standby = on to take the risk/;
my $at_record = qr/FATAL:  this WAL has no full-page images, and pages can tear on this server's storage\n.*DETAIL:  .*tmpfs.*A crash could damage this server beyond repair\.\n.*HINT:  Put the data on storage that smgr-atomic-check accepts and set smgr_atomic\.mode = auto, or set smgr_atomic\.allow_unsafe_standby = on/;
my $no_library = qr/FATAL:  resource manager with ID 128 not registered\n.*HINT:  Include the extension module that implements this resource manager in "?shared_preload_libraries"?/;

# ---- from a backup of a server without images -----------------------------------

$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->backup('active');

my $on_ext4 = node_from('on_ext4', $ext4, $primary, 'active', has_streaming => 1);
my ($runs, $log) = try_start($on_ext4);
ok(!$runs, 'ext4: does not start');
like($log, $at_start, 'ext4: says why and what to do');
unlike($log, qr/redo starts/, 'ext4: nothing was replayed');

$on_ext4->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = on\n");
$on_ext4->start;
$primary->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT');
$primary->wait_for_catchup($on_ext4);
balanced($on_ext4, 'ext4, allowed');
like(slurp_file($on_ext4->logfile),
	qr/WARNING:  replaying WAL without full-page images where pages can tear\n.*DETAIL:  .*ext4.*beyond repair/,
	'ext4, allowed: warned');
is(now($on_ext4)->{mode_in_force}, 'off', 'ext4, allowed: pages are plain');
is(now($on_ext4)->{protection}, 'none', 'ext4, allowed: protection');
$on_ext4->stop;
$on_ext4->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = off\n");
($runs, $log) = try_start($on_ext4);
ok(!$runs, 'ext4, no longer allowed: does not start');

# promoted, it is a server with images on
$on_ext4->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = on\n");
$on_ext4->start;
$on_ext4->promote;
is(shown($on_ext4), 'on', 'ext4, promoted: images on');
$on_ext4->safe_psql('postgres', 'CHECKPOINT');
is(control($on_ext4), 'on', 'ext4, promoted: pg_controldata');
is(status($on_ext4)->{state}, 'off', 'ext4, promoted: state');
$on_ext4->stop;
$on_ext4->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = off\n");
$on_ext4->start;
is(shown($on_ext4), 'on', 'ext4, promoted: starts without the risk');
$on_ext4->stop;

# ---- standbys from the time before ----------------------------------------------

set_mode($primary, 'off');
reach($primary, 'off', 'primary');
$primary->backup('images');
my $on_tmpfs = node_from('on_tmpfs', $tmpfs, $primary, 'images', has_streaming => 1);
my $bare = node_from('bare', $xfs, $primary, 'images', has_streaming => 1);
# the library asks for worker processes of its own, which a standby must have room for
$bare->append_conf('postgresql.conf', "shared_preload_libraries = ''\nmax_worker_processes = 20\n");
for my $standby ($on_tmpfs, $bare)
{
	$standby->append_conf('postgresql.auto.conf', "smgr_atomic.mode = direct\n");    # the backup says off
	$standby->start;
	$primary->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT');
	$primary->wait_for_catchup($standby);
	balanced($standby, $standby->name . ' follows while images are on');
}
is(now($on_tmpfs)->{state}, 'off', 'tmpfs: pages are plain');

# a backup can be taken from a standby as ever while images are on
$bare->safe_psql('postgres', 'CHECKPOINT');
$bare->command_ok([ 'pg_basebackup', '-D', $bare->backup_dir . '/images', '-c', 'fast', '--no-sync' ],
	'pg_basebackup from a standby, images on');

set_mode($primary, 'direct');
reach($primary, 'active', 'primary');
$primary->safe_psql('postgres', 'UPDATE pgbench_branches SET filler = filler');    # flushes WAL
wait_for_end($on_tmpfs, $at_record, 0);
pass('tmpfs: stopped when images went off, says why and what to do');
wait_for_end($bare, $no_library, 0);
pass('without the library: stopped by the server\'s own rule');

# and go on when that is done; not because the primary has images on again
set_mode($primary, 'off');
reach($primary, 'off', 'primary');
my $position = log_position($on_tmpfs);
try_start($on_tmpfs);
wait_for_end($on_tmpfs, $at_record, $position);
pass('tmpfs: images on again does not help, WAL without is in between');
$on_tmpfs->append_conf('postgresql.conf', "smgr_atomic.allow_unsafe_standby = on\n");
$on_tmpfs->start;
$primary->wait_for_catchup($on_tmpfs);
balanced($on_tmpfs, 'tmpfs, allowed');
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
$bare->start;
$primary->wait_for_catchup($bare);
balanced($bare, 'with the library: goes on');
is(now($bare)->{mode_in_force}, 'direct', 'with the library: pages are written atomically');

# ---- base backup from a standby -------------------------------------------------

sub backup_of_standby
{
	my ($name) = @_;
	my ($out, $err) = run_command([ 'pg_basebackup', '-D', $bare->backup_dir . "/$name",
			'-h', $bare->host, '-p', $bare->port, '-c', 'fast', '--no-sync' ]);
	return $err;
}

set_mode($primary, 'direct');
reach($primary, 'active', 'primary');
$primary->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT');
$primary->wait_for_catchup($bare);
like(backup_of_standby('refused'),
	qr/WAL generated with "?full_page_writes=off"? was replayed since last restartpoint.*HINT:.*Enable "?full_page_writes"? and run CHECKPOINT on the primary/s,
	'pg_basebackup from a standby, images off: refused by the server, with a hint');

$primary->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
reach($primary, 'paused', 'primary');
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->wait_for_catchup($bare);
is(backup_of_standby('paused') =~ /error/ ? 'error' : '', '', 'pg_basebackup from a standby in a pause of the primary');
command_ok([ 'pg_verifybackup', $bare->backup_dir . '/paused' ], 'that backup is whole');
$primary->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
reach($primary, 'active', 'primary');

# ---- without the record the risk is the user's ----------------------------------

$on_tmpfs->stop;
$primary->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = off\n");
set_mode($primary, 'off');
reach($primary, 'off', 'primary');
$primary->backup('no_record');
$on_tmpfs->clean_node;
my $unwarned = node_from('unwarned', $tmpfs, $primary, 'no_record', has_streaming => 1);
$unwarned->append_conf('postgresql.auto.conf', "smgr_atomic.mode = direct\n");
$unwarned->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = on\n");
$unwarned->start;
set_mode($primary, 'direct');
reach($primary, 'active', 'primary');
$primary->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT');
$primary->wait_for_catchup($unwarned);
balanced($unwarned, 'wal_interlock off: a standby on tmpfs follows');

# off at the server that restores, it drops the refusal to start as well, but not the record's
$primary->backup('no_record_active');
my $restored = node_from('restored', $ext4, $primary, 'no_record_active', has_streaming => 1);
$restored->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = on\n");
($runs, $log) = try_start($restored);
ok(!$runs, 'wal_interlock on at the one that restores: does not start');
like($log, $at_start, 'wal_interlock on at the one that restores: says why');
$restored->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = off\n");
$restored->start;
$primary->wait_for_catchup($restored);
balanced($restored, 'wal_interlock off at the one that restores: starts');
is(now($restored)->{mode_in_force}, 'off', 'wal_interlock off at the one that restores: pages are plain');
my %from = map { $_->name => log_position($_) } $restored, $unwarned;
$primary->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = on\n");
$primary->reload;
$primary->safe_psql('postgres', 'UPDATE pgbench_branches SET filler = filler; CHECKPOINT');
wait_for_end($_, qr/FATAL:  this WAL has no full-page images/, $from{ $_->name }) for $restored, $unwarned;
pass('wal_interlock off at the one that restores: stops at a record all the same');
$_->stop for $bare, $primary;

done_testing();
