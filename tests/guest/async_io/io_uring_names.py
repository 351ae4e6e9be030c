"""Rings: cancellation by user data, descriptor or opcode, and rings that a thread registered for
itself.
"""

import ctypes
import errno as E
import os
import struct
import threading

from lib.guest import NR, cases, eq, run, sc, spawn, test
from lib.rings import *

ALL, FD, ANY, FD_FIXED, USERDATA, OP = 1, 2, 4, 8, 16, 32
SYNC_CANCEL, RING_FDS, UNREGISTER_RING_FDS, PROBE = 24, 20, 21, 8
REGISTERED, USE_REGISTERED = 16, 1 << 31
ANYWHERE = 0xFFFFFFFF
GONE = -E.ECANCELED


class Waiting:
    """Makes a ring with requests that wait: reads (data, opcode) of one pipe."""

    def __init__(self, *requests):
        self.ring, self.buf = Ring(16), ctypes.create_string_buffer(8)
        self.pipe = os.pipe()
        for data, op in requests:
            if op == READ:
                self.ring.put(READ, self.pipe[0], self.buf, 8, data=data)
            else:
                self.ring.put(POLL_ADD, self.pipe[0], op_flags=1, data=data)
        eq(self.ring.enter(len(requests)), len(requests))

    def cancel(self, **named):
        """Returns the result, and the requests that were cancelled."""
        self.ring.put(CANCEL, data=99, **named)
        self.ring.enter(1, 1)
        got = self.all()
        return got.pop(99), sorted(got)

    def sync(self, data=0, fd=-1, flags=0, seconds=-1, op=0, pad=0, pad2=0, n=1):
        arg = struct.pack("<QiIqqB7BQQQ", data, fd, flags, seconds, -1 if seconds < 0 else 0, op, pad, *bytes(6), pad2, 0, 0)
        r = sc(NR.io_uring_register, self.ring.fd, SYNC_CANCEL, arg, n)
        return r, sorted(self.all())

    def all(self):
        self.ring.enter(0, 0, 1)
        return {d: r for d, r, _ in self.ring.take()}


MIXED = (5, READ), (6, POLL_ADD), (7, READ)


@test
def requests_are_cancelled_by_opcode():
    w = Waiting(*MIXED)
    eq(w.cancel(op_flags=OP, size=POLL_ADD), (0, [6]))
    eq(w.cancel(op_flags=OP, size=POLL_ADD), (-E.ENOENT, []))
    eq(w.cancel(op_flags=OP | USERDATA, size=POLL_ADD, addr=5), (-E.ENOENT, []))
    eq(w.cancel(op_flags=OP | USERDATA, size=READ, addr=7), (0, [7]))
    eq(w.cancel(op_flags=OP | ALL, size=READ), (1, [5]))


@test
def requests_are_cancelled_by_file():
    w = Waiting(*MIXED)
    eq(w.cancel(op_flags=FD | USERDATA, fd=w.pipe[0], addr=6), (0, [6]))
    eq(w.cancel(op_flags=FD, fd=w.pipe[1]), (-E.ENOENT, []))
    eq(w.cancel(op_flags=FD, fd=999), (-E.EBADF, []))
    eq(w.cancel(op_flags=FD | FD_FIXED, fd=0), (-E.EBADF, []))
    eq(w.cancel(op_flags=FD | ALL, fd=w.pipe[0]), (2, [5, 7]))


@cases([("any of a file", dict(op_flags=FD | ANY)), ("any of an opcode", dict(op_flags=OP | ANY)), ("unknown", dict(op_flags=64))])
def cancel_checks(named):
    eq(Waiting().cancel(fd=0, **named), (-E.EINVAL, []))


@test
def all_64_bits_of_user_data_count():
    w = Waiting((1 << 63 | 1, READ), (1 << 63, READ))
    eq(w.cancel(addr=1 << 63), (0, [1 << 63]))
    eq(w.sync(1 << 63 | 1), (0, [1 << 63 | 1]))


@test
def requests_are_cancelled_at_once():
    w = Waiting(*MIXED)
    eq(w.sync(4), (-E.ENOENT, []))
    eq(w.sync(5), (0, [5]))
    eq(w.sync(flags=OP, op=POLL_ADD), (0, [6]))
    eq(w.sync(flags=FD, fd=w.pipe[0], seconds=0), (0, [7]))
    w = Waiting(*MIXED)
    eq(w.sync(flags=ANY), (3, [5, 6, 7]))
    eq(w.sync(flags=ANY), (0, []))
    eq(w.sync(flags=FD | ANY, fd=0), (0, []))
    w = Waiting((5, READ), (5, READ))
    eq(w.sync(5, flags=ALL)[0], 2)


@cases([
    ("descriptor", -E.EBADF, dict(flags=FD, fd=999)), ("place", -E.EBADF, dict(flags=FD | FD_FIXED, fd=0)),
    ("flags", -E.EINVAL, dict(flags=64)), ("padding", -E.EINVAL, dict(pad=1)), ("more padding", -E.EINVAL, dict(pad2=1)),
    ("none", -E.EINVAL, dict(n=0))])
def sync_cancel_checks(expected, named):
    w = Waiting()
    eq(w.sync(**named), (expected, []))
    eq(sc(NR.io_uring_register, w.ring.fd, SYNC_CANCEL, 0, 1), -E.EINVAL)
    eq(sc(NR.io_uring_register, w.ring.fd, SYNC_CANCEL, 8, 1), -E.EFAULT)


def places(r, op, *entries, n=None):
    """Returns the result, and the offsets that the kernel wrote."""
    b = ctypes.create_string_buffer(b"".join(struct.pack("<IIQ", *e) for e in entries), 16 * len(entries))
    result = sc(NR.io_uring_register, r.fd, op, b, len(entries) if n is None else n)
    return result, [struct.unpack_from("<I", b.raw, 16 * i)[0] for i in range(len(entries))]


def enter(place, submit=0, flags=0):
    return sc(NR.io_uring_enter, place, submit, 0, REGISTERED | flags, 0, 0)


@test
def a_ring_descriptor_is_registered():
    r = Ring()
    anywhere = (ANYWHERE, 0, r.fd)
    eq(places(r, RING_FDS, anywhere), (1, [0]))
    eq(places(r, RING_FDS, anywhere, (5, 0, r.fd)), (2, [1, 5]))
    r.put(NOP, data=1)
    eq((enter(0, 1), r.take()), (1, [(1, 0, 0)]))
    eq([enter(n) for n in (5, 9, 16, ANYWHERE)], [0, -E.EBADF, -E.EINVAL, -E.EINVAL])
    probe = bytes(24)
    eq([sc(NR.io_uring_register, n, USE_REGISTERED | PROBE, ctypes.create_string_buffer(probe, 24), 1) for n in (5, 9, 16)],
       [0, -E.EBADF, -E.EINVAL])
    eq(places(r, UNREGISTER_RING_FDS, (0, 0, 0))[0], 1)
    eq(places(r, UNREGISTER_RING_FDS, (0, 0, 0))[0], 1, "an empty place")
    eq((enter(0), enter(1)), (-E.EBADF, 0))
    eq(places(r, RING_FDS, *[anywhere] * 16)[0], 14)
    eq(places(r, RING_FDS, anywhere)[0], -E.EBUSY)


@cases([
    ("taken", -E.EBUSY, (3, 0, None)), ("beyond", -E.EINVAL, (16, 0, None)), ("reserved", -E.EINVAL, (ANYWHERE, 1, None)),
    ("no ring", -E.EOPNOTSUPP, (ANYWHERE, 0, 0)), ("nothing", -E.EBADF, (ANYWHERE, 0, 999))])
def registrations_of_ring_descriptors_are_checked(expected, entry):
    r = Ring()
    eq(places(r, RING_FDS, (3, 0, r.fd))[0], 1)
    offset, resv, fd = entry
    eq(places(r, RING_FDS, (offset, resv, r.fd if fd is None else fd))[0], expected)
    eq([places(r, RING_FDS, (ANYWHERE, 0, r.fd), n=n)[0] for n in (0, 17)], [-E.EINVAL] * 2)
    eq([places(r, UNREGISTER_RING_FDS, e)[0] for e in ((0, 1, 0), (0, 0, 1), (16, 0, 0))], [-E.EINVAL] * 3)
    eq(sc(NR.io_uring_register, r.fd, RING_FDS, 8, 1), -E.EFAULT)


@test
def a_registered_ring_descriptor_belongs_to_one_thread():
    r, got = Ring(), []
    eq(places(r, RING_FDS, (ANYWHERE, 0, r.fd))[0], 1)
    t = threading.Thread(target=lambda: got.append(enter(0)))
    t.start()
    t.join()
    eq((got, enter(0)), ([-E.EINVAL], 0))
    eq(os.waitstatus_to_exitcode(os.waitpid(spawn(lambda: -enter(0)), 0)[1]), E.EINVAL)


@test
def a_registered_ring_descriptor_keeps_its_ring():
    r = Ring()
    eq(places(r, RING_FDS, (ANYWHERE, 0, r.fd))[0], 1)
    os.close(r.fd)
    r.put(NOP, data=4)
    eq((enter(0, 1), r.take()), (1, [(4, 0, 0)]))


run()
