"""Rings: sends without a copy; a second completion says when the buffer is free (IORING_OP_SEND_ZC,
IORING_OP_SENDMSG_ZC).
"""

import ctypes
import errno as E
import os
import socket
import struct

from lib.guest import NR, cases, eq, gives, run, test
from lib.rings import *

SEND_ZC, SENDMSG_ZC = 47, 48
FIXED_BUF, REPORT_USAGE, COPIED = 4, 8, -1 << 31
MORE, NOTIF = 2, 8


def twice(r, n=1):
    """Returns all completions, up to the second one of each of `n` requests."""
    got = []
    while sum(1 for x in got if x[2] & NOTIF) < n:
        r.enter(0, 1)
        got += r.take()
    return got


def sent(r, op, fd, *args, **named):
    r.put(op, fd, *args, data=7, **named)
    eq(r.enter(1), 1)
    return twice(r)


def both_completions(result, usage=0):
    return [(7, result, MORE), (7, usage, NOTIF)]


@test
def a_zero_copy_send_completes_twice():
    r, (a, b) = Ring(), tcp_pair()
    eq((sent(r, SEND_ZC, a.fileno(), b"hello", 5), b.recv(9)), (both_completions(5), b"hello"))
    eq((sent(r, SEND_ZC, a.fileno(), b"hello", 5, ioprio=REPORT_USAGE), b.recv(9)), (both_completions(5, COPIED), b"hello"))


@test
def a_zero_copy_sendmsg_completes_twice():
    r, (a, b) = Ring(), tcp_pair()
    iov = pointer(struct.pack("QQ", pointer(b"hello"), 5))
    msg = pointer(struct.pack("QIIQQQQII", 0, 0, 0, iov, 1, 0, 0, 0, 0))
    eq((sent(r, SENDMSG_ZC, a.fileno(), msg, 1), b.recv(9)), (both_completions(5), b"hello"))
    eq((sent(r, SENDMSG_ZC, a.fileno(), msg, 1, ioprio=REPORT_USAGE), b.recv(9)), (both_completions(5, COPIED), b"hello"))
    eq(sent(r, SENDMSG_ZC, a.fileno(), msg, 1, off=1), both_completions(-E.EINVAL))
    eq(sent(r, SENDMSG_ZC, a.fileno(), msg, 1, file_index=1), both_completions(-E.EINVAL))
    eq(sent(r, SENDMSG_ZC, a.fileno(), 8, 1), both_completions(-E.EFAULT))


@test
def datagrams_have_their_address():
    r, d = Ring(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.bind(("127.0.0.1", 0))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to = struct.pack("H", 2) + struct.pack("!H", d.getsockname()[1]) + bytes((127, 0, 0, 1)) + bytes(8)
    eq((sent(r, SEND_ZC, s.fileno(), b"dgram", 5, to, file_index=16), d.recv(9)), (both_completions(5), b"dgram"))
    eq(sent(r, SEND_ZC, s.fileno(), b"dgram", 5), both_completions(-E.EDESTADDRREQ))


@test
def registered_buffers_are_sent():
    r, (a, b) = Ring(), tcp_pair()
    eq(sent(r, SEND_ZC, a.fileno(), b"h", 1, ioprio=FIXED_BUF), both_completions(-E.EFAULT))
    buf = ctypes.create_string_buffer(b"fixed", 4096)
    here = ctypes.addressof(buf)
    gives(0, NR.io_uring_register, r.fd, 0, struct.pack("QQ", here, 4096), 1)
    eq((sent(r, SEND_ZC, a.fileno(), here, 5, ioprio=FIXED_BUF), b.recv(9)), (both_completions(5), b"fixed"))
    eq(sent(r, SEND_ZC, a.fileno(), here + 4090, 50, ioprio=FIXED_BUF), both_completions(-E.EFAULT))


@cases([
    ("unix", -E.EOPNOTSUPP, lambda: keep(socket.socketpair())[0].fileno()), ("pipe", -E.ENOTSOCK, lambda: os.pipe()[1]),
    ("nothing", -E.EBADF, lambda: 999),
    ("shut", -E.EPIPE, lambda: (lambda p: (p[0].shutdown(1), p[0].fileno())[1])(tcp_pair()))])
def a_zero_copy_send_that_fails_completes_twice(expected, fd):
    eq(sent(Ring(), SEND_ZC, fd(), b"hello", 5), both_completions(expected))


@cases([("multishot", dict(ioprio=2)), ("unknown", dict(ioprio=64))])
def priorities(named):
    eq(sent(Ring(), SEND_ZC, tcp_pair()[0].fileno(), b"h", 1, **named), both_completions(-E.EINVAL))


@cases([("silent", -E.EINVAL, dict(flags=SKIP)), ("addr3", -E.EINVAL, dict(addr3=1)),
        ("selects", -E.EOPNOTSUPP, dict(flags=SELECT))])
def a_zero_copy_send_that_is_refused_completes_once(expected, named):
    r = Ring()
    r.put(SEND_ZC, tcp_pair()[0].fileno(), b"h", 1, data=7, **named)
    r.enter(1, 1)
    eq(r.take(), [(7, expected, 0)])


@test
def chains():
    r, (a, b) = Ring(), tcp_pair()
    r.put(SEND_ZC, a.fileno(), b"1", 1, flags=LINK, data=1)
    r.put(NOP, data=2)
    eq(r.enter(2), 2)
    eq(sorted(twice(r) + r.take()), [(1, 0, NOTIF), (1, 1, MORE), (2, 0, 0)])
    c, d = keep(socket.socketpair())
    buf = ctypes.create_string_buffer(8)
    r.put(READ, c.fileno(), buf, 8, flags=LINK, data=1)
    r.put(SEND_ZC, a.fileno(), b"1", 1, data=2)
    eq(r.enter(2), 2)
    d.send(b"1")
    eq(sorted(twice(r)), [(1, 1, 0), (2, -E.ECANCELED, 0), (2, 0, NOTIF)])


run()
