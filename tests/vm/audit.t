#!/usr/bin/perl
# Why sbxrun does not read Landlock's records: with their log switched on, in the domain and on the host, what a view
# refuses leaves none, since Landlock is
# not asked; only what Landlock keeps alone does, and --explain-files tells that too. Switches the host's audit on, so
# on a machine of its own. As root.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use JSON::PP;
use Socket;
use Test::More;

use constant { AF_NETLINK => 16, NETLINK_AUDIT => 9, AUDIT_SET => 1001, AUDIT_LANDLOCK_ACCESS => 1423 };
plan skip_all => 'only root hears of audit' if $>;
plan skip_all => 'this kernel\'s Landlock keeps no records (before Linux 6.15)' if !landlock(7);

sub audit { # a socket that hears what is recorded, or that has asked for the log to be on or off
    my ($groups, $on) = @_;
    my $socket;
    socket($socket, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) && bind($socket, pack 'S x2 L L', AF_NETLINK, 0, $groups)
        or return;
    defined $on or return $socket;
    my $status = pack 'L10', 1, $on, (0) x 8; # linux/audit.h, struct audit_status: AUDIT_STATUS_ENABLED, the value
    send $socket, pack('L S S L L', 16 + length $status, AUDIT_SET, 1, 1, 0) . $status, 0 or return;
    return $socket;
}
my $ears = audit(1) && audit(0, 1) ? audit(1) : undef;
plan skip_all => 'no audit on this host' if !$ears;

sub records {
    my $count = 0;
    for (;;) {
        my $ready = '';
        vec($ready, fileno $ears, 1) = 1;
        select($ready, undef, undef, patience(0.5)) > 0 or return $count;
        my $message = '';
        recv($ears, $message, 9000, 0);
        $count += length $message >= 16 && (unpack 'L S', $message)[1] == AUDIT_LANDLOCK_ACCESS;
    }
}

my $user = { name => 'root' };
my $dir = sandbox($user, 'fs { allow read "/etc/passwd"; allow read "/ro" from "./ro"; allow read, write '
    . '"/w" from "./w"; deny write "/w/kept"; allow read, modify "/m" from "./m"; }', uses => 'python');
mkdir "$dir/$_" for qw(ro m);
spew("$dir/$_", "x\n") for qw(ro/f ro/g w/kept w/tool m/f);
chmod 0755, "$dir/w/tool", "$dir/ro/f";
my $try = sub {
    my ($code, @args) = @_;
    my $run = run({ cwd => $dir, seconds => patience(30) }, @args, 'p.sbx', '--', 'python3', '-c', <<P . $code);
import os
refused = 0
def no(do, *args):
    global refused
    try: do(*args)
    except OSError: refused += 1
P
    return $run;
};
my $view = <<'P';
no(open, "/etc/shadow"); no(os.listdir, "/root"); no(open, "/proc/1/mem"); no(open, "/dev/mem")
no(open, "/etc/passwd", "a"); no(open, "/etc/new", "w"); no(os.mkdir, "/etc/d"); no(os.unlink, "/etc/passwd")
for path in ("/ro/f", "/w/kept"): no(open, path, "r+"); no(os.truncate, path, 0)
no(open, "/ro/new", "w"); no(os.mkdir, "/ro/d"); no(os.unlink, "/ro/f"); no(os.rename, "/ro/f", "/ro/h")
no(os.link, "/ro/f", "/ro/h"); no(os.symlink, "x", "/ro/s"); no(os.mkfifo, "/ro/p")
no(os.rename, "/ro/f", "/w/f"); no(os.unlink, "/w/kept"); no(os.execv, "/w/tool", ["x"]); no(os.execv, "/ro/f", ["x"])
print(refused)
P
my $alone = 'no(open, "/m/new", "w"); no(os.mkdir, "/m/d"); no(os.unlink, "/m/f"); print(refused)';
my @logged = ("$build/tests/faults/inject", 'log', '--', $sbxrun);
records();
my $run = $try->($view, @logged);
is $run->{out}, "23\n", 'what the view refuses' or diag $run->{err};
is records(), 0, 'leaves no record of Landlock';
$run = $try->($alone, @logged);
is $run->{out}, "3\n", 'what Landlock refuses alone' or diag $run->{err};
is records(), 3, 'leaves its records: the log was on';
$run = $try->($alone, $sbxrun);
is "$run->{out}@{[ records() ]}", "3\n0", 'a sandbox cannot fill the log of its host';
$run = $try->($alone, $sbxrun, '--explain-files', '--report', "$dir/r.json");
is scalar @{ decode_json(slurp("$dir/r.json"))->{files} }, 3, 'and --explain-files tells those refusals';
audit(0, 0);
done_testing;
