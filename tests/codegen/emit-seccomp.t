#!/usr/bin/perl
# Policies as container engines' profiles: each is proved when it is made, imported and proved again, and held against
# libseccomp's own filter of it (import.c).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use JSON::PP 'decode_json';
use Test::More;

my $dir = folder();
my @emit = ($sbxc, '--emit=docker-seccomp');
my $odd = spew("$dir/odd.sbx", <<'SBX');
sbx 1;
policy odd {
    syscalls {
        default deny with EPERM;
        allow read, write, exit_group, mmap, lseek, clone, connect, sendto, kill, madvise, openat;
        deny mmap where prot & (PROT_WRITE | PROT_EXEC) == PROT_WRITE | PROT_EXEC with EACCES;
        deny lseek where offset > 0x123456789 with EINVAL;
        deny clone where flags & CLONE_NEWUSER != 0;
        deny sendto where dest_addr == 0 with EINVAL;
        deny kill where sig == 9 and pid < 0 with kill;
        deny madvise where advice == 1 or advice == 5 with ENOSYS;
        on x86_64 { allow access; allow ioctl where request == TCGETS; }
        on aarch64 { allow ioctl where request == TIOCGWINSZ; }
    }
    net { allow connect, bind tcp 10.0.0.0/8:443; allow connect udp [::1]:53; }
}
SBX
my @files = (glob("$root/examples/*.sbx"), (grep { slurp($_) =~ /^policy/m } glob("$root/stdlib-policies/*.sbx")),
    $odd);
for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)\.sbx$};
    my $json = "$dir/$name.json";
    my $run = run({ seconds => 60 }, @emit, '-o', $json, $file);
    is $run->{status}, 0, "$name, proved" or diag $run->{err};
    $run = run({ seconds => 120 }, "$build/tests/codegen/import", $json, 0);
    ok !$run->{status} && $run->{out} =~ /^ok 5/m, '  imported, proved again, and so libseccomp answers'
        or diag $run->{out}, $run->{err};
}

# What it can't say.
my $said = run(@emit, '-o', "$dir/odd.json", $odd)->{err};
like $said, qr/^sbxc: wider than the policy/, 'that it is wider';
like $said, qr{^no address is compared \(\S*odd\.sbx:15:11: allow connect, bind tcp 10\.0\.0\.0/8:443\)$}m,
    'with the rule';
my $policy = sub { spew("$dir/p.sbx", "sbx 1;\npolicy p {\n    syscalls {\n        $_[0]\n    }\n}\n") };
my @refused = (
    ['allow read; deny write with 4095; allow write where count == 0;', qr/^sbxc: \S+p\.sbx:4:21: libseccomp takes no/],
    ['default deny with 4095;', qr/^sbxc: \S+p\.sbx:4:\d+: libseccomp takes no errno above 4094: write another/],
    ['allow sendto; deny sendto where sockfd == 1000 or len == 1000 or addrlen == 1000;',
        qr/^sbxc: \S+p\.sbx:4:\d+: `sendto` takes more than 512 rules of a profile: compare fewer of its values\n$/],
);
for (@refused) {
    my ($rules, $why) = @$_;
    my $run = run(@emit, $policy->($rules));
    is $run->{status}, 1, "refused: $rules";
    like $run->{err}, $why, '  said why';
    is $run->{out}, '', '  and nothing is made';
}
is run(@emit, $policy->('allow read;'))->{err}, '', 'where it is the policy, nothing is said';

# The proof is one: what differs in a profile is found.
my $same = sub {
    return run({ seconds => 60 }, "$build/tests/codegen/emitted", $odd, spew("$dir/changed.json", $_[0]))->{out};
};
my $profile = slurp("$dir/odd.json");
is $same->($profile), "the same\n", 'a profile as it is made';
my @changes = (
    [qr/"read",/, '', 'a call less'], [qr/"read"/, '"ptrace","read"', 'a call more'],
    [qr/"errnoRet":13/, '"errnoRet":14', 'another errno'],
    [qr/"index":2,"value":6/, '"index":2,"value":2', 'a bit of a mask'],
    [qr/"includes":\{"arches":\["amd64"\]\}/, '"includes":{"arches":["arm64"]}', 'another architecture'],
    [qr/"SCMP_CMP_NE"/, '"SCMP_CMP_EQ"', 'another comparison'],
    [qr/SCMP_ACT_KILL_PROCESS/, 'SCMP_ACT_ALLOW', 'another action'],
);
for (@changes) {
    my ($from, $to, $what) = @$_;
    my $changed = $profile =~ s/$from/$to/r;
    isnt $changed, $profile, "$what: changed";
    like $same->($changed), qr/^(they differ about `|engines may read it otherwise)/, '  and found';
}
is decode_json($profile)->{defaultErrnoRet}, 1, 'its default is the policy\'s';
done_testing;
