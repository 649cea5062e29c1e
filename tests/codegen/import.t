#!/usr/bin/perl
# Seccomp profiles: those of Docker, Podman and systemd, and small ones, imported for several sets of capabilities; see
# import.c.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my $docker = 0xa80425fb; # what Docker's containers have by default
my %sets = (none => 0, docker => $docker, all => '0x1ffffffffff', 'CAP_SYS_ADMIN' => 1 << 21);

sub check {
    my ($file, @sets) = @_;
    for my $set (@sets) {
        my $run = run({ seconds => 60 }, "$build/tests/codegen/import", $file, $sets{$set});
        is $run->{status}, 0, "$file for $set" or diag $run->{out}, $run->{err};
    }
}

check("$root/tests/lang/profiles/$_.json", 'none', 'all') for 'actions', 'allow-by-default', 'bundle';
SKIP: {
    my @shipped = map { m{([^/]+)\.json$} } sort glob "$build/profiles/*.json";
    skip "Debian's packages with container profiles could not be fetched (tools/profiles.sh)", 1 if !@shipped;
    check("$build/profiles/$_.json", sort keys %sets) for @shipped;
    # A profile as a ceiling: for system calls alone, since it says nothing of files and addresses.
    my $dir = folder();
    run($sbxc, '--import=docker-seccomp', '-o', "$dir/container.sbx", "$build/profiles/podman.json");
    my $policy = sub {
        my ($within, $call) = @_;
        return run($sbxc, '--check', spew("$dir/p.sbx", "sbx 1;\nimport \"container.sbx\" as container;\n"
            . "policy p {\n    within container.imported$within;\n    net { allow connect tcp \"api.example\":443; }\n"
            . "    syscalls { allow read, write, openat, socket, connect, $call; }\n}\n"));
    };
    is $policy->(' for syscalls', 'close')->{status}, 0, 'within a profile, for system calls';
    like $policy->(' for syscalls', 'kexec_load')->{err}, qr/`syscall kexec_load` is allowed here, and not there/,
        'a call more is found';
    like $policy->('', 'close')->{err}, qr/`connect tcp "api\.example":443` is allowed here, and not there/,
        'as a whole it allows no connection';
    # Which ones those are is a table in docs/import.md.
    my %listed = map { $_ => 1 } slurp("$root/docs/import.md") =~ /^\| `([\w.-]+)` \| .* \| no difference \|$/mg;
    is join(' ', grep { !$listed{$_} } @shipped), '', 'each is in the table';
    my @missing = grep { !-e "$build/profiles/$_.json" } sort keys %listed;
    diag "in the table, and not fetched: @missing" if @missing;
    cmp_ok scalar(@missing), '<', keys %listed, 'and those of the table are here';
}

# systemd's groups, as the profile that allows what a service needs.
SKIP: {
    my $run = run('sh', '-c', 'systemd-analyze syscall-filter @system-service');
    skip 'systemd-analyze is not installed', 1 if $run->{status};
    my (%calls, @groups) = ();
    my $collect; $collect = sub {
        my ($group) = @_;
        for (run('systemd-analyze', 'syscall-filter', $group)->{out} =~ /^ +(@?[\w-]+)$/mg) {
            /^@/ ? $collect->($_) : $calls{$_}++;
        }
    };
    $collect->('@system-service');
    cmp_ok keys %calls, '>', 200, 'systemd has groups';
    my $file = spew(folder() . '/systemd.json', '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": ['
        . join(', ', map { qq("$_") } sort keys %calls) . '], "action": "SCMP_ACT_ALLOW" }] }');
    check($file, 'none');
    my $text = run($sbxc, '--import=docker-seccomp', $file)->{out};
    like $text, qr/allow \@/, 'groups are recognised';
    cmp_ok length(($text =~ /(policy .*)/s)[0]), '<', 2500, 'so it can be read';
}

# What is printed is the profile for what was chosen.
my $profile = spew(folder() . '/p.json', '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [ { "names": ["chroot"], '
    . '"action": "SCMP_ACT_ALLOW", "includes": { "caps": ["CAP_SYS_CHROOT"], "minKernel": "5.10" } } ] }');
my @import = ($sbxc, '--import=docker-seccomp');
unlike run(@import, $profile)->{out}, qr/allow chroot/, 'a condition on a capability';
like run(@import, '--capabilities', 'CAP_KILL,CAP_SYS_CHROOT', $profile)->{out}, qr/allow chroot/, 'which is given';
unlike run(@import, '--capabilities', 'CAP_SYS_CHROOT', '--kernel', '5.4', $profile)->{out}, qr/allow chroot/,
    'and one on the kernel';
is run(@import, '--capabilities', 'CAP_NONE', $profile)->{status}, 2, 'a capability that is none';
is run(@import, '--kernel', 'six', $profile)->{status}, 2, 'a kernel that is none';
my $out = folder() . '/out.sbx';
is run(@import, '-o', $out, $profile)->{status}, 0, 'to a file';
is run($sbxc, '--check', $out)->{status}, 0, 'which is a policy';
is run('sh', '-c', "$sbxc --import=docker-seccomp $profile > /dev/full")->{status}, 2, 'a full disk is noticed';
is run(@import, '/nonexistent')->{status}, 2, 'a profile that is not there';
my $deep = spew(folder() . '/deep.json', '[' x 100000);
my $run = run({ memory => 256 << 20 }, @import, $deep);
like "$run->{status} $run->{err}", qr/^1 .*SBX0801/, 'a hundred thousand brackets';
my $many = spew(folder() . '/many.json', '{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": ['
    . join(',', ('{ "names": ["lseek"], "action": "SCMP_ACT_ALLOW", "args": [{ "index": 1, "value": 7, '
            . '"op": "SCMP_CMP_EQ" }] }') x 3000) . '] }');
cmp_ok run({ seconds => 20 }, @import, $many)->{seconds}, '<', 10, 'three thousand rules on one call';
done_testing;
