#!/usr/bin/perl
# What a command can make sbxrun spend on its calls is bounded.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

own_network();

# Runs a command in the sandbox of a policy file; once it has said "ready", what sbxrun is then: { peak (KiB), files,
# threads, ticks }.
sub spent {
    my ($user, $dir, $policy, $seconds, @command) = @_;
    my $said = spew("$dir/said-" . int rand 1e9, q());
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>', $said or die $!;
        open STDERR, '>&', \*STDOUT or die $!;
        become($user);
        chdir $dir;
        exec @{ $user->{within} // [] }, $sbxrun, $policy, '--', @command or POSIX::_exit(99);
    }
    for (my $end = time + patience(60); time < $end && slurp($said) !~ /^ready$/m;) {
        return { said => slurp($said) } if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.05;
    }
    sleep $seconds;
    my ($peak) = (eval { slurp("/proc/$pid/status") } // '') =~ /^VmHWM:\s+(\d+)/m;
    opendir my $files, "/proc/$pid/fd";
    my $count = () = readdir $files if $files;
    my $threads = () = glob "/proc/$pid/task/*";
    my @stat = split ' ', (eval { slurp("/proc/$pid/stat") } // '') =~ s/^.*\) //r;
    kill TERM => $pid;
    for (my $end = time + patience(20); time < $end && waitpid($pid, POSIX::WNOHANG()) == 0;) { sleep 0.02 }
    return {
        peak => $peak, files => $count, threads => $threads, said => slurp($said),
        ticks => @stat ? $stat[11] + $stat[12] + $stat[13] + $stat[14] : undef, # also of processes that it started
    };
}

my $waiting = <<'P'; # THREADS of them wait to send a mebibyte each
import socket, sys, threading, time
def full():
    a, b = socket.socketpair(); pairs.append((a, b)); a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    a.setblocking(False)
    try:
        while True: a.send(bytes(65536))
    except BlockingIOError: a.setblocking(True)
    a.sendmsg([data])
data, pairs = bytes(1 << 20), []
threading.stack_size(65536)
for _ in range(int(sys.argv[1])): threading.Thread(target=full, daemon=True).start()
time.sleep(1); print("ready", flush=True); time.sleep(60)
P

my $crowd = <<'P'; # CALLS that wait for a socket whose other end takes nothing: how many do
import errno, resource, socket, sys, threading, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
a, b = socket.socketpair(); a.setblocking(False)
try:
    while True: a.send(bytes(65536))
except BlockingIOError: a.setblocking(True)
refused = []
def send():
    try: a.sendmsg([b"x"])
    except OSError as e: refused.append(e.errno == errno.ENOBUFS)
threading.stack_size(65536); calls = int(sys.argv[1])
for _ in range(calls): threading.Thread(target=send, daemon=True).start()
while len(refused) < int(sys.argv[2]): time.sleep(0.05)
time.sleep(0.5); print(calls - len(refused), all(refused), flush=True)
import os; os._exit(0)
P

my $full = <<'P'; # messages to a server that takes none wait for their own socket; then for the server alone
import socket, sys, threading, time
def socket_of_its_own():
    a, b = socket.socketpair(type=socket.SOCK_DGRAM); a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    a.setblocking(False)
    try:
        while True: a.send(bytes(300))
    except BlockingIOError: a.setblocking(True)
    b.setblocking(False); return a, b
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); server.bind("/s/a")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.setblocking(False)
try:
    while True: s.sendto(b"x", "/s/a")
except BlockingIOError: pass
pairs = [socket_of_its_own() for _ in range(400)]
threading.stack_size(65536)
for a, b in pairs: threading.Thread(target=a.sendto, args=(b"y", "/s/a"), daemon=True).start()
time.sleep(4)
for a, b in pairs if sys.argv[1] != "idle" else []:
    try:
        while True: b.recv(300)
    except BlockingIOError: pass
if sys.argv[1] == "served":
    server.settimeout(30); came = 0
    while came < 400: came += server.recv(1) == b"y"
print("ready", flush=True); time.sleep(60)
P

my $loops = <<'P'; # epoll instances that wait for much
import resource, select, socket, sys, os, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
s = socket.socket(type=socket.SOCK_DGRAM); many = min(15000, most - 200)
loops, at = [select.epoll() for _ in range(60)], os.eventfd(0)
if sys.argv[2] == "known": first = socket.socket(type=socket.SOCK_DGRAM); first.connect(("192.0.2.1", 7002))
for _ in range(many if sys.argv[1] == "many" else 1):
    copy = os.dup(at)
    for loop in loops: loop.register(copy, select.EPOLLIN)
s.connect(("192.0.2.1", 7002)); s.send(b"x"); print("ready", flush=True); time.sleep(60)
P

my $refused = <<'P';
import socket, sys, time
s = socket.socket(type=socket.SOCK_DGRAM); data = bytes(1 << 20); print("ready", flush=True)
while sys.argv[1] == "idle": time.sleep(1)
while True:
    try: s.sendmsg([data], [], 0, ("192.0.2.2", 7002))
    except PermissionError: pass
P

my $binds = <<'P'; # each is tried by a process of its own
import os, socket, sys, time
os.chdir("/s"); first, s = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX); first.bind("./x")
print("ready", flush=True)
while sys.argv[1] == "idle": time.sleep(1)
while True:
    try: s.bind("./x")
    except OSError: pass
P

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '    net { allow connect udp 192.0.2.1:7002; allow connect tcp 192.0.2.1:7001; }',
        uses => 'python');
    chmod 0777, $dir;
    spew("$dir/w/waiting.py", $waiting);
    spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/(fs \{)/$1 allow read "\/w" from ".\/w";/r);
    my @both = map { spent($user, $dir, 'p.sbx', 0.5, '/usr/bin/python3', '/w/waiting.py', $_) } 0, 200;
    ok !(grep { !defined $_->{peak} || $_->{said} !~ /^ready$/m } @both),
        "$who: both ran" or diag map { $_->{said} } @both;
    my ($none, $many) = @both;
    cmp_ok $many->{peak} - $none->{peak}, '<', 1024,
        "$who: 200 messages of 1 MiB that wait take no memory of sbxrun's ($none->{peak} KiB, $many->{peak} KiB)";
    cmp_ok $many->{files} - $none->{files}, '<=', 400,
        "$who: and two descriptors each ($none->{files}, $many->{files})";

    is $many->{threads}, 1, "$who: one thread does it, which is at one processor";

    # More than may wait at once: descriptors that sbxrun may have, calls that wait, calls that are made.
    spew("$dir/w/crowd.py", $crowd);
    for my $most ([2048, 512, 700], [16384, 4096, 4200]) {
        my ($files, $wait, $calls) = @$most;
        my $crowded = run({ %$user, cwd => $dir, seconds => 30 }, 'sh', '-c',
            "ulimit -n $files && exec $sbxrun p.sbx -- /usr/bin/python3 /w/crowd.py $calls " . ($calls - $wait));
        SKIP: {
            skip "$who: nobody here may have $files descriptors", 1 if $crowded->{err} =~ /ulimit/;
            is $crowded->{out}, "$wait True\n", "$who: of $calls calls $wait may wait, and others are told"
                or diag $crowded->{err};
        }
    }

    # A connect beside them, by one who never called and by one who did.
    spew("$dir/w/loops.py", $loops);
    for my $caller ('new', 'known') {
        my @python = ('/usr/bin/python3', '/w/loops.py');
        my ($one, $much) = map { spent($user, $dir, 'p.sbx', 0, @python, $_, $caller) } 'one', 'many';
        like $much->{said}, qr/^ready$/m, "$who, $caller: a connect beside 60 epoll instances" or diag $much->{said};
        cmp_ok $much->{ticks} - $one->{ticks}, '<', 0.2 * POSIX::sysconf(POSIX::_SC_CLK_TCK()),
            "$who, $caller: costs sbxrun little ($one->{ticks}, $much->{ticks} ticks)";
    }

    # Calls that are refused, one after the other, for three seconds, under a tenth of a processor.
    spew("$dir/w/refused.py", $refused);
    spew("$dir/cpu.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy cpu/r =~ s/\}\s*$/    limits { cpu 0.1; }\n}\n/r);
    my ($idle, $busy) = map { spent($user, $dir, 'cpu.sbx', 3, '/usr/bin/python3', '/w/refused.py', $_) } 'idle',
        'busy';
  SKIP: {
        skip "$who: no control group for a limit of processors", 6 if $idle->{said} =~ /control group/;
        like $busy->{said}, qr/^ready\n/, "$who: calls go on being refused" or diag $busy->{said};
        cmp_ok $busy->{ticks} - $idle->{ticks}, '<=', 0.2 * 0.1 * 3 * POSIX::sysconf(POSIX::_SC_CLK_TCK()) + 2,
            "$who: they cost sbxrun less than a fifth of the limit ($idle->{ticks}, $busy->{ticks} ticks)";
        my $bound = sandbox($user, 'fs { allow read "/w" from "./w"; allow read, write "/s" from tmpfs size 1MiB; }
            net { allow bind unix loopback; } limits { cpu 0.1; }', uses => 'python');
        spew("$bound/w/binds.py", $binds);
        ($idle, $busy) = map { spent($user, $bound, 'p.sbx', 6, '/usr/bin/python3', '/w/binds.py', $_) } 'idle', 'busy';
        like $busy->{said}, qr/^ready\n\z/, "$who: binds go on" or diag $busy->{said};
        cmp_ok $busy->{ticks} - $idle->{ticks}, '<=', 0.2 * 0.1 * 6 * POSIX::sysconf(POSIX::_SC_CLK_TCK()) + 2,
            "$who: they cost no more, with the processes that make them ($idle->{ticks}, $busy->{ticks} ticks)";
        # Calls that wait, and are made again and again.
        my $unix = sandbox($user, 'fs { allow read "/w" from "./w"; allow read, write "/s" from tmpfs size 1MiB; }
            net { allow connect, bind unix "/s/a"; } limits { cpu 0.1; pids 1000; }', uses => 'python');
        chmod 0777, $unix;
        spew("$unix/w/full.py", $full);
        ($idle, $busy) = map { spent($user, $unix, 'p.sbx', 3, '/usr/bin/python3', '/w/full.py', $_) } 'idle', 'busy';
        like $busy->{said}, qr/^ready$/m, "$who: 400 calls wait" or diag $busy->{said};
        cmp_ok $busy->{ticks} - $idle->{ticks}, '<=', 0.2 * 0.1 * 3 * POSIX::sysconf(POSIX::_SC_CLK_TCK()) + 2,
            "$who: their tries cost no more, either ($idle->{ticks}, $busy->{ticks} ticks)";
        my $served = spent($user, $unix, 'p.sbx', 0, '/usr/bin/python3', '/w/full.py', 'served');
        like $served->{said}, qr/^ready$/m, "$who: all of them are sent, when somebody takes them"
            or diag $served->{said};
    }
}
done_testing;
