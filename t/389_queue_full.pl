
# The checkpointer's queue of sync requests is full: whoever wrote a page then
# makes it durable itself, as with the stock server.  The queue has as many
# entries as there are shared buffers; the checkpointer is held in a checkpoint,
# so that it takes none, while pages of more files than that are written.

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

use constant TABLES => 80;

my $library = build_library('hold_fsync.c');
my $node    = new_node(
	'main',
	volume => create_volume('data', size => '1G'),
	conf   => "shared_buffers = 256kB\nautovacuum = off\nbgwriter_lru_maxpages = 0\n"
	  . "checkpoint_timeout = 1h\nlog_min_messages = debug1\nlog_statement = none\n"
	  # with the page journal only one process at a time syncs files (doublewrite.c), so
	  # that the others would wait for the fsync that is held here
	  . "smgr_atomic.mode = direct\n");
my $trace = PostgreSQL::Test::Utils::tempdir . '/trace';

$node->start;
$node->safe_psql('postgres', 'CREATE TABLE pad AS SELECT i, repeat($$x$$, 500) v FROM generate_series(1, 2000) i');
$node->safe_psql('postgres', join ";\n", map { "CREATE TABLE t$_ AS SELECT 0 AS v" } 1 .. TABLES);
my %table_of = reverse split /[|\n]/,
  $node->safe_psql('postgres', q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname ~ '^t\d+$'});
is(keys %table_of, TABLES, 'tables');

for my $pool ('32MB', '0')
{
	$node->append_conf('postgresql.conf', "smgr_atomic.write_behind_size = $pool\n");
	$node->stop;
	unlink map { $node->data_dir . "/$_" } qw(test_hold test_held);
	{
		local $ENV{LD_PRELOAD} = $library;
		start_traced($node, '-o', $trace, '-y', '-e', 'trace=fsync');
	}
	reach($node, 'active', "pool $pool");
	my $checkpointer = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
	my $held = hold($node);
	my $checkpoint = $node->background_psql('postgres');
	$checkpoint->query_until(qr/begun/, "\\echo begun\nCHECKPOINT;\n");
	$held->();

	# reading the big table evicts what was changed
	my $position = log_position($node);
	$node->safe_psql('postgres', join ";\n", map({ "UPDATE t$_ SET v = v + 1" } 1 .. TABLES), 'SELECT count(*) FROM pad');
	like(log_since($node, $position), qr/DEBUG:  could not forward fsync request because request queue is full/,
		"pool $pool: the queue is full");
	release($node);
	$checkpoint->quit;
	is(counters($node)->{errors}, 0, "pool $pool: no errors");
	kill_traced($node);

	my @synced = grep { $_ } map { m{^(\d+) +fsync\(\d+<[^>]*/(base/\d+/\d+)>} && $1 != $checkpointer ? $table_of{$2} : () }
	  split /\n/, slurp_file($trace);
	cmp_ok(scalar @synced, '>', 10, "pool $pool: who wrote a page has fsynced its file");

	$node->start;
	my $sum = join ' + ', map { "(SELECT sum(v) FROM t$_)" } 1 .. TABLES;
	is($node->safe_psql('postgres', "SELECT $sum"), TABLES * ($pool eq '0' ? 2 : 1), "pool $pool: nothing is lost");
}
stop_clean($node);

done_testing();
