
# A page journal whose size was changed in the configuration, and a crash: the old
# one stays until there is another, and each step between leaves one that the
# next start can use.  And one elsewhere is given up after a crash too.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4');

my $library = build_library('hold_fsync.c');
my $elsewhere = create_volume('elsewhere', fs => 'ext4', size => '64M') . '/journals';
mkdir $elsewhere or die "mkdir: $!";
my $journal = "$elsewhere/smgr_atomic.journal";
my $node = new_node('main', volume => create_volume('data', fs => 'ext4', size => '1G'), mode => 'doublewrite',
	checksums => 1, conf => "shared_buffers = 1MB\nautovacuum = off\ncheckpoint_timeout = 1h\n"
	  . "smgr_atomic.journal_directory = '$elsewhere'\n");

my $sum = 0;

sub crash
{
	$node->safe_psql('postgres', 'CHECKPOINT; UPDATE t SET n = n + 1');
	$sum += 20000;
	$node->stop('immediate');
	return;
}

sub set
{
	my ($name, $value) = @_;
	$node->append_conf('postgresql.conf', "$name = $value\n");
	return;
}

# It has repaired so many batches, has this journal, and lost nothing.
sub starts
{
	my ($name, $batches, $directory) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($runs, $log) = try_start($node);

	ok($runs, "$name: starts") || diag $log;
	like($log, qr/page journal: $batches batches/, '... repaired');
	reach($node, 'active', $name);
	is($node->safe_psql('postgres', 'SELECT path FROM smgr_atomic_journal'), "$directory/smgr_atomic.journal", '... the journal');
	is($node->safe_psql('postgres', 'SELECT sum(n) FROM t'), $sum, '... nothing is lost');
	return;
}

my $some = qr/[1-9]\d*/;

$node->start;
settle($node);
$node->safe_psql('postgres', q{CREATE TABLE t AS SELECT g, 0 AS n, repeat('x', 100) AS f FROM generate_series(1, 20000) g; CHECKPOINT});

# ---- no room for the new one -----------------------------------------------------------

crash();
my $size = -s $journal;
set('smgr_atomic.journal_size', '48MB');
my ($runs, $log) = try_start($node);
ok(!$runs, 'no room for a journal of another size: does not start');
like($log, qr/page journal: $some batches/, '... pages were repaired');
like($log, qr/FATAL:  WAL since the last checkpoint has no full-page images.*could not write it full of zeroes: No space left on device/s,
	'... says why');
is(-s $journal, $size, '... the old one stays');
is(join(' ', glob "$elsewhere/*"), $journal, '... alone');
set('smgr_atomic.journal_size', '8MB');
starts('the old size again', $some, $elsewhere);

# ---- a crash at each step ----------------------------------------------------------------

# what is fsynced after: the marker, the new journal's name
for my $step ([ 'the marker is written', $node->data_dir, $some ], [ 'the new one has its name', $elsewhere, 0 ])
{
	my ($name, $held, $batches) = @$step;

	crash();
	set('smgr_atomic.journal_size', -s $journal == $size ? '16MB' : '8MB');
	my $before = -s $journal;
	launch_held($node, $library, $held);
	kill_cluster($node);
	release($node);
	is(-s $journal == $before, $held ne $elsewhere, "killed when $name");
	starts("killed when $name", $batches, $elsewhere);
	isnt(-s $journal, $before, '... the journal has its new size');
}

# ---- given up after a crash -----------------------------------------------------------------

for my $directory ('pgsql_tmp_smgr_atomic', $elsewhere, 'pgsql_tmp_smgr_atomic')
{
	crash();
	set('smgr_atomic.journal_directory', "'$directory'");
	starts("the journal in $directory", $some, $directory);
}

# ---- a server that would forget that an fsync has failed ---------------------------------------

crash();
set('data_sync_retry', 'on');
($runs, $log) = try_start($node);
ok(!$runs, 'data_sync_retry after a crash: does not start');
like($log, qr/FATAL:  WAL since the last checkpoint has no full-page images.*doublewrite needs data_sync_retry = off/s,
	'... says why');
set('data_sync_retry', 'off');
starts('without it', $some, 'pgsql_tmp_smgr_atomic');
stop_clean($node);
set('data_sync_retry', 'on');
$node->start;
is(images($node), 'on', 'data_sync_retry: images stay on');
like(status($node)->{reason}, qr/^doublewrite needs data_sync_retry = off/, '... it says why');

stop_clean($node);
done_testing();
