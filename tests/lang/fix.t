#!/usr/bin/perl
# `sbxc --fix`: what is certain is applied, what is not is only offered.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my $fix = sub {
    my ($text) = @_;
    my $file = spew("$dir/p.sbx", $text);
    my $run = run({ cwd => $dir }, $sbxc, '--fix', 'p.sbx');
    return ($run, slurp($file));
};

my ($run, $text) = $fix->(<<'X');
policy p {
    fs {
        allow read "/usr/"
        allow read /lib;
        allow read "/usr/share";   # needless
        allow read "/opt"; allow read "/opt/x"; allow read "/srv";
        allow read "/usr/doc";
    }
    process { capabilities NET_ADMIN; }
}
X
is $run->{status}, 0, 'all of it could be mended' or diag $run->{err};
is $text, <<'X', 'a `;`, quotes, a last slash, the edition, a prefix, needless rules';
sbx 1;
policy p {
    fs {
        allow read "/usr";
        allow read "/lib";
        # needless
        allow read "/opt"; allow read "/srv";
    }
    process { capabilities CAP_NET_ADMIN; }
}
X
like $run->{err}, qr/^p\.sbx: \d+ fixed$/m, 'it says how many';

my $unsure = "sbx 1;\npolicy p { syscalls { allow reed; } limits { memory 256Mb; } }\n";
($run, $text) = $fix->($unsure);
is $run->{status}, 1, 'what is not certain stays an error';
is $text, $unsure, 'and stays as it was';
my $json = decode_json(run({ cwd => $dir }, $sbxc, '--check', '--format=json', 'p.sbx')->{out});
my ($reed) = grep { $_->{code} eq 'SBX0501' } @{ $json->{diagnostics} };
is "$reed->{fixes}[0]{label} $reed->{fixes}[0]{line}:$reed->{fixes}[0]{column}", 'read 2:29', 'but it is offered';
ok !$reed->{fix_is_certain}, 'as not certain';
my $sarif = decode_json(run({ cwd => $dir }, $sbxc, '--check', '--format=sarif', 'p.sbx')->{out});
is_deeply [ map { $_->{fixes}[0]{artifactChanges}[0]{replacements}[0]{insertedContent}{text} // () }
    @{ $sarif->{runs}[0]{results} } ], ['MiB', 'read'], 'in SARIF too';
is run({ in => "$dir/p.sbx" }, $sbxc, '--fix', '-')->{status}, 2, 'standard input is no file';

# Whatever is mended means what it meant, or is nearer to meaning something: no case gets more errors.
my @worse;
for my $case (glob "$FindBin::Bin/cases/*.sbx") {
    my ($name) = $case =~ m{([^/]+)$};
    system('cp', '-r', "$FindBin::Bin/cases", "$dir/cases") unless -d "$dir/cases";
    my $count = sub {
        my $j = eval {
            decode_json(run({ cwd => "$dir/cases" }, $sbxc, '--check', '--no-proof', '--format=json', $name)->{out});
        } // {};
        $j->{errors} // 0;
    };
    my $before = $count->();
    run({ cwd => "$dir/cases" }, $sbxc, '--fix', $name);
    my $after = run({ cwd => "$dir/cases" }, $sbxc, '--fix', $name);
    push @worse, $name if $after->{err} =~ /fixed/ || ($before && !$count->() && $after->{status});
}
is "@worse", '', 'done twice it mends nothing more';
done_testing;
