
# Power is cut during a checkpoint, and while relations are made, rewritten,
# moved, extended and dropped.  What the statement was to leave behind is there
# afterwards whole, or not at all; there for certain once that was acknowledged.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new;

my @made = ('BEGIN', 'CREATE TABLE copied (id int PRIMARY KEY)', "COPY copied FROM PROGRAM 'seq 150000'",
	'COMMIT', 'SELECT pg_sleep(0.1)', 'DROP TABLE copied');
my @kept_a_while = map { s/pg_sleep\(0.1\)/pg_sleep(1)/r } @made;
my @whole_copy = ('copied', 'COMMIT', 'count(*) = 150000 AND sum(id) = 11250075000');
my @not_in_wal = ('wal_level=minimal', 'max_wal_senders=0');

# One client does nothing but these statements, while the others work; the
# pattern is what it must be doing when the power goes.  "left": a table, the
# statement after which it must be there, what must be true of it if it is there
# at all, and what if it must be.
my @scenarios = (
	{
		name    => 'CREATE INDEX',
		doing   => qr/CREATE INDEX/,
		clients => [ 'CREATE INDEX made ON big (h)', 'DROP INDEX made' ]
	},
	{ name => 'VACUUM FULL', doing => qr/VACUUM FULL/, clients => ['VACUUM FULL big'] },
	{ name => 'COPY', doing => qr/COPY|COMMIT/, clients => \@made, left => \@whole_copy },
	{
		name    => 'COPY that is not in WAL',
		doing   => qr/COPY|COMMIT/,
		clients => \@made,
		left    => \@whole_copy,
		conf    => \@not_in_wal
	},
	{
		name    => 'after a COPY that is not in WAL',
		doing   => qr/pg_sleep/,
		clients => \@kept_a_while,
		left    => \@whole_copy,
		conf    => \@not_in_wal
	},
	map({
			{
				name    => "CREATE DATABASE, strategy $_",
				doing   => qr/CREATE DATABASE/,
				clients => [ "CREATE DATABASE made TEMPLATE template0 STRATEGY $_", 'DROP DATABASE made' ]
			}
		} qw(wal_log file_copy)),
	{
		name    => 'ALTER TABLE SET TABLESPACE',
		doing   => qr/ALTER TABLE/,
		clients => [ 'ALTER TABLE big SET TABLESPACE space', 'ALTER TABLE big SET TABLESPACE pg_default' ]
	},
	{
		name    => 'relation extension',
		doing   => qr/INSERT INTO made/,
		clients => [
			'CREATE TABLE made (t text)',
			"INSERT INTO made SELECT repeat('x', 500) FROM generate_series(1, 5000)",
			'DROP TABLE made'
		],
		left => [ 'made', 'INSERT', "count(*) IN (0, 5000) AND count(*) = count(*) FILTER (WHERE t = repeat('x', 500))",
			'count(*) = 5000' ]
	});

use constant MOST_CUTS => 10;

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	my $split = in_checkpoint($arm);
	$split += in_statement($arm, $_) for @scenarios;
	cmp_ok($split, '>', 0, "$arm: the cuts did split writes");
}
done_testing();

# The disk is to cut its power as soon as the statement is under way; when that
# comes too late, another cut is made.  All must be survived.
sub in_statement
{
	my ($arm, $scenario) = @_;
	my ($doing, $split) = ('', 0);

	for my $i (0 .. MOST_CUTS - 1)
	{
		my $run = $lab->begin(arm => $arm, seed => $seed + $i, conf => $scenario->{conf});

		$run->start(conf => ['log_line_prefix=%a %p: ']) or BAIL_OUT("the server does not start, see $run->{log}");
		$run->workload(also => join ";\n", "SET log_statement = 'all'", 'SET log_duration = on',
			@{ $scenario->{clients} }, '');
		sleep 1 + rand 1;
		SmgrAtomic::Crash::wait_for(60, sub { statement_under_way($run) =~ $scenario->{doing} });
		$run->cut_now(unflushed => 12 + int rand 13);
		$doing = statement_under_way($run);
		my @left = @{ $scenario->{left} // [] };
		my $certain = @left && was_acknowledged($run, $left[1]);
		recovers($run, $scenario->{name}, @left ? sub { left_behind($run, $certain, @left) } : undef);
		$split += $run->{split};
		last if $doing =~ $scenario->{doing};
	}
	like($doing, $scenario->{doing}, '... and was under way when the power went');
	return $split;
}

sub log_of_also
{
	my ($run) = @_;
	return grep { /^also \d+: LOG:  (?:statement|duration):/ } split /\n/, $run->log_text;
}

# What the client of that name had begun and not ended.
sub statement_under_way
{
	my ($run) = @_;
	my ($last) = reverse log_of_also($run);
	return ($last // '') =~ /statement: (.*)/ ? $1 : '';
}

# Had a statement that begins so ended, and no DROP begun since?  The server
# tells of the end of a commit when it is durable.
sub was_acknowledged
{
	my ($run, $statement) = @_;
	my ($acknowledged, $doing) = (0, '');

	for (log_of_also($run))
	{
		$doing = $1 if /statement: (.*)/;
		$acknowledged = 0 if $doing =~ /^DROP/;
		$acknowledged = 1 if /duration:/ && $doing =~ /^$statement/;
	}
	return $acknowledged;
}

# With the server running again.
sub left_behind
{
	my ($run, $must_be, $table, $statement, $whole, $full) = @_;
	my $is_there = $run->value("SELECT to_regclass('$table') IS NOT NULL") eq 't';

	note "$table is " . ($is_there ? '' : 'not ') . 'there' . ($must_be ? ', and must be' : '');
	is($run->value("SELECT $whole FROM $table"), 't', "$table is whole") if $is_there;
	return unless $must_be;
	ok($is_there, "... $statement was acknowledged: there is $table");
	is($run->value('SELECT ' . ($full // $whole) . " FROM $table"), 't', '... with all its rows') if $is_there;
	return;
}

# The checkpoint alone fills the disk's cache: buffers hold all that is dirty,
# and nobody else writes.
sub in_checkpoint
{
	my ($arm) = @_;
	my $run = $lab->begin(arm => $arm, seed => $seed,
		conf => [ 'shared_buffers=16MB', 'bgwriter_lru_maxpages=0', 'autovacuum=off', 'checkpoint_timeout=1h' ]);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	$run->workload(checkpoints => 0, transactions => 100);
	$run->end_clients;
	$run->value("CHECKPOINT; UPDATE accounts SET filler = repeat('z', 80) WHERE id <= 5000");
	$run->wait_until_quiet;
	$run->mark_log;
	$run->set('cut-unflushed', 16);
	$run->pgbench('checkpoint', "CHECKPOINT;\n", '-t', 1);
	$run->ctl('wait-off 60');
	$run->cut_now(at_once => 1);
	is($run->{cut}{last_cut}, 'unflushed', "$arm, seed $seed: the disk cuts its power");
	like($run->log_text, qr/checkpoint starting/, '... after a checkpoint has begun');
	unlike($run->log_text, qr/checkpoint complete/, '... and before it ends');
	recovers($run, 'a cut in a checkpoint');
	is($run->{torn} + $run->{damaged_before}, 0, '... no torn page even before recovery')
	  if $SmgrAtomic::Crash::arms{$arm}{whole};
	return $run->{split};
}

sub recovers
{
	my ($run, $what, $check) = @_;

	$run->power_on;
	$run->recover_and_verify(check => $check);
	note "$what: $run->{torn} torn, $run->{damaged_before} damaged before recovery; $run->{split} writes split; "
	  . "$run->{acknowledged} commits, $run->{lost} lost; damaged pages in files of nobody: "
	  . ($run->{orphans_damaged} // 'not counted');
	is(join("\n", @{ $run->{problems} }), '', "$run->{arm}, seed $run->{seed}: $what: sound after recovery");
	is($run->{lost}, 0, '... no acknowledged commit lost');
	$run->end;
	return;
}
