#!/usr/bin/perl
# Root file systems from archives: unpacked once, shown from the cache, never changed; and archives that were made to do
# harm.
use strict;
use warnings;
use FindBin;
use Digest::SHA;
use JSON::PP;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Tar;
use POSIX ();
use Test::More;

sub compressed { my ($by, $bytes) = @_; my $from = spew(folder() . '/plain', $bytes); return scalar `cat $from | $by` }
sub start { # sbxrun, as the user, on its own
    my ($user, @command) = @_;
    my $pid = fork // die $!;
    return $pid if $pid;
    become($user);
    chdir $user->{cwd};
    $ENV{$_} = $user->{env}{$_} for keys %{ $user->{env} };
    open STDERR, '>', '/dev/null';
    exec @command or POSIX::_exit(99);
}
my $under = folder() . '/under';
system 'cp', "$build/tests/live/under", $under;
my @keyless = ($under, ((POSIX::uname())[4] eq 'aarch64' ? 219 : 250) . '=38', '--'); # no keyctl(2)
my @usual = map { { name => "$_/", type => '5', mode => 0755 } } qw(bin etc tmp proc dev srv);
sub image { my ($path, @more) = @_; return spew($path, archive(@usual, { name => 'bin/probe', mode => 0755, data =>
                slurp($probe) }, { name => 'bin/attack', mode => 0755, data => slurp("$build/tests/attacks/attack") },
    { name => 'etc/motd', data => "from the image\n" }, { name => 'etc/setuid', mode => 06755, data => 'x' },
    { name => 'bin/again', type => '1', link => 'bin/probe' }, { name => 'etc/link', type => '2', link => 'motd' },
    @more)) }

for my $user (users()) {
    my $name = $user->{name};
    my $dir = folder();
    mkdir "$dir/$_" for 'cache', 'out';
    owned($user, $dir, "$dir/cache", "$dir/out");
    image("$dir/i.tar");
    my $policy = sub {
        my ($rule, $more) = @_;
        spew("$dir/p.sbx", "sbx 1;\nimport std.base;\npolicy p {\n    use std.base.inside;\n    fs { $rule }\n"
            . ($more // '') . "\n}\n");
    };
    my %o = (%$user, cwd => $dir, env => { XDG_CACHE_HOME => "$dir/cache" }, seconds => 60);
    my $as_root = !(defined $user->{uid} ? $user->{uid} : $>);
    my $cache = $as_root ? '/var/cache/sbx/unpacked' : "$dir/cache/sbx/unpacked";
    my $entry = sub { # of an archive: its hash, and a seal
        my ($hash) = `sha256sum $_[0]` =~ /^(\w+)/;
        return (map { m{([^/]+)$} } glob "$cache/$hash-*")[0] // 'none';
    };
    my $run = sub { run(\%o, $sbxrun, '--changes', "$dir/out/changes", 'p.sbx', '--', @_) };
    my $folders = sub { join ' ', sort map { m{([^/]+)$} } grep { -d && ! -l } glob "$cache/*" };

    $policy->('allow read, exec "/" from image "./i.tar"; allow read, write "/tmp" from tmpfs size 1MiB;');
    my $before = $folders->();
    my $first = $run->('/bin/attack', 'open', '/etc/motd');
    is $first->{out}, "ok\n", "$name: a program of the image reads a file of the image" or diag $first->{err};
    my $hash = $entry->("$dir/i.tar");
    like $hash, qr/^[0-9a-f]{64}-[0-9a-f]{96}$/, "$name: it lies in the cache, by its hash and the seal of that";
    is slurp("$cache/$hash/etc/motd"), "from the image\n", "$name: whole";
    is +(stat "$cache/$hash/etc/setuid")[2] & 07000, 0, "$name: without setuid bits";
    is +(stat "$cache/$hash/bin/again")[1], (stat "$cache/$hash/bin/probe")[1], "$name: with its hard links";
    my $made = (stat "$cache/$hash")[10];
    is $run->('/bin/attack', 'open', '/usr/bin/true')->{out}, "ENOENT\n", "$name: nothing of the host is there";
    is $run->('/bin/attack', 'open', '/etc/motd', 'w')->{out} =~ /^E(?:ROFS|ACCES)$/, 1, "$name: it can't be written";
    is +(stat "$cache/$hash")[10], $made, "$name: it was not unpacked again";
    is $run->('/bin/attack', 'fill', 'bytes', '/tmp', '500000')->{out}, "ok\n", "$name: beside it memory";

    # One that somebody else made there, and a note on the archive's hash, are not believed: they lack the seal.
    my $motd = 'allow read, exec "/" from image "./forged.tar";';
    image("$dir/forged.tar", { name => 'etc/motd2', data => "forged\n" });
    my ($forged) = `sha256sum $dir/forged.tar` =~ /^(\w+)/;
    for my $made ($forged, "$forged-" . '0' x 64) {
        mkdir "$cache/$made";
        mkdir "$cache/$made/bin";
        system 'cp', "$build/tests/attacks/attack", "$cache/$made/bin/attack";
        mkdir "$cache/$made/planted";
        system 'chown', '-R', "$user->{uid}:$user->{gid}", "$cache/$made" if defined $user->{uid};
    }
    $policy->($motd);
    is $run->('/bin/attack', 'open', '/planted')->{out}, "ENOENT\n", "$name: a folder without a seal is not believed";
    is scalar(grep { -d } glob "$cache/$forged*"), 1, "$name: and gives way";
    my $is = sprintf '%x-%x-%x.', (stat "$dir/forged.tar")[1, 7, 9]; # earlier tests had archives of the same hash
    my ($note) = grep { -l && readlink =~ /^$forged/ } glob "$cache/hash-*-$is*";
    my $right = readlink $note;
    unlink $note;
    symlink $hash, $note;
    is $run->('/bin/attack', 'open', '/etc/motd2')->{out}, "ok\n", "$name: nor is another image's hash";
    unlink $note;
    symlink substr($hash, 0, 65) . substr($right, 65), $note;
    is $run->('/bin/attack', 'open', '/etc/motd2')->{out}, "ok\n", "$name: nor with the seal of this one's";
    is readlink $note, $right, "$name: the note is put right";

    # What is unpacked is what was hashed, whatever becomes of the archive meanwhile.
    image("$dir/flip.tar", { name => 'srv/large', data => 'x' x 30_000_000 }, { name => 'etc/flip', data => "GOOD\n" });
    my $at = index slurp("$dir/flip.tar"), "GOOD\n";
    $policy->('allow read, exec "/" from image "./flip.tar";');
    my $flipping = fork // die $!;
    if (!$flipping) {
        sysopen my $f, "$dir/flip.tar", POSIX::O_WRONLY() or POSIX::_exit(1);
        for my $k (0 .. 1e7) {
            sysseek $f, $at, 0;
            syswrite $f, $k & 1 ? 'GOOD' : 'EVIL';
            select undef, undef, undef, 0.003;
        }
        POSIX::_exit(0);
    }
    my ($wrong, $made_of) = (0, 0);
    for my $try (1 .. 8) {
        $run->('/bin/attack', 'open', '/etc/flip');
        for my $folder (grep { -e "$_/etc/flip" } glob "$cache/*") {
            my ($of) = $folder =~ m{([0-9a-f]{64})-};
            my $as_hashed = slurp("$dir/flip.tar");
            substr($as_hashed, $at, 4) = substr slurp("$folder/etc/flip"), 0, 4;
            $made_of++;
            $wrong++ if Digest::SHA::sha256_hex($as_hashed) ne $of;
            system 'rm', '-rf', $folder;
        }
    }
    kill 'KILL', $flipping;
    waitpid $flipping, 0;
    cmp_ok $made_of, '>', 0, "$name: an archive that changes all the time is unpacked";
    is $wrong, 0, "$name: each time as it was hashed";

    # Without a keyring nothing is believed, and nothing stays.
    my $without = run({ %o, within => [@keyless] }, $sbxrun, 'p.sbx', '--', '/bin/attack', 'open', '/etc/flip');
    is $without->{out}, "ok\n", "$name: without a keyring it is unpacked" or diag $without->{err};
    is join(' ', glob "$cache/new-*"), '', "$name: and goes with the run";

    $policy->('allow read, write, exec "/" from image "./i.tar" size 4MiB;');
    my $written = $run->('/bin/attack', 'open', '/etc/motd', 'w');
    if ($written->{status} == 125 && $written->{err} =~ /needs Linux 6\.6 or newer/) {
        pass "$name: writing to it is refused with the reason";
    } else {
        is $written->{out}, "ok\n", "$name: where it may be written, it is copied" or diag $written->{err};
        is $run->('/bin/attack', 'fill', 'bytes', '/srv', '8000000')->{out}, "ENOSPC\n", "$name: up to a size";
        is_deeply decode_json(slurp("$dir/out/changes"))->{changes}, [], "$name: what was removed again is no change";
    }
    is slurp("$cache/$hash/etc/motd"), "from the image\n", "$name: the image stays as it is";
    $policy->('allow read "/data" from image "./i.tar"; allow read, exec "/attack" from "./attack"; allow read "/none" '
        . 'from image "./none.tar" if exists;');
    system 'cp', "$build/tests/attacks/attack", "$dir/attack";
    is $run->('/attack', 'open', '/data/etc/link')->{out}, "ok\n",
        "$name: at another place; one that does not exist and need not";
    is $run->('/attack', 'execute', 'direct', '/data')->{status} != 0, 1, "$name: without the right to execute";
    for my $tool (['gzip', 'gz'], ['xz', 'xz'], ['zstd', 'zst'], ['bzip2', 'bz2']) {
        SKIP: {
            skip "$tool->[0] is not here",
                1 if system("$tool->[0] -c $dir/i.tar > $dir/i.tar.$tool->[1] 2>/dev/null") != 0;
            $policy->("allow read, exec \"/\" from image \"./i.tar.$tool->[1]\";");
            is $run->('/bin/attack', 'open', '/etc/motd')->{out}, "ok\n", "$name: compressed by $tool->[0]";
        }
    }

    # Made to do harm. Each is refused, and neither the cache nor anything else has anything of it.
    my $outside = folder();
    chmod 0777, $outside;
    $policy->('allow read, exec "/" from image "./bad.tar";');
    my $images = $folders->();
    my $bad = sub { archive(@usual, @_) };
    my %through = (name => 'out', type => '2', link => $outside);
    for my $case (
        ['a name with ..', qr/leads out of it: \.\.\//, $bad->({ name => '../escape', data => 'x' })],
        ['a name with .. in it', qr/leads out of it/, $bad->({ name => 'etc/../../escape', data => 'x' })],
        ['an absolute name', qr/leads out of it: \//, $bad->({ name => "$outside/escape", data => 'x' })],
        ['a file through a link', qr/through a link: out\/escape/,
            $bad->(\%through, { name => 'out/escape', data => 'x' })],
        ['a folder through a link', qr/through a link: out\/escape/,
            $bad->(\%through, { name => 'out/escape/', type => '5' })],
        ['a hard link to the host', qr/leads out of it/,
            $bad->({ name => 'passwd', type => '1', link => '/etc/passwd' })],
        ['a hard link through a link', qr/cannot make the hard link passwd/, $bad->({ name => 'out', type => '2',
                    link => '/etc' }, { name => 'passwd', type => '1', link => 'out/passwd' })],
        ['a file at a folder', qr/cannot make etc: Is a directory/, $bad->({ name => 'etc', data => 'x' })],
        ['more than there may be', qr/more than 32 GiB are in it, of big/,
            $bad->({ name => 'big', size => 60 << 30, data => 'x' })],
        ['a file that is cut off', qr/not a whole archive/,
            substr($bad->({ name => 'big', size => 1 << 20, data => 'x' }), 0, -1536)],
        ['no end, after a whole file', qr/ends before its end/,
            substr($bad->({ name => 'etc/last', data => 'x' }), 0, -1024)],
        ['an end of a compression that is cut off', qr/not a whole archive/,
            substr(compressed('gzip', archive(@usual)), 0, -6)],
        ['a compression in a compression', qr/compressed more than once/, compressed('gzip | gzip', archive(@usual))],
        ['a name that a terminal obeys', qr/leads out of it: \.\.\/e\\x1b\[31mR\\xff \(/,
            $bad->({ name => "../e\e[31mR\xff", data => 'x' })],
        ['nothing', qr/nothing is in it/, "\0" x 1024],
        ['an empty file', qr/not a whole archive|Unrecognized/, ''],
        ['no archive', qr/not a whole archive: Unrecognized/, "no archive at all\n" x 100],
        ["what the library would run another program for", qr/not a whole archive: Unrecognized/,
            "LRZI\0\6" . "\0" x 4000],
        ['another such', qr/not a whole archive: Unrecognized/, "\x89LZO\0\x0d\x0a\x1a\x0a" . "\0" x 4000],
    ) {
        my ($what, $said, $bytes) = @$case;
        spew("$dir/bad.tar", $bytes);
        my $run = $run->('/bin/attack', 'open', '/etc');
        is $run->{status}, 125, "$name: refused: $what";
        like $run->{err}, $said, "$name: and why" or diag $run->{err};
        is join(" ", grep { -e } glob("$outside/*"), "$dir/escape", "$dir/cache/escape"), "",
            "$name: nothing of it is outside";
    }
    is $folders->(), $images, "$name: nothing of them is in the cache";
    $policy->('allow read, exec "/" from image "./devices.tar";');
    image("$dir/devices.tar", { name => 'dev/sda', type => '4', major => 8, minor => 0 },
        { name => 'dev/mem', type => '3', major => 1, minor => 1 });
    is $run->('/bin/attack', 'open', '/etc/motd')->{out}, "ok\n", "$name: devices in it are left out";
    my $devices = $entry->("$dir/devices.tar");
    ok !-e "$cache/$devices/dev/sda", "$name: really";

    # Names are bytes, whichever way the archive has them; links may cross folders; a later file takes an earlier
    # one's place.
    spew("$dir/names.tar", archive(@usual, { name => 'pax', type => 'x', data => do {
        my $r = "path=srv/caf\xC3\xA9\n";
        my $n = length($r) + 3;
        "$n $r";
    } }, { name => 'cafe', data => 'x' },
        { name => 'etc/motd', data => "first\n" }, { name => 'etc/motd', data => "last\n" },
        { name => 'srv/deep/er/motd', type => '1', link => 'etc/motd' },
        { name => 'bin/attack', mode => 0755, data => slurp("$build/tests/attacks/attack") }));
    $policy->('allow read, exec "/" from image "./names.tar";');
    is $run->('/bin/attack', 'open', "/srv/caf\xC3\xA9")->{out}, "ok\n", "$name: a name that is no ASCII";
    is $run->('/bin/attack', 'open', '/srv/deep/er/motd')->{out}, "ok\n", "$name: a hard link to another folder";
    my $names = $entry->("$dir/names.tar");
    is slurp("$cache/$names/srv/deep/er/motd"), "last\n", "$name: to what was the last of its name";

    # What is skipped takes its time, too: such an archive is 2 KB, and 30 GiB come out of it.
    SKIP: {
        skip 'bzip2 is not here', 6 if !-x '/usr/bin/bzip2' && !-x '/bin/bzip2';
        my $block = compressed('bzip2', "\1" x (64 << 20));
        spew("$dir/bad.tar",
            compressed('bzip2', entry(name => 'x', type => 'M', size => 30 << 30, data => '') ) . $block x 480);
        $policy->('allow read, exec "/" from image "./bad.tar";', 'limits { lifetime 1s; }');
        my $late = $run->('/bin/attack', 'open', '/etc');
        is $late->{status}, 125, "$name: an archive that takes longer than the policy's lifetime is given up";
        like $late->{err}, qr/cannot unpack .*: the policy's lifetime is over/, "$name: and why";
        $policy->('allow read, exec "/" from image "./bad.tar";');
        for my $signal ('TERM', 'INT') {
            my $pid = start(\%o, $sbxrun, 'p.sbx', '--', '/bin/attack', 'open', '/etc');
            select undef, undef, undef, 0.5;
            kill $signal, $pid;
            my $until = time + patience(5);
            while (waitpid($pid, POSIX::WNOHANG()) == 0) {
                if (time > $until) { fail "$name: ended"; kill 'KILL', $pid; waitpid $pid, 0 }
                select undef, undef, undef, 0.02;
            }
            is $? & 127, { TERM => 15, INT => 2 }->{$signal},
                "$name: one that takes long is ended by SIG$signal, as is what waits for it";
            is join(' ', glob "$cache/new-*"), '', "$name: and nothing of it stays";
        }
    }

    # What a killed run has left, deeper than a path can be.
    my $deep = spew("$dir/deep.pl", 'chdir shift or die; for (1 .. 3000) { mkdir "d" x 200 or die $!; chdir '
        . '"d" x 200 or die $! } open my $f, ">", "last"');
    mkdir "$cache/new-1-1";
    system $^X, $deep, "$cache/new-1-1";
    owned($user, "$cache/new-1-1");
    system 'chown', '-R', "$user->{uid}:$user->{gid}", "$cache/new-1-1" if defined $user->{uid};

    # Killed while it unpacks, and many at once.
    spew("$dir/big.tar", archive(@usual, { name => 'bin/attack', mode => 0755, data =>
                slurp("$build/tests/attacks/attack") }, map { { name => "srv/$_", data => 'x' x 200_000 } } 1 .. 150));
    $policy->('allow read, exec "/" from image "./big.tar";');
    my $pid = start(\%o, $sbxrun, 'p.sbx', '--', '/bin/attack', 'open', '/etc');
    select undef, undef, undef, 0.03;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    my @pids = map {
        my $p = fork // die $!;
        if (!$p) { POSIX::_exit($run->('/bin/attack', 'open', '/etc')->{out} eq "ok\n" ? 0 : 1) }
        $p;
    } 1 .. 6;
    my $failed = 0;
    for (@pids) { waitpid $_, 0; $failed++ if $? }
    is $failed, 0, "$name: six runs at once, after one that was killed";
    is join(' ', glob "$cache/new-*"), '', "$name: nothing half unpacked is left";
    chmod 0777, $cache;
    like $run->('/bin/attack', 'open', '/etc')->{err}, qr/can be written by others/,
        "$name: a cache that others can write is not used";
    chmod 0700, $cache;
    if ($as_root) { system 'rm', '-rf', "$cache/$_" for grep { $before !~ /$_/ } split ' ', $folders->() }
}
done_testing;
