# Servers that the tests of the network talk to: echoes, a server that never accepts, HTTP, and a name server that lies as it is told.
#   servers.py ASKED [KIND...]   ASKED: where each question for a name is noted. Says "ready" and ends with SIGTERM.
import asyncio, http.server, os, socket, struct, sys, threading

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
def aaaa(owner, address, ttl=30): return name(owner) + struct.pack(">HHIH", 28, 1, ttl, 16) + socket.inet_pton(socket.AF_INET6, address)
def other(owner, kind, data, ttl=30): return name(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data
def cname(owner, target): return other(owner, 5, name(target))

many = [f"192.0.2.{i}" for i in range(1, 120)]
zone = { # lower-case name: {type: records}
    "web.test": {1: [a("web.test", "192.0.2.1")], 28: [aaaa("web.test", "2001:db8::1")]},
    "short.test": {1: [a("short.test", "192.0.2.1", 0)]},
    "sub.wild.test": {1: [a("sub.wild.test", "192.0.2.1")]},
    "wild.test": {1: [a("wild.test", "192.0.2.1")]},
    "evilwild.test": {1: [a("evilwild.test", "192.0.2.1")]},
    "alias.test": {1: [cname("alias.test", "hop.elsewhere.test"), cname("hop.elsewhere.test", "end.elsewhere.test"), a("end.elsewhere.test", "192.0.2.1")]},
    "loop.test": {1: [cname("loop.test", "loop2.test"), cname("loop2.test", "loop.test")]},
    "stray.test": {1: [a("stray.test", "192.0.2.1"), a("unasked.test", "198.51.100.1")]},
    "rebind.test": {1: [a("rebind.test", "10.9.9.9"), a("rebind.test", "127.0.0.1"), a("rebind.test", "169.254.169.254"), a("rebind.test", "0.0.0.0")],
                    28: [aaaa("rebind.test", "::1"), aaaa("rebind.test", "::ffff:10.9.9.9"), aaaa("rebind.test", "64:ff9b::a09:909"), aaaa("rebind.test", "fe80::1")]},
    "denied-address.test": {1: [a("denied-address.test", "198.51.100.1")]},
    "half.test": {1: [a("half.test", "10.9.9.9"), a("half.test", "192.0.2.1")]},
    "large.test": {1: [a("large.test", address) for address in many]},
    "services.test": {33: [other("services.test", 33, struct.pack(">HHH", 1, 1, 80) + name("web.test")), other("services.test", 33, struct.pack(">HHH", 1, 1, 80) + name("evil.test"))],
                      65: [other("services.test", 65, struct.pack(">H", 1) + b"\0" + struct.pack(">HH", 1, 3) + b"\x02h2" + struct.pack(">HH", 4, 4) + socket.inet_aton("198.51.100.1")),
                           other("services.test", 65, struct.pack(">H", 2) + name("evil.test"))],
                      16: [other("services.test", 16, b"\x04text")]},
    "refused.test": {}, "malformed.test": {}, "silent.test": {}, "wrong-id.test": {}, "wrong-question.test": {},
}

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
    if low == "malformed.test": return struct.pack(">HHHHHH", identity, 0x8180, 1, 9, 0, 0) + question + b"\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\xc0"
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

full = [] # connections that fill the queue of a server that never accepts: the next one waits
if "echo" in kinds:
    serve(echo_all, [tcp("192.0.2.1", 7001), tcp("192.0.2.2", 7001), tcp("192.0.2.3", 7001), tcp("198.51.100.1", 7001), tcp("127.0.0.1", 7001), tcp("2001:db8::1", 7001, family=socket.AF_INET6)])
    serve(echo_datagrams, udp("192.0.2.1", 7002)); serve(echo_datagrams, udp("192.0.2.2", 7002)); serve(echo_datagrams, udp("198.51.100.1", 7002))
    serve(echo_datagrams, udp("127.0.0.1", 7002)); serve(echo_datagrams, udp("2001:db8::1", 7002, socket.AF_INET6))
if "never" in kinds:
    never = tcp("192.0.2.1", 7003, 0)
    for _ in range(3):
        c = socket.socket(); c.setblocking(False); c.connect_ex(("192.0.2.1", 7003)); full.append(c)
if "http" in kinds:
    server = http.server.ThreadingHTTPServer(("192.0.2.1", 8000), Quiet)
    serve(server.serve_forever)
if "dns" in kinds:
    serve(names_udp, udp("192.0.2.53", 53)); serve(names_tcp, tcp("192.0.2.53", 53))
print("ready", flush=True)
threading.Event().wait()
