
# A place whose disk is full cannot be asked what it promises: nothing changes
# until it can.

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

my $small = create_volume('small', size => '320M');
my $node  = new_node('main', volume => create_volume('data', size => '1G'), conf => "autovacuum = off\n");
$node->start;
mkdir "$small/space" or die "mkdir: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$small/space'");
reach($node, 'active', 'started');

open my $file, '>', "$small/filler" or die "filler: $!";
for my $size (2**20, 4096)
{
	1 while (syswrite($file, 'x' x $size) // 0) == $size;
}
close $file;

# the journal is better here, so mode auto means another method
my $position = log_position($node);
set_mode($node, 'auto');
$node->wait_for_log(qr{WARNING:  smgr_atomic: storage cannot be checked: pg_tblspc/\d+/.*No space left}, $position);
like(log_since($node, $position), qr/DETAIL:  Nothing changes; page writes stay atomic/, 'and what that means');
is_deeply([ @{ now($node) }{qw(state full_page_writes mode_in_force)} ],
	[qw(active off direct)], 'full: nothing changes');
is(place($node, 'small')->{verdict}, 'none', 'full: its promise is not known');

unlink "$small/filler" or die "unlink: $!";
wait_until('the method to change', sub { now($node)->{mode_in_force} eq 'doublewrite' });
reach($node, 'active', 'space: asked again, without a reload');
is(scalar(() = log_since($node, $position) =~ /storage cannot be checked/g), 1, 'the message came once');
stop_clean($node);

done_testing();
