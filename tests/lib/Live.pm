# Running things in real sandboxes.
package Live;
use strict;
use warnings;
use Exporter 'import';
use Sbx;

our @EXPORT = qw(sandbox in_sandbox owned $probe leftovers left_since landlock);
our $probe = "$build/tests/live/probe";

# A folder with p.sbx in it: the standard library's base and what is given. Beside it lie `w` (writable to the user) and `probe`.
sub sandbox {
    my ($user, $text, %more) = @_;
    my $dir = folder();
    my $uses = $more{uses} // 'base';
    mkdir "$dir/w";
    system('cp', $probe, "$dir/probe");
    spew("$dir/p.sbx", "sbx 1;\nimport std.$uses;\npolicy p {\n    use std.$uses;\n    fs { allow read, exec \"/probe\" from \"./probe\"; }\n$text\n}\n");
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
    my $path = spew(folder() . '/p.sbx', "sbx 1; import std.base; policy p { use std.base; command \"/bin/true\"; require landlock >= $abi; }");
    return run($sbxrun, '--dry-run', $path)->{status} == 0;
}

# What a run may leave: control groups of ours, processes, mounts.
sub leftovers {
    my @groups = grep { -d } glob '/sys/fs/cgroup/*/sbx-* /sys/fs/cgroup/sbx-* /sys/fs/cgroup/*/*/sbx-* /sys/fs/cgroup/*/*/*/sbx-*';
    my $mounts = () = slurp('/proc/self/mountinfo') =~ /^/mg;
    return { groups => { map { $_ => 1 } @groups }, mounts => $mounts };
}

# What is there now and was not before: '' for nothing. Groups of others, who run sandboxes at the same time, may come, and get time to go.
sub left_since {
    my ($before, $seconds) = @_;
    for (my $left = patience($seconds // 3);; $left -= 0.2) {
        my $now = leftovers();
        my $new = join ' ', (grep { !$before->{groups}{$_} } sort keys %{ $now->{groups} }), $now->{mounts} != $before->{mounts} ? 'mounts' : ();
        return $new if $new eq '' || $left <= 0;
        select undef, undef, undef, 0.2;
    }
}

1;
