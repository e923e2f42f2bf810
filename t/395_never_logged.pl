
# A page that the server has initialised without saying so in WAL, on a block of
# which WAL since the last redo point has older records: after a crash redo must
# get past these.  Stock does, by the image in the first of them; stock without
# images does not, which is the control.
#
# The block is one of a table that was truncated and extended again, where a
# serialization failure came before the new row was logged.  A checkpoint writes
# the page and is held before it completes.

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

my $library = build_library('hold_fsync.c');
my $volume  = create_volume('data', size => '2G');
my $node;

for my $checksums (0, 1)
{
	my $with = $checksums ? 'checksums' : 'no checksums';

	make("stock_$checksums", $checksums, preload => 0, conf => "full_page_writes = on\n");
	ok(survives('table'), "stock, images on, $with: starts");
	make("unsafe_$checksums", $checksums, preload => 0, conf => "full_page_writes = off\n");
	ok(!survives('table'), "stock, images off, $with: does not start");
	like(slurp_file($node->logfile), qr/PANIC:  (?:invalid lp|offnum out of range)/, '... because a record does not fit the page');
	for my $mode (qw(direct doublewrite))
	{
		make("${mode}_$checksums", $checksums, mode => $mode);
		reach($node, 'active', "$mode, $with");
		my $from = sql('SELECT pg_current_wal_insert_lsn()');
		ok(survives('table'), "$mode, $with: starts");
		reach($node, 'active', "$mode, $with, started again");
		goes_on("$mode, $with");
		is(images_of_t($from), 1, "... the page was logged");

		# as an XLOG_FPI, which would make a file that the start is to make
		sql('ALTER SYSTEM SET smgr_atomic.wal_interlock = off');
		$node->reload;
		ok(survives('unlogged table'), "$mode, $with, unlogged table: starts");
		is(sql('SELECT count(*) FROM t'), '0', '... and is empty');
		stop_clean($node);
	}
}
standby_follows($_) for qw(direct doublewrite);
done_testing();

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub make
{
	my ($name, $checksums, %options) = @_;

	$node->stop('immediate') if $node && $node->{_pid};
	$node = new_node(
		$name, %options,
		volume    => $volume,
		checksums => $checksums,
		conf      => "wal_level = replica\nwal_keep_size = 256MB\nshared_buffers = 1MB\nautovacuum = off\nbgwriter_lru_maxpages = 0\n"
		  . "checkpoint_timeout = 1h\n" . ($options{conf} // ''));
	start_holding($node, $library);
	return;
}

# An empty, initialised page with LSN 0 at the block where the rows of t were.
sub leave_unlogged_page
{
	my ($kind) = @_;

	sql('DROP TABLE IF EXISTS t, u');
	sql("CREATE $kind t (v int)");
	sql('CREATE TABLE u (v int)');
	sql('INSERT INTO t SELECT generate_series(1, 10); CHECKPOINT');
	sql($_) for 'DELETE FROM t', 'VACUUM t';
	is(sql(q{SELECT pg_relation_size('t')}), 0, '... the rows were removed and their block truncated');

	my %session = map { $_ => $node->background_psql('postgres', on_error_stop => 0) } qw(reader pivot);
	$_->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE') for values %session;
	$session{reader}->query_safe('SELECT count(*) FROM t');
	$session{pivot}->query_safe('SELECT count(*) FROM u');
	sql('BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO u VALUES (1); COMMIT');
	$session{pivot}->query('INSERT INTO t VALUES (0)');    # fails: could not serialize access
	is(sql(q{SELECT pg_relation_size('t')}), 8192, '... a failed insert has extended the table');
	$_->quit for values %session;
	return;
}

# Crash before the checkpoint that has written the page is complete; does it start?
sub survives
{
	my ($kind) = @_;

	leave_unlogged_page($kind);

	# no checkpoint writes a page of an unlogged table, but it leaves the buffers
	sql('CREATE TABLE filler (f text); INSERT INTO filler SELECT repeat(md5(i::text), 30) FROM generate_series(1, 5000) i')
	  if $kind =~ /unlogged/;
	my $held = hold($node);
	my $checkpoint = start_checkpoint($node);
	$held->();
	$node->stop('immediate');
	eval { $checkpoint->finish };
	release($node);
	return start_holding($node, $library, fail_ok => 1);
}

# A standby has the page from the record, and what is logged later fits it.
sub standby_follows
{
	my ($mode) = @_;

	make("primary_$mode", 0, mode => $mode, streaming => 1);
	reach($node, 'active', "$mode, primary");
	$node->backup('base');
	my $standby = node_from("standby_$mode", $volume, $node, 'base', has_streaming => 1);
	$standby->start;
	leave_unlogged_page('table');
	sql('CHECKPOINT');
	$node->restart;    # so that VACUUM sees the page as it was written
	sql($_) for 'VACUUM (TRUNCATE off) t', 'INSERT INTO t VALUES (1)';
	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', q{SELECT count(*) || ' ' || pg_relation_size('t') FROM t}),
		'1 8192', "$mode: a standby follows");
	stop_clean($node);
	$standby->stop;
	return;
}

# The block is used as any other.
sub goes_on
{
	my ($name) = @_;

	is(sql('SELECT count(*) FROM t'), 0, "$name: the table is empty");
	sql('INSERT INTO t VALUES (1)');
	sql('VACUUM t');
	is(sql('SELECT count(*) FROM t'), 1, '... and can be filled again');
	return;
}

# Records of ours with the page of t in WAL since then.
sub images_of_t
{
	my ($from) = @_;
	my $file = sql(q{SELECT pg_relation_filenode('t')});
	my ($out) = SmgrAtomic::Contract::waldump($node, '-s', $from);

	return scalar grep { /^rmgr: custom128 .*desc: UNKNOWN \(10\) .*\/$file blk 0 FPW/ } split /\n/, $out;
}
