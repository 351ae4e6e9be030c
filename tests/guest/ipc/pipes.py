"""Pipes and FIFOs: limits, atomicity, ends, O_NONBLOCK, SIGPIPE, splice and tee, eventfd."""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import threading
from errno import *
from lib.guest import *

F_SETPIPE_SZ, F_GETPIPE_SZ, FIONREAD = 1031, 1032, 0x541B


def readable(fd):
    n = ctypes.c_int()
    works(NR.ioctl, fd, FIONREAD, n)
    return n.value


@test
def pipe_ends():
    r, w = os.pipe()
    fails(EBADF, os.write, r, b"x")
    fails(EBADF, os.read, w, 1)
    os.write(w, b"abc")
    eq(readable(r), 3)
    eq(os.read(r, 2), b"ab")
    os.close(w)
    eq(os.read(r, 10), b"c")
    eq(os.read(r, 10), b"")
    gives(-EINVAL, NR.pipe2, (ctypes.c_int * 2)(), 1)
    gives(-EFAULT, NR.pipe2, 8, 0)


@test
def writing_without_a_reader():
    r, w = os.pipe()
    os.close(r)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    fails(EPIPE, os.write, w, b"x")
    got = []
    signal.signal(signal.SIGPIPE, lambda s, f: got.append(s))
    fails(EPIPE, os.write, w, b"x")
    eq(got, [signal.SIGPIPE])

    def child():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.write(w, b"x")
    eq(in_child(child), signal.SIGPIPE)
    eq(os.write(w, b""), 0)


@test
def capacity():
    r, w = os.pipe()
    eq(fcntl.fcntl(w, F_GETPIPE_SZ), 65536)
    os.set_blocking(w, False)
    total = 0
    while True:
        try:
            total += os.write(w, b"x" * 4096)
        except BlockingIOError:
            break
    eq(total, 65536)
    os.read(r, 4095)
    fails(EAGAIN, os.write, w, b"y" * 4096)
    eq(fcntl.fcntl(w, F_SETPIPE_SZ, 1 << 20), 1 << 20)
    ok(os.write(w, b"z" * 100_000) == 100_000, "more room")
    fails(EBUSY, fcntl.fcntl, w, F_SETPIPE_SZ, 4096)
    eq(len(os.read(r, 1 << 21)), 65536 - 4095 + 100_000)
    eq(fcntl.fcntl(w, F_SETPIPE_SZ, 1), 4096)


@test
def small_writes_are_atomic():
    r, w = os.pipe()
    os.set_blocking(w, False)
    os.write(w, b"x" * 63000)
    fails(EAGAIN, os.write, w, b"y" * 4096)
    n = os.write(w, b"z" * 5000)
    ok(0 < n < 5000, "a long write may be partial: %d" % n)


@test
def atomic_among_writers():
    r, w = os.pipe()
    n, size = 60, 1000

    def writer(letter):
        for _ in range(n):
            os.write(w, letter * size)
    pids = [spawn(writer, bytes([65 + i])) for i in range(3)]
    os.close(w)
    data = b""
    while True:
        part = os.read(r, 70000)
        if not part:
            break
        data += part
    eq(len(data), 3 * n * size)
    for i in range(0, len(data), size):
        ok(len(set(data[i:i + size])) == 1, "a record was torn")
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


@test
def long_writes_block_until_read():
    r, w = os.pipe()
    done = Pipe()
    pid = spawn(lambda: done.post(struct.pack("q", os.write(w, b"ab" * 200_000))))
    os.close(w)
    wait_state(pid, "S")
    got = b""
    while len(got) < 400_000:
        got += os.read(r, 33333)
    eq(got, b"ab" * 200_000)
    eq(struct.unpack("q", done.take(8))[0], 400_000)
    os.waitpid(pid, 0)


@test
def an_interrupted_write_returns_the_bytes_written():
    r, w = os.pipe()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    buf = ctypes.create_string_buffer(100_000)
    eq(under_alarms(sc, NR.write, w, buf, 100_000), 65536)
    eq(under_alarms(sc, NR.write, w, buf, 10), -EINTR)


@test
def reader_wakes_at_the_last_close():
    r, w = os.pipe()
    got = []
    t = threading.Thread(target=lambda: got.append(os.read(r, 10)))
    t.start()
    go = Pipe()
    pid = spawn(go.take)
    os.close(w)
    wait_in_call(t.native_id, NR.read)
    go.post()
    t.join(DEADLINE_S)
    eq(got, [b""])
    os.waitpid(pid, 0)


@test
def fifos():
    os.mkfifo("f")
    fails(ENXIO, os.open, "f", os.O_WRONLY | os.O_NONBLOCK)
    r = os.open("f", os.O_RDONLY | os.O_NONBLOCK)
    eq(os.read(r, 5), b"")
    w = os.open("f", os.O_WRONLY)
    fails(EAGAIN, os.read, r, 5)
    os.write(w, b"hi")
    eq(os.read(r, 5), b"hi")
    os.close(w)
    eq(os.read(r, 5), b"")
    rw = os.open("f", os.O_RDWR)
    os.write(rw, b"x")
    eq(os.read(rw, 5), b"x")


@test
def opening_a_fifo_waits_for_the_other_end():
    os.mkfifo("f")

    def writer():
        fd = os.open("f", os.O_WRONLY)
        os.write(fd, b"met")
    pid = spawn(writer)
    wait_state(pid, "S")
    fd = os.open("f", os.O_RDONLY)
    eq(os.read(fd, 10), b"met")
    eq(os.read(fd, 10), b"")
    eq(os.waitpid(pid, 0)[1], 0)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    os.mkfifo("g")
    under_alarms(gives, -EINTR, NR.open, b"g", os.O_RDONLY, 0)


@test
def pipes_can_be_reopened_through_proc():
    r, w = os.pipe()
    again = os.open("/proc/self/fd/%d" % w, os.O_WRONLY)
    os.write(again, b"x")
    eq(os.read(r, 1), b"x")
    ok(os.readlink("/proc/self/fd/%d" % r).startswith("pipe:["), "its name")
    import stat
    ok(stat.S_ISFIFO(os.fstat(r).st_mode), "a FIFO for stat")
    eq(os.fstat(r).st_ino, os.fstat(w).st_ino)


def sinks(names):
    """Opens files for writing, of these names."""
    made = {
        "event": lambda: works(NR.eventfd2, 0, 0),
        "epoll": lambda: works(NR.epoll_create1, 0),
        "timer": lambda: works(NR.timerfd_create, 1, 0),
        "pidfd": lambda: works(NR.pidfd_open, os.getpid(), 0),
        "memfd": lambda: os.memfd_create("m"),
        "socket": lambda: [s.detach() for s in socket.socketpair()][0],
        "terminal": lambda: os.openpty()[0],
    }
    return [(n, made[n]() if n in made else os.open(n, os.O_WRONLY)) for n in names.split()]


@test
def files_without_splice_write_refuse_it_at_once():
    src = os.open("source", os.O_RDWR | os.O_CREAT)
    os.pwrite(src, b"12345678", 0)
    r, w = os.pipe()
    names = ("event epoll timer pidfd /dev/full /proc/self/comm /proc/self/oom_score_adj "
             "/proc/self/mem /proc/thread-self/attr/current")
    for name, fd in sinks(names):
        gives(-EINVAL, NR.splice, r, None, fd, None, 8, 0)
        os.write(w, b"12345678")
        gives(-EINVAL, NR.splice, r, None, fd, None, 8, 0)
        eq(os.read(r, 9), b"12345678", name)
        gives(-EINVAL, NR.sendfile, fd, src, None, 8)
        eq(os.lseek(src, 0, 1), 0)
        gives(0, NR.sendfile, fd, src, ctypes.c_int64(8), 8)


@test
def files_with_splice_write_take_it():
    src = os.open("source", os.O_RDWR | os.O_CREAT)
    os.pwrite(src, b"12345678", 0)
    r, w = os.pipe()
    for name, fd in sinks("memfd source /dev/null /dev/zero socket terminal"):
        gives(-EAGAIN, NR.splice, r, None, fd, None, 8, 2)
        os.write(w, b"12345678")
        eq(sc(NR.splice, r, None, fd, None, 8, 0), 8, name)
        eq(sc(NR.sendfile, fd, src, ctypes.c_int64(0), 8), 8, name)


@test
def splice_and_tee():
    a, b = os.pipe(), os.pipe()
    os.write(a[1], b"0123456789")
    eq(sc(NR.tee, a[0], b[1], 4, 0), 4)
    eq(os.read(b[0], 10), b"0123")
    eq(sc(NR.splice, a[0], None, b[1], None, 6, 0), 6)
    eq(os.read(b[0], 10), b"012345")
    eq(os.read(a[0], 10), b"6789")
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(a[1], b"to a file")
    eq(sc(NR.splice, a[0], None, fd, ctypes.c_int64(3), 100, 0), 9)
    eq(os.pread(fd, 20, 0), b"\0\0\0to a file")
    gives(-EAGAIN, NR.splice, a[0], None, b[1], None, 5, 2)
    gives(-ESPIPE, NR.splice, a[0], ctypes.c_int64(0), b[1], None, 5, 2)
    gives(-EINVAL, NR.splice, a[0], None, b[1], None, 5, 0x100)
    gives(-EINVAL, NR.tee, a[0], fd, 4, 0)


@test
def event_descriptors():
    fd = works(NR.eventfd2, 3, os.O_NONBLOCK)
    eq(struct.unpack("<Q", os.read(fd, 8))[0], 3)
    fails(EAGAIN, os.read, fd, 8)
    os.write(fd, struct.pack("<Q", 5))
    os.write(fd, struct.pack("<Q", 6))
    eq(struct.unpack("<Q", os.read(fd, 8))[0], 11)
    fails(EINVAL, os.write, fd, struct.pack("<Q", 2**64 - 1))
    os.write(fd, struct.pack("<Q", 2**64 - 2))
    fails(EAGAIN, os.write, fd, struct.pack("<Q", 1))
    fails(EINVAL, os.write, fd, b"1234")
    fails(EINVAL, os.read, fd, 4)
    sem = works(NR.eventfd2, 2, 1 | os.O_NONBLOCK)
    eq(struct.unpack("<Q", os.read(sem, 8))[0], 1)
    eq(struct.unpack("<Q", os.read(sem, 8))[0], 1)
    fails(EAGAIN, os.read, sem, 8)
    gives(-EINVAL, NR.eventfd2, 0, 4)


@test
def event_descriptor_wakes_a_reader():
    fd = works(NR.eventfd2, 0, 0)
    pid = spawn(lambda: struct.unpack("<Q", os.read(fd, 8))[0])
    wait_state(pid, "S")
    os.write(fd, struct.pack("<Q", 7))
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)


@test
def ping_pong():
    a, b = Pipe(), Pipe()

    def child():
        for i in range(2000):
            a.take()
            b.post()
    pid = spawn(child)
    for i in range(2000):
        a.post()
        b.take()
    eq(os.waitpid(pid, 0)[1], 0)


@test
def signal_driven_input():
    r, w = os.pipe()
    got = []
    signal.signal(signal.SIGIO, lambda s, f: got.append(s))
    fcntl.fcntl(r, fcntl.F_SETOWN, os.getpid())
    eq(fcntl.fcntl(r, fcntl.F_GETOWN), os.getpid())
    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
    os.write(w, b"x")
    wait_until(lambda: got, "SIGIO")


run()
