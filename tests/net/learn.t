#!/usr/bin/perl
# Learning what a command connects to: by name where it asked for one, by address where it did not, and to its own
# servers and the host's.
use strict;
use warnings;
use FindBin;
use IO::Socket::INET;
use IO::Socket::UNIX;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Net;
use Test::More;

own_network();
servers('http', 'echo', 'dns');

for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    chmod 0777, $dir;
    my $python = <<'P';
import socket, urllib.request
print(urllib.request.urlopen("http://web.test:8000/", timeout=20).read().decode(), end="")
s = socket.create_connection(("192.0.2.2", 7001), 20); s.sendall(b"echo"); print(s.recv(9).decode())
server = socket.create_server(("127.0.0.1", 8123)); c = socket.create_connection(("127.0.0.1", 8123)); print("own")
P
    my $learned = run({ %$user, cwd => $dir, env => { PATH => '/usr/bin:/bin' }, seconds => patience(60) }, $sbxrun,
        '--learn', 'l.sbx', '--', 'python3', '-c', $python);
    like $learned->{out}, qr/^hello from web\.test:8000\necho\nown\n$/,
        "$name: the command does what it does" or diag $learned->{err};
    my $text = slurp("$dir/l.sbx");
    like $text, qr/allow connect tcp "web\.test":8000 /, "$name: a name" or diag $text;
    like $text, qr/allow connect tcp 192\.0\.2\.2:7001 /, "$name: an address";
    like $text, qr/allow bind, listen, connect tcp loopback /, "$name: a server of its own";
    is scalar(() = $text =~ /allow connect/g), 2, "$name: and no other destination" or diag $text;
    my $run = run({ %$user, cwd => $dir, env => { PATH => '/usr/bin:/bin' }, seconds => patience(60) }, $sbxrun,
        'l.sbx');
    is $run->{out}, $learned->{out}, "$name: runs under what it taught" or diag $run->{err};

    # Servers of the host's, beside its own.
    my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 9) or die "listen: $@";
    my $unix = IO::Socket::UNIX->new(Local => "$dir/host.sock", Listen => 9) or die "listen: $@";
    chmod 0777, "$dir/host.sock";
    my $port = $tcp->sockport;
    my $both = <<'P';
import os, socket, sys
own = socket.socket(); own.bind(("127.0.0.1", 0)); own.listen()
socket.create_connection(own.getsockname())
mine = socket.socket(socket.AF_UNIX); mine.bind("/tmp/learn.%d" % os.getpid()); mine.listen()
socket.socket(socket.AF_UNIX).connect(mine.getsockname())
os.unlink(mine.getsockname())
socket.create_connection(("127.0.0.1", int(sys.argv[1])))
host = socket.socket(socket.AF_UNIX); host.connect("host.sock")
try:
    socket.create_connection(("127.0.0.1", 1))
except OSError:
    print("all")
P
    my @command = ('python3', '-c', $both, $port);
    my $go = sub { run({ %$user, cwd => $dir, env => { PATH => '/usr/bin:/bin' }, seconds => patience(60) }, @_) };
    $learned = $go->($sbxrun, '--learn', 'h.sbx', '--', @command);
    is $learned->{out}, "all\n", "$name: the host's servers and its own" or diag $learned->{err};
    $text = slurp("$dir/h.sbx");
    is_deeply [sort map { s/ because.*//r } $text =~ /^        allow (.*(?:connect|bind).*)/mg],
        ['bind, listen, connect tcp loopback', "connect tcp host-loopback:$port", "connect unix \"$dir/host.sock\""],
        "$name: each as what it is, and nothing where nobody listens" or diag $text;
    $run = $go->($sbxrun, 'h.sbx');
    is $run->{out}, "all\n", "$name: and reached" or diag "$run->{err}$text";
    $run = $go->($sbxrun, '--tighten', 'h.sbx', '--', @command);
    is $run->{out}, "all\n", "$name: each has its use" or diag $run->{err};

    # A socket of its own in memory, where no module allows that.
    my @perl = ('perl', '-MSocket', '-e', 'my $path = pack_sockaddr_un("/tmp/learn-$$"); '
        . 'socket my $s, AF_UNIX, SOCK_STREAM, 0; bind $s, $path or die $!; listen $s, 5; '
        . 'socket my $c, AF_UNIX, SOCK_STREAM, 0; connect $c, $path or die $!; unlink "/tmp/learn-$$"; print "own\n"');
    $go->($sbxrun, '--learn', 'u.sbx', '--', @perl);
    $text = slurp("$dir/u.sbx");
    like $text, qr/^        allow bind, listen, connect unix loopback because /m, "$name: unix sockets of its own"
        or diag $text;
    $run = $go->($sbxrun, 'u.sbx');
    is $run->{out}, "own\n", "$name: run under what they taught" or diag $run->{err};
    $run = $go->($sbxrun, '--tighten', 'u.sbx', '--', @perl);
    is $run->{out}, "own\n", "$name: and have their use" or diag $run->{err};
}
stop_servers();
done_testing;
