#!/usr/bin/perl
# Swap: a sandbox has as much of it as its policy says, on a machine that has some; on a machine of its own only, as the
# tests switch it on. As root.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use JSON::PP;
use Test::More;

plan skip_all => 'only root switches swap on' if $>;
plan skip_all => 'no cgroup v2 with a memory controller'
    if (eval { slurp('/sys/fs/cgroup/cgroup.subtree_control') } // '') !~ /\bmemory\b/;
my $file = '/var/tmp/swap';
system("head -c 200M /dev/zero > $file && chmod 600 $file && mkswap $file > /dev/null && swapon $file") == 0
    or plan skip_all => 'no swap can be switched on';

my $run_with = sub {
    my ($limits, $bytes) = @_;
    my $user = { name => 'root' };
    my $dir = sandbox($user, "fs { allow read, write \"/w\" from \"./w\"; } limits { $limits }", uses => 'python');
    my $run = in_sandbox($user, $dir, { args => ['--report', "$dir/w/r.json"], seconds => patience(20) }, 'python3',
        '-c', "import time\na = bytearray($bytes)\nfor i in range(0, len(a), 4096): a[i] = 1\n"
        . "time.sleep(@{[ patience(0.3) ]}); print('kept')");
    return ($run, { map { $_->{limit} => $_ } @{ decode_json(slurp("$dir/w/r.json"))->{limits} } });
};
my ($run, $use) = $run_with->('memory 32MiB; swap 64MiB;', 64 << 20);
is $run->{out}, "kept\n", 'what does not fit into memory is swapped out' or diag $run->{err};
cmp_ok $use->{swap}{peak}, '>', 32 << 20, 'its peak is reported';
cmp_ok $use->{swap}{peak}, '<=', 64 << 20, 'and within the limit';
is $use->{swap}{reached} // 0, 0, 'which was not reached';
is $use->{swap}{kept_by}, 'control group', 'and is kept by the control group';
($run, $use) = $run_with->('memory 32MiB; swap 64MiB; lifetime 60s;', 150 << 20);
is $run->{status}, 137, 'past memory and swap it is killed';
like $run->{err}, qr/killed for its memory/, 'and says so';
cmp_ok $use->{swap}{reached}, '>', 0, 'swap was at its limit' or diag explain $use->{swap};
cmp_ok $use->{swap}{peak}, '>', 60 << 20, 'and its peak there';
($run, $use) = $run_with->('memory 32MiB; swap 0B; lifetime 60s;', 64 << 20);
is $run->{status}, 137, 'without swap it is killed when memory is full';
is $use->{swap}{peak}, 0, 'having swapped nothing';
system('swapoff', $file);
unlink $file;
done_testing;
