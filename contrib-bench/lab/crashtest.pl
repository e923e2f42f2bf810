#!/usr/bin/perl
#
# crashtest.pl - what crashtest runs: cuts, arm by arm, and the table

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../../t";
use Getopt::Long;

use SmgrAtomic::Root;
use SmgrAtomic::Crash;

my %option = (cuts => 5, seed => time % 100_000_000, arms => 'stock-on,stock-off,atomic,doublewrite-ext4,doublewrite-xfs', sector => 4096);
GetOptions(\%option, 'cuts=i', 'seed=i', 'arms=s', 'sector=i') && !@ARGV or die "see crashtest --help\n";
my $arms = \%SmgrAtomic::Crash::arms;
my @arms = split /,/, $option{arms};
$arms->{$_} or die "no such arm: $_\n" for @arms;

$| = 1;
print "seed $option{seed}, $option{cuts} cuts for each arm, sectors of $option{sector} bytes\n\n";
my %labs;
my %total;

# Arms take turns, so that what else the machine does meets all of them.
for my $seed ($option{seed} .. $option{seed} + $option{cuts} - 1)
{
	for my $arm (@arms)
	{
		add($arm, $seed, one_cut($arm, $seed));
	}
}
print_table();
my @wrong = verdict();
print "\n$_\n" for @wrong;
exit(@wrong > 0);

# One for each filesystem.
sub lab_of
{
	my ($arm) = @_;
	my %place = %{ $arms->{$arm}{place} // {} };

	return $labs{ join ',', map { "$_=$place{$_}" } sort keys %place } //=
	  SmgrAtomic::Crash->new(sector => $option{sector}, %place);
}

sub one_cut
{
	my ($arm, $seed) = @_;
	my $run = lab_of($arm)->begin(arm => $arm, seed => $seed);

	$run->start or die "the server does not start: " . $run->why_it_failed . "\n";
	$run->workload;
	$run->cut;
	$run->power_on;
	$run->recover_and_verify;
	return $run;
}

sub add
{
	my ($arm, $seed, $run) = @_;
	my $t = $total{$arm} //= {};

	$t->{cuts}++;
	$t->{$_} += $run->{$_} for qw(split torn damaged_before acknowledged lost);
	$t->{clusters_torn}++ if $run->{torn};
	$t->{damaged}++ if @{ $run->{problems} };
	$t->{no_recovery}++ if grep { /^recovery failed/ } @{ $run->{problems} };
	printf "%-16s seed %d: %s, %d torn before, %d commits, %d lost, %s\n", $arm, $seed,
	  "cut by $run->{cut}{last_cut}", $run->{torn}, $run->{acknowledged}, $run->{lost},
	  @{ $run->{problems} } ? 'DAMAGED' : 'sound';
	print "    $_\n" for map { length > 150 ? substr($_, 0, 150) . '...' : $_ } @{ $run->{problems} };
	print '    saved in ' . $run->keep($ENV{SMGR_ATOMIC_TEST_LOGS}) . "\n"
	  if $ENV{SMGR_ATOMIC_TEST_LOGS} && unexpected($run);
	$run->end;
	return;
}

sub unexpected
{
	my ($run) = @_;
	my $arm = $arms->{ $run->{arm} };
	return 0 if $arm->{unsafe};
	return @{ $run->{problems} } || $run->{lost} || $arm->{whole} && ($run->{torn} || $run->{damaged_before});
}

sub print_table
{
	my @columns = (
		[ 'cuts',          'cuts' ],
		[ 'writes split',  'split' ],
		[ 'torn pages before recovery', 'torn' ],
		[ 'otherwise damaged', 'damaged_before' ],
		[ 'clusters damaged after', 'damaged' ],
		[ 'of these no recovery', 'no_recovery' ],
		[ 'commits acknowledged', 'acknowledged' ],
		[ 'commits lost',  'lost' ]);

	print "\n", join(' | ', sprintf('%-47s', 'arm'), map { $_->[0] } @columns), "\n";
	print join('-|-', '-' x 47, map { '-' x length $_->[0] } @columns), "\n";
	for my $arm (@arms)
	{
		print join(' | ', sprintf('%-47s', $arms->{$arm}{title}),
			map { sprintf '%*d', length $_->[0], $total{$arm}{ $_->[1] } // 0 } @columns), "\n";
	}
	print "\n\"Writes split\": requests of which the cut kept a part and lost a part.\n";
	print "\"Lost\" counts all commits of a cluster that did not recover.\n";
	return;
}

# What is not as it must be, as sentences.
sub verdict
{
	my @wrong;

	for my $arm (@arms)
	{
		my ($t, $title) = ($total{$arm}, $arms->{$arm}{title});
		my ($torn, $damaged) = map { $_ // 0 } @$t{qw(torn damaged)};

		push @wrong, "FAILED: $title: the cuts split no write, so they proved nothing" unless $t->{split};
		if ($arms->{$arm}{unsafe})
		{
			push @wrong, "FAILED: $title: no damage, so the other arms prove nothing" unless $damaged;
			next;
		}
		push @wrong, "FAILED: $title: $t->{lost} acknowledged commits lost" if $t->{lost};
		push @wrong, "FAILED: $title: $damaged clusters damaged" if $damaged;
		push @wrong, "FAILED: $title: $torn torn, $t->{damaged_before} damaged pages before recovery"
		  if $arms->{$arm}{whole} && ($torn || $t->{damaged_before});
	}
	return @wrong;
}
