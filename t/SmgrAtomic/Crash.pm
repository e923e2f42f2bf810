
=head1 NAME

SmgrAtomic::Crash - a server on a disk that loses power, and what is left of it

=head1 SYNOPSIS

  use SmgrAtomic::Root;
  use SmgrAtomic::Crash;

  need_root();
  my $lab = SmgrAtomic::Crash->new;          # makes the cluster all runs start from
  my $run = $lab->begin(arm => 'atomic', seed => 7);
  $run->start;
  $run->workload;
  $run->cut;                                  # the disk cuts itself, see there
  $run->power_on;
  my $scan = $run->scan;                      # before recovery
  $run->start && $run->verify;
  $run->end;

=head1 DESCRIPTION

Every run starts from a copy of the same disk image: a cluster with checksums,
the workload's tables and amcheck.  Everything that tells later what must be
there is kept outside the disk: the clients' logs of acknowledged commits, the
server's log, the disk's own log.

What goes wrong after a cut is collected in $run->{problems}, as text; nothing
in here decides whether that is good or bad for a test.

=cut

package SmgrAtomic::Crash;

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();
use JSON::PP qw(decode_json);
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use SmgrAtomic::Root ();

=head2 %arms

What is compared, by name: title and settings of the server.  "whole" tells that
pages must be whole even before recovery, "unsafe" that damage is expected,
"flips" that images are on or off as it comes, "images_off" that they must go
off although pages may be torn; "place" is what new() is to be told of the filesystem.
@safe_arms are those that scenarios without a control of their own run with.

=cut

# doublewrite with a small journal, so that it wraps
my %doublewrite = (
	conf => [
		'shared_preload_libraries=smgr_atomic', 'smgr_atomic.require=on',
		'smgr_atomic.mode=doublewrite',         'smgr_atomic.journal_size=8MB'
	],
	images_off => 1);

our %arms = (
	'stock-on'  => { title => 'stock, images on',  conf => ['full_page_writes=on'] },
	'stock-off' => { title => 'stock, images off', conf => ['full_page_writes=off'], unsafe => 1 },
	'atomic'    => {
		title => 'smgr_atomic, XFS copy-on-write',
		conf  => [ 'shared_preload_libraries=smgr_atomic', 'smgr_atomic.require=on', 'smgr_atomic.mode=direct' ],
		whole => 1
	},
	'doublewrite'      => { %doublewrite, title => 'smgr_atomic, page journal' },
	'doublewrite-lz4'  => {
		%doublewrite,
		title => 'smgr_atomic, page journal with compressed copies',
		conf  => [ @{ $doublewrite{conf} }, 'smgr_atomic.journal_compression=lz4' ]
	},
	'doublewrite-ext4' => { %doublewrite, title => 'smgr_atomic, page journal on ext4', place => { fs => 'ext4' } },
	# (without reflink, so that nothing but the journal can help)
	'doublewrite-xfs'  => {
		%doublewrite,
		title => 'smgr_atomic, page journal on XFS',
		place => { fs => 'xfs', mkfs_options => '-m reflink=0' }
	});

# Of these, the ones that must survive everything; CRASH_ARMS names others.
our @safe_arms = split /,/, $ENV{CRASH_ARMS} // 'atomic,doublewrite';

# Small buffers, so that backends evict; nothing that waits without need.
my @conf = qw(
  fsync=on synchronous_commit=on listen_addresses= shared_buffers=1MB
  max_connections=30 checkpoint_timeout=30s checkpoint_completion_target=0.5
  max_wal_size=64MB min_wal_size=4MB autovacuum_naptime=1s bgwriter_delay=20ms
  restart_after_crash=off log_checkpoints=on log_autovacuum_min_duration=-1
  max_parallel_workers=0 max_parallel_maintenance_workers=0 jit=off
);

use constant CLIENTS => 4;
use constant KEPT_ITEMS => 40;    # of each client, the rest it deletes
use constant ACCOUNTS   => 40_000;
use constant START_BALANCE => 1000;

=head2 new(sector => 4096, size => '1G', fs => 'xfs', mkfs_options =>, mount_options =>, checksums => 1)

=cut

sub new
{
	my ($class, %options) = @_;
	my $self = bless {
		sector => 4096,
		size   => '1G',
		fs     => 'xfs',
		checksums => 1,
		%options,
		lab  => abs_path(dirname(__FILE__) . '/../../contrib-bench/lab'),
		home => $ENV{TMPDIR}
	}, $class;

	$self->make_golden;
	return $self;
}

# Of this process, so that there can be several labs one after the other.
my ($images, $runs) = (0, 0);

# The image that every run starts from.
sub make_golden
{
	my ($self) = @_;
	my $disk = SmgrAtomic::Root::ask(
		'power_create',
		name   => 'disk',
		size   => $self->{size},
		sector => $self->{sector},
		fs     => $self->{fs},
		map { defined $self->{$_} ? ($_ => $self->{$_}) : () } qw(mkfs_options mount_options));
	$self->{image} = 'golden' . ++$images;
	my $run = $self->new_run($self->{image}, arm => 'stock-on', disk => $disk);

	run_command([ 'initdb', $self->{checksums} ? '-k' : (), '-N', '-A', 'trust', '--wal-segsize=1', '--locale=C',
			'-E', 'UTF8', '-D', $run->{data} ]);
	mkdir "$run->{mount}/space" or die "mkdir: $!";
	$run->start or die "the server does not start, see $run->{log}\n";
	$run->load_schema;
	$run->stop;
	SmgrAtomic::Root::ask('power_remove', name => 'disk', keep => $self->{image});
	return;
}

sub new_run
{
	my ($self, $name, %options) = @_;
	my $dir = "$self->{home}/$name";

	mkdir $dir or die "mkdir $dir: $!";
	return bless {
		%options,
		lab      => $self,
		name     => $name,
		dir      => $dir,
		mount    => $options{disk}{mount},
		data     => "$options{disk}{mount}/data",
		log      => "$dir/server.log",
		problems => [],
		starts   => 0
	}, 'SmgrAtomic::Crash::Run';
}

=head2 begin(arm =>, seed =>, survive =>, atomic_unit =>, conf => [...])

A disk with a copy of the cluster on it; only one at a time.  Returns the run.

=cut

sub begin
{
	my ($self, %options) = @_;
	my $disk = SmgrAtomic::Root::ask(
		'power_create',
		name     => 'disk',
		from     => $self->{image},
		sector   => $self->{sector},
		fs       => $self->{fs},
		log_data => 1,
		map({ defined $self->{$_} ? ($_ => $self->{$_}) : () } qw(mount_options)),
		map { defined $options{$_} ? ($_ => $options{$_}) : () } qw(seed survive atomic_unit));

	srand $options{seed};
	return $self->new_run(++$runs . "-$options{arm}-$options{seed}", %options, disk => $disk);
}

=head2 first_seed()

CRASH_SEED, or one from the clock.  Shown whether the test passes or not (a
test that dies has no other way to tell), so that a run can be repeated: the disk
then decides alike, though what the server writes when still varies.  (What is
exactly repeatable is a disk's log, see powerreplay.)

=cut

sub first_seed
{
	my $seed = $ENV{CRASH_SEED} // time % 100_000_000;
	Test::More::diag("seed $seed (CRASH_SEED=$seed repeats it)");
	return $seed;
}

# Runs a command, up to ten minutes; returns status, stdout, stderr.
sub try_command
{
	my ($command, $input) = @_;
	my ($out, $err) = ('', '');

	# a client that ends without having read all, as the server is gone, has failed; that is not our end
	local $SIG{PIPE} = 'IGNORE';
	my $finished = eval {
		IPC::Run::run($command, '<', \($input // ''), '>', \$out, '2>', \$err, IPC::Run::timeout(600));
		1;
	};
	return (255, $out, "$err$@") unless $finished;
	return ($? >> 8 || $? & 127, $out, $err);
}

sub run_command
{
	my ($command, $input) = @_;
	my ($status, $out, $err) = try_command($command, $input);
	die "@$command: $err\n" if $status != 0;
	return $out;
}

# Polls until the condition holds; false when it never does.  $pause: longer where
# to ask starts a program.
sub wait_for
{
	my ($seconds, $condition, $pause) = @_;
	my $end = time + $seconds;

	while (1)
	{
		return 1 if $condition->();
		return 0 if time > $end;
		sleep($pause // 0.02);
	}
}

package SmgrAtomic::Crash::Run;

use File::Find qw(find);
use Time::HiRes qw(sleep time);

sub problem
{
	my ($self, $text) = @_;
	push @{ $self->{problems} }, $text =~ s/\s+/ /gr =~ s/ $//r;
	return 0;
}

# ---- the server ----------------------------------------------------------------

=head1 METHODS OF A RUN

=head2 start(conf => [...])

Starts the server and waits until it takes connections.  Returns false when it
does not come up.  In an arm that must write atomically it is an error when it
runs but does not.

=cut

sub start
{
	my ($self, %options) = @_;

	$self->launch(%options);
	my $up = SmgrAtomic::Crash::wait_for(120, sub { $self->has_ended || $self->answers }, 0.1);
	if (!$up || $self->{postmaster_status})
	{
		$self->kill_server;
		return 0;
	}
	return 0 if !$self->{postmaster};
	$self->check_arm;
	return 1;
}

# Without waiting: for those who cut while it recovers.
sub launch
{
	my ($self, %options) = @_;
	my @settings = (
		@conf, @{ $SmgrAtomic::Crash::arms{ $self->{arm} }{conf} },
		"unix_socket_directories=$self->{dir}",
		@{ $self->{conf} // [] }, @{ $options{conf} // [] });

	$self->{starts}++;
	$self->{postmaster_status} = undef;
	$self->mark_log;
	$self->{postmaster} = $self->spawn($self->{log}, 'postgres', '-D', $self->{data},
		map { ('-c', $_) } @settings);
	return;
}

# Starts a program in the background, its output appended to a file.
sub spawn
{
	my ($self, $output, @command) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;

	open STDIN,  '<',  '/dev/null';
	open STDOUT, '>>', $output;
	open STDERR, '>&', \*STDOUT;
	exec @command or POSIX::_exit(127);
}

sub has_ended
{
	my ($self) = @_;
	return 1 unless $self->{postmaster};
	return 0 unless waitpid($self->{postmaster}, POSIX::WNOHANG) == $self->{postmaster};
	$self->{postmaster_status} = $?;
	$self->{postmaster} = undef;
	return 1;
}

sub answers
{
	my ($self) = @_;
	return system("pg_isready -q -h $self->{dir} -d postgres") == 0;
}

# From here on log_text() is about what comes.
sub mark_log
{
	my ($self) = @_;
	$self->{log_from} = -s $self->{log} // 0;
	return;
}

# What the server logged since it was launched last, or since mark_log().
sub log_text
{
	my ($self) = @_;
	open my $fh, '<', $self->{log} or return '';
	seek $fh, $self->{log_from}, 0;
	local $/;
	return <$fh> // '';
}

sub why_it_failed
{
	my ($self) = @_;
	my @lines = grep { /(?:PANIC|FATAL):/ } split /\n/, $self->log_text;
	my ($first) = grep { !/not yet accepting|starting up|in recovery mode|administrator command/ } @lines;
	return ($first // 'no reason in the log') =~ s/^.*?((?:PANIC|FATAL):)/$1/r;
}

# An arm that is not what it says would prove nothing.  smgr_atomic turns images
# off some time after the start: when a checkpoint has completed.
sub check_arm
{
	my ($self) = @_;
	my $arm  = $SmgrAtomic::Crash::arms{ $self->{arm} };
	return if $arm->{flips};
	my $want = $arm->{whole} || $arm->{images_off} || $self->{arm} eq 'stock-off' ? 'off' : 'on';
	my $have;

	SmgrAtomic::Crash::wait_for(60, sub { ($have = $self->value('SHOW full_page_writes')) eq $want }, 0.1);
	die "arm $self->{arm}: full_page_writes is $have\n" unless $have eq $want;
	return;
}

# Every process of the server is gone when this returns.
sub end_server
{
	my ($self, $signal, $seconds) = @_;

	kill $signal => $self->{postmaster} if $self->{postmaster};
	return SmgrAtomic::Crash::wait_for($seconds, sub { $self->has_ended && !$self->processes });
}

# Our own processes that run in the data directory.
sub processes
{
	my ($self) = @_;
	return grep { (readlink("/proc/$_/cwd") // '') eq $self->{data} }
	  map { m{^/proc/(\d+)$} } glob '/proc/[0-9]*';
}

sub stop
{
	my ($self) = @_;
	$self->end_server(INT => 60) or die "the server does not stop, see $self->{log}\n";
	die "the server failed to stop cleanly, see $self->{log}\n" if $self->{postmaster_status};
	return;
}

sub kill_server
{
	my ($self) = @_;

	return if $self->end_server(QUIT => 5);
	for (1 .. 20)
	{
		kill KILL => $self->processes;
		return if $self->end_server(KILL => 1);
	}
	die "server processes do not end\n";
}

# Status, output and error text of a statement or several.
sub sql
{
	my ($self, $statements, $database) = @_;
	return SmgrAtomic::Crash::try_command(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', $self->{dir}, '-d', $database // 'postgres' ],
		$statements);
}

sub value
{
	my ($self, $statements) = @_;
	my ($status, $out, $err) = $self->sql($statements);
	die "$statements: $err\n" if $status != 0;
	chomp $out;
	return $out;
}

# ---- workload --------------------------------------------------------------------

sub load_schema
{
	my ($self) = @_;
	my ($accounts, $balance) = (SmgrAtomic::Crash::ACCOUNTS, SmgrAtomic::Crash::START_BALANCE);

	$self->value(<<"SQL");
CREATE EXTENSION amcheck;
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, filler text NOT NULL)
  WITH (fillfactor = 90);
INSERT INTO accounts SELECT i, $balance, repeat('x', 80) FROM generate_series(1, $accounts) i;
CREATE INDEX ON accounts (balance);
CREATE SEQUENCE ticket;
CREATE TABLE ledger (client int, n int, ticket bigint DEFAULT nextval('ticket'),
  lo int NOT NULL, hi int NOT NULL, amount int NOT NULL, PRIMARY KEY (client, n));
CREATE UNIQUE INDEX ON ledger (ticket);
CREATE TABLE items (client int, n int, tags int[] NOT NULL, at timestamptz NOT NULL,
  doc text NOT NULL, PRIMARY KEY (client, n));
ALTER TABLE items ALTER doc SET STORAGE EXTERNAL;
CREATE INDEX ON items USING gin (tags);
CREATE INDEX ON items USING brin (at);
CREATE TABLE big AS SELECT i AS id, md5(i::text) AS h FROM generate_series(1, 20000) i;
VACUUM ANALYZE;
CREATE TABLESPACE space LOCATION '$self->{mount}/space';
SQL
	return;
}

# Each client numbers its transactions; number, balance and content of
# everything it writes follow from the ledger, so that verify() can compute
# what must be there.
my $transaction = <<'SQL';
\set n :n + 1
\set a random(1, ACCOUNTS)
\set b random(1, ACCOUNTS)
\set lo least(:a, :b)
\set hi greatest(:a, :b)
\set amount random(1, 100)
BEGIN;
UPDATE accounts SET balance = balance - :amount WHERE id = :lo;
UPDATE accounts SET balance = balance + :amount WHERE id = :hi;
INSERT INTO ledger (client, n, lo, hi, amount) VALUES (:client_id, :n, :lo, :hi, :amount);
INSERT INTO items VALUES (:client_id, :n, ARRAY[:lo % 100, :hi % 100, 1000 + :n % 10], now(),
  repeat(md5(:client_id || '.' || :n), 100));
DELETE FROM items WHERE client = :client_id AND n = :n - KEPT_ITEMS;
END;
SQL
$transaction =~ s/(ACCOUNTS|KEPT_ITEMS)/SmgrAtomic::Crash->can($1)->()/ge;

sub pgbench
{
	my ($self, $name, $script, @options) = @_;
	my $file = "$self->{dir}/$name.sql";

	open my $fh, '>', $file or die "$file: $!";
	print $fh $script;
	close $fh;
	local $ENV{PGAPPNAME} = $name;
	push @{ $self->{clients} },
	  $self->spawn("$self->{dir}/$name.log", 'pgbench', '-n', '-h', $self->{dir}, '-f', $file,
		@options, 'postgres');
	return;
}

=head2 workload(also => $sql, checkpoints => 1, transactions => N)

Starts clients in the background: several that write and log what was
acknowledged, one that makes a checkpoint every second, and one that runs
"also" again and again.  They end when the server does, or after ten minutes;
those that write also when each has made N transactions.

=cut

sub workload
{
	my ($self, %options) = @_;

	$self->pgbench('workload', $transaction, '-c', SmgrAtomic::Crash::CLIENTS, '-j', 2, '-D', 'n=0',
		$options{transactions} ? ('-t', $options{transactions}) : ('-T', 600),
		'-l', "--log-prefix=$self->{dir}/acknowledged", "--random-seed=$self->{seed}");
	$self->pgbench('checkpoint', "CHECKPOINT;\n\\sleep 1 s\n", '-T', 600)
	  if $options{checkpoints} // 1;
	$self->pgbench('also', $options{also}, '-T', 600) if $options{also};
	SmgrAtomic::Crash::wait_for(60, sub {
			$self->has_ended || ($self->sql('SELECT count(*) > 0 FROM ledger'))[1] =~ /^t/ }, 0.1)
	  or die "the clients commit nothing\n";
	return;
}

# All clients are gone, and have written their logs, when this returns; also one
# that was stopped.
sub end_clients
{
	my ($self) = @_;

	kill CONT => @{ $self->{clients} // [] };
	for my $pid (@{ $self->{clients} })
	{
		SmgrAtomic::Crash::wait_for(300, sub { waitpid($pid, POSIX::WNOHANG) != 0 })
		  or die "a client does not end\n";
	}
	$self->{clients} = [];
	return;
}

# Acknowledged commits, by client.
sub acknowledged
{
	my ($self) = @_;
	my %count = map { $_ => 0 } 0 .. SmgrAtomic::Crash::CLIENTS - 1;

	for my $file (glob "$self->{dir}/acknowledged.*")
	{
		open my $fh, '<', $file or die "$file: $!";
		while (my $line = <$fh>)
		{
			$line =~ /^(\d+) \d+ \d+ / or die "$file: not an acknowledged commit: $line";
			$count{$1}++;
		}
	}
	return \%count;
}

# ---- the disk --------------------------------------------------------------------

sub ctl
{
	my ($self, $command) = @_;
	return SmgrAtomic::Root::ask('power_ctl', name => 'disk', command => $command);
}

sub set
{
	my ($self, $name, $value) = @_;
	my $answer = $self->ctl("set $name $value");
	die "set $name $value: $answer->{said}\n" unless $answer->{done};
	return;
}

sub disk_status
{
	my ($self) = @_;
	return { map { split /=/, $_, 2 } split /\n/, $self->ctl('status')->{said} };
}

sub sync_disk
{
	my ($self) = @_;
	SmgrAtomic::Crash::run_command([ 'sync', '-f', $self->{data} ]);
	return;
}

# Returns when the disk has had nothing to do for a while, all of it flushed.
sub wait_until_quiet
{
	my ($self) = @_;
	my $before = -1;

	SmgrAtomic::Crash::wait_for(60, sub {
			$self->sync_disk;
			my $status = $self->disk_status;
			my $quiet = $status->{writes} == $before && $status->{unflushed_sectors} == 0;
			$before = $status->{writes};
			sleep 0.5 unless $quiet;
			return $quiet;
		})
	  or die "the disk does not come to rest\n";
	return;
}

=head2 cut(after => SECONDS, unflushed => N, at_once => 1)

Lets the workload run for a while, then has the disk cut itself as soon as N
sectors are unflushed; both follow from the seed unless given (N: the sectors of
96 to 160 KiB; with the page journal six times as many in every other cut, because
less than that comes together only while a batch of it is written).  A cut at any
other moment finds few, because every commit flushes the whole device.  When
that never happens, or with at_once, power is cut by command.  Ends the
server's and the clients' processes.

=cut

sub cut
{
	my ($self, %options) = @_;

	sleep($options{after} // 1 + rand 2);
	$self->cut_now(%options);
	return;
}

sub cut_now
{
	my ($self, %options) = @_;

	if (!$options{at_once})
	{
		my $times = $SmgrAtomic::Crash::arms{ $self->{arm} }{images_off} && rand() < 0.5 ? 6 : 1;
		$self->set('cut-unflushed', $options{unflushed} // $times * (24 + int rand 17) * 4096 / $self->{lab}{sector});
		$self->ctl('wait-off ' . ($options{patience} // 20));
	}
	$self->ctl('cut');    # no harm when it has happened
	$self->{cut} = $self->disk_status;
	SmgrAtomic::Crash::wait_for(2, sub { $self->has_ended });
	$self->kill_server;
	$self->end_clients;
	return;
}

sub power_on
{
	my ($self) = @_;
	SmgrAtomic::Root::ask('power_on', name => 'disk');
	return;
}

# Requests of which the last cut kept one part and lost another: the chances it
# had to tear something.
sub split_writes
{
	my ($self) = @_;
	my (%kept, %lost);

	$self->ctl('flush-log');
	open my $fh, '<', $self->{disk}{log} or die "$self->{disk}{log}: $!";
	while (my $line = <$fh>)
	{
		if    ($line =~ /^kept (\d+)/) { $kept{$1} = 1; }
		elsif ($line =~ /^lost (\d+)/) { $lost{$1} = 1; }
		elsif ($line =~ /^cut /)       { %kept = %lost = (); }
	}
	return scalar grep { $lost{$_} } keys %kept;
}

=head2 scan()

Torn and damaged pages of the stopped cluster, as tornscan reports them.  In a
cluster without checksums none can be seen.

=cut

sub scan
{
	my ($self) = @_;
	return { torn => 0, damaged => 0, findings => [] } unless $self->{lab}{checksums};
	$self->ctl('flush-log');
	my ($status, $out, $err) = SmgrAtomic::Crash::try_command(
		[ "$self->{lab}{lab}/tornscan", '--json', '--sector', $self->{lab}{sector},
			'--powerdisk-log', $self->{disk}{log}, $self->{data} ]);
	die "tornscan: $err\n" if $status > 1;
	return JSON::PP::decode_json($out);
}

# ---- what is left -----------------------------------------------------------------

=head2 verify()

With the server running: every acknowledged commit, the invariants, amcheck,
that it takes writes; then stops it and verifies all checksums.  Returns true
when all is well; what is not is in $run->{problems}.

=cut

sub verify
{
	my ($self) = @_;

	$self->verify_commits;
	$self->verify_sums;
	$self->verify_indexes;
	$self->verify_amcheck;
	$self->verify_writes;
	$self->verify_files;
	return !@{ $self->{problems} };
}

# A query that must return no row.
sub none
{
	my ($self, $what, $query) = @_;
	my ($status, $out, $err) = $self->sql($query);

	return $self->problem("$what: $err") if $status != 0;
	return $self->problem("$what: " . (split /\n/, $out)[0]) if $out ne '';
	return 1;
}

# Of each client's transactions the ledger has an unbroken row from the first,
# as many as were acknowledged, and at most one more: the one that was under
# way.
sub verify_commits
{
	my ($self) = @_;
	my $acknowledged = $self->acknowledged;

	$self->{acknowledged} = $self->{lost} = 0;
	for my $client (sort keys %$acknowledged)
	{
		my $n = $acknowledged->{$client};
		my $limit = $n + 1;
		my ($status, $out, $err) = $self->sql("SET enable_indexscan = off; SET enable_bitmapscan = off;
			SELECT count(*) FILTER (WHERE n <= $n), count(*) FILTER (WHERE n > $limit)
			FROM ledger WHERE client = $client");

		$self->{acknowledged} += $n;
		if ($status != 0)
		{
			$self->problem("ledger: $err");
			$self->{lost} += $n;
			next;
		}
		my ($there, $beyond) = $out =~ /^(\d+)\|(\d+)/;
		$self->{lost} += $n - $there;
		$self->problem("client $client: $there of $n acknowledged commits") if $there != $n;
		$self->problem("client $client: $beyond commits nobody made") if $beyond;
	}
	return;
}

sub verify_sums
{
	my ($self) = @_;
	my ($balance, $kept) = (SmgrAtomic::Crash::START_BALANCE, SmgrAtomic::Crash::KEPT_ITEMS);

	$self->none('balances', "
		SELECT a.id, a.balance, $balance + coalesce(m.sum, 0)
		FROM accounts a LEFT JOIN
		  (SELECT id, sum(amount) FROM (SELECT lo AS id, -amount AS amount FROM ledger
			UNION ALL SELECT hi, amount FROM ledger) x GROUP BY id) m USING (id)
		WHERE a.balance <> $balance + coalesce(m.sum, 0) LIMIT 1");
	$self->none('accounts', 'SELECT count(*) FROM accounts HAVING count(*) <> ' . SmgrAtomic::Crash::ACCOUNTS);
	$self->none('items', "
		SELECT coalesce(i.client, l.client), coalesce(i.n, l.n), i.n IS NULL
		FROM (SELECT client, n FROM (SELECT *, max(n) OVER (PARTITION BY client) AS m FROM ledger) x
			WHERE n > m - $kept) l
		FULL JOIN items i USING (client, n) WHERE i.n IS NULL OR l.n IS NULL LIMIT 1");
	$self->none('documents', "
		SELECT client, n FROM items WHERE doc <> repeat(md5(client || '.' || n), 100) LIMIT 1");
	$self->none('big', "SELECT * FROM (SELECT count(*), count(*) FILTER (WHERE h = md5(id::text)) AS \"right\"
		FROM big) x WHERE count <> 20000 OR \"right\" <> 20000");
	$self->none('sequence', "
		SELECT last_value, m FROM ticket, (SELECT max(ticket) AS m FROM ledger) x WHERE last_value < m");
	return;
}

# Each index must find what a sequential scan finds.
sub verify_indexes
{
	my ($self) = @_;
	my @conditions = ((map { "tags @> ARRAY[$_]" } 1, 50, 1000 .. 1009), "at <= now()", "at < 'epoch'");
	my $compare = join '', map { my $quoted = s/'/''/gr; "
		SET enable_seqscan = on; SET enable_bitmapscan = off; SET enable_indexscan = off;
		CREATE TEMP TABLE by_scan AS SELECT client, n FROM items WHERE $_;
		SET enable_seqscan = off; SET enable_bitmapscan = on;
		CREATE TEMP TABLE by_index AS SELECT client, n FROM items WHERE $_;
		SELECT '$quoted', coalesce(a.client, b.client), coalesce(a.n, b.n)
		FROM by_scan a FULL JOIN by_index b USING (client, n)
		WHERE a.n IS NULL OR b.n IS NULL LIMIT 1;
		DROP TABLE by_scan, by_index;" } @conditions;

	$self->none('an index on items differs from the table', "BEGIN; $compare COMMIT;");
	return;
}

sub verify_amcheck
{
	my ($self) = @_;
	my ($status, $out, $err) = SmgrAtomic::Crash::try_command(
		[ 'pg_amcheck', '-h', $self->{dir}, '--all', '--heapallindexed', '--rootdescend', '--no-strict-names',
			'--install-missing' ]);

	return 1 if $status == 0;
	return $self->problem('pg_amcheck: ' . (split /\n/, $out . $err)[0] . '...');
}

sub verify_writes
{
	my ($self) = @_;
	my ($status, $out, $err) = $self->sql("
		BEGIN; UPDATE accounts SET filler = repeat('y', 81) WHERE id % 3 = 0;
		CREATE TABLE after_the_cut AS SELECT * FROM accounts; COMMIT;
		DROP TABLE after_the_cut; VACUUM accounts; CHECKPOINT;");

	return 1 if $status == 0;
	return $self->problem("no writes: $err");
}

# All checksums, with the server stopped.  Files that belong to nothing do not
# count: the server leaves them behind when it dies while it makes a relation,
# never reads them, and never removes them.
sub verify_files
{
	my ($self) = @_;
	my $used = $self->relation_files;

	if (!$self->end_server(INT => 60) || $self->{postmaster_status})
	{
		$self->kill_server;
		return $self->problem('the server does not stop cleanly: ' . $self->why_it_failed);
	}
	my @findings = @{ $self->scan->{findings} };
	my @bad = grep { $used->{ $_->{file} =~ s/(?:_[a-z]+)?(?:\.\d+)?$//r } } @findings;
	$self->{orphans_damaged} = @findings - @bad;
	return $self->problem("checksum of $bad[0]{file}, block $bad[0]{block}, and " . $#bad . ' others') if @bad;

	return 1 unless $self->{lab}{checksums};
	$self->cut_known_tails;
	my ($status, $out, $err) =
	  SmgrAtomic::Crash::try_command([ 'pg_checksums', '--check', '-D', $self->{data} ]);
	return 1 if $status == 0 || @findings;
	return $self->problem('pg_checksums: ' . (grep { /\S/ } split /\n/, $err . $out)[0]);
}

# Relation files that end with a part of a page, and their sizes.
sub partial_tails
{
	my ($self) = @_;
	my %size;

	find({ follow_fast => 1, follow_skip => 2, no_chdir => 1,
			wanted => sub { $size{$_} = -s _ if m{/\d+(?:_[a-z]+)?(?:\.\d+)?$} && -f && (-s _) % 8192; } },
		grep { -d } map { "$self->{data}/$_" } qw(base global pg_tblspc));
	return \%size;
}

# A file that was extended right before the cut may have kept half of its last
# page (seen on ext4 with data=journal, with stock too).  No server reads that part, and
# it is overwritten when the file is extended again (md.c, _mdnblocks()); but
# pg_checksums ends there.  So what the cut left so, and nobody has touched since, is cut
# off; a part of a page that the server leaves stays, and counts.
sub cut_known_tails
{
	my ($self) = @_;
	my $now = $self->partial_tails;

	for my $file (grep { ($self->{tails}{$_} // -1) == $now->{$_} } keys %$now)
	{
		truncate $file, $now->{$file} - $now->{$file} % 8192 or die "$file: $!";
	}
	return;
}

# Paths of all relations of all databases.
sub relation_files
{
	my ($self) = @_;
	my %used;

	# a database half dropped is marked invalid (-2) and takes no connections
	my ($status, $out) =
	  $self->sql('SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2');
	for my $database (split /\n/, $out)
	{
		($status, $out) = $self->sql(
			'SELECT pg_relation_filepath(oid) FROM pg_class WHERE pg_relation_filepath(oid) IS NOT NULL',
			$database);
		$self->problem("relations of $database cannot be listed") if $status != 0;
		$used{$_} = 1 for split /\n/, $out;
	}

	# template0 takes no connections; it has the same files as template1 had
	($status, $out) = $self->sql("SELECT 'base/' || oid FROM pg_database WHERE NOT datallowconn");
	for my $directory (split /\n/, $out)
	{
		m{($directory/\d+)$} and $used{$1} = 1 for glob "$self->{data}/$directory/*";
	}
	return \%used;
}

=head2 recover_and_verify(conf => [...], check => sub { ... })

The usual end of a run, with power back: scan, recovery, the caller's check with
the server running, verify.  Fills
$run->{torn}, {damaged_before} (pages), {split} (writes the cut split),
{acknowledged}, {lost} (commits) and {problems}; true when all is well after
recovery.

=cut

sub recover_and_verify
{
	my ($self, %options) = @_;
	my $scan = $self->scan;

	$self->{tails}          = $self->partial_tails;
	$self->{torn}           = $scan->{torn};
	$self->{damaged_before} = $scan->{damaged};
	$self->{findings}       = $scan->{findings};
	$self->{split}          = $self->split_writes;
	if (!$self->start(%options))
	{
		my $acknowledged = $self->acknowledged;
		$self->{acknowledged} += $_ for values %$acknowledged;
		$self->{lost} = $self->{acknowledged};    # nobody gets at them
		return $self->problem('recovery failed: ' . $self->why_it_failed);
	}
	$options{check}->() if $options{check};
	return $self->verify;
}

=head2 keep($directory)

Saves what is needed to look into this run: the server's log, the disk's log
with all data, and the image the run started from.

=cut

sub keep
{
	my ($self, $directory) = @_;
	my $name = $self->{name};

	SmgrAtomic::Root::ask('power_save', name => 'disk', from => $self->{lab}{image}, as => $name,
		server_log => $self->{log} =~ s/.*\/home\///r);
	return "$directory/$name";
}

=head2 replays()

True if powerreplay makes the disk, as it is without power, from what keep() saves.

=cut

sub replays
{
	my ($self) = @_;
	$self->keep($ENV{SMGR_ATOMIC_TEST_LOGS});
	my $answer = SmgrAtomic::Root::ask('power_replay', name => 'disk', as => $self->{name});
	print "# $answer->{said}\n";
	return $answer->{same};
}

=head2 end()

Removes the disk, and what was noted about the run.

=cut

sub end
{
	my ($self) = @_;
	$self->kill_server;
	$self->end_clients;
	SmgrAtomic::Root::ask('power_remove', name => 'disk');
	unlink glob "$self->{dir}/acknowledged.*";
	return;
}

1;
