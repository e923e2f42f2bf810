
# A process that waits for its page to reach storage says so: wait event
# DataFileWrite, as with the stock server.  Without the pool it is the process
# that writes; one write is held up by strace.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $node = new_node(
	'main',
	volume => create_volume('data', size => '1G'),
	conf   => "autovacuum = off\nbgwriter_lru_maxpages = 0\ncheckpoint_timeout = 1h\nsmgr_atomic.write_behind_size = 0\n");
$node->start;
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT i, 0 v FROM generate_series(1, 1000) i');
my ($file) = block_in_file($node, 't', 0);
$node->stop;

start_traced($node, '-o', '/dev/null', '-e', 'trace=pwritev2', '-P', $node->data_dir . "/$file",
	'-e', 'inject=pwritev2:delay_enter=10000000:when=1');
settle($node);
$node->safe_psql('postgres', 'UPDATE t SET v = 1');
my $checkpoint = $node->background_psql('postgres');
$checkpoint->query_until(qr/begun/, "\\echo begun\nCHECKPOINT;\n");
my $event = q{SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity WHERE backend_type = 'checkpointer'};
ok($node->poll_query_until('postgres', $event, 'IO DataFileWrite'), 'wait event of a write under way');
$checkpoint->quit;
isnt($node->safe_psql('postgres', $event), 'IO DataFileWrite', 'and it ends with the write');
stop_traced($node);

done_testing();
