
# Runs the SQL regression tests (sql/, expected/) on a server that has the
# library preloaded and its data directory on a volume where pages cannot tear.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my @tests = split ' ', $ENV{REGRESS} // '';
BAIL_OUT('REGRESS names no tests') unless @tests;

my $node = new_node(
	'regress',
	volume => create_volume('regress', size => '1G'),
	checksums => 1,
	conf      => "smgr_atomic.mode = auto\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE contrib_regression');

my $output = PostgreSQL::Test::Utils::tempdir;
my ($out, $err) = run_command(
	[
		$ENV{PG_REGRESS},
		"--inputdir=$FindBin::Bin/..",
		"--outputdir=$output",
		'--bindir=',
		'--use-existing',
		'--dbname=contrib_regression',
		'--host=' . $node->host,
		'--port=' . $node->port,
		@tests
	]);

for my $test (@tests)
{
	like($out, qr/^(?:test \Q$test\E\s+\.\.\. ok|ok \d+\s+- \Q$test\E)\s/m, "regression test $test");
}
if (-s "$output/regression.diffs")
{
	diag slurp_file("$output/regression.diffs");
}
elsif (!Test::More->builder->is_passing)
{
	diag $out, $err;
}

done_testing();
