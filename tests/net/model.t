#!/usr/bin/perl
# Random calls on four sockets (model.c): where a rule allows what they do, what comes of each is what Linux says
# outside; whatever they do, no packet
# goes and nobody listens where no rule allows it. SBX_MODEL_SEED and SBX_MODEL_SEQUENCES (of 40 calls) make others, and
# more, of them.
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

my $servers = <<'P';
import collections, selectors, socket
ended = collections.deque(maxlen=500) # at its end nothing is answered at once: that would be a race
places = selectors.DefaultSelector()
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); tcp.bind(("192.0.2.1", 7001))
tcp.listen(4096)
udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(("192.0.2.1", 7002))
for s in tcp, udp: places.register(s, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in places.select():
        s = key.fileobj
        try:
            if s is tcp: c, _ = s.accept(); places.register(c, selectors.EVENT_READ)
            elif not s.recv(4096) and s is not udp: places.unregister(s); ended.append(s)
        except OSError:
            if s not in (tcp, udp): places.unregister(s); s.close()
P
Net::servers_with(spew(folder() . '/servers.py', $servers));

my $first = $ENV{SBX_MODEL_SEED} // 1000;
my $sequences = $ENV{SBX_MODEL_SEQUENCES} // 625; # of each kind for each user: 100,000 calls in all, as two users
my $model = "$build/tests/net/model";

# Runs a program; who listens in this network meanwhile, but for the servers here.
sub listened {
    my ($user, $dir, @command) = @_;
    my $said = spew("$dir/said", '');
    my $pid = fork // die $!;
    if (!$pid) {
        open STDOUT, '>', $said or die $!;
        open STDERR, '>', "$dir/err" or die $!;
        become($user);
        chdir $dir;
        exec @{ $user->{within} // [] }, @command or POSIX::_exit(99);
    }
    my %listening;
    for (my $end = time + patience(120); time < $end && waitpid($pid, POSIX::WNOHANG()) == 0;) {
        for my $file ('/proc/net/tcp', '/proc/net/tcp6') {
            /^\s*\d+: (\w+:\w+) \S+ 0A/ and $listening{$1}++ for split /\n/, slurp($file);
        }
        sleep 0.002;
    }
    delete $listening{sprintf '%08X:%04X', unpack('V', pack 'C4', 192, 0, 2, 1), 7001};
    return (slurp($said), join ' ', sort keys %listening);
}

sub lines {
    my ($text) = @_;
    my (%of, %order);
    for (split /\n/, $text) { /^(\d+) (\d+) (.*)$/ and $of{$1}{$2} = $3 }
    return \%of;
}
sub differ { # the first step of a sequence where they do
    my ($inside, $outside) = @_;
    for my $step (sort { $a <=> $b } keys %{ { %$inside, %$outside } }) {
        my ($a, $b) = map { $_->{$step} // 'nothing' } $inside, $outside;
        return "step $step: inside $a, outside $b" if $a ne $b;
    }
    return;
}

my $published = sprintf '%08X:%04X', unpack('V', pack 'C4', 127, 0, 0, 1), 8080;
my $outside = run({ seconds => 120 }, $model, 'faithful', $first, $sequences);
like $outside->{out}, qr/^done$/m, 'outside: it goes through';

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read, exec "/model" from "./model"; }
    net {
        allow connect tcp 192.0.2.1:7001, 192.0.2.1:7999, host-loopback:8080;
        allow connect udp 192.0.2.1:7002;
        allow bind, listen tcp host-loopback:8080;
        allow bind, listen tcp loopback:1024..65535;
        allow bind udp loopback:1024..65535;
    }');
    system('cp', $model, "$dir/model");
    my ($said, $listening) = listened($user, $dir, $sbxrun, 'p.sbx', '--', '/model', 'faithful', $first, $sequences);
    like $said, qr/^done$/m, "$who: it goes through" or diag slurp("$dir/err");
    my ($inside, $beside) = map { lines($_) } $said, $outside->{out};
    my @differ;
    for my $number (sort { $a <=> $b } keys %$beside) {
        my $difference = differ($inside->{$number} // {}, $beside->{$number}) // next;
        # What happens behind a program's back may come later on a busy machine: so once more, alone, both.
        for my $turn (1 .. 3) {
            my ($in, $out) = map { lines($_->{out})->{$number} // {} }
                in_sandbox($user, $dir, '/model', 'faithful', $number, 1), run($model, 'faithful', $number, 1);
            $difference = differ($in, $out) // last;
            push @differ, "sequence $number, $difference" if $turn == 3;
        }
        last if @differ > 4;
    }
    is "@differ", '', "$who: $sequences sequences, each call as outside";
    like $listening, qr/^(?:$published)?$/, "$who: and nobody listened but where a rule publishes";

    my $packets = watch_packets();
    ($said, $listening) = listened($user, $dir, $sbxrun, 'p.sbx', '--', '/model', 'hostile', $first, $sequences);
    like $said, qr/^done$/m, "$who: whatever it tries, it goes through" or diag slurp("$dir/err");
    like $listening, qr/^(?:$published)?$/, "$who: whatever it tries, nobody listens but where a rule publishes";
    my %may = map { $_ => 1 } 'tcp 192.0.2.1 7001', 'tcp 192.0.2.1 7999', 'udp 192.0.2.1 7002', 'tcp 127.0.0.1 8080';
    my @went = $packets->();
    is join(', ', grep { !$may{$_} } @went), '', "$who: whatever it tries, no packet goes where no rule lets it";
    cmp_ok scalar(grep { $may{$_} } @went), '==', 4, "$who: and where one does, they go";
}
done_testing;
