#!/usr/bin/perl
#
# Runs in the test kernel (see postgres.pl): stock, direct and writethrough one
# after the other on the same data, then several writers on one file and on
# many.  Prints two tables.
#
# A transaction updates 20 rows on random pages of a table that is much larger
# than shared buffers and fits into the page cache: each page comes from the
# page cache, or the disk, and leaves shared buffers by a page write soon.
#
# The disk is scsi_debug: in memory, with atomic writes, and with a delay for
# each command that is given on the kernel's command line.

use strict;
use warnings;

use List::Util qw(sum0 min);

my $flag    = hex($ENV{RWF_WRITETHROUGH});
my $seconds = $ENV{COMPARE_SECONDS} || 40;
my $scale   = $ENV{COMPARE_SCALE} || 8;
my $rounds  = $ENV{COMPARE_ROUNDS} || 1;
chomp(my $bindir = `pg_config --bindir`);
my $data = '/mnt/data';
my $log  = '/tmp/postgres.log';

sub run
{
	my ($command) = @_;
	my $out = `$command 2>&1`;
	die "$command: $out" if $?;
	return $out;
}

sub as_postgres { return run("setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp PGHOST=/tmp bash -c '$_[0]'") }

sub start
{
	my (@settings) = @_;
	open my $file, '>', "$data/postgresql.auto.conf" or die "$data: $!";
	print $file "$_\n" for @settings;
	close $file;
	as_postgres("$bindir/pg_ctl -s -w -t 120 -D $data -l $log start");
	return;
}

sub stop { return as_postgres("$bindir/pg_ctl -s -w -t 300 -m fast -D $data stop") }
sub sql  { return as_postgres("psql -X -A -t -d postgres -c \"$_[0]\"") }

# each client has rows of its own, so that none waits for another
my $script = '/tmp/update.sql';
my $rows = 100000 * $scale / 4;
open my $file, '>', $script or die "$script: $!";
print $file <<"SQL";
UPDATE pgbench_accounts SET abalance = abalance + 1
WHERE aid = ANY (ARRAY(SELECT 4 * (random() * $rows)::int + :client_id + 1 FROM generate_series(1, 20)));
SQL
close $file or die "$script: $!";

my @common = (
	'shared_buffers = 8MB', 'checkpoint_timeout = 30s', 'max_wal_size = 1GB',
	'autovacuum = off', 'unix_socket_directories = \'/tmp\'', 'listen_addresses = \'\'',
	'logging_collector = off', 'synchronous_commit = on');
my @ours = ("shared_preload_libraries = 'smgr_atomic'", "smgr_atomic.writethrough_flag = $flag");
my %settings = (
	stock        => [],
	direct       => [ @ours, "smgr_atomic.mode = direct" ],
	writethrough => [ @ours, "smgr_atomic.mode = writethrough" ]);
my @arms = qw(stock direct writethrough);

# Reads of the disk so far: requests and bytes.
sub reads
{
	my @stat = split ' ', do { open my $f, '<', '/sys/block/sda/stat' or die $!; <$f> };
	return ($stat[0], $stat[2] * 512);
}

# From an empty page cache to one with all of the data.
sub warm_up
{
	run('sync; echo 3 > /proc/sys/vm/drop_caches');
	run("find $data/base $data/global -type f -exec cat {} + > /dev/null");
	return;
}

sub deviation
{
	my (@values) = @_;
	my $mean = sum0(@values) / @values;
	return sqrt(sum0(map { ($_ - $mean)**2 } @values) / @values);
}

sub measure
{
	my ($arm) = @_;

	warm_up();
	start(@common, @{ $settings{$arm} });
	if ($arm ne 'stock')
	{
		my $state = sql("SELECT smgr_atomic_wait(\\\$\\\$active\\\$\\\$, \\\$\\\$60 s\\\$\\\$), mode_in_force FROM smgr_atomic_status");
		die "$arm: $state" unless $state =~ /^t\|$arm$/m;
	}
	sql('CHECKPOINT');
	my ($requests, $bytes) = reads();
	my $out = as_postgres("$bindir/pgbench -n -c 4 -P 1 -T $seconds -f $script postgres");
	my ($requests_after, $bytes_after) = reads();
	stop();

	my @tps = $out =~ /^progress: [\d.]+ s, ([\d.]+) tps/mg;
	my ($transactions) = $out =~ /transactions actually processed: (\d+)/ or die $out;
	my ($latency) = $out =~ /latency average = ([\d.]+) ms/ or die $out;
	my ($tps) = $out =~ /^tps = ([\d.]+)/m or die $out;
	return {
		tps => $tps, latency => $latency, deviation => deviation(@tps), least => min(@tps),
		reads => ($requests_after - $requests) / $transactions,
		kilobytes => ($bytes_after - $bytes) / 1024 / $transactions };
}

run('mkfs.xfs -q -f /dev/sda; mount /dev/sda /mnt; chmod 755 /mnt');
run("mkdir $data; chown postgres: $data; chmod 700 $data");
as_postgres("$bindir/initdb -D $data");
start(@common, @ours, 'fsync = off', 'max_wal_size = 64MB');
sql('CREATE EXTENSION smgr_atomic');
as_postgres("$bindir/pgbench -i -q -s $scale postgres");
stop();

my %results;
for my $round (1 .. $rounds)
{
	push @{ $results{$_} }, measure($_) for @arms;
}

sub mean
{
	my ($arm, $what) = @_;
	my @values = map { $_->{$what} } @{ $results{$arm} };
	return sum0(@values) / @values;
}

print "| pgbench, 4 clients, $rounds x $seconds s, 20 pages a transaction, shared_buffers 8 MB, data cached at the start "
  . "| TPS | standard deviation | least second | latency ms | device reads per transaction | KiB read per transaction |\n";
print "|---|---|---|---|---|---|---|\n";
printf "| %s | %.0f | %.0f | %.0f | %.2f | %.3f | %.2f |\n", $_, mean($_, 'tps'), mean($_, 'deviation'),
  mean($_, 'least'), mean($_, 'latency'), mean($_, 'reads'), mean($_, 'kilobytes')
  for @arms;

print "\n| pages a second | 1 process | 4 processes, one file | 4 processes, a file each |\n|---|---|---|---|\n";
for my $method (qw(plain direct writethrough))
{
	chdir '/mnt' or die "/mnt: $!";
	my @rates = map { run("/outside/writers $method $_ 5") =~ s/\s+$//r } 'one 1', 'one 4', 'many 4';
	print "| $method | ", join(' | ', @rates), " |\n";
}
