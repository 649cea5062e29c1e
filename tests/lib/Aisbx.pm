# Workspaces of aisbx: a folder with a project, a store of the test's own.
package Aisbx;
use strict;
use warnings;
use Exporter 'import';
use File::Path qw(make_path);
use File::Basename qw(dirname);
use POSIX ();
use Sbx;
use Live;

our @EXPORT = qw(workspace tree overlays killed);

# A project of some files with a policy whose overlay is /w: { dir, home, aisbx => sub { run it }, sh => sub { a shell
# command in the sandbox } }.
sub workspace {
    my ($user, $files, %more) = @_;
    my ($dir, $home, $cache) = (folder() . '/p', folder() . '/store', folder() . '/cache');
    make_path("$dir/.aisbx", $home, $cache);
    my $rules = $more{fs} // '';
    $files = {
        '.aisbx/policy.sbx' => "sbx 1;\nimport std.shell;\npolicy p {\n    use std.shell;\n    fs {\n"
            . "        allow read, write \"/w\" from overlay \"..\";\n        deny write \"/w/.aisbx\";\n"
            . "        $rules\n"
            . "    }\n    limits { lifetime " . patience(20) . "s; }\n    process { cwd \"/w\"; }\n}\n",
        %$files };
    for my $name (sort keys %$files) {
        make_path(dirname("$dir/$name"));
        spew("$dir/$name", $files->{$name});
    }
    chmod 0700, $home;
    system('chown', '-R', "$user->{uid}:$user->{gid}", $dir, $home, $cache) if defined $user->{uid};
    owned($user, dirname($dir));
    my $self = { dir => $dir, home => $home, cache => $cache };
    $self->{aisbx} = sub {
        my %o = ref $_[0] eq 'HASH' ? %{ shift() } : ();
        my $env = { AISBX_HOME => $home, XDG_CACHE_HOME => $cache, %{ $o{env} // {} } };
        return run({ seconds => 60, %$user, cwd => $dir, %o, env => $env }, $aisbx, @_);
    };
    $self->{sh} = sub { $self->{aisbx}->('run', '--', 'sh', '-c', $_[0]) };
    return $self;
}

# Runs aisbx in a workspace and kills it after some seconds. True if it had ended by itself, and well.
sub killed {
    my ($user, $w, $seconds, @words) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        become($user);
        chdir $w->{dir};
        @ENV{qw(AISBX_HOME XDG_CACHE_HOME)} = @$w{qw(home cache)};
        open STDOUT, '>', '/dev/null';
        exec $aisbx, @words or POSIX::_exit(99);
    }
    select undef, undef, undef, $seconds;
    my $ended = waitpid($pid, POSIX::WNOHANG()) == $pid;
    my $fine = $ended && $? == 0;
    kill KILL => $pid if !$ended;
    waitpid $pid, 0 if !$ended;
    return $fine;
}

# What lies in a folder, .aisbx aside: path => kind, mode and content.
sub tree {
    my ($dir) = @_;
    my %tree;
    my @left = ('');
    while (defined(my $in = shift @left)) {
        opendir my $list, "$dir/$in" or die "$dir/$in: $!";
        for my $name (grep { !/^\.\.?$/ } readdir $list) {
            my $path = $in eq '' ? $name : "$in/$name";
            next if $path eq '.aisbx';
            my @status = lstat "$dir/$path";
            my $mode = sprintf '%o', $status[2] & 07777;
            if (-l _) { $tree{$path} = 'link ' . readlink "$dir/$path" }
            elsif (-d _) { $tree{$path} = "folder $mode"; push @left, $path }
            elsif (-f _) { $tree{$path} = "file $mode " . (eval { slurp("$dir/$path") } // '?') }
            else { $tree{$path} = "other $mode" }
        }
    }
    return \%tree;
}

# False: this kernel has no overlays in memory for everybody (before Linux 6.6).
sub overlays {
    my ($major, $minor) = (POSIX::uname())[2] =~ /^(\d+)\.(\d+)/;
    return $major > 6 || ($major == 6 && $minor >= 6);
}

1;
