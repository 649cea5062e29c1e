# A network that a test makes for itself: a namespace whose loopback also has addresses that only documents use (RFC
# 5737, 3849), servers on
# them, and a resolv.conf that names a server of the test's. Nothing in it leads anywhere.
package Net;
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use Sbx;
use Test::More;

our @EXPORT = qw(own_network watch_packets servers stop_servers asked);
my ($dir, @servers, $watches);

# Starts the test anew inside of such a network; returns there.
sub own_network {
    if (!$ENV{SBX_OWN_NETWORK}) {
        my @own = ('unshare', ($> == 0 ? () : ('--user', '--map-root-user')), '--net', '--mount');
        plan skip_all => 'this host lets nobody make a network namespace of their own'
            if system("@own true 2>/dev/null") != 0;
        $ENV{SBX_OWN_NETWORK} = $> == 0 ? 'root' : "$> " . ($) + 0);
        exec @own, $^X, "$FindBin::Bin/$FindBin::Script" or die $!;
    }
    $dir = folder();
    spew("$dir/resolv.conf", "nameserver 192.0.2.53\noptions timeout:1 attempts:2\n");
    spew("$dir/hosts", "127.0.0.1 localhost\n192.0.2.3 in-hosts.test\n");
    for my $command ('ip link set lo up', (map { "ip addr add $_/24 dev lo" } qw(192.0.2.1 192.0.2.2 192.0.2.3
            192.0.2.53 198.51.100.1 10.9.9.9)), 'ip addr add 2001:db8::1/64 dev lo nodad',
        'mount --make-rprivate /', "mount --bind $dir/resolv.conf /etc/resolv.conf",
        "mount --bind $dir/hosts /etc/hosts") {
        system($command) == 0 or die "$command: $?";
    }
}

# Runs servers.py, until the test ends: returns when all of it answers.
sub servers { my (@what) = @_; return servers_with("$root/tests/net/servers.py", "$dir/asked", @what) }

sub servers_with {
    my (@command) = @_;
    pipe my $ready, my $says or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        close $ready;
        open STDOUT, '>&', $says or die $!;
        exec 'python3', @command or die $!;
    }
    close $says;
    push @servers, $pid;
    my $line = <$ready>;
    die 'the servers did not start' if ($line // '') ne "ready\n";
    return $pid;
}

# Watches each packet on the wire from now on. What it returns is called once: "tcp 192.0.2.1 80" for each place that a
# connection or a datagram
# went to.
sub watch_packets {
    my $file = "$dir/packets-" . ++$watches;
    my $pid = servers_with("$FindBin::Bin/watch.py", $file);
    return sub {
        select undef, undef, undef, 0.3;
        kill TERM => $pid;
        waitpid $pid, 0;
        @servers = grep { $_ != $pid } @servers;
        return split /\n/, slurp($file);
    };
}

# What the name server was asked since the last time.
sub asked { my $text = -e "$dir/asked" ? slurp("$dir/asked") : ''; spew("$dir/asked", ''); return $text }

sub stop_servers { my $status = $?; kill TERM => @servers; waitpid $_, 0 for @servers; @servers = (); $? = $status }
END { stop_servers() }

1;
