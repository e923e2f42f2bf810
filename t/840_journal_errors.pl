
# Method doublewrite, and calls that fail: copies in the page journal are kept
# until what they are copies of is durable, and no checkpoint completes over an
# error that some other process has been told of.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use Cwd qw(abs_path);
use Errno qw(EIO ENFILE);
use File::Path qw(remove_tree);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

need_volumes('ext4');

# nobody but the test's sessions and checkpoints writes pages; sections of the
# journal have room for 127
my $library = build_library('file_faults.c');
my $node = new_node('main', volume => create_volume('data', fs => 'ext4', size => '2G'), mode => 'doublewrite',
	checksums => 1, conf => "shared_buffers = 1MB\nautovacuum = off\ncheckpoint_timeout = 1h\nmax_wal_size = 2GB\n"
	  . "bgwriter_lru_maxpages = 0\nrestart_after_crash = off\nsmgr_atomic.writers = 2\n");
my $data = $node->data_dir;

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub start
{
	my ($name) = @_;
	unlink map { "$data/$_" } qw(test_fault test_faults test_hold_panic test_panicking);
	local $ENV{LD_PRELOAD} = $library;
	$node->start;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	reach($node, 'active', $name);
	return;
}

sub touch
{
	my ($name, $text) = @_;
	append_to_file("$data/$name.new", $text // '');
	rename "$data/$name.new", "$data/$name" or die "rename: $!";
	return;
}

sub faults { return (-s "$data/test_faults" // 0) / 2 }

# Statements in the background.
sub start_sql
{
	my @sql = @_;
	return IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), map { ('-c', $_) } @sql ],
		'<', \undef, '>', '/dev/null', '2>&1');
}

# The server ends by a PANIC, and all is there after the next start.
my $sum = 0;

sub panics
{
	my ($name, $pattern, $position) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	wait_until('the end of the server', sub { !-e "$data/postmaster.pid" });
	$node->_update_pid(0);
	like(log_since($node, $position), $pattern, "$name: PANIC");
	is_whole($name);
	return;
}

sub is_whole
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	my $position = log_position($node);
	start("$name, started again");
	like(log_since($node, $position), qr/page journal: [1-9]\d* batches/, '... repaired');
	is(sql('SELECT count(*) || chr(32) || sum(v) FROM victim'), "3000 $sum", '... nothing is lost');
	is(sql(q{SELECT count(*) FROM smgr_atomic_torn_pages('victim')}), 0, '... every page is whole');
	return;
}

start('started');
sql(q{CREATE TABLE victim WITH (fillfactor = 50) AS SELECT i, 0 v, repeat('v', 300) f FROM generate_series(1, 3000) i;
	CREATE TABLE other AS SELECT i, 0 v, repeat('x', 300) f FROM generate_series(1, 60000) i; CHECKPOINT});
my ($file) = block_in_file($node, 'victim', 0);
my $update = 'UPDATE victim SET v = v + 1';

# ---- an error that the retirer is told of ------------------------------------------

my $position = log_position($node);
touch('test_hold_panic');
touch('test_fault', 'await retirer ' . EIO . " 1 $file\n");
sql($update);
$sum += 3000;
wait_until('the retirer to panic', sub { -e "$data/test_panicking" });
my $latest = control_value($node, 'Latest checkpoint location');
my $checkpoint = start_checkpoint($node);
wait_until('the checkpointer to wait for it, or to be done', sub {
	$checkpoint->pump_nb;
	return !$checkpoint->pumpable || sql(q{SELECT count(*) FROM pg_stat_activity
		WHERE backend_type = 'checkpointer' AND wait_event = 'smgr_atomic_journal'}) == 1 });
is(control_value($node, 'Latest checkpoint location'), $latest, 'the retirer knows of an error: no checkpoint completes');
unlink "$data/test_hold_panic";
eval { $checkpoint->finish };
panics('an error of write-back', qr/PANIC:  could not write back blocks \d+ to \d+ in file "\Q$file\E": Input\/output error/, $position);

# ---- a write-back that cannot be started -------------------------------------------

$position = log_position($node);
touch('test_fault', 'start retirer ' . EIO . " 1 $file\n");
$sum += 3000 if eval { sql($update); 1 };
if (-e "$data/postmaster.pid")
{
	eval { sql('CHECKPOINT') };
}
wait_until('the fault', sub { faults() > 0 });
wait_until('the end of the server', sub { !-e "$data/postmaster.pid" });
like(log_since($node, $position), qr/PANIC:  could not write back blocks \d+ to \d+ in file "\Q$file\E": Input\/output error/,
	'a write-back that cannot be started: PANIC');
$node->_update_pid(0);
start('a write-back that cannot be started, started again');
$sum = sql('SELECT sum(v) FROM victim');
is($sum % 3000, 0, '... nothing is lost');

# ---- a page that is written by half ------------------------------------------------

# Its copy stays as long as the process has not ended; it is the only page of its
# batch.  Others fill the journal meanwhile, until there is no room, or until all
# they have is written; no session could ask which, it might have to write a page
# itself.
sql('CREATE TABLE single AS SELECT 1 i, 0 v');
sql('SELECT * FROM single; UPDATE single SET v = 0; CHECKPOINT');    # leaves nothing else to write
my ($single) = block_in_file($node, 'single', 0);
sql('CHECKPOINT');
$position = log_position($node);
touch('test_hold_panic');
touch('test_fault', "write writer 0 1 $single\n");
$checkpoint = start_sql('UPDATE single SET v = 1', 'CHECKPOINT');
wait_until('the writer to panic', sub { -e "$data/test_panicking" });
my $load = start_sql('UPDATE other SET v = v + 1');
my ($before, $same) = (0, 0);
wait_until('nothing more to be written to the journal', sub {
	my $now = (Time::HiRes::stat("$data/pgsql_tmp_smgr_atomic/smgr_atomic.journal"))[9];
	$same = $now == $before ? $same + 1 : 0;
	$before = $now;
	return $same >= 200 });
$node->stop('immediate');
eval { $load->finish };
eval { $checkpoint->finish };
is(faults() > 0, 1, 'a page was written by half');
is_whole('a page that was written by half');
is(sql('SELECT v FROM single'), 1, '... that one too');

# ---- a tablespace that is gone ------------------------------------------------------

# Its pages are written, but not synced; their copies stay when room is made.
mkdir "$data/../space" or die "mkdir: $!";
sql("CREATE TABLESPACE space LOCATION '" . abs_path("$data/../space") . "'");
sql(q{CREATE TABLE s TABLESPACE space AS SELECT i, 0 v, repeat('v', 300) f FROM generate_series(1, 1000) i;
	CREATE EXTENSION pg_buffercache});
sql('SELECT count(*) FROM other; SELECT count(*) FROM s; CHECKPOINT');    # reading them writes nothing from now on
sql('UPDATE s SET v = 1');
wait_until('the pages of the table to be written', sub {
	sql('SELECT count(*) FROM other');
	return sql(q{SELECT NOT EXISTS (SELECT FROM pg_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('s'))
		AND (SELECT used + in_flight = 0 FROM smgr_atomic_pool)}) eq 't' });
my ($version) = glob "$data/../space/PG_*";
rename $version, "$data/../space/away" or die "rename: $!";
$position = log_position($node);
eval { sql('UPDATE other SET v = v + 1; CHECKPOINT') };
wait_until('the end of the server', sub { !-e "$data/postmaster.pid" });
$node->_update_pid(0);
my $lost = qr/could not access "pg_tblspc\/\d+\/PG_\d+_\d+", where there are pages .*: No such file/;
like(log_since($node, $position), qr/PANIC:  $lost/, 'a tablespace that is gone: PANIC');
my ($runs, $log) = try_start($node);
ok(!$runs, '... does not start');
like($log, qr/FATAL:  $lost/, '... says why');
rename "$data/../space/away", $version or die "rename: $!";
is_whole('... put back');
is(sql('SELECT count(*) || chr(32) || sum(v) FROM s'), '1000 1000', '... its pages too');

# ---- another file in the journal's place ---------------------------------------------

# a process that opens it now must not write there
stop_clean($node);
$node->append_conf('postgresql.conf', "smgr_atomic.mode = off\n");
$node->start;
set_mode($node, 'doublewrite');
reach($node, 'active', 'a journal that the driver has opened');
sql($update);
$sum += 3000;
my $directory = "$data/pgsql_tmp_smgr_atomic";
system('cp', '-a', $directory, "$data/pgsql_tmp_copy") == 0 or die 'cp';
rename $directory, "$data/pgsql_tmp_away" or die "rename: $!";
rename "$data/pgsql_tmp_copy", $directory or die "rename: $!";
$position = log_position($node);
for my $number (1, 2)
{
	# one that had not opened it yet may have ended the server already
	my $writer = worker_pid($node, "smgr_atomic writer $number") // next;
	kill TERM => $writer;
	wait_until('a writer to end', sub { !kill 0 => $writer });
}
# no CHECKPOINT: the checkpointer has it open already, and would write the pages
eval { sql($update) };
wait_until('the end of the server', sub { !-e "$data/postmaster.pid" });
$node->_update_pid(0);
like(log_since($node, $position), qr/PANIC:  could not open again page journal ".*": Stale file handle/,
	'another journal in its place: PANIC');
remove_tree($directory);
rename "$data/pgsql_tmp_away", $directory or die "rename: $!";
start('... the first one is back');
my $before_it = $sum;
$sum = sql('SELECT sum(v) FROM victim');
is(sql('SELECT count(*) FROM victim'), 3000, '... no row is lost');
is(($sum - $before_it) % 3000, 0, '... nor half of the last update');
is(sql(q{SELECT count(*) FROM smgr_atomic_torn_pages('victim')}), 0, '... every page is whole');

# ---- no descriptors for a while ----------------------------------------------------

$position = log_position($node);
touch('test_fault', 'open retirer ' . ENFILE . " 40 $file\n");
for my $try (1 .. 100)
{
	last if faults() >= 40;
	sql($update);
	$sum += 3000;
}
cmp_ok(faults(), '>=', 40, 'no descriptors for a while');
unlike(log_since($node, $position), qr/PANIC|ERROR/, '... is waited for');
unlink "$data/test_fault";
$node->stop('immediate');
is_whole('... and then');
stop_clean($node);
done_testing();
