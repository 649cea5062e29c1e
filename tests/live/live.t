#!/usr/bin/perl
# `sbxc --test --live`: every example and library policy holds in its sandbox what it says; and a sandbox that does not
# is found out.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $bin = folder(); # both programs, for whoever runs them
system('cp', $sbxc, "$build/sbxrun", "$build/sbxnames", "$bin/");
system('cp', '-r', "$root/examples", "$root/stdlib-policies", "$bin/");

for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    owned($user, $dir);
    system('cp', '-r', "$bin/examples", "$bin/stdlib-policies", "$dir/");
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if $> == 0 && defined $user->{uid};
    my $try = sub { # a policy's body
        spew("$dir/p.sbx", "sbx 1;\nimport std.base;\npolicy p {\n use std.base;\n$_[0]\n}\n");
        return run({ %$user, cwd => $dir, seconds => 60, %{ $_[1] // {} } }, "$bin/sbxc", '--test', '--live', 'p.sbx');
    };
    for my $file (glob "$dir/examples/*.sbx") { # processor time is longer where everything is emulated
        spew($file, slurp($file) =~ s/cpu_time (\d+)s/'cpu_time ' . patience($1) . 's'/gre);
    }
    for my $file (glob("$dir/examples/*.sbx"), grep { !/groups/ } glob "$dir/stdlib-policies/*.sbx") {
        my $run = run({ %$user, cwd => $dir, seconds => 60 }, "$bin/sbxc", '--test', '--live', $file);
        my ($policy) = $file =~ m{([^/]+)$};
        is $run->{status}, 0, "$name: $policy" or diag $run->{out}, $run->{err};
        my ($calls) =
            $run->{out} =~ /^ok \d+ - live: every system call of this machine, allowed and denied \((\d+) tried/m;
        cmp_ok $calls // 0, '>', 300, "$name: $policy, its system calls";
        my ($paths) = $run->{out} =~ /^ok \d+ - live: every path that a rule names \((\d+) tried/m;
        cmp_ok $paths // 0, '>=', $policy eq 'debug.sbx' ? 0 : 19, "$name: $policy, its paths"; # that one shows none
    }
    mkdir "$dir/w"; chmod 0777, "$dir/w";
    mkdir "$dir/w/private";
    spew("$dir/w/private/file", 'x');
    spew("$dir/w/file", 'x'); chmod 0666, "$dir/w/file"; chmod 0666, "$dir/w/private/file";
    my $run = $try->('
        fs { allow read, write, exec "/w" from "./w"; allow read, create "/drop" from tmpfs size 1MiB;
            deny write "/w/private"; deny exec "/w"; deny read "/usr/share"; }
        net { allow connect, bind, listen tcp loopback:8000..8010; }
        syscalls { deny getppid with kill; deny uname with EBADF; allow ioctl where request == TIOCSTI; }
        process { user root; capabilities CAP_KILL, CAP_CHOWN; }
        limits { pids 50; open_files 40; }
        tests {
            expect allow read "/w"; expect allow write "/w/file", "/w/new"; expect deny write "/w/private";
                expect deny exec "/w", "/drop"; expect deny read "/usr/share";
            expect allow create "/drop"; expect deny delete "/drop"; expect allow exec "/usr/bin";
                expect allow connect tcp loopback:8005; expect deny connect tcp loopback:80;
            expect deny bind udp loopback:5000; expect deny syscall getppid, uname; expect allow capability CAP_KILL;
                expect deny capability CAP_SYS_ADMIN;
        }');
    SKIP: {
        skip "$name: no Landlock here: create alone can't be enforced", 2 if $run->{out} =~ /SKIP.*Landlock/;
        is $run->{status}, 0, "$name: rules of every kind" or diag $run->{out}, $run->{err};
        unlike $run->{out}, qr/^ok.*(?:expect allow exec|private|getppid).*SKIP/m, "$name: they are tried";
    }
    is join(' ', map { s{.*/}{}r } glob "$dir/w/* $dir/w/.[!.]* $dir/w/private/*"), 'file private file',
        "$name: nothing is left behind";

    $run = $try->('tests { expect allow write "/usr"; }');
    is $run->{status}, 1, "$name: a wrong expectation";
    like $run->{out}, qr/^not ok 1 - .*expect allow write "\/usr"\n# `modify "\/usr"` is denied/m,
        "$name: is said on the policy function";
    $run = $try->('net { allow connect udp loopback:53; }');
    is $run->{status}, 0, "$name: what this host can't do yet";
    like $run->{out}, qr/^ok 1 - live: p # SKIP sbxrun: .*\(p\.sbx:5:\d+/m, "$name: is skipped, with the reason";

    # Something else than the policy denies getppid: the sandbox is not what the policy says.
    my $code = pack('SCCL' x 4, 0x20, 0, 0, 0, 0x15, 0, 1, 110, 6, 0, 0, 0x00050001, 6, 0, 0, 0x7fff0000);
    my $filter = pack('S x6 P', 4, $code);
    SKIP: {
        skip 'the numbers are of x86_64', 2 unless `uname -m` =~ /x86_64/;
        $run = $try->('', { setup => sub {
            syscall(157, 38, 1, 0, 0, 0);
            syscall(317, 1, 0, $filter) == 0 or die "seccomp: $!";
        } });
        is $run->{status}, 1, "$name: a sandbox that does not do what the policy says";
        like $run->{out},
            qr/^not\ ok\ \d+\ -\ live:\ every\ system\ call.*\n\#\ `syscall\ getppid`\ is\ allowed\ 
                by\ the\ policy,\ and\ denied,\ EPERM\ in\ the\ sandbox\n\#\ \ \ std\/base/mx,
            "$name: is found out"
            or diag $run->{out}, $run->{err};
    }
}
my $alone = folder();
system('cp', $sbxc, "$alone/");
my $run = run({ env => { PATH => '/nonexistent' } }, "$alone/sbxc", '--test', '--live', "$root/examples/python.sbx");
like $run->{out}, qr/# SKIP cannot run sbxrun: No such file/, 'without sbxrun it is a skip';
is $run->{status}, 0, 'and no failure';
is run($sbxc, '--check', '--live', "$root/examples/python.sbx")->{status}, 2, '--live belongs to --test';
done_testing;
