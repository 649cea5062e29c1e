#!/usr/bin/perl
# Limits: each is gone over, and holds, and the report says so. What can't be kept here is refused, or degrades when the
# policy says it may.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use JSON::PP;
use POSIX ();
use Test::More;

sub report { my ($dir) = @_; decode_json(slurp("$dir/w/r.json")) }

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $try = sub {
        my ($limits, $code, %o) = @_;
        my $dir = sandbox($user,
            "fs { allow read, write \"/w\" from \"./w\"; allow read, write \"/tmp\" from tmpfs size 512MiB; } "
            . "limits { $limits }", uses => 'python');
        $o{before}->($dir) if $o{before};
        my $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => 30 },
            ref $code ? @$code : ('python3', '-c', $code));
        $run->{report} = report($dir) if -s "$dir/w/r.json";
        return $run;
    };
    my $use = sub { my ($run, $limit) = @_; (grep { $_->{limit} eq $limit } @{ $run->{report}{limits} })[0] };
    my $run = $try->('lifetime 300ms;', ['sh', '-c', 'trap "" TERM INT HUP; sleep 100']);
    is $run->{status}, 124, "$name: lifetime";
    cmp_ok $run->{seconds}, '<', patience(10), "$name: is kept";
    is $run->{report}{ended}{how}, 'lifetime limit', "$name: and reported";
    like $run->{err}, qr/lifetime ran out \(p\.sbx:6:/, "$name: with its rule";

    $run = $try->('cpu_time 1s;', ['sh', '-c', 'while :; do :; done']);
    is $run->{status}, 128 + 9, "$name: cpu_time" or diag $run->{err};
    cmp_ok $run->{report}{cpu_us}, '>', 900_000, "$name: counted";
    is $use->($run, 'cpu_time')->{reached}, 1, "$name: reached";
    cmp_ok $use->($run, 'cpu_time')->{peak}, '>=', 900, "$name: with its peak";
    like $run->{err}, qr/killed for its processor time, after 1\.\d{3} s \(p\.sbx:6:/, "$name: said, with its rule";
    is $run->{report}{ended}{how}, 'cpu_time limit', "$name: and reported";
    # Of all processes together: one after the other, at once, and such as nobody waits for.
    my $burn = 'import os, sys, time, signal
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
    os._exit(0)
';
    for my $case (
        ['one after the other', "for i in range(6):\n  if os.fork() == 0: burn(0.3)\n  os.wait()"],
        ['at once', "for i in range(6):\n  if os.fork() == 0: burn(0.3)\nfor i in range(6): os.wait()"],
        ['nobody waits for them', "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nfor i in range(6):\n"
            . "  pid = os.fork()\n  if pid == 0: burn(0.3)\n  try: os.waitpid(pid, 0)\n  except OSError: pass"],
        ['by threads', "import threading\nts = [threading.Thread(target=burn, args=(9,)) for i in range(3)]\n"
            . "[t.start() for t in ts]\n[t.join() for t in ts]"],
        ['orphans', "for i in range(6):\n  if os.fork() == 0:\n    if os.fork() == 0: burn(0.3)\n    os._exit(0)\n"
            . "  os.wait()\ntime.sleep(15)"],
    ) {
        $run = $try->('cpu_time 700ms; lifetime 20s;', $burn . $case->[1]);
        is "$run->{status} $run->{report}{ended}{how}", '137 cpu_time limit',
            "$name: cpu_time, $case->[0]" or diag explain $run;
        cmp_ok abs($run->{report}{cpu_us} / 1e6 - 0.7), '<', patience(0.25), "$name: when that much is used";
    }
    $run = $try->('cpu_time 5s;', $burn . "for i in range(3):\n  if os.fork() == 0: burn(0.1)\n  os.wait()");
    is "$run->{status} $run->{err}", '0 ', "$name: cpu_time, less than that";
    is $try->('open_files 20;', "fs = [open('/dev/null') for i in range(30)]")->{err} =~ /Too many open files/, 1,
        "$name: open_files";
    $run = $try->('open_files 20;', "import os, time\nif os.fork(): os.wait()\n"
        . "else:\n  try: fs = []; [fs.append(open('/dev/null')) for i in range(30)]\n  except OSError: time.sleep("
        . patience(0.4) . ')');
    is_deeply [@{ $use->($run, 'open_files') }{'peak', 'reached'}], [20, 1],
        "$name: its peak is seen, in any process" or diag explain $run->{report};
    like $run->{err}, qr/^sbxrun: a process had as many files open as it may \(p\.sbx:6:/m, "$name: and said";
    $run = $try->('open_files 20;',
        "import time\nfs = [open('/dev/null') for i in range(10)]; time.sleep(" . patience(0.4) . ')');
    is_deeply [@{ $use->($run, 'open_files') }{'peak', 'reached'}], [13, undef],
        "$name: one below it says nothing of what was between";
    $run = $try->('file_size 1MiB;',
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nopen('/tmp/f', 'wb').write(b'x' * 2000000)");
    like $run->{err}, qr/File too large/, "$name: file_size";
    $run = $try->('file_size 1MiB;', ['sh', '-c', 'exec head -c 2000000 /dev/zero > /tmp/f']);
    is_deeply [$run->{status}, $use->($run, 'file_size')->{reached}], [128 + 25, 1],
        "$name: ends who goes over it, which is said";
    like $run->{err}, qr/^sbxrun: a file reached the size that one may have \(p\.sbx:6:/m, "$name: in a sentence";
    $run = $try->('file_size 1MiB;', ['sh', '-c', 'head -c 2000000 /dev/zero > /tmp/f']);
    like $run->{err}, qr/^sbxrun: a file reached the size that one may have/m,
        "$name: also where a shell says how its command ended";
    $run = $try->('file_size 1MiB;',
        ['sh', '-c', '(trap "" XFSZ; head -c 2000000 /dev/zero; sleep ' . patience(0.4) . ') > /tmp/f; true']);
    is_deeply [$run->{status}, @{ $use->($run, 'file_size') }{'peak', 'reached'}], [0, 1 << 20, 1],
        "$name: one that goes on is seen at it, and so is its peak" or diag explain $run;
    $run = $try->('file_size 1MiB;',
        ['sh', '-c', '{ head -c 200000 /dev/zero; sleep ' . patience(0.4) . '; } > /tmp/f']);
    is_deeply [@{ $use->($run, 'file_size') }{'peak', 'reached'}], [200_000, undef], "$name: one within it has a peak";
    $run = $try->('file_size 1MiB;', "import time\n"
        . "f = open('/w/large', 'rb'); f.seek(1 << 19); g = open('/w/large', 'r+b'); g.seek(1 << 30); time.sleep("
        . patience(0.4) . ')', before => sub { spew("$_[0]/w/large", 'x') });
    cmp_ok $use->($run, 'file_size')->{peak} // 0, '<', 4096,
        "$name: to read is not to write, nor is to seek" or diag explain $run;

    $run = $try->('file_size 0B;', "import time\nf = open('/tmp/f', 'wb'); time.sleep(" . patience(0.4) . ')');
    is $use->($run, 'file_size')->{reached}, undef, "$name: nobody has reached a limit of nothing who wrote nothing";

    my $disks = sub { my ($run) = @_; return { map { $_->{place} => $_->{used} } @{ $run->{report}{disks} } } };
    $run = $try->('pids 9;', ['sh', '-c', 'head -c 5000000 /dev/zero > /tmp/x']);
    is $run->{report}{disks}[0]{size}, 512 << 20, "$name: a place with a size is reported";
    cmp_ok abs($disks->($run)->{'/tmp'} - 5_000_000), '<', 65536, "$name: with what it held";
    $run = $try->('pids 9;', ['sh', '-c', 'head -c 600000000 /dev/zero > /tmp/x']);
    like $run->{err}, qr/No space left/, "$name: a full one";
    is $disks->($run)->{'/tmp'}, 512 << 20, "$name: is seen to be full";
    $run = $try->('lifetime 300ms;', ['sleep', '100']);
    is $disks->($run)->{'/tmp'}, undef, "$name: of a sandbox that was killed it is not known";
    $run = $try->('lifetime ' . patience(1) . 's;', ['sh', '-c', 'head -c 7000000 /dev/zero > /tmp/x; sleep 100']);
    cmp_ok abs($run->{report}{disks}[0]{peak} - 7_000_000), '<', 65536, "$name: but its peak is";
    $run = $try->('pids 9;',
        ['sh', '-c', 'head -c 600000000 /dev/zero > /tmp/x; sleep ' . patience(0.3) . '; rm /tmp/x']);
    is $disks->($run)->{'/tmp'}, 0, "$name: of one that was emptied nothing is left";
    is $run->{report}{disks}[0]{peak}, 512 << 20, "$name: and the peak is its size: it was full";

    $run = $try->('output 1KiB;', ['sh', '-c', 'yes']);
    is length $run->{out}, 1024, "$name: output";
    is "$run->{status} $run->{report}{ended}{how}", '137 output limit', "$name: ends it";
    is $use->($run, 'output')->{reached}, 1, "$name: said of the limit";
    is $use->($run, 'output')->{value}, 1024, "$name: with its value";
    is $use->($run, 'output')->{peak}, 1024, "$name: and its peak";
    $run = $try->('output 1MiB;', ['sh', '-c', 'echo out; echo err >&2; exit 3']);
    is "$run->{status} $run->{out} $run->{err}", "3 out\n err\n", "$name: output within the limit";
    $run = $try->('output 1MiB;', ['sh', '-c', 'yes | head -c 500000']);
    is length $run->{out}, 500000, "$name: all of it";
    my $slow = sandbox($user, 'limits { output 1MiB; lifetime 10s; }');
    $run = run({ %$user, cwd => $slow }, 'sh', '-c',
        "$sbxrun p.sbx -- head -c 120000 /usr/bin/perl | { sleep 0.5; wc -c; }");
    is $run->{out}, "120000\n", "$name: also for a slow reader, when the command has ended";
    # Descriptor 0 is no way past it, whatever can be written there; what is to be read there still is.
    my $past = 'cat; for fd in /dev/stdin /proc/self/fd/0; do timeout 0.3 sh -c "head -c 200000 /dev/zero '
        . '> $fd" 2>/dev/null; { head -c 200000 /dev/zero >&0; } 2>/dev/null; done; exit 6';
    my ($while, $long) = (patience(0.3), patience(5));
    my $small = sandbox($user, 'limits { output 1KiB; lifetime ' . patience(10) . 's; }');
    my $given = sub {
        my ($how) = @_;
        run({ %$user, cwd => $small, seconds => 30 }, 'bash', '-c', $how =~ s/SBX/$sbxrun p.sbx -- sh -c '$past'/r);
    };
    spew("$small/w/file", "in a file\n");
    owned($user, "$small/w/file");
    $run = $given->('SBX <> w/file');
    is "$run->{status} $run->{out}", "6 in a file\n",
        "$name: a file as standard input, open for writing" or diag explain $run;
    is slurp("$small/w/file"), "in a file\n", "$name: is not written";
    $run = $given->("mkfifo w/fifo; { exec 9<> w/fifo; (sleep $while; echo in a fifo >&9; sleep $while) & "
        . "timeout $long cat <&9 > w/rest" . ' & exec 8<> w/fifo; SBX < <(echo in a pipe); }; wc -c < w/rest');
    like $run->{out}, qr/^in a pipe\n\d\d?\n$/, "$name: a pipe";
    $run = $given->('SBX <> /dev/null');
    is "$run->{status} $run->{out}", '6 ', "$name: /dev/null, open for both";
    socketpair(my $mine, my $theirs, 1, 1, 0) or die $!; # AF_UNIX, SOCK_STREAM
    $mine->autoflush(1);
    print {$mine} "in a socket\n";
    shutdown $mine, 1;
    $run = run({ %$user, cwd => $small, setup => sub { POSIX::dup2(fileno $theirs, 0) } }, $sbxrun, 'p.sbx', '--', 'sh',
        '-c', $past);
    close $theirs;
    is "$run->{status} $run->{out}", "6 in a socket\n", "$name: a socket";
    is do { local $/; <$mine> } // '', '', "$name: gets nothing back";
    # seconds of processor time for a short wait and a longer one: a supervisor that spins pays for the difference
    my @cost = map {
        $run = run({ %$user, cwd => $slow }, 'bash', '-c', "{ time -p $sbxrun p.sbx -- sleep $_; } | true");
        $run->{err} =~ /^user ([\d.]+)\nsys ([\d.]+)/m ? $1 + $2 : 99;
    } 0.3, patience(2);
    cmp_ok $cost[1] - $cost[0], '<', patience(1.3), "$name: waiting costs nothing when nobody reads any more";

    $run = $try->('pids 10;', "import os, time\nn = 0\ntry:\n"
        . "  while n < 50:\n    if os.fork() == 0: time.sleep(60); os._exit(0)\n    n += 1\n"
        . "except OSError as e: print(n, e.strerror, flush=True)\nos._exit(0)");
    is $run->{out}, "9 Resource temporarily unavailable\n", "$name: pids, in processes";
    $run = $try->('pids 10;', "import threading, time, os\nn = 0\ntry:\n"
        . "  while n < 50: threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1\nexcept "
        . "RuntimeError as e: print(n, e, flush=True)\nos._exit(0)");
    is $run->{out}, "9 can't start new thread\n", "$name: pids, in threads";
    if (!defined $user->{uid}) { cmp_ok $run->{report}{pids_refused}, '>', 0, "$name: what was refused is counted" }
    $run = $try->('pids 10;', "import os, time\nfor i in range(12):\n  try:\n    if os.fork() == 0: time.sleep(60); "
        . "os._exit(0)\n  except OSError: pass\ntime.sleep(" . patience(0.5) . ')');
    like $run->{err},
        qr/^sbxrun:\ (?:a\ process\ or\ thread\ more\ than\ there\ may\ be\ was\ refused,\ \d+\ times|there\ were\ 
            as\ many\ processes\ and\ threads\ as\ there\ may\ be)\ \(p\.sbx:6:/mx,
        "$name: and said";
    is $use->($run, 'pids')->{reached} > 0, 1, "$name: in the report, too" or diag explain $use->($run, 'pids');

    # A fork bomb: held, and the lifetime ends it.
    $run = $try->('pids 30; lifetime 1s;', "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass");
    is $run->{status}, 124, "$name: a fork bomb";
    cmp_ok $run->{seconds}, '<', patience(15), "$name: ends in time";

    # What the limit of memory does not count can be kept out.
    my $unlocked = sandbox($user,
        'syscalls { deny fcntl where cmd in { F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW }; }', uses => 'python');
    $run = in_sandbox($user, $unlocked, 'python3', '-c', <<'P');
import fcntl
for name in "/dev/shm/f", "/usr/bin/env":
    for how in fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_SH:
        try: fcntl.lockf(open(name, "a+" if "shm" in name else "r"), how, 1, 5); print("locked")
        except OSError as e: print(e.errno, end=" ")
P
    is $run->{out}, '1 1 1 1 ', "$name: no locks on parts of files" or diag $run->{err};

    # Memory and cpu: by control groups, which an ordinary user may or may not make.
    $run = $try->('memory 64MiB;', 'print("small")');
    if ($run->{status} == 125) {
        like $run->{err},
            qr/the limit memory needs a control group, and you may make none on this host \(p\.sbx:6:.*\n.*delegated/,
            "$name: no control groups: refused, with what to do";
        is $run->{out}, '', "$name: and not run";
        my $dir = sandbox($user, "fs { allow read, write \"/w\" from \"./w\"; }\nlimits { memory 64MiB; pids 20; }\n"
            . "require cgroup else degrade because \"not here\";");
        $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"] }, 'echo', 'ran');
        is $run->{out}, "ran\n", "$name: unless the policy lets it degrade";
        is_deeply [sort map { $_->{lost} } @{ report($dir)->{degraded} }], ['cgroup', 'limit memory'],
            "$name: which the report says";
        is in_sandbox($user, $dir, { args => ['--strict'] }, 'echo', 'ran')->{status}, 125,
            "$name: and --strict refuses";
      SKIP: { skip 'an ordinary user may make no control groups on this host', 1 }
    } else {
        is $run->{report}{peak_memory_of}, 'sandbox', "$name: memory is counted";
        for my $case (['heap', "a = bytearray(200000000)"], ['tmpfs', "open('/tmp/f', 'wb').write(b'x' * 200000000)"],
            ['many', "import os\nfor i in range(8):\n"
                . "  if os.fork() == 0: a = bytearray(20000000); import time; time.sleep(3); os._exit(0)\nos.wait()"]) {
            $run = $try->('memory 64MiB; lifetime 10s;', $case->[1]);
            is "$run->{status} $run->{report}{ended}{how}", '137 memory limit', "$name: memory, by $case->[0]";
            cmp_ok $run->{report}{peak_memory_bytes}, '<=', 64 << 20, "$name: never more";
            cmp_ok $run->{report}{peak_memory_bytes}, '>', 60 << 20, "$name: the peak is reported";
        }
        like $run->{err}, qr/killed for its memory, at a peak of 6\d MiB \(p\.sbx:6:/, "$name: says so, with the rule";
        # What waits in sockets: of netlink, which nothing counts, there are few; of tcp it is counted.
        my $sockets = sandbox($user, 'net { allow bind, listen, connect tcp loopback; } limits { memory 32MiB; }',
            uses => 'python');
        $run = in_sandbox($user, $sockets, 'python3', '-u', '-c', <<'P');
import errno, os, socket
print(socket.if_nameindex()[0][1])
def netlink(): return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
def all_of(): # by three processes
    kept = []
    try:
        while True: kept.append(netlink())
    except OSError as e: return kept, errno.errorcode[e.errno]
first = [netlink() for _ in range(30)]; first[0].bind((0, 0))
kept, error = all_of(); print(len(first) + len(kept), error, kept[0].getsockname()[0], kept[0].get_inheritable())
if os.fork() == 0: print(len(all_of()[0]), flush=True); os._exit(0)
os.wait(); first[0].close(); print(len(all_of()[0]))
P
        is $run->{out}, "lo\n64 ENOBUFS 0 False\n0\n1\n", "$name: sockets of netlink, 64 of them" or diag $run->{err};
        $run = in_sandbox($user, $sockets, { seconds => 60 }, 'python3', '-c', <<'P');
import socket
server, kept, sent = socket.create_server(("127.0.0.1", 0), backlog=5), [], 0
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 30)
for _ in range(400):
    c = socket.create_connection(server.getsockname()); kept += [c, server.accept()[0]]; c.setblocking(False)
    try:
        for _ in range(14): sent += c.send(bytes(65536))
    except BlockingIOError: pass
print(sent >> 20)
P
        ok $run->{status} eq '137' || ($run->{status} eq '0' && $run->{out} < 200),
            "$name: what waits in sockets of tcp is counted" or diag "$run->{status} $run->{out} $run->{err}";
        $run = $try->('cpu 0.1; lifetime 20s;',
            "import time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end: pass");
        cmp_ok $run->{report}{cpu_us} / 1e6, '<', 0.2 * $run->{seconds}, "$name: a tenth of a core";
        cmp_ok $use->($run, 'cpu')->{reached}, '>', 0, "$name: the report says that it had to wait";
        $run = $try->('memory 64MiB; swap 0B; lifetime 10s;', "a = bytearray(200000000)");
        is "$run->{report}{ended}{how}", 'memory limit', "$name: nor by swap";
        is $use->($run, 'memory')->{reached} > 0 ? 1 : 0, 1, "$name: said of the limit";

        # Two that want the same processor.
        my %cpu;
        for my $round (1 .. 3) {
            my %pids;
            my $spin = patience(1) + 1; # they start as they can, and spin for the same seconds
            my $end = time + patience(1) + 3 + $spin;
            for my $weight (50, 500) {
                my $dir = sandbox($user, "fs { allow read, write \"/w\" from \"./w\"; } limits { cpu_weight $weight; }",
                    uses => 'python');
                my $pid = fork // die;
                if (!$pid) {
                    run({ %$user, cwd => $dir, seconds => patience(20) }, 'taskset', '-c', '0', $sbxrun, '--report',
                        "$dir/w/r.json", 'p.sbx', '--', 'python3', '-c',
                        "import time\ntime.sleep(max(0, $end - $spin - time.time()))\nwhile time.time() < $end: pass");
                    POSIX::_exit(0);
                }
                $pids{$weight} = [$pid, $dir];
            }
            for my $weight (keys %pids) {
                waitpid $pids{$weight}[0], 0;
                $cpu{$weight} += report($pids{$weight}[1])->{cpu_us};
            }
            last if $cpu{500} > 4 * $cpu{50};
        }
        cmp_ok $cpu{500}, '>', 4 * $cpu{50}, "$name: ten times the weight, most of the processor";

        # What is on a disk.
        $run = $try->('io 1MiB;', ['sh', '-c', 'dd if=/dev/zero of=/w/f bs=256k count=12 oflag=direct 2>&1']);
        like "$run->{status} $run->{err}", qr/^125 sbxrun: the limit io needs a control group of version 2/,
            "$name: io is refused without cgroup v2" if own_group('blkio');
      SKIP: {
            skip "$name: no io controller on this host",
                3 if $run->{status} == 125 && $run->{err} =~ /the limit io needs a control group/;
            skip "$name: the tests' folder is on no disk", 3 if $run->{status} != 0;
            cmp_ok $run->{seconds}, '>', 1.8, "$name: io, written" or diag $run->{out};
            is $use->($run, 'io')->{kept_by}, 'control group', "$name: and reported";
            cmp_ok abs($use->($run, 'io')->{peak} / (1 << 20) - 1), '<', 1.6,
                "$name: with its peak, by the kernel's measure";
        }
    }
    is left_since($before), '', "$name: no group is left";

    # A group that a killed sbxrun left is removed by the next run.
    if (!defined $user->{uid}) {
        my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } limits { memory 64MiB; }');
        my $pid = fork // die;
        if (!$pid) { chdir $dir; exec $sbxrun, 'p.sbx', '--', 'sh', '-c', 'echo up > /w/up; sleep 30' }
        soon(sub { -s "$dir/w/up" });
        kill KILL => $pid; waitpid $pid, 0;
        isnt left_since($before, 0), '', "$name: SIGKILL leaves a group";
        # its processes take a moment to die
        soon(sub { in_sandbox($user, $dir, 'true'); left_since($before, 0) eq '' });
        is left_since($before), '', "$name: a later run removes it";
    }
}
done_testing;
