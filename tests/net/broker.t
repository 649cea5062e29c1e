#!/usr/bin/perl
# Connections that the broker makes: they work as a program expects, and only those that a rule allows are made.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use JSON::PP;
use IO::Socket::UNIX;
use Test::More;

own_network();
servers('echo', 'http', 'never');

my $prelude = <<'P';
import array, asyncio, ctypes, errno, os, select, signal, socket, struct, sys, threading, time
A, B, OUT, SIX, LO = "192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1", "127.0.0.1"
libc = ctypes.CDLL(None, use_errno=True)
def t(label, f):
    try: print(label, f() or "ok", flush=True)
    except OSError as e: print(label, errno.errorcode.get(e.errno, e), flush=True)
def echo(s, text=b"hello"):
    s.sendall(text); got = b""
    while len(got) < len(text): got += s.recv(65536) or sys.exit("end of file")
    return "echoed" if got == text else repr(got)
def tcp(host=A, port=7001, family=socket.AF_INET, timeout=None):
    s = socket.socket(family); s.settimeout(timeout); s.connect((host, port)); return s
def raw(s, host=A, port=7001):
    address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(host) + bytes(8)
    return errno.errorcode[ctypes.get_errno()] if libc.connect(s.fileno(), address, 16) else 0
def udp(family=socket.AF_INET): s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(2); return s
def pong(s, *to):
    s.sendto(b"ping", *to) if to else s.send(b"ping")
    return "echoed" if s.recv(100) == b"ping" else "?"
P

# What is printed by each, under the policy below.
my @tcp = (
    ['blocking', 'echoed', 'lambda: echo(tcp())'],
    ['blocking to nobody', 'ECONNREFUSED', 'lambda: tcp(port=7999)'],
    ['v6', 'echoed', 'lambda: echo(tcp(SIX, family=socket.AF_INET6))'],
    ['mapped', 'echoed', 'lambda: echo(tcp("::ffff:192.0.2.1", family=socket.AF_INET6))'],
    ['mapped to what is denied', 'EACCES', 'lambda: tcp("::ffff:198.51.100.1", family=socket.AF_INET6)'],
    ['another address', 'EACCES', 'lambda: tcp(OUT)'], ['another port', 'EACCES', 'lambda: tcp(port=22)'],
    ['the host\'s loopback', 'ECONNREFUSED', 'lambda: tcp(LO)'],
    ['names of it', "('192.0.2.1', 7001) True",
        'lambda: (lambda s: f"{s.getpeername()} {s.getsockname()[0] == A}")(tcp())'],
    ['much', 'echoed', 'lambda: echo_much()'],
    ['with a timeout', 'echoed', 'lambda: echo(tcp(timeout=3))'],
    ['timeout', 'late', 'lambda: late(tcp, port=7003, timeout=0.3)'],
    ['SO_SNDTIMEO', 'EINPROGRESS', 'lambda: sndtimeo()'],
    ['not blocking', 'EINPROGRESS echoed', 'lambda: nonblocking()'],
    ['not blocking, again', 'EINPROGRESS EALREADY', 'lambda: nonblocking_again()'],
    ['connected already', 'EISCONN', 'lambda: twice()'],
    ['epoll from before', 'echoed', 'lambda: epolled(True)'], ['epoll from after', 'echoed', 'lambda: epolled(False)'],
    ['asyncio', 'echoed 50', 'lambda: asyncio.run(many_async())'],
    ['a copy from before', 'echoed', 'lambda: dup_before()'],
    ['copies that come and go', 'echoed 6', 'lambda: copies()'],
    ['after fork', 'echoed', 'lambda: forked()'], ['passed to a child', 'echoed', 'lambda: passed()'],
    ['threads', 'echoed 40', 'lambda: threads()'],
    ['a signal', 'EINTR', 'lambda: interrupted(False)'],
    ['a signal, restarted', 'EINTR later', 'lambda: interrupted(True)'],
    ['options', '1 1 60', 'lambda: options()'],
    ['close on exec', '1', 'lambda: cloexec()'],
    ['of a process that is not dumpable', 'as ever', 'lambda: undumpable()'],
    ['AF_UNSPEC of a connection', 'done', 'lambda: unspec()'],
    ['listening on a connection', 'EINVAL', 'lambda: tcp().listen()'],
    ['fast open', 'EACCES', 'lambda: fastopen()'],
    ['SO_BINDTODEVICE', 'ENOPROTOOPT', 'lambda: socket.socket().setsockopt(socket.SOL_SOCKET, 25, b"lo\\0")'],
    ['bind to any port', 'ok', 'lambda: socket.socket().bind(("0.0.0.0", 0))'],
    ['connect from a bound socket', 'echoed', 'lambda: bound()'],
    ['bind to a port', 'EACCES', 'lambda: socket.socket().bind(("0.0.0.0", 9000))'],
    ['a bad address', 'EFAULT', 'lambda: bad(1, 16)'], ['a short address', 'EINVAL', 'lambda: bad(0, 4)'],
    ['a long one', 'EINVAL', 'lambda: bad(0, 1000)'],
    ['addresses of other families', 'EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT',
        'lambda: " ".join(foreign(call, family, 23) for call in ("bind", "connect") for family in (1, 99))'],
    ['short ones', 'EINVAL EINVAL EINVAL EINVAL',
        'lambda: " ".join(foreign(call, family, 12) for call in ("bind", "connect") for family in (1, 16))'],
    ['no socket', 'ENOTSOCK', 'lambda: notsock()'],
    ['loopback inside', 'served', 'lambda: inside()'],
    ['the stub is not there', 'ECONNREFUSED', 'lambda: tcp(LO, 53)'],
    ['shutdown and end of file', 'b""', 'lambda: half()'],
    ['netlink, but to read routes', 'EPROTONOSUPPORT', 'lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)'],
    ['the interfaces of its own network', '[(1, \'lo\')]', 'lambda: socket.if_nameindex()'],
    ['a number that is no process', 'True', 'lambda: (lambda s: (s.bind((0, 0)), s.getsockname()[0] >> 31 == 1)[1])('
        . 'socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))'],
    ['unix', 'EACCES', 'lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)'],
    ['raw', 'ESOCKTNOSUPPORT', 'lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'],
);
my $tcp = <<'P';
def echo_much():
    s = tcp(); data = os.urandom(3_000_000)
    threading.Thread(target=lambda: s.sendall(data)).start()
    got = b""
    while len(got) < len(data): got += s.recv(1 << 20)
    return "echoed" if got == data else "differs"
def late(f, **o):
    try: f(**o); return "connected"
    except socket.timeout: return "late"
def sndtimeo():
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
    return raw(s, port=7003)
def nonblocking():
    s = socket.socket(); s.setblocking(False); first = errno.errorcode.get(s.connect_ex((A, 7001)), "ok")
    select.select([], [s], [], 3); error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    s.setblocking(True)
    return ("EINPROGRESS"
        if first in ("EINPROGRESS", "ok") else first) + " " + (errno.errorcode[error] if error else echo(s))
def nonblocking_again():
    s = socket.socket(); s.setblocking(False)
    return " ".join(errno.errorcode[s.connect_ex((A, 7003))] for _ in range(2))
def twice(): s = tcp(); s.connect((A, 7001))
def epolled(before):
    s = socket.socket(); s.setblocking(False); e = select.epoll()
    if before: e.register(s, select.EPOLLOUT | select.EPOLLIN)
    s.connect_ex((A, 7001))
    if not before: e.register(s, select.EPOLLOUT | select.EPOLLIN)
    deadline = time.time() + 3; sent = False
    while time.time() < deadline:
        for fd, events in e.poll(0.5):
            if events & select.EPOLLIN: return "echoed" if s.recv(10) == b"x" else "?"
            if events & (select.EPOLLERR | select.EPOLLHUP): continue
            if events & select.EPOLLOUT and not sent: s.send(b"x"); sent = True; e.modify(s, select.EPOLLIN)
    return "nothing"
async def one_async():
    reader, writer = await asyncio.open_connection(A, 7001); writer.write(b"x"); got = await reader.readexactly(1)
    writer.close(); return got == b"x"
async def many_async(): return f"echoed {sum(await asyncio.gather(*[one_async() for _ in range(50)]))}"
def dup_before(): s = socket.socket(); copy = s.dup(); s.connect((A, 7001)); return echo(copy)
def copies(): # what was where at the last connect says nothing of the next
    good = 0
    for turn in range(6):
        # the first of them are looked at in another way
        s = socket.socket(); s.setblocking(False); low, high = 13 + turn % 3, 20 + turn
        os.dup2(s.fileno(), low, inheritable=True); os.dup2(s.fileno(), high, inheritable=False)
        with open("/dev/null" if turn % 2 else "/dev/zero") as of_another_kind:
            other = os.dup2(of_another_kind.fileno(), 13 + (turn + 1) % 3); was = os.fstat(other)
        e = select.epoll()
        if turn % 2: e.register(s, select.EPOLLOUT)
        s.connect_ex((A, 7001)); ready = len(e.poll(3)) == 1 if turn % 2 else True; s.setblocking(True)
        if e.closed or (turn % 2 == 0 and e.poll(0)): ready = False
        same = (os.fstat(other).st_dev, os.fstat(other).st_ino) == (was.st_dev, was.st_ino)
        select.select([], [s], [], 3)
        flags = (os.get_inheritable(low), os.get_inheritable(high)) == (True, False)
        good += ready and same and flags and all(echo(socket.socket(fileno=os.dup(x))) == "echoed"
            for x in (low, high, s.fileno()))
        e.close(); s.close()
    return f"echoed {good}"
def forked():
    s = tcp(); pid = os.fork()
    if pid == 0: os._exit(0 if echo(s) == "echoed" else 1)
    return "echoed" if os.waitpid(pid, 0)[1] == 0 else "not"
def passed():
    left, right = socket.socketpair(); pid = os.fork()
    if pid == 0:
        data, rights, _, _ = right.recvmsg(1, 100); fds = array.array("i"); fds.frombytes(rights[0][2])
        os._exit(0 if echo(socket.socket(fileno=fds[0])) == "echoed" else 1)
    s = tcp(); left.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
    return "echoed" if os.waitpid(pid, 0)[1] == 0 else "not"
def threads():
    good = []; all = [threading.Thread(target=lambda: good.append(echo(tcp()))) for _ in range(40)]
    [x.start() for x in all]; [x.join() for x in all]; return f"echoed {good.count('echoed')}"
def interrupted(restart):
    signal.signal(signal.SIGALRM, lambda *_: None); signal.siginterrupt(signal.SIGALRM, not restart)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    s = socket.socket(); start = time.time()
    if not restart: return raw(s, port=7003)
    threading.Timer(0.6, lambda: (signal.siginterrupt(signal.SIGALRM, True),
            signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM))).start()
    return f"{raw(s, port=7003)} {'later' if time.time() - start > 0.5 else 'at once'}"
def options():
    s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    s.connect((A, 7001))
    options = ((6, socket.TCP_NODELAY), (1, socket.SO_KEEPALIVE), (6, socket.TCP_KEEPIDLE))
    return " ".join(str(s.getsockopt(*option)) for option in options)
def cloexec():
    import fcntl; s = tcp(); o = socket.socket(); os.set_inheritable(o.fileno(), True); o.connect((A, 7001))
    return str((fcntl.fcntl(s, fcntl.F_GETFD) & 1) - (fcntl.fcntl(o, fcntl.F_GETFD) & 1))
def unspec():
    s = tcp(); return errno.errorcode[ctypes.get_errno()] if libc.connect(s.fileno(), bytes(16), 16) else "done"
def undumpable(): # its table of descriptors is closed to all but root
    pid = os.fork()
    if pid == 0:
        done = libc.prctl(4, 0, 0, 0, 0) == 0; s = socket.socket(); copy = s.dup(); s.connect((A, 7001))
        os._exit(0 if done and not s.get_inheritable() and echo(copy) == "echoed" else 1)
    return "as ever" if os.waitpid(pid, 0)[1] == 0 else "not"
def fastopen(): socket.socket().sendto(b"x", 0x20000000, (A, 7001))
def bound(): s = socket.socket(); s.bind(("0.0.0.0", 0)); s.connect((A, 7001)); return echo(s)
def foreign(call, family, size):
    s = socket.socket(); libc = ctypes.CDLL(None, use_errno=True)
    return None if getattr(libc, call)(s.fileno(),
        struct.pack("H", family) + b"." + bytes(size - 3), size) == 0 else errno.errorcode[ctypes.get_errno()]
def bad(at, length):
    s = socket.socket()
    return errno.errorcode[ctypes.get_errno()] if libc.connect(s.fileno(),
        ctypes.c_void_p(8) if at else struct.pack("=H", 2) + bytes(2000), length) else "done"
def notsock(): return errno.errorcode[ctypes.get_errno()] if libc.connect(0, bytes(16), 16) else "done"
def inside():
    s = socket.socket(); s.bind((LO, 9100)); s.listen(); c = tcp(LO, 9100); p, _ = s.accept(); p.send(b"x")
    return "served" if c.recv(1) == b"x" else "?"
def half(): s = tcp(); s.shutdown(socket.SHUT_WR); return repr(s.recv(1))[0:1] + '""'
P

my @udp = (
    ['connected', 'echoed', 'lambda: (lambda s: (s.connect((A, 7002)), pong(s))[1])(udp())'],
    ['sendto', 'echoed', 'lambda: pong(udp(), (A, 7002))'],
    ['sendto v6', 'echoed', 'lambda: pong(udp(socket.AF_INET6), (SIX, 7002))'],
    ['two in turn', 'echoed echoed', 'lambda: (lambda s: pong(s, (A, 7002)) + " " + pong(s, (B, 7002)))(udp())'],
    ['sendto what is denied', 'EACCES', 'lambda: pong(udp(), (OUT, 7002))'], ['then another', 'echoed EACCES',
        'lambda: (lambda s: pong(s, (A, 7002)) + " " + error(lambda: pong(s, (OUT, 7002))))(udp())'],
    ['connected, then sendto what is denied', 'EACCES',
        'lambda: (lambda s: (s.connect((A, 7002)), error(lambda: pong(s, (OUT, 7002))))[1])(udp())'],
    ['connect what is denied', 'EACCES', 'lambda: udp().connect((OUT, 7002))'],
    ['sendmsg', 'echoed', 'lambda: message(udp(), (A, 7002))'],
    ['sendmsg to what is denied', 'EACCES', 'lambda: message(udp(), (OUT, 7002))'],
    ['sendmsg of parts', 'True', 'lambda: parts()'], ['sendmmsg', '3 [4, 4, 4] echoed', 'lambda: several(3, A)'],
    ['sendmmsg to what is denied', 'EACCES', 'lambda: several(3, OUT)'],
    ['broadcast', 'EACCES', 'lambda: udp().sendto(b"x", ("255.255.255.255", 7002))'],
    ['multicast', 'EACCES', 'lambda: udp().sendto(b"x", ("224.0.0.1", 7002))'],
    ['too much', 'EMSGSIZE', 'lambda: udp().sendto(bytes(70000), (A, 7002))'],
    ['not connected', 'EDESTADDRREQ', 'lambda: pong(udp())'],
    ['routing options', 'EPERM',
        'lambda: (lambda s: (pong(s, (A, 7002)), s.sendmsg([b"x"], [(0, 7, bytes(4))], 0, (A, 7002)))[1])(udp())'],
    ['tcp by sendmsg', 'echoed', 'lambda: stream()'], ['a closed pipe', 'EPIPE', 'lambda: pipe(0x4000)'],
    ['a closed pipe, with its signal', 'EPIPE SIGPIPE', 'lambda: pipe(0)'],
    ['rights over a pair', 'echoed', 'lambda: passed()'],
    ['credentials', 'EPERM', 'lambda: socket.socketpair()[0].sendmsg([b"x"], [(1, 2, struct.pack("iii", '
        . 'os.getpid(), os.getuid(), os.getgid()))])'],
    ['a full pair waits', 'all 0', 'lambda: waits()'],
);
my $udp = <<'P' . ($tcp =~ /(def passed.*?)def threads/s)[0];
def error(f):
    try: return f()
    except OSError as e: return errno.errorcode[e.errno]
def message(s, to): s.sendmsg([b"pi", b"ng"], [], 0, to); return "echoed" if s.recv(100) == b"ping" else "?"
def parts():
    s = udp(); s.connect((A, 7002)); s.sendmsg([b"a" * 1000, b"b" * 1000, b""])
    return str(s.recv(3000) == b"a" * 1000 + b"b" * 1000)
def several(count, host):
    class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]
    class msghdr(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p),
            ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(iovec)), ("iovlen", ctypes.c_size_t),
            ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]
    class mmsghdr(ctypes.Structure): _fields_ = [("hdr", msghdr), ("len", ctypes.c_uint)]
    s = udp(); address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", 7002) + socket.inet_aton(host) + bytes(8)
    part = iovec(b"ping", 4)
    all = (
        mmsghdr * count)(*[mmsghdr(msghdr(address, 16, ctypes.pointer(part), 1, None, 0, 0), 0) for _ in range(count)])
    n = libc.sendmmsg(s.fileno(), all, count, 0)
    if n < 0: return errno.errorcode[ctypes.get_errno()]
    return f"{n} {[m.len for m in all]} {'echoed' if all_of(s, n) else '?'}"
def all_of(s, n): return [s.recv(10) for _ in range(n)] == [b"ping"] * n
def stream():
    s = tcp(); sent = s.sendmsg([b"he", b"llo"]); return "echoed" if sent == 5 and s.recv(10) == b"hello" else "?"
def pipe(flags):
    a, b = socket.socketpair(); b.close(); got = []; signal.signal(signal.SIGPIPE, lambda *_: got.append("SIGPIPE"))
    try: a.sendmsg([b"x"], [], flags)
    except OSError as e: time.sleep(0.05); return " ".join([errno.errorcode[e.errno]] + got)
def waits():
    a, b = socket.socketpair(); got = []
    def reader():
        time.sleep(0.3)
        while data := b.recv(100000): got.append(len(data))
    thread = threading.Thread(target=reader); thread.start(); sent = 0
    while sent < 2000000: sent += a.sendmsg([bytes(200000)])
    a.close(); thread.join(); return f"all {sum(got) - sent}"
P

sub check {
    my ($user, $dir, $defs, $tries, %o) = @_;
    my $code = $prelude . $defs . join '',
        map { "t(" . JSON::PP->new->allow_nonref->encode($_->[0]) . ", $_->[2])\n" } @$tries;
    spew("$dir/w/code.py", $code);
    my $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => 60, %o }, 'python3',
        '/w/code.py');
    my %got = map { /^(.*)$/ } ();
    my @lines = split /\n/, $run->{out};
    for my $try (@$tries) {
        my ($line) = grep { index($_, "$try->[0] ") == 0 } @lines;
        is substr($line // '', length($try->[0]) + 1), $try->[1], "$user->{name}: $try->[0]" or diag $run->{err};
        @lines = grep { $_ ne ($line // '') } @lines;
    }
    return $run;
}

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $dir = sandbox($user, 'net { allow connect tcp 192.0.2.0/24:7001..7999, [2001:db8::]/32:7001..7999; '
        . 'allow connect, bind, listen tcp loopback:{9100, 53, 7001}; } fs { allow read "/w" from "./w"; '
        . '} limits { lifetime 60s; }', uses => 'python');
    my $run = check($user, $dir, $tcp, \@tcp);
    is $run->{status}, 0, "$name: and all of it ended" or diag $run->{err};
    like $run->{err},
        qr/^sbxrun:\ denied\ connect\ tcp\ 198\.51\.100\.1:7001,\ 2\ times:\ no\ rule\ allows\ it\n
            \ +`net\ \{\ allow\ connect\ tcp\ 198\.51\.100\.1:7001;\ \}`\ would$/mx,
        "$name: what was denied is said, with the rule that would allow it";
    my ($allowed) = grep { $_->{operation} eq 'connect tcp 192.0.2.1:7001' }
        @{ decode_json(slurp("$dir/w/r.json"))->{destinations} };
    cmp_ok $allowed->{count} // 0, '>', 90, "$name: the report counts connections";
    like $allowed->{rule}, qr/^p\.sbx:\d+:\d+: allow connect tcp/, "$name: with their rule";

    $dir = sandbox($user, 'net { allow connect udp 192.0.2.0/24:7002, [2001:db8::1]:7002;
        allow connect tcp 192.0.2.1:7001; }
        fs { allow read "/w" from "./w"; } limits { lifetime 60s; }',
        uses => 'python');
    $run = check($user, $dir, $udp, \@udp);
    is $run->{status}, 0, "$name: udp: and all of it ended" or diag $run->{err};

    # The host's own loopback, by rules that say so.
    $dir = sandbox($user, 'net { allow connect tcp host-loopback:7001; allow connect udp host-loopback:7002; '
        . '} fs { allow read "/w" from "./w"; allow read "/etc/hosts"; }', uses => 'python');
    check($user, $dir, '', [['the host\'s server', 'echoed', 'lambda: echo(tcp(LO))'], ['as localhost', 'echoed',
                'lambda: echo(tcp("localhost"))'], ['as any', 'echoed', 'lambda: echo(tcp("0.0.0.0"))'],
        ['the host\'s udp', 'echoed', 'lambda: pong(udp(), (LO, 7002))'],
        ['another port', 'EACCES', 'lambda: tcp(LO, 8000)'], ['no other address', 'EACCES', 'lambda: tcp(A)']]);

    # A published port: the server inside answers outside.
    for my $bind ('192.0.2.1', '127.0.0.1', '0.0.0.0') {
        my ($at, $target) = $bind eq '192.0.2.1' ? ($bind, $bind) : ('127.0.0.1', 'host-loopback');
        $dir = sandbox($user, "net { allow bind, listen tcp $target:18080; } fs { allow read, write \"/w\" "
            . 'from "./w"; } limits { lifetime 30s; }', uses => 'python');
        unlink "$dir/w/ready";
        my $pid = fork // die;
        if (!$pid) {
            my $served = in_sandbox($user, $dir, 'python3', '-c', $prelude
                . "s = socket.socket(); s.bind(('$bind', 18080)); s.listen(); open('/w/ready', 'w').write('x')\n"
                . "for _ in range(3):\n  c, who = s.accept(); c.sendall(b'inside ' + who[0].encode()); c.close()\n");
            print STDERR $served->{err} if $served->{status};
            POSIX::_exit($served->{status});
        }
        soon(sub { -s "$dir/w/ready" });
        require IO::Socket::INET;
        my @got = map {
            my $c = IO::Socket::INET->new(PeerAddr => $at, PeerPort => 18080, Timeout => 3);
            $c ? scalar <$c> : "none: $@";
        } 1 .. 3;
        is "@got", join(' ', ("inside $at") x 3), "$name: a published server that binds $bind";
        waitpid $pid, 0;
        is $?, 0, "$name: it ends";
    }
    $run = check($user, $dir, '',
        [['a port that is not published', 'EACCES', 'lambda: socket.socket().bind((LO, 18081))'],
            ['published, but no way out', 'EACCES', 'lambda: tcp(LO)']]);

    $dir = sandbox($user, 'net { allow listen tcp host-loopback:18080; deny bind tcp host-loopback:18080; }
        fs { allow read "/w" from "./w"; }', uses => 'python');
    check($user, $dir, '', [['a denied bind', 'EACCES', 'lambda: socket.socket().bind((LO, 18080))']]);
    $dir = sandbox($user, 'net { allow listen host-loopback:18080; allow connect tcp 192.0.2.1:7001; }
        fs { allow read "/w" from "./w"; }', uses => 'python');
    check($user, $dir, '', [['a bind that only a rule on listen is about', 'EACCES',
            'lambda: socket.socket().bind((LO, 18080))'],
        ['and of udp', 'EACCES', 'lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind((LO, 18080))']]);

    # What may be bound may not send anywhere: no rule allows to connect.
    $dir = sandbox($user, 'net { allow bind, listen udp host-loopback:18081; allow bind unix "/w/own"; } fs '
        . '{ allow read, write "/w" from "./w"; }', uses => 'python');
    my $listens = IO::Socket::UNIX->new(Type => SOCK_DGRAM(), Local => "$dir/w/datagrams") or die $!;
    chmod 0777, "$dir/w/datagrams";
    check($user, $dir, "S = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); S.bind((LO, 18081))\n",
        [['a bound datagram socket', 'EACCES', 'lambda: S.sendto(b"x", (LO, 7002))'],
            ['a datagram to a unix socket', 'EACCES',
                'lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "/w/datagrams")']]);

    # --events
    $dir = sandbox($user, 'net { allow connect tcp 192.0.2.1:7001; deny connect tcp 192.0.2.2; }', uses => 'python');
    $run = in_sandbox($user, $dir, { args => ['--events', "$dir/w/events"] }, 'python3', '-c',
        $prelude . "for h in (A, B, OUT, OUT): t(h, lambda: tcp(h).close())");
    is $run->{out}, "192.0.2.1 ok\n192.0.2.2 EACCES\n198.51.100.1 EACCES\n198.51.100.1 EACCES\n", "$name: events";
    my @events = map { decode_json($_) } split /\n/, slurp("$dir/w/events");
    is_deeply [map { "$_->{event} $_->{operation} $_->{count}" } @events],
        ['allowed connect tcp 192.0.2.1:7001 1', 'denied connect tcp 192.0.2.2:7001 1',
            'denied connect tcp 198.51.100.1:7001 1',
         'allowed in all connect tcp 192.0.2.1:7001 1', 'denied in all connect tcp 192.0.2.2:7001 1',
         'denied in all connect tcp 198.51.100.1:7001 2'], "$name: each once, and how often";
    like $events[1]{rule} // '', qr/deny connect tcp 192\.0\.2\.2/, "$name: with the rule that denies";

    # Udp to where tcp may go is what the C library tries of each address; elsewhere it is told.
    $dir = sandbox($user, 'net { allow connect tcp 192.0.2.1:7001; allow connect udp 192.0.2.3:7002; }',
        uses => 'python');
    $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . "tcp(A).close()\n"
        . "for h in (A, B): t(h, lambda: udp().connect((h, 7001)))\n");
    is $run->{out}, "192.0.2.1 EACCES\n192.0.2.2 EACCES\n", "$name: udp beside tcp" or diag $run->{err};
    is join(' ', $run->{err} =~ /denied (.*?):/g), 'connect udp 192.0.2.2', "$name: one of them is told";

    # A run that reaches nothing has nothing of this: no broker with its clock, no guard.
    for my $rule ('', 'net { allow connect tcp 192.0.2.1:7001; }') {
        $dir = sandbox($user, "$rule fs { allow read, write \"/w\" from \"./w\"; }");
        my $pid = fork // die;
        if (!$pid) {
            POSIX::_exit(in_sandbox($user, $dir, 'python3', '-c',
                    'import time; open("/w/ready", "w"); time.sleep(' . patience(1) . ')')->{status});
        }
        soon(sub { -e "$dir/w/ready" });
        my @own = grep { (readlink("$_/exe") // '') =~ m{/sbxrun$} } map { "/proc/$_" } own_processes();
        my %open = map { (readlink($_) // '') =~ /^anon_inode:\[?(timerfd|bpf)/ ? ($1 => 1) : () }
            map { glob "$_/fd/*" } @own;
        waitpid $pid, 0;
        is $?, 0, "$name: a run with" . ($rule ? '' : 'out') . ' outward rules';
        my $guarded = $rule && $name eq 'root' && in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"] },
            'true') && decode_json(slurp("$dir/w/r.json"))->{guard} eq 'eBPF';
        is join(' ', scalar(@own) ? 'seen' : 'unseen', sort keys %open),
            join(' ', 'seen', $rule ? ($guarded ? 'bpf' : (), 'timerfd') : ()), "$name: what it has";
    }

    # More than are told apart: what is allowed takes no room from what is denied.
    $dir = sandbox($user, 'net { allow connect udp 192.0.2.1; } fs { allow read, write "/w" from "./w"; }',
        uses => 'python');
    $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => 60 }, 'python3', '-c', $prelude .
        "for port in range(1, 1101): udp().connect((A, port))\nt('denied', lambda: udp().connect((B, 1)))\n");
    is $run->{out}, "denied EACCES\n", "$name: 1,100 destinations" or diag $run->{err};
    is $run->{err}, "sbxrun: denied connect udp 192.0.2.2:1: no rule allows it\n        `net "
        . "{ allow connect udp 192.0.2.2:1; }` would\n", "$name: what is denied is told";
    my $report = decode_json(slurp("$dir/w/r.json"));
    is scalar(@{ $report->{destinations} }), 1001, "$name: a thousand are told apart";
    is_deeply $report->{not_told_apart}, { allowed => 100, denied => 0 }, "$name: the others are counted";
    $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => 60 }, 'python3', '-c', $prelude .
        "for port in range(1, 1101):\n  try: udp().connect((B, port))\n  except OSError: pass\n");
    like $run->{err},
        qr/^sbxrun:\ and\ denied\ 995\ other\ things\ \(--report\ lists\ them\)\nsbxrun:\ and\ denied\ more\ than\ 
            could\ be\ told\ apart,\ 100\ times$/mx,
        "$name: denials, too" or diag $run->{err};
    is left_since($before), '', "$name: nothing is left";
}

# A number of a process that comes again means another one. The namespace's last number is set back before each of them
# begins.
my ($root) = grep { $_->{name} eq 'root' } users();
SKIP: {
    skip 'numbers of processes are chosen by root', 1 unless $root && -w '/proc/sys/kernel/ns_last_pid';
    my $dir = sandbox($root, 'net { allow connect tcp 192.0.2.0/24:7001; } fs { allow read, write "/w" from "./w"; } '
        . 'limits { lifetime 60s; }', uses => 'python');
    spew("$dir/w/code.py", $prelude . <<'P');
def wait_for(path):
    while not os.path.exists(path): time.sleep(0.01)
open("/w/ready", "w")
for turn in range(3):
    wait_for(f"/w/begin{turn}")
    if os.fork() == 0:
        t(turn, lambda: echo(tcp([A, B, A][turn]))); t(turn, lambda: echo(tcp())); wait_for(f"/w/seen{turn}")
        os._exit(0)
    os.wait(); open(f"/w/ended{turn}", "w")
P
    my $run = run({ %$root, cwd => $dir, seconds => 60 }, 'unshare', '--pid', '--fork', '--mount-proc', 'perl', '-e',
        <<'P', $sbxrun);
my $sbxrun = shift;
my $pid = fork // die;
exec $sbxrun, 'p.sbx', '--', 'python3', '/w/code.py' or die unless $pid;
sub until_is {
    my $left = 20 / 0.01;
    select undef, undef, undef, 0.01 until -e $_[0] || !$left--;
    $left > 0 or die "$_[0]: not there\n";
}
sub make { open my $file, '>', $_[0] or die; print $file $_[1] // ''; close $file or die }
until_is('w/ready');
for my $turn (0 .. 2) {
    make('/proc/sys/kernel/ns_last_pid', 5000);
    make("w/begin$turn");
    until_is('/proc/5001');
    make("w/seen$turn");
    until_is("w/ended$turn");
}
waitpid $pid, 0;
exit $? >> 8;
P
    is $run->{out}, join('', map { "$_ echoed\n" x 2 } 0 .. 2), 'three processes of one number' or diag $run->{err};
}
done_testing;
