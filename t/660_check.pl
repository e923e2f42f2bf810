
# smgr-atomic-check, as somebody uses it who has no server yet and is not root.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4');
isnt($>, 0, 'not root');

# Built from two files, without a server's development package.
my $check = PostgreSQL::Test::Utils::tempdir() . '/smgr-atomic-check';
my $built = IPC::Run::run(
	[ 'make', '-s', '-C', "$FindBin::Bin/..", 'PG_CONFIG=/nowhere/pg_config', "CHECK=$check", $check ],
	'>&', \my $said);
ok($built && -x $check, 'it builds without pg_config') or diag($said);

# Exit status, output, errors.
sub check
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ $check, @arguments ], '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

my $xfs  = create_volume('xfs',  fs => 'xfs',  size => '400M');
my $ext4 = create_volume('ext4', fs => 'ext4', size => '400M');
my $tmpfs = create_volume('tmpfs', fs => 'tmpfs', size => '100M');
my $nowhere = "$xfs/nowhere";

my ($status, $out, $err) = check($xfs);
is($status, 0, 'torn-free: status 0');
like($out, qr/^\Q$xfs\E\n +verdict +software \(torn-free\)\n +reason +XFS copy-on-write, up to \d+ bytes atomically\n/,
	'the directory, the verdict and the reason');
like($out, qr/^ +filesystem +xfs on \/dev\/loop\d+\n +kernel +Linux \d+\.\d+.*\n +atomic unit +4096 to \d+ bytes \(device: 0\)\n/m,
	'filesystem, kernel and units');
is($err, '', 'no errors');
is_deeply([ glob("$xfs/* $xfs/.[!.]*") ], [], 'nothing is left behind');

($status, $out) = check($ext4);
is($status, 0, 'torn-free with the page journal: status 0');
like($out, qr/verdict +none \(torn-free with the page journal\)\n +reason +ext4 has no software path.*; use XFS with reflink=1.*?\n.*^ +journal +the page journal works$/ms,
	'and why it would not be by itself');

($status, $out) = check($tmpfs);
is($status, 1, 'may tear: status 1');
like($out, qr/verdict +none \(page writes may tear\)\n +reason +.*tmpfs.*^ +journal +the page journal has not been proven on tmpfs; use XFS or ext4$/ms,
	'with what to change');

($status, $out) = check($nowhere);
is($status, 3, 'not examined: status 3');
like($out, qr/verdict +none \(could not be examined\)\n +reason +could not open directory .*No such file/, 'and why');

mkdir "$xfs/locked", 0500 or die "mkdir: $!";
($status, $out) = check("$xfs/locked");
is($status, 3, 'no permission: status 3');
like($out, qr/reason +could not create a trial file in .*Permission denied/, 'and why');

# several
($status, $out) = check('--json', $xfs, $ext4, $nowhere, $tmpfs);
is($status, 1, 'the worst of several counts: may tear');
my @probes = map { decode_json($_) } split /\n/, $out;
is_deeply([ map { $_->{verdict} } @probes ], [qw(software none none none)], 'a line of JSON for each');
is_deeply([ map { $_->{examined} ? 1 : 0 } @probes ], [ 1, 1, 0, 1 ], 'what was examined');
is_deeply(
	[ sort keys %{ $probes[0] } ],
	[
		sort qw(path filesystem device kernel unit_min unit_max unit_max_opt segments_max dio_mem_align
		  dio_offset_align device_unit_max examined verdict reason writethrough writethrough_reason
		  journal journal_reason)
	],
	'the keys');
($status) = check($xfs, $nowhere);
is($status, 3, 'the worst of several counts: not examined');

# names that JSON has its own ideas about
for my $name ('with "quotes"', "new\nline", 'back\\slash', "tab\tand\x01", "gr\xc3\xbc\xc3\x9fe \xe2\x82\xac \xf0\x9f\x90\x98")
{
	mkdir "$xfs/$name" or die "mkdir: $!";
	($status, $out) = check('--json', "$xfs/$name");
	my $probe = eval { decode_json($out) } // {};
	utf8::encode(my $path = $probe->{path} // '');
	is($path, "$xfs/$name", 'name in JSON: ' . $name =~ s/[^ -~]/?/gr);
	is($probe->{verdict}, 'software', 'and its verdict');
}
for my $name ("latin \xfc", "cut short \xe2\x82", "overlong \xc0\xaf", "surrogate \xed\xa0\x80", "beyond \xf4\x90\x80\x80")
{
	($status, $out) = check('--json', "$xfs/$name");
	my $probe = eval { JSON::PP->new->utf8->decode($out) };
	like($probe && $probe->{path}, qr/\x{fffd}/, 'no UTF-8 is replaced: ' . $name =~ s/[^ -~]/?/gr);
}

# page sizes: what tears depends on them
($status) = check('--page-size', 512, $xfs);
is($status, 1, 'pages smaller than a block: may tear');
($status, $out) = check('--page-size', 16384, $xfs);
is($status, 0, 'pages of 16 KiB');
for my $size ('0', '8191', '8192x', '', '-8192', '131072', '256')
{
	($status, $out, $err) = check('--page-size', $size, $xfs);
	is($status, 2, "page size \"$size\": wrong usage");
	like($err, qr/must be a power of two from 512 to 65536/, 'and why');
}

# usage
for my $arguments ([], ['--nonsense'], ['--page-size'])
{
	($status, $out, $err) = check(@$arguments);
	is($status, 2, "wrong usage: @$arguments");
	like($err, qr/^Usage: smgr-atomic-check/m, 'shows how');
	is($out, '', 'not where a script reads');
}
($status, $out, $err) = check('--help');
is($status, 0, '--help');
like($out, qr/$_/, "--help tells of $_") for qr/--json/, qr/--page-size/, qr/hardware.*software.*none/s, qr/Exit status:.*0.*1.*2.*3/s;
is($err, '', '--help is no error');

done_testing();
