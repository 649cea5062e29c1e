#!/usr/bin/perl
# The view: only what the policy shows, with the rights it gives, whatever is tried; and the host stays as it was.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

sub tree { my ($dir) = @_; scalar `cd $dir && find . -printf '%p %y %m %s %l\\n' | sort` }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read "/data" from "./data";
        deny  read "/data/secret";
        deny  read "/data/key";
        deny  read "/data/deep/hidden" except "/data/deep/hidden/shown";
        allow read, write "/w" from "./w";
        deny  write "/w/a/b/locked";
        deny  write "/w/file-locked";
        deny  read, write "/w/a/c/gone";
        allow read, write, exec "/bin2" from "./bin2";
        allow read, write "/tmp" from tmpfs size 1MiB;
        allow read "/tmp/inside" from "./data/deep";
        allow read "/missing" from "./missing" if exists;
        deny read "/tmp/never";
    }');
    mkdir "$dir/$_" or die $!
        for qw(data data/secret data/deep data/deep/hidden w/a w/a/b w/a/b/locked w/a/c w/a/c/gone bin2);
    spew("$dir/$_", "$_\n") for qw(data/open data/key data/secret/s data/deep/hidden/other data/deep/hidden/shown
        w/file-locked w/a/b/locked/l w/a/c/gone/g outside);
    symlink '/outside', "$dir/data/absolute";
    symlink '../outside', "$dir/data/relative"; symlink '/etc/shadow', "$dir/w/shadow";
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/w", "$dir/data", "$dir/bin2")
        if defined $user->{uid} && $> == 0;
    my $before = tree($dir);
    my $sh = sub { in_sandbox($user, $dir, 'sh', '-c', $_[0]) };
    my $says = sub { my ($run) = @_; ($run->{out} . $run->{err}) =~ s/\n$//r };
    my $refused = sub {
        my ($what, $pattern, $label) = @_;
        my $run = $sh->("{ $what; } 2>&1; echo \" status \$?\"");
        like $run->{out}, $pattern, "$name: $label";
        unlike $run->{out}, qr/status 0$/, "$name: $label fails";
    };

    # There is nothing but what the policy shows.
    is $sh->('cat /data/open')->{out}, "data/open\n", "$name: what is allowed is there";
    $refused->("cat $_", qr/No such file/, "$_ is not there") for qw(/etc/debian_version /etc/shadow /root /home /var
        /sys /proc/kcore /proc/keys /proc/sysrq-trigger /proc/sys /dev/mem /dev/kmsg /dev/vda /missing), $dir;
    is $sh->('ls /proc | grep -c "^1$"')->{out}, "0\n", "$name: init is not to be seen";
    is $sh->('cat /proc/$$/comm')->{out}, "sh\n", "$name: its own processes are";
    $refused->('cat /proc/1/environ /proc/1/root/etc/debian_version', qr/No such file|Permission denied/,
        "init's secrets");
    is $sh->('ls /dev | tr "\n" " "')->{out}, 'fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ',
        "$name: a minimal /dev";
    is $sh->('echo x > /dev/null && head -c 3 /dev/zero | wc -c && test -c /dev/urandom && { echo ok > /dev/stdout; '
        . '} | cat')->{out}, "3\nok\n", "$name: that works";
    is $sh->('ls /dev/pts')->{out}, "ptmx\n", "$name: terminals of its own";
    like $sh->('cat /proc/self/mounts')->{out}, qr/^\S+ \/usr \S+ ro,nosuid,nodev/m,
        "$name: /usr is read-only, nosuid, nodev";
    unlike $sh->('cat /proc/self/mounts')->{out}, qr/^(?!.*[ ,]nosuid)./m, "$name: nosuid everywhere";
    unlike $sh->('cat /proc/self/mounts | grep -v " devtmpfs \| devpts "')->{out}, qr/^(?!.*[ ,]nodev)./m,
        "$name: nodev everywhere but on devices";

    # Ways out.
    $refused->("cat $_", qr/No such file|Permission denied|Not a directory/, "by $_")
        for '/data/absolute', '/data/relative', '/w/shadow', '/../etc/debian_version',
            '/../../proc/1/root/etc/debian_version',
            '/usr/../../etc/debian_version', '/data/../outside', '/data/../../../../etc/debian_version',
            '/proc/self/root/etc/debian_version',
            '/proc/self/cwd/../../../../etc/shadow', '/proc/self/fd/0/etc/debian_version',
            '/proc/thread-self/root/outside';
    $refused->('ln -s / /w/up; cat /w/up/etc/debian_version', qr/No such file/, 'a planted link');
    $sh->('rm /w/up');
    $refused->('cd /w && mkdir x && cd x && rmdir ../x && cat ../../../../etc/debian_version', qr/No such file/,
        'from a folder that is gone');

    like $sh->('cat /proc/self/mounts')->{out}, qr/^\S+ \/usr /m, "$name: the mounts of the view";
    unlike $sh->('cat /proc/self/mounts')->{out}, qr/ \/sys|cgroup|^\/\S+ \/ /m, "$name: and none of the host's";
    is $sh->('ls /..')->{out}, $sh->('ls /')->{out}, "$name: there is nothing above the root";

    # Read-only.
    $refused->("touch $_", qr/Read-only file system|Permission denied|No such file/, "writing $_")
        for qw(/data/new /usr/new /new /proc/new /dev/new /probe);
    $refused->('mkdir /x', qr/Read-only|Permission denied/, 'a folder beside');
    $refused->('chmod 700 /data/open', qr/Read-only/, 'changing modes');
    $refused->('rm /probe', qr/busy|Read-only|Permission denied/, 'removing a mount point');
    is $says->($sh->('echo new > /w/new && cat /w/new && mkdir /w/d && mv /w/new /w/d/ && rm -r /w/d')), 'new',
        "$name: writing where it is allowed";

    # Denied beneath what is allowed.
    $refused->('cat /data/key', qr/Permission denied/, 'a hidden file');
    $refused->('ls /data/secret', qr/Permission denied/, 'a hidden folder');
    $refused->('cat /data/secret/s', qr/Permission denied|No such file/, 'in a hidden folder');
    $refused->('cat /data/deep/hidden/other', qr/No such file|Permission denied/, 'beside an exception');
    is $says->($sh->('cat /data/deep/hidden/shown')), 'data/deep/hidden/shown', "$name: the exception";
    is $says->($sh->('cat /w/a/b/locked/l; cat /w/file-locked')), "w/a/b/locked/l\nw/file-locked",
        "$name: write denied, read allowed";
    $refused->("echo x > $_", qr/Read-only file system|Permission denied/, "writing $_")
        for qw(/w/a/b/locked/l /w/a/b/locked/new /w/file-locked);
    $refused->($_, qr/busy|Read-only|Permission denied|Invalid cross-device|not empty/, $_)
        for 'mv /w/a /w/a2', 'mv /w/a/b /w/a/b2', 'mv /w/a/b/locked /w/x', 'mv /w/file-locked /w/x',
            'rm /w/file-locked', 'rmdir /w/a/b/locked', 'rm -rf /w/a/b', 'ln /w/file-locked /w/hard', 'mv -T /tmp /w/a';
    $refused->('cat /w/a/c/gone/g; echo x > /w/a/c/gone/new', qr/Permission denied|No such file/,
        'what may be neither read nor written');
    is $says->($sh->('echo ok > /w/a/b/beside && cat /w/a/b/beside && rm /w/a/b/beside')), 'ok',
        "$name: beside it everything is as allowed";
    $refused->('cat /tmp/never; echo x > /tmp/never', qr/Permission denied|Is a directory/,
        'a denied path that did not exist');

    # exec.
    $sh->('cp /bin/true /w/prog; cp /bin/true /bin2/prog');
    is $sh->('/bin2/prog && echo ran')->{out}, "ran\n", "$name: exec where it is allowed";
    $refused->($_, qr/Permission denied|Operation not permitted|failed to map/, "exec $_") for '/w/prog',
        'cp /bin/true /tmp/prog && /tmp/prog', '/lib64/ld-linux-x86-64.so.2 /w/prog',
        'cp /bin/true /tmp/prog && /lib64/ld-linux-x86-64.so.2 /tmp/prog';
    is $says->(in_sandbox($user, $dir, '/probe', 'map-exec', '/w/file-locked')), 'EPERM',
        "$name: mapping it executable";
    like $says->(in_sandbox($user, $dir, '/probe', 'memfd-exec')), qr/^(?:EACCES|EPERM)$/, "$name: exec from memory";

    # A host folder in folders of a tmpfs that nobody has made.
    {
        my $deep = sandbox($user, 'fs { allow read, write "/tmp" from tmpfs size 1MiB; allow read, write "/tmp/a/b/c" '
            . 'from "./w"; deny write "/tmp/a/b/d"; }');
        my $run = in_sandbox($user, $deep, 'sh', '-c',
            'touch /tmp/a/b/c/x; mv /tmp/a /tmp/z; mv /tmp/a/b /tmp/a/y; ls /tmp/a/b');
        ok -e "$deep/w/x", "$name: a host folder deep in a tmpfs" or diag $run->{err};
        like $run->{out}, qr/^c$/m, "$name: which stays where it is";
    }

    # tmpfs has its size, and inodes.
    $refused->('head -c 2000000 /dev/zero > /tmp/big', qr/No space left/, 'more than the size of a tmpfs');
    is $sh->('i=0; while [ $i -lt 2000 ] && true 2>/dev/null > /tmp/f$i; do i=$((i+1)); done; [ $i -lt 2000 '
        . '] && echo bounded')->{out}, "bounded\n", "$name: inodes of a tmpfs";
    $refused->('head -c 100000000 /dev/zero > /dev/shm/big', qr/No space left/, 'more than /dev/shm holds');
    is $says->($sh->('ls /tmp/inside')), 'hidden', "$name: a host folder within a tmpfs";
    is $sh->('ls /tmp | tr "\n" " "')->{out}, 'inside never ', "$name: a tmpfs is new in each run";

    $sh->('rm -rf /w/prog /bin2/prog /w/x');
    is tree($dir), $before, "$name: the host is as before";

    # What can't be done is refused before anything runs.
    for my $case (
        ['allow read "/x" from "./nothere";', qr/cannot open .*nothere on the host: No such file.*\n.*if exists/],
        ['allow read "/x" from home "y";', qr/HOME is not set|cannot open/],
        ['allow read, write "/x" from "./w"; allow read "/x/sub" from tmpfs size 1MiB;',
            qr/there is no \/x\/sub in the host folder/],
        ['allow write "/x" from "./w";', qr/written or executed without being read/],
        ['allow read "/x" from image "x.tar";', qr/cannot open the image .*x.tar: No such file/],
    ) {
        my ($rule, $said) = @$case;
        my $d = sandbox($user, "fs { $rule }");
        my $run = in_sandbox($user, $d, { setup => sub { delete $ENV{HOME} if $rule =~ /home/ } }, 'sh', '-c',
            'echo RAN');
        is $run->{status}, 125, "$name: refused: $rule";
        like $run->{err}, $said, "$name: says why";
        like $run->{err}, qr/p\.sbx:6/, "$name: and which rule";
        is $run->{out}, '', "$name: and runs nothing";
    }

    # A thousand places, with an ordinary limit of open files.
    my $many = sandbox($user, 'fs { '
        . join('', map { "allow read \"/many/$_\" from \"./many/$_\"; deny read \"/many/$_/no\"; " } 1 .. 500) . ' }');
    mkdir "$many/many";
    for (1 .. 500) { mkdir "$many/many/$_"; spew("$many/many/$_/yes", $_); spew("$many/many/$_/no", $_) }
    my $thousand = in_sandbox($user, $many, 'sh', '-c', 'cd /many; seq -f %.0f/yes 500 | xargs cat | wc -c; seq -f '
        . '%.0f/no 500 | xargs cat 2>/dev/null | wc -c; ulimit -n');
    my ($files) = slurp('/proc/self/limits') =~ /^Max open files +(\d+)/m;
    is $thousand->{out}, "1392\n0\n" . "$files\n", "$name: a thousand places" or diag $thousand->{err};

    # Symbolic links in host paths: those of the host's own folders are followed once, those that the sandbox could
    # have made are not.
    my $d = sandbox($user, 'fs { allow read, write "/w" from "./w"; allow read "/x" from "./w/link"; }');
    symlink '/etc', "$d/w/link";
    my $run = in_sandbox($user, $d, 'ls', '/x');
    is $run->{status}, 125, "$name: a link in a writable folder is not followed";
    like $run->{err}, qr/symbolic link that the sandbox could have made/, "$name: says so";
    $d = sandbox($user, 'fs { allow read "/w" from "./w"; deny read "/w/link"; }');
    symlink '/etc', "$d/w/link";
    $run = in_sandbox($user, $d, 'true');
    is $run->{status}, 125, "$name: nothing is kept apart from its folder at a link";
    like $run->{err}, qr{w/link is a symbolic link, and .*by a mount}, "$name: says so";
    $d = sandbox($user, 'fs { allow read "/x" from "./link"; }');
    mkdir "$d/target"; spew("$d/target/f", "through\n"); symlink 'target', "$d/link";
    is in_sandbox($user, $d, 'cat', '/x/f')->{out}, "through\n", "$name: a link elsewhere is";
    # Whatever the policy calls the folder in which the link lies: `real/sub` has links out, and each policy can write
    # in it by another name, or (where nothing is refused) not at all.
    my $ways = sub { # what is writable, what is read at /x, whether that is refused
        my ($writable, $read, $refused, $called) = @_;
        my $d = sandbox($user, "fs { $writable " . ($read =~ /^fs (.*)/ ? "$1 }" : "} $read"), uses => 'shell');
        mkdir "$d/$_" for 'real', 'real/sub', 'real/sub/deep', 'out';
        spew("$d/out/f", "outside\n");
        spew("$d/real/sub/good", "good\n");
        symlink $_->[0], $_->[1] for ['../../out', "$d/real/sub/conf"], ['../../out/f', "$d/real/sub/file"],
            ['../../../out', "$d/real/sub/deep/conf"], ['real', "$d/link"], ['link', "$d/two"], ['.', "$d/home"];
        owned($user, map { "$d/$_" } 'real', 'real/sub', 'real/sub/deep');
        my $run = in_sandbox($user, $d, { env => { HOME => "$d/home" } },
            'sh', '-c', 'cat /x /x/f 2>/dev/null; exit 0');
        return pass "$name: $called: this kernel has no such overlay"
            if !$refused && $run->{err} =~ /needs Linux 6\.6 or newer/;
        return is "$run->{status} $run->{out}", "0 outside\n", "$name: $called: followed" if !$refused;
        is "$run->{status} $run->{out}", '125 ', "$name: $called: not followed" or diag $run->{err};
        like $run->{err}, qr/symbolic link that the sandbox could have made/, "$name: $called: says so";
    };
    my %reads = (
        'a folder' => 'fs allow read "/x" from "./real/sub/conf";',
        'beneath a link' => 'fs allow read "/x" from "./real/sub/conf/f";',
        'deeper' => 'fs allow read "/x" from "./real/sub/deep/conf";',
        'an overlay' => 'fs allow read "/x" from overlay "./real/sub/conf";',
        'by a link' => 'fs allow read "/x" from "./two/sub/conf";',
        'under cwd' => 'fs allow read "/x" from cwd "real/sub/conf";',
        'a secret' => 'secrets { T from file "./real/sub/file" at "/x"; }',
    );
    my %writable = (
        'by its name' => 'allow read, write "/w" from "./real";',
        'by a link' => 'allow read, write "/w" from "./link";',
        'by two links' => 'allow read, write "/w" from "./two/sub";',
        'part of what is read' => 'allow read "/w" from "./real"; allow write "/w/sub";',
        'part, by a link' => 'allow read "/w" from "./link"; allow write "/w/sub";',
        'under a home that is a link' => 'allow read, write "/w" from home "real";',
    );
    $ways->($writable{$_}, $reads{'a folder'}, 1, "a folder, written $_") for sort keys %writable;
    $ways->('allow read "/w" from "./link"; allow read, write "/v" from "./w";', $reads{$_}, 0, "$_, not written")
        for sort keys %reads;
    $ways->($writable{'by a link'}, $reads{$_}, 1, "$_, written by a link") for sort keys %reads;
    my $archive =
        sandbox($user, 'fs { allow read, write "/w" from "./link"; allow read "/x" from image "./real/tar"; }');
    mkdir "$archive/real"; symlink 'real', "$archive/link"; symlink '/etc/passwd', "$archive/real/tar";
    owned($user, "$archive/real");
    $run = in_sandbox($user, $archive, 'true');
    is $run->{status}, 125, "$name: nor is a link to an image followed";
    like $run->{err}, qr/symbolic link that the sandbox could have made/, "$name: says so";

    # Parts of write, by Landlock.
    $d = sandbox($user, 'fs { allow read "/w" from "./w"; allow modify "/w"; }');
    spew("$d/w/old", 'old'); owned($user, "$d/w/old");
    is in_sandbox($user, $d, '/probe', 'open-write', '/w/old')->{out}, "ok\n", "$name: modify alone";
    is in_sandbox($user, $d, '/probe', 'open-new', '/w/new')->{out}, "EACCES\n", "$name: is not create";
    is in_sandbox($user, $d, '/probe', 'unlink', '/w/old')->{out}, "EACCES\n", "$name: nor delete";
    $d = sandbox($user, 'fs { allow read "/w" from "./w"; allow create, modify "/w"; }');
    spew("$d/w/old", 'old'); owned($user, "$d/w/old");
    is in_sandbox($user, $d, '/probe', 'open-new', '/w/new')->{out}, "ok\n", "$name: create";
    is in_sandbox($user, $d, '/probe', 'unlink', '/w/old')->{out}, "EACCES\n", "$name: without delete";
    # What is there could be changed without being written: its mode, owner, times, attributes.
    for my $verbs ('create', 'delete', 'create, delete') {
        my $rules = "allow read \"/w\" from \"./w\"; allow $verbs \"/w\";";
        my $run = in_sandbox($user, sandbox($user, "fs { $rules }"), 'true');
        is $run->{status}, 125, "$name: $verbs without modify on the host's files is refused";
        like $run->{err},
            qr/could change modes, owners, times and attributes .*\(p\.sbx:6:.*\nsbxrun: allow `modify` too/,
            "$name: with what to write";
        my $beneath = sandbox($user, 'fs { allow read, write "/v" from "./w"; deny modify "/v/in"; }');
        is in_sandbox($user, $beneath, 'true')->{status}, 125, "$name: nor is it denied beneath";
    }
    my $own = sandbox($user, 'fs { allow read, create "/drop" from tmpfs size 1MiB; }');
    is in_sandbox($user, $own, 'sh', '-c', 'mkdir /drop/f && echo made')->{out}, "made\n",
        "$name: on what is the sandbox's own it may be";
}

# What the page says of the way to what is allowed: it is there to be gone and to be listed, and nothing else is.
my $under = folder() . '/under';
system 'cp', "$build/tests/live/under", $under;
for my $user (users()) {
    my $name = $user->{name};
    my $cpu = sandbox($user, 'fs { allow read "/host/cpuinfo" from "/proc/cpuinfo"; allow read "/proc/cpuinfo"; }');
    my $look = 'head -c 9 /host/cpuinfo; test -e /proc/cpuinfo || echo " not there"';
    my $shown = in_sandbox($user, $cpu, 'sh', '-c', $look);
    is $shown->{out}, slurp('/proc/cpuinfo') =~ s/(.{9}).*/$1 not there\n/sr, "$name: /proc/cpuinfo is not in /proc";

    my $dir = sandbox($user, 'fs { allow read "/srv/a/b" from "./w"; allow read "/data" from "./data";
        deny read "/data/hidden" except "/data/hidden/shown"; allow read, write "/tmp" from tmpfs size 1MiB;
        allow read "/tmp/x/y" from "./w"; }');
    mkdir "$dir/$_" for qw(data data/hidden data/hidden/shown data/hidden/other);
    owned($user, map { "$dir/$_" } qw(data data/hidden data/hidden/shown data/hidden/other));
    my @base = grep { -e "/$_" } qw(bin lib lib64 sbin);
    # folder, what is in it; undef: it can't be listed
    my @ways = (
        ['/', join(' ', sort @base, qw(data dev etc probe proc srv tmp usr))], ['/srv', 'a'], ['/srv/a', 'b'],
        ['/srv/a/b', ''],
        ['/data', 'hidden'], ['/data/hidden', undef], ['/data/hidden/shown', ''], ['/tmp', 'x'], ['/tmp/x', 'y'],
    );
    for my $with (landlock(1) ? 1 : (), 0) {
        my @without = $with ? () : ($under, syscall_number('landlock_create_ruleset') . '=38', '--');
        for my $way (@ways) {
            my ($folder, $in) = @$way;
            my $run = run({ %$user, cwd => $dir }, @without, $sbxrun, 'p.sbx', '--', 'ls', '-A', $folder);
            my $listed = $run->{status} ? undef : join ' ', sort split /\n/, $run->{out};
            is $listed, $in, "$name: listing $folder" . ($with ? '' : ', without Landlock')
                or diag $run->{err};
        }
    }
}

# Root's files look like the sandbox's own, and it makes none that others could use.
SKIP: {
    skip 'not root', 3 if $>;
    my ($user) = grep { !defined $_->{uid} } users();
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; }');
    spew("$dir/w/mine", 'x'); chmod 0600, "$dir/w/mine";
    is in_sandbox($user, $dir, 'cat', '/w/mine')->{out}, 'x', "root's own file, mode 0600";
    is in_sandbox($user, $dir, '/probe', 'chmod-suid', '/w/mine')->{out}, "EPERM\n", 'no setuid bit on it';
    in_sandbox($user, $dir, 'touch', '/w/made');
    is((stat "$dir/w/made")[4], 0, 'what it makes belongs to root, as the folder does');
}
done_testing;
