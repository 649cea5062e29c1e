#!/usr/bin/perl
# What sbxrun says of a mistake: what is wrong, where, and what to write; all that is missing at once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Live;
use Sbx;
use Test::More;

# The command line.
my $any = spew(folder() . '/any.sbx', "sbx 1;\nimport std.base;\npolicy p { use std.base; }\n");
for my $case (
    [[], qr/a policy is missing: sbxrun POLICY -- COMMAND/],
    [['--', '/bin/true'], qr/a policy is missing before `--`: sbxrun POLICY -- COMMAND/],
    [[$any, '/bin/true'], qr/the command stands after `--`: sbxrun POLICY -- COMMAND/],
    [[$any, '--'], qr/a command is missing after `--`/],
    [['/bin/true'], qr/SBX0115.*this is a program: a policy is named first/s],
    [['--policy', 'q', $any], qr/none is called `q`: it has p/],
    [[$any], qr/the policy has no command\n.*give one after `--`/],
) {
    my ($words, $said) = @$case;
    my $run = run($sbxrun, @$words);
    is $run->{status}, 125, "sbxrun @$words: exit 125";
    like $run->{err}, $said, 'says what is wrong';
}

# What a rule on the loopback is called, of each address that is one: never an address, which would be the sandbox's.
my $python = -x '/usr/bin/python3';
my $calls = <<'END';
import socket, sys
for host, family in ("127.0.0.1", 2), ("0.0.0.0", 2), ("::1", 10), ("::ffff:127.0.0.1", 10), ("127.1.2.3", 2):
    for call in "connect", "bind":
        try: getattr(socket.socket(family), call)((host, 8091))
        except OSError: pass
sys.exit(1)
END

for my $user (users()) {
    my $name = $user->{name};

    # All that the host lacks, each once, with its rule.
    {
        my $dir = sandbox($user, <<'END');
    fs {
        allow read "/a" from "./nothere-a";
        allow read "/b" from overlay "./nothere-b";
        allow read "/c" from image "nothere-c.tar";
        allow read "/d" from "./nothere-d" if exists;
        allow read "/nothere-e";
        deny write "/probe";
    }
    secrets { F from file "./nothere-f" at "/f"; G from env "NOTHERE_G" at "/g"; H from file "./there" at "/h"; }
END
        spew("$dir/there", 'x');
        owned($user, "$dir/there");
        my $run = in_sandbox($user, $dir, 'true');
        is $run->{status}, 125, "$name: refused";
        for my $thing (qw(a b c e f)) {
            my @lines = grep { /^sbxrun: .*nothere-$thing\b.*\(p\.sbx:\d+:\d+: .*\)$/ } split /\n/, $run->{err};
            is scalar(@lines), 1, "$name: nothere-$thing is told once" or diag $run->{err};
        }
        is scalar(() = $run->{err} =~ /NOTHERE_G (?:is not set, either|.*which is not set)/g), 1,
            "$name: the variable too";
        unlike $run->{err}, qr/nothere-d|there\b.*"\/h"/, "$name: and nothing that may be missing, or is there";
        my $doctor = run({ %$user, cwd => $dir }, $sbxrun, '--doctor', 'p.sbx');
        is scalar(() = $doctor->{out} =~ /nothere-[abcef]\b/g) >= 5, 1, "$name: --doctor tells them, too";
    }

    # A command that is not found.
    {
        my $dir = sandbox($user, '');
        mkdir "$dir/bin";
        spew("$dir/bin/own-tool", "#!/bin/sh\n");
        chmod 0755, "$dir/bin/own-tool";
        my $host = { env => { PATH => "$ENV{PATH}:$dir/bin" } };
        my ($admin) = grep { -x "/usr/sbin/$_" && !-e "/usr/bin/$_" && !-e "/bin/$_" && !-e "/usr/local/bin/$_" }
            qw(ldconfig useradd chroot mkfs);
        for my $case (
            ['/bin/ls -l', qr/one word: each argument is one of its own, as `-- \/bin\/ls -l`/],
            ['own-tool', qr/the host has it at .*\/bin\/own-tool, which no rule shows: `fs \{ allow read, exec "/],
            ['no-such-tool', qr/no folder of the sandbox's PATH has it, which is `\/usr\/local\/bin:/],
            $admin ? [$admin, qr/not in the PATH of the sandbox, which is `.*`: say `\/usr\/sbin\/$admin`/] : (),
        ) {
            my ($command, $said) = @$case;
            my $run = in_sandbox($user, $dir, $host, $command);
            is $run->{status}, 127, "$name: $command: exit 127";
            like $run->{err}, $said, "$name: $command: why, and what to write";
        }
    }

    # At a terminal a run with less than the policy asks for says so, and says it first.
    {
        my $dir = sandbox($user, 'require landlock >= 99 else degrade because "tried";');
        my $quiet = in_sandbox($user, $dir, 'echo', 'ran');
        is "$quiet->{status} $quiet->{out}$quiet->{err}", "0 ran\n", "$name: a log is not told of it";
        my $run = run({ %$user, cwd => $dir }, 'script', '-qec', "$sbxrun p.sbx -- echo ran", '/dev/null');
        like $run->{out}, qr/^sbxrun: runs without landlock >= 99, as the policy permits \(p\.sbx:.*\)\r?\n.*ran/ms,
            "$name: a person is";
    }

  SKIP: {
        skip 'Python is not installed', 4 if !$python;
        my $dir = sandbox($user, 'net { allow connect tcp 192.0.2.1:1; }');
        my $run = in_sandbox($user, $dir, '/usr/bin/python3', '-c', $calls);
        for my $verb ('connect', 'bind') {
            like $run->{err}, qr/`net \{ allow $verb tcp loopback:8091; \}` would, on the sandbox's own loopback; /,
                "$name: $verb on the loopback";
            like $run->{err}, qr/`net \{ allow $verb tcp host-loopback:8091; \}` on the host's/, "$name: or the host's";
        }
        unlike $run->{err}, qr/allow \w+ tcp (?:127|\[|0\.)/, "$name: never by an address";
        $dir = sandbox($user, '');
        like in_sandbox($user, $dir, '/usr/bin/python3', '-c', 'import socket; socket.socket()')->{err},
            qr/no net rule allows tcp\)\n +a rule as `net \{ allow connect tcp "example\.com":443; \}` would change it/,
            "$name: without net rules, one as an example";
    }
}
done_testing;
