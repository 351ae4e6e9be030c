"""A hostile guest: random messages of netlink, of all protocols that the kernel answers, and
sockets closed under way.

    python3 netlink_fuzz.py SEED SECONDS
"""

import os
import select
import socket
import struct

import workers

ROUTE, USERSOCK, DIAG, CONNECTOR, UEVENT, GENERIC = 0, 2, 4, 11, 15, 16
PROTOCOLS = [ROUTE] * 6 + [DIAG] * 3 + [GENERIC] * 2 + [CONNECTOR, USERSOCK, UEVENT]
NEWNET, NEWUSER = 0x40000000, 0x10000000
# Bytes behind the header of each group of four of rtnetlink's types: link, address, route,
# neighbour, rule, ...
FIXED = {4: 16, 5: 8, 6: 12, 7: 12, 8: 12, 9: 20, 10: 20, 22: 1}
NAMES = [b"lo\0", b"v0\0", b"v1\0", b"br0\0", b"veth\0", b"bridge\0", b"dummy\0", b"v%d\0", b"%s\0", b"x" * 16, b"/\0", b"", b"\0",
         b"nlctrl\0", b"TASKSTATS\0", b"0-1\0", b"lo"]
WORDS = [0, 1, 2, 3, 4, 5, 7, 16, 100, 253, 254, 255, 256, 1000, 1500, 65535, 65536, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
ADDRESSES = [b"\x7f\0\0\1", bytes(4), b"\x0a\1\1\1", b"\x0a\1\1\2", b"\xff" * 4, b"\xe0\0\0\1", bytes(15) + b"\1", b"\xfd" + bytes(14) + b"\1",
             b"\xfe\x80" + bytes(13) + b"\1", b"\xff\2" + bytes(13) + b"\1", bytes(16), b"\2" * 6, b"\xff" * 6]

sockets = []


def word(rng):
    return rng.choice(WORDS) if rng.random() < 0.8 else rng.getrandbits(32)


def attribute(rng, depth):
    kind = rng.randrange(48) | rng.choice((0, 0, 0, 0x8000, 0x4000))
    pick = rng.random()
    if pick < 0.2 and depth < 4:
        data = b"".join(attribute(rng, depth + 1) for _ in range(rng.randrange(4)))
        if rng.random() < 0.3:
            data = bytes(16) + data
    elif pick < 0.45:
        data = struct.pack("=I", word(rng))
    elif pick < 0.65:
        data = rng.choice(NAMES)
    elif pick < 0.85:
        data = rng.choice(ADDRESSES)
    else:
        data = rng.randbytes(rng.choice((0, 1, 2, 3, 8, 12, 16, 60, 400)))
    length = 4 + len(data) if rng.random() < 0.95 else rng.choice((0, 1, 3, 5, 0xFFFF, len(data)))
    return struct.pack("=HH", length & 0xFFFF, kind) + data + bytes(-len(data) % 4)


def attributes(rng):
    return b"".join(attribute(rng, 0) for _ in range(rng.randrange(6)))


def body(rng, protocol, kind):
    if protocol == GENERIC:
        return struct.pack("=BBH", rng.choice((1, 2, 3, 10, 99)), rng.randrange(4), 0) + attributes(rng)
    if protocol == CONNECTOR:
        data = struct.pack("=II", rng.choice((1, 2, 9)), word(rng))[:rng.choice((4, 8, 8, 8, 3, 0))]
        length = len(data) if rng.random() < 0.9 else rng.getrandbits(16)
        return struct.pack("=IIIIHH", rng.choice((1, 1, 1, 2)), 1, word(rng), word(rng), length, 0) + data
    if protocol == DIAG:
        family = rng.choice((1, 2, 10, 16, 17, 0, 40))
        head = struct.pack("=BBBBI", family, rng.choice((6, 17, 1, 58, 255, 0, 136)), rng.getrandbits(8), 0, word(rng))
        return head + rng.randbytes(rng.choice((0, 12, 16, 48, 48, 48))) + attributes(rng)
    size = FIXED.get(kind >> 2, 4)
    head = bytearray(size)
    for at in range(0, size, 4):
        struct.pack_into("=I", head, at, word(rng)) if at + 4 <= size and rng.random() < 0.5 else None
    head[0] = rng.choice((0, 2, 10, 7, 129, rng.getrandbits(8)))
    if size >= 8 and rng.random() < 0.6:
        struct.pack_into("=i", head, 4, rng.choice((0, 1, 2, 3, 4, -1)))
    return bytes(head) + attributes(rng)


def kind_for(rng, protocol):
    if rng.random() < 0.1:
        return rng.getrandbits(16)
    if protocol == GENERIC:
        return rng.choice((16, 31, 31, 32))
    if protocol == DIAG:
        return rng.choice((20, 20, 20, 21, 18))
    return rng.choice((16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 28, 29, 30, 32, 33, 34, 36, 38, 40, 42, 66, 88, 90))


def message(rng, protocol):
    kind = kind_for(rng, protocol)
    data = body(rng, protocol, kind)
    if rng.random() < 0.05:
        data = data[:rng.randrange(len(data) + 1)]
    length = 16 + len(data) if rng.random() < 0.95 else rng.choice((0, 15, 16, 17, 0xFFFFFFFF, len(data)))
    flags = rng.choice((1, 5, 0x301, 0x601, 0x401, 0x105, 0xE05, 0)) if rng.random() < 0.9 else rng.getrandbits(16)
    return struct.pack("=IHHII", length, kind, flags, word(rng), word(rng)) + data + bytes(-len(data) % 4)


def prepare(rng):
    libc = workers_libc()
    privileged = rng.random() < 0.7
    libc.unshare(NEWNET if privileged else NEWNET | NEWUSER)
    if rng.random() < 0.3:
        os.setuid(1000)


def workers_libc():
    import ctypes
    return ctypes.CDLL(None)


def open_one(rng):
    protocol = rng.choice(PROTOCOLS)
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    sockets.append((protocol, s))
    if rng.random() < 0.7:
        s.bind((rng.choice((0, 0, 0, os.getpid(), word(rng))), rng.choice((0, 0, 1, 0x7FFFFFFF, word(rng)))))


def work(rng, step):
    if step == 0:
        prepare(rng)
    pick = rng.random()
    if len(sockets) < 2 or (pick < 0.03 and len(sockets) < 20):
        return open_one(rng)
    protocol, s = rng.choice(sockets)
    if pick < 0.05:
        sockets.remove((protocol, s))
        return s.close()
    if pick < 0.12:
        level = rng.choice((270, 270, 270, 1))
        return s.setsockopt(level, rng.randrange(14), struct.pack("=I", word(rng))[:rng.choice((4, 4, 4, 2, 0))])
    if pick < 0.15:
        return s.getsockopt(rng.choice((270, 1)), rng.randrange(14), rng.choice((0, 1, 4, 64)))
    if pick < 0.4:
        return s.recvmsg(rng.choice((0, 16, 4096, 65536)), rng.choice((0, 100)), rng.choice((0, 2, 0x20, 0x40)))
    data = b"".join(message(rng, protocol) for _ in range(rng.choice((1, 1, 1, 2, 5))))
    if rng.random() < 0.9:
        s.send(data)
    else:
        s.sendto(data, (rng.choice((0, os.getpid(), word(rng))), rng.choice((0, 1, 2, word(rng)))))
    if rng.random() < 0.05:
        select.select([s], [s], [s], 0)


workers.main(work)
