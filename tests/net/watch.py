# Watches all that goes over this network's loopback, until SIGTERM: watch.py FILE. In FILE then: each place that a
# connection was begun to or a datagram was sent to, unless it answers one.
import signal, socket, struct, sys

places, asked = set(), set()

def end(*_):
    open(sys.argv[1], "w").write("".join(f"{p}\n" for p in sorted(places)))
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) # ETH_P_ALL
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
s.bind(("lo", 0))
print("ready", flush=True)
while True:
    data, (_, protocol, direction, *_) = s.recvfrom(65536)
    if direction == 4: continue # each is seen twice: leaving, and coming
    if protocol == 0x0800:
        kind, to, origin, rest = data[
            9], socket.inet_ntoa(data[16:20]), socket.inet_ntoa(data[12:16]), data[(data[0] & 15) * 4:]
    elif protocol == 0x86dd:
        kind, to, origin, rest = data[6], socket.inet_ntop(socket.AF_INET6,
            data[24:40]), socket.inet_ntop(socket.AF_INET6, data[8:24]), data[40:]
    else: places.add(f"protocol {protocol:x}"); continue
    if kind in (6, 17): from_port, port = struct.unpack(">HH", rest[:4])
    if kind == 6:
        if rest[13] & 0x12 == 0x02: places.add(f"tcp {to} {port}")
    elif kind == 17:
        if (to, port, origin, from_port) not in asked: places.add(f"udp {to} {port}")
        asked.add((origin, from_port, to, port))
    elif kind not in (1, 58): places.add(f"ip protocol {kind} {to}")
