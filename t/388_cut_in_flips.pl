
# Power is cut while smgr_atomic.mode is changed back and forth and pauses come
# and go, under load: whatever state the cut meets, the cluster recovers and
# nothing is lost.  Pages may be torn before recovery only while images are on.
# What the first cuts did not meet, images on or off, the next ones are aimed at:
# the changes stop while it is so.
#
# CRASH_SEED repeats a run's cuts, CRASH_CUTS makes more of them.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use SmgrAtomic::Node;
use Test::More;

need_root();
need_torn_free_xfs();
my $seed = SmgrAtomic::Crash::first_seed();
my $cuts = $ENV{CRASH_CUTS} // 2;
my $lab  = SmgrAtomic::Crash->new;

# Each change is waited for now and then only: a cut in the middle of a change
# that is taken back is as good as any.
my $flips_sql = <<'SQL';
\set pause random(0, 2)
\set patience random(0, 1500)
ALTER SYSTEM SET smgr_atomic.mode = off;
SELECT pg_reload_conf();
SELECT smgr_atomic_wait('off', :patience * interval '1 ms');
\sleep :patience ms
ALTER SYSTEM SET smgr_atomic.mode = MODE;
SELECT pg_reload_conf();
SELECT smgr_atomic_wait('active', '5 s');
\sleep :patience ms
\if :pause
SELECT smgr_atomic_pause('1 minute');
SELECT smgr_atomic_wait('paused', :patience * interval '1 ms');
SELECT smgr_atomic_resume();
SELECT smgr_atomic_wait('active', '5 s');
\sleep :patience ms
\endif
SQL

use constant MOST_CUTS => 10;

sub images_are
{
	my ($run) = @_;
	return $run->log_text =~ /.*smgr_atomic: full_page_writes is now (on|off)/s ? $1 : '';
}

# Stops the changes when images are as wanted; false if they do not stay so, as a
# change was under way.
sub hold
{
	my ($run, $wanted) = @_;
	my $changes = $run->{clients}[-1];

	return 0 unless images_are($run) eq $wanted;
	kill STOP => $changes;
	sleep 1;
	return 1 if images_are($run) eq $wanted;
	kill CONT => $changes;
	return 0;
}

cuts_in_flips($_) for qw(direct doublewrite);
done_testing();

sub cuts_in_flips
{
	my ($mode) = @_;
	my $flips = $flips_sql =~ s/MODE/$mode/r;
	my (%met, $split);

	# the mode is not among them: they go to the command line, and ALTER SYSTEM would change nothing
	$SmgrAtomic::Crash::arms{flips} = {
		title => "smgr_atomic, mode flips, $mode",
		conf  => [ 'shared_preload_libraries=smgr_atomic', 'smgr_atomic.journal_size=8MB' ],
		flips => 1
	};
	for my $number ($seed + 1 .. $seed + MOST_CUTS)
	{
		last if $number > $seed + $cuts && $met{on} && $met{off} && $split;
		my ($wanted) = $number > $seed + $cuts ? grep { !$met{$_} } qw(off on) : ();
		my $run = $lab->begin(arm => 'flips', seed => $number);

		$run->start or BAIL_OUT("the server does not start, see $run->{log}");
		$run->value('CREATE EXTENSION smgr_atomic');
		$run->mark_log;
		$run->workload(also => $flips);
		SmgrAtomic::Crash::wait_for(180, sub { $run->log_text =~ /is now on.*is now off.*is now on/s })
		  or BAIL_OUT('no changes of state');
		SmgrAtomic::Crash::wait_for(180, sub { hold($run, $wanted) }) or BAIL_OUT("images do not stay $wanted")
		  if $wanted;
		$run->cut_now;
		my $images = images_are($run);
		$run->power_on;
		$run->recover_and_verify;
		note "seed $number: cut by $run->{cut}{last_cut} with images $images, $run->{split} writes split, "
		  . "$run->{torn} torn pages, $run->{acknowledged} commits, $run->{lost} lost";
		is(join("\n", @{ $run->{problems} }), '', "$mode, seed $number: sound after recovery");
		is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
		is($run->{torn} + $run->{damaged_before}, 0, '... images were off: no torn page even before recovery')
		  if $images eq 'off' && $mode eq 'direct';
		$met{$images}++;
		$split += $run->{split};
		$run->end;
	}
	cmp_ok($split, '>', 0, "$mode: the cuts did split writes");
	ok($met{$_}, "$mode: $met{$_} cuts met images $_") for 'on', 'off';
	return;
}
