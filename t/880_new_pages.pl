
# Pages that were added to a file since the last checkpoint began need no copy in
# the page journal.  If one is torn when the server starts after a crash it is
# emptied, and recovery makes it again; WAL about a block of the same number before
# a truncation does not find it then.  The control starts without repair, and does not
# get past that.  After a checkpoint the same pages have copies.  (Power is cut
# under a bulk load in t/881.)

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use Test::More;

need_volumes('ext4');

my $node = new_node('main', volume => create_volume('data', fs => 'ext4', size => '2G'), mode => 'doublewrite', checksums => 1,
	conf => "wal_level = replica\nshared_buffers = 1MB\nautovacuum = off\ncheckpoint_timeout = 1h\nmax_wal_size = 2GB\nbgwriter_lru_maxpages = 0\n"
	  . "smgr_atomic.write_behind_size = 256kB\nsmgr_atomic.journal_size = 192MB\n");

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Pages that went through the journal, and those of them without a copy.
sub journaled { return split /\|/, sql('SELECT pages, new_pages FROM smgr_atomic_journal') }

# The same of what a statement makes; all pages but some hundred leave shared buffers.
sub journaled_by
{
	my ($statement) = @_;
	my @before = journaled();
	sql($statement);
	my @after = journaled();
	return ($after[0] - $before[0], $after[1] - $before[1]);
}

sub pages_of { return sql("SELECT pg_relation_size('$_[0]') / 8192") }

# Zeroes over the second half of a page: what a power cut leaves of a new page.
sub tear
{
	my ($file, $block) = @_;
	open my $fh, '+<', $node->data_dir . "/$file" or die "$file: $!";
	seek $fh, $block * 8192 + 4096, 0;
	read $fh, my $half, 4096;
	die "block $block of $file was not written" if $half !~ /[^\0]/;
	seek $fh, $block * 8192 + 4096, 0;
	print $fh "\0" x 4096;
	close $fh or die "$file: $!";
	return;
}

# A crash of the server, with nothing on its way.
sub crash
{
	$node->poll_query_until('postgres', 'SELECT used = 0 FROM smgr_atomic_pool') or die 'the pool does not drain';
	$node->stop('immediate');
	return;
}

# Starts after a crash; what repair said.
sub starts
{
	my ($name) = @_;
	my ($runs, $log) = try_start($node);
	ok($runs, "$name: starts") || diag $log;
	my @count = $log =~ /page journal: .* (\d+) restored, (\d+) emptied, (\d+) rewritten/ or diag $log;
	settle($node);
	return @count;
}

$node->start;
settle($node);
sql('CREATE TABLE t (g int, f text); CHECKPOINT');

# ---- what has no copy --------------------------------------------------------------------

my ($pages, $new) = journaled_by(q{INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 30000) g});
my $size = pages_of('t');
cmp_ok($new, '>', 0.8 * $size, "bulk load of $size pages: $new without a copy");
cmp_ok($new, '<=', $size, '... no other pages');
cmp_ok($pages - $new, '<', 0.1 * $size, '... few others: ' . ($pages - $new));

($pages, $new) = journaled_by(q{UPDATE t SET f = repeat('y', 500) WHERE g % 100 = 0});
cmp_ok($new, '>', 200, "changed before the next checkpoint: $new still without a copy");

sql('CHECKPOINT');
($pages, $new) = journaled_by(q{DELETE FROM t WHERE g % 15 = 1});
cmp_ok($pages, '>', 0.8 * $size, "changed after a checkpoint: $pages pages");
is($new, 0, '... all of them with copies');

# an index is built past shared buffers; in it WAL can be older than the blocks
sql('CREATE INDEX t_f ON t (g)');
($pages, $new) = journaled_by(q{INSERT INTO t SELECT g * 100 + 7, NULL FROM generate_series(1, 290) g});
cmp_ok($pages, '>', 60, "rows all over a new index: $pages pages");
cmp_ok($new, '<', 20, "... those of the index with copies, $new without");
sql('DROP INDEX t_f');

# so is a new database, whose pages have their images in WAL; and a hash index adds blocks
# with content between others
($pages, $new) = journaled_by('CREATE DATABASE other STRATEGY wal_log');
cmp_ok($pages, '>', 300, "a database: $pages pages");
cmp_ok($new, '<', 10, "... with copies, $new without");
sql('CREATE TABLE h (g int); CREATE INDEX ON h USING hash (g); CHECKPOINT');
($pages, $new) = journaled_by('INSERT INTO h SELECT hashint4(g) FROM generate_series(1, 60000) g');
cmp_ok($new, '<', 0.3 * $pages, "a hash index: $pages pages written, again and again, $new without a copy");

# ---- torn ----------------------------------------------------------------------------------

# Blocks that WAL knows from before a truncation, and that are used again.
sub grow_again
{
	my ($value) = @_;
	sql('CHECKPOINT; DELETE FROM t WHERE g > 20000; VACUUM t');
	my $left = pages_of('t');
	sql("INSERT INTO t SELECT g, repeat('$value', 500) FROM generate_series(20001, 30000) g");
	return ($left, sql(q{SELECT pg_relation_filepath('t')}));
}

sub digest { return sql('SELECT count(*) || sum(hashtext(t::text)::bigint)::text FROM t') }

sql(q{TRUNCATE t; INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 30000) g});
my ($left, $file) = grow_again('a');
cmp_ok(pages_of('t'), '>', $left + 400, "truncated to $left pages, then longer again");
my $before = digest();
crash();
my ($restored, $emptied, $rewritten) = starts('nothing torn');
is("$restored $emptied", '0 0', '... nothing restored or emptied');
cmp_ok($rewritten, '>', 400, '... but written again: a crash of the server only');
is(digest(), $before, '... nothing lost');

($left, $file) = grow_again('b');
$before = digest();
crash();
tear($file, $left + $_) for 10 .. 19;
$node->append_conf('postgresql.conf', 'smgr_atomic.ignore_journal = on');
system('cp', '-a', $node->data_dir, $node->basedir . '/aside') == 0 or die 'cp';
my ($runs, $log) = try_start($node);
ok(!$runs, 'control, without repair: does not start');
like($log, qr/invalid page in block \d+ of relation "?\Q$file\E/, '... because redo reads a torn page');
system('rm', '-r', $node->data_dir) == 0 && system('mv', $node->basedir . '/aside', $node->data_dir) == 0 or die 'mv';
$node->append_conf('postgresql.conf', 'smgr_atomic.ignore_journal = off');
($restored, $emptied) = starts('ten new pages torn');
is("$restored $emptied", '0 10', '... emptied');
is(digest(), $before, '... recovery has made them again');
is(sql(q{SELECT count(*) FROM smgr_atomic_torn_pages('t')}), '0', '... whole');

# the same pages after a checkpoint
sql(q{CHECKPOINT; UPDATE t SET g = -g WHERE g > 20000});
$before = digest();
crash();
tear($file, $left + $_) for 10 .. 19;
($restored, $emptied) = starts('ten pages torn, after a checkpoint');
is("$restored $emptied", '10 0', '... restored from their copies');
is(digest(), $before, '... nothing lost');

# ---- pages that are durable at commit instead of logged ---------------------------------------

$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0");
$node->restart;
settle($node);
sql(q{CHECKPOINT; SET wal_skip_threshold = 0;
	CREATE TABLE m AS SELECT g, 0 AS n, repeat('m', 500) AS f FROM generate_series(1, 10000) g});
($pages, $new) = journaled_by('UPDATE m SET n = 1');
cmp_ok($pages, '>', 600, "wal_level = minimal: $pages pages");
is($new, 0, '... all of them with copies');
$file = sql(q{SELECT pg_relation_filepath('m')});
crash();
tear($file, $_) for 10 .. 19;
($restored, $emptied) = starts('... torn');
is("$restored $emptied", '10 0', '... restored');
is(sql('SELECT count(*), sum(n) FROM m'), '10000|10000', '... nothing lost');

stop_clean($node);
done_testing();
