
# Servers that die while the machine goes on: processes killed, an immediate
# shutdown.  What was written is in the kernel's hands then and nothing may be
# lost or torn.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;
use Time::HiRes qw(sleep);

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new;

# What dies, by which signal, and whether the postmaster restarts the others.
my @scenarios = (
	[ 'the postmaster',   KILL => "SELECT 'postmaster'" ],
	[ 'the postmaster, immediate shutdown', QUIT => "SELECT 'postmaster'" ],
	[
		'a backend that writes',
		KILL => "SELECT pid FROM pg_stat_activity WHERE application_name = 'workload' LIMIT 1",
		'restarts'
	],
	[
		'the checkpointer',
		KILL => "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
		'restarts'
	],
	[
		'the background writer',
		KILL => "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'",
		'restarts'
	]);

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	killed($arm, @$_) for @scenarios;
}
done_testing();

sub killed
{
	my ($arm, $name, $signal, $query, $restarts) = @_;
	my $run = $lab->begin(arm => $arm, seed => $seed,
		conf => $restarts ? ['restart_after_crash=on'] : []);
	my $title = "$arm, seed $seed: $signal to $name";

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	$run->workload;
	sleep 1.5 + rand;
	my $pid = $run->value($query);
	$pid = $run->{postmaster} if $pid eq 'postmaster';
	$run->mark_log;
	is(kill($signal => $pid), 1, $title);
	if ($restarts)
	{
		ok(SmgrAtomic::Crash::wait_for(120, sub { $run->log_text =~ /ready to accept connections/ }),
			'... the server comes back by itself');
	}
	else
	{
		ok(SmgrAtomic::Crash::wait_for(60, sub { $run->has_ended && !$run->processes }), '... all of it ends');
	}
	$run->end_clients;
	$run->kill_server;
	is($run->scan->{torn} + $run->scan->{damaged}, 0, '... no page is torn');

	ok($run->start, '... it starts again') or diag($run->why_it_failed);
	$run->verify;
	is(join("\n", @{ $run->{problems} }), '', '... sound');
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	cmp_ok($run->{acknowledged}, '>', 0, '... and there were some');
	$run->end;
	return;
}
