#!/usr/bin/perl
# Secrets: the command reads them where the policy says, and nobody finds them anywhere else.
use strict;
use warnings;
no warnings "portable"; # addresses have 64 bits
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

my $value = 'correct-horse-' . 'battery-staple'; # not whole in this file's text

# Where in a process's memory a text is; as root.
sub memory_with {
    my ($pid, $text) = @_;
    my @found;
    open my $memory, '<', "/proc/$pid/mem" or return ('cannot be read');
    for (split /\n/, slurp("/proc/$pid/maps")) {
        my ($from, $to, $rights, $name) = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)/ or next;
        next if $rights !~ /^r/ || $name =~ /vvar|vsyscall/ || hex($to) - hex($from) > 1 << 30;
        sysseek $memory, hex $from, 0;
        my $left = hex($to) - hex $from;
        while ($left > 0) {
            my $n = sysread $memory, my $bytes, $left > 1 << 22 ? 1 << 22 : $left;
            last if !$n;
            push @found, "$name $from" if index($bytes, $text) >= 0;
            $left -= $n;
        }
    }
    return @found;
}
sub descendants {
    my ($pid) = @_;
    my @all = ($pid);
    for (my $i = 0; $i < @all; $i++) {
        push @all, split ' ',
            -e "/proc/$all[$i]/task/$all[$i]/children" ? slurp("/proc/$all[$i]/task/$all[$i]/children") : '';
    }
    return @all;
}

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read, write "/w" from "./w"; allow read "/again" from secret KEY; }
    secrets {
        TOKEN from env "SBX_TEST_TOKEN" at "/run/secrets/token";
        KEY from file "./key" at "/run/secrets/deep/key";
        HOME_KEY from home "key" at "/w-key";
    }
    tests { expect allow read "/run/secrets/token", "/again"; expect deny write "/run", "/again";
        expect deny exec "/run"; }');
    spew("$dir/key", "of a file\0with NUL\n");
    chmod 0400, "$dir/key";
    owned($user, "$dir/key");
    my %o = (%$user, cwd => $dir, env => { SBX_TEST_TOKEN => $value, HOME => $dir });
    my $sh = sub { run(\%o, $sbxrun, 'p.sbx', '--', 'sh', '-c', $_[0]) };

    is $sh->('cat /run/secrets/token')->{out}, $value, "$name: a variable's value";
    is $sh->('cat /run/secrets/deep/key')->{out}, "of a file\0with NUL\n", "$name: a file's content, byte by byte";
    is $sh->('cat /again /w-key')->{out}, "of a file\0with NUL\n" x 2,
        "$name: at another place, from the caller's home";
    is $sh->('stat -c %a /run/secrets/token /again')->{out}, "400\n400\n", "$name: mode 0400";
    my $run = $sh->(
        'echo x > /run/secrets/token; chmod 600 /again; rm /again; mv /w-key /w/k; echo y >> /again; ln /again /w/l');
    is scalar(() = $run->{err} =~ /Read-only|not permitted|Permission denied|busy|cross-device/gi), 6,
        "$name: neither written, moved nor linked" or diag $run->{err};
    is $sh->('env | grep -c SBX_TEST; tr "\\\\0" "\\\\n" < /proc/self/environ | grep -c correct')->{out}, "0\n0\n",
        "$name: the command's environment has none";
    is slurp("$dir/key"), "of a file\0with NUL\n", "$name: the host's file is as it was";

    # Everywhere else.
    $run = run({ %o, cwd => "$dir/w" }, $sbxrun, '--report', "$dir/w/report.json", "$dir/p.sbx", '--', 'cat',
        '/run/secrets/token');
    is $run->{out}, $value, "$name: with a report";
    unlike slurp("$dir/w/report.json"), qr/$value/, "$name: not in the report";
    unlike run({ %o }, $sbxc, '--emit=plan', 'p.sbx')->{out}, qr/$value|of a file/, "$name: not in the plan";
    unlike run({ %o }, $sbxrun, '--dry-run', 'p.sbx', '--', 'true')->{out}, qr/$value|of a file/,
        "$name: not in --dry-run";
    unlike run({ %o }, $sbxc, '--doc', '--no-proof', 'p.sbx')->{out}, qr/$value|with NUL/, "$name: not on the page";

    SKIP: {
        skip 'only root reads the memory of others', 4 if $> != 0;
        my $pid = fork // die $!;
        if (!$pid) {
            become($user);
            $ENV{$_} = $o{env}{$_} for keys %{ $o{env} };
            chdir $dir;
            exec $sbxrun, 'p.sbx', '--', 'sh', '-c',
                'read line < /run/secrets/token; line=; echo ready > /w/ready; exec sleep 20' or POSIX::_exit(99);
        }
        soon(sub { -e "$dir/w/ready" });
        my @processes = descendants($pid);
        cmp_ok scalar @processes, '>=', 3, "$name: sbxrun, init and the command run";
        select undef, undef, undef, 0.2;
        is join(' ', map { my $p = $_; map { "$p: $_" } memory_with($p, $value) } @processes), '',
            "$name: in nobody's memory";
        is join(' ', grep { slurp("/proc/$_/environ") =~ /$value/ || slurp("/proc/$_/cmdline") =~ /$value/ }
            @processes), '', "$name: in nobody's environment or arguments";
        ok scalar(memory_with($$, 'battery-' . 'staple')), "$name: where it is, it is found";
        kill 'TERM', $pid;
        waitpid $pid, 0;
        unlink "$dir/w/ready";
    }

    # What is missing stops the run.
    $run = run({ %o, env => { HOME => $dir } }, $sbxrun, 'p.sbx', '--', 'true');
    is $run->{status}, 125, "$name: a variable that is not set";
    like $run->{err},
        qr/the\ secret\ TOKEN\ is\ to\ come\ from\ the\ variable\ SBX_TEST_TOKEN,\ 
            which\ is\ not\ set\ \(p\.sbx:\d+:\d+:\ TOKEN\ from\ env/x,
        "$name: says which, and the line";
    rename "$dir/key", "$dir/gone";
    $run = $sh->('true');
    is $run->{status}, 125, "$name: a file that is not there";
    like $run->{err}, qr/cannot open .*key, which the secret KEY is to come from: No such file/, "$name: says which";
    mkdir "$dir/key";
    like $sh->('true')->{err}, qr/not a regular file/, "$name: nor is a folder a secret";
    rmdir "$dir/key";
    spew("$dir/key", 'x' x (1 << 20));
    is $sh->('wc -c < /again')->{out} + 0, 1 << 20, "$name: 1 MiB";
    spew("$dir/key", 'x' x ((1 << 20) + 1));
    is $sh->('true')->{status}, 125, "$name: and no more";
    rename "$dir/gone", "$dir/key";
    my $test = run(\%o, $sbxc, '--test', '--live', 'p.sbx');
    is $test->{status}, 0, "$name: its expectations hold in the sandbox" or diag $test->{out};
}
is run($sbxrun, spew(folder() . '/p.json', '{"sbx_plan":1}'))->{status}, 125, 'half a plan is none';
done_testing;
