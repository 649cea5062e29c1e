#!/usr/bin/perl
# Each sentence of "What is guaranteed" and "What is not", in README.md and docs/guarantees.md, and of README.md's
# first, has what shows it: guarantees.tsv names a test and words of it. What is not guaranteed, and no other test does,
# is done here.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Shown;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

# page, words of a sentence, file, words of that
my @rows = rows("$FindBin::Bin/guarantees.tsv");
my @pages = ('README.md', 'docs/guarantees.md');
for my $page (@pages) {
    my @sentences;
    for my $title ('## What is guaranteed', '## What is not', $page eq 'README.md' ? '# sbx' : ()) {
        my ($text) = slurp("$root/$page") =~ /^\Q$title\E\n(.*?)(?=^## |^```|\z)/ms or die "$page: $title";
        push @sentences, sentences($text);
    }
    cmp_ok scalar @sentences, '>', 10, "$page has sentences";
    shown($page, \@sentences, [ map { [ @$_[1 .. 3] ] } grep { $_->[0] eq $page } @rows ]);
}
for my $row (@rows) {
    my ($page, $sentence, $file, $words) = @$row;
    ok scalar(grep { $_ eq $page } @pages), "$page is one of these pages";
    stands("$page: $sentence", $file, $words) if $file ne '-'; # else the reason why no run shows it
}

# Two at once: a command that prints a line when it is ready, and whoever waits for it.
sub beside {
    my ($user, $dir, $meanwhile, @command) = @_;
    pipe my $from, my $to or die $!;
    my $pid = fork // die $!;
    if (!$pid) {
        become($user);
        chdir $dir or die $!;
        open STDOUT, '>&', $to or die $!;
        open STDERR, '>', '/dev/null';
        exec @{ $user->{within} // [] }, $sbxrun, 'p.sbx', '--', @command or POSIX::_exit(99);
    }
    close $to;
    local $SIG{ALRM} = sub { kill KILL => $pid };
    alarm patience(20);
    my $ready = <$from> // '';
    $meanwhile->() if $ready ne '';
    my $rest = join '', <$from>;
    waitpid $pid, 0;
    alarm 0;
    return $ready . $rest;
}

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user,
        'fs { allow read, write "/w" from "./w"; deny read "/w/secret"; allow read "/ro" from "./ro"; }');
    mkdir "$dir/ro";
    spew("$dir/w/secret", "old\n"), spew("$dir/ro/file", ''), spew("$dir/ro/script", "#!/bin/sh\necho ran\n");
    chmod 0755, "$dir/ro/script";
    owned($user, "$dir/w/secret", "$dir/ro/file", "$dir/ro/script");

    is in_sandbox($user, $dir, 'sh', '-c', '/ro/script 2> /dev/null || sh /ro/script')->{out}, "ran\n",
        "$name: a script that exec does not allow is run by who may read it";

    # Each waits for what the other makes.
    my $locks = beside($user, $dir, sub {
        open my $file, '<', "$dir/ro/file" or die $!;
        is flock($file, 2 | 4) ? # LOCK_EX | LOCK_NB
            'free' : 'held', 'held', "$name: a lock on a file that may be read is the host's";
        spew("$dir/w/go", '');
    }, 'sh', '-c', 'exec 9< /ro/file; flock 9; echo locked; until [ -e /w/go ]; do sleep 0.05; done');
    is $locks, "locked\n", "$name: which the command could make";
    unlink "$dir/w/go";

    my $look = 'cat /w/secret 2> /dev/null; echo hidden; until [ -e /w/go ]; do sleep 0.05; done; cat /w/secret';
    my $replaced = beside($user, $dir, sub {
        spew("$dir/new", "new\n");
        chmod 0644, "$dir/new";
        rename "$dir/new", "$dir/w/secret" or die $!;
        spew("$dir/w/go", '');
    }, 'sh', '-c', $look);
    is $replaced, "hidden\nnew\n", "$name: a denied file that the host replaces is the host's new one";

    # --fd: what is written there is not output.
    my $limited = sandbox($user, 'limits { output 1KiB; }');
    my $log = spew("$limited/log", '');
    owned($user, $log);
    my $held = sub { POSIX::dup2(POSIX::open($log, POSIX::O_WRONLY()), 7) };
    my $run = in_sandbox($user, $limited, { args => ['--fd', '7'], setup => $held }, 'sh', '-c',
        'head -c 5000 /dev/zero >&7; echo ended');
    is "$run->{out}" . -s $log, "ended\n5000", "$name: what goes to a descriptor that was handed over is not counted";

    # Sockets, by perl: `s` makes one, `at` is the host's loopback at the port of the test's server.
    my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 5) or die $!;
    my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die $!;
    my $guarded = in_sandbox($user, sandbox($user, "require ebpf; net { allow connect udp 192.0.2.1; }"),
        { args => ['--dry-run'] }, 'true')->{status} == 0;
    my ($tcp_port, $udp_port) = ($server->sockport, $udp->sockport);
    my $net = sandbox($user, "fs { allow read, write \"/w\" from \"./w\"; } net { allow connect tcp "
        . "host-loopback:$tcp_port; allow connect udp host-loopback:$udp_port; allow connect unix \"/w/good\"; "
        . "deny connect unix \"/w/bad\"; }", uses => 'shell');
    my $shared = in_sandbox($user, $net, 'perl', '-MSocket', '-e', <<"P");
        socket my \$s, AF_INET, SOCK_STREAM, 0 or die;
        my \$pid = fork;
        if (!\$pid) {
            connect \$s, sockaddr_in($tcp_port, INADDR_LOOPBACK) or die "\$!\\n";
            print getpeername(\$s) ? "child\\n" : "no child\\n";
            exit;
        }
        waitpid \$pid, 0;
        print getpeername(\$s) ? "parent\\n" : "no parent\\n";
P
    is $shared->{out}, "child\nno parent\n", "$name: a socket that two share is connected for the one that connects"
        or diag $shared->{err};
    my $stranger = beside($user, $net, sub {
        my $from = recv($udp, my $said, 100, 0);
        my $other = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die $!;
        send $other, 'from a stranger', 0, $from;
    }, 'perl', '-MSocket', '-e', <<"P");
        \$| = 1;
        socket my \$s, AF_INET, SOCK_DGRAM, 0 or die;
        send \$s, 'x', 0, sockaddr_in($udp_port, INADDR_LOOPBACK) or die "\$!\\n";
        print "sent\\n";
        vec(my \$set, fileno \$s, 1) = 1;
        recv \$s, my \$said, 100, 0 if select \$set, undef, undef, @{[ $guarded ? 1 : 10 ]};
        print \$said // "nothing";
P
    is $stranger, $guarded ? "sent\nnothing" : "sent\nfrom a stranger",
        "$name: a udp socket that has sent takes datagrams from anybody, but where the guard is";
    my $bad = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "$net/w/bad", Listen => 5) or die $!;
    chmod 0777, "$net/w/bad";
    owned($user, "$net/w/bad");
    my $renamed = in_sandbox($user, $net, 'perl', '-MSocket', '-e', <<'P');
        socket my $s, AF_UNIX, SOCK_STREAM, 0 or die;
        print connect($s, sockaddr_un('/w/bad')) ? "connected\n" : "denied\n";
        rename '/w/bad', '/w/good' or print "$!\n";
        print connect($s, sockaddr_un('/w/good')) ? "connected\n" : "denied: $!\n";
P
    is $renamed->{out}, "denied\nconnected\n",
        "$name: a unix socket that may be renamed to an allowed path is reached there";
}

# Rules in any order mean the same.
my @rules = (
    'use std.shell;',
    'fs { allow read, write "/w" from "./w"; }',
    'fs { deny write "/w/.git" except "/w/.git/x"; }',
    'fs { deny read "/w/key"; }',
    'fs { allow read "/w/.git/y" from "./y"; }',
    'net { allow connect tcp "a.example":443; }',
    'net { deny connect 192.0.2.0/24; }',
    'syscalls { deny getppid with kill; }',
    'syscalls { deny uname with EBADF; }',
    'limits { pids 9; }',
);
my $orders = folder();
my $order = sub {
    my ($file, @of) = @_;
    spew("$orders/$file.sbx", join "\n", 'sbx 1; import std.shell; policy p {', @of, '}');
};
$order->('first', @rules);
for my $turn (0 .. 2 * @rules - 1) {
    my @turned = (@rules[$turn % @rules .. $#rules], @rules[0 .. $turn % @rules - 1]);
    $order->('then', $turn < @rules ? @turned : reverse @turned);
    my $differs = run($sbxc, '--diff', "$orders/first.sbx", "$orders/then.sbx");
    is $differs->{status}, 0, "rules in another order mean the same ($turn)" or diag $differs->{out};
}
$order->('then', @rules, 'fs { deny read "/usr/share"; }');
isnt run($sbxc, '--diff', "$orders/then.sbx", "$orders/first.sbx")->{status}, 0, 'and another rule does not';

# What is told of addresses.
my $isatap = spew(folder() . '/p.sbx', 'sbx 1; policy p { net { allow connect tcp [2001:db8::]/32; '
    . 'deny connect 192.0.2.0/24; } tests { expect allow connect tcp [2001:db8::5efe:c000:201]:80; '
    . 'expect deny connect tcp [fe80::5efe:c000:201]:80; } }');
my $decided = run($sbxc, '--test', $isatap);
is $decided->{status}, 0, 'an ISATAP address in a network\'s own prefix is one of IPv6 like others'
    or diag $decided->{out};
done_testing;
