#!/usr/bin/perl
# Unix sockets: those that lie in the view, by rules that name their paths; whoever is at the other end sees the
# command's user.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $prelude = <<'P';
import array, errno, os, signal, socket, struct, sys, threading, time
def t(label, f):
    try: print(label, f() or "ok", flush=True)
    except OSError as e: print(label, errno.errorcode.get(e.errno, e), flush=True)
def unix(kind=socket.SOCK_STREAM): s = socket.socket(socket.AF_UNIX, kind); s.settimeout(None); return s
def to(path, kind=socket.SOCK_STREAM): s = unix(kind); s.connect(path); return s
def serve(path): s = unix(); s.bind(path); s.listen(); return s
P
my @tries = (
    ['allowed', 'hello {uid}', 'lambda: to("/host/good").recv(100).decode()'],
    ['a socket that alone is shown', 'hello {uid}', 'lambda: to("/alone.sock").recv(100).decode()'],
    ['one that no rule allows', 'EACCES', 'lambda: to("/alone-bad.sock")'],
    ['relative', 'hello {uid}', 'lambda: (os.chdir("/host"), to("good").recv(100).decode())[1]'],
    ['with dots', 'hello {uid}', 'lambda: to("/host/../host/./good").recv(100).decode()'],
    ['not allowed', 'EACCES', 'lambda: to("/host/bad")'],
    ['a link to it', 'EACCES', 'lambda: (os.symlink("/host/bad", "/w/link"), to("/w/link"))'],
    ['a link to what is allowed', 'hello {uid}',
        'lambda: (os.symlink("/host/good", "/w/link2"), to("/w/link2").recv(100).decode())[1]'],
    ['none there', 'ENOENT', 'lambda: to("/host/none")'], ['no socket', 'EACCES', 'lambda: to("/host/file")'],
    ['hidden by a deny', 'ECONNREFUSED', 'lambda: to("/host/hidden")'],
    ['outside of the view', 'ENOENT', 'lambda: to("{dir}/host/good")'],
    ['by /proc', 'ENOENT', 'lambda: to("/proc/self/root/host/bad")'],
    ['datagrams', 'ok', 'lambda: to("/host/datagrams", socket.SOCK_DGRAM).send(b"one") == 3 and None'],
    ['datagrams by sendto', '3', 'lambda: str(unix(socket.SOCK_DGRAM).sendto(b"two", "/host/datagrams"))'],
    ['datagrams by sendmsg', '5',
        'lambda: str(unix(socket.SOCK_DGRAM).sendmsg([b"th", b"ree"], [], 0, "/host/datagrams"))'],
    ['datagrams not allowed', 'EACCES', 'lambda: unix(socket.SOCK_DGRAM).sendto(b"bad", "/host/bad-datagrams")'],
    ['sequenced packets', 'hello {uid}', 'lambda: to("/host/packets", socket.SOCK_SEQPACKET).recv(100).decode()'],
    ['a full queue', 'hello {uid}', 'lambda: to("/host/slow").recv(100).decode()'],
    ['a full queue, not waiting', 'EAGAIN', 'lambda: full()'],
    ['a server inside', 'served {inside}', 'lambda: inside()'],
    ['its mode', '0o700', 'lambda: oct(os.stat("/w/mine").st_mode & 0o777)'],
    ['its name', '/w/mine mine', 'lambda: names()'],
    ['a server elsewhere', 'EACCES', 'lambda: serve("/w/other")'],
    ['where nothing may be made', 'EACCES', 'lambda: serve("/host/new")'],
    ['at a folder', 'EADDRINUSE', 'lambda: unix().bind("/w/")'],
    ['twice', 'EADDRINUSE', 'lambda: unix().bind("/w/mine")'],
    ['descriptors to the host', 'ok', 'lambda: rights()'],
    ['peers of a pair', 'ok', 'lambda: (lambda p: p[0].send(b"x") and None)(socket.socketpair())'],
    ['an internet address', 'EACCES', 'lambda: socket.socket()'],
);
my $defs = <<'P';
def full():
    all = []
    for _ in range(50):
        s = unix(); s.setblocking(False); all.append(s); s.connect("/host/never")
def inside():
    os.umask(0o077); s = serve("/w/mine"); c = to("/w/mine"); p, _ = s.accept(); p.send(b"x"); c.recv(1)
    return "served %d" % struct.unpack("iii", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
def names():
    os.unlink("/w/mine"); s = serve("/w/mine"); one = s.getsockname(); s.close(); os.unlink("/w/mine"); os.chdir("/w")
    s = serve("mine"); return one + " " + s.getsockname()
def rights():
    s = to("/host/keeper"); f = os.open("/w/passed", os.O_CREAT | os.O_RDWR)
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f]))]); s.recv(1)
    return None if open("/w/passed").read() == "from outside" else "not written"
P
# Those of the sandbox's own: where their file is in memory or in an overlay, or they have none.
my @own = (
    ['by path', '/tmp/a /tmp/a', 'talk("/tmp/a")'], ['deeper', '/tmp/d/e/f /tmp/d/e/f', 'talk("/tmp/d/e/f")'],
    ['as it was said', '/tmp/./d//b /tmp/./d//b', 'talk("/tmp/./d//b")'],
    ['back: its name alone', 'b b', 'talk("/tmp/d/../b")'],
    ['relative', 'd/c d/c', '(os.chdir("/tmp"), talk("d/c"))[1]'], ['a name', 'n n', 'talk("n")'],
    ['by a link', '/tmp/l/g /tmp/l/g', '(os.symlink("/tmp/d", "/tmp/l"), talk("/tmp/l/g"))[1]'],
    ['in /dev/shm', '/dev/shm/s /dev/shm/s', 'talk("/dev/shm/s")'],
    ['in an overlay', '/over/s /over/s', 'talk("/over/s")'],
    ['sequenced packets', '/tmp/p /tmp/p', 'talk("/tmp/p", socket.SOCK_SEQPACKET)'],
    ['abstract', '@x @x', 'talk("\0x")'],
    ['autobind', 'True', '(lambda s: (s.bind(""), s.getsockname()[:1] == b"\0")[1])(unix())'],
    ['a full name', 'True', 'talk("/tmp/d/" + "x" * 100) == " ".join(["/tmp/d/" + "x" * 100] * 2)'],
    ['twice', 'EADDRINUSE', 'serve("/tmp/a")'], ['no folder', 'ENOENT', 'serve("/tmp/none/a")'],
    ['its mode', '0o750', '(os.umask(0o027), serve("/tmp/m"), oct(os.stat("/tmp/m").st_mode & 0o777))[2]'],
    ['who asks', '{uid} {uid}', 'peers()'],
    ['who sends', 'True', 'sender()'],
    ['a manager', '[1, 2]', 'str(manager.list([1, 2]))'],
    ['a denied path', 'EACCES', 'serve("/tmp/denied")'], ['by a link to it', 'EACCES', 'serve("/tmp/l2/denied")'],
    ['where nothing may be made', 'EACCES', 'serve("/tmp/locked/a")'],
    ['datagrams', 'EACCES', 'unix(socket.SOCK_DGRAM)'],
    ['a pair of datagrams', 'EACCES', 'socket.socketpair(type=socket.SOCK_DGRAM)'],
    ["the host's", 'EACCES', 'to("/host/good")'], ["in an overlay's folder", 'ECONNREFUSED', 'to("/over/good")'],
    ["the host's, by a link", 'EACCES', '(os.symlink("/host/good", "/tmp/h"), to("/tmp/h"))'],
    ["the host's, abstract", 'ECONNREFUSED', 'to("\0sbx-{pid}")'],
    ['in a folder of the host', 'EACCES', 'serve("/w/x")'],
    ['no other socket', 'EACCES', 'socket.socket()'],
);
my $own_defs = <<'P';
import multiprocessing
def talk(path, kind=socket.SOCK_STREAM):
    s = unix(kind); s.bind(path); s.listen(); c = to(path, kind); k, _ = s.accept(); c.send(b"x"); k.recv(9)
    text = lambda name: (name.decode() if isinstance(name, bytes) else name).replace("\0", "@")
    return text(s.getsockname()) + " " + text(c.getpeername())
def peers():
    s = serve("/tmp/w"); c = to("/tmp/w"); k, _ = s.accept()
    told = [struct.unpack("3i", x.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)) for x in (c, k)]
    return "%d %d" % (told[0][1], told[1][1])
def sender(): # also where it is said
    s = serve("/tmp/v"); s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1); c = to("/tmp/v")
    k, _ = s.accept(); told = []
    mine = struct.pack("3i", os.getpid(), os.getuid(), os.getgid())
    for beside in [], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, mine)]:
        c.sendmsg([b"x"], beside); told += [data == mine for _, _, data in k.recvmsg(9, 100)[1]]
    return str(told == [True, True])
if __name__ == "__main__":
    manager = multiprocessing.Manager()
    os.makedirs("/tmp/d/e"); os.symlink("/tmp", "/tmp/l2")
P
sub own_sockets {
    my ($user, $host, $server_pid) = @_;
    my $name = $user->{name};
    my $dir = sandbox($user, 'net { deny bind unix "/tmp/denied"; }
        fs { allow read, write "/w" from "./w"; allow read "/host" from "' . "$host/host" . '";
            allow read, write "/tmp" from tmpfs size 4MiB; deny write "/tmp/locked";
            allow read, write "/over" from overlay "' . "$host/host" . '" size 4MiB; }
        limits { lifetime 60s; }', uses => 'python');
    my %values = (uid => '(?:0|65534)', pid => $server_pid);
    my @tried = @own;
    my $own = sub {
        spew("$dir/w/code.py", $prelude . $own_defs . join '', map {
            my $code = $_->[2] =~ s/\{pid\}/$server_pid/gr =~ s/\0/\\0/gr;
            "    t(\"$_->[0]\", lambda: $code)\n";
        } @tried);
        return in_sandbox($user, $dir, { seconds => 60 }, 'python3', '/w/code.py');
    };
    my $run = $own->();
    if ($run->{status} == 125 && $run->{err} =~ /needs Linux 6\.6 or newer/) { # no overlay here
        spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/allow read, write "\/over"[^;]*;//r);
        @tried = grep { $_->[2] !~ m{/over/} } @own;
        $run = $own->();
    }
    my @lines = split /\n/, $run->{out};
    for my $try (@tried) {
        my $want = $try->[1] =~ s{\{(\w+)\}}{$values{$1}}gr;
        $want = quotemeta $want if $want eq $try->[1];
        like shift @lines, qr/^\Q$try->[0]\E $want$/, "$name: own: $try->[0]" or diag $run->{err};
    }
    unlike $run->{err}, qr/unix "\/tmp\/a"/, "$name: own: what is allowed is not told";
    is join(' ', grep { -S $_ } glob "$dir/w/*"), '', "$name: own: and none lies on the host";

    $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } net { allow connect, bind, listen unix "/w"; }');
    $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . join '', map { "t('', lambda: $_)\n" }
        "to('\\0sbx-$server_pid')", "unix().bind('\\0x')", "unix().bind('')", "serve('/dev/shm/x')");
    is $run->{out}, " EACCES\n" x 4, "$name: a rule on a path allows none that lies elsewhere" or diag $run->{err};
    like $run->{err}, qr/`net \{ allow bind unix loopback; \}` would/, "$name: which rule would is said";

    # Datagrams, where a path makes them possible: among its own where that is allowed, and nowhere else.
    for my $own ('EACCES EACCES', 'ok ok') {
        $dir = sandbox($user, 'fs { allow read, write "/tmp" from tmpfs size 1MiB; allow read "/host" from "'
            . "$host/host" . '"; } net { allow connect unix "/host/good"; '
            . ($own =~ /ok/ ? 'allow bind, connect unix loopback; }' : '}'));
        $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . <<'P');
def own(name):
    s = unix(socket.SOCK_DGRAM); s.bind(name); unix(socket.SOCK_DGRAM).sendto(b"x", name); s.recv(9)
t("path", lambda: own("/tmp/d")); t("abstract", lambda: own("\0d"))
t("host", lambda: unix(socket.SOCK_DGRAM).sendto(b"x", "/host/bad"))
P
        my @want = split ' ', $own;
        is $run->{out}, "path $want[0]\nabstract $want[1]\nhost EACCES\n",
            "$name: datagrams among its own, beside a rule on a path" or diag $run->{err};
    }

    # A folder of the host is one also where memory lies otherwise, or beside an overlay that is not there.
    $dir = sandbox($user, 'fs { allow read, write "/dev/shm" from "' . "$host/host" . '"; allow read "/host" from "'
        . "$host/host" . '"; allow read, write "/none" from overlay "./none" size 1MiB if exists; }', uses => 'python');
    $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . join '', map { "t('', lambda: $_)\n" }
        "to('/dev/shm/good')", "to('/host/good')", "serve('/dev/shm/x')");
    is $run->{out}, " EACCES\n" x 3, "$name: a folder of the host at a place of memory's is the host's"
        or diag $run->{err};

    # What a link leads to is followed once: nothing is bound where a deny holds.
    $dir = sandbox($user, 'net { allow bind, listen, connect unix "/w"; } fs { allow read, write "/w" from "./w";
        allow read, write "/tmp" from tmpfs size 1MiB; deny read "/w/secret"; deny write "/w/locked"; }',
        uses => 'python');
    mkdir "$dir/w/$_" for qw(secret locked secret/in locked/in open open/in);
    owned($user, map { "$dir/w/$_" } qw(secret locked secret/in locked/in open open/in));
    $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . <<'P');
for i, folder in enumerate(("secret/in", "locked/in", "locked", "open/in")):
    os.path.lexists("/tmp/e") and os.unlink("/tmp/e"); os.symlink(f"/w/{folder}", "/tmp/e")
    t(folder, lambda: serve(f"/tmp/e/../b{i}").getsockname())
P
    like $run->{out}, qr/^secret\/in\ (?:ENOENT|EACCES)\nlocked\/in\ (?:EACCES|EROFS)\nlocked\ b2\nopen\/in\ b3\n\z/x,
        "$name: a text that goes back binds where it led to, by its name" or diag $run->{err};
    is join(' ', sort map { s{^\Q$dir\E/}{}r } grep { -S $_ } glob "$dir/w/* $dir/w/*/* $dir/w/*/*/*"),
        'w/b2 w/open/b3', "$name: and nowhere else";

    # Nothing is lent to a bind: a folder's modes hold for each way to say its place, and the umask for what is made.
    $dir = sandbox($user, 'net { allow bind unix "/w"; } fs { allow read, write "/w" from "./w"; }', uses => 'python');
    mkdir "$dir/w/$_" for qw(locked open);
    owned($user, map { "$dir/w/$_" } qw(locked open));
    chmod 0555, "$dir/w/locked";
    $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . <<'P');
for folder in "locked", "open":
    os.chdir(f"/w/{folder}")
    for text in "s1", "./s2", f"/w/{folder}/s3": t(text, lambda: unix().bind(text))
os.umask(0o777); t("masked", lambda: (unix().bind("./s4"), oct(os.stat("s4").st_mode))[1])
P
    is $run->{out}, join('', "s1 EACCES\n./s2 EACCES\n/w/locked/s3 EACCES\n", "s1 ok\n./s2 ok\n/w/open/s3 ok\n",
        "masked 0o140000\n"), "$name: a folder's modes hold, and the umask" or diag $run->{err};
}

my $server = <<'P';
import array, os, socket, struct, sys, threading, time
folder = sys.argv[1]
def listen(name, kind=socket.SOCK_STREAM, backlog=64):
    s = socket.socket(socket.AF_UNIX, kind); s.bind(name if name[0] == "\0" else f"{folder}/{name}")
    name[0] != "\0" and os.chmod(f"{folder}/{name}", 0o777)
    if kind != socket.SOCK_DGRAM: s.listen(backlog)
    return s
def hello(s, wait=0):
    time.sleep(wait)
    while True:
        c, _ = s.accept(); pid, uid, gid = struct.unpack("iii", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        c.send(b"hello %d" % uid); c.close()
def keep(s):
    while True:
        c, _ = s.accept(); _, rights, _, _ = c.recvmsg(1, 100); f = array.array("i", rights[0][2])[0]
        os.write(f, b"from outside"); c.send(b"x"); c.close()
def note(s, path):
    while True: data = s.recv(100); f = open(path, "ab"); f.write(data + b"\n"); f.close()
def start(f, *a): threading.Thread(target=f, args=a, daemon=True).start()
for name in ("good", "bad", "hidden", f"\0sbx-{os.getpid()}"): start(hello, listen(name))
start(hello, listen("packets", socket.SOCK_SEQPACKET)); start(keep, listen("keeper"))
start(note, listen("datagrams", socket.SOCK_DGRAM), f"{folder}/got")
start(note, listen("bad-datagrams", socket.SOCK_DGRAM), f"{folder}/got-bad")
never = listen("never", backlog=3); slow = listen("slow", backlog=0)
for _ in range(1): c = socket.socket(socket.AF_UNIX); c.connect(f"{folder}/slow"); globals()[f"c{_}"] = c
def later():
    while not os.path.exists(f"{folder}/../w/begun"): time.sleep(0.05)
    time.sleep(1); hello(slow)
start(later)
full = listen("full", socket.SOCK_DGRAM); stuck = listen("stuck", socket.SOCK_DGRAM)
def drain():
    while not os.path.exists(f"{folder}/../w/filling"): time.sleep(0.05)
    time.sleep(3)
    while True: full.recv(100)
start(drain)
def lazy(s):
    while True: time.sleep(0.01); hello_one(s)
def hello_one(s): c, _ = s.accept(); c.send(b"hello"); c.close()
start(lazy, listen("lazy", backlog=0))
nobody = listen("nobody", backlog=0); first = socket.socket(socket.AF_UNIX); first.connect(f"{folder}/nobody")
print(os.getpid(), flush=True)
threading.Event().wait()
P

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $dir = sandbox($user, 'net { allow connect unix "/host/good", "/host/datagrams", "/host/packets", "/host/slow",
        "/host/never", "/host/keeper", "/host/hidden", "/alone.sock"; allow bind, listen, connect unix "/w/mine"; }
        fs { allow read, write "/w" from "./w"; allow read "/host" from "./host"; deny read "/host/hidden";
            allow read "/alone.sock" from "./host/good"; allow read "/alone-bad.sock" from "./host/bad"; }
            limits { lifetime 60s; }');
    mkdir "$dir/host";
    spew("$dir/host/file", '');
    spew("$dir/server.py", $server);
    owned($user, "$dir/host", "$dir/host/file");
    pipe my $ready, my $says or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        close $ready;
        open STDOUT, '>&', $says;
        become($user);
        exec 'python3', "$dir/server.py", "$dir/host" or POSIX::_exit(1);
    }
    close $says;
    my ($server_pid) = (<$ready> // '') =~ /(\d+)/ or die 'no server';
    my %values = (uid => '\d+', pid => $server_pid, dir => $dir, inside => '\d+');
    spew("$dir/w/code.py", $prelude . $defs . "open('/w/begun', 'w').write('x')\n" . join '', map {
        my $code = $_->[2] =~ s/\{(pid|dir)\}/$values{$1}/gr;
        "t(\"$_->[0]\", $code)\n";
    } @tries);
    my $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => 60 }, 'python3',
        '/w/code.py');
    my @lines = split /\n/, $run->{out};
    for my $try (@tries) {
        my ($label, $want) = @$try;
        my $line = shift @lines;
        like $line, qr/^\Q$label\E @{[ $want =~ s{\{(\w+)\}}{$values{$1}}gr ]}$/, "$name: $label" or diag $run->{err};
    }
    my ($seen) = $run->{out} =~ /^allowed hello (\d+)$/m;
    require JSON::PP;
    is $seen, JSON::PP::decode_json(slurp("$dir/w/r.json"))->{outside_user},
        "$name: the server sees the command's user";
    isnt $seen, 0, "$name: who is not root";
    my $sent = "one\ntwo\nthree\n"; # who took them may still be writing
    soon(sub { -e "$dir/host/got" && slurp("$dir/host/got") eq $sent });
    is slurp("$dir/host/got"), $sent, "$name: datagrams came";
    ok !-e "$dir/host/got-bad", "$name: and no others";
    like $run->{err},
        qr/^sbxrun:\ denied\ connect\ unix\ "\/host\/bad",\ 2\ times:\ no\ rule\ allows\ it\n
            \ +`net\ \{\ allow\ connect\ unix\ "\/host\/bad";\ \}`\ would$/mx,
        "$name: what was denied is said";

    # Of a queue that is full poll(2) tells only those who are connected to it.
    my $full = sandbox($user, 'net { allow connect unix "/host/full", "/host/stuck", "/host/lazy", "/host/nobody"; '
        . 'allow bind, listen, connect unix "/w/again"; } fs { allow read, write "/w" '
        . "from \"$dir/w\"; allow read \"/host\" from \"$dir/host\"; "
        . '} limits { lifetime 60s; }', uses => 'python');
    my $spent = (times)[2] + (times)[3];
    $run = in_sandbox($user, $full, { seconds => 30 }, 'python3', '-c', $prelude . <<'P');
def fill():
    open("/w/filling", "w").close(); s = unix(socket.SOCK_DGRAM); start = time.time()
    for i in range(1200): s.sendto(b"x", "/host/full") # more than a queue has (net.unix.max_dgram_qlen)
    return "late" if time.time() - start > 2 else "early"
def stuck():
    s = unix(socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 1, 0))
    while True: s.sendto(b"x", "/host/stuck")
def alarmed():
    told = []; signal.signal(signal.SIGALRM, lambda *_: told.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.5)
    s = unix(socket.SOCK_DGRAM)
    threading.Timer(1.5, lambda: os._exit(len(told))).start(); s.sendto(b"x", "/host/stuck")
def crowd(): # more than there are sleepers at once, but not at once
    good = []
    all = [threading.Thread(target=lambda: [good.append(to("/host/lazy").recv(9)) for _ in range(30)])
        for _ in range(8)]
    [x.start() for x in all]; [x.join() for x in all]; return str(good.count(b"hello"))
def again(): # more than are remembered
    for _ in range(1100): s = unix(); s.bind("/w/again"); os.unlink("/w/again")
    s = serve("/w/again"); to("/w/again").send(b"x"); return s.accept()[0].recv(1).decode()
def sleepers(): # callers of a server that takes nobody: how many are not told that there are too many
    told = []
    def call():
        s = unix(); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 3, 0))
        told.append(s.connect_ex("/host/nobody") == errno.ENOBUFS)
    all = [threading.Thread(target=call) for _ in range(70)]
    [x.start() for x in all]; [x.join() for x in all]; return str(told.count(False))
t("full", fill); t("stuck", stuck); t("crowd", crowd); t("again", again); t("sleepers", sleepers); alarmed()
P
    is $run->{out}, "full late\nstuck EAGAIN\ncrowd 240\nagain x\nsleepers 64\n",
        "$name: who sends to a full queue waits, as long as it says" or diag $run->{err};
    is $run->{status}, 1, "$name: and hears signals meanwhile";
    cmp_ok((times)[2] + (times)[3] - $spent, '<', patience(patience(1) > 1 ? 5 : 2.5),
        "$name: and that takes no processor's time");
    own_sockets($user, $dir, $server_pid);
    kill TERM => $pid;
    waitpid $pid, 0;
    is left_since($before), '', "$name: nothing is left";
}
done_testing;
