#!/usr/bin/perl
# `--layer`: a run begins with what earlier ones left, to the last mode, time and name; and layers that were made to do
# harm.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Tar;
use POSIX ();
use Test::More;
use JSON::PP;

plan skip_all => 'sbximage is not built' unless -x "$build/sbximage";

# Says what there is: each name with its type, mode, time in seconds, what it holds or leads to, which names are one
# file. Does so many things at random before it says so again.
my $play = <<'P';
import hashlib, os, random, shutil, stat, sys
def all_of(top):
    names = []
    for folder, folders, files in os.walk(top):
        names += [os.path.join(folder, name) for name in folders + files]
    return sorted(names)
def tell(title):
    lines, files = [], {}
    for top in (b"/w", b"/v"):
        for path in [top] + [path for path in all_of(top) if path != b"/w/memory"]:
            s = os.lstat(path); kind = stat.S_IFMT(s.st_mode)
            mode = oct(s.st_mode & 0o7777) if kind != stat.S_IFLNK else "-"
            # One that nobody but the view made is made anew.
            what = [path.hex(), oct(kind), mode, "-" if path == b"/w/in/ner" else str(int(s.st_mtime))]
            if kind == stat.S_IFREG:
                files.setdefault((s.st_dev, s.st_ino), []).append(path.hex())
                what.append(hashlib.sha256(open(path, "rb").read()).hexdigest() if s.st_mode & 0o400 else "closed")
            if kind == stat.S_IFLNK: what.append(os.readlink(path).hex())
            lines.append(" ".join(what))
    lines += ["one file: " + " ".join(names) for names in sorted(files.values()) if len(names) > 1]
    print(title, len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    open("/out/" + title + "-" + sys.argv[1], "w").write("\n".join(lines) + "\n")
def remove(path):
    if os.path.islink(path) or not os.path.isdir(path): os.unlink(path)
    else: shutil.rmtree(path)
def new(folders):
    name = random.choice([b"a", b"b", b"new\nline", b"\xff\xfe", b" blank ", b"\xc3\xa9", b"-x",
        b"n%d" % random.randrange(99)])
    return os.path.join(random.choice(folders), name)
def write(path): open(path, "wb").write(random.randbytes(random.choice([0, 1, 5000])))
def act():
    ways = [b"/w", b"/v", b"/w/in", b"/w/in/ner", b"/w/in/ner/most"] # in which overlays lie
    there = [p for top in (b"/w", b"/v") for p in all_of(top)
        if not p.startswith((b"/w/fixed", b"/w/memory")) and p not in ways]
    folders = ways + [p for p in there if os.path.isdir(p) and not os.path.islink(p)]
    files = [p for p in there if os.path.isfile(p) and not os.path.islink(p)]
    path = new(folders)
    choice = random.choice(["write", "append", "remove", "remove", "folder", "replace", "again", "rename", "link",
                            "hard", "mode", "time", "fifo", "tree", "touch"])
    if choice in ("write", "folder", "link", "fifo", "tree", "rename") and os.path.lexists(path): remove(path)
    if choice == "write": write(path)
    elif choice == "append" and files: open(random.choice(files), "ab").write(b"more")
    elif choice == "remove" and there: remove(random.choice(there))
    elif choice == "folder": os.mkdir(path, random.choice([0o755, 0o700, 0o1777, 0o711]))
    elif choice == "replace" and there: # by another kind
        old = random.choice(there); was = os.path.isdir(old); remove(old)
        write(old) if was else os.mkdir(old)
    elif choice == "again" and len(folders) > len(ways): # a folder that hides what was there
        old = random.choice(folders[len(ways):]); shutil.rmtree(old); os.mkdir(old); write(old + b"/inside")
    elif choice == "rename" and files: os.rename(random.choice(files), path)
    elif choice == "link": os.symlink(random.choice([b"a", b"/etc/passwd", b"../nowhere"]), path)
    elif choice == "hard" and files and not os.path.lexists(path): # of a file that an overlay copied it shows two
        old = random.choice(files); held = open(old, "rb").read(); os.unlink(old); open(old, "wb").write(held)
        os.link(old, path)
    elif choice == "mode" and there:
        some = random.choice(there + ways)
        if not os.path.islink(some): os.chmod(some, random.choice([0o755, 0o700, 0o1777] if os.path.isdir(some)
            else [0o600, 0o444, 0o755, 0o640]))
    elif choice == "time": os.utime(random.choice(there + ways), (1, random.randrange(2**31)), follow_symlinks=False)
    elif choice == "fifo": os.mkfifo(path)
    elif choice == "tree": os.makedirs(path + b"/deep/er"); write(path + b"/deep/er/file")
    elif choice == "touch": # nothing comes of it but a time
        write(path) if not os.path.lexists(path) else None; remove(path)
os.umask(0)
random.seed(sys.argv[1])
tell("before")
done = 0
while done < int(sys.argv[2]):
    try: act(); done += 1
    except OSError as error: # of another kind by now, closed, on the other side
        if error.errno == 28: raise
tell("after")
P
sub told { my ($run, $title) = @_; return ($run->{out} =~ /^$title (.*)$/m)[0] // "nothing: $run->{err}" }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read, write "/w" from overlay "./base" size 32MiB;
        allow read, write "/v" from overlay "./other" size 32MiB;
        allow read, write "/w/in/ner/most" from overlay "./third" size 32MiB;
        allow read, write "/w/memory" from tmpfs size 1MiB;
        deny write "/w/fixed";
        allow read, write "/out" from "./w/out";
    }
    process { cwd "/w"; } limits { lifetime 60s; }', uses => 'python');
    mkdir "$dir/$_" for qw(third base base/in base/old base/old/er base/deep base/deep/one base/fixed base/memory
        other other/x cache w/out);
    spew("$dir/base/$_", "$_\n") for qw(a b old/b old/er/c deep/one/d fixed/f);
    spew("$dir/other/$_", "$_\n") for qw(a x/y);
    link "$dir/base/a", "$dir/base/same";
    symlink 'a', "$dir/base/link";
    chmod 01777, "$dir/base/old";
    chmod 0700, "$dir/base/deep/one";
    chmod 0750, "$dir/base/in";
    system 'touch', '-d', '@1500000000.5', map { "$dir/$_" } qw(base/a base/old base/link base other);
    system('chown', '-R', "$user->{uid}:$user->{gid}", map { "$dir/$_" } qw(base other third cache w))
        if $> == 0 && defined $user->{uid};
    my $env = { XDG_CACHE_HOME => "$dir/cache" };
    my $as_root = !(defined $user->{uid} ? $user->{uid} : $>);
    my $cache = $as_root ? '/var/cache/sbx/layers' : "$dir/cache/sbx/layers";
    my $with = sub { # a run on layers, by their names in w
        my ($layers, $options, @command) = @_;
        return in_sandbox($user, $dir, { env => $env, seconds => 60, args => [ map({ ('--layer', m{^/} ? $_
                            : "$dir/w/$_") } @$layers), @$options ] }, @command);
    };
    my $sh = sub { my ($layers, $script, @options) = @_; $with->($layers, [@options], 'sh', '-c', $script) };
    my $keep = sub { ('--keep', "$dir/w/$_[0]") };
    my $try = $sh->([], 'true');
    if ($try->{status} == 125 && $try->{err} =~ /needs Linux 6\.6 or newer/) {
        pass "$name: refused with the reason: this kernel has no overlay in memory";
        next;
    }

    # Whatever runs do, the next one finds it so.
    for my $seed (1 .. 4) {
        my (@layers, $before);
        for my $run (1 .. 7) {
            my $did = $with->(\@layers, [$keep->("$seed-$run")], 'python3', '-c', $play, "$seed-$run", 25);
            is $did->{status}, 0, "$name: $seed-$run" or diag $did->{err};
            is told($did, 'before'), $before, "$name: $seed-$run: as the one before left it" or do {
                system 'diff', '-u', "$dir/w/out/after-$seed-" . ($run - 1), "$dir/w/out/before-$seed-$run";
            } if defined $before;
            $before = told($did, 'after');
            push @layers, "$seed-$run";
        }
    }
    is slurp("$dir/base/a") . slurp("$dir/other/x/y"), "a\nx/y\n", "$name: nothing of it reached the host";
    my $cached = sub { join ' ', sort map { m{([^/]+)$} } grep { -d && !-l } glob "$cache/*" };
    my $folders = $cached->();

    # Only what this run changed is listed and kept.
    $sh->([], 'echo 1 > one; rm a; rm -r old', $keep->('one'));
    $sh->(['one'], 'echo 2 > two; rm one; mkdir old; echo x > old/x', $keep->('two'), '--changes', "$dir/w/changes");
    my $changes = decode_json(slurp("$dir/w/changes"))->{changes};
    is join(', ', map { "$_->{what} $_->{path}" } @$changes),
        'created /w/old, created /w/old/x, deleted /w/one, created /w/two', "$name: what a run on a layer changed";
    is join(' ', sort split /\n/, `tar tf $dir/w/two`), 'w/ w/.wh.one w/old/ w/old/x w/two', "$name: and its layer";
    my $all = $sh->(['one', 'two'], 'echo *; echo old/*; cat two');
    is $all->{out}, "b deep fixed in link memory old same two\nold/x\n2\n", "$name: both, one over the other"
        or diag $all->{err};
    is $sh->(['two'], 'echo old/*')->{out}, "old/b old/er old/x\n", "$name: one alone is laid over what there is";
    is $sh->(['one', 'two', 'one'], 'cat one; echo *')->{out}, "1\nb deep fixed in link memory one same two\n",
        "$name: of one that comes again the upper counts";
    $sh->(['one'], ':', $keep->('nothing'));
    is $sh->(['one', 'nothing', 'nothing'], 'cat one')->{out}, "1\n", "$name: of a run that changed nothing";

    # They are unpacked once.
    my ($hash) = `sha256sum $dir/w/one` =~ /^(\w+)/;
    my ($folder) = glob "$cache/$hash-*";
    like $folder // '', qr{/$hash-[0-9a-f]{96}$}, "$name: a layer lies in the cache, by its hash and the seal of that";
    my $made = (stat $folder)[10];
    $sh->(['one'], 'true', '--report', "$dir/w/report");
    is +(stat $folder)[10], $made, "$name: it is not unpacked again";
    is_deeply decode_json(slurp("$dir/w/report"))->{layers}, [ { file => "$dir/w/one", sha256 => $hash,
        bytes => -s "$dir/w/one" } ], "$name: the report says which";
    like $with->(['one', 'two'], ['--dry-run'], 'true')->{out}, qr{^layer +\S+/w/one, .*\nlayer +\S+/w/two, }m,
        "$name: and --dry-run";
    mkdir "$cache/" . 'f' x 64 . '-' . '0' x 96;
    spew("$dir/w/forged", archive({ name => 'w/', type => 5, mode => 0755 }, { name => 'w/real', data => 'x' }));
    my ($forged) = `sha256sum $dir/w/forged` =~ /^(\w+)/;
    system 'mkdir', '-p', "$cache/$forged-" . '0' x 96 . '/w/planted';
    system 'chown', '-R', "$user->{uid}:$user->{gid}", glob "$cache/$forged-*" if defined $user->{uid};
    is $sh->(['forged'], 'echo real planted; ls -d real planted')->{out}, "real planted\nreal\n",
        "$name: a folder without the seal is not believed";
    rmdir "$cache/" . 'f' x 64 . '-' . '0' x 96;
    my $under = folder() . '/under';
    system 'cp', "$build/tests/live/under", $under;
    my @keyless = ($under, ((POSIX::uname())[4] eq 'aarch64' ? 219 : 250) . '=38', '--'); # no keyctl(2)
    $sh->([], 'mkdir -p shut/er; echo x > shut/er/y; chmod 500 shut/er; chmod 000 shut', $keep->('shut'));
    my $keyless = run({ %$user, cwd => $dir, env => $env, within => \@keyless }, $sbxrun, '--layer', "$dir/w/shut",
        'p.sbx', '--', 'sh', '-c', 'ls -ld shut');
    like $keyless->{out}, qr/^d---------/, "$name: without a keyring it is unpacked" or diag $keyless->{err};
    is join(' ', glob "$cache/new-*"), '', "$name: and goes with the run, whatever its modes";
    for my $tool (['gzip', 'gz'], ['xz', 'xz'], ['zstd', 'zst'], ['bzip2', 'bz2']) {
        SKIP: {
            skip "$tool->[0] is not here", 1 if system("$tool->[0] -c $dir/w/one > $dir/w/one.$tool->[1] 2>/dev/null");
            is $sh->(["one.$tool->[1]"], 'cat one')->{out}, "1\n", "$name: compressed by $tool->[0]";
        }
    }
    my @many = map {
        $sh->([], "echo $_ > n$_; echo $_ > last", $keep->("many$_"));
        "many$_"
    } 1 .. 32;
    is $sh->(\@many, 'cat n1 n32 last; ls n* | wc -l')->{out}, "1\n32\n32\n32\n", "$name: 32 of them";
    like $sh->([@many, 'one'], 'true')->{err}, qr/--layer stands there at most 32 times/, "$name: and no more";
    my $batch = run({ %$user, cwd => $dir, env => $env, in => spew("$dir/w/batch", "cat\0one\0\0ls\0-d\0two\0\0") },
        $sbxrun, '--batch', '--jobs', 1, '--layer', "$dir/w/one", '--layer', "$dir/w/two", 'p.sbx');
    is $batch->{out}, "two\n", "$name: under many commands";

    # A folder that the layer closes, and the command opens.
    my $opened = $sh->(['shut'], 'chmod 700 shut; chmod 700 shut/er; echo z > shut/er/z', $keep->('opened'));
    is $opened->{status}, 0, "$name: a folder that is closed below can be opened" or diag $opened->{err};
    if ($as_root) {
        is $sh->(['shut', 'opened'], 'cat shut/er/y shut/er/z')->{out}, "x\nz\n", "$name: and it is kept";
    } else {
        like $opened->{err}, qr{no layer was written to .*/w/shut/er: what was there before can't be looked at},
            "$name: what was in it can't be compared, which is said";
    }

    # Rules hold over layers as over what there was.
    $sh->([], 'echo x > b; rm -r deep', $keep->('rules'));
    spew("$dir/rules.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy rules/r
        =~ s/(?=deny write "\/w\/fixed";)/deny read, write "\/w\/b"; deny write "\/w\/deep\/one"; /r);
    my $rules = run({ %$user, cwd => $dir, env => $env }, $sbxrun, '--layer', "$dir/w/rules", 'rules.sbx', '--', 'sh',
        '-c', 'cat b || echo no; echo y > b || echo no; mv deep shallow || echo no; touch deep/one/d || echo no');
    is $rules->{out}, "no\nno\nno\nno\n", "$name: what is denied is denied, whatever a layer has there"
        or diag $rules->{err};
    like run({ %$user, cwd => $dir, env => $env }, $sbxrun, '--layer', "$dir/w/one",
        spew("$dir/plain.sbx", 'sbx 1; import std.base; policy plain { use std.base; }'), '--', 'true')->{err},
        qr/^sbxrun: the policy has no overlay that a layer could lie over/, "$name: a policy without an overlay";
    is $sh->(['none'], 'echo ran')->{err} =~ /^sbxrun: cannot open the layer \S+none: No such file/, 1,
        "$name: one that is not there";
    like $sh->(['out'], 'echo ran')->{err}, qr/^sbxrun: the layer \S+ is not a file/, "$name: a folder is none";
    spew("$dir/w/empty", '');
    like $sh->(['empty'], 'echo ran')->{err}, qr/it is not a whole archive/,
        "$name: nor is what --keep could not write";
    SKIP: {
        skip 'of what a sandbox made', 1 if $as_root;
        symlink 'one', "$dir/w/out/swapped";
        like $sh->(['out/swapped'], 'echo ran')->{err}, qr/symbolic link that the sandbox could have made/,
            "$name: a link that a sandbox may have made is not followed";
    }

    # Made to do harm, or what can't be said. Nothing is run, and neither the cache nor anything else has any of it.
    my $outside = folder();
    chmod 0777, $outside;
    my @top = ({ name => 'w/', type => 5, mode => 0755 });
    my %through = (name => 'w/out', type => 2, link => $outside);
    for my $case (
        ['a name with ..', qr/leads out of it: \.\.\//, { name => '../escape', data => 'x' }],
        ['a name with .. in it', qr/leads out of it/, { name => 'w/../../escape', data => 'x' }],
        ['an absolute name', qr/leads out of it: \//, { name => "$outside/escape", data => 'x' }],
        ['a file through a link', qr/through a link: w\/out\/escape/, @top, \%through,
            { name => 'w/out/escape', data => 'x' }],
        ['a folder through a link', qr/through a link: w\/out\/escape/, @top, \%through,
            { name => 'w/out/escape/', type => 5 }],
        ['a mark through a link', qr/through a link: w\/out\/\.wh\.x/, @top, \%through, { name => 'w/out/.wh.x' }],
        ['a link to a folder, for what hides others', qr/through a link/, @top, \%through,
            { name => 'w/out/.wh..wh..opq' }],
        ['a hard link to the host', qr/leads out of it/, @top, { name => 'w/p', type => 1, link => '/etc/passwd' }],
        ['a hard link through a link', qr/cannot make the hard link/, @top,
            { name => 'w/e', type => 2, link => '/etc' }, { name => 'w/p', type => 1, link => 'w/e/passwd' }],
        ['a hard link to a mark', qr/cannot make the hard link/, @top, { name => 'w/.wh.x' },
            { name => 'w/y', type => 1, link => 'w/x' }],
        ['a hard link to a link', qr/cannot make the hard link/, @top, \%through,
            { name => 'w/y', type => 1, link => 'w/out' }],
        ['a whiteout that is a device', qr/a layer holds no devices: w\/x/, @top, { name => 'w/x', type => 3 }],
        ['a disk', qr/a layer holds no devices: w\/sda/, @top, { name => 'w/sda', type => 4, major => 8 }],
        ['a whiteout with something in it', qr/is an empty file: w\/\.wh\.x/, @top, { name => 'w/.wh.x', data => 'x' }],
        ['a whiteout that is a folder', qr/is an empty file: w\/\.wh\.x/, @top, { name => 'w/.wh.x/', type => 5 }],
        ['a whiteout that is a link', qr/is an empty file/, @top, { name => 'w/.wh.x', type => 2, link => 'y' }],
        ['a whiteout that is a hard link', qr/is an empty file/, @top, { name => 'w/x', data => '' },
            { name => 'w/.wh.y', type => 1, link => 'w/x' }],
        ['a whiteout of nothing', qr/stands for nothing: w\/\.wh\./, @top, { name => 'w/.wh.' }],
        ['a whiteout of .', qr/stands for nothing/, @top, { name => 'w/.wh..' }],
        ['a whiteout of ..', qr/stands for nothing/, @top, { name => 'w/.wh...' }],
        ['a whiteout of a whiteout', qr/stands for nothing/, @top, { name => 'w/.wh..wh.x' }],
        ['a whiteout of what is there', qr/cannot mark what is gone, w\/\.wh\.x: File exists/, @top,
            { name => 'w/x', data => 'x' }, { name => 'w/.wh.x' }],
        ['what a whiteout says is gone', qr/cannot make w\/x: File exists/, @top, { name => 'w/.wh.x' },
            { name => 'w/x', data => 'x' }],
        ['something beneath a whiteout', qr/through a link: w\/x\/y/, @top, { name => 'w/.wh.x' },
            { name => 'w/x/y', data => 'x' }],
        ['what hides others in a file', qr/through a link/, @top, { name => 'w/x', data => 'x' },
            { name => 'w/x/.wh..wh..opq' }],
        ['what hides others where nothing is said', qr/says nothing of the folder of/, { name => 'w/.wh..wh..opq' }],
        ['what hides others at the root', qr/says nothing of the folder of/, { name => '.wh..wh..opq' }],
        ['a name twice', qr/cannot make w\/x: File exists/, @top, ({ name => 'w/x', data => 'x' }) x 2],
        ['a folder twice', qr/cannot make w: File exists/, @top, @top],
        ['a file in a folder of which nothing is said', qr/says nothing of the folder of w\/deep\/x/, @top,
            { name => 'w/deep/x', data => 'x' }],
        ['the same, in a place of which nothing is said either', qr/says nothing of the folder \/w\/deep, in which/,
            { name => 'w/deep/x', data => 'x' }],
        ['what lies in no overlay', qr/has \/etc, which lies in no overlay/, { name => 'etc/', type => 5 },
            { name => 'etc/passwd', data => 'x' }],
        ['what lies in no overlay, beside what does', qr/has \/x, which lies in no overlay/, @top,
            { name => 'x', data => 'x' }],
        ['that a place is gone', qr/has \/w, which lies in no overlay/, { name => '.wh.w' }],
        ['a link in the place of a place', qr/has \/w, which lies in no overlay/, { name => 'w', type => 2,
                link => '/etc' }],
        ['what lies in memory', qr/has \/w\/memory\/x, which lies in no overlay/, @top,
            { name => 'w/memory/', type => 5, mode => 0755 }, { name => 'w/memory/x', data => 'x' }],
        ['that memory is gone', qr/has \/w\/memory, which lies in no overlay/, @top, { name => 'w/.wh.memory' }],
        ['more than there may be', qr/more than 32 GiB are in it, of w\/big/, @top,
            { name => 'w/big', size => 60 << 30, data => 'x' }],
        ['a name that a terminal obeys', qr/leads out of it: \.\.\/e\\x1b\[31mR\\xff/, { name => "../e\e[31mR\xff" }],
    ) {
        my ($what, $said, @entries) = @$case;
        spew("$dir/w/bad", archive(@entries));
        my $run = $sh->(['one', 'bad'], 'echo ran');
        is "$run->{status} $run->{out}", '125 ', "$name: refused: $what";
        like $run->{err}, $said, "$name: and why" or diag $run->{err};
        is join(' ', grep { -e } glob("$outside/*"), "$dir/escape", "$dir/cache/escape", "$cache/escape"), '',
            "$name: nothing of it is outside";
    }
    for my $cut (['a file that is cut off', sub { substr $_[0], 0, 1300 }, qr/not a whole archive/],
        ['no end', sub { substr $_[0], 0, -1024 }, qr/ends before its end/],
        ['no archive', sub { "no archive at all\n" x 100 }, qr/not a whole archive/]) {
        spew("$dir/w/bad", $cut->[1]->(archive(@top, { name => 'w/x', data => 'x' x 1000 })));
        like $sh->(['bad'], 'echo ran')->{err}, $cut->[2], "$name: refused: $cut->[0]";
    }
    is join(' ', glob "$cache/new-*"), '', "$name: nothing half unpacked is left";

    # What is left out, or taken as it is.
    my $pax = sub { # attributes of a file
        my ($key, $value) = @_;
        my $record = " $key=$value\n";
        my $length = length $record;
        $length = length($record) + length $length for 1 .. 3;
        return { name => 'pax', type => 'x', data => "$length$record" };
    };
    spew("$dir/w/odd", archive(@top, { name => 'w/suid', mode => 06755, data => 'x' },
        { name => 'w/sgid/', type => 5, mode => 02755 },
        $pax->('SCHILY.xattr.user.overlay.opaque', 'y'), { name => 'w/old/', type => 5, mode => 0755 },
        $pax->('SCHILY.xattr.user.overlay.redirect', '/fixed'), { name => 'w/deep/', type => 5, mode => 0755 },
        $pax->('SCHILY.xattr.user.overlay.whiteout', 'y'), { name => 'w/b', data => '' },
        $pax->('SCHILY.xattr.user.overlay.metacopy', 'y'), { name => 'w/a', data => 'real' },
        $pax->('SCHILY.xattr.trusted.overlay.opaque', 'y'), { name => 'w/fixed/', type => 5, mode => 0755 },
        { name => "w/new\nline", data => "1\n" }, { name => "w/\xff\xfe", data => "2\n" },
        { name => 'w/passwd', type => 2, link => '/etc/shadow' }, { name => 'w/owned', uid => 12345, data => '' }));
    my $odd = $sh->(['odd'], 'stat -c "%a %U" suid sgid owned; echo old/*; echo deep/*; ls -d b; cat a; echo; '
        . 'cat "$(printf "new\nline")" "$(printf "\377\376")" fixed/f; cat passwd; '
        . 'echo >> fixed/f');
    is $odd->{out}, "755 nobody\n755 nobody\n644 nobody\nold/b old/er\ndeep/one\nb\nreal\n1\n2\nfixed/f\n",
        "$name: setuid bits, owners and attributes of overlays are left out, names are bytes" or diag $odd->{err};
    my $forging = $sh->([], q{python3 -c '
import os
for name in ("opaque", "redirect", "whiteout", "origin"):
    try: os.setxattr("old", "user.overlay." + name, b"y"); print("set")
    except OSError: print("refused")
for what in ("b", "new"):
    try: os.unlink(what) if os.path.exists(what) else None; os.mknod(what, 0o020000, 0); print("made")
    except PermissionError: print("not made")
open("old/mine", "w")'}, $keep->('forging'));
    like $forging->{out}, qr/^(?:set\n|refused\n){4}(?:not made\n){2}\z/, "$name: marks of overlays, by the command"
        or diag $forging->{err};
    is $sh->(['forging'], 'ls old; ls b new')->{out}, "b\ner\nmine\n", "$name: none comes of them";
    spew("$dir/w/deep", archive(@top, map { { name => 'w/' . 'd/' x $_, type => 5, mode => 0755 } } 1 .. 45));
    is $sh->(['deep'], 'find . -type d | wc -l')->{out} > 45, 1, "$name: deep folders";
    my $deeper = $sh->([], q{python3 -c '
import os
for i in range(1000): os.mkdir("d"); os.chdir("d")
open("f", "w").write("deep")'}, $keep->('deeper'));
    my $found = $sh->(['deeper'], q{python3 -c '
import os
for i in range(1000): os.chdir("d")
print(open("f").read())'});
    is $found->{out}, "deep\n", "$name: a thousand deep" or diag $found->{err};
    system 'rm', '-rf', grep { my ($f) = m{([^/]+)$}; $folders !~ /\Q$f\E/ } grep { -d && !-l } glob "$cache/*"
        if $as_root;
    is_deeply [own_processes(qr/sbximage/)], [], "$name: no process is left";
}
done_testing;
