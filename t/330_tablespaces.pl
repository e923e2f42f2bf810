
# Tablespaces on storage that is not torn-free, made, dropped, or come about by
# moving directories, between restarts and under a running server.

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

my $xfs   = create_volume('data',  size => '1G');
my $ext4  = create_volume('ext4',  fs   => 'ext4', size => '500M');
my $tmpfs = create_volume('tmpfs', fs   => 'tmpfs', size => '200M');

sub directory
{
	my ($path) = @_;
	mkdir $path or die "mkdir $path: $!";
	return $path;
}

my $bad  = directory("$ext4/bad");
my $good = directory("$xfs/good");
my $node = new_node('main', volume => $xfs,
	conf => "wal_level = replica\nautovacuum = off\ncheckpoint_timeout = 1h\nallow_in_place_tablespaces = on\n");
$node->start;
reach($node, 'active', 'started');

sub sql { return $node->safe_psql('postgres', $_[0]) }

# ---- made while images are off -----------------------------------------------

refused($node, "CREATE TABLESPACE bad LOCATION '$_->[0]'",
	qr/ERROR:  tablespace location "\Q$_->[0]\E" is not torn-free\nDETAIL:  .*$_->[1].*\nHINT:  .*smgr_atomic_probe\(\).*on_unsafe_tablespace = demote/,
	"on $_->[1]: refused, says why and the ways out")
  for [ $bad, 'ext4' ], [ directory("$tmpfs/bad"), 'tmpfs' ];
is(sql(q{SELECT count(*) FROM pg_tablespace WHERE spcname = 'bad'}), 0, 'refused: no tablespace');
is_deeply([ glob("$bad/*") ], [], 'refused: nothing left in the directory');
is(now($node)->{state}, 'active', 'refused: still active');

sql(q{SELECT smgr_atomic_pause('1 hour')});
reach($node, 'paused', 'pause');
refused($node, "CREATE TABLESPACE bad LOCATION '$bad'", qr/is not torn-free/, 'refused in a pause, too');
sql('SELECT smgr_atomic_resume()');
reach($node, 'active', 'pause over');

# a link does not hide what it leads to
symlink $bad, "$xfs/link" or die "symlink: $!";
refused($node, "CREATE TABLESPACE bad LOCATION '$xfs/link'", qr/location "\Q$xfs\E\/link" is not torn-free/,
	'refused through a link');

# the server's own complaints come first
refused($node, q{CREATE TABLESPACE bad LOCATION '/nonexistent'}, qr/directory "\/nonexistent" does not exist/,
	'no such directory: the message of the server');
sql('CREATE ROLE nobody');
refused($node, "SET ROLE nobody; CREATE TABLESPACE bad LOCATION '$bad'",
	qr/permission denied to create tablespace/, 'no superuser: the message of the server');
is(now($node)->{state}, 'active', 'still active');

sql("CREATE TABLESPACE good LOCATION '$good'");
is(now($node)->{state}, 'active', 'on XFS: made, still active');
sql(q{CREATE TABLESPACE inside LOCATION ''});
is(now($node)->{state}, 'active', 'in place: made, still active');
is(places($node), 'good=software inside=software pg_default=software pg_global=software', 'all places');

# ---- demote ------------------------------------------------------------------

refused($node, "BEGIN; SET smgr_atomic.on_unsafe_tablespace = demote; CREATE TABLESPACE bad LOCATION '$bad'",
	qr/CREATE TABLESPACE cannot run inside a transaction block/, 'demote: not in a transaction');
is(now($node)->{state}, 'active', 'demote refused: still active');
refused($node, q{SET ROLE nobody; SET smgr_atomic.on_unsafe_tablespace = demote},
	qr/permission denied/, 'demote: not for everybody');

my ($status, undef, $err) = $node->psql('postgres',
	"SET smgr_atomic.on_unsafe_tablespace = demote;\nCREATE TABLESPACE bad LOCATION '$bad'",
	on_error_stop => 1);
is($status, 0, 'demote: made');
like($err, qr/NOTICE:  turning full-page images on for the whole cluster\nDETAIL:  .*\Q$bad\E.*ext4/,
	'demote: says what it does and why');
is(now($node)->{state}, 'off', 'demote: the cluster is demoted');
is(shown($node), 'on', 'demote: images are on');
is(control($node), 'on', 'demote: since before the last checkpoint');
# the driver looks again when the command has ended
ok($node->poll_query_until('postgres', q{SELECT reason ~ 'pg_tblspc/\d+.*ext4' FROM smgr_atomic_status}),
	'demote: the reason names the place');
sql('CREATE TABLE in_bad TABLESPACE bad AS SELECT generate_series(1, 5000) i; UPDATE in_bad SET i = i + 1; CHECKPOINT');
$node->reload;
$node->safe_psql('postgres', 'CHECKPOINT');
is(now($node)->{state}, 'off', 'demote: a reload changes nothing');
$node->restart;
is(status($node)->{state}, 'off', 'demote: nor does a restart');
is(shown($node), 'on', 'demote: images on after a restart');
cmp_ok(counters($node)->{errors}, '==', 0, 'demote: no write failed');

# one more is no question now
sql("CREATE TABLESPACE bad2 LOCATION '" . directory("$ext4/bad2") . "'");
sql('DROP TABLE in_bad; DROP TABLESPACE bad');
is(now($node)->{state}, 'off', 'one bad tablespace left: images stay on');
sql('DROP TABLESPACE bad2');
reach($node, 'active', 'the last bad tablespace dropped: arms by itself');
is(shown($node), 'off', 'the last bad tablespace dropped: images off');

# what fails after the cluster was demoted does not keep it so
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe(q{SET smgr_atomic.on_unsafe_tablespace = demote});
$session->query_safe(q{SET client_min_messages = error});
$session->query("CREATE TABLESPACE pg_bad LOCATION '$bad'");    # reserved name
$session->quit;
reach($node, 'active', 'demoted for a command that failed: arms again');
is(sql(q{SELECT count(*) FROM pg_tablespace WHERE spcname LIKE '%bad%'}), 0, 'and there is no tablespace');

# ---- storage that changes between restarts -----------------------------------

sql('CREATE TABLE in_good TABLESPACE good AS SELECT i, 0 v FROM generate_series(1, 5000) i');
sql('CREATE DATABASE moved');
$node->safe_psql('moved', 'CREATE TABLE t AS SELECT generate_series(1, 5000) i');
my $oid = sql(q{SELECT oid FROM pg_database WHERE datname = 'moved'});
my $base = $node->data_dir . "/base/$oid";

sub moved_and_back
{
	my ($path, $name, $reason, $check) = @_;

	$node->stop;
	system_or_bail('mv', $path, "$ext4/elsewhere");
	symlink "$ext4/elsewhere", $path or die "symlink: $!";
	$node->start;
	is(status($node)->{state}, 'off', "$name moved to ext4: state");
	is(shown($node), 'on', "$name moved to ext4: images on");
	like(now($node)->{reason}, $reason, "$name moved to ext4: the reason names it");
	$check->();
	is(counters($node)->{errors}, 0, "$name moved to ext4: no write fails");
	$node->stop;
	unlink $path or die "unlink: $!";
	system_or_bail('mv', "$ext4/elsewhere", $path);
	$node->start;
	reach($node, 'active', "$name moved back");
	return;
}

moved_and_back($base, 'a database', qr{base/$oid.*ext4}, sub {
	$node->safe_psql('moved', 'UPDATE t SET i = i + 1; CHECKPOINT') });
moved_and_back($good, 'a tablespace', qr{pg_tblspc/\d+.*ext4}, sub {
	sql('UPDATE in_good SET v = v + 1; CHECKPOINT') });
is($node->safe_psql('moved', 'SELECT sum(i) FROM t'), 12507500, 'the data of the database moved along');
is(sql('SELECT sum(v) FROM in_good'), 5000, 'and of the tablespace');

# ---- storage that changes under the running server ---------------------------

# All processes close their files, as they do now and then.
sub close_files
{
	sql('CREATE DATABASE barrier');
	sql('DROP DATABASE barrier');
	return;
}

# What the kernel has of the first bytes of a file; behind them it may grow.
sub kernel_says
{
	my ($path, $size) = @_;
	return `head -c $size '$path' | md5sum`;
}

my ($file) = block_in_file($node, 'in_good', 0);
sql('CHECKPOINT');
close_files();
system_or_bail('cp', '-a', $good, "$ext4/elsewhere");
rename $good, "$good.away" or die "rename: $!";
symlink "$ext4/elsewhere", $good or die "symlink: $!";
my $size   = -s $node->data_dir . "/$file";
my $before = kernel_says($node->data_dir . "/$file", $size);
my $position = log_position($node);
sql('UPDATE in_good SET v = v + 1 WHERE i % 500 = 0');
($status) = $node->psql('postgres', 'CHECKPOINT');
isnt($status, 0, 'tablespace swapped under the server: the checkpoint fails');
like(log_since($node, $position),
	qr/file "\Q$file\E" is on storage without atomic page writes \(target block \d+\)/,
	'tablespace swapped under the server: the error names the file and a block');
is(kernel_says($node->data_dir . "/$file", $size), $before,
	'tablespace swapped under the server: not one byte of the file was overwritten');
is(shown($node), 'off', 'tablespace swapped under the server: images are as they were');
# put right: nothing is lost
unlink $good or die "unlink: $!";
rename "$good.away", $good or die "rename: $!";
sql('CHECKPOINT');
is(sql('SELECT sum(v) FROM in_good'), 5000 + 10, 'put back: the page is written after all');

# a reload looks at storage again
sub swap
{
	my ($name) = @_;
	system_or_bail('cp', '-a', $good, "$ext4/$name");
	rename $good, "$good.away" or die "rename: $!";
	symlink "$ext4/$name", $good or die "symlink: $!";
	return;
}

sub put_back
{
	unlink $good or die "unlink: $!";
	rename "$good.away", $good or die "rename: $!";
	return;
}

is(counters($node)->{errors} > 0, 1, 'the failed writes were counted');
sql('CHECKPOINT');
$position = log_position($node);
swap('reloaded');
$node->reload;
reach($node, 'off', 'swapped and reloaded: demoted');
like(log_since($node, $position), qr/WARNING:  smgr_atomic: full_page_writes is on: pg_tblspc.*ext4/,
	'swapped and reloaded: the log says why');
put_back();
$node->reload;
reach($node, 'active', 'put back and reloaded');

# with pages that can not be written there is no way to "off" until they can be
close_files();
sql('UPDATE in_good SET v = v + 1 WHERE i % 500 = 0');
swap('dirty');
$position = log_position($node);
$node->reload;
$node->wait_for_log(qr/file "\Q$file\E" is on storage without atomic page writes/, $position);
is(now($node)->{state}, 'disarming', 'swapped with a page to write: disarming');
like(now($node)->{reason}, qr/ext4/, 'swapped with a page to write: the reason says why');
is(now($node)->{mode_in_force}, 'direct', 'swapped with a page to write: pages are not written plainly');
put_back();
$node->reload;
reach($node, 'active', 'put back and reloaded');
is(sql('SELECT sum(v) FROM in_good'), 5000 + 20, 'nothing is lost');
close_files();
sql('CHECKPOINT');

# the same, and the server crashes
$node->restart;
reach($node, 'active', 'restarted');
sql('CHECKPOINT');
sql('UPDATE in_good SET v = v + 1 WHERE i % 500 = 0');
$node->stop('immediate');
swap('crashed');
$node->append_conf('postgresql.auto.conf', "smgr_atomic.mode = off\n");
my ($runs, $log) = try_start($node);
ok(!$runs, 'swapped after a crash: does not start, with mode off either');
like($log, qr/FATAL:  WAL since the last checkpoint has no full-page images, and pages can tear.*HINT:  Put the data on storage/s,
	'swapped after a crash: says why and the way out');
# the risk can be taken, and then the tablespace can stay there
$node->append_conf('postgresql.auto.conf', "smgr_atomic.allow_unsafe_standby = on\n");
$node->start;
is(sql('SELECT sum(v) FROM in_good'), 5000 + 30, 'swapped after a crash, risk taken: recovered');
is(status($node)->{state}, 'off', 'swapped after a crash, risk taken: state');
is(shown($node), 'on', 'swapped after a crash, risk taken: images on');
$node->stop;

# moved back, and a filesystem mounted with other options that change nothing
put_back();
system_or_bail('cp', '-a', "$ext4/crashed/.", $good);
$node->append_conf('postgresql.auto.conf',
	"smgr_atomic.allow_unsafe_standby = off\nsmgr_atomic.mode = direct\n");
remount_volume('data', mount_options => 'noatime,sync');
$node->start;
reach($node, 'active', 'moved back, mounted with other options');
is(sql('SELECT sum(v) FROM in_good'), 5000 + 30, 'nothing is lost');
stop_clean($node);

done_testing();
