
# full_page_writes left to the user (smgr_atomic.manage_full_page_writes = off),
# set off by him, and smgr_atomic.mode changed while the server runs: pages
# become plain only when he has turned images on, and without that mode direct
# leads back to "active".

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

my $node = new_node(
	'main',
	volume => create_volume('data', size => '1G'),
	conf   => "wal_level = replica\nwal_keep_size = 256MB\nsmgr_atomic.manage_full_page_writes = off\nfull_page_writes = off\n");
$node->start;
init_bank($node, 1);
reach($node, 'active', 'started');
is(shown($node), 'off', 'started: images are off, as set');
my $load = start_load($node);

sub waits_for_the_user
{
	my ($name) = @_;
	ok( $node->poll_query_until('postgres', q{
			SELECT state = 'disarming' AND waits_for = 'full_page_writes, which is not managed, to be turned on'
			FROM smgr_atomic_status}),
		"$name: disarming, and says what it waits for");
	wait_for_load($node, 50);
	$node->safe_psql('postgres', 'CHECKPOINT');
	is(now($node)->{state}, 'disarming', "$name: a checkpoint is not enough");
	is(now($node)->{mode_in_force}, 'direct', "$name: pages stay atomic");
	return;
}

# Interlock records in WAL since then.
sub interlocks
{
	my ($from) = @_;
	$node->safe_psql('postgres', 'SELECT txid_current()');
	return scalar grep { $_->{what} eq 'interlock' } wal_records($node, $from);
}

sub set_images
{
	my ($change) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM $change;\nSELECT pg_reload_conf()");
	return;
}

# there and back, with images off all the time
for my $round (1, 2)
{
	set_mode($node, 'off');
	waits_for_the_user("round $round");
	set_mode($node, 'direct');
	reach($node, 'active', "round $round, mode direct again");
	is(now($node)->{waits_for}, '', "round $round: waits for nothing");
	is(shown($node), 'off', "round $round: images are as set");
	is($node->safe_psql('postgres', 'SELECT accepting FROM smgr_atomic_pool'), 't',
		"round $round: the pool takes pages again");
}

# a driver that dies in between
set_mode($node, 'off');
waits_for_the_user('a driver that dies');
my $pid = driver_pid($node);
kill TERM => $pid;
wait_until('the driver to end', sub { !kill 0 => $pid });
set_mode($node, 'direct');
reach($node, 'active', 'a driver that dies, mode direct again');

# the user turns images on: then, and only then, pages are plain
set_mode($node, 'off');
waits_for_the_user('images turned on');
set_images('SET full_page_writes = on');
reach($node, 'off', 'images turned on');
$node->safe_psql('postgres', 'CHECKPOINT');
is(control($node), 'on', 'images turned on: pg_controldata');
set_mode($node, 'direct');
reach($node, 'active', 'mode direct with images on');
is(shown($node), 'on', 'mode direct with images on: images are as set');
my $images_on = $node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');
is(interlocks($images_on), 0, 'images on: WAL has no interlock record');
set_images('RESET full_page_writes');
ok($node->poll_query_until('postgres', q{SELECT full_page_writes = 'off' FROM smgr_atomic_status}),
	'images turned off again');
$node->safe_psql('postgres', 'CHECKPOINT');
follows_contract([ wal_records($node, $images_on) ], '... and WAL says so, before and in the checkpoint after');

# a pause turns no images on here, and there is none while the user has them off
$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
is($node->safe_psql('postgres', q{SELECT smgr_atomic_wait('paused', '2 s')}), 'f', 'pause with images off: not paused');
is(now($node)->{state}, 'active', 'pause with images off: state');
set_mode($node, 'off');
waits_for_the_user('pause with images off');
set_mode($node, 'direct');
reach($node, 'active', 'pause with images off, armed again');
set_images('SET full_page_writes = on');
reach($node, 'paused', 'pause, images turned on');
is(control($node), 'on', 'pause, images turned on: says pg_controldata');
my $in_pause = $node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');
set_images('RESET full_page_writes');
reach($node, 'active', 'pause, images turned off in it');
is(shown($node), 'off', 'pause, images turned off in it: images are as set');
$node->safe_psql('postgres', 'CHECKPOINT');
follows_contract([ wal_records($node, $in_pause) ], '... and WAL says so');
$node->safe_psql('postgres', 'SELECT smgr_atomic_resume()');

# and the same with a crash in the middle
set_mode($node, 'off');
waits_for_the_user('crash');
kill_cluster($node);
stop_load($load);
my $position = log_position($node);
$node->start;
$node->wait_for_log(qr/full_page_writes is left as configured \(off\)/, $position);
is(now($node)->{mode_in_force}, 'direct', 'crash: the next start writes atomically, mode off or not');
balanced($node, 'crash');
set_mode($node, 'direct');
reach($node, 'active', 'crash, mode direct again');
is(counters($node)->{errors}, 0, 'no errors');

# the checkpointer has this setting on in the shutdown checkpoint, where no WAL may be
$node->append_conf('postgresql.conf', "exit_on_error = on\n");
$node->restart;
reach($node, 'active', 'exit_on_error');
my $from = $node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('postgres', 'CHECKPOINT');
is(interlocks($from), 1, 'exit_on_error: the record is in each checkpoint');
stop_clean($node);

done_testing();
