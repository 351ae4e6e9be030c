"""Rings of requests and completions: io_uring_setup(2), io_uring_enter(2), io_uring_register(2)."""

import ctypes
import errno as E
import fcntl
import os
import socket
import struct
import time

from lib.guest import NR, eq, gives, ok, run, sc, skip, spawn, test, wait_until
from lib.rings import *


@test
def setup_checks_its_arguments():
    def setup(n, flags=0, cq=0):
        fd = sc(NR.io_uring_setup, n, struct.pack("III", 0, cq, flags) + bytes(108))
        if fd >= 0:
            os.close(fd)
            return 0
        return fd
    Ring()
    eq(setup(0), -E.EINVAL)
    eq(setup(32769), -E.EINVAL)
    eq(setup(32769, 0x10), 0, "CLAMP")
    eq(setup(8, 8, 0), -E.EINVAL, "CQSIZE 0")
    eq(setup(8, 8, 4), -E.EINVAL, "fewer completions than requests")
    eq(setup(8, 8, 20), 0)
    eq(setup(8, 4), -E.EINVAL, "SQ_AFF without SQPOLL")
    eq(setup(8, 0x2000), -E.EINVAL, "DEFER_TASKRUN alone")
    eq(setup(8, 0x3000), 0)
    eq(setup(8, 1 << 30), -E.EINVAL)
    gives(-E.EFAULT, NR.io_uring_setup, 8, 8)


@test
def sizes_are_rounded_up():
    r = Ring(5)
    eq((r.sq, r.cq), (8, 16))
    eq((r.word(r.o_mask), r.word(r.o_n), r.word(r.c_mask), r.word(r.c_n)), (7, 8, 15, 16))
    r = Ring(3, 8, 20)
    eq((r.sq, r.cq), (4, 32))
    ok(r.features & 1, "one mapping")
    eq(os.readlink("/proc/self/fd/%d" % r.fd), "anon_inode:[io_uring]")


@test
def nops_come_back_in_order():
    r = Ring(8)
    for i in range(8):
        r.put(NOP, data=100 + i)
    eq(r.enter(8, 8), 8)
    eq(r.take(), [(100 + i, 0, 0) for i in range(8)])
    eq(r.enter(3), 0, "nothing to take")
    for round in range(100):
        r.put(NOP, data=1 << 63 | round)
        eq(r.enter(1), 1)
        eq(r.take(), [(1 << 63 | round, 0, 0)])


@test
def enter_checks_its_arguments():
    r = Ring()
    eq(r.enter(0, 0, 1 << 20), -E.EINVAL)
    gives(-E.EBADF, NR.io_uring_enter, 9999, 0, 0, 0, 0, 0)
    gives(-E.EOPNOTSUPP, NR.io_uring_enter, os.open("/", 0), 0, 0, 0, 0, 0)
    start = time.monotonic()
    arg = struct.pack("QIIQ", 0, 0, 0, span(0.05))
    eq(r.enter(0, 1, 9, pointer(arg), 24), -E.ETIME)
    ok(0.04 < time.monotonic() - start < 2, "0.04 < time.monotonic() - start < 2")
    eq(r.enter(0, 1, 9, pointer(arg), 23), -E.EINVAL)
    r.put(NOP)
    eq(r.enter(1, 5, 9, pointer(arg), 24), 1, "what was submitted counts")


@test
def wrong_requests_complete_with_their_error():
    r = Ring()
    eq(r.do(200), -E.EINVAL)
    eq(r.do(NOP, flags=0x80), -E.EINVAL)
    eq(r.do(READ, 9999, bytes(8), 8), -E.EBADF)
    eq(r.do(READ, 3, 0, 8, flags=FIXED_FILE), -E.EBADF)
    eq(r.do(READ_FIXED, os.open("/dev/zero", os.O_RDONLY), bytes(8), 8), -E.EFAULT)
    # Without SUBMIT_ALL an invalid request ends the batch.
    r.put(200, data=1)
    r.put(NOP, data=2)
    eq(r.enter(2), 1)
    eq(r.take(), [(1, -E.EINVAL, 0)])
    eq(r.enter(1), 1)
    eq(r.take(), [(2, 0, 0)])
    r = Ring(flags=0x80)
    r.put(200, data=1)
    r.put(NOP, data=2)
    eq(r.enter(2), 2)
    eq(r.take(), [(1, -E.EINVAL, 0), (2, 0, 0)])


@test
def an_index_out_of_range_is_dropped():
    r = Ring()
    r.put(NOP)
    struct.pack_into("I", r.ring, r.o_array, 77)
    eq(r.enter(1), 0)
    eq((r.word(r.o_dropped), r.take()), (1, []))


@test
def files_are_read_and_written():
    r = Ring()
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    eq(r.do(WRITE, fd, b"hello world", 11), 11)
    b = ctypes.create_string_buffer(20)
    eq(r.do(READ, fd, b, 20, 6), 5)
    eq(b.raw[:5], b"world")
    eq(os.lseek(fd, 0, 1), 0, "the position stays")
    eq(r.do(READ, fd, b, 5, CUR), 5)
    eq((b.raw[:5], os.lseek(fd, 0, 1)), (b"hello", 5))
    a, c = ctypes.create_string_buffer(3), ctypes.create_string_buffer(30)
    iov = struct.pack("QQQQ", ctypes.addressof(a), 3, ctypes.addressof(c), 30)
    eq(r.do(READV, fd, iov, 2, 0), 11)
    eq((a.raw, c.raw[:8]), (b"hel", b"lo world"))
    eq(r.do(WRITEV, fd, iov, 1, 20), 3)
    eq(os.stat("f").st_size, 23)
    eq(r.do(READ, fd, 8, 20), -E.EFAULT)
    eq(r.do(READ, fd, b, 20, 100), 0)
    eq(r.do(WRITE, os.open("f", os.O_RDONLY), b, 1), -E.EBADF)
    eq(r.do(FSYNC, fd), 0)
    eq(r.do(FSYNC, fd, op_flags=1), 0)
    eq(r.do(FSYNC, fd, op_flags=2), -E.EINVAL)
    eq(r.do(FALLOCATE, fd, addr=100, off=50, size=0), 0)
    eq(os.stat("f").st_size, 150)
    eq(r.do(WRITE, fd, b"end", 3, 0, op_flags=16), 3)
    eq(os.stat("f").st_size, 153, "RWF_APPEND")
    fd = os.open("f", os.O_RDWR | os.O_APPEND)
    eq(r.do(WRITE, fd, b"end", 3, 1), 3)
    eq((os.stat("f").st_size, os.lseek(fd, 0, 1)), (156, 0), "an append keeps the position")
    eq(r.do(WRITE, fd, b"end", 3, CUR, op_flags=16), 3)
    eq((os.stat("f").st_size, os.lseek(fd, 0, 1)), (159, 159), "or moves it to the end")


@test
def names_are_opened_and_changed():
    r = Ring()
    fd = r.do(OPENAT, -100, b"new", 0o640, op_flags=os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    ok(fd > 2, "fd > 2")
    eq(os.stat("new").st_mode & 0o777, 0o640)
    eq(r.do(CLOSE, fd), 0)
    eq(r.do(CLOSE, fd), -E.EBADF)
    eq(r.do(OPENAT, -100, b"none"), -E.ENOENT)
    how = pointer(struct.pack("QQQ", os.O_RDONLY, 0, 0))
    fd = r.do(OPENAT2, -100, b"new", 24, how)
    ok(fd > 2, "fd > 2")
    stx = ctypes.create_string_buffer(256)
    eq(r.do(STATX, -100, b"new", 0x7FF, stx), 0)
    eq(struct.unpack_from("H", stx, 28)[0], 0o100640)
    eq(r.do(MKDIRAT, -100, b"d", 0o700), 0)
    eq(r.do(RENAMEAT, -100, b"new", 0xFFFFFF9C, b"d/moved"), 0)
    eq(r.do(LINKAT, -100, b"d/moved", 0xFFFFFF9C, b"again"), 0)
    eq(r.do(SYMLINKAT, -100, b"again", 0, b"sym"), 0)
    eq((os.listdir("d"), os.readlink("sym")), (["moved"], "again"))
    eq(r.do(UNLINKAT, -100, b"again"), 0)
    eq(r.do(UNLINKAT, -100, b"d", op_flags=0x200), -E.ENOTEMPTY)


@test
def a_read_of_a_pipe_waits():
    r = Ring()
    a, b = os.pipe()
    buf = ctypes.create_string_buffer(8)
    r.put(READ, a, buf, 8, data=1)
    r.put(NOP, data=2)
    eq(r.enter(2, 1), 2)
    eq(r.take(), [(2, 0, 0)])
    os.write(b, b"abc")
    eq(r.enter(0, 1), 0)
    eq((r.take(), buf.raw[:3]), ([(1, 3, 0)], b"abc"))
    # The request keeps the file when its descriptor is closed.
    r.put(READ, a, buf, 8, data=3)
    eq(r.enter(1), 1)
    os.close(a)
    os.write(b, b"xy")
    eq(r.enter(0, 1), 0)
    eq((r.take(), buf.raw[:2]), ([(3, 2, 0)], b"xy"))


@test
def a_completion_arrives_without_a_call():
    r = Ring()
    a, b = os.pipe()
    buf = ctypes.create_string_buffer(8)
    r.put(READ, a, buf, 8, data=1)
    eq(r.enter(1), 1)

    eq(r.word(r.c_tail), 0)
    spawn(os.write, b, b"abc")
    wait_until(lambda: r.word(r.c_tail) != 0, "a completion")
    eq(r.take(), [(1, 3, 0)])


@test
def a_ring_can_be_polled_and_signals_an_eventfd():
    import select
    r = Ring()
    e = sc(290, 0, 0o4000)
    gives(0, NR.io_uring_register, r.fd, 4, struct.pack("i", e), 1)
    gives(-E.EBUSY, NR.io_uring_register, r.fd, 4, struct.pack("i", e), 1)
    p = select.poll()
    p.register(r.fd, POLLIN | POLLOUT)
    eq(p.poll(0), [(r.fd, POLLOUT)])
    a, b = os.pipe()
    r.put(READ, a, bytes(8), 8)
    eq(r.enter(1), 1)
    eq(p.poll(0), [(r.fd, POLLOUT)])
    os.write(b, b"x")
    p.modify(r.fd, POLLIN)
    eq(p.poll(3000), [(r.fd, POLLIN)])
    eq(os.read(e, 8), struct.pack("Q", 1))
    r.take()
    eq(p.poll(0), [])
    gives(0, NR.io_uring_register, r.fd, 5, 0, 0)
    gives(-E.ENXIO, NR.io_uring_register, r.fd, 5, 0, 0)


@test
def a_poll_completes_once_or_repeatedly():
    r = Ring()
    a, b = os.pipe()
    eq(r.do(POLL_ADD, b, op_flags=POLLOUT), POLLOUT)
    r.put(POLL_ADD, a, op_flags=POLLIN, data=7)
    eq((r.enter(1), r.take()), (1, []))
    os.write(b, b"x")
    eq(r.enter(0, 1), 0)
    eq(r.take(), [(7, POLLIN, 0)])
    os.read(a, 1)
    r.put(POLL_ADD, a, op_flags=POLLIN, data=8)
    eq(r.enter(1), 1)
    r.put(POLL_REMOVE, addr=8, data=9)
    eq(r.results(1, 2), {8: -E.ECANCELED, 9: 0})
    eq(r.do(POLL_REMOVE, addr=8), -E.ENOENT)
    r.put(POLL_ADD, a, size=1, op_flags=POLLIN, data=10)
    eq(r.enter(1), 1)
    for _ in range(3):
        os.write(b, b"x")
        eq(r.enter(0, 1), 0)
        eq(r.take(), [(10, POLLIN, 2)])
        os.read(a, 1)
    os.close(b)
    eq(r.enter(0, 1), 0)
    ok(r.take()[0][1] & 0x10, "POLLHUP")


@test
def a_timeout_request_expires():
    r = Ring()
    start = time.monotonic()
    eq(r.do(TIMEOUT, addr=span(0.05), size=1), -E.ETIME)
    ok(0.04 < time.monotonic() - start < 2, "0.04 < time.monotonic() - start < 2")
    at = time.monotonic() + 0.05
    eq(r.do(TIMEOUT, addr=span(at), size=1, op_flags=1), -E.ETIME)
    ok(time.monotonic() >= at, "time.monotonic() >= at")
    eq(r.do(TIMEOUT, addr=span(1), size=2), -E.EINVAL)
    # A time-out with a count ends after this number of completions.
    r.put(TIMEOUT, addr=span(100), size=1, off=2, data=1)
    r.put(NOP, data=2)
    eq((r.enter(2), r.take()), (2, [(2, 0, 0)]))
    r.put(NOP, data=3)
    eq(r.enter(1, 2), 1)
    eq(r.take(), [(3, 0, 0), (1, 0, 0)])
    r.put(TIMEOUT, addr=span(100), size=1, data=4)
    eq(r.enter(1), 1)
    r.put(TIMEOUT_REMOVE, addr=4, data=5)
    eq(r.results(1, 2), {4: -E.ECANCELED, 5: 0})
    eq(r.do(TIMEOUT_REMOVE, addr=4), -E.ENOENT)
    r.put(TIMEOUT, addr=span(100), size=1, data=6)
    eq(r.enter(1), 1)
    r.put(TIMEOUT_REMOVE, addr=6, off=span(0.02), op_flags=2, data=7)
    eq(r.results(1, 2), {6: -E.ETIME, 7: 0})


@test
def requests_are_cancelled():
    r = Ring()
    a, b = os.pipe()
    for i in range(3):
        r.put(READ, a, bytes(8), 8, data=1)
    r.put(READ, a, bytes(8), 8, data=2)
    eq((r.enter(4), r.take()), (4, []))
    r.put(CANCEL, addr=2, data=9)
    eq(r.results(1, 2), {2: -E.ECANCELED, 9: 0})
    eq(r.do(CANCEL, addr=2), -E.ENOENT)
    r.put(CANCEL, addr=1, data=9, op_flags=1)
    eq(r.enter(1, 4), 1)
    got = sorted(r.take())
    eq([x[:2] for x in got], [(1, -E.ECANCELED)] * 3 + [(9, 3)])
    r.put(READ, a, bytes(8), 8, data=3)
    eq(r.enter(1), 1)
    r.put(CANCEL, a, data=9, op_flags=2)
    eq(r.results(1, 2), {3: -E.ECANCELED, 9: 0})


@test
def linked_requests_follow_each_other():
    r = Ring()
    a, b = os.pipe()
    buf = ctypes.create_string_buffer(8)
    r.put(READ, a, buf, 3, flags=LINK, data=1)
    r.put(WRITE, os.open("f", os.O_RDWR | os.O_CREAT), buf, 3, data=2)
    eq((r.enter(2), r.take()), (2, []))
    os.write(b, b"abc")
    eq(r.enter(0, 2), 0)
    eq([x[:2] for x in r.take()], [(1, 3), (2, 3)])
    eq(open("f").read(), "abc")
    # A short read or an error ends the chain, unless the link is hard.
    os.write(b, b"xy")
    r.put(READ, a, buf, 3, flags=LINK, data=1)
    r.put(NOP, flags=LINK, data=2)
    r.put(NOP, data=3)
    r.put(NOP, data=4)
    eq(r.results(4, 4), {1: 2, 2: -E.ECANCELED, 3: -E.ECANCELED, 4: 0})
    r.put(READ, a, 0, 3, flags=HARDLINK | FIXED_FILE, data=1)
    r.put(NOP, data=2)
    eq(r.results(2, 2), {1: -E.EBADF, 2: 0})


@test
def a_linked_timeout_bounds_a_request():
    r = Ring()
    a, b = os.pipe()
    buf = ctypes.create_string_buffer(8)
    r.put(READ, a, buf, 8, flags=LINK, data=1)
    r.put(LINK_TIMEOUT, addr=span(0.03), size=1, data=2)
    eq(r.results(2, 2), {1: -E.ECANCELED, 2: -E.ETIME})
    r.put(READ, a, buf, 8, flags=LINK, data=1)
    r.put(LINK_TIMEOUT, addr=span(100), size=1, data=2)
    eq(r.enter(2), 2)
    os.write(b, b"x")
    eq(r.enter(0, 2), 0)
    eq({d: v for d, v, _ in r.take()}, {1: 1, 2: -E.ECANCELED})
    eq(r.do(LINK_TIMEOUT, addr=span(1), size=1), -E.EINVAL)


@test
def a_drain_waits_for_all_before_it():
    r = Ring()
    a, b = os.pipe()
    r.put(READ, a, bytes(8), 8, data=1)
    r.put(NOP, flags=DRAIN, data=2)
    r.put(NOP, data=3)
    eq((r.enter(3), r.take()), (3, []))
    os.write(b, b"x")
    eq(r.enter(0, 3), 0)
    eq([x[0] for x in r.take()], [1, 2, 3])


@test
def a_request_can_skip_its_success_completion():
    r = Ring()
    if not r.features & 0x800:
        skip("no IORING_FEAT_CQE_SKIP")
    r.put(NOP, flags=SKIP, data=1)
    r.put(CLOSE, 9999, flags=SKIP, data=2)
    eq(r.enter(2, 1), 2)
    eq(r.take(), [(2, -E.EBADF, 0)])


@test
def a_completion_that_does_not_fit_is_kept():
    r = Ring(4, 8, 4)
    for i in range(3):
        for j in range(4):
            r.put(NOP, data=4 * i + j)
        eq(r.enter(4), 4)
    eq(r.word(r.o_flags) & 2, 2, "IORING_SQ_CQ_OVERFLOW")
    got = []
    while len(got) < 12:
        got += [x[0] for x in r.take()]
        if len(got) < 12:
            eq(r.enter(0, 1), 0)
    eq(got, list(range(12)))
    r.enter(0, 0, 1)
    eq(r.word(r.o_flags) & 2, 0)


@test
def files_and_buffers_are_registered():
    r = Ring()
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"0123456789")
    gives(0, NR.io_uring_register, r.fd, 2, struct.pack("ii", fd, -1), 2)
    gives(-E.EBUSY, NR.io_uring_register, r.fd, 2, struct.pack("i", fd), 1)
    os.close(fd)
    b = ctypes.create_string_buffer(4096)
    eq(r.do(READ, 0, b, 4, 2, flags=FIXED_FILE), 4)
    eq(b.raw[:4], b"2345")
    eq(r.do(READ, 1, b, 4, flags=FIXED_FILE), -E.EBADF)
    eq(r.do(READ, 2, b, 4, flags=FIXED_FILE), -E.EBADF)
    a, w = os.pipe()
    update = struct.pack("IIQ", 1, 0, pointer(struct.pack("i", a)))
    gives(1, NR.io_uring_register, r.fd, 6, update, 1)
    os.write(w, b"pipe")
    eq(r.do(READ, 1, b, 4, flags=FIXED_FILE), 4)
    gives(0, NR.io_uring_register, r.fd, 3, 0, 0)
    gives(-E.ENXIO, NR.io_uring_register, r.fd, 3, 0, 0)
    fd = os.open("f", os.O_RDWR)
    iov = struct.pack("QQ", ctypes.addressof(b), 4096)
    gives(0, NR.io_uring_register, r.fd, 0, iov, 1)
    gives(-E.EBUSY, NR.io_uring_register, r.fd, 0, iov, 1)
    eq(r.do(READ_FIXED, fd, ctypes.addressof(b) + 100, 5, 0), 5)
    eq(b.raw[100:105], b"01234")
    eq(r.do(WRITE_FIXED, fd, ctypes.addressof(b) + 100, 5, 10), 5)
    eq(open("f").read(), "012345678901234")
    eq(r.do(READ_FIXED, fd, ctypes.addressof(b) + 4000, 100, 0), -E.EFAULT)
    eq(r.do(READ_FIXED, fd, ctypes.addressof(b), 100, 0, buf=1), -E.EFAULT)
    gives(0, NR.io_uring_register, r.fd, 1, 0, 0)
    gives(-E.ENXIO, NR.io_uring_register, r.fd, 1, 0, 0)


@test
def the_probe_lists_the_supported_operations():
    r = Ring()
    b = ctypes.create_string_buffer(16 + 256 * 8)
    gives(0, NR.io_uring_register, r.fd, 8, b, 256)
    last, n = b.raw[0], b.raw[1]
    ok(last >= 50 and n == last + 1, "last >= 50 and n == last + 1")
    for op in (NOP, READV, WRITE, POLL_ADD, TIMEOUT, ACCEPT, OPENAT, STATX, LINKAT):
        eq(b.raw[16 + 8 * op], op)
        eq(b.raw[16 + 8 * op + 2], 1, "supported")
    gives(-E.EINVAL, NR.io_uring_register, r.fd, 8, b, 256)
    gives(-E.EINVAL, NR.io_uring_register, r.fd, 9999, 0, 0)


@test
def sockets_connect_and_transfer_data():
    r = Ring()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    r.put(ACCEPT, listener.fileno(), op_flags=socket.SOCK_CLOEXEC, data=1)
    eq((r.enter(1), r.take()), (1, []))
    client = socket.socket()
    port = listener.getsockname()[1]
    name = struct.pack("<H", 2) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + bytes(8)
    r.put(CONNECT, client.fileno(), name, 0, 16, data=2)
    got = r.results(1, 2)
    eq(got[2], 0)
    server = socket.socket(fileno=got[1])
    b = ctypes.create_string_buffer(16)
    r.put(RECV, server.fileno(), b, 16, data=2)
    eq((r.enter(1), r.take()), (1, []))
    r.put(SEND, client.fileno(), b"hello", 5, data=3)
    eq(r.results(1, 2), {2: 5, 3: 5})
    eq(b.raw[:5], b"hello")
    iov = pointer(struct.pack("QQ", pointer(b"message"), 7))
    msg = struct.pack("QIIQQQQII", 0, 0, 0, iov, 1, 0, 0, 0, 0)
    eq(r.do(SENDMSG, server.fileno(), msg, 1), 7)
    eq(client.recv(10), b"message")
    eq(r.do(SHUTDOWN, client.fileno(), size=1), 0)
    eq(r.do(RECV, server.fileno(), b, 16), 0)
    server.close()
    client.close()
    x, y = socket.socketpair()
    y.close()
    eq(r.do(SEND, x.fileno(), b"x", 1), -E.EPIPE, "and no SIGPIPE")


@test
def a_multishot_accept_completes_for_each_connection():
    r = Ring()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0ring-%d" % os.getpid())
    listener.listen()
    r.put(ACCEPT, listener.fileno(), ioprio=1, data=1)
    eq(r.enter(1), 1)
    for _ in range(3):
        c = socket.socket(socket.AF_UNIX)
        c.connect(listener.getsockname())
        eq(r.enter(0, 1), 0)
        (d, fd, flags), = r.take()
        eq((d, flags), (1, 2))
        os.close(fd)


@test
def a_disabled_ring_is_enabled():
    r = Ring(flags=0x40)
    r.put(NOP)
    eq(r.enter(1), -E.EBADFD)
    gives(0, NR.io_uring_register, r.fd, 12, 0, 0)
    gives(-E.EBADFD, NR.io_uring_register, r.fd, 12, 0, 0)
    eq(r.enter(1), 1)


@test
def the_polling_thread_submits_after_a_wake_up():
    r = Ring(flags=2)
    r.put(NOP, data=1)

    def comes():
        if r.word(r.o_flags) & 1:
            eq(r.enter(1, 0, 2), 1)
        return r.word(r.c_tail) != 0
    wait_until(comes, "a completion")
    eq(r.take(), [(1, 0, 0)])


@test
def credentials_are_registered():
    r = Ring()
    os.mkdir("p", 0o700)
    one = sc(NR.io_uring_register, r.fd, 9, 0, 0)
    eq(one, 1)
    if os.getuid() == 0:
        os.setegid(1000)
        os.seteuid(1000)
        eq(r.do(OPENAT, -100, b"p/x", 0o600, op_flags=os.O_CREAT | os.O_RDWR), -E.EACCES)
        r.put(OPENAT, -100, b"p/x", 0o600, op_flags=os.O_CREAT | os.O_RDWR, personality=one)
        eq(r.enter(1, 1), 1)
        ok(r.take()[0][1] > 0, "r.take()[0][1] > 0")
        os.seteuid(0)
    eq(r.do(NOP, personality=9), -E.EINVAL)
    gives(0, NR.io_uring_register, r.fd, 10, 0, one)
    gives(-E.EINVAL, NR.io_uring_register, r.fd, 10, 0, one)


class WatchedPipe:
    """
    A pipe whose read end has a lock, which is released with the last descriptor or request that
    has the file.
    """

    def __init__(self):
        self.r, self.w = os.pipe()
        self.again = os.open("/proc/self/fd/%d" % self.r, os.O_RDONLY)
        fcntl.flock(self.r, fcntl.LOCK_EX)

    def is_free(self):
        try:
            fcntl.flock(self.again, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False

    def gives_all(self):
        os.write(self.w, b"abc")
        eq(os.read(self.again, 8), b"abc", "no request consumed the bytes")


@test
def requests_end_with_their_process_and_ring():
    r, p = Ring(), WatchedPipe()
    pid = os.fork()
    if pid == 0:
        r.put(READ, p.r, bytes(8), 8)
        r.enter(1)
        os._exit(0)
    os.close(p.r)
    os.waitpid(pid, 0)
    p.gives_all()  # Linux ends the request when data come
    r, p = Ring(), WatchedPipe()
    r.put(READ, p.r, bytes(8), 8)
    eq(r.enter(1), 1)
    os.close(p.r)
    ok(not p.is_free(), "the request has the file")
    r.ring.close()
    r.sqes.close()
    os.close(r.fd)
    wait_until(p.is_free, "the end of the request")
    p.gives_all()


@test
def many_requests_at_once_all_complete():
    r = Ring(256)
    file, size = os.memfd_create("much"), 1 << 20
    os.truncate(file, size)
    area = ctypes.create_string_buffer(b"x" * size, size)
    for i in range(256):
        last = i % 4 == 3
        flags = DRAIN if i == 128 else 0 if last else LINK
        r.put(NOP if last else READ, -1 if last else file, 0 if last else area, 0 if last else size,
              0, i, flags)
    done = r.results(256, 256)
    eq(sorted(done), list(range(256)))
    eq({i for i in done if done[i] != (0 if i % 4 == 3 else size)}, set())
    eq(area.raw.count(b"x"), 0)
    os.close(file)


@test
def a_request_cancelled_before_its_turn_does_not_complete():
    r = Ring(256)
    zero, size = os.open("/dev/zero", os.O_RDONLY), 1 << 20
    area = ctypes.create_string_buffer(size)
    for i in range(256):
        r.put(READ, zero, area, size, data=i)
    eq(r.enter(256), 256)
    os.close(r.fd)
    r.ring.close()
    r.sqes.close()
    os.close(zero)
    eq(Ring(8).do(NOP), 0)


@test
def a_hostile_ring_does_not_harm_another_ring():
    r = Ring()
    for head, tail in ((0, 1 << 31), (1 << 31, 0), (5, 4)):
        struct.pack_into("I", r.ring, r.o_head, head)
        struct.pack_into("I", r.ring, r.o_tail, tail)
        struct.pack_into("I", r.ring, r.c_head, tail)
        for i in range(64 * r.sq):
            r.sqes[i] = (i * 7 + head) & 0x7F if i % 64 else NOP
        n = r.enter(0xFFFFFFFF)
        ok(-200 < n <= r.sq, "enter: %d" % n)
    eq(Ring().do(NOP), 0)


@test
def more_requests_than_one_enter_submits():
    """
    Chains stay whole, the first invalid request ends the batch, and time-outs count completions.
    """
    r = Ring(1024)
    for i in range(3):
        r.put(TIMEOUT, addr=span(1000), size=1, off=300 * (i + 1), data=5000 + i)
    for i in range(1000):
        r.put(NOP, data=i, flags=LINK if i in (254, 255, 256, 257, 600) else 0)
    eq(r.enter(1003, 1003), 1003)
    got = [d for d, res, _ in r.take() if res == 0]
    eq(sorted(got), list(range(1000)) + [5000, 5001, 5002])
    eq([d for d in got if d >= 5000], [5000, 5001, 5002])
    for i in range(1000):
        r.put(NOP, data=i, op_flags=0 if i != 700 else 1 << 30)
    eq(r.enter(1000), 701)
    eq(r.enter(1000), 299)
    eq(sorted(res for _, res, _ in r.take()), [-E.EINVAL] + [0] * 999)


@test
def more_completions_than_the_ring_ever_holds():
    """One completion always waits for room: order and number stay the same."""
    r = Ring(8)
    n = 0
    for _ in range(40):
        for _ in range(8):
            r.put(NOP, data=n)
            n += 1
        eq(r.enter(8), 8)
    seen = []
    while len(seen) < n:
        r.enter(0, 1)
        got = r.take()
        ok(0 < len(got) <= r.cq, len(got))
        seen += [d for d, _, _ in got]
        if len(seen) < 1000:
            r.put(NOP, data=n)
            n += 1
            r.enter(1)
    eq(seen, list(range(n)))


@test
def a_ring_cannot_be_registered_or_sent():
    """A ring that holds itself would never be freed."""
    r = Ring()
    register = lambda *a: sc(NR.io_uring_register, *a)
    for other in (r, Ring()):
        fds = (ctypes.c_int * 2)(0, other.fd)
        eq(register(r.fd, 2, fds, 2), -E.EBADF, "REGISTER_FILES")
    eq(register(r.fd, 2, (ctypes.c_int * 2)(0, -1), 2), 0)
    a, b = socket.socketpair()
    try:
        socket.send_fds(a, [b"x"], [r.fd])
        ok(False, "the ring was sent")
    except OSError as e:
        eq(e.errno, E.EINVAL)
    eq(r.do(NOP), 0)


run()
