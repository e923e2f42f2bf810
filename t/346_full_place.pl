
# A place whose disk is full cannot be asked what it promises: nothing changes
# until it can.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Space;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $small = create_volume('small', size => '320M');
my $node  = new_node('main', volume => create_volume('data', size => '1G'), conf => "autovacuum = off\n");
$node->start;
mkdir "$small/space" or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$small/space'");
reach($node, 'active', 'started');

my $space = SmgrAtomic::Space->take("$small/filler");

# the journal is better here, so mode auto means another method
my $position = log_position($node);
set_mode($node, 'auto');
$node->wait_for_log(qr{WARNING:  smgr_atomic: storage cannot be checked: pg_tblspc/\d+/.*No space left}, $position);
like(log_since($node, $position), qr/DETAIL:  Nothing changes; page writes stay atomic/, 'and what that means');
is_deeply([ @{ now($node) }{qw(state full_page_writes mode_in_force)} ],
	[qw(active off direct)], 'full: nothing changes');
is(place($node, 'small')->{verdict}, 'none', 'full: its promise is not known');

$space->give_back;
wait_until('the method to change', sub { now($node)->{mode_in_force} eq 'doublewrite' });
reach($node, 'active', 'space: asked again, without a reload');
is(scalar(() = log_since($node, $position) =~ /storage cannot be checked/g), 1, 'the message came once');

# ---- the page journal, on a filesystem without atomic units ----------------------

my $plain = create_volume('plain', fs => 'ext4', size => '320M');
mkdir "$plain/space" or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE plain LOCATION '$plain/space'");
$node->safe_psql('postgres', 'CREATE TABLE far WITH (fillfactor = 50) TABLESPACE plain AS SELECT generate_series(1, 10000) i');
$node->safe_psql('postgres', 'VACUUM far; CHECKPOINT; CHECKPOINT');    # its other forks are there, too
reach($node, 'active', 'with a tablespace on ext4');
$space = SmgrAtomic::Space->take("$plain/filler");
$position = log_position($node);
$node->reload;
$node->wait_for_log(qr{WARNING:  smgr_atomic: storage cannot be checked: .*pg_tblspc/\d+/.*No space left}, $position);
is_deeply([ @{ now($node) }{qw(state full_page_writes mode_in_force)} ],
	[qw(active off doublewrite)], 'journal, full: nothing changes');

# WAL has no images, so a start must not write pages in another way, nor be refused
$node->safe_psql('postgres', 'UPDATE far SET i = -i WHERE i <= 10');
$node->append_conf('postgresql.conf', "smgr_atomic.require = on\n");
kill_cluster($node);
$node->start;
is(now($node)->{mode_in_force}, 'doublewrite', 'journal, full: starts after a crash, with the journal');
is($node->safe_psql('postgres', 'SELECT count(*) FROM far WHERE i < 0'), 10, '... and recovers');
is(now($node)->{state}, 'arming', '... images stay on');
$space->give_back;
reach($node, 'active', 'journal, space: asked again, without a reload');
stop_clean($node);

done_testing();
