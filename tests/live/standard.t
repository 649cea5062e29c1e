#!/usr/bin/perl
# Every kind of file as standard input, output and error: what is on the list reaches the command, all else is refused
# before it runs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

# given.py KIND DESCRIPTOR COMMAND...: has the command run with such a descriptor there; 77: this host or user has none.
my $given = spew(folder() . '/given.py', <<'P');
import ctypes, fcntl, os, pty, socket, sys, tempfile
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    fd = libc.syscall(number, *arguments)
    if fd < 0: raise OSError(ctypes.get_errno(), "")
    return fd
def at(path, flags=os.O_RDWR): return os.open(path, flags)
def made(kind=socket.SOCK_STREAM, family=socket.AF_INET, protocol=0): return socket.socket(family, kind, protocol)
def tcp(listening=False):
    server = made(); server.bind(("127.0.0.1", 0)); server.listen(); client = made()
    client.connect(server.getsockname())
    return server if listening else (client, server.accept())[0]
def udp(): a = made(socket.SOCK_DGRAM); a.connect(("127.0.0.1", 9)); return a
def fifo(): p = tempfile.mktemp(); os.mkfifo(p); f = at(p); os.unlink(p); return f
def pipe(): r, w = os.pipe(); return w if sys.argv[2] != "0" else r
def listening(kind): s = made(kind, socket.AF_UNIX); s.bind(""); s.listen(); return s
def terminal(): master, slave = pty.openpty(); os.set_inheritable(master, True); return slave
ring = ctypes.create_string_buffer(248)
kinds = {
    "a file": lambda: tempfile.TemporaryFile(), "no memory": lambda: os.memfd_create("x"), "a pipe": pipe,
    "a FIFO": fifo,
    "a terminal": terminal, "a terminal that is gone": lambda: pty.openpty()[1],
    "a unix connection": lambda: socket.socketpair()[0], "a tcp connection": tcp,
    "null": lambda: at("/dev/null"), "zero": lambda: at("/dev/zero"),
    "full": lambda: at("/dev/full"), "random": lambda: at("/dev/random"), "urandom": lambda: at("/dev/urandom"),
    "no folder": lambda: at("/", os.O_RDONLY),
    "no path": lambda: at("/etc/passwd", os.O_PATH), "no path of a folder": lambda: at("/", os.O_PATH),
    "no disk": lambda: at(next(d.path for d in os.scandir("/dev") if d.stat().st_mode & 0o170000 == 0o060000),
        os.O_RDONLY),
    "no master of terminals": lambda: at("/dev/ptmx"), "no kernel log": lambda: at("/dev/kmsg", os.O_RDONLY),
    "no memory of the machine": lambda: at("/dev/mem", os.O_RDONLY),
    "no tunnel": lambda: at("/dev/net/tun"), "no file system in a program": lambda: at("/dev/fuse"),
    "no file of /proc": lambda: at("/proc/self/status", os.O_RDONLY),
    "no memory of a process": lambda: at("/proc/self/mem"),
    "no file of /sys": lambda: at("/sys/kernel/fscaps", os.O_RDONLY),
    "no namespace": lambda: at("/proc/self/ns/net", os.O_RDONLY), "no tcp socket": made,
    "no tcp server": lambda: tcp(True), "no udp socket": lambda: made(socket.SOCK_DGRAM), "no connected udp": udp,
    "no unix socket": lambda: made(family=socket.AF_UNIX), "no unix server": lambda: listening(socket.SOCK_STREAM),
    "no unix datagrams": lambda: made(socket.SOCK_DGRAM, socket.AF_UNIX),
    "no pair of datagrams": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0],
    "no pair of packets": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0],
    "no mptcp": lambda: made(protocol=262), "no netlink": lambda: made(socket.SOCK_RAW, socket.AF_NETLINK),
    "no raw socket": lambda: made(socket.SOCK_RAW, protocol=1),
    "no packets": lambda: made(socket.SOCK_RAW, socket.AF_PACKET),
    "no vsock": lambda: made(family=socket.AF_VSOCK),
    "no cryptography": lambda: made(socket.SOCK_SEQPACKET, socket.AF_ALG),
    "no epoll": lambda: __import__("select").epoll(), "no eventfd": lambda: libc.eventfd(0, 0),
    "no timer": lambda: libc.timerfd_create(1, 0), "no inotify": lambda: libc.inotify_init(),
    "no process": lambda: os.pidfd_open(os.getpid()), "no ring": lambda: call(425, 4, ctypes.addressof(ring)),
    "no ruleset": lambda: call(444, ctypes.byref(ctypes.c_uint64(1)), 8, 0),
    "no queue": lambda: (lambda q: q if q >= 0 else at(""))(
        ctypes.CDLL("librt.so.1").mq_open(b"/sbx-test-%d" % os.getpid(), os.O_RDWR | os.O_CREAT, 0o600, None)),
    "no mount": lambda: call(428, -100, b"/", 1), "no signals": lambda: call({"x86_64": 289,
            "aarch64": 74}[os.uname().machine], -1, ctypes.byref(ctypes.c_uint64(512)), 8, 0),
}
if sys.argv[1] == "kinds": print("\n".join(kinds)); sys.exit()
try: got = kinds[sys.argv[1]]()
except (OSError, StopIteration): sys.exit(77)
fd = got if isinstance(got, int) else got.fileno()
if fd < 0: sys.exit(77) # the C library says so, as where others of this user have all that there may be
os.dup2(fd, int(sys.argv[2])); os.execvp(sys.argv[3], sys.argv[3:])
P
my @kinds = split /\n/, run('python3', $given, 'kinds')->{out};
cmp_ok scalar @kinds, '>', 45, scalar(@kinds) . ' kinds';
END { unlink glob '/dev/mqueue/sbx-test-*' }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; }');
    my $with = sub {
        my ($kind, $fd, $policy) = @_;
        unlink "$dir/w/ran";
        return run({ %$user, cwd => $dir }, 'python3', $given, $kind, $fd, $sbxrun, $fd > 2 ? ('--fd', $fd) : (),
            $policy // 'p.sbx', '--', 'sh', '-c', 'echo > /w/ran');
    };
    my $had = 0;
    for my $kind (@kinds) {
        for my $fd (0 .. 2) {
            my $run = $with->($kind, $fd);
            next if $run->{status} eq '77';
            $had++;
            if ($kind =~ /^no /) {
                is "$run->{status} " . (-e "$dir/w/ran" ? 'ran' : ''), '125 ', "$name: $kind as descriptor $fd";
                like $run->{err},
                    qr/^sbxrun: standard @{[qw(input output)[$fd]]} is .*\nsbxrun: pass it through a pipe/,
                    "$name: and is told" if $fd < 2;
            } else {
                is "$run->{status} " . (-e "$dir/w/ran" ? 'ran' : ''), '0 ran',
                    "$name: $kind as descriptor $fd" or diag $run->{err};
            }
        }
    }
    for my $kind (@kinds) { # by its number: no terminal, but a server
        my $run = $with->($kind, 6);
        next if $run->{status} eq '77';
        my $may = $kind =~ /^no (?:tcp|unix) server/ || $kind !~ /^no |terminal/;
        is "$run->{status} " . (-e "$dir/w/ran" ? 'ran' : ''), $may ? '0 ran' : '125 ',
            "$name: $kind, handed over" or diag $run->{err};
        like $run->{err}, qr/^sbxrun: descriptor 6 is .*, which could be a way out of the sandbox$/m,
            "$name: and is told" if !$may;
    }
    cmp_ok $had, '>', 100, "$name: $had of " . 3 * @kinds . ' are to be had here';

    # What chooses a way in the sandbox's own network would choose one of the host's for the caller's connection.
    my $way = q{exit(setsockopt(STDIN, 1, 12, pack 'i', 1) ? 0 : $!{ENOPROTOOPT} ? 3 : $! + 0)}; # SO_PRIORITY
    for my $case (['own', 'allow connect, bind tcp loopback;', 125],
        ['both', 'allow connect tcp loopback; allow connect, bind unix loopback;', 125],
        ['datagrams', 'allow connect udp loopback; allow connect unix loopback;', 125],
        ['streams', 'allow connect, bind unix loopback;', 3],
        ['out', 'allow connect tcp 192.0.2.1:80;', 3], ['all', 'allow connect tcp loopback, 192.0.2.1:80;', 3],
        ['path', 'allow connect tcp loopback; allow connect unix "/w/x";', 3]) {
        my ($policy, $rules, $want) = @$case;
        spew("$dir/$policy.sbx",
            slurp("$dir/p.sbx") =~ s/policy p/policy $policy/r =~ s/fs \{/net { $rules } fs {/r);
        is run({ %$user, cwd => $dir }, 'python3', $given, 'a tcp connection', 0, $sbxrun, "$policy.sbx", '--',
            'perl', '-e', $way)->{status}, $want, "$name: a connection of the host's where rules say: $rules";
        is $with->('a unix connection', 0, "$policy.sbx")->{status}, 0, "$name: a unix one";
    }

    # What is refused for what the socket is, though rules allow it, is told as no denial by them.
    spew("$dir/bind.sbx", slurp("$dir/all.sbx") =~ s/policy all/policy bind/r
        =~ s/net \{/net { allow bind, listen tcp loopback:9100; allow bind tcp host-loopback:9101;/r);
    my $run = run({ %$user, cwd => $dir }, 'python3', $given, 'a tcp connection', 0, $sbxrun, "bind.sbx", '--', 'perl',
        '-MSocket', '-e', q{connect STDIN, pack 'S x14', 0; $| = 1;
            print bind($_->[0], pack_sockaddr_in($_->[1], INADDR_LOOPBACK)) ? "bound " : $!{EINVAL} ? "EINVAL " :
            $!{EACCES} ? "EACCES " : "$! " for [*STDIN, 9100], [*STDIN, 9102], [fresh(), 9101];
            sub fresh { socket my $s, AF_INET, SOCK_STREAM, 0 or die; $s }});
    is $run->{out}, 'EINVAL EINVAL EACCES ', "$name: binds that are refused" or diag $run->{err};
    unlike $run->{err}, qr/9100/, "$name: where a rule allows it nothing is told";
    like $run->{err}, qr/bind tcp 127\.0\.0\.1:9102.*allow bind tcp loopback:9102/s, "$name: where none does it is";
    like $run->{err}, qr/listen tcp 127\.0\.0\.1:9101.*allow listen tcp/s, "$name: and what else it takes";

    # Without Landlock a file that is open for reading could be opened again.
    my $without = sub {
        my ($path, @more) = @_;
        run({ %$user, cwd => $dir, in => $path }, "$build/tests/live/under", '444=38', '--', $sbxrun, @more, 'p.sbx',
            '--', 'sh', '-c', 'echo over > /proc/self/fd/0');
    };
    my $mine = spew("$dir/mine", "as it was\n");
    owned($user, $mine);
    chmod 0666, $mine;
    if (landlock(1)) {
        $run = run({ %$user, cwd => $dir, in => $mine }, $sbxrun, 'p.sbx', '--', 'sh', '-c',
            'echo over > /proc/self/fd/0');
        is slurp($mine), "as it was\n", "$name: with Landlock it can't be written to: exit $run->{status}";
    }
    $run = $without->($mine);
    is "$run->{status} " . slurp($mine), "125 as it was\n", "$name: without it the run is refused" or diag $run->{err};
    like $run->{err},
        qr/^sbxrun:\ standard\ input\ is\ a\ file\ that\ the\ command\ could\ open\ again\ and\ write\ to:\ this\ 
            host\ has\ no\ Landlock\nsbxrun:\ pass\ it/x,
        "$name: that is told";
    is $without->('/etc/passwd')->{status} == 125, '', "$name: what is not the command's to write may be read";

    # Nor does anything else keep it from writing to a FIFO in a folder that is only read.
    my $fifos = sandbox($user, 'fs { allow read "/ro" from "./ro"; }', uses => 'shell');
    mkdir $_ for "$fifos/ro", "$fifos/ro/deep", "$fifos/ro/deep/er";
    owned($user, "$fifos/ro", "$fifos/ro/deep", "$fifos/ro/deep/er");
    my $bare = sub {
        run({ %$user, cwd => $fifos }, "$build/tests/live/under", '444=38', '--', $sbxrun, 'p.sbx', '--', 'true')
    };
    is $bare->()->{status}, 0, "$name: without Landlock, a folder without one";
    POSIX::mkfifo("$fifos/ro/deep/er/pipe", 0644) or die $!;
    owned($user, "$fifos/ro/deep/er/pipe");
    $run = $bare->();
    is $run->{status}, 125, "$name: with one of the command's user the run is refused";
    like $run->{err}, qr{^sbxrun: /ro/deep/er/pipe is a FIFO of the host, }, "$name: which is named";
    is run({ %$user, cwd => $fifos }, $sbxrun, 'p.sbx', '--', 'true')->{status}, 0, "$name: with Landlock it is kept"
        if landlock(1);
    # Landlock takes nothing away beneath what may be written.
    for my $denied ('/w/sub', '/w/sub/pipe') {
        my $in = sandbox($user, 'fs { allow read, write "/w" from "./w"; deny write "' . $denied . '"; }');
        mkdir "$in/w/sub";
        owned($user, "$in/w/sub");
        is in_sandbox($user, $in, 'true')->{status}, 0, "$name: a denied path without one";
        POSIX::mkfifo("$in/w/sub/pipe", 0644) or die $!;
        owned($user, "$in/w/sub/pipe");
        my $tried = in_sandbox($user, $in, 'true');
        is $tried->{status}, 125, "$name: a denied FIFO in a folder that may be written";
        like $tried->{err}, qr{^sbxrun: /w/sub/pipe is a FIFO of the host, }, "$name: is named";
        my $hidden = spew("$in/p.sbx", slurp("$in/p.sbx") =~ s/deny write/deny read/r);
        is in_sandbox($user, $in, 'true')->{status}, 0, "$name: and may be hidden";
    }
    my $devices = sandbox($user, 'fs { deny write "/dev/null"; }');
    like in_sandbox($user, $devices, 'true')->{err},
        qr{^sbxrun: a device can be written wherever the folder that it lies in can, also /dev/null \(},
        "$name: a device that may only be read, in a /dev that may be written";
}
done_testing;
