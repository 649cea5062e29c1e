#!/usr/bin/perl
# Policies for Kubernetes: what is made is valid by the published schemas, says of a policy what can be said, and of the
# rest that it is wider.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Emitted;
use JSON::PP 'decode_json';
use Sbx;
use Test::More;

my $dir = folder();
my @emit = ($sbxc, '--emit=kubernetes', '--no-proof');
my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
my $models = -d "$build/kubernetes/node_modules/kubernetes-models" && $node;

# An object of a list, by its kind.
my $kind = sub {
    my ($list, $kind) = @_;
    return (grep { $_->{kind} eq $kind } @{ $list->{items} })[0];
};
my $valid = sub { run({ in => $_[0] }, $node, "$FindBin::Bin/kubernetes.js", "$build/kubernetes")->{out} };

my $place = "$dir/odd \$(HOME) 'folder";
mkdir $place or die $!;
spew("$dir/key", "k'y\n");
my $all = all_of_it($place, 'file "../key"',
    qq(    command "/bin/sh", "-c", "echo \$HOME \$(HOME) \$\$";\n    process { env MONEY = "\$(PATH)"; }\n));
for my $file (library(), $all) {
    my ($name) = $file =~ m{([^/]+)\.sbx$}s;
    my $example = $file !~ /stdlib/;
    my $path = $example ? $file : spew("$dir/$name.sbx",
        "sbx 1;\nimport std.$name;\npolicy p {\n    use std.$name;\n    command \"/bin/sh\";\n}\n");
    my $out = "$dir/" . ($example ? 'example-' : '') . $name;
    my $run = run(@emit, '-o', $out, $path);
    if ($name eq 'project') {
        like $run->{err}, qr/^sbxc: a pod shows no folder copy on write: show a copy, or the folder itself \(/,
            'refused';
        next;
    }
    is $run->{status}, 0, $out =~ s{.*/}{}r or diag $run->{err};
    my $list = decode_json(slurp("$out/pod.json"));
    is $kind->($list, 'Pod')->{metadata}{annotations}{'sbx.wider'}, $run->{err} =~ s/\Asbxc: .*\n//r,
        '  what is wider stands in it';
    my ($profile, $operator) = (decode_json(slurp("$out/seccomp.json")), $kind->($list, 'SeccompProfile')->{spec});
    delete $profile->{defaultErrnoRet};
    $_->{errnoRet} .= '' for grep { exists $_->{errnoRet} } @{ $profile->{syscalls} };
    is_deeply $operator, $profile, '  the operator\'s profile is the node\'s';
    SKIP: {
        skip 'kubernetes-models could not be fetched (tools/npm.sh), or there is no Node.js', 1 unless $models;
        is $valid->("$out/pod.json") =~ s/^\w+: valid\n//mgr, '', '  and all is valid';
    }
}
my $list = decode_json(slurp("$dir/example-all/pod.json"));
SKIP: {
    skip 'no schemas', 3 unless $models;
    my $bad = sub {
        my ($from, $to) = @_;
        my $text = slurp("$dir/example-all/pod.json");
        $text =~ s/$from/$to/ or die;
        return $valid->(spew("$dir/bad.json", $text));
    };
    like $bad->(qr/"readOnlyRootFilesystem":true/, '"readOnlyRootFilesystem":"yes"'), qr/must be boolean/,
        'a wrong type is noticed';
    like $bad->(qr/"allowPrivilegeEscalation"/, '"allowEscalation"'), qr/allowEscalation is not known/,
        'a wrong word is';
    like $bad->(qr/"policyTypes":\["Ingress"/, '"policyTypes":["Up"'), qr/NetworkPolicy: .*policyTypes/,
        'a wrong value is';
}

# What a policy says, in the pod's words.
my $spec = $kind->($list, 'Pod')->{spec};
my $container = $spec->{containers}[0];
is_deeply $container->{command}, ['/bin/sh', '-c', 'echo $$HOME $$(HOME) $$$$'], 'a command has no references';
is_deeply [grep { $_->{name} eq 'MONEY' } @{ $container->{env} }], [{ name => 'MONEY', value => '$$(PATH)' }],
    'nor has a variable';
is_deeply [@$container{qw(name workingDir image)}], ['all', '/w', 'sbx-empty'], 'a container';
my $security = $container->{securityContext};
is_deeply [@$security{qw(runAsUser runAsGroup)}, map { $security->{$_} ? 1 : 0 } qw(runAsNonRoot privileged
    allowPrivilegeEscalation readOnlyRootFilesystem)], [1234, 1234, 1, 0, 0, 1], 'its rights';
is_deeply $security->{capabilities}, { drop => ['ALL'], add => [] }, 'its capabilities';
is $security->{seccompProfile}{localhostProfile}, 'operator/default/all.json', 'its filter';
my %mounts = map { $_->{mountPath} => $_ } @{ $container->{volumeMounts} };
my %volumes = map { $_->{name} => $_ } @{ $spec->{volumes} };
my $files = $kind->($list, 'ConfigMap')->{data};
my $shown = sub {
    my $mount = $mounts{ $_[0] } // return 'nothing';
    my $volume = $volumes{ $mount->{name} };
    my $what = $volume->{hostPath} ? "$volume->{hostPath}{type} $volume->{hostPath}{path}"
        : $volume->{emptyDir} ? "memory $volume->{emptyDir}{sizeLimit}"
        : $volume->{configMap}{name} eq 'all' ? 'text ' . $files->{ $mount->{subPath} } : 'unknown';
    return ($mount->{readOnly} ? 'ro ' : 'rw ') . $what;
};
my %expected = ('/w' => "rw Directory $place/w", '/w/kept' => "ro File $place/w/kept", '/w/later' => 'ro text ',
    '/w/secret' => 'ro text ', '/w/keys' => 'ro memory 1048576', '/w/keys/public' => "rw File $place/w/keys/public",
    '/usr' => 'ro Directory /usr', '/etc/note' => "ro text one'two\n\$HOME %h", '/tmp' => 'rw memory 1048576',
    '/tmp/fixed' => 'ro memory 1048576', '/run/key' => "ro File $dir/key", '/root' => 'nothing', '/etc' => 'nothing');
is $shown->($_), $expected{$_}, "the view: $_" for sort keys %expected;
is $mounts{'/usr'}{recursiveReadOnly}, 'Enabled', 'and what is mounted beneath';

# The network.
my $network = sub {
    my ($rules) = @_;
    system('rm', '-rf', "$dir/net");
    my $run = run(@emit, '-o', "$dir/net",
        spew("$dir/net.sbx", "sbx 1;\npolicy net_1 {\n    command \"/x\";\n    net { $rules }\n}\n"));
    return $run->{err} if $run->{status};
    my $made = $kind->(decode_json(slurp("$dir/net/pod.json")), 'NetworkPolicy')->{spec};
    is_deeply $made->{podSelector}{matchLabels}, { 'sbx-policy' => 'net-1' }, 'of this pod';
    is_deeply $made->{policyTypes}, ['Ingress', 'Egress'], '  both ways';
    return ($made->{ingress}, $made->{egress}, $run->{err});
};
is_deeply [($network->(''))[0, 1]], [[], []], 'nothing is allowed';
is_deeply [($network->('allow connect tcp loopback:1;'))[0, 1]], [[], []], 'nothing but the loopback';
my ($in, $out, $said) = $network->('allow connect tcp 10.0.0.0/8:443; allow connect udp [2001:db8::]/33:53..60;');
is_deeply $out, [
    { to => [{ ipBlock => { cidr => '10.0.0.0/8' } }], ports => [{ protocol => 'TCP', port => 443 }] },
    { to => [{ ipBlock => { cidr => '2001:db8::/33' } }], ports => [{ protocol => 'UDP', port => 53, endPort => 60 }] },
], 'addresses and ports';
unlike $said, qr/compared|denied/, '  which is all of it';
($in, $out, $said) = $network->('allow connect tcp "a.example":443; deny connect tcp 10.0.0.0/8:443;');
is_deeply $out, [{ ports => [{ protocol => 'TCP', port => 443 }] },
    { ports => [{ protocol => 'TCP', port => 53 }, { protocol => 'UDP', port => 53 }] }], 'a name';
like $said, qr/^no name is compared: any address is reached at that port \(.*: allow connect tcp "a\.example":443\)$/m,
    '  is wider, and said so';
like $said, qr/^it is not denied \(.*: deny connect tcp 10\.0\.0\.0\/8:443\)$/m, '  and so is a deny';
($in, $out) = $network->('allow bind, listen tcp 0.0.0.0/0:80;');
is_deeply [$in, $out], [[{ ports => [{ protocol => 'TCP', port => 80 }] }], []], 'a server';
like +($network->('allow connect tcp host-loopback:1;'))[0], qr/^sbxc: a pod reaches no loopback of its node: allow/,
    'the node\'s loopback is refused';

# What there is none for.
my $refused = sub {
    my ($policy, $why, $what) = @_;
    my $run = run(@emit, '-o', "$dir/no", spew("$dir/no.sbx", "sbx 1;\n$policy\n"));
    is $run->{status}, 1, "refused: $what";
    like $run->{err}, $why, '  said why';
    ok !-e "$dir/no", '  and nothing is made';
};
$refused->('policy no { }', qr/^sbxc: a pod runs a command: name it in no, as/, 'no command');
$refused->('policy no { command "/x"; secrets { K from env "A" at "/k"; } }',
    qr/^sbxc: a pod has no caller with an environment: take/, 'a secret of the environment');
$refused->('policy no { command "/x"; fs { allow read "/a:b" from text "x"; } }',
    qr/^sbxc: a pod mounts nothing at a path with `:`: \/a:b\n/, 'a path with a colon');
$refused->('policy ' . 'n' x 64 . ' { command "/x"; }',
    qr/^sbxc: a pod has no name like n+: name the policy by up to 63/, 'a long name');
done_testing;
