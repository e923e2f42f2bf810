
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

my $node = new_node('main', volume => create_volume('data', size => '1G'));
$node->start;
reach($node, 'active', 'started');

# psql writes rows into a pipe that nobody reads
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
my $stuck = q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'ClientWrite'};
ok($node->poll_query_until('postgres', "SELECT EXISTS ($stuck)"), 'a session that waits for its client');
my $pid = $node->safe_psql('postgres', $stuck);

my $position = log_position($node);
set_mode($node, 'off');
ok( $node->poll_query_until('postgres',
		"SELECT waits_for ~ '^every process to answer a barrier.*; waiting for their clients: $pid\$' FROM smgr_atomic_status"),
	'the status names the session')
  or diag explain now($node);
is(now($node)->{state}, 'disarming', 'state meanwhile');
is(now($node)->{mode_in_force}, 'direct', 'pages are atomic meanwhile');
$node->wait_for_log(qr/still waiting for backend with PID $pid to accept ProcSignalBarrier/, $position);
pass('the log of the server names it');

is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)"), 't', 'the session is ended');
reach($node, 'off', 'then');
is(now($node)->{waits_for}, '', 'waits for nothing');
close $unread;
waitpid $client, 0;
stop_clean($node);

done_testing();
