
# What the probe says on kernels that are too old, on filesystems that promise
# what nobody has proven, and when a promise is not kept.  The directories are
# on real filesystems; the kernel is a stand-in (fake_kernel.c).

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use Errno qw(EINVAL EIO ENOSPC EOPNOTSUPP EACCES);
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4');

my $library = build_library('fake_kernel.c');
my $check   = (qx($ENV{PG_CONFIG} --bindir) =~ s/\s+$//r) . '/smgr-atomic-check';
my %volume  = (
	xfs  => create_volume('xfs', size => '400M'),
	ext4 => create_volume('ext4', fs => 'ext4', size => '400M'));

sub probe
{
	my ($fs, %fake) = @_;
	local %ENV = (%ENV, LD_PRELOAD => $library, %fake);
	my ($out, $err) = run_command([ $check, '--json', $volume{$fs} ]);

	return eval { decode_json($out) } // { verdict => 'nothing', reason => "$out$err" };
}

my $damages = 'is known to corrupt data; use 6\.18 or newer \(or 6\.17\.8\)';
my $no = 'the kernel promises atomic writes of \d+ bytes, but could not';
my @cases = (
	[ 'nothing faked (control)', 'software', qr/^XFS copy-on-write/, 'xfs' ],
	[ 'XFS on 6.18', 'software', qr/^XFS copy-on-write/, 'xfs', TEST_KERNEL => '6.18.0-1-amd64' ],
	[ 'XFS on 7.0', 'software', qr/^XFS copy-on-write/, 'xfs', TEST_KERNEL => '7.0' ],
	[ 'XFS on 6.17.8', 'software', qr/^XFS copy-on-write/, 'xfs', TEST_KERNEL => '6.17.8' ],
	[ 'XFS on 6.17.7', 'none', qr/^XFS copy-on-write path of kernel 6\.17\.7 $damages/, 'xfs', TEST_KERNEL => '6.17.7' ],
	[ 'XFS on 6.16', 'none', qr/^XFS copy-on-write path of kernel 6\.16\.3 $damages/, 'xfs', TEST_KERNEL => '6.16.3' ],
	[ 'XFS on 6.13', 'none', qr/^XFS on kernel 6\.13: writes of several blocks are atomic from 6\.16 \(use 6\.18 or newer\)/,
		'xfs', TEST_KERNEL => '6.13.2' ],
	map({ [ "$_ on 6.1", 'none', qr/^kernel 6\.1 is older than 6\.11 and has no atomic writes/, $_, TEST_KERNEL => '6.1.0-42' ] }
		qw(xfs ext4)),
	[ 'ext4 on 6.18', 'none', qr/^ext4 has no software path/, 'ext4', TEST_KERNEL => '6.18.0' ],
	[ 'a kernel that says nothing of itself', 'none', qr/^XFS copy-on-write path of kernel 0\.0\.0 $damages/,
		'xfs', TEST_KERNEL => 'unreadable' ],

	# what looks as good as XFS, but is not
	[ 'ext4 data=journal', 'none', qr/^ext4 data=journal silently loses the guarantee/,
		'xfs', TEST_FILESYSTEM => 'ext4', TEST_OPTIONS => 'rw,data=journal' ],
	[ 'XFS with DAX', 'none', qr/^DAX mount or directory: writes bypass the block device and can tear; mount without dax, or clear it with chattr -x/,
		'xfs', TEST_FILESYSTEM => 'xfs', TEST_OPTIONS => 'rw,dax=always' ],
	[ 'XFS with DAX by the directory', 'none', qr/^DAX mount or directory: writes bypass the block device/, 'xfs', TEST_DAX => 1 ],
	map({
			[ "$_ that advertises atomic writes", 'none',
				qr/^$_ advertises atomic writes, but this library has not been proven on it; use XFS or ext4/,
				'xfs', TEST_FILESYSTEM => $_ ]
		} qw(btrfs f2fs bcachefs)),

	# promises that are not kept
	[ 'EINVAL', 'none', qr/^$no write a page: Invalid argument/, 'xfs', TEST_FAIL => 'pwritev2:' . EINVAL ],
	[ 'EOPNOTSUPP', 'none', qr/^$no write a page: Operation not supported/, 'xfs', TEST_FAIL => 'pwritev2:' . EOPNOTSUPP ],
	[ 'ENOSPC', 'none', qr/^$no write a page: No space left on device/, 'xfs', TEST_FAIL => 'pwritev2:' . ENOSPC ],
	[ 'a short write', 'none', qr/^$no write a page: Input\/output error/, 'xfs', TEST_FAIL => 'pwritev2:short' ],
	[ 'a flush that fails', 'none', qr/^$no flush a page: Input\/output error/, 'xfs', TEST_FAIL => 'fdatasync:' . EIO ],
	[ 'other bytes than written', 'none', qr/^$no read a page back: Input\/output error/, 'xfs', TEST_FAIL => 'pread:wrong' ],
	[ 'no unnamed files', 'none', qr/^no guarantee: xfs has no direct I\/O or no unnamed files; use XFS/,
		'xfs', TEST_FAIL => 'open:' . EOPNOTSUPP ],
	[ 'no permission', 'none', qr/^could not create a trial file in "\Q$volume{xfs}\E": Permission denied/,
		'xfs', TEST_FAIL => 'open:' . EACCES ]);

for my $case (@cases)
{
	my ($name, $verdict, $reason, $fs, %fake) = @$case;
	my $probe = probe($fs, %fake);

	is($probe->{verdict}, $verdict, "$name: $verdict");
	like($probe->{reason}, $reason, "$name: reason");
}

# ---- the page journal ----------------------------------------------------------------

my $unproven = 'the page journal has not been proven on';
for my $case (
	[ 'ext4 (control)', 1, qr/^the page journal works$/, 'ext4' ],
	[ 'XFS (control)', 1, qr/^the page journal works$/, 'xfs' ],
	[ 'ext4 data=journal', 1, qr/^the page journal works$/, 'ext4', TEST_FILESYSTEM => 'ext4', TEST_OPTIONS => 'rw,data=journal' ],
	[ 'XFS, mounted with DAX', 0, qr/^$unproven xfs with DAX; use XFS or ext4$/,
		'xfs', TEST_FILESYSTEM => 'xfs', TEST_OPTIONS => 'rw,dax=always' ],
	[ 'ext4, DAX by the directory', 0, qr/^$unproven ext4 with DAX; use XFS or ext4$/, 'ext4', TEST_DAX => 1 ],
	map({ [ "$_ (by its name)", 0, qr/^$unproven $_; use XFS or ext4$/, 'ext4', TEST_FILESYSTEM => $_ ] } qw(ext3 btrfs xfs)),
	[ 'a flush that fails', 0, qr/^could not flush a page: Input\/output error$/, 'ext4', TEST_FAIL => 'fdatasync:' . EIO ])
{
	my ($name, $usable, $reason, $fs, %fake) = @$case;
	my $probe = probe($fs, %fake);

	is($probe->{journal} ? 1 : 0, $usable, "page journal on $name: " . ($usable ? 'yes' : 'no'));
	like($probe->{journal_reason}, $reason, "page journal on $name: reason");
}

done_testing();
