#!/usr/bin/perl
# Copy-on-write: the command writes as it likes, the host stays as it was, and what differs can be listed.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

sub tree { my ($dir) = @_; scalar `cd $dir && find repo -printf '%p %y %m %s %T@ %l\n' | sort; cat $dir/repo/a` }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read, write "/repo" from overlay "./repo" size 1MiB;
        deny write "/repo/locked";
        deny write "/repo/.git";
        deny read, write "/repo/secret";
    }
    tests { expect allow write "/repo/new"; expect deny write "/repo/locked", "/repo/.git";
        expect deny read "/repo/secret"; expect deny exec "/repo"; }');
    mkdir "$dir/$_" for 'repo', 'repo/sub', 'repo/gone', 'repo/locked';
    spew("$dir/repo/$_", "$_\n") for 'a', 'b', 'secret', 'sub/c', 'gone/d', 'gone/e', 'locked/l';
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/repo") if defined $user->{uid} && $> == 0;
    my $before = tree($dir);
    my $mounts = leftovers();
    my $sh = sub {
        in_sandbox($user, $dir, { args => ['--changes', "$dir/w/changes.json"] }, 'sh', '-c', "cd /repo; $_[0]");
    };
    my $changes = sub {
        my $json = eval { decode_json(slurp("$dir/w/changes.json")) } // {};
        [ map { join ' ', grep { defined } @$_{qw(what path type size)} } @{ $json->{changes} } ];
    };

    my $run = $sh->('true');
    if ($run->{status} == 125 && $run->{err} =~ /needs Linux 6\.6 or newer/) {
        pass "$name: refused with the reason: this kernel's memory file systems lack attributes";
        next;
    }
    is $run->{status}, 0, "$name: it starts" or diag $run->{err};
    is_deeply $changes->(), [], "$name: nothing changed";
    is $sh->('cat a sub/c')->{out}, "a\nsub/c\n", "$name: the host's files are there";
    is $sh->('echo new > n; echo more >> a; cat a n')->{out}, "a\nmore\nnew\n", "$name: they can be changed";
    is_deeply $changes->(), ['modified /repo/a file 7', 'created /repo/n file 4'], "$name: what was";
    is $sh->('ls; cat a')->{out} =~ /^n$|more/m, '', "$name: in the next run nothing of it is there";
    $sh->('rm b; rm -r gone; mkdir gone; echo x > gone/d; mkdir -p deep/er; mkfifo deep/f; ln -s /etc l; '
        . 'rm a; mkdir a; echo cc > sub/c; chmod 0 deep; ln n m; mv sub/c sub/moved');
    is_deeply $changes->(),
        ['deleted /repo/a file 2', 'created /repo/a folder', 'deleted /repo/b file 2', 'created /repo/deep folder',
        'created /repo/deep/er folder', 'created /repo/deep/f fifo', 'deleted /repo/gone folder',
        'created /repo/gone folder', 'created /repo/gone/d file 2', 'created /repo/l link',
        'deleted /repo/sub/c file 6', 'created /repo/sub/moved file 3'],
        "$name: created, deleted, replaced, of every type" or diag explain $changes->();
    is $sh->(q{python3 -c 'import errno, os
try: os.rename("sub", "other")
except OSError as e: print(errno.errorcode[e.errno])'; mv sub other; cat other/c})->{out}, "EXDEV\nsub/c\n",
        "$name: a folder of the host's is copied, not renamed";
    $sh->('printf x > "$(printf "bad\\377\\042name")"; : > "$(printf "line\\012break")"');
    my $json = decode_json(slurp("$dir/w/changes.json"));
    is scalar @{ $json->{changes} }, 2, "$name: names of any bytes";
    is pack('H*', $json->{changes}[0]{bytes} // ''), "/repo/bad\xff\"name", "$name: and which";

    # What is denied stays so; what exists is not to be had by copying up.
    for my $try ('echo x > locked/l', 'touch locked/new', 'mv locked l2', 'rm -rf locked/l && test ! -e locked/l',
        'touch .git/x', 'mkdir .git/hooks', 'cat secret', 'echo x > secret', 'rm secret', 'mv secret s',
        'mknod dev b 8 0', 'cp /usr/bin/true t && chmod +x t && ./t') {
        isnt $sh->($try)->{status}, 0, "$name: refused: $try";
    }
    $sh->('true');
    is_deeply $changes->(), [], "$name: what the view itself needs is no change";

    # Bounds.
    $run = $sh->('dd if=/dev/zero of=big bs=1M count=4 2>&1; i=0; while [ $i -lt 5000 ] && true > f$i; do i=$((i+1)); '
        . 'done; echo $i');
    like $run->{out}, qr/No space left/, "$name: its size holds";
    cmp_ok +(split ' ', $run->{out})[-1], '<', 1000, "$name: and its inodes";

    is tree($dir), $before, "$name: the host is as it was";
    is left_since($mounts), '', "$name: nothing is left";
    is run({ %$user, cwd => $dir }, $sbxc, '--test', '--live', 'p.sbx')->{status}, 0,
        "$name: its expectations hold in the sandbox";
    # As many, as long and as deep as a command likes.
    my %scripts = (
        nothing => 'sleep 1',
        deep => 'for (1 .. 1500) { mkdir "d" or die $!; chdir "d" or die $!; } open F, ">", "last" or die $!;',
        long =>
        'for (1 .. 400) { mkdir "d" x 250 or die $!; chdir "d" x 250 or die $!; } open F, ">", "last" or die $!;',
        deeper => 'for (1 .. 9000) { mkdir "d" or die $!; chdir "d" or die $!; } open F, ">", "last" or die $!;',
        many =>
        'for (1 .. 60000) { open F, ">", ($_ * 7919) % 60001 . "-" x 60 or die $!; } mkdir "zz"; open F, ">", "zz/x";',
        wide => 'for (1 .. 300) { mkdir "d" x 250 or die $!; chdir "d" x 250 or die $!; } for (1 .. 6000) '
        . '{ open F, ">", "x" x 240 . sprintf "%06d", $_ or die $!; }',
        closed => 'mkdir "none"; open F, ">", "none/x"; mkdir "noexec"; open F, ">", "noexec/x"; chmod 0, "none"; '
        . 'chmod 0400, "noexec"; mkdir "open"; open F, ">", "open/x";',
    );
    my ($base, $text, $left);
    for my $case (
        ['nothing', 0, 0, sub { 1 }],
        ['deep', 1501, 0, sub { $_[-1]{path} eq '/repo' . '/d' x 1500 . '/last' }],
        ['long', 401, 0, sub { length $_[-1]{path} == 5 + 400 * 251 + 5 }],
        ['deeper', 8193, 1, sub {
            $_[-1]{what} eq 'unlisted' && $_[-1]{why} eq 'it lies too deep' && $_[-1]{path} eq '/repo' . '/d' x 8192;
        }],
        ['many', 60002, 0, sub {
            my @paths = map { $_->{path} } @_;
            my %seen = map { $_ => 1 } @paths;
            "@paths" eq join(' ', sort @paths) && keys %seen == 60002;
        }],
        ['wide', undef, undef, sub { @_ > 3000 && length $text < 280 << 20 && $left + @_ == 6300 }],
        ['closed', 6, 0, sub {
            join(' ',
                map { $_->{path} } @_) eq '/repo/noexec /repo/noexec/x /repo/none /repo/none/x /repo/open /repo/open/x';
        }],
    ) {
        my ($what, $count, $unlisted, $holds) = @$case;
        next if $what eq 'deeper' && $user->{name} ne (users())[0]{name}; # the kernel takes its time for that
        my $many = sandbox($user,
            'fs { allow read, write "/repo" from overlay "./w/repo" size 256MiB; allow read "/w" from "./w"; }');
        mkdir "$many/w/repo";
        owned($user, "$many/w/repo");
        spew("$many/w/make.pl", "chdir '/repo'; $scripts{$what}");
        my $pid = fork // die $!;
        if (!$pid) {
            become($user);
            chdir $many;
            open STDERR, '>', "$many/w/err";
            exec $sbxrun, '--changes', "$many/w/changes.json", 'p.sbx', '--', 'perl', '/w/make.pl' or POSIX::_exit(99);
        }
        my $peak = 0;
        while (waitpid($pid, POSIX::WNOHANG()) == 0) {
            if (open my $status, '<', "/proc/$pid/status") {
                my ($kib) = join('', <$status>) =~ /^Name:\s+sbxrun\n.*^VmHWM:\s+(\d+)/ms;
                $peak = $kib if ($kib // 0) > $peak;
            }
            select undef, undef, undef, 0.002;
        }
        $text = slurp("$many/w/changes.json");
        my @list; # without the time that reading JSON takes
        push @list, { what => $1, path => $2, why => $3 } while @list < 100_000
            && $text =~ /\{"what":"(\w+)","path":"([^"]*)","type":"\w+"(?:,"size":\d+)?(?:,"why":"([^"]*)")?\}/g;
        ($left) = $text =~ /\],\n"unlisted":(\d+)\}\n\z/;
        is scalar @list, $count, "$name: $what: all of it is listed" if defined $count;
        is $left, $unlisted, "$name: $what: or said" if defined $unlisted;
        like slurp("$many/w/err"), $left ? qr/^sbxrun: $left of the changes could not be listed, as \S+ says$/m
            : qr/^\z/, "$name: $what: also to who is there";
        ok $holds->(@list), "$name: $what: as it should be" or diag length $text, ' ', substr($text, 0, 300), ' ... ',
            substr($text, -300);
        $base //= $peak;
        cmp_ok $peak, '<=', $base + 8 * 1024, "$name: $what: in the same memory ($peak KiB)";
    }

    $run = in_sandbox($user, $dir, { args => ['--changes', '/nowhere/changes'] }, 'true');
    is $run->{status}, 125, "$name: a list that can't be written stops the run";
    like $run->{err}, qr/cannot write the changes to/, "$name: and says so";
    spew("$dir/file.sbx",
        'sbx 1; import std.base; policy file { use std.base; fs { allow read, write "/f" from overlay "./repo/a"; } }');
    like run({ %$user, cwd => $dir }, $sbxrun, 'file.sbx', '--', 'true')->{err}, qr/an overlay shows a folder/,
        "$name: not of a file";
    spew("$dir/default.sbx", 'sbx 1; import std.base; policy default { use std.base; fs { allow read, write "/r" from '
        . 'overlay "./repo"; allow read "/ro" from overlay "./repo"; } }');
    like run({ %$user, cwd => $dir }, $sbxrun, 'default.sbx', '--', 'sh', '-c',
        'df -m /r | tail -1; touch /ro/x')->{out}, qr/\s256\s/, "$name: 256 MiB where nothing is said";
    is run({ %$user, cwd => $dir }, $sbxrun, 'default.sbx', '--', 'sh', '-c',
        'touch /r/x /ro/x; test -e /r/x -a ! -e /ro/x')->{status}, 0,
        "$name: two of one folder know nothing of each other";
}
done_testing;
