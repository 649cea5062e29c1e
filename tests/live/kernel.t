#!/usr/bin/perl
# The kernel's interface: each try is refused as stated inside, and outside the sandbox it gives another answer, so that
# the test can fail.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use POSIX ();
use Test::More;

# what is tried (probe.c), what must come of it; KILL: the process is killed
my @tries = (
    ['getpid', 'ok'], ['clone3', 'ENOSYS'], ['openat2', 'ENOSYS'], ['new-call', 'ENOSYS'],
    ['unshare-user', 'EPERM'], ['unshare-mount', 'EPERM'], ['clone-user', 'EPERM'], ['setns', 'EPERM'],
    ['mount', 'EPERM'], ['umount', 'EPERM'], ['fsopen', 'EPERM'], ['open_tree', 'EPERM'], ['move_mount', 'EPERM'],
    ['pivot_root', 'EPERM'], ['chroot', 'EPERM'],
    ['ptrace', 'EPERM'], ['bpf', 'EPERM'], ['io_uring', 'EPERM'], ['userfaultfd', 'EPERM'], ['keyctl', 'EPERM'],
    ['perf', 'EPERM'],
    ['tiocsti', 'EPERM'], ['tiocsti-high', 'EPERM'], ['chmod-suid /w/f', 'EPERM'], ['chmod /w/f', 'ok'],
    ['open-suid /w/new', 'EPERM'], ['mknod-device /w/dev', 'EPERM'], ['mknod-fifo /w/fifo', 'ok'],
    ['packet-socket', 'EAFNOSUPPORT'], ['netlink-socket', 'EACCES'], ['vsock-socket', 'EAFNOSUPPORT'],
    ['raw-socket', 'ESOCKTNOSUPPORT'], ['mptcp-socket', 'EACCES'], ['tcp-socket', 'EACCES'],
    ['udp-socket', 'EACCES'], ['unix-socket', 'EACCES'],
    ['socketpair', 'ok'], ['kill-init', landlock(6) ? 'EPERM' : 'ok'], ['setuid', 'EPERM'],
);
push @tries, ['x32', 'KILL'], ['int80', 'KILL'] if (POSIX::uname())[4] eq 'x86_64';

my ($ordinary) = grep { defined $_->{uid} } users();
for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read, write "/w" from "./w"; }');
    mkdir "$dir/control";
    spew("$dir/$_/f", 'x') for qw(w control);
    owned($user, "$dir/w/f");
    owned($ordinary, "$dir/control", "$dir/control/f");
    for my $try (@tries) {
        my ($what, $want) = @$try;
        my $run = in_sandbox($user, $dir, '/probe', split / /, $what);
        # Where the kernel has no calls of i386 the instruction is a fault, with or without a filter.
        my $killed = $run->{status} == 128 + 31 || ($what eq 'int80' && $run->{status} == 128 + 11);
        my $got = $killed ? 'KILL' : $run->{out} =~ s/\n//r;
        is $got, $want, "$name: $what";
        # these the kernel itself may refuse
        next if $want eq 'ok' || $what =~ /^(new-call|bpf|mknod-device|userfaultfd|kill-init|vsock-socket)/;
        # The same without a sandbox gives another answer: as root of namespaces that go with the process, never of
        # the host.
        my $control = run({ %$ordinary, cwd => $dir }, 'unshare', '--user', '--map-root-user', '--mount', '--net',
            '--pid', '--fork', '--', "$dir/probe", map { s{^/w}{$dir/control}r } split / /, $what);
        my $there = $control->{status} > 128 || $control->{signal} ? 'signal' : $control->{out} =~ s/\n//r;
        isnt $there, $want, "$name: $what without a sandbox: $there";
    }
}
done_testing;
