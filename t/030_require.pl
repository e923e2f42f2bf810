
# smgr_atomic.require: better no server than one without torn-free pages.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4');

# The server must not start; its log gives the reason.  Without "require" the
# same settings start with images on.
sub not_without
{
	my ($node, $name, $reason) = @_;

	subtest $name => sub {
		my ($runs, $log) = try_start($node);
		ok(!$runs, 'does not start');
		like($log, qr/FATAL:  smgr_atomic\.require is on, but pages cannot be written atomically/,
			'FATAL');
		like($log, qr/DETAIL:  .*$reason/, 'reason');
		like($log, qr/HINT:  .*smgr_atomic\.require = off/, 'hint');
		$node->stop('immediate') if $runs;

		$node->append_conf('postgresql.conf', "smgr_atomic.require = off\n");
		($runs, $log) = try_start($node);
		ok($runs, 'starts without require') or return;
		is(images($node), 'on', 'with images on');
		like(status($node)->{reason}, $reason, 'and the same reason in the status');
		$node->stop;
		$node->append_conf('postgresql.conf', "smgr_atomic.require = on\n");
	};
	return;
}

my $bad = new_node('bad', volume => create_volume('ext4', fs => 'ext4', size => '500M'),
	conf => "smgr_atomic.require = on\n");
not_without($bad, 'storage that cannot', qr/ext4/);

my $good = new_node('good', volume => create_volume('xfs', fs => 'xfs', size => '1G'),
	conf => "smgr_atomic.require = on\n");
$good->start;
is(status($good)->{state}, 'active', 'storage that can: starts');
is(images($good), 'off', 'storage that can: images off');
$good->restart;
is(status($good)->{state}, 'active', 'and again');
$good->stop;

for my $case (
	[ 'mode off', "smgr_atomic.mode = off", 'smgr_atomic.mode = direct', qr/smgr_atomic\.mode is off/ ],
	[ 'fsync off', 'fsync = off', 'fsync = on', qr/fsync is off/ ],
	[
		'mode writethrough on a kernel without it',
		"smgr_atomic.mode = writethrough\nsmgr_atomic.writethrough_flag = 1073741824",
		"smgr_atomic.mode = direct\nsmgr_atomic.writethrough_flag = 0",
		qr/mode writethrough cannot be used in .*RWF_WRITETHROUGH/
	])
{
	my ($name, $setting, $undo, $reason) = @$case;
	$good->append_conf('postgresql.conf', "$setting\n");
	not_without($good, $name, $reason);
	$good->append_conf('postgresql.conf', "$undo\n");
}

# Another library has the server's table already: the last that comes refuses.
sub build_foreign
{
	my $library = PostgreSQL::Test::Utils::tempdir . '/foreign_smgr.so';
	my $include = qx($ENV{PG_CONFIG} --includedir-server) =~ s/\s+$//r;

	system_or_bail('gcc', '-shared', '-fPIC', '-O2', "-I$include", '-D_GNU_SOURCE',
		"$FindBin::Bin/SmgrAtomic/foreign_smgr.c", '-o', $library);
	return $library;
}

my $foreign = build_foreign();
$good->append_conf('postgresql.conf', "shared_preload_libraries = '$foreign, smgr_atomic'\n");
not_without($good, 'another storage manager in place', qr/not attached .*another library has taken it over/);

my ($runs) = try_start($good);
ok(!$runs, 'still refused');
$good->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
$good->start;
is(status($good)->{state}, 'active', 'starts when all is well again');
$good->stop;

done_testing();
