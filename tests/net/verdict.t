#!/usr/bin/perl
# The verdict and the network: random rules on names, addresses, both loopbacks and private addresses; then a program
# tries
# each of its ways, and gets what the policy function says. SBX_VERDICT_OPERATIONS, SBX_VERDICT_SECONDS and
# SBX_VERDICT_SEED
# say how many, how long at most, and where to begin.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Socket qw(inet_pton AF_INET AF_INET6);
use Test::More;

own_network();
servers('everywhere', 'dns');

my $most = $ENV{SBX_VERDICT_OPERATIONS} // 10_000;
my $seconds = $ENV{SBX_VERDICT_SECONDS} // 100;
my $seed = $ENV{SBX_VERDICT_SEED} // 1;

my @addresses = qw(192.0.2.1 192.0.2.2 198.51.100.1 10.9.9.9 127.0.0.1 127.0.0.2 0.0.0.0 2001:db8::1 ::1);
my %names = ( # as servers.py answers
    'web.test' => ['192.0.2.1', '2001:db8::1'], 'sub.wild.test' => ['192.0.2.1'], 'corp.test' => ['10.9.9.9'],
    'half.test' => ['10.9.9.9', '192.0.2.1'], 'denied-address.test' => ['198.51.100.1'],
);
my @ports = 7000 .. 7009;
my @both = qw(0.0.0.0/0 [::]/0 192.0.2.0/24 192.0.2.1 198.51.100.1 10.0.0.0/8 10.9.9.9 127.0.0.0/8 127.0.0.1 0.0.0.0
    [2001:db8::]/32 [::1] loopback host-loopback "web.test" "*.wild.test" "corp.test" "half.test" "denied-address.test"
    "web.test" "corp.test" "half.test" host-loopback);

sub pick { return $_[rand @_] }

sub target {
    my ($deny) = @_;
    my $target = $deny && rand() < 0.1 ? 'any' : pick(@both);
    my $first = pick(@ports);
    my $ports = rand() < 0.4 ? '' : ':' . $first . '..' . ($first + int rand(7010 - $first));
    return $target . $ports . (!$deny && $target =~ /^"/ && rand() < 0.5 ? ' private' : '');
}

sub rules {
    my @rules = ('allow connect tcp host-loopback:7000;'); # so that there is a broker
    for (1 .. 1 + rand 7) {
        my $deny = rand() < 0.35;
        my $except = $deny && rand() < 0.3 ? ' except ' . target(1) : '';
        push @rules, ($deny ? 'deny' : 'allow') . ' connect ' . pick('tcp', 'udp', 'tcp, udp') . ' ' . target($deny)
            . "$except;";
    }
    return join ' ', @rules;
}

# As the policy function numbers it; who connects to "any" address is at the loopback.
sub hex_of {
    my ($address) = @_;
    $address = '127.0.0.1' if $address eq '0.0.0.0';
    return $address =~ /:/ ? unpack('H*', inet_pton(AF_INET6, $address)) : '0' x 20 . 'ffff'
        . unpack('H*', inet_pton(AF_INET, $address));
}

my $program = <<'P';
import errno, socket
def connect(kind, address, port):
    try: # of a protocol that no rule allows there is no socket
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as s:
            s.settimeout(5); s.connect((address, port)); return "host"
    except OSError as e: return {errno.EACCES: "no", errno.ECONNREFUSED: "own"}.get(e.errno, str(e))
kinds = {1: socket.SOCK_STREAM, 2: socket.SOCK_DGRAM}
def all(addresses, what):
    for address in addresses:
        for port in range(7000, 7010):
            for number, kind in kinds.items(): print(what, number, address, port, connect(kind, address, port))
def look(name):
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        try: found |= {a[4][0] for a in socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)}
        except OSError: pass
    return found
P

# What a policy says of many questions.
sub answers {
    my ($file, @questions) = @_;
    my $input = spew("$file.questions", join '', map { "$_\n" } @questions);
    my $run = run('sh', '-c', "exec '$build/tests/meaning/net_verdicts' '$file' < '$input'");
    my @answers = split /\n/, $run->{out};
    die "$run->{err}$run->{out}" if $run->{status} || @answers != @questions;
    my %answers;
    @answers{@questions} = @answers;
    return \%answers;
}

my ($tried, $allowed, $wrong, $policies, $started) = (0, 0, 0, 0, time);
my @users = users();
my %told;
for (my $i = $seed; $tried < $most && time - $started < $seconds; $i++) {
    srand $i;
    my $user = $users[$i % @users];
    my $rules = rules();
    my $dir = sandbox($user, "net { $rules } limits { lifetime 60s; }", uses => 'python');
    my @order = sort { rand() <=> 0.5 } sort keys %names;
    my $run = in_sandbox($user, $dir, { seconds => 60 }, 'python3', '-c',
        $program . 'all(' . list(@addresses) . ", 'address')\n"
        . join '', map { "found = sorted(look('$_')); print('name', '$_', *found); all(found, '$_')\n" } @order);
    my @lines = split /\n/, $run->{out};
    my %known = map { $_ => 1 } map { @$_ } values %names;
    my $says = answers("$dir/p.sbx", map({
        my $a = $_;
        map {
            my $p = $_;
            map { my $k = $_; ("$k " . hex_of($a) . " $p", map { "$k " . hex_of($a) . " $p $_" } keys %names) } 1, 2;
        } @ports;
    } @addresses, keys %known),
        map { my $n = $_; map { 'pin ' . hex_of($_) . " $n" } @{ $names{$n} } } keys %names);
    my %pinned; # address: the names that it is an answer for, so far
    my $bad = sub { $wrong++; push @{ $told{$i} }, $_[0] };
    $bad->("it ended with $run->{status}: $run->{err}") if $run->{status} || !@lines;
    for (@lines) {
        if (/^name (\S+)(.*)/) {
            my ($name, $found) = ($1, $2);
            my @want = grep { $says->{'pin ' . hex_of($_) . " $name"} eq 'yes' } @{ $names{$name} };
            $bad->("$name leads to$found, not to @want") if join(' ', sort split ' ', $found) ne join(' ', sort @want);
            push @{ $pinned{$_} }, $name for @want;
        } elsif (/^(\S+) (\d) (\S+) (\d+) (.*)/) {
            my ($kind, $address, $port, $got) = ($2, $3, $4, $5);
            my $question = "$kind " . hex_of($address) . " $port";
            my $want = $says->{$question};
            $want = 'host' if $want eq 'no' && grep { $says->{"$question $_"} eq 'host' } @{ $pinned{$address} // [] };
            $want = 'host' if $want eq 'own' && $kind == 2; # a datagram socket connects to nobody, too
            $tried++;
            $allowed += $want ne 'no';
            $bad->("$kind to $address:$port ($1): $got, not $want") if $got ne $want;
        }
    }
    $policies++;
    push @{ $told{$i} }, $rules if $told{$i};
}

sub list { return '[' . join(', ', map { "'$_'" } @_) . ']' }

diag "seed $_: " . join "\n  ", @{ $told{$_} }[ 0 .. ($#{ $told{$_} } > 4 ? 4 : $#{ $told{$_} }) ],
    $told{$_}[-1] for (sort { $a <=> $b } keys %told)[ 0 .. (keys %told > 3 ? 2 : keys(%told) - 1) ];
is $wrong, 0, "$tried operations under $policies policies are what the verdict says";
cmp_ok $tried, '>=', $most < 500 ? $most : 500, 'enough were tried in the time there was';
cmp_ok $allowed, '>', $tried / 20, 'of which some are allowed';
done_testing;
