#!/usr/bin/perl
# Large files: four times the rules take about four times as long, whatever they are; memory stays in proportion to the
# text.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Sbx;
use Test::More;

my $dir = folder();
# block, a rule with %d in it
my @kinds = (
    ['fs', 'allow read "/a/%d";'],
    ['fs', 'allow read "/a/%d" from "./x%d";'],
    ['fs', 'allow read "/same";'],
    ['fs', 'allow read "/same"; # allow SBX0711: said twice'],
    ['fs', 'deny read "/a/%d";'],
    ['fs', 'never write "/a/%d";'],
    ['fs', 'allow read, exec "/a/%d" because "it is %d";'],
    ['net', 'allow connect tcp 10.0.0.0/8:%d;'],
    ['net', 'deny connect tcp 10.0.0.0/8:%d;'],
    ['net', 'never connect tcp 10.0.0.0/8:%d;'],
    ['net', 'allow connect tcp "h%d.example.com":443;'],
    ['syscalls', 'allow openat;'],
    ['syscalls', 'deny openat with EPERM;'],
    ['syscalls', 'allow keyctl where option == %d;'],
    ['syscalls', 'never keyctl where option == %d;'],
    ['syscalls', 'allow @timer;'],
    ['process', 'env A%d = "x";'],
    ['process', 'env keep A%d;'],
    ['process', 'allow capability CAP_KILL;'],
    ['limits', 'pids %d;'],
    ['secrets', 'S%d from env "X" at "/s/%d";'],
    ['tests', 'expect deny read "/a/%d";'],
    ['tests', 'expect deny connect tcp 10.0.0.0/8:%d;'],
    ['tests', 'expect deny syscall keyctl where option == %d;'],
    ['', 'require landlock;'],
    ['', 'use other;'],
    ['', 'within other;'],
    ['', 'command "/a/%d";'],
);
sub text {
    my ($block, $rule, $count) = @_;
    return "sbx 1;\npolicy other { }\npolicy p {\n" . ($block ? "$block {\n" : '')
        . join("\n", map { my $n = $_; $rule =~ s/%d/$n/gr } 1 .. $count) . "\n}" . ($block ? "\n}\n" : "\n");
}
my $seconds = sub {
    my $least = 100;
    for (1 .. 3) {
        my $run = run({ seconds => 30 }, $sbxc, '--check', '--no-proof', '--policy', 'p', $_[0]);
        return 100 if $run->{status} !~ /^[01]$/;
        $least = $run->{cpu} if $run->{cpu} < $least;
    }
    return $least;
};
for my $kind (@kinds) {
    my ($block, $rule) = @$kind;
    my ($few, $many);
    for (1 .. 4) { # beside others a time may be of anything: what grows does so each time
        ($few, $many) = map { $seconds->(spew("$dir/$_.sbx", text($block, $rule, $_))) } 4000, 16000;
        last if $many < 8 * $few + 0.05;
    }
    cmp_ok $many, '<', 8 * $few + 0.05, sprintf '%s: 4,000 in %.0f ms, 16,000 in %.0f ms', $rule, 1000 * $few,
        1000 * $many;
}

# Memory, by the kernel's count of the most that a process had (getrusage(2), of children that were waited for).
my $getrusage = syscall_number('getrusage');
SKIP: {
    skip 'getrusage has another number here', 3 unless $getrusage;
    my $peak = sub { # KiB
        my $run = run({ seconds => 60 }, $^X, '-e', 'my $n = shift; system { $ARGV[0] } @ARGV; exit 9 if $?; my $usage '
            . '= "\0" x 144; syscall($n, -1, $usage); print unpack "x32 q", $usage', $getrusage, $sbxc, '--check',
            '--no-proof', $_[0]);
        is $run->{status}, 0, 'clean' or diag $run->{err};
        return $run->{out};
    };
    my $text = "sbx 1;\nimport std.base;\npolicy lines {\n    use std.base;\n    fs {\n"
        . join('', map { '        allow read "/srv/app' . $_ % 97 . "/data$_\" because \"rule $_\";\n" } 1 .. 8000)
        . "    }\n    syscalls {\n"
        . join('', map { '        allow keyctl where option == ' . $_ % 30 . " and arg2 == $_;\n" } 1 .. 1000)
            . "    }\n    tests {\n" . join('',
            map { '        expect allow read "/srv/app' . $_ % 97 . "/data$_/x\";\n" } 1 .. 1000) . "    }\n}\n";
    my ($whole, $none) = map { $peak->($_) } spew("$dir/whole.sbx", $text),
        spew("$dir/none.sbx", "sbx 1;\nimport std.base;\npolicy nothing { use std.base; }\n");
    cmp_ok 1024 * ($whole - $none), '<', 50 * length $text,
        sprintf '10,000 lines of %d KiB: %d KiB more than a file of a few lines (%.0f times the text)',
        length($text) / 1024, $whole - $none, 1024 * ($whole - $none) / length $text;
}
done_testing;
