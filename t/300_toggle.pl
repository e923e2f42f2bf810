
# smgr_atomic.mode is changed under load, back and forth: nothing is lost, and
# every source that tells of full_page_writes agrees.

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

use constant FLIPS => 20;

my ($node, $session);

sub images_in_worker
{
	my $forced = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
	my $setting = $node->safe_psql('postgres', qq{
		SET $forced = on;
		SELECT current_setting('full_page_writes')});
	my $plan = $node->safe_psql('postgres', qq{
		SET $forced = on;
		EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT current_setting('full_page_writes')});
	return $plan =~ /Workers Launched: 1/ ? $setting : "no worker: $plan";
}

sub all_say
{
	my ($value, $name) = @_;
	subtest "$name: full_page_writes is $value" => sub {
		is(shown($node), $value, 'new session');
		is($session->query_safe('SHOW full_page_writes'), $value, 'old session');
		is(images_in_worker(), $value, 'parallel worker');
		is(now($node)->{full_page_writes}, $value, 'smgr_atomic_status');
		is(control($node), $value, 'pg_controldata');
	};
	return;
}

sub flips_under_load
{
	my ($mode) = @_;

	$node = new_node(
		$mode,
		mode   => $mode,
		volume => create_volume($mode, size => '2G'),
		conf   => "wal_level = replica\nshared_buffers = 2MB\nbgwriter_delay = 20ms\nwal_keep_size = 1GB\n");
	$node->start;
	init_bank($node, 2);
	reach($node, 'active', "$mode, started");

	# a session that is older than every change
	$session = $node->background_psql('postgres');

	my $start = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	my $load  = start_load($node);
	for my $flip (1 .. FLIPS)
	{
		my $off = $flip % 2;
		my $name = "$mode, flip $flip";
		my $since = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

		wait_for_load($node, 50);
		set_mode($node, $off ? 'off' : $mode);
		reach($node, $off ? 'off' : 'active', $name);
		is(now($node)->{mode_in_force}, $off ? 'off' : $mode, "$name: mode in force");
		is($node->safe_psql('postgres', "SELECT state_since > '$since' FROM smgr_atomic_status"), 't', "$name: state_since has moved");
		if ($flip <= 4)
		{
			# "off" comes after a checkpoint with images, "active" right before one without
			$node->safe_psql('postgres', 'CHECKPOINT') unless $off;
			all_say($off ? 'on' : 'off', $name);
		}
		$session->quit if $flip == 4;
	}
	ok(stop_load($load), 'pgbench was running all the time');
	balanced($node, "$mode, " . FLIPS . ' flips');
	is(counters($node)->{errors}, 0, 'no errors');
	cmp_ok($node->safe_psql('postgres', 'SELECT pages FROM smgr_atomic_journal'), '>', 100, 'pages went through the journal')
	  if $mode eq 'doublewrite';
	my $end = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	unlike(slurp_file($node->logfile) =~ s/^.*ERROR:  canceling autovacuum task$//mgr,
		qr/\b(?:PANIC|ERROR|WARNING):/, 'nothing to complain about in the log');

	my @records = wal_records($node, $start, $end);
	is(scalar(grep { $_->{what} eq 'fpw' } @records), FLIPS, 'WAL has a record of each change');
	follows_contract(\@records, FLIPS . ' flips');

	stop_clean($node);
	return;
}

flips_under_load($_) for qw(direct doublewrite);
done_testing();
