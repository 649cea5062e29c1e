#!/usr/bin/perl
# What a program asks of the kernel for itself does in a sandbox what it does outside: sanitizers, debuggers, memory
# with a descriptor, where its threads run, filters of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP qw(decode_json);
use Sbx;
use Live;
use Test::More;

# A command, what it takes besides Python, and what it prints, which is compared with outside.
my $c = q{printf 'int main(void) { return 3; }' > x.c; };
my @same = (
    ['which capabilities it has', 'python3', "python3 -c 'import ctypes
print(ctypes.CDLL(None).capget((ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)()))'"],
    ['affinity', 'taskset', 'taskset -c 0 echo placed'],
    ['a lower priority of reads', 'ionice', 'ionice -c3 nice -n 5 echo idle; ionice -c2 -n7 echo less'],
    ['batch scheduling', 'chrt', 'chrt -b 0 echo batch'],
    ['locked memory', 'python3', "python3 -c 'import ctypes
print(ctypes.CDLL(None).mlock(ctypes.create_string_buffer(100), 100))'"],
    ['memory with a descriptor', 'python3', "python3 -c 'import os
f = os.memfd_create(\"x\")
os.write(f, b\"abc\"); print(f, os.pread(f, 9, 0), os.get_inheritable(f), os.fstat(f).st_uid == os.getuid())
f = os.memfd_create(\"y\", 0); print(f, os.get_inheritable(f))'"],
    ['a filter of its own', 'python3', "python3 -c 'import ctypes
l = ctypes.CDLL(None); l.prctl(38, 1, 0, 0, 0)
code = (ctypes.c_uint64 * 1)(0x7fff000000000006)
class P(ctypes.Structure): _fields_ = [(\"n\", ctypes.c_ushort), (\"code\", ctypes.c_void_p)]
print(l.prctl(22, 2, ctypes.byref(P(1, ctypes.addressof(code))), 0, 0))'"],
    ['no core dumps, as sanitizers want it', 'python3', "python3 -c 'import resource as r
r.setrlimit(r.RLIMIT_CORE, (0, r.getrlimit(r.RLIMIT_CORE)[1])); print(\"set\")'"],
    (map { ["-fsanitize=$_", 'gcc', $c . "gcc -fsanitize=$_ -o x x.c && ./x; echo \$?"] }
        qw(address thread undefined leak)),
    ['a leak', 'gcc', q{printf '#include <stdlib.h>\nint main(void) { malloc(3); return 0; }' > x.c; }
        . 'gcc -O0 -fsanitize=address -o x x.c && ./x 2>&1 | grep -c "detected memory leaks"'],
    ['gdb', 'gdb', $c . 'gcc -g -o x x.c; gdb -batch -ex "break main" -ex run -ex bt ./x 2>/dev/null | grep "#0"'],
    ['strace', 'strace', $c . 'gcc -o x x.c; strace -e trace=exit_group ./x 2>&1 | head -1'],
);

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'use std.python; use std.debug; use std.c.sanitizers;
        fs { allow read, write, exec "/tmp" from tmpfs size 64MiB; }
        process { cwd "/tmp"; }', uses => 'c');
    spew("$dir/p.sbx", slurp("$dir/p.sbx") =~ s/^sbx 1;/sbx 1; import std.python; import std.debug;/r);
    my $plain = folder();
    owned($user, $plain);
    for my $same (@same) {
        my ($what, $program, $command) = @$same;
        SKIP: {
            skip "$program is not installed", 1 if !grep { -x "$_/$program" } split /:/, $ENV{PATH};
            my $outside = run({ %$user, cwd => $plain, seconds => 60 }, 'sh', '-c', $command);
            skip "$what: outside it fails: $outside->{err}", 1 if $outside->{out} eq '';
            my $inside = in_sandbox($user, $dir, { seconds => 60 }, 'sh', '-c', $command);
            is $inside->{out}, $outside->{out}, "$name: $what" or diag $inside->{err};
        }
    }

    # Memory that was made with less is nothing to execute, and its mode stays.
    my $run = in_sandbox($user, $dir, 'python3', '-c', <<'P');
import ctypes, errno, fcntl, os
f = os.memfd_create('x')
os.write(f, open('/bin/true', 'rb').read())
def t(call, *a):
    try: print(call(*a))
    except OSError as e: print(errno.errorcode[e.errno])
t(os.fchmod, f, 0o700)
t(os.execve, f, ['x'], {})
t(os.execv, f'/proc/self/fd/{f}', ['x'])
t(os.memfd_create, 'x', 16) # MFD_EXEC
t(os.memfd_create, 'x' * 250)
print(ctypes.CDLL(None).syscall(319 if os.uname().machine == 'x86_64' else 279, None, 0))
P
    SKIP: {
        skip 'this kernel has no memory that can never be executed', 1 if $run->{err} =~ /memfd_create/;
        is $run->{out}, "EPERM\nEACCES\nEACCES\nEPERM\nEPERM\n-1\n", "$name: it is nothing to execute"
            or diag $run->{err};
        $run = in_sandbox($user, $dir, 'python3', '-c', <<'P');
import os
made = 0
try:
    while made < 5000: os.close(os.memfd_create('x')); made += 1
except PermissionError: pass
print(made)
P
        is $run->{out}, "4096\n", "$name: a run has a bounded number of them";
    }
    $run = in_sandbox($user, $dir, 'python3', '-c',
        'import resource as r
before = r.getrlimit(r.RLIMIT_CORE)
r.setrlimit(r.RLIMIT_CORE, (0, before[1])); print(r.getrlimit(r.RLIMIT_CORE) == before)
print(r.prlimit(0, r.RLIMIT_CORE, (0, before[1])) == before)
try: r.setrlimit(r.RLIMIT_CORE, (2, 2))
except (OSError, ValueError): print("refused")');
    is $run->{out}, "True\nTrue\nrefused\n", "$name: the limit of core dumps is asked for, or set to none, which it is"
        or diag $run->{err};

    # A deny of what is made with less holds, and is told.
    spew("$dir/p.sbx", slurp("$dir/p.sbx")
        =~ s/(process \{)/syscalls { deny memfd_create, setrlimit, prlimit64 with EXDEV; } $1/r);
    $run = in_sandbox($user, $dir, 'python3', '-c', <<'P');
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for call, *a in (libc.memfd_create, b'x', 0), (libc.setrlimit, 4, (ctypes.c_ulong * 2)(0, 0)):
    print(call(*a), errno.errorcode[ctypes.get_errno()])
exit(1)
P
    is $run->{out}, "-1 EXDEV\n-1 EINVAL\n", "$name: a deny of what is made with less holds" or diag $run->{err};
    like $run->{err}, qr/^sbxrun: denied syscall memfd_create\b.*\n(?:.*\n)*sbxrun: denied syscall prlimit64\b/m,
        "$name: and is told";
}
done_testing;
