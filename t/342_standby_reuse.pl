
# A database that is dropped and created again under its old OID while WAL is
# replayed: files of the same names, but others.  The standby's writers must
# not write the new database's pages into the files of the old one.

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

my $xfs     = create_volume('data', size => '4G');
my $primary = new_node('primary', volume => $xfs, streaming => 1,
	conf => "wal_keep_size = 512MB\nautovacuum = off\nshared_buffers = 1MB\n");
$primary->start;
reach($primary, 'active', 'primary');
$primary->backup('base');
my $standby = node_from('standby', $xfs, $primary, 'base', has_streaming => 1);
$standby->start;

# Pages of t leave the standby's small buffers while it is filled, so its
# writer has the file open when the database goes.
for my $round (1 .. 6)
{
	$primary->safe_psql('postgres', 'CREATE DATABASE again OID = 99999 STRATEGY wal_log');
	$primary->safe_psql('again', $_) for (
		q{CREATE TABLE t (g int, filler text)},
		qq{INSERT INTO t SELECT g, repeat('$round', 400) FROM generate_series(1, 12000) g},
		q{UPDATE t SET g = -g WHERE g % 7 = 0});
	if ($round == 6)
	{
		$primary->wait_for_catchup($standby);
		last;
	}
	$primary->safe_psql('postgres', 'DROP DATABASE again');
}
my $digest = q{SELECT count(*), sum(g), sum(hashtext(filler)::bigint) FROM t};
my $path = $primary->safe_psql('again', q{SELECT pg_relation_filepath('t')});
note "file $path";
is($standby->safe_psql('again', $digest), $primary->safe_psql('again', $digest), 'rows on the standby');

$standby->restart;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('again', $digest), $primary->safe_psql('again', $digest), '... and after its restart');
my ($out, $err) = run_command([ 'pg_amcheck', '--no-strict-names', '--install-missing',
	'-h', $primary->host, '-p', $primary->port, 'again' ]);
is("$out$err", '', 'primary: pg_amcheck');
$primary->wait_for_catchup($standby);
($out, $err) = run_command([ 'pg_amcheck', '--no-strict-names',
	'-h', $standby->host, '-p', $standby->port, 'again' ]);
is("$out$err", '', 'standby: pg_amcheck');
$primary->stop;
$standby->stop;

done_testing();
