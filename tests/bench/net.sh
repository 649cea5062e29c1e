#!/bin/sh
# The network part of `make bench`: the same program outside, through sbxrun's broker, through pasta, slirp4netns and,
# for programs that know proxies, Anthropic's sandbox-runtime. In a namespace of its
# own, with the servers in another one at the other end of a cable (veth): no packet leaves this machine. As root.
#
#   tests/bench/net.sh WORK [SRT]     WORK: a folder with sbxrun, sbxnames and the programs `net` and `naive`;
#                                     SRT: sandbox-runtime's program
set -eu
work=$1
srt=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${SBX_BENCH_NETWORK:-}" ]; then
    SBX_BENCH_NETWORK=1 exec unshare --net --mount -- "$0" "$work" "$srt"
fi
mount --make-rprivate /
ip link set lo up
unshare --net sleep 1000 & # the other end
other=$!
trap 'kill $other $servers 2>/dev/null' EXIT
servers=
sleep 0.3
ip link add cable type veth peer name far netns $other
ip addr add 192.0.2.100/24 dev cable && ip link set cable up && ip route add default via 192.0.2.1
far() { nsenter --net=/proc/$other/ns/net "$@"; } # there
far ip link set lo up
far ip addr add 192.0.2.1/24 dev far
far ip addr add 192.0.2.53/24 dev far
far ip link set far up
echo 'nameserver 192.0.2.53' > "$work/resolv.conf" && mount --bind "$work/resolv.conf" /etc/resolv.conf
nsenter --net=/proc/$other/ns/net "$work/net" serve &
servers=$!
nsenter --net=/proc/$other/ns/net python3 "$here/../net/servers.py" /dev/null dns http > "$work/ready" &
servers="$servers $!"
sleep 1
cat > "$work/net.sbx" <<'P'
sbx 1;
import std.base;
policy net {
    use std.base;
    net { allow connect tcp 192.0.2.1:7001, "web.test":7001, "web.test":8000; }
    fs { allow read, exec "/net" from "./net"; allow read "/etc/resolv.conf"; }
    process { cwd "/"; }
    syscalls { allow prlimit64; }
}
P
cd "$work"
usual() {
    outside() { timeout -k 1 60 "$work/net" "$@"; }
    sbx() { timeout -k 1 60 "$work/sbxrun" net.sbx -- /net "$@"; }
    naive() { timeout -k 1 60 "$work/naive" "$work/net" "$@"; }
    pasta_() { # less of a stream, or that takes minutes
        [ "$1" != stream ] || set -- stream "$2" 100
        timeout -k 1 60 pasta --config-net --no-map-gw --quiet --runas 0 -- "$work/net" "$@"
    }
}
usual
served() { # in a namespace that slirp4netns serves
    unshare --net sh -c '
        for i in $(seq 100); do ip route | grep -q default && break; sleep 0.05; done
        exec timeout -k 1 60 "$@"' sh "$@" &
    inside=$!
    sleep 0.2
    timeout -k 1 70 slirp4netns --configure --mtu=65520 --disable-host-loopback $inside tap0 > /dev/null 2>&1 &
    helper=$!
    wait $inside || true
    kill $helper 2>/dev/null || true
}
slirp_() { served "$work/net" "$@"; }
cat > "$work/srt.json" <<'J'
{"network": {"allowedDomains": ["web.test"], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": [], "denyWrite": []}}
J
ways='outside sbx'
if timeout -k 1 5 pasta --config-net --no-map-gw --quiet --runas 0 -- true > /dev/null 2>&1 < /dev/null; then
    ways="$ways pasta_"
fi
command -v slirp4netns > /dev/null && ways="$ways slirp_"
median() { sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'; }
rounds=5
measure() { # with each way in turn, as many times as there are rounds
    for way in $ways; do : > "$work/of-$way"; done
    for round in $(seq $rounds); do
        for way in $ways; do $way "$@" >> "$work/of-$way" 2>/dev/null < /dev/null || true; done
    done
}
more() { # than outside just before; the median
    paste "$work/of-$1" "$work/of-outside" | awk 'NF == 2 { print $1 - $2 }' | median |
        awk '{ print $1 == "-" ? $1 : sprintf("%.0f", $1) }'
}
part() { # of what it is outside just before; the median
    paste "$work/of-$1" "$work/of-outside" | awk 'NF == 2 && $2 { print $1 / $2 }' | median |
        awk '{ printf "%.2f", $1 }'
}
got() { if [ -e "$work/of-$1" ]; then median < "$work/of-$1"; else echo -; fi; }
row() {
    printf '  %-44s %10s %10s %10s %10s   %s\n' \
        "$1" "$(got outside)" "$(got sbx)" "$(got pasta_)" "$(got slirp_)" "$2"
}
echo "The network, medians, to a server at the other end of a cable"
printf '  %-44s %10s %10s %10s %10s\n' '' outside sbxrun pasta slirp4netns
# What is compared is run in pairs, and more often: from run to run each of these moves by more than there is between
# them. A server is most often on another machine, so for connect this one has a processor of its own, where there are
# two; wherever the scheduler puts it is a row of its own.
all=$ways
compare() { # TIMES WAYS ARGUMENTS…: these ways so many times, the others as usual
    times=$1 paired=$2
    shift 2
    ways=${all#outside sbx}
    measure "$@"
    ways=$paired rounds=$times
    measure "$@"
    ways=$all rounds=5
}
compare 31 'outside sbx' stream 192.0.2.1 500
row 'one stream, Gbit/s' "sbxrun / outside $(part sbx)   (to reach: 0.95)"
connect() { # a row: its title, what else is to say
    compare 15 'outside sbx naive' connect 192.0.2.1 2000
    row "$1" "more than outside: $(more sbx)   ($2tests/bench/naive.c, the least that a broker does: $(more naive))"
}
if [ "$(nproc)" -gt 1 ]; then
    for server in $servers; do taskset -acp 0 $server > /dev/null; done
    outside() { taskset -c 1 timeout -k 1 60 "$work/net" "$@"; }
    sbx() { taskset -c 1 timeout -k 1 60 "$work/sbxrun" net.sbx -- /net "$@"; }
    naive() { taskset -c 1 timeout -k 1 60 "$work/naive" "$work/net" "$@"; }
    connect 'connect, microseconds' 'to reach: 80; '
    for server in $servers; do taskset -acp 0-$(($(nproc) - 1)) $server > /dev/null; done
    usual
    connect '  wherever the scheduler puts the server' ''
else
    connect 'connect, microseconds' 'to reach: 80; '
fi
measure many 192.0.2.1 10000
row '10,000 connections at once, milliseconds' ""
measure lookup web.test 300
row 'a name, microseconds' "more than outside: $(more sbx)   (to reach: 1000)"

# The same by curl, which sandbox-runtime's proxies serve too: it has no other way out.
fetch='curl -s -o /dev/null --max-time 30 http://web.test:8000'
outside() { timeout -k 1 60 $fetch"$@"; }
sbx() { timeout -k 1 60 "$work/sbxrun" net.sbx -- $fetch"$@"; }
pasta_() { timeout -k 1 60 pasta --config-net --no-map-gw --quiet --runas 0 -- $fetch"$@"; }
slirp_() { served $fetch"$@"; }
srt_() { timeout -k 1 60 "$srt" --settings "$work/srt.json" -- $fetch"$@"; }
[ -z "$srt" ] || [ "$(srt_ / -w '%{http_code}' 2>/dev/null < /dev/null)" != 200 ] || ways="$ways srt_"
row() {
    printf '  %-44s %10s %10s %10s %10s %10s\n' \
        "$1" "$(got outside)" "$(got sbx)" "$(got pasta_)" "$(got slirp_)" "$(got srt_)"
}
printf '  %-44s %10s %10s %10s %10s %10s\n' '' outside sbxrun pasta slirp4netns srt
measure / -w '%{time_total}\n'
row 'curl of a name, a small page, seconds'
measure /large -w '%{speed_download}\n'
for way in $ways; do
    awk '{ printf "%.0f\n", $1 / 1e6 }' "$work/of-$way" > "$work/of"
    mv "$work/of" "$work/of-$way"
done
row 'curl of 5 MB, MB/s'
