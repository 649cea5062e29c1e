#!/usr/bin/perl
# An ordinary user's login has no control groups of its own, but a service manager that gives one for the asking:
# systemd's own, on a bus of its own. As root, where
# cgroup v2 has the controllers and systemd is installed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $top = '/sys/fs/cgroup';
my $controllers = eval { slurp("$top/cgroup.subtree_control") } // '';
plan skip_all => 'no cgroup v2 with a memory controller' if $controllers !~ /\bmemory\b/;
plan skip_all => 'only root makes users\' groups' if $>;
plan skip_all => 'no systemd, or no bus for users'
    if !-x '/lib/systemd/systemd' || !-e '/usr/lib/systemd/user/dbus.socket' || !-x '/usr/bin/busctl';
my ($uid, $gid) = user();
my $dir = sandbox({ name => 'user', uid => $uid, gid => $gid }, 'fs { allow read, write "/tmp" from tmpfs size '
    . '512MiB; } limits { memory 64MiB; pids 20; cpu 0.5; }', uses => 'python');
sub put { my ($path, $text) = @_; open my $f, '>', $path or return 0; print {$f} $text; return close $f }
sub group { my ($path) = @_; mkdir $path or die "$path: $!"; return $path }
sub give { chown $uid, $gid, map { ($_, "$_/cgroup.procs", "$_/cgroup.subtree_control", "$_/cgroup.threads") } @_ }

# What systemd makes of a login: a group that is the user's, with the manager in it; beside that, root's, where the
# shell is.
my $mine = group("$top/user-$$");
put("$mine/cgroup.subtree_control", "+$_") for qw(memory pids cpu);
my $login = group("$mine/login");
my $session = group("$login/session");
give($mine);
my $runtime = "/run/user/$uid";
my $booted = '/run/systemd/system'; # by which a manager of users knows that systemd is there
my $made = !-d $booted && !system 'mkdir', '-p', $booted;
system 'mkdir', '-p', $runtime;
chown $uid, $gid, $runtime;
chmod 0700, $runtime;
my $manager_group = group("$mine/manager");
give($manager_group);
my @as_user = ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups', 'env', "XDG_RUNTIME_DIR=$runtime",
    "HOME=$dir", "DBUS_SESSION_BUS_ADDRESS=unix:path=$runtime/bus");
my $manager = fork // die;
if (!$manager) {
    put("$mine/cgroup.procs", $$) or put("$manager_group/cgroup.procs", $$) or die "cgroup.procs: $!";
    open STDOUT, '>', "$dir/manager.log";
    open STDERR, '>&', \*STDOUT;
    exec @as_user, '/lib/systemd/systemd', '--user', '--log-target=console';
}
my $answers = sub {
    run({ cwd => $dir, seconds => 60 }, @as_user, 'busctl', '--user', 'get-property', 'org.freedesktop.systemd1',
        '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager', 'Version');
};
my $version;
for (1 .. 60) { $version = $answers->(); last if !$version->{status}; sleep 1 }
is $version->{status}, 0, "a service manager answers: $version->{out}" or diag $version->{err},
    slurp("$dir/manager.log");

my $within = sub { # where the shell is
    my ($command, @options) = @_;
    run({ cwd => $dir, seconds => patience(60),
            setup => sub { put("$session/cgroup.procs", $$) or die "cgroup.procs: $!" } }, 'setpriv', "--reuid=$uid",
        "--regid=$gid", '--clear-groups', $sbxrun, @options, 'p.sbx', '--', @$command);
};
my $run = $within->(['python3', '-c', "print('ran')"]);
is $run->{out}, "ran\n", 'it gives a group: the policy\'s limits hold' or diag $run->{err}, slurp("$dir/manager.log");
$run = $within->(['python3', '-c', "x = bytearray(200 << 20); print(sum(x[::4096]), 'kept')"]);
is $run->{status}, 137, 'past its memory it is killed' or diag $run->{err};
like $run->{err}, qr/killed for its memory/, 'and says so';
$run = $within->(['python3', '-c', "import os, time\nn = 0\ntry:\n  while n < 50:\n    if os.fork() "
        . "== 0: time.sleep(5); os._exit(0)\n    n += 1\nexcept OSError as e: print(n, flush=True)\nos._exit(0)"]);
is $run->{out}, "19\n", 'and so are processes';
$run = run({ cwd => $dir, seconds => patience(60), setup => sub { put("$session/cgroup.procs", $$) } }, 'setpriv',
    "--reuid=$uid", "--regid=$gid", '--clear-groups', $sbxrun, '--doctor');
like $run->{out}, qr/memory, cpu, pids/, 'and the doctor knows';
my @left;
for (1 .. 100) {
    @left = grep { -d } split /\n/, `find $mine -name 'sbx-*'`;
    last if !@left;
    select undef, undef, undef, 0.1;
}
is "@left", '', 'nothing of it is left';
kill 'TERM', $manager;
rmdir $booted if $made;
for (1 .. 300) { last if waitpid($manager, 1); select undef, undef, undef, 0.1 }
$run = $within->(['true']);
is $run->{status}, 125, 'without a manager nothing runs';
like $run->{err}, qr/the limit memory needs a control group/, 'and the limit is named';
done_testing;
