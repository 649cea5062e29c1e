#!/usr/bin/perl
# sbxrun's caches are in no view: not in one of a home that may be written, not by a link, not by another mount, and
# nobody can make them first.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

my $under = folder() . '/under';
system 'cp', "$build/tests/live/under", $under;

for my $user (users()) {
    for my $without ('', landlock(1) ? ', without Landlock' : ()) {
        my $name = "$user->{name}$without";
        my $root = $user->{name} eq 'root';
        my $home = folder();
        mkdir "$home/$_" for 'work', 'work/other', 'mounted', 'mounted/deep', 'xdg';
        symlink '.cache/sbx', "$home/work/../link";
        symlink 'xdg', "$home/linked";
        owned($user, $home, glob "$home/* $home/mounted/deep $home/work/other");
        system 'chown', '-h', "$user->{uid}:$user->{gid}", "$home/link", "$home/linked" if defined $user->{uid};
        # Root's cache is where it is, so what stands for a home is what it lies in.
        my ($shown, $at) = $root ? ('/var', 'cache/sbx') : ($home, '.cache/sbx');
        my %o = (%$user, cwd => "$home/work", env => { HOME => $home, XDG_CACHE_HOME => '' },
            $without ? (within => [$under, '444=38', '--']) : ());
        my $policy = sub {
            my ($rule, $more) = @_;
            spew("$home/work/p.sbx", "sbx 1;\nimport std.base;\npolicy p { use std.base; fs { $rule } }\n");
        };
        my $inside = sub {
            my ($script, @args) = @_;
            my $run = run(\%o, $sbxrun, @args, 'p.sbx', '--', 'sh', '-c', $script);
            return $run->{out} . ($run->{err} =~ s/^sbxrun: denied.*\n.*\n//mgr);
        };
        my $tries = "for t in 'ls AT' 'ls AT/plans' 'mkdir AT/new' 'mv AT AT-moved' 'rmdir AT' 'touch AT/plans/000'; "
            . "do LC_ALL=C sh -c \"\$t\" 2>&1 | sed 's/.*: //'; done";

        # What there was not is there before a sandbox is.
        $policy->("allow read, write \"/h\" from \"$shown\";");
        my $first = $inside->("mkdir -p /h/$at/plans 2>&1; echo made", '--no-cache');
        like $first, qr/(?:Permission denied|Read-only file system)\nmade\n$/, "$name: a sandbox can't make the caches";
        ok -d "$shown/$at", "$name: which are there from the start";

        my $fifo = "$shown/$at/fifo-$$"; # of a layer, say: it is hidden, and no reason to refuse a run without Landlock
        POSIX::mkfifo($fifo, 0666);
        owned($user, $fifo);
        my $above = $at =~ s{/.*}{}r;
        for my $case (['read, write', '', 'written'], ['read', '', 'read'], ['read, write', 'overlay ', 'an overlay'],
            ['read', 'overlay ', 'an overlay to be read']) {
            $policy->("allow $case->[0] \"/h\" from $case->[1]\"$shown\";");
            my $out = $inside->($tries =~ s{AT}{/h/$at}gr);
            next if $case->[1] && $out =~ /needs Linux 6\.6 or newer/;
            my @out = split /\n/, $out;
            is scalar(@out), 6, "$name: where the home is $case->[2], six tries fail" or diag $out;
            is scalar(grep { !/^(?:Permission denied|Device or resource busy|Read-only file system)$/ } @out), 0,
                "$name: each as it should" or diag $out;
        }
        unlink $fifo;
        $policy->("allow read, write \"/h\" from \"$shown\";");
        like $inside->("mv /h/$above /h/$above-moved 2>&1"), qr/Device or resource busy/,
            "$name: what they lie in can't be moved";
        like $inside->("mkdir /h/sbx-other 2>&1 && rmdir /h/sbx-other && echo written"), qr/^written$/m,
            "$name: the rest can be written";

        # What lies in them.
        for my $case (["$shown/$at", 'itself'], ["$shown/$at/plans", 'a part of it'],
            $root ? () : (["$home/link", 'by a link'])) {
            $policy->("allow read, write \"/c\" from \"$case->[0]\";");
            my $run = run(\%o, $sbxrun, 'p.sbx', '--', 'true');
            is $run->{status}, 125, "$name: refused: $case->[1]";
            like $run->{err}, qr/lies in sbxrun's own cache, which no sandbox sees \(p\.sbx:3.*\n.*show another folder/,
                "$name: and why";
        }
        $policy->("allow read, write \"/c\" from overlay \"$shown/$at\";");
        my $overlay = run(\%o, $sbxrun, 'p.sbx', '--', 'true');
        like $overlay->{err}, qr/lies in sbxrun's own cache|needs Linux 6\.6/, "$name: refused: an overlay of itself";
        spew("$shown/$at/plans/readable", 'x') if !$root;
        owned($user, "$shown/$at/plans/readable") if !$root;
        my ($kept) = grep { -f } glob "$shown/$at/plans/*";
        SKIP: {
            skip "$name: no plan is kept here", 1 if !$kept;
            spew("$home/work/p.sbx", "sbx 1;\nimport std.base;\npolicy p { use std.base; "
                . "secrets { T from file \"$kept\" at \"/t\"; } }\n");
            like run(\%o, $sbxrun, 'p.sbx', '--', 'cat', '/t')->{err}, qr/lies in sbxrun's own cache, which no sandbox/,
                "$name: refused: a secret from there";
        }

        # By another mount of the host's, deeper in what is shown.
        my @mounts = $root ? ('unshare', '--mount')
            : ('unshare', '--user', '--map-current-user', '--keep-caps', '--mount');
        my $mounted = sub {
            my ($from, $script) = @_;
            run(\%o, @mounts, 'sh', '-c',
                "mount --bind $from $home/mounted/deep && exec $sbxrun p.sbx -- sh -c '$script'");
        };
        SKIP: {
            skip "$name: nobody may mount here", 6
                if run(\%o, @mounts, 'mount', '--bind', $home, "$home/mounted/deep")->{status} != 0;
            for my $may ('read, write', 'read') {
                $policy->("allow $may \"/m\" from \"$home/mounted\";");
                my $run = $mounted->($shown, "ls /m/deep >/dev/null && LC_ALL=C ls /m/deep/$at 2>&1");
                like $run->{out} . $run->{err}, qr/Permission denied/, "$name: by another mount of the home: $may";
                $run = $mounted->("$shown/$at", 'LC_ALL=C ls /m/deep 2>&1');
                like $run->{out} . $run->{err}, qr/Permission denied/, "$name: by another mount of its own: $may";
                $run = $mounted->("$shown/$at/plans", 'LC_ALL=C ls /m/deep 2>&1; LC_ALL=C touch /m/deep/000 2>&1');
                unlike $run->{out} . $run->{err}, qr/^(?:\w{3}|readable)$/m,
                    "$name: by another mount of a part of it: $may";
            }
        }

        # A cache that a link leads to could be another one tomorrow.
        next if $root;
        spew("$home/work/q.sbx", "sbx 1;\nimport std.base;\npolicy q { use std.base; command \"true\"; }\n");
        my %linked = (%o, env => { HOME => $home, XDG_CACHE_HOME => "$home/linked" });
        run(\%linked, $sbxrun, 'q.sbx');
        is join(' ', glob "$home/xdg/sbx/plans/*"), '', "$name: nothing is kept where a link leads";
        spew("$home/work/q.sbx", "sbx 1;\nimport std.base;\n"
            . "policy q { use std.base; fs { allow read \"/i\" from image \"./p.sbx\"; } command \"true\"; }\n");
        like run(\%linked, $sbxrun, 'q.sbx')->{err},
            qr/the cache of images, \S+: a symbolic link leads there, .* set XDG_CACHE_HOME/, "$name: and that is said";

        # One that is not there and can't be made: a sandbox that may write above it could make it.
        my $other = folder();
        for my $case (['a link that leads nowhere', sub { symlink 'nowhere', "$other/.cache" }],
            ['a file', sub { spew("$other/.cache", '') }],
            ['a folder that nobody may write', sub { mkdir "$other/.cache"; chmod 0555, "$other/.cache" }]) {
            $case->[1]->();
            mkdir "$other/work";
            owned($user, $other, "$other/work");
            system 'chown', '-h', "$user->{uid}:$user->{gid}", "$other/.cache" if defined $user->{uid};
            my %other = (%o, env => { HOME => $other, XDG_CACHE_HOME => '' });
            for my $shown ('read, write', 'read', 'work') {
                $policy->($shown eq 'work' ? "allow read, write \"/h\" from \"$other/work\";"
                    : "allow $shown \"/h\" from \"$other\";");
                my $run = run(\%other, $sbxrun, 'p.sbx', '--', 'true');
                is $run->{status}, $shown eq 'read, write' ? 125 : 0, "$name: the cache's folder is $case->[0]: $shown"
                    or diag $run->{err};
                my $said = $shown eq 'read, write' ? qr/could make sbxrun's own cache beneath \Q$other\E/ : qr/^$/;
                like $run->{err}, $said, "$name: as is said";
            }
            -d "$other/.cache" && !-l "$other/.cache" ? rmdir "$other/.cache" : unlink "$other/.cache";
        }
    }
}
done_testing;
