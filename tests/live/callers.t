#!/usr/bin/perl
# Whoever starts sbxrun may have done so in an odd state: the command then does what it would do outside, or the run is
# refused, with 125, before the command ran. And nobody
# finds in sbxrun's processes what its caller told it alone.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Time::HiRes qw(sleep time);
use Test::More;

sub sleepers { scalar own_processes(qr/^sleep\x00600\0/) }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; deny write "/w/x/later"; } limits { lifetime '
        . patience(20) . 's; }');
    my $ran = sub { my ($what, $within, %o) = @_; # the command's own status and output, or 125 and nothing of it
        my $run = run({ %$user, cwd => $dir, %o, within => [@{ $user->{within} // [] }, @$within] }, $sbxrun, 'p.sbx',
            '--', 'sh', '-c', 'echo ran; exit 7');
        my $whole = $run->{status} eq '7' && $run->{out} eq "ran\n";
        my $refused = $run->{status} eq '125' && $run->{out} !~ /^ran/m
            && "$run->{out}$run->{err}" =~ /^(?:sbxrun: |error\[)\S/m;
        ok $whole || ($o{may_refuse} && $refused), "$name: $what" or diag explain $run;
        return $run;
    };

    # Signals.
    $ran->('a caller that ignores the end of its children', [], setup => sub { $SIG{CHLD} = 'IGNORE' });
    $ran->('one that ignores all it can', [], setup => sub {
        $SIG{$_} = 'IGNORE' for qw(CHLD PIPE HUP INT QUIT TERM USR1 USR2 ALRM XFSZ XCPU TSTP TTIN TTOU WINCH);
    });
    $ran->('one that blocks all it can', [], setup => sub {
        my $all = POSIX::SigSet->new;
        $all->fillset;
        POSIX::sigprocmask(POSIX::SIG_BLOCK(), $all);
    });
    my $state = sub {
        my ($out) = run({ %$user, cwd => $dir, @_[1 .. $#_] }, @{ $_[0] }, 'sh', '-c',
            'umask; grep -E "Sig(Blk|Ign)" /proc/self/status')->{out};
        $out;
    };
    my @odd = (setup => sub {
        $SIG{PIPE} = $SIG{USR1} = $SIG{XFSZ} = 'IGNORE';
        umask 0137;
        POSIX::sigprocmask(POSIX::SIG_BLOCK(), POSIX::SigSet->new(POSIX::SIGUSR2()));
    });
    is $state->([$sbxrun, 'p.sbx', '--'], @odd), $state->([], @odd),
        "$name: the command has the umask and the signals of its caller";
    is $state->([$sbxrun, 'p.sbx', '--']), $state->([]), "$name: an ordinary one's too";
    my $run = run({ %$user, cwd => $dir, setup => sub { $SIG{CHLD} = 'IGNORE' } }, 'sh', '-c',
        "printf 'false\\0\\0true\\0\\0' | $sbxrun --batch p.sbx");
    is $run->{status}, 123, "$name: a batch of such a caller";
    $run = run({ %$user, cwd => $dir, setup => sub { $SIG{CHLD} = 'IGNORE' } }, $sbxrun, '--learn',
        "$dir/w/learned.sbx", '--', 'sh', '-c', 'exit 7');
    is $run->{status}, 7, "$name: learning for such a caller" or diag explain $run;
    $run = run({ %$user, cwd => $dir, setup => sub { $SIG{CHLD} = 'IGNORE' } }, $sbxc, '--test', '--live', 'p.sbx');
    is $run->{status}, 0, "$name: trying for such a caller" or diag explain $run;
    for my $signal (qw(PROF VTALRM IO ALRM RTMIN)) {
        my $file = "$dir/w/$signal";
        my $pid = fork // die;
        if (!$pid) {
            open STDERR, '>', '/dev/null';
            $run = run({ %$user, cwd => $dir }, 'sh', '-c', "echo \$\$ > w/pid; exec $sbxrun p.sbx -- sh -c "
                . "'trap \"echo came > /w/$signal; exit 9\" $signal; echo up > /w/up; while :; do sleep 0.02; done'");
            POSIX::_exit($run->{status});
        }
        soon(sub { -s "$dir/w/up" });
        kill $signal, slurp("$dir/w/pid") + 0;
        waitpid $pid, 0;
        is $? >> 8, 9, "$name: SIG$signal comes to the command";
        unlink "$dir/w/up", $file;
    }
    is +(run({ %$user, cwd => $dir }, 'bash', '-c', "$sbxrun p.sbx -- sh -c 'sleep 0.2; trap \"\" PIPE; echo much "
            . "2>/dev/null; exit 3' | true; exit \${PIPESTATUS[0]}")->{status}), 3,
        "$name: nobody reads: the status is the command's";

    # Resources.
    for my $kib (4000, 8000, 16000, 65536) {
        $ran->("$kib KiB of address space", ['bash', '-c', "ulimit -v $kib; exec \"\$@\"", 'bash'],
            may_refuse => $kib < 8000);
    }
    $ran->('no file may have a size',
        ['bash', '-c', '(ulimit -f 0; exec "$@") 2>&1 | cat; exit ${PIPESTATUS[0]}', 'bash'], may_refuse => 1);
    $ran->("$_ descriptors", ['bash', '-c', "ulimit -n $_; exec \"\$@\"", 'bash'], may_refuse => 1) for 4, 5, 8, 12, 16,
        20;
    $ran->('16 descriptors to begin with, more if asked for', ['bash', '-c', 'ulimit -S -n 16; exec "$@"', 'bash']);
    $ran->('no other process', ['bash', '-c', 'ulimit -u 0; exec "$@"', 'bash'], may_refuse => 1);
    $ran->('no locked memory, no stack to speak of', ['bash', '-c', 'ulimit -l 0; ulimit -s 256; exec "$@"', 'bash']);
    $ran->('a nice one', ['nice', '-n', '19']);

    # What it lies in.
    $ran->('a umask that lets nobody in', [], setup => sub { umask 0777 });
    ok !-e "$dir/w/x", "$name: and nothing is left";
    $ran->('standard descriptors that are closed: ' . join(' ', @$_),
        ['bash', '-c', 'exec ' . join(' ', map { "$_>&-" } @$_) . '; exec "$@"', 'bash']) for [0], [2], [0, 2];
    $run = run({ %$user, cwd => $dir }, 'bash', '-c',
        "exec >&-; $sbxrun --report $dir/w/report p.sbx -- sh -c 'echo ran; exit 7'");
    is $run->{status}, 7, "$name: without a standard output";
    unlike slurp("$dir/w/report"), qr/^ran/m, "$name: which does not become another file";
    $ran->('a folder that is gone', ['sh', '-c', "mkdir w/gone; cd w/gone; rmdir ../gone; command=\$1; shift 2; exec "
            . "\"\$command\" $dir/p.sbx \"\$@\"", 'sh']);
    $ran->('a huge environment', [], env => { map { ("HUGE_$_" => 'x' x 100_000) } 1 .. 12 });
    SKIP: {
        skip 'an ordinary user may unmount nothing', 1 if defined $user->{uid} || $>;
        $ran->('no /proc', ['unshare', '-m', 'sh', '-c', 'umount -l /proc; exec "$@"', 'sh'], may_refuse => 1);
    }

    # A supervisor that is stopped keeps nobody alive.
    my $short = sandbox($user, 'limits { lifetime 700ms; }');
    my $pid = fork // die;
    if (!$pid) {
        become($user);
        chdir $short;
        open STDERR, '>', '/dev/null';
        exec $sbxrun, 'p.sbx', '--', 'sleep', '600' or POSIX::_exit(99);
    }
    soon(\&sleepers);
    kill STOP => $pid;
    ok soon(sub { !sleepers() }), "$name: SIGSTOP of sbxrun does not make its sandbox live longer";
    kill CONT => $pid;
    waitpid $pid, 0;
    is $? >> 8, 124, "$name: and it then says how that ended";

    # What is secret is in none of its processes' environment.
    my $value = "value-$$";
    my $secret = sandbox($user, 'fs { allow read, write "/w" from "./w"; deny write "/w/x/later"; } secrets { S '
        . 'from env "SBX_TEST_SECRET" at "/secret"; }');
    for my $way ([[], ''], [['--batch'], "printf 'sh\\0-c\\0echo up > /w/up; sleep 30\\0\\0' |"]) {
        my ($args, $before) = @$way;
        unlink "$secret/w/up";
        $pid = fork // die;
        if (!$pid) {
            $run = run({ %$user, cwd => $secret,
                    env => { SBX_TEST_SECRET => "$value", SBX_PROXY_CREDENTIALS => "user:$value" } }, 'bash', '-c',
                "$before exec $sbxrun @$args p.sbx" . (@$args ? '' : " -- sh -c 'echo up > /w/up; sleep 30'"));
            POSIX::_exit(0);
        }
        soon(sub { -s "$secret/w/up" });
        my @ours = grep { (readlink "/proc/$_/exe" // '') =~ /sbxrun/ } own_processes();
        cmp_ok scalar @ours, '>=', ($> || @$args ? 1 : 3), "$name: sbxrun's processes are found: @ours";
        my @tell = grep { (eval { slurp("/proc/$_/environ") } // '') =~ /$value/ } @ours;
        is "@tell", '', "$name: @$args none shows the secret in its environment";
        kill KILL => @ours;
        waitpid $pid, 0;
    }
}
done_testing;
