#!/usr/bin/perl
# Nothing stays and nothing blocks: whatever a command does to what keeps a denied path's place, whoever holds locks
# there, and whichever process is killed at whatever moment.
# SBX_KILLS says how many moments (100; 500 in CI).
use strict;
use warnings;
use Fcntl qw(:flock);
use FindBin;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $kills = $ENV{SBX_KILLS} // ($ENV{CI} ? 500 : 100);
sub tree { my ($dir) = @_; scalar `cd $dir && find . -printf '%p %y %m %s %l\n' | sort` }
sub below {
    my @all = @_;
    for (my $i = 0; $i < @all; $i++) {
        push @all, map { split ' ', eval { slurp($_) } // '' } glob "/proc/$all[$i]/task/*/children";
    }
    @all;
}

for my $user (users()) {
    my $name = $user->{name};
    my $rules = 'allow read, write "/w" from "./w"; deny read, write "/w/.env"; deny write "/w/a/b/secret"; '
        . 'deny write "/w/c/d"';
    my $dir = sandbox($user, "fs { $rules; } limits { pids 40; lifetime " . patience(20) . 's; }');
    spew("$dir/other.sbx",
        'sbx 1; import std.base; policy other { use std.base; fs { allow read, write "/w" from "./w"; } }');
    my $before = tree("$dir/w");
    my $start = sub { # in a process group of its own
        my (@command) = @_;
        my $pid = fork // die;
        if (!$pid) {
            POSIX::setpgid(0, 0);
            open STDERR, '>', '/dev/null'; open STDOUT, '>', '/dev/null';
            become($user);
            chdir $dir;
            exec @{ $user->{within} // [] }, @command or POSIX::_exit(99);
        }
        return $pid;
    };
    my $sh = sub { in_sandbox($user, $dir, 'sh', '-c', $_[0]) };

    # Modes.
    for my $modes ('0555 /w/a/b /w/a /w', '0000 /w/a/b /w/a /w', '0555 /w', '0 /w/.env /w/a/b/secret', '0111 /w/c',
        '1777 /w', '0400 /w/a') {
        my $run = $sh->("chmod $modes 2>/dev/null; exit 3");
        is "$run->{status} $run->{err}", '3 ', "$name: chmod $modes" or diag explain $run;
        my ($mode) = $modes =~ m{^(\d+) .*/w$};
        is sprintf('%04o', (stat "$dir/w")[2] & 07777), sprintf('%04o', oct $mode),
            "$name: what the folder was given it keeps" if defined $mode;
        chmod 0755, "$dir/w";
        is tree("$dir/w"), $before, "$name: nothing is left" or diag tree("$dir/w");
    }

    # Locks, of other sandboxes and of the host: on the folder and on what keeps the place.
    my $pid = $start->($sbxrun, 'p.sbx', '--', 'sh', '-c', 'exec 7< /w; flock 7; : > /w/ready; exec sleep 20');
    ok soon(sub { -e "$dir/w/ready" }), "$name: one runs";
    my $other = $start->($sbxrun, 'other.sbx', '--', 'sh', '-c',
        'exec 7< /w/.env 8< /w/a/b/secret 9< /w/c; flock 7; flock 8; flock 9; : > /w/locked; exec sleep 20');
    ok soon(sub { -e "$dir/w/locked" }), "$name: another sandbox holds locks";
    my @open = map {
        open my $f, '<', "$dir/w/$_" or die "$_: $!";
        flock $f, LOCK_SH | LOCK_NB;
        $f;
    } '.env', 'a/b/secret', 'c';
    my $run = $sh->('echo x 2> /dev/null > /w/.env && exit 7; exit 4');
    is "$run->{status} $run->{err}", '4 ', "$name: a run beside them is not kept waiting" or diag explain $run;
    cmp_ok $run->{seconds}, '<', patience(3), "$name: not a moment";
    kill TERM => $pid;
    waitpid $pid, 0;
    unlink "$dir/w/ready", "$dir/w/locked";
    is tree("$dir/w"), $before, "$name: and all is gone, though the locks are held" or diag tree("$dir/w");
    kill KILL => $other;
    waitpid $other, 0;

    # The name by which runs wait for one another, had by somebody else.
    SKIP: {
        skip 'root makes somebody else', 1 if $>;
        my $uid = $user->{uid} // 0;
        my $stranger = sub { # has a name until it is killed
            my ($name, %how) = @_;
            my $pid = fork // die;
            if (!$pid) {
                POSIX::setuid(54321);
                my $has = IO::Socket::UNIX->new(Local => "\0$name", %how) or POSIX::_exit(1);
                sleep 60;
                POSIX::_exit(0);
            }
            soon(sub { slurp('/proc/net/unix') =~ /\@\Q$name\E$/m });
            return $pid;
        };
        my %how = ('a socket that listens' => [Listen => 1], 'one that does not' => [],
            'one for datagrams' => [Type => SOCK_DGRAM]);
        my $gone = sub { kill KILL => $_[0]; waitpid $_[0], 0 };
        for my $how (sort keys %how) {
            my $pid = $stranger->("sbx-places-$uid", @{ $how{$how} });
            $run = $sh->('exit 4');
            ok $run->{status} == 4 && $run->{seconds} < patience(3), "$name: a stranger keeps no run waiting with $how"
                or diag explain $run;
            is tree("$dir/w"), $before, "$name: and nothing is left" or diag tree("$dir/w");
            $gone->($pid);
        }
        # Nor does one keep a placeholder there by saying that he needs it, unless he listens: then that is told.
        for my $how (sort keys %how) {
            unlink "$dir/w/ready", "$dir/w/go";
            my $runner = fork // die;
            if (!$runner) {
                my $r = $sh->(': > /w/ready; until [ -e /w/go ]; do sleep 0.05; done; exit 4');
                spew("$dir/told", "$r->{status} $r->{err}");
                POSIX::_exit(0);
            }
            ok soon(sub { -e "$dir/w/ready" }), "$name: one runs";
            my $pid = $stranger->(sprintf('sbx-places-%x-%x-1-1', (stat "$dir/w/.env")[0, 1]), @{ $how{$how} });
            spew("$dir/w/go", '');
            waitpid $runner, 0;
            unlink "$dir/w/ready", "$dir/w/go";
            my $told = slurp("$dir/told");
            if ($how ne 'a socket that listens') {
                is $told, '4 ', "$name: a stranger needs it with $how: nothing is told";
                ok !-e "$dir/w/.env", "$name: since it goes";
            } else {
                like $told, qr{^4 sbxrun: \S+/w/\.env on the host kept the place of /w/\.env and can't be removed: },
                    "$name: a stranger needs it with $how: told";
                ok -e "$dir/w/.env", "$name: that it stays";
            }
            $gone->($pid);
            $sh->('true');
            is tree("$dir/w"), $before, "$name: when he is gone, nothing is left" or diag tree("$dir/w");
        }
    }

    # A path that is needed by two is kept until the second has ended, also where the first one's was made anew by a
    # killed one.
    $pid = $start->($sbxrun, 'p.sbx', '--', 'sh', '-c', ': > /w/ready; exec sleep 20');
    ok soon(sub { -e "$dir/w/ready" }), "$name: one runs";
    $run = $sh->('exit 5');
    ok -e "$dir/w/.env", "$name: while another needs it, it stays";
    kill KILL => $pid;
    waitpid $pid, 0;
    unlink "$dir/w/ready";
    ok soon(sub { tree("$dir/w") eq $before }), "$name: then it goes";

    # What can't be removed is told.
    SKIP: {
        skip 'root removes anything', 2 if !defined $user->{uid} || $>;
        my $folder = folder();
        chmod 0777, $folder;
        spew("$dir/told.sbx", "sbx 1; import std.base; policy "
            . "told { use std.base; fs { allow read, write \"/t\" from \"$folder\"; deny write \"/t/later\"; } }");
        my $runner = fork // die;
        if (!$runner) {
            my $r = run({ %$user, cwd => $dir }, $sbxrun, 'told.sbx', '--', 'sleep', patience(0.6));
            spew("$dir/told.err", "$r->{status}\n$r->{err}");
            POSIX::_exit(0);
        }
        ok soon(sub { -e "$folder/later" }), "$name: it is there";
        chmod 0755, $folder; # it is root's, and now nobody else may change it
        waitpid $runner, 0;
        like slurp("$dir/told.err"),
            qr/^0\nsbxrun:\ \Q$folder\E\/later\ on\ the\ host\ kept\ the\ place\ of\ 
                \/t\/later\ and\ can't\ be\ removed:\ Permission\ denied$/mx,
            "$name: what can't be removed is told";
        unlink "$folder/later";
    }

    # Killed, any one of its processes at any moment.
    srand 7;
    my ($left, $sick, %who) = (0, 0);
    for my $try (1 .. $kills) {
        my $run = $start->($sbxrun, 'p.sbx', '--', 'sh', '-c', 'chmod 0500 /w/a; sleep 0.01');
        sleep rand(0.02) if $try % 4;
        my @all = below($run);
        my $victim = $all[ rand @all ];
        my ($which) = grep { $all[$_] == $victim } 0 .. $#all;
        $who{ $which > 2 ? 'others' : ('sbxrun', 'its first child', 'its second')[$which] }++;
        kill KILL => $victim;
        local $SIG{ALRM} = sub { $sick++; kill KILL => below($run) };
        alarm patience(15);
        waitpid $run, 0;
        alarm 0;
        $left++, diag("after $victim, $which of @all, at try $try:\n", tree("$dir/w"))
            if !soon(sub { tree("$dir/w") eq $before }, 2);
        if (tree("$dir/w") ne $before) {
            system 'rm', '-rf', "$dir/w";
            mkdir "$dir/w";
            chmod 0755, "$dir/w";
            owned($user, "$dir/w");
        }
    }
    is $left, 0,
        "$name: killed at $kills moments (" . join(', ', map { "$_ $who{$_}" } sort keys %who) . '): nothing is left';
    is $sick, 0, "$name: and each run came to its end";
    is $sh->('exit 6')->{status}, 6, "$name: the next one runs";
    is tree("$dir/w"), $before, "$name: and leaves nothing";
}
done_testing;
