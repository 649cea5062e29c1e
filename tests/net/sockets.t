#!/usr/bin/perl
# A socket's life is a table (enforcer/network/sockets.def): the page that is made of it is the one in docs, and in each
# state each call does what it says, which is what Linux does outside wherever a rule allows it.
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
require "$root/tools/sockets.pl";
my $table = "$root/enforcer/network/sockets.def";
my %rows = map { $_->{state} => $_ } rows($table);
is slurp("$root/docs/sockets.md"), page($table), 'docs/sockets.md is made of the table (tools/sockets.pl)';

# 7001 takes connections, 7002 datagrams, 7003 nothing, 7004 resets; to port 8080 of the loopback somebody always
# connects
my $servers = <<'P';
import socket, struct, threading, time
held = []
def take(s):
    while True: held.append(s.accept()[0])
def reset(s):
    while True:
        c, _ = s.accept(); c.recv(1); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
def call():
    while True:
        s = socket.socket()
        try: s.connect(("127.0.0.1", 8080)); held.append(s)
        except OSError: pass
        time.sleep(0.05)
udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(("192.0.2.1", 7002))
full = socket.create_server(("192.0.2.1", 7003), backlog=0)
for _ in range(2): s = socket.socket(); s.setblocking(False); s.connect_ex(("192.0.2.1", 7003)); held.append(s)
for f, a in (take,
    [socket.create_server(("192.0.2.1", 7001))]), (reset, [socket.create_server(("192.0.2.1", 7004))]), (call, []):
    threading.Thread(target=f, args=a, daemon=True).start()
print("ready", flush=True); time.sleep(1000)
P

my $program = <<'P';
import ctypes, errno, os, select, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
A, OUT, LO = "192.0.2.1", "198.51.100.1", "127.0.0.1"
def new(): s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); return s
def connected(port=7001): s = new(); s.connect((A, port)); return s
def name(s, host, port):
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(host) + bytes(8)
def code(n): return errno.errorcode[ctypes.get_errno()].replace("ENOTSUP", "EOPNOTSUPP") if n else "ok"
def forget(s): return code(libc.connect(s.fileno(), bytes(16), 16))
def gone(s): # leaves nothing behind that the next one could meet: no TIME_WAIT at the same two addresses
    if s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
def closed(s): # waits until tcp's state is that
    for _ in range(2000):
        if s.getsockopt(socket.IPPROTO_TCP, 11, 1)[0] == 7: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR); return s
        time.sleep(0.01)
    raise Exception("not closed")
def loose_given_up(): s = connected(); forget(s); return s
def loose_reset(): s = connected(7004); s.send(b"x"); return closed(s)
def loose_timed_out():
    s = new(); s.setblocking(False); s.setsockopt(socket.IPPROTO_TCP, 7, 1); s.setsockopt(socket.IPPROTO_TCP, 18, 300)
    s.connect_ex((A, 7003)); s = closed(s); s.setblocking(True); return s
def connecting(): s = new(); s.setblocking(False); s.connect_ex((A, 7003)); return s
def bound(): s = new(); s.bind((LO, 8080)); return s
def listening(): s = bound(); s.listen(); return s
def accepted(): s = listening(); s.settimeout(20); c, _ = s.accept(); s.close(); c.setblocking(True); return c
def shut(): s = connected(); s.shutdown(socket.SHUT_WR); return s
def copied(): s = connected(); c = s.dup(); s.close(); return c
def stopped(): s = listening(); s.shutdown(socket.SHUT_RD); return s
def own_listening(): s = new(); s.bind((LO, 7500)); s.listen(); return s
def own_connected(): l = own_listening(); s = new(); s.connect((LO, 7500)); keep.append(l); return s
def udp(): return socket.socket(type=socket.SOCK_DGRAM)
def udp_sent(): s = udp(); s.sendto(b"x", (A, 7002)); return s
def udp_connected(): s = udp(); s.connect((A, 7002)); return s
states = [("OWN", new), ("OWN_BUSY", own_listening), ("OWN_BUSY", own_connected),
    ("OWN_UDP", udp), ("LOOSE", loose_given_up), ("LOOSE", loose_reset), ("LOOSE", loose_timed_out),
    ("CONNECTING", connecting), ("CONNECTED", connected), ("CONNECTED", accepted),
    ("CONNECTED", shut), ("CONNECTED", copied), ("PUBLISHED", bound), ("PUBLISHED", stopped), ("LISTENING", listening),
    ("UDP_OUTSIDE", udp_sent), ("UDP_OUTSIDE", udp_connected)]
def connects(s, host):
    kind = s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    return code(libc.connect(s.fileno(), name(s, host, 7001 if kind == socket.SOCK_STREAM else 7002), 16))
calls = [("connect", lambda s: connects(s, A)), ("connect denied", lambda s: connects(s, OUT)),
    ("forget", forget), ("bind", lambda s: code(libc.bind(s.fileno(), name(s, LO, 8081), 16))),
    ("bind denied", lambda s: code(libc.bind(s.fileno(), name(s, LO, 9000), 16))),
    ("listen", lambda s: code(libc.listen(s.fileno(), 5)))]
keep = []
for state, make in states:
    for call, f in calls:
        s = make(); print(f"{state} {make.__name__} {call}: {f(s)}", flush=True)
        gone(s); [k.close() for k in keep]; keep = []
if len(sys.argv) > 1: # all that once was connected or failed tries to listen, and waits for who looks on
    for make in loose_given_up, loose_reset, loose_timed_out, connected, shut:
        s = make(); connects(s, A); forget(s); libc.listen(s.fileno(), 5); keep.append(s)
    keep.append(listening()); print("waits", flush=True)
    while not os.path.exists("/w/go"): time.sleep(0.05)
P

# What a call must give: by the table, or what it gives outside.
sub expected {
    my ($state, $call, $what) = @_;
    my ($made, $error) = @{ $rows{$state}{cells}[ { connect => 0, forget => 1, bind => 2,
                listen => 3 }->{ $call =~ /^(\w+)/ ? $1 : '' } ] };
    return $error if $made eq 'REFUSED' || $call =~ /denied/;
    # there is no rule
    return $error if $made eq 'RULES' && ("$state $call" eq 'OWN_UDP bind' || $what =~ /own_connected listen/);
    return;
}

Net::servers_with(spew(folder() . '/servers.py', $servers));
my $outside = run({ seconds => 120 }, '/usr/bin/python3', '-c', $program);
my %outside = $outside->{out} =~ /^(\S+ \S+ .*): (\w+)$/mg;
cmp_ok scalar(keys %outside), '==', 17 * 6, 'outside: every state and every call' or diag $outside->{err};

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read "/w" from "./w"; }
    net {
        allow connect tcp 192.0.2.1:7001..7004;
        allow connect udp 192.0.2.1:7002;
        allow connect tcp loopback:7500;
        allow bind, listen tcp loopback:7500;
        allow bind, listen tcp host-loopback:8080..8081;
    }', uses => 'python');
    spew("$dir/w/program.py", $program);
    my $said = spew("$dir/said", '');
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>', $said or die $!;
        open STDERR, '>', "$dir/err" or die $!;
        become($user);
        chdir $dir;
        exec @{ $user->{within} // [] }, $sbxrun, 'p.sbx', '--', '/usr/bin/python3', '/w/program.py',
            'wait' or POSIX::_exit(99);
    }
    for (my $end = time + patience(90); time < $end && slurp($said) !~ /^waits$/m
        && waitpid($pid, POSIX::WNOHANG()) == 0;) { sleep 0.1 }
    my @listening = sort map { /^\s*\d+: (\w+):(\w+) \S+ 0A/ && hex($2) != 7001 && hex($2) != 7003 && hex($2) != 7004
        ? join('.', reverse unpack 'C4', pack 'H8', $1) . ':' . hex $2 : () } split /\n/, slurp('/proc/net/tcp');
    is "@listening", '127.0.0.1:8080', "$who: nobody listens but where a rule publishes";
    spew("$dir/w/go", '');
    for (my $end = time + patience(20); time < $end && waitpid($pid, POSIX::WNOHANG()) == 0;) { sleep 0.05 }
    my %inside = slurp($said) =~ /^(\S+ \S+ .*): (\w+)$/mg;
    cmp_ok scalar(keys %inside), '==', 17 * 6, "$who: every state and every call" or diag slurp("$dir/err");
    for my $what (sort keys %inside) {
        my ($state, $call) = $what =~ /^(\S+) \S+ (.*)$/;
        my $expected = expected($state, $call, $what) // $outside{$what};
        is $inside{$what}, $expected, "$who: $what" . (defined expected($state, $call, $what) ? '' : ', as outside');
    }
}
done_testing;
