#!/usr/bin/perl
# `sbxc --doc`: a policy as one page; what a reviewer looks for is on it, and nothing that a policy says is markup.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $dir = folder();
my $text = <<'SBX';
sbx 1;
import std.base;
policy ceiling {
    use std.base;
    fs { allow read, write, exec "/srv"; allow read "/run/secrets"; }
    net { allow connect tcp "*.example.com", 10.0.0.0/8; allow bind, listen, connect loopback:1024..65535; }
    limits { memory 2GiB; }
}
policy page(host: host = "api.example.com") {
    summary "A <b>service</b> | with `everything` & *more*";
    use std.base;
    within ceiling;
    fs {
        allow read, write "/srv/data" from "./data" because "its state | <script>alert(1)</script>";
        deny write "/srv/data/.git" because "history";
        never exec "/srv" because "nothing downloaded";
    }
    net {
        allow connect tcp $host:443 because "the one service";
        deny connect tcp 10.1.0.0/16 except 10.1.2.0/24 because "not ours";
        allow connect tcp 10.0.0.0/8:5432;
    }
    syscalls { deny kexec_load with kill because "never"; } # allow SBX0712: said twice on purpose
    limits { memory 1GiB; }
    process { env A_B = "x`y"; }
    secrets { TOKEN from env "T" at "/run/secrets/t"; }
    require cgroup else degrade because "not everywhere";
    require landlock >= 4;
    tests { expect deny write "/etc"; }
}
SBX
my $file = spew("$dir/page.sbx", $text);
mkdir "$dir/data";
my $run = run({ cwd => $dir }, $sbxc, '--doc', 'page.sbx');
is $run->{status}, 0, 'a page' or diag $run->{err};
my $page = $run->{out};
for my $line (
    '# Policy page', 'A \<b\>service\</b\> \| with \`everything\` \& \*more\*',
    '**May write to** | `/dev, /dev/shm, /srv/data` |', '| **Limits** | memory 1GiB |',
    '| **May go without** | cgroup |', '| `/srv/data` | read, write | the host\'s, beside the policy: data | its state '
    . '\| \<script\>alert(1)\</script\> | page.sbx:14 |',
    '| `/srv/data/.git` | read | as above it | history | page.sbx:15 |',
    '| **allow** | `connect tcp "api.example.com":443` | the one service |',
    '| **but for** | `connect tcp 10.1.2.0/24` |',
    '| `deny kexec_load with kill because "never"` | never |', '| **Environment** | ``A_B=x`y`` |',
    '| `TOKEN` | the caller\'s variable T | `/run/secrets/t` |',
    '| `cgroup` | **it runs with less** | not everywhere |', '| `landlock >= 4` | it does not run |',
    '| `within ceiling` | nothing is allowed that it does not allow; no limit is higher |',
    '| `never exec "/srv" because "nothing downloaded"` | nothing of it is allowed |',
    '| `expect deny write "/etc"` | all of it is denied |', 'were proved by Z3',
    'allowed by its author: said twice on purpose', '<summary>use std.base: ',
    '| `openat` | opens a file relative to a directory; its flags say how |', '## On the host where this page was made'
) {
    ok index($page, $line) >= 0, "on it: $line";
}
my @broken = grep { /^\|/ && (() = /(?<!\\)\|/g) < 3 } split /\n/, $page;
is_deeply \@broken, [], 'every row of a table is whole';
my ($columns, @uneven) = 0;
for (split /\n/, $page) {
    my $count = () = /(?<!\\)\|/g;
    push @uneven, $_ if /^\|/ && $columns && $count != $columns;
    $columns = /^\|/ ? $count : 0;
}
is_deeply \@uneven, [], 'and has the columns of its table';

$run = run({ cwd => $dir }, $sbxc, '--doc', '-o', 'page.html', 'page.sbx');
is $run->{status}, 0, 'as HTML' or diag $run->{err};
is $run->{out}, '', 'into a file';
my $html = slurp("$dir/page.html");
is run({ cwd => $dir }, $sbxc, '--doc', '--format=html', 'page.sbx')->{out}, $html, '--format=html says so too';
like $html, qr/^<!DOCTYPE html>/, 'a document';
unlike $html, qr/(?:src|href)=|url\(|\@import/, 'that fetches nothing';
unlike $html, qr/<script>alert/, 'and in which a policy runs nothing';
like $html, qr/its state \| &lt;script&gt;alert\(1\)&lt;\/script&gt;/, 'its text is text';
my (@open, @wrong);
(my $body = $html) =~ s{<(style|script)>.*?</\1>}{}gs;
while ($body =~ m{<(/?)([a-z0-9]+)[^>]*>}g) {
    next if $2 =~ /^(?:meta|br)$/;
    if ($1) { my $was = pop @open; push @wrong, "$2 ends $was" if ($was // '') ne $2 }
    else { push @open, $2 }
}
is_deeply [ @open, @wrong ], [], 'every element is closed in its turn';

is run({ cwd => $dir }, $sbxc, '--doc', '--no-proof', 'page.sbx')->{out} =~ /were NOT proved/, 1,
    'what is not proved is said not to be';
like run({ cwd => $dir }, $sbxc, '--doc', '-D', 'host=other.example.com', 'page.sbx')->{out},
    qr/\*\*Given\*\* \| `host=other.example.com`.*connect tcp "other.example.com":443/s, 'a parameter that is given';
my ($hash) = run({ cwd => $dir }, $sbxc, '--emit=plan', '-o', 'plan.json', 'page.sbx')
    && `sha256sum $dir/plan.json` =~ /^([0-9a-f]{64})/;
ok index($page, "| **Plan** | `$hash` |") >= 0, 'the plan that was read has the hash on the page';
is run({ cwd => $dir }, $sbxc, '--doc', '--policy', 'ceiling', 'page.sbx')->{status}, 0, 'another policy of the file';
(my $failing = $text) =~ s/never exec "\/srv"/never read "\/srv"/;
$run = run({ cwd => $dir }, $sbxc, '--doc', '--policy', 'page', spew("$dir/failing.sbx", $failing));
is $run->{status}, 1, 'no page of a policy whose promises do not hold';
is $run->{out}, '', 'not even half of one';
like $run->{err}, qr/SBX07/, 'but why';
is run($sbxc, '--doc', '--format=json', $file)->{status}, 2, 'no such form';
is run($sbxc, '--check', '--format=html', $file)->{status}, 2, 'and html is for pages';
for my $policy (glob("$root/examples/*.sbx $root/stdlib-policies/*.sbx")) {
    next if slurp($policy) !~ /^policy/m;
    my ($name) = $policy =~ m{([^/]+)$};
    is run({ cwd => $root }, $sbxc, '--doc', '--no-proof', $policy)->{status}, 0, $name;
}
done_testing;
