
# Power is cut under a bulk load with method doublewrite: pages that were added to
# their file since the last checkpoint began have no copy in the page journal.
# Those that are torn are emptied before recovery, which makes them again.  The table
# is truncated now and then, so that WAL knows its blocks from before.  (Controls: t/880
# has one that starts without repair, t/810 has damage without it.)

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Crash;
use Test::More;

need_root();
my $seed = SmgrAtomic::Crash::first_seed();
my $lab  = SmgrAtomic::Crash->new(fs => 'ext4');

use constant MOST_CUTS => 12;
use constant ROWS => 3000;

# Each load is one transaction; some are thrown away with all before them.
my $load = <<'SQL';
INSERT INTO bulk SELECT :n, g, repeat('b', 500) FROM generate_series(1, ROWS) g;
\set n :n + 1
\if :n % 4 = 0
UPDATE bulk SET f = upper(f) WHERE g % 10 = 0;
DELETE FROM bulk;
VACUUM bulk;
\endif
SQL
$load =~ s/ROWS/ROWS/ge;

sub one_cut
{
	my ($number) = @_;
	my $run = $lab->begin(arm => 'doublewrite', seed => $number);

	$run->start or BAIL_OUT("the server does not start, see $run->{log}");
	$run->value('CREATE TABLE bulk (n int, g int, f text) WITH (autovacuum_enabled = off)');
	my $file = $run->value(q{SELECT pg_relation_filepath('bulk')});
	# no checkpoint by hand: new pages then stay new for some time
	$run->workload(checkpoints => 0);
	$run->pgbench('load', $load, '-D', 'n=0', '-T', 600);
	$run->cut(after => 2 + rand 2, unflushed => 100 + int rand 300);
	$run->power_on;
	$run->recover_and_verify(check => sub {
		$run->none('loads', 'SELECT n, count(*) FROM bulk GROUP BY n HAVING count(*) <> ' . ROWS);
		$run->none('content', q{SELECT n, g FROM bulk WHERE lower(f) <> repeat('b', 500) LIMIT 1});
	});
	($run->{emptied}) = $run->log_text =~ /page journal: .* (\d+) emptied/;
	$run->{torn_new} = grep { $_->{file} eq $file } @{ $run->{findings} };
	note "seed $number: cut by $run->{cut}{last_cut}, $run->{split} writes split, $run->{torn} torn pages, $run->{torn_new} of the bulk load, "
	  . ($run->{emptied} // 'none') . " emptied, $run->{acknowledged} commits, $run->{lost} lost";
	note "  $_" for @{ $run->{problems} };
	return $run;
}

my ($emptied, $torn) = (0, 0);
for my $i (1 .. MOST_CUTS)
{
	my $run = one_cut($seed + $i);
	is(join("\n", @{ $run->{problems} }), '', "seed $run->{seed}: sound after recovery");
	is($run->{lost}, 0, "... none of $run->{acknowledged} acknowledged commits lost");
	$emptied += $run->{emptied} // 0;
	$torn += $run->{torn_new};
	$run->end;
	last if $emptied && $torn && $i >= 2;
}
cmp_ok($torn, '>', 0, 'the cuts did tear pages of the bulk load');
cmp_ok($emptied, '>', 0, '... and repair has emptied some');

done_testing();
