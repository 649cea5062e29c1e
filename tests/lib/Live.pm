# Running things in real sandboxes.
#
# A test counts only what is its own, whoever else runs sandboxes on the machine: orphans of its processes become its
# own children, its mounts lie in a mount namespace of its own (root's; nobody else's sbxrun can leave any), and what
# sbxrun makes of control groups lies beneath groups of its own.
package Live;
use strict;
use warnings;
use Exporter 'import';
use Sbx;

our @EXPORT = qw(sandbox in_sandbox owned $probe own_group own_processes leftovers left_since landlock);
our $probe = "$build/tests/live/probe";

if (my $prctl = syscall_number('prctl')) {
    syscall($prctl, 36, 1, 0, 0, 0) == 0 or die "prctl(PR_SET_CHILD_SUBREAPER): $!";
}
if ($> == 0 && (my $unshare = syscall_number('unshare'))) {
    syscall($unshare, 0x20000) == 0 or die "unshare(CLONE_NEWNS): $!";
    system("mount --make-rprivate / && mount --make-rshared /") == 0 or die 'cannot share mounts with nobody else';
}

# A folder with p.sbx in it: the standard library's base and what is given. Beside it lie `w` (writable to the user) and
# `probe`.
sub sandbox {
    my ($user, $text, %more) = @_;
    my $dir = folder();
    my $uses = $more{uses} // 'base';
    $text =~ s/\blifetime (\d\d+)s;/'lifetime ' . patience($1) . 's;'/ge; # a short one is what is tried
    mkdir "$dir/w";
    system('cp', $probe, "$dir/probe");
    spew("$dir/p.sbx", "sbx 1;\nimport std.$uses;\n"
        . "policy p {\n    use std.$uses;\n    fs { allow read, exec \"/probe\" from \"./probe\"; }\n$text\n}\n");
    owned($user, $dir, "$dir/w");
    return $dir;
}

sub owned { my ($user, @paths) = @_; defined $user->{uid} and chown($user->{uid}, $user->{gid}, @paths) }

# Runs a command in the sandbox of p.sbx in $dir; options before it as a hash: args (for sbxrun), and run()'s.
sub in_sandbox {
    my ($user, $dir, @command) = @_;
    my %o = ref $command[0] eq 'HASH' ? %{ shift @command } : ();
    return run({ %$user, cwd => $dir, %o }, $sbxrun, @{ $o{args} // [] }, 'p.sbx', @command ? ('--', @command) : ());
}

# True if this kernel has Landlock in at least that ABI: sbxrun itself is asked.
sub landlock {
    my ($abi) = @_;
    my $path = spew(folder() . '/p.sbx',
        "sbx 1; import std.base; policy p { use std.base; command \"/bin/true\"; require landlock >= $abi; }");
    return run($sbxrun, '--dry-run', $path)->{status} == 0;
}

# The processes that come of this test, itself not among them; with a pattern, those whose command line matches it, its
# words separated by NUL.
sub own_processes {
    my ($pattern) = @_;
    my (%children, @own);
    for my $stat (map { eval { slurp($_) } // () } glob '/proc/[0-9]*/stat') { # proc_pid_stat(5)
        push @{ $children{$2} }, $1 if $stat =~ /^(\d+) \(.*\) [^ZX] (\d+) /s;
    }
    for (my @left = ($$); @left;) { my $of = $children{ shift @left } // next; push @left, @$of; push @own, @$of }
    return @own if !$pattern;
    return grep { (eval { slurp("/proc/$_/cmdline") } // '') =~ $pattern } @own;
}

# Folders of the control groups of this test, by controller ('' for the unified hierarchy): { own, within, back }.
# `within` is where this process is, `own` that or what is above it: sbxrun makes groups beneath or beside its caller's.
my (%groups, $enters);

# The folder of the test's own group in the hierarchy that has the controller; undef where it can't have one.
sub own_group { my ($controller) = @_; enter_groups(); return $groups{$controller} && $groups{$controller}{own} }

sub enter_groups {
    return if $enters;
    $enters = $$;
    my @mounts = map { m{^\S+ \S+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$} ? [$1, $2, $3, $4] : () }
        split /\n/, slurp('/proc/self/mountinfo');
    for (split /\n/, slurp('/proc/self/cgroup')) { # hierarchy:controllers:path (cgroups(7))
        my (undef, $controllers, $path) = split /:/, $_, 3;
        my @controllers = split /,/, $controllers;
        next if @controllers && !grep { /^(?:memory|cpu|pids|blkio)$/ } @controllers;
        my ($type, $option) = @controllers ? ('cgroup', qr/(?:^|,)\Q$controllers[0]\E(?:,|$)/) : ('cgroup2', qr//);
        my ($mount) = grep { $_->[2] eq $type && $_->[3] =~ $option } @mounts or next;
        my $back = $mount->[1] . ($path =~ s/^\Q$mount->[0]\E//r =~ s{^/?(?=.)}{/}r);
        my $above = !@controllers && -e "$back/cgroup.type" ? $back =~ s{/[^/]*$}{}r : $back;
        my $own = "$above/test-$$";
        my $within = @controllers ? $own : "$own/within";
        next if !mkdir $own;
        if (!@controllers) { # a group with processes hands no controllers down, so they are in one beneath it
            for my $name (qw(memory cpu pids io)) { eval { spew("$above/cgroup.subtree_control", "+$name") } }
            mkdir $within;
        }
        if (eval { spew("$within/cgroup.procs", $$); 1 }) {
            $groups{$_} = { own => $own, within => $within, back => $back } for @controllers ? @controllers : '';
        } else { # as with a cpuset that has no processors yet
            rmdir $within;
            rmdir $own;
        }
    }
}

END {
    if (($enters // 0) == $$) {
        for my $group (values %groups) {
            for my $pid (split ' ', eval { slurp("$group->{within}/cgroup.procs") } // '') {
                eval { spew("$group->{back}/cgroup.procs", $pid) };
            }
            soon(sub { # a process that is dead holds its group until all of it is accounted for
                rmdir for glob("$group->{own}/*/ $group->{within}/*/"), $group->{within}, $group->{own};
                return !-d $group->{own};
            }, 3);
        }
    }
}

# What runs may leave: control groups and mounts.
sub leftovers {
    enter_groups();
    my @groups = map { glob "$_->{own}/sbx-* $_->{within}/sbx-*" } values %groups;
    my $mounts = $> == 0 ? () = slurp('/proc/self/mountinfo') =~ /^/mg : 0;
    return { groups => { map { $_ => 1 } grep { -d } @groups }, mounts => $mounts };
}

# What is there now and was not before: '' for nothing, once it had time to go.
sub left_since {
    my ($before, $seconds) = @_;
    for (my $left = patience($seconds // 3);; $left -= 0.2) {
        my $now = leftovers();
        my $new = join ' ', (grep { !$before->{groups}{$_} } sort keys %{ $now->{groups} }),
            $now->{mounts} != $before->{mounts} ? 'mounts' : ();
        return $new if $new eq '' || $left <= 0;
        select undef, undef, undef, 0.2;
    }
}

1;
