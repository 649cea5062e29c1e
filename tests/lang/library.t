#!/usr/bin/perl
# The standard library, the examples and the page on the language hold what they say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Test::More;

my @library = glob "$root/stdlib-policies/*.sbx";
my @examples = glob "$root/examples/*.sbx";
for my $file (@library, @examples) {
    my $run = run($sbxc, '--check', '--deny-warnings', $file);
    is $run->{status}, 0, "$file is clean" or diag $run->{err};
}
for my $file (@examples) {
    my $run = run($sbxc, '--test', $file);
    is $run->{status}, 0, "$file: its expectations hold" or diag $run->{out};
    my ($count) = $run->{out} =~ /^1\.\.(\d+)$/m;
    cmp_ok $count, '>=', 5, "$file has expectations";
}

# It only allows, so that a deny of whoever uses it decides.
for my $file (@library) {
    my $text = slurp($file) =~ s/#.*//gr =~ s/"[^"]*"/""/gr;
    unlike $text, qr/\b(deny|never|within)\b/, "$file only allows";
}

# Every system call of the edition is in a group, but for those that one argument makes what they are.
my %apart = map { $_ => 1 } qw(arch_prctl clone ioctl memfd_create personality prctl);
my $groups = slurp("$root/stdlib-policies/groups.sbx") =~ s/#.*//gr;
my %grouped = map { $_ => 1 } map { /\w+/g } $groups =~ /group \@[\w-]+ \{(.*?)\}/gs;
my @rows = map { [split /\t/] } grep { !/^#/ } split /\n/, slurp("$root/lang/data/syscalls.tsv");
cmp_ok scalar @rows, '>', 370, 'the edition has the calls of Linux 6.18';
is join(' ', grep { !$grouped{$_} && !$apart{$_} } map { $_->[0] } @rows), '', 'every call is in a group';

# What can't be meant: nothing of @dangerous, nor of what is named with it, comes in through any policy of the library.
my ($useless) = slurp("$root/stdlib-policies/groups.sbx") =~ /^# What no program in a sandbox.*?$(.*)/ms;
my @useless = $useless =~ /^group (\@[\w-]+)/mg;
cmp_ok scalar @useless, '>', 15, 'groups that no program has a use for';
my $traced = qr/^\@(?:debug|dangerous)$/; # what a debugger is for
my %argument = (endpoint => '("server.example":443)', port => '(8443)');
for my $file (grep { !/groups/ } @library) {
    my ($module) = $file =~ m{([^/]+)\.sbx$};
    for my $found (slurp($file) =~ /^policy (\w+(?:\(\w+: \w+\))?)/mg) {
        my ($policy, $takes) = $found =~ /^(\w+)(?:\(\w+: (\w+)\))?/;
        my $traces = $module eq 'debug' || $policy eq 'sanitizers';
        my @never = grep { !$traces || !/$traced/ } @useless;
        my $use = "std.$module" . ($policy eq $module ? '' : ".$policy") . ($takes ? $argument{$takes} : '');
        my $path = spew(folder() . '/p.sbx', "sbx 1; import std.$module; policy p { use $use;
            syscalls { never @{[ join ', ', @never ]}; never clone where flags & CLONE_NEWUSER == CLONE_NEWUSER;
                never personality where persona == READ_IMPLIES_EXEC or persona == MMAP_PAGE_ZERO;
                never ioctl where request in { TIOCSTI, TIOCLINUX }; never chmod where mode & S_ISUID == S_ISUID;
                never mknod where mode & S_IFMT == S_IFBLK; never socket where family == AF_PACKET; }
            fs { never write \"/usr\", \"/etc\", \"/home\"; never @{[
                $policy eq 'adjust' ? 'create, delete' : 'write' ]} \"/proc\";
                never read \"/etc/shadow\", \"/root\", \"/home\", \"/var\", \"/etc/ssl/private\";
                never read \"/sys/kernel\", \"/sys/class\", \"/sys/block\", \"/sys/firmware\", \"/sys/devices/virtual\";
                never exec \"/tmp\", \"/dev\", \"/proc\", \"/etc\"; } }");
        my $run = run($sbxc, '--check', '--no-proof', $path);
        is $run->{status}, 0, "$use lets nothing dangerous in" or diag $run->{err};
    }
}

# The page has every policy of every module.
my $page = slurp("$root/docs/library.md");
for my $module (map { m{([^/]+)\.sbx$} } glob "$root/stdlib-policies/*.sbx") {
    for my $policy (slurp("$root/stdlib-policies/$module.sbx") =~ /^policy (\w+)/mg,
        $module eq 'groups' ? 'groups' : ()) {
        my $name = $policy eq $module ? "std.$module" : "std.$module.$policy";
        like $page, qr/^\|[^\n]*`\Q$name\E[`(]/m, "docs/library.md has $name";
    }
}

# Every argument of every call can be named in a condition.
my @conditions;
for (split /\n/, slurp("$root/lang/data/syscalls.tsv")) {
    my ($call, $x86, $arm, @arguments) = split /\t/;
    next if !@arguments || $call =~ /^#/;
    push @conditions, map { my ($name, $type) = split /:/; "expect deny syscall $call where $name == 0;" } @arguments;
}
my $all = spew(folder() . '/arguments.sbx', "sbx 1; policy p { tests { @conditions } }");
my $run = run($sbxc, '--check', '--no-proof', $all);
is $run->{status}, 0, 'every argument of every call: ' . @conditions or diag $run->{err};
done_testing;
