# The page journal's protocol in a model: sound as it is, and damage is found as
# soon as one of its rules is left out.  Rules that matter in rare moments only
# get more lives.

use strict;
use warnings;
use FindBin;
use Test::More;

my $model = "$FindBin::Bin/journal_model";

sub run_model
{
	my @options = @_;
	my $said = qx{$model @options};
	return ($? >> 8, $said =~ s/\n/; /gr);
}

my ($status, $said) = run_model(1, 8000);
is($status, 0, "sound: $said");

my %lives = ('forget-sync' => 5000, window => 2000);
for my $rule (qw(repair crc journal-flush sync outstanding window forget forget-sync new-redo new-complete new-empty))
{
	($status, $said) = run_model('--break', $rule, 1, $lives{$rule} // 500);
	is($status, 1, "without \"$rule\": $said");
}

done_testing();
