#!/usr/bin/perl
# Processes: nothing outlives the command or sbxrun, signals arrive, the supervisor can't be reached or stalled, nothing
# stays behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Time::HiRes qw(sleep time);
use Test::More;

# What is left of ours and runs `sleep` for that many seconds.
sub sleepers { my ($mark) = @_; scalar own_processes(qr/^sleep\0\Q$mark\E\0/) }
sub none_soon { my ($mark) = @_; soon(sub { !sleepers($mark) }) }

sub start {
    my ($user, $dir, %o) = @_;
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', $o{out} // '/dev/null'; open STDERR, '>', $o{err} // '/dev/null';
        become($user);
        chdir $dir;
        exec $sbxrun, @{ $o{args} // [] }, 'p.sbx', '--', @{ $o{command} } or POSIX::_exit(99);
    }
    return $pid;
}
sub wait_for {
    my ($pid) = @_;
    local $SIG{ALRM} = sub { kill KILL => $pid };
    alarm 15;
    waitpid $pid, 0;
    alarm 0;
    return $?;
}
sub appears { my ($file) = @_; soon(sub { -s $file }) }

my $mark = 100000; # of one case
for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } limits { lifetime ' . patience(30) . 's; }');
    my $before = leftovers();

    # What the command leaves running dies with it.
    for my $how ("sleep $mark & exit 5", "(sleep $mark &) ; exit 5", "setsid sleep $mark & exit 5",
        "nohup setsid sh -c 'trap \"\" TERM HUP INT; sleep $mark' >/dev/null 2>&1 & sleep 0.1; exit 5") {
        my $run = in_sandbox($user, $dir, 'sh', '-c', $how);
        is $run->{status}, 5, "$name: $how";
        cmp_ok $run->{seconds}, '<', patience(5), "$name: ends with the command";
        ok none_soon($mark), "$name: and so does what it left";
        $mark++;
    }

    # Signals are passed on; a killed supervisor takes everything with it.
    for my $case (['TERM', 'trap "exit 7" TERM', 7], ['INT', 'trap "exit 8" INT', 8], ['USR1', 'trap "exit 9" USR1', 9],
        ['HUP', 'trap "exit 10" HUP', 10], ['TERM', ':', 128 + 15]) {
        my ($signal, $trap, $status) = @$case;
        unlink "$dir/w/up";
        my $pid = start($user, $dir, command => ['sh', '-c', "$trap; echo up > /w/up; sleep $mark & wait"]);
        ok appears("$dir/w/up"), "$name: started for SIG$signal";
        kill $signal, $pid;
        is wait_for($pid) >> 8, $status, "$name: SIG$signal" . ($trap eq ':' ? '' : ' with a trap');
        ok none_soon($mark), "$name: nothing is left";
    }
    unlink "$dir/w/up";
    my $pid = start($user, $dir,
        command => ['sh', '-c', "trap '' TERM HUP INT; setsid sleep $mark & echo up > /w/up; sleep $mark"]);
    ok appears("$dir/w/up"), "$name: started";
    kill KILL => $pid;
    wait_for($pid);
    ok none_soon($mark), "$name: SIGKILL of sbxrun kills the sandbox";

    # At any moment: also while it is being set up.
    my $left = 0;
    for my $step (0 .. 30) {
        my $early = start($user, $dir, command => ['sleep', $mark]);
        sleep 0.0002 * $step;
        kill KILL => $early;
        wait_for($early);
        $left++ unless none_soon($mark);
    }
    is $left, 0, "$name: killed at 31 moments of its start, never anything left";

    # Stop and continue.
    unlink "$dir/w/up";
    $pid = start($user, $dir,
        command => ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i > /w/up; sleep 0.02; done']);
    ok appears("$dir/w/up"), "$name: counts";
    kill TSTP => $pid;
    waitpid $pid, POSIX::WUNTRACED();
    ok POSIX::WIFSTOPPED(${^CHILD_ERROR_NATIVE}), "$name: SIGTSTP stops sbxrun";
    sleep 0.2; my $one = slurp("$dir/w/up"); sleep 0.3; my $two = slurp("$dir/w/up");
    is $one, $two, "$name: and the sandbox";
    kill CONT => $pid;
    ok soon(sub { slurp("$dir/w/up") ne $two }), "$name: SIGCONT goes on";
    kill TERM => $pid;
    wait_for($pid);

    # Inside, init and the supervisor are out of reach.
    my $run = in_sandbox($user, $dir, 'sh', '-c',
        'kill -9 1 2>&1; kill -TERM 1 2>&1; kill -STOP 1 2>&1; kill -9 -1; echo alive');
    like $run->{out}, qr/alive/, "$name: init survives";
    $run = in_sandbox($user, sandbox($user, 'limits { lifetime 500ms; }'), 'sh', '-c', 'kill -STOP $$');
    is $run->{status}, 124, "$name: a command that stops itself is ended by its lifetime";
    $run = in_sandbox($user, $dir, 'sh', '-c', 'for i in $(seq 300); do mount -t tmpfs x /x 2>/dev/null; done & for i '
        . 'in $(seq 500); do echo $i; done; wait; exit 4');
    is $run->{status}, 4, "$name: a flood of refused calls";

    # Many at once, and one after the other.
    my @many = map { start($user, $dir, command => ['sh', '-c', "exit $_"]) } 1 .. 40;
    my $wrong = 0;
    for my $i (1 .. 40) { $wrong++ if wait_for($many[$i - 1]) >> 8 != $i }
    is $wrong, 0, "$name: 40 at once";
    for (1 .. 100) { my $p = start($user, $dir, command => ['true']); $wrong++ if wait_for($p) }
    is $wrong, 0, "$name: 100 in a row";
    is left_since($before), '', "$name: nothing stays behind";

    # IPC of the host is out of reach.
    my $id = shmget(0, 4096, 01000 | 0666); # IPC_PRIVATE, IPC_CREAT
    like in_sandbox($user, $dir, 'cat', '/proc/sysvipc/shm')->{err}, qr/No such file/,
        "$name: no view of the host's shared memory";
    shmctl($id, 0, 0) if defined $id;

    # Memory of the supervisor.
    unlink "$dir/w/up";
    $pid = start($user, $dir, command => ['sh', '-c', 'echo up > /w/up; sleep 2']);
    ok appears("$dir/w/up"), "$name: running";
    my $private = 0;
    $private += $_ for slurp("/proc/$pid/smaps_rollup") =~ /^Private_\w+:\s+(\d+)/mg;
    cmp_ok $private, '<=', 2048, "$name: the supervisor's private memory: $private KiB";
    kill KILL => $pid;
    wait_for($pid);
}
done_testing;
