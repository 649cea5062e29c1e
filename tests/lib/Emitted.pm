# What the tests of policies in others' words share: a policy with all that a view can have, a program that tries what
# it allows and denies, and systemd in namespaces of the test's own.
package Emitted;
use strict;
use warnings;
use Exporter 'import';
use Sbx;

our @EXPORT = qw(library all_of_it what_it_can without_rank under_systemd no_systemd of_one_version);

# The policies of the library and the examples.
sub library { (glob("$root/examples/*.sbx"), grep { slurp($_) =~ /^policy/m } glob("$root/stdlib-policies/*.sbx")) }

# all.sbx in that folder, and beside it what it shows. Where the secret comes from and what else it says may differ.
sub all_of_it {
    my ($place, $key, $more) = @_;
    mkdir "$place/$_" or die $! for 'w', 'w/keys';
    spew("$place/w/$_", "$_\n") for 'kept', 'secret', 'keys/private', 'keys/public';
    return spew("$place/all.sbx", <<SBX);
sbx 1;
import std.base;
policy all {
    use std.base;
    fs {
        allow read, write "/w" from "./w" because "a # 'b' \$(touch ran) `touch ran`";
        deny write "/w/kept", "/w/later";
        deny read "/w/secret", "/w/keys" except "/w/keys/public";
        allow read "/a b'c\$(touch ran)" from "./w";
        allow read, write "/tmp" from tmpfs size 1MiB;
        deny write "/tmp/fixed";
        allow read "/etc/note" from text "one'two\\n\$HOME %h";
    }
    net { allow connect tcp loopback:8000; }
    syscalls { deny getpriority with EXDEV; deny chmod, fchmodat, fchmodat2 with EPERM; }
    secrets { KEY from $key at "/run/key"; NOTE from file "./w/kept" at "/run/note"; }
    limits { pids 64; open_files 64; }
    require user_namespaces;
    require landlock else degrade because "one layer less";
    process { cwd "/w"; user 1234; env GREETING = "a b'\$(touch ran)"; env keep SBX_SEEN; }
$more}
SBX
}

# A shell's script that says what a program can do; connections go to a port of the host's loopback, too.
sub what_it_can {
    my ($port) = @_;
    my @numbers = map { syscall_number($_) } 'getpriority', 'mount', 'setns', 'bpf', 'ptrace', 'getuid', 'fchmodat';
    return <<'SH' =~ s/NUMBERS/@numbers/r =~ s/PORT/$port/r;
try() { if "$@" > /tmp/out 2>&1; then echo "$*: yes"; else echo "$*: no"; fi; }
for path in /w/kept /w/secret /w/keys/private /w/keys/public /etc/note /run/key /run/note /etc/shadow /home /root \
    "/a b'c\$(touch ran)/kept"; do try cat "$path"; done
for path in /w/new /w/kept /w/later /w/secret /w/keys/new /w/keys/public /tmp/new /tmp/fixed /tmp/fixed/new /new \
    /etc/new /usr/new /dev/new /dev/shm/new /proc/1/comm /run/key; do try touch "$path"; done
try head -c 2000000 /dev/zero
cat /run/key /run/note /etc/note
echo "$GREETING $SBX_SEEN $SBX_KEY $(pwd) $(id -u) $(id -g) $(uname -n)"
perl -e 'printf "%d: %d\n", syscall($_, 0, 0, 0, 0, 0), $! for @ARGV' NUMBERS
perl -MSocket -e 'for (8000, PORT) { socket my $s, PF_INET, SOCK_STREAM, 0;
    print connect($s, sockaddr_in($_, inet_aton("127.0.0.1"))) ? "connected\n" : "not\n" }'
grep -E 'Cap|NoNewPrivs|^Seccomp:' /proc/self/status
SH
}

# ---- systemd ------------------------------------------------------------------------------------------------------

my $systemd = (grep { -x } '/lib/systemd/systemd', '/usr/lib/systemd/systemd')[0];
my ($groups) = grep { -w "$_/cgroup.procs" } map { /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 / ? $1 : () }
    split /^/, slurp('/proc/self/mountinfo');

# What a command is given to that takes no control groups of both versions at once, as crun does not: in a mount
# namespace of its own those of version 2 go.
sub of_one_version {
    return !$> && $groups && slurp('/proc/self/mountinfo') =~ / - cgroup /
        ? ('unshare', '--mount', 'sh', '-c', "umount $groups && exec \"\$@\"", 'sh') : ();
}

# Why it can't be run; empty: it can.
sub no_systemd {
    return $> ? 'systemd is started by root' : !$systemd ? 'systemd is not installed'
        : !$groups ? 'there is no control group (v2) that systemd could have' : '';
}

my $start = <<'SH';
set -e
systemd=$2 root=$1/root
mkdir -p "$root" && mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
for folder in usr bin sbin lib lib64 etc; do
    test ! -e /$folder && continue
    mkdir $folder && mount --rbind /$folder $folder && mount -o remount,bind,ro $folder
done
{ cat /etc/passwd; echo user:x:1234:1234::/:/bin/sh; } > passwd && mount --bind passwd etc/passwd
{ cat /etc/group; echo user:x:1234:; } > group && mount --bind group etc/group # systemd has only whom these name
mkdir -p proc sys dev run/systemd tmp home old
for folder do
    test "$folder" = "$systemd" || { mkdir -p ".$folder" && mount --bind "$folder" ".$folder"; }
done
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do : > dev/$device && mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm && mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mkdir -p run/systemd && cp -r "$1/units" run/systemd/system
pivot_root . old && umount -l /old && mount --make-rshared /
container=test exec "$2" --unit=test.target --log-target=null --show-status=no systemd.setenv=SBX_SEEN=seen
SH

# Runs the unit of that name in $dir/units, and what lies beside it, as systemd does that is the first process of
# namespaces of its own. What it says is its standard output and error; its status is systemd's word for it.
sub under_systemd {
    my ($dir, $unit, $how) = @_;
    my $group = "$groups/sbx-test-$$";
    mkdir "$dir/units/$unit.d";
    spew("$dir/units/$unit.d/test.conf", <<U);
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
StandardOutput=truncate:$dir/out
StandardError=truncate:$dir/err
U
    spew("$dir/units/test.target", "[Unit]\nDefaultDependencies=no\nRequires=$unit\nAfter=$unit\n");
    spew("$dir/$_", '') for 'out', 'err';
    mkdir $group or die "$group: $!";
    my $run = run({ %{ $how // {} }, cwd => '/', setup => sub { spew("$group/cgroup.procs", $$) } },
        'unshare', '--mount', '--pid', '--fork', '--uts', '--ipc', '--net', '--cgroup', '--kill-child',
        '--propagation', 'private', 'sh', '-c', $start, 'sh', $dir, $systemd, @{ $how->{shows} // [] });
    soon(sub {
        open my $folders, '-|', 'find', $group, '-depth', '-type', 'd' or die $!;
        my @folders = map { chomp; $_ } <$folders>;
        rmdir for @folders;
        !-e $group;
    }) or die "$group stays";
    $run->{said} = $run->{err};
    ($run->{out}, $run->{err}) = (slurp("$dir/out"), slurp("$dir/err"));
    return $run;
}
1;
