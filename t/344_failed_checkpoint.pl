
# A checkpoint fails while images are off, after its sync phase: the next one
# has an interlock record of its own, though it has no page to write.

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
	conf   => "wal_level = replica\nautovacuum = off\nbgwriter_lru_maxpages = 0\n"
	  . "checkpoint_timeout = 1h\nmax_prepared_transactions = 2\n");
$node->start;
reach($node, 'active', 'started');

# Files of prepared transactions are written after everything was synced.
my $directory = $node->data_dir . '/pg_twophase';

for my $failures (1, 2)
{
	$node->safe_psql('postgres',
		"CREATE TABLE t$failures AS SELECT generate_series(1, 1000) i; CHECKPOINT");
	$node->safe_psql('postgres',
		"BEGIN; INSERT INTO t$failures VALUES (0); PREPARE TRANSACTION 'p$failures'");
	chmod 0, $directory or die "chmod: $!";
	for (1 .. $failures)
	{
		my ($status, undef, $error) = $node->psql('postgres', 'CHECKPOINT');
		isnt($status, 0, "a checkpoint fails, $_ of $failures");
	}
	chmod 0700, $directory or die "chmod: $!";
	like(slurp_file($node->logfile), qr/ERROR:  could not .*pg_twophase/, 'because of a prepared transaction');

	my $from = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$node->safe_psql('postgres', 'CHECKPOINT');
	my @records = wal_records($node, $from);
	is(scalar(grep { $_->{what} eq 'checkpoint' && !$_->{on} } @records), 1, 'the next one completes');
	is(control($node), 'off', 'with images off');
	my ($checkpoint) = grep { $_->{what} eq 'checkpoint' } @records;
	my @interlock = grep { $_->{what} eq 'interlock' && $_->{lsn} >= $checkpoint->{redo}
		  && $_->{lsn} < $checkpoint->{lsn} } @records;
	is(scalar(@interlock), 1, 'with one interlock record between its redo point and its end');
	$node->safe_psql('postgres', "COMMIT PREPARED 'p$failures'");
}

# and so nobody replays WAL from there who should not
$node->stop('immediate');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
my ($runs, $log) = try_start($node);
ok(!$runs, 'without the library the server does not start after a crash');
like($log, qr/resource manager with ID 128 not registered/, 'and says why');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
$node->start;
is($node->safe_psql('postgres', 'SELECT sum(i) FROM t2'), 500500, 'with it nothing is lost');
reach($node, 'active', 'started again');
stop_clean($node);

done_testing();
