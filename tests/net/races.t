#!/usr/bin/perl
# A program that rewrites addresses and swaps descriptors while its calls are being answered reaches nothing that is
# denied. Some
# seconds; SBX_RACE: how many.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

own_network();
servers('echo');
my $seconds = $ENV{SBX_RACE} // 5;
for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'net { allow connect tcp 192.0.2.1:7001; allow connect udp 192.0.2.1:7001; } fs { allow '
        . 'read, exec "/race" from "./race"; } limits { lifetime 10min; }');
    system('cp', "$build/tests/net/race", "$dir/race") == 0 or die;
    my $seen = watch_packets();
    my $run = in_sandbox($user, $dir, { seconds => $seconds + 30 }, '/race', $seconds, '192.0.2.1', '198.51.100.1',
        7001);
    my ($made, $refused, $reached) = $run->{out} =~ /^made (\d+), refused (\d+), reached (\d+)$/;
    is $reached, 0, "$name: $run->{out}" or diag $run->{err};
    cmp_ok $made // 0, '>', 100, "$name: while connections were made";
    cmp_ok $refused // 0, '>', 100, "$name: and refused";
    $dir = sandbox($user, 'net { allow connect tcp 192.0.2.1:7001; allow connect, bind, listen tcp loopback:9100; '
        . '} fs { allow read, exec "/race" from "./race"; } limits { lifetime 3s; }');
    system('cp', "$build/tests/net/race", "$dir/race") == 0 or die;
    $run = in_sandbox($user, $dir, '/race', 'block');
    is $run->{status}, 124, "$name: sockets that are made to wait end with the lifetime" or diag $run->{err};
    cmp_ok $run->{seconds}, '<', patience(6), "$name: in time";
    is join(', ', sort grep { !/^ip|^udp 192.0.2.1 \d{5}$/ } $seen->()), 'tcp 192.0.2.1 7001, udp 192.0.2.1 7001',
        "$name: on the wire nothing went elsewhere";
}
done_testing;
