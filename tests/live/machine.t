#!/usr/bin/perl
# What a sandbox is told of its machine: its limits, as far as programs size themselves by them, and nothing that tells
# one host from another. A /proc that has such files has no other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Test::More;

my @tools = grep { -x "/usr/bin/$_" } qw(lscpu free uptime ps top df);
my ($jemalloc) = (glob('/usr/lib/*/libjemalloc.so.2'), '/no/jemalloc');
my ($host_total) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
my $host_processors = run('nproc')->{out} + 0;
my $may = 'require cgroup else degrade because "an ordinary user may make no control group";';
my %source = (
    'o.c' => "#include <omp.h>\n#include <stdio.h>\nint main(void) { printf(\"%d\\n\", omp_get_max_threads()); }\n",
    'M.java' => "class M {\n    public static void main(String[] words) {\n"
        . "        Runtime run = Runtime.getRuntime();\n        System.out.println(run.availableProcessors() + \" \" "
        . "+ (run.maxMemory() < 1 << 29));\n    }\n}\n",
    'g.go' => "package main\n\nimport \"runtime\"\n\n"
        . "func main() { println(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }\n",
);
# What the host has in its /proc beside processes, and what the library makes there.
opendir my $proc, '/proc';
my @names = grep { !/^\.|^\d+$|^(?:self|thread-self)$/ } readdir $proc;
my %made = map { $_ => 1 } slurp("$root/stdlib-policies/base.sbx") =~ m{read "/proc/(\w+)" from sandbox}g;
my @settings = slurp("$root/stdlib-policies/base.sbx") =~ m{read "/proc/sys/([\w/]+)" from sandbox}g;
cmp_ok scalar(keys %made), '>=', 7, 'files are made in /proc';
cmp_ok scalar(@names), '>', 30, 'which has more outside';

for my $user (users()) {
    my $name = $user->{name};
    my $says = sub {
        my ($dir, $command, %o) = @_;
        my $run = in_sandbox($user, $dir, { seconds => 60, %o }, 'sh', '-c', $command);
        return $run->{out} . $run->{err};
    };
    my $limited = sub {
        my ($limits, $module) = @_;
        my $dir = sandbox($user, "$may limits { $limits } fs { allow read \"/w\" from \"./w\"; "
            . 'allow read, write, exec "/tmp" from tmpfs size 256MiB; }', uses => $module // 'shell');
        spew("$dir/w/$_", $source{$_}) for keys %source;
        return $dir;
    };

    # Processors and memory, by the limits.
    my $one = $limited->('cpu 1; memory 512MiB;');
    if ($says->($one, 'test -e /proc/meminfo || echo none') eq "none\n") { # this kernel narrows no /proc
        my ($release) = slurp('/proc/sys/kernel/osrelease') =~ /^(\d+)/;
        cmp_ok $release, '>=', 7, "$name: no files in /proc where it can't be narrowed";
        my $seen = $says->($one, "for f in @names; do test -e /proc/\$f && echo \$f; done; "
            . "ls /proc | grep -v '^[0-9]'");
        is $seen, "self\nthread-self\n", "$name: and nothing else";
        is $says->($one, 'nproc; getconf _NPROCESSORS_ONLN; cat /sys/fs/cgroup/memory.max'),
            "1\n1\n" . (512 << 20) . "\n", "$name: what is not in /proc is told";
        next;
    }
    my %sizes = (
        'nproc' => 1, 'nproc --all' => run('nproc', '--all')->{out} + 0, 'getconf _NPROCESSORS_ONLN' => 1,
        'grep -c ^processor /proc/cpuinfo' => 1, 'grep -c "^cpu[0-9]" /proc/stat' => 1,
        'cat /sys/fs/cgroup/cpu.max' => '100000 100000', 'cat /sys/fs/cgroup/memory.max' => 512 << 20,
    );
    for (sort keys %sizes) { is $says->($one, $_), "$sizes{$_}\n", "$name: $_: they are what the limits are" }
    is $says->($one, q(awk '/^MemTotal/ { print $2 }' /proc/meminfo)), "524288\n", "$name: meminfo has the limit";
    is $says->($one, q(awk '/^MemAvailable/ { print ($2 <= 524288) }' /proc/meminfo)), "1\n",
        "$name: and no more free";
    is $says->($one, 'taskset -c 0 nproc'), "1\n", "$name: a program may choose another processor";
    for (['cpu 0.5;' => 1], ['cpu 1.5;' => $host_processors < 2 ? 1 : 2], ['' => $host_processors]) {
        is $says->($limited->($_->[0]), 'nproc'), "$_->[1]\n", "$name: nproc under `$_->[0]`";
    }
    my $denied = sandbox($user, "$may limits { memory 512MiB; } syscalls { deny sysinfo; }", uses => 'python');
    like in_sandbox($user, $denied, 'python3', '-c', 'import ctypes; c = ctypes.CDLL(None, use_errno=True); '
        . 'print(c.sysinfo(ctypes.create_string_buffer(112)), ctypes.get_errno())')->{out}, qr/^-1 1$/m,
        "$name: sysinfo stays denied where it is";
    my $all = sandbox($user, '', uses => 'shell');
    is $says->($all, q(awk '/^MemTotal/ { print $2 }' /proc/meminfo)), "$host_total\n",
        "$name: no limit: what there is";
    is $says->($all, 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max'), "max\nmax 100000\n", "$name: and so told";

    # Programs that size themselves.
    my @programs = ( # what must be there, the module, the command, what it prints
        ['/usr/bin/node', 'node', 'node -p "[os.cpus().length, v8.getHeapStatistics().heap_size_limit < 2 ** 29]"',
            qr/^\[ 1, true \]$/],
        ['/usr/bin/python3', 'python', 'python3 -c "import os; print(os.cpu_count(), len(os.sched_getaffinity(0)))"',
            qr/^1 1$/],
        ['/usr/bin/gcc', 'c', 'gcc -fopenmp /w/o.c -o /tmp/o && /tmp/o', qr/^1$/],
        ['/usr/bin/go', 'go', 'go run /w/g.go', qr/^1 1$/],
        ['/usr/bin/java', 'java', 'javac -d /tmp /w/M.java && java -cp /tmp M', qr/^1 true$/],
        [$jemalloc, 'python', "env LD_PRELOAD=$jemalloc python3 -c '"
            . 'from ctypes import *; n, size = c_uint(), c_size_t(4); '
            . 'CDLL(None).mallctl(b"opt.narenas", byref(n), byref(size), None, c_size_t(0)); '
            . "print(n.value)'", qr/^1$/], # four for each processor, or one where there is one
        # What a C library says of memory (sysinfo(2)), and of a place that is none.
        ['/usr/bin/python3', 'python', 'python3 -c "import os, resource; '
            . 'print(os.sysconf(\'SC_PHYS_PAGES\') * resource.getpagesize() >> 20)"', qr/^512$/],
        ['/usr/bin/python3', 'python', 'python3 -c "import ctypes; c = ctypes.CDLL(None, use_errno=True); '
            . 'print(c.sysinfo(ctypes.c_void_p(1)), ctypes.get_errno())"', qr/^-1 14$/],
    );
    for (@programs) {
        my ($program, $module, $command, $must) = @$_;
        SKIP: {
            skip "$program is not here", 1 if !-e $program;
            my $got = $says->($limited->('cpu 1; memory 512MiB;', $module), $command, seconds => 120);
            like $got =~ s/\s+$//r, $must, "$name: $program is sized by the limits" or diag $got;
        }
    }

    # Tools that show a machine.
    for my $tool (@tools) {
        my $run = in_sandbox($user, $all, 'sh', '-c', $tool eq 'top' ? 'top -bn1' : $tool eq 'ps' ? 'ps aux' : $tool);
        is $run->{status}, 0, "$name: $tool" or diag $run->{err};
        is $run->{err}, '', "$name: $tool has nothing to complain of";
    }
    my ($up) = slurp('/proc/uptime') =~ /^(\d+)/;
    my ($inside) = $says->($all, 'cat /proc/uptime') =~ /^(\d+)/;
    cmp_ok abs($inside - $up), '<=', 60, "$name: up as long as CLOCK_BOOTTIME says";
    SKIP: {
        skip 'no ps here', 1 if !-x '/usr/bin/ps';
        my $times = $says->($all, 'date +%s; ps -o lstart= -p $$ | date -f - +%s');
        my ($now, $began) = $times =~ /^(\d+)\n(\d+)$/ or diag $times;
        cmp_ok abs(($now // 0) - ($began // 1000)), '<=', 60, "$name: and a process began when it did";
    }

    # Nothing else is there, whatever the host has.
    is $says->($all, 'ls /proc | grep -vx "[0-9]*\|self\|thread-self"'), '', "$name: /proc lists processes";
    my @there = split /\n/, $says->($all, "for f in @names; do test -e /proc/\$f && echo \$f; done");
    is join(' ', sort @there), join(' ', sort 'sys', grep { -e "/proc/$_" } keys %made),
        "$name: files that are made are";
    my $found = $says->($all, 'cd /proc/sys && find . -type f | cut -c3-');
    is join(' ', sort split /\n/, $found), join(' ', sort @settings),
        "$name: of settings those alone";
    is $says->($all, 'ls /sys/devices/system/cpu; ls -d /sys/kernel /sys/class /sys/block 2>/dev/null'),
        "online\npossible\npresent\n", "$name: and in /sys";
    my $told = $says->($all, "cd /proc && cat @{[ sort keys %made ]}; cat /sys/devices/system/cpu/*; "
        . 'find /proc/sys -type f -exec cat {} +');
    my ($builder) = slurp('/proc/version') =~ /^Linux version \S+ \(([^)]*)\)/;
    unlike $told, qr/\Q$builder\E/, "$name: nothing of the host: who built its kernel";
    unlike $told, qr/^(?:microcode|Serial|Hardware|Revision|cpu MHz)/m, "$name: nor a serial number, nor a speed";
    my $boot = slurp('/proc/sys/kernel/random/boot_id');
    unlike $told, qr/\Q$boot\E/, "$name: nor its boot";
    like $told, qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/m, "$name: but one of its own";

    # Nobody changes them.
    my $tried = $says->($all, 'for f in meminfo sys/kernel/pid_max sys/kernel/osrelease; do '
        . '{ echo 1 > /proc/$f; } 2>/dev/null || echo refused; chmod 666 /proc/$f 2>/dev/null || echo refused; done');
    is $tried, "refused\n" x 6, "$name: they are only read";
    is $says->($all, '{ echo x > /proc/sys/kernel/new; } 2>/dev/null || echo refused'), "refused\n",
        "$name: and nothing is made beside them";

    is $says->($all, 'for f in oom_score_adj coredump_filter timerslack_ns comm; do { echo 1 > /proc/self/$f; } '
        . '2>/dev/null || echo refused; done'), "refused\n" x 4, "$name: its own files in /proc are only read";
    is in_sandbox($user, $all, 'perl', '-e', '$0 = "mine"; open my $f, "<", "/proc/self/comm"; print <$f>')->{out},
        "mine\n", "$name: its name it sets by prctl";

    # A deny of a part holds, and the others stay; the policy's own content wins.
    for my $case (
        ['deny read "/proc/meminfo";', 'cat /proc/meminfo 2>/dev/null || echo denied; cat /proc/loadavg',
            qr/^denied\n0\.00/],
        ['deny read "/proc/sys";', 'cat /proc/sys/kernel/pid_max 2>/dev/null || echo denied; cat /proc/loadavg',
            qr/^denied\n0\.00/],
        ['deny read "/proc/sys" except "/proc/sys/kernel/osrelease";',
            'cat /proc/sys/kernel/osrelease; cat /proc/sys/kernel/pid_max 2>/dev/null || echo denied',
            qr/^\d+\.\S+\ndenied$/],
        ['deny read "/proc/kallsyms";', 'cat /proc/kallsyms 2>/dev/null || echo denied', qr/^denied$/],
        ['allow read "/proc/version" from text "mine\n";', 'cat /proc/version; cat /proc/loadavg', qr/^mine\n0\.00/],
        ['allow read "/sys/fs/cgroup" from "./w";', 'ls /sys/fs/cgroup; cat /sys/devices/system/cpu/online', qr/^\d/],
        ['allow read "/sys" from "./w";', 'ls /sys; cat /proc/loadavg', qr/^0\.00/],
    ) {
        my ($rules, $command, $must) = @$case;
        my $dir = sandbox($user, "fs { $rules }", uses => 'shell');
        my $got = $says->($dir, $command);
        like $got, $must, "$name: $rules" or diag $got;
    }
    my $other = sandbox($user, 'fs { allow read "/proc/of-mine" from text "x"; }', uses => 'shell');
    my $refused = in_sandbox($user, $other, 'true');
    is $refused->{status}, 125, "$name: text where the kernel has no name is refused";
    like $refused->{err}, qr{cannot lay anything over /proc/of-mine: No such file}, "$name: and said";

    # Without them all is as it was.
    my $base = sandbox($user, '');
    my $bare = in_sandbox($user, $base, 'sh', '-c', 'ls -d /proc/meminfo /proc/version /proc/sys /sys');
    is $bare->{out}, '', "$name: std.base has none of them";
}
done_testing;
