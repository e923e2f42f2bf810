
# The disk stays on but fails: a write error on a data page, write errors at
# any moment, no space left during copy-on-write, a thin disk that is full.  With
# the page journal also: write-back that fails, the journal itself that fails.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;
use Time::HiRes qw(sleep);

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new;

for my $arm (@SmgrAtomic::Crash::safe_arms)
{
	# stock learns of it from fsync only, and panics
	error_on_a_page($arm) if $SmgrAtomic::Crash::arms{$arm}{whole};
	if ($SmgrAtomic::Crash::arms{$arm}{images_off})
	{
		error_of_write_back($arm);
		error_of_write_back_behind($arm);
		error_of_the_journal($arm);
	}
	errors_under_load($arm, $seed + $_) for 1 .. 2;
	no_space($arm);
	thin_disk_full($arm);
}
done_testing();

sub begin
{
	my ($arm, $number, @conf) = @_;
	my $run = $lab->begin(arm => $arm, seed => $number, conf => \@conf);
	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	return $run;
}

# The server may be running or not; ends the run.
sub is_sound
{
	my ($run, $what) = @_;
	my $title = "$run->{arm}, seed $run->{seed}: $what";

	$run->end_clients;
	if ($run->has_ended)
	{
		$run->kill_server;
		$run->start or diag($run->why_it_failed);
	}
	$run->verify;
	is(join("\n", @{ $run->{problems} }), '', "$title: sound afterwards");
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	$run->end;
	return;
}

# With replication origins, which 18 has a setting of their own for, a checkpoint
# writes a file of theirs first.
sub without_origins
{
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	my ($major) = `$pg_config --version` =~ /(\d+)/;

	return ('max_replication_slots=0', $major >= 18 ? 'max_active_replication_origins=0' : ());
}

# With nothing else going on, the first write of a checkpoint is a page: no WAL
# comes from the background writer at this level.
sub error_on_a_page
{
	my ($arm) = @_;
	my $run = begin($arm, $seed, 'bgwriter_lru_maxpages=0', 'autovacuum=off', 'wal_level=minimal', 'max_wal_senders=0',
		without_origins());

	$run->workload(checkpoints => 0, transactions => 50);
	$run->end_clients;
	$run->sync_disk;
	$run->set('eio-write', 1);
	my ($status, $out, $err) = $run->sql('CHECKPOINT;');
	isnt($status, 0, "$arm: the checkpoint fails when the disk fails a write");
	is($run->disk_status->{refused}, 1, '... one write was refused');
	like($run->log_text, qr/could not write block \d+ in file "base\/\d+\/\d+(?:_vm|_fsm)?": Input\/output error/,
		'... the log names block and file');
	# a page that was handed over already can only be had again from WAL: then
	# the server panics, and starts anew
	SmgrAtomic::Crash::wait_for($run->log_text =~ /PANIC:/ ? 60 : 2, sub { $run->has_ended });
	is_sound($run, 'a write error on a page');
	return;
}

sub images_go_off
{
	my ($run) = @_;
	SmgrAtomic::Crash::wait_for(60, sub { $run->log_text =~ /full_page_writes is now off/ }) or BAIL_OUT('images stay on');
	return;
}

# From now on the disk fails each write to where the first, large part of a file is.
sub fail_writes_of
{
	my ($run, $file) = @_;
	my ($block, $count) = `filefrag -b4096 -v $run->{data}/$file` =~ /^ +0: +\d+\.\. +\d+: +(\d+)\.\. +\d+: +(\d+):/m
	  or BAIL_OUT("where is $file?");
	$run->sync_disk;
	$run->set('eio-range', $block * 4096 . ':' . $count * 4096);
	return;
}

# Returns the file of a new table.
sub make_victim
{
	my ($run) = @_;
	$run->sql('CREATE TABLE victim AS SELECT i, 0 AS v, repeat(\'v\', 200) AS f FROM generate_series(1, 5000) i; CHECKPOINT;');
	return $run->value(q{SELECT pg_relation_filepath('victim')});
}

# The kernel tells once that it could not write back pages, and then takes them
# for written: what recovery reads is whole, and on no disk.  So the server
# recovers with the filesystem mounted as it was, makes a checkpoint, and only
# then what was in the page cache is forgotten.
sub error_of_write_back
{
	my ($arm) = @_;
	my $run = begin($arm, $seed, 'shared_buffers=16MB', 'bgwriter_lru_maxpages=0', 'autovacuum=off',
		'checkpoint_timeout=1h');

	images_go_off($run);
	my $file = make_victim($run);
	fail_writes_of($run, $file);
	my ($status, $out, $err) = $run->sql('UPDATE victim SET v = 1;');
	is($status, 0, "$arm: pages are changed in memory") or diag($err);
	$run->sql('CHECKPOINT;');
	ok(SmgrAtomic::Crash::wait_for(60, sub { $run->has_ended }), "$arm: the server panics when pages cannot be written back");
	like($run->log_text, qr/PANIC:  could not (?:fsync|write back blocks \d+ to \d+ in) file "\Q$file\E": Input\/output error/,
		'... the log names the file');
	cmp_ok($run->disk_status->{refused}, '>', 0, '... the disk had refused them');
	$run->set('eio-range', '0:0');
	$run->kill_server;
	$run->mark_log;
	$run->start or diag($run->why_it_failed);
	like($run->log_text, qr/page journal: \d+ batches, [1-9]\d* pages checked/, '... repair has looked at pages');
	$run->sql('CHECKPOINT;');    # and no look at the table: hint bits would have its pages written
	$run->kill_server;
	$run->cut_now(at_once => 1);
	$run->power_on;
	$run->start or diag($run->why_it_failed);
	is($run->value('SELECT count(*) || chr(32) || sum(v) FROM victim'), '5000 5000', '... nothing is lost, on the disk too');
	is_sound($run, 'pages that could not be written back');
	return;
}

# The same without a checkpoint: pages are evicted until the journal is full, and
# whoever makes room in it names file and block.
sub error_of_write_back_behind
{
	my ($arm) = @_;
	my $run = begin($arm, $seed, 'bgwriter_lru_maxpages=0', 'autovacuum=off', 'checkpoint_timeout=1h', 'max_wal_size=1GB');

	images_go_off($run);
	my $file = make_victim($run);
	fail_writes_of($run, $file);
	$run->mark_log;
	for my $v (1 .. 20)
	{
		$run->sql("UPDATE victim SET v = $v;") unless $run->has_ended;
	}
	ok(SmgrAtomic::Crash::wait_for(60, sub { $run->has_ended }), "$arm: the server panics when evicted pages cannot be written back");
	like($run->log_text, qr/PANIC:  could not write back blocks \d+ to \d+ in file "\Q$file\E": Input\/output error/,
		'... the log names block and file');
	unlike($run->log_text, qr/checkpoint starting/, '... without a checkpoint');
	$run->set('eio-range', '0:0');
	is_sound($run, 'evicted pages that could not be written back');
	return;
}

# No copy, no page: the server ends rather than write a page without one.
sub error_of_the_journal
{
	my ($arm) = @_;
	my $run = begin($arm, $seed);
	my $file = 'pgsql_tmp_smgr_atomic/smgr_atomic.journal';

	images_go_off($run);
	$run->workload;
	sleep 1;
	fail_writes_of($run, $file);
	ok(SmgrAtomic::Crash::wait_for(60, sub { $run->has_ended }), "$arm: the server panics when the page journal cannot be written");
	like($run->log_text, qr/PANIC:  could not write (?:superblock of )?page journal "[^"]*\Q$file\E": Input\/output error/,
		'... the log names the journal');
	cmp_ok($run->disk_status->{refused}, '>', 0, '... the disk had refused it');
	$run->set('eio-range', '0:0');
	is_sound($run, 'a page journal that could not be written');
	return;
}

# Whatever the error meets: a page, WAL, the filesystem's own log.
sub errors_under_load
{
	my ($arm, $number) = @_;
	my $run = begin($arm, $number);

	$run->workload;
	sleep 1.5;
	$run->set('eio-write', 1 + int rand 300);
	ok(SmgrAtomic::Crash::wait_for(120, sub { $run->disk_status->{refused} > 0 }),
		"$arm, seed $number: the disk fails a write under load");
	sleep 0.5;
	note join "\n", grep { /PANIC|ERROR/ } split /\n/, $run->log_text;
	$run->kill_server;
	$run->end_clients;
	$run->power_on;    # mounts again: the filesystem may have given up
	is_sound($run, 'a write error under load');
	return;
}

# A file takes all the space there is; overwriting a page needs new blocks.  A file
# of the server's own may need some first, and the server ends then: tried again.
sub no_space
{
	my ($arm, $try) = (@_, 1);
	my $told =
	  qr/could not (?:write block \d+ in|extend) file "base[^"]*": No space left on device(?s:.*)HINT:.*(?i:free (?:some|disk) space)/;
	my $whole = $SmgrAtomic::Crash::arms{$arm}{whole};
	my $run = begin($arm, $seed, without_origins());
	my $filler = "$run->{mount}/space/filler";

	$run->workload;
	sleep 1;
	fill($filler);
	ok( SmgrAtomic::Crash::wait_for(
			60, sub { $run->has_ended || $run->log_text =~ /No space left on device/ }),
		"$arm: there is no space left");
	SmgrAtomic::Crash::wait_for($whole ? 60 : 1, sub { $run->has_ended || $run->log_text =~ $told });
	my $text = $run->log_text;
	note join "\n", grep { /No space|HINT/ } split /\n/, $text;
	unlink $filler or die "$filler: $!";
	if ($whole && $try < 3 && $text !~ $told && $text =~ m{PANIC:  .*"pg_\w+/.*No space left on device})
	{
		is_sound($run, 'no space left for a file of the server');
		return no_space($arm, $try + 1);
	}
	like($text, $told, '... the log says for which file, and what to do') if $whole;
	SmgrAtomic::Crash::wait_for(60, sub { $run->has_ended }) if $run->log_text =~ /PANIC:/;
	if (!$run->has_ended)
	{
		my ($status, $out, $err) = $run->sql('CHECKPOINT;');
		is($status, 0, '... it goes on when there is space again') or diag($err);
	}
	$run->kill_server;
	is_sound($run, 'no space left');
	return;
}

# Takes what is left, in smaller and smaller pieces.
sub fill
{
	my ($path) = @_;
	my $size = 0;

	for my $piece (64 << 20, 1 << 20, 64 << 10, 4096)
	{
		1 while SmgrAtomic::Crash::wait_for(0, sub {
				system("fallocate -o $size -l $piece $path 2>/dev/null") == 0 && ($size += $piece);
			});
	}
	note "filler of $size bytes";
	return;
}

# The filesystem believes in space that the disk below has not.
sub thin_disk_full
{
	my ($arm) = @_;
	my $run = begin($arm, $seed);

	$run->workload;
	sleep 1;
	$run->set('full', 'on');
	ok(SmgrAtomic::Crash::wait_for(60, sub { $run->disk_status->{refused} > 0 }),
		"$arm: the thin disk refuses a write");
	sleep 1;
	$run->set('full', 'off');
	$run->kill_server;
	$run->end_clients;
	$run->power_on;
	is_sound($run, 'a thin disk that is full');
	return;
}
