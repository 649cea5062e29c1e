#!/usr/bin/perl
# Everything that a socket could be made of, every option, fcntl's commands, operations on keys, resource limits: what
# the kernel then does is what the
# policy function says (space.c).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $space = "$build/tests/live/space";
my %nets = (
    'no net rule' => '',
    'the loopback' => 'net { allow connect, bind tcp loopback; allow connect, bind udp loopback; }',
    'a broker' =>
    'net { allow connect tcp 192.0.2.1:80; allow bind udp 192.0.2.1:80; allow connect unix "/run/server"; }',
);
for my $user (users()) {
    for my $net (sort keys %nets) {
        my $name = "$user->{name}, $net";
        my $dir = sandbox($user, "fs { allow read, exec \"/space\" from \"$space\"; } $nets{$net}\n"
            . 'syscalls { allow socket, socketpair, setsockopt, getsockopt, fcntl, setrlimit, prlimit64, @keyring; }');
        my $walk = in_sandbox($user, $dir, { seconds => patience(120) }, '/space', 'walk');
        is $walk->{status}, 0, "$name: walked" or diag $walk->{err};
        my $judged = run({ %$user, cwd => $dir, seconds => patience(120), in => spew("$dir/walked", $walk->{out}) },
            $space, 'judge', 'p.sbx');
        is $judged->{status}, 0, $name or diag $judged->{out}, $judged->{err};
        note $judged->{out};
    }
}
done_testing;
