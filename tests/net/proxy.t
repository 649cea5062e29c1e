#!/usr/bin/perl
# A host behind a proxy: names are reached through it, and only those that a rule allows are asked of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

own_network();
servers('echo', 'dns', 'proxy');

my $prelude = <<'P';
import asyncio, errno, os, select, socket, threading, time
def t(label, f):
    try: print(label, f() or "ok", flush=True)
    except socket.gaierror as e: print(label, "no name", flush=True)
    except OSError as e: print(label, errno.errorcode.get(e.errno, e), flush=True)
def said(s, data=b"x"): s.settimeout(5); s.sendall(data); return "echoed" if s.recv(1) == b"x" else "?"
def echo(name, port=443, family=0): return said(socket.create_connection((name, port), 8))
def blocking(name, family=socket.AF_INET, port=443):
    s = socket.socket(family)
    s.connect((("::ffff:" if family == socket.AF_INET6 else "") + socket.gethostbyname(name), port))
    assert s.getblocking(); return said(s)
def first(name): s = socket.create_connection((name, 443), 8); return s.recv(10).decode() + " " + said(s)
def polled():
    s = socket.socket(); s.setblocking(False); e = select.epoll(); e.register(s, select.EPOLLOUT)
    r = s.connect_ex((socket.gethostbyname("web.test"), 443)); assert r in (0, errno.EINPROGRESS), r
    assert e.poll(5)[0][1] & select.EPOLLOUT; assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    s.setblocking(True); return said(s)
def loop():
    async def one(i):
        r, w = await asyncio.open_connection("web.test", 443); w.write(b"x" * 1000); got = await r.readexactly(1000)
        w.close(); return got == b"x" * 1000
    async def all(): return str(sum(await asyncio.gather(*[one(i) for i in range(30)])))
    return asyncio.run(all())
def timed():
    s = socket.socket(); s.settimeout(None); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, b"\x01" + bytes(15))
    start = time.time(); r = s.connect_ex((socket.gethostbyname("hang.test"), 443))
    return errno.errorcode[r] if time.time() - start < 5 else "late"
def again(): # a signal while the proxy takes its time
    import signal
    told = []; signal.signal(signal.SIGALRM, lambda *_: told.append(1))
    address = (socket.gethostbyname("dribble.test"), 443)
    for i in range(3):
        s = socket.socket(); signal.setitimer(signal.ITIMER_REAL, 0.3); s.connect(address); r = said(s)
    return f"{r} {len(told)}"
def flags():
    s = socket.socket(); s.connect((socket.gethostbyname("web.test"), 443)); a = s.getblocking(); s = socket.socket()
    s.setblocking(False); s.connect_ex((socket.gethostbyname("web.test"), 443)); return f"{a} {s.getblocking()}"
P
my @tries = (
    ['a name' => 'echoed' => 'echo("web.test")'], ['a blocking socket' => 'echoed' => 'blocking("web.test")'],
    ['of IPv6' => 'echoed' => 'blocking("web.test", socket.AF_INET6)'],
    ['beneath a wildcard' => 'echoed' => 'echo("deep.in.wild.test", 8443)'],
    ['another port' => 'EACCES' => 'echo("web.test", 444)'],
    ['a name of no rule' => 'no name' => 'echo("evil.test")'],
    ['a server that speaks first' => 'first word echoed' => 'first("greets.test")'],
    ['an answer in drops' => 'echoed' => 'echo("dribble.test")'], ['signals meanwhile' => 'echoed 3' => 'again()'],
    ['epoll' => 'echoed' => 'polled()'], ['asyncio, thirty at once' => '30' => 'loop()'],
    ['flags stay' => 'True False' => 'flags()'],
    ['a server that is down' => 'ECONNREFUSED' => 'blocking("down.test")'],
    ['one that the proxy forbids' => 'EACCES' => 'blocking("forbidden.test")'],
    ['the host\'s name server is not asked' => 'no name' => 'socket.getaddrinfo("web.test", 443, socket.AF_INET6)'],
    ['an address that a rule allows' => 'echoed' => 'echo("192.0.2.1", 7001)'],
    ['one of no rule' => 'EACCES' => 'echo("192.0.2.2", 7001)'],
    ['the proxy itself' => 'EACCES' => 'echo("192.0.2.3", 3128)'], ['a stand-in at a port of no rule' => 'EACCES' =>
        'socket.create_connection((socket.gethostbyname("web.test"), 7001))'],
    ['an address that stands for nothing' => 'EACCES' => 'echo("198.18.99.99", 443)'],
    ['no credentials inside' => 'False' => 'str(any("pass:word" in v for v in os.environ.values()))'],
);
my @http = (['no HTTP' => 'EPROTO' => 'blocking("noise.test")'], ['an endless answer' => 'EPROTO' =>
        'blocking("endless.test")'], ['a proxy that hangs up' => 'ECONNREFUSED' => 'blocking("closed.test")'],
    ['a proxy that hangs' => 'ETIMEDOUT' => 'timed()']);

for my $user (users()) {
    my @proxies = (['http://192.0.2.3:3128', ''], ['http://proxy.test:3129', 'somebody:a pass:word'],
        ['http://[2001:db8::1]:3128', ''], ['socks5://in-hosts.test:1080', ''],
        ['socks5://192.0.2.3:1081', 'somebody:a pass:word']);
    @proxies = @proxies[1, 3] if $user->{name} eq 'root'; # it differs in who may be asked, not in what is said
    for my $proxy (@proxies) {
        my ($url, $credentials) = @$proxy;
        my $name = "$user->{name}, $url";
        my $before = leftovers();
        my @these = (@tries, $url =~ /^http/ ? @http : ());
        my $dir = sandbox($user, qq{net { allow connect tcp "web.test":443, "*.wild.test":8443, "greets.test":443,
            "dribble.test":443,
            "down.test":443, "forbidden.test":443, "noise.test":443, "endless.test":443, "closed.test":443,
            "hang.test":443; allow connect tcp 192.0.2.1:7001, 198.18.0.0/16:7009; via proxy "$url"; }
            fs { allow read "/w" from "./w"; } limits { lifetime 60s; }}, uses => 'python');
        spew("$dir/w/code.py", $prelude . join '', map { "t(\"$_->[0]\", lambda: $_->[2])\n" } @these);
        asked();
        my $seen = watch_packets();
        local $ENV{SBX_PROXY_CREDENTIALS} = $credentials if $credentials;
        my $run = in_sandbox($user, $dir, { seconds => 60, args => ['--report', "$dir/w/report"] }, 'python3',
            '/w/code.py');
        my @lines = split /\n/, $run->{out};
        is shift(@lines) // '', "$_->[0] $_->[1]", "$name: $_->[0]" or diag $run->{err} for @these;
        my %said = map { $_ => 1 } split /\n/, asked();
        my $verb = $url =~ /^http/ ? 'CONNECT' : 'SOCKS';
        my $as = $credentials ? ' somebody' : '';
        my @wanted = ((map { "$verb $_$as" } 'deep.in.wild.test:8443', map { "$_.test:443" }
                qw(web greets dribble down forbidden), $url =~ /^http/ ? qw(noise endless closed hang) : ()),
            $url =~ /proxy\.test/ ? 'proxy.test 1' : ());
        is join("\n", sort keys %said), join("\n", sort @wanted),
            "$name: that was asked, and nothing else" or diag $run->{err};
        my ($host) = $url =~ m{//\[?(.*?)\]?:\d+$};
        $host = '192.0.2.3' if $host =~ /test/;
        my %places = map { $_ => 1 } $seen->();
        delete $places{"tcp $host " . ($url =~ /(\d+)$/)[0]};
        delete $places{'udp 192.0.2.53 53'} if $url =~ /proxy\.test/;
        # the address of a rule, and where the proxy itself goes
        is join("\n", sort keys %places), 'tcp 192.0.2.1 7001', "$name: no packet went anywhere else";
        like $run->{err}, qr/^sbxrun: the proxy does not connect: it answered 502/m,
            "$name: what the proxy said is told" if $verb eq 'CONNECT';
        is left_since($before), '', "$name: nothing is left";
    }
    my $name = $user->{name};
    for my $url ('http://192.0.2.3:3128', 'socks5://192.0.2.3:1080') {
        my $dir = sandbox($user,
            qq{net { allow connect tcp "web.test":443, "pauses.test":443, "cut.test":443; via proxy "$url"; }},
            uses => 'python');
        # seconds of processor time that a connection to this name takes, with what came of it and how long it took
        my $spent = sub {
            my ($before, $start) = ((times)[2] + (times)[3], time);
            my $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . "t('1', lambda: blocking('$_[0].test'))");
            return ((times)[2] + (times)[3] - $before, $run->{out}, time - $start);
        };
        my ($usual) = $spent->('web');
        my ($cpu, $out, $took) = $spent->('pauses');
        is $out, "1 echoed\n", "$name, $url: a proxy that pauses within its answer";
        cmp_ok $took, '>=', 2, "$name, $url: which takes its time";
        cmp_ok $cpu - $usual, '<', patience(1.5), "$name, $url: and none of the processor's";
        ($cpu, $out, $took) = $spent->('cut');
        is $out, "1 ECONNREFUSED\n", "$name, $url: a proxy that hangs up within its answer";
        cmp_ok $took, '<', patience(8), "$name, $url: is not waited for";
    }
    SKIP: {
        skip 'it takes minutes where everything is emulated', 2 if patience(1) > 1;
        my $dir = sandbox($user, 'net { allow connect tcp "*.wild.test":443; via proxy "http://192.0.2.3:3128"; }',
            uses => 'python');
        my $run = in_sandbox($user, $dir, { seconds => 40 }, 'python3', '-c', $prelude . <<'P');
def resolves(n):
    try: return bool(socket.gethostbyname(f"n{n}.wild.test"))
    except socket.gaierror: return False
good = [resolves(n) for n in range(4002)]; print(good.count(True), resolves(17), resolves(5000))
P
        is $run->{out}, "4000 True False\n",
            "$name: as many names as there are addresses to stand for them" or diag $run->{err};
        is scalar(() = $run->{err} =~ /^sbxrun: so many names .* to stand for "n4000\.wild\.test" and others$/mg), 1,
            "$name: which is said, once" or diag $run->{err};
    }
    # Somebody outside has the address that stands for a name: it is none of theirs.
    system(qw(ip addr add 198.18.0.1/32 dev lo)) == 0 or die;
    my $named = sandbox($user, 'net { allow connect "web.test":443; allow connect udp 192.0.2.1:7002;
        via proxy "http://192.0.2.3:3128"; }', uses => 'python');
    my $seen = watch_packets();
    my $sent = in_sandbox($user, $named, 'python3', '-c', $prelude . <<'P');
to = (socket.gethostbyname("web.test"), 443); assert to[0] == "198.18.0.1", to
def outside(): u = socket.socket(type=socket.SOCK_DGRAM); u.connect(("192.0.2.1", 7002)); return u
for label, u in ("new", lambda: socket.socket(type=socket.SOCK_DGRAM)), ("used", outside):
    t(label + " connect", lambda: u().connect(to))
    t(label + " sendto", lambda: print(u().sendto(b"LEAK", to)))
    t(label + " sendmsg", lambda: print(u().sendmsg([b"LEAK"], [], 0, to)))
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
t("IPv6 sendto", lambda: print(six.sendto(b"LEAK", ("::ffff:198.18.0.1", 443))))
t("tcp", lambda: blocking("web.test"))
P
    is $sent->{out}, join('', map { "$_ EHOSTUNREACH\n" } 'new connect', 'new sendto', 'new sendmsg',
         'used connect', 'used sendto', 'used sendmsg', 'IPv6 sendto') . "tcp echoed\n",
        "$name: a datagram to what stands for a name" or diag $sent->{err};
    is join(' ', grep { /198\.18/ } $seen->()), '', "$name: leaves no packet";
    system(qw(ip addr del 198.18.0.1/32 dev lo)) == 0 or die;
    my $policy = sub { sandbox($user, "net { $_[0] via proxy \"$_[1]\"; } $_[2]", uses => 'python') };
    my $dir = $policy->('allow connect tcp "web.test":443;', 'http://192.0.2.3:3129', '');
    my $run = in_sandbox($user, $dir, 'python3', '-c', $prelude . 't("1", lambda: blocking("web.test"))');
    is $run->{out}, "1 EACCES\n", "$name: a proxy that wants a password";
    like $run->{err}, qr/it answered 407 \(it wants a user and a password: SBX_PROXY_CREDENTIALS\)/,
        "$name: says what it wants";
    $dir = $policy->('allow connect tcp "web.test":443;', 'http://nowhere.test:3128', '');
    $run = in_sandbox($user, $dir, 'true');
    is $run->{status}, 125, "$name: a proxy that can't be found";
    like $run->{err}, qr/the proxy's name nowhere\.test leads nowhere on this host \(p\.sbx:\d+:\d+: via proxy/,
        "$name: and where that is said" or diag $run->{err};
    $dir = $policy->('allow connect udp "web.test":443;', 'http://192.0.2.3:3128', '');
    $run = in_sandbox($user, $dir, 'true');
    is $run->{status}, 125, "$name: datagrams to a name";
    like $run->{err}, qr/datagrams to a name can't go through a proxy/, "$name: are refused";
    $dir = $policy->('allow connect tcp "web.test":443;', 'http://192.0.2.3:3128',
        'process { env keep SBX_PROXY_CREDENTIALS; }');
    $run = in_sandbox($user, $dir, 'true');
    is $run->{status}, 125, "$name: credentials are not kept for the command";
}
done_testing;
