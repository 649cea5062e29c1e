#!/usr/bin/perl
# A short run of each fuzzer over its corpus. `make fuzz` runs them longer, with sanitizers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
# What people get wrong is where mutations start from, too.
my %more = (policy => ['cases', 'broken'], profile => ['profiles']);
for my $target (qw(lsp names policy plan profile question)) {
    my $run = run({ seconds => 60, cwd => $dir }, "$build/tests/fuzz/$target", '--seconds', 3,
        "$FindBin::Bin/corpus/$target", map { "$root/tests/lang/$_" } @{ $more{$target} // [] });
    is "$run->{status} $run->{signal}", '0 0', "$target: " . ($run->{out} =~ /(\d+ inputs.*)/)[0] // '' or do {
        diag $run->{err};
        diag 'the input: ' . unpack('H*', slurp("$dir/crash-$target")) if -e "$dir/crash-$target";
    };
}
done_testing;
