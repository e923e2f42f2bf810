
# smgr_atomic.mode = writethrough, on a stand-in for the kernel call that no
# released kernel has (SmgrAtomic/writethrough_standin.c): which mode is chosen,
# what is called, and what happens where the call is refused.  The call itself
# is tested by contrib-bench/lab/kernel, on a kernel that has it.

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

# a number that no kernel will take soon: the test must not depend on the real one
use constant FLAG => 0x40000000;
use constant RWF_ATOMIC => 0x40;

my $library = build_library('writethrough_standin.c');
my $volume  = create_volume('data', size => '2G');
my $log     = "$volume/standin.log";
my $node    = new_node(
	'main',
	volume => $volume,
	conf   => "smgr_atomic.mode = auto\n" . 'smgr_atomic.writethrough_flag = ' . FLAG . "\n"
	  . "smgr_atomic.write_behind_size = 0\nsmgr_atomic.io_uring = off\n"
	  . "autovacuum = off\ncheckpoint_timeout = 1h\nshared_buffers = 2MB\n");

# Starts the server with the stand-in; it refuses below a path if one is given.
sub start_standin
{
	my ($refuse) = @_;
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{SMGR_ATOMIC_STANDIN_FLAG} = FLAG;
	local $ENV{SMGR_ATOMIC_STANDIN_LOG}  = $log;
	local $ENV{SMGR_ATOMIC_STANDIN_REFUSE} = $refuse if $refuse;
	return $node->start;
}

# Calls on relation files since the last time.
my $seen = 0;

sub calls
{
	return () unless -e $log;
	my @lines = split /\n/, slurp_file($log);
	my @new   = @lines[ $seen .. $#lines ];
	my @calls;

	$seen = @lines;
	for (@new)
	{
		my %call;
		@call{qw(pid offset length segments flags direct result path)} = split ' ', $_, 8;
		push @calls, \%call unless $call{path} =~ /\(deleted\)$|\/#\d+/;    # a probe's file has no name
	}
	return @calls;
}

# The counter of pages, and the new calls, at a moment when no page was written: a
# session that asks may evict one.
sub pages_and_calls
{
	my ($pages, @calls) = (-1);

	until ($pages == counters($node)->{pages})
	{
		$pages = counters($node)->{pages};
		push @calls, calls();
	}
	return ($pages, @calls);
}

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Every call is one page (or an aligned run of them) on an ordinary descriptor.
sub well_formed
{
	my ($name, $longest, @calls) = @_;
	my @wrong = grep {
		$_->{direct} || $_->{segments} != 1 || hex($_->{flags}) != (FLAG | RWF_ATOMIC)
		  || $_->{length} % 8192 || $_->{length} > $longest
		  || $_->{length} & ($_->{length} - 1) || $_->{offset} % $_->{length}
		  || $_->{result} != $_->{length}
		  || $_->{path} !~ m{/(?:base/\d+|global)/\d+(?:_(?:fsm|vm))?(?:\.\d+)?$}
	} @calls;

	return subtest "$name: calls" => sub {
		cmp_ok(scalar(@calls), '>', 0, 'there are some');
		is_deeply(\@wrong, [], 'as they should be');
	};
}

# ---- synchronous -------------------------------------------------------------

start_standin();
reach($node, 'active', 'started');
is(now($node)->{mode_in_force}, 'writethrough', 'auto picks writethrough');
like(slurp_file($node->logfile), qr/writethrough/, 'and the log says so');
is(shown($node), 'off', 'no images');
init_bank($node, 2);
sql('CHECKPOINT');
my ($before) = pages_and_calls();
sql('UPDATE pgbench_accounts SET abalance = abalance WHERE aid <= 20000');
sql('CHECKPOINT');
my ($pages, @calls) = pages_and_calls();
$pages -= $before;
well_formed('synchronous', 8192, @calls);
is(scalar(@calls), $pages, "one call for each of $pages pages");

# the ordinary descriptor, which the server reads by, has what was written
sql('UPDATE pgbench_accounts SET filler = repeat(chr(65 + aid % 26), 80)');
sql('CHECKPOINT');
calls();
is(sql(q{SELECT count(*) FROM pgbench_accounts WHERE filler <> repeat(chr(65 + aid % 26), 80)}),
	0, 'read back');

# ---- toggling ----------------------------------------------------------------

sub switch
{
	my ($mode, $state, $method) = @_;
	my $position = log_position($node);

	set_mode($node, $mode);
	reach($node, $state, $mode);
	$node->poll_query_until('postgres', "SELECT mode_in_force = '$method' FROM smgr_atomic_status");
	is(now($node)->{mode_in_force}, $method, "$mode: mode in force");
	calls();
	sql('UPDATE pgbench_tellers SET tbalance = tbalance');
	sql('CHECKPOINT');
	my $through = () = calls();
	if ($method eq 'writethrough') { cmp_ok($through, '>', 0, "$mode: written through") }
	else                           { is($through, 0, "$mode: nothing written through") }
	return;
}

switch('direct',       'active', 'direct');
switch('writethrough', 'active', 'writethrough');
switch('off',          'off',    'off');
switch('auto',         'active', 'writethrough');

sub flips
{
	my ($name) = @_;
	my $load = start_load($node);

	for my $mode (qw(direct auto off writethrough direct writethrough off auto))
	{
		wait_for_load($node, 40);
		set_mode($node, $mode);
		my $method = $mode eq 'auto' ? 'writethrough' : $mode;
		reach($node, $mode eq 'off' ? 'off' : 'active', "$name, load: $mode");
		$node->poll_query_until('postgres', "SELECT mode_in_force = '$method' FROM smgr_atomic_status")
		  or fail("$name, load: $method in force");
	}
	wait_for_load($node, 40);
	ok(stop_load($load), "$name: pgbench was running all the time");
	balanced($node, "$name, flips");
	is(counters($node)->{errors}, 0, "$name: no errors");
	return;
}

flips('synchronous');

# ---- a crash -----------------------------------------------------------------

sub crash
{
	my ($name) = @_;
	my $load = start_load($node);

	wait_for_load($node, 100);
	kill_cluster($node);
	stop_load($load);
	start_standin();
	reach($node, 'active', "$name, crash");
	is(now($node)->{mode_in_force}, 'writethrough', "$name, crash: the same mode");
	balanced($node, "$name, crash");
	return;
}

crash('synchronous');

# ---- through the pool --------------------------------------------------------

stop_clean($node);
$node->append_conf('postgresql.conf', "smgr_atomic.write_behind_size = 8MB\n");
start_standin();
reach($node, 'active', 'pool');

# a driver that dies between two methods, with the pool closed, waiting for a session
# that answers no barrier
my $stopped = $node->background_psql('postgres');
my $pid     = $stopped->query('SELECT pg_backend_pid()');
kill STOP => $pid;
set_mode($node, 'direct');
ok($node->poll_query_until('postgres', q{
	SELECT waits_for ~ 'answer a barrier' AND NOT (SELECT accepting FROM smgr_atomic_pool) FROM smgr_atomic_status}),
	'between two methods the pool is closed');
my $driver = driver_pid($node);
kill TERM => $driver;
wait_until('the driver to end', sub { !kill 0 => $driver });
set_mode($node, 'auto');
kill CONT => $pid;
$stopped->quit;
ok($node->poll_query_until('postgres', 'SELECT accepting FROM smgr_atomic_pool'), 'the next driver opens it');
is(now($node)->{mode_in_force}, 'writethrough', '... the method is the old one');
sql('CHECKPOINT');
calls();
sql('UPDATE pgbench_accounts SET abalance = abalance');
sql('CHECKPOINT');
@calls = calls();
well_formed('pool', 1024 * 1024, @calls);
my %writers = map { $_->{pid} => 1 } @calls;
is(scalar(keys %writers), 1, 'pool: all by one process, the writer');
flips('pool');
crash('pool');

# ---- a place that refuses ----------------------------------------------------

stop_clean($node);
mkdir "$volume/refusing" or die "mkdir: $!";
my $place = "$volume/refusing/tablespace";
mkdir $place or die "mkdir: $!";
start_standin("$volume/refusing");
reach($node, 'active', 'refusing');
refused($node, "CREATE TABLESPACE refusing LOCATION '$place'",
	qr/ERROR:  tablespace location "\Q$place\E" cannot be written by method writethrough\nDETAIL:  this kernel or filesystem does not know RWF_WRITETHROUGH.*\nHINT:  Set smgr_atomic\.mode = direct, reload/,
	'a new place that refuses');
set_mode($node, 'direct');
$node->poll_query_until('postgres', q{SELECT mode_in_force = 'direct' FROM smgr_atomic_status});
sql("CREATE TABLESPACE refusing LOCATION '$place'");
sql('CREATE TABLE there TABLESPACE refusing AS SELECT generate_series(1, 10000) AS v');
set_mode($node, 'auto');
$node->poll_query_until('postgres',
	q{SELECT state = 'active' AND mode_in_force = 'doublewrite' FROM smgr_atomic_status});
reach($node, 'active', 'refusing, auto');
sql('UPDATE there SET v = v');
sql('CHECKPOINT');
is(now($node)->{mode_in_force}, 'doublewrite', 'auto: the page journal, because of one place');
set_mode($node, 'writethrough');
reach($node, 'off', 'refusing, writethrough');
is(shown($node), 'on', 'images are on');
like(now($node)->{reason},
	qr/^mode writethrough cannot be used in "pg_tblspc\/.*": this kernel or filesystem does not know RWF_WRITETHROUGH \(flag 0x40000000\)/,
	'and the reason names the place');
sql('DROP TABLE there');
sql('DROP TABLESPACE refusing');
reach($node, 'active', 'the place is gone');
is(now($node)->{mode_in_force}, 'writethrough', 'written through again');

# ---- a kernel that does not know the flag ------------------------------------

stop_clean($node);
$node->start;
reach($node, 'off', 'unknown flag, writethrough');
like(now($node)->{reason}, qr/this kernel or filesystem does not know RWF_WRITETHROUGH \(flag 0x40000000\)/,
	'unknown flag: the reason');
is(shown($node), 'on', 'unknown flag: images on');
set_mode($node, 'auto');
$node->poll_query_until('postgres',
	q{SELECT state = 'active' AND mode_in_force = 'doublewrite' FROM smgr_atomic_status});
reach($node, 'active', 'unknown flag, auto');
is(now($node)->{mode_in_force}, 'doublewrite', 'unknown flag: auto picks the page journal');
stop_clean($node);

# ---- the number comes from the kernel's headers ------------------------------

# A header directory of a kernel to come: the machine's, and one definition.
sub build_probe
{
	my ($name, $definition) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;

	mkdir "$dir/$name" and mkdir "$dir/$name/linux" or die "mkdir: $!";
	append_to_file("$dir/$name/linux/fs.h", "#include_next <linux/fs.h>\n$definition\n");
	append_to_file("$dir/$name/main.c", <<'C');
#include <stdio.h>
#include "probe.h"

int
main(int argc, char **argv)
{
	SaProbe		probe;

	sa_probe_directory(argv[1], 8192, sa_probe_writethrough_flag(), &probe);
	printf("0x%x %s: %s\n", sa_probe_writethrough_flag(),
		   probe.writethrough ? "works" : "refused", probe.writethrough_reason);
	return 0;
}
C
	my $source = "$FindBin::Bin/../smgr_atomic";
	system_or_bail('gcc', '-std=gnu11', '-O2', '-Wall', '-Werror', '-isystem', "$dir/$name", "-I$source",
		"$dir/$name/main.c", "$source/probe.c", '-o', "$dir/$name/probe");
	return "$dir/$name/probe";
}

my $today  = build_probe('today',  '#undef RWF_WRITETHROUGH');
my $future = build_probe('future', "#undef RWF_WRITETHROUGH\n#define RWF_WRITETHROUGH ((__kernel_rwf_t) 0x20000000)");

sub output { my ($out) = run_command([@_]); return $out }

is(output($today, $volume), '0x0 refused: the kernel headers of this build do not define RWF_WRITETHROUGH',
	'headers without the flag');
is(output($future, $volume),
	'0x20000000 refused: this kernel or filesystem does not know RWF_WRITETHROUGH (flag 0x20000000) with RWF_ATOMIC',
	'headers with the flag, kernel without');
{
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{SMGR_ATOMIC_STANDIN_FLAG} = 0x20000000;
	is(output($future, $volume), '0x20000000 works: RWF_WRITETHROUGH works',
		'headers with the flag, and a call that answers to it');
}

done_testing();
