#!/usr/bin/perl
# Many sandboxes, one after another and all at once: nothing of them stays. SBX_MANY=10000 runs so many in a row.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

my $many = $ENV{SBX_MANY} // 400;
sub state_of { # of this machine, as far as sandboxes could change it
    my $slab = (slurp('/proc/meminfo') =~ /^SUnreclaim:\s+(\d+)/m)[0];
    my $own = readlink '/proc/self/ns/user';
    my @inside = grep { my $namespace = readlink $_; defined $namespace && $namespace ne $own } glob '/proc/[0-9]*/ns/user';
    return { processes => scalar @inside, files => (split ' ', slurp('/proc/sys/fs/file-nr'))[0], slab => $slab };
}
for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read, write "/w" from "./w"; deny write "/w/later"; allow read, write "/tmp" from tmpfs size 1MiB; }
    limits { pids 20; lifetime 60s; }');
    my $run_as_user = sub {
        my ($code) = @_;
        my $pid = fork // die $!;
        if (!$pid) {
            if ($user->{uid} && $> == 0) { ($(, $)) = ($user->{gid}, "$user->{gid} $user->{gid}"); POSIX::setuid($user->{uid}) }
            chdir $dir;
            POSIX::_exit($code->());
        }
        return $pid;
    };
    my $one = sub { system($sbxrun, 'p.sbx', '--', 'sh', '-c', $_[0]) >> 8 };
    waitpid $run_as_user->(sub { $one->('true') for 1 .. 3; 0 }), 0; # what is only made once
    my $before = leftovers();
    my $was = state_of();

    my $pid = $run_as_user->(sub { my $bad = 0; $bad += $one->('exit 7') != 7 for 1 .. $many; $bad > 255 ? 255 : $bad });
    waitpid $pid, 0;
    is $? >> 8, 0, "$name: $many in a row";
    my @pids = map { my $n = $_; $run_as_user->(sub { $one->("sleep 0.2; exit $n") }) } 1 .. 200;
    my $bad = 0;
    for my $n (1 .. 200) { waitpid $pids[ $n - 1 ], 0; $bad++ if $? >> 8 != $n }
    is $bad, 0, "$name: 200 at once";

    is left_since($before, 10), '', "$name: no control group and no mount is left";
    ok !-e "$dir/w/later", "$name: nor a file";
    my $now;
    for (1 .. 50) { $now = state_of(); last if $now->{processes} <= $was->{processes} && $now->{slab} < $was->{slab} + 20_000; select undef, undef, undef, 0.2 }
    cmp_ok $now->{processes}, '<=', $was->{processes}, "$name: nor processes: $was->{processes} before, $now->{processes} after";
    cmp_ok $now->{files}, '<', $was->{files} + 1000, "$name: nor open files: $was->{files} before, $now->{files} after";
    cmp_ok $now->{slab}, '<', $was->{slab} + 20_000 + 2 * ($many + 200), "$name: nor memory of the kernel: $was->{slab} KiB before, $now->{slab} after";
}
done_testing;
