#!/usr/bin/perl
# Seccomp profiles: published ones, systemd's groups and small ones, imported for several sets of capabilities; see
# import.c.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use JSON::PP 'decode_json';
use Test::More;

my $docker = 0xa80425fb; # what Docker's containers have by default
my %sets = (none => 0, docker => $docker, all => '0x1ffffffffff', 'CAP_SYS_ADMIN' => 1 << 21);

# What became of the profile for these capabilities, in the words of docs/import.md's table.
sub became {
    my ($file, @sets) = @_;
    my %became;
    for my $set (@sets) {
        my $run = run({ seconds => 60 }, "$build/tests/codegen/import", $file, $sets{$set});
        my ($refused) = $run->{out} =~ /^error\[SBX\d+\]: (.*)/m;
        my $no_filter = $run->{out} =~ m{no filter: /\S+: (.*)} ? "none: $1" : undef;
        diag "$file for $set", $run->{out}, $run->{err} if $run->{status} && !$refused;
        my $what = $refused ? "refused: $refused" : $run->{status} ? 'another filter' : $no_filter // 'no difference';
        $became{$what} = 1;
    }
    return join '; ', sort keys %became;
}

# The cases that say how profiles are read, where they are no errors.
for my $case (sort glob "$root/tests/lang/profiles/*.json") {
    next if slurp($case =~ s/json$/out/r) !~ /^exit 0/;
    my $want = $case =~ /errno\.json/ ? qr{^none: libseccomp takes no errno above 4094$} : qr/^no difference$/;
    like became($case, 'none', 'all'), $want, $case =~ s{.*/}{}r;
}

# Those of tools/profiles.tsv: what became of each is a table in docs/import.md. UPDATE=1 writes it anew.
my @table = map { [split /\t/] } grep { !/^#/ } split /\n/, slurp("$root/tools/profiles.tsv");
my $page = slurp("$root/docs/import.md");
my ($head, $rows) = $page =~ /^(\| profile .*\n\|[ -|]+\n)((?:\|.*\n)+)/m;
my %listed = map { (/^\| `([^`]+)` / ? $1 : $_) => $_ } split /\n/, $rows;
my (@here, @rows);
for (@table) {
    my ($name, undef, $package, undef, undef, $whose) = @$_;
    my $file = "$build/profiles/$name.json";
    $package =~ s/\+incompatible//;
    $package =~ s/\@.*[-.]\d{14}-(\w{12})$/\@$1/; # of a version that is a commit, the commit
    push @rows, $listed{$name} // '(none)' and next if !-e $file;
    push @here, $name;
    my $profile = decode_json(slurp($file));
    $profile = $profile->{linux}{seccomp} // $profile;
    my @more = $name =~ /^(?:moby-0\.3\.0|podman-common-0\.63\.0)$/ ? ('docker', 'CAP_SYS_ADMIN') : ();
    push @rows, "| `$name` | $whose | `$package` | " . @{ $profile->{syscalls} } . ' | '
        . became($file, 'none', 'all', @more) . ' |';
    is $listed{$name} // '(none)', $rows[-1], "$name is as docs/import.md has it" if !$ENV{UPDATE};
}
if ($ENV{UPDATE}) {
    my $new = join '', map { "$_\n" } @rows;
    spew("$root/docs/import.md", $page =~ s/\Q$head$rows\E/$head$new/r);
    exit;
}
is join("\n", split /\n/, $rows), join("\n", @rows), 'and the table has these alone';
is keys %{ { map { $_->[4] => 1 } @table } }, @table, 'no two have the same bytes';

SKIP: {
    my ($podman) = grep { /^podman-common/ } reverse @here;
    skip 'no container profiles could be fetched (tools/profiles.sh)', 1 if !$podman;
    my $alike = grep { /\| no difference \|$/ } @rows;
    cmp_ok $alike, '>=', 40, 'forty are as libseccomp has them' if @here == @table;
    diag 'not fetched: ' . (@table - @here) . ' of ' . @table . ' profiles' if @here < @table;
    # A profile as a ceiling: for system calls alone, since it says nothing of files and addresses.
    my $dir = folder();
    run($sbxc, '--import=docker-seccomp', '-o', "$dir/container.sbx", "$build/profiles/$podman.json");
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
    is became($file, 'none'), 'no difference', 'and libseccomp has them alike';
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
