#!/usr/bin/perl
# A deny holds whether or not its path exists when the run starts, and leaves nothing on the host, however the run ends.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

sub tree { my ($dir) = @_; scalar `cd $dir && find . -printf '%p %y %m %s %l\n' | sort` }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read, write "/w" from "./w";
        deny write "/w/.git/hooks" because "what git runs";
        deny read, write "/w/.env";
        deny read, write "/w/deep/er/gone" except "/w/deep/er/gone/but";
        allow read "/r" from "./r";
        deny read "/r/later";
    }');
    mkdir "$dir/r";
    owned($user, "$dir/r");
    my $before = tree($dir);
    my $sh = sub { in_sandbox($user, $dir, 'sh', '-c', $_[0]) };
    my $start = sub { # in the background, until the command runs
        my ($command) = @_;
        unlink "$dir/w/ready";
        my $pid = fork // die $!;
        if (!$pid) {
            become($user);
            open STDERR, '>', '/dev/null';
            chdir $dir;
            exec $sbxrun, 'p.sbx', '--', 'sh', '-c', ": > /w/ready; $command" or POSIX::_exit(99);
        }
        soon(sub { -e "$dir/w/ready" }) or diag 'it did not start';
        unlink "$dir/w/ready";
        return $pid;
    };

    for my $try (
        ['cat /w/.env', 'read it'], ['echo x > /w/.env', 'make it'], ['ln -s /etc/passwd /w/.env', 'make it a link'],
        ['rm -f /w/.env', 'remove its place'], ['mv /w/.env /w/moved', 'move its place'],
        ['echo x > /w/new; mv /w/new /w/.env', 'move something there'], ['ln /w/.env /w/hard', 'link to it'],
        ['mkdir /w/.git/hooks', 'make a folder of it'],
        ['mkdir -p /w/.git/hooks/pre', 'make it with what is beneath'], ['echo x > /w/.git/hooks', 'write it'],
        ['mv /w/.git /w/git2', 'move what it lies in'],
        ['mv /w/deep /w/d', 'move what lies higher'], ['mkdir -p /w/deep/er/gone/but',
            'make what only an exception names'], ['cat /r/later', 'read what the host may make later'],
    ) {
        my ($command, $what) = @$try;
        my $run = $sh->("{ $command; } 2>&1 && echo DONE");
        unlike $run->{out}, qr/DONE/, "$name: cannot $what";
        like $run->{out}, qr/denied|Read-only|busy|exist|Not a directory|not permitted|cross-device|\S/i,
            "$name: and is told so";
        unlink "$dir/w/new", "$dir/w/hard";
    }
    is $sh->('cat /w/.git/hooks')->{status}, 0, "$name: where reading is allowed, nothing is read";
    is $sh->('cat /w/.git/hooks')->{out}, '', "$name: nothing at all";
    is tree($dir), $before, "$name: the host is as it was";
    is $sh->('echo mine > /w/deep/er/mine && echo here > /w/other && echo ok')->{out}, "ok\n",
        "$name: beside it all is as ever";
    is slurp("$dir/w/deep/er/mine"), "mine\n", "$name: what was made beside it stays, with its folders";
    ok !-e "$dir/w/deep/er/gone", "$name: and only that";
    system "rm -rf $dir/w/deep $dir/w/other";

    # The host can't make it during the run: the place is taken.
    my $pid = $start->('sleep 0.5; cat /r/later');
    ok -e "$dir/r/later", "$name: its place is kept";
    like slurp("$dir/r/later"), qr/sbxrun keeps the place/, "$name: by a file that says what it is";
    waitpid $pid, 0;
    is tree($dir), $before, "$name: which goes";

    # However it ends.
    for my $signal ('TERM', 'KILL') {
        $pid = $start->('sleep 30');
        ok -e "$dir/w/.env", "$name: SIG$signal: it runs";
        kill $signal, $pid;
        waitpid $pid, 0;
        ok soon(sub { tree($dir) eq $before }), "$name: SIG$signal: nothing is left" or diag tree($dir);
    }
    # Even the keeper may be killed: then the next run takes over what it finds.
    $pid = $start->('sleep 30');
    my @children = split ' ', slurp("/proc/$pid/task/$pid/children");
    kill 'KILL', $pid, @children;
    waitpid $pid, 0;
    select undef, undef, undef, 0.3;
    isnt tree($dir), $before, "$name: with nobody left to remove it, it stays";
    is $sh->('cat /w/.env 2>&1 || echo no')->{out} =~ /no$/m, 1, "$name: the next run holds it as well";
    is tree($dir), $before, "$name: and removes it";

    # What looks like one is no reason to remove folders that no run has made: neither a forged one, which a sandbox has
    # copied from a true one, nor a true one elsewhere.
    spew("$dir/$_->[0].sbx", "sbx 1; import std.base; policy $_->[0] { use std.base; fs { $_->[1] } }") for
        ['plants', 'allow read, write "/y" from "./pf/x/y";'],
        ['finds', 'allow read "/p" from "./pf"; deny read "/p/x/y/s";'];
    mkdir "$dir/$_" for 'pf', 'pf/x', 'pf/x/y';
    owned($user, map { "$dir/$_" } 'pf', 'pf/x', 'pf/x/y');
    $pid = $start->('sleep 30');
    my $true = slurp("$dir/w/deep/er/gone");
    like $true, qr/Folders: 02 [0-9a-f]{96}\n\z/, "$name: one says how many folders were made, sealed";
    kill 'KILL', $pid, split ' ', slurp("/proc/$pid/task/$pid/children");
    waitpid $pid, 0;
    ok soon(sub { !grep { eval { slurp("/proc/$_/cmdline") } } own_processes() }), "$name: nobody removes it";
    my $found = sub {
        my ($how) = @_;
        ok -f "$dir/pf/x/y/s", "$name: $how: it is there";
        my $run = run({ %$user, cwd => $dir }, $sbxrun, 'finds.sbx', '--', 'true');
        is $run->{status}, 0, "$name: $how: it runs" or diag $run->{err};
        ok -d "$dir/pf/x/y", "$name: $how: the folders stay";
        ok !-e "$dir/pf/x/y/s", "$name: $how: and the file goes";
        system 'mkdir', '-p', "$dir/pf/x/y";
        owned($user, map { "$dir/$_" } 'pf/x', 'pf/x/y');
    };
    for my $text ($true, $true =~ s/Folders: 02/Folders: 01/r, $true =~ s/Folders: 02/Folders: 99/r,
        $true =~ s/[0-9a-f]{96}/'0' x 96/er) {
        run({ %$user, cwd => $dir }, $sbxrun, 'plants.sbx', '--', 'sh', '-c', 'printf %s "$1" > /y/s', 'sh', $text);
        $found->('forged, ' . substr $text, -109, 11);
    }
    rename "$dir/w/deep/er/gone", "$dir/pf/x/y/s" or die $!;
    $found->('moved');
    is $sh->('true')->{status}, 0, "$name: what had lost its file";
    ok -d "$dir/w/deep/er", "$name: is nobody's any more";
    system "rm -rf $dir/w/deep $dir/pf $dir/plants.sbx $dir/finds.sbx";
    is tree($dir), $before, "$name: nothing else is left";

    # Several at once.
    my @pids = map { $start->("sleep $_") } 0.3, 0.9;
    waitpid $pids[0], 0;
    ok -e "$dir/w/.env", "$name: while one of two runs, the place is kept";
    waitpid $pids[1], 0;
    is tree($dir), $before, "$name: the last one removes it";
    if (my @many = map {
        my $p = fork // die $!;
        if (!$p) {
            exit in_sandbox($user, $dir, 'sh', '-c', 'echo x 2>/dev/null > /w/.env && exit 7; exit 0')->{status};
        }
        $p;
    } 1 .. 20) {
        my $bad = 0;
        for (@many) { waitpid $_, 0; $bad++ if $? }
        is $bad, 0, "$name: 20 at once, none gets through";
        is tree($dir), $before, "$name: and nothing is left";
    }

    # What is somebody's own is neither taken for a guard nor removed.
    spew("$dir/w/.env", "KEY=1\n");
    is $sh->('cat /w/.env || echo no')->{out}, "no\n", "$name: one that exists is hidden";
    is slurp("$dir/w/.env"), "KEY=1\n", "$name: and stays";
    unlink "$dir/w/.env";

    # Where the caller may make nothing, the run is refused, as before.
    SKIP: {
        skip 'root may', 2 if !defined $user->{uid} || !$user->{uid};
        spew("$dir/no.sbx",
            'sbx 1; import std.base; policy no { use std.base; fs { deny read "/usr/share/not-there-yet"; } }');
        my $run = run({ %$user, cwd => $dir }, $sbxrun, 'no.sbx', '--', 'true');
        is $run->{status}, 125, "$name: in a folder of others";
        like $run->{err}, qr/does not exist on the host, so its rule can't be enforced/, "$name: says why";
    }
}
# What a deny spares beneath a folder that is there, and is not there itself.
for my $user (users()) {
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; deny read "/w/old" except "/w/old/index"; }');
    mkdir "$dir/w/old";
    owned($user, "$dir/w/old");
    my $before = tree($dir);
    my $run = in_sandbox($user, $dir, 'sh', '-c', 'cat /w/old/index && wc -c < /w/old/index; echo x > /w/old/index');
    like $run->{out}, qr/^0$/m, "$user->{name}: what is spared and not there is an empty file" or diag $run->{err};
    like $run->{err}, qr/Read-only/, "$user->{name}: which nobody writes";
    is tree($dir), $before, "$user->{name}: and nothing of it is left";
}
done_testing;
