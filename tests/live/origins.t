#!/usr/bin/perl
# What a run is made of: the sandbox changes none of it where it may write, so the next run is under the same policy.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

# Each of these changes a file, or what has its name.
my $changes = 'for f in FILES; do (echo x >> $f; echo x > $f; rm -f $f; mv $f moved; mv new $f; cp new $f; '
    . 'ln -f new $f; chmod 0 $f; touch -d @0 $f; truncate -s 0 $f; ln $f linked; '
    . 'echo x >> linked; perl -e "utime 0, 0, shift" $f); done 2> /dev/null; '
    . 'mv sub moved; rm -rf sub; mkdir -p sub; echo x > new; cat new';

for my $user (users()) {
    my $name = $user->{name};
    my $home = folder();
    owned($user, $home);
    my $own = { %$user, env => { HOME => $home, XDG_CACHE_HOME => '' }, seconds => 60 };
    my $project = sub { # a folder with a policy, what it imports, a secret and a folder with more, all of it writable
        my ($rules) = @_;
        my $dir = folder();
        mkdir "$dir/$_" for 'w', 'w/sub', 'out', 'lib';
        spew("$dir/w/p.sbx", "sbx 1;\nimport std.shell;\nimport \"sub/i.sbx\" as i;\npolicy p {\n    use std.shell;\n"
            . '    use i.i; command "/bin/true"; fs { allow read, write "/w" from "."; ' . ($rules // '')
            . " }\n    secrets { S from file \"sub/key\" at \"/run/key\"; }\n    process { cwd \"/w\"; }\n}\n");
        spew("$dir/w/sub/i.sbx", "sbx 1;\npolicy i { fs { allow read, write \"/tmp\" from tmpfs size 1MiB; } }\n");
        spew("$dir/w/sub/key", "secret\n");
        spew("$dir/w/new", "new\n");
        system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) == 0 or die if defined $user->{uid} && $> == 0;
        return $dir;
    };
    my $state = sub {
        my ($dir, @files) = @_;
        return join ' ', map {
            my @stat = lstat "$dir/$_";
            my $text = @stat ? slurp("$dir/$_") : '';
            "$_ @stat[1 .. 3] @stat[4, 5, 7, 9] $text";
        } @files;
    };
    my @files = qw(p.sbx sub/i.sbx sub/key);
    my $tries = $changes =~ s/FILES/@files other q.sbx/r;

    # Such a program would change a file that nothing is made of.
    my $dir = $project->();
    owned($user, spew("$dir/w/$_", "other\n")) for 'other', 'q.sbx';
    my $before = $state->("$dir/w", @files);
    for my $run ('compiled', 'from the cache') {
        my $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', $tries);
        is "$tried->{status} $tried->{out}", "0 x\n", "$name: $run: its folder can be written" or diag $tried->{err};
        is $state->("$dir/w", @files), $before, "$name: $run: what it is made of stays as it is";
        isnt eval { slurp("$dir/w/other") }, "other\n", "$name: $run: another file does not";
        isnt eval { slurp("$dir/w/q.sbx") }, "other\n", "$name: $run: another policy there does not";
    }
    my $dry = run({ %$own, cwd => "$dir/w" }, $sbxrun, '--dry-run', 'p.sbx');
    like $dry->{out}, qr/^made of\s+p\.sbx\n\s+\S*sub\/i\.sbx\n\s+the file of the secret S\n\s+which nothing in/m,
        "$name: --dry-run says so";

    # Also where it is shown twice, or as itself, or its own rules let it be written.
    $dir = $project->('allow read, write "/v/x" from "./sub"; allow read, write "/self" from "./p.sbx"; '
        . 'allow read, write "/w/sub/key" from "./sub/key";');
    $before = $state->("$dir/w", @files);
    my $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', $tries
        . '; cd /v/x; (rm -f i.sbx key; echo x > key; echo x > /self; mv i.sbx j) 2> /dev/null; echo y > z; cat z');
    is "$tried->{status} $tried->{out}", "0 x\ny\n", "$name: shown at several places" or diag $tried->{err};
    is $state->("$dir/w", @files), $before, "$name: it stays at each";

    # A plan in a file.
    $dir = $project->();
    run({ %$own, cwd => "$dir/w" }, $sbxc, '--emit=plan', '-o', 'plan.json', 'p.sbx');
    $before = $state->("$dir/w", 'plan.json');
    $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'plan.json', '--', 'sh', '-c',
        $changes =~ s/FILES/plan.json p.sbx/r);
    is "$tried->{status} $tried->{out}", "0 x\n", "$name: a plan in a file" or diag $tried->{err};
    is $state->("$dir/w", 'plan.json'), $before, "$name: stays as it is";

    # In a copy nothing of the host's is changed, and so there is nothing to keep.
    SKIP: {
        $dir = $project->('allow read, write "/o" from overlay "sub" size 4MiB;');
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, '--keep', 'layer.tar', 'p.sbx', '--', 'sh', '-c',
            'echo x > /o/left');
        skip 'this kernel has no overlay in memory', 3 if $tried->{err} =~ /needs Linux 6\.6 or newer/;
        owned($user, "$dir/w/layer.tar");
        $before = $state->("$dir/w", 'layer.tar');
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, '--layer', 'layer.tar', 'p.sbx', '--', 'sh', '-c',
            ($changes =~ s/FILES/layer.tar/r) . '; cat /o/left');
        is "$tried->{status} $tried->{out}", "0 x\nx\n", "$name: a layer of an earlier run" or diag $tried->{err};
        is $state->("$dir/w", 'layer.tar'), $before, "$name: stays, too";
        $dir = $project->();
        spew("$dir/w/p.sbx", slurp("$dir/w/p.sbx") =~ s/from "\."/from overlay "." size 4MiB/r);
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', 'echo x > p.sbx; cat p.sbx');
        is $tried->{out}, "x\n", "$name: a copy can be written" or diag $tried->{err};
    }

    # By a link: of somebody else's folder it is followed; of one that may be written it is none to believe.
    $dir = $project->();
    symlink "$dir/w/p.sbx", "$dir/link.sbx";
    $before = $state->("$dir/w", @files);
    $tried = run({ %$own, cwd => $dir }, $sbxrun, 'link.sbx', '--', 'sh', '-c', $tries);
    is $state->("$dir/w", @files), $before, "$name: through a link";
    is $tried->{out}, "x\n", "$name: and runs" or diag $tried->{err};
    symlink "p.sbx", "$dir/w/l.sbx";
    $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, '--no-cache', 'l.sbx', '--', 'echo', 'ran');
    is "$tried->{status} $tried->{out}", '125 ', "$name: a link that the sandbox could change is refused";
    like $tried->{err}, qr/l\.sbx is, or passes, a symbolic link that the sandbox could have made$/m, "$name: and told";

    # What is looked for before it is found elsewhere could be made.
    $dir = $project->();
    spew("$dir/lib/far.sbx", "sbx 1;\npolicy far { fs { allow read \"/run/far\" from text \"x\"; } }\n");
    spew("$dir/w/p.sbx",
        slurp("$dir/w/p.sbx") =~ s/import "sub/import far;\nimport "sub/r =~ s/use i.i;/use i.i; use far;/r);
    for my $cache (0, 1) {
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, $cache ? () : '--no-cache', '-I', '../lib', 'p.sbx', '--',
            'echo', 'ran');
        is "$tried->{status} $tried->{out}", '125 ', "$name: an import that the sandbox could make is refused";
        like $tried->{err}, qr/^sbxrun: the sandbox could make \S*\/w\/far\.sbx, and the next run would/m,
            "$name: and told";
    }
    spew("$dir/out/p.sbx",
        slurp("$dir/w/p.sbx") =~ s/"sub\/i/"i/r =~ s/sub\/key/key/r =~ s/from "\."/from ".\/own"/r);
    system('cp', "$dir/w/sub/i.sbx", "$dir/w/sub/key", "$dir/out") == 0 or die;
    mkdir "$dir/out/own";
    owned($user, "$dir/out/own", "$dir/out/key");
    $tried = run({ %$own, cwd => "$dir/out" }, $sbxrun, '-I', '../lib', 'p.sbx', '--', 'echo', 'ran');
    is $tried->{out}, "ran\n", "$name: one that it could not is none" or diag $tried->{err};

    # Where the folder lies at a second place, too.
    if ($> == 0 && $name eq 'root') {
        $dir = $project->();
        mkdir "$dir/second";
        mkdir "$dir/second/w";
        system('mount', '--bind', "$dir/w", "$dir/second/w") == 0 or die;
        spew("$dir/w/p.sbx", slurp("$dir/w/p.sbx") =~ s/from "\."/from "$dir\/second\/w"/r);
        $before = $state->("$dir/w", @files);
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', $tries);
        is $tried->{out}, "x\n", "$name: shown by another mount" or diag $tried->{err};
        is $state->("$dir/w", @files), $before, "$name: it stays";
        spew("$dir/w/p.sbx", slurp("$dir/w/p.sbx") =~ s/\/second\/w"/\/second"/r);
        $before = $state->("$dir/w", @files);
        $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', "cd w; $tries");
        is $tried->{out}, "x\n", "$name: within another mount" or diag $tried->{err};
        is $state->("$dir/w", @files), $before, "$name: it stays there, too";
        system('umount', "$dir/second/w") == 0 or die;
    }

    # An archive.
    $dir = folder();
    mkdir "$dir/w";
    system("mkdir -p $dir/t/x && echo hello > $dir/t/x/file && tar -C $dir/t -cf $dir/w/image.tar x") == 0 or die;
    spew("$dir/w/p.sbx", "sbx 1;\nimport std.shell;\npolicy p {\n    use std.shell;\n    fs {\n        "
        . "allow read, write \"/w\" from \".\"; allow read \"/image\" from image \"image.tar\";\n    }\n"
        . "    process { cwd \"/w\"; }\n}\n");
    spew("$dir/w/new", "new\n");
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir) == 0 or die if defined $user->{uid} && $> == 0;
    $before = $state->("$dir/w", 'image.tar');
    $tried = run({ %$own, cwd => "$dir/w" }, $sbxrun, 'p.sbx', '--', 'sh', '-c', ($changes =~ s/FILES/image.tar/r)
        . '; cat /image/x/file');
    is $tried->{out}, "x\nhello\n", "$name: an image" or diag $tried->{err};
    is $state->("$dir/w", 'image.tar'), $before, "$name: what it is unpacked from stays";
}
done_testing;
