#!/usr/bin/perl
# The guard: the rules hold for the sockets of the host's network though no broker keeps them. And a run that has one.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use JSON::PP qw(decode_json);
use Test::More;

plan skip_all => 'only root may load programs into the kernel' unless $> == 0;
own_network();
my $dir = folder();
my $guard = "$build/tests/net/guard";
my $probe = run($guard, '/dev/null');
plan skip_all => "this host lets nobody: $probe->{out}" if $probe->{status} == 77;
servers();
my $before = leftovers();

spew("$dir/g.sbx", <<'SBX');
sbx 1;
import std.base;
policy g {
    use std.base;
    net {
        allow connect tcp "web.test":7001, "*.wild.test":7001;
        allow connect tcp 192.0.2.1:7002;
        allow connect udp 192.0.2.0/24:7001;
        deny connect 192.0.2.3;
        allow connect tcp host-loopback:7001;
        allow bind, listen tcp host-loopback:7100, 192.0.2.2:7200;
    }
}
SBX
is run($sbxc, '--emit=plan', '-o', "$dir/g.json", "$dir/g.sbx")->{status}, 0, 'a plan, its guard proved';
is run($sbxc, '--emit=ebpf', '-o', "$dir/g.txt", "$dir/g.sbx")->{status}, 0, 'its programs, to read';
like slurp("$dir/g.txt"), qr/^connect4:\n.*map_lookup_elem.*^egress:\n.*ringbuf_output/ms, 'are those that are loaded';

# What is tried, and what comes of it. Tried in turn, by one process.
my @tries = (
    'an address that a rule allows' => 'connect:tcp:192.0.2.1:7002' => 'ECONNREFUSED|ok',
    'as a mapped address' => 'connect:tcp:m192.0.2.1:7002' => 'ECONNREFUSED|ok',
    'another port of it' => 'connect:tcp:192.0.2.1:7003' => 'EPERM', 'mapped' => 'connect:tcp:m192.0.2.1:7003' =>
    'EPERM', 'another address' => 'connect:tcp:198.51.100.1:7002' => 'EPERM',
    'an IPv6 address' => 'connect:tcp:2001-db8--1:7001' => 'EPERM',
    'a name\'s address before it is pinned' => 'connect:tcp:192.0.2.2:7001' => 'EPERM',
    'a pin' => 'pin:web.test:192.0.2.2:800' => 'ok', 'the address while it is pinned' =>
    'connect:tcp:192.0.2.2:7001:keep' => 'ok', 'its other port' => 'connect:tcp:192.0.2.2:7002' => 'EPERM',
    'a pin of an IPv6 address' => 'pin:deep.wild.test:2001-db8--1:60000' => 'ok',
    'and that' => 'connect:tcp:2001-db8--1:7001' => 'ok',
    'a pin of a denied address' => 'pin:web.test:192.0.2.3:60000' => 'ok',
    'which stays denied' => 'connect:tcp:192.0.2.3:7001' => 'EPERM',
    'a pin of a name that no rule allows' => 'pin:evil.test:198.51.100.1:60000' => 'ok',
    'has no effect' => 'connect:tcp:198.51.100.1:7001' => 'EPERM',
    'the pin runs out' => 'sleep:900' => 'ok', 'and then' => 'connect:tcp:192.0.2.2:7001' => 'EPERM',
    'what was connected goes on' => 'again:0' => 'ok',
    'a datagram' => 'sendto:192.0.2.1:7001' => 'ok', 'to another port' => 'sendto:192.0.2.1:7009' => 'EPERM',
    'to a denied address' => 'sendto:192.0.2.3:7001' => 'EPERM',
    'mapped' => 'sendto:m192.0.2.1:7001' => 'ok', 'mapped, denied' => 'sendto:m192.0.2.3:7001' => 'EPERM',
    'to IPv6' => 'sendto:2001-db8--1:7001' => 'EPERM',
    'udp connected' => 'connect:udp:192.0.2.1:7001' => 'ok', 'elsewhere' => 'connect:udp:198.51.100.1:7001' => 'EPERM',
    'the host\'s loopback at an allowed port' => 'connect:tcp:127.0.0.1:7001' => 'ok',
    'at another' => 'connect:tcp:127.0.0.1:7002' => 'EPERM', 'as 0.0.0.0' => 'connect:tcp:0.0.0.0:7002' => 'EPERM',
    'as ::' => 'connect:tcp:--:7002' => 'EPERM', 'as ::1' => 'connect:tcp:--1:7002' => 'EPERM',
    'a published port' => 'bind:tcp:127.0.0.1:7100' => 'ok', 'on all addresses' => 'bind:tcp:192.0.2.1:7100' => 'EPERM',
    'another port' => 'bind:tcp:127.0.0.1:7101' => 'EPERM',
    'another protocol' => 'bind:udp:127.0.0.1:7100' => 'EPERM', 'IPv6' => 'bind:tcp:--1:7100' => 'ok',
    'another address that a rule publishes at' => 'bind:tcp:192.0.2.2:7200' => 'ok', 'and another port of it' =>
    'bind:tcp:192.0.2.2:7100' => 'EPERM', 'IPv6, another port' => 'bind:tcp:--1:7101' => 'EPERM',
    'a raw socket' => 'socket:2:3:1' => 'EPERM', 'ping' => 'socket:2:2:1' => 'EPERM|EACCES', 'sctp' =>
    'socket:2:1:132' => 'EPERM|EPROTONOSUPPORT', 'mptcp' => 'socket:2:1:262' => 'EPERM|EPROTONOSUPPORT|ENOPROTOOPT',
    'a raw IPv6 socket' => 'socket:10:3:58' => 'EPERM',
    'a packet routed by way of a denied host' => 'route:192.0.2.1:7001:192.0.2.3' => 'EPERM',
);
my (@words, @names, @wanted);
while (my ($name, $word, $wanted) = splice @tries, 0, 3) {
    push @names, $name;
    push @words, $word;
    push @wanted, $wanted;
}
my $seen = watch_packets();
my $run = run($guard, "$dir/g.json", @words);
my @packets = $seen->();
is $run->{status}, 0, 'the guard is loaded' or diag $run->{out}, $run->{err};
my @lines = split /\n/, $run->{out};
for my $i (0 .. $#words) {
    like $lines[$i] // '', qr/^\Q$words[$i]\E: (?:$wanted[$i])$/, "$names[$i]: $words[$i]";
}
my %events = map { $_->{operation} => $_ } grep { $_->{event} eq 'denied' } @{ decode_json($lines[@words] // '[]') };
like $events{'connect tcp 192.0.2.3:7001'}{rule}, qr/^\S*g\.sbx:9:9: deny connect 192\.0\.2\.3$/,
    'a denial names the rule';
is_deeply [@{ $events{'connect tcp 192.0.2.1:7003'} }{'count', 'would_allow'}],
    [2, 'net { allow connect tcp 192.0.2.1:7003; }'], 'or the rule that would allow it' or diag $lines[@words];
is scalar(grep { /192\.0\.2\.3|198\.51\.100\.1/ } @packets), 0,
    'no packet went where a rule denies it' or diag join "\n", @packets;
ok scalar(grep { /192\.0\.2\.1 7001/ } @packets), 'but where one allows it';

# A run with it: bytes for each destination, by name.
spew("$dir/r.sbx", <<'SBX');
sbx 1;
import std.base;
import std.python;
policy r {
    use std.base;
    use std.python;
    require ebpf;
    fs { allow read, exec "/usr"; allow read, exec "/bin"; allow read "/lib"; allow read "/lib64"; }
    net { allow connect tcp "web.test":7001; allow bind, listen tcp host-loopback:7100; }
}
SBX
my $python = 'import socket; s = socket.create_connection(("web.test", 7001)); s.sendall(b"x" * 1000 + b"\n"); '
    . 's.recv(10); s.close(); print("done")';
$run = run($sbxrun, '--report', "$dir/report.json", "$dir/r.sbx", '--', 'python3', '-c', $python);
is "$run->{status} $run->{out}", "0 done\n", 'a run under the guard' or diag $run->{err};
my $report = slurp("$dir/report.json");
like $report, qr/"guard":"eBPF"/, 'the report says so';
my ($sent, $received) =
    $report =~ /"operation":"connect tcp \\"web\.test\\":7001"[^}]*"sent_bytes":(\d+),"received_bytes":(\d+)/;
ok $sent && $sent > 1000 && $sent < 3000, 'and how much was sent to a name: ' . ($sent // 'nothing');
ok $received && $received > 100 && $received < 3000, 'and received: ' . ($received // 'nothing');
is left_since($before), '', 'no group is left';

# What a killed sbxrun leaves, the next one removes.
my $pid = fork // die $!;
exec $sbxrun, "$dir/r.sbx", '--', 'sleep', '60' or die $! if !$pid;
soon(sub { own_processes(qr/^sleep\0/) });
kill KILL => $pid;
waitpid $pid, 0;
soon(sub { !own_processes(qr/^sleep\0/) });
isnt left_since($before, 0), '', 'a kill leaves one';
run($sbxrun, "$dir/r.sbx", '--', 'true');
is left_since($before), '', 'until the next run';

# A host that lets nobody have one.
my $unable = run('setpriv', '--bounding-set', '-bpf,-sys_admin,-net_admin', '--inh-caps', '-bpf,-sys_admin,-net_admin',
    $sbxrun, "$dir/r.sbx", '--', 'true');
is $unable->{status}, 125, '`require ebpf` stops a run where there can be none';
like $unable->{err},
    qr/the\ policy\ requires\ ebpf,\ and\ this\ host\ has\ none:\ it\ takes\ CAP_BPF\ and\ CAP_NET_ADMIN,\ which\ 
        root\ has\ \(\S*r\.sbx:7:5/x,
    'and says why' or diag $unable->{err};
done_testing();
