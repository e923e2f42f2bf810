
# A page write that fails is an error that names file and block, the page is
# not lost, and nothing is written any other way.  Errors of the kernel are
# injected by strace into the server's own system calls on one file.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();
need_volumes('ext4');

my $node = new_node(
	'main',
	volume => create_volume('data', size => '1G'),
	conf   => "autovacuum = off\ncheckpoint_timeout = 1h\nsmgr_atomic.write_behind_size = 0\n");
my $trace = PostgreSQL::Test::Utils::tempdir . '/trace';

$node->start;
$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, v int);
	INSERT INTO t SELECT i, 0 FROM generate_series(1, 10000) i;
	CHECKPOINT;
});
my ($file) = block_in_file($node, 't', 0);
my $pages = $node->safe_psql('postgres', q{SELECT pg_relation_size('t') / 8192});
$node->stop;

# Change the table, let its pages be written with the error, and again without.
# $when says into which of the checkpointer's writes the error is injected.
my $value = 0;

sub write_with
{
	my ($error, $when) = @_;

	$value++;

	start_traced($node, '-o', $trace, '-e', 'trace=pwritev2,pwrite64,pwritev,write',
		'-P', $node->data_dir . "/$file",
		'-e', "inject=pwritev2:error=$error:when=$when");
	create_extension_once();
	my $before = counters($node);
	$node->safe_psql('postgres', "UPDATE t SET v = $value WHERE id <= 10");
	my $position = log_position($node);
	my ($status, undef, $stderr) = $node->psql('postgres', 'CHECKPOINT');
	my $log = log_since($node, $position);
	my $after = counters($node);
	my ($again) = $node->psql('postgres', 'CHECKPOINT');

	return {
		failed   => $status != 0,
		stderr   => $stderr,
		log      => $log,
		again    => $again,
		errors   => $after->{errors} - $before->{errors},
		retries  => $after->{retries} - $before->{retries}
	};
}

sub create_extension_once
{
	$node->safe_psql('postgres',
		'SET client_min_messages = warning; CREATE EXTENSION IF NOT EXISTS smgr_atomic');
	settle($node);
	$node->safe_psql('postgres', 'CHECKPOINT');
	return;
}

sub nothing_lost
{
	my ($name) = @_;

	stop_traced($node);
	my @plain = grep { /\b(?:pwrite64|pwritev|write)\(/ && !/= -1/ } split /\n/, slurp_file($trace);
	is_deeply(\@plain, [], "$name: the page was not written plainly");
	$node->start;
	is($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE v = $value"), 10, "$name: nothing is lost");
	$node->stop;
	return;
}

# errors that stay: reported once per try, the page stays dirty
for my $case (
	[ 'EINVAL',     qr/could not write block \d+ in file "\Q$file\E" atomically: Invalid argument/,
		qr/a plain write could tear it/, qr/smgr_atomic_probe\(\)/ ],
	[ 'EOPNOTSUPP', qr/could not write block \d+ in file "\Q$file\E" atomically: Operation not supported/,
		qr/a plain write could tear it/, qr/put it back; the page will be written then/ ],
	[ 'ENOSPC',     qr/could not write block \d+ in file "\Q$file\E": No space left on device/,
		qr/copy-on-write needs free space/, qr/Free some space/ ],
	[ 'EIO',        qr/could not write block \d+ in file "\Q$file\E": Input\/output error/,
		qr/stays in memory and in WAL/, undef ])
{
	my ($error, $message, $detail, $hint) = @$case;
	my $result = write_with($error, '1');

	ok($result->{failed}, "$error: the checkpoint fails");
	like($result->{log}, $message, "$error: message with file and block");
	like($result->{log}, qr/DETAIL:  .*$detail/, "$error: detail");
	like($result->{log}, qr/HINT:  .*$hint/, "$error: hint") if $hint;
	is($result->{errors}, 1, "$error: counted");
	is($result->{again}, 0, "$error: the next checkpoint succeeds");
	nothing_lost($error);
}

# errors that pass: tried again
for my $error ('EAGAIN', 'EINTR')
{
	my $result = write_with($error, '1..3');

	ok(!$result->{failed}, "$error: the checkpoint succeeds") or diag $result->{log};
	is($result->{retries}, 3, "$error: retries are counted");
	is($result->{errors}, 0, "$error: no error");
	nothing_lost($error);
}

# and give up in the end
my $result = write_with('EAGAIN', '1+');
ok($result->{failed}, 'EAGAIN for ever: the checkpoint fails');
like($result->{log}, qr/could not write block \d+ in file "\Q$file\E": Resource temporarily unavailable/,
	'EAGAIN for ever: message');
$node->stop('immediate');
IPC::Run::finish(delete $node->{_tracer});
$node->start;
is($node->safe_psql('postgres', "SELECT count(*) FROM t WHERE v = $value"),
	10, 'EAGAIN for ever: nothing is lost after a crash');

$node->stop;

# a file that is not where its directory is: found when it is opened
my $ext4 = create_volume('ext4', fs => 'ext4', size => '400M');
my $data = $node->data_dir;
system_or_bail('mv', "$data/$file", "$ext4/moved");
symlink "$ext4/moved", "$data/$file" or die "symlink: $!";
$node->start;
is(status($node)->{state}, 'active', 'a file moved to ext4: not seen at start');
my $position = log_position($node);
$node->safe_psql('postgres', 'UPDATE t SET v = -1 WHERE id <= 10');
my ($status) = $node->psql('postgres', 'CHECKPOINT');
isnt($status, 0, 'a file moved to ext4: the checkpoint fails');
my $log = log_since($node, $position);
like($log, qr/ERROR:  file "\Q$file\E" is on storage without atomic page writes \(target block \d+\)/,
	'a file moved to ext4: message');
like($log, qr/DETAIL:  .*a crash could tear it/, 'a file moved to ext4: detail');
like($log, qr/HINT:  .*Move the tablespace back/, 'a file moved to ext4: hint');
$node->stop('immediate');
unlink "$data/$file";
system_or_bail('mv', "$ext4/moved", "$data/$file");
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE v = -1'), 10,
	'moved back: recovered from WAL');

# a file that is gone: the checkpointer of a new server has yet to open it.  The
# checkpoint it starts with must not be the one that finds the page.
$node->restart;
create_extension_once();
$position = log_position($node);
$node->safe_psql('postgres', 'UPDATE t SET v = -2 WHERE id <= 10');
rename "$data/$file", "$data/$file.away" or die "rename: $!";
($status) = $node->psql('postgres', 'CHECKPOINT');
isnt($status, 0, 'a file that is gone: the checkpoint fails');
like(log_since($node, $position), qr/could not open file "\Q$file\E"(?: \(target block \d+\))?: No such file/,
	'a file that is gone: message');
rename "$data/$file.away", "$data/$file" or die "rename: $!";
$node->safe_psql('postgres', 'CHECKPOINT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE v = -2'), 10, 'put back: nothing is lost');
stop_clean($node);

done_testing();
