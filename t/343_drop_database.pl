
# Databases that go, in every state: dropped, or not created after all.  Their
# pages may be in the write-behind pool and their files open in a writer, and
# the next database can have files of the same names.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my $library = build_library('hold_fsync.c');
my $xfs     = create_volume('data', size => '2G');
my $again   = 99999;
my $rows    = q{SELECT (SELECT count(*) FROM a WHERE v = 3) || ' ' || (SELECT count(*) FROM b WHERE v = 3)};
my (%file, $node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

for my $mode (qw(direct doublewrite))
{
	$node = new_node(
		$mode,
		mode   => $mode,
		volume => $xfs,
		conf   => "shared_buffers = 1MB\nautovacuum = off\nbgwriter_lru_maxpages = 0\n"
		  . "checkpoint_timeout = 1h\nmax_wal_size = 2GB\n"
		  . "smgr_atomic.writers = 2\n");
	start_holding($node, $library);
	make_model();
	for my $state ($mode eq 'direct' ? qw(off active paused) : qw(paused active))
	{
		go_to($state, $mode);
		subtest "$mode, $state: dropped, and created again under its old OID" => \&drop_and_create
		  if $state ne 'off';
		subtest "$mode, $state: cancelled while it is created" => sub { cancel_create($state) };
		is(now($node)->{state}, $state, "$mode: still $state");
	}
	last_crash($mode);
	controls() if $mode eq 'direct';
	$node->stop('immediate') if $node->{_pid};
}
done_testing();

# A database to copy, so that files of each copy have the same names.
sub make_model
{
	reach($node, 'active', 'started');
	sql('CREATE DATABASE model');
	for my $table (qw(a b))
	{
		$node->safe_psql('model', qq{
			CREATE TABLE $table (id int, v int, filler text) WITH (fillfactor = 40);
			INSERT INTO $table SELECT i, 0, repeat('x', 400) FROM generate_series(1, 4000) i});
		$file{$table} = $node->safe_psql('model', "SELECT pg_relation_filenode('$table')");
	}
	return;
}

# "Arming" and "disarming" end with the first checkpoint, which a DROP DATABASE makes.
sub go_to
{
	my ($state, $mode) = @_;

	sql('SELECT smgr_atomic_resume()');
	set_mode($node, $state eq 'off' ? 'off' : $mode);
	reach($node, $state eq 'off' ? 'off' : 'active', $state);
	if ($state eq 'paused')
	{
		sql(q{SELECT smgr_atomic_pause('10 hours')});
		reach($node, 'paused', $state);
	}
	is(now($node)->{state}, $state, "state $state");
	return;
}

# The pages of each copy are written, so the writer has its files open, and they
# leave the small buffers while they are changed, so some are in the pool.
sub drop_and_create
{
	my $position = log_position($node);

	for my $round (1 .. 3)
	{
		sql("CREATE DATABASE again OID = $again TEMPLATE model STRATEGY "
			  . ($round % 2 ? 'file_copy' : 'wal_log'));
		$node->safe_psql('again', "UPDATE a SET v = $round; CHECKPOINT; UPDATE b SET v = $round");
		sql('DROP DATABASE again') if $round < 3;
	}
	is($node->safe_psql('again', "CHECKPOINT; $rows"), '4000 4000', 'rows');
	sql('ALTER DATABASE again RENAME TO kept' . $again++);
	unlike(log_since($node, $position), qr/PANIC|could not/, 'no complaint in the log');
	return;
}

sub writers_do
{
	my ($signal) = @_;

	for my $number (1, 2)
	{
		my $pid = worker_pid($node, "smgr_atomic writer $number") or die 'no writer';
		kill $signal => $pid;
	}
	return;
}

sub pages_in_pool { return sql('SELECT used FROM smgr_atomic_pool') }

# Not in the middle of a batch: who makes its pages void has to wait for that.
sub writers_stop
{
	for (1 .. 100)
	{
		wait_until('the writers to be at rest', sub { pages_in_pool() == 0 });
		writers_do('STOP');
		return if pages_in_pool() == 0;
		writers_do('CONT');
	}
	die 'the writers are never at rest';
}

# Begin to create a database; on return it is about to extend b, with pages of a
# in the pool and a writer that stands still.
sub begin_create
{
	my ($oid, $options) = @_;
	my $held = hold($node, "pwrite:$oid/$file{a}");
	my $create = IPC::Run::start(
		[ 'psql', '-X', '-h', $node->host, '-p', $node->port, '-c',
			"CREATE DATABASE late OID = $oid TEMPLATE model STRATEGY wal_log $options", 'postgres' ],
		'<', \undef, '>', '/dev/null', '2>', \my $error);

	$held->();
	writers_stop();
	hold($node, "pwrite:$oid/$file{b}")->();
	return ($create, \$error);
}

sub cancel_create
{
	my ($state) = @_;
	my $position = log_position($node);
	my $oid = $again++;
	my ($create, $error) = begin_create($oid, '');

	cmp_ok(pages_in_pool(), '>', 0, 'pages of it are in the pool') unless $state eq 'off';
	sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE late%'});
	# its files are gone now, its directory is next; the writer comes before or after
	hold($node, "rmdir:base/$oid")->();
	writers_do('CONT') if $state ne 'paused';
	wait_until('the pool to be empty', sub { (eval { pages_in_pool() } // 0) == 0 }) if $state ne 'paused';
	release($node);
	eval { $create->finish };
	writers_do('CONT');
	like($$error, qr/canceling statement due to user request/, 'cancelled');
	unlike(log_since($node, $position), qr/PANIC/, 'the server goes on');
	ok(!-e $node->data_dir . "/base/$oid", 'its directory is gone');

	# nothing of it is left for the next one
	sql("CREATE DATABASE next OID = $oid TEMPLATE model STRATEGY wal_log");
	is($node->safe_psql('next', $rows =~ s/v = 3/v = 0/gr), '4000 4000', 'the next one is a copy');
	sql('DROP DATABASE next');
	return;
}

# What was written to files of another database would be missing now.
sub last_crash
{
	my ($mode) = @_;

	$node->stop('immediate');
	start_holding($node, $library);
	for my $database (split /\n/, sql(q{SELECT datname FROM pg_database WHERE datname LIKE 'kept%'}))
	{
		is($node->safe_psql($database, $rows), '4000 4000', "$mode: rows in $database after a crash");
	}
	return;
}

# Files that are gone for another reason are a PANIC.
sub ends_with_panic
{
	my ($pattern, $name) = @_;
	my $position = log_position($node);

	writers_do('CONT');
	wait_for_end($node, qr/PANIC:  could not open file "$pattern/, $position);
	pass("$name: PANIC");
	return;
}

sub controls
{
	my $space = "$xfs/space";

	sql('SELECT smgr_atomic_resume()');
	reach($node, 'active', 'controls');
	mkdir $space or die "mkdir: $!";
	sql("CREATE TABLESPACE space LOCATION '$space'");

	# the database that is being created is not excused if its tablespace goes
	my ($create, $error) = begin_create($again, 'TABLESPACE space');
	rename $space, "$space.away" or die "rename: $!";
	ends_with_panic('pg_tblspc/', 'the tablespace of a new database gone');
	release($node);
	eval { $create->finish };
	rename "$space.away", $space or die "rename: $!";
	start_holding($node, $library);
	reach($node, 'active', 'controls');

	# nor is one that was created
	sql('CREATE DATABASE old OID = ' . ++$again . ' TEMPLATE model STRATEGY file_copy');
	# (nothing is dirty before: a page that a scan comes to while it is in the pool is waited for, from 18 on)
	$node->safe_psql('old', 'SELECT count(*) FROM a; CHECKPOINT');
	writers_do('STOP');
	$node->safe_psql('old', 'UPDATE a SET v = 1; UPDATE b SET v = 1');
	system_or_bail('mv', $node->data_dir . "/base/$again", "$xfs/old.away");
	ends_with_panic("base/$again", 'the directory of a database gone');
	return;
}
