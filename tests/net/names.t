#!/usr/bin/perl
# Names: only those that a rule allows are asked for outside, only with addresses that no rule denies, and only while
# they are theirs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

own_network();
servers('echo', 'http', 'dns');

my $prelude = <<'P';
import errno, socket, struct, sys, time, os, threading
def t(label, f):
    try: print(label, f() or "ok", flush=True)
    except socket.gaierror as e:
        print(label, {socket.EAI_NONAME: "NONAME", socket.EAI_AGAIN: "AGAIN",
                socket.EAI_NODATA: "NODATA", socket.EAI_FAIL: "FAIL"}.get(e.errno, e), flush=True)
    except OSError as e: print(label, errno.errorcode.get(e.errno, e), flush=True)
def look(name, family=socket.AF_INET):
    return " ".join(sorted({a[4][0] for a in socket.getaddrinfo(name, 7001, family, socket.SOCK_STREAM)}))
def echo(name, port=7001, family=0):
    for family, kind, protocol, _, address in socket.getaddrinfo(name, port, family, socket.SOCK_STREAM):
        s = socket.socket(family, kind); s.settimeout(3); s.connect(address); s.sendall(b"x")
        return "echoed" if s.recv(1) == b"x" else "?"
def wire(name): return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".") if l) + b"\0"
def query(name, kind=1, edns=0, identity=4711, flags=0x100, count=1, kind_class=1):
    return struct.pack(">HHHHHH", identity, flags, count, 0, 0, 1 if edns else 0) + (wire(name) + struct.pack(">HH",
            kind, kind_class)) * min(count, 1) + (struct.pack(">BHHIH", 0, 41, edns, 0, 0) if edns else b"")
def ask(data, tcp=False, wait=2.5, host="127.0.0.1"):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM); s.settimeout(wait)
    s.connect((host, 53))
    if tcp:
        s.sendall(struct.pack(">H", len(data)) + data); size = struct.unpack(">H", s.recv(2))[0]; got = b""
        while len(got) < size: got += s.recv(size - len(got)) or sys.exit("end of file")
        return got
    s.send(data)
    try: return s.recv(65536)
    except socket.timeout: return b""
codes = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
def told(data, **o):
    r = ask(data, **o)
    if len(r) < 12: return "nothing"
    i, f, q, a, n, d = struct.unpack(">HHHHHH", r[:12])
    return f"{codes[f & 15]} {a}{' truncated' if f & 0x200 else ''}"
P

my @tries = (
    ['a name', 'echoed', 'lambda: echo("web.test")'], ['both families', '192.0.2.1 2001:db8::1',
        'lambda: " ".join(look("web.test", f) for f in (socket.AF_INET, socket.AF_INET6))'],
    ['v6', 'echoed', 'lambda: echo("web.test", family=socket.AF_INET6)'],
    ['another port of it', 'EACCES', 'lambda: echo("web.test", 7002)'],
    ['by address', 'echoed', 'lambda: socket.create_connection(("192.0.2.1", 7001)) and "echoed"'],
    ['an address nobody asked for', 'EACCES', 'lambda: socket.create_connection(("192.0.2.2", 7001))'],
    ['a name of no rule', 'refused', 'lambda: refused("evil.test")'],
    ['beneath an allowed one', 'refused', 'lambda: refused("x.web.test")'],
    ['the wildcard', 'echoed', 'lambda: echo("sub.wild.test")'], ['not the name itself', 'refused',
        'lambda: refused("wild.test")'], ['nor one that ends alike', 'refused', 'lambda: refused("evilwild.test")'],
    ['a chain of names', 'echoed', 'lambda: echo("alias.test")'],
    ['a loop of names', 'NODATA', 'lambda: look("loop.test")'],
    ['a chain of sixteen', '192.0.2.1', 'lambda: look("links15.test")'],
    ['one of seventeen', 'NODATA', 'lambda: look("links16.test")'],
    ['the last address that is looked at', '192.0.2.1', 'lambda: look("behind255.test")'],
    ['the next one', 'NODATA', 'lambda: look("behind256.test")'],
    ['no such name', 'NONAME', 'lambda: look("none.wild.test")'],
    ['a record beside the answer', '192.0.2.1 EACCES', 'lambda: stray()'],
    ['private addresses', 'NODATA NODATA',
        'lambda: " ".join(error(lambda: look("rebind.test", f)) for f in (socket.AF_INET, socket.AF_INET6))'],
    ['and they stay closed', 'EACCES', 'lambda: socket.create_connection(("10.9.9.9", 7001))'],
    ['a denied address', 'NODATA', 'lambda: look("denied-address.test")'],
    ['a denied address in every form that IPv6 has for it', 'NODATA', 'lambda: look("forms.test", socket.AF_INET6)'],
    ['half of it private', '192.0.2.1', 'lambda: look("half.test")'],
    ['case', 'WeB.TeSt NOERROR', 'lambda: case("WeB.TeSt")'],
    ['TCP', 'NOERROR 1', 'lambda: told(query("web.test"), tcp=True)'],
    ['two by one connection', '2', 'lambda: pipelined()'],
    ['large by UDP', 'NOERROR 0 truncated', 'lambda: told(query("large.test"))'],
    ['large with EDNS', 'NOERROR 0 truncated', 'lambda: told(query("large.test", edns=4096))'],
    ['large by TCP', 'NOERROR 119', 'lambda: told(query("large.test"), tcp=True)'],
    ['large, as programs ask', '119', 'lambda: str(len(look("large.test").split()))'],
    ['EDNS is answered', '1232', 'lambda: str(struct.unpack(">H", ask(query("web.test", edns=1400))[-8:-6])[0])'],
    ['SRV', 'NOERROR 1', 'lambda: told(query("services.test", 33))'], ['HTTPS', 'NOERROR 1 no hint',
        'lambda: hint()'], ['TXT', 'NOERROR 0', 'lambda: told(query("services.test", 16))'],
    ['PTR', 'REFUSED 0', 'lambda: told(query("1.2.0.192.in-addr.arpa", 12))'],
    ['refused by the resolver', 'REFUSED 0', 'lambda: told(query("refused.test"))'],
    ['a silent resolver', 'SERVFAIL 0', 'lambda: told(query("silent.test"), wait=6)'],
    ['a malformed answer', 'SERVFAIL 0', 'lambda: told(query("malformed.test"), wait=6)'],
    ['another identity', 'SERVFAIL 0', 'lambda: told(query("wrong-id.test"), wait=6)'],
    ['another question', 'SERVFAIL 0', 'lambda: told(query("wrong-question.test"), wait=6)'],
    ['records without data', 'SERVFAIL SERVFAIL SERVFAIL SERVFAIL',
        'lambda: " ".join(told(query("bare.test", kind), wait=6).split()[0] for kind in (1, 28, 33, 65))'],
    ['no question', 'FORMERR 0', 'lambda: told(query("web.test", count=0))'],
    ['two questions', 'FORMERR 0', 'lambda: told(query("web.test", count=2))'],
    ['an answer', 'nothing', 'lambda: told(query("web.test", flags=0x8180), wait=0.5)'],
    ['another class', 'REFUSED 0', 'lambda: told(query("web.test", kind_class=3))'],
    ['another opcode', 'NOTIMP 0', 'lambda: told(query("web.test", flags=0x2900))'],
    ['short', 'nothing', 'lambda: told(b"abc", wait=0.5)'], ['noise', 'ok', 'lambda: noise()'],
    ['still there', 'NOERROR 1', 'lambda: told(query("web.test"))'],
    ['a name of dots', 'REFUSED 0',
        'lambda: told(struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + b"\x08web.test\0\0\1\0\1")'],
    ['the root', 'REFUSED 0', 'lambda: told(query(""))'],
    ['the resolver\'s address is the stub', 'REFUSED 0', 'lambda: told(query("evil.test"), host="192.0.2.53")'],
    ['by TCP', 'REFUSED 0', 'lambda: told(query("evil.test"), host="192.0.2.53", tcp=True)'],
    ['another resolver', 'EACCES', 'lambda: told(query("web.test"), host="192.0.2.2")'],
    ['by TCP too', 'EACCES', 'lambda: told(query("web.test"), host="192.0.2.2", tcp=True)'],
    ['a port near the stub', 'EACCES', 'lambda: socket.create_connection(("127.0.0.1", 54))'],
    ['in the host\'s file', 'echoed', 'lambda: echo("in-hosts.test")'],
    ['many at once', '200', 'lambda: many()'],
);
my $defs = <<'P';
def error(f):
    try: return f()
    except socket.gaierror as e: return {socket.EAI_NONAME: "NONAME", socket.EAI_NODATA: "NODATA"}.get(e.errno, str(e))
    except OSError as e: return errno.errorcode[e.errno]
def refused(name): r = told(query(name)); return "refused" if r == "REFUSED 0" else r
def stray():
    first = look("stray.test")
    return first + " " + error(lambda: str(socket.create_connection(("198.51.100.1", 7001))))
def case(name): r = ask(query(name)); return f'{r[13:16].decode()}.{r[17:21].decode()} {codes[r[3] & 15]}'
def pipelined():
    s = socket.create_connection(("127.0.0.1", 53)); q = query("web.test")
    s.sendall((struct.pack(">H", len(q)) + q) * 2); s.settimeout(2); got = b""; count = 0
    while len(got) < 2 or count < 2:
        got += s.recv(4096)
        while len(got) >= 2 and len(got) >= 2 + struct.unpack(">H", got[:2])[0]:
            got = got[2 + struct.unpack(">H", got[:2])[0]:]; count += 1
        if count == 2: return "2"
def hint():
    r = ask(query("services.test", 65))
    return told(query("services.test", 65)) + (" hint" if socket.inet_aton("198.51.100.1") in r else " no hint")
def noise():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 53))
    for i in range(2000): s.send(os.urandom(1 + i % 600))
    for i in range(2000):
        q = bytearray(query("web.test", edns=1232)); q[os.urandom(1)[0] % len(q)] ^= 1 << (i % 8); s.send(bytes(q))
    for data in (b"\0\0", b"\xff\xff" + bytes(10), b"\0\x0c" + bytes(5), b"\0\x05abc"):
        c = socket.create_connection(("127.0.0.1", 53)); c.sendall(data); c.close()
    time.sleep(1.5)
def many():
    good = []; all = [threading.Thread(target=lambda: good.append(retried())) for _ in range(40)]
    [x.start() for x in all]; [x.join() for x in all]; return str(sum(good))
def retried(): return sum(look("web.test") == "192.0.2.1" for _ in range(5))
P

for my $user (users()) {
    my $name = $user->{name};
    my $before = leftovers();
    my $dir = sandbox($user, 'net { allow connect tcp "web.test":7001, "*.wild.test":7001, "alias.test":7001,
        "loop.test":7001, "stray.test":7001, "rebind.test", "denied-address.test", "forms.test", "half.test",
        "links15.test", "links16.test", "behind255.test", "behind256.test", "large.test":7001, "services.test",
        "refused.test", "silent.test", "malformed.test", "bare.test", "wrong-id.test", "wrong-question.test",
        "in-hosts.test":7001;
        deny connect tcp 198.51.100.0/24; } fs { allow read "/w" from "./w"; }
        limits { lifetime 120s; }', uses => 'python');
    asked();
    my $seen = watch_packets();
    spew("$dir/w/code.py", $prelude . $defs . join '', map { "t(\"$_->[0]\", $_->[2])\n" } @tries);
    my $run = in_sandbox($user, $dir, { seconds => 110 }, 'python3', '/w/code.py');
    my @lines = split /\n/, $run->{out};
    for my $try (@tries) {
        my $line = shift @lines;
        is $line, "$try->[0] $try->[1]", "$name: $try->[0]" or diag $run->{err};
    }
    my $asked = asked();
    unlike $asked, qr/evil|x\.web|^wild|in-addr|silent.test 16/mi,
        "$name: of what no rule allows nothing was asked outside";
    like $asked, qr/^WeB\.TeSt 1$/m, "$name: case goes through to the resolver";
    like $asked, qr/^large\.test 1 tcp$/m, "$name: what did not fit was asked by TCP";
    like $run->{err}, qr/^sbxrun: denied resolve "evil\.test"/m, "$name: what was refused is said";


    # What left the sandbox, seen on the wire.
    is join("\n", sort { $a cmp $b } $seen->()), join("\n", 'tcp 192.0.2.1 7001', 'tcp 192.0.2.3 7001',
        'tcp 192.0.2.53 53', 'tcp 2001:db8::1 7001', 'udp 192.0.2.53 53'),
        "$name: no packet went anywhere but to what is allowed and to the resolver";

    # A name that answers as much as it can has no more than its share, and a chain that comes back ends.
    my $greedy = sandbox($user, 'net { allow connect tcp "greedy.test":7001, "circle.test":7001, "web.test":7001; }',
        uses => 'python');
    $run = in_sandbox($user, $greedy, 'python3', '-c', $prelude . $defs
        . 'for n in ("circle", "greedy", "greedy", "web"): t(n, lambda: told(query(n + ".test"), tcp=True))');
    is $run->{out}, "circle NOERROR 40\ngreedy NOERROR 128\ngreedy NOERROR 128\nweb NOERROR 1\n",
        "$name: a circle of names, 2000 addresses, another name";
    like $run->{err},
        qr/^sbxrun: denied resolve "greedy\.test" to 203\.0\.113\.129, one address more than can be kept, 2 times/m,
        "$name: what there was no room for is told";

    # A pin ends; what the name then has counts.
    is in_sandbox($user, $dir, 'python3', '-c', $prelude . 't("1", lambda: echo("web.test"))')->{out}, "1 echoed\n",
        "$name: a run that asks once";
    is in_sandbox($user, $dir, 'python3', '-c',
        $prelude . 't("1", lambda: socket.create_connection(("192.0.2.1", 7001)))')->{out}, "1 EACCES\n",
        "$name: a run that does not ask has no pins of another's";
    # The host's resolv.conf leads to the stub too.
    my $shown = sandbox($user, 'net { allow connect tcp "web.test":7001; } fs { allow read "/etc/resolv.conf"; '
        . 'allow read "/etc/hosts"; }', uses => 'python');
    is in_sandbox($user, $shown, 'python3', '-c', $prelude . 't("1", lambda: echo("web.test"))')->{out}, "1 echoed\n",
        "$name: with the host's resolv.conf in the view";
    # A private address, where the name's rule says so; nobody else gets there.
    my $corp = sandbox($user, 'net { allow connect tcp "corp.test":7001 private; allow connect tcp "half.test":7001; }',
        uses => 'python');
    my $private = in_sandbox($user, $corp, 'python3', '-c', $prelude . 't("1", lambda: echo("corp.test")); '
        . 't("2", lambda: look("half.test")); t("3", lambda: socket.create_connection(("10.9.9.9", 7002)))');
    is $private->{out}, "1 echoed\n2 192.0.2.1\n3 EACCES\n",
        "$name: a name leads to a private address where its rule says so";
    like $private->{err},
        qr/^sbxrun:\ denied\ resolve\ "half\.test"\ to\ 10\.9\.9\.9,\ a\ private\ address.*\n
            \s+`net\ \{\ allow\ connect\ "half\.test"\ private;\ \}`\ would/mx,
        "$name: of another it is said that it is private, and what to write";
    # An address denied is denied in any way that a program gets there.
    my $nothing = sandbox($user, 'net { allow connect tcp "web.test":7001, host-loopback:7001; allow connect '
        . 'tcp 192.0.2.2:7001; deny connect 0.0.0.0/0, [::]/0; }', uses => 'python');
    is in_sandbox($user, $nothing, 'python3', '-c', $prelude . 't("1", lambda: look("web.test")); [t(a, lambda: '
        . 'socket.create_connection((a, 7001))) for a in ("127.0.0.1", "0.0.0.0", "192.0.2.1", "192.0.2.2")]')->{out},
        "1 AGAIN\n127.0.0.1 EACCES\n0.0.0.0 EACCES\n192.0.2.1 EACCES\n192.0.2.2 EACCES\n",
        "$name: what addresses deny, they deny by name and at the host's loopback";
    is in_sandbox($user, $shown, 'cat', '/etc/resolv.conf')->{out}, slurp('/etc/resolv.conf'),
        "$name: which is the host's";
    my $hosts = sandbox($user, 'net { allow connect tcp "in-hosts.test":7001; } fs { allow read "/etc/hosts"; }',
        uses => 'python');
    asked();
    is in_sandbox($user, $hosts, 'python3', '-c', $prelude . 't("1", lambda: echo("in-hosts.test"))')->{out},
        "1 echoed\n", "$name: with the host's hosts file in the view";
    is asked(), '', "$name: nobody is asked";
    # Without what resolves them nothing is run.
    my $alone = folder();
    system('cp', $sbxrun, $alone) == 0 or die;
    my $missing = -x '/usr/bin/sbxnames'
        ? undef : run({ %$user, cwd => $hosts }, "$alone/sbxrun", 'p.sbx', '--', 'true');
    if ($missing) {
        is $missing->{status}, 125, "$name: without sbxnames";
        like $missing->{err}, qr/^sbxrun: names can't be resolved: sbxnames is not there \(p\.sbx:6/,
            "$name: is refused";
    }
    # In the place of sbxnames, a stranger has no file, no process, no network: it can ask sbxrun and the opener, and
    # no more.
    for my $without ('', landlock(1) ? ', without Landlock' : ()) {
        system('cp', $sbxrun, "$build/tests/live/under", $alone) == 0
            && system('cp', "$build/tests/live/stranger", "$alone/sbxnames") == 0 or die;
        my $stranger = run({ %$user, cwd => $hosts, $without ? (within => ["$alone/under", '444=38', '--']) : () },
            "$alone/sbxrun", 'p.sbx', '--', 'python3', '-c',
            $prelude . 't("1", lambda: told(query("in-hosts.test"), wait=3))');
        like $stranger->{err}, qr/^sbxrun: denied resolve "held\.stranger"/m,
            "$name$without: a stranger in its place has nothing";
        like $stranger->{err}, qr/^sbxrun: sbxnames died 4 times, so no more names are resolved$/m,
            "$name$without: and is not kept alive";
        unlink "$alone/sbxnames";
    }
    is left_since($before), '', "$name: nothing is left";
}
done_testing;
