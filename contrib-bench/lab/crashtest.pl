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

# A control that has shown nothing after its cuts gets up to so many more.
use constant MORE_CUTS => 8;

my %option = (cuts => 5, seed => time % 100_000_000, arms => 'stock-on,stock-off,atomic,doublewrite-ext4,doublewrite-xfs', sector => 4096);
GetOptions(\%option, 'cuts=i', 'seed=i', 'arms=s', 'sector=i', 'markdown-fd=i') && !@ARGV or die "see crashtest --help\n";
my $arms = \%SmgrAtomic::Crash::arms;
my @arms = split /,/, $option{arms};
$arms->{$_} or die "no such arm: $_\n" for @arms;

$| = 1;
print "seed $option{seed}, $option{cuts} cuts for each arm, sectors of $option{sector} bytes\n\n";
my %labs;
my %total = map { $_ => { map { $_ => 0 } qw(cuts failed split torn damaged_before damaged no_recovery acknowledged lost) } } @arms;

# Arms take turns, so that what else the machine does meets all of them.
my $seed = $option{seed};
for (1 .. $option{cuts})
{
	one_cut($_, $seed) for @arms;
	$seed++;
}
for (1 .. MORE_CUTS)
{
	one_cut($_, $seed) for grep { !$total{$_}{failed} && shows_nothing($_) } @arms;
	$seed++;
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

# What goes wrong with one cut must not lose the others.
sub one_cut
{
	my ($arm, $seed) = @_;
	my $run;
	my $done = eval {
		$run = lab_of($arm)->begin(arm => $arm, seed => $seed);
		$run->start or die "the server does not start: " . $run->why_it_failed . "\n";
		$run->workload;
		$run->cut;
		$run->power_on;
		$run->recover_and_verify;
		add($arm, $seed, $run);
		1;
	};
	if (!$done)
	{
		$total{$arm}{failed}++;
		printf "%-16s seed %d: FAILED: %s\n", $arm, $seed, $@ =~ s/\s+/ /gr;
	}
	eval { $run->end; 1 } or print '    ' . $@ =~ s/\s+/ /gr . "\n" if $run;
	return;
}

sub add
{
	my ($arm, $seed, $run) = @_;
	my $t = $total{$arm};

	$t->{cuts}++;
	$t->{$_} += $run->{$_} for qw(split torn damaged_before acknowledged lost);
	$t->{damaged}++ if @{ $run->{problems} };
	$t->{no_recovery}++ if grep { /^recovery failed/ } @{ $run->{problems} };
	printf "%-16s seed %d: %s, %d torn before, %d commits, %d lost, %s\n", $arm, $seed,
	  "cut by $run->{cut}{last_cut}", $run->{torn}, $run->{acknowledged}, $run->{lost},
	  @{ $run->{problems} } ? 'DAMAGED' : 'sound';
	print "    $_\n" for map { length > 150 ? substr($_, 0, 150) . '...' : $_ } @{ $run->{problems} };
	print '    saved in ' . $run->keep($ENV{SMGR_ATOMIC_TEST_LOGS}) . "\n"
	  if $ENV{SMGR_ATOMIC_TEST_LOGS} && unexpected($run);
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
	my @notes = (
		'"Writes split": requests of which the cut kept a part and lost a part.',
		'"Lost" counts all commits of a cluster that did not recover.');

	print "\n", join(' | ', sprintf('%-36s', 'arm'), map { $_->[0] } @columns), "\n";
	print join('-|-', '-' x 36, map { '-' x length $_->[0] } @columns), "\n";
	for my $arm (@arms)
	{
		print join(' | ', sprintf('%-36s', $arms->{$arm}{title}),
			map { sprintf '%*d', length $_->[0], $total{$arm}{ $_->[1] } } @columns), "\n";
	}
	print "\n", map { "$_\n" } @notes;
	write_markdown(\@columns, \@notes) if defined $option{'markdown-fd'};
	return;
}

# The same table.  The file was opened by root.
sub write_markdown
{
	my ($columns, $notes) = @_;

	open my $to, '>&=', $option{'markdown-fd'} or die "descriptor $option{'markdown-fd'}: $!\n";
	print $to "`contrib-bench/lab/crashtest --cuts $option{cuts} --seed $option{seed} --arms $option{arms}"
	  . " --sector $option{sector}`:\n\n";
	print $to '| ', join(' | ', 'arm', map { $_->[0] } @$columns), " |\n";
	print $to '|---', '|---:' x @$columns, "|\n";
	for my $arm (@arms)
	{
		print $to '| ', join(' | ', $arms->{$arm}{title},
			map { with_commas($total{$arm}{ $_->[1] }) } @$columns), " |\n";
	}
	print $to "\n", join(' ', @$notes), "\n";
	close $to or die "Markdown: $!\n";
	return;
}

sub with_commas
{
	my ($number) = @_;
	1 while $number =~ s/^(\d+)(\d{3})/$1,$2/;
	return $number;
}

# Without torn pages (if storage can tear them) and, without images, damage,
# cuts have shown nothing.
sub shows_nothing
{
	my ($arm) = @_;
	my $t = $total{$arm};

	return 'the cuts split no write' unless $t->{split};
	return 'no torn page before recovery' unless $t->{torn} || $arms->{$arm}{whole};
	return 'no damage' unless $t->{damaged} || !$arms->{$arm}{unsafe};
	return '';
}

# What is not as it must be, as sentences.
sub verdict
{
	my @wrong;

	for my $arm (@arms)
	{
		my ($t, $title) = ($total{$arm}, $arms->{$arm}{title});
		my $nothing = shows_nothing($arm);

		push @wrong, "FAILED: $title: $t->{failed} cuts could not be made or looked at" if $t->{failed};
		push @wrong, "FAILED: $title: $nothing, so the cuts proved nothing" if $nothing;
		next if $arms->{$arm}{unsafe};
		push @wrong, "FAILED: $title: $t->{lost} acknowledged commits lost" if $t->{lost};
		push @wrong, "FAILED: $title: $t->{damaged} clusters damaged" if $t->{damaged};
		push @wrong, "FAILED: $title: $t->{torn} torn, $t->{damaged_before} damaged pages before recovery"
		  if $arms->{$arm}{whole} && ($t->{torn} || $t->{damaged_before});
	}
	return @wrong;
}
