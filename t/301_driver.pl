
# Pauses, waits, and a driver that dies in each state: the next one goes on
# where it was.  Checkpoints are held by a preloaded library, so that each state
# lasts as long as the test needs it.

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
	conf   => "wal_level = replica\nwal_keep_size = 256MB\nrestart_after_crash = on\ncheckpoint_timeout = 1h\nsmgr_atomic.journal_size = 64MB\n");
start_holding($node, $library);
init_bank($node, 1);
reach($node, 'active', 'started');

# ---- waiting -----------------------------------------------------------------

sub wait_for_state
{
	my ($state, $time) = @_;
	return $node->safe_psql('postgres', "SELECT smgr_atomic_wait('$state', '$time')");
}

is(wait_for_state('active', '1h'), 't', 'wait: already there');
is(wait_for_state('off', '0s'), 'f', 'wait: no time');
is(wait_for_state('off', '-1 day'), 'f', 'wait: less than no time');
is(wait_for_state('off', '10ms'), 'f', 'wait: time runs out');
refused($node, q{SELECT smgr_atomic_wait('on')}, qr/unknown state "on".*HINT:  States are off, arming/s,
	'wait: no such state');
$node->command_fails_like(
	[ 'psql', '-X', '-d', 'postgres', '-c', q{SET statement_timeout = '100ms'}, '-c',
		q{SELECT smgr_atomic_wait('off', '1h')} ],
	qr/canceling statement due to statement timeout/, 'wait: can be cancelled');
my $waiting = $node->background_psql('postgres');
$waiting->query_until(qr/asked/, "\\echo asked\nSELECT 'reached ' || smgr_atomic_wait('off', '1h');\n");
set_mode($node, 'off');
$waiting->query_until(qr/reached true/, '');
pass('wait: a session that waits is woken');
$waiting->quit;
set_mode($node, 'direct');
reach($node, 'active', 'wait: back');

# ---- pause -------------------------------------------------------------------

sub pause { return $node->safe_psql('postgres', "SELECT smgr_atomic_pause('$_[0]')") }
sub resume { return $node->safe_psql('postgres', 'SELECT smgr_atomic_resume()') }

sub writes_atomically
{
	my ($name) = @_;
	my $before = counters($node);
	$node->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT');
	my $after = counters($node);
	cmp_ok($after->{pages}, '>', $before->{pages}, "$name: pages are written atomically");
	is($after->{delegated_off}, $before->{delegated_off}, "$name: none is left to the server");
	return;
}

$node->safe_psql('postgres', 'CHECKPOINT');
is(control($node), 'off', 'before the pause: images off, says pg_controldata');
pause('1 hour');
reach($node, 'paused', 'pause');
is(control($node), 'on',
	'pause: a whole checkpoint was made with images on, says pg_controldata');
is(shown($node), 'on', 'pause: SHOW full_page_writes');
is(now($node)->{waits_for}, 'end of the pause', 'pause: waits for');
writes_atomically('pause');
$node->reload;
pause('2 hours');
is(wait_for_state('active', '100ms'), 'f', 'pause: goes on over a reload and a second call');
resume();
reach($node, 'active', 'resume');
is(shown($node), 'off', 'resume: SHOW full_page_writes');
$node->safe_psql('postgres', 'CHECKPOINT');
is(control($node), 'off', 'resume: pg_controldata');

# active is the state before the pause too: only the log tells that it is over
my $began = log_position($node);
pause('1 second');
wait_until('a pause to begin and end', sub {
	log_since($node, $began) =~ /full_page_writes is now on.*full_page_writes is now off/s });
reach($node, 'active', 'a pause ends by itself');
refused($node, "SELECT smgr_atomic_pause('$_')", qr/pause must be longer than zero and at most one day/,
	"pause('$_') is refused")
  for '0', '-1 s', '25 hours';
refused($node, "SET ROLE pg_monitor; SELECT smgr_atomic_$_", qr/permission denied for function smgr_atomic_/,
	"not everybody may call smgr_atomic_$_")
  for q{pause('1 s')}, 'resume()';

# taken back when images are on already, but the pause is not reached yet
my $held = hold($node);
pause('1 hour');
$held->();
is(shown($node), 'off', 'pause, in its first checkpoint: images');
hold($node)->();
is(shown($node), 'on', 'pause, in its second checkpoint: images');
is(now($node)->{state}, 'active', 'pause, in its second checkpoint: not paused yet');
resume();
release($node);
ok($node->poll_query_until('postgres', q{
	SELECT state = 'active' AND full_page_writes = 'off' FROM smgr_atomic_status}),
	'pause taken back half-way: images go off again');

# over before its second checkpoint is
$held = hold($node);
pause('3 seconds');
$held->();
hold($node)->();
is(shown($node), 'on', 'pause, over in its second checkpoint: images');
sleep 4;    # longer than the pause
release($node);
ok($node->poll_query_until('postgres', q{
	SELECT state = 'active' AND full_page_writes = 'off' FROM smgr_atomic_status}),
	'pause, over in its second checkpoint: images go off again');

# nobody asks for anything when it is over
pause('10 seconds');
reach($node, 'paused', 'mode changed in a pause');
set_mode($node, 'doublewrite');
ok($node->poll_query_until('postgres', q{
	SELECT state = 'active' AND mode_in_force = 'doublewrite' FROM smgr_atomic_status}),
	'mode changed in a pause: after it');
set_mode($node, 'direct');
ok($node->poll_query_until('postgres', q{
	SELECT state = 'active' AND mode_in_force = 'direct' FROM smgr_atomic_status}),
	'mode changed in a pause: and back');

pause('1 hour');
reach($node, 'paused', 'mode off in a pause');
set_mode($node, 'off');
reach($node, 'off', 'mode off in a pause');

# with images on already, as after a start or a promotion
$began = log_position($node);
set_mode($node, 'direct');
reach($node, 'paused', 'armed in a pause');
unlike(log_since($node, $began), qr/full_page_writes is now off/, 'armed in a pause: images were never off');
resume();
reach($node, 'active', 'armed in a pause, resumed');
set_mode($node, 'off');
reach($node, 'off', 'a pause while arming');
$began = log_position($node);
$held = hold($node);
set_mode($node, 'direct');
$held->();
is(now($node)->{state}, 'arming', 'a pause while arming: the checkpoint is under way');
is(now($node)->{waits_for}, 'checkpoint, then full-page images go off', 'a pause while arming: waited for before');
pause('1 hour');
is(now($node)->{waits_for}, 'checkpoint, then the pause begins', 'a pause while arming: waits for');
release($node);
reach($node, 'paused', 'a pause while arming');
unlike(log_since($node, $began), qr/full_page_writes is now off/, 'a pause while arming: images were never off');
resume();
reach($node, 'active', 'mode direct again');

# ---- the driver dies, in each state ------------------------------------------

# How to get into each state: how to begin, and the state that is reached in the
# end.  The checkpoint that the state waits for is held.
my $mode = 'direct';
my @states = (
	{
		name  => 'active',
		begin => sub { },
		end   => 'active'
	},
	{
		name  => 'disarming, images off',
		begin => sub {
			my $held = hold($node);
			set_mode($node, 'off');
			$held->();
			is(now($node)->{state}, 'disarming', 'state');
			is(shown($node), 'off', 'images');
			is(now($node)->{waits_for}, 'checkpoint, then full-page images come on', 'waits for');
		},
		end => 'off'
	},
	{
		name  => 'disarming, images on',
		begin => sub {
			my $held = hold($node);
			set_mode($node, 'off');
			$held->();
			hold($node)->();    # the one after
			is(now($node)->{state}, 'disarming', 'state');
			is(shown($node), 'on', 'images');
			is(now($node)->{waits_for}, 'checkpoint with full-page images on', 'waits for');
			is(now($node)->{mode_in_force}, $mode, 'pages still atomic');
		},
		end => 'off'
	},
	{
		name  => 'off',
		mode  => 'off',
		begin => sub { },
		end   => 'off'
	},
	{
		name  => 'arming',
		mode  => 'off',
		begin => sub {
			my $held = hold($node);
			set_mode($node, $mode);
			$held->();
			is(now($node)->{state}, 'arming', 'state');
			is(shown($node), 'on', 'images');
			is(now($node)->{waits_for}, 'checkpoint, then full-page images go off', 'waits for');
			is(now($node)->{mode_in_force}, $mode, 'pages already atomic');
		},
		end => 'active'
	},
	{
		name  => 'paused',
		begin => sub { pause('1 hour'); reach($node, 'paused', 'state') },
		end   => 'paused',
		after => sub { resume(); reach($node, 'active', 'resumed') }
	});

sub restart_holding
{
	$node->stop('immediate');
	return start_holding($node, $library);
}

sub enter
{
	my ($state) = @_;
	my $before = $state->{mode} // $mode;

	set_mode($node, $before);
	reach($node, $before eq 'off' ? 'off' : 'active', 'before');
	$state->{begin}->();
	return;
}

sub driver_dies
{
	my $start = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	for my $state (@states)
	{
		subtest "$mode, SIGTERM to the driver, $state->{name}" => sub {
			enter($state);
			my $pid = driver_pid($node);
			kill TERM => $pid;
			wait_until('the driver to end', sub { !kill 0 => $pid });
			release($node);
			ok(eval { wait_until('a new driver', sub { defined driver_pid($node) }); 1 },
				'there is a driver again')
			  or return restart_holding();
			reach($node, $state->{end}, 'in the end');
			is(shown($node), $state->{end} eq 'active' ? 'off' : 'on', 'images in the end');
			$state->{after}->() if $state->{after};
		};
	}
	follows_contract([ wal_records($node, $start) ], "$mode, SIGTERM to the driver");

	for my $state (@states)
	{
		subtest "$mode, SIGKILL to the driver, $state->{name}" => sub {
			enter($state);
			my $position = log_position($node);
			kill KILL => driver_pid($node);
			$node->wait_for_log(qr/terminating any other active server processes/, $position);
			release($node);
			$node->wait_for_log(qr/database system is ready to accept connections/, $position);
			my $end = ($state->{end} eq 'off' || $state->{mode} && $state->{name} eq 'off') ? 'off' : 'active';
			reach($node, $end, 'in the end');
			is(shown($node), $end eq 'active' ? 'off' : 'on', 'images in the end');
			like(log_since($node, $position), qr/\(smgr_atomic driver|background worker "smgr_atomic driver"/,
				'the server says who died');
		};
	}
	return;
}

# ---- the server stops in the middle of a transition ---------------------------

sub server_stops
{
	for my $state (grep { $_->{name} =~ /arming/ } @states)
	{
		subtest "$mode, fast shutdown, $state->{name}" => sub {
			enter($state);
			my $position = log_position($node);
			system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-W', 'stop');
			$node->wait_for_log(qr/received fast shutdown request/, $position);
			release($node);
			wait_until('the server to stop', sub { !-e $node->data_dir . '/postmaster.pid' });
			$node->_update_pid(0);
			my ($out) = run_command([ 'pg_controldata', $node->data_dir ]);
			like($out, qr/cluster state:\s+shut down$/m, 'shut down cleanly');
			unlike(log_since($node, $position), qr/PANIC/, 'no PANIC');
			start_holding($node, $library);
			reach($node, $state->{end}, 'next start, in the end');
			balanced($node, 'next start');
		};
		subtest "$mode, immediate stop, $state->{name}" => sub {
			enter($state);
			$node->stop('immediate');
			start_holding($node, $library);
			reach($node, $state->{end}, 'next start, in the end');
			balanced($node, 'next start');
		};
	}
	return;
}

for (qw(direct doublewrite))
{
	$mode = $_;
	driver_dies();
	server_stops();
}

# A start with mode off after a crash while images were off replays with atomic
# writes and stays so until a checkpoint with images is complete.
set_mode($node, 'off');
reach($node, 'off', 'from one mode to the other');
set_mode($node, 'direct');
reach($node, 'active', 'before the crash');
my $load = start_load($node);
wait_for_load($node, 200);
kill_cluster($node);
stop_load($load);
$node->append_conf('postgresql.auto.conf', "smgr_atomic.mode = off\n");
my $position = log_position($node);
$node->start;
reach($node, 'off', 'mode off after a crash while active');
my $log = log_since($node, $position);
like($log, qr/full_page_writes is on: smgr_atomic\.mode is off.*DETAIL:  Pages are written atomically until recovery is done/s,
	'mode off after a crash while active: begins in disarming');
like($log, qr/redo starts.*redo done.*pages are no longer written atomically/s,
	'mode off after a crash while active: plain after recovery');
cmp_ok($node->safe_psql('postgres', q{
	SELECT coalesce(sum(pages), 0) FROM smgr_atomic_stats WHERE backend_type IN ('startup', 'checkpointer')}),
	'>', 0, 'mode off after a crash while active: recovery wrote atomically');
balanced($node, 'mode off after a crash while active');
is(control($node), 'on', 'mode off after a crash while active: pg_controldata');
stop_clean($node);

done_testing();
