# Makes the corpus of the target `names`:   python3 tests/fuzz/names.py tests/fuzz/corpus/names
import os, socket, struct, sys

def name(text): return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"
def record(owner, kind, data, ttl=30): return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data
def packet(flags, question, records=(), additional=b""):
    return struct.pack(">HHHHHH",
        0, flags, 1, len(records), 0, 1 if additional else 0) + question + b"".join(records) + additional
def case(text, kind, records, way=0, edns=0, asked=None):
    question = name(text) + struct.pack(">HH", kind, 1)
    option = struct.pack(">BHHIH", 0, 41, edns, 0, 0) if edns else b""
    ask = packet(0x100, question, additional=option)
    return bytes([way]) + struct.pack(">H", len(ask)) + ask + packet(0x8180, asked or question, records)

me, four, six = b"\xc0\x0c", socket.inet_aton, lambda text: socket.inet_pton(socket.AF_INET6, text)
service = struct.pack(">H", 1) + b"\0" + struct.pack(">HH",
    1, 3) + b"\x02h2" + struct.pack(">HH", 4, 4) + four("192.0.2.1") + struct.pack(">HH", 6, 16) + six("2001:db8::1")
cases = {
    "a": case("web.test", 1, [record(me, 1, four("192.0.2.2")), record(me, 1, four("192.0.2.3"))]),
    "aaaa": case("web.test", 28, [record(me, 28, six("2001:db8::2"))], edns=1400),
    "chain": case("alias.test",
        1, [record(me, 5, name("end.test")), record(name("end.test"), 1, four("192.0.2.4"))], way=1),
    "loop": case("loop.test", 1, [record(me, 5, name("loop.test"))]),
    "large": case("large.test", 1, [record(me, 1, four(f"192.0.2.{i}")) for i in range(0, 200, 2)], edns=4096),
    "srv": case("services.test",
        33, [record(me, 33, struct.pack(">HHH", 1, 1, 80) + name(t)) for t in ("web.test", "evil.test")], way=1),
    "https": case("services.test",
        65, [record(me, 65, service), record(me, 65, struct.pack(">H", 2) + name("evil.test"))]),
    "svcb": case("services.test", 64, [record(me, 64, service)]),
    "txt": case("services.test", 16, [record(me, 16, b"\4text")]),
    "bare": case("bare.test", 1, [record(me, 1, b"")]),
    "bare-srv": case("bare.test", 33, [record(me, 33, bytes(6))]),
    "stands-in": case("web.test", 1, [], way=4),
    "in-hosts": case("web.test", 1, [], way=2),
    "denied": case("evil.test", 1, [record(me, 1, four("192.0.2.2"))]),
    "another": case("web.test",
        1, [record(name("other.test"), 1, four("192.0.2.2"))], asked=name("other.test") + b"\0\1\0\1"),
}
for label, data in cases.items():
    with open(os.path.join(sys.argv[1], label), "wb") as file: file.write(data)
