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
# Memory of the kernel, in bytes, that this test's processes took and nothing gave back: what they left of open files,
# mounts
# and namespaces is among it. Undef where nobody counts it for them.
my $memory = own_group('memory') // own_group('');
sub kernel_memory {
    return if !$memory;
    return slurp("$memory/memory.kmem.usage_in_bytes") + 0 if -e "$memory/memory.kmem.usage_in_bytes";
    return if !-e "$memory/memory.stat";
    return slurp("$memory/memory.stat") =~ /^kernel (\d+)/m ? $1 : undef;
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
            become($user);
            chdir $dir;
            POSIX::_exit($code->());
        }
        return $pid;
    };
    my $one = sub { system($sbxrun, 'p.sbx', '--', 'sh', '-c', $_[0]) >> 8 };
    waitpid $run_as_user->(sub { $one->('true') for 1 .. 3; 0 }), 0; # what is only made once
    my $before = leftovers();
    my $kernel = kernel_memory();

    my $pid = $run_as_user->(sub {
        my $bad = 0;
        $bad += $one->('exit 7') != 7 for 1 .. $many;
        return $bad > 255 ? 255 : $bad;
    });
    waitpid $pid, 0;
    is $? >> 8, 0, "$name: $many in a row";
    my @pids = map { my $n = $_; $run_as_user->(sub { $one->("sleep 0.2; exit $n") }) } 1 .. 200;
    my $bad = 0;
    for my $n (1 .. 200) { waitpid $pids[ $n - 1 ], 0; $bad++ if $? >> 8 != $n }
    is $bad, 0, "$name: 200 at once";

    is left_since($before, 10), '', "$name: no control group and no mount is left";
    ok !-e "$dir/w/later", "$name: nor a file";
    ok soon(sub { !own_processes() }), "$name: nor processes" or diag join ' ', own_processes();
  SKIP: {
        skip 'nothing counts memory of the kernel for a group here', 1 if !defined $kernel;
        my $most = $kernel + 8192 * ($many + 200); # what some caches keep
        soon(sub { kernel_memory() < $most });
        my $now = kernel_memory();
        cmp_ok $now, '<', $most, "$name: nor memory of the kernel: $kernel bytes before, $now after";
    }
}
done_testing;
