#!/usr/bin/perl
# Every system call of the set-up fails once, with several errors, and sbxrun and init are killed at every one: the
# command never runs half confined, nothing is left, and
# a message names the step. SBX_FAULTS=all tries each call; without it every few of them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Tar;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my ($inject, $confined) = map { "$build/tests/faults/$_" } 'inject', 'confined';
my $step = ($ENV{SBX_FAULTS} // '') eq 'all' ? 1 : 7;
my $landlock = landlock(1);
sub tree { my ($dir) = @_; scalar `cd $dir && find . ! -name count -printf '%p %y %m %s %l\n' | sort` }

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read, exec "/confined" from "./confined";
        allow read, write "/w" from "./w";
        deny write "/w/locked";
        deny write "/w/later";
        allow read, write "/o" from overlay "./o" size 1MiB;
        deny write "/o/locked";
        allow read, write "/tmp" from tmpfs size 1MiB;
        ' . ($landlock ? 'allow read, create "/drop" from tmpfs size 1MiB;' : '') . '
    }
    limits { pids 50; open_files 100; file_size 8MiB; lifetime 20s; }
    process { cwd "/w"; }
    secrets { SECRET from env "SBX_TEST_SECRET" at "/secret"; }');
    mkdir "$dir/$_" for 'w/locked', 'o', 'o/locked';
    system 'cp', $confined, "$dir/confined";
    system 'cp', $inject, "$dir/inject";
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/w", "$dir/o") if defined $user->{uid} && $> == 0;
    owned($user, my $cache = folder());
    my %o = (%$user, cwd => $dir, env => { SBX_TEST_SECRET => 'value', XDG_CACHE_HOME => $cache },
        seconds => 30);
    spew("$dir/layer.tar", archive({ name => 'o/', type => 5, mode => 0755 },
        { name => 'o/new', data => 'x' }));
    my @command = ($sbxrun, '--layer', 'layer.tar',
        'p.sbx', '--', '/confined', "$dir/p.sbx", $landlock ? 'landlock' : 'none');
    my $plain = run(\%o, @command);
    if ($plain->{status} == 125 && $plain->{err} =~ /needs Linux 6\.6 or newer/) { # no overlay here
        my $text = slurp("$dir/p.sbx");
        $text =~ s/from overlay "\.\/o" size 1MiB/from "\.\/o"/;
        spew("$dir/p.sbx", $text);
        splice @command, 1, 2;
        $plain = run(\%o, @command);
    }
    is $plain->{out}, "confined\n", "$who: without faults" or diag $plain->{err};
    my $before = tree($dir);
    my $mounts = leftovers();
    run({ %o, ($> == 0 ? (uid => 0, gid => 0) : ()) }, "$dir/inject", 'count', "$dir/w/count", '--', @command);
    chmod 0666, "$dir/w/count";
    my $counted = run(\%o, "$dir/inject", 'count', "$dir/w/count", '--', @command);
    is $counted->{out}, "confined\n", "$who: under the harness";
    my @calls = map { (split)[1] } split /\n/, slurp("$dir/w/count");
    unlink "$dir/w/count";
    cmp_ok scalar @calls, '>=', 4,
        "$who: sbxrun, init, the command and what keeps places made " . join(', ', @calls) . ' calls';

    my (%bad, %seen, $tries);
    my $judge = sub {
        my ($how, $run, $keeper) = @_;
        $tries++;
        my $label = "$how: exit $run->{status}, said '" . ($run->{err} =~ s/\n.*//sr) . "', printed '"
            . ($run->{out} =~ s/\n.*//sr) . "'";
        $bad{half}{$label} = 1 if $run->{out} =~ /HOLE/;
        $bad{odd}{$label} = 1 if $run->{out} !~ /^(?:confined\n)?$|HOLE/;
        $bad{silent}{$label} = 1 if $how =~ /^fail/ && $run->{out} eq '' && $run->{err} !~ /^sbxrun: |out of memory/
            && $run->{status} !~ /^(?:3|134|139|159)$/;
        $bad{late}{$label} = 1 if $run->{status} eq 'late';
        $seen{ $run->{out} eq '' ? 'refused' : 'ran, confined' }++;
        # the command was cut off at its work
        unlink "$dir/w/ok"
            if $run->{status} eq '137' && ($how =~ /^kill/ || $run->{err} =~ /had begun, confined, and was killed/);
        for (my $wait = 2; tree($dir) ne $before; $wait -= 0.02) {
            # On a busy machine the harness may see the two that are started first in another order: where a kill
            # left the run whole, or sbxrun says so, it was the keeper.
            $keeper ||= $how =~ /^kill/
                && ($run->{status} eq '0' || $run->{err} =~ /keeps the places of denied paths has died/);
            # what removes it was hit itself: the next run does
            if ($wait < 1 && $keeper && tree($dir) ne $before) { run(\%o, @command) }
            if ($wait <= 0) {
                $bad{left}{"$label: " . join ' ', grep { index($before, $_) < 0 } split /\n/, tree($dir)} = 1;
                system "rm -rf $dir/w/later";
                last;
            }
            sleep 0.02;
        }
    };
    my $keeper = defined $user->{uid} && $user->{uid} ? 2 : 1; # in the order in which they are started
    for my $process (0 .. $#calls) {
        for (my $call = int rand $step; $call < $calls[$process]; $call += $step) {
            my @errors = $step == 1 ? (1, 5, 12) : ((1, 5, 12, 28)[ $call % 4 ]); # EPERM, EIO, ENOMEM, ENOSPC
            $judge->("fail $_ in process $process at call $call",
                run(\%o, "$dir/inject", 'fail', $_, $process, $call, '--', @command), $process == $keeper) for @errors;
            $judge->("kill process $process at call $call",
                run(\%o, "$dir/inject", 'kill', $process, $call, '--', @command), $process == $keeper);
        }
    }
    is join("\n", sort keys %{ $bad{half} }), '', "$who: in $tries tries the command never ran half confined ("
        . join(', ', map { "$seen{$_} $_" } sort keys %seen) . ')';
    is join("\n", sort keys %{ $bad{odd} }), '', "$who: nor did anything odd";
    is join("\n", sort keys %{ $bad{silent} }), '', "$who: each refusal says what failed";
    is join("\n", sort keys %{ $bad{late} }), '', "$who: none hangs";
    is join("\n", sort keys %{ $bad{left} }), '', "$who: nothing is left in the folder";
    is left_since($mounts), '', "$who: nor control groups or mounts";
}
done_testing;
