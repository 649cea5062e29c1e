#!/usr/bin/perl
# Denied system calls are told: what was asked for, which rule denied it or what would allow it, and how often; and
# nothing else changes for the program.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP qw(decode_json);
use Sbx;
use Live;
use Test::More;

my $python = <<'P';
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    ctypes.set_errno(0)
    got = getattr(libc, name)(*arguments)
    print(name, got, ctypes.get_errno())
P

sub policy {
    my ($user, $rules) = @_;
    sandbox($user, "command \"/usr/bin/python3\"; fs { allow read, write \"/tmp\" from tmpfs size 1MiB; }\n$rules",
        uses => 'base');
}

sub told { # runs Python and returns what it printed, the denied calls of the report by operation, and what was said
    my ($user, $dir, $code, %more) = @_;
    my $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json", @{ $more{args} // [] }],
            seconds => patience(60), %{ $more{run} // {} } }, 'python3', '-c', "$python$code");
    return ($run, { map { $_->{operation} => $_ } @{ decode_json(slurp("$dir/w/r.json"))->{calls} } });
}

for my $user (users()) {
    my $name = $user->{name};
    my $dir = policy($user, 'syscalls { deny getpriority with EXDEV because "nobody needs it"; }');
    my ($run, $calls) = told($user, $dir, <<'P', args => ['--events', "$dir/w/e.json"]);
for i in range(3): call("ptrace", 0, 0, 0, 0)
call("unshare", 0x10000000)
call("getpriority", 0, 0)
call("chmod", b"/tmp", 0o4777)
call("socket", 17, 3, 0)
call("socket", 2, 1, 0)
call("getppid")
P
    is $run->{status}, 0, "$name: runs" or diag $run->{err};
    is $run->{out}, "ptrace -1 1\n" x 3
        . "unshare -1 1\ngetpriority -1 18\nchmod -1 1\nsocket -1 97\nsocket -1 13\ngetppid 0 0\n"
            =~ s/getppid 0/getppid @{[ $run->{out} =~ m{getppid (\d+)} ]}/r,
        "$name: each has the answer that the policy gives";
    is $calls->{'syscall ptrace'}{count}, 3, "$name: counted";
    ok !exists $calls->{'syscall ptrace'}{rule}, "$name: no rule denied that";
    like $calls->{'syscall getpriority'}{rule}, qr/p\.sbx:\d+:\d+: deny getpriority/, "$name: a rule did that";
    is $calls->{'syscall chmod where mode == 0x9ff'}{count}, 1,
        "$name: with the argument that decided" or diag explain $calls;
    is $calls->{'syscall socket where family == AF_PACKET'}{count}, 1, "$name: by its name";
    like $calls->{'syscall socket where family == AF_INET and type == 1'}{rule}, qr/no net rule allows tcp/,
        "$name: a call that belongs to a net rule says so";
    is scalar(keys %$calls), 6, "$name: and nothing else" or diag join "\n", keys %$calls;
    is $run->{err}, '', "$name: nothing is said where all went well and nobody looks";
    my @lines = map { decode_json($_) } split /\n/, slurp("$dir/w/e.json");
    is scalar(grep { $_->{event} eq 'denied' } @lines), 6, "$name: each is streamed when it is met first";
    is scalar(grep { $_->{event} eq 'denied in all' && $_->{operation} eq 'syscall ptrace' && $_->{count} == 3 }
        @lines), 1, "$name: and counted at the end";

    # The line that it names allows it.
    my $both = "call('ptrace', 0, 0, 0, 0); call('personality', 0x400000)";
    ($run) = told($user, $dir, "$both; exit(1)");
    my @allows = $run->{err} =~ /`syscalls \{ (allow .*?;) \}` would/g;
    is scalar(@allows), 2, "$name: where the command failed, the lines that would allow it" or diag $run->{err};
    my $wider = policy($user, "syscalls { @allows }");
    ($run, $calls) = told($user, $wider, $both);
    is $run->{out}, "ptrace 0 0\npersonality 0 0\n", "$name: those lines do" or diag $run->{err};
    is_deeply $calls, {}, "$name: and then nothing is told";

    # But none gives a file set-user-ID or set-group-ID bits, whatever a policy has allowed of them already.
    for my $rules ('', 'allow chmod;', 'allow chmod where mode == 0o6711;') {
        my $gives = policy($user, "syscalls { $rules }");
        ($run) = told($user, $gives, "call('chmod', b'/tmp', 0o4755); call('chmod', b'/tmp', 0o2755); exit(1)");
        my $want = $rules =~ /6711/ ? 0 : -1;
        like $run->{out}, qr/^(?:chmod $want \d\n){2}\z/, "$name: set-user-ID bits beside `$rules`"
            or diag $run->{err};
        unlike $run->{err}, qr/would/, "$name: no rule is named that gives any";
    }
    my $bare = policy($user, '');
    spew("$bare/p.sbx", 'sbx 1; policy p { fs { allow read, exec "/usr"; allow read, exec "/bin", "/lib", "/lib64" if
        exists; allow read, write "/tmp" from tmpfs size 1MiB; } syscalls { allow @default, @file-system, @io-event,
        @ipc, @process, @timer, @scheduling, open, openat, ioctl, prctl, clone, arch_prctl; allow chmod where mode ==
        0o6711; } process { env PATH = "/usr/bin:/bin"; } }');
    ($run, $calls) = told($user, $bare, "call('chmod', b'/tmp', 0o4755); exit(1)");
    is $run->{out}, "chmod -1 1\n", "$name: where one is allowed, others are not" or diag $run->{err};
    is_deeply [map { $_->{would_allow} } grep { $_->{operation} =~ /chmod/ } values %$calls], [undef],
        "$name: nor is a rule named for those" or diag $run->{err};

    # What takes a capability as well says so; one of the host's no rule gives.
    my $needy = "def t(f, *a):\n    try: f(*a); print('ok')\n    except OSError as e: print(e.errno)\n"
        . "import socket, time\nt(socket.sethostname, 'x'); t(os.chroot, '/'); t(os.mknod, '/w/d', 0o020600, 259); "
        . "t(time.clock_settime, 0, 1.0); t(os.setuid, 77); exit(1)";
    ($run, $calls) = told($user, $dir, $needy);
    is $run->{out}, "1\n" x 5, "$name: calls that need capabilities" or diag $run->{err};
    is_deeply { map { $_ => [@{ $calls->{$_} }{'would_allow', 'needs'}] } keys %$calls }, {
        'syscall sethostname' => ['syscalls { allow sethostname; } process { capabilities CAP_SYS_ADMIN; }', undef],
        'syscall chroot' => ['syscalls { allow chroot; } process { capabilities CAP_SYS_CHROOT; }', undef],
        'syscall mknodat where mode == 0x2180' => [undef, 'CAP_MKNOD of the host'],
        'syscall clock_settime' => [undef, 'CAP_SYS_TIME of the host'],
        'syscall setuid' => ['syscalls { allow setuid; }', 'CAP_SETUID of the host to become somebody else'],
    }, "$name: it is said which" or diag explain $calls;
    like $run->{err},
        qr/denied syscall clock_settime: no rule allows it\n +none would: it takes CAP_SYS_TIME of the host$/m,
        "$name: and what no rule gives";
    like $run->{err},
        qr/`syscalls \{ allow setuid; \}` would, but it takes CAP_SETUID of the host to become somebody else$/m,
        "$name: or gives in part";
    ($run) = told($user, policy($user, join ' ', $run->{err} =~ /`(syscalls .*?)` would/g), $needy);
    is $run->{out}, "ok\nok\n1\n1\n22\n", "$name: the lines that it names do what they say" or diag $run->{err};

    # What libraries try without a need is in the report, with who does; what was denied last is told first, and five
    # things at most.
    ($run, $calls) = told($user, $dir, "import socket\n"
        . "try: socket.socket(socket.AF_UNIX, 0x80801)\nexcept OSError: exit(1)");
    is $run->{err}, '', "$name: a probe is not told" or diag $run->{err};
    is $calls->{'syscall socket where family == AF_UNIX and type == 0x80801'}{probe},
        'the C library: a cache of names (nscd)', "$name: but counted, with who makes it";
    ($run) = told($user, $dir, join('; ', map { "call('$_', 0, 0, 0, 0, 0)" }
        qw(ptrace unshare chroot swapoff acct reboot ptrace)) . '; exit(1)');
    is_deeply [$run->{err} =~ /^sbxrun: (?:and )?denied (?:syscall )?(.*?)(?=[,:]| other| where)/mg],
        [qw(ptrace reboot acct swapoff chroot 1)], "$name: the likeliest first" or diag $run->{err};

    # Many.
    ($run, $calls) = told($user, $dir, "import resource\nfor i in range(100000): libc.ptrace(0, 0, 0, 0)\n"
        . "for i in range(5000): libc.ioctl(0, 0x12340000 + i)");
    is $run->{status}, 0, "$name: a flood ends";
    is $calls->{'syscall ptrace'}{count}, 100000, "$name: all of it counted";
    is scalar(keys %$calls), 1000, "$name: a thousand are told apart";

    # Threads, children, signals.
    ($run, $calls) = told($user, $dir, <<'P');
import threading, signal
bad = []
def many():
    for i in range(2000):
        ctypes.set_errno(0)
        if libc.ptrace(0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: bad.append(ctypes.get_errno())
signal.signal(signal.SIGALRM, lambda *_: None); signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
threads = [threading.Thread(target=many) for _ in range(3)]
for t in threads: t.start()
many()
for t in threads: t.join()
signal.setitimer(signal.ITIMER_REAL, 0)
pid = os.fork()
if pid == 0:
    bad.clear(); many(); os._exit(any(e != 4 for e in bad))
print(os.waitpid(pid, 0)[1], [e for e in bad if e != 4], len(bad)) # some are interrupted before they were received
P
    like $run->{out}, qr/^0 \[\] \d+$/, "$name: threads and children, with signals" or diag $run->{err};
    my ($interrupted) = $run->{out} =~ /(\d+)$/;
    cmp_ok $calls->{'syscall ptrace'}{count}, '>=', 10000 - ($interrupted // 0), "$name: none is lost";

    # From a plan, which knows no rules of calls.
    my $plan = run({ %$user, cwd => $dir, seconds => 60 }, $sbxc, '--emit=plan', '--no-proof', 'p.sbx');
    spew("$dir/p.json", $plan->{out});
    $run = run({ %$user, cwd => $dir, seconds => 60 }, $sbxrun, '--report', "$dir/w/r.json", 'p.json', '--', 'python3',
        '-c', "${python}call('getpriority', 0, 0)");
    is $run->{out}, "getpriority -1 18\n", "$name: under a plan" or diag $run->{err};
    is decode_json(slurp("$dir/w/r.json"))->{calls}[0]{operation}, 'syscall getpriority', "$name: told too";
}

# Files, where that is asked for.
for my $user (users()) {
    my $name = $user->{name};
    my $dir = policy($user,
        'fs { allow read "/etc/passwd"; allow read, write "/w" from "./w"; deny write "/w/kept" because "ours"; }');
    spew("$dir/w/kept", "x\n");
    owned($user, "$dir/w/kept");
    my $code = 'for path, mode in (("/etc/shadow", "r"), ("/etc/passwd", "r"), ("/etc/passwd", "a"),
        ("/nonexistent", "r"), ("/etc/new", "w"), ("/w/kept", "w"), ("/w/free", "w"), ("/etc/shadow", "r")):
    try: open(path, mode); print(path, "ok")
    except OSError as e: print(path, "refused")
os.stat("/etc")
for run in lambda: subprocess.run(["/w/tool"]), lambda: subprocess.run(["true"]), lambda: os.execv("/w/tool", ["tool"]):
    try: run(); print("ran")
    except OSError as e: print("not run")
exit(1)';
    system('cp', '/bin/true', "$dir/w/tool");
    my $plain = in_sandbox($user, $dir, { seconds => patience(60) }, 'python3', '-c', "$python$code");
    my $run = in_sandbox($user, $dir, { args => ['--explain-files', '--report', "$dir/w/r.json"],
            seconds => patience(60) }, 'python3', '-c', "$python$code");
    is $run->{out}, $plain->{out}, "$name: --explain-files changes nothing for the command" or diag $run->{err};
    like $run->{out},
        qr{^/etc/shadow\ refused\n/etc/passwd\ ok\n/etc/passwd\ refused\n/nonexistent\ refused\n/etc/new\ refused\n
            /w/kept\ refused\n/w/free\ ok\n/etc/shadow\ refused\nnot\ run\nran\nnot\ run$}mx,
        "$name: files are kept as ever";
    # A call that is denied with kill ends its process all the same, also one that names a file.
    spew("$dir/kill.sbx", slurp(
            "$dir/p.sbx") =~ s/policy p/policy kills/r
            =~ s/\}\s*\z/ syscalls { deny chmod, fchmodat, fchmodat2 with kill; } }\n/r);
    for my $explain ([], ['--explain-files']) {
        my $killed = run({ %$user, cwd => $dir }, $sbxrun, @$explain, 'kill.sbx', '--', 'sh', '-c',
            'cat /etc/shadow; chmod 600 /w/free; echo $?');
        is $killed->{out}, "159\n", "$name: @$explain a process that is killed for its call" or diag $killed->{err};
        $killed = run({ %$user, cwd => $dir }, $sbxrun, @$explain, 'kill.sbx', '--', 'chmod', '600', '/w/free');
        is $killed->{status}, 159, "$name: @$explain the command itself";
        like $killed->{err}, qr/^sbxrun: killed by SIGSYS, as for a system call that a rule denies `with kill`/m,
            "$name: that is told";
    }
    my %files = map { $_->{operation} => $_ } @{ decode_json(slurp("$dir/w/r.json"))->{files} };
    is $files{'read "/etc/shadow"'}{count}, 2, "$name: a file that no rule allows" or diag explain \%files;
    is $files{'write "/etc/passwd"'}{count}, 1, "$name: one that may not be written";
    is $files{'create "/etc/new"'}{count}, 1, "$name: one that may not be made";
    is $files{'exec "/w/tool"'}{count}, 2, "$name: one that may not be executed";
    is_deeply [grep { /^exec/ && !m{/w/tool} } keys %files], [], "$name: and no other, whatever is";
    ok !exists $files{'read "/nonexistent"'}, "$name: what is not there is not told";
    ok !exists $files{'read "/etc"'}, "$name: nor the way to what is shown";
    like $run->{err},
        qr/^sbxrun:\ denied\ read\ "\/etc\/shadow",\ 2\ times:\ no\ rule\ allows\ it\n
            \ +`fs\ \{\ allow\ read\ "\/etc\/shadow";\ \}`\ would$/mx,
        "$name: said at the end, with what would allow it";
    my ($kept) = grep { /kept/ } keys %files;
    like $files{ $kept // '' }{rule} // '', qr/deny write "\/w\/kept" because "ours"/,
        "$name: with the rule that denies it" or diag explain \%files;
    # What only Landlock refuses.
    my $only = policy($user, 'fs { allow read, modify "/m" from "./m"; }');
    mkdir "$only/m";
    spew("$only/m/f", "x\n");
    owned($user, "$only/m", "$only/m/f");
    $run = in_sandbox($user, $only, { args => ['--explain-files', '--report', "$only/w/r.json"], seconds =>
            patience(60) }, 'sh', '-c', 'echo more >> /m/f && echo wrote; true > /m/new; mkdir /m/d; rm /m/f; exit 1');
    is_deeply [$run->{out}, sort map { $_->{operation} } @{ decode_json(slurp("$only/w/r.json"))->{files} }],
        ["wrote\n", 'create "/m/d"', 'create "/m/new"', 'delete "/m/f"'],
        "$name: also what only Landlock keeps" or diag $run->{err};
    # The lines that it names allow it.
    my $work = 'echo a > /r/new; echo b >> /r/f; rm /r/g; mv /r/h /r/i; mkdir /m/d; /r/tool; cat /r/new';
    my $rules = 'fs { allow read "/r" from "./r"; allow read, modify "/m" from "./m"; }';
    my $make = sub {
        my $some = policy($user, "$rules @_");
        mkdir "$some/$_" for qw(r m);
        spew("$some/r/$_", $_) for qw(f g h);
        spew("$some/r/tool", "#!/bin/sh\necho ran\n");
        chmod 0755, "$some/r/tool";
        owned($user, glob("$some/r/* $some/r $some/m"));
        return $some;
    };
    $run = in_sandbox($user, $make->(), { args => ['--explain-files'], seconds => patience(60) }, 'sh', '-c',
        "$work; exit 1");
    my %lines = map { $_ => 1 } $run->{err} =~ /`(fs \{ allow .*?; \})` would/g;
    is scalar(keys %lines), 4, "$name: a line for each" or diag $run->{err};
    is $run->{err} =~ s/: no rule allows it\n(?! +`)//gr, $run->{err}, "$name: none is without";
    $run = in_sandbox($user, $make->(keys %lines), { args => ['--explain-files'], seconds => patience(60) }, 'sh', '-c',
        "$work; exit 1");
    is "$run->{out}$run->{err}", "ran\na\n", "$name: with those lines all of it works";
    # Names are the command's to choose: none of their bytes reaches a terminal as it is.
    my $odd = policy($user,
        'fs { allow read, write "/w" from "./w"; deny write "/w/ro"; allow read, exec "/attack" from "./attack"; }');
    mkdir "$odd/w/ro";
    spew("$odd/w/ro/\e[2J\xff\xc2\x9b", "x");
    system('cp', "$build/tests/attacks/attack", "$odd/attack");
    $run = in_sandbox($user, $odd, { args => ['--explain-files', '--report', "$odd/w/r.json"],
            seconds => patience(60) }, 'sh', '-c', 'for f in /w/ro/*; do : >> "$f"; done; exit 1');
    like $run->{err}, qr{denied write "/w/ro/\\x1b\[2J\\xff\\xc2\\x9b"},
        "$name: an odd name is written so that nobody obeys it" or diag $run->{err};
    is decode_json(slurp("$odd/w/r.json"))->{files}[0]{operation}, 'write "/w/ro/\\x1b[2J\\xff\\xc2\\x9b"',
        "$name: in the report too";
    $run = in_sandbox($user, $odd, { args => ['--explain-files'], seconds => patience(60) }, '/attack', 'i386');
    ok $run->{status} == 128 + 31 || $run->{status} == 128 + 11,
        "$name: a call of another architecture is killed as ever" or diag $run->{status};

    my $flood = in_sandbox($user, $dir, { args => ['--explain-files'], seconds => patience(60) }, 'sh', '-c',
        'i=0; while [ $i -lt 300 ]; do cat /w/kept > /dev/null; i=$((i+1)); done; echo done');
    is $flood->{out}, "done\n", "$name: many processes";
}

# A filter that allows what starting takes is asked; one that denies it starts nothing, and waits for nobody.
my $dir = policy({}, 'syscalls { deny exit_group with EPERM; }');
my $run = in_sandbox({}, $dir, { seconds => patience(20) }, '/usr/bin/true');
ok $run->{seconds} < patience(10), 'a command that may not exit does not hang' or diag $run->{err};
my $reports = folder();
in_sandbox({}, $dir, { args => ['--report', "$reports/r.json"], seconds => patience(20) }, '/usr/bin/true');
like decode_json(slurp("$reports/r.json"))->{calls}, qr/^not told: /,
    'and the report does not pretend that nothing was denied';
$run = in_sandbox({}, $dir, { args => ['--explain-files'], seconds => patience(20) }, '/usr/bin/true');
is $run->{status}, 125, 'nor is it run where it is to be told about';
like $run->{err}, qr/files can't be told under this policy/, 'which is said';
done_testing;
