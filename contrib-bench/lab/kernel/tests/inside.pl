#!/usr/bin/perl
#
# Runs in the test kernel (see postgres.pl): the extension with the real
# RWF_WRITETHROUGH, on XFS in XFS_DIR, with ext4 of atomic writes in EXT4_DIR.

use strict;
use warnings;

use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

use constant RWF_ATOMIC => 0x40;

my $flag = hex($ENV{RWF_WRITETHROUGH});
my $node = new_node(
	'main',
	volume => $ENV{XFS_DIR},
	conf   => "smgr_atomic.mode = auto\nsmgr_atomic.writethrough_flag = $flag\nsmgr_atomic.write_behind_size = 0\n"
	  . "autovacuum = off\ncheckpoint_timeout = 1h\nshared_buffers = 2MB\n");

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Kilobytes of a table's file that are in the page cache.
sub cached
{
	my ($table) = @_;
	my $path = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('$table')");
	my ($out) = run_command([ 'fincore', '-b', '-n', '-r', '-o', 'RES,SIZE', $path ]);
	return split ' ', $out;
}

sub method_is
{
	my ($method, $name) = @_;
	$node->poll_query_until('postgres', "SELECT mode_in_force = '$method' FROM smgr_atomic_status");
	return is(now($node)->{mode_in_force}, $method, "$name: pages are written by $method");
}

# strace knows RWF_ATOMIC or not, according to its age.
sub has_flags
{
	my ($text) = @_;
	my $flags = 0;

	$flags |= /^0x([0-9a-f]+)/ ? hex($1) : /^RWF_ATOMIC$/ ? RWF_ATOMIC : 0
	  for split /\|/, $text;
	return $flags == ($flag | RWF_ATOMIC);
}

# ---- what is called ------------------------------------------------------------

my $trace = PostgreSQL::Test::Utils::tempdir . '/trace';
start_traced($node, '-y', '-o', $trace, '-e', 'trace=pwritev2,io_uring_enter');
reach($node, 'active', 'start');
method_is('writethrough', 'auto');
is(shown($node), 'off', 'images are off');
init_bank($node, 2);
sql('CHECKPOINT');
my $position = -s $trace;
my $before = counters($node)->{pages};
sql('UPDATE pgbench_accounts SET abalance = abalance WHERE aid <= 20000');
sql('CHECKPOINT');
my $pages = counters($node)->{pages} - $before;
stop_traced($node);

my @calls = grep { m{/(?:base/\d+|global)/\d+} } split /\n/, substr(slurp_file($trace), $position);
my @wrong = grep {
	!/pwritev2\(\d+<[^>]*>, \[\{iov_base=.*, iov_len=8192\}\], 1, \d+, ([\w|]+)(?: \/\*.*\*\/)?(?:\)\s+= 8192| <unfinished \.\.\.>)$/
	  || !has_flags($1)
} @calls;
is_deeply(\@wrong, [], 'each call is one page with both flags');
cmp_ok(scalar(@calls), '>=', $pages, "and there is one for each of $pages pages");
cmp_ok($pages, '>', 300, 'which are many');

# ---- the page stays in the cache -----------------------------------------------

$node->start;
reach($node, 'active', 'started');
sql(q{UPDATE pgbench_accounts SET filler = repeat(chr(65 + aid % 26), 80)});
sql('CHECKPOINT');
my ($resident, $size) = cached('pgbench_accounts');
cmp_ok($resident, '>=', 0.95 * $size, "writethrough: $resident of $size bytes are cached");
is(sql(q{SELECT count(*) FROM pgbench_accounts WHERE filler <> repeat(chr(65 + aid % 26), 80)}),
	0, 'writethrough: read back');
set_mode($node, 'direct');
method_is('direct', 'direct');
sql('UPDATE pgbench_accounts SET abalance = abalance + 0');
sql('CHECKPOINT');
my ($less) = cached('pgbench_accounts');
cmp_ok($less, '<', $resident, "control: after direct writes only $less bytes are");

# ---- to and fro, with the pool and io_uring -------------------------------------

stop_clean($node);
$node->append_conf('postgresql.conf', "smgr_atomic.write_behind_size = 8MB\n");
$node->start;
set_mode($node, 'auto');
reach($node, 'active', 'pool');
method_is('writethrough', 'pool');
my $load = start_load($node);
for my $mode (qw(direct writethrough off auto direct writethrough))
{
	wait_for_load($node, 40);
	set_mode($node, $mode);
	reach($node, $mode eq 'off' ? 'off' : 'active', "load, $mode");
	method_is($mode eq 'auto' ? 'writethrough' : $mode, "load, $mode");
}
wait_for_load($node, 40);
ok(stop_load($load), 'pgbench was running all the time');
balanced($node, 'to and fro');
is(counters($node)->{errors}, 0, 'no errors');

# ---- a crash of the server ------------------------------------------------------

$load = start_load($node);
wait_for_load($node, 100);
kill_cluster($node);
stop_load($load);
$node->start;
reach($node, 'active', 'crash');
method_is('writethrough', 'crash');
balanced($node, 'crash');

# ---- a filesystem with atomic writes and without the flag ------------------------

my $place = "$ENV{EXT4_DIR}/tablespace";
mkdir $place or die "mkdir $place: $!";
refused($node, "CREATE TABLESPACE other LOCATION '$place'",
	qr/cannot be written by method writethrough\nDETAIL:  this kernel or filesystem does not know RWF_WRITETHROUGH/,
	'ext4 with atomic writes: refused');
set_mode($node, 'direct');
method_is('direct', 'ext4');
sql("CREATE TABLESPACE other LOCATION '$place'");
sql('CREATE TABLE there TABLESPACE other AS SELECT generate_series(1, 10000) AS v');
set_mode($node, 'auto');
sql('UPDATE there SET v = v');
sql('CHECKPOINT');
# copy-on-write is no choice of auto's: XFS there would need it
method_is('doublewrite', 'auto with one such place');
sql('DROP TABLE there');
sql('DROP TABLESPACE other');
method_is('writethrough', 'without it');

stop_clean($node);
done_testing();
