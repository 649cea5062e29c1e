#!/usr/bin/perl
# A plan from anyone: what is not exactly a plan is refused before anything is set up.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use JSON::PP;
use Test::More;

my $dir = folder();
spew("$dir/p.sbx", 'sbx 1; import std.base; policy p { use std.base; command "/bin/echo", "RAN";
    fs { allow read, write "/tmp" from tmpfs size 1MiB; }
    net { allow bind, connect, listen tcp loopback; } limits { pids 9; } process { user 12; env A = "b"; } }');
system("$sbxc --emit=plan -o $dir/good.json $dir/p.sbx") == 0 or die;
my $json = slurp("$dir/good.json");
is run($sbxrun, "$dir/good.json")->{out}, "RAN\n", 'the plan runs';
is slurp("$dir/good.json"), `$sbxc --emit=plan $dir/p.sbx`, 'the same policy gives the same bytes';

# Which rule denies a call a plan does not say, and so no run of one.
my $denying = spew("$dir/denying.sbx",
    'sbx 1; import std.python; policy p { use std.python; syscalls { deny chroot; } }');
system("$sbxc --emit=plan -o $dir/denying.json $denying") == 0 or die;
my $denied = run($sbxrun, '--report', "$dir/report.json", "$dir/denying.json", '--', 'python3', '-c',
    "import os\ntry: os.chroot('/')\nexcept OSError: exit(1)");
is $denied->{err}, "sbxrun: denied syscall chroot: the plan does not say by which rule\n", 'a denied call';
is_deeply decode_json(slurp("$dir/report.json"))->{calls},
    [{ event => 'denied', operation => 'syscall chroot', count => 1 }], 'in the report too';

sub refused {
    my ($what, $text, $said) = @_;
    my $run = run({ seconds => 20 }, $sbxrun, spew("$dir/bad.json", $text));
    is "$run->{status} $run->{out}", '125 ', "refused: $what" or diag $run->{err};
    like $run->{err}, $said // qr/is not a plan: \S/, "$what: says what is wrong";
    cmp_ok $run->{seconds}, '<', patience(5), "$what: soon";
}

sub changed { my ($how) = @_; my $plan = decode_json($json); $how->($plan); return JSON::PP->new->encode($plan) }

my $filter = decode_json($json)->{syscalls}{x86_64};
my $name = { effect => 'allow', verbs => ['connect'], protocols => ['tcp'], place => 'name', port_first => 1,
    port_last => 2 };
for my $case (
    ['another version', sub { $_[0]{sbx_plan} = 2 }], ['no version', sub { delete $_[0]{sbx_plan} }],
    ['an unknown member', sub { $_[0]{extra} = 1 }],
    ['a missing section', sub { delete $_[0]{limits} }], ['a section of the wrong type', sub { $_[0]{view} = {} }],
    ['a number for a string', sub { $_[0]{name} = 3 }],
    ['a string for a number', sub { $_[0]{capabilities} = '3' }],
    ['a negative number', sub { $_[0]{capabilities} = -1 }], ['a fraction', sub { $_[0]{capabilities} = 1.5 }],
    ['an unknown verb', sub { $_[0]{view}[0]{verbs} = ['own'] }], ["a network's verb on a file",
        sub { $_[0]{view}[0]{verbs} = ['connect'] }], ['an unknown source', sub { $_[0]{view}[0]{from} = 'cloud' }],
    ['a relative path', sub { $_[0]{view}[0]{path} = 'bin' }],
    ['a path with ..', sub { $_[0]{view}[0]{path} = '/a/../b' }],
    ['a path with a slash at its end', sub { $_[0]{view}[0]{path} = '/a/' }],
    ['places out of order', sub { my $v = $_[0]{view}; @$v = reverse @$v }],
    ['a place twice', sub { push @{ $_[0]{view} }, $_[0]{view}[-1] }],
    ['a host path that is not of its base', sub { $_[0]{view}[0]{host} = 'etc' }],
    ['a rule that is not there', sub { $_[0]{view}[0]{rule} = 99999 }], ['an unknown limit',
        sub { $_[0]{limits}{time} = { value => 1 } }], ['a limit without a value', sub { $_[0]{limits}{pids} = {} }],
    ['a user out of range', sub { $_[0]{process}{number} = 70000 }],
    ['an unknown user', sub { $_[0]{process}{user} = 'admin' }],
    ['a variable with = in its name', sub { $_[0]{process}{env}[0]{name} = 'A=B' }],
    ['a variable twice', sub { push @{ $_[0]{process}{env} }, $_[0]{process}{env}[0] }],
    ['the proxy\'s password kept',
        sub { push @{ $_[0]{process}{env} }, { name => 'SBX_PROXY_CREDENTIALS' } }, qr/sbxrun's alone/],
    ['the proxy\'s password as a secret',
        sub { $_[0]{secrets} = [{ name => 'S', variable => 'SBX_PROXY_CREDENTIALS' }] }, qr/sbxrun's alone/],
    ['a secret of no variable', sub { $_[0]{secrets} = [{ name => 'S', variable => '' }] }],
    ['a secret twice', sub { $_[0]{secrets} = [({ name => 'S', variable => 'A' }) x 2] }],
    ['a capability that Linux does not have', sub { $_[0]{capabilities} = 1 << 41 }],
    ['a version of what has none', sub { $_[0]{requires} = [{ feature => 'ebpf', version => 2 }] }],
    ['ports the wrong way round', sub { @{ $_[0]{network}[0] }{ 'port_first', 'port_last' } = (9, 8) }],
    ['addresses the wrong way round',
        sub { @{ $_[0]{network}[0] }{ 'first', 'last' } = ('f' x 32, '0' x 32) }],
    ['a host name that is none', sub { push @{ $_[0]{network} }, { %{ $name }, name => 'a b' } }],
    ['a wildcard of all', sub { push @{ $_[0]{network} }, { %{ $name }, place => 'wildcard', name => 'com' } }],
    ['a unix path that is none',
        sub { push @{ $_[0]{network} }, { %{ $name }, place => 'unix', protocols => ['unix'], name => 'x/../y' } }],
    ['a rule about no verb', sub { $_[0]{network}[0]{verbs} = [] }],
    ['a rule about no protocol', sub { $_[0]{network}[0]{protocols} = [] }],
    ['an unknown feature', sub { $_[0]{requires} = [{ feature => 'magic', version => 0 }] }],
    ['a port out of range', sub { $_[0]{network}[0]{port_last} = 65536 }],
    ['an address that is none', sub { $_[0]{network}[0]{first} = 'x' x 32 }],
    ['no filter', sub { $_[0]{syscalls}{x86_64} = '' }],
    ['half an instruction', sub { $_[0]{syscalls}{x86_64} = $filter . '0006' }],
    ['a filter of other letters', sub { $_[0]{syscalls}{x86_64} = 'z' x 16 }],
    ['a filter without a return', sub { $_[0]{syscalls}{x86_64} = '0020000000000000' }],
    ['a jump past the end', sub { $_[0]{syscalls}{x86_64} = '0015ff0000000000' . '000600007fff0000' }],
    ['a long jump past the end', sub { $_[0]{syscalls}{x86_64} = '00050000ffffffff' . '000600007fff0000' }],
    ['a load outside of the data', sub { $_[0]{syscalls}{x86_64} = '0020000000000040' . '000600007fff0000' }],
    ['an unaligned load', sub { $_[0]{syscalls}{x86_64} = '0020000000000001' . '000600007fff0000' }],
    ['an unknown instruction', sub { $_[0]{syscalls}{x86_64} = '0087000000000000' . '000600007fff0000' }],
    ['a return that traces', sub { $_[0]{syscalls}{x86_64} = '000600007ff00000' }],
    ['a filter of 5,000 instructions', sub { $_[0]{syscalls}{x86_64} = '000600007fff0000' x 5000 }],
    ['an unknown architecture', sub { $_[0]{syscalls}{mips} = $filter }],
    ['NUL in a word of the command', sub { $_[0]{command}[1] = "a\0b" }],
) {
    refused($case->[0], changed($case->[1]), $case->[2]);
}
refused('text that is not JSON', 'plan');
refused('nothing', '');
refused('half of it', substr $json, 0, length($json) / 2);
refused('more after its end', $json . '{}');
refused('a member twice', $json =~ s/"name":"p"/"name":"p","name":"q"/r);
refused('100,000 brackets', '[' x 100_000);
refused('a string without an end', '{"sbx_plan":1,"name":"' . 'a' x 1_000_000);
refused('a huge list',
    changed(sub { $_[0]{requires} = [map { { feature => 'landlock', version => 0 } } 1 .. 200_000] }),
    qr/too many items|not a plan/);
refused('a folder', $json) if 0;
like run($sbxrun, "$dir/none.json")->{err}, qr/No such file/, 'a plan that is not there';
mkdir "$dir/folder.json";
like run($sbxrun, "$dir/folder.json")->{err}, qr/not a regular file/, 'a folder';

# What a terminal would obey, or take for a line of sbxrun's own, is seen as what it is.
my $obeyed = "\e[2J\nsbxrun: all is well\r\xc2\x9b31m";
my %shown = (
    'the file of a rule' => sub { $_->{file} = $obeyed for @{ $_[0]{rules} } },
    'a path' => sub { $_->{from} eq 'tmpfs' and $_->{path} .= "/$obeyed" for @{ $_[0]{view} } },
    'a variable' => sub { $_->{name} eq 'A' and $_->{value} = $obeyed for @{ $_[0]{process}{env} } },
    'the folder to start in' => sub { $_[0]{process}{cwd} = "/tmp/$obeyed" },
    'a word of the command' => sub { $_[0]{command} = ["/none/$obeyed"] },
    'what is gone without' => sub { $_[0]{requires} = [{ feature => 'landlock', version => 99, degrade => $obeyed }] },
    'what is required' => sub { $_->{text} = $obeyed for @{ $_[0]{rules} };
        $_[0]{requires} = [{ feature => 'landlock', version => 99, rule => 0 }] },
);
for my $what (sort keys %shown) {
    my $plan = spew("$dir/shown.json", changed($shown{$what}));
    my $said = '';
    for my $how (['--dry-run'], [], ['--doctor']) {
        my $run = run($sbxrun, @$how, $plan);
        my $all = "$run->{out}$run->{err}";
        unlike $all, qr/[\0-\x09\x0b-\x1f\x7f\x9b]|^sbxrun: all is well/m, "@$how: $what: nothing of it is obeyed";
        $said .= $all;
    }
    like $said, qr/\\x1b\[2J\\x0asbxrun: all is well\\x0d|is not a plan/, "$what: it is seen";
}

# Many of anything: read and answered in a time that grows with their number.
spew("$dir/net.sbx",
    'sbx 1; import std.base; policy p { use std.base; command "/bin/true";
        net { allow connect tcp 192.0.2.1:443; } }');
system("$sbxc --emit=plan -o $dir/net.json $dir/net.sbx") == 0 or die;
$json = slurp("$dir/net.json");
my ($rule) = grep { $_->{place} eq 'address' } @{ decode_json($json)->{network} };
my %many = (
    '20,000 rules on addresses' => sub {
        my @addresses = map { sprintf '%032x', 0xffff0a000000 + $_ } 1 .. 20_000;
        $_[0]{network} = [map { { %$rule, first => $_, last => $_ } } @addresses];
    },
    '90,000 degradations' =>
        sub { $_[0]{requires} = [({ feature => 'landlock', version => 99, degrade => 'x' }) x 90_000] },
    '50,000 secrets' => sub { $_[0]{secrets} = [map { { name => "S$_", variable => "A$_" } } 1 .. 50_000] },
);
for my $what (sort keys %many) {
    my $before = (times)[2] + (times)[3];
    my $run = run({ seconds => 60 }, $sbxrun, '--dry-run', spew("$dir/many.json", changed($many{$what})));
    is $run->{status}, 0, "$what in a plan" or diag substr $run->{err}, 0, 300;
    cmp_ok + (times)[2] + (times)[3] - $before, '<', 5, "$what: quickly";
}

# A filter that is well formed, and lets nothing be run: a refusal, not a crash.
refused('a filter that denies exec', changed(sub { $_[0]{syscalls}{x86_64} = '0006000000050001' }),
    qr/no rule of the policy allows the system call execve/);
done_testing;
