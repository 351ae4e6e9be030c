"""Rings: splice, futexes, children, messages, changes of polls, and restrictions of a ring."""

import ctypes
import errno as E
import os
import socket
import struct

from lib.guest import NR, cases, eq, gives, ok, run, sc, spawn, test
from lib.rings import *

MORE = 2
U32, PRIVATE, ANY = 2, 128, 0xFFFFFFFF
REGISTER_RESTRICTIONS, ENABLE = 11, 12


def comes_later(r, act, *args, **named):
    """Returns the result of a request that waits until `act` runs."""
    r.put(*args, **named)
    eq((r.enter(1), r.take()), (1, []))
    act()
    r.enter(0, 1)
    return r.take()[0][1]


@test
def requests_wait_on_nonblocking_files():
    r, b = Ring(), ctypes.create_string_buffer(9)
    p, (a, c) = os.pipe2(os.O_NONBLOCK), keep(socket.socketpair())
    a.setblocking(False)
    eq(comes_later(r, lambda: os.write(p[1], b"abc"), READ, p[0], b, 4), 3)
    eq(comes_later(r, lambda: c.send(b"abc"), RECV, a.fileno(), b, 4), 3)
    eq(comes_later(r, lambda: c.send(b"abc"), READ, a.fileno(), b, 4), 3)
    iov = pointer(struct.pack("QQ", ctypes.addressof(b), 5))
    msg = pointer(struct.pack("QIIQQQQII", 0, 0, 0, iov, 1, 0, 0, 0, 0))
    eq(comes_later(r, lambda: c.send(b"abc"), RECVMSG, a.fileno(), msg, 1), 3)
    e = os.eventfd(0, os.EFD_NONBLOCK)
    eq(comes_later(r, lambda: os.eventfd_write(e, 3), READ, e, b, 8), 8)
    s = keep(socket.socket())
    s.bind(("127.0.0.1", 0))
    s.listen()
    s.setblocking(False)
    ok(comes_later(r, lambda: keep(socket.create_connection(s.getsockname())), ACCEPT, s.fileno()) >= 0, "accept")
    d = keep(socket.socket())
    d.setblocking(False)
    to = struct.pack("H", 2) + struct.pack("!H", s.getsockname()[1]) + bytes((127, 0, 0, 1)) + bytes(8)
    eq(r.do(CONNECT, d.fileno(), to, off=16), 0)
    eq((os.get_blocking(p[0]), a.getblocking(), d.getblocking()), (False, False, False))
    eq(r.do(RECV, a.fileno(), b, 4, op_flags=0x40), -E.EAGAIN, "MSG_DONTWAIT")
    eq(r.do(READ, p[0], b, 4, op_flags=8), -E.EAGAIN, "RWF_NOWAIT")
    eq(r.do(SPLICE, p[1], CUR, 4, CUR, file_index=os.pipe2(os.O_NONBLOCK)[0]), -E.EAGAIN)


@test
def a_nop_returns_the_result_that_it_names():
    r = Ring()
    eq((r.do(NOP, op_flags=1, size=7), r.do(NOP, op_flags=1, size=0xFFFFFFFF), r.do(NOP, size=5)), (7, -1, 0))
    eq(r.do(NOP, op_flags=1 << 30), -E.EINVAL)


@test
def bytes_are_spliced():
    r = Ring()
    with open("f", "w") as f:
        f.write("0123456789")
    f = os.open("f", os.O_RDWR)
    a, b = os.pipe()
    c, d = os.pipe()
    eq(r.do(SPLICE, b, 2, 5, CUR, file_index=f), 5)
    eq(r.do(TEE, d, 0, 100, file_index=a), 5)
    eq((os.read(c, 10), os.read(a, 10)), (b"23456", b"23456"))
    eq(r.do(SPLICE, b, CUR, 3, CUR, file_index=f), 3)
    eq(r.do(SPLICE, f, CUR, 3, 8, file_index=a), 3)
    eq(open("f").read(), "01234567012")
    eq(r.do(SPLICE, b, 0, 5, 0, file_index=f), -E.ESPIPE)
    eq(r.do(SPLICE, b, 0, 5, CUR, file_index=999), -E.EBADF)
    eq(r.do(SPLICE, b, 0, 5, CUR, file_index=f, op_flags=64), -E.EINVAL)
    eq(r.do(SPLICE, f, CUR, 5, CUR, file_index=f), -E.EINVAL)
    eq(r.do(TEE, d, 0, 1, 1, file_index=a), -E.EINVAL)
    gives(0, NR.io_uring_register, r.fd, 2, struct.pack("ii", f, a), 2)
    eq(r.do(SPLICE, b, 0, 4, CUR, file_index=0, op_flags=1 << 31), 4)
    eq((r.do(TEE, d, 0, 3, file_index=1, op_flags=1 << 31), os.read(c, 10)), (3, b"012"))
    eq(r.do(TEE, d, 0, 0, file_index=1, op_flags=1 << 31), 0)
    eq(r.do(TEE, d, 0, 3, file_index=2, op_flags=1 << 31), -E.EBADF)
    eq(r.do(TEE, d, 0, 3, file_index=a, op_flags=64), -E.EINVAL)
    r.put(SPLICE, d, CUR, 10, CUR, file_index=os.dup(a), data=9)
    r.enter(1, 1)
    eq((r.take(), os.read(c, 10)), ([(9, 4, 0)], b"0123"))


@test
def futexes_are_waited_for_and_woken():
    r = Ring()
    w = ctypes.c_uint32.from_address(memory())
    addr = ctypes.addressof(w)
    eq(r.do(FUTEX_WAIT, U32 | PRIVATE, addr, 0, 1, addr3=ANY), -E.EAGAIN)
    r.put(FUTEX_WAIT, U32 | PRIVATE, addr, 0, 0, addr3=ANY, data=1)
    eq((r.enter(1), r.take()), (1, []))
    gives(1, NR.futex, w, 1 | 128, 5, None, None, 0)
    r.enter(0, 1)
    eq(r.take(), [(1, 0, 0)])
    r.put(FUTEX_WAIT, U32, addr, 0, 0, addr3=ANY, data=2)
    r.enter(1)
    eq(r.do(FUTEX_WAKE, U32, addr, 0, 0, addr3=ANY) in (0, 1), True)
    gives(0, NR.futex_wake, w, ANY, 9, U32) if r.take() else None


@test
def a_cancelled_futex_wait_leaves_its_queue():
    r = Ring()
    w = ctypes.c_uint32.from_address(memory())
    r.put(FUTEX_WAIT, U32 | PRIVATE, ctypes.addressof(w), 0, 0, addr3=ANY, data=1)
    r.enter(1)
    r.put(CANCEL, addr=1, data=2)
    r.enter(1, 2)
    # The cancellation counts the request (1), unlike that of a request that polls.
    eq(sorted(x[:2] for x in r.take()), [(1, -E.ECANCELED), (2, 1)])
    gives(0, NR.futex, w, 1 | 128, 5, None, None, 0)


@test
def several_futexes():
    r = Ring()
    base = memory()
    words = [ctypes.c_uint32.from_address(base + 64 * i) for i in range(3)]
    array = b"".join(struct.pack("<QQII", 0, ctypes.addressof(w), U32 | PRIVATE, 0) for w in words)
    r.put(FUTEX_WAITV, 0, array, 3, data=1)
    eq((r.enter(1), r.take()), (1, []))
    gives(1, NR.futex, words[2], 1 | 128, 5, None, None, 0)
    r.enter(0, 1)
    eq(r.take(), [(1, 2, 0)])
    r.put(FUTEX_WAITV, 0, array, 3, data=2)
    r.enter(1)
    r.put(CANCEL, addr=2, data=3)
    r.enter(1, 2)
    eq(sorted(x[:2] for x in r.take()), [(2, -E.ECANCELED), (3, 1)])
    gives(0, NR.futex, words[0], 1 | 128, 5, None, None, 0)


@cases([("length", dict(size=1)), ("op flags", dict(op_flags=1)), ("file index", dict(file_index=1)), ("size 64", dict(fd=3)),
        ("mask 0", dict(addr3=0))])
def futex_checks(named):
    args = {"fd": U32, "addr": memory(), "addr3": ANY, **named}
    eq(Ring().do(FUTEX_WAIT, **args), -E.EINVAL)


@test
def children_are_waited_for():
    r = Ring()
    gate = os.pipe()
    pid = spawn(lambda: (os.close(gate[1]), os.read(gate[0], 1), 7)[2])
    info = ctypes.create_string_buffer(128)
    r.put(WAITID, pid, 0, 1, ctypes.addressof(info), file_index=4, data=1)
    eq((r.enter(1), r.take()), (1, []))
    os.close(gate[1])
    r.enter(0, 1)
    eq(r.take(), [(1, 0, 0)])
    eq(struct.unpack_from("iii", info.raw)[::2], (17, 1))
    eq(struct.unpack_from("ii", info.raw, 16), (pid, os.getuid()))
    eq(r.do(WAITID, pid, 0, 1, 0, file_index=4), -E.ECHILD)
    eq(r.do(WAITID, pid, 1, 1, 0, file_index=4), -E.EINVAL)
    eq(r.do(WAITID, pid, 0, 1, 0, file_index=0), -E.EINVAL)


@test
def a_ring_sends_a_completion_to_another_ring():
    one, two = Ring(), Ring()
    eq(one.do(MSG_RING, two.fd, 0, 42, 0x123456789ABCDEF0), 0)
    eq(two.take(), [(0x123456789ABCDEF0, 42, 0)])
    eq(one.do(MSG_RING, two.fd, 0, 0xFFFFFFFF, 2**64 - 1), 0)
    eq(two.take(), [(2**64 - 1, -1, 0)])
    eq(one.do(MSG_RING, two.fd, 0, 1, 1, op_flags=2, file_index=6), 0)
    eq(two.take(), [(1, 1, 6)])
    eq(one.do(MSG_RING, os.pipe()[0], 0, 1), -E.EBADFD)
    eq(one.do(MSG_RING, 999, 0, 1), -E.EBADF)
    eq(one.do(MSG_RING, two.fd, 5, 1), -E.EINVAL)
    eq(one.do(MSG_RING, two.fd, 0, 1, op_flags=8), -E.EINVAL)
    eq(one.do(MSG_RING, two.fd, 0, 1, buf=1), -E.EINVAL)
    eq(one.do(MSG_RING, Ring(8, 64).fd, 0, 1), -E.EBADFD)


@test
def registered_files_get_descriptors():
    r = Ring()
    a, b = os.pipe()
    gives(0, NR.io_uring_register, r.fd, 2, struct.pack("i", b), 1)
    fd = r.do(INSTALL, 0, flags=FIXED_FILE)
    ok(fd >= 0, fd)
    os.write(fd, b"x")
    eq((os.read(a, 1), os.get_inheritable(fd)), (b"x", False))
    eq(os.get_inheritable(r.do(INSTALL, 0, flags=FIXED_FILE, op_flags=1)), True)
    eq(r.do(INSTALL, b), -E.EBADF)
    eq(r.do(INSTALL, 3, flags=FIXED_FILE), -E.EBADF)
    eq(r.do(INSTALL, 0, flags=FIXED_FILE, op_flags=2), -E.EINVAL)
    eq(r.do(INSTALL, 0, 1, flags=FIXED_FILE), -E.EINVAL)
    cred = sc(NR.io_uring_register, r.fd, 9, 0, 0)
    eq(r.do(INSTALL, 0, flags=FIXED_FILE, personality=cred), -E.EPERM)


def restriction(kind, value):
    return struct.pack("<HBB", kind, value, 0) + bytes(12)


@test
def restrictions_hold():
    r = Ring(8, 64)
    rules = restriction(0, ENABLE) + restriction(1, NOP) + restriction(1, READ) + restriction(2, LINK)
    gives(0, NR.io_uring_register, r.fd, REGISTER_RESTRICTIONS, rules, 4)
    gives(-E.EBUSY, NR.io_uring_register, r.fd, REGISTER_RESTRICTIONS, rules, 4)
    gives(0, NR.io_uring_register, r.fd, ENABLE, 0, 0)
    eq(r.do(NOP), 0)
    eq(r.do(NOP, flags=ASYNC), -E.EACCES)
    eq(r.do(WRITE, 1, b"x", 1), -E.EACCES)
    gives(-E.EACCES, NR.io_uring_register, r.fd, 9, 0, 0)
    gives(-E.EBADFD, NR.io_uring_register, Ring().fd, REGISTER_RESTRICTIONS, rules, 4)


@test
def required_flags():
    r = Ring(8, 64)
    rules = restriction(1, NOP) + restriction(3, ASYNC)
    gives(0, NR.io_uring_register, r.fd, REGISTER_RESTRICTIONS, rules, 2)
    gives(0, NR.io_uring_register, r.fd, ENABLE, 0, 0)
    eq(r.do(NOP), -E.EACCES)
    eq(r.do(NOP, flags=ASYNC), 0)


@cases([("kind", restriction(9, 0), 1, -E.EINVAL), ("null", None, 1, -E.EINVAL), ("bad", 8, 1, -E.EFAULT), ("too many", bytes(4096), 200, -E.EINVAL)])
def restrictions_refuse(rules, count, expected):
    gives(expected, NR.io_uring_register, Ring(8, 64).fd, REGISTER_RESTRICTIONS, rules, count)


@test
def polls_are_changed():
    r, (a, b) = Ring(), os.pipe()
    r.put(POLL_ADD, b, op_flags=POLLIN, data=1)
    eq((r.enter(1), r.take()), (1, []))
    eq(r.do(POLL_REMOVE, addr=1, size=4, off=2), 0, "another name")
    eq(r.do(POLL_REMOVE, addr=1, size=2, op_flags=POLLOUT), -E.ENOENT)
    r.put(POLL_REMOVE, addr=2, size=2, op_flags=POLLOUT, data=3)
    eq(r.enter(1, 2), 1)
    eq(sorted(r.take()), [(2, POLLOUT, 0), (3, 0, 0)])
    eq([r.do(POLL_REMOVE, addr=1, **n) for n in (dict(size=1), dict(size=8), dict(off=1), dict(op_flags=1), dict(buf=1))],
       [-E.EINVAL] * 5)
    r.put(POLL_ADD, a, size=1, op_flags=POLLOUT, data=4)
    eq((r.enter(1), r.take()), (1, []))
    eq(r.do(POLL_REMOVE, addr=4, size=3, op_flags=POLLIN), 0)
    for _ in range(2):
        os.write(b, b"x")
        r.enter(0, 1)
        eq(r.take(), [(4, POLLIN, MORE)], "it goes on as before")


run()
