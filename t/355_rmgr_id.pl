
# A library built with another resource manager ID ("make SA_RMGR_ID=129"): its
# WAL says so, is replayed by it, and by no other build.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_volumes('ext4');

my $build = PostgreSQL::Test::Utils::tempdir;
system_or_bail('cp', '-R', map({ "$FindBin::Bin/../$_" } qw(Makefile smgr_atomic)), $build);
my @make = ('make', '-s', '-C', $build, "PG_CONFIG=$ENV{PG_CONFIG}", 'smgr_atomic.so');
my ($out, $err) = run_command([ @make, 'SA_RMGR_ID=127' ]);
like($err, qr/SA_RMGR_ID is one of those for extensions/, '127 belongs to the server: not built');
system_or_bail(@make, 'SA_RMGR_ID=129');

my $node = new_node('main', volume => create_volume('data', fs => 'ext4', size => '1G'),
	conf => "autovacuum = off\nsmgr_atomic.mode = doublewrite\nsmgr_atomic.journal_size = 8MB\n"
	  . "dynamic_library_path = '$build:\$libdir'\n");

# (the extension's functions would come from the installed library)
sub wait_for_images_off
{
	$node->poll_query_until('postgres', 'SHOW full_page_writes', 'off') or die 'images stay on';
	return;
}

$node->start;
like(slurp_file($node->logfile), qr/registered custom resource manager "smgr_atomic" with ID 129$/m, 'registered with ID 129');
wait_for_images_off();
$node->safe_psql('postgres', 'CREATE TABLE t AS SELECT generate_series(1, 20000) i; CHECKPOINT');
my $redo = $node->safe_psql('postgres', 'SELECT redo_lsn FROM pg_control_checkpoint()');
my ($records) = waldump($node, '-s', $redo);
like($records, qr/^rmgr: custom129 /m, 'pg_waldump shows custom129');
unlike($records, qr/^rmgr: custom128 /m, '... and not custom128');

# a crash: the build with 128 must not replay it, the one with 129 does
$node->safe_psql('postgres', 'UPDATE t SET i = i + 1');
$node->stop('immediate');
$node->append_conf('postgresql.conf', "dynamic_library_path = '\$libdir'\n");
my ($runs, $log) = try_start($node);
ok(!$runs, 'built with 128: does not start');
like($log, qr/FATAL:  resource manager with ID 129 not registered/, 'built with 128: says why');
$node->append_conf('postgresql.conf', "dynamic_library_path = '$build:\$libdir'\n");
$node->start;
is($node->safe_psql('postgres', 'SELECT sum(i) FROM t'), 200030000, 'built with 129: recovers');
wait_for_images_off();
stop_clean($node);

done_testing();
