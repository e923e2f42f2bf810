
# A client that does not take what the server sends: its session answers no
# barrier, so it delays a change of state.  The status names it, so does the
# server's log, and ending that session is enough.

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

# psql writes rows into a pipe that nobody reads.  Returns how to end it, and the
# process id of its session.
sub stuck_session
{
	my ($node) = @_;
	my $stuck = q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'ClientWrite'};

	pipe my $unread, my $into or die "pipe: $!";
	my $client = fork() // die "fork: $!";
	if ($client == 0)
	{
		open STDOUT, '>&', $into or POSIX::_exit(1);
		exec 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-c',
		  q{COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT}
		  or POSIX::_exit(1);
	}
	close $into;
	ok($node->poll_query_until('postgres', "SELECT EXISTS ($stuck)"), 'a session that waits for its client');
	my $pid = $node->safe_psql('postgres', $stuck);
	my $end = sub {
		is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)"), 't', 'the session is ended');
		close $unread;
		waitpid $client, 0;
	};
	return ($end, $pid);
}

# Waits for the barrier, or (that would be wrong) for a state without it.
sub waits_for_barrier
{
	my ($node, $pid, $without) = @_;
	my $waits = "waits_for ~ '^every process to answer a barrier.*; waiting for their clients: $pid\$'";

	$node->poll_query_until('postgres', "SELECT $waits OR state = '$without' FROM smgr_atomic_status");
	return is($node->safe_psql('postgres', "SELECT $waits FROM smgr_atomic_status"), 't', 'the status names the session')
	  || diag explain now($node);
}

for my $mode (qw(direct doublewrite))
{
	my $node = new_node($mode, mode => $mode, volume => create_volume($mode, size => '1G'));
	$node->start;
	reach($node, 'active', "$mode: started");

	# ---- images on: pages stay atomic until everybody has answered
	my ($end, $pid) = stuck_session($node);
	my $position = log_position($node);
	set_mode($node, 'off');
	waits_for_barrier($node, $pid, 'off');
	is(now($node)->{state}, 'disarming', 'state meanwhile');
	is(now($node)->{mode_in_force}, $mode, 'pages are atomic meanwhile');
	$node->wait_for_log(qr/still waiting for backend with PID $pid to accept ProcSignalBarrier/, $position);
	pass('the log of the server names it');
	$end->();
	reach($node, 'off', "$mode: then");
	is(now($node)->{waits_for}, '', 'waits for nothing');

	# ---- images off: not before everybody has, whatever checkpoints complete
	($end, $pid) = stuck_session($node);
	set_mode($node, $mode);
	waits_for_barrier($node, $pid, 'active');
	is(now($node)->{state}, 'arming', 'state meanwhile');
	$node->safe_psql('postgres', 'CHECKPOINT');
	is(now($node)->{state}, 'arming', 'and after a checkpoint by hand');
	is(shown($node), 'on', 'images stay on');
	is($node->safe_psql('postgres', 'SELECT accepting FROM smgr_atomic_pool'), 'f', 'the pool takes no pages');
	$end->();
	reach($node, 'active', "$mode: then");
	is(shown($node), 'off', 'images go off');
	stop_clean($node);
}

done_testing();
