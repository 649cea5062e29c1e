#!/usr/bin/perl
# Helpers are walled in as a command is: their policies are proved, and a stranger in the place of one has nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

for my $policy (glob "$root/enforcer/helpers/*.sbx") {
    my $check = run({ seconds => patience(60) }, $sbxc, '--check', $policy);
    is $check->{status}, 0, "$policy is proved" or diag $check->{out}, $check->{err};
    is run({ seconds => patience(60) }, $sbxc, '--test', $policy)->{status}, 0, 'and its expectations hold';
}

my ($under, $number) = (folder() . '/under', 444);
system 'cp', "$build/tests/live/under", $under;

# Outside of walls, an ordinary user's stranger can most of that.
my ($ordinary) = grep { $_->{name} ne 'root' } users();
SKIP: {
    skip 'there is no ordinary user', 1 if !$ordinary;
    my $free = folder();
    owned($ordinary, $free);
    system 'cp', "$build/tests/live/stranger", "$free/sbximage";
    my $outside = run({ %$ordinary, cwd => $free, in => spew("$free/in", 'tries') }, "$free/sbximage",
        'outside')->{out};
    like $outside, qr/(?:^|\.)$_(?:\.|$)/m, "outside of walls it can: $_"
        for qw(open lock times fork kill-all ptrace pidfd namespace limits memfd code gigabyte socket socketpair);
}

for my $user (users()) {
    for my $without ('', landlock(1) ? ', without Landlock' : ()) {
        my $name = "$user->{name}$without";
        my $dir = folder();
        mkdir "$dir/cache";
        owned($user, $dir, "$dir/cache");
        system 'cp', $sbxrun, $dir;
        system 'cp', "$build/tests/live/stranger", "$dir/sbximage";
        my %o = (%$user, cwd => $dir, env => { XDG_CACHE_HOME => "$dir/cache" },
            $without ? (within => [$under, "$number=38", '--']) : ());
        spew("$dir/p.sbx", "sbx 1;\nimport std.base;\n"
            . "policy p { use std.base.inside; fs { allow read, exec \"/\" from image \"./i.tar\"; } }\n");
        my $as_root = $user->{name} eq 'root';

        # What it tries, and what there is to say of that.
        spew("$dir/i.tar", 'tries');
        like run(\%o, "$dir/sbxrun", 'p.sbx', '--', '/x')->{err}, qr/^sbxrun: cannot unpack \S+: held \(p\.sbx:3/,
            "$name: a stranger in sbximage's place has nothing";

        # As one that unpacks a layer it can set times, too.
        spew("$dir/l.tar", 'tries');
        mkdir "$dir/under";
        owned($user, "$dir/under");
        spew("$dir/l.sbx", "sbx 1;\nimport std.base;\npolicy l { use std.base;\n"
            . "fs { allow read, write \"/w\" from overlay \"./under\"; } }\n");
        like run(\%o, "$dir/sbxrun", '--layer', 'l.tar', 'l.sbx', '--', 'true')->{err},
            qr/^sbxrun: cannot unpack \S+: times$/m, "$name: nor has one that unpacks a layer, but for times";

        # What it is, seen from outside.
        spew("$dir/i.tar", 'wait' . rand);
        my $pid = fork // die $!;
        if (!$pid) {
            become($user);
            chdir $dir;
            $ENV{XDG_CACHE_HOME} = "$dir/cache";
            open STDERR, '>', '/dev/null';
            exec @{ $o{within} // [] }, "$dir/sbxrun", 'p.sbx', '--', '/x' or POSIX::_exit(99);
        }
        my ($helper, $status) = (0, '');
        for (my $until = time + patience(10); time < $until && !$helper; select undef, undef, undef, 0.05) {
            for my $child (split ' ', slurp("/proc/$pid/task/$pid/children")) {
                next if !open my $file, '<', "/proc/$child/status";
                $status = join '', <$file>;
                $helper = $child if $status =~ /^Name:\s+sbximage$/m;
            }
        }
        my %is = $status =~ /^(\w+):\s*(.*)$/mg;
        is $is{Uid}, join("\t", ($as_root ? 0x7FFE0000 : $user->{uid} // $>) x 4), "$name: it is the outside identity";
        is "$is{CapEff} $is{CapPrm} $is{CapInh} $is{CapBnd} $is{CapAmb}", join(' ', ('0' x 16) x 5),
            "$name: without a capability";
        is "$is{NoNewPrivs} $is{Seccomp}", '1 2', "$name: under a filter";
        is +(split ' ', $is{NSpid})[-1], 1, "$name: alone";
        my %shared = map {
            my $ns = $_;
            (readlink("/proc/$helper/ns/$ns") // "?$ns") eq (readlink("/proc/self/ns/$ns") // '') ? ($ns => 1) : ();
        } qw(user pid mnt net ipc uts cgroup);
        is join(' ', sort keys %shared), '', "$name: in namespaces of its own";
        my @open = map { s{.*/}{}r } glob "/proc/$helper/fd/*";
        is "@open", '0 1 2', "$name: with what it was given open" if @open;
        my %limits = slurp("/proc/$helper/limits") =~ /^(Max .*?)  +\S+ +(\S+)/mg;
        is "$limits{'Max data size'} $limits{'Max cpu time'} $limits{'Max processes'}", 512 * 1024 * 1024 . ' 600 1',
            "$name: with limits";
        kill 'TERM', $pid;
        waitpid $pid, 0;
        is $? & 127, 15, "$name: ended with what waits for it";
        is kill(0, $helper), 0, "$name: and it has ended too" or kill 'KILL', $helper;
        is join(' ', glob "$dir/cache/sbx/unpacked/new-*"), '', "$name: nothing of it stays";

        # Not there, and no program.
        unlink "$dir/sbximage";
        if (!-x '/usr/bin/sbximage') {
            like run(\%o, "$dir/sbxrun", 'p.sbx', '--', '/x')->{err},
                qr/^sbxrun: sbximage is not there \(p\.sbx:3.*\n.*installed beside sbxrun/,
                "$name: when it is not there, that is said";
        }
        spew("$dir/sbximage", 'no program');
        chmod 0755, "$dir/sbximage";
        like run(\%o, "$dir/sbxrun", 'p.sbx', '--', '/x')->{err},
            qr/^sbxrun: cannot execute sbximage: Exec format error \(p\.sbx:3/, "$name: and when it is no program";
    }
}
done_testing;
