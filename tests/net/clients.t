#!/usr/bin/perl
# Programs that people use, through the broker: each gets what it asks for where the policy allows it, and nothing by
# any way of its own elsewhere.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

own_network();
my $files = folder();
mkdir "$files/files";
if (system('git --version > /dev/null 2>&1') == 0) {
    system("cd $files && git init -q work && cd work && echo content > file && git add file && git -c user.name=n "
        . "-c user.email=e commit -q -m one && git clone -q --bare . ../files/repo.git && cd ../files/repo.git "
        . "&& git update-server-info") == 0
        or die 'no repository';
}
chdir $files;
servers('echo', 'http', 'dns');
chdir '/';

spew("$files/Fetch.java", <<'J');
import java.net.*; import java.io.*;
public class Fetch {
    public static void main(String[] a) { for (String u : a) try (InputStream in = new URL(u).openStream()) {
            System.out.print(new String(in.readAllBytes())); } catch (Exception e) { System.out.println("failed"); } } }
J
# Go's own resolver and its own calls, without a C library.
spew("$files/fetch.go", <<'G');
package main

import ("fmt"; "io"; "net/http"; "os")

func main() {
	answer, err := http.Get(os.Args[1])
	if err != nil { fmt.Println("failed"); os.Exit(1) }
	io.Copy(os.Stdout, answer.Body)
}
G
mkdir "$files/go-cache";
my $go = -x '/usr/bin/go' && system("cd $files && HOME=$files GOCACHE=$files/go-cache GO111MODULE=off CGO_ENABLED=0 "
    . "go build -o fetch fetch.go > /dev/null 2>&1") == 0;
my $requests = system('/usr/bin/python3 -c "import requests" 2> /dev/null') == 0;
my ($good, $bad) = ('http://web.test:8000/', 'http://198.51.100.1:8000/');
my @clients = (
    ['curl', 'curl', ['curl', '-sS', '--max-time', 20, $good], qr/^hello from web\.test:8000$/,
        ['curl', '-sS', '--max-time', 20, $bad]],
    ['curl, much', 'curl', ['sh', '-c', "curl -sS http://web.test:8000/large | wc -c"], qr/^5000000$/],
    ['curl with a proxy in its environment', 'curl',
        ['curl', '-sS', '--max-time', 20, '-x', 'http://198.51.100.1:3128', $good], qr/^$/],
    ['git', 'git', ['sh', '-c', 'cd /tmp && git clone -q http://web.test:8000/files/repo.git r && cat r/file'],
        qr/^content$/, ['git', 'ls-remote', 'http://198.51.100.1:8000/files/repo.git']],
    ['urllib', 'python3', ['python3', '-c', "import urllib.request "
            . "as u; print(u.urlopen('$good', timeout=20).read().decode(), end='')"], qr/^hello from web\.test:8000$/,
        ['python3', '-c', "import urllib.request as u; print(u.urlopen('$bad', timeout=20).read())"]],
    ($requests ? ['requests', 'python3', ['/usr/bin/python3', '-c', "import requests; s = requests.Session(); "
                . "print(s.get('$good', timeout=20).text, s.get('$good', timeout=20).status_code)"],
            qr/^hello from web\.test:8000\n 200$/,
        ['/usr/bin/python3', '-c', "import requests; print(requests.get('$bad', timeout=20).text)"]] : ()),
    ['asyncio', 'python3', ['python3', '-c', <<'P'], qr/^100$/],
import asyncio
async def one():
    r, w = await asyncio.open_connection("web.test", 8000); w.write(b"GET / HTTP/1.0\r\n\r\n"); got = await r.read()
    w.close(); return b"hello" in got
async def main(): print(sum(await asyncio.gather(*[one() for _ in range(100)])))
asyncio.run(main())
P
    ['Node', 'node', ['node', '-e',
            "fetch('$good').then(r => r.text()).then(t => process.stdout.write(t))"
                . ".catch(e => console.log('failed', e.cause))"],
        qr/^hello from web\.test:8000$/, ['node', '-e',
            "fetch('$bad').then(r => r.text()).then(t => console.log(t))"
                . ".catch(e => { console.log('failed'); process.exit(1) })"]],
    ['Java', 'java', ['java', '-Xint', '-XX:+UseSerialGC', '-Xmx128m', '/files/Fetch.java', $good],
        qr/^hello from web\.test:8000$/],
    ($go ? ['Go', 'go', ['/fetch', $good], qr/^hello from web\.test:8000$/, ['/fetch', $bad]] : ()),
    ['nc', 'nc', ['sh', '-c', 'echo over nc | nc -N -w 5 192.0.2.1 7001'], qr/^over nc$/,
        ['sh', '-c', 'echo x | nc -N -w 5 198.51.100.1 7001']],
    ['nc over udp', 'nc', ['sh', '-c', 'echo datagram | nc -u -W 1 -w 5 192.0.2.1 7002'], qr/^datagram$/],
    ['bash', 'bash', ['bash', '-c',
            'exec 3<>/dev/tcp/web.test/8000; printf "GET / HTTP/1.0\r\nHost: b\r\n\r\n" >&3; tail -n 1 <&3'],
        qr/^hello from b$/, ['bash', '-c', 'exec 3<>/dev/tcp/198.51.100.1/8000']],
    ['ssh', 'ssh', ['sh', '-c', 'timeout 3 ssh -v -F /dev/null -o BatchMode=yes -p 7001 user@192.0.2.1 '
            . 'true 2>&1 | grep -c "Connection established"'], qr/^1$/, ['timeout', '3', 'ssh', '-F', '/dev/null', '-o',
            'BatchMode=yes', '-p', '7001', 'user@198.51.100.1', 'true']],
);

for my $user (users()) {
    my $name = $user->{name};
    my $dir = sandbox($user, 'net { allow connect tcp "web.test":8000, 192.0.2.1:7001;
        allow connect udp 192.0.2.1:7002; }
        fs { allow read "/files" from "./files"; allow read, exec "/fetch" from "./files/fetch" if exists;
            allow read "/etc/ssl", "/etc/nsswitch.conf", "/etc/services", "/etc/ssh", "/etc/java-17-openjdk" if exists;
            allow read, exec "/opt" from "/opt" if exists; allow read, write "/tmp" from tmpfs size 256MiB;
            allow read "/proc"; allow read, write "/dev"; }
        process { env PATH = "/usr/local/bin:/usr/bin:/bin"; env HOME = "/tmp"; }
        syscalls { allow clone, clone3, io_uring_setup, sched_getaffinity, mincore, membarrier, statfs, fstatfs,
            getcpu, sched_yield, timerfd_create, timerfd_settime, eventfd2, epoll_create1, capget, @pkey, sysinfo,
            getrusage, times,
            prctl, msync, flock, ftruncate, fallocate;
            } limits { lifetime 120s; }', uses => 'python');
    mkdir "$dir/files";
    system('cp', "$files/Fetch.java", $go ? "$files/fetch" : (), "$dir/files/") == 0 or die;
    for my $client (@clients) {
        my ($label, $program, $command, $want, $denied) = @$client;
      SKIP: {
            skip "$program is not installed", 2 if system("command -v $program > /dev/null 2>&1") != 0;
            my $seen = watch_packets();
            my $run = in_sandbox($user, $dir, { seconds => 60 }, @$command);
            like $run->{out} =~ s/\n\z//r, $want, "$name: $label" or diag $run->{err};
            isnt in_sandbox($user, $dir, { seconds => 60 }, @$denied)->{status}, 0,
                "$name: $label, where it may not" if $denied;
            is join(', ',
                grep { !/ (?:192\.0\.2\.1|2001:db8::1) (?:8000|7001|7002)$| 192\.0\.2\.53 53$|^udp .* \d{5}$/ }
                $seen->()), '', "$name: $label: on the wire nothing else";
        }
    }
    # A client of DNS that asks a server itself, over udp: allowed as an address is, without any name.
  SKIP: {
        skip 'drill is not installed', 3 if system('command -v drill > /dev/null 2>&1') != 0;
        my $asks = sandbox($user, 'net { allow connect udp 192.0.2.53:53; }');
        like in_sandbox($user, $asks, 'drill', '@192.0.2.53', 'web.test')->{out},
            qr/^web\.test\.\s+\d+\s+IN\s+A\s+192\.0\.2\.1$/m, "$name: drill";
        like in_sandbox($user, $asks, 'drill', '-D', '@192.0.2.53', 'large.test')->{out}, qr/;; flags:[^;]* tc /,
            "$name: drill, of an answer that would need tcp";
        unlike in_sandbox($user, $asks, { seconds => 30 }, 'timeout', '5', 'drill', '@198.51.100.1', 'web.test')->{out},
            qr/192\.0\.2\.1/, "$name: drill, where it may not";
    }
}
done_testing;
