
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
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $library = build_library('hold_fsync.c');
my $node    = new_node(
	'main',
	volume => create_volume('data', size => '2G'),
	conf   => "wal_level = replica\nshared_buffers = 2MB\nbgwriter_delay = 20ms\n"
	  . "checkpoint_timeout = 1h\nmax_wal_size = 4GB\n");
start_holding($node, $library);
init_bank($node, 1);
reach($node, 'active', 'started');

sub in_state
{
	my ($state, $images, $method) = @_;
	my $now = now($node);
	is_deeply([ @$now{qw(state full_page_writes mode_in_force)} ],
		[ $state, $images, $method ], "state $state, images $images, pages $method");
	return;
}

# Each: the mode before, and how to get from there to the moment of the crash.
my @moments = (
	{ name => 'off', before => 'off', go => sub { in_state('off', 'on', 'off') } },
	{
		name   => 'arming, not every process writes atomically yet',
		before => 'off',
		go     => sub {
			# the checkpointer, held in a checkpoint, does not answer the barrier
			my $held = hold($node);
			my $checkpoint = $node->background_psql('postgres');
			$checkpoint->query_until(qr/begun/, "\\echo begun\nCHECKPOINT;\n");
			$held->();
			set_mode($node, 'direct');
			reach($node, 'arming', 'before the barrier');
			in_state('arming', 'on', 'direct');
			return $checkpoint;
		}
	},
	{
		name   => 'arming, in its checkpoint',
		before => 'off',
		go     => sub {
			my $held = hold($node);
			set_mode($node, 'direct');
			$held->();
			in_state('arming', 'on', 'direct');
		}
	},
	{ name => 'active', before => 'direct', go => sub { in_state('active', 'off', 'direct') } },
	{
		name   => 'active, in a checkpoint',
		before => 'direct',
		go     => sub {
			my $held = hold($node);
			my $checkpoint = $node->background_psql('postgres');
			$checkpoint->query_until(qr/begun/, "\\echo begun\nCHECKPOINT;\n");
			$held->();
			in_state('active', 'off', 'direct');
			return $checkpoint;
		}
	},
	{
		name   => 'going to pause',
		before => 'direct',
		go     => sub {
			my $held = hold($node);
			$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
			$held->();
			in_state('active', 'off', 'direct');
		}
	},
	{
		name   => 'going to pause, images on',
		before => 'direct',
		go     => sub {
			my $held = hold($node);
			$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
			$held->();
			hold($node)->();
			in_state('active', 'on', 'direct');
		}
	},
	{
		name   => 'paused',
		before => 'direct',
		go     => sub {
			$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
			reach($node, 'paused', 'pause');
			in_state('paused', 'on', 'direct');
		}
	},
	{
		name   => 'coming back from a pause',
		before => 'direct',
		go     => sub {
			$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
			reach($node, 'paused', 'pause');
			my $held = hold($node);
			$node->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
			$held->();
			in_state('paused', 'on', 'direct');
		}
	},
	{
		name   => 'disarming, images still off',
		before => 'direct',
		go     => sub {
			my $held = hold($node);
			set_mode($node, 'off');
			$held->();
			in_state('disarming', 'off', 'direct');
		}
	},
	{
		name   => 'disarming, images on',
		before => 'direct',
		go     => sub {
			my $held = hold($node);
			set_mode($node, 'off');
			$held->();
			hold($node)->();
			in_state('disarming', 'on', 'direct');
		}
	});

sub go_to
{
	my ($moment) = @_;
	set_mode($node, $moment->{before});
	reach($node, $moment->{before} eq 'off' ? 'off' : 'active', 'before');
	my $load = start_load($node);
	wait_for_load($node, 100);
	my $session = $moment->{go}->();
	wait_for_load($node, 50);
	return ($load, ref $session eq 'PostgreSQL::Test::BackgroundPsql' ? $session : undef);
}

my $count = 'SELECT count(*) FROM pgbench_history';
my $turn  = 0;
for my $moment (@moments)
{
	subtest "killed when $moment->{name}" => sub {
		my ($load, $session) = go_to($moment);
		my $done = $node->safe_psql('postgres', $count);
		my ($redo) = map { $node->safe_psql('postgres', $_) } 'SELECT redo_lsn FROM pg_control_checkpoint()';

		$turn++ % 2 ? $node->stop('immediate') : kill_cluster($node);
		stop_load($load);
		eval { $session->quit } if $session;

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
	};
}

# Crash in each start: recovery begins again.
set_mode($node, 'direct');
reach($node, 'active', 'before two crashes');
my $load = start_load($node);
wait_for_load($node, 300);
my $done = $node->safe_psql('postgres', $count);
kill_cluster($node);
stop_load($load);
my $position = log_position($node);
my $held = sub {
	wait_until('redo to begin', sub { log_since($node, $position) =~ /redo starts at/ });
};
$node->start(fail_ok => 1);
$held->();
kill_cluster($node);
$node->start;
reach($node, 'active', 'after a crash right after recovery');
cmp_ok($node->safe_psql('postgres', $count), '>=', $done, 'committed transactions are there');
balanced($node, 'after both');
stop_clean($node);

done_testing();
