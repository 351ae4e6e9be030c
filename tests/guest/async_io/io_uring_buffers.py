"""Rings: buffers that requests select (provided buffers, rings of buffers), and multishot requests.
"""

import ctypes
import errno as E
import os
import socket
import struct
import threading

from lib.guest import NR, cases, eq, gives, ok, run, sc, test
from lib.rings import *

BUFFER, MORE = 1, 2
PBUF_RING, UNREGISTER_PBUF_RING, PBUF_STATUS = 22, 23, 26


class BufferRing:
    """A ring of buffers in group `group`."""

    def __init__(self, ring, group, entries, size):
        self.at, self.entries, self.size, self.tail = memory(4096), entries, size, 0
        self.data = memory(max(4096, entries * size))
        self.reg = struct.pack("<QIHH", self.at, entries, group, 0) + bytes(24)
        gives(0, NR.io_uring_register, ring.fd, PBUF_RING, self.reg, 1)
        for i in range(entries):
            self.add(i)

    def add(self, i):
        slot = self.at + 16 * (self.tail & (self.entries - 1))
        ctypes.memmove(slot, struct.pack("<QIH", self.data + i * self.size, self.size, i), 14)
        self.tail += 1
        ctypes.memmove(self.at + 14, struct.pack("<H", self.tail & 0xFFFF), 2)

    def taken(self, flags, n):
        ok(flags & BUFFER, "a buffer")
        return at(self.data + (flags >> 16) * self.size, n)


@test
def buffers_are_provided_and_taken():
    r, data = Ring(), memory()
    a, b = os.pipe()
    eq(r.do(PROVIDE, 3, data, 8, 10, buf=7), 0)
    os.write(b, b"hello")
    r.put(READ, a, 0, 100, flags=SELECT, buf=7, data=1)
    eq((r.enter(1, 1), r.take()), (1, [(1, 5, BUFFER | 10 << 16)]))
    eq(at(data, 5), b"hello")
    os.write(b, b"0123456789")
    r.put(READ, a, 0, 0, flags=SELECT, buf=7, data=2)
    r.enter(1, 1)
    [(_, n, flags)] = r.take()
    eq((n, flags), (8, BUFFER | 11 << 16))
    eq(r.do(REMOVE, 5, buf=7), 1)
    eq(r.do(REMOVE, 1, buf=8), -E.ENOENT)
    eq(r.do(READ, a, 0, 10, flags=SELECT, buf=7), -E.ENOBUFS)
    eq(r.do(READ, a, 0, 10, flags=SELECT, buf=9), -E.ENOBUFS)


@cases([
    ("none", -E.E2BIG, dict(fd=0)), ("negative", -E.E2BIG, dict(fd=-1)), ("too many", -E.E2BIG, dict(fd=65537)),
    ("first too high", -E.E2BIG, dict(fd=1, off=65536)), ("beyond", -E.EINVAL, dict(fd=2, off=65535)),
    ("kernel half", -E.EFAULT, dict(fd=1, addr=1 << 63)), ("op flags", -E.EINVAL, dict(fd=1, op_flags=1)),
    ("file index", -E.EINVAL, dict(fd=1, file_index=1))])
def provide_checks(expected, named):
    eq(Ring().do(PROVIDE, size=8, **{"addr": 4096, **named}), expected)


@test
def buffer_rings_are_registered():
    r = Ring()

    def register(address=None, entries=4, group=1, flags=0, more=bytes(24), op=PBUF_RING, n=1):
        address = memory() if address is None else address
        return sc(NR.io_uring_register, r.fd, op, struct.pack("<QIHH", address, entries, group, flags) + more, n)
    eq(register(0), -E.EFAULT)
    eq(register(memory() + 16), -E.EINVAL)
    eq(register(entries=3), -E.EINVAL)
    eq(register(entries=65536), -E.EINVAL)
    eq(register(flags=0x8000), -E.EINVAL)
    eq(register(more=b"\1" + bytes(23)), -E.EINVAL)
    eq(register(n=2), -E.EINVAL)
    eq(register(op=UNREGISTER_PBUF_RING), -E.ENOENT)
    eq(register(), 0)
    eq(register(), -E.EEXIST)
    eq(r.do(PROVIDE, 1, memory(), 8, 0, buf=1), -E.EINVAL)
    eq(r.do(REMOVE, 1, buf=1), -E.EINVAL)
    eq(register(op=UNREGISTER_PBUF_RING), 0)
    eq(r.do(PROVIDE, 1, memory(), 8, 0, buf=1), 0)
    eq(register(), -E.EEXIST)
    eq(register(op=UNREGISTER_PBUF_RING), -E.EINVAL)


@test
def buffer_rings_are_used_in_turn():
    r = Ring()
    ring = BufferRing(r, 3, 2, 4)
    a, b = os.pipe()
    os.write(b, b"abcdefghij")
    for i, part in enumerate((b"abcd", b"efgh")):
        r.put(READ, a, 0, 0, flags=SELECT, buf=3)
        r.enter(1, 1)
        [(_, n, flags)] = r.take()
        eq((n, flags), (4, BUFFER | i << 16))
        eq(ring.taken(flags, n), part)
    eq(r.do(READ, a, 0, 0, flags=SELECT, buf=3), -E.ENOBUFS)
    status = ctypes.create_string_buffer(struct.pack("<II", 3, 99) + bytes(32), 40)
    gives(0, NR.io_uring_register, r.fd, PBUF_STATUS, status, 1)
    eq(struct.unpack_from("<I", status.raw, 4)[0], 2)
    ring.add(0)
    eq(r.do(READ, a, 0, 0, flags=SELECT, buf=3), 2)


@test
def a_waiting_read_chooses_its_buffer_when_data_arrive():
    r = Ring()
    ring = BufferRing(r, 3, 2, 8)
    (a, b), (c, d) = os.pipe(), os.pipe()
    r.put(READ, a, 0, 0, flags=SELECT, buf=3, data=1)
    r.put(READ, c, 0, 0, flags=SELECT, buf=3, data=2)
    eq((r.enter(2), r.take()), (2, []))
    os.write(d, b"second")
    r.enter(0, 1)
    [(data, n, flags)] = r.take()
    eq((data, n, flags >> 16, ring.taken(flags, n)), (2, 6, 0, b"second"))
    os.write(b, b"first")
    r.enter(0, 1)
    [(data, n, flags)] = r.take()
    eq((data, n, flags >> 16, ring.taken(flags, n)), (1, 5, 1, b"first"))


@test
def a_multishot_receive_completes_for_each_part():
    r = Ring(16)
    ring = BufferRing(r, 1, 4, 16)
    a, b = socket.socketpair()
    r.put(RECV, a.fileno(), flags=SELECT, buf=1, ioprio=2, data=5)
    eq((r.enter(1), r.take()), (1, []))
    for part in (b"one", b"two", b"three"):
        b.send(part)
        r.enter(0, 1)
        [(data, n, flags)] = r.take()
        eq((data, n, flags & MORE, ring.taken(flags, n)), (5, len(part), MORE, part))
    b.send(b"four")
    r.enter(0, 1)
    r.take()
    b.send(b"no room")
    r.enter(0, 1)
    eq(r.take(), [(5, -E.ENOBUFS, 0)])
    ring.add(0)
    r.put(RECV, a.fileno(), flags=SELECT, buf=1, ioprio=2, data=6)
    r.enter(1, 1)
    [(data, n, flags)] = r.take()
    eq((n, ring.taken(flags, n)), (7, b"no room"))
    ring.add(1)
    b.close()
    r.enter(0, 1)
    [(data, n, flags)] = r.take()
    eq((data, n, flags & MORE), (6, 0, 0))


@cases([("no buffers", dict(ioprio=2)), ("all of it", dict(ioprio=2, flags=32, op_flags=0x100)),
        ("other priority", dict(ioprio=64)), ("an offset", dict(off=1))])
def receive_checks(named):
    a, _b = socket.socketpair()
    eq(Ring().do(RECV, a.fileno(), **named), -E.EINVAL)


@test
def a_multishot_read_completes_for_each_part():
    r = Ring(16)
    ring = BufferRing(r, 1, 4, 16)
    a, b = os.pipe()
    r.put(READ_MULTI, a, flags=SELECT, buf=1, data=5)
    eq((r.enter(1), r.take()), (1, []))
    for part in (b"one", b"two"):
        os.write(b, part)
        r.enter(0, 1)
        [(data, n, flags)] = r.take()
        eq((data, n, flags & MORE, ring.taken(flags, n)), (5, len(part), MORE, part))
    os.close(b)
    r.enter(0, 1)
    [(data, n, flags)] = r.take()
    eq((data, n, flags & MORE), (5, 0, 0))
    eq(r.do(READ_MULTI, a, size=4, flags=SELECT, buf=1), -E.EINVAL)
    eq(r.do(READ_MULTI, a, buf=1), -E.EINVAL)
    f = os.open("f", os.O_RDWR | os.O_CREAT)
    eq(r.do(READ_MULTI, f, flags=SELECT, buf=1), -E.EBADFD)


@test
def a_multishot_read_of_an_endless_file_yields():
    r = Ring(64)
    ring = BufferRing(r, 1, 64, 8)
    fd = sc(NR.eventfd2, 1000, 1)  # EFD_SEMAPHORE: each read takes one
    r.put(READ_MULTI, fd, flags=SELECT, buf=1, data=5)
    r.enter(1, 65)
    got = r.take()
    eq([(data, n, flags & MORE) for data, n, flags in got], [(5, 8, MORE)] * 64 + [(5, -E.ENOBUFS, 0)])
    eq(ring.taken(got[63][2], 8), struct.pack("Q", 1))


@test
def hostile_buffer_rings():
    r = Ring(32)
    ring = BufferRing(r, 1, 4, 16)
    a, b = os.pipe()
    os.write(b, b"x" * 100)
    ctypes.memmove(ring.at, struct.pack("<QIH", 1 << 63, 0xFFFFFFFF, 65535), 14)
    eq(r.do(READ, a, 0, 0, flags=SELECT, buf=1), -E.EFAULT)
    ctypes.memmove(ring.at + 14, b"\xff\xff", 2)
    done = threading.Event()

    def scribble():
        while not done.is_set():
            ctypes.memmove(ring.at, os.urandom(64), 64)
    t = threading.Thread(target=scribble)
    t.start()
    for _ in range(200):
        r.put(READ, a, 0, 4, flags=SELECT, buf=1)
        r.enter(1)
        r.take()
    done.set()
    t.join()


run()
