#!/usr/bin/perl
# Learning: programs run under the policies that they taught in one run, which are short; runs add up; secrets and what
# would change the system are not allowed; what is not allowed is noted; --tighten finds what is of no use.
use strict;
use warnings;
use Cwd qw(realpath);
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use JSON::PP qw(decode_json);
use Test::More;

# name, what it takes, what is run in a folder of its own, which has in.txt, a folder `data` with five files, and
# `tool.sh`; who alone runs it, where it takes long or refuses root. HOME has .config/prog.conf and an empty .ssh.
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
    ['sqlite', ['sqlite3'], q~sqlite3 db.sqlite 'create table if not exists t (x); insert into t values (1); ~
        . q~select count(*) > 0 from t'~],
    ['ImageMagick', ['/usr/bin/convert', '/usr/bin/identify'],
        q~/usr/bin/convert -size 8x8 xc:red o.png && /usr/bin/identify -format '%m %w %h\n' o.png~],
    ['node, a server of its own', ['node'], q~node -e "require('http').createServer((q, s) => s.end('ok')).listen(0, ~
        . q~'127.0.0.1', function () { require('http').get({ port: this.address().port, host: '127.0.0.1' }, ~
        . q~r => { console.log(r.statusCode); this.close() }) })"~],
    ['Java', ['javac'], q~echo 'class M { public static void main(String[] a) { System.out.println("java"); } }' ~
        . q~> M.java && javac M.java && java M~, 'user'],
    ['ssh-keygen', ['ssh-keygen'], q~ssh-keygen -q -t ed25519 -N '' -f id_ed25519 && head -n 1 id_ed25519 && ~
        . q~rm id_ed25519 id_ed25519.pub~],
    ['ffmpeg', ['ffmpeg', 'ffprobe'], q~ffmpeg -v error -y -f lavfi -i testsrc=size=64x64:duration=1 o.mp4 && ~
        . q~ffprobe -v error -show_entries stream=codec_name -of csv=p=0 o.mp4~],
    ['PostgreSQL', ['initdb', 'pg_ctl', 'psql'],
        q~d=$(mktemp -d) && initdb -D $d/data -A trust -U pg -N > $d/log 2>&1 ~
            . q~&& pg_ctl -D $d/data -o "-k $d -h ''" -l $d/l -w start > $d/log || { cat $d/log $d/l; exit 1; }; ~
            . q~psql -h $d -U pg postgres -Atc 'select 6 * 7'; pg_ctl -D $d/data -m fast stop > $d/log; rm -rf $d~,
        'user'],
    ['tmux', ['tmux'], q~tmux -f /dev/null new-session -d -s a 'echo hello > out.txt; sleep 60'; ~
        . q~tmux list-sessions -F '#S'; while [ ! -s out.txt ]; do sleep 0.1; done; tmux kill-server; cat out.txt~],
    ['python, multiprocessing.Manager', ['python3'], q~cat > m.py <<'P' && python3 m.py
import multiprocessing
if __name__ == '__main__':
    with multiprocessing.Manager() as m:
        d = m.dict()
        d[1] = 2
        print(dict(d))
P
~],
    ['redis', ['redis-server', 'redis-cli'], q~redis-server --port 6391 --bind 127.0.0.1 --save '' --unixsocket ~
        . q~$PWD/r.sock --logfile redis.log & until redis-cli -s r.sock ping > ping.txt 2>&1; do sleep 0.1; done; ~
        . q~redis-cli -p 6391 set a 1; redis-cli -s r.sock get a; redis-cli -p 6391 shutdown nosave; wait~],
    ['nginx', ['nginx', 'curl'], q~mkdir -p n && printf 'error_log stderr;\npid %s/n/pid;\ndaemon off;\nevents {}\n~
        . q~http { access_log off; client_body_temp_path n/b; proxy_temp_path n/p; fastcgi_temp_path n/f; ~
        . q~uwsgi_temp_path n/u; scgi_temp_path n/s; server { listen 127.0.0.1:8098; location / { return 200 "hi\n"; }~
        . q~ } }\n' "$PWD" > n/c && nginx -p "$PWD" -c n/c -e stderr & ~
        . q~until curl -s http://127.0.0.1:8098/; do sleep 0.1; done; kill $(cat n/pid); wait~],
    ['Chromium', ['chromium'], q~d=$(mktemp -d) && chromium --headless=new --no-sandbox --disable-gpu ~
        . q~--user-data-dir=$d --dump-dom 'data:text/html,<p>hello' 2> $d.err || tail $d.err; ~
        . q~rm -rf $d $d.err~, 'user'],
    ['servers of its own, without a port that it chose', ['python3'], q~python3 -c "
import socket, tempfile, os
def ask(server, family, address):
    server.listen()
    client = socket.socket(family)
    client.connect(address(server.getsockname()))
    print(client.getpeername() == server.getsockname())
ask(socket.socket(), socket.AF_INET, lambda a: ('127.0.0.1', a[1]))
v6 = socket.socket(socket.AF_INET6); v6.bind(('::', 0))
ask(v6, socket.AF_INET, lambda a: ('127.0.0.1', a[1]))
folder = tempfile.mkdtemp(dir='.'); u = socket.socket(socket.AF_UNIX); u.bind(folder + '/s')
ask(u, socket.AF_UNIX, str)
os.unlink(folder + '/s'); os.rmdir(folder)
n = socket.socket(socket.AF_UNIX); n.bind('s.%d' % os.getpid())
ask(n, socket.AF_UNIX, str)
os.unlink(n.getsockname())
a = socket.socket(socket.AF_UNIX); a.bind(b'\\\\0own')
ask(a, socket.AF_UNIX, lambda b: b)
"~],
    ['unix datagrams', ['python3'], q~python3 -c "
import os, socket, tempfile
name = tempfile.mktemp(); s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(name)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'sent', name)
print(s.recv(9)); os.unlink(name)
"~],
    ['what a program has in its HOME', ['python3'], q~python3 -c "
import os, pathlib
home = pathlib.Path.home()
(home / '.cache/prog').mkdir(parents=True, exist_ok=True)
(home / '.cache/prog/state').write_text('state')
open(home / '.prog_history', 'a').write('line')
print((home / '.cache/prog/state').read_text(), (home / '.config/prog.conf').read_text())
"~],
    ['another one, without a module for it', ['ssh-keygen'],
        q~rm -f $HOME/.ssh/new*; ssh-keygen -q -t ed25519 -N '' -f $HOME/.ssh/new && head -n 1 $HOME/.ssh/new~],
);

my ($postgres) = glob '/usr/lib/postgresql/*/bin';
my $path = join ':', qw(/usr/local/bin /usr/bin /bin /usr/sbin), $postgres // ();

# What was seen and is neither allowed nor in the last lines, by the record and the compiler's own answers.
sub unnoted {
    my ($dir, $said, $user) = @_;
    my ($allowed, $seen, $noted) = $said =~ /it allows (\d+) of (\d+) things that were seen, and notes (\d+)$/m
        or return "it says: $said";
    return "$allowed and $noted of $seen" if $allowed + $noted != $seen;
    my $text = slurp("$dir/l.sbx");
    my @notes = $text =~ /^    #   (.+), \d+ times?: ./mg;
    return 'notes, where it says that there are none' if !$noted && @notes;
    return () if !$noted || $user->{name} eq 'root'; # the record is the same for both, and asking takes its time
    my %noted = map { $_ => 1 } @notes;
    my $record = decode_json(slurp("$dir/l.seen.json"));
    my $home = pack 'H*', $record->{home};
    my %verbs = (1 => 'read', 2 => 'modify', 4 => 'create', 8 => 'delete', 16 => 'exec');
    my @missing;
    # Those that differ from what another one is: a folder's files are many.
    my %asked;
    for my $row (@{ $record->{paths} }) {
        my ($path, $verbs) = (pack('H*', $row->[0]), $row->[1]);
        next if $path =~ m{^\Q$home\E/\.} || $path !~ m{^[\w./+-]+$};
        my ($folder) = $path =~ m{^(.*)/};
        next if $asked{"$folder $verbs"}++;
        my @why = map { "$verbs{$_} \"$path\"" } grep { $verbs & $_ } sort { $a <=> $b } keys %verbs;
        my @denied = grep { run({ %$user }, $sbxc, '--why', $_, "$dir/l.sbx")->{status} == 4 } @why or next;
        push @missing, "@denied" if !grep { $noted{"$_ \"$path\""} } qw(read write exec);
    }
    return @missing;
}

for my $user (users()) {
    my $name = $user->{name};
    my $missing = sub {
        my @places = split /:/, $path;
        grep { my $program = $_; !grep { -x } $program =~ m{/} ? $program : map { "$_/$program" } @places } @_;
    };
    my $prepare = sub {
        my $dir = realpath(folder());
        mkdir "$dir/p";
        mkdir "$dir/p/data";
        mkdir "$dir/home";
        mkdir "$dir/home/.config";
        mkdir "$dir/home/.ssh", 0700;
        spew("$dir/home/.config/prog.conf", "conf");
        spew("$dir/p/in.txt", "line one\nline two\n");
        spew("$dir/p/data/$_.txt", "line $_\n") for 1 .. 5;
        spew("$dir/p/tool.sh", "#!/bin/sh\necho tool \"\$1\"\n");
        chmod 0755, "$dir/p/tool.sh";
        system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
        return $dir;
    };
    my $go = sub {
        my ($dir, @command) = @_;
        my %env = (PATH => $path, HOME => "$dir/home", LANG => 'C.UTF-8');
        run({ %$user, cwd => "$dir/p", env => \%env, seconds => patience(60) }, @command);
    };
    for my $program (@programs) {
        my ($what, $takes, $script, $who) = @$program;
        next if defined $who && $who ne $name;
        SKIP: {
            my @missing = $missing->(@$takes);
            skip "$what: this machine has no @missing", 3 if @missing;
            my $dir = $prepare->();
            my $learned = $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'sh', '-c', "PATH=$path\n$script");
            my $text = -e "$dir/l.sbx" ? slurp("$dir/l.sbx") : '';
            # A fresh start, but for folders that its policy shows, which were there after the run.
            system("cd $dir/p && rm -rf w.txt db.sqlite m o m.c o.c m.py o.* main.go Makefile M.* out.txt redis.log "
                . "out/* r/* r/.git");
            my $run = $go->($dir, $sbxrun, "$dir/l.sbx");
            my $same = $learned->{status} eq 0 && $run->{status} eq 0 && $run->{out} eq $learned->{out}
                && $learned->{out} ne '';
            ok $same, "$name: $what: runs under what it taught"
                or diag "$learned->{status} '$learned->{out}' $learned->{err}\n"
                    . "then $run->{status} '$run->{out}' $run->{err}\n$text";
            cmp_ok scalar(() = $text =~ /^ +(?:allow|deny) /mg), '<=', 25, "$name: $what: it is short" or diag $text;
            is_deeply [unnoted($dir, $learned->{err}, $user)], [], "$name: $what: what it does not allow is noted"
                or diag $text;
        }
    }

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

    # Secrets that it had no use for, in a folder that is shown.
    $dir = $prepare->();
    mkdir "$dir/p/$_" for 'deep', 'deep/er', 'deep/.ssh', 'made';
    spew("$dir/p/$_", "secret $_\n") for '.env', 'deep/er/server.pem', 'deep/.ssh/known', 'deep/id_rsa';
    symlink '.env', "$dir/p/.env.link";
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) if defined $user->{uid} && $> == 0;
    $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'sh', '-c',
        'cat in.txt data/1.txt data/2.txt; echo own > own.key; cat own.key; echo x > made/y');
    $text = slurp("$dir/l.sbx");
    my @denied = $text =~ /^ +deny read "\Q$dir\E\/p\/(.*)" because "it looks like a secret";$/mg;
    is join(' ', sort @denied), '.env deep/.ssh deep/er/server.pem deep/id_rsa',
        "$name: secrets that it did not read are denied" or diag $text;
    unlike $text, qr/^    # Seen, and not allowed/m, "$name: and not noted, as it had no use for them";
    $run = $go->($dir, $sbxrun, "$dir/l.sbx", '--', 'sh', '-c',
        'cat .env deep/er/server.pem deep/.ssh/* deep/id_rsa .env.link; cat own.key in.txt');
    is $run->{out}, "own\nline one\nline two\n", "$name: nor can they be read" or diag $run->{err};

    # A record is believed where the policy beside it says that it is its own.
    is $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'true')->{status}, 0, "$name: a record is gone on with";
    my $record = slurp("$dir/l.seen.json");
    for my $planted ([$record =~ s/"runs":\d+/"runs":77/r, "$dir/l.sbx"], [$record, "$dir/new.sbx"],
        [$record, "$dir/p.sbx"]) {
        my ($text, $into) = @$planted;
        my $before = -e $into ? slurp($into) : spew("$dir/p.sbx", "sbx 1;\npolicy p { }\n") && '';
        $before = slurp($into) if -e $into;
        spew($into =~ s/sbx$/seen.json/r, $text);
        $run = $go->($dir, $sbxrun, '--learn', $into, '--', 'echo', 'ran');
        is "$run->{status} $run->{out}", '125 ', "$name: one that somebody left there is not";
        like $run->{err}, qr/^sbxrun: cannot go on with \S+: it is not what the policy beside it was made of/,
            "$name: and told";
        is -e $into ? slurp($into) : '', $before, "$name: nothing comes of it";
    }

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

    # Another HOME: as programs find it, and as the command names it.
    $dir = $prepare->();
    spew("$dir/home/.gitconfig", "[user]\nname = somebody\n");
    spew("$dir/home/.other", "named\n");
    $run = $go->($dir, $sbxrun, '--learn', "$dir/l.sbx", '--', 'git', 'config', 'user.name');
    like slurp("$dir/l.sbx"), qr{allow read "/tmp/\.gitconfig" from home "\.gitconfig" }, "$name: what HOME has";
    is $go->($dir, $sbxrun, "$dir/l.sbx")->{out}, "somebody\n", "$name: is found there";
    $run = $go->($dir, $sbxrun, '--learn', "$dir/o.sbx", '--', 'cat', "$dir/home/.other");
    is $go->($dir, $sbxrun, "$dir/o.sbx")->{out}, "named\n", "$name: what the command names stays there"
        or diag slurp("$dir/o.sbx");
    SKIP: {
        skip 'this machine has no vim', 3 if $missing->('vim');
        my @edit = ('vim', '-Nu', 'NONE', '-es', "+set viminfo='9,n~/.viminfo", '+wviminfo', '+q!');
        $run = $go->($dir, $sbxrun, '--learn', "$dir/v.sbx", '--', @edit);
        like slurp("$dir/v.sbx"), qr{env HOME = "/tmp";}, "$name: where no module has a HOME, the policy says one"
            or diag slurp("$dir/v.sbx");
        $run = $go->($dir, $sbxrun, "$dir/v.sbx", '--', @edit);
        is "$run->{status} $run->{err}", '0 ', "$name: in which something can be made";
        $run = $go->($dir, $sbxrun, '--tighten', "$dir/v.sbx", '--', @edit);
        unlike $run->{out}, qr{^-.*"/tmp"}m, "$name: which has its use";
    }

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
        "$name: which patch takes" if !$missing->('patch');
}
done_testing;
