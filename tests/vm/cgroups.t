#!/usr/bin/perl
# Control groups as systemd hands them to ordinary users: delegated, and then limits are kept; not, and then they are
# refused. Where cgroup v2 has the controllers, as root.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my $top = '/sys/fs/cgroup';
my $controllers = eval { slurp("$top/cgroup.subtree_control") } // '';
plan skip_all => 'no cgroup v2 with a memory and a pids controller'
    if $controllers !~ /\bmemory\b/ || $controllers !~ /\bpids\b/;
plan skip_all => 'only root delegates' if $>;
my ($uid, $gid) = user();
my $user = { name => 'user', uid => $uid, gid => $gid };
my $dir = sandbox($user, 'fs { allow read, write "/tmp" from tmpfs size 512MiB; } limits { memory 64MiB; pids 20; cpu '
    . '0.5; }', uses => 'python');
my $group = "$top/given-$$";
mkdir $group or die "$group: $!";
mkdir "$group/session";
sub put { my ($path, $text) = @_; open my $f, '>', $path or return 0; print {$f} $text; return close $f }
put("$group/cgroup.subtree_control", "+$_") for qw(memory pids cpu);
my $within = sub { # in that group, as the ordinary user
    run({ cwd => $dir, seconds => 60,
            setup => sub { put("$group/session/cgroup.procs", $$) or die "cgroup.procs: $!" } }, 'setpriv',
        "--reuid=$uid", "--regid=$gid", '--clear-groups', $sbxrun, 'p.sbx', '--', @_);
};
my $memory = "x = bytearray(200 << 20); print(sum(x[::4096]), 'kept')";

my $run = $within->('python3', '-c', $memory);
is $run->{status}, 125, 'not delegated: nothing runs';
like $run->{err}, qr/the limit memory needs a control group.*\n.*delegated/, 'says what would help';

chown $uid, $gid, map { "$group$_" } '', '/cgroup.procs', '/cgroup.subtree_control', '/cgroup.threads', '/session',
    '/session/cgroup.procs', '/session/cgroup.subtree_control', '/session/cgroup.threads';
$run = $within->('python3', '-c', "print('ran')");
is $run->{out}, "ran\n", 'delegated: it runs' or diag $run->{err};
$run = $within->('python3', '-c', $memory);
is $run->{status}, 137, 'past its memory it is killed';
like $run->{err}, qr/killed for its memory/, 'and says so';
$run = $within->('python3', '-c', "import os, time\nn = 0\ntry:\n  while n < 50:\n    if os.fork() "
    . "== 0: time.sleep(5); os._exit(0)\n    n += 1\nexcept OSError as e: print(n, flush=True)\nos._exit(0)");
is $run->{out}, "19\n", 'and so are processes';
my @left;
for (1 .. 50) {
    @left = glob "$group/sbx-* $group/*/sbx-*";
    @left = grep { -d } @left;
    last if !@left;
    select undef, undef, undef, 0.1;
}
is "@left", '', 'nothing of it is left';
rmdir "$group/session";
ok rmdir($group), 'nor anybody in it' or diag "$!";
done_testing;
