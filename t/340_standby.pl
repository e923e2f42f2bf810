
# Streaming replication between servers on torn-free storage: base backup,
# standby, cascade, promotion; and what the WAL of it looks like to tools.

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

my $xfs = create_volume('data', size => '3G');

my $primary = new_node('primary', volume => $xfs, streaming => 1,
	conf => "shared_buffers = 4MB\nwal_keep_size = 256MB\nautovacuum = off\n");
$primary->start;
init_bank($primary, 1);
reach($primary, 'active', 'primary');

# ---- base backup of a server that is writing without images --------------------

my $load = start_load($primary);
wait_for_load($primary, 100);
$primary->backup('from_primary');
stop_load($load);
command_ok([ 'pg_verifybackup', $primary->backup_dir . '/from_primary' ], 'the backup is whole');

my $standby = node_from('standby', $xfs, $primary, 'from_primary', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
balanced($standby, 'standby, from a backup taken under load');

my $now = now($standby);
is($now->{mode_in_force}, 'direct', 'standby: pages are written atomically');
is($now->{waits_for}, 'end of recovery', 'standby: waits for');
refused($standby, q{SELECT smgr_atomic_pause('1 minute')}, qr/recovery is in progress.*primary's business/s,
	'standby: pause is refused');

# ---- it follows, and a third one follows it ------------------------------------

$primary->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
reach($primary, 'paused', 'primary');
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
$standby->backup('from_standby');
my $third = node_from('third', $xfs, $standby, 'from_standby', has_streaming => 1);
$third->start;
$primary->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
reach($primary, 'active', 'primary');

$load = start_load($primary);
wait_for_load($primary, 300);
$primary->safe_psql('postgres', 'CHECKPOINT');
wait_for_load($primary, 100);
stop_load($load);
$primary->wait_for_catchup($standby);
$standby->wait_for_catchup($third, 'replay', $standby->lsn('replay'));
balanced($_, $_->name . ', following') for $standby, $third;
for my $node ($standby, $third)
{
	$node->safe_psql('postgres', 'CHECKPOINT');
	cmp_ok(counters($node)->{pages}, '>', 0, $node->name . ': pages written atomically');
	is(counters($node)->{delegated_off}, 0, $node->name . ': none is left to the server');
}

# ---- a standby that crashes goes on --------------------------------------------

$load = start_load($primary);
wait_for_load($primary, 200);
$standby->stop('immediate');
wait_for_load($primary, 50);
$standby->start;
stop_load($load);
$primary->wait_for_catchup($standby);
balanced($standby, 'standby after a crash');

# mode is changed on a standby: nothing happens before it is promoted
$standby->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$standby->reload;
ok($standby->poll_query_until('postgres', q{SELECT mode = 'off' FROM smgr_atomic_status}), 'standby: reloaded');
is(now($standby)->{mode_in_force}, 'direct', 'standby: mode off does not make its pages plain');
$standby->restart;
is(now($standby)->{mode_in_force}, 'direct', 'standby: nor does a restart');
is(now($standby)->{state}, 'disarming', 'standby: state with mode off');
$standby->append_conf('postgresql.conf', "smgr_atomic.mode = direct\n");
$standby->restart;

# ---- promotion -----------------------------------------------------------------

$primary->wait_for_catchup($standby);
$primary->stop;
$standby->promote;
reach($standby, 'active', 'promoted: arms by itself');
is(shown($standby), 'off', 'promoted: images off');
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'promoted');
$load = start_load($standby);
wait_for_load($standby, 200);
stop_load($load);
$standby->safe_psql('postgres', 'CHECKPOINT');
is(control($standby), 'off', 'promoted: pg_controldata');
balanced($standby, 'promoted');
$standby->wait_for_catchup($third, 'replay', $standby->lsn('insert'));
balanced($third, 'third, following the promoted one');
$third->stop;

# ---- what tools see of its WAL -------------------------------------------------

my @records = wal_records($standby, $standby->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()'));
cmp_ok(scalar(grep { $_->{what} eq 'interlock' } @records), '>', 0, 'pg_waldump shows the interlock record');
my ($stats) = waldump($standby, '--stats',
	'-s', $standby->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()'));
like($stats, qr/^custom128 +\d+/m, 'pg_waldump --stats counts it');

my $insert = 'SELECT pg_current_wal_insert_lsn()';

# ---- without the record --------------------------------------------------------

$standby->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = off\n");
$standby->restart;
reach($standby, 'active', 'wal_interlock off');
my $start = $standby->safe_psql('postgres', $insert);
$standby->safe_psql('postgres', 'UPDATE pgbench_tellers SET filler = filler; CHECKPOINT; CHECKPOINT');
@records = wal_records($standby, $start);
is(scalar(grep { $_->{what} eq 'interlock' } @records), 0, 'wal_interlock off: no interlock records');
cmp_ok(scalar(grep { $_->{what} eq 'checkpoint' && !$_->{on} } @records), '>', 0,
	'wal_interlock off: checkpoints with images off');
$standby->append_conf('postgresql.conf', "smgr_atomic.wal_interlock = on\n");
$standby->reload;
$start = $standby->safe_psql('postgres', $insert);
$standby->safe_psql('postgres', 'CHECKPOINT');
@records = wal_records($standby, $start);
cmp_ok(scalar(grep { $_->{what} eq 'interlock' } @records), '>', 0, 'wal_interlock on by a reload: there again');
stop_clean($standby);

done_testing();
