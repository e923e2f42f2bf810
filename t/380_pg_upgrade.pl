
# pg_upgrade to a newer major, from a server that was at work without full-page
# images.  Runs where a newer server is installed next to the one under test,
# with the library for both; PG_NEWER=DIR names another installation.

use strict;
use warnings;

use Cwd ();
use FindBin;
use lib $FindBin::Bin;
use SmgrAtomic::Root;
use SmgrAtomic::Node;
use SmgrAtomic::Contract;
use PostgreSQL::Test::Utils;
use Test::More;

need_torn_free_xfs();

my ($bindir) = map { s/\s+$//r } qx($ENV{PG_CONFIG} --bindir);
my ($major)  = qx($bindir/postgres --version) =~ /(\d+)/;
my ($newer, $new_major) = newer_server();

# The newest installation next to this one, as Debian lays them out.
sub newer_server
{
	my %found = map { m{/(\d+)/?$} && $1 > $major ? ($1 => $_) : () } glob("$bindir/../../*");
	my $dir = $ENV{PG_NEWER} // $found{ (sort { $b <=> $a } keys %found)[0] // '' };

	plan skip_all => "no server newer than $major is installed" unless $dir;
	for my $file ('bin/pg_upgrade', 'bin/pg_config', 'lib/smgr_atomic.so')
	{
		plan skip_all => "$dir/$file is not installed" unless -e "$dir/$file";
	}
	my ($version) = qx($dir/bin/postgres --version) =~ /(\d+)/;
	return (Cwd::abs_path($dir), $version);
}

my $volume = create_volume('data', size => '3G');
my $old    = new_node('old', volume => $volume, checksums => 0, conf => "shared_buffers = 4MB\n");
$old->start;
init_bank($old, 1);
reach($old, 'active', "old, $major");
my $load = start_load($old);
wait_for_load($old, 300);
stop_load($load);
my $history = $old->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history');
stop_clean($old);
is(control($old), 'off', 'old: stopped while images were off');

sub new_cluster
{
	my ($name, %options) = @_;
	local $PostgreSQL::Test::Utils::tmp_check = $volume;
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $newer);

	# the old one has no checksums, which later majors make by default
	$node->init(extra => $new_major >= 18 ? ['--no-data-checksums'] : []);
	$node->append_conf('postgresql.conf', "fsync = on\n");
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n") if $options{preload};
	return $node;
}

sub upgrade
{
	my ($from, $to, @options) = @_;

	chdir $ENV{HOME} or die "chdir: $!";
	local %ENV = %ENV;
	delete @ENV{ grep { /^PG(?:HOST|PORT|DATA)/ } keys %ENV };
	my $done = IPC::Run::run(
		[
			"$newer/bin/pg_upgrade", '-b', $bindir, '-B', "$newer/bin",
			'-d', $from->data_dir, '-D', $to->data_dir,
			'-p', $from->port, '-P', $to->port, '-s', $ENV{HOME}, @options
		],
		'<', \undef, '>&', \my $out);
	return '' if $done;
	my ($log) = $out =~ /last few lines of "([^"]+)"/;
	my @lines = $log && -e $log ? split /^/, slurp_file($log) : ();
	return join '', $out, "\n", splice @lines, @lines > 20 ? -20 : 0;
}

sub is_upgraded
{
	my ($node, $name) = @_;

	is($node->safe_psql('postgres', 'SELECT count(*) FROM pgbench_history'), $history, "$name: all rows are there");
	balanced($node, $name);
	$load = start_load($node);
	wait_for_load($node, 100);
	stop_load($load);
	balanced($node, "$name, after more work");
	return;
}

# ---- the new cluster does not preload the library yet -----------------------------

my $bare = new_cluster('bare');
is(upgrade($old, $bare), '', "$major to $new_major, new cluster without the preload");
$bare->start;
is(shown($bare), 'on', 'without the preload: images are on');
is_upgraded($bare, 'without the preload');
refused($bare, 'SELECT * FROM smgr_atomic_status', qr/must be loaded via shared_preload_libraries/,
	'without the preload: the functions say so');
$bare->stop;
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'smgr_atomic'\n");
$bare->start;
reach($bare, 'active', 'preload added');
balanced($bare, 'preload added');
stop_clean($bare);
$bare->clean_node;

# ---- both with the library, files linked ------------------------------------------

my $new = new_cluster('new', preload => 1);
$new->append_conf('postgresql.conf', "smgr_atomic.require = on\n");
is(upgrade($old, $new, '--link'), '', "$major to $new_major, both with the library, --link");
$new->start;
reach($new, 'active', "new, $new_major");
is(shown($new), 'off', 'new: images are off');
is_upgraded($new, 'new');
is(counters($new)->{errors}, 0, 'new: no errors');
is(counters($new)->{delegated_off}, 0, 'new: every page was written atomically');

# and it recovers
$load = start_load($new);
wait_for_load($new, 100);
kill_cluster($new);
stop_load($load);
$new->start;
balanced($new, 'new, after a crash');
reach($new, 'active', 'new, after a crash');
stop_clean($new);

done_testing();
