#!/bin/sh
# `make bench`: what is promised, measured. Ratios count: both sides run in turn on the same machine. Start-up is
# measured as an ordinary user.
set -eu
build=$1
cd "$(dirname "$0")/../.."
root=$(pwd)
rounds=${ROUNDS:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# As root: by someone else, from a copy of the programs that anybody can reach.
if [ "$(id -u)" = 0 ]; then
    id sbx-test >/dev/null 2>&1 || useradd --system --no-create-home --shell /bin/sh sbx-test
    as() { runuser -u sbx-test -- "$@"; }
else
    as() { "$@"; }
fi
mkdir -m 777 "$work/cache" && export XDG_CACHE_HOME="$work/cache"
for program in sbxc sbxrun tests/bench/launcher tests/bench/time tests/bench/calls; do
    cp "$build/$program" "$work/"
done
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
field() { awk -F'\t' -v n="$1" -v f="$2" '$1 == n { print $f }' "$work/times"; }
over() { ratio "$(field "$1" 2)" "$(field "$2" 2)"; }
milliseconds() { ratio "$(field "$1" 2)" 1000; }

cat > "$work/start.sbx" <<'P'
sbx 1;
import std.base;
policy start { use std.base; command "/usr/bin/true"; fs { allow read, write "/tmp" from tmpfs size 16MiB; } }
P
"$work/sbxc" --emit=seccomp -o "$work/start.filter" "$work/start.sbx"
"$work/sbxc" --emit=plan -o "$work/start.json" "$work/start.sbx"
view='--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib'
view="$view --symlink usr/lib64 /lib64 --ro-bind /etc/ld.so.cache /etc/ld.so.cache"
view="$view --ro-bind /etc/alternatives /etc/alternatives --proc /proc --dev /dev --tmpfs /tmp"
printf '%s\t%s\n' \
    true '/usr/bin/true' \
    launcher "$work/launcher $work/start.filter /usr/bin/true" \
    sbxrun "$work/sbxrun $work/start.sbx" \
    no-cache "$work/sbxrun --no-cache $work/start.sbx" \
    bwrap "bwrap --unshare-all --die-with-parent $view /usr/bin/true" > "$work/commands"
as "$work/time" "$rounds" < "$work/commands" > "$work/times"

echo "Start-up of /usr/bin/true, medians of $rounds, microseconds, and the least seen"
awk -F'\t' '{ printf "  %-10s %6d  %6d\n", $1, $2, $3 }' "$work/times"
printf "  sbxrun's plan is in the cache, but where --no-cache has it compiled: that takes %s of the time\n" \
    "$(over no-cache sbxrun)"
echo "  sbxrun / a bare C launcher that does the same kernel work: $(over sbxrun launcher)   (to reach: 1.30)"
echo "  sbxrun / bwrap with the same view:                         $(over sbxrun bwrap)   (to reach: 0.75)"

# What a command writes to its terminal, which is relayed to the caller's. In pairs: the machine is shared.
cp "$build/tests/bench/pty" "$work/"
flood='head -c 30000000 /dev/zero | tr "\\0" x'
for _ in 1 2 3 4 5 6 7 8 9; do
    echo "$(as "$work/pty" "$work/sbxrun" "$work/start.sbx" -- sh -c "$flood") $(as "$work/pty" sh -c "$flood")"
done | awk '{ print $1 / $2, $1 / 1e6, $2 / 1e6 }' | sort -n |
    awk '{ r[NR] = $1; a[NR] = $2; b[NR] = $3 }
         END { m = int((NR + 1) / 2)
               printf "A terminal: relayed / bare %.2f ", r[m]
               printf "(median of %d pairs; %.0f and %.0f MB/s there)   (to reach: 0.50)\n", NR, a[m], b[m] }'

# Many short runs, as many at a time as there are processors.
runs=${RUNS:-600}
processors=$(nproc)
for folder in usr proc dev tmp; do mkdir -p "$work/bundle/rootfs/$folder"; done
for link in bin sbin lib lib64; do ln -s "usr/$link" "$work/bundle/rootfs/$link"; done
mkdir -m 777 "$work/containers"
cat > "$work/bundle/config.json" <<J
{"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": true}, "hostname": "sbx",
 "process": {"user": {"uid": 0, "gid": 0}, "args": ["/usr/bin/true"], "env": ["PATH=/usr/bin"],
             "cwd": "/", "noNewPrivileges": true, "capabilities": {}},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                          {"type": "user"}],
           "uidMappings": [{"containerID": 0, "hostID": $(as id -u), "size": 1}],
           "gidMappings": [{"containerID": 0, "hostID": $(as id -g), "size": 1}]}}
J
many() {
    name=$1
    shift
    begin=$(date +%s%N)
    "$@" > /dev/null 2>&1 || return 0
    awk -v name="$name" -v n="$runs" -v a="$begin" -v b="$(date +%s%N)" \
        'BEGIN { printf "%s %.0f\n", name, n * 1e9 / (b - a) }' >> "$work/rates"
}
xargs_() { jobs=$1; shift; seq "$runs" | as xargs -P "$jobs" -I{} "$@"; }
crun_() { # which wants nothing to do with a host that has both versions of cgroups: it is shown one
    crun="crun --root $work/containers --cgroup-manager=disabled run --bundle $work/bundle run{}"
    if mountpoint -q /sys/fs/cgroup/unified && [ "$(id -u)" = 0 ]; then
        seq "$runs" | unshare --mount sh -c "umount -l /sys/fs/cgroup/unified
            exec runuser -u sbx-test -- xargs -P $processors -I{} $crun"
    else
        # shellcheck disable=SC2086
        xargs_ "$processors" $crun
    fi
}
batch_() {
    for i in $(seq "$runs"); do printf '/usr/bin/true\0\0'; done |
        as "$work/sbxrun" --batch --jobs "$1" "$work/start.sbx"
}
: > "$work/rates"
for round in 1 2 3 4 5; do
    many sbxrun xargs_ "$processors" "$work/sbxrun" "$work/start.sbx"
    many no-cache xargs_ "$processors" "$work/sbxrun" --no-cache "$work/start.sbx"
    many plan xargs_ "$processors" "$work/sbxrun" "$work/start.json"
    # shellcheck disable=SC2086
    for jobs in "$processors" $((processors + 2)); do
        many "batch$jobs" batch_ "$jobs"
        many "bwrap$jobs" xargs_ "$jobs" bwrap --unshare-all --die-with-parent $view /usr/bin/true
    done
    many launcher xargs_ "$processors" "$work/launcher" "$work/start.filter" /usr/bin/true
    many crun crun_
done
rate() {
    awk -v n="$1" '$1 == n { print $2 }' "$work/rates" | sort -n |
        awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
echo
echo "Sandboxes a second on $processors processors, as many at a time; medians of 5 times $runs runs of /usr/bin/true"
batch=$(rate "batch$processors") bwrap=$(rate "bwrap$processors")
printf '  %-44s %6d\n' \
    'sbxrun --batch' "$batch" \
    'sbxrun, a plan' "$(rate plan)" \
    'sbxrun, a policy (its plan from the cache)' "$(rate sbxrun)" \
    'sbxrun, a policy, with --no-cache' "$(rate no-cache)" \
    'a bare C launcher (as nsjail and others do)' "$(rate launcher)" \
    bwrap "$bwrap" \
    crun "$(rate crun)"
echo "  sbxrun --batch / bwrap: $(ratio "$batch" "$bwrap")   (to reach: 1.50)"
batch=$(rate "batch$((processors + 2))") bwrap=$(rate "bwrap$((processors + 2))")
echo "  with two more at a time: $batch and $bwrap, $(ratio "$batch" "$bwrap")"

lines() { # a policy of about that many lines
    awk -v n="$1" 'BEGIN { print "sbx 1;\nimport std.base;\npolicy lines {\n    use std.base;\n    fs {"
        for (i = 0; i < n * 0.8; i++)
            printf "        allow read \"/srv/app%d/data%d\" because \"rule %d\";\n", i % 97, i, i
        print "    }\n    syscalls {"
        for (i = 0; i < n * 0.1; i++) printf "        allow keyctl where option == %d and arg2 == %d;\n", i % 30, i
        print "    }\n    tests {"
        for (i = 0; i < n * 0.1; i++) printf "        expect allow read \"/srv/app%d/data%d/x\";\n", i % 97, i
        print "    }\n}" }'
}
awk 'BEGIN { srand(7); print "sbx 1;\npolicy long {\n    syscalls {" # filters of about 4,000 instructions
    split("lseek:offset mmap:length pread64:pos ftruncate:length read:count write:count", calls, " ")
    for (c = 1; c <= 6; c++) { split(calls[c], part, ":"); printf "        allow %s where %s in { ", part[1], part[2]
        for (i = 0; i < 128; i++) {
            printf "%s0x%x", i ? ", " : "", 1 + rand() * 6
            printf "%07x%07x", rand() * 268435455, rand() * 268435455 }
        print " };" }
    print "    }\n}" }' > "$work/long.sbx"
cat > "$work/wide.sbx" <<'P'
sbx 1;
import std.python;
policy p { use std.python; fs { allow read, write "/srv"; } syscalls { allow @keyring; } limits { pids 9; } }
P
cat > "$work/narrow.sbx" <<'P'
sbx 1;
import std.python;
policy p {
    use std.python;
    fs { allow read "/srv"; }
    syscalls { deny uname; allow keyctl where option == 5; }
    limits { pids 8; }
}
P
for n in 10 1000 10000; do lines $n > "$work/lines$n.sbx"; done
printf '%s\t%s\n' \
    none "$work/sbxc --version" \
    usual "$work/sbxc --check --no-proof $root/examples/python.sbx" \
    proved "$work/sbxc --check $root/examples/python.sbx" \
    lines10 "$work/sbxc --check --no-proof $work/lines10.sbx" \
    lines1000 "$work/sbxc --check --no-proof $work/lines1000.sbx" \
    lines10000 "$work/sbxc --check --no-proof $work/lines10000.sbx" \
    long "$work/sbxc --check $work/long.sbx" \
    diff "$work/sbxc --diff $work/wide.sbx $work/narrow.sbx" > "$work/commands"
"$work/time" 30 < "$work/commands" > "$work/times"
echo
echo "sbxc --check --no-proof, milliseconds (a process that does nothing: $(milliseconds none))"
printf '  examples/python.sbx: %s (to reach: 5)   10 lines: %s   1,000: %s   10,000: %s (to reach: 150)\n' \
    "$(milliseconds usual)" "$(milliseconds lines10)" "$(milliseconds lines1000)" "$(milliseconds lines10000)"
echo "  examples/python.sbx, its filters for both architectures proved: $(milliseconds proved) (to reach: 150)"
printf '  a filter of %d instructions, both architectures proved: %s (to reach: 1000)\n' \
    $(($("$work/sbxc" --emit=seccomp --no-proof "$work/long.sbx" | wc -c) / 8)) "$(milliseconds long)"
echo "  sbxc --diff of two policies: $(milliseconds diff) (to reach: 300)"
lines 2000 > "$work/lines2000.sbx"
edit=$(perl -I"$root/tests/lib" -MLsp -MTime::HiRes=time -e '
    my ($sbxc, $file) = @ARGV;
    my ($server, $uri) = (Lsp->new($sbxc, "/nowhere"), Lsp::uri($file));
    my %here = map { $_ => { line => 5, character => 46 } } "start", "end";
    open my $f, "<", $file;
    local $/;
    $server->open($uri, <$f>);
    $server->findings($uri, 1);
    for my $version (2 .. 42) {
        my $start = time;
        $server->change($uri, $version, { range => \%here, text => "x" });
        die if @{ $server->findings($uri, $version) };
        push @times, time - $start;
    }
    printf "%.1f", 1000 * (sort { $a <=> $b } @times)[20]' "$work/sbxc" "$work/lines2000.sbx")
echo "  the language server, an edit in 2,000 lines until its findings are there: $edit (to reach: 20)"
echo "  10,000 lines / 1,000 lines: $(over lines10000 lines1000)   (linear: 10)"

echo
echo "Filters for x86_64: instructions, and executed by a call whose arguments do not matter (mean/worst)"
printf '  %-48s %6s %12s %12s %6s %12s %12s %12s\n' '' sbx libseccomp 'level 2' ratio 'sbx' libseccomp 'level 2'
# shellcheck disable=SC2046
"$build/tests/bench/filters" "$root"/stdlib-policies/[!g]*.sbx "$root"/examples/*.sbx \
    $(ls "$build"/profiles/*.json 2>/dev/null) | awk -F'\t' '
    $1 == "larger" {
        printf "  of these random policies %d are larger than libseccomp'"'"'s filter, ", $2
        printf "and %d than that of level 2\n", $3
        next }
    { printf "  %-48s %6d %12d %12d %6s %12s %12s %12s\n", $1, $2, $3, $4, $5, $6, $7, $8 }'
echo "  (to reach: a third, never more; 12 executed)"

cat > "$work/calls.sbx" <<P
sbx 1;
import std.base;
policy calls { use std.base; fs { allow read, exec "/calls" from "$work/calls"; } }
P
inside=$(as "$work/sbxrun" "$work/calls.sbx" -- /calls)
outside=$(as "$work/calls")
cp "$work/calls" "$work/usr-calls"
echo
echo "An allowed system call, nanoseconds: $outside outside, $inside inside; the supervisor has no part in it"

as "$work/sbxrun" "$work/start.sbx" -- sleep 3 &
sleep 1
pid=$(pgrep -o -f "^$work/sbxrun ")
echo
private=$(awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup")
echo "The supervisor's private memory while the command runs: $private KiB   (to reach: 2048)"
wait

if [ "$(id -u)" = 0 ]; then
    cp "$build/sbxnames" "$build/tests/bench/net" "$build/tests/bench/naive" "$work/"
    "$root/tests/bench/net.sh" "$work" "$(find "$build/npm-bench" -path "*/.bin/srt" 2>/dev/null)"
else
    echo "The network: not measured, as it takes root to lay a cable between two namespaces"
fi
