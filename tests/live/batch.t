#!/usr/bin/perl
# --batch: many commands under one policy, each in a sandbox of its own, and nothing of one in another.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP qw(decode_json);
use Sbx;
use Live;
use POSIX ();
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; allow read, write "/tmp" from tmpfs size '
        . '1MiB; } syscalls { deny getpriority with EXDEV; }');
    my $batch = sub {
        my ($commands, @options) = @_;
        spew("$dir/in", ref $commands ? join('', map { join("\0", @$_) . "\0\0" } @$commands) : $commands);
        unlink "$dir/w/r.json";
        my $run = run({ %$user, cwd => $dir, in => "$dir/in", seconds => patience(60) }, $sbxrun, '--batch', '--report',
            "$dir/w/r.json", @options, 'p.sbx');
        $run->{ended} = { map { my $line = decode_json($_); $line->{number} => $line }
            -s "$dir/w/r.json" ? split(/\n/, slurp("$dir/w/r.json")) : () };
        return $run;
    };
    my $run = $batch->([
        map { ['sh', '-c', "echo \$(ls /tmp | wc -l) \$\$ $_; touch /tmp/x; exit " . ($_ % 3)] } 1 .. 30
    ]);
    is $run->{status}, 123, "$name: not all of them end with 0" or diag $run->{err};
    is_deeply [sort map { (split)[2] } split /\n/, $run->{out}], [sort 1 .. 30], "$name: each runs";
    is_deeply [grep { !/^0 2 / } split /\n/, $run->{out}], [], "$name: in a sandbox of its own";
    is_deeply { map { $_ => $run->{ended}{$_}{status} } 1 .. 30 }, { map { $_ => $_ % 3 } 1 .. 30 },
        "$name: each has its status";
    is $run->{ended}{7}{command}[0], 'sh', "$name: and says what it was";
    $run = $batch->([map { ['true'] } 1 .. 5], '--jobs', 1);
    is $run->{status}, 0, "$name: all of them end with 0" or diag $run->{err};
    is_deeply [sort keys %{ $run->{ended} }], [1 .. 5], "$name: one at a time";
    $run = $batch->([['sh', '-c', 'cat; echo read'], ['missing'], ['sh', '-c', 'kill -9 $$']]);
    is $run->{out}, "read\n", "$name: none reads what is another's";
    is_deeply [map { $run->{ended}{$_}{status} } 1 .. 3], [0, 127, 137], "$name: as sbxrun ends otherwise";
    my $last = 'i=0; until [ -e /w/1 -a -e /w/2 -a -e /w/3 -o $i -gt 900 ]; do i=$((i+1)); sleep 0.05; done; echo slow';
    $run = $batch->([['sh', '-c', $last], map { ['sh', '-c', "echo $_; : > /w/$_"] } 1 .. 3], '--jobs', 4);
    like $run->{out}, qr/slow\n$/, "$name: several at a time" or diag $run->{out};
    $run = $batch->([['perl', '-e', 'print getpriority(0, 0); exit 1']]);
    like $run->{err}, qr/^sbxrun: denied syscall getpriority .*p\.sbx:/m,
        "$name: what one was denied is told, with its rule" or diag $run->{err};
    is $batch->('')->{status}, 0, "$name: nothing to do";
    for my $broken ("echo", "echo\0", "true\0\0echo\0x") {
        $run = $batch->($broken);
        is $run->{status}, 125, "$name: input that ends within a command";
        like $run->{err}, qr/ends within a command/, "$name: says so";
    }
    my $large = $batch->([['true', ('x' x 100) x 100000]]);
    is $large->{status}, 125, "$name: a command too large for anybody";
    for my $wrong (['--batch', 'p.sbx', '--', 'true'], ['--batch', '--jobs', '0', 'p.sbx'],
        ['--jobs', '2', 'p.sbx', '--', 'true'],
        ['--batch', '--dry-run', 'p.sbx'], ['--batch', 'missing.sbx']) {
        is run({ %$user, cwd => $dir }, $sbxrun, @$wrong)->{status}, 125, "$name: @$wrong is refused";
    }
    # It is killed: its runs die with it.
    spew("$dir/in", "sleep\0" . "66\0\0");
    my $pid = fork // die;
    if (!$pid) {
        become($user);
        chdir $dir; open STDIN, '<', "$dir/in"; exec $sbxrun, '--batch', 'p.sbx' or POSIX::_exit(99);
    }
    my $alive = sub { scalar own_processes(qr/^sleep\0/) };
    ok soon($alive), "$name: a command runs";
    kill KILL => $pid;
    waitpid $pid, 0;
    ok soon(sub { !$alive->() }), "$name: and dies with --batch";
    in_sandbox($user, $dir, 'true'); # removes what was left by the kill
    is left_since($before), '', "$name: nothing is left";
}
done_testing;
