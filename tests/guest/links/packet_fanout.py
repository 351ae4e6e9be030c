"""Packet sockets that share frames (PACKET_FANOUT of packet(7)): joining, and the choice."""

import ctypes
import socket
import struct
from errno import *
from lib.guest import *
from lib.links import own_network

SOL_PACKET, FANOUT, ROLLOVER_STATS, DATA, LOCK = 263, 18, 21, 22, 44
HASH, LB, CPU, ROLLOVER, RND, QM, CBPF, EBPF = range(8)
ROLLS, UNIQUE, IGNORE_OUTGOING = 0x1000, 0x2000, 0x4000
IP, ALL, PORT = 0x800, 3, 7000
kept = []


def alone():
    """Enters a network namespace with lo, where no other socket receives from the port."""
    own_network()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", PORT))
    kept.append(s)


def packet(protocol=IP, link="lo", kind=socket.SOCK_RAW):
    s = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
    s.setblocking(False)
    if link:
        s.bind((link, protocol))
    return s


def join(s, number, how, flags=0, most=None):
    value = struct.pack("=I", number | (how | flags) << 16) + (b"" if most is None else struct.pack("=I", most))
    return sc(NR.setsockopt, s.fileno(), SOL_PACKET, FANOUT, value, len(value))


def group(n, how, flags=0, **kinds):
    sockets = [packet(**kinds) for _ in range(n)]
    for s in sockets:
        eq(join(s, 7, how, flags), 0)
    return sockets


def send(n=1, via=None, size=1):
    via = via or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(n):
        via.sendto(bytes(size), ("127.0.0.1", PORT))


def counts(sockets):
    found = []
    for s in sockets:
        n = 0
        while True:
            try:
                s.recv(2000)
                n += 1
            except BlockingIOError:
                break
        found.append(n)
    return found


@cases([
    ("a type beyond", lambda: [(packet(), 1, 8, 0, None, -EINVAL)]), ("rolling over twice", lambda: [(packet(), 1, ROLLOVER, ROLLS, None, -EINVAL)]),
    ("a socket that receives nothing", lambda: [(packet(0, None), 1, LB, 0, None, -EINVAL)]), ("an id of its own with an id", lambda: [(packet(), 1, LB, UNIQUE, None, -EINVAL)]),
    ("too many members", lambda: [(packet(), 1, LB, 0, 65537, -EINVAL)]), ("another type", lambda: [(packet(), 1, LB, 0, None, 0), (packet(), 1, HASH, 0, None, -EINVAL)]),
    ("other flags", lambda: [(packet(), 1, LB, 0, None, 0), (packet(), 1, LB, ROLLS, None, -EINVAL)]),
    ("another protocol", lambda: [(packet(), 1, LB, 0, None, 0), (packet(ALL), 1, LB, 0, None, -EINVAL)]),
    ("another link", lambda: [(packet(), 1, LB, 0, None, 0), (packet(link=None), 1, LB, 0, None, -EINVAL)]),
    ("another kind", lambda: [(packet(), 1, LB, 0, None, 0), (packet(kind=socket.SOCK_DGRAM), 1, LB, 0, None, 0)]),
    ("another limit", lambda: [(packet(), 1, LB, 0, 2, 0), (packet(), 1, LB, 0, 3, -EINVAL), (packet(), 1, LB, 0, 0, 0), (packet(), 1, LB, 0, 2, -ENOSPC)]),
])
def joining(make):
    alone()
    steps = make()
    for i, (s, number, how, flags, most, expected) in enumerate(steps):
        eq(join(s, number, how, flags, most), expected, "step %d" % i)


@test
def a_member_cannot_join_another_group():
    alone()
    s = packet()
    eq(s.getsockopt(SOL_PACKET, FANOUT), 0)
    eq(join(s, 9, RND, ROLLS), 0)
    eq(s.getsockopt(SOL_PACKET, FANOUT), 9 | (RND | ROLLS) << 16)
    eq((join(s, 9, RND, ROLLS), join(s, 10, LB)), (-EALREADY, -EALREADY))
    fails(EINVAL, s.bind, ("lo", ALL))
    other = packet()
    for value in (b"12", bytes(12)):
        eq(sc(NR.setsockopt, other.fileno(), SOL_PACKET, FANOUT, value, len(value)), -EINVAL)
    own = packet()
    eq(join(own, 0, LB, UNIQUE), 0)
    word = own.getsockopt(SOL_PACKET, FANOUT)
    eq(word >> 16, LB)
    eq(join(other, word & 0xFFFF, LB), 0)
    s.close()
    last = packet()
    eq(join(last, 9, LB), 0, "the last has left")


@test
def the_members_get_packets_in_turn():
    alone()
    g = group(3, LB)
    send(9)
    eq(counts(g), [3, 3, 3])
    g.pop(0).close()
    send(4)
    eq(counts(g), [2, 2])


@test
def a_flow_has_one_receiver():
    alone()
    g = group(4, HASH)
    send(10)
    eq(sorted(counts(g)), [0, 0, 0, 10])
    for _ in range(64):
        send()
    found = counts(g)
    eq(sum(found), 64)
    ok(max(found) < 64, found)
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for s in (a, b):
        s.bind(("127.0.0.1", 0))
    a.sendto(b"there", b.getsockname())
    b.sendto(b"back", a.getsockname())
    eq(sorted(counts(g)), [0, 0, 0, 2], "both directions")


@test
def packets_are_spread_at_random():
    alone()
    g = group(2, RND)
    send(64)
    found = counts(g)
    ok(sum(found) == 64 and min(found) > 0, found)


@test
def the_first_member_gets_all_packets_of_one_queue():
    alone()
    g = group(2, QM)
    send(4)
    eq(counts(g), [4, 0])


@test
def a_full_member_is_passed_over():
    alone()
    g = group(2, ROLLOVER)
    for s in g:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    send(40, size=500)
    found = counts(g)
    ok(found[0] > 0 and found[1] > 0 and sum(found) < 40, found)
    rolled, huge, failed = struct.unpack("=QQQ", g[0].getsockopt(SOL_PACKET, ROLLOVER_STATS, 24))
    ok(rolled > 0 and failed > 0 and huge == 0, (rolled, huge, failed))
    fails(EINVAL, packet().getsockopt, SOL_PACKET, ROLLOVER_STATS, 24)


@test
def a_full_member_of_a_hash_is_passed_over():
    alone()
    g = group(2, HASH, ROLLS)
    for s in g:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    send(40, size=500)
    found = counts(g)
    ok(min(found) > 0, found)


def program(s, *ops):
    text = b"".join(struct.pack("=HBBI", code, 0, 0, k & 0xFFFFFFFF) for code, k in ops)
    buffer = ctypes.create_string_buffer(text)
    request = struct.pack("=H6xQ", len(ops), ctypes.addressof(buffer))
    return sc(NR.setsockopt, s.fileno(), SOL_PACKET, DATA, request, len(request))


@test
def a_program_picks():
    alone()
    g = group(2, CBPF)
    send(2)
    eq(counts(g), [2, 0], "without one")
    eq(program(g[0], (6, 1)), 0)
    send(4)
    eq(counts(g), [0, 4])
    eq(program(g[1], (6, 8)), 0)
    send(4)
    eq(counts(g), [4, 0], "8 of 2 is 0")
    eq(program(g[1], (0x30, 0), (0x16, 0)), 0)
    send(4)
    eq(counts(g), [0, 4], "0x45: it sees the header of the network first")
    eq(program(g[1], (0x80, 0), (0x16, 0)), 0)
    send(1, size=0)
    send(2, size=1)
    eq(counts(g), [1, 2], "28 and 29 bytes")
    other, turns = packet(), packet()
    eq(join(turns, 8, LB), 0)
    eq((program(other, (6, 0)), program(turns, (6, 0))), (-EINVAL, -EINVAL))
    eq(sc(NR.setsockopt, g[0].fileno(), SOL_PACKET, DATA, b"12", 2), -EINVAL)
    fails(ENOPROTOOPT, g[0].getsockopt, SOL_PACKET, DATA)
    g[0].setsockopt(socket.SOL_SOCKET, LOCK, 1)
    eq(program(g[0], (6, 0)), -EPERM)


@test
def a_group_can_ignore_outgoing_packets():
    alone()
    g = group(2, LB, protocol=ALL)
    send(4)
    eq(counts(g), [4, 4])
    for s in g:
        s.close()
    g = group(2, LB, IGNORE_OUTGOING, protocol=ALL)
    send(4)
    eq(counts(g), [2, 2])


run()
