#!/usr/bin/perl
# Somebody swaps folders and files for links while views are being built: each run shows the right thing or is refused,
# and nothing outside is read or changed. SBX_SECONDS: how long.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $renameat2 = syscall_number('renameat2') or plan skip_all => 'renameat2 has another number here';
my $seconds = $ENV{SBX_SECONDS} // 4;
sub tree { my ($dir) = @_; scalar `cd $dir && find . -printf '%p %y %m %s %l\n' | sort` }

for my $user (users()) {
    my $name = $user->{name};
    # What the sandbox may write, and may thus have swapped, is where other rules take their content from, hide, pin
    # and keep places.
    my $dir = sandbox($user, '
    fs {
        allow read, write "/w" from "./w";
        allow read "/conf" from "./w/conf";
        allow read "/file" from "./w/sub/file";
        deny write "/w/sub/locked";
        deny read, write "/w/sub/hidden/deeper";
        deny write "/w/sub/later/on";
    }');
    mkdir "$dir/$_" for 'outside', 'w/conf', 'w/sub', 'w/sub/locked', 'w/sub/hidden', 'w/sub/hidden/deeper',
        'outside/locked', 'outside/hidden', 'outside/hidden/deeper';
    spew("$dir/$_", "good\n") for 'w/conf/x', 'w/sub/file', 'w/sub/hidden/deeper/x';
    spew("$dir/outside/$_", "outside\n") for 'x', 'file', 'hidden/deeper/x';
    # What is swapped for what: a link out, and a real folder of others.
    symlink '../outside', "$dir/w/conf-link";
    symlink '../outside', "$dir/w/sub-link";
    symlink '../../outside/file', "$dir/w/sub/file-link";
    symlink '../../../outside/hidden/deeper', "$dir/w/sub/hidden/deeper-link";
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/w", "$dir/outside") if defined $user->{uid} && $> == 0;
    my $before = tree("$dir/outside");
    my $swapper = fork // die $!;
    if (!$swapper) {
        become($user);
        my @pairs = (["$dir/w/conf", "$dir/w/conf-link"], ["$dir/w/sub", "$dir/w/sub-link"], ["$dir/w/sub/file",
                "$dir/w/sub/file-link"], ["$dir/w/sub/hidden/deeper", "$dir/w/sub/hidden/deeper-link"]);
        for (my $end = time + 10 * $seconds + 60; time < $end;) {
            my $pair = $pairs[ rand @pairs ];
            for (1, 2) { # there and back, so that most of the time all is right
                syscall($renameat2, -100, $pair->[0], -100, $pair->[1], 2); # RENAME_EXCHANGE
                select undef, undef, undef, rand 0.0003 if rand() < 0.3;
            }
            select undef, undef, undef, rand 0.003;
        }
        POSIX::_exit(0);
    }
    my ($ran, $refused, %wrong) = (0, 0);
    for (my $end = time + $seconds; time < $end;) {
        my $run = in_sandbox($user, $dir, 'sh', '-c', 'cat /conf/x /file; cat /w/sub/hidden/deeper/x; '
            . 'echo x > /w/sub/locked/new; echo x > /w/sub/later/on; exit 0');
        if ($run->{status} == 125) {
            $refused++;
            $wrong{"silent: $run->{err}"} = 1 if $run->{err} !~ /^sbxrun: /;
        } else {
            $ran++;
            $wrong{"read: $run->{out}"} = 1 if $run->{out} =~ /outside/;
            $wrong{"exit $run->{status} $run->{err}"} = 1 if $run->{status};
        }
    }
    kill 'KILL', $swapper;
    waitpid $swapper, 0;
    is join("\n", sort keys %wrong), '', "$name: in $ran runs, and $refused refused, nothing outside was read";
    is tree("$dir/outside"), $before, "$name: nor changed";
    cmp_ok $ran + $refused, '>', 20, "$name: there were enough of them";
    cmp_ok $ran, '>', 0, "$name: some ran";
    cmp_ok $refused, '>', 0, "$name: some were refused";
}
done_testing;
