
=head1 NAME

SmgrAtomic::Contract - states of a running server, and what its WAL says of them

=head1 SYNOPSIS

  use SmgrAtomic::Root;
  use SmgrAtomic::Node;
  use SmgrAtomic::Contract;

  set_mode($node, 'off');
  reach($node, 'off', 'toggled');
  my $load = start_load($node);
  ...
  stop_load($load);
  balanced($node, 'after the load');

=cut

package SmgrAtomic::Contract;

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use SmgrAtomic::Node;
use Test::More;
use Time::HiRes ();

our @EXPORT = qw(
  set_mode reach now shown wait_until
  init_bank start_load stop_load wait_for_load balanced
  control control_value waldump wal_records follows_contract
  build_library start_holding launch_held hold release dirty_marker start_checkpoint
  node_from follow_as_rewound wait_for_end driver_pid worker_pid kill_cluster);

=head2 set_mode($node, $mode)

What a DBA does: ALTER SYSTEM and a reload.

=cut

sub set_mode
{
	my ($node, $mode) = @_;
	$node->safe_psql('postgres',
		"ALTER SYSTEM SET smgr_atomic.mode = $mode;\nSELECT pg_reload_conf()");
	return;
}

=head2 reach($node, $state, $name)

A test: the state is reached.

=cut

sub reach
{
	my ($node, $state, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $seconds = $PostgreSQL::Test::Utils::timeout_default;

	SmgrAtomic::Node::create_extension($node) unless $node->{_has_extension}++;
	my $reached =
	  $node->safe_psql('postgres', "SELECT smgr_atomic_wait('$state', '$seconds s')");
	return is($reached, 't', "$name: $state")
	  || diag explain now($node);
}

=head2 now($node), shown($node)

The row of smgr_atomic_status and full_page_writes as a new session sees them,
also in the middle of a transition (status() and images() wait for its end).

=cut

sub now
{
	my ($node) = @_;
	return fetch_row($node, 'SELECT * FROM smgr_atomic_status');
}

sub shown
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SHOW full_page_writes');
}

=head2 wait_until($what, $condition)

Polls a condition that no server can tell; dies if it never comes.

=cut

sub wait_until
{
	my ($what, $condition) = @_;

	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $condition->();
		Time::HiRes::usleep(10_000);
	}
	die "timed out waiting for: $what";
}

=head2 init_bank($node, $scale), balanced($node, $name)

pgbench's bank, with amcheck; and the test that no money is lost and that every
index fits its table.

=cut

sub init_bank
{
	my ($node, $scale) = @_;
	status($node);
	$node->safe_psql('postgres', 'CREATE EXTENSION amcheck');
	$node->command_ok([ 'pgbench', '-i', '-q', '-s', $scale, 'postgres' ], 'pgbench -i');
	return;
}

sub balanced
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	subtest "$name: nothing lost" => sub {
		is($node->safe_psql('postgres', q{
			SELECT count(DISTINCT s) FROM (
				SELECT sum(abalance) s FROM pgbench_accounts UNION ALL
				SELECT sum(tbalance) FROM pgbench_tellers UNION ALL
				SELECT sum(bbalance) FROM pgbench_branches UNION ALL
				SELECT coalesce(sum(delta), 0) FROM pgbench_history) x}),
			'1', 'accounts, tellers, branches and history agree');
		my ($out, $err) =
		  run_command([ 'pg_amcheck', '--no-strict-names', '--heapallindexed',
			'-h', $node->host, '-p', $node->port, 'postgres' ]);
		is("$out$err", '', 'pg_amcheck');
	};
	return;
}

=head2 start_load($node, @pgbench_options), wait_for_load($node, $transactions), stop_load($load)

pgbench in the background; wait_for_load() returns when that many more
transactions are in the history.

=cut

sub start_load
{
	my ($node, @options) = @_;
	my $run = IPC::Run::start(
		[
			'pgbench', '-n', '-c', '2', '-T', '3600', @options,
			'-h', $node->host, '-p', $node->port, 'postgres'
		],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null');
	return { node => $node, run => $run };
}

sub wait_for_load
{
	my ($node, $transactions) = @_;
	my $count = 'SELECT count(*) FROM pgbench_history';
	my $wanted = $node->safe_psql('postgres', $count) + $transactions;

	$node->poll_query_until('postgres', "SELECT ($count) >= $wanted")
	  or die 'pgbench does not write';
	return;
}

# Returns whether pgbench was still running.
sub stop_load
{
	my ($load) = @_;
	my ($node, $run) = @$load{qw(node run)};
	my $runs = $run->pumpable;

	$run->signal('TERM') if $runs;
	eval { $run->finish };
	return $runs unless $node->{_pid};
	$node->poll_query_until('postgres', q{
		SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgbench')})
	  or die 'the sessions of pgbench do not end';
	return $runs;
}

=head2 control($node)

"on" or "off": full_page_writes at the latest checkpoint, from pg_controldata.

=cut

sub control
{
	my ($node) = @_;
	return control_value($node, q{Latest checkpoint's full_page_writes});
}

sub control_value
{
	my ($node, $what) = @_;
	my ($out) = run_command([ 'pg_controldata', $node->data_dir ]);
	my ($value) = $out =~ /^\Q$what\E:\s+(.*)$/m or die "pg_controldata: $out";
	return $value;
}

=head2 waldump($node, @options)

Output and errors of pg_waldump on the server's latest timeline.

=head2 wal_records($node, $from, $to)

What pg_waldump shows of the records that matter to the contract, in order: a
list of { lsn, what => fpw | interlock | checkpoint, on => bool, redo => lsn }.
Without $to, to the end of WAL.

=cut

sub lsn
{
	my ($text) = @_;
	my ($high, $low) = $text =~ m{^([0-9A-F]+)/([0-9A-F]+)$} or die "not an LSN: $text";
	return hex($high) * 2**32 + hex($low);
}

sub waldump
{
	my ($node, @options) = @_;
	return run_command([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal',
			'-t', control_value($node, q{Latest checkpoint's TimeLineID}), @options ]);
}

sub wal_records
{
	my ($node, $from, $to) = @_;
	my @records;
	my ($out, $err) = waldump($node, '-s', $from, $to ? ('-e', $to) : ());

	for (split /\n/, $out)
	{
		my ($rmgr, $lsn, $desc) = /^rmgr: (\S+).*? lsn: (\S+), .*?desc: (.*)/ or next;
		my $at = { lsn => lsn($lsn) };
		if ($desc =~ /^FPW_CHANGE (true|false)/)
		{
			push @records, { %$at, what => 'fpw', on => $1 eq 'true' };
		}
		elsif ($rmgr eq 'custom128' && $desc =~ /^UNKNOWN \(0\)/)
		{
			push @records, { %$at, what => 'interlock' };
		}
		elsif ($desc =~ /^CHECKPOINT_(?:ONLINE|SHUTDOWN) redo (\S+); .* fpw (true|false);/)
		{
			push @records,
			  { %$at, what => 'checkpoint', redo => lsn($1), on => $2 eq 'true' };
		}
	}
	die "pg_waldump shows nothing: $err" unless $out;
	return @records;
}

=head2 follows_contract($records, $name)

A test: the interlock record announces that images go off, comes in every
checkpoint made while they are, and nowhere else; a checkpoint record says of
images what the records before it do.

=cut

sub follows_contract
{
	my ($records, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my (@wrong, $on, $last_interlock, $before);

	for my $record (@$records)
	{
		my $at = sprintf '%X', $record->{lsn};
		if ($record->{what} eq 'fpw')
		{
			push @wrong, "$at: images set to what they were" if defined $on && $on == $record->{on};
			push @wrong, "$at: images off without an interlock record right before"
			  if !$record->{on} && ($before // '') ne 'interlock';
			$on = $record->{on};
		}
		elsif ($record->{what} eq 'interlock')
		{
			$last_interlock = $record->{lsn};
		}
		else
		{
			$on //= $record->{on};
			push @wrong, "$at: checkpoint record and change records disagree on images"
			  if $record->{on} != $on;
			push @wrong, "$at: checkpoint with images off, no interlock record since its redo point"
			  if !$record->{on} && $record->{redo} != $record->{lsn}
			  && (!$last_interlock || $last_interlock < $record->{redo});
		}
		$before = $record->{what};
	}
	return is_deeply(\@wrong, [], "$name: WAL says what it needs to be replayed");
}

=head2 build_library($source)

Compiles a C file of t/SmgrAtomic into a library, returns its path.

=cut

sub build_library
{
	my ($source) = @_;
	my $library = PostgreSQL::Test::Utils::tempdir . '/' . $source =~ s/\.c$/.so/r;
	my $include = qx($ENV{PG_CONFIG} --includedir-server) =~ s/\s+$//r;

	system_or_bail('gcc', '-shared', '-fPIC', '-O2', '-Wall', "-I$include", '-D_GNU_SOURCE',
		dirname(__FILE__) . "/$source", '-o', $library, '-ldl');
	return $library;
}

=head2 start_holding($node, $library, %start_options), launch_held($node, $library, $path)

Starts a server whose checkpoints can be held, with build_library('hold_fsync.c').
launch_held() returns when a process is held that wants to fsync a file; there is
nobody to ask yet.

=head2 dirty_marker($node), hold($node, $path), release($node)

hold() makes the next checkpoint stop in its sync phase; called while one is
held, lets that one go on and holds the one after.  It returns a function that
waits until a checkpoint is held.  release() lets all go on.  With a path, who
fsyncs that file next is held, and no server need be running.

=cut

sub start_holding
{
	my ($node, $library, %options) = @_;
	unlink map { $node->data_dir . "/$_" } qw(test_hold test_held);
	local $ENV{LD_PRELOAD} = $library;
	return $node->start(%options);
}

my $hold_number = 0;

sub launch_held
{
	my ($node, $library, $path) = @_;
	my $held = hold($node, $path);

	local $ENV{LD_PRELOAD} = $library;
	system_or_bail('pg_ctl', '-W', '-D', $node->data_dir, '-l', $node->logfile, 'start');
	$held->();
	$node->_update_pid(1);
	return;
}

sub dirty_marker
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{
		SET client_min_messages = warning;
		CREATE TABLE IF NOT EXISTS test_marker (v) AS SELECT 0;
		UPDATE test_marker SET v = v + 1});
	return $node->safe_psql('postgres', q{SELECT pg_relation_filepath('test_marker')});
}

sub hold
{
	my ($node, $path) = @_;
	my $data   = $node->data_dir;
	$path //= dirty_marker($node);
	my $number = ++$hold_number;

	open my $file, '>', "$data/test_hold.new" or die "$data/test_hold.new: $!";
	print $file "$number $path\n";
	close $file or die "$data/test_hold.new: $!";
	rename "$data/test_hold.new", "$data/test_hold" or die "rename: $!";
	return sub {
		wait_until('a checkpoint to be held',
			sub { -e "$data/test_held" && slurp_file("$data/test_held") == $number });
	};
}

sub release
{
	my ($node) = @_;
	unlink $node->data_dir . '/test_hold';
	return;
}

=head2 start_checkpoint($node)

A CHECKPOINT by hand, in the background.  Returns the run of psql.

=cut

sub start_checkpoint
{
	my ($node) = @_;
	return IPC::Run::start([ 'psql', '-X', '-h', $node->host, '-p', $node->port, '-c', 'CHECKPOINT', 'postgres' ],
		'<', \undef, '>', '/dev/null', '2>&1');
}

=head2 node_from($name, $volume, $source, $backup, %options)

A node on a volume, from a backup that $source->backup() took; options as for
init_from_backup() of PostgreSQL::Test::Cluster.

=cut

sub node_from
{
	my ($name, $volume, $source, $backup, %options) = @_;
	local $PostgreSQL::Test::Utils::tmp_check = $volume;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($source, $backup, %options);
	return $node;
}

=head2 wait_for_end($node, $log_pattern, $position)

Waits until a server has stopped by itself, with a message in its log.

=cut

sub wait_for_end
{
	my ($node, $pattern, $position) = @_;

	$node->wait_for_log($pattern, $position);
	wait_until('the server to end', sub { !-e $node->data_dir . '/postmaster.pid' });
	$node->_update_pid(0);
	return;
}

=head2 follow_as_rewound($node, $source)

Makes a rewound server, which has its source's files, a standby of it; not started.

=cut

sub follow_as_rewound
{
	my ($node, $source) = @_;

	PostgreSQL::Test::Utils::append_to_file($node->data_dir . '/postgresql.conf',
		'port = ' . $node->port . "\nunix_socket_directories = '" . $node->host . "'\n");
	unlink map { $node->data_dir . "/$_" } qw(standby.signal recovery.signal);
	$node->enable_streaming($source);
	$node->set_standby_mode;
	return;
}

=head2 children($node), driver_pid($node), worker_pid($node, $title)

Process ids of the server's processes; and of the driver, or of another worker
by the beginning of its title, undef if there is none (they have no row in
pg_stat_activity).

=cut

sub children
{
	my ($node) = @_;
	my $postmaster = $node->{_pid} or die 'not running';
	my @children;

	for my $file (glob '/proc/[0-9]*/stat')
	{
		open my $stat, '<', $file or next;
		my ($pid, $parent) = (<$stat> // '') =~ /^(\d+) \(.*\) \S (\d+) / or next;
		push @children, $pid if $parent == $postmaster;
	}
	return @children;
}

sub driver_pid
{
	my ($node) = @_;
	return worker_pid($node, 'smgr_atomic driver');
}

sub worker_pid
{
	my ($node, $title) = @_;

	for my $pid (children($node))
	{
		open my $file, '<', "/proc/$pid/cmdline" or next;
		return $pid if (<$file> // '') =~ /\Q$title/;
	}
	return undef;
}

=head2 kill_cluster($node)

Kills every process of the server with SIGKILL, the postmaster first.

=cut

sub kill_cluster
{
	my ($node) = @_;
	my @all = ($node->{_pid}, children($node));

	$node->kill9;
	kill KILL => @all;
	wait_until('the processes of the server to end', sub { !grep { kill 0 => $_ } @all });
	return;
}

1;
