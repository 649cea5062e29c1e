#!/usr/bin/perl
# Odd places to be started in: without namespaces, within others, from a folder that is gone, under other filters.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

my ($ordinary) = grep { defined $_->{uid} } users();
my $dir = sandbox($ordinary, 'command "/bin/echo", "ran"; fs { allow read "/w" from cwd "w"; }');
sub within { my (@outer) = @_; run({ %$ordinary, cwd => $dir }, @outer) }

my $run = within('unshare', '--user', '--map-root-user', 'sh', '-c',
    "echo 0 > /proc/sys/user/max_user_namespaces && exec $sbxrun p.sbx");
is "$run->{status} $run->{out}", '125 ', 'no more user namespaces';
like $run->{err}, qr/cannot make.*No space left.*\n.*sysctl user.max_user_namespaces/, 'says what to do';
$run = within('unshare', '--user', '--map-root-user', $sbxrun, 'p.sbx');
is $run->{out}, "ran\n", 'as root of a namespace, which is somebody ordinary' or diag $run->{err};
$run = within('unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc', $sbxrun, 'p.sbx');
is $run->{out}, "ran\n", 'in another pid namespace' or diag $run->{err};
$run = within('sh', '-c', "mkdir w/gone && cd w/gone && rmdir ../gone && $sbxrun $dir/p.sbx");
is $run->{status}, 125, 'from a folder that is gone, with a rule that needs it';
like $run->{err}, qr/cannot tell where w is on the host/, 'says so';
my $other = sandbox($ordinary, 'command "/bin/echo", "ran";');
$run = within('sh', '-c', "mkdir w/gone && cd w/gone && rmdir ../gone && $sbxrun $other/p.sbx");
is $run->{out}, "ran\n", 'from a folder that is gone, without' or diag $run->{err};

# /proc that is not whole, as in containers.
$run = within('unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', 'sh', '-c',
    "mount -t proc proc /proc && mount -t tmpfs none /proc/sys && exec $sbxrun $other/p.sbx");
if ($run->{status} == 125) {
    like $run->{err}, qr/cannot mount a proc.*\n.*systempaths=unconfined/, 'a masked /proc: refused, with what to do';
}
else { is $run->{out}, "ran\n", 'a masked /proc, which this kernel does not mind' }

# sbxrun in sbxrun: refused by the outer one's filter.
my $nested = sandbox($ordinary,
    "fs { allow read, exec \"/sbxrun\" from \"$sbxrun\"; allow read \"/p\" from \"$other\"; }");
$run = run({ %$ordinary, cwd => $nested }, $sbxrun, 'p.sbx', '--', '/sbxrun', '/p/p.sbx');
is $run->{status}, 125, 'in a sandbox of its own making';
like $run->{err}, qr/cannot make the sandbox's namespaces: Function not implemented\n.*hides clone3/,
    'says what is missing';

# Under filters of others that hide what is needed: refused, and said what; without Landlock it runs, where the policy
# does not need it.
my $under = folder() . '/under';
system 'cp', "$build/tests/live/under", $under;
my $landlock = syscall_number('landlock_create_ruleset');
for my $case (['fsopen', 38], ['open_tree', 1], ['move_mount', 1], ['mount_setattr', 38], ['fsmount', 1], ['unshare',
        1], ['pivot_root', 1], ['seccomp', 1], ['openat2', 38], ['clone3', 1], ['close_range', 38], ['prctl', 1]) {
    my ($call, $error) = @$case;
    my $number = syscall_number($call) // next;
    $run = run({ %$ordinary, cwd => $other }, $under, "$number=$error", '--', $sbxrun, 'p.sbx');
    is "$run->{status} $run->{out}", '125 ', "where $call fails: nothing runs";
    like $run->{err}, qr/^sbxrun: \S/, "where $call fails: it says so";
    my $doctor = run({ %$ordinary, cwd => $other }, $under, "$number=$error", '--', $sbxrun, '--doctor', 'p.sbx');
    is $doctor->{status}, 125, "where $call fails: the doctor says that nothing runs";
    like $doctor->{out}, qr/nothing runs here:\nsbxrun: \S/, "where $call fails: and why";
}

# What --doctor says comes true.
my $tried = '/tmp/sbx-doctor-*'; # its files
my %others = map { $_ => 1 } glob $tried;
my $doctor = within($sbxrun, '--doctor', "$other/p.sbx");
is $doctor->{status}, 0, 'the doctor finds nothing that forbids running' or diag $doctor->{out};
is scalar(() = $doctor->{out} =~ /^ok +(?:kernel|namespaces) /mg), 2, 'it says what there is' or diag $doctor->{out};
like $doctor->{out}, qr/^Under the policy p commands run here, and every rule is enforced\.$/m,
    'and what a policy comes to';
is within($sbxrun, '--doctor')->{status}, 0, 'without a policy too';
$doctor = within('unshare', '--user', '--map-root-user', 'sh', '-c',
    "echo 0 > /proc/sys/user/max_user_namespaces && exec $sbxrun --doctor");
is $doctor->{status}, 125, 'no more user namespaces: nothing runs';
like $doctor->{out}, qr/^MISSING +namespaces .*\n.*\n +fix: .*sysctl user\.max_user_namespaces/m,
    'and how that is changed' or diag $doctor->{out};
$doctor = run({ %$ordinary, cwd => $other }, $under, "$landlock=38", '--', $sbxrun, '--doctor', 'p.sbx');
like $doctor->{out}, qr/^less +Landlock +none\n.*\n +fix: /m, 'without Landlock' or diag $doctor->{out};
is $doctor->{status}, 0, 'where this policy runs';
spew("$other/limited.sbx", 'sbx 1; import std.base; policy limited { use std.base; limits { memory 64MiB; } }');
my ($said, $does) = map { run({ %$ordinary, cwd => $other }, $sbxrun, @$_)->{status} } ['--doctor', 'limited.sbx'],
    ['limited.sbx', '--', '/bin/true'];
is $said, $does, 'a limit that can be kept here, or not';
my @made = grep { !$others{$_} } glob $tried;
ok soon(sub { !grep { -e } @made }), 'it leaves nothing' or diag "@made"; # others' go with their doctor
for my $wrong (['--doctor', 'p.sbx', '--', '/bin/true'], ['--doctor', '--dry-run', 'p.sbx'],
    ['--doctor', 'missing.sbx']) {
    is run({ %$ordinary, cwd => $other }, $sbxrun, @$wrong)->{status}, 125, "@$wrong is refused";
}
$run = run({ %$ordinary, cwd => $other }, $under, "$landlock=38", '--', $sbxrun, 'p.sbx');
is $run->{out}, "ran\n", 'without Landlock' or diag $run->{err};
spew("$other/needs.sbx",
    'sbx 1; import std.base; policy needs { use std.base; command "/bin/true"; require landlock; }');
$run = run({ %$ordinary, cwd => $other }, $under, "$landlock=38", '--', $sbxrun, 'needs.sbx');
is $run->{status}, 125, 'without Landlock, which the policy requires';
like $run->{err}, qr/requires landlock/, 'says so';
spew("$other/tells.sbx", 'sbx 1; import std.base; policy tells { use std.base; command "/bin/true"; fs { allow read, '
    . 'modify "/w" from "./w"; } }');
$run = run({ %$ordinary, cwd => $other }, $under, "$landlock=38", '--', $sbxrun, 'tells.sbx');
is $run->{status}, 125, 'without Landlock, which tells modify from create';
like $run->{err}, qr/only Landlock tells/, 'says so';

# Standard descriptors that are closed.
for my $closed ('<&-', '>&-', '2>&-', '<&- >&- 2>&-') {
    $run = within('sh', '-c', "exec 3>w/out; exec $closed; $sbxrun $other/p.sbx -- sh -c 'read x; echo done; "
        . "echo done >&2; ls -l /proc/self/fd | wc -l' ; echo \$? >&3");
    is slurp("$dir/w/out"), "0\n", "started with $closed";
}
SKIP: {
    my ($bwrap) = grep { -x } map { "$_/bwrap" } split /:/, $ENV{PATH};
    skip 'bubblewrap is not installed', 1 if !$bwrap;
    $run = within($bwrap, '--dev-bind', '/', '/', '--unshare-user', '--unshare-pid', '--proc', '/proc', $sbxrun,
        "$other/p.sbx");
    is $run->{out}, "ran\n", 'inside bubblewrap' or diag $run->{err};
}
# No control groups in sight.
spew("$other/memory.sbx",
    'sbx 1; import std.base; policy memory { use std.base; command "/bin/true"; limits { memory 64MiB; } }');
my @hidden = ('unshare', '--user', '--map-root-user', '--mount', 'sh', '-c');
$run = run({ %$ordinary, cwd => $other }, @hidden, "mount -t tmpfs none /sys/fs/cgroup && exec $sbxrun p.sbx");
is $run->{out}, "ran\n", 'without control groups' or diag $run->{err};
$run = run({ %$ordinary, cwd => $other }, @hidden, "mount -t tmpfs none /sys/fs/cgroup && exec $sbxrun memory.sbx");
is $run->{status}, 125, 'with a limit that needs one: nothing runs';
like $run->{err}, qr/needs a control group/, 'says so';

# Where the host's mounts are shared, as systemd makes them: nothing that it mounts later may appear in a sandbox.
for my $who ($> ? $ordinary : ($ordinary, {})) {
    my $d = sandbox($who, 'fs { allow read "/w" from "./w"; }');
    mkdir "$d/w/later"; owned($who, "$d/w/later");
    my @shared = ('unshare', defined $who->{uid} ? ('--user', '--map-root-user') : (), '--mount', '--propagation',
        'shared', 'sh', '-c');
    my $run = run({ %$who, cwd => $d }, @shared, "mount --bind w w; $sbxrun p.sbx -- cat /proc/self/mountinfo");
    like $run->{out}, qr{ /w }, 'in a namespace of shared mounts' or diag $run->{err};
    unlike $run->{out}, qr/shared:|master:/, 'the view is private';
    $run = run({ %$who, cwd => $d }, @shared, "mount --bind w w; $sbxrun p.sbx -- sh -c 'sleep " . patience(0.6)
        . "; ls /w/later' & sleep " . patience(0.3) . "; mount -t tmpfs none w/later && touch w/later/secret; wait");
    is $run->{out}, '', 'what is mounted during a run does not appear';
}

SKIP: {
    skip 'not root', 2 if $>;
    my $root = sandbox({}, 'command "/bin/echo", "ran";');
    $run = run({ cwd => $root }, 'setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', 'sh', '-c',
        "exec $sbxrun p.sbx");
    is "$run->{status} $run->{out}", '125 ', 'root without CAP_SYS_ADMIN';
    like $run->{err}, qr/can't run the command as somebody else\n.*ordinary user/, 'says what to do';
}
done_testing;
