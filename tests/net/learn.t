#!/usr/bin/perl
# Learning what a command connects to: by name where it asked for one, by address where it did not, and to its own
# servers.
use strict;
use warnings;
use FindBin;
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
}
stop_servers();
done_testing;
