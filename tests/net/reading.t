#!/usr/bin/perl
# The second reading (tests/lib/Reading.pm), on a network: each operation that sbxrun does in the command's place is
# tried in a sandbox, and comes to what the table says. Every address there is leads to this test's own namespace, a
# server of names answers with the addresses that the operations name, and at the host's loopback somebody says so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Reading;
use IO::Socket::UNIX;
use Test::More;

own_network();
system('ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo') == 0 or die 'ip route';

# An operation as the program below takes it: verb, protocol, kind of target, target, port, where a name leads.
sub parse {
    my ($operation) = @_;
    my ($verb, $protocol, $target, $port, $at) = $operation =~
        /^(\w+)\ (tcp|udp|unix)\ ("[^"]*"|\[[^\]]*\]|[\w.-]+)(?::(\d+))?(?:\ at\ \[?([\w.:]+)\]?)?$/x or return;
    my $kind = $protocol eq 'unix' ? 'unix' : $target =~ /^"/ ? 'name' : $target =~ /loopback$/ ? $target : 'address';
    return { verb => $verb, protocol => $protocol, kind => $kind, target => $target =~ tr/"[]//dr, port => $port // 0,
        at => $at // ($kind eq 'name' ? '203.0.113.77' : '') };
}

my $program = <<'P';
import errno, os, socket, sys
families = lambda address: socket.AF_INET6 if ":" in address else socket.AF_INET
types = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "unix": socket.SOCK_STREAM}
def try_it(verb, protocol, kind, target, port, at):
    if kind == "unix":
        family, where = socket.AF_UNIX, target
    else:
        if kind == "name":
            try: found = {a[4][0] for a in socket.getaddrinfo(target, None, 0, types[protocol])}
            except OSError: return "deny"
            if socket.inet_pton(families(at), at) not in {socket.inet_pton(families(f), f) for f in found}:
                return "deny"
            target = at
        if kind.endswith("loopback"): target = "127.0.0.1"
        family, where = families(target), (target, int(port))
    s = socket.socket(family, types[protocol])
    s.settimeout(5)
    if verb == "connect":
        try: s.connect(where)
        except FileNotFoundError: # nobody listens there yet
            server = socket.socket(family, types[protocol]); server.bind(where); server.listen(1)
            s.connect(where)
        except ConnectionRefusedError: return "deny" if kind == "host-loopback" else "allow"
        if kind.endswith("loopback"): return "allow" if (s.recv(4) == b"host") == (kind == "host-loopback") else "deny"
    else:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try: s.bind(where)
        except OSError as e:
            if e.errno != errno.EADDRINUSE: raise
            return "allow"
        if verb == "listen": s.listen(1)
        if kind == "unix": os.unlink(where)
    return "allow"
for line in sys.stdin.read().splitlines():
    try: print(try_it(*line.split("\t")), flush=True)
    except OSError as e: print("deny" if e.errno in (errno.EACCES, errno.EROFS) else "allow, " + str(e), flush=True)
P

my %tried_as;
for my $name (readings()) {
    my $dir = reading_folder({});
    spew("$dir/run.sbx", reading_run($name));
    next if !is_brokered("$dir/run.sbx");
    my @tries;
    for my $row (grep { is_outside($_) && $_->{verdict} ne 'error' } reading($name)) {
        my $now = ask("$dir/run.sbx", $row->{operation});
        my %points = $row->{verdict} ne 'partly' ? ($row->{verdict} => $row->{operation}) : ();
        my @points = @{ $now->{points} // [] };
        @points{qw(allow deny)} = @points if $row->{verdict} eq 'partly' && @points && $points[0] ne $points[1];
        %points = () if $now->{verdict} ne $row->{verdict};
        push @tries, map { { row => $row, want => $_, operation => $points{$_}, %{ parse($points{$_}) // {} } } }
            sort keys %points;
        isnt $row->{kernel}, '-', "$name: why $row->{operation} can't be tried" if !%points;
    }
    @tries = grep { $_->{verb} || !fail "$name: $_->{operation} is understood" } @tries;
    # What is asked for by its address comes first, before a name leads there.
    @tries = sort { ($a->{kind} eq 'name') <=> ($b->{kind} eq 'name') } @tries;
    my (%leads, %ports);
    for (@tries) {
        $leads{ lc $_->{target} =~ s/\.$//r }{ $_->{at} } = 1 if $_->{kind} eq 'name';
        $ports{ $_->{port} } = 1 if $_->{kind} =~ /loopback$/ && $_->{verb} eq 'connect';
    }
    servers('dns', map({ "loopback=$_" } sort keys %ports),
        map { "$_=" . join ',', sort keys %{ $leads{$_} } } sort keys %leads);
    for my $user (users()) {
        my $own = reading_folder($user);
        spew("$own/run.sbx", reading_run($name));
        my @sockets = map { IO::Socket::UNIX->new(Local => "$own/$_", Listen => 8) // die "$_: $!" }
            map { ("backup/run/.s.PGSQL.$_") } 5432, 5433;
        push @sockets, map { IO::Socket::UNIX->new(Local => "$own/agent/run/$_", Listen => 8) // die "$_: $!" }
            qw(agent.sock other.sock hidden);
        chmod 0777, map { $_->hostpath } @sockets;
        my @lines = map { join("\t", @$_{qw(verb protocol kind target port at)}) . "\n" } @tries;
        my %how = (%$user, cwd => $own, seconds => 60, in => spew("$own/operations", join '', @lines),
            env => { CI_DEPLOY_KEY => 'k' });
        my $run = run(\%how, $sbxrun, 'run.sbx', '--', '/usr/bin/python3', '-I', '-c', $program);
        my @results = split /\n/, $run->{out};
        is scalar @results, scalar @tries, "$name, $user->{name}: all were tried" or diag $run->{err};
        for (@tries) {
            my $got = shift @results // '';
            my $agrees = $got =~ /^\Q$_->{want}\E\b/;
            $tried_as{ $user->{name} }{"$name $_->{row}{operation}"} = 1 if $_->{row}{kernel} eq '-';
            is $agrees ? 'agrees' : "differs: $got", $_->{row}{kernel} eq '-' ? 'agrees' : "differs: $got",
                "$name, $user->{name}: $_->{want} $_->{operation}";
        }
    }
    stop_servers();
}
for my $user (sort keys %tried_as) {
    my $count = keys %{ $tried_as{$user} };
    cmp_ok $count, '>=', 150, "$user: $count operations were tried";
}
done_testing;
