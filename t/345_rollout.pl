
# The library comes to a running pair of primary and standby, and leaves it
# again, in the order that the operations guide gives; and what happens in
# another order.

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

my $xfs     = create_volume('data', size => '2G');
my $primary = new_node('primary', volume => $xfs, streaming => 1, preload => 0,
	conf => "wal_keep_size = 256MB\nautovacuum = off\n");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION amcheck');
$primary->command_ok([ 'pgbench', '-i', '-q', 'postgres' ], 'a cluster without the library');
$primary->backup('stock');
my $standby = node_from('standby', $xfs, $primary, 'stock', has_streaming => 1);
$standby->start;

sub preload
{
	my ($node, $libraries, $more) = @_;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\n" . ($more // ''));
	$node->restart;
	return;
}

sub follows
{
	my ($name) = @_;
	my $load = start_load($primary);
	wait_for_load($primary, 100);
	stop_load($load);
	$primary->safe_psql('postgres', 'CHECKPOINT');
	$primary->wait_for_catchup($standby);
	balanced($standby, "$name: the standby follows");
	return;
}

# ---- in: standby first ------------------------------------------------------------

preload($standby, 'smgr_atomic');
follows('library on the standby');
is($standby->safe_psql('postgres', 'SHOW full_page_writes'), 'on', 'library on the standby: images on');
preload($primary, 'smgr_atomic', "smgr_atomic.mode = off\n");
$primary->safe_psql('postgres', 'CREATE EXTENSION smgr_atomic');
reach($primary, 'off', 'library on the primary, mode off');
follows('library on the primary, mode off');
is(places($primary), 'pg_default=software pg_global=software', 'the places can be looked at before');
set_mode($primary, 'auto');
reach($primary, 'active', 'mode auto');
follows('mode auto');
is(now($standby)->{mode_in_force}, 'doublewrite', 'the standby writes atomically');

# ---- out: primary first -----------------------------------------------------------

set_mode($primary, 'off');
reach($primary, 'off', 'mode off');
$primary->safe_psql('postgres', 'DROP EXTENSION smgr_atomic; ALTER SYSTEM RESET smgr_atomic.mode');
$primary->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
my $config = slurp_file($primary->data_dir . '/postgresql.conf') =~ s/^smgr_atomic\..*\n//gmr;
open my $file, '>', $primary->data_dir . '/postgresql.conf' or die "open: $!";
print $file $config;
close $file;
$primary->restart;
is(shown($primary), 'on', 'removed from the primary: images on');
follows('removed from the primary');
$standby->safe_psql('postgres', 'CHECKPOINT');    # a restart goes back to here
preload($standby, '');
follows('removed from the standby');
is($standby->safe_psql('postgres', 'SHOW shared_preload_libraries'), '', 'removed from the standby');

# ---- the wrong way round ----------------------------------------------------------

preload($primary, 'smgr_atomic', "smgr_atomic.mode = off\n");
$standby->wait_for_log(qr/max_worker_processes = \d+ is a lower setting than on the primary server/);
pass('the library on the primary only: its worker processes hold the standby up');
my $position = log_position($standby);
$standby->append_conf('postgresql.conf', "max_worker_processes = 20\n");
$standby->restart;
follows('with room for them');
$_->stop for $standby, $primary;

done_testing();
