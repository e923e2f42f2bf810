
# The write-behind pool under load, with every page that is read checked against
# the last one written (SmgrAtomic/pool_stress.c): relations of the same names
# written, read, extended, truncated, removed and created again by many sessions
# on pools much smaller than the data, while checkpoints are made, files are
# read past the server after each, and databases come and go.
#
# POOL_STRESS_SECONDS of load for each arm (make pool-stress SECONDS=600),
# POOL_STRESS_SEED repeats the sessions' choices.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

need_torn_free_xfs();

my $seconds = $ENV{POOL_STRESS_SECONDS} || 6;
my $seed    = $ENV{POOL_STRESS_SEED} || time % 100_000_000;
my $volume  = create_volume('data', size => '2G');
my $library = build_library('pool_stress.c');

use constant SESSIONS => 8;
note "seed $seed (POOL_STRESS_SEED=$seed repeats it)";

my @arms = (
	[ 'one writer, 512 kB', "smgr_atomic.write_behind_size = 512kB\n" ],
	[ 'three writers, short queues', <<'CONF' ],
smgr_atomic.write_behind_size = 2MB
smgr_atomic.writers = 3
smgr_atomic.io_depth = 2
wal_level = replica
CONF
	[ 'pwritev2', <<'CONF' ],
smgr_atomic.write_behind_size = 512kB
smgr_atomic.writers = 2
smgr_atomic.io_uring = off
CONF
	[ 'doublewrite, three writers, a small journal', <<'CONF' ],
smgr_atomic.mode = doublewrite
smgr_atomic.journal_size = 8MB
smgr_atomic.write_behind_size = 2MB
smgr_atomic.writers = 3
CONF
	[ 'no pool', "smgr_atomic.write_behind_size = 0\n" ]);

my $number = 0;
my $only   = $ENV{POOL_STRESS_ARM} // '';
stress(@$_) for grep { $_->[0] =~ /$only/ } @arms;
done_testing();

sub start_sessions
{
	my ($node, $file) = @_;
	my @runs;

	for my $i (1 .. SESSIONS)
	{
		my ($out, $err) = ('', '');
		my $sql = "SELECT pool_stress_run('$file', $seconds, " . ($seed + $i) . ", true)";
		push @runs, { out => \$out, err => \$err, run => IPC::Run::start(
				[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
				'<', \undef, '>', \$out, '2>', \$err) };
	}
	return @runs;
}

# Takes what the session has said so far; pumping one that has ended is an error.
sub running
{
	my ($session) = @_;
	eval { $session->{run}->pump_nb };
	return $session->{run}->pumpable;
}

# What reads and removes files behind the storage manager's back.
sub copy_database
{
	my ($node, $round) = @_;
	my $digest = 'SELECT count(*), sum(hashtext(t::text)::bigint) FROM t';

	$node->safe_psql('source', "UPDATE t SET b = '$round' WHERE a % 3 = $round % 3");
	$node->safe_psql('postgres', 'CREATE DATABASE copy OID = 77777 TEMPLATE source STRATEGY file_copy');
	my $same = $node->safe_psql('copy', $digest) eq $node->safe_psql('source', $digest);
	$node->safe_psql('copy', "UPDATE t SET b = 'gone'");
	$node->safe_psql('postgres', 'DROP DATABASE copy');
	return $same;
}

# Every page handed over has become something, once the pool is empty.  (A session
# that asks may evict a page itself, and the background writer goes on.)
sub adds_up
{
	my ($node, $small) = @_;

	return if $node->safe_psql('postgres', 'SELECT slots FROM smgr_atomic_pool') == 0;
	my $pool;
	for (1 .. 1800)
	{
		$pool = fetch_row($node, 'SELECT * FROM smgr_atomic_pool');
		last if $pool->{used} == 0 && $pool->{in_flight} == 0;
		usleep(100_000);
	}
	die 'the pool is not emptied' if $pool->{used} != 0;
	note join ' ', map { "$_=" . ($pool->{$_} // '') } sort keys %$pool;
	is($pool->{combined} + $pool->{written} + $pool->{discarded}, $pool->{accepted},
		'... accepted = combined + written + discarded');
	is($pool->{in_flight}, 0, '... nothing in flight');
	ok($pool->{$_} > 0, "... it was put to the test: $_") for qw(reads combined discarded), $small ? 'waits' : ();
	return;
}

sub stress
{
	my ($name, $conf) = @_;
	my $node = new_node('stress' . ++$number, volume => $volume,
		conf => "shared_buffers = 1MB\nautovacuum = off\n$conf");
	my $file = PostgreSQL::Test::Utils::tempdir . "/state$number";
	my ($rounds, $copies, $verified) = (0, 0, 0);

	$node->start;
	reach($node, 'active', $name);
	$node->safe_psql('postgres', "
		CREATE FUNCTION pool_stress_create(text, int, int) RETURNS void STRICT LANGUAGE C AS '$library';
		CREATE FUNCTION pool_stress_run(text, float8, bigint, bool) RETURNS bigint STRICT LANGUAGE C AS '$library';
		CREATE FUNCTION pool_stress_verify(text) RETURNS bigint STRICT LANGUAGE C AS '$library';
		CREATE FUNCTION pool_stress_remove(text) RETURNS void STRICT LANGUAGE C AS '$library';
		SELECT pool_stress_create('$file', 4, 512)");
	$node->safe_psql('postgres', 'CREATE DATABASE source');
	$node->safe_psql('source', q{CREATE TABLE t AS SELECT a, repeat('x', 100) b FROM generate_series(1, 2000) a});

	my @runs = start_sessions($node, $file);
	while (grep { running($_) } @runs)
	{
		$copies += copy_database($node, ++$rounds);
		last if grep { !running($_) && ${ $_->{err} } ne '' } @runs;
		$verified += $node->safe_psql('postgres', "SELECT pool_stress_verify('$file')");
	}
	my $done = 0;
	for my $session (@runs)
	{
		$session->{run}->finish;
		$done += ${ $session->{out} } || 0;
	}
	is(join('', map { ${ $_->{err} } } @runs), '', "$name: every page read is the last one written");
	note "$done operations, $rounds rounds, $verified pages verified";
	is($copies, $rounds, '... every copy of a database is whole');
	adds_up($node, $conf =~ /512kB/);
	cmp_ok($node->safe_psql('postgres', "SELECT pool_stress_verify('$file')"), '>', 0, '... files at the end');
	$node->safe_psql('postgres', "SELECT pool_stress_remove('$file')");
	stop_clean($node);
	return;
}
