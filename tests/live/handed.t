#!/usr/bin/perl
# Descriptors that are handed over on purpose (`--fd`): those, under their numbers, and no others.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Socket;
use Test::More;

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; } process { env keep MAKEFLAGS; }', uses => 'c');
    my $go = sub { my ($setup, $args, $command, %o) = @_;
        in_sandbox($user, $dir, { args => $args, setup => $setup, %o }, 'sh', '-c', $command) };
    my $files = sub { spew("$dir/$_", "this is $_\n") for 'four', 'five'; owned($user, "$dir/four", "$dir/five");
        for my $pair (['four', 4], ['five', 5]) {
            my $fd = POSIX::open("$dir/$pair->[0]", POSIX::O_RDONLY());
            POSIX::dup2($fd, $pair->[1]);
            POSIX::close($fd) if $fd != $pair->[1];
        }
        };
    my $held = 'for n in 3 4 5 6 7 8 9; do (eval "cat <&$n" 2>/dev/null || true); done; echo end';
    is $go->($files, [], $held)->{out}, "end\n", "$name: nothing passes by itself";
    is $go->($files, ['--fd', 4], $held)->{out}, "this is four\nend\n", "$name: what is handed over does, alone";
    is $go->($files, ['--fd', '4=9'], $held . '; cat <&9')->{out}, "this is four\nend\n", "$name: under another number";
    is $go->($files, ['--fd', '4=5', '--fd', '5=4'], 'cat <&4; cat <&5')->{out}, "this is five\nthis is four\n",
        "$name: two that change places";
    is $go->($files, ['--fd', 4], 'cat /dev/fd/4; (echo x > /dev/fd/4) 2>/dev/null || echo refused')->{out},
        "this is four\nrefused\n",
        "$name: it can be opened again, as far as it was open";
    is slurp("$dir/four"), "this is four\n", "$name: and is as it was";
    my $run = run({ %$user, cwd => $dir }, 'bash', '-c',
        "$sbxrun --fd 63 p.sbx -- cat /dev/fd/63 63< <(echo from a pipe)");
    is $run->{out}, "from a pipe\n", "$name: a pipe of the shell's" or diag $run->{err};
    $run = run({ %$user, cwd => $dir }, 'bash', '-c', "echo piped | $sbxrun p.sbx -- cat /dev/stdin | cat");
    is $run->{out}, "piped\n", "$name: a pipe that is standard input, by its name" or diag $run->{err};
    $run = run({ %$user, cwd => $dir }, 'bash', '-c',
        "$sbxrun p.sbx -- sh -c 'echo named > /dev/stdout; echo too > /dev/stderr' 2>&1 | cat");
    is $run->{out}, "named\ntoo\n", "$name: and one that is standard output" or diag $run->{err};
    $run = run({ %$user, cwd => $dir }, 'bash', '-c', "exec 7> log; $sbxrun --fd 7 p.sbx -- sh -c 'echo noted >&7'");
    is slurp("$dir/log"), "noted\n", "$name: a log";

    # What could be a way out.
    my $opens = sub {
        my ($path, $flags) = @_;
        sub { my $fd = POSIX::open($path, $flags // POSIX::O_RDONLY()); POSIX::dup2($fd, 6) };
    };
    my $socket = sub {
        my ($family, $type) = @_;
        sub { socket(my $s, $family, $type, 0) or die; POSIX::dup2(fileno $s, 6) };
    };
    for my $bad (['a folder', $opens->('/')], ['a file of proc', $opens->('/proc/self/status')],
        ['a datagram socket', $socket->(AF_INET, SOCK_DGRAM)],
                 ['a socket that is not connected', $socket->(AF_INET, SOCK_STREAM)]) {
        $run = $go->($bad->[1], ['--fd', 6], 'echo ran');
        is $run->{status}, 125, "$name: $bad->[0] is refused";
        like $run->{err}, qr/descriptor 6 is .*could be a way out/, "$name: with what it is";
        unlike $run->{out}, qr/ran/, "$name: before the command runs";
    }
    $run = $go->(sub {
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
        unlink "$dir/s";
        bind($s, pack_sockaddr_un("$dir/s")) or die;
        listen($s, 5) or die;
        POSIX::dup2(fileno $s, 6);
    },
        ['--fd', 6], 'echo has it', );
    is $run->{out}, "has it\n", "$name: a socket that listens" or diag $run->{err};

    # Words.
    for my $bad (['x', qr/--fd is N or N=M/], ['4=2', qr/M is from 3/], ['4=', qr/--fd is N/],
        ['44', qr/sbxrun has no descriptor 44/], ['-1', qr/--fd is N/]) {
        $run = $go->($files, ['--fd', $bad->[0]], 'true');
        is $run->{status}, 125, "$name: --fd $bad->[0]";
        like $run->{err}, $bad->[1], "$name: says why";
    }
    like $go->($files, ['--fd', '4=8', '--fd', '5=8'], 'true')->{err}, qr/one descriptor under each number/,
        "$name: one under each number";

    # make's jobserver.
    my $flags = { MAKEFLAGS => 'k -j4 --jobserver-auth=4,5 -- X=1' };
    is $go->($files, [], 'echo "$MAKEFLAGS"', env => $flags)->{out}, "k -j4 -- X=1\n",
        "$name: no jobserver is named that is not there";
    is $go->($files, ['--fd', 4, '--fd', 5], 'echo "$MAKEFLAGS"', env => $flags)->{out}, "$flags->{MAKEFLAGS}\n",
        "$name: one that is handed over is";
    SKIP: {
        skip 'make is not installed', 1 unless -x '/usr/bin/make';
        spew("$dir/w/Makefile", "all: a b c\na b c:\n\t\@echo \$@\n"); owned($user, "$dir/w/Makefile");
        spew("$dir/outer.mk", "all:\n\t+\@$sbxrun --fd 3 --fd 4 p.sbx -- make -C /w --no-print-directory 2>&1\n");
        $run = run({ %$user, cwd => $dir }, 'make', '-j3', '-f', 'outer.mk');
        like $run->{out}, qr/^a$/m, "$name: make inside of make" or diag $run->{err};
        unlike $run->{out}, qr/jobserver unavailable/, "$name: with its jobserver";
    }
}
done_testing;
