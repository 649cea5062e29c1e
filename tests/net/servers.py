# Servers that the tests of the network talk to: echoes, a server that never accepts, HTTP, and a name server that lies
# as it is told.
#   servers.py ASKED [KIND...]   ASKED: where each question for a name is noted. Says "ready" and ends with SIGTERM.
#   NAME=ADDRESS,... among the kinds is one more name, and where it leads; loopback=PORT says "host" there.
import asyncio, http.server, os, socket, struct, sys, threading, time

asked, kinds = sys.argv[1], sys.argv[2:] or ["echo", "http", "dns"]

def serve(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()

def tcp(host, port, backlog=1024, family=socket.AF_INET):
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(backlog)
    return s

def echo_all(sockets):
    async def echo(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()
    async def run():
        for s in sockets:
            await asyncio.start_server(echo, sock=s)
        await asyncio.Event().wait()
    asyncio.run(run())

def echo_datagrams(s):
    while True:
        data, who = s.recvfrom(65536)
        s.sendto(data, who)

def udp(host, port, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((host, port))
    return s

class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def handle(self):
        try: super().handle()
        except ConnectionError: pass # a client that leaves early
    def do_GET(self):
        if self.path.startswith("/files/"): # of the folder that it was started in
            super().do_GET()
            return
        body = b"hello from " + self.headers.get("Host", "?").encode() + b"\n"
        if self.path == "/large": body = b"x" * 5_000_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

# ---- names

def name(text): return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"
def a(owner, address, ttl=30): return name(owner) + struct.pack(">HHIH", 1, 1, ttl, 4) + socket.inet_aton(address)
def aaaa(owner, address, ttl=30):
    return name(owner) + struct.pack(">HHIH", 28, 1, ttl, 16) + socket.inet_pton(socket.AF_INET6, address)
def other(owner, kind, data, ttl=30): return name(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data
def cname(owner, target): return other(owner, 5, name(target))

def chain(owner, links): # that many CNAMEs, and an address
    names = [owner] + [f"{i}.{owner}" for i in range(links)]
    return [cname(*pair) for pair in zip(names, names[1:])] + [a(names[-1], "192.0.2.1")]
def behind(owner, others): # an address behind so many private ones
    return [a(owner, f"10.9.{i // 250}.{i % 250}") for i in range(others)] + [a(owner, "192.0.2.1")]

many = [f"192.0.2.{i}" for i in range(1, 120)]
zone = { # lower-case name: {type: records}
    "web.test": {1: [a("web.test", "192.0.2.1")], 28: [aaaa("web.test", "2001:db8::1")]},
    "short.test": {1: [a("short.test", "192.0.2.1", 0)]},
    "sub.wild.test": {1: [a("sub.wild.test", "192.0.2.1")]},
    "wild.test": {1: [a("wild.test", "192.0.2.1")]},
    "evilwild.test": {1: [a("evilwild.test", "192.0.2.1")]},
    "alias.test": {1: [cname("alias.test", "hop.elsewhere.test"),
            cname("hop.elsewhere.test", "end.elsewhere.test"), a("end.elsewhere.test", "192.0.2.1")]},
    "loop.test": {1: [cname("loop.test", "loop2.test"), cname("loop2.test", "loop.test")]},
    "links15.test": {1: chain("links15.test", 15)}, "links16.test": {1: chain("links16.test", 16)},
    "behind255.test": {1: behind("behind255.test", 255)}, "behind256.test": {1: behind("behind256.test", 256)},
    "stray.test": {1: [a("stray.test", "192.0.2.1"), a("unasked.test", "198.51.100.1")]},
    "rebind.test": {1: [a("rebind.test", "10.9.9.9"),
            a("rebind.test", "127.0.0.1"), a("rebind.test", "169.254.169.254"), a("rebind.test", "0.0.0.0")],
                    28: [aaaa("rebind.test", "::1"), aaaa("rebind.test", "::ffff:10.9.9.9"),
                        aaaa("rebind.test", "64:ff9b::a09:909"), aaaa("rebind.test", "fe80::1")]},
    "corp.test": {1: [a("corp.test", "10.9.9.9")]},
    "denied-address.test": {1: [a("denied-address.test", "198.51.100.1")]},
    "forms.test": {28: [aaaa("forms.test", form) for form in ("::ffff:198.51.100.1", "::198.51.100.1",
                "64:ff9b::c633:6401", "64:ff9b:1::1", "2002:c633:6401::1", "2001:0:c633:6401::1", "::5efe:c633:6401",
                           "fe80::200:5efe:c633:6401", "::ffff:0:c633:6401")]},
    "half.test": {1: [a("half.test", "10.9.9.9"), a("half.test", "192.0.2.1")]},
    "large.test": {1: [a("large.test", address) for address in many]},
    "greedy.test": {1: [a("greedy.test", f"203.0.{113 + i // 250}.{1 + i % 250}", 3600) for i in range(2000)]},
    "circle.test": {1: [cname("circle.test", "round.test"), cname("round.test", "circle.test")]
        + [a(owner, f"192.0.2.{i}") for owner in ("circle.test", "round.test") for i in range(1, 20)]},
    "services.test": {33: [other("services.test", 33, struct.pack(">HHH", 1, 1, 80) + name("web.test")),
            other("services.test", 33, struct.pack(">HHH", 1, 1, 80) + name("evil.test"))],
                      65: [other("services.test", 65, struct.pack(">H", 1) + b"\0" + struct.pack(">HH", 1, 3)
                              + b"\x02h2" + struct.pack(">HH", 4, 4) + socket.inet_aton("198.51.100.1")),
                           other("services.test", 65, struct.pack(">H", 2) + name("evil.test"))],
                      16: [other("services.test", 16, b"\x04text")]},
    # without what they are for
    "bare.test": {1: [other("bare.test", 1, b"")], 28: [other("bare.test", 28, b"")],
        5: [other("bare.test", 5, b"")], 33: [other("bare.test", 33, bytes(6))], 65: [other("bare.test", 65, b"")]},
    "proxy.test": {1: [a("proxy.test", "192.0.2.3")]},
    "refused.test": {}, "malformed.test": {}, "silent.test": {}, "wrong-id.test": {}, "wrong-question.test": {},
}

def more_names():
    for kind in kinds:
        owner, _, addresses = kind.partition("=")
        records = {}
        for address in addresses.split(",") if addresses and owner != "loopback" else []:
            if ":" in address: records.setdefault(28, []).append(aaaa(owner, address))
            else: records.setdefault(1, []).append(a(owner, address))
        if records: zone[owner] = records

def answer(query, over_tcp):
    identity, flags, questions = struct.unpack(">HHH", query[:6])
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    question, text = query[12:at + 5], ".".join(labels)
    low = text.lower()
    with open(asked, "a") as log: log.write(f"{text} {kind}{' tcp' if over_tcp else ''}\n")
    if low == "silent.test": return b""
    if low == "malformed.test":
        return struct.pack(">HHHHHH", identity, 0x8180, 1, 9, 0, 0) + question + b"\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\xc0"
    records = zone.get(low, {}).get(kind, [])
    code = 0 if low in zone else 3
    if low == "refused.test": code = 5
    if low == "wrong-id.test": identity, records = identity ^ 1, [a(text, "192.0.2.1")]
    if low == "wrong-question.test": question, records = name("other.test") + b"\0\1\0\1", [a(text, "192.0.2.1")]
    body = question + b"".join(records)
    reply = struct.pack(">HHHHHH", identity, 0x8180 | code, 1, len(records), 0, 0) + body
    if not over_tcp and len(reply) > 1232: reply = struct.pack(">HHHHHH", identity, 0x8380, 1, 0, 0, 0) + question
    return reply

def names_udp(s):
    while True:
        query, who = s.recvfrom(65536)
        reply = answer(query, False)
        if reply: s.sendto(reply, who)

def names_tcp(s):
    while True:
        c, _ = s.accept()
        try:
            size = struct.unpack(">H", c.recv(2))[0]
            reply = answer(c.recv(size), True)
            c.sendall(struct.pack(">H", len(reply)) + reply)
        except (OSError, struct.error):
            pass
        c.close()

# ---- proxies: HTTP's CONNECT at :3128, SOCKS5 at :1080, at the next ports the same for "somebody" with "a pass:word".
# What is asked of them is noted as questions are. Each name leads to the echo server; but some answer otherwise.

PAUSE = 3 # seconds, of a proxy within its answer

def relay(client, greeting=b""):
    server = socket.create_connection(("192.0.2.1", 7001))
    def copy(a, b):
        try:
            while data := a.recv(65536): b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError: pass
    serve(copy, client, server)
    copy(server, client)
    client.close()

def note(what):
    with open(asked, "a") as log: log.write(what + "\n")

def exactly(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more: raise OSError("end")
        data += more
    return data

def http_proxy(client, wants_user):
    head = b""
    while not head.endswith(b"\r\n\r\n"): head += exactly(client, 1)
    method, target, *_ = head.decode().split(" ")
    user = "Proxy-Authorization: Basic c29tZWJvZHk6YSBwYXNzOndvcmQ=" in head.decode()
    note(f"{method} {target}{' somebody' if user else ''}")
    low = target.split(":")[0]
    if low == "hang.test": threading.Event().wait()
    if wants_user and not user: reply = b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\n\r\n"
    elif low == "down.test": reply = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno"
    elif low == "forbidden.test": reply = b"HTTP/1.1 403 Forbidden\r\n\r\n"
    elif low == "noise.test": reply = b"\x00\x01\x02 what\r\n\r\n"
    elif low == "endless.test": reply = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10000
    elif low == "closed.test": reply = b""
    else: reply = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"
    if low == "dribble.test":
        for i in range(len(reply)): client.sendall(reply[i:i + 1]); threading.Event().wait(0.01)
    elif low in ("pauses.test", "cut.test"):
        client.sendall(reply[:20])
        if low == "pauses.test": time.sleep(PAUSE); client.sendall(reply[20:])
    else: client.sendall(reply + (b"first word" if low == "greets.test" else b""))
    if b" 200 " in reply and low not in ("endless.test", "cut.test"): relay(client)
    else: client.close()

def socks_proxy(client, wants_user):
    version, count = exactly(client, 2)
    methods, user = exactly(client, count), ""
    if wants_user:
        if 2 not in methods: client.sendall(b"\5\xff"); client.close(); return
        client.sendall(b"\5\2")
        exactly(client, 1); name = exactly(client, exactly(client, 1)[0])
        password = exactly(client, exactly(client, 1)[0])
        good = (name, password) == (b"somebody", b"a pass:word")
        client.sendall(b"\1\0" if good else b"\1\1")
        if not good: client.close(); return
        user = " somebody"
    else: client.sendall(b"\5\0")
    version, command, _, kind = exactly(client, 4)
    host = exactly(client, exactly(client, 1)[0]).decode() if kind == 3 else f"kind {kind}"
    port = struct.unpack(">H", exactly(client, 2))[0]
    note(f"SOCKS {host}:{port}{user}")
    code = {"down.test": 5, "forbidden.test": 2}.get(host, 0)
    if host == "dribble.test": threading.Event().wait(0.7)
    reply = b"\5" + bytes([code]) + b"\0\3\x09somewhere\0\x50"
    if host in ("pauses.test", "cut.test"):
        client.sendall(reply[:6]); reply = reply[6:]
        if host == "pauses.test": time.sleep(PAUSE)
        else: client.close(); return
    client.sendall(reply + (b"first word" if host == "greets.test" else b""))
    if code: client.close()
    else: relay(client)

def proxies(listener, talk, wants_user):
    def one(client):
        try: talk(client, wants_user)
        except OSError: client.close()
    while True:
        serve(one, listener.accept()[0])

full = [] # connections that fill the queue of a server that never accepts: the next one waits
if "echo" in kinds:
    serve(echo_all, [tcp("192.0.2.1", 7001), tcp("192.0.2.2", 7001), tcp("192.0.2.3", 7001), tcp("198.51.100.1", 7001),
            tcp("10.9.9.9", 7001), tcp("127.0.0.1", 7001), tcp("2001:db8::1", 7001, family=socket.AF_INET6)])
    serve(echo_datagrams, udp("192.0.2.1", 7002)); serve(echo_datagrams, udp("192.0.2.2", 7002))
    serve(echo_datagrams, udp("198.51.100.1", 7002))
    serve(echo_datagrams, udp("127.0.0.1", 7002)); serve(echo_datagrams, udp("2001:db8::1", 7002, socket.AF_INET6))
def accept_all(listener):
    while True: listener.accept()[0].close()

def greet_all(listener):
    while True:
        c, _ = listener.accept()
        c.sendall(b"host"); c.close()

more_names()
for kind in kinds:
    if kind.startswith("loopback="):
        port = int(kind[len("loopback="):])
        serve(greet_all, tcp("127.0.0.1", port)); serve(greet_all, tcp("::1", port, family=socket.AF_INET6))
if "everywhere" in kinds: # somebody listens at each address, at ten ports
    for port in range(7000, 7010):
        serve(accept_all, tcp("::", port, 128, family=socket.AF_INET6)) # and of IPv4
if "never" in kinds:
    never = tcp("192.0.2.1", 7003, 0)
    for _ in range(3):
        c = socket.socket(); c.setblocking(False); c.connect_ex(("192.0.2.1", 7003)); full.append(c)
if "http" in kinds:
    server = http.server.ThreadingHTTPServer(("192.0.2.1", 8000), Quiet)
    serve(server.serve_forever)
if "proxy" in kinds:
    for port, talk in (3128, http_proxy), (1080, socks_proxy):
        serve(proxies, tcp("192.0.2.3", port), talk, False); serve(proxies, tcp("192.0.2.3", port + 1), talk, True)
    serve(proxies, tcp("2001:db8::1", 3128, family=socket.AF_INET6), http_proxy, False)
if "dns" in kinds:
    serve(names_udp, udp("192.0.2.53", 53)); serve(names_tcp, tcp("192.0.2.53", 53))
print("ready", flush=True)
threading.Event().wait()
