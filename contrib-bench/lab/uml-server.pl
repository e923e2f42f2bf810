#!/usr/bin/perl
#
# uml-server.pl - the server of uml-rows.pl, as the server's user
#
# Usage: uml-server.pl load|work|verify --mount DIR --dir DIR [--outside DIR]
#
#   load     make the cluster in the mounted filesystem
#   work     run clients on it until the filesystem goes away; when pages have
#            been written atomically for a while, "ready" in --dir says how
#   verify   torn pages before recovery, recovery, acknowledged commits, sums,
#            indexes, checksums; writes verified.json to --dir
#
# The clients write down what was acknowledged below --outside (default: --dir).
# With --killed they died with the kernel: what they had not flushed to that
# file is not known.  Workload and verification are those of the power cuts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../../t";
use Getopt::Long;
use JSON::PP;

use SmgrAtomic::Crash;

my %option = (arm => 'atomic');
GetOptions(\%option, 'mount=s', 'dir=s', 'outside=s', 'killed', 'arm=s') && @ARGV == 1
  or die "see the head of $0\n";
my $what = shift @ARGV;

my $run = SmgrAtomic::UmlRun->new(%option);
$what eq 'load'   ? load($run)
  : $what eq 'work' ? work($run)
  : $what eq 'verify' ? verify($run)
  : die "no such thing to do: $what\n";

sub load
{
	my ($run) = @_;
	local $run->{arm} = 'stock-on';

	SmgrAtomic::Crash::run_command([ 'initdb', '-k', '-N', '-A', 'trust', '--wal-segsize=1', '--locale=C',
			'-E', 'UTF8', '-D', $run->{data} ]);
	mkdir "$run->{mount}/space" or die "mkdir: $!";
	$run->start(conf => ['fsync=off']) or die "the server does not start: " . $run->why_it_failed . "\n";
	$run->load_schema;
	$run->value('CREATE EXTENSION smgr_atomic');
	$run->stop;
	return;
}

sub work
{
	my ($run) = @_;

	$run->start or die 'the server does not start: ' . substr($run->log_text, -1000) . "\n";
	$run->workload;
	SmgrAtomic::Crash::wait_for(280, sub {
			$run->has_ended
			  || $run->value('SELECT sum(pages) > 300 FROM smgr_atomic_stats') eq 't'
			  && $run->value('SELECT count(*) > 200 FROM ledger') eq 't'
		})
	  && !$run->has_ended
	  or die 'the server does not work: ' . substr($run->log_text, -1000) . "\n";
	my $io_method = $run->value('SELECT io_method FROM smgr_atomic_pool');
	for my $directory ($run->{dir}, $run->{outside})
	{
		open my $fh, '>', "$directory/ready" or die "$directory/ready: $!\n";
		print $fh $io_method;
		close $fh or die "$directory/ready: $!\n";
	}
	SmgrAtomic::Crash::wait_for(600, sub { $run->has_ended });
	$run->kill_server;
	$run->end_clients;
	return;
}

sub verify
{
	my ($run)   = @_;
	my $scan    = $run->scan;
	my %verified = (torn => $scan->{torn}, damaged => $scan->{damaged}, pages => $scan->{pages});

	$run->problem("$scan->{torn} torn and $scan->{damaged} damaged pages before recovery")
	  if $scan->{torn} || $scan->{damaged};
	if ($run->start)
	{
		$verified{protection} = $run->value('SELECT protection FROM smgr_atomic_status');
		$run->verify;
	}
	else
	{
		$run->problem('recovery failed: ' . $run->why_it_failed);
	}
	$verified{$_} = $run->{$_} for qw(acknowledged lost problems);

	open my $fh, '>', "$run->{outside}/verified.json" or die "verified.json: $!\n";
	print $fh encode_json(\%verified);
	close $fh or die "verified.json: $!\n";
	return;
}

# A run on a filesystem that others mount and take away.
package SmgrAtomic::UmlRun;

use parent -norequire, 'SmgrAtomic::Crash::Run';

sub new
{
	my ($class, %option) = @_;
	my $self = {
		outside => $option{dir},
		%option,
		seed     => time % 100_000_000,
		data     => "$option{mount}/data",
		problems => [],
		starts   => 0
	};
	$self->{log} = "$self->{outside}/server.log";
	return bless $self, $class;
}

sub scan
{
	my ($self) = @_;
	my ($status, $out, $err) = SmgrAtomic::Crash::try_command([ "$FindBin::Bin/tornscan", '--json', $self->{data} ]);
	die "tornscan: $err\n" if $status > 1;
	return JSON::PP::decode_json($out);
}

# What clients note must outlive a kernel that is killed.
sub pgbench
{
	my ($self, @arguments) = @_;
	s/^--log-prefix=\Q$self->{dir}\E/--log-prefix=$self->{outside}/ for @arguments;
	return $self->SUPER::pgbench(@arguments);
}

# Clients that were killed may have been half-way through a line.
sub acknowledged
{
	my ($self) = @_;
	my %count = map { $_ => 0 } 0 .. SmgrAtomic::Crash::CLIENTS - 1;

	for my $file (glob "$self->{outside}/acknowledged.*")
	{
		open my $fh, '<', $file or die "$file: $!";
		while (my $line = <$fh>)
		{
			last if $self->{killed} && $line !~ /\n\z/;
			$line =~ /^(\d+) \d+ \d+ / or die "$file: not an acknowledged commit: $line";
			$count{$1}++;
		}
	}
	return \%count;
}

# Of clients that were killed nobody knows the last acknowledged commits: all
# that are known must be there, and no number may be missing.
sub verify_commits
{
	my ($self) = @_;
	return $self->SUPER::verify_commits unless $self->{killed};
	my $acknowledged = $self->acknowledged;

	$self->{acknowledged} = $self->{lost} = 0;
	for my $client (sort keys %$acknowledged)
	{
		my $n = $acknowledged->{$client};
		my ($there, $last) = split /\|/, $self->value("SET enable_indexscan = off; SET enable_bitmapscan = off;
			SELECT count(*), coalesce(max(n), 0) FROM ledger WHERE client = $client");

		$self->{acknowledged} += $n;
		$self->{lost} += $n - $there if $there < $n;
		$self->problem("client $client: $there of $n acknowledged commits") if $there < $n;
		$self->problem("client $client: $there commits, the last is number $last") if $there != $last;
	}
	return;
}
