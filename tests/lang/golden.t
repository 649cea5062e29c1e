#!/usr/bin/perl
# Findings read as they should: each cases/NAME.sbx gives cases/NAME.out, and no more. UPDATE=1 writes the .out files anew: read each.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

chdir "$FindBin::Bin/cases" or die $!;
for my $case (sort glob '*.sbx') {
    next if $case =~ /^part-/; # imported by others
    my ($name) = $case =~ /(.*)\.sbx$/;
    my $run = run($sbxc, '--check', '--color=never', $case);
    my $got = "exit $run->{status}\n$run->{err}";
    spew("$name.out", $got) if $ENV{UPDATE};
    is $got, -e "$name.out" ? slurp("$name.out") : '(there is no .out file)', $name;
}

# Every diagnostic that a file can cause is in a case, so that its words have been read.
my %seen = map { $_ => 1 } map { slurp($_) =~ /\[(SBX\d+)\]/g } glob '*.out';
my @missing = grep { !$seen{$_} } map { "SBX$_" } slurp("$root/lang/diagnostics.def") =~ /DIAGNOSTIC\((\d+)/g;
my %elsewhere = map { $_ => 1 } qw(SBX0315 SBX0317 SBX0106 SBX0115 SBX0301 SBX0302 SBX0316 SBX0513 SBX0514 SBX0706 SBX0515 SBX0516); # in bad-input.t or codegen/prove.c, or for policies too large for a page
@missing = grep { !$elsewhere{$_} } @missing;
is "@missing", '', 'every diagnostic has a case';
done_testing;
