#!/usr/bin/perl
# Nothing is lent: whatever sbxrun does at the host's sockets for a command, others see the command's outside identity,
# and the kernel allows what
# it allows that user.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Sbx;
use Live;
use Net;
use Test::More;

own_network();

# Tells, for each connection and each message, whom the kernel says that it is from, and what /proc has of that process.
my $server = <<'P';
import os, socket, struct, sys, threading
folder, = sys.argv[1:]
def status(pid):
    text = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
    who, groups = sorted(set(text["Uid"].split() + text["Gid"].split())), text["Groups"].strip() or "none"
    return "/".join(who) + f" groups {groups} effective {int(text['CapEff'], 16):x}"
def owner(port): # of the socket of this network that has the local port (proc(5))
    for line in open("/proc/net/tcp").read().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port: return words[7]
def say(text): os.write(out, (text + "\n").encode())
out = os.open(f"{folder}/said", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
def credentials(s, what):
    data, control, _, _ = s.recvmsg(100, 1000)
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, 2):
            pid, uid, gid = struct.unpack("iII", value); say(f"{what} {data.decode()}: {uid} {gid} {status(pid)}")
def stream():
    while True:
        c, _ = s.accept(); pid, uid, gid = struct.unpack("iII", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        say(f"stream peer: {uid} {gid} {status(pid)}")
        credentials(c, "stream"); c.send(b"x"); c.close()
def datagrams():
    while True: credentials(d, "datagram")
def tcp():
    while True: c, (_, port) = t.accept(); c.recv(1); say(f"tcp owner: {owner(port)}"); c.send(b"x"); c.close()
s = socket.socket(socket.AF_UNIX); s.bind(f"{folder}/stream"); s.setsockopt(1, 16, 1); s.listen()
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind(f"{folder}/datagrams"); d.setsockopt(1, 16, 1)
t = socket.create_server(("192.0.2.1", 7001))
for name in "stream", "datagrams": os.chmod(f"{folder}/{name}", 0o777)
for f in stream, datagrams, tcp: threading.Thread(target=f).start()
print("ready", flush=True)
P

my $program = <<'P';
import errno, socket, struct, time
def t(label, f):
    try: print(label, f() or "ok", flush=True)
    except OSError as e: print(label, errno.errorcode.get(e.errno, e), flush=True)
def stream(): s = socket.socket(socket.AF_UNIX); s.connect("/host/stream"); s.sendmsg([b"by sendmsg"]); s.recv(1)
def datagrams():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b"by sendto", "/host/datagrams")
    s.sendmsg([b"by sendmsg"], [], 0, "/host/datagrams"); time.sleep(0.3)
def explicit(uid):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendmsg([b"told"], [(1, 2, struct.pack("iII", 1, uid, uid))], 0, "/host/datagrams")
def tcp(): s = socket.socket(); s.connect(("192.0.2.1", 7001)); s.send(b"x"); s.recv(1)
def below(): s = socket.socket(); s.bind(("127.0.0.1", 80)); s.listen()
def priority(n):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, n); s.connect(("192.0.2.1", 7001))
    print(s.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY)); s.send(b"x"); s.recv(1)
t("stream", stream); t("datagrams", datagrams); t("as root", lambda: explicit(0)); t("tcp", tcp)
t("a port below 1024", below)
P

for my $user (users()) {
    my $who = $user->{name};
    my $dir = sandbox($user, '
    fs { allow read "/host" from "./host"; }
    net {
        allow connect unix "/host/stream", "/host/datagrams";
        allow connect tcp 192.0.2.1:7001;
        allow bind, listen tcp host-loopback:80;
    }', uses => 'python');
    mkdir "$dir/host";
    chmod 0777, "$dir/host";
    my $pid = Net::servers_with(spew("$dir/server.py", $server), "$dir/host");
    my $run = in_sandbox($user, $dir, '/usr/bin/python3', '-c', $program);
    my ($uid, $gid) = defined $user->{uid} ? @$user{qw(uid gid)} : $user->{name} eq 'root' ? (0x7FFE0000) x 2
        : ($>, $) + 0);
    my $said = slurp("$dir/host/said");
    my $ids = $uid == $gid ? $uid : join '/', sort $uid, $gid;
    my $groups = $who eq 'root' ? 'none' : '[\d ]+|none';
    my %own = ($who eq 'root' || defined $user->{uid}) ? (ids => $ids, uid => $uid, gid => $gid)
        : (ids => '[\d/]+', uid => '\d+', gid => '\d+');
    for my $what ('stream peer', 'stream by sendmsg', 'datagram by sendto', 'datagram by sendmsg') {
        like $said, qr/^$what: $own{uid} $own{gid} $own{ids} groups (?:$groups) effective 0$/m,
            "$who: $what: the outside identity, and of a process that has nothing more";
    }
    like $said, qr/^tcp owner: $own{uid}$/m, "$who: the owner in /proc/net/tcp";
    like $run->{out}, qr/^$_$/m, "$who: $_" for 'stream ok', 'datagrams ok', 'tcp ok', 'as root EPERM',
        'a port below 1024 EACCES';
    unlike $said, qr/told/, "$who: and nobody heard it";
    diag $run->{out}, $run->{err}, $said if grep { !$_ } Test::More->builder->summary;
    kill TERM => $pid;
    waitpid $pid, 0;
}
done_testing;
