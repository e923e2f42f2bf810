
# The server is killed in every state of the machine, under load: what it left
# on disk tells the next start all it needs.  Checkpoints are held by a preloaded
# library, so that each state lasts as long as the test needs it.
#
# A killed process tears no page, so this is about states, images and data; that
# pages are whole is shown where system calls are watched and power is cut.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Moments;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $library = build_library('hold_fsync.c');
my $count   = 'SELECT count(*) FROM pgbench_history';
my $turn    = 0;
my $node;

for my $mode (qw(direct doublewrite))
{
	# a held checkpoint keeps the journal's sections, so it is not a small one
	$node = new_node(
		$mode,
		mode   => $mode,
		volume => create_volume($mode, size => '2G'),
		conf   => "wal_level = replica\nshared_buffers = 2MB\nbgwriter_delay = 20ms\n"
		  . "checkpoint_timeout = 1h\nmax_wal_size = 4GB\nsmgr_atomic.journal_size = 64MB\n");
	start_holding($node, $library);
	init_bank($node, 1);
	reach($node, 'active', "$mode: started");
	for my $moment (moments($mode))
	{
		subtest "$mode, killed when $moment->{name}" => sub { crash_at($moment) };
	}
	crash_in_starts($mode);
	stop_clean($node);
}
done_testing();

sub crash_at
{
	my ($moment) = @_;

	prepare($node, $moment);
	my $load = start_load($node);
	wait_for_load($node, 100);
	bring_to($node, $moment);
	wait_for_load($node, 50);
	my $done = $node->safe_psql('postgres', $count);
	my ($redo) = map { $node->safe_psql('postgres', $_) } 'SELECT redo_lsn FROM pg_control_checkpoint()';

	$turn++ % 2 ? $node->stop('immediate') : kill_cluster($node);
	stop_load($load);
	end_clients($node);

	# what recovery will read
	follows_contract([ wal_records($node, $redo) ], 'left behind');

	# whatever the state was, the setting decides where it ends
	my $position = log_position($node);
	start_holding($node, $library);
	my $mode = $node->safe_psql('postgres', 'SHOW smgr_atomic.mode');
	reach($node, $mode eq 'off' ? 'off' : 'active', "mode $mode");
	is(shown($node), $mode eq 'off' ? 'on' : 'off', 'images in the end');
	my $log = log_since($node, $position);
	like($log, qr/redo starts at/, 'WAL was replayed');
	unlike($log, qr/PANIC|invalid page|could not/, 'nothing wrong in the log');
	is($node->safe_psql('postgres', q{
		SELECT coalesce(sum(delegated_off), 0) FROM smgr_atomic_stats WHERE backend_type = 'startup'}),
		0, 'recovery wrote every page atomically');
	cmp_ok($node->safe_psql('postgres', $count), '>=', $done, 'committed transactions are there');
	balanced($node, 'after recovery');
	return;
}

# Crash in each start, with recovery under way: every start begins in "arming".
# Who fsyncs the newest transactions' status is held: first the startup process,
# before redo, then the checkpoint that ends recovery.
sub crash_in_starts
{
	my ($mode) = @_;

	set_mode($node, $mode);
	reach($node, 'active', "$mode: before crashes in starts");
	my $load = start_load($node);
	wait_for_load($node, 300);
	my $done = $node->safe_psql('postgres', $count);
	kill_cluster($node);
	stop_load($load);
	for my $first (1, 0)
	{
		my $position = log_position($node);
		launch_held($node, $library, 'pg_xact/0000');
		hold($node, 'pg_xact/0000')->() unless $first;
		my $log = log_since($node, $position);
		like($log, qr/goes off after the first checkpoint/, "$mode: arming");
		($first ? \&unlike : \&like)->($log, qr/redo done at/, $first ? 'before redo' : 'after redo');
		unlike($log, qr/ready to accept connections/, 'recovery is under way');
		kill_cluster($node);
	}
	$node->start;
	reach($node, 'active', "$mode: after crashes in recovery");
	cmp_ok($node->safe_psql('postgres', $count), '>=', $done, 'committed transactions are there');
	balanced($node, "$mode: after crashes in recovery");
	return;
}
