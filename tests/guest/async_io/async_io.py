"""Asynchronous I/O of the kernel: io_setup(2), io_submit(2), io_getevents(2)."""

import ctypes
import errno as E
import os
import signal
import struct

from lib.guest import (NR, SYS, child_ok, eq, gives, ok, run, sc, spawn, test, wait_parent_sleeps,
                       works)

SYS.update(io_setup=206, io_destroy=207, io_getevents=208, io_submit=209, io_cancel=210)
READ, WRITE, FSYNC, FDSYNC, POLL, NOOP, READV, WRITEV = 0, 1, 2, 3, 5, 6, 7, 8
kept = []


def setup(n=8):
    ctx = ctypes.c_ulong(0)
    works(NR.io_setup, n, ctx)
    return ctx.value


def iocb(op, fd, data=0, memory=None, size=0, offset=0, flags=0, resfd=0, reserved=0, rw=0):
    """Returns the address of a request; `memory` is a buffer, or a number for aio_buf."""
    at = memory or 0
    if not isinstance(at, int):
        at = ctypes.addressof(memory)
    raw = struct.pack("QIiHhIQQqQII", data, 7, rw, op, 0, fd, at, size, offset, reserved, flags,
                      resfd)
    b = ctypes.create_string_buffer(raw, 64)
    kept.append((b, memory))
    return ctypes.addressof(b)


def submit(ctx, *requests):
    return sc(NR.io_submit, ctx, len(requests), struct.pack("%dQ" % len(requests), *requests))


def events(ctx, least, most, timeout=None):
    b = ctypes.create_string_buffer(32 * most)
    n = sc(NR.io_getevents, ctx, least, most, b, timeout)
    return n if n < 0 else [struct.unpack_from("QQqq", b, 32 * i) for i in range(n)]


NOW = struct.pack("qq", 0, 0)


@test
def contexts_are_made_and_destroyed():
    ctx = ctypes.c_ulong(0)
    gives(-E.EINVAL, NR.io_setup, 0, ctx)
    gives(-E.EFAULT, NR.io_setup, 1, 16)
    works(NR.io_setup, 1, ctx)
    gives(-E.EINVAL, NR.io_setup, 1, ctx)
    eq(events(ctx.value, 0, 1, NOW), [])
    gives(0, NR.io_destroy, ctx.value)
    gives(-E.EINVAL, NR.io_destroy, ctx.value)
    gives(-E.EINVAL, NR.io_submit, ctx.value, 0, 0)
    gives(-E.EINVAL, NR.io_getevents, ctx.value, 0, 1, 0, 0)


@test
def reads_and_writes_complete_as_events():
    ctx = setup()
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    out, back = ctypes.create_string_buffer(b"0123456789", 10), ctypes.create_string_buffer(20)
    w = iocb(WRITE, fd, 111, out, 10, 5)
    eq(submit(ctx, w), 1)
    eq(events(ctx, 1, 4), [(111, w, 10, 0)])
    eq(os.pread(fd, 100, 0), bytes(5) + b"0123456789")
    vec = ctypes.create_string_buffer(struct.pack("4Q", ctypes.addressof(back), 3,
                                                  ctypes.addressof(back) + 10, 4), 32)
    r = iocb(READV, fd, 222, vec, 2, 5)
    s, d = iocb(FSYNC, fd, 333), iocb(FDSYNC, fd, 444)
    end = iocb(READ, fd, 555, back, 5, 1000)
    eq(submit(ctx, r, s, d, end), 4)
    eq(sorted(events(ctx, 4, 9)), [(222, r, 7, 0), (333, s, 0, 0), (444, d, 0, 0), (555, end, 0, 0)])
    eq((back.raw[:3], back.raw[10:14]), (b"012", b"3456"))
    eq(os.lseek(fd, 0, 1), 0, "the position stays")
    fd = os.open("file", os.O_RDWR | os.O_APPEND)
    eq(submit(ctx, iocb(WRITE, fd, 666, out, 10, 1)), 1)
    eq((events(ctx, 1, 4)[0][2], os.fstat(fd).st_size, os.lseek(fd, 0, 1)), (10, 25, 0))


@test
def wrong_requests_are_refused():
    ctx = setup()
    fd = os.open("file", os.O_RDONLY | os.O_CREAT)
    b = ctypes.create_string_buffer(10)
    eq(submit(ctx, iocb(READ, 999, 0, b, 1)), -E.EBADF)
    eq(submit(ctx, iocb(WRITE, fd, 0, b, 1)), -E.EBADF)
    eq(submit(ctx, iocb(NOOP, fd, 0, b, 1)), -E.EINVAL)
    eq(submit(ctx, iocb(READ, fd, 0, b, 1, -1)), -E.EINVAL)
    eq(submit(ctx, iocb(READ, fd, 0, b, 1, 0, 0, 0, 1)), -E.EINVAL)
    eq(submit(ctx, iocb(READ, fd, 0, b, 1, 0, 1, fd)), -E.EINVAL, "no eventfd")
    eq(submit(ctx, 16), -E.EFAULT)
    gives(-E.EFAULT, NR.io_submit, ctx, 1, 16)
    gives(-E.EINVAL, NR.io_submit, ctx, -1, 0)
    eq(submit(ctx, iocb(READ, fd, 5, b, 1), iocb(READ, 999, 0, b, 1)), 1, "valid requests")
    eq([e[0] for e in events(ctx, 1, 5)], [5])
    os.write(os.open("file", os.O_WRONLY), b"text")
    eq(submit(ctx, iocb(READ, fd, 6, 16, 4)), 1)
    eq([(e[0], e[2]) for e in events(ctx, 1, 5)], [(6, -E.EFAULT)])
    eq(events(ctx, 2, 1), -E.EINVAL)
    eq(events(ctx, -1, 1), -E.EINVAL)


@test
def an_eventfd_counts_events():
    ctx = setup()
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    counter = os.eventfd(0)
    b = ctypes.create_string_buffer(b"x" * 8, 8)
    eq(submit(ctx, *[iocb(WRITE, fd, i, b, 8, 8 * i, 1, counter) for i in range(3)]), 3)
    eq(struct.unpack("Q", os.read(counter, 8))[0], 3)
    eq(len(events(ctx, 3, 3)), 3)


@test
def getevents_waits_for_polls():
    ctx = setup()
    r, w = os.pipe()
    p = iocb(POLL, r, 77, 1)
    eq(submit(ctx, p), 1)
    eq(events(ctx, 1, 1, struct.pack("qq", 0, 20_000_000)), [])

    def child():
        wait_parent_sleeps()
        os.write(w, b"x")
    pid = spawn(child)
    eq([(e[0], e[2] & 1) for e in events(ctx, 1, 1)], [(77, 1)])
    eq(os.waitpid(pid, 0)[1], 0)
    eq(submit(ctx, iocb(POLL, r, 78, 1)), 1)
    eq([e[0] for e in events(ctx, 1, 1, NOW)], [78], "it holds already")
    os.read(r, 1)
    p = iocb(POLL, r, 79, 1)
    eq(submit(ctx, p), 1)
    gives(-E.EINPROGRESS, NR.io_cancel, ctx, p, 0)
    eq([(e[0], e[1]) for e in events(ctx, 1, 1)], [(79, p)])
    gives(-E.EINVAL, NR.io_cancel, ctx, p, 0)
    eq(submit(ctx, iocb(POLL, r, 80, 1, 1)), -E.EINVAL)


@test
def waiting_ends_by_a_signal_and_by_destruction():
    ctx = setup()

    def interrupted():
        mine = setup()
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, False)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        eq(events(mine, 1, 1), -E.EINTR)
    child_ok(interrupted)

    def alone():
        gives(-E.EINVAL, NR.io_destroy, ctx)
    child_ok(alone)
    gives(0, NR.io_destroy, ctx)


def ring(ctx):
    """Returns nr, head, tail, magic, compatible and incompatible features, size of the header."""
    return struct.unpack("4x7I", ctypes.string_at(ctx, 32))


@test
def events_are_in_the_ring():
    ctx = setup(32)
    places = ring(ctx)[0]
    eq(ring(ctx), (places, 0, 0, 0xa10a10a1, 1, 0, 32))
    ok(places > 65 and (32 + places * 32 + 32) > 4096, "the page is full")
    with open("/proc/self/maps") as f:
        area = [line.split() for line in f if line.startswith("%x-" % ctx)][0]
    eq((area[1], " ".join(area[5:])), ("rw-s", "/[aio] (deleted)"))
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    b = ctypes.create_string_buffer(b"x" * 8, 8)
    w, bad = iocb(WRITE, fd, (1 << 63) + 9, b, 8), iocb(WRITE, fd, 10, 16, 8)
    eq(submit(ctx, w, bad), 2)
    eq(ring(ctx)[1:3], (0, 2))
    eq(struct.unpack("QQqq", ctypes.string_at(ctx + 32, 32)), ((1 << 63) + 9, w, 8, 0))
    ctypes.c_uint.from_address(ctx + 8).value = 1
    eq(events(ctx, 0, 5, NOW), [(10, bad, -E.EFAULT, 0)], "the first was taken from the ring")
    eq(ring(ctx)[1:3], (2, 2))
    for i in range(places):
        eq(submit(ctx, iocb(WRITE, fd, i, b, 8)), 1)
        ctypes.c_uint.from_address(ctx + 8).value = ring(ctx)[2]
    eq(ring(ctx)[1:3], (2, 2), "round once")


@test
def a_moved_ring_keeps_its_context():
    ctx = setup(1)
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    b = ctypes.create_string_buffer(b"x" * 8, 8)
    eq(submit(ctx, iocb(WRITE, fd, 5, b, 8)), 1)
    gives(-E.EFAULT, NR.mremap, ctx, 4096, 8192, 1, 0)
    place = works(NR.mmap, 0, 4096, 0, 0x22, -1, 0)
    eq(works(NR.mremap, ctx, 4096, 4096, 3, place), place)
    gives(-E.EINVAL, NR.io_submit, ctx, 0, 0)
    eq(submit(place, iocb(WRITE, fd, 6, b, 8)), 1)
    eq([e[0] for e in events(place, 2, 3)], [5, 6])
    gives(0, NR.io_destroy, place)
    gives(-E.EFAULT, NR.mremap, place, 4096, 8192, 1, 0)


@test
def too_many_requests_are_refused():
    # The number is doubled in 32 bits, then compared with 0x800000, then with fs.aio-max-nr.
    most = int(open("/proc/sys/fs/aio-max-nr").read())
    for n, error in ((-1, E.EINVAL), (-1000, E.EINVAL), (0x400001, E.EINVAL), (0x7fffffff, E.EINVAL),
                     (1 << 31, E.EAGAIN), (most + 1, E.EAGAIN)):
        gives(-error, NR.io_setup, n, ctypes.c_ulong(0))


@test
def a_long_transfer_completes_in_one_event():
    ctx = setup()
    fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    size = 20_000_000
    out, back = (ctypes.create_string_buffer(size) for _ in range(2))
    ctypes.memset(out, 66, size)
    eq(submit(ctx, iocb(WRITE, fd, 1, out, size, 3), iocb(WRITE, fd, 2, out, 5)), 2)
    eq(sorted(e[::2] for e in events(ctx, 2, 2)), [(1, size), (2, 5)])
    eq(os.fstat(fd).st_size, size + 3)
    eq(submit(ctx, iocb(READ, fd, 3, back, size, 100)), 1)
    eq([e[::2] for e in events(ctx, 1, 2)], [(3, size - 97)], "up to the end")
    eq(back.raw[:size - 97], out.raw[:size - 97])


@test
def flags_of_transfers():
    ctx = setup()
    fd = os.open("file", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    b = ctypes.create_string_buffer(b"abcd", 4)
    eq(submit(ctx, iocb(WRITE, fd, 0, b, 4), iocb(WRITE, fd, 0, b, 4, rw=2)), 2)
    eq(submit(ctx, iocb(WRITE, fd, 0, b, 4, rw=16)), 1, "RWF_APPEND")
    eq(os.pread(fd, 20, 0), b"abcdabcd")
    eq(submit(ctx, iocb(WRITE, fd, 0, b, 4, rw=1 << 20)), -E.EOPNOTSUPP)
    eq(submit(ctx, iocb(FSYNC, fd, rw=2)), -E.EINVAL)
    eq(len(events(ctx, 3, 5)), 3)


run()
