#!/usr/bin/perl
# Policies as bundles of OCI's runtime specification: runc and crun run them, whatever names stand in them; and what a
# program can do in one is what it can do behind sbxrun, but for what is said to be wider.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Emitted;
use JSON::PP 'decode_json';
use Sbx;
use Test::More;

my $dir = folder();
my @emit = ($sbxc, '--emit=oci', '--no-proof');
my $in = spew("$dir/in", ''); # runtimes give it to the container's user

my @within = of_one_version();
my $under = sub {
    my ($runtime, $bundle, $how) = @_;
    return run({ in => $in, seconds => 60, cwd => '/', %{ $how // {} } }, @within, $runtime, '--root', "$dir/state",
        'run', '--bundle', $bundle, "sbx-test-$$");
};

# The runtimes that can run anything here: their own configuration, with a program to run.
my @runtimes;
my $shown = spew("$dir/shown.sbx",
    'sbx 1; import std.base; policy shown { use std.base; command "/bin/true"; }');
for my $name ('runc', 'crun') {
    my ($runtime) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin';
    my $why = $> ? 'only root\'s bundles are made' : $runtime ? '' : 'it is not installed';
    if (!$why) {
        for ("$dir/$name", "$dir/$name/rootfs") { mkdir($_) or die $! }
        run({ cwd => "$dir/$name" }, $runtime, 'spec')->{status} == 0 or die;
        my $config = decode_json(slurp("$dir/$name/config.json"));
        $config->{process}{terminal} = JSON::PP::false;
        $config->{process}{args} = ['/bin/true'];
        $config->{root}{readonly} = JSON::PP::false;
        push @{ $config->{mounts} }, { destination => $_, source => $_, type => 'bind', options => ['bind', 'ro'] }
            for grep { -e } '/usr', '/bin', '/lib', '/lib64';
        spew("$dir/$name/config.json", JSON::PP->new->encode($config));
        my $run = $under->($runtime, "$dir/$name");
        $why = $run->{err} || 'it does not say why' if $run->{status};
    }
    if ($why) { SKIP: { skip "$name runs nothing here: $why", 1 } }
    else { push @runtimes, $runtime }
}

# Each policy of the library, with a program that tries what it allows and denies; each example as it is.
my $tries = <<'SH';
try() { if "$@" > /dev/null 2>&1; then echo "$*: yes"; else echo "$*: no $?"; fi; }
for path in /etc/passwd /etc/shadow /etc/hosts /etc/ssl/certs /root /home /var/lib /run /sys/kernel /dev/vda /dev/null \
    /proc/kcore /proc/sysrq-trigger /usr/bin/env /tmp /dev/shm; do
    try ls $path; try cat $path; try touch $path; try touch $path/new; done
for d in /tmp /dev/shm; do cp /bin/true $d/t && try $d/t; ln -s /etc/shadow $d/l && try cat $d/l; done
try unshare -U true; try unshare -n true; try mount -t tmpfs t /tmp; try chmod u+s /tmp; try mknod /tmp/d c 1 3
try hostname other; uname -n; id -u; id -g; pwd
perl -e 'printf "%d: %d\n", syscall($_, 0, 0, 0, 0, 0), $! for @ARGV' NUMBERS
perl -MSocket -e 'for my $f (AF_UNIX, AF_INET, AF_INET6, 16, 17) { for my $t (1, 2, 3) {
    print "$f $t: ", socket(my $s, $f, $t, 0) ? "made" : 0 + $!, "\n" } }'
grep -E 'Cap|NoNewPrivs|^Seccomp:' /proc/self/status
exit 7
SH
system('cp', '-r', "$root/examples", "$dir/examples") == 0 or die;
system('chown', '-R', '65534:65534', "$dir/examples") == 0 or die if !$>; # whose rights on it a bundle's user has
my @numbers = map { syscall_number($_) } 'pivot_root', 'mount', 'chroot', 'init_module', 'kexec_load', 'bpf',
    'perf_event_open', 'clone3', 'io_uring_setup', 'keyctl', 'ptrace', 'getpriority', 'setns', 'openat2';
$tries =~ s/NUMBERS/@numbers/;
my $quoted = $tries =~ s/([\\"])/\\$1/gr =~ s/\n/\\n/gr;
my %made;
for my $file (library()) {
    my ($name) = $file =~ m{([^/]+)\.sbx$};
    my $example = $file =~ m{/examples/};
    my @modules = $name =~ /^(client|debug)$/ ? ('base', $name) : $name; # those are beside a program's
    my $path = $example ? "$dir/examples/$name.sbx" : spew("$dir/$name.sbx", "sbx 1;\n"
        . join('', map { "import std.$_;\n" } @modules) . "policy p {\n"
        . join('', map { "    use std.$_;\n" } @modules)
        . "    command \"/bin/sh\", \"-c\", \"$quoted\";\n}\n");
    my $bundle = "$dir/bundle-" . ($example ? 'example-' : '') . $name;
    my $run = run(@emit, '-o', $bundle, $path);
    if ($name eq 'project') {
        is $run->{status}, 1, "$name is refused";
        like $run->{err}, qr/^sbxc: a bundle shows no folder copy on write: show a copy, or the folder itself \(/,
            '  why';
        ok !-e $bundle, '  and nothing is made';
        next;
    }
    is $run->{status}, 0, $bundle =~ s{.*/}{}r or diag $run->{err};
    my $config = decode_json(slurp("$bundle/config.json"));
    is $config->{annotations}{'sbx.wider'}, $run->{err} =~ s/\Asbxc: .*\n//r, '  what is wider stands in it';
    next if $example && $name !~ /pipeline|python/;
    my $ours = run({ in => $in, cwd => $dir }, $sbxrun, $path);
    for my $runtime (@runtimes) {
        my $theirs = $under->($runtime, $bundle);
        is $theirs->{status}, $ours->{status}, "  $runtime ends as sbxrun does" or diag $theirs->{err}, $ours->{err};
        is $theirs->{out}, $ours->{out}, '  and does the same';
    }
    cmp_ok length $ours->{out}, '>', 100, '  which is something';
}

# A policy with all that a view can have.
my $place = "$dir/odd\ntouch ran\n'folder, \"x\":y";
mkdir $place or die $!;
spew("$dir/key", "k'y\n");
socket my $server, 2, 1, 0 or die $!;
listen $server, 1 or die $!;
my ($port) = unpack 'x2 n', getsockname $server;
my $script = what_it_can($port) =~ s/([\\"])/\\$1/gr =~ s/\n/\\n/gr;
my $all = all_of_it($place, 'file "../key"', qq(    command "/bin/sh", "-c", "$script";\n));
system('chown', '-R', '1234:1234', "$place/w", "$dir/key") == 0 or die if !$>;
my %how = (in => $in, cwd => $dir, env => { SBX_SEEN => 'seen', SBX_KEY => 'other' });
my $made = run(\%how, @emit, '-o', "$dir/all", $all);
is $made->{status}, 0, 'all of it' or diag $made->{err};
for my $said (
    ['user_namespaces is not asked for', 'require user_namespaces'],
    ['no address is compared; outside', 'allow connect tcp loopback:8000'],
    ['the file is the host\'s own', 'allow read "/etc/timezone"'],
) {
    like $made->{err}, qr/^\Q$said->[0]\E.* \(.+:\d+:\d+: \Q$said->[1]\E/m, "it says: $said->[0]";
}
unlike $made->{err}, qr/no limit of/, 'limits are kept';
my $ours = run(\%how, $sbxrun, $all);
for my $runtime (@runtimes) {
    unlink "$place/w/new", "$place/w/later";
    my $theirs = $under->($runtime, "$dir/all", \%how);
    is $theirs->{status}, 0, $runtime or diag $theirs->{err};
    is $theirs->{out}, $ours->{out}, '  a program can do the same';
    like $theirs->{out}, qr{^cat /w/secret: no\n.*^touch /w/new: yes\n}ms, '  some of it, and some not';
    is_deeply [grep { -e } "$dir/ran", "$place/ran", "$place/w/ran"], [], '  no name is run';
}

# What it keeps besides.
my $try = sub {
    my ($rules, $command, $name) = @_;
    my $path = spew("$dir/$name.sbx", "sbx 1;\nimport std.base;\npolicy try {\n    use std.base;\n$rules\n"
        . "    command \"/bin/sh\", \"-c\", \"$command\";\n}\n");
    my $run = run(@emit, '-o', "$dir/$name", $path);
    is $run->{status}, 0, $name or diag $run->{err};
    return map { my $run = $under->($_, "$dir/$name"); "$run->{out}$run->{err}" } @runtimes;
};
my $limits = '    limits { open_files 60; file_size 1MiB; pids 20; memory 64MiB; cpu 0.5; }';
is $_, "60\n2048\n", 'limits of a process' for $try->($limits, 'ulimit -n; ulimit -f', 'rlimits');
my $resources = decode_json(slurp("$dir/rlimits/config.json"))->{linux}{resources};
is_deeply [@$resources{qw(pids memory cpu)}], [{ limit => 20 }, { limit => 64 << 20 },
    { quota => 50000, period => 100000 }], 'limits of all of it';

# What there is no bundle for.
my $refused = sub {
    my ($rules, $why, $what, $status) = @_;
    my $run = run(@emit, '-o', "$dir/no", spew("$dir/no.sbx", "sbx 1;\npolicy no {\n    $rules\n}\n"));
    is $run->{status}, 1, "refused: $what";
    like $run->{err}, $why, '  said why';
    ok !-e "$dir/no", '  and nothing is made';
};
$refused->('fs { allow read "/" from image "./i.tar" size 1MiB; } command "/x";',
    qr/^sbxc: a bundle unpacks no image: unpack it, and show the folder \(\S+no\.sbx:3:\d+: allow read .*\)\n$/,
    'an image');
$refused->('secrets { K from env "A" at "/k"; } command "/x";',
    qr/^sbxc: a bundle has no caller with an environment: take the secret from a file \(\S+no\.sbx:3:\d+: K from/,
    'a secret of the environment');
$refused->('', qr/^sbxc: a bundle runs a command: name it in no, as `command "\/bin\/sh";`\n$/, 'no command');
$refused->('fs { allow read "/d" from dev; } command "/x";', qr/^sbxc: a bundle has it at \/dev alone \(/,
    'dev elsewhere');
my $run = run(@emit, '-o', "$dir/all", $all);
is $run->{status}, 2, 'a folder that is there';
like $run->{err}, qr/^sbxc: cannot make the folder \S+: File exists\n$/, '  said so';
ok -e "$dir/all/config.json", '  and left as it is';
$run = run(@emit, '-o', "$dir/none/there", $all);
like $run->{err}, qr/^sbxc: cannot make the folder \S+: No such file or directory\n$/, 'a folder in none';
$run = run(@emit, $all);
is $run->{status}, 2, 'no folder is named';
like $run->{err}, qr/^sbxc: --emit=oci and kubernetes make a folder: name it with -o\n/, '  said so';
done_testing;
