#!/usr/bin/perl
#
# Breaks the model of the disk on purpose, one way after the other, and demands
# that the unit tests notice: a test that cannot fail proves nothing.

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;

my $lab  = abs_path(dirname(__FILE__) . '/..');
my $work = File::Temp::tempdir(CLEANUP => 1);
my $cc   = $ENV{CC} || 'cc';

open my $fh, '<', "$lab/cache.c" or die "cache.c: $!";
my $source = do { local $/; <$fh> };

# What is broken, the code that is replaced, and by what.
my @mutants = (
	[ 'nothing is broken (control)', '', '' ],
	[ 'flush forgets a sector', 'disk->newest[v->sector] == v)
		{', 'disk->newest[v->sector] == v && v->sector != 5)
		{' ],
	[ 'writes are durable at once', "mark_written(disk, sector);\n\treturn 0;",
		"mark_written(disk, sector);\n\treturn make_durable(disk, v);" ],
	[ 'a cut does not follow the seed', 'h % 100 < disk->opt.survive', '(h + (unsigned) rand()) % 100 < disk->opt.survive' ],
	[ 'a cut keeps what it should lose', 'if (keep && make_durable', 'if (!keep && make_durable' ],
	[ 'a cut loses nothing', 'keep = survives(disk, v)', 'keep = true' ],
	[ 'requests go on without power', "\tdisk->power = false;\n", '' ],
	[ 'atomic units are ignored', '^ unit_of(disk, v));', '^ v->sector);' ],
	[ 'a full cache tears atomic units', 'while ((v = disk->oldest_in_cache) != NULL &&', 'if ((v = disk->oldest_in_cache) != NULL &&' ],
	[ 'an older version wins', "\tdisk->newest[sector] = v;\n", "\tif (!disk->newest[sector]) disk->newest[sector] = v;\n" ],
	[ 'a refused write is written', "\t\treturn refuse(disk, EIO, len, off);",
		"\t\t{ cache_write(disk, buf, len, off); return refuse(disk, EIO, len, off); }" ]);

for my $mutant (@mutants)
{
	my ($name, $old, $new) = @$mutant;
	my $broken = $source;
	my $at = index $broken, $old;

	if ($at < 0)
	{
		fail("$name: the code to break is there");
		next;
	}
	substr($broken, $at, length $old) = $new;
	is(tests_pass($broken), $name =~ /control/ ? 1 : 0, $name);
}
done_testing();

sub tests_pass
{
	my ($model) = @_;
	my $flags = "-std=gnu11 -w -O1 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$lab";

	mkdir "$work/tests";
	open my $out, '>', "$work/cache.c" or die "cache.c: $!";
	print $out $model;
	close $out;
	for my $program ('tests/model', 'powerreplay')
	{
		system("$cc $flags -o $work/$program $lab/$program.c $work/cache.c") == 0
		  or die "does not compile\n";
	}
	return system("timeout 120 $work/tests/model >/dev/null 2>&1") == 0 ? 1 : 0;
}
