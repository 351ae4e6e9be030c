"""Rings: registered files that requests open and close (direct descriptors), and registrations
with tags.
"""

import ctypes
import errno as E
import os
import socket
import struct

from lib.guest import NR, cases, eq, run, sc, test
from lib.rings import *

SOCKET = 45
ALLOC = -1
FILES2, FILES_UPDATE2, BUFFERS2, BUFFERS_UPDATE, ALLOC_RANGE = 13, 14, 15, 16, 25
UNREGISTER_BUFFERS, UNREGISTER_FILES = 1, 3
INET, STREAM = socket.AF_INET, socket.SOCK_STREAM
CLOEXEC = os.O_CLOEXEC


def register(r, op, arg, n):
    return sc(NR.io_uring_register, r.fd, op, arg, n)


def resources(r, op, n, flags=0, data=0, tags=0, resv=0, size=32):
    return register(r, op, struct.pack("<IIQQQ", n, flags, resv, pointer(data), pointer(tags)), size)


def update(r, op, offset, data, tags=0, n=1, resv=0, resv2=0, size=32):
    return register(r, op, struct.pack("<IIQQII", offset, resv, pointer(data), pointer(tags), n, resv2), size)


def with_places(n=4):
    r = Ring()
    eq(resources(r, FILES2, n, 1), 0)
    return r


def fds(*numbers):
    return struct.pack("%di" % len(numbers), *numbers)


def words(*numbers):
    return struct.pack("%dQ" % len(numbers), *numbers)


def passwd(r, place):
    return r.do(OPENAT, -100, b"/etc/passwd", file_index=place)


def reads(r, place):
    b = ctypes.create_string_buffer(4)
    return r.do(READ, place, b, 4, 0, flags=FIXED_FILE)


@test
def files_are_opened_into_registered_slots():
    r = with_places()
    before = os.listdir("/proc/self/fd")
    eq(passwd(r, 2), 0)
    eq(os.listdir("/proc/self/fd"), before, "no descriptor")
    eq((reads(r, 1), reads(r, 0)), (4, -E.EBADF))
    how = pointer(words(os.O_RDONLY, 0, 0))
    eq(r.do(OPENAT2, -100, b"/etc/passwd", 24, how, file_index=4), 0)
    eq(reads(r, 3), 4)
    eq(passwd(r, 2), 0, "instead of what was there")
    eq(passwd(r, 5), -E.EINVAL)
    eq(r.do(OPENAT, -100, b"none", file_index=1), -E.ENOENT)
    eq(r.do(OPENAT, -100, b"/etc/passwd", file_index=1, op_flags=CLOEXEC), -E.EINVAL)
    how = pointer(words(CLOEXEC, 0, 0))
    eq(r.do(OPENAT2, -100, b"/etc/passwd", 24, how, file_index=1), -E.EINVAL)
    eq(r.do(OPENAT, -100, b"/etc/passwd", flags=FIXED_FILE), -E.EBADF)
    eq(r.do(OPENAT, -100, b"/etc/passwd", buf=1), -E.EINVAL)


@test
def a_free_slot_is_allocated():
    r = with_places()
    eq([passwd(r, ALLOC) for _ in range(5)], [0, 1, 2, 3, -E.ENFILE])
    eq(r.do(CLOSE, 0, file_index=3), 0)
    eq(r.do(CLOSE, 0, file_index=2), 0)
    eq([passwd(r, ALLOC) for _ in range(3)], [1, 2, -E.ENFILE])


@test
def registered_slots_are_closed():
    r = with_places()
    eq(r.do(CLOSE, 0, file_index=1), -E.EBADF)
    eq(r.do(CLOSE, 0, file_index=9), -E.EINVAL)
    eq(r.do(CLOSE, 1, file_index=1), -E.EINVAL)
    eq(r.do(CLOSE, 0, flags=FIXED_FILE, file_index=1), -E.EBADF)
    eq(passwd(r, 1), 0)
    eq(r.do(CLOSE, 0, file_index=1), 0)
    eq(reads(r, 0), -E.EBADF)


@cases([("openat", OPENAT, dict(fd=-100, addr=b"/etc/passwd")), ("socket", SOCKET, dict(fd=INET, off=STREAM))])
def a_ring_without_registered_slots_refuses(op, named):
    r = Ring()
    eq(r.do(op, file_index=1, **named), -E.ENXIO)
    eq(r.do(op, file_index=ALLOC, **named), -E.ENFILE)
    eq(r.do(CLOSE, 0, file_index=1), -E.ENXIO)


@test
def a_linked_chain_uses_the_file_that_it_opens():
    r, b = with_places(), ctypes.create_string_buffer(8)
    r.put(OPENAT, -100, b"/etc/passwd", file_index=1, flags=LINK, data=1)
    r.put(READ, 0, b, 8, 0, flags=LINK | FIXED_FILE, data=2)
    r.put(CLOSE, 0, file_index=1, data=3)
    eq(r.results(3, 3), {1: 0, 2: 8, 3: 0})
    eq(b.raw, open("/etc/passwd", "rb").read(8))


def listener():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    return s


def call(s):
    c = socket.create_connection(s.getsockname())
    kept.append(c)
    return c


@test
def sockets_are_made_in_registered_slots():
    r, s = with_places(), listener()
    eq(r.do(SOCKET, INET, off=STREAM, file_index=1), 0)
    eq(r.do(SOCKET, INET, off=STREAM | CLOEXEC, file_index=1), -E.EINVAL)
    at = struct.pack("!2xH4s8x", s.getsockname()[1], bytes((127, 0, 0, 1)))
    at = struct.pack("H", INET) + at[2:]
    eq(r.do(CONNECT, 0, at, off=16, flags=FIXED_FILE), 0)
    eq(r.do(ACCEPT, s.fileno(), file_index=3), 0)
    eq(r.do(SEND, 0, b"hello", 5, flags=FIXED_FILE), 5)
    b = ctypes.create_string_buffer(8)
    eq((r.do(RECV, 2, b, 8, flags=FIXED_FILE), b.raw[:5]), (5, b"hello"))
    call(s)
    eq(r.do(ACCEPT, s.fileno(), file_index=ALLOC), 3)
    eq(r.do(ACCEPT, s.fileno(), file_index=1, op_flags=CLOEXEC), -E.EINVAL)
    eq(r.do(ACCEPT, s.fileno(), file_index=1, ioprio=1), -E.EINVAL, "many at one place")


@test
def a_multishot_accept_fills_registered_slots():
    r, s = with_places(2), listener()
    r.put(ACCEPT, s.fileno(), file_index=ALLOC, ioprio=1, data=5)
    r.enter(1)
    for expected, more in ((0, 2), (1, 2), (-E.ENFILE, 0)):
        call(s)
        r.enter(0, 1)
        [(data, result, flags)] = r.take()
        eq((data, result, flags & 2), (5, expected, more))


@test
def a_files_update_moves_descriptors_into_slots():
    r, a = with_places(), os.open("/etc/passwd", os.O_RDONLY)
    eq(r.do(FILES_UPDATE, -1, fds(a, -2, -1), 3, 0), 3)
    eq(reads(r, 0), 4)
    eq(r.do(FILES_UPDATE, -1, fds(-2, a), 2, 0), 2)
    eq((reads(r, 0), reads(r, 1)), (4, 4), "-2 leaves a place as it is")
    eq(r.do(FILES_UPDATE, -1, fds(-1, 999, a), 3, 0), 1)
    eq((reads(r, 0), reads(r, 1)), (-E.EBADF, -E.EBADF))
    b = ctypes.create_string_buffer(fds(a, a), 8)
    eq((r.do(FILES_UPDATE, -1, b, 2, 0xFFFFFFFF), b.raw), (2, fds(1, 2)))
    b = ctypes.create_string_buffer(fds(a, 999), 8)
    eq((r.do(FILES_UPDATE, -1, b, 2, 0xFFFFFFFF), b.raw), (1, fds(3, 999)))


@cases([
    ("beyond", -E.EINVAL, dict(off=3)), ("wraparound", -E.EOVERFLOW, dict(off=0xFFFFFFFE, size=3)),
    ("none", -E.EINVAL, dict(size=0)), ("op flags", -E.EINVAL, dict(op_flags=1)),
    ("fixed", -E.EINVAL, dict(flags=1)), ("file index", -E.EINVAL, dict(file_index=1)),
    ("null", -E.EFAULT, dict(addr=0)), ("selects", -E.EOPNOTSUPP, dict(flags=32)),
    ("a ring", -E.EBADF, dict(addr="ring")), ("a ring anywhere", -E.EBADF, dict(addr="ring", off=0xFFFFFFFF))])
def files_update_checks(expected, named):
    r = with_places()
    args = {"addr": fds(0, 0), "size": 2, **named}
    if args["addr"] == "ring":
        args["addr"] = fds(r.fd, r.fd)
    eq(r.do(FILES_UPDATE, -1, **args), expected)
    eq(Ring().do(FILES_UPDATE, -1, fds(0), 1), -E.ENXIO)


@test
def slots_are_allocated_within_a_registered_range():
    r = with_places()

    def limit(offset, n, resv=0, count=0):
        return register(r, ALLOC_RANGE, struct.pack("<IIQ", offset, n, resv), count)
    eq((limit(3, 2), limit(3, 0xFFFFFFFF), limit(3, 1, 1), limit(3, 1, 0, 1)),
       (-E.EINVAL, -E.EOVERFLOW, -E.EINVAL, -E.EINVAL))
    eq((register(r, ALLOC_RANGE, 0, 0), register(r, ALLOC_RANGE, 8, 0)), (-E.EINVAL, -E.EFAULT))
    eq(limit(2, 2), 0)
    eq([passwd(r, ALLOC) for _ in range(3)], [2, 3, -E.ENFILE])
    eq(limit(0, 0), 0)
    eq(passwd(r, ALLOC), -E.ENFILE)
    eq(passwd(r, 1), 0, "an explicit slot may be outside the range")


@test
def a_ring_passes_a_file_to_another_ring():
    r, other = with_places(), with_places()
    eq(r.do(MSG_RING, other.fd, 1, 0, 5, addr3=0, file_index=1), -E.EBADF)
    eq(passwd(r, 1), 0)
    eq((r.do(MSG_RING, other.fd, 1, 0, 5, file_index=1), other.take()), (0, [(5, 0, 0)]))
    eq(reads(other, 0), 4)
    eq((r.do(MSG_RING, other.fd, 1, 0, 6, file_index=ALLOC), other.take()), (1, [(6, 1, 0)]))
    eq((r.do(MSG_RING, other.fd, 1, 0, 7, file_index=ALLOC, op_flags=1), other.take()), (2, []))
    eq(r.do(MSG_RING, other.fd, 1, 1, 5, file_index=1), -E.EINVAL)
    eq(r.do(MSG_RING, other.fd, 1, 0, 5, file_index=77), -E.EINVAL)
    eq(r.do(MSG_RING, other.fd, 1, 0, 5, file_index=0), -E.EINVAL)
    eq(r.do(MSG_RING, other.fd, 1, 0, 5, file_index=1, addr3=9), -E.EBADF)
    eq(r.do(MSG_RING, r.fd, 1, 0, 5, file_index=1), -E.EINVAL, "itself")
    eq(r.do(MSG_RING, Ring(8, 64).fd, 1, 0, 5, file_index=1), -E.EBADFD)


@test
def a_tag_completes_when_its_file_is_released():
    r, a, (b, c) = Ring(), os.open("/etc/passwd", os.O_RDONLY), os.pipe()
    eq(resources(r, FILES2, 3, 0, fds(a, b, -1), words(11, 0, 0)), 0)
    eq(update(r, FILES_UPDATE2, 0, fds(b), words(1 << 63 | 44)), 1)
    eq(r.take(), [(11, 0, 0)])
    buf = ctypes.create_string_buffer(4)
    r.put(READ, 0, buf, 4, flags=FIXED_FILE, data=77)
    r.enter(1)
    eq((r.do(CLOSE, 0, file_index=1), r.take()), (0, []), "it is in use")
    os.write(c, b"abcd")
    got = []
    while len(got) < 2:
        r.enter(0, 1)
        got += r.take()
    eq(got, [(77, 4, 0), (1 << 63 | 44, 0, 0)])
    eq(update(r, FILES_UPDATE2, 1, fds(a, a), words(8, 9), 2), 2)
    eq((register(r, UNREGISTER_FILES, 0, 0), sorted(r.take())), (0, [(8, 0, 0), (9, 0, 0)]))


@test
def a_tag_completes_when_its_buffer_is_released():
    r, b = Ring(), ctypes.create_string_buffer(8192)
    a = os.open("/etc/passwd", os.O_RDONLY)
    here = ctypes.addressof(b)
    eq(resources(r, BUFFERS2, 2, 0, words(here, 4096, 0, 0), words(5, 0)), 0)
    eq(r.do(READ_FIXED, a, here, 8, 0), 8)
    eq(r.do(READ_FIXED, a, here, 8, 0, buf=1), -E.EFAULT)
    eq((update(r, BUFFERS_UPDATE, 1, words(here, 8), words(9)), r.take()), (1, []))
    eq(r.do(READ_FIXED, a, here, 8, 0, buf=1), 8)
    eq((update(r, BUFFERS_UPDATE, 0, words(here, 64), words(10)), r.take()), (1, [(5, 0, 0)]))
    eq((update(r, BUFFERS_UPDATE, 0, words(0, 0)), r.take()), (1, [(10, 0, 0)]))
    eq((register(r, UNREGISTER_BUFFERS, 0, 0), r.take()), (0, [(9, 0, 0)]))
    eq(resources(r, BUFFERS2, 2, 1), 0)
    eq(r.do(READ_FIXED, a, here, 8, 0), -E.EFAULT)


@test
def the_tag_of_a_buffer_in_use_completes_later():
    r, b, (a, c) = Ring(), ctypes.create_string_buffer(4096), os.pipe()
    eq(resources(r, BUFFERS2, 1, 0, words(ctypes.addressof(b), 4096), words(5)), 0)
    r.put(READ_FIXED, a, ctypes.addressof(b), 8, data=1)
    r.enter(1)
    eq((update(r, BUFFERS_UPDATE, 0, words(0, 0)), r.take()), (1, []))
    os.write(c, b"abc")
    got = []
    while len(got) < 2:
        r.enter(0, 1)
        got += r.take()
    eq((got, b.raw[:3]), ([(1, 3, 0), (5, 0, 0)], b"abc"))


@cases([
    ("size", -E.EINVAL, dict(n=1, flags=1, size=31)), ("none", -E.EINVAL, dict(n=0, flags=1)),
    ("flags", -E.EINVAL, dict(n=1, flags=2)), ("reserved", -E.EINVAL, dict(n=1, flags=1, resv=1)),
    ("sparse with data", -E.EINVAL, dict(n=1, flags=1, data=8)), ("bad", -E.EFAULT, dict(n=1, data=8)),
    ("bad tags", -E.EFAULT, dict(n=1, flags=1, tags=8)), ("tags of holes", -E.EINVAL, dict(n=1, flags=1, tags=words(5))),
    ("no data", 0, dict(n=1))])
def registration_checks(expected, named):
    eq(resources(Ring(), FILES2, **named), expected)
    eq(resources(Ring(), BUFFERS2, **named), expected)


@test
def a_failed_registration_registers_nothing():
    r = Ring()
    eq(resources(r, FILES2, 2**21, 1), -E.EMFILE)
    eq(resources(r, FILES2, 1, 0, fds(-1), words(5)), -E.EINVAL)
    eq(resources(r, FILES2, 2, 0, fds(0, 999), words(5, 6)), -E.EBADF)
    eq(resources(r, BUFFERS2, 1, 0, words(0, 0), words(5)), -E.EINVAL)
    eq((r.take(), resources(r, FILES2, 1, 1), resources(r, FILES2, 1, 1)), ([], 0, -E.EBUSY))


@cases([
    ("reserved", -E.EINVAL, dict(resv=1)), ("none", -E.EINVAL, dict(n=0)), ("reserved too", -E.EINVAL, dict(resv2=1)),
    ("beyond", -E.EINVAL, dict(offset=4)), ("wraparound", -E.EOVERFLOW, dict(offset=0xFFFFFFFF, n=5)),
    ("null", -E.EFAULT, dict(data=0)), ("size", -E.EINVAL, dict(size=31)),
    ("a hole with a tag", -E.EINVAL, dict(data=fds(-1), tags=words(4))),
    ("left with a tag", -E.EINVAL, dict(data=fds(-2), tags=words(4)))])
def update_checks(expected, named):
    args = {"offset": 0, "data": fds(0), **named}
    eq(update(with_places(), FILES_UPDATE2, **args), expected)


@test
def an_update_needs_a_registered_table():
    eq(update(Ring(), FILES_UPDATE2, 0, fds(0)), -E.ENXIO)
    eq(update(Ring(), BUFFERS_UPDATE, 0, words(0, 0)), -E.ENXIO)
    r = Ring()
    eq(resources(r, BUFFERS2, 2, 1), 0)
    eq(update(r, BUFFERS_UPDATE, 2, words(0, 0)), -E.EINVAL)
    eq(update(r, BUFFERS_UPDATE, 0, words(0, 5)), -E.EFAULT)
    eq(update(r, BUFFERS_UPDATE, 0, words(0, 0), words(5)), -E.EINVAL)


run()
