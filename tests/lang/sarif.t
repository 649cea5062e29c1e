#!/usr/bin/perl
# Findings as SARIF 2.1.0: what the format wants, by its own validator where npm could fetch it; fingerprints that
# survive moved lines.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $cases = "$FindBin::Bin/cases";
my $dir = folder();
my $run = run({ cwd => $cases }, $sbxc, '--check', '--format=sarif', '.');
is $run->{status}, 1, 'files with errors';
is $run->{err}, '', 'nothing but SARIF';
my $file = spew("$dir/all.sarif", $run->{out});
my $sarif = eval { decode_json($run->{out}) } // {};
is $sarif->{version}, '2.1.0', 'the version';
is scalar @{ $sarif->{runs} }, 1, 'one run for all files';
my ($log) = @{ $sarif->{runs} };
my @rules = @{ $log->{tool}{driver}{rules} };
my @results = @{ $log->{results} };
cmp_ok @results, '>', 100, 'every finding';
is scalar(grep { $rules[ $_->{ruleIndex} ]{id} ne $_->{ruleId} } @results), 0, 'each names its rule by number too';
is scalar(grep { !$_->{locations}[0]{physicalLocation}{region}{startLine} } @results), 0, 'each has a place';
my %files = map { $_->{locations}[0]{physicalLocation}{artifactLocation}{uri} => 1 } @results;
cmp_ok keys %files, '>', 25, 'in many files';
ok scalar(grep { $_->{relatedLocations} && $_->{relatedLocations}[0]{message}{text} } @results),
    'related places have their labels';
my %levels = map { $_->{level} => 1 } @results;
is join(' ', sort keys %levels), 'error warning', 'levels';
my %prints;
$prints{ $_->{partialFingerprints}{'sbxFinding/v1'} . $_->{locations}[0]{physicalLocation}{artifactLocation}{uri} }++
    for @results;
is scalar(grep { $_ > 1 } values %prints), 0, 'no two findings of a file have one fingerprint';

# Moved lines.
my $text = "sbx 1;\npolicy p {\n    fs { allow read \"/a/\"; }\n    limits { memory 1Mb; pids 0; }\n}\n";
my $fingerprints = sub {
    spew("$dir/p.sbx", $_[0]);
    my $json = decode_json(run({ cwd => $dir }, $sbxc, '--check', '--format=sarif', 'p.sbx')->{out});
    return join ' ', sort map { $_->{partialFingerprints}{'sbxFinding/v1'} } @{ $json->{runs}[0]{results} };
};
my $before = $fingerprints->($text);
(my $moved = $text) =~ s/policy p/# a comment\n\n\npolicy p/;
is $fingerprints->($moved), $before, 'fingerprints survive moved lines';
(my $other = $text) =~ s{/a/}{/b/};
isnt $fingerprints->($other), $before, 'and tell findings apart';
is scalar(@{ decode_json(run($sbxc, '--check', '--format=sarif', "$root/examples")->{out})->{runs}[0]{results} }), 0,
    'nothing found is an empty list';
is run($sbxc, '--diff', '--format=sarif', $file, $file)->{status}, 2, '--diff has none';

SKIP: {
    my $validator = "$build/npm/node_modules/.bin/sarif-multitool";
    skip 'the SARIF validator could not be fetched (tools/npm.sh)', 3 unless -x $validator;
    my @validate = ({ seconds => 60, env => { DOTNET_SYSTEM_GLOBALIZATION_INVARIANT => 1 } }, $validator, 'validate');
    $run = run(@validate, $file);
    unlike "$run->{out}$run->{err}", qr/\berror\b/i, 'it is valid' or diag $run->{out}, $run->{err};
    like $run->{out}, qr/1 files scanned/, 'and was looked at';
    (my $bad = slurp($file)) =~ s/"startLine":/"startLine":-/;
    $run = run(@validate, spew("$dir/bad.sarif", $bad));
    like "$run->{out}$run->{err}", qr/\berror\b/i, 'what is not valid is noticed';
}
done_testing;
