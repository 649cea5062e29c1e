#!/usr/bin/perl
# Other people's files: root's sandbox has in a folder what the folder's owner has there; an ordinary user's copy of
# what has another group of his is refused before a command fails over it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my ($ordinary) = grep { defined $_->{uid} } users();
plan skip_all => 'only root can make files of others' if $> != 0 || !$ordinary;
my ($uid, $gid) = @$ordinary{qw(uid gid)};
my $root = { name => 'root' };

sub owner { my ($path) = @_; join ':', (lstat $path)[4, 5] }

for my $whose ("$uid:$gid", '0:0', "1234567:$gid") {
    my ($owner, $group) = split /:/, $whose;
    my $dir = sandbox($root, 'fs { allow read, write "/own" from "./own"; deny write "/own/kept"; }
        process { cwd "/own"; }', uses => 'shell');
    mkdir "$dir/$_" for 'own', 'own/private', 'own/kept';
    spew("$dir/own/$_", "$_\n") for 'file', 'private/file', 'kept/file', 'of-another';
    chown $owner, $group, map { "$dir/own$_" } '', map { "/$_" } 'file', 'private', 'private/file', 'kept',
        'kept/file';
    chown 7654321, 7654321, "$dir/own/of-another";
    chmod 0700, "$dir/own/private";
    chmod 0600, "$dir/own/private/file", "$dir/own/kept/file";
    my $run = in_sandbox($root, $dir, 'sh', '-c', 'cat file private/file kept/file of-another; echo more >> file; '
        . 'echo new > new; mkdir private/folder; chmod 640 file; rm private/file; ls -ln file | cut -d" " -f1,3,4');
    if ($run->{err} =~ /no idmapped mounts/ && $owner == 0) {
        pass "$whose: this file system has no idmapped mounts";
        next;
    }
    is $run->{out}, "file\nprivate/file\nkept/file\nof-another\n-rw-r----- 65534 65534\n",
        "$whose: it reads and writes as the owner does" or diag $run->{err};
    is slurp("$dir/own/file"), "file\nmore\n", "$whose: on the host, too";
    is join(' ', map { owner("$dir/own/$_") } 'file', 'new', 'private/folder'), join(' ', ($whose) x 3),
        "$whose: and what it makes is the owner's";
    ok !-e "$dir/own/private/file", "$whose: what it removed is gone";
    $run = in_sandbox($root, $dir, 'sh', '-c', 'echo x >> of-another; rm -f of-another; mv of-another x; '
        . 'chmod 777 of-another; chown 0 of-another; echo x > kept/file; echo x > kept/new; cat of-another');
    is $run->{out}, "of-another\n", "$whose: what belongs to others is read as others may";
    is owner("$dir/own/of-another") . ' ' . slurp("$dir/own/of-another"), "7654321:7654321 of-another\n",
        "$whose: and stays as it was" or diag $run->{err};
    is slurp("$dir/own/kept/file"), "kept/file\n", "$whose: what is only read stays";
}

# A place beneath has the rights of the folder that shows it, not of its own owner.
my $dir = sandbox($root, 'fs { allow read, write "/own" from "./own"; allow read, exec "/own/roots"; }',
    uses => 'shell');
mkdir "$dir/$_" for 'own', 'own/roots';
spew("$dir/own/roots/secret", "x\n");
chmod 0600, "$dir/own/roots/secret";
chown $uid, $gid, "$dir/own";
is in_sandbox($root, $dir, 'cat', '/own/roots/secret')->{out}, '',
    'root\'s files in a folder of others are not its own';

# Copies.
my $second = 4321;
for my $case (['the folder', ''], ['a file', 'sub/file']) {
    my ($what, $path) = @$case;
    my $copy = sandbox($ordinary, 'fs { allow read, write "/c" from overlay "./c" size 1MiB; }', uses => 'shell');
    mkdir "$copy/$_" for 'c', 'c/sub';
    spew("$copy/c/sub/file", "x\n");
    chown $uid, $gid, map { "$copy/c$_" } '', '/sub', '/sub/file';
    my $as = sub {
        my ($groups, @command) = @_;
        return run({ cwd => $copy, within => ['setpriv', '--reuid', $uid, '--regid', $gid, '--groups', $groups] },
            $sbxrun, 'p.sbx', '--', @command);
    };
    my $run = $as->("$gid,$second", 'sh', '-c', 'echo y >> /c/sub/file; cat /c/sub/file');
    SKIP: {
        skip 'this kernel has no overlay in memory', 2 if $run->{err} =~ /needs Linux 6\.6 or newer/;
        is $run->{out}, "x\ny\n", "$what: a user with other groups has copies of what is his" or diag $run->{err};
        chown $uid, $second, "$copy/c/$path";
        $run = $as->("$gid,$second", 'true');
        my $named = quotemeta '/c' . ($path && "/$path");
        like "$run->{status} $run->{err}", qr{^125 sbxrun: \S+$named has another group of yours},
            "$what: of what has another of them it says so before it runs";
    }
}
done_testing;
