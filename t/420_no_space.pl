
# What a writer lacks must not cost others anything, nor be forgotten: space in
# one tablespace (copy-on-write needs it), descriptors, memory.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use SmgrAtomic::Space;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

need_torn_free_xfs();

my $full = create_volume('full', size => '400M');
my $node = new_node(
	'main',
	volume => create_volume('data', size => '1G'),
	conf   => "shared_buffers = 16MB\nautovacuum = off\nbgwriter_lru_maxpages = 0\ncheckpoint_timeout = 1h\n"
	  . "smgr_atomic.write_behind_size = 512kB\n");
my $seconds = $PostgreSQL::Test::Utils::timeout_default;

$node->start;
reach($node, 'active', 'a small pool');
mkdir "$full/space" or die "mkdir: $!";
$node->safe_psql('postgres', $_) for (
	"CREATE TABLESPACE full_space LOCATION '$full/space'",
	q{CREATE TABLE here AS SELECT i, repeat('x', 100) f FROM generate_series(1, 2000) i});

# ---- no space in one tablespace ----------------------------------------------

# Takes the space, changes a table of that tablespace, and has checkpoints try until
# there are pages that wait for space, and go on to wait: XFS frees some when asked.
my $number = 0;
my $space;
sub fill
{
	my $table    = 'there' . ++$number;
	my $position = log_position($node);

	$node->safe_psql('postgres', $_) for (
		qq{CREATE TABLE $table WITH (fillfactor = 50) TABLESPACE full_space AS
			SELECT i, repeat('x', 1000) f FROM generate_series(1, 600) i},
		"VACUUM $table",    # its other forks need space, too
		'CHECKPOINT');
	$space = SmgrAtomic::Space->take("$full/filler");
	$node->safe_psql('postgres', "UPDATE $table SET i = -i");
	for (1 .. 20)
	{
		# it fails, or waits for space
		$node->psql('postgres', 'CHECKPOINT', timeout => 20, timed_out => \my $waits);
		last if stays_full();
		$node->psql('postgres', "UPDATE $table SET f = f", timeout => $seconds);
	}
	$node->wait_for_log(qr/WARNING:  could not write block \d+ in file "pg_tblspc.*: No space left on device/, $position)
	  if $number == 1;
	ok(has_no_space(), "$table: pages find no space");
	return $table;
}

sub has_no_space
{
	return $node->safe_psql('postgres', 'SELECT no_space > 0 FROM smgr_atomic_pool', timeout => $seconds) eq 't';
}

# For a second: pages are tried again every 0.2 s.
sub stays_full
{
	for (1 .. 10)
	{
		return 0 if !has_no_space();
		sleep 0.1;
	}
	return 1;
}

sub others_go_on
{
	my ($table) = @_;
	my $copy = "copy_$table";

	# a bulk load writes out its own pages, out of a small ring of buffers
	$node->safe_psql('postgres', "CREATE TABLE $copy AS SELECT i, repeat('y', 1000) f FROM generate_series(1, 6000) i",
		timeout => $seconds);
	is($node->safe_psql('postgres', "SELECT count(*), sum(i) FROM $copy", timeout => $seconds), '6000|18003000',
		"$table: meanwhile another tablespace is written");
	ok(has_no_space(), '... there is still no space');
	return;
}

my $table = fill();
others_go_on($table);
SKIP:
{
	skip 'reads come from the pool before 18', 1 if $node->pg_version < 18;
	skip 'no pg_buffercache', 1
	  if $node->psql('postgres', 'CREATE EXTENSION pg_buffercache') != 0;
	$node->safe_psql('postgres', "
		SELECT count(pg_buffercache_evict(bufferid)) FROM pg_buffercache
		WHERE relfilenode = pg_relation_filenode('$table') AND NOT isdirty");
	refused($node, "SELECT sum(i) FROM $table", qr/could not read block \d+ in file "pg_tblspc.*": its newest image waits for space/,
		'a page that waits cannot be read asynchronously');
}
$space->give_back;
ok($node->poll_query_until('postgres', 'SELECT no_space = 0 FROM smgr_atomic_pool'), 'space is there: pages are tried again');
$node->safe_psql('postgres', 'CHECKPOINT', timeout => $seconds);
is($node->safe_psql('postgres', "SELECT count(*), sum(i) FROM $table", timeout => $seconds), '600|-180300', '... nothing is lost');

$table = fill();
others_go_on($table);
$node->safe_psql('postgres', "DROP TABLE $table", timeout => $seconds);
ok($node->poll_query_until('postgres', 'SELECT no_space = 0 FROM smgr_atomic_pool'), 'no space: the table is dropped, its pages are gone');
$node->safe_psql('postgres', 'CHECKPOINT', timeout => $seconds);
$space->give_back;

# ---- no space in recovery ------------------------------------------------------
#
# With few buffers redo reads again what it has written, and that finds no space; the
# pool has room for all of it.  What the crash gives back, or XFS frees when asked, may
# be enough for redo after all: copy-on-write needs a page's space for a moment only.
# Then once more, but no page may wait for space in a server that is ready.
my @is_ready = ('pg_isready', '-q', '-h', $node->host, '-p', $node->port);
my $waits = 0;
for my $try (1 .. 10)
{
	$table = fill();
	$node->safe_psql('postgres', "UPDATE $table SET f = f", timeout => $seconds) for 1 .. 2;
	$node->stop('immediate');
	$node->append_conf('postgresql.conf', "shared_buffers = 256kB\nsmgr_atomic.write_behind_size = 8MB\n");
	my $started = log_position($node);
	system_or_bail('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-W', 'start');
	$waits = waits_in_recovery($started);
	unlike(log_since($node, $started), qr{FATAL:  (?!the database system is )|PANIC}, 'no space in recovery: it does not end');
	$space->give_back if $waits;
	wait_until_ready();
	last if $waits;
	ok(!has_no_space(), "... redo found space, try $try: none waits for it");
	$space->give_back;
	back_to_small_pool();
}
ok($waits, '... and waits');
is($node->safe_psql('postgres', "SELECT count(*), sum(i) FROM $table", timeout => $seconds), '600|-180300', '... until there is some, nothing is lost');
back_to_small_pool();

# True when a page found no space, and recovery has not ended 3 s later.
sub waits_in_recovery
{
	my ($started) = @_;
	my $no_space = qr/WARNING:  could not write block \d+ in file "pg_tblspc.*: No space left on device/;

	for (1 .. 10 * $seconds)
	{
		last if log_since($node, $started) =~ $no_space;
		return 0 if run_log(\@is_ready);
		sleep 0.1;
	}
	sleep 3;
	return !run_log(\@is_ready);
}

sub wait_until_ready
{
	for (1 .. $seconds)
	{
		last if run_log(\@is_ready);
		sleep 1;
	}
	$node->_update_pid(1);
	return;
}

sub back_to_small_pool
{
	$node->append_conf('postgresql.conf', "shared_buffers = 16MB\nsmgr_atomic.write_behind_size = 512kB\n");
	$node->restart;
	return;
}

# ---- no descriptors ----------------------------------------------------------

sub limit
{
	my ($what, $pid) = @_;
	system_or_bail('prlimit', '--pid', $pid, $what);
	return;
}

my $writer = worker_pid($node, 'smgr_atomic writer');
my $position = log_position($node);
my ($out, $err) = ('', '');
limit('--nofile=3:', $writer);
$node->safe_psql('postgres', 'UPDATE here SET i = i + 1');
my $checkpoint = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CHECKPOINT' ],
	'<', \undef, '>', \$out, '2>', \$err);
ok($node->wait_for_log(qr/WARNING:  could not open file "base.*" \(target block \d+\): Too many open files.*\n.*DETAIL:  A page .* waits/, $position),
	'no descriptors: a writer says so');
limit('--nofile=1024:', $writer);
$checkpoint->finish;
is($err, '', '... and goes on when there are some');
is(worker_pid($node, 'smgr_atomic writer'), $writer, '... the same one');

# ---- no memory ---------------------------------------------------------------
#
# At shutdown the writers have gone, and the checkpointer writes what is left.
my $checkpointer = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
$node->safe_psql('postgres', 'UPDATE here SET i = i + 1');
$position = log_position($node);
my ($kb) = slurp_file("/proc/$checkpointer/status") =~ /^VmSize:\s+(\d+) kB/m;
limit('--as=' . $kb * 1024 . ':', $checkpointer);
my $stop = IPC::Run::start([ 'pg_ctl', '-D', $node->data_dir, '-m', 'fast', '-t', $seconds, 'stop' ],
	'<', \undef, '>', \$out, '2>', \$err);
ok($node->wait_for_log(qr/LOG:  not enough memory to write pages of the write-behind pool/, $position),
	'no memory: who has to write says so');
limit('--as=unlimited:', $checkpointer);
$stop->finish;
is(control_value($node, 'Database cluster state'), 'shut down', '... and goes on when there is some');
$node->_update_pid(0);
$node->start;
is($node->safe_psql('postgres', 'SELECT sum(i) FROM here'), 2000 * 2001 / 2 + 2 * 2000, '... nothing is lost');
stop_clean($node);

done_testing();
