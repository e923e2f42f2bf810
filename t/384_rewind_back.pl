
# pg_rewind there and back: two servers change roles twice, and each former
# primary is rewound, once from the running new primary (in a pause, which
# pg_rewind asks for) and once from its files after a clean stop.  Before the
# second one the former primary crashed: pg_rewind has it recover first, in
# single-user mode, with the library.

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

there_and_back($_) for qw(direct doublewrite);
done_testing();

sub work
{
	my ($node, $transactions) = @_;
	my $load = start_load($node);
	wait_for_load($node, $transactions);
	return $load;
}

# The standby takes over while the primary goes its own way and crashes.
sub part
{
	my ($primary, $standby) = @_;
	my $load = work($primary, 100);

	$standby->promote;
	reach($standby, 'active', $standby->name . ', promoted');
	wait_for_load($primary, 100);
	kill_cluster($primary);
	stop_load($load);
	stop_load(work($standby, 100));
	return;
}

sub follow
{
	my ($node, $primary, $mode) = @_;

	follow_as_rewound($node, $primary);
	$node->start;
	$primary->wait_for_catchup($node, 'replay', $primary->lsn('insert'));
	balanced($node, $node->name . ', rewound');
	is(now($node)->{mode_in_force}, $mode, $node->name . ', rewound: pages are written atomically');
	return;
}

# A server that crashed recovers first: torn pages are repaired then.
sub rewinds
{
	my ($mode, $command, $name) = @_;
	my ($out, $err) = run_command($command);

	is($?, 0, "$mode: $name") or diag $err;
	like($err, qr/redo done at/, '... which recovered first');
	like($err, qr/page journal: [1-9]\d* batches, [1-9]\d* pages checked/, '... after repair') if $mode eq 'doublewrite';
	return;
}

sub there_and_back
{
	my ($mode) = @_;

	my $volume = create_volume($mode, size => '2G');
	my $one = new_node("one_$mode", mode => $mode, volume => $volume, streaming => 1, checksums => 1,
		conf => "shared_buffers = 4MB\nwal_keep_size = 256MB\nautovacuum = off\nsmgr_atomic.require = on\n");
	$one->start;
	init_bank($one, 1);
	reach($one, 'active', "$mode: one");
	$one->backup('base');
	my $two = node_from("two_$mode", $volume, $one, 'base', has_streaming => 1);
	$two->start;
	$one->wait_for_catchup($two);

	# ---- there: from a running source -------------------------------------------------

	part($one, $two);
	my @rewind = ('pg_rewind', '-D', $one->data_dir, '--source-server', $two->connstr('postgres'), '--no-sync');
	command_fails_like(\@rewind, qr/"?full_page_writes"? must be enabled/, 'a source with images off is refused');
	$two->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
	reach($two, 'paused', 'two');
	my $load = work($two, 20);
	rewinds($mode, \@rewind, 'pg_rewind of a server that crashed while active, from a source that works');
	stop_load($load);
	$two->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
	reach($two, 'active', 'two');
	follow($one, $two, $mode);

	# ---- and back: from the files of a source that has stopped ---------------------------

	part($two, $one);
	stop_clean($one);
	rewinds($mode, [ 'pg_rewind', '-D', $two->data_dir, '--source-pgdata', $one->data_dir, '--no-sync' ],
		'pg_rewind of the other one, from the files of a stopped source with images off');
	$one->start;
	reach($one, 'active', 'one');
	follow($two, $one, $mode);
	stop_load(work($one, 50));
	$one->wait_for_catchup($two, 'replay', $one->lsn('insert'));
	balanced($two, 'two, following again');
	$one->stop;
	$two->stop;
	command_ok([ 'pg_checksums', '--check', '-D', $_->data_dir ], $_->name . ': every page is whole') for $one, $two;
	return;
}
