
# Power is cut in every state of the machine and at every step between them, with
# each mode: nothing is lost, nothing is damaged.  The states are those in which
# t/310 kills the server, held in the same way; the load is that of the other
# power cuts.
#
# CRASH_SEED repeats a run's cuts.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Moments;
use Test::More;

need_root();
need_torn_free_xfs();
my $seed    = SmgrAtomic::Crash::first_seed();
my $library = build_library('hold_fsync.c');
my $lab     = SmgrAtomic::Crash->new;

# What SmgrAtomic::Contract asks of a server.
{
	package SmgrAtomic::Crash::Run;

	sub safe_psql { return $_[0]->value($_[2]) }
	sub data_dir  { return $_[0]{data} }
	sub host      { return $_[0]{dir} }
	sub port      { return 5432 }
}

for my $mode (qw(direct doublewrite))
{
	my $split = 0;

	# a held checkpoint keeps the journal's sections, so it is not a small one
	$SmgrAtomic::Crash::arms{states} = {
		title => "smgr_atomic, states, $mode",
		conf  => [ 'shared_preload_libraries=smgr_atomic', 'smgr_atomic.journal_size=64MB', 'checkpoint_timeout=1h', 'max_wal_size=4GB' ],
		flips => 1
	};
	for my $moment (moments($mode))
	{
		subtest "$mode, power is cut when $moment->{name}" => sub { $split += cut_at($mode, $moment, ++$seed) };
	}
	cmp_ok($split, '>', 0, "$mode: the cuts did split writes");
}
done_testing();

# Returns how many writes the cut has split.
sub cut_at
{
	my ($mode, $moment, $number) = @_;
	my $run = $lab->begin(arm => 'states', seed => $number);

	{
		local $ENV{LD_PRELOAD} = $library;
		$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	}
	prepare($run, $moment);
	$run->workload(checkpoints => 0);
	wait_until('the load', sub { $run->value('SELECT count(*) FROM ledger') > 100 });
	bring_to($run, $moment);
	my $before = now($run);
	$run->cut_now(patience => 3);
	end_clients($run);
	$run->power_on;
	$run->recover_and_verify;
	note "seed $number: cut by $run->{cut}{last_cut} in $before->{state} since $before->{state_since}, $run->{split} writes split, "
	  . "$run->{torn} torn pages, $run->{acknowledged} commits, $run->{lost} lost";
	is(join("\n", @{ $run->{problems} }), '', "seed $number: sound after recovery");
	cmp_ok($run->{acknowledged}, '>', 100, '... commits were acknowledged');
	is($run->{lost}, 0, '... none of them lost');
	# while arming, pages that were written plainly before may still be on their way
	is($run->{torn} + $run->{damaged_before}, 0, '... no torn page even before recovery')
	  if $mode eq 'direct' && $moment->{is}[0] !~ /^(?:off|arming)$/;
	$run->end;
	return $run->{split};
}
