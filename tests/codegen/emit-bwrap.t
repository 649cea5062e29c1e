#!/usr/bin/perl
# Policies as command lines of bubblewrap: the shell and bwrap take them, whatever names stand in them; and what a
# program can do behind one is what it can do behind sbxrun, but for what is said to be wider.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Emitted;
use Sbx;
use Test::More;

my $dir = folder();
my ($uid, $gid) = user();
my %user = (uid => $uid, gid => $gid);
my $bwrap = (grep { -x } map { "$_/bwrap" } split /:/, $ENV{PATH})[0];
my $none = !$bwrap ? 'bwrap is not installed'
    : run({ %user, cwd => '/' }, $bwrap, '--unshare-user', '--ro-bind', '/', '/', 'true')->{err};
my $overlays = $bwrap && run($bwrap, '--help')->{out} =~ /--tmp-overlay/;
my @emit = ($sbxc, '--emit=bwrap', '--no-proof');

# A policy with all that a view can have, and its command line: all options known, each comment one.
my $place = "$dir/odd\ntouch ran\n'folder";
mkdir $place or die $!;
my $all = all_of_it($place, 'env "SBX_KEY"', '');
my @files = (library(), $all);
my %known = map { $_ => 1 } $bwrap ? run($bwrap, '--help')->{out} =~ /(--[a-z-]+)/g : ();
for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)\.sbx$}s;
    my $run = run(@emit, '-o', "$dir/$name.sh", $file);
    is $run->{status}, 0, $name or diag $run->{err};
    $run = run('bash', '-n', "$dir/$name.sh");
    is $run->{status}, 0, '  bash reads it' or diag $run->{err};
    SKIP: {
        skip 'bwrap is not installed', 1 unless $bwrap;
        my ($options) = slurp("$dir/$name.sh") =~ /^exec bwrap(.*?)^  -- /ms;
        my @strange = grep { !$known{$_} } $options =~ /(?:^  | )(--[a-z-]+)(?= )/mg;
        @strange = grep { !/overlay/ } @strange unless $overlays;
        is "@strange", '', '  bwrap knows its options';
    }
}
my $script = slurp("$dir/all.sh");
my ($comments) = $script =~ /\A#!\/bin\/bash\n((?:#.*\n)+)uid=1234\n/;
for my $said (
    ['programs there can be run', 'allow read, write "/w" from'], ['no limit of pids', 'pids 64'],
    ['no limit of open_files', 'open_files 64'],
    ['user_namespaces is not asked for', 'require user_namespaces'],
    ['no address is compared; outside', 'allow connect tcp loopback:8000'],
    ['it tells of bwrap\'s own process, and of settings and state of the host', 'allow read "/proc" from proc'],
) {
    like $comments, qr/^# \Q$said->[0]\E.* \(.+:\d+:\d+: \Q$said->[1]\E/m, "it says: $said->[0]";
}

unlike $comments, qr/landlock is not/, 'and not of what may be missing';

# What a program can do.
SKIP: {
    skip "bwrap can make no sandbox here: $none", 9 if $none;
    socket my $server, 2, 1, 0 or die $!;
    listen $server, 1 or die $!;
    my ($port) = unpack 'x2 n', getsockname $server;
    my $probe = what_it_can($port);
    system('chown', '-R', "$uid:$gid", "$place/w") == 0 or die if $> == 0;
    my %how = (%user, cwd => $dir, env => { SBX_KEY => "k'y\n", SBX_SEEN => 'seen', SBX_OTHER => 'other' });
    my $ours = run(\%how, $sbxrun, $all, '--', 'sh', '-c', $probe);
    is $ours->{status}, 0, 'sbxrun' or diag $ours->{err};
    unlink "$place/w/new", "$place/w/later";
    my $theirs = run(\%how, 'bash', "$dir/all.sh", 'sh', '-c', $probe);
    is $theirs->{status}, 0, 'bwrap' or diag $theirs->{err};
    is $theirs->{out}, $ours->{out}, 'a program can do the same';
    like $theirs->{out}, qr{^cat /w/secret: no\n.*^touch /w/new: yes\n}ms, 'some of it, and some not';
    is_deeply [grep { -e } "$dir/ran", "$place/ran", "$place/w/ran"], [], 'no name is run';
    like $theirs->{out}, qr/^-1: 18$/m, 'the filter answers as the policy says';

    # What sbxrun would do in its place it does itself, and is not held to the rule.
    my $out = spew("$dir/out.sbx",
        'sbx 1; import std.base; policy out { use std.base; net { allow connect tcp 10.0.0.1:1; } }');
    is run(@emit, '-o', "$dir/out.sh", $out)->{status}, 0, 'with a rule on addresses';
    like slurp("$dir/out.sh"), qr/^# no address is compared, and the host's network is reached \(.*10\.0\.0\.1:1\)$/m,
        'that it is wider there';
    $probe =~ /^perl -MSocket.*?^.*?$/ms;
    like run(\%how, 'bash', "$dir/out.sh", 'sh', '-c', $&)->{out}, qr/connected/, 'it is';
}

# What there is no command line for.
my $refused = sub {
    my ($rules, $why, $what) = @_;
    my $run = run(@emit, spew("$dir/no.sbx", "sbx 1;\npolicy no {\n    $rules\n}\n"));
    is $run->{status}, 1, "refused: $what";
    like $run->{err}, $why, '  said why';
    is $run->{out}, '', '  and nothing is made';
};
$refused->('fs { allow read "/" from image "./i.tar" size 1MiB; }',
    qr/^sbxc: bubblewrap unpacks no image: unpack it, and show the folder \(\S+no\.sbx:3:\d+: allow read .*\)\n$/,
    'an image');
$refused->('secrets { K from env "A;touch ran" at "/k"; }', qr/^sbxc: bash has no variable `A;touch ran`: name it by/,
    'a variable that bash can\'t name');
done_testing;
