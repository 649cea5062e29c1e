#!/usr/bin/perl
# Findings read as they should: each cases/NAME.sbx gives cases/NAME.out, and no more; broken/ has files as people
# break them; each profiles/NAME.json is imported, and gives
# profiles/NAME.out. UPDATE=1 writes the .out files anew: read each.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

for my $case (sort map { glob "$FindBin::Bin/$_" } 'cases/*.sbx', 'broken/*.sbx', 'profiles/*.json') {
    my ($dir, $file) = $case =~ m{(.*)/(.*)};
    next if $file =~ /^part-/; # imported by others
    my ($name) = $case =~ /(.*)\.\w+$/;
    my $run = run({ cwd => $dir }, $sbxc, $file =~ /json$/ ? '--import=docker-seccomp' : '--check', '--color=never',
        $file);
    my $got = "exit $run->{status}\n$run->{err}$run->{out}";
    spew("$name.out", $got) if $ENV{UPDATE};
    is $got, -e "$name.out" ? slurp("$name.out") : '(there is no .out file)', $file;
}

# Every diagnostic that a file can cause is in a case, so that its words have been read.
my %seen = map { $_ => 1 } map { slurp($_) =~ /\[(SBX\d+)\]/g } glob "$FindBin::Bin/*/*.out";
my @missing = grep { !$seen{$_} } map { "SBX$_" } slurp("$root/lang/diagnostics.def") =~ /DIAGNOSTIC\((\d+)/g;
# in bad-input.t or codegen/prove.c, or for policies too large for a page
my %elsewhere = map { $_ => 1 }
    qw(SBX0315 SBX0317 SBX0106 SBX0115 SBX0301 SBX0302 SBX0316 SBX0318 SBX0513 SBX0514 SBX0706 SBX0515 SBX0516 SBX0811);
@missing = grep { !$elsewhere{$_} } @missing;
is "@missing", '', 'every diagnostic has a case';
done_testing;
