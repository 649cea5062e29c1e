#!/usr/bin/perl
# Odd places to be started in: without namespaces, within others, from a folder that is gone, under other filters.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my ($ordinary) = grep { defined $_->{uid} } users();
my $dir = sandbox($ordinary, 'command "/bin/echo", "ran"; fs { allow read "/w" from cwd "w"; }');
sub within { my (@outer) = @_; run({ %$ordinary, cwd => $dir }, @outer) }

my $run = within('unshare', '--user', '--map-root-user', 'sh', '-c', "echo 0 > /proc/sys/user/max_user_namespaces && exec $sbxrun p.sbx");
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
$run = within('unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', 'sh', '-c', "mount -t proc proc /proc && mount -t tmpfs none /proc/sys && exec $sbxrun $other/p.sbx");
if ($run->{status} == 125) { like $run->{err}, qr/cannot mount a proc.*\n.*systempaths=unconfined/, 'a masked /proc: refused, with what to do' }
else { is $run->{out}, "ran\n", 'a masked /proc, which this kernel does not mind' }

# sbxrun in sbxrun: refused by the outer one's filter.
my $nested = sandbox($ordinary, "fs { allow read, exec \"/sbxrun\" from \"$sbxrun\"; allow read \"/p\" from \"$other\"; }");
$run = run({ %$ordinary, cwd => $nested }, $sbxrun, 'p.sbx', '--', '/sbxrun', '/p/p.sbx');
is $run->{status}, 125, 'in a sandbox of its own making';
like $run->{err}, qr/cannot make the sandbox's namespaces: Function not implemented\n.*hides clone3/, 'says what is missing';

# Where the host's mounts are shared, as systemd makes them: nothing that it mounts later may appear in a sandbox.
for my $who ($> ? $ordinary : ($ordinary, {})) {
    my $d = sandbox($who, 'fs { allow read "/w" from "./w"; }');
    mkdir "$d/w/later"; owned($who, "$d/w/later");
    my @shared = ('unshare', defined $who->{uid} ? ('--user', '--map-root-user') : (), '--mount', '--propagation', 'shared', 'sh', '-c');
    my $run = run({ %$who, cwd => $d }, @shared, "mount --bind w w; $sbxrun p.sbx -- cat /proc/self/mountinfo");
    like $run->{out}, qr{ /w }, 'in a namespace of shared mounts' or diag $run->{err};
    unlike $run->{out}, qr/shared:|master:/, 'the view is private';
    $run = run({ %$who, cwd => $d }, @shared, "mount --bind w w; $sbxrun p.sbx -- sh -c 'sleep 0.6; ls /w/later' & sleep 0.3; mount -t tmpfs none w/later && touch w/later/secret; wait");
    is $run->{out}, '', 'what is mounted during a run does not appear';
}

SKIP: {
    skip 'not root', 2 if $>;
    my $root = sandbox({}, 'command "/bin/echo", "ran";');
    $run = run({ cwd => $root }, 'setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', 'sh', '-c', "exec $sbxrun p.sbx");
    is "$run->{status} $run->{out}", '125 ', 'root without CAP_SYS_ADMIN';
    like $run->{err}, qr/can't run the command as somebody else\n.*ordinary user/, 'says what to do';
}
done_testing;
