#!/usr/bin/perl
# The cache of plans: it saves the compiler's work, means the same, and believes nothing without its seal.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use JSON::PP;
use POSIX ();
use Test::More;
use Digest::SHA qw(sha256_hex hmac_sha384_hex);

# search | read NUMBER | session COMMAND: as sessions are, with the user's keyring in their own
my $keys = <<'P';
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
def word(x): return ctypes.c_char_p(x.encode()) if isinstance(x, str) else ctypes.c_long(x)
def keyctl(*a): return libc.syscall(number, *[word(x) for x in a])
def read(key):
    data = ctypes.create_string_buffer(64)
    n = libc.syscall(number, 11, ctypes.c_long(key), data, 64)
    return data.raw[:n].hex() if n >= 0 else ""
if sys.argv[1] == "session":
    keyctl(1, 0)
    keyctl(8, -4, -3)
    os.execvp(sys.argv[2], sys.argv[2:])
elif sys.argv[1] == "read":
    print(read(int(sys.argv[2])) or "no")
else:
    keys = [keyctl(10, ring, "user", "sbxrun-seal", 0) for ring in (-1, -2, -3, -4, -5)]
    found = [(key, read(key)) for key in keys if key > 0]
    print(*(found[0] if found else ("none",)))
P

# What an entry is found by, as plan_cache.c has it: the program, the policy's file, what it was called.
my $plan_key = sub {
    my ($dir) = @_;
    my ($build_id) = slurp($sbxrun) =~ /\x04\0{3}\x14\0{3}\x03\0{3}GNU\0(.{20})/s; # elf(5), NT_GNU_BUILD_ID
    my $word = sub { my ($kind, $text) = @_; $kind . pack('Q<', length $text) . $text };
    return sha256_hex(join '', $word->('b', $build_id // ''), $word->('f', "$dir/p.sbx"),
        $word->('s', 'p.sbx'), $word->('p', ''));
};

my $under = folder() . '/under';
system 'cp', "$build/tests/live/under", $under;

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'fs { allow read "/w" from "./w"; } process { env MODE = "one"; }');
    mkdir "$dir/cache";
    owned($user, "$dir/cache", $dir);
    my %o = (%$user, cwd => $dir, env => { XDG_CACHE_HOME => "$dir/cache" });
    my $folder = $name eq 'root' ? '/var/cache/sbx/plans' : "$dir/cache/sbx/plans";
    my $policy = sub {
        my ($text, $file) = @_;
        spew("$dir/" . ($file // 'p.sbx'), $text);
        owned($user, "$dir/" . ($file // 'p.sbx'));
    };
    my $report = sub { my $text = slurp("$dir/w/r.json"); unlink "$dir/w/r.json"; decode_json($text) };
    my $mode = sub { # what the plan says, and where it came from
        my @args = @_;
        my $ran = run(\%o, $sbxrun, '--report', "$dir/w/r.json", @args, '--', 'sh', '-c', 'echo $MODE');
        my $from = -e "$dir/w/r.json" ? $report->()->{plan_from} : 'nowhere';
        return ($ran->{out} =~ s/\n$//r) . " $from";
    };
    my $entries = sub {
        map {
            my $path = $_;
            -f $path && slurp($path) =~ m{^[^\n]*\n[0-9a-f]+\t\Q$dir\E/} ? $path : ();
        } glob "$folder/*";
    };
    my $one = slurp("$dir/p.sbx");

    is $mode->('p.sbx'), 'one policy', "$name: a policy is compiled";
    if (!$entries->()) {
        my $found = run(\%o, 'python3', '-c', $keys, 'search')->{out};
        SKIP: {
            skip "$name: no keyring here, so nothing is cached", 1 if $found eq "none\n";
            fail "$name: its plan is kept";
        }
        next;
    }
    is $mode->('p.sbx'), 'one cache', "$name: once";
    is $mode->('--no-cache', 'p.sbx'), 'one policy', "$name: --no-cache compiles";
    is $mode->("$dir/p.sbx"), 'one policy', "$name: under another name, which messages would show, too";
    is +(stat $folder)[2] & 0777, 0700, "$name: in a folder of its own";
    is +(stat +($entries->())[0])[2] & 0777, 0600, "$name: that nobody else reads";

    # It is as if it were compiled.
    $policy->((
            $one =~ s/MODE = "one";/MODE = "one"; env FROM = "here";/r)
                =~ s/\n\}\n$/\n    syscalls { deny getpriority because "no reason"; }\n}\n/r);
    my @shown = map {
        my $ran = run(\%o, $sbxrun, 'p.sbx', '--', 'sh', '-c', 'nice; cat /etc/shadow; echo $FROM; exit 3');
        "$ran->{status}\n$ran->{out}$ran->{err}";
    } 1, 2;
    is $shown[1], $shown[0], "$name: what is denied is told alike";
    like $shown[1], qr/p\.sbx:\d+:\d+: deny getpriority/, "$name: with the rule, though nothing was compiled before";
    my @plans = map {
        run(\%o, $sbxrun, '--report', "$dir/w/r.json", 'p.sbx', '--', 'true');
        my $r = $report->();
        "$r->{plan_sha256} $r->{plan_from}";
    } 1, 2;
    is $plans[0] =~ s/ .*//r, $plans[1] =~ s/ .*//r, "$name: it is the same plan";
    spew("$dir/w/explain.sh", ": > /w/ready; while test ! -e /w/go; do sleep 0.02; done; nice; exit 3\n");
    mkdir "$dir/w/policy";
    owned($user, "$dir/w/policy");
    my $writable = slurp(
        "$dir/p.sbx") =~ s{fs \{ allow read "/w" from "./w"; \}}{fs { allow read, write "/w" from ".."; }}r
            =~ s{"\./probe"}{"../../probe"}r;
    $policy->($writable, 'w/policy/p.sbx');
    $policy->($writable =~ s/deny getpriority because "no reason"/\n\n\n deny getpriority because "a lie"/r,
        'w/other.sbx');
    run(\%o, $sbxrun, 'w/policy/p.sbx', '--', 'true');
    my $host = fork // die $!;
    if (!$host) { # writes it while the command runs, which can't
        soon(sub { -e "$dir/w/ready" }) && rename "$dir/w/other.sbx", "$dir/w/policy/p.sbx";
        spew("$dir/w/go", '');
        POSIX::_exit(0);
    }
    my $lied = run(\%o, $sbxrun, 'w/policy/p.sbx', '--', 'sh', '/w/explain.sh');
    waitpid $host, 0;
    like slurp("$dir/w/policy/p.sbx"), qr/a lie/, "$name: (the policy's file was written meanwhile)";
    like $lied->{err}, qr/denied.*getpriority/, "$name: what is denied is told";
    unlike $lied->{err}, qr/p\.sbx:\d+:\d+: deny getpriority/,
        "$name: but not by a file that was written meanwhile" or diag $lied->{err};

    # What it depends on.
    $policy->($one);
    is $mode->('p.sbx'), 'one policy', "$name: a changed policy is compiled";
    is $mode->('p.sbx'), 'one cache', "$name: once";
    mkdir "$dir/$_" for 'roots', 'w/lib';
    $policy->("sbx 1;\npolicy mode { process { env MODE = \"two\"; } }\n", 'roots/mode.sbx');
    $policy->("sbx 1;\nimport mode;\nimport std.base;\n"
        . "policy p(twice: path = \"/w\") { use std.base; use mode.mode; fs { allow read \$twice from \"./w\"; } }\n");
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'two policy', "$name: a policy with imports is compiled";
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'two cache', "$name: once";
    is $mode->('-I', "$dir/roots", '-D', 'twice=/v', 'p.sbx'), 'two policy', "$name: -D is compiled" for 1, 2;
    $policy->("sbx 1;\npolicy mode { process { env MODE = \"three\"; } }\n", 'roots/mode.sbx');
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'three policy', "$name: what it imports has changed";
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'three cache', "$name: once";
    $policy->("sbx 1;\npolicy mode { process { env MODE = \"four\"; } }\n", 'mode.sbx');
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'four policy', "$name: a file that would be found sooner is there now";
    unlink "$dir/mode.sbx";
    is $mode->('-I', "$dir/roots", 'p.sbx'), 'three policy', "$name: and no more";
    rename "$dir/roots/mode.sbx", "$dir/roots/other.sbx";
    like $mode->('-I', "$dir/roots", 'p.sbx'), qr/^ nowhere/, "$name: one that is gone is an error, as ever";

    # Whoever can write it.
    $policy->($one);
    unlink $entries->();
    $mode->('p.sbx');
    my ($entry) = $entries->();
    my $whole = slurp($entry);
    my $tampered = sub {
        my ($text, $what) = @_;
        spew($entry, $text);
        owned($user, $entry);
        is $mode->('p.sbx'), 'one policy', "$name: $what";
        is $mode->('p.sbx'), 'one cache', "$name: and is put right";
    };
    $tampered->($whole =~ s/"one"/"bad"/r, 'an entry that somebody changed is not believed');
    $tampered->(substr($whole, 0, -1), 'nor half of one');
    $tampered->(('0' x 96) . substr($whole, 96), 'nor one without its seal');
    $tampered->('', 'nor an empty one');
    $tampered->($whole =~ s/^[^\n]*\n//r, 'nor one that lacks its first line');
    $policy->($one =~ s/"one"/"old"/r);
    $mode->('p.sbx');
    my $old = slurp($entry);
    $policy->($one);
    $tampered->($old, 'nor one that was right for what the policy said before');
    $policy->(($one =~ s/"one"/"else"/r), 'q.sbx');
    my %before = map { $_ => 1 } $entries->();
    $mode->('--policy', 'p', 'q.sbx');
    my ($other) = grep { !$before{$_} } $entries->();
    $tampered->(slurp($other), 'nor another policy\'s');
    for my $what ('folder', 'link', 'fifo', 'hard link') {
        unlink $entry;
        spew("$dir/elsewhere", "precious\n");
        my $made = $what eq 'folder' ? mkdir $entry : $what eq 'link' ? symlink "$dir/elsewhere",
            $entry : $what eq 'fifo' ? !system('mkfifo', $entry) : link "$dir/elsewhere", "$entry.new";
        SKIP: {
            skip "$name: another file system", 2 unless $made;
            is $mode->('p.sbx'), 'one policy', "$name: nor a $what in its place";
            is slurp("$dir/elsewhere"), "precious\n", "$name: and what a link leads to stays";
        }
        rmdir $entry;
    }
    $mode->('p.sbx');
    chmod 0777, $folder;
    is $mode->('p.sbx'), 'one policy', "$name: nothing is taken from a folder that others can write";
    chmod 0700, $folder;
    is $mode->('p.sbx'), 'one cache', "$name: (it was there)";

    # The secret is a key, and does not lie with what it seals: who makes the caches anew can't seal.
    my $of = $plan_key->($dir);
    my ($mine, $beside) = ("$folder/" . substr($of, 0, 3), "$dir/cache/sbx/secret");
    my ($key, $secret) = split ' ', run(\%o, 'python3', '-c', $keys, 'search')->{out};
    SKIP: {
        skip "$name: this session has no way to the user's keyring", 6 if $key eq 'none';
        like $secret, qr/^[0-9a-f]{64}$/, "$name: the user's sessions can read the secret";
        # An entry as a sandbox would make it, with a secret of its own that it leaves where sbxrun once had one.
        my ($seal, $body) = split /\n/, slurp($mine), 2;
        my $own = "\1" x 32;
        my $forged = $body =~ s/"one"/"bad"/r;
        is hmac_sha384_hex("plan\0$of$body", pack 'H*', $secret), $seal, "$name: (this is how an entry is sealed)";
        if ($name ne 'root') {
            spew($beside, $own);
            chmod 0600, $beside;
        }
        spew($mine, hmac_sha384_hex("plan\0$of$forged", $own) . "\n$forged");
        owned($user, $mine, $name ne 'root' ? $beside : ());
        is $mode->('p.sbx'), 'one policy', "$name: one that is sealed with another secret is not believed";
        my $may = sandbox($user, 'syscalls { allow @keyring; }', uses => 'python');
        my $inside = sub { run({ %$user, cwd => $may }, @_)->{out} };
        is $inside->($sbxrun, 'p.sbx', '--', 'python3', '-c', $keys, 'search'), "none\n",
            "$name: a sandbox whose policy allows keyctl does not find it";
        is $inside->('python3', '-c', $keys, 'session', '/usr/bin/python3', '-c', $keys, 'read', $key), "$secret\n",
            "$name: (a session reads it by its number)";
        is $inside->('python3', '-c', $keys, 'session', $sbxrun, 'p.sbx', '--', 'python3', '-c', $keys, 'read', $key),
            "no\n", "$name: nor reads it by its number";
    }
    $mode->('p.sbx');
    is $mode->('p.sbx'), 'one cache', "$name: (it is there)";
    $o{within} = [$under, ((POSIX::uname())[4] eq 'aarch64' ? 219 : 250) . '=38', '--']; # keyctl(2): ENOSYS
    is $mode->('p.sbx'), 'one policy', "$name: where there is no keyring nothing is believed";
    unlink $entries->();
    is $mode->('p.sbx'), 'one policy', "$name: (compiled)";
    is join(' ', $entries->()), '', "$name: nor kept";
}
done_testing;
