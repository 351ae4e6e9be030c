"""Rings: wide requests and completions, memory of the caller, waits in two steps, and
registrations that concern rings.
"""

import ctypes
import errno as E
import mmap
import os
import struct
import threading
import time

from lib.guest import NR, cases, eq, gives, ok, run, sc, test
from lib.rings import *

SQE128, CQE32, SINGLE, DEFER, NO_MMAP, FD_ONLY, NO_ARRAY = 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000
DISABLED = 0x40
ENABLE, PROBE, AFFINITY, NO_AFFINITY, WORKERS, NAPI, NO_NAPI, CLOCK, CLONE = 12, 8, 17, 18, 19, 27, 28, 29, 30
REGISTERED, USE_REGISTERED, RING_FDS, NO_RING_FDS = 16, 1 << 31, 20, 21


def register(r, op, arg=0, n=0):
    return sc(NR.io_uring_register, getattr(r, "fd", r), op, arg, n)


def buffer(data):
    return ctypes.create_string_buffer(data, len(data))


def pages(n, prot=mmap.PROT_READ | mmap.PROT_WRITE):
    m = mmap.mmap(-1, n * 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot)
    kept.append(m)
    return m


@cases([("wide_requests", SQE128), ("wide_completions", CQE32), ("both", SQE128 | CQE32), ("without_indices", NO_ARRAY)])
def shapes(flags):
    r = Ring(4, flags)
    for turn in range(3):
        for i in range(4):
            r.put(NOP, data=10 * turn + i)
        eq(r.enter(4, 4), 4)
        eq(r.take(), [(10 * turn + i, 0, 0) for i in range(4)])
    b = ctypes.create_string_buffer(4)
    eq(r.do(READ, os.open("/etc/passwd", os.O_RDONLY), b, 4, 0), 4)


@test
def a_ring_lies_in_memory_of_the_caller():
    places = pages(1), pages(1)
    r = Ring(4, NO_MMAP, places=places)
    for turn in range(3):
        for i in range(4):
            r.put(NOP, data=10 * turn + i)
        eq(r.enter(4, 4), 4)
        eq(r.take(), [(10 * turn + i, 0, 0) for i in range(4)])
    for offset in (0, 0x10000000):
        try:
            mmap.mmap(r.fd, 4096, mmap.MAP_SHARED, offset=offset)
        except OSError as e:
            eq(e.errno, E.ENOMEM)
        else:
            raise AssertionError("was mapped")


@test
def memory_given_for_a_ring_is_checked():
    def fails(rings, sqes, flags=NO_MMAP):
        p = bytearray(120)
        struct.pack_into("I", p, 8, flags)
        struct.pack_into("Q", p, 112, rings)
        struct.pack_into("Q", p, 72, sqes)
        return sc(NR.io_uring_setup, 4, (ctypes.c_char * 120).from_buffer(p))
    m = ctypes.addressof(ctypes.c_char.from_buffer(pages(2)))
    gone = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(gone))
    libc = ctypes.CDLL(None)
    libc.munmap(ctypes.c_void_p(address), 4096)
    eq((fails(m + 64, m + 4096), fails(m, m + 4096 + 64)), (-E.EINVAL, -E.EINVAL))
    eq((fails(address, m), fails(m, address), fails(0, m)), (-E.EFAULT,) * 3)
    libc.mprotect(ctypes.c_void_p(m), 4096, mmap.PROT_READ)
    eq((fails(m, m + 4096), fails(m + 4096, m)), (-E.EFAULT, -E.EFAULT))
    eq(fails(m, m + 4096, FD_ONLY), -E.EINVAL, "it could not be mapped")


@test
def a_ring_without_a_descriptor():
    before = os.listdir("/proc/self/fd")
    r = Ring(4, NO_MMAP | FD_ONLY, places=(pages(1), pages(1)))
    eq(os.listdir("/proc/self/fd"), before)
    r.put(NOP, data=5)
    eq(r.enter(1, 1, 1 | REGISTERED), 1)
    eq(r.take(), [(5, 0, 0)])
    eq(register(r, PROBE | USE_REGISTERED, buffer(bytes(24)), 1), 0)
    eq(register(r, NO_RING_FDS | USE_REGISTERED, buffer(struct.pack("IIQ", r.fd, 0, 0)), 1), 1)
    r.put(NOP)
    eq(r.enter(1, 1, 1 | REGISTERED), -E.EBADF)


def elapsed(fn):
    start = time.monotonic()
    r = fn()
    return r, time.monotonic() - start


def wait(r, n, first, last, submit=0):
    """Waits `first` us for `n` completions, then up to `last` s for one."""
    arg = struct.pack("QIIQ", 0, 0, first, 0 if last is None else span(last))
    return elapsed(lambda: r.enter(submit, n, 9, pointer(arg), 24))


def later(seconds, fd):
    t = threading.Timer(seconds, lambda: os.write(fd, b"x"))
    t.start()
    return t


@test
def waits_end_with_fewer():
    r, (a, b) = Ring(), os.pipe()
    ok(r.features & 1 << 15, "the feature")
    r.put(NOP)
    took = wait(r, 2, 50_000, 10, 1)
    eq((took[0], took[1] < 5, len(r.take())), (1, True, 1), "one is enough after 50 ms")
    r.put(POLL_ADD, a, op_flags=POLLIN)
    r.put(POLL_ADD, a, op_flags=POLLIN)
    timer = later(0.2, b)
    took = wait(r, 4, 50_000, 10, 2)
    timer.join()
    eq((took[0], 0.15 < took[1] < 5), (2, True), "the first that comes then")


@test
def waits_of_two_steps_time_out():
    r = Ring()
    took = wait(r, 1, 30_000, 0.15)
    eq((took[0], took[1] >= 0.14), (-E.ETIME, True))
    took = wait(r, 1, 50_000, None)
    eq((took[0], took[1] >= 0.04), (-E.ETIME, True), "no second step")
    r.put(NOP)
    eq((r.enter(1), wait(r, 2, 0, 0.05)[0]), (1, 0), "fewer than wanted is no error")


@test
def one_task_submits():
    r = Ring(4, SINGLE)
    r.put(NOP)
    got = []
    t = threading.Thread(target=lambda: got.extend([r.enter(1), register(r, AFFINITY, buffer(bytes(8)), 8), r.enter(0, 0, 1)]))
    t.start()
    t.join()
    eq(got, [-E.EEXIST, -E.EEXIST, 0])
    eq(r.enter(1, 1), 1)


@test
def the_thread_that_enables_a_ring_submits():
    r = Ring(4, SINGLE | DEFER | DISABLED)
    got = []
    t = threading.Thread(target=lambda: got.append(register(r, ENABLE)))
    t.start()
    t.join()
    r.put(NOP)
    eq((got, r.enter(1), r.enter(0, 0, 1)), ([0], -E.EEXIST, -E.EEXIST))


@test
def the_number_of_workers_is_bounded():
    r = Ring(8)
    def most(bounded, unbounded, n=2):
        b = buffer(struct.pack("II", bounded, unbounded))
        return register(r, WORKERS, b, n), struct.unpack("II", b.raw)
    result, (bounded, _) = most(0, 0)
    eq((result, bounded), (0, min(8, 4 * os.cpu_count())))
    eq((most(3, 5)[0], most(0, 0), most(0, 4), most(0, 0)[1]), (0, (0, (3, 5)), (0, (3, 5)), (3, 4)))
    eq((most(1 << 31, 0)[0], most(1, 1, 1)[0], register(r, WORKERS, 0, 2), register(r, WORKERS, 16, 2)),
       (-E.EINVAL, -E.EINVAL, -E.EINVAL, -E.EFAULT))


@test
def workers_have_an_affinity():
    r = Ring()
    mask = buffer(struct.pack("Q", 1))
    eq((register(r, AFFINITY, mask, 8), register(r, NO_AFFINITY)), (0, 0))
    eq((register(r, AFFINITY, 0, 8), register(r, AFFINITY, mask, 0), register(r, AFFINITY, 16, 8)),
       (-E.EINVAL, -E.EINVAL, -E.EFAULT))
    eq((register(r, NO_AFFINITY, mask, 0), register(r, NO_AFFINITY, 0, 1)), (-E.EINVAL, -E.EINVAL))


@test
def waits_have_a_clock():
    r = Ring()
    def clock(number, resv=0, n=0):
        return register(r, CLOCK, buffer(struct.pack("IIII", number, 0, resv, 0)), n)
    eq([clock(c) for c in (time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME, time.CLOCK_REALTIME, 4, 99)],
       [0, 0, -E.EINVAL, -E.EINVAL, -E.EINVAL])
    eq((clock(1, 1), clock(1, 0, 1), register(r, CLOCK), register(r, CLOCK, 16)), (-E.EINVAL,) * 3 + (-E.EFAULT,))
    for number in (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC):
        eq(clock(number), 0)
        until = struct.pack("QIIQ", 0, 0, 0, span(time.clock_gettime(number) + 0.1))
        result, took = elapsed(lambda: r.enter(0, 1, 9 | 32, pointer(until), 24))
        eq((result, 0.05 < took < 5), (-E.ETIME, True))


@test
def registered_buffers_are_cloned():
    one, other = Ring(), Ring()
    memory = ctypes.create_string_buffer(b"hello", 64)
    def clone(to, source, flags=0, pad=0, n=1):
        return register(to, CLONE, buffer(struct.pack("II6I", source, flags, 0, 0, 0, 0, pad, 0)), n)
    eq((clone(other, one.fd), clone(other, 999), clone(other, os.open("/", 0))), (-E.ENXIO, -E.EBADF, -E.EOPNOTSUPP))
    eq((clone(other, one.fd, 16), clone(other, one.fd, 0, 1), clone(other, one.fd, n=2), register(other, CLONE, 0, 1)),
       (-E.EINVAL,) * 4)
    eq(register(one, 0, buffer(struct.pack("QQ", ctypes.addressof(memory), 64)), 1), 0)
    eq((clone(other, one.fd), clone(other, one.fd), clone(one, one.fd)), (0, -E.EBUSY, -E.EBUSY))
    eq(register(one, 1), 0)
    a, b = os.pipe()
    eq((other.do(WRITE_FIXED, b, ctypes.addressof(memory), 5), os.read(a, 9)), (5, b"hello"))
    third = Ring()
    at = buffer(struct.pack("IIQ", 0xFFFFFFFF, 0, other.fd))
    eq(register(other, RING_FDS, at, 1), 1)
    eq(clone(third, struct.unpack_from("I", at.raw)[0], 1), 0, "named by its place")


@test
def registrations_of_later_kernels():
    r = Ring()
    # Linux 6.13 has these; it refuses the last one without CONFIG_NET_RX_BUSY_POLL.
    ok(register(r, 99) == -E.EINVAL, "no such thing")
    eq((register(r, NAPI, 0, 1), register(r, NAPI, buffer(bytes(16)), 0), register(r, NO_NAPI)), (-E.EINVAL,) * 3)


@test
def priorities_are_checked():
    r = Ring()
    fd, b = os.open("/etc/passwd", os.O_RDONLY), ctypes.create_string_buffer(4)
    eq([r.do(READ, fd, b, 4, 0, ioprio=p) for p in (2 << 13 | 3, 3 << 13, 0xFFFF, 1, 7 << 13)],
       [4, 4, -E.EINVAL, -E.EINVAL, -E.EINVAL])
    eq((r.do(NOP, ioprio=1), r.do(CLOSE, 99, ioprio=1)), (-E.EINVAL, -E.EINVAL))


@test
def a_linked_chain_is_submitted_whole():
    r = Ring(8)
    for i in range(4):
        r.put(NOP, data=i, flags=LINK, op_flags=1 << 30 if i == 1 else 0)
    r.put(NOP, data=4)
    r.put(NOP, data=5)
    eq(r.enter(6, 6), 6, "the chain is submitted to its end though one request is invalid")
    eq(sorted(r.take()), [(i, -E.EINVAL if i == 1 else 0 if i == 5 else -E.ECANCELED, 0) for i in range(6)])
    r.put(NOP, data=1, op_flags=1 << 30)
    r.put(NOP, data=2)
    eq(r.enter(2), 1, "an invalid request outside a chain ends the batch")
    eq(r.take(), [(1, -E.EINVAL, 0)])


@test
def two_linked_timeouts_of_one_request_are_refused():
    r = Ring(8)
    second = struct.pack("qq", 1, 0)
    kept.append(second)
    r.put(NOP, data=1, flags=LINK)
    r.put(LINK_TIMEOUT, addr=ctypes.create_string_buffer(second), size=1, data=2, flags=LINK)
    r.put(LINK_TIMEOUT, addr=ctypes.create_string_buffer(second), size=1, data=3)
    eq(r.enter(3, 3), 3)
    eq(sorted(r.take()), [(1, -E.ECANCELED, 0), (2, -E.ECANCELED, 0), (3, -E.EINVAL, 0)])


@test
def requests_cancelled_with_a_silent_one_are_silent():
    r = Ring(8)
    b = ctypes.create_string_buffer(8)
    for flags in (LINK | SKIP, LINK):
        r.put(NOP, data=1, flags=flags)
        r.put(READ, 999, b, 8, data=2, flags=flags)
        r.put(NOP, data=3, flags=flags)
        r.put(NOP, data=4)
        eq(r.enter(4, 1), 4)
        failed = (2, -E.EBADF, 0)
        eq(sorted(r.take()), [failed] if flags & SKIP else
           [(1, 0, 0), failed, (3, -E.ECANCELED, 0), (4, -E.ECANCELED, 0)])
    r.put(NOP, data=1, flags=LINK | SKIP)
    r.put(NOP, data=2, flags=LINK, op_flags=1 << 30)
    r.put(NOP, data=3)
    eq(r.enter(3, 1), 3)
    eq(r.take(), [(1, -E.ECANCELED, 0)], "so it is with one that is wrong")


@test
def truncation_has_no_other_fields():
    r = Ring(4)
    fd = os.open("file", os.O_RDWR | os.O_CREAT)
    eq(r.do(FTRUNCATE, fd, off=100), 0)
    for wrong in (dict(addr=4096), dict(size=4), dict(op_flags=1), dict(buf=1), dict(file_index=1)):
        eq(r.do(FTRUNCATE, fd, off=5, **wrong), -E.EINVAL, wrong)
    eq(os.fstat(fd).st_size, 100)


@test
def a_polling_thread_needs_an_existing_processor():
    p = bytearray(120)
    struct.pack_into("II", p, 8, 2 | 4, 10000)
    gives(-E.EINVAL, NR.io_uring_setup, 4, ctypes.create_string_buffer(bytes(p), 120))


run()
