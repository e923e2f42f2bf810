#!/usr/bin/perl
#
# The torn-page scanner against a real cluster whose pages are damaged by hand
# in every way it tells apart, and against a disk that loses power, as root.

use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:DEFAULT :seek);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Handle;
use JSON::PP ();
use Test::More;

plan skip_all => 'mounting needs root' if $> != 0;

my $lab    = abs_path(dirname(__FILE__) . '/..');
my $config = $ENV{PG_CONFIG} || 'pg_config';
chomp(my $bindir = `$config --bindir`);
my $work = File::Temp::mkdtemp('/var/tmp/tornscan-XXXXXX');
my $data = "$work/data";
my $old  = "$work/old";

END
{
	my $status = $?;
	if ($work)
	{
		system("$lab/powervolume", 'remove', "$work/fs");
		system('rm', '-rf', $work);
	}
	$? = $status;
}

sub as_server
{
	my ($command) = @_;
	my $rc = system("cd $work && setpriv --reuid postgres --regid postgres --clear-groups "
		  . "env PATH=$bindir:\$PATH $command >$work/out 2>&1");
	return if $rc == 0;
	diag(`cat $work/out`);
	die "$command failed";
}

sub sql
{
	my ($statements) = @_;
	as_server("sh -c \"echo \\\"$statements\\\" | postgres --single -O -D $data postgres\"");
	return;
}

# Runs the scanner; returns its exit status and what it says, decoded.
sub scan
{
	my (@options) = @_;
	my $json = `$lab/tornscan --json @options`;
	my $status = $? >> 8;
	return ($status, $status < 2 ? JSON::PP->new->decode($json) : undef);
}

sub finding_is
{
	my ($options, $verdict, $evidence, $sectors, $name) = @_;
	my ($status, $result) = scan(@$options, $data);
	my $f = $result->{findings};
	is($status, 1, "$name: exit status 1");
	is(scalar @$f, 1, '... one finding');
	is(join(' ', map { $f->[0]{$_} } qw(verdict evidence sectors)), "$verdict $evidence $sectors", '... as it should be');
	return $f->[0];
}

sub patch
{
	my ($path, $offset, $bytes) = @_;
	sysopen(my $fh, $path, O_WRONLY) or die "$path: $!";
	sysseek($fh, $offset, SEEK_SET);
	syswrite($fh, $bytes) == length $bytes or die "$path: $!";
	return;
}

sub bytes
{
	my ($path, $offset, $length) = @_;
	sysopen(my $fh, $path, O_RDONLY) or die "$path: $!";
	sysseek($fh, $offset, SEEK_SET);
	sysread($fh, my $got, $length) == $length or die "$path: $!";
	return $got;
}

chmod 0755, $work;
system('chown', 'postgres:', $work);
as_server("initdb -k -N -A trust -D $data");
sql('CREATE TABLE t AS SELECT i, md5(i::text) AS h FROM generate_series(1, 1000) i;');
as_server("sh -c \"echo \\\"SELECT pg_relation_filepath('t')\\\" | postgres --single -D $data postgres\"");
my ($table) = `cat $work/out` =~ /pg_relation_filepath = "([^"]+)"/;
like($table // '', qr/^base\/\d+\/\d+$/, 'a table to damage') or BAIL_OUT('no table');
my $file = "$data/$table";
system("cp -a $data $old");
sql('UPDATE t SET i = i + 1;');
my $sound = bytes($file, 8192, 8192);
my $before = bytes("$old/$table", 8192, 8192);

my ($status, $result) = scan($data);
is($status, 0, 'a sound cluster: exit status 0');
cmp_ok($result->{pages}, '>', 2000, '... many pages were read');
is($result->{torn} + $result->{damaged}, 0, '... nothing found');

# damage, one kind after the other
patch($file, 8192 + 5000, chr(ord(substr $sound, 5000, 1) ^ 1));
my $f = finding_is([], 'damaged', 'none', '', 'one flipped bit');
is("$f->{file} $f->{block}", "$table 1", '... names file and block');
isnt($f->{checksum_expected}, $f->{checksum_found}, '... and both checksums');
ok($f->{header_plausible}, '... the header is that of a page');
patch($file, 8192, $sound);

patch($file, 8192 + 4096, "\0" x 4096);
finding_is([], 'torn', 'zeros', '#0', 'second half never arrived');
finding_is([ '--sector', 512 ], 'torn', 'zeros', '########00000000', '... in sectors of 512');
patch($file, 8192, "\0" x 4096 . substr $sound, 4096);
finding_is([], 'torn', 'zeros', '0#', 'first half never arrived');

patch($file, 8192, substr($sound, 0, 4096) . substr($before, 4096));
finding_is([], 'damaged', 'none', '', 'halves of two versions, nothing to compare with');
finding_is([ '--reference', $old ], 'torn', 'reference', '#=', '... with the older version');
patch($file, 8192, substr($sound, 0, 1024) . substr($before, 1024, 512) . substr($sound, 1536));
finding_is([ '--sector', 512, '--reference', $old ], 'torn', 'reference',
	'##=#############' =~ s/#/substr($sound, 512 * $-[0], 512) eq substr($before, 512 * $-[0], 512) ? '=' : '#'/ger,
	'... one sector of 512 of the older version');

patch($file, 8192, 'garbage!' x 1024);
$f = finding_is([ '--reference', $old ], 'damaged', 'none', '', 'no page at all');
ok(!$f->{header_plausible}, '... the header is not that of a page');
patch($file, 8192, $before);
is((scan($data))[0], 0, 'an older version, whole, is sound');
patch($file, 0, $before);
finding_is([], 'damaged', 'none', '', 'a sound page in the wrong place');
patch($file, 0, bytes("$old/$table", 0, 8192));

# what must not be found
system("head -c 8192 /dev/zero >> $file");
($status, $result) = scan($data);
is($status, 0, 'a page of zeros is new, not damaged');
my $new = $result->{new};
system("head -c 4096 /dev/urandom >> $file");
($status, $result) = scan($data);
is("$status $result->{new} $result->{partial_tails}", "0 $new 1", 'half a page at the end does not count');
for my $name ("t3_99999", 'pg_internal.init', '16384_foo', 'PG_VERSION2')
{
	system("head -c 8192 /dev/urandom > " . dirname($file) . "/$name");
}
is((scan($data))[0], 0, 'files that are no relations are left alone');

# other forks, later segments, tablespaces
system("cp $file ${file}_fsm.1");
($status, $result) = scan($data);
is($status, 1, 'segment 1 of a fork is read');
is($result->{findings}[0]{block}, 131072, '... block numbers go on there');
unlink "${file}_fsm.1";
my ($version) = $table =~ /(\d+)\/\d+$/;
chomp(my $major = `cat $data/PG_VERSION`);
system("mkdir -p $work/space/PG_${major}_1/$version");
symlink "$work/space", "$data/pg_tblspc/99";
system("head -c 8192 /dev/urandom > $work/space/PG_${major}_1/$version/99999");
($status, $result) = scan($data);
like($result->{findings}[0]{file} // '', qr/^pg_tblspc\/99\/PG_.*\/99999$/, 'tablespaces are read');
unlink "$data/pg_tblspc/99";

# what it cannot judge
as_server("initdb -N -A trust -D $work/nosums");
is((scan("$work/nosums 2>$work/err"))[0], 2, 'no checksums: exit status 2');
like(`cat $work/err`, qr/checksums are off/, '... and says so');
is((scan("$work/nothing 2>/dev/null"))[0], 2, 'no cluster: exit status 2');

# On the disk that loses power: both versions of each page are sound, a cut
# takes halves, and the log of the disk tells which.
system("$lab/powervolume create $work/fs --size 512M -- --seed 5 >/dev/null") == 0 or die;
my $ctl = "$lab/powervolume ctl $work/fs";
system("cp -a $old $work/fs/data && sync -f $work/fs/data");
my $target = "$work/fs/data/$table";
my $pages  = (-s "$old/$table") / 8192;
# the newer version of the same pages in one request, which cuts the power
system("$ctl set cut-unflushed " . 2 * $pages);
system("dd if=$file of=$target bs=" . 8192 * $pages . ' count=1 conv=notrunc oflag=direct status=none 2>/dev/null');
is(system("$ctl wait-off 10"), 0, 'the power is gone');
system("$lab/powervolume power-on $work/fs");
($status, $result) = scan('--powerdisk-log', "$work/fs.power/log", "$work/fs/data");
is($status, 1, 'after a cut: torn pages');
cmp_ok($result->{torn}, '>', 0, "... $result->{torn} of $pages");
is($result->{damaged}, 0, '... all of them explained by the log of the disk');
my $wrong = 0;
for my $t (@{ $result->{findings} })
{
	my $page = bytes($target, $t->{block} * 8192, 8192);
	for my $half (0, 1)
	{
		my $from = substr($t->{sectors}, $half, 1) eq '+' ? $file : "$old/$table";
		$wrong++ if substr($page, $half * 4096, 4096) ne bytes($from, $t->{block} * 8192 + $half * 4096, 4096);
	}
}
is($wrong, 0, '... and every sector is what the log says it is');
patch($target, 0, 'garbage!' x 1024);
system("sync $target && $ctl flush-log");
($status, $result) = scan('--powerdisk-log', "$work/fs.power/log", "$work/fs/data");
is($result->{damaged}, 1, 'damage that no cut made is not called torn');

done_testing();
