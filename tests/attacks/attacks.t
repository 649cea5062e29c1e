#!/usr/bin/perl
# Every try of rows.tsv, inside a sandbox and outside of it, as root and as an ordinary user; then what no single
# program can try. With SBX_MATRIX=FILE
# what came of each is appended there, a line each, for docs/attacks.md (make matrix).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Tar;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $attack = "$build/tests/attacks/attack";
my ($kernel) = (POSIX::uname())[2] =~ /^(\d+\.\d+)/;
my @table;

sub note_result {
    my ($user, $part, $what, $result, $reason) = @_;
    push @table, [ $kernel, $user->{name}, $part, $what, $result, $reason ];
    return;
}

# What the host has for the tries to find.
my $secret = "host-secret-$$";
my $host = folder();
spew("$host/outside-file", "$secret\n");
chmod 0644, "$host/outside-file";
require IO::Socket::IP;
my %ipv6 = (LocalHost => '::1', Proto => 'tcp', Listen => 50);
my $has_ipv6 = IO::Socket::IP->new(%ipv6);
my ($tcp, $tcp6, $udp);
until ($udp && ($tcp6 || !$has_ipv6)) { # one port of which nobody else has the others
    $tcp = IO::Socket::INET->new(Listen => 50, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "a server: $!";
    $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $tcp->sockport, Proto => 'udp');
    $tcp6 = IO::Socket::IP->new(%ipv6, LocalPort => $tcp->sockport);
}
my $port = $tcp->sockport;
my $name = "sbx-attacks-$$";
my $abstract = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "\0$name", Listen => 5);
my $datagram = IO::Socket::UNIX->new(Type => SOCK_DGRAM(), Local => "\0$name-datagram");
my $key = 0x5b000000 + $$; # a pid has at most 22 bits
my $segment = shmget($key, 4096, 01600 | 0666);
spew("/dev/shm/$name", 'x') if -d '/dev/shm';
chmod 0666, "/dev/shm/$name";
my $pty;
if ($> == 0 && open my $master, '+<', '/dev/ptmx') {
    my ($number, $unlocked) = (pack('i', 0)) x 2;
    ioctl $master, 0x40045431, $unlocked; # TIOCSPTLCK
    $pty = '/dev/pts/' . unpack 'i', $number if ioctl $master, 0x80045430, $number; # TIOCGPTN
    our $kept = $master;
}
END { shmctl($segment, 0, 0) if defined $segment; unlink "/dev/shm/$name" if $name }

my @rows = map { [ split /\t/ ] } grep { !/^#/ && /\S/ } split /\n/, slurp("$FindBin::Bin/rows.tsv");
cmp_ok scalar @rows, '>', 100, scalar(@rows) . ' tries';

sub outcome { # of a run of `attack`
    my ($run) = @_;
    return 'killed ' . $run->{signal} if $run->{signal};
    return 'killed ' . ($run->{status} - 128) if $run->{status} =~ /^\d+$/ && $run->{status} > 128;
    my ($said) = $run->{out} =~ /^(\w+)$/m;
    return $said // "status $run->{status}";
}

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs {
        allow read, write "/w" from "./w";
        deny write "/w/locked";
        deny read, write "/w/deep/hidden";
        deny write "/w/later/on";
        allow read, exec "/attack" from "./attack";
        allow read, exec "/suid" from "./suid";
        allow read, write "/small" from tmpfs size 1MiB;
        allow read, write "/tmp" from tmpfs size 1MiB;
        allow read "/shown" from "./shown";
        allow read, write "/home" from "' . ($user->{name} eq 'root' ? '/var/cache' : './home') . '";
    }
    limits { pids 40; lifetime 60s; }');
    mkdir "$dir/$_" for 'w/deep', 'w/deep/hidden', 'shown', 'small', 'home', 'plain', 'plain/caches', 'plain/locked',
        'plain/deep',
        'plain/deep/hidden', 'plain/later';
    system('cp', $attack, "$dir/attack");
    system('cp', $attack, "$dir/suid");
    spew("$dir/w/locked", '');
    spew("$dir/plain/caches/secret", 'x');
    spew("$dir/w/deep/hidden/x", '');
    my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "$dir/shown/socket", Listen => 5);
    my $datagrams = IO::Socket::UNIX->new(Type => SOCK_DGRAM(), Local => "$dir/shown/datagrams");
    chmod 0777, "$dir/shown/socket", "$dir/shown/datagrams", "$dir/small";
    owned($user, spew("$dir/shown/file", ''));
    system('chown', '-R', "$user->{uid}:$user->{gid}", map { "$dir/$_" } 'w', 'plain', 'small', 'home', 'attack')
        if defined $user->{uid} && $> == 0;
    chmod 04755, "$dir/suid" if $> == 0;
    my $sleeper = fork // die $!;
    if (!$sleeper) {
        become($user);
        exec 'sleep', '600' or POSIX::_exit(99);
    }

    my $low = 827; # of those that are root's
    my $watches = int(slurp('/proc/sys/user/max_inotify_instances') / 2) + 1;
    my %common = (watches => $watches,
        text => $secret, port => $port, low => $low, pid => $sleeper, key => $key, name => $name,
        pty => $pty // '/dev/pts/9999');
    # The same sandbox with rules on the network: a way out, for what is not to go beside it.
    spew("$dir/net.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy net/r =~ s/(limits \{)/net {
        allow connect udp, tcp host-loopback:$port;
        allow bind, listen tcp host-loopback:$low;
        allow connect unix "\/shown\/datagrams";
        allow bind, listen, connect unix loopback;
    }
    $1/r);
    # And with the rights of debuggers.
    spew("$dir/debug.sbx", slurp("$dir/p.sbx") =~ s/policy p \{/import std.debug;\npolicy debug { use std.debug;/r);
    # And with files that tell of the machine.
    spew("$dir/machine.sbx", slurp("$dir/p.sbx") =~ s/policy p \{/policy machine { use std.base.machine;/r);
    # And with the calls that make files and change their modes, whatever the mode.
    spew("$dir/modes.sbx", slurp("$dir/p.sbx") =~ s/policy p \{/policy modes { syscalls { allow \@file-modes; }/r);
    # And with a limit of memory, where none need be kept.
    spew("$dir/huge.sbx", slurp("$dir/p.sbx") =~ s/policy p \{/policy huge {
        require cgroup else degrade because "calls are tried"; limits { memory 256MiB; }/r);
    my $home = { HOME => "$dir/home", XDG_CACHE_HOME => '' }; # where its caches are
    my %inside = (%common, home => '/home', cache => $who eq 'root' ? 'sbx' : '.cache/sbx',
        w => '/w', small => '/small', out => "$host/outside-file", suid => '/suid',
        socket => '/shown/socket', datagrams => '/shown/datagrams', read => '/shown/file');
    my %outside = (%common, home => "$dir/plain", cache => 'caches', w => "$dir/plain",
        small => "$dir/small", out => "$host/outside-file", suid => "$dir/suid",
        socket => "$dir/shown/socket", datagrams => "$dir/shown/datagrams", read => "$dir/shown/file");
    my $words = sub {
        my ($text, $values) = @_;
        map { my $word = $_; $word =~ s/\{(\w+)\}/$values->{$1} \/\/ die "no $1"/ge; $word } split ' ', $text;
    };
    # left open for whoever is executed
    my $folders = sub {
        opendir my $etc, '/etc';
        opendir my $root, '/';
        require Fcntl;
        for ($etc, $root) { my $fd = fileno $_; POSIX::dup2($fd, $fd + 20) }
    };
    my $plain = sub { # outside
        my ($as, @arguments) = @_;
        my %as = $as eq 'root' && $> == 0 ? () : %$user;
        return run({ %as, seconds => 30, cwd => $host, setup => $folders }, "$dir/attack",
            $as eq 'userns' ? '--userns' : (), @arguments);
    };

    my ($to_tell, @untold) = 0;
    my $reports = folder();
    chmod 0777, $reports;
    for my $row (@rows) {
        my ($id, $part, $what, $arguments, $must, $control, $as, $under) = @$row;
        my $got =
            outcome(run({ %$user, seconds => 70, cwd => $host, env => $home, setup => $folders }, $sbxrun, '--report',
                "$reports/$id", "$dir/" . ($under // 'p') . '.sbx', '--', '/attack', $words->($arguments, \%inside)));
        my $without = outcome($plain->($as, $words->($arguments, \%outside)));
        my $possible = $without =~ /^(?:$control)$/;
        my $held = $got =~ /^(?:$must)$/;
        ok $held, "$who: $what: $got (outside: $without)" or diag "must be $must";
        if ($part eq 'Kernel interface' && $got =~ /^E(?!NOSYS)/) { # the filter denied it: the report says what
            my $calls = decode_json(slurp("$reports/$id"))->{calls};
            my ($call) = $id =~ /^call-(\w+)/;
            $to_tell++;
            push @untold, "$id ($got)" if ref $calls ne 'ARRAY'
                || !grep { $_->{operation} =~ ($call ? qr/^syscall $call\b/ : qr/^syscall /) } @$calls;
        }
        note_result($user, $part, $what, !$held ? 'NOT HELD' : $possible ? 'held' : 'held, as outside',
            $possible ? $got : "$got; outside $without");
    }

    cmp_ok scalar @untold, '<=', 0.05 * $to_tell,
        "$who: of $to_tell tries that the filter denied, the report has " . ($to_tell - @untold)
        or diag "not: @untold";

    # What a program can't see of itself.
    my $special = sub {
        my ($part, $what, $held, $reason) = @_;
        ok $held, "$who: $what: $reason";
        note_result($user, $part, $what, $held ? 'held' : 'NOT HELD', $reason);
    };
    for my $kind ([INET => 'udp'], [INET => 'tcp'], [UNIX => 'unix']) {
        my ($class, $protocol) = @$kind;
        my $refused = run({ %$user, cwd => $dir, setup => sub {
            my $socket = $class eq 'UNIX' ? IO::Socket::UNIX->new(Type => SOCK_DGRAM())
                : IO::Socket::INET->new(Proto => $protocol);
            POSIX::dup2(fileno $socket, 0) } }, $sbxrun, 'p.sbx', '--', 'sh', '-c', 'echo ran');
        $special->('Network', "a $protocol socket of the host, not connected, as standard input",
            $refused->{status} == 125 && $refused->{out} eq ''
            && $refused->{err} =~ /^sbxrun: standard input is a socket/, "exit $refused->{status}");
    }
    # What an image is made of, and who reads it.
    my $helped = folder();
    system('cp', $sbxrun, $helped) == 0 && system('cp', "$build/tests/live/stranger", "$helped/sbximage") == 0
        or die $!;
    spew("$dir/image.sbx", 'sbx 1; import std.base;
        policy image { use std.base.inside; fs { allow read, exec "/" from image "./image.tar"; } }');
    for my $case (
        ['an archive that a library would have lrzip of the host read', "LRZI\0\6" . "\0" x 4000, $sbxrun,
            qr/not a whole archive: Unrecognized/],
        ['an archive of archives, which takes minutes', `printf x | gzip | gzip`, $sbxrun,
            qr/compressed more than once/],
        ['a stranger in the place of the program that unpacks images: files, processes, network, keys', 'tries',
            "$helped/sbxrun", qr/: held \(/],
    ) {
        my ($what, $bytes, $program, $said) = @$case;
        spew("$dir/image.tar", $bytes);
        my $unpacked = run({ %$user, cwd => $dir, env => $home }, $program, 'image.sbx', '--', '/x');
        my ($why) = $unpacked->{err} =~ /image\.tar: ([^(\n]*[^(\n ])/;
        $special->('Files', $what, $unpacked->{status} == 125 && $unpacked->{err} =~ $said, $why // $unpacked->{err});
    }
    # What a layer is made of, which a run left or a stranger made.
    mkdir "$dir/under";
    spew("$dir/under/mine", "mine\n");
    system('chown', '-R', "$user->{uid}:$user->{gid}", "$dir/under") if defined $user->{uid} && $> == 0;
    spew("$dir/layer.sbx", 'sbx 1; import std.base; policy layer { use std.base;
        fs { allow read, write "/w" from overlay "./under" size 1MiB; deny read, write "/w/mine"; } }');
    my $on_layer = sub {
        my ($entries, @command) = @_;
        spew("$dir/layer.tar", archive({ name => 'w/', type => 5, mode => 0755 }, @$entries));
        return run({ %$user, cwd => $dir, env => $home }, $sbxrun, '--layer', 'layer.tar', 'layer.sbx', '--', @command);
    };
    my $overlays = $on_layer->([], 'true')->{err} !~ /needs Linux 6\.6 or newer/;
    my %host = (name => 'w/host', type => 2, link => $host);
    for my $case (
        ['a layer with a name that leads out', qr/leads out of it/, { name => "w/../../planted" }],
        ['a layer with an absolute name', qr/leads out of it/, { name => "$host/planted" }],
        ['a layer that writes through a link of its own', qr/through a link/, \%host, { name => 'w/host/planted' }],
        ['a layer that marks what is gone through a link of its own', qr/through a link/, \%host,
            { name => 'w/host/.wh.outside-file' }],
        ['a layer with a hard link to the host', qr/leads out of it/,
            { name => 'w/x', type => 1, link => "$host/outside-file" }],
        ['a layer with a disk', qr/holds no devices/, { name => 'w/sda', type => 4, major => 8 }],
        ['a layer with a whiteout as overlays have it', qr/holds no devices/, { name => 'w/mine', type => 3 }],
        ['a layer with a whiteout of the folder above', qr/stands for nothing/, { name => 'w/.wh...' }],
        ['a layer with an opaque mark in a file', qr/through a link/, { name => 'w/x' },
            { name => 'w/x/.wh..wh..opq' }],
        ['a layer that has something outside of the overlays', qr/lies in no overlay/, { name => 'usr/', type => 5 },
            { name => 'usr/bin/', type => 5 }, { name => 'usr/bin/sh', mode => 0755 }],
        ['a layer that says a place is gone', qr/File exists/, { name => '.wh.w' }],
    ) {
        my ($what, $said, @entries) = @$case;
        my $refused = $on_layer->(\@entries, 'echo', 'ran');
        my ($why) = $refused->{err} =~ /($said)/;
        $special->('Files', $what, $refused->{status} == 125 && $refused->{out} eq '' && defined $why
            && !-e "$host/planted" && -e "$host/outside-file", $why // $refused->{err});
    }
    if ($overlays) {
        my $bits = $on_layer->([{ name => 'w/suid', mode => 06755, data => 'x' }], 'stat', '-c', '%a', '/w/suid');
        $special->('Files', 'a layer with a setuid file', $bits->{out} eq "755\n", 'no such bit');
        my $denied = $on_layer->([{ name => 'w/mine', data => 'x' }], 'cat', '/w/mine');
        $special->('Files', 'a layer with a file at a denied path', $denied->{status} == 1 && $denied->{out} eq '',
            'denied as ever');
        my $redirect = " SCHILY.xattr.user.overlay.redirect=/etc\n";
        my $length = length($redirect) + 2;
        my $through = $on_layer->([{ name => 'pax', type => 'x', data => "$length$redirect" },
            { name => 'w/etc/', type => 5, mode => 0755 }], 'ls', '-A', '/w/etc');
        $special->('Files', 'a layer with an attribute that leads an overlay elsewhere',
            $through->{status} == 0 && $through->{out} eq '', 'left out');
        run({ %$user, cwd => $dir, env => $home }, $sbxrun, '--keep', 'w/kept', 'layer.sbx', '--', 'sh', '-c',
            'mknod /w/dev b 8 0; mknod /w/mine2 c 0 0; : > /w/ours');
        is join(' ', `tar tf $dir/w/kept 2>/dev/null`), "w/\n w/ours\n", "$who: a layer has none of what was tried";
    }
    my $start = time;
    spew("$dir/stay.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy stay/r =~ s/lifetime \d+s/lifetime 1s/r);
    my $run = run({ %$user, cwd => $dir }, $sbxrun, 'stay.sbx', '--', '/attack', 'stay', '30');
    $special->('Processes and resources', 'sleeping on, deaf to signals, past its lifetime',
        $run->{status} == 124 && time - $start < patience(10), "exit $run->{status}");
    run({ %$user, cwd => $dir }, $sbxrun, 'p.sbx', '--', '/attack', 'live-on', '/w/lived-on');
    $plain->('self', 'live-on', "$dir/plain/lived-on");
    sleep 1.5;
    ok -e "$dir/plain/lived-on", "$who: outside a daemon outlives its parent";
    $special->('Processes and resources', 'a daemon that outlives the command', !-e "$dir/w/lived-on", 'dead with it');
    $run = run({ %$user, cwd => $dir }, $sbxrun, 'p.sbx', '--', '/attack', 'kill-above');
    $special->('Processes and resources', 'killing the supervisor or init',
        $run->{status} == 1 && outcome($run) =~ /^(?:EPERM|ESRCH)$/, outcome($run));
    spew("$dir/memory.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy memory/r =~ s/pids 40;/memory 64MiB;/r);
    $run = run({ %$user, cwd => $dir, seconds => 60 }, $sbxrun, 'memory.sbx', '--', '/attack', 'memory', '200');
    if ($run->{status} == 125) {
        like $run->{err}, qr/needs a control group/, "$who: a memory limit that can't be kept is refused";
        note_result($user, 'Processes and resources', 'more memory than allowed', 'refused',
            'no control group may be made here');
    } else {
        $special->('Processes and resources', 'more memory than allowed',
            $run->{status} == 137 || outcome($run) eq 'ENOMEM', outcome($run));
    }
    my $flood = spew("$dir/flood.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy flood/r =~ s/pids 40;/output 1MiB;/r);
    $run = run({ %$user, cwd => $dir }, $sbxrun, 'flood.sbx', '--', 'sh', '-c',
        'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done');
    $special->('Processes and resources', 'a flood of output', $run->{status} == 137 && length $run->{out} <= 1 << 20,
        'killed at its limit');
    $special->('Processes and resources', 'output by descriptor 0, past its limit', @{ sub {
        socketpair(my $mine, my $theirs, 1, 1, 0) or die $!; # AF_UNIX, SOCK_STREAM
        $mine->blocking(0);
        my %o = (setup => sub { POSIX::dup2(fileno $theirs, 0) });
        my $without = outcome(run({ %$user, cwd => $host, %o }, "$dir/attack", 'write-input'));
        sysread $mine, my $outside, 100;
        is "$without " . ($outside // 'nothing'), "ok past the limit of output\n", "$who: outside it can be written";
        my $got = outcome(run({ %$user, cwd => $dir, %o }, $sbxrun, 'flood.sbx', '--', '/attack', 'write-input'));
        close $theirs;
        my $back = sysread($mine, my $inside, 100) // 0;
        return [ $got eq 'EBADF' && $back == 0, "$got, $back bytes" ];
    }->() });
    spew("$dir/burn.sbx", slurp("$dir/p.sbx") =~ s/policy p/policy burn/r =~ s/pids 40;/cpu_time 400ms;/r);
    $run = run({ %$user, cwd => $dir, seconds => 40 }, $sbxrun, 'burn.sbx', '--', '/attack', 'burn', '6', '200');
    is outcome($plain->('self', 'burn', '6', '200')), 'ok', "$who: outside children use as much as they like";
    $special->('Processes and resources', 'processor time used by one child after the other',
        $run->{status} == 137 && $run->{err} =~ /killed for its processor time, after 0\.[45]/,
        ($run->{err} =~ /(after [\d.]+ s)/)[0] // outcome($run));
    $run = run({ %$user, cwd => $dir }, $sbxrun, 'p.sbx', '--', 'sh', '-c', 'chmod 0000 /w/later /w');
    chmod 0755, "$dir/w";
    $special->('Files', 'modes by which what keeps the place of a denied path could not be removed',
        $run->{status} == 0 && !-e "$dir/w/later", -e "$dir/w/later" ? 'it stays' : 'gone with the run');
    {
        my $pid = fork // die $!;
        if (!$pid) {
            become($user);
            chdir $dir;
            exec $sbxrun, 'p.sbx', '--', 'sleep', '77' or POSIX::_exit(99);
        }
        my $alive = sub { scalar own_processes(qr/^sleep\x0077\0/) };
        my $ran = soon($alive);
        kill 'KILL', $pid;
        waitpid $pid, 0;
        my $died = soon(sub { !$alive->() });
        $special->('Processes and resources', 'killing the supervisor from outside', $ran && $died,
            'the sandbox dies with it');
    }
    if ($> == 0 && $who eq 'root') {
        $run = run({ cwd => $dir, seconds => 20 }, 'unshare', '-m', 'sh', '-c', "echo planted > $dir/null; "
            . "mount --bind $dir/null /dev/null; exec 0<&- 0</dev/zero; exec $sbxrun p.sbx -- /attack open /dev/null");
        $special->('Files', 'a file of somebody else in the place of /dev/null while the view is made',
            $run->{status} == 125 && $run->{err} =~ /is not the device/,
            'refused: ' . (($run->{err} =~ /(is not the device[^,]*)/)[0] // $run->{err}));
        run({ cwd => $dir }, $sbxrun, 'p.sbx', '--', 'sh', '-c', 'echo x > /w/whose; mkdir /w/whose-folder');
        my @owners = map { (stat "$dir/w/$_")[4] // -1 } 'whose', 'whose-folder';
        $special->('Files', 'as root: a file that belongs to root in a folder of the host', !grep({ $_ <= 0 } @owners)
            || (stat "$dir/w")[4] == 0, "owner $owners[0]: nobody, or the folder's own through an idmapped mount");
        my @modes = map { (stat "$dir/w/$_")[2] & 06000 } 'whose', 'whose-folder';
        $special->('Files', 'as root: and a setuid one', !grep({ $_ } @modes), 'no such bit');
    }
    kill 'TERM', $sleeper;
    waitpid $sleeper, 0;
}

# The table, for whoever looks on; and for the page.
my %count;
$count{ $_->[4] }++ for @table;
diag sprintf 'kernel %s: %s', $kernel, join ', ', map { "$count{$_} $_" } sort keys %count;
if (my $file = $ENV{SBX_MATRIX}) {
    open my $out, '>>', $file or die "$file: $!";
    print {$out} join("\t", @$_), "\n" for @table;
    close $out;
}
done_testing;
