
# Mode auto: the best that the storage gives.  Where the device has no atomic
# unit that is the page journal, also where XFS copy-on-write could do it; what
# cannot have a journal falls back to that, or to full-page images.

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
need_volumes('ext4', 'tmpfs');

my $conf = "smgr_atomic.mode = auto\nsmgr_atomic.journal_size = 8MB\n";

sub in_force
{
	my ($node, $method, $protection, $images, $name) = @_;
	my $status = status($node);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply(
		[ @$status{qw(mode mode_in_force protection full_page_writes)} ],
		[ 'auto', $method, $protection, $images ], $name) || diag explain $status;
	return $status;
}

# what each kind of storage gets
my %volume = (
	ext4 => create_volume('ext4', fs => 'ext4', size => '1G'),
	xfs  => create_volume('xfs',  fs => 'xfs',  size => '1G'),
	noreflink => create_volume('noreflink', fs => 'xfs', size => '1G', mkfs_options => '-m reflink=0'));
my %node;
for my $kind (sort keys %volume)
{
	my $node = $node{$kind} = new_node($kind, volume => $volume{$kind}, conf => $conf);
	$node->start;
	my $status = in_force($node, 'doublewrite', 'journal', 'off', "$kind: the page journal");
	like($status->{reason}, qr/^page journal in /, "$kind: and where it is");
	my $journal = fetch_row($node, 'SELECT * FROM smgr_atomic_journal');
	ok($journal->{open} && -s $node->data_dir . "/$journal->{path}" > $journal->{size}, "$kind: it is there")
	  or diag explain $journal;
}
my $memory = new_node('memory', volume => create_volume('memory', fs => 'tmpfs', size => '500M'), conf => $conf);
$memory->start;
like(in_force($memory, 'off', 'none', 'on', 'tmpfs: nothing, images are on')->{reason},
	qr/tmpfs.*; mode doublewrite cannot be used in ".*": the page journal has not been proven on tmpfs/,
	'tmpfs: both reasons are told');
ok(!-e $memory->data_dir . '/smgr_atomic.journal', 'tmpfs: no journal in use');
stop_clean($memory);

# a crash of the server, and one more with the method changed in between
my $ext4 = $node{ext4};
init_bank($ext4, 2);
$ext4->command_ok([ qw(pgbench -n -c 4 -t 200 postgres) ], 'ext4: some transactions');
$ext4->stop('immediate');
$ext4->start;
in_force($ext4, 'doublewrite', 'journal', 'off', 'ext4: after a crash');
balanced($ext4, 'ext4: after a crash');

# no restart is needed to switch off and on again
for my $round (1 .. 2)
{
	set_mode($ext4, 'off');
	reach($ext4, 'off', "ext4: off, round $round");
	is(shown($ext4), 'on', "ext4: images are on, round $round");
	$ext4->command_ok([ qw(pgbench -n -c 4 -t 100 postgres) ], "ext4: plain pages, round $round");
	set_mode($ext4, 'auto');
	reach($ext4, 'active', "ext4: auto, round $round");
	in_force($ext4, 'doublewrite', 'journal', 'off', "ext4: again, round $round");
	$ext4->command_ok([ qw(pgbench -n -c 4 -t 100 postgres) ], "ext4: journaled pages, round $round");
}
balanced($ext4, 'ext4: after these changes');
my $journal = fetch_row($ext4, 'SELECT * FROM smgr_atomic_journal');
cmp_ok($journal->{pages}, '>', 100, 'ext4: pages went through the journal');
cmp_ok($journal->{retirements}, '>', 0, 'ext4: and it was cleared');
cmp_ok($journal->{repair_checked}, '>', 0, 'ext4: repair had looked at some');

# switched on first while the server runs
$ext4->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$ext4->safe_psql('postgres', 'ALTER SYSTEM RESET smgr_atomic.mode');
$ext4->restart;
is(fetch_row($ext4, 'SELECT * FROM smgr_atomic_journal')->{path}, undef, 'ext4: no journal with mode off');
set_mode($ext4, 'auto');
reach($ext4, 'active', 'ext4: started with mode off, then auto');
$ext4->command_ok([ qw(pgbench -n -c 4 -t 200 postgres) ], 'ext4: journaled pages');
$ext4->stop('immediate');
$ext4->start;
in_force($ext4, 'doublewrite', 'journal', 'off', 'ext4: after a crash of that');
balanced($ext4, 'ext4: after a crash of that');

# from the journal to copy-on-write and back, over "off"
my $xfs = $node{xfs};
init_bank($xfs, 2);
set_mode($xfs, 'direct');
$xfs->poll_query_until('postgres',
	"SELECT state = 'active' AND mode_in_force = 'direct' FROM smgr_atomic_status") or die 'not direct';
is(status($xfs)->{protection}, 'software', 'XFS: copy-on-write when asked for by name');
$xfs->command_ok([ qw(pgbench -n -c 4 -t 100 postgres) ], 'XFS: pages by copy-on-write');
set_mode($xfs, 'auto');
$xfs->poll_query_until('postgres',
	"SELECT state = 'active' AND mode_in_force = 'doublewrite' FROM smgr_atomic_status") or die 'not doublewrite';
$xfs->stop('immediate');
$xfs->start;
in_force($xfs, 'doublewrite', 'journal', 'off', 'XFS: the journal again, after a crash');
balanced($xfs, 'XFS: after these changes');

# tablespaces on other storage need no atomic unit either, but a filesystem that is known
sub location
{
	my ($name, $mount) = @_;
	mkdir "$mount/$name" or die "mkdir: $!";
	return "$mount/$name";
}
$xfs->safe_psql('postgres', "CREATE TABLESPACE plain LOCATION '" . location('space', $volume{ext4}) . "'");
$xfs->safe_psql('postgres', 'CREATE TABLE far TABLESPACE plain AS SELECT generate_series(1, 10000) i; CHECKPOINT');
my $tmpfs = create_volume('tmpfs', fs => 'tmpfs', size => '100M');
refused($xfs, "CREATE TABLESPACE memory LOCATION '" . location('space', $tmpfs) . "'",
	qr/is not torn-free\nDETAIL:  the page journal has not been proven on tmpfs/,
	'a tablespace where the journal is of no use');
$xfs->restart;
in_force($xfs, 'doublewrite', 'journal', 'off', 'XFS with a tablespace on ext4');
is(places($xfs), 'pg_default=software pg_global=software plain=none', 'what the places promise by themselves');

# without a journal: what is left
for my $case (
	[ 'no pool', "smgr_atomic.write_behind_size = 0", qr/needs the write-behind pool/ ],
	[ 'in memory', "smgr_atomic.journal_directory = '$tmpfs'",
		qr/page journal ".*smgr_atomic\.journal": the page journal has not been proven on tmpfs/ ],
	[ 'no directory', "smgr_atomic.journal_directory = '$tmpfs/nowhere'", qr/page journal ".*nowhere/ ])
{
	my ($name, $setting, $reason) = @$case;

	for my $kind ('noreflink', 'xfs')
	{
		my $node = $node{$kind};

		$node->append_conf('postgresql.conf', "$setting\n");
		$node->safe_psql('postgres', 'DROP TABLE far; DROP TABLESPACE plain') if $kind eq 'xfs' && $name eq 'no pool';
		$node->restart;
		if ($kind eq 'xfs')
		{
			in_force($node, 'direct', 'software', 'off', "$kind, $name: copy-on-write");
		}
		else
		{
			like(in_force($node, 'off', 'none', 'on', "$kind, $name: images are on")->{reason},
				qr/XFS without reflink.*; .*$reason/, "$kind, $name: both reasons are told");
		}
		$node->append_conf('postgresql.conf',
			"smgr_atomic.write_behind_size = 4MB\nsmgr_atomic.journal_directory = 'pgsql_tmp_smgr_atomic'\n");
		$node->restart;
		in_force($node, 'doublewrite', 'journal', 'off', "$kind: with a journal again");
	}
}

stop_clean($_) for values %node;
done_testing();
