#!/usr/bin/perl
# The AppArmor profile of a policy, loaded, with programs under it: what the policy says of files it holds too. Where
# the kernel has AppArmor, as root.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my ($enabled) = (eval { slurp('/sys/module/apparmor/parameters/enabled') } // '') =~ /^(Y)/;
plan skip_all => 'this kernel runs no AppArmor' if !$enabled;
plan skip_all => 'only root loads profiles' if $>;
my ($parser, $exec) = map {
    my $program = $_;
    (grep { -x } map { "$_/$program" } split(/:/, $ENV{PATH}), '/sbin', '/usr/sbin')[0];
} 'apparmor_parser', 'aa-exec';
plan skip_all => 'apparmor_parser or aa-exec is not installed' if !$parser || !$exec;

my $dir = '/srv/sbx-apparmor';
system "rm -rf $dir; mkdir -p $dir/r $dir/w/locked $dir/none $dir/x";
spew("$dir/$_", "content\n") for 'r/file', 'w/file', 'w/locked/file', 'w/secret', 'none/file';
system "cp /usr/bin/true $dir/x/run; cp /usr/bin/true $dir/w/run; chmod 755 $dir/x/run $dir/w/run";
spew("$dir/p.sbx", <<"SBX");
sbx 1;
import std.base;
policy tried {
    use std.base;
    fs {
        allow read "$dir/r";
        allow read, write "$dir/w";
        deny write "$dir/w/locked";
        deny read, write "$dir/w/secret";
        allow read, exec "$dir/x";
    }
}
SBX
is run($sbxc, '--emit=apparmor', '--no-proof', '-o', "$dir/profile", "$dir/p.sbx")->{status}, 0, 'a profile';
my $run = run($parser, '-r', '-K', "$dir/profile");
is $run->{status}, 0, 'is loaded' or diag $run->{err};
my $try = sub { run($exec, '-p', 'sbx-tried', '--', 'sh', '-c', $_[0])->{status} };
is run($exec, '-p', 'sbx-tried', '--', 'cat', '/proc/self/attr/current')->{out}, "sbx-tried (enforce)\n",
    'and holds programs';
for my $case (
    ["cat $dir/r/file", 1], ["echo x > $dir/r/file", 0], ["cat $dir/none/file", 0],
    ["echo x > $dir/w/new && cat $dir/w/new && rm $dir/w/new", 1], ["echo x > $dir/w/locked/new", 0],
    ["cat $dir/w/locked/file", 1],
    ["cat $dir/w/secret", 0], ["echo x > $dir/w/secret", 0], ["$dir/x/run", 1], ["$dir/w/run", 0],
    ['cat /etc/shadow', 0], ['ls /root', 0], ["mv $dir/w/file $dir/w/moved && mv $dir/w/moved $dir/w/file", 1],
) {
    my ($command, $allowed) = @$case;
    is $try->($command) == 0 ? 1 : 0, $allowed, ($allowed ? 'allowed' : 'denied') . ": $command";
    is run('sh', '-c', $command)->{status}, 0, 'and possible without it';
}
run($parser, '-R', "$dir/profile");
system "rm -rf $dir";
done_testing;
