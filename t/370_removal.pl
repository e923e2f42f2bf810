
# Taking the library away, after a clean stop and after a crash; and the server's
# own tools and modes: single-user, pg_checksums, pg_upgrade; other values of
# smgr_atomic.mode than storage allows.

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

my $xfs  = create_volume('data', size => '4G');
my $ext4 = create_volume('ext4', fs => 'ext4', size => '500M');
my $node;

for my $mode (qw(direct doublewrite))
{
	$node = new_node($mode, mode => $mode, volume => $xfs, checksums => 0,
		conf => "shared_buffers = 4MB\nmax_wal_size = 4GB\n");
	$node->start;
	init_bank($node, 1);
	reach($node, 'active', "$mode: started");
	remove_after_clean_stop($mode);
	remove_after_crash();
	servers_own_tools($mode);
}
mode_that_storage_refuses();
done_testing();

sub preload
{
	my ($libraries) = @_;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\n");
	return;
}

sub write_and_crash
{
	my ($mode) = @_;
	my $load = start_load($node);
	wait_for_load($node, 200);
	$node->poll_query_until('postgres', 'SELECT used > 0 FROM smgr_atomic_journal')
	  or die 'no page goes to the journal'
	  if ($mode // '') eq 'doublewrite';
	kill_cluster($node);
	stop_load($load);
	return;
}

sub single_user
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], '<', \$sql, '>', \$out, '2>', \$err);
	is($? >> 8, 0, 'single-user server ends well') or diag $err;
	unlike($err, qr/PANIC|FATAL|ERROR/, 'single-user server has nothing to complain about');
	return "$out$err";
}

sub remove_after_clean_stop
{
	my ($mode) = @_;

	my $load = start_load($node);
	wait_for_load($node, 100);
	stop_load($load);
	stop_clean($node);
	preload('');
	$node->start;
	is(shown($node), 'on', 'removed after a clean stop: images on');
	balanced($node, 'removed after a clean stop');
	is(control($node), 'off', 'removed after a clean stop: the last checkpoint is the library\'s');
	write_and_crash();
	$node->start;
	is(control($node), 'on', 'and a crash without the library: recovered with images');
	balanced($node, 'and a crash without the library');

	# the library comes back right after a crash without it: a page journal is as old
	# as the clean stop
	write_and_crash();
	preload('smgr_atomic');
	my $position = log_position($node);
	$node->start;
	like(log_since($node, $position), qr/page journal: 0 batches, 0 pages checked/, 'put in again: the old page journal has nothing to say')
	  if $mode eq 'doublewrite';
	reach($node, 'active', 'put in again');
	balanced($node, 'put in again');
	return;
}

sub remove_after_crash
{
	write_and_crash();
	preload('');
	my ($runs, $log) = try_start($node);
	ok(!$runs, 'removed after a crash while active: does not start');
	like($log, qr/FATAL:  resource manager with ID 128 not registered\n.*HINT:  Include the extension module/,
		'removed after a crash while active: the server says why');

	# the way out: once with the library, mode off, a clean stop
	preload('smgr_atomic');
	$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
	$node->start;
	reach($node, 'off', 'the way out: with the library and mode off');
	balanced($node, 'the way out');
	stop_clean($node);
	preload('');
	$node->start;
	is(shown($node), 'on', 'the way out: without the library');
	balanced($node, 'the way out, without the library');
	write_and_crash();
	$node->start;
	balanced($node, 'the way out, and a crash without the library');
	$node->stop;
	return;
}

# Single-user mode, pg_checksums, pg_upgrade to a new cluster of the same major.
sub servers_own_tools
{
	my ($mode) = @_;

	preload('smgr_atomic');
	$node->append_conf('postgresql.conf', "smgr_atomic.mode = $mode\n");
	my $tellers = 'UPDATE pgbench_tellers SET filler = $$single$$';
	my $out = single_user("$tellers\nCHECKPOINT\nSHOW full_page_writes\nSELECT mode_in_force FROM smgr_atomic_status\n");
	like($out, qr/full_page_writes = "on"/, 'single-user: images stay on');
	like($out, qr/mode_in_force = "$mode"/, 'single-user: pages are written atomically');
	$node->start;
	reach($node, 'active', 'after single-user');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pgbench_tellers WHERE filler LIKE 'single%'}), 10,
		'after single-user: what it wrote is there');
	write_and_crash($mode);
	$out = single_user("SELECT count(*) FROM pgbench_history\nCHECKPOINT\n");
	like($out, qr/redo done/, 'single-user: recovers a crash while active');
	like($out, qr/page journal: [1-9]\d* batches/, 'single-user: ... after repair') if $mode eq 'doublewrite';
	$node->start;
	reach($node, 'active', 'after recovery in single-user mode');
	balanced($node, 'after recovery in single-user mode');

	# ---- pg_checksums -----------------------------------------------------------------

	stop_clean($node);
	$node->command_ok([ 'pg_checksums', '--enable', '-D', $node->data_dir, '--no-sync' ], 'pg_checksums --enable');
	$node->start;
	reach($node, 'active', 'with checksums');
	my $load = start_load($node);
	wait_for_load($node, 100);
	stop_load($load);
	stop_clean($node);
	$node->command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'pg_checksums --check');

	# ---- pg_upgrade, to a new cluster of the same major ---------------------------------

	my $upgraded = new_node("upgraded_$mode", mode => $mode, volume => $xfs, checksums => 1);
	{
		local $ENV{PGHOST};
		delete $ENV{PGHOST};
		my $bindir = qx($ENV{PG_CONFIG} --bindir) =~ s/\s+$//r;
		chdir $ENV{HOME} or die "chdir: $!";
		command_ok([ 'pg_upgrade', '--no-sync', '-b', $bindir, '-B', $bindir, '-d', $node->data_dir, '-D', $upgraded->data_dir,
				'-p', $node->port, '-P', $upgraded->port, '-s', $ENV{HOME} ], 'pg_upgrade, both with the library');
	}
	$upgraded->start;
	reach($upgraded, 'active', 'upgraded');
	balanced($upgraded, 'upgraded');
	stop_clean($upgraded);
	$_->clean_node for $node, $upgraded;
	return;
}

sub mode_that_storage_refuses
{
	my $unable = new_node('unable', volume => $ext4, conf => "smgr_atomic.mode = direct\n");
	$unable->start;
	is(shown($unable), 'on', 'direct on ext4: starts, images on');
	like(slurp_file($unable->logfile), qr/WARNING:  smgr_atomic: full_page_writes is on: .*ext4/, 'direct on ext4: WARNING');
	$unable->stop;
	$unable->append_conf('postgresql.conf', "smgr_atomic.require = on\n");
	my ($runs, $log) = try_start($unable);
	ok(!$runs, 'direct on ext4, require on: does not start');
	like($log, qr/FATAL:  smgr_atomic\.require is on, but pages cannot be written atomically\n.*DETAIL:  .*ext4/,
		'direct on ext4, require on: says why');
	return;
}
