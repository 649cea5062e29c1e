#!/usr/bin/perl
# Learning: twenty programs run under the policies that they taught, which are short; runs add up; secrets and what
# would change the system are not allowed; --tighten finds
# what is of no use.
use strict;
use warnings;
use Cwd qw(realpath);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

# name, what it takes, what is run in a folder of its own, which has in.txt, a folder `data` with five files, and
# `tool.sh`.
my @programs = (
    ['cat', [], 'cat in.txt'],
    ['sort into a file', [], 'sort in.txt > out.txt && cat out.txt'],
    ['a pipeline', [], 'cat data/*.txt | tr a-z A-Z | sort | uniq -c'],
    ['find and grep', [], 'find . -name "*.txt" | sort | xargs grep -l line'],
    ['awk', [], q{awk '{ n += length($0) } END { print n }' in.txt}],
    ['sed in place', [], 'cp in.txt w.txt && sed -i s/line/LINE/ w.txt && cat w.txt'],
    ['tar', [], 'mkdir -p out && tar -cf out/a.tar data && tar -tf out/a.tar | sort'],
    ['a temporary file', [], 'f=$(mktemp) && echo hello > $f && cat $f && rm $f'],
    ['a script of its own', [], './tool.sh argument'],
    ['git', ['git'], 'git init -q r && cd r && git -c user.name=n -c user.email=e commit -q --allow-empty '
        . '-m one && git log --format=%s'],
    ['python', ['python3'], 'python3 -c "import json, glob; print(json.dumps(sorted(glob.glob(\"data/*\"))))"'],
    ['python, sqlite', ['python3'],
        q{python3 -c "import sqlite3; c = sqlite3.connect('db.sqlite'); c.execute('create table if not exists t (x)'); }
            . q{c.execute('insert into t values (1)'); c.commit(); print('done')"}],
    ['python, threads', ['python3'],
        q{python3 -c "import concurrent.futures as f; print(sum(f.ThreadPoolExecutor(4).map(int, range(100))))"}],
    ['python, processes', ['python3'],
        q{python3 -c "import multiprocessing as m; print(sum(m.Pool(2).map(abs, range(10))))"}],
    ['python, a server of its own', ['python3'],
        q{python3 -c "import socket, threading; s = socket.create_server(('127.0.0.1', 0)); }
            . q{threading.Thread(target=lambda: s.accept()[0].sendall(b'hi'), daemon=True).start(); }
            . q{print(socket.create_connection(s.getsockname()).recv(9))"}],
    ['perl', ['perl'], q{perl -ne 'print scalar reverse' in.txt}],
    ['a C compiler', ['gcc'],
        q{printf '#include <stdio.h>\nint main(void) { puts("compiled"); }\n' > m.c && gcc -o m m.c && ./m}],
    ['make', ['make', 'gcc'],
        q{printf 'all: o\n\t./o\no: o.c\n\tgcc -o o o.c\n' > Makefile }
            . q{&& printf '#include <stdio.h>\nint main(void) { puts("made"); }\n' > o.c && make -s}],
    ['node', ['node'], q{node -e "console.log(require('fs').readdirSync('data').length)"}],
    ['go', ['go'],
        q{printf 'package main\nfunc main() { println("went") }\n' > main.go }
            . q{&& GOCACHE=/tmp/gc GOFLAGS=-mod=mod GO111MODULE=off go run main.go 2>&1; }
            . q{r=$?; rm -rf /tmp/gc; exit $r}],
);

for my $user (users()) {
    my ($name, $ran, $tried, $short) = ($user->{name}, 0, 0, 0);
    my $has = sub { grep { -x "/usr/bin/$_" } @_ };
    my $prepare = sub {
        my $dir = realpath(folder());
        mkdir "$dir/p";
        mkdir "$dir/p/data";
        spew("$dir/p/in.txt", "line one\nline two\n");
        spew("$dir/p/data/$_.txt", "line $_\n") for 1 .. 5;
        spew("$dir/p/tool.sh", "#!/bin/sh\necho tool \"\$1\"\n");
        chmod 0755, "$dir/p/tool.sh";
        system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
        return $dir;
    };
    my %env = (PATH => '/usr/local/bin:/usr/bin:/bin', HOME => '/nonexistent', LANG => 'C.UTF-8');
    my $go = sub {
        my ($dir, @command) = @_;
        run({ %$user, cwd => "$dir/p", env => \%env, seconds => patience(90) }, @command);
    };
    for my $program (@programs) {
        my ($what, $takes, $script) = @$program;
        next if $has->(@$takes) < @$takes;
        my $dir = $prepare->();
        my $learned = $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'sh', '-c', $script);
        $tried++;
        my $text = -e "$dir/l.sbx" ? slurp("$dir/l.sbx") : '';
        my $rules = () = $text =~ /^ +(?:allow|deny) /mg;
        $short++ if $text && $rules <= 25;
        # A fresh start, but for folders that its policy shows, which were there after the run.
        system("cd $dir/p && rm -rf w.txt db.sqlite m o m.c o.c main.go Makefile out/* r/* r/.git");
        my $run = $go->($dir, $sbxrun, "$dir/l.sbx");
        if ($learned->{status} == 0 && $run->{status} == 0 && $run->{out} eq $learned->{out}
            && $learned->{out} ne '') { $ran++ }
        else {
            diag "$name: $what: $learned->{status} '$learned->{out}' $learned->{err}\n"
                . "then $run->{status} '$run->{out}' $run->{err}\n$text";
        }
    }
    cmp_ok $ran, '>=', $tried * 19 / 20, "$name: of $tried programs $ran run under what they taught";
    is $short, $tried, "$name: each policy has at most 25 rules";

    # What a person would look for in one.
    my $dir = $prepare->();
    spew("$dir/p/.env", "KEY=1\n");
    spew("$dir/p/run.sh", "cat in.txt .env /etc/issue > /dev/null\necho x > /usr/share/sbx-learn-test 2>/dev/null\n"
        . "rm -f /usr/share/sbx-learn-test\ncat data/1.txt data/2.txt\n");
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
    my $run = $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'sh', 'run.sh');
    is $run->{out}, "line 1\nline 2\n", "$name: the command does what it does" or diag $run->{err};
    my $text = slurp("$dir/l.sbx");
    like $text, qr/^    use std\.shell;$/m, "$name: a module stands for its programs";
    like $text, qr/^        allow read "\Q$dir\E\/p" because "seen \d+ times, in \d+ places";$/m,
        "$name: files become their folder" or diag $text;
    like $text, qr/^        deny read "\Q$dir\E\/p\/\.env" because "it looks like a secret";$/m,
        "$name: a secret in it is denied";
    like $text, qr/^    #   read "\Q$dir\E\/p\/\.env", \d+ times?: it looks like a secret$/m, "$name: and noted";
    unlike $text, qr/allow.*write.*"\/usr/, "$name: the system is not changed";
    is run({ %$user }, $sbxc, '--check', '--no-proof', "$dir/l.sbx")->{status}, 0,
        "$name: it is a policy without errors";
    is run({ %$user }, $sbxc, '--fmt', "$dir/l.sbx")->{out}, $text, "$name: laid out as sbxc does";

    # Names of files are whatever bytes somebody chose.
    $dir = $prepare->();
    mkdir "$dir/q";
    spew("$dir/q/\e[2J\xff", "odd\n");
    spew("$dir/q/.env.\xff", "KEY\n");
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
    $run = $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'sh', '-c', 'cat ../q/*2J*; cat ../q/.env* > /dev/null');
    like slurp("$dir/l.sbx"), qr{deny read "\Q$dir\E/q/\.env\.\\xff" because},
        "$name: an odd name is written so that it means itself" or diag slurp("$dir/l.sbx") . $run->{err};
    is $go->($dir, $sbxrun, "$dir/l.sbx", '--', 'sh', '-c', 'cat ../q/*2J*')->{out}, "odd\n",
        "$name: and what it allows";

    # A command that is cut short in the comment on it, within a character.
    $run = $go->($dir, $sbxrun, '--learn', "$dir/c.sbx", '--', 'echo', 'x' x 58 . "\xe2\x82\xac" . 'y');
    is run({ %$user }, $sbxc, '--check', '--no-proof', "$dir/c.sbx")->{status}, 0,
        "$name: a long word of the command" or diag slurp("$dir/c.sbx");
    my ($said) = $go->($dir, $sbxrun, '--learn', "$dir/n.sbx", '--', 'perl', '-e', 'use Socket; socket my $s, '
        . 'AF_INET, SOCK_STREAM, 0; bind $s, sockaddr_in(0, INADDR_LOOPBACK)')->{err} =~ /: (\d+) rules? of its own/;
    is $said, scalar(() = slurp("$dir/n.sbx") =~ /^ +(?:allow|deny) /mg),
        "$name: it says how many rules there are" or diag slurp("$dir/n.sbx");
    $run = $go->($dir, $sbxrun, '--learn', "$dir/n.sbx", '-D', 'a=b', '--', 'true');
    is $run->{status}, 125, "$name: --learn takes no -D";
    mkdir "$dir/r.seen.json";
    $run = $go->($dir, $sbxrun, '--learn', "$dir/r.sbx", '--', 'true');
    is $run->{status}, 125, "$name: a record that can't be read is not taken for none";
    rmdir "$dir/r.seen.json";

    # Runs add up.
    $go->($dir, $sbxrun, '--learn', "$dir/m.sbx", '--', 'cat', '/etc/issue');
    $run = $go->($dir, $sbxrun, '--learn', "$dir/m.sbx", '--', 'sh', '-c', 'echo $(cat /etc/debian_version)');
    $text = slurp("$dir/m.sbx");
    like $text, qr/Learned from 2 runs/, "$name: a second run" or diag $run->{err};
    like $text, qr/issue/, "$name: keeps what the first one taught";
    my $both = $go->($dir, $sbxrun, "$dir/m.sbx", '--', 'cat', '/etc/issue', '/etc/debian_version');
    is $both->{status}, 0, "$name: and allows both" or diag $both->{err} . $text;

    # On from a policy of somebody's.
    spew("$dir/own.sbx", "sbx 1;\nimport std.shell;\n"
        . "policy own { use std.shell; fs { deny read \"/etc/issue\" because \"ours\"; } }\n");
    $run = $go->($dir, $sbxrun, '--learn', "$dir/on.sbx", "$dir/own.sbx", '--', 'cat', '/etc/issue',
        '/etc/debian_version');
    is $run->{status}, 0, "$name: goes on from a policy" or diag $run->{err};
    like slurp("$dir/on.sbx"), qr/use given\.own;/, "$name: uses it";
    unlike $go->($dir, $sbxrun, "$dir/on.sbx", '--', 'cat', '/etc/issue')->{out}, qr/./, "$name: whose denies hold";
    $run = $go->($dir, $sbxrun, '--learn', "$dir/own.sbx", '--', 'true');
    is $run->{status}, 125, "$name: what was not learned is not overwritten";
    like $run->{err}, qr/give it as POLICY/, "$name: says what to do";

    # What is of no use.
    spew("$dir/wide.sbx", "sbx 1;\nimport std.shell;\n"
        . "policy wide "
            . "{\n    use std.shell;\n    fs {\n        allow read \"$dir/p\";\n        allow read \"/etc/issue\";\n"
            . "        allow read \"/var/log\";\n    }\n"
            . "    net { allow connect tcp 192.0.2.1:80; }\n    syscalls { allow ptrace; }\n}\n");
    $run = $go->($dir, $sbxrun, '--tighten', "$dir/wide.sbx", '--', 'cat', 'in.txt', '/etc/issue');
    is $run->{status}, 0, "$name: --tighten" or diag $run->{err};
    is join('', sort $run->{out} =~ /^-( .*\n)/mg), "        allow read \"/var/log\";\n"
        . "    net { allow connect tcp 192.0.2.1:80; }\n    syscalls { allow ptrace; }\n",
        "$name: what the command had no use for, as a diff" or diag $run->{out};
    spew("$dir/wide.diff", $run->{out});
    is run({ cwd => $dir }, 'sh', '-c', 'cp wide.sbx t.sbx && patch -s t.sbx < wide.diff')->{status}, 0,
        "$name: which patch takes" if $has->('patch');
}
done_testing;
