
# Power is cut during a checkpoint, and while relations are made, rewritten,
# moved, extended and dropped.

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

my @made = ('BEGIN', 'CREATE TABLE copied (id int PRIMARY KEY)', "COPY copied FROM PROGRAM 'seq 30000'",
	'COMMIT', 'DROP TABLE copied');

# One client does nothing but these statements, while the others work; the
# pattern is what it must be doing when the power goes.
my @scenarios = (
	[ 'CREATE INDEX', qr/CREATE INDEX/, [ 'CREATE INDEX made ON big (h)', 'DROP INDEX made' ] ],
	[ 'VACUUM FULL',  qr/VACUUM FULL/,  ['VACUUM FULL big'] ],
	[ 'COPY',         qr/COPY|COMMIT/,  \@made ],
	[ 'COPY that is not in WAL', qr/COPY|COMMIT/, \@made, [ 'wal_level=minimal', 'max_wal_senders=0' ] ],
	map({
			[
				"CREATE or DROP DATABASE, strategy $_",
				qr/(?:CREATE|DROP) DATABASE/,
				[ "CREATE DATABASE made TEMPLATE template0 STRATEGY $_", 'DROP DATABASE made' ]
			]
		} qw(wal_log file_copy)),
	[
		'ALTER TABLE SET TABLESPACE', qr/ALTER TABLE/,
		[ 'ALTER TABLE big SET TABLESPACE space', 'ALTER TABLE big SET TABLESPACE pg_default' ]
	],
	[
		'relation extension',
		qr/INSERT INTO made/,
		[
			'CREATE TABLE made (t text)',
			"INSERT INTO made SELECT repeat('x', 500) FROM generate_series(1, 5000)",
			'DROP TABLE made'
		]
	]);

use constant MOST_CUTS => 5;

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	in_checkpoint($arm);
	in_statement($arm, @$_) for @scenarios;
}
done_testing();

# The first cut may come between two statements; all must be survived.
sub in_statement
{
	my ($arm, $name, $pattern, $statements, $conf) = @_;
	my $doing = '';

	for my $i (0 .. MOST_CUTS - 1)
	{
		my $run = $lab->begin(arm => $arm, seed => $seed + $i, conf => $conf);

		$run->start(conf => [ 'log_statement=all', 'log_duration=on', 'log_line_prefix=%a %p: ' ])
		  or BAIL_OUT("the server does not start, see $run->{log}");
		$run->workload(also => join ";\n", @$statements, '');
		$run->cut;
		$doing = statement_under_way($run);
		recovers($run, $name);
		last if $doing =~ $pattern;
	}
	like($doing, $pattern, '... and was under way when the power went');
	return;
}

# What the client of that name had begun and not ended.
sub statement_under_way
{
	my ($run) = @_;
	my ($last) = grep { /^also \d+: LOG:  (?:statement|duration):/ } reverse split /\n/, $run->log_text;
	return ($last // '') =~ /statement: (.*)/ ? $1 : '';
}

# The checkpoint alone fills the disk's cache: buffers hold all that is dirty,
# and nobody else writes.
sub in_checkpoint
{
	my ($arm) = @_;
	my $run = $lab->begin(arm => $arm, seed => $seed,
		conf => [ 'shared_buffers=16MB', 'bgwriter_lru_maxpages=0', 'autovacuum=off' ]);

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
	return;
}

sub recovers
{
	my ($run, $what) = @_;

	$run->power_on;
	$run->recover_and_verify;
	note "$what: $run->{torn} torn, $run->{damaged_before} damaged before recovery; $run->{split} writes split; "
	  . "$run->{acknowledged} commits, $run->{lost} lost; damaged pages in files of nobody: "
	  . ($run->{orphans_damaged} // 'not counted');
	is(join("\n", @{ $run->{problems} }), '', "$run->{arm}, seed $run->{seed}: $what: sound after recovery");
	is($run->{lost}, 0, '... no acknowledged commit lost');
	$run->end;
	return;
}
