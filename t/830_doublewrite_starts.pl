
# Starts with a page journal that is not what it should be: lost, damaged, of
# another cluster, used by a copy, not on its device.  And directories that come
# from elsewhere: base backups, standbys, copies.  Every refusal once, and the
# way out that it names.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4', 'tmpfs');

my $conf = "shared_buffers = 1MB\nautovacuum = off\ncheckpoint_timeout = 1h\n"
  . "smgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\n";
my $ext4 = create_volume('data', fs => 'ext4', size => '4G');
my $node = new_node('main', volume => $ext4, checksums => 1, streaming => 1, conf => $conf);
my $data = $node->data_dir;
my $directory = "$data/pgsql_tmp_smgr_atomic";
my $journal   = "$directory/smgr_atomic.journal";
my $marker    = "$data/smgr_atomic.journal";

# Work whose pages are in the journal, then a crash.  Not before images are off:
# they go off with a checkpoint, which leaves nothing in the journal.
sub crash
{
	my ($server, $work) = @_;
	settle($server);
	$server->safe_psql('postgres', $work // 'UPDATE t SET n = n + 1; SELECT count(*) FROM t');
	$server->poll_query_until('postgres', 'SELECT used > 0 FROM smgr_atomic_journal') or die 'no page goes to the journal';
	$server->stop('immediate');
	return;
}

# A copy of the data directory as it is now, and what a start of it says: that of
# a single-user server, which ends by itself, whatever it does.
my $twin = $data =~ s/pgdata$/twin/r;

sub copy_to_twin
{
	remove_tree($twin);
	system('cp', '-a', $data, $twin) == 0 or die 'cp';
	return;
}

sub twin_says
{
	my ($pattern, $name, @options) = @_;
	unlink "$twin/postmaster.pid";
	my ($out, $err) = run_command([ 'postgres', '--single', '-D', $twin, @options, 'postgres' ]);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($err, $pattern, $name);
}

sub starts
{
	my ($name, $pattern) = @_;
	my ($runs, $log) = try_start($node);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($runs, "$name: starts") || diag $log;
	like($log, $pattern, "$name: says so");
	return;
}

sub refuses
{
	my ($name, $pattern) = @_;
	my ($runs, $log) = try_start($node);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(!$runs, "$name: does not start");
	like($log, $pattern, "$name: says why");
	return;
}

sub patch
{
	my ($file, $offset, $bytes) = @_;
	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $offset, 0;
	print $fh $bytes;
	close $fh or die "$file: $!";
	return;
}

$node->start;
settle($node);
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT g, 0 AS n, repeat(\'x\', 100) AS f FROM generate_series(1, 20000) g; CREATE INDEX ON t (n)');

# ---- lost or damaged ---------------------------------------------------------------

crash($node);
rename $journal, "$journal.away" or die $!;
refuses('journal lost', qr/FATAL:  the page journal "pgsql_tmp_smgr_atomic\/smgr_atomic.journal" is needed for recovery, but it is not there to be used: .*No such file.*ignore_journal/s);
ok(-e $marker, 'the marker stays');
rename "$journal.away", $journal or die $!;
starts('journal back', qr/page journal: [1-9]\d* batches/);

crash($node);
rename $journal, "$journal.away" or die $!;
$node->append_conf('postgresql.conf', "smgr_atomic.ignore_journal = on\n");
starts('journal ignored', qr/WARNING:  page journal .* is ignored/);
is(status($node)->{mode_in_force}, 'doublewrite', 'and a new one is in use');
$node->append_conf('postgresql.conf', "smgr_atomic.ignore_journal = off\n");

crash($node);
copy($journal, "$journal.good") or die $!;
patch($journal, $_, "\0" x 512) for 0, 32768;
refuses('superblocks gone', qr/is not a page journal, or it is damaged, or of another version/);
copy("$journal.good", $journal) or die $!;
patch($journal, 32768, "\0" x 512);
my $one_is_enough = -s $journal;
truncate $journal, 4_000_000 or die $!;
refuses('journal cut short', qr/shorter than it was made|is not a page journal/);
copy("$journal.good", $journal) or die $!;

# ---- of another cluster, of another time ---------------------------------------------

my $other = new_node('other', volume => $ext4, checksums => 1, conf => $conf);
$other->start;
settle($other);
$other->stop('immediate');
copy($other->data_dir . '/pgsql_tmp_smgr_atomic/smgr_atomic.journal', $journal) or die $!;
refuses('journal of another cluster', qr/the file is the journal of another cluster/);
copy("$journal.away", $journal) or die $!;
refuses('an older journal of this one', qr/the file is another one than that used before the crash/);
copy($marker, "$marker.good") or die $!;
append_to_file($marker, '');
patch($marker, 0, 'nonsense');
refuses('marker damaged', qr/could not understand file "smgr_atomic.journal"/);
copy_to_twin();
twin_says(qr/could not understand file.*page journal "unknown" is ignored.*redo done/s, '... the way out',
	'-c', 'smgr_atomic.ignore_journal=on');
remove_tree($twin);
rename "$marker.good", $marker or die $!;
rename "$journal.good", $journal or die $!;
starts('all as it was', qr/page journal: [1-9]\d* batches/);
unlink "$journal.away";

# ---- a tablespace that is not there ----------------------------------------------------

my $space = create_volume('space', fs => 'ext4', size => '1G');
my $memory = create_volume('memory', fs => 'tmpfs', size => '64M');
mkdir "$_/ts" or die $! for $space, $memory;
refused($node, "CREATE TABLESPACE memory LOCATION '$memory/ts'", qr/is not torn-free.*page journal has not been proven on tmpfs/s,
	'a tablespace where the journal cannot help');
# one whose directory is gone, as while it is being dropped, does not keep another from being made
symlink "$space/nothing", "$data/pg_tblspc/999999" or die $!;
is($node->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$space/ts'; SELECT count(*) FROM pg_tablespace WHERE spcname = 'space'"),
	'1', 'a tablespace, beside one that is gone');
reach($node, 'off', '... while it is missing images are on');
unlink "$data/pg_tblspc/999999" or die $!;
$node->reload;
reach($node, 'active', '... and then off');
crash($node, 'CREATE TABLE s TABLESPACE space AS SELECT * FROM t; CHECKPOINT; UPDATE s SET n = 5');
my ($version) = glob "$space/ts/PG_*";
rename $version, "$space/away" or die $!;
refuses('tablespace not there', qr/could not access "pg_tblspc\/\d+\/PG_\d+_\d+", where there are pages to repair: No such file/);
rename "$space/away", $version or die $!;
my ($link) = glob "$data/pg_tblspc/*";
rename $link, "$data/link" or die $!;
refuses('tablespace not linked', qr/could not access "pg_tblspc\/\d+", where there are pages to repair: No such file/);
rename "$data/link", $link or die $!;
starts('tablespace back', qr/page journal: [1-9]\d* batches/);
is($node->safe_psql('postgres', 'SELECT count(*) FROM s WHERE n = 5'), '20000', 'its pages are whole');

# the same of a database, whose directory is linked to or mounted from another device
my $database = "$data/base/" . $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'});
crash($node);
rename $database, "$data/away" or die $!;
symlink "$space/nothing", $database or die $!;
refuses('database linked to nothing', qr/could not access "base\/\d+", where there are pages to repair: No such file/);
unlink $database or die $!;
mkdir $database or die $!;
refuses('database not mounted', qr/could not access "base\/\d+", where there are pages to repair: No such file/);
rmdir $database or die $!;
rename "$data/away", $database or die $!;
starts('database back', qr/page journal: [1-9]\d* batches/);

# ---- a backup_label left behind -----------------------------------------------------------

crash($node);
append_to_file("$data/backup_label", "nonsense\n");
refuses('backup_label left behind', qr/there is a backup_label, but the page journal .* has pages of a crash of this data directory.*HINT:.*remove the file "backup_label".*remove the file "smgr_atomic.journal"/s);
copy_to_twin();
twin_says(qr/is not used: this data directory comes from a base backup.*invalid data in file "backup_label"/s,
	'... elsewhere it does belong to a backup');
copy_to_twin();
unlink "$twin/smgr_atomic.journal" or die $!;
twin_says(qr/invalid data in file "backup_label"/, '... or where the marker has been removed');
remove_tree($twin);
copy($journal, "$journal.good") or die $!;
copy($marker, "$data/marker") or die $!;
append_to_file("$data/recovery.signal", '');
refuses('... archive recovery is asked for', qr/is not used: this data directory comes from a base backup.*must specify "?restore_command/s);
unlink "$data/recovery.signal" or die $!;
copy("$journal.good", $journal) or die $!;
rename "$data/marker", $marker or die $!;
unlink "$data/backup_label" or die $!;
starts('... it is not, backup_label is removed', qr/page journal: [1-9]\d* batches/);

# ---- directories that come from elsewhere ------------------------------------------------

$node->safe_psql('postgres', 'DROP TABLE s');
$node->safe_psql('postgres', 'DROP TABLESPACE space');
$node->backup('base');
my $backup = $node->backup_dir . '/base';
ok(!-e "$backup/pgsql_tmp_smgr_atomic", 'a base backup has no journal');
ok(-e "$backup/smgr_atomic.journal", '... but the marker');
my $standby = node_from('standby', $ext4, $node, 'base', has_streaming => 1);
$standby->start;
like(slurp_file($standby->logfile), qr/page journal ".*" is not used: this data directory comes from a base backup/, 'standby: says so');
$node->safe_psql('postgres', 'CHECKPOINT; UPDATE t SET n = n + 1; CHECKPOINT');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT sum(n) FROM t'), $node->safe_psql('postgres', 'SELECT sum(n) FROM t'),
	'standby: replays WAL without images');
$node->safe_psql('postgres', 'UPDATE t SET n = n + 1');
$node->wait_for_catchup($standby);
$standby->stop('immediate');
my $position = log_position($standby);
$standby->start;
like(log_since($standby, $position), qr/page journal: \d+ batches/, 'standby: repairs after a crash of its own');
$node->wait_for_catchup($standby);
$standby->promote;
reach($standby, 'active', 'promoted');
is(status($standby)->{mode_in_force}, 'doublewrite', 'promoted: by doublewrite');
stop_clean($standby);

# a journal elsewhere, and two directories that think it is theirs
my $elsewhere = "$space/journal";
mkdir $elsewhere or die $!;
$node->append_conf('postgresql.conf', "smgr_atomic.journal_directory = '$elsewhere'\n");
stop_clean($node);
$node->start;
is(status($node)->{mode_in_force}, 'doublewrite', 'a journal on another device');
crash($node);
copy_to_twin();
twin_says(qr/page journal: [1-9]\d* batches.*FATAL: .*belongs to another data directory.*to another directory\./s,
	'a copy does not take the journal that the original has yet to be repaired from');
copy_to_twin();
twin_says(qr/page journal: [1-9]\d* batches/, 'a copy is repaired and goes on with a journal of its own',
	'-c', 'smgr_atomic.journal_directory=pgsql_tmp_smgr_atomic');
copy_to_twin();
$position = log_position($node);
$node->start;
like(log_since($node, $position), qr/page journal: [1-9]\d* batches/, '... and leaves the first one to the original');

twin_says(qr/another server uses it/, 'the second does not get it while it is in use');
$node->stop('immediate');
twin_says(qr/has been used since by a copy of this data directory/, 'nor after');
remove_tree($twin);
$node->start;

# the journal elsewhere is given up, and taken again, whatever the start between
sub restart_with
{
	my ($lines, $mode, $name) = @_;
	stop_clean($node);
	$node->append_conf('postgresql.conf', $lines);
	$node->start;
	settle($node);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(status($node)->{mode_in_force}, $mode, $name);
}
my $default = "smgr_atomic.journal_directory = 'pgsql_tmp_smgr_atomic'\n";
restart_with("smgr_atomic.mode = off\n", 'off', 'a start that needs no journal');
restart_with("smgr_atomic.mode = doublewrite\n", 'doublewrite', '... leaves it to the next that does');
restart_with($default, 'doublewrite', 'a journal in the data directory');
restart_with("smgr_atomic.journal_directory = '$elsewhere'\n", 'doublewrite', '... and back to the first');

# what was copied while the server was stopped may not take the journal from it
stop_clean($node);
copy_to_twin();
$node->start;
crash($node);
twin_says(qr/belongs to another data directory/, 'a copy does not take the journal that a crash needs');
remove_tree($twin);
$node->start;
is(status($node)->{mode_in_force}, 'doublewrite', '... which is repaired from it');

# the default directory, but as a link to another place: it is in each copy too
stop_clean($node);
$node->append_conf('postgresql.conf', $default);
remove_tree($directory);
mkdir "$space/linked" or die $!;
symlink "$space/linked", $directory or die $!;
$node->start;
is(status($node)->{mode_in_force}, 'doublewrite', 'a journal behind a link');
crash($node);
copy_to_twin();
twin_says(qr/page journal: [1-9]\d* batches.*FATAL: .*belongs to another data directory/s,
	'a copy does not take what the link leads to');
remove_tree($twin);
$position = log_position($node);
$node->start;
like(log_since($node, $position), qr/page journal: [1-9]\d* batches/, '... the original is repaired from it');

# moved while the server runs, and an older copy put in its place
stop_clean($node);
unlink $directory or die $!;
$node->start;
settle($node);
$node->safe_psql('postgres', 'UPDATE t SET n = n + 1');
system('cp', '-a', $directory, "$data/pgsql_tmp_copy") == 0 or die 'cp';
rename $directory, "$data/pgsql_tmp_away" or die $!;
rename "$data/pgsql_tmp_copy", $directory or die $!;
$position = log_position($node);
$node->safe_psql('postgres', 'UPDATE t SET n = n + 1; CHECKPOINT');
$node->wait_for_log(qr/WARNING:  smgr_atomic: full_page_writes is on: page journal ".*" is not in its place any more/, $position);
reach($node, 'off', 'journal moved: images come on, then pages are plain');
is(images($node), 'on', '... images');
stop_clean($node);
$node->start;
reach($node, 'active', '... the next start has a journal again');
remove_tree("$data/pgsql_tmp_away");
stop_clean($node);

restart_with("${default}smgr_atomic.write_behind_size = 1kB\n", 'doublewrite', 'the smallest pool');
$node->safe_psql('postgres', 'UPDATE t SET n = n + 1; CHECKPOINT');
restart_with("${default}smgr_atomic.write_behind_size = 0\n", 'off', 'no pool, no doublewrite');
like(status($node)->{reason}, qr/doublewrite needs the write-behind pool/, '... it says why');
is(images($node), 'on', '... images stay on');
stop_clean($node);
done_testing();
