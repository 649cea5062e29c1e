#!/usr/bin/perl
# What a policy, a plan, a name or a value says reaches no terminal but as text: every action of both programs, with
# controls wherever there can be a string.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $controls = '\x08\x07\x0d\x1b]0;own\x07\nok 7 - mine\xc2\x9b31m\x7f';
my $raw = "\x08\x07\x0d\x1b]0;own\x07\nok 7 - mine\xc2\x9b31m\x7f";
my $good = <<'P';
sbx 1;
import std.shell;
policy p(x: string = "v@", h: path = "./w") {
    summary "s@";
    use std.shell;
    command "/bin/sh", "-c", "exit 3; a@";
    fs {
        allow read "/a@b" from $h because "r@";
        allow read, write "/w@" from tmpfs size 1MiB;
        deny read "/a@b/c" because "d@";
        allow read "/t" from text "t@";
        never write "/n@" because "n@";
    }
    net { allow connect unix "/u@" because "u@"; }
    process { env A = "e@"; env B = $x; cwd "/w@"; }
    require landlock >= 90 else degrade because "q@";
    syscalls { deny statfs because "p@"; }
    tests { expect deny read "/c@"; expect allow write "/w@"; }
}
P
my @wrong = ( # replaced in that, for each a finding with a string in it
    ['deny read "/c@"', 'deny read "/a@b"'], ['summary "s@"', 'summary "s@"; use nothing'],
    ['"/bin/sh", "-c", "exit 3; a@"', '"/bin/sh -c@ x"'], ['never write "/n@"', 'never write "/w@"'],
    ['from $h', 'from "/*@"'], ['env B = $x', 'env B = "~/@"'], ['connect unix "/u@"', 'connect tcp "h@"'],
    ['expect deny', 'expect allow connect tcp "h@":1; expect deny'], ['import std.shell', 'import "i@.sbx" as i'],
    ['deny statfs', 'deny statfs with "E@"'], ['deny read "/a@b/c"', 'deny read "/z@"'],
    ['/w@" from', '/a@b" from tmpfs size 1MiB; allow read "/a@b" from "x@"; allow read "/w@" from'],
);
$good =~ s/\@/$controls/g;
for my $pair (@wrong) { s/\@/$controls/g for @$pair }


for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    owned($user, $dir, map { mkdir "$dir/$_"; "$dir/$_" } 'w');
    my $seen = 0;
    my $try = sub {
        my ($what, $said, @command) = @_;
        my $run = run({ %$user, cwd => $dir, seconds => 60 }, @command);
        my $all = "$run->{out}$run->{err}";
        my $line = $what =~ /html/ ? '(?!)' : 'ok 7'; # there it is within a tag
        my @bad = $all =~ /([^\n]{0,20}(?:[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|^$line)[^\n]{0,20})/mg;
        is "$run->{signal} @bad", '0 ', "$name: $what";
        like $all, $said, "$name: $what: it says something" or diag "$run->{status}";
        $seen += () = $all =~ /\\x1b|\\u001b/g;
    };
    my $each = sub {
        my ($what, $file) = @_;
        for my $action (['--check'], ['--check', '--format=json'], ['--check', '--format=sarif'], ['--test'],
            ['--why', 'read "/a' . $controls . 'b/c"'], ['--why', "write \"/w$raw\""], ['--doc'],
            ['--doc', '--format=html'], ['--diff', 'other.sbx'], ['--diff', '--format=json', 'other.sbx'],
            map { "--emit=$_" } qw(plan seccomp-asm apparmor selinux-cil docker-seccomp bwrap)) {
            my @words = ref $action ? @$action : $action;
            next if $what ne 'a policy' && "@words" =~ /emit|format=html/;
            $try->("$what: sbxc @words[0 .. (@words > 1 && $words[0] ne '--why')]",
                "@words" =~ /check/ ? qr// : qr/./, $sbxc, @words, $file);
        }
        for my $action ([], ['--dry-run'], ['--doctor'], ['--layers', 'read "/a' . $controls . 'b/c"'], ['--live'],
            ['--explain-files']) {
            my $silent = !@$action || $$action[0] =~ /explain/;
            $try->("$what: sbxrun @$action[0 .. !!@$action - 1]", $silent ? qr// : qr/./, $sbxrun, '--no-cache',
                @$action, $file);
        }
    };
    spew("$dir/other.sbx", $good =~ s/allow read "\/a/allow write "\/a/r =~ s/expect deny read/expect deny exec/r);
    spew("$dir/p.sbx", $good);
    $each->('a policy', 'p.sbx');
    for my $wrong (@wrong) {
        my ($from, $to) = @$wrong;
        my $text = $good;
        $text =~ s/\Q$from\E/$to/ or die $from;
        spew("$dir/wrong.sbx", $text);
        $each->($to =~ s/\Q$controls\E/@/gr, 'wrong.sbx');
    }
    spew("$dir/raw.sbx", $good =~ s/"s\Q$controls\E"/"s$raw"/r); # what no policy may have in it
    $each->('a policy with controls', 'raw.sbx');
    spew("$dir/n$raw.sbx", $good =~ s/policy p/policy n/r);
    $each->('a name of a file', "n$raw.sbx");
    $try->('a value', qr/./, $sbxc, '--check', '-D', "x=$raw", 'p.sbx');
    $try->('a parameter', qr/./, $sbxc, '--check', '-D', "$raw=1", 'p.sbx');
    $try->("no file ($_)", qr/./, $_, $_ eq $sbxc ? '--check' : '--dry-run', "no$raw.sbx") for $sbxc, $sbxrun;
    $try->("no option ($_)", qr/./, $_, "--no$raw") for $sbxc, $sbxrun;
    $try->('no action', qr/./, $sbxc, '--emit', "x$raw", 'p.sbx');
    $try->('no driver', qr/./, $sbxrun, '--driver', "x$raw", 'p.sbx');
    $try->('a file that is to be written', qr/./, $sbxrun, '--report', "no/$raw", 'p.sbx');
    $try->('one of sbxc', qr/./, $sbxc, '--emit=plan', '-o', "no/$raw", 'p.sbx');
    $try->('a command', qr/./, $sbxrun, 'p.sbx', '--', "/no$raw");
    run({ cwd => $dir }, $sbxc, '--emit=plan', '-o', 'plan.json', 'p.sbx');
    $try->("a plan: @$_", @$_ ? qr/./ : qr//, $sbxrun, @$_, 'plan.json') for [], ['--dry-run'], ['--doctor'];
    cmp_ok $seen, '>', 200, "$name: $seen controls were shown";
}
done_testing;
