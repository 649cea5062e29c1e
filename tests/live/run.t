#!/usr/bin/perl
# Running a command: what it is given, how it ends, what sbxrun says and returns, the report, plans.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use JSON::PP;
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $dir = sandbox($user, '    command "/bin/sh", "-c", "echo own";
    process { cwd "/usr/lib"; env keep KEPT, NOT_SET; env GIVEN = "a b"; env N = 3; }');

    # The command's own end.
    is in_sandbox($user, $dir, 'sh', '-c', "exit $_")->{status}, $_, "$name: exit $_" for 0, 1, 42, 125, 255;
    is in_sandbox($user, $dir, 'sh', '-c', "kill -$_ \$\$")->{status}, 128 + $_, "$name: signal $_" for 1, 6, 9, 11, 15;
    is in_sandbox($user, $dir)->{out}, "own\n", "$name: the policy's own command";
    my $run = in_sandbox($user, $dir, 'nosuch');
    is $run->{status}, 127, "$name: a command that is not there";
    like $run->{err}, qr/^sbxrun: cannot execute nosuch: No such file/, "$name: says so";
    is in_sandbox($user, $dir, '/usr/bin/nosuch')->{status}, 127, "$name: nor by its path";
    $run = in_sandbox($user, $dir, '/usr/lib/os-release');
    is $run->{status}, 126, "$name: a file that is no program";
    $run = in_sandbox($user, $dir, '/etc/ld.so.cache');
    is $run->{status}, 125, "$name: a file that no rule allows to exec";
    like $run->{err}, qr/no rule of the policy allows to exec/, "$name: says so";

    # What it is given.
    $run = in_sandbox($user, $dir, { env => { KEPT => 'kept', DROPPED => 'dropped' } }, 'env');
    is join(' ', sort grep { !/^(LANG|LC_|TERM|TZ|COLORTERM|NO_COLOR)/ } split /\n/, $run->{out}),
        'GIVEN=a b HOME=/ KEPT=kept N=3 PATH=/usr/local/bin:/usr/bin:/bin', "$name: the environment and no more";
    is in_sandbox($user, $dir, 'pwd')->{out}, "/usr/lib\n", "$name: cwd";
    is in_sandbox($user, $dir, 'id', '-u')->{out}, "65534\n", "$name: nobody inside";
    is in_sandbox($user, $dir, 'sh', '-c', 'echo $$')->{out}, "2\n", "$name: a pid namespace";
    is in_sandbox($user, $dir, 'uname', '-n')->{out}, "sbx\n", "$name: a host name";
    is in_sandbox($user, $dir, { in => spew("$dir/in", "line\n") }, 'cat')->{out}, "line\n", "$name: standard input";
    is in_sandbox($user, $dir, 'sh', '-c', 'echo to-err >&2')->{err}, "to-err\n", "$name: standard error";
    my $status = in_sandbox($user, $dir, 'cat', '/proc/self/status')->{out};
    like $status, qr/^$_:\t0+$/m, "$name: $_ empty" for qw(CapInh CapPrm CapEff CapBnd CapAmb);
    like $status, qr/^NoNewPrivs:\t1\nSeccomp:\t2$/m, "$name: no new privileges, seccomp";
    is in_sandbox($user, $dir, 'sh', '-c', 'umask')->{out}, sprintf("%04o\n", umask), "$name: the caller's umask";
    is in_sandbox($user, $dir, 'sh', '-c', 'ulimit -c')->{out}, "0\n", "$name: no core dumps";

    # Descriptors.
    my $passes = sub {
        open my $f, '<', '/etc/passwd' or die;
        require Fcntl;
        fcntl($f, Fcntl::F_SETFD(), 0);
        POSIX::dup2(fileno $f, 7);
    };
    is in_sandbox($user, $dir, { setup => $passes }, 'sh', '-c', 'ls /proc/self/fd | tr "\n" " "; cat <&7')->{out},
        '0 1 2 3 ', "$name: descriptors that are left open do not get in";
    $run = in_sandbox($user, $dir, { setup => sub { open my $d, '<', '/' or die; POSIX::dup2(fileno $d, 0) } }, 'true');
    is $run->{status}, 125, "$name: a folder as standard input";
    like $run->{err}, qr/way out of the sandbox/, "$name: says why";
    $run = in_sandbox($user, $dir, { setup => sub { POSIX::close(0); POSIX::close(1) } }, 'sh', '-c',
        'cat; echo x; echo done >&2');
    is $run->{err}, "done\n", "$name: closed standard descriptors become /dev/null";

    # Who it may be inside.
    for my $case (['root', 0], ['nobody', 65534], ['1234', 1234], ['self', $user->{uid} // 0]) {
        my $d = sandbox($user, "    process { user $case->[0]; }");
        is in_sandbox($user, $d, 'id', '-u')->{out}, "$case->[1]\n", "$name: user $case->[0]";
        is in_sandbox($user, $d, '/probe', 'setuid')->{out}, $case->[1] ? "EPERM\n" : "EPERM\n",
            "$name: user $case->[0] can't become another";
        like in_sandbox($user, $d, 'cat', '/proc/self/status')->{out}, qr/^CapEff:\t0+$/m,
            "$name: user $case->[0] has no capabilities";
    }
    my $d = sandbox($user, '    process { capabilities CAP_KILL, CAP_NET_BIND_SERVICE; }');
    like in_sandbox($user, $d, 'cat', '/proc/self/status')->{out}, qr/^CapEff:\t0000000000000420$/m,
        "$name: capabilities that are allowed";
    # The sandbox's first process has none of the command's.
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        become($user);
        chdir $d;
        exec $sbxrun, 'p.sbx', '--', 'sleep', '600';
    }
    my $effective;
    soon(sub {
        for my $first (grep { (split ' ', slurp("/proc/$_/stat") =~ s/^.*\) //sr)[1] == $pid } own_processes()) {
            return ($effective) = slurp("/proc/$first/status") =~ /^CapEff:\t(\w+)/m
                if own_processes(qr/^sleep\x00600\0/);
        }
    });
    is $effective, '0' x 16, "$name: what the command may, the sandbox's first process may not";
    kill TERM => $pid;
    waitpid $pid, 0;

    # The report.
    $d = sandbox($user, '    require landlock >= 999 else degrade because "a test"; limits { pids 50; lifetime 10s; }');
    $run = in_sandbox($user, $d, { args => ['--report', "$d/w/report.json"] }, 'sh', '-c', 'exit 3');
    is $run->{status}, 3, "$name: with a report";
    my $report = decode_json(slurp("$d/w/report.json"));
    is_deeply [$report->{sbx_report}, $report->{policy}, $report->{ended}], [1, 'p', { how => 'exited', status => 3 }],
        "$name: how it ended";
    is_deeply $report->{command}, ['sh', '-c', 'exit 3'], "$name: what ran";
    is scalar @{ $report->{degraded} }, 1, "$name: one thing went without";
    is $report->{degraded}[0]{lost}, 'landlock >= 999', "$name: and what";
    cmp_ok $report->{$_}, '>', 0, "$name: $_" for qw(setup_us wall_us peak_memory_bytes);
    if (!defined $user->{uid}) {
        cmp_ok $report->{outside_user}, '>', 65535, 'root: outside it is nobody that anybody knows';
    }
    else { is $report->{outside_user}, $user->{uid}, 'user: outside it is the caller' }
    my $hash = `$sbxc --emit=plan $d/p.sbx | sha256sum`;
    is $run = in_sandbox($user, $d, { args => ['--strict'] }, 'true')->{status}, 125,
        "$name: --strict refuses what degrades";
    $run = in_sandbox($user, $d, { args => ['--report', "$d/nowhere/r.json"] }, 'true');
    is $run->{status}, 125, "$name: a report that can't be written stops the run";
    chdir $d;
    ($hash) = `$sbxc --emit=plan p.sbx | sha256sum` =~ /^(\w+)/;
    is $report->{plan_sha256}, $hash, "$name: the hash is the plan's";
    chdir '/';

    # Plans run as policies do.
    $d = sandbox($user, '    command "/bin/echo", "planned"; fs { allow read "/w" from "./w"; }');
    spew("$d/w/file", 'x');
    system("$sbxc --emit=plan -o $d/p.plan.json $d/p.sbx");
    $run = run({ %$user, cwd => '/' }, $sbxrun, "$d/p.plan.json");
    is $run->{out}, "planned\n", "$name: a plan" or diag $run->{err};
    is run({ %$user, cwd => '/' }, $sbxrun, "$d/p.plan.json", '--', 'cat', '/w/file')->{out}, 'x',
        "$name: its paths start at its folder";
    $run = in_sandbox($user, $d, { args => ['--dry-run'] }, 'false');
    is $run->{status}, 0, "$name: --dry-run runs nothing";
    like $run->{out}, qr/by seccomp.*read, exec +\/usr .*bind mount, read-only/s, "$name: and shows what would be";

    # Wrong usage and wrong policies never run anything.
    is run({ %$user, cwd => $d }, $sbxrun, @$_)->{status}, 125, "$name: sbxrun @$_" for [], ['--nonsense', 'p.sbx'],
        ['none.sbx'], ['p.sbx', 'true'], ['p.sbx', '--'], ['--driver', 'other', 'p.sbx'], ['-D', 'x=1', 'p.sbx'];
    is left_since($before), '', "$name: nothing is left behind";
}
done_testing;
