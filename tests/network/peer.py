"""The other machine of the network tests: services on fixed ports, for IPv4 and IPv6.

7001 echo, until EOF. 7002 counts what comes until EOF and answers with the count and a CRC. 7003
reads a line with a number and sends as many bytes. 7004 resets each connection. 7005 reads a line
"HOST PORT TEXT", connects there, sends TEXT, and answers with what it got until EOF. 7006 accepts
nothing: its backlog is full. UDP 7001 echoes; UDP 53 is a name server that knows one name.
"""

import socket
import struct
import sys
import threading
import zlib

PATTERN = bytes(range(251)) * 1044


def echo(c):
    while True:
        data = c.recv(65536)
        if not data:
            return
        c.sendall(data)


def count(c):
    total, crc = 0, 0
    while True:
        data = c.recv(262144)
        if not data:
            break
        total += len(data)
        crc = zlib.crc32(data, crc)
    c.sendall(b"%d %d" % (total, crc))


def source(c):
    left = int(line(c))
    while left > 0:
        n = min(left, len(PATTERN))
        c.sendall(PATTERN[:n])
        left -= n


def reset(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def call_back(c):
    host, port, text = line(c).split(" ", 2)
    with socket.create_connection((host, int(port)), timeout=10) as s:
        s.sendall(text.encode())
        s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            data = s.recv(65536)
            if not data:
                break
            got += data
    c.sendall(got)


def line(c):
    text = b""
    while not text.endswith(b"\n"):
        part = c.recv(1)
        if not part:
            break
        text += part
    return text.decode().strip()


def guarded(service, c):
    try:
        with c:
            service(c)
    except OSError:
        pass


def tcp(port, service):
    s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)

    def loop():
        while True:
            c, _ = s.accept()
            threading.Thread(target=guarded, args=(service, c), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def udp(port, answer):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))

    def loop():
        while True:
            # Neither a malformed packet nor one that cannot be answered ends the service.
            try:
                data, who = s.recvfrom(65536)
                reply = answer(data)
                if reply is not None:
                    s.sendto(reply, who)
            except (OSError, IndexError, ValueError, struct.error):
                continue

    threading.Thread(target=loop, daemon=True).start()


def name_server(query):
    """Answers a query: peer.test is 10.77.0.1 and fd77::1; other names do not exist."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    (kind,) = struct.unpack(">H", query[at + 1:at + 3])
    known = {
        1: socket.inet_aton("10.77.0.1"),
        28: socket.inet_pton(socket.AF_INET6, "fd77::1"),
    }
    is_ours = labels == ["peer", "test"]
    data = known.get(kind) if is_ours else None
    flags = 0x8180 if is_ours else 0x8183
    head = query[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0)
    answer = b""
    if data:
        answer = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
    return head + question + answer


tcp(7001, echo)
tcp(7002, count)
tcp(7003, source)
tcp(7004, reset)
tcp(7005, call_back)
udp(7001, lambda data: data)
udp(53, name_server)
full = socket.create_server(("10.77.0.1", 7006), backlog=0)
fillers = []
for _ in range(4):
    filler = socket.socket()
    filler.setblocking(False)
    filler.connect_ex(("10.77.0.1", 7006))
    fillers.append(filler)
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
