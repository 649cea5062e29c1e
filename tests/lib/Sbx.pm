# What the tests share: where the programs are, running one with a bound on its time, temporary folders, the ordinary
# user.
package Sbx;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use POSIX ();
use Time::HiRes qw(time);

our @EXPORT = qw($root $build $sbxc $sbxrun $aisbx become patience soon run slurp spew tracked folder user users
    syscall_number);

our $root = abs_path(dirname(__FILE__) . '/../..');
our $build = $ENV{SBX_BUILD} || "$root/build";
our ($sbxc, $sbxrun, $aisbx) = map { "$build/$_" } 'sbxc', 'sbxrun', 'aisbx';
if ($> == 0) { # the ordinary user may not reach a checkout of root's
    my $public = folder();
    system('cp', $sbxrun, (grep { -e } map { "$build/$_" } 'sbximage', 'sbxnames', 'aisbx'), $public);
    ($sbxrun, $aisbx) = map { "$public/$_" } 'sbxrun', 'aisbx';
}

sub slurp { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; local $/; my $text = <$f>; $text // '' }
sub spew {
    my ($path, $text) = @_;
    open my $f, '>', $path or die "$path: $!";
    print {$f} $text;
    close $f or die "$path: $!";
    $path;
}

# What git tracks of this checkout, whoever it belongs to; or of it what some patterns say.
sub tracked {
    open my $list, '-|', 'git', '-C', $root, '-c', "safe.directory=$root", 'ls-files', '-z', '--', @_ or die "git: $!";
    local $/;
    my @files = split /\0/, <$list> // '';
    close $list or die "git ls-files: not a checkout of the repository\n";
    return @files;
}

# A shell that starts the tests in the background ignores some signals, which every program started here would inherit.
$SIG{$_} = 'DEFAULT' for 'INT', 'QUIT', 'HUP', 'PIPE';

# A folder that everybody may enter, and that goes with the test.
sub folder { my $dir = tempdir('sbx-test-XXXXXX', TMPDIR => 1, CLEANUP => 1); chmod 0755, $dir; $dir }

# A bound in seconds, wider where everything is slow: a machine that is emulated (SBX_SLOW: how many times slower).
sub patience { my ($seconds) = @_; $seconds * ($ENV{SBX_SLOW} // 1) }

# Waits until the code says yes, for 20 seconds or those given: true if it did.
sub soon {
    my ($code, $seconds) = @_;
    for (my $end = time + patience($seconds // 20);; select undef, undef, undef, 0.02) {
        return 1 if $code->();
        return 0 if time > $end;
    }
}

# A system call's number for perl's syscall(); undef where the tables know none.
sub syscall_number {
    my ($name) = @_;
    my ($x86_64, $aarch64) = slurp("$root/lang/data/syscalls.tsv") =~ /^\Q$name\E\t(\d*)\t(\d*)/m;
    return { x86_64 => $x86_64, aarch64 => $aarch64 }->{ (POSIX::uname())[4] };
}

# Seconds of processor time that the processes took that this one has waited for (getrusage(2), RUSAGE_CHILDREN).
sub spent {
    my $number = syscall_number('getrusage') // return (times)[2] + (times)[3];
    my $usage = "\0" x 144;
    syscall($number, -1, $usage) == 0 or die "getrusage: $!";
    my ($user, $user_us, $system, $system_us) = unpack 'q4', $usage;
    return $user + $system + ($user_us + $system_us) / 1e6;
}

# run([options], program, arguments): { status, signal, out, err, seconds, cpu }. Options: in, seconds (20), cwd, uid,
# env,
# setup (code run in the child), memory (bytes of address space), within (a program and arguments that the command is
# given
# to). cpu is the processor time of it and of what it waited for, which nobody else's work adds to.
sub run {
    my %o = ref $_[0] eq 'HASH' ? %{ shift() } : ();
    my @command = @_;
    my ($out, $err) = map { File::Temp->new } 1 .. 2;
    my $in = $o{in} // '/dev/null';
    my ($start, $before) = (time, spent());
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        eval {
            POSIX::setpgid(0, 0);
            open STDIN, '<', $in or die "$in: $!";
            open STDOUT, '>&', $out or die $!;
            open STDERR, '>&', $err or die $!;
            become(\%o);
            chdir $o{cwd} or die "$o{cwd}: $!" if $o{cwd};
            $ENV{$_} = $o{env}{$_} for keys %{ $o{env} // {} };
            $o{setup}->() if $o{setup};
            unshift @command, @{ $o{within} // [] };
            exec { $command[0] } @command or die "$command[0]: $!";
        };
        print STDERR $@;
        POSIX::_exit(99);
    }
    my $late = 0;
    local $SIG{ALRM} = sub { $late = 1; kill KILL => -$pid };
    alarm(patience($o{seconds} // 20));
    waitpid $pid, 0;
    my $status = $?;
    alarm 0;
    my ($seconds, $cpu) = (time - $start, spent() - $before);
    return {
        status => $late ? 'late' : $status >> 8, signal => $status & 127, out => slurp("$out"), err => slurp("$err"),
        seconds => $seconds, cpu => $cpu,
    };
}

# In a new process: it is that user's from here on, as options of run() have one.
sub become {
    my ($user) = @_;
    my ($uid, $gid) = @$user{qw(uid gid)};
    return if !defined $uid || $uid == $>;
    $) = "$gid $gid"; $( = $gid;
    POSIX::setgid($gid); POSIX::setuid($uid);
    die "cannot become $uid" if $> != $uid;
}

# The ordinary user: who runs the tests, or, for root, one made for them.
sub user {
    return ($>, $)+0) if $>;
    my $name = 'sbx-test';
    if (!getpwnam $name) { # two tests may begin at once
        my $made = system('useradd', '--system', '--no-create-home', '--shell', '/bin/sh', $name);
        $made == 0 || soon(sub { getpwnam $name }, 5) or die "cannot make the user $name";
    }
    my (undef, undef, $uid, $gid) = getpwnam $name;
    return ($uid, $gid);
}

# Whom a live test runs as: root (when it is) and the ordinary user, as options of run().
sub users {
    # an ordinary user's own network, in which the test is root: the sandboxes' user is not
    if (($ENV{SBX_OWN_NETWORK} // '') =~ /^(\d+) (\d+)$/) {
        return { name => 'user', within => ['unshare', '--user', "--map-user=$1", "--map-group=$2"] };
    }
    my ($uid, $gid) = user();
    my @users = ({ name => 'user', uid => $uid, gid => $gid });
    unshift @users, { name => 'root' } if $> == 0;
    return @users;
}

1;
