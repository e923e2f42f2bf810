
# NVMe namespaces with and without an atomic unit, in QEMU: what the probe says
# and what arrives there.  contrib-bench/lab/qemu-nvme does the work.  Not in
# the default run (make test-qemu): the first time it fetches a system.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP;
use Test::More;

my $tool = abs_path(dirname(__FILE__) . '/../../contrib-bench/lab/qemu-nvme');
my $work = File::Temp->newdir;

plan skip_all => 'a root of its own needs root (sudo make test-qemu)' if $> != 0;

my $said = `$tool --json $work/rows 2>&1`;
my $status = $? >> 8;
plan skip_all => $said =~ s/\s+/ /gr if $status == 77;
note($said);

open my $fh, '<', "$work/rows" or die "qemu-nvme: $said";
my %row = map { $_->{name} => $_ } map { decode_json($_) } <$fh>;
is(scalar keys %row, 7, 'every namespace is tried');
is_deeply($_->{problems}, [], "$_->{title}: $_->{expected}") for map { $row{$_} } sort keys %row;
is($status, 0, 'status of qemu-nvme');
is($row{$_}{atomic_requests}, 64, "$_: 64 pages are 64 atomic requests") for qw(xfs-64k xfs-8k ext4-64k);
is($row{'ext4-awupf'}{verdict}, 'none', 'what only the controller promises does not count');

done_testing();
