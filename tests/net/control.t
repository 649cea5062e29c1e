#!/usr/bin/perl
# Control messages and flags: of all that could stand beside a message, what is on the list goes, whenever and however
# it is sent, and the rest is refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Errno qw(EINVAL EOPNOTSUPP EPIPE);
use Test::More;

own_network();
servers('echo');

my $control = "$build/tests/net/control";
my $unix = <<'P';
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777)
print("ready", flush=True)
while True: s.recv(100)
P

# Levels and types; of the flags, their bits. What Linux does with MSG_OOB (0) differs from protocol to protocol.
# MSG_FASTOPEN (29) is the filter's.
my $internet = '0 1|0 2|41 67|41 52|17 103'; # IP_TOS, IP_TTL, IPV6_TCLASS, IPV6_HOPLIMIT, UDP_SEGMENT
my %listed = (udp => $internet, udp6 => $internet, tcp => $internet, unix => '1 1'); # SCM_RIGHTS
# MSG_DONTWAIT, MSG_EOR, MSG_CONFIRM, MSG_NOSIGNAL, MSG_MORE
my $flags = join '|', map { "flag $_" } 0, 6, 7, 11, 14, 15;
my %at = (udp => ['192.0.2.1', 7002], udp6 => ['2001:db8::1', 7002], tcp => ['192.0.2.1', 7001],
    unix => ['/host/datagrams', 0]);

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read "/host" from "./host"; allow read, exec "/control" from "./control"; }
    net {
        allow connect unix "/host/datagrams";
        allow connect tcp 192.0.2.1:7001;
        allow connect udp 192.0.2.1:7002;
        allow connect udp [2001:db8::1]:7002;
    }');
    spew("$dir/tcp.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy tcp/r =~ s/^.*connect u.*\n//mgr);
    mkdir "$dir/host";
    chmod 0777, "$dir/host";
    system('cp', $control, "$dir/control");
    my $pid = Net::servers_with(spew("$dir/server.py", $unix), "$dir/host/datagrams");
    for my $try (['udp', 'first'], ['udp', 'second'], ['udp', 'connected'], ['udp6', 'first'], ['udp6', 'second'],
        ['unix', 'first'], ['unix', 'connected'], ['tcp', 'connected']) {
        my ($what, $when) = @$try;
        for my $how ($when eq 'second' ? 'sendmsg' : ('sendmsg', 'sendmmsg')) {
            my $packets = watch_packets();
            my $run = in_sandbox({ %$user, seconds => 60 }, $dir, { seconds => 60 }, '/control', $what, $how, $when,
                @{ $at{$what} });
            my @went = grep { !/^refused/ } split /\n/, $run->{out};
            my $name = "$who: $what, $when, $how";
            my @wrong = grep { !/^(?:$listed{$what}) \d+$/ && !/^(?:$flags) \d+$/ && $_ ne 'flag 29 13' } @went;
            is "@wrong[0..($#wrong > 9 ? 9 : $#wrong)]", '', "$name: nothing but what is listed";
            my @missing = grep { my $listed = $_; !grep { /^$listed 0$/ } @went } $what =~ /^udp$/ ? ('0 1', '0 2')
                : $what eq 'udp6' ? ('41 67', '41 52') : $what eq 'unix' ? '1 1' : ();
            is("@missing", q(), "$name: all of that goes") or diag join " ; ", @went;
            like $run->{out}, qr/^refused (\d+)$/m, "$name: to its end" or diag $run->{err};
            my @alien = grep { !/^(?:udp|tcp) (?:192\.0\.2\.1|2001:db8::1) 700[12]$/ } $packets->();
            is "@alien", '', "$name: no packet went elsewhere";
        }
    }
    # Where only tcp may reach the host its messages are Linux's business: no control message chooses where they go.
    my $packets = watch_packets();
    my $run = run({ %$user, cwd => $dir, seconds => 60 }, $sbxrun, 'tcp.sbx', '--', '/control', 'tcp', 'sendmsg',
        'connected', '192.0.2.1', 7001);
    my @went = $run->{out} =~ /^1 (\d+) 0$/mg;
    unlike " @went ", qr/ 36 /, "$who: tcp alone: no mark"; # SO_MARK
    like $run->{out}, qr/^flag 29 (?:1|13)$/m, "$who: tcp alone: no fast open";
    my @alien = grep { $_ ne 'tcp 192.0.2.1 7001' } $packets->();
    is "@alien", '', "$who: tcp alone: no packet went elsewhere";
    kill TERM => $pid;
    waitpid $pid, 0;
}
done_testing;
