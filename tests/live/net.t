#!/usr/bin/perl
# The network: none; or a loopback of the sandbox's own, with the ports that the policy names.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use IO::Socket::INET;
use Test::More;

my $client = <<'P';
import errno, socket, sys
def t(label, f):
    try: print(label, f() or "ok")
    except OSError as e: print(label, errno.errorcode.get(e.errno, e))
def server(port, family=socket.AF_INET, host="127.0.0.1"):
    s = socket.socket(family); s.bind((host, port)); s.listen()
    c = socket.socket(family); c.settimeout(2); c.connect((host, port)); a, _ = s.accept(); a.send(b"hi"); c.recv(2)
    return "served"
def udp(port):
    a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", port))
    b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    b.connect(("127.0.0.1", port)); b.send(b"x"); a.settimeout(2); a.recv(1); return "received"
def connect(host, port, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    s = socket.socket(family, kind); s.settimeout(2); s.connect((host, port))
def bind(port, host="127.0.0.1"):
    socket.socket().bind((host, port))
def unbound(*ports):
    s = socket.socket(); s.listen(); return "within" if s.getsockname()[1] in ports else "elsewhere"
P

sub python {
    my ($user, $dir, $code) = @_;
    my $run = in_sandbox($user, $dir, 'python3', '-c', $client . $code);
    return $run->{out} . $run->{err};
}

for my $user (users()) {
    my $name = $user->{name};
    # A server of the host's on its loopback and on an abstract socket, which must not be reached.
    my $server = sandbox($user, '');
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "a server: $!";
    my $port = $s->sockport;
    my $pid = fork // die;
    if (!$pid) {
        $SIG{ALRM} = sub { exit }; alarm 30;
        while (my $c = $s->accept) { print $c 'host'; close $c }
        exit;
    }
    close $s;

    my $dir = sandbox($user, '');
    my $out = python($user, $dir, "t('tcp', lambda: connect('127.0.0.1', $port)); "
        . "t('udp', lambda: connect('127.0.0.1', 53, kind=socket.SOCK_DGRAM)); "
        . "t('v6', lambda: connect('::1', 80, socket.AF_INET6)); "
        . "t('unix', lambda: connect('\\0abstract', 0, socket.AF_UNIX)); "
            . "t('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)) "
            . "; t('pair', lambda: socket.socketpair() and None)");
    is $out, "tcp EACCES\nudp EACCES\nv6 EACCES\nunix EACCES\nnetlink EACCES\npair ok\n", "$name: no rule, no sockets";
    is in_sandbox($user, $dir, 'cat', '/proc/self/net/dev')->{out} =~ s/^.*\|.*\n//mgr =~ s/:.*//sr =~ s/\s//gr, 'lo',
        "$name: nothing but a loopback that is down" if -e '/proc/self/net/dev' && 0;

    $dir = sandbox($user, 'net { allow connect, bind, listen tcp loopback; allow connect, bind udp loopback; }');
    $out = python($user, $dir, "t('8080', lambda: server(8080)); t('80', lambda: server(80)); "
        . "t('v6', lambda: server(8081, socket.AF_INET6, '::1')); t('udp', lambda: udp(53)); "
        . "t('host', lambda: connect('127.0.0.1', $port)); "
        . "t('out', lambda: connect('192.0.2.1', 80)); t('any', lambda: bind(9090, '0.0.0.0')); "
            . "t('multicast', lambda: connect('224.0.0.1', 80, kind=socket.SOCK_DGRAM)); "
            . "t('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and None)");
    is $out, "8080 served\n80 served\nv6 served\nudp received\nhost ECONNREFUSED\nout ENETUNREACH\n"
        . "any ok\nmulticast ENETUNREACH\nraw ESOCKTNOSUPPORT\n", "$name: all of the loopback, its own";

    $dir = sandbox($user, 'net { allow connect, bind, listen tcp loopback:2000..65535; }');
    $out = python($user, $dir, "t('2000', lambda: server(2000)); t('1999', lambda: bind(1999)); "
        . "t('80', lambda: bind(80)); t('udp', lambda: udp(3000))");
    is $out, "2000 served\n1999 EACCES\n80 EACCES\nudp EACCES\n", "$name: ports from a number up";

    $dir = sandbox($user, 'net { allow connect, bind, listen tcp loopback:65001..65535; }');
    $out = python($user, $dir, "t('65001', lambda: server(65001)); t('65000', lambda: bind(65000)); "
        . "t('unbound', lambda: unbound(*range(65001, 65536)))");
    is $out, "65001 served\n65000 EACCES\nunbound within\n", "$name: from one past those that the kernel chooses";

    $dir = sandbox($user, 'net { allow connect, bind, listen tcp loopback:{80, 8000..8009};
        deny connect tcp loopback:8005; }');
    $out = python($user, $dir,
        "t('80', lambda: server(80)); t('8009', lambda: server(8009)); t('8005', lambda: server(8005)); "
        . "t('8010', lambda: bind(8010)); t('81', lambda: bind(81)); t('c81', lambda: connect('127.0.0.1', 81)); "
        . "t('unbound', lambda: unbound(80, *range(8000, 8010)))");
    if (landlock(4)) {
        is $out, "80 served\n8009 served\n8005 EACCES\n8010 EACCES\n81 EACCES\nc81 EACCES\nunbound elsewhere\n",
            "$name: single ports, by Landlock";
    }
    else {
        like $out, qr/this host's kernel can't enforce single ports \(p\.sbx:6.*\n.*ABI 4/,
            "$name: single ports are refused where Landlock does not know them";
    }

    # What nothing enforces is refused, with its line.
    for my $rule ('allow connect tcp 127.0.0.1:80',
        'allow connect udp loopback:53', 'allow bind, connect udp loopback:{53, 80}',
        'allow bind, connect tcp loopback:1..40000',
        'allow bind, connect tcp loopback:1000..65535; allow bind, connect udp loopback:2000..65535') {
        my $d = sandbox($user, "net {\n $rule;\n }");
        my $run = in_sandbox($user, $d, 'sh', '-c', 'echo RAN');
        is "$run->{status} $run->{out}", '125 ', "$name: refused: $rule";
        like $run->{err}, qr/^sbxrun: nothing here enforces .*\(p\.sbx:7:/, "$name: says which rule";
    }
    is in_sandbox($user, sandbox($user, 'net { deny connect 10.0.0.0/8; deny connect tcp "example.com"; }'),
        'true')->{status}, 0, "$name: a deny is always enforced";
    kill TERM => $pid;
    waitpid $pid, 0;
}
done_testing;
