
# Every way in which attaching to the server can fail: each has its own reason,
# the server works as stock, with images on.  The server program itself is a
# real one; a preloaded library makes it look different to whoever looks for its
# tables (a stand-in for servers we do not have).

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

my $library = build_library('fake_program.c');
my $node    = new_node('main', volume => create_volume('data', size => '1G'));
$node->start;
reach($node, 'active', 'started');
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT generate_series(1, 1000) i');
my $major = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
$node->stop;

sub start_faking
{
	my ($what, @libraries) = @_;
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = '" . join(',', @libraries ? @libraries : 'smgr_atomic') . "'\n");
	my $position = log_position($node);
	local @ENV{qw(LD_PRELOAD TEST_FAKE)} = ($library, $what);
	$node->start;
	return $position;
}

my @both = ($library, 'smgr_atomic');
my @cases = (
	[ 'no_relro', qr/the server program has no relocation read-only segment/ ],
	[ 'empty',    qr/the storage manager table was not found in the server program/ ],
	[ 'twice',    qr/the storage manager table was found 2 times in the server program/ ],
	[ 'hole',     qr/entry "close" of the storage manager table is not the one expected/ ],
	[ 'other',    qr/entry "close" of the storage manager table is mdopen, which is not the one expected/ ],
	[ 'longer',   qr/the storage manager table has an entry after "\w+" that is not known: mda_get_range/ ],
	[ 'copy',     qr/the server does not call through its storage manager table/ ],
	[ 'not_writable', qr/could not make the sync handler table writable: Permission denied/ ],
	# every release of 18 and newer will do
	$major < 18
	? [ "server_version_num ${major}0000", qr/the server is $major\.0; smgr_atomic needs $major\.\d+ or newer/, @both ]
	: (),
	[
		'server_version_num ' . ($major + 1) . '0001',
		qr/compiled for PostgreSQL $major, but the server is @{[ $major + 1 ]}/, @both
	],
	[
		'take_over',
		qr/entry "close" of the storage manager table points into "\Q$library\E": another library has taken it over/,
		@both
	],
	[
		'take_over',
		qr/entry "close" of the storage manager table points into "\Q$library\E": another library has taken it over/,
		reverse @both
	]);

for my $case (@cases)
{
	my ($what, $reason, @libraries) = @$case;
	my $name = join ' ', $what, @libraries ? ($libraries[0] eq 'smgr_atomic' ? 'after us' : 'before us') : ();

	subtest $name => sub {
		my $position = start_faking($what, @libraries);
		my $status = status($node);

		ok(!$status->{attached}, 'not attached');
		like($status->{reason}, qr/^not attached to the server: $reason$/, 'reason');
		is_deeply([ @$status{qw(state mode_in_force protection full_page_writes)} ], [ 'off', 'off', 'none', 'on' ],
			'stock, with images on');
		like(log_since($node, $position),
			qr/WARNING:  smgr_atomic: full_page_writes is on: not attached to the server: $reason/, 'the log says why');
		$node->safe_psql('postgres', 'UPDATE t SET i = i + 1; CHECKPOINT');
		is(control($node), 'on', 'pg_controldata');
		is($node->safe_psql('postgres', 'SELECT sum(pages) FROM smgr_atomic_stats') || 0, 0, 'no page was written by us');
		$node->reload;
		$node->safe_psql('postgres', 'UPDATE t SET i = i - 1; CHECKPOINT');
		is(now($node)->{state}, 'off', 'a reload changes nothing');
		$node->stop('immediate');
	};
}

# a library with pages of another size is refused as one of another major is
for my $case ([ block_size => 16384, '16384 and 131072' ], [ segment_size => 65536, '8192 and 65536' ])
{
	my ($setting, $value, $has) = @$case;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$library,smgr_atomic'\n");
	local @ENV{qw(LD_PRELOAD TEST_FAKE)} = ($library, "$setting $value");
	my ($runs, $log) = try_start($node);
	ok(!$runs, "$setting $value: the server does not start");
	like($log,
		qr/FATAL:  smgr_atomic was compiled for another kind of server\n.*DETAIL:  It has pages of 8192 bytes and segments of 131072 pages, the server has $has\.\n.*HINT:  Build it/,
		"$setting $value: says why");
}

# ---- calls that a compiler has resolved, past the table ------------------------

my %resolved = (
	15 => [ 'read 9 mdread',    'truncate 13 mdtruncate', 'close 3 mdclose', 'unlink 6 mdunlink' ],
	17 => [ 'read 10 mdreadv',  'truncate 14 mdtruncate', 'close 3 mdclose', 'unlink 6 mdunlink' ],
	18 => [ 'read 11 mdreadv',  'startreadv 12 mdstartreadv', 'truncate 16 mdtruncate', 'close 3 mdclose', 'unlink 6 mdunlink' ]);
$resolved{19} = $resolved{18};

for my $case (@{ $resolved{$major} })
{
	my ($entry, $what) = split / /, $case, 2;

	subtest "resolved: $entry" => sub {
		my $position = start_faking("resolved $what", reverse @both);
		my $why = qr/not attached to the server: the server does not call through its storage manager table for "$entry"/;

		reach($node, 'off', 'found by a worker');
		my $status = now($node);
		like($status->{reason}, qr/^$why$/, 'reason');
		is($status->{full_page_writes}, 'on', 'images stay on');
		like(log_since($node, $position), qr/WARNING:  smgr_atomic: full_page_writes is on: $why/, 'the log says why');
		$node->safe_psql('postgres', 'UPDATE t SET i = i + 1; CHECKPOINT; UPDATE t SET i = i - 1');
		my $pool = fetch_row($node, 'SELECT * FROM smgr_atomic_pool');
		is($pool->{accepted}, 0, 'the pool took nothing');
		is($node->safe_psql('postgres', 'SELECT sum(i) FROM t'), 500500, 'nothing is lost');
		$node->stop('immediate');
	};
}

# what does no harm is only said
my $position = start_faking('not_readonly');
reach($node, 'active', 'not_readonly');
like(log_since($node, $position),
	qr/LOG:  smgr_atomic: could not make the storage manager table read-only again: Permission denied/,
	'not_readonly: the log says so');
stop_clean($node);

# nothing faked: the preloaded library itself changes nothing
start_faking('', @both);
reach($node, 'active', 'nothing faked (control)');
is($node->safe_psql('postgres', 'SELECT sum(i) FROM t'), 500500, 'nothing is lost');
stop_clean($node);

done_testing();
