#!/usr/bin/perl
# Copy-on-write: the command writes as it likes, the host stays as it was, and what differs can be listed.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
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
    tests { expect allow write "/repo/new"; expect deny write "/repo/locked", "/repo/.git"; expect deny read "/repo/secret"; expect deny exec "/repo"; }');
    mkdir "$dir/$_" for 'repo', 'repo/sub', 'repo/gone', 'repo/locked';
    spew("$dir/repo/$_", "$_\n") for 'a', 'b', 'secret', 'sub/c', 'gone/d', 'gone/e', 'locked/l';
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/repo") if defined $user->{uid} && $> == 0;
    my $before = tree($dir);
    my $mounts = leftovers();
    my $sh = sub { in_sandbox($user, $dir, { args => ['--changes', "$dir/w/changes.json"] }, 'sh', '-c', "cd /repo; $_[0]") };
    my $changes = sub { my $json = eval { decode_json(slurp("$dir/w/changes.json")) } // {}; [ map { join ' ', grep { defined } @$_{qw(what path type size)} } @{ $json->{changes} } ] };

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
    $sh->('rm b; rm -r gone; mkdir gone; echo x > gone/d; mkdir -p deep/er; mkfifo deep/f; ln -s /etc l; rm a; mkdir a; echo cc > sub/c; chmod 0 deep; ln n m; mv sub/c sub/moved');
    is_deeply $changes->(), ['deleted /repo/a file 2', 'created /repo/a folder', 'deleted /repo/b file 2', 'created /repo/deep folder', 'created /repo/deep/er folder', 'created /repo/deep/f fifo', 'deleted /repo/gone folder',
        'created /repo/gone folder', 'created /repo/gone/d file 2', 'created /repo/l link', 'deleted /repo/sub/c file 6', 'created /repo/sub/moved file 3'], "$name: created, deleted, replaced, of every type" or diag explain $changes->();
    $sh->('printf x > "$(printf "bad\\377\\042name")"; : > "$(printf "line\\012break")"');
    my $json = decode_json(slurp("$dir/w/changes.json"));
    is scalar @{ $json->{changes} }, 2, "$name: names of any bytes";
    is pack('H*', $json->{changes}[0]{bytes} // ''), "/repo/bad\xff\"name", "$name: and which";

    # What is denied stays so; what exists is not to be had by copying up.
    for my $try ('echo x > locked/l', 'touch locked/new', 'mv locked l2', 'rm -rf locked/l && test ! -e locked/l', 'touch .git/x', 'mkdir .git/hooks', 'cat secret', 'echo x > secret', 'rm secret', 'mv secret s', 'mknod dev b 8 0', 'cp /usr/bin/true t && chmod +x t && ./t') {
        isnt $sh->($try)->{status}, 0, "$name: refused: $try";
    }
    $sh->('true');
    is_deeply $changes->(), [], "$name: what the view itself needs is no change";

    # Bounds.
    $run = $sh->('dd if=/dev/zero of=big bs=1M count=4 2>&1; i=0; while [ $i -lt 5000 ] && true > f$i; do i=$((i+1)); done; echo $i');
    like $run->{out}, qr/No space left/, "$name: its size holds";
    cmp_ok +(split ' ', $run->{out})[-1], '<', 1000, "$name: and its inodes";

    is tree($dir), $before, "$name: the host is as it was";
    is left_since($mounts), '', "$name: nothing is left";
    is run({ %$user, cwd => $dir }, $sbxc, '--test', '--live', 'p.sbx')->{status}, 0, "$name: its expectations hold in the sandbox";
    $run = in_sandbox($user, $dir, { args => ['--changes', '/nowhere/changes'] }, 'true');
    is $run->{status}, 125, "$name: a list that can't be written stops the run";
    like $run->{err}, qr/cannot write the changes to/, "$name: and says so";
    spew("$dir/file.sbx", 'sbx 1; import std.base; policy file { use std.base; fs { allow read, write "/f" from overlay "./repo/a"; } }');
    like run({ %$user, cwd => $dir }, $sbxrun, 'file.sbx', '--', 'true')->{err}, qr/an overlay shows a folder/, "$name: not of a file";
    spew("$dir/default.sbx", 'sbx 1; import std.base; policy default { use std.base; fs { allow read, write "/r" from overlay "./repo"; allow read "/ro" from overlay "./repo"; } }');
    like run({ %$user, cwd => $dir }, $sbxrun, 'default.sbx', '--', 'sh', '-c', 'df -m /r | tail -1; touch /ro/x')->{out}, qr/\s256\s/, "$name: 256 MiB where nothing is said";
    is run({ %$user, cwd => $dir }, $sbxrun, 'default.sbx', '--', 'sh', '-c', 'touch /r/x /ro/x; test -e /r/x -a ! -e /ro/x')->{status}, 0, "$name: two of one folder know nothing of each other";
}
done_testing;
