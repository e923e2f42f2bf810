
=head1 NAME

SmgrAtomic::Harness - prove, and before its summary what was skipped and why

=head1 SYNOPSIS

  prove -I t --harness SmgrAtomic::Harness t/*.pl

=cut

package SmgrAtomic::Harness;

use strict;
use warnings;

use parent 'TAP::Harness';

my @skipped;

sub make_parser
{
	my ($self, @job) = @_;
	my ($parser, $session) = $self->SUPER::make_parser(@job);
	my $file = $session->name;

	$parser->callback(
		plan => sub {
			my ($plan) = @_;
			push @skipped, "$file, all of it: " . $plan->explanation if $plan->directive eq 'SKIP';
		});
	$parser->callback(
		test => sub {
			my ($test) = @_;
			push @skipped, "$file, test " . $test->number . ': ' . $test->explanation
			  if $test->has_skip;
		});
	return ($parser, $session);
}

sub summary
{
	my ($self, @aggregate) = @_;

	print "\nSkipped: " . scalar(@skipped) . "\n";
	print "  $_\n" for @skipped;
	return $self->SUPER::summary(@aggregate);
}

1;
