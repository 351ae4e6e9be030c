"""Rings of blocks that packet sockets fill (PACKET_RX_RING of packet(7), version 3)."""

import mmap
import select
import socket
import struct
import time
from errno import *
from lib.guest import *
from lib.links import own_network

SOL_PACKET, RX_RING, STATISTICS, VERSION, HDRLEN = 263, 5, 6, 10, 11
PAGE, PORT, USER, TIMEOUT = 4096, 7000, 1, 0x20
kept = []


def alone():
    own_network()
    for port in (PORT, None):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        kept.append(s)
        if port:
            s.bind(("127.0.0.1", port))


def send(n=1, size=5):
    for _ in range(n):
        kept[1].sendto(b"h" * size, ("127.0.0.1", PORT))


def packet(kind=socket.SOCK_RAW):
    s = socket.socket(socket.AF_PACKET, kind, socket.htons(0x800))
    s.bind(("lo", 0x800))
    s.setsockopt(SOL_PACKET, VERSION, 2)
    return s


def request(block=PAGE, blocks=4, frame=2048, frames=8, ms=0, private=0):
    return struct.pack("=7I", block, blocks, frame, frames, ms, private, 0)


def ring(*args, kind=socket.SOCK_RAW, **words):
    s = packet(kind)
    r = request(*args, **words)
    s.setsockopt(SOL_PACKET, RX_RING, r)
    block, blocks = struct.unpack_from("=II", r)
    return s, mmap.mmap(s.fileno(), block * blocks)


def block(m, i, size=PAGE):
    """Returns status, number of packets, offset of the first, length, and sequence of a block."""
    words = struct.unpack_from("=IIIIIIQIIII", m, i * size)
    if words[2] & USER:
        eq(words[:2], (2, 48))
        ok(0 < words[7] <= words[9], "times")
    return words[2:7]


def statuses(m):
    return [struct.unpack_from("=I", m, i * PAGE + 8)[0] for i in range(4)]


def give_back(m, i):
    struct.pack_into("=I", m, i * PAGE + 8, 0)


def readable(s, seconds):
    return select.select([s], [], [], seconds)[0] == [s]


@cases([
    ("a short request", lambda: request()[:27]), ("small frames", lambda: request(frame=64, frames=256)), ("much private space", lambda: request(private=4000)),
    ("one byte too much private space", lambda: request(private=PAGE - 48 - 68)), ("huge private space", lambda: request(private=0xFFFFFFF0)),
    ("half a page", lambda: request(block=2048)),
])
def a_ring_is_refused_with(make):
    alone()
    value = make()
    s = packet()
    eq(sc(NR.setsockopt, s.fileno(), SOL_PACKET, RX_RING, value, len(value)), -EINVAL)


@test
def a_block_is_passed_a_while_after_its_first_packet():
    alone()
    s, m = ring(ms=200)
    fails(EBUSY, s.setsockopt, SOL_PACKET, RX_RING, request())
    fails(EBUSY, s.setsockopt, SOL_PACKET, VERSION, 1)
    send(2)
    ok(not readable(s, 0), "not yet")
    ok(readable(s, 5), "later")
    eq(block(m, 0), (USER | TIMEOUT, 2, 48, 48 + 2 * 136, 1))
    at, offsets = 48, []
    for _ in range(2):
        following, sec, nsec, snaplen, length, status, mac, net = struct.unpack_from("=IIIIIIHH", m, at)
        eq((snaplen, length, status & USER, mac, net), (47, 47, USER, 82, 96))
        eq(struct.unpack_from("=HHiHBB", m, at + 48), (socket.AF_PACKET, socket.htons(0x800), 1, 772, 0, 6))
        eq(m[at + mac:at + mac + 47][-5:], b"hhhhh")
        ok(abs(sec - time.time()) < 60, "time")
        offsets.append(following)
        at += following
    eq(offsets, [136, 0])
    give_back(m, 0)
    ok(not readable(s, 0.05), "given back")


@test
def a_full_block_is_passed_at_once():
    alone()
    s, m = ring(ms=10000)
    send(50, 60)
    eq([block(m, i)[:2] for i in range(2)], [(USER, 21)] * 2)
    eq(block(m, 1), (USER, 21, 48, 48 + 21 * 184, 2))
    eq(statuses(m), [USER, USER, 0, 0])


@test
def packets_are_lost_when_no_block_is_free():
    alone()
    s, m = ring(ms=10000)
    send(100, 60)
    eq(statuses(m), [USER] * 4)
    eq(struct.unpack("=III", s.getsockopt(SOL_PACKET, STATISTICS, 12)), (100, 16, 1))
    eq(len(s.getsockopt(SOL_PACKET, STATISTICS, 100)), 12)
    for i in range(4):
        give_back(m, i)
    send(22, 60)
    eq(block(m, 0), (USER, 21, 48, 48 + 21 * 184, 5))


@test
def long_packets_are_cut_to_a_block():
    alone()
    s, m = ring(ms=10)
    send(1, 30000)
    wait_until(lambda: statuses(m)[1] != 0, "it comes")
    eq(block(m, 0), (USER, 0, 48, 48, 1), "no room beside anything")
    eq(block(m, 1), (USER | TIMEOUT, 1, 48, PAGE, 2))
    eq(struct.unpack_from("=II", m, PAGE + 48 + 12), (PAGE - 48 - 82, 30042))


@test
def private_space_and_no_link_header():
    alone()
    s, m = ring(ms=10, private=13, kind=socket.SOCK_DGRAM)
    send()
    ok(readable(s, 5), "it comes")
    eq(block(m, 0), (USER | TIMEOUT, 1, 64, 64 + 136, 1))
    eq(struct.unpack_from("=IIIHH", m, 64 + 12), (33, 33, *struct.unpack_from("=I", m, 64 + 20), 96, 96))


@test
def a_closed_socket_passes_no_block():
    alone()
    s, m = ring(ms=10)
    send()
    s.close()
    time.sleep(0.05)
    eq(m[0:4], m[0:4])
    m.close()
    s, m = ring(ms=10)
    m.close()
    s.setsockopt(SOL_PACKET, RX_RING, request(0, 0, 0, 0))
    s.setsockopt(SOL_PACKET, VERSION, 1)


run()
