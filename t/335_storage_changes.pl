
# Method doublewrite, and storage that changes: a tablespace that comes to lie on
# a filesystem the page journal is not proven on, by another link or another
# mount, under a running server and between restarts; one mounted at another
# place; one remounted read-only.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4', 'tmpfs');

my $data   = create_volume('data',   fs => 'ext4', size => '1G');
my $space  = create_volume('space',  fs => 'ext4', size => '300M');
my $spare  = create_volume('spare',  fs => 'ext4', size => '50M');
my $memory = create_volume('memory', fs => 'tmpfs', size => '200M');

# nobody but the test's sessions and checkpoints writes pages
my $node = new_node('main', volume => $data, checksums => 1, conf => "shared_buffers = 8MB\nautovacuum = off\n"
	  . "checkpoint_timeout = 1h\nbgwriter_lru_maxpages = 0\nsmgr_atomic.mode = doublewrite\n"
	  . "smgr_atomic.journal_size = 8MB\nsmgr_atomic.writers = 1\n");
$node->start;
reach($node, 'active', 'started');

sub sql { return $node->safe_psql('postgres', $_[0]) }

mkdir "$space/ts" or die "mkdir: $!";
sql("CREATE TABLESPACE ts LOCATION '$space/ts'");
sql(q{CREATE TABLE s TABLESPACE ts AS SELECT i, 0 v, repeat('x', 80) f FROM generate_series(1, 20000) i;
	CREATE TABLE other AS SELECT i, 0 v, repeat('x', 80) f FROM generate_series(1, 200000) i});
my ($file) = block_in_file($node, 's', 0);
my $sum = 0;
my $update = 'UPDATE s SET v = v + 1 WHERE i % 500 = 0';

my $refusal = qr/file "pg_tblspc[^"]*" is on storage where the page journal protects no pages \(target block \d+\)/;
my $unproven = qr/the page journal has not been proven on tmpfs; use XFS or ext4/;

# All processes close their files, as they do now and then; nothing is left in
# the journal either.
sub close_files
{
	sql('CREATE DATABASE barrier');
	sql('DROP DATABASE barrier');
	sql('CHECKPOINT');
	return;
}

# What is on tmpfs is a copy, up to date, so that only page writes can complain.
my $copy = "$memory/ts/" . $file =~ s{^pg_tblspc/\d+/}{}r;
my $copied;

sub copy_to_memory
{
	system_or_bail('rm', '-rf', "$memory/ts");
	system_or_bail('cp', '-a', "$space/ts", "$memory/ts");
	$copied = `md5sum < $copy`;
	return;
}

sub copy_is_untouched
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(`md5sum < $copy`, $copied, "$name: not one byte was written there");
}

my ($link) = glob $node->data_dir . '/pg_tblspc/*';

sub point_link
{
	my ($to) = @_;
	unlink $link or die "unlink: $!";
	symlink $to, $link or die "symlink: $!";
	return;
}

my %swap = (
	'other link' => [ sub { point_link("$memory/ts") }, sub { point_link("$space/ts") } ],
	'mounted over' => [ sub { cover_volume('space', with => 'memory') }, sub { uncover_volume('space') } ]);

sub nothing_lost
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql('SELECT sum(v) FROM s'), $sum, "$name: nothing is lost");
}

# ---- under the running server ------------------------------------------------------

for my $how (sort keys %swap)
{
	my ($swap, $back) = @{ $swap{$how} };

	close_files();
	copy_to_memory();
	sql($update);
	$sum += 40;
	my $position = log_position($node);
	my $errors   = counters($node)->{errors};
	$swap->();
	my ($status) = $node->psql('postgres', 'CHECKPOINT');
	isnt($status, 0, "$how: the checkpoint fails");
	like(log_since($node, $position),
		qr/ERROR:  $refusal\n.*DETAIL:  .*was not written.*$unproven.*\n.*HINT:  Move the tablespace back/,
		"$how: names file, block, reason and the way out");
	cmp_ok(counters($node)->{errors}, '>', $errors, "$how: is counted");
	is(shown($node), 'off', "$how: images are as they were");

	# nor can it be left by a reload while there are pages to write
	$position = log_position($node);
	$node->reload;
	$node->wait_for_log($refusal, $position);
	is(now($node)->{state}, 'disarming', "$how, reload: state");
	like(now($node)->{reason}, $unproven, "$how, reload: reason");
	$back->();
	copy_is_untouched($how);
	$node->reload;
	reach($node, 'active', "$how, put back");
	sql('CHECKPOINT');
	nothing_lost("$how, put back");

	# without any a reload demotes
	close_files();
	copy_to_memory();
	$swap->();
	$node->reload;
	reach($node, 'off', "$how, reload, nothing to write");
	$back->();
	$node->reload;
	reach($node, 'active', "$how, put back");

	# the server crashes before it is put back
	close_files();
	copy_to_memory();
	sql("$update; UPDATE other SET v = v + 1 WHERE i % 50 = 0");    # of more pages than there are buffers
	$sum += 40;
	$node->stop('immediate');
	$swap->();
	my ($runs, $log) = try_start($node);
	ok(!$runs, "$how after a crash: does not start");
	like($log, qr/FATAL:  WAL since the last checkpoint has no full-page images.*\n.*DETAIL:  .*$unproven/,
		"$how after a crash: says why");
	$back->();
	($runs, $log) = try_start($node);
	ok($runs, "$how after a crash, put back: starts");
	like($log, qr/page journal: [1-9]\d* batches/, "$how after a crash, put back: is repaired");
	reach($node, 'active', "$how after a crash, put back");
	nothing_lost("$how after a crash, put back");

	# between restarts
	$node->stop;
	copy_to_memory();
	$swap->();
	$node->start;
	is(status($node)->{state}, 'off', "$how between restarts: state");
	is(shown($node), 'on', "$how between restarts: images on");
	like(now($node)->{reason}, $unproven, "$how between restarts: reason");
	$node->stop;
	$back->();
	$node->start;
	reach($node, 'active', "$how between restarts, put back");
}

# ---- pages that were accepted before -------------------------------------------------

# The server panics, and does not start until the tablespace is back.
sub panics
{
	my ($name, $pattern, $position) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	wait_for_end($node, qr/WAL since the last checkpoint has no full-page images/, $position);
	like(log_since($node, $position), $pattern, "$name: PANIC");
	point_link("$space/ts");
	$node->start;
	reach($node, 'active', "$name, put back");
	nothing_lost("$name, put back");
	return;
}

# The journal is large enough for all of it, so that no file is synced too early.
# A session has the file open; the writer, that has closed it, opens it anew.
$node->append_conf('postgresql.conf', "shared_buffers = 1MB\nrestart_after_crash = on\nsmgr_atomic.journal_size = 64MB\n");
$node->restart;
reach($node, 'active', 'restarted');
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query('UPDATE s SET v = v + 1');
$sum += 20000;
sql('CHECKPOINT');
copy_to_memory();
my $writer = worker_pid($node, 'smgr_atomic writer 1');
wait_until('the writer to have closed the file',
	sub { !grep { (readlink // '') =~ m{^\Q$space\E/ts/} } glob "/proc/$writer/fd/*" });
point_link("$memory/ts");
my $position = log_position($node);
eval { $session->query('UPDATE s SET v = v + 1') };
eval { $session->quit };
panics('accepted, not written', qr/PANIC:  $refusal\n.*DETAIL:  A page that was accepted.*$unproven/, $position);

# All pages are written; what remains is to sync the file.
sql('CHECKPOINT');
sql('UPDATE s SET v = v + 1');
$sum += 20000;
sql('CREATE EXTENSION pg_buffercache');
wait_until('the pages of the table to leave shared buffers', sub {
	sql(q{SELECT count(*) FROM generate_series(0, 999) b, LATERAL (SELECT FROM other WHERE ctid = format('(%s,1)', b)::tid) o});
	return sql(q{SELECT NOT EXISTS (SELECT FROM pg_buffercache WHERE isdirty AND relfilenode = pg_relation_filenode('s'))
		AND (SELECT used + in_flight = 0 FROM smgr_atomic_pool)}) eq 't' });
copy_to_memory();
$position = log_position($node);
point_link("$memory/ts");
$node->psql('postgres', 'CHECKPOINT');
panics('written, not synced', qr/PANIC:  could not fsync file "pg_tblspc[^"]*" for the page journal: $unproven\n.*DETAIL:  Copies of its pages/,
	$position);

# ---- mounted at another place --------------------------------------------------------

$node->stop;
cover_volume('spare', with => 'space');
cover_volume('space', with => 'memory');
point_link("$spare/ts");
$node->start;
reach($node, 'active', 'mounted at another place');
sql("$update; CHECKPOINT");
$sum += 40;
$node->stop;
uncover_volume($_) for 'space', 'spare';
point_link("$space/ts");
$node->start;
reach($node, 'active', 'and back');
nothing_lost('mounted at another place, and back');

# ---- read-only -----------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_buffers = 96MB\n");    # nothing is evicted
$node->append_conf('postgresql.conf', "io_method = sync\n") if $node->pg_version >= 18;    # workers keep files open
$node->restart;
reach($node, 'active', 'restarted');
sql("SELECT count(*) FROM s; $update");
$sum += 40;
# the kernel does not do it while files are open for writing
for my $try (1 .. 30)
{
	sql('CREATE DATABASE barrier');
	sql('DROP DATABASE barrier');
	sql($update);
	$sum += 40;
	last if eval { remount_volume('space', mount_options => 'ro', in_place => 1); 1 };
	die $@ if $try == 30;
}
$position = log_position($node);
my $postmaster = $node->{_pid};
my ($status) = $node->psql('postgres', 'CHECKPOINT');
isnt($status, 0, 'read-only: the checkpoint fails');
like(log_since($node, $position),
	qr/ERROR:  could not open file "pg_tblspc[^"]*" \(target block \d+\): Read-only file system/,
	'read-only: names file and block');
unlike(log_since($node, $position), qr/PANIC/, 'read-only: the server goes on');
is(sql('SELECT count(*) FROM other'), 200000, 'read-only: other tables can be read');
is(now($node)->{state}, 'active', 'read-only: state');
remount_volume('space', mount_options => 'rw', in_place => 1);
sql('CHECKPOINT');
nothing_lost('writable again');
$node->restart;
nothing_lost('writable again, restarted');
reach($node, 'active', 'restarted');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smgr_atomic_torn_pages('s')}), 0, 'every page is whole');
stop_clean($node);

# ---- options that matter to one method, not to the other -----------------------------

remount_volume('data', mount_options => 'data=journal');
$node->start;
reach($node, 'active', 'ext4 data=journal');
is(now($node)->{mode_in_force}, 'doublewrite', 'ext4 data=journal: the page journal serves');
sql("$update; CHECKPOINT");
$sum += 40;
set_mode($node, 'direct');
reach($node, 'off', 'ext4 data=journal, direct');
like(now($node)->{reason}, qr/base: ext4 data=journal silently loses the guarantee; mount without data=journal/,
	'ext4 data=journal, direct: the reason');
set_mode($node, 'doublewrite');
reach($node, 'active', 'ext4 data=journal, doublewrite again');
nothing_lost('ext4 data=journal');
stop_clean($node);

done_testing();
