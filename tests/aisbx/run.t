#!/usr/bin/perl
# aisbx run: each begins with what the one before left, and the host's folder stays as it is until something is
# promoted; what came of each is kept, with its log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Aisbx;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(sleep time);
use Test::More;

plan skip_all => 'a copy in memory takes Linux 6.6' unless overlays();

for my $user (users()) {
    my $name = $user->{name};
    my $w = workspace($user, { 'f' => "a\nb\n", 'd/x' => "x\n", 'd/y' => "y\n", 'e/z' => "z\n" });
    my $before = tree($w->{dir});

    my $run = $w->{sh}->('echo out; echo err >&2; exit 3');
    is "$run->{status} $run->{out} $run->{err}", "3 out\n err\n", "$name: streams and status are the command's";
    is $w->{aisbx}->('diff')->{out}, '', "$name: nothing differs";

    is $w->{sh}->('echo c >> f; rm -r d; mkdir -p n/m; echo new > n/m/g; ln -s ../f n/l; chmod 755 e/z')->{status}, 0,
        "$name: a run that changes much";
    is_deeply tree($w->{dir}), $before, "$name: nothing of it on the host";
    is $w->{sh}->('cat f n/l n/m/g; ls')->{out}, "a\nb\nc\na\nb\nc\nnew\ne\nf\nn\n",
        "$name: the next run begins with it";
    is $w->{sh}->('mkdir d; echo again > d/x; rm n/m/g')->{status}, 0, "$name: a third";
    is $w->{sh}->('ls -a d n/m; cat d/x')->{out}, "d:\n.\n..\nx\n\nn/m:\n.\n..\nagain\n",
        "$name: a folder made again has nothing of the one that was there";
    is $w->{aisbx}->('diff', '--name-only')->{out}, "d/x\nd/y\ne/z\nf\nn\nn/l\nn/m\n", "$name: what differs in all";
    my $diff = $w->{aisbx}->('diff', 'f', 'e')->{out};
    like $diff, qr/^M e\/z  \(mode 644, now 755\)\nM f\n.*^\+c\n\z/ms, "$name: as text, of what is named";
    like $w->{aisbx}->('diff', '--stat')->{out}, qr/^D d\/y  -2\n.*^7 names differ, \+\d+ bytes\n\z/ms,
        "$name: in numbers";

    # Snapshots.
    is $w->{aisbx}->('snap', 'save', 'good')->{status}, 0, "$name: a name";
    is $w->{sh}->('rm -r n e')->{status}, 0, "$name: a run that one regrets";
    is $w->{aisbx}->('run', '--snapshot', 'good', '--', 'ls')->{out}, "d\ne\nf\nn\n", "$name: a run on an older state";
    is $w->{sh}->('ls')->{out}, "d\nf\n", "$name: which changes nothing for the next";
    is $w->{aisbx}->('snap', 'restore', 'good')->{status}, 0, "$name: back";
    is $w->{sh}->('ls')->{out}, "d\ne\nf\nn\n", "$name: and there it is";
    is_deeply tree($w->{dir}), $before, "$name: the host's folder is as it was";

    # What is kept.
    my @runs = map { decode_json($_) } split /\n/, $w->{aisbx}->('ls', '--json')->{out};
    is scalar(@runs), 9, "$name: every run is listed";
    is_deeply $runs[0]{words}, ['sh', '-c', 'echo out; echo err >&2; exit 3'], "$name: with its words";
    is_deeply [map { $_->{status} } @runs[0, 1]], [3, 0], "$name: and how it ended";
    my $log = $w->{aisbx}->('log', $runs[0]{id});
    is "$log->{out}$log->{err}", "out\nerr\n", "$name: what it wrote";
    my @lines = map { decode_json($_) } split /\n/, $w->{aisbx}->('log', '--json', $runs[0]{id})->{out};
    is_deeply [map { "$_->{stream} $_->{text}" } sort { $a->{stream} cmp $b->{stream} } @lines],
        ["stderr err\n", "stdout out\n"], "$name: with the stream";
    like $lines[0]{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, "$name: and the time";
    my $shown = decode_json($w->{aisbx}->('show', $runs[0]{id})->{out});
    is $shown->{report}{ended}{status}, 3, "$name: sbxrun's report is there";
    like $shown->{plan}, qr/^[0-9a-f]{64}$/, "$name: and which plan it was";
    my $bytes = $w->{sh}->(q{printf 'a\377b\000c\342\202'; printf '\254\n'});
    is $w->{aisbx}->('log')->{out}, $bytes->{out}, "$name: a log has all bytes";

    # Someone else watches while it runs.
    my $ready = "$w->{dir}/../ready";
    my $pid = fork // die;
    if (!$pid) {
        $w->{sh}->('echo first; sleep 1; echo last');
        POSIX::_exit(0);
    }
    ok soon(sub { $w->{aisbx}->('ls')->{out} =~ /running/ }), "$name: a run that goes on is listed so";
    is $w->{aisbx}->('log', '--follow')->{out}, "first\nlast\n", "$name: --follow ends with it";
    waitpid $pid, 0;

    # Signals.
    my $start = time;
    $run = $w->{aisbx}->({ within => ['timeout', '-s', 'TERM', '1'] }, 'run', '--', 'sleep', '600');
    cmp_ok time - $start, '<', 15, "$name: a run is ended by a signal";
    my ($last) = reverse split /\n/, $w->{aisbx}->('ls')->{out};
    like $last, qr/exit 143 +sleep 600/, "$name: and recorded";

    # What ran is never told as what did not.
    chmod 0500, "$w->{home}/blobs" if $user->{uid} || $>;
    if ($user->{uid} || $>) {
        $run = $w->{sh}->('echo ran; echo 1 > unkept');
        is "$run->{status} $run->{out}", "1 ran\n", "$name: a run that could not be kept";
        chmod 0700, "$w->{home}/blobs";
        like $w->{aisbx}->('ls')->{out}, qr/ unkept +sh -c echo ran/, "$name: is listed so";
    }

    # What is refused.
    $run = $w->{aisbx}->({ env => { AISBX_HOME => "$w->{dir}/store" } }, 'run', '--', 'true');
    is $run->{status}, 125, "$name: a store in the project";
    like $run->{err}, qr/lies in the project/, "$name: is none";
    $run = $w->{aisbx}->({ cwd => '/' }, 'run', '--', 'true');
    is $run->{status}, 125, "$name: no project";
    like $run->{err}, qr/`aisbx init` makes one/, "$name: says what makes one";
    my $open = workspace($user, {}, fs => 'allow read, write "/store" from "../../..";');
    $run = $open->{aisbx}->({ env => { AISBX_HOME => $open->{dir} . '/../s' } }, 'run', '--', 'true');
    is $run->{status}, 125, "$name: a relative store";
    (my $outside = $open->{dir}) =~ s{/p$}{/s};
    $run = $open->{aisbx}->({ env => { AISBX_HOME => $outside } }, 'run', '--', 'true');
    is $run->{status}, 125, "$name: a policy that lets runs write the store";
    like $run->{err}, qr/lets runs write .*, where the store .* lies/, "$name: is named";
    $run = $w->{aisbx}->('run', '--snapshot', 'nowhere', '--', 'true');
    is $run->{status}, 125, "$name: a snapshot that does not exist";
    $run = $w->{aisbx}->('frobnicate');
    is $run->{status}, 2, "$name: a command that does not exist";
    spew("$w->{dir}/.aisbx/policy.sbx", 'sbx 1; policy p { fs { allow red "/x"; } }');
    $run = $w->{sh}->('true');
    is $run->{status}, 125, "$name: a policy with an error";
    like $run->{err}, qr/^error\[SBX/m, "$name: is shown";
    is $w->{aisbx}->('fsck')->{status}, 0, "$name: the store is whole" or diag $w->{aisbx}->('fsck')->{out};
    is_deeply [glob "$w->{home}/running/*"], [], "$name: nothing is under way";
    my $unkept = () = $w->{aisbx}->('ls')->{out} =~ / unkept /g; # has its log where it was written
    is scalar(() = glob "$w->{home}/logs/*"), $unkept, "$name: and logs are kept";
}

# Killed at any moment: what was acknowledged is there, the rest is lost and says so, and nothing goes on running.
for my $user (users()) {
    my $name = $user->{name};
    my $w = workspace($user, { 'f' => "0\n" });
    my ($rounds, $value, $lost, $wrong) = ($ENV{SBX_KILLS} // 15, 0, 0, 0);
    my $start = time;
    $w->{sh}->('sleep 0.1; echo 1 > f');
    my $took = time - $start;
    $value = 1;
    for my $round (1 .. $rounds) {
        my $ended = killed($user, $w, $took * 1.3 * $round / $rounds, 'run', '--', 'sh', '-c',
            "sleep 0.1; echo $round.new > f");
        my $now = $w->{sh}->('cat f')->{out};
        chomp $now;
        $wrong++, diag "round $round: $now" if $now ne "$round.new" && ($ended || $now ne $value);
        $value = $now;
        $lost = () = $w->{aisbx}->('ls')->{out} =~ / lost /g;
        $w->{aisbx}->('promote') if $w->{aisbx}->()->{out} =~ /: (\d+) layers/ && $1 > 20;
    }
    is $wrong, 0, "$name: killed $rounds times, of which $lost runs were lost";
    ok soon(sub { !own_processes(qr/^(?:sbxrun|\S*\/sbxrun|sleep)\0/) }), "$name: nothing goes on";
    $w->{aisbx}->();
    is_deeply [glob "$w->{home}/running/*"], [], "$name: nothing is under way";
    is $w->{aisbx}->('fsck')->{status}, 0, "$name: the store is whole";
    is slurp("$w->{dir}/f") =~ /^0$|new$/, 1, "$name: and the host's file";
}

# init.
for my $user (users()) {
    my $dir = folder();
    owned($user, $dir);
    spew("$dir/main.py", "print(6 * 7)\n");
    my $home = folder() . '/store';
    mkdir $home, 0700;
    owned($user, $home);
    my $do = sub { run({ %$user, cwd => $dir, seconds => 60, env => { AISBX_HOME => $home } }, @_) };
    my $run = $do->($aisbx, 'init');
    is $run->{status}, 0, "$user->{name}: init" or diag $run->{err};
    like $run->{out}, qr/^main\.py says that it is Python/m, "$user->{name}: it says what it found";
    is $do->($aisbx, 'init')->{status}, 1, "$user->{name}: what is there stays";
    is run($sbxc, '--check', '--deny-warnings', "$dir/.aisbx/policy.sbx")->{err}, '', "$user->{name}: a right policy";
    is $do->($aisbx, 'run', '--', 'python3', 'main.py')->{out}, "42\n", "$user->{name}: and the program runs";
}

done_testing();
