#!/usr/bin/perl
# A file, a value or a plan with an error: nothing comes of it, whatever is asked for and whoever asks. Every action,
# with every kind of error.
use strict;
use warnings;
use File::Path qw(remove_tree);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
mkdir "$dir/src";
my $head = "sbx 1;\nimport std.base;\n";
my $parameters = '(c: cidr = 10.0.0.0/8, m: size = 1MiB, src: path = "./src", n: int = 4, h: host = "example.com", '
    . 'e: endpoint = "example.com":443, d: duration = 1h, o: port = 80, b: bool = true, s: string = "x")';
my $body =
    'use std.base; command "/bin/true"; fs { allow read "/data" from $src; allow read, write "/t" from tmpfs size $m; '
    . '} net { allow connect tcp $c, $h:$o, $e; } limits { pids $n; lifetime $d; } process { env A = $s; env B = $b; }';
my $good = "${head}policy p$parameters {\n$body\n}\n";

# what is wrong, the finding, the text, options
my @cases = map { [@$_] } (
    ['a word', 'SBX0118',
        "${head}policy p {\nuse std.base; command \"/bin/true\"; fs { allow read write \"/x\"; }\n}\n"],
    ['a type', 'SBX0405', "${head}policy p {\nuse std.base; command \"/bin/true\"; limits { pids 4MiB; }\n}\n"],
    ['a value in a let', 'SBX0112', "${head}let x = 10.1.2.3/8;\npolicy p {\nuse std.base; command \"/bin/true\"; }\n"],
    ['an endpoint in a let', 'SBX0403',
        "${head}let x = \"a b\":443;\npolicy p {\nuse std.base; command \"/bin/true\"; }\n"],
    ['a default', 'SBX0107', "${head}policy p(m: size = 5MB) {\nuse std.base; command \"/bin/true\"; }\n"],
    ['an endpoint as a default', 'SBX0403',
        "${head}policy p(e: endpoint = \"a b\":443) {\nuse std.base; command \"/bin/true\"; }\n"],
    ['two contents', 'SBX0415',
        "${head}policy p {\nuse std.base; command \"/bin/true\"; "
            . "fs { allow read \"/x\" from \"a\"; allow read \"/x\" from \"b\"; }\n}\n"],
    ['a limit', 'SBX0608', "${head}policy p {\nuse std.base; command \"/bin/true\"; limits { memory 1B; }\n}\n"],
    ['a never', 'SBX0701', "${head}policy p {\nuse std.base; command \"/bin/true\"; fs { never read \"/usr\"; }\n}\n"],
    ['a ceiling', 'SBX0702', "${head}policy nothing { }\n"
        . "policy p {\nuse std.base; command \"/bin/true\"; within nothing; }\n", '--policy', 'p'],
    ['an expectation', 'SBX0704',
        "${head}policy p {\nuse std.base; command \"/bin/true\"; tests { expect deny read \"/usr\"; }\n}\n"],
    ['a condition without effect', 'SBX0421', "${head}policy "
        . "p {\nuse std.base; command \"/bin/true\"; syscalls { allow lseek; allow lseek where offset == 1; }\n}\n"],
    ['another policy of the file', 'SBX0405', "${head}policy other {\nlimits { pids 4MiB; } }\n"
        . "policy p {\nuse std.base; command \"/bin/true\"; }\n", '--policy', 'p'],
    ['what it imports', 'SBX0405',
        "${head}import \"wrong.sbx\" as wrong;\npolicy p {\nuse std.base; command \"/bin/true\"; }\n"],
    # by -D, and what a default says for the same
    map { my ($name, $value, $code) = @$_; ["-D $name=$value", $code, $good, '-D', "$name=$value"] } (
        ['c', '10.0.0.300/8', 'SBX0111'], ['c', '10.0.0.1/33', 'SBX0111'], ['c', '10.1.2.3/8', 'SBX0112'],
        ['c', 'loopback', 'SBX0405'], ['c', '10.0.0.0/8, 10.0.0.0/9', 'SBX0105'],
        ['m', '512MB', 'SBX0107'], ['m', '1MiB; pids 5', 'SBX0105'], ['m', '', 'SBX0104'], ['m', '0B', 'SBX0608'],
        ['m', '5', 'SBX0405'], ['m', '$n', 'SBX0406'],
        ['n', '-1', 'SBX0408'], ['n', '007', 'SBX0109'], ['n', '99999999999999999999', 'SBX0110'],
        ['n', '0', 'SBX0608'], ['n', '0x', 'SBX0107'], ['n', '"1"', 'SBX0405'],
        ['h', 'a b', 'SBX0403'], ['h', '*.com', 'SBX0403'], ['e', '"a b":443', 'SBX0403'],
        ['e', '"example.com":99999', 'SBX0404'], ['e', '"example.com":{1,$n}', 'SBX0406'],
        ['e', 'example.com:443', 'SBX0105'],
        ['src', '~/x', 'SBX0424'], ['src', '$HOME/x', 'SBX0424'], ['src', '*.c', 'SBX0402'], ['src', '', 'SBX0424'],
        ['d', '1m', 'SBX0107'], ['o', '99999', 'SBX0404'], ['b', 'yes', 'SBX0105'], ['s', "\xff", 'SBX0115'],
        ['s', "a\xe2\x80\xaeb", 'SBX0115'],
    ),
);
spew("$dir/wrong.sbx", "sbx 1;\npolicy wrong { limits { pids 4MiB; } }\n");
my $fine = spew("$dir/fine.sbx", "${head}policy p { use std.base; command \"/bin/true\"; }\n");
spew("$dir/commands", "/bin/true\0\0");

spew("$dir/t.c", <<'C');
#include "libsbx/sbx.h"
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *findings = NULL;
    const char *values[] = {argc > 3 && *argv[3] ? argv[3] : NULL, NULL};
    sbx_policy *policy = sbx_compile_file(argv[1], argc > 2 && *argv[2] ? argv[2] : NULL, values, &findings);
    if (policy)
        puts("a policy");
    fputs(findings ? findings : "nothing said", stderr);
    return policy ? 0 : 1;
}
C
is run({ cwd => $root, seconds => patience(60) }, 'gcc', ($build =~ /sanitize/ ? '-fsanitize=address,undefined' : ()),
    '-I.', "$dir/t.c", "-L$build", '-l:libsbx.so.0', "-Wl,-rpath,$build", '-o', "$dir/t")->{status}, 0,
    'a program with libsbx';

# what is asked for: the command, with POLICY where the file stands and OPTIONS where its options do
my @actions = (
    map({ [$sbxc, $_, 'OPTIONS', 'POLICY'] } '--check', '--test'),
    [$sbxc, '--why', 'read "/etc"', 'OPTIONS', 'POLICY'],
    [$sbxc, '--why', 'capability CAP_KILL', 'OPTIONS', 'POLICY'],
    map({ [$sbxc, "--emit=$_", '--no-proof', 'OPTIONS', 'POLICY'] }
        qw(plan seccomp seccomp-asm ebpf apparmor selinux-cil docker-seccomp bwrap systemd)),
    map({ [$sbxc, "--emit=$_", '--no-proof', '-o', "$dir/out", 'OPTIONS', 'POLICY'] } 'oci', 'kubernetes'),
    [$sbxc, '--emit=plan', '--no-proof', '-o', "$dir/out", 'OPTIONS', 'POLICY'],
    [$sbxc, '--doc', '--no-proof', 'OPTIONS', 'POLICY'],
    [$sbxc, '--diff', 'OPTIONS', 'POLICY', 'POLICY'],
    ['NO -D', $sbxc, '--diff', 'OPTIONS', $fine, 'POLICY'],
    ['NO -D', $sbxc, '--diff', 'OPTIONS', 'POLICY', $fine],
    map({ [$sbxrun, @$_, 'OPTIONS', 'POLICY'] } [], ['--dry-run'], ['--no-cache'], ['--layers', 'read "/etc"'],
        ['--live'], ['--report', "$dir/out"]),
    [$sbxrun, 'OPTIONS', 'POLICY', '--', '/bin/echo', 'ran'],
    ['NO -D', $sbxrun, '--learn', "$dir/learned.sbx", 'OPTIONS', 'POLICY', '--', '/bin/echo', 'ran'],
    [$sbxrun, '--tighten', 'OPTIONS', 'POLICY', '--', '/bin/echo', 'ran'],
    ['INPUT', $sbxrun, '--batch', 'OPTIONS', 'POLICY'],
    ['LIBRARY'],
);
my $command = sub {
    my ($options, $policy, @words) = @_;
    return map { $_ eq 'OPTIONS' ? @$options : $_ eq 'POLICY' ? $policy : $_ } @words;
};
my $all = 0;
for my $case (@cases) {
    my ($name, $code, $text, @options) = @$case;
    my $file = spew("$dir/p.sbx", $text);
    my $given = @options && $options[0] eq '-D';
    my @wrong;
    for my $action (@actions) {
        my @words = @$action;
        my %o = (cwd => $dir);
        next if $code eq 'SBX0704' && grep { $_ eq '--test' } @words; # what it is for
        next if $words[0] eq 'NO -D' && $given;
        shift @words if $words[0] eq 'NO -D';
        ($o{in}, undef) = ("$dir/commands", shift @words) if $words[0] eq 'INPUT';
        my %option = @options;
        my @run = $words[0] eq 'LIBRARY' ? ("$dir/t", $file, $option{'--policy'} // '', $option{'-D'} // '')
            : $command->(\@options, $file, @words);
        remove_tree("$dir/out", "$dir/learned.sbx");
        my $run = run(\%o, @run);
        (my $out = $run->{out}) =~ s/^1\.\.0\n$//; # no tests
        my $made = $run->{status} =~ /^(?:0|late)$/ ? "exit $run->{status}" : $out ne '' ? "output: $out"
            : $run->{err} !~ /error\[$code\]/ ? "not said: " . substr($run->{err}, 0, 150)
            : (grep { -s } "$dir/out", "$dir/learned.sbx") ? 'a file' : '';
        push @wrong, join(' ', map { s{.*/}{}r } @run) . ": $made" if $made ne '';
        $all++;
    }
    is join("\n", @wrong), '', "$name: $code from each, and nothing else";
    if ($given) { # the same value, written in the file
        my ($parameter, $value) = split /=/, $options[1], 2;
        $value = qq("$value") if $parameter =~ /^(?:[hs]|src)$/;
        next if $value eq '' || $value =~ /[;,]/; # which would go on in the file
        (my $written = $good) =~ s/\b$parameter: (\w+) = [^,)]*/$parameter: $1 = $value/;
        my $run = run({ cwd => $dir }, $sbxc, '--check', '--no-proof', spew("$dir/q.sbx", $written));
        like $run->{err}, qr/error\[$code\]/, "$parameter: $value in the file";
    }
}
cmp_ok $all, '>', 500, "$all tries";

# And each of them does something with a policy that is right.
for my $action (@actions) {
    my @words = @$action;
    my %o = (cwd => $dir, seconds => 60);
    shift @words if $words[0] eq 'NO -D';
    ($o{in}, undef) = ("$dir/commands", shift @words) if $words[0] eq 'INPUT';
    next if grep { $_ eq '--live' || $_ eq '--test' } @words; # which say what they tried
    remove_tree("$dir/out", "$dir/learned.sbx");
    my @run = $words[0] eq 'LIBRARY' ? ("$dir/t", $fine, '', '') : $command->([], $fine, @words);
    my $run = run(\%o, @run);
    my $good = (grep { $_ eq '--why' } @run) ? qr/^[045]$/ : qr/^0$/; # an answer
    like $run->{status}, $good, join(' ', map { s{.*/}{}r } @run) . ' with a good one' or diag $run->{err};
}
done_testing;
