
# Sessions that copy files of the running server, as pg_rewind does: images that they
# were told are on stay on, and on a standby they are told what WAL has.

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

my $volume = create_volume('data', size => '2G');
my $read = q{SELECT length(pg_read_binary_file('global/pg_control', 0, 100))};
my $gone_off = qr/full-page images have gone off since this session asked for full_page_writes/;
my $copies = 'end of a session that copies files of the server, as pg_rewind does';

my $old = new_node('old', volume => $volume, streaming => 1, checksums => 1,
	conf => "shared_buffers = 4MB\nwal_keep_size = 256MB\nautovacuum = off\ncheckpoint_timeout = 1h\n");
$old->start;
init_bank($old, 1);
reach($old, 'active', 'old primary');

sub session
{
	my ($node) = @_;
	return $node->background_psql('postgres', on_error_stop => 0);
}

# Returns what the session is told, errors last.
sub answer
{
	my ($session, $sql) = @_;
	my $out = $session->query($sql);
	my $err = $session->{stderr};
	$session->{stderr} = '';
	return $out . $err;
}

sub pause
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{SELECT smgr_atomic_pause('1 hour')});
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return reach($node, 'paused', $node->name . ' in a pause');
}

sub resume
{
	my ($node) = @_;
	$node->safe_psql('postgres', 'SELECT smgr_atomic_resume()');
	return;
}

# ---- on the primary ------------------------------------------------------------

my $copier = session($old);
is(answer($copier, $read), '100', 'images off, and nobody has asked: files can be read');
is(answer($copier, "SHOW full_page_writes; $read"), "off\n100", 'nor is it refused to one who knows');
is(now($old)->{state}, 'active', '... it changes nothing');

pause($old);
is(answer($copier, 'SHOW full_page_writes'), 'on', 'in a pause a session is told that images are on');
resume($old);
reach($old, 'active', 'the pause is over');
like(answer($copier, $read), qr/ERROR: .*$gone_off.*HINT:  Copy again in a pause/s, 'it cannot copy then');
is(answer($copier, "SHOW full_page_writes; $read"), "off\n100", '... unless it asks again, and does not mind');

pause($old);
is(answer($copier, "SHOW full_page_writes; $read"), "on\n100", 'one that copies in a pause');
resume($old);
$old->safe_psql('postgres', 'CHECKPOINT');
is(now($old)->{state}, 'paused', '... prolongs it');
is(now($old)->{waits_for}, $copies, '... as the status says');
is(shown($old), 'on', '... images are on');
$copier->quit;
reach($old, 'active', '... until it ends');
$old->backup('base');

# ---- pg_rewind from a server that was promoted a moment ago -----------------------

my $new = node_from('new', $volume, $old, 'base', has_streaming => 1);
start_holding($new, build_library('hold_fsync.c'));
my $marker = dirty_marker($old);
$old->wait_for_catchup($new);
is(shown($new), 'off', 'a standby says that the WAL it replays has no images');
is(now($new)->{full_page_writes}, 'off', '... in the status too');

# while its first checkpoint is held it stays "arming"
my $load = start_load($old);
wait_for_load($old, 100);
my $held = hold($new, $marker);
$new->promote;
$held->();
$new->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'not promoted';
is(shown($new), 'on', 'promoted: images are on');
is(now($new)->{state}, 'arming', '... for now');
wait_for_load($old, 100);
stop_load($load);
$old->safe_psql('postgres', 'CREATE TABLE only_old AS SELECT 1');
$old->stop;
$new->safe_psql('postgres', 'CREATE TABLE only_new AS SELECT 1; UPDATE pgbench_accounts SET filler = filler WHERE aid < 500');

my ($out, $err) = ('', '');
my $rewind = IPC::Run::start([ 'pg_rewind', '-D', $old->data_dir, '--source-server', $new->connstr('postgres'), '--no-sync' ],
	'<', \undef, '>', \$out, '2>', \$err);
$new->poll_query_until('postgres',
	q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pg_read_binary_file($1)%' AND wait_event LIKE 'Checkpoint%'})
  or die "pg_rewind does not wait: $err";
pass('pg_rewind waits for a checkpoint with images on');
my $rewinder = $rewind->{KIDS}[0]{PID};
kill STOP => $rewinder;
release($new);
reach($new, 'paused', '... after it images do not go off');
is(now($new)->{waits_for}, $copies, '... because of pg_rewind');
is(control($new), 'on', '... the checkpoint was made with images on');
$load = start_load($new);
wait_for_load($new, 100);
kill CONT => $rewinder;
ok($rewind->finish, 'pg_rewind copies') or diag $err;
reach($new, 'active', 'pg_rewind has ended');

# as if a page had been read in the middle of a write; it has an image since, and records before
my $torn = $old->data_dir . '/' . $new->safe_psql('postgres', q{SELECT pg_relation_filepath('pgbench_branches')});
open my $file, '+<:raw', $torn or die "$torn: $!";
seek $file, 4096, 0;
print $file "\0" x 4096;
close $file or die "$torn: $!";

follow_as_rewound($old, $new);
my ($runs, $log) = try_start($old);
wait_for_end($old, qr/invalid page in block 0 of relation/, 0) if $runs;
like(slurp_file($old->logfile), qr/invalid page in block 0 of relation/, 'torn, with checksums: replay cannot read what was copied');
like(slurp_file($old->logfile), qr/LOG:  smgr_atomic: pg_rewind has made this data directory.*HINT:  .*ignore_checksum_failure = on/s,
	'... the log has said what to do');
$old->append_conf('postgresql.conf', "ignore_checksum_failure = on\n");
$old->start;
wait_for_load($new, 100);
stop_load($load);
$new->wait_for_catchup($old);
balanced($old, 'rewound, it follows');
is($old->safe_psql('postgres', q{SELECT to_regclass('only_old') IS NULL AND to_regclass('only_new') IS NOT NULL}),
	't', '... with the history of its new primary');

# ---- from a standby ----------------------------------------------------------------

is(shown($old), 'off', 'the new standby says that WAL has no images');
command_fails_like([ 'pg_rewind', '-D', $old->backup_dir . '/base', '--source-server', $old->connstr('postgres') ],
	qr/"?full_page_writes"? must be enabled/, '... so pg_rewind does not copy from it');

pause($new);
$new->safe_psql('postgres', 'CHECKPOINT');
$new->wait_for_catchup($old);
is(shown($old), 'off', 'pages from before the pause may still be on their way');
$old->safe_psql('postgres', 'CHECKPOINT');
$copier = session($old);
is(answer($copier, "SHOW full_page_writes; $read"), "on\n100", 'not after a restartpoint: files can be copied');
resume($new);
reach($new, 'active', 'the pause of the primary is over');
$new->safe_psql('postgres', 'CHECKPOINT');
$new->wait_for_catchup($old);
like(answer($copier, $read), qr/ERROR: .*$gone_off.*HINT:  Copy from the primary/s, '... who copies finds out');
$copier->quit;

$_->stop for $old, $new;
command_ok([ 'pg_checksums', '--check', '-D', $_->data_dir ], $_->name . ': every page is whole') for $old, $new;
done_testing();
