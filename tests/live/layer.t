#!/usr/bin/perl
# `--keep`: laid over what was there before, the layer gives what the command left. As OCI's image specification has it
# (layer.md), put together here by hand: whiteouts, opaque folders, names that are bytes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;
use JSON::PP;

plan skip_all => 'sbximage is not built' unless -x "$build/sbximage";

# Applies a layer to a folder; says what lies there then: type, mode, content or target, and the first of its names.
my $apply = <<'P';
import os, shutil, sys, tarfile
base, layer = (os.fsencode(word) for word in sys.argv[1:3])
seen, modes = set(), []
def gone(path):
    if os.path.islink(path) or os.path.isfile(path) or os.path.exists(path) and not os.path.isdir(path): os.unlink(path)
    elif os.path.isdir(path): shutil.rmtree(path)
def holds(folder): return [os.path.join(folder, name) for name in os.listdir(folder)]
for member in tarfile.open(layer, encoding="utf-8", errors="surrogateescape"):
    name = os.fsencode(member.name)
    assert not name.startswith(b"/") and b".." not in name.split(b"/") and member.uid == member.gid == 0, name
    path = os.path.join(base, name)
    last = os.path.basename(path)
    if last == b".wh..wh..opq":
        for path in holds(os.path.dirname(path)): path in seen or gone(path)
        continue
    if last.startswith(b".wh."):
        gone(os.path.join(os.path.dirname(path), last[4:]))
        continue
    if os.path.lexists(path) and not (member.isdir() and os.path.isdir(path) and not os.path.islink(path)): gone(path)
    seen.add(path)
    if member.isdir(): os.makedirs(path, exist_ok=True)
    elif member.issym(): os.symlink(os.fsencode(member.linkname), path)
    elif member.islnk(): os.link(os.path.join(base, os.fsencode(member.linkname)), path)
    elif member.isfifo(): os.mkfifo(path)
    else: open(path, "wb").write(tarfile.open(layer).extractfile(member).read() if member.size else b"")
    if member.isdir(): modes.append((path, member.mode))
    elif not member.issym() and not member.islnk(): os.chmod(path, member.mode)
for path, mode in reversed(modes): os.chmod(path, mode)
P
my $tell = <<'P';
import hashlib, os, stat, sys
sys.setrecursionlimit(5000)
top, first, lines = os.fsencode(sys.argv[1]), {}, []
def tell(path, name):
    status = os.lstat(path); kind = stat.S_IFMT(status.st_mode)
    what = b"%o %o " % (kind, 0 if kind == stat.S_IFLNK else status.st_mode & 0o777)
    closed = kind in (stat.S_IFDIR, stat.S_IFREG) and status.st_mode & 0o500 != 0o500 and not os.access(path, os.R_OK)
    if closed: os.chmod(path, 0o700)
    if kind == stat.S_IFREG:
        what += hashlib.sha256(open(path, "rb").read()).hexdigest().encode()
        if status.st_nlink > 1: what += b" as " + first.setdefault(status.st_ino, name)
    if kind == stat.S_IFLNK: what += os.readlink(path)
    lines.append(name.hex().encode() + b" " + what)
    if kind == stat.S_IFDIR:
        here = os.open(".", os.O_RDONLY); os.chdir(path)
        for entry in sorted(os.listdir(b".")): tell(entry, name + b"/" + entry)
        os.fchdir(here); os.close(here)
    if closed: os.chmod(path, status.st_mode & 0o777)
tell(top, b"")
sys.stdout.buffer.write(b"\n".join(lines[1:]) + b"\n")
P

my %commands = (
    'files, folders, links' => 'echo new > new; rm a; echo more >> b; mkdir -p d/e; echo x > d/e/f; ln new hard;
        ln -s /etc/passwd link; ln -s none dangling; mkfifo fifo; chmod 755 b',
    'what is gone' => 'rm a; rm -r old; rm -r deep/one',
    'folders that hide others' => 'rm -r old; mkdir old; echo mine > old/mine; rm -r deep; mkdir -p deep/one',
    'other kinds in their place' => 'rm -r old; echo file > old; rm a; mkdir a; echo in > a/in; rm b; ln -s a b',
    'modes that let nobody read' => 'echo x > closed; mkdir shut; echo y > shut/in; chmod 000 closed shut b',
    'names that are bytes' => 'printf x > "$(printf "new\nline")"; printf y > "$(printf "\377\376")"; mkdir "é";
        printf z > "é/ü"; printf w > " blanks "; printf v > "-v"; printf u > "\\escape"',
    'long names, deep folders' => 'n=$(printf "%0250d" 7); mkdir $n $n/$n; echo x > $n/$n/$n;
        python3 -c "
import os
for i in range(1000): os.mkdir(\"d\"); os.chdir(\"d\")
open(\"f\", \"w\").write(\"deep\")"',
    'holes, and nothing' => 'truncate -s 3000000 hole; echo end >> hole; : > empty; mkdir nothing',
    'nothing changed' => ':',
    'a change undone' => 'mv a c; mv c a; echo x > new; rm new',
);

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from overlay "./base" size 8MiB; } process { cwd "/w"; }
        limits { lifetime 60s; }', uses => 'python');
    my $base = sub { # what was there before
        my ($folder) = @_;
        mkdir "$folder/$_" for '', qw(old old/er deep deep/one);
        spew("$folder/$_", "$_\n") for qw(a b old/b old/er/c deep/one/d);
        system('chown', '-R', "$user->{uid}:$user->{gid}", $folder) if $> == 0 && defined $user->{uid};
    };
    $base->("$dir/base");
    my $try = in_sandbox($user, $dir, 'true');
    SKIP: {
        skip 'this kernel has no overlay in memory', 1
            if $try->{status} == 125 && $try->{err} =~ /needs Linux 6\.6 or newer/;
        my $keep = sub {
            my ($command, @args) = @_;
            unlink "$dir/w/$_" for qw(layer report);
            unshift @args, '--keep', "$dir/w/layer", '--report', "$dir/w/report";
            my $run = in_sandbox($user, $dir, { seconds => 90, args => \@args }, 'sh', '-c', $command);
            $run->{layer} = decode_json(slurp("$dir/w/report"))->{layer};
            return $run;
        };
        owned($user, spew("$dir/base/.tell", $tell));
        for my $what (sort keys %commands) {
            my $run = $keep->("{ $commands{$what}\n} >&2; python3 .tell /w");
            is $run->{status}, 0, "$name: $what" or diag $run->{err};
            my $after = folder();
            owned($user, $after);
            $base->("$after/w");
            owned($user, spew("$after/w/.tell", $tell));
            my $applied = run({ %$user, cwd => $after }, 'python3', '-c', $apply, $after, "$dir/w/layer");
            is $applied->{status}, 0, "$name: $what: applied" or diag $applied->{err};
            my $told = run({ %$user, cwd => $after }, 'python3', "$after/w/.tell", "$after/w");
            is $told->{out}, $run->{out}, "$name: $what: what the command left" or diag $told->{err};
            system 'chmod', '-R', 'u+rwX', $after;
        }
        is -s "$dir/w/layer" && slurp("$dir/base/a"), "a\n", "$name: nothing of it reached the host";

        # The same change is the same bytes, and tells nothing of who made it when.
        my @same = map {
            $keep->('mkdir x; echo 1 > x/b; echo 2 > x/a; ln x/a y; rm b; touch -d @1000000000 x/b x/a x .');
            slurp("$dir/w/layer")
        } 1, 2;
        ok $same[0] eq $same[1], "$name: the same change is the same layer";
        unlike $same[0], qr/root|nobody|$user->{name}/, "$name: without owners";

        # What can't be said in one makes it none, and the command's status stays.
        for my $case (['echo x > .wh.a', qr{^/w/\.wh\.a: a name that begins so stands}],
            ['mkdir d; echo x > d/.wh..wh..opq', qr{^/w/d/\.wh\.\.wh\.\.opq: a name that begins so}],
            ['truncate -s 1G hole', qr{^/w/hole: with its holes it is larger than what may differ}]) {
            my ($command, $why) = @$case;
            my $run = $keep->("$command; exit 7");
            is $run->{status}, 7, "$name: $command: the status is the command's";
            like $run->{layer}{lacks} // '', $why, "$name: $command: why there is no layer";
            like $run->{err}, qr/^sbxrun: no layer was written to \S+: /m, "$name: $command: said";
            is -s "$dir/w/layer", 0, "$name: $command: and there is none";
        }
        my $run = $keep->(q{python3 -c 'import socket; socket.socket(1).bind("/w/s")'; echo x > f});
        is_deeply $run->{layer}, { entries => 2, sockets_left_out => 1 }, "$name: sockets are left out, and counted";
        $run = $keep->('echo x > f', '--changes', "$dir/w/changes");
        is $run->{layer}{entries} . ' ' . @{ decode_json(slurp("$dir/w/changes"))->{changes} }, '2 1',
            "$name: beside the list of changes, with the folder that it is in";
        $run = in_sandbox($user, $dir, { args => ['--keep', "$dir/none/layer"] }, 'sh', '-c', 'echo ran');
        is "$run->{status} $run->{out}", '125 ', "$name: where nothing can be written nothing is run";
        for my $option (qw(--keep --changes)) { # before there is a view
            $run = in_sandbox($user, $dir, { in => '/', args => [$option, "$dir/w/file"] }, 'echo', 'ran');
            is "$run->{status} $run->{out}", '125 ', "$name: $option: a run that is refused at once";
            like $run->{err}, qr/^sbxrun: standard input is /, "$name: $option: says why";
        }
        $run = in_sandbox($user, $dir, { args => ['--keep', '/dev/full'] }, 'sh', '-c', 'echo x > f; exit 3');
        is $run->{status}, 3, "$name: a full disk";
        like $run->{err}, qr/^sbxrun: no layer was written to .*No space left/m, "$name: is said";
        $run = $keep->('kill -9 $$');
        is "$run->{status} $run->{layer}{entries}", '137 0', "$name: also where the command was killed";
        is_deeply [own_processes(qr/sbximage/)], [], "$name: no process is left";
    }
}
done_testing;
