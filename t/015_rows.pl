
# The rows of the server's tables, as compat.h has them, are those of the
# program file; with any other row nothing is touched and images stay on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use PostgreSQL::Test::Utils;
use Test::More;

my $source  = "$FindBin::Bin/../smgr_atomic";
my $include = qx($ENV{PG_CONFIG} --includedir-server) =~ s/\s+$//r;

# ---- what compat.h has against what the program file has ------------------------

# Not by way of attach.c: the loader's relocations say which function's address
# stands where.
sub row_in_program
{
	my ($first, $program) = @_;
	my (%name_of, %at, @row);

	for (split /\n/, qx(readelf --wide --dyn-syms $program))
	{
		my ($address, $name) = /^\s*\d+:\s+([0-9a-f]+)\s+\d+\s+FUNC\s.*\s(md[a-z]+)$/ or next;
		$name_of{ hex $address } = $name;
	}
	for (split /\n/, qx(readelf --wide --relocs $program))
	{
		my ($where, $address) = /^([0-9a-f]+)\s+[0-9a-f]+\s+R_\w+_RELATIVE\s+([0-9a-f]+)$/ or next;
		$at{ hex $where } = $name_of{ hex $address } // 'another function';
	}
	my @begins = grep { $at{$_} eq $first } keys %at;
	return "$first stands in " . @begins . ' places' if @begins != 1;

	# a table ends where md.c's functions do, or where the next one begins
	for (my $where = $begins[0]; ; $where += 8)
	{
		my $name = $at{$where} // 'NULL';
		last if $name eq 'another function' || @row && $name =~ /^md(?:init|syncfiletag)$/;
		push @row, $name;
	}
	pop @row while $row[-1] eq 'NULL';
	return @row;
}

sub row_in_compat
{
	my ($macro) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . "/row.c";

	append_to_file($file, "#include \"postgres.h\"\n#include \"compat.h\"\n"
		  . "#define SHOW(name, function) row_member:name:function;\n$macro(SHOW)\n");
	my $text = qx(gcc -E -P -D_GNU_SOURCE -I$include -I$source $file);
	unlink $file;
	return map { /^\w+$/ ? $_ : 'NULL' } $text =~ /row_member:\w+:([^;]*);/g;
}

my $bindir  = qx($ENV{PG_CONFIG} --bindir) =~ s/\s+$//r;
my $version = qx($bindir/postgres --version) =~ s/\s+$//r;
note $version;
for my $case ([ 'SA_SMGR_ROW', 'mdinit', 'storage manager' ], [ 'SA_SYNC_ROW', 'mdsyncfiletag', 'sync handler' ])
{
	my ($macro, $first, $table) = @$case;
	my @found = row_in_program($first, "$bindir/postgres");

	note "$table table: @found";
	is_deeply([ row_in_compat($macro) ], \@found, "$table: compat.h has the row of the program");
}

# A compiler that knows the only row of a table may have resolved a call through
# it.  What must come to us must not be called by another way.  (md.c calls functions of
# its own; where they are not inlined, that is seen.)
my %must_come = map { $_ => 1 }
  qw(mdwrite mdwritev mdread mdreadv mdstartreadv mdclose mdexists mdtruncate mdunlink mdwriteback);
my %direct;
my $caller = '';
open my $code, '-|', 'objdump', '-d', '--no-show-raw-insn', "$bindir/postgres" or die "objdump: $!";
while (my $line = <$code>)
{
	$caller = $1 if $line =~ /^[0-9a-f]+ <(\w+)/;
	$direct{$1}++ if $caller !~ /^md[a-z]+$/ && $line =~ /\s(?:call|jmp|bl|b)\s+[0-9a-f]+ <(md[a-z]+)(?:@@\w+)?>$/;
}
close $code or die 'objdump failed';
note 'called directly: ' . join ' ', sort keys %direct;
ok($direct{mdinit}, 'direct calls are found');
is(join(' ', grep { $must_come{$_} } sort keys %direct), '', 'none of those that must come to us');

# ---- a library with a wrong row ----------------------------------------------------

# Builds the library from a changed copy of the source.
sub build_changed
{
	my ($file, $change) = @_;
	my $copy = PostgreSQL::Test::Utils::tempdir;
	my $text = slurp_file("$source/$file");

	system_or_bail('cp', glob("$source/*.[ch]"), $copy);
	if ($change)
	{
		$change->($text);
		isnt($text, slurp_file("$source/$file"), 'the source was changed');
		open my $changed, '>', "$copy/$file" or die "$copy/$file: $!";
		print $changed $text;
		close $changed or die "$copy/$file: $!";
	}
	system_or_bail('gcc', '-shared', '-fPIC', '-O1', '-D_GNU_SOURCE', "-I$include", "-I$copy",
		'-o', "$copy/smgr_atomic.so", (grep { !/check_main/ } glob("$copy/*.c")), '-luring', '-ldl');
	return "$copy/smgr_atomic.so";
}

my $node = new_node('main', preload => 0);

# Starts with the library; returns the log of the start.
sub start_with
{
	my ($library) = @_;

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$library'\n");
	my ($runs, $log) = try_start($node);
	ok($runs, 'the server starts');
	return $log;
}

sub works_as_stock
{
	is($node->safe_psql('postgres', 'SHOW full_page_writes'), 'on', 'images are on');
	$node->safe_psql('postgres', q{
		CREATE TABLE IF NOT EXISTS t AS SELECT i FROM generate_series(1, 10000) i;
		CHECKPOINT;
		SELECT pg_stat_reset_shared('wal')});
	$node->safe_psql('postgres', 'UPDATE t SET i = i + 1; CHECKPOINT');
	ok($node->poll_query_until('postgres', 'SELECT wal_fpi > 40 FROM pg_stat_wal'), 'and in WAL');
	$node->stop;
	return;
}

subtest 'unchanged: attaches' => sub {
	my $log = start_with(build_changed('compat.h'));
	unlike($log, qr/not attached/, 'log');
	$node->stop;
};

my $not_attached = 'WARNING:  smgr_atomic: full_page_writes is on: not attached to the server:';
for my $case (
	[
		'two members that changed places', 'compat.h',
		sub {
			$_[0] =~ s/M\(nblocks, mdnblocks\)/M(nblocks, mdtruncate)/g;
			$_[0] =~ s/M\(truncate, mdtruncate\)/M(truncate, mdnblocks)/g;
		},
		qr/entry "nblocks" of the storage manager table is mdnblocks, which is not the one expected/
	],
	[
		'a member that the server has not', 'compat.h',
		sub { $_[0] =~ s/(M\(exists, mdexists\))/$1 M(exists2, mdexists)/g },
		qr/entry "\w+" of the storage manager table is .*not the one expected/
	],
	[
		'a member too few', 'attach.c',
		sub { $_[0] =~ s/"storage manager", SA_SMGR_MEMBERS,/"storage manager", SA_SMGR_MEMBERS - 1,/ },
		qr/the storage manager table has an entry after "\w+" that is not known: md\w+/
	],
	[
		'wrong sync handlers', 'compat.h',
		sub { $_[0] =~ s/M\(unlink, mdunlinkfiletag\)/M(unlink, mdsyncfiletag)/ },
		qr/entry "unlink" of the sync handler table is mdunlinkfiletag, which is not the one expected/
	])
{
	my ($name, $file, $change, $reason) = @$case;

	subtest $name => sub {
		my $log = start_with(build_changed($file, $change));
		like($log, qr/\Q$not_attached\E $reason/, 'log');
		note $log =~ /(not attached.*)/;
		works_as_stock();
	};
}

done_testing();
