
# Every kind of storage, in a kernel that has it: user-mode Linux with
# scsi_debug as a disk with atomic units.  What the probe says of each, what a
# trial write does there (counted at the disk), and servers that lose their
# filesystem or their kernel.  contrib-bench/lab/uml-matrix does the work.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP;
use Test::More;

my $matrix = abs_path(dirname(__FILE__) . '/../contrib-bench/lab/uml-matrix');
my $work   = File::Temp->newdir;

plan skip_all => 'a user-mode kernel needs root (sudo make test)' if $> != 0;

# One server for each of the two ways that hardware is reached, one in software.
my @servers = qw(xfs ext4-bigalloc xfs-plain-disk);
my $said = `$matrix --servers @{[ join ',', @servers ]} --kills 1 --json $work/rows 2>&1`;
my $status = $? >> 8;
plan skip_all => $said =~ s/\s+/ /gr if $status == 77;

open my $fh, '<', "$work/rows" or die "uml-matrix: $said";
my %row = map { $_->{name} => $_ } map { decode_json($_) } <$fh>;
my @names = map { (split /\t/)[0] } `$matrix --list`;

for my $name (@names, 'kill-1')
{
	my $row = $row{$name};
	SKIP:
	{
		skip "$name: $row->{skipped}", 1 if $row && $row->{skipped};
		is_deeply($row && $row->{problems}, [], $row ? "$row->{title}: $row->{expected}" : $name);
	}
}
is($status, 0, 'status of uml-matrix') or diag($said);

# what the rows above must not be content without
cmp_ok($row{xfs}{trial_atomic_commands}, '>=', 58, 'XFS: 64 pages are WRITE ATOMIC commands, all but a few copied ones');
is($row{'ext4-bigalloc'}{trial_atomic_commands}, 64, 'ext4: 64 pages are 64 WRITE ATOMIC commands');
cmp_ok($row{$_}{server_atomic_commands}, '>', 0, "$_: the server's pages arrive as such") for qw(xfs ext4-bigalloc);
is($row{xfs}{server_io_method}, 'io_uring', 'the server uses io_uring');
like($row{'xfs-plain-disk'}{server_io_method}, qr/^pwritev2/, '... and does without where kernel.io_uring_disabled is 2');
for my $name (@servers, 'kill-1')
{
	cmp_ok($row{$name}{server_acknowledged}, '>', 0, "$name: commits were acknowledged before the crash");
	is($row{$name}{server_lost}, 0, "$name: none is lost");
	is($row{$name}{server_torn}, 0, "$name: no page is torn before recovery");
}

# the silent hazard: the write reports success where statx advertises a unit,
# and nothing atomic has happened
for my $name (qw(ext4-journal ext4-journal-default ext4-journal-file))
{
	my $hazard = $row{$name};
	cmp_ok($hazard->{trial_unit_max}, '>=', 8192, "$name: statx advertises pages");
	is($hazard->{trial_written}, 64, "$name: RWF_ATOMIC reports success");
	is($hazard->{trial_atomic_commands}, 0, "$name: no atomic command reaches the disk");
	cmp_ok($hazard->{trial_cached}, '>', 0, "$name: the pages are in the page cache");
	is($hazard->{verdict}, 'none', "$name: so the verdict is none");
}

done_testing();
