#!/usr/bin/perl
# `sbxc --diff`: what it prints and how it exits.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
sub diff { # the bodies of two policies
    my ($old, $new, @options) = @_;
    spew("$dir/old.sbx", "sbx 1;\n$old") if $old =~ /policy/;
    spew("$dir/old.sbx", "sbx 1;\npolicy p {\n$old\n}\n") if $old !~ /policy/;
    spew("$dir/new.sbx", $new =~ /policy/ ? "sbx 1;\n$new" : "sbx 1;\npolicy p {\n$new\n}\n");
    return run({ cwd => $dir }, $sbxc, '--diff', '--policy', 'p', @options, 'old.sbx', 'new.sbx');
}

# Nothing but the spelling differs.
for ([ 'group @a { read, write } policy p { syscalls { allow @a; allow lseek; } fs { allow read "/a"; '
        . 'allow read "/b"; } }',
       'group @b { write, read } policy p { fs { allow read "/b", "/a"; allow read "/a/c"; } syscalls { allow lseek, '
       . '@b; } }', 'a group renamed, rules moved and joined' ],
     [ 'net { allow connect tcp 10.0.0.0/8:1..9; }', 'net { allow connect tcp 10.0.0.0/9:1..9, 10.128.0.0/9:1..5; '
         . 'allow connect tcp 10.128.0.0/9:6..9; }', 'a range in pieces' ],
     [ 'syscalls { allow ioctl where request in { 1, 2, 3 }; }', 'syscalls { allow ioctl where request '
         . '== 1; allow ioctl where not (request != 3 and request != 2); }', 'a condition in pieces' ],
     [ 'policy a(n: int = 5) { limits { pids $n; } } policy p { use a; }', 'policy p { limits { pids 5; } }',
         'a use unfolded' ]) {
    my $run = diff($_->[0], $_->[1]);
    is "$run->{status}|$run->{out}|$run->{err}", '0||', "no difference: $_->[2]";
}

# Old, new, exit status, lines that must be there.
my @cases = (
    [ 'fs { allow read "/a"; }', 'fs { allow read, write "/a"; deny write "/a/b"; }', 1,
        '  + allow write "/a" except "/a/b"', '      `modify "/a"` allowed by new.sbx:3:6: allow read, write "/a"' ],
    [ 'fs { allow read, exec "/a"; }', 'fs { allow read "/a"; }', 0, '  - deny exec "/a"',
        '      `exec "/a"` was allowed by old.sbx:3:6: allow read, exec "/a"' ],
    [ 'fs { allow read "/a" from "./x"; }', 'fs { allow read "/a" from "/"; }', 1,
        '  + "/a" is from "/", was from "x"' ],
    [ 'fs { allow read "/a" from tmpfs size 2MiB; }', 'fs { allow read "/a" from tmpfs size 1MiB; }', 0,
        '  - "/a" is from tmpfs size 1MiB, was from tmpfs size 2MiB' ],
    [ 'net { allow connect tcp loopback:80; }',
        'net { allow connect tcp loopback:80..90; allow connect tcp "*.a.org":1; deny connect "x.a.org"; }', 1,
      '  + allow connect tcp loopback:81..90', '  + allow connect tcp "*.a.org":1 except "x.a.org"',
      '      `connect tcp "any.a.org":1` allowed by new.sbx:3:42: allow connect tcp "*.a.org":1' ],
    [ 'net { allow connect tcp "any.a.org":1; }', 'net { allow connect tcp "*.a.org":1; }', 1,
        '  + allow connect tcp "*.a.org":1 except "any.a.org"' ],
    [ 'syscalls { allow getpid; }', 'syscalls { allow getpid, @io-event; }', 1, '  + allow @io-event' ],
    [ 'syscalls { allow ioctl where request in { TCGETS, FIONREAD }; }',
        'syscalls { allow ioctl where request in { TCGETS, TIOCGWINSZ }; }', 1,
      '  + allow ioctl where request == TIOCGWINSZ', '  - deny ioctl where request == TIOCINQ' ],
    [ 'syscalls { allow clone where flags & CLONE_NEWUSER == 0; }',
        'syscalls { allow clone where flags & (CLONE_NEWUSER | CLONE_NEWNET) == 0; }', 0,
      '  - deny clone where flags & (CLONE_NEWUSER | CLONE_NEWNET) != 0 and flags & CLONE_NEWUSER == 0' ],
    [ 'syscalls { deny getpid with EPERM; }', 'syscalls { deny getpid with kill; }', 0,
        '  ~ getpid: denied with kill, was EPERM' ],
    [ '', 'syscalls { on x86_64 { allow access, lseek; } }', 1, '  + allow access', '  + on x86_64 allow lseek' ],
    [ 'process { capabilities CAP_KILL; }', 'process { capabilities CAP_CHOWN; }', 1,
        '  + allow capability CAP_CHOWN', '  - deny capability CAP_KILL' ],
    [ 'limits { memory 1MiB; cpu 0.5; lifetime 1500ms; }', 'limits { memory 2MiB; cpu 0.25; pids 5; }', 1,
        '  + memory 2MiB, was 1MiB', '  - cpu 0.25, was 0.5', '  - pids 5, was without',
        '  + lifetime no limit, was 1500ms' ],
    [ 'process { env keep A; env B = "1"; user nobody; }', 'process { env keep C; env B = "2"; user root; }', 1,
        '  + env C: the caller\'s, was not set', '  - env A: not set, was the caller\'s', '  ~ env B: "2", was "1"',
        '  + user root, was nobody' ],
    [ '', 'secrets { T from env "X" at "/run/t"; }', 1, '  + secret T from env "X" at "/run/t"' ],
    [ 'require landlock >= 4;', 'require landlock >= 4 else degrade because "x";', 1,
        '  + landlock: required >= 4 else degrade, was required >= 4' ],
    [ 'command "/bin/a";', 'command "/bin/b";', 0, '  ~ command "/bin/b", was "/bin/a"' ],
);
for my $case (@cases) {
    my ($old, $new, $status, @lines) = @$case;
    my $run = diff($old, $new);
    is $run->{status}, $status, "$new: exit $status" or diag $run->{out}, $run->{err};
    my %printed = map { $_ => 1 } split /\n/, $run->{out};
    ok $printed{$_}, $_ or diag $run->{out} for @lines;
    my $json = eval { decode_json(diff($old, $new, '--format=json')->{out}) } // {};
    is $json->{sbx_diff}, 1, 'also as JSON';
    is !!$json->{wider}, !!$status, 'which agrees';
    is scalar @{ $json->{differences} }, scalar(grep { /^  [-+~] / } split /\n/, $run->{out}),
        'difference by difference';
}

my $run = diff('fs { allow read "/a" }', '');
is $run->{status}, 1, 'a policy with errors is no answer';
like $run->{err}, qr/SBX0103/, 'they are shown';
is run($sbxc, '--diff', "$dir/old.sbx")->{status}, 2, 'two files are needed';
is run($sbxc, '--diff', "$dir/none.sbx", "$dir/new.sbx")->{status}, 2, 'and must be readable';
for my $example (glob "$root/examples/*.sbx") {
    $run = run($sbxc, '--diff', $example, $example);
    is "$run->{status}$run->{out}$run->{err}", '0', "$example against itself";
    cmp_ok $run->{cpu}, '<', 0.3, 'in 300 ms of processor time';
}
done_testing;
