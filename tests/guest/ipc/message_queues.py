"""POSIX message queues: mq_overview(7), by raw calls (names have no slash there)."""

import ctypes
import errno as E
import os
import resource
import select
import signal
import struct
import time

from lib.guest import (
    NR, SYS, child_ok, eq, fails, gives, libc, need_root, ok, run, sc, skip, spawn, test, wait_state,
    wait_until, works)

SYS.update(mq_open=240, mq_unlink=241, mq_timedsend=242, mq_timedreceive=243, mq_notify=244,
           mq_getsetattr=245)
R, W, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREAT, EXCL, NONBLOCK = os.O_CREAT, os.O_EXCL, os.O_NONBLOCK


def attr(messages, size):
    return struct.pack("8q", 0, messages, size, 0, 0, 0, 0, 0)


def name():
    return b"guest-%d" % os.getpid()


class Queue:
    """A queue that is removed at the end of a test."""

    def __init__(self, messages=4, size=16, flags=0):
        self.name = name()
        self.fd = works(NR.mq_open, self.name, RW | CREAT | EXCL | flags, 0o600,
                        attr(messages, size))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        sc(NR.mq_unlink, self.name)

    def send(self, text, priority=0, timeout=None):
        return sc(NR.mq_timedsend, self.fd, text, len(text), priority, timeout)

    def receive(self, size=16, timeout=None):
        b, p = ctypes.create_string_buffer(max(1, size)), ctypes.c_uint(99)
        n = sc(NR.mq_timedreceive, self.fd, b, size, p, timeout)
        return n if n < 0 else (b.raw[:n], p.value)

    def attributes(self):
        b = ctypes.create_string_buffer(64)
        works(NR.mq_getsetattr, self.fd, 0, b)
        return struct.unpack_from("4q", b)


def reap(pid):
    eq(os.waitpid(pid, 0)[1], 0, "wait status of the child")


@test
def names_and_flags():
    gives(-E.ENOENT, NR.mq_open, name(), RW, 0, 0)
    gives(-E.ENOENT, NR.mq_open, b"", RW | CREAT, 0o600, 0)
    gives(-E.EACCES, NR.mq_open, b"a/b", RW | CREAT, 0o600, 0)
    gives(-E.EACCES, NR.mq_open, b"..", RW | CREAT, 0o600, 0)
    gives(-E.ENAMETOOLONG, NR.mq_open, b"n" * 256, RW | CREAT, 0o600, 0)
    gives(-E.EINVAL, NR.mq_open, name(), RW | CREAT, 0o600, attr(0, 10))
    gives(-E.EINVAL, NR.mq_open, name(), RW | CREAT, 0o600, attr(10, -1))
    gives(-E.EFAULT, NR.mq_open, name(), RW | CREAT, 0o600, 16)
    gives(-E.ENOENT, NR.mq_unlink, name())
    with Queue() as q:
        gives(-E.EEXIST, NR.mq_open, q.name, RW | CREAT | EXCL, 0o600, 0)
        gives(-E.EINVAL, NR.mq_open, q.name, RW | W, 0, 0)
        again = works(NR.mq_open, q.name, R | CREAT, 0o600, attr(-5, 0))
        ok(os.get_inheritable(again) is False, "close on exec")
        eq(os.readlink("/proc/self/fd/%d" % again), "/" + q.name.decode())
        works(NR.mq_unlink, q.name)
        gives(-E.ENOENT, NR.mq_open, q.name, RW, 0, 0)
        eq(q.send(b"lives"), 0)


@test
def messages_come_by_priority_and_age():
    with Queue(5) as q:
        for text, priority in (b"a", 1), (b"b", 9), (b"", 1), (b"d", 0), (b"e", 9):
            eq(q.send(text, priority), 0)
        eq(q.attributes(), (0, 5, 16, 5))
        got = [q.receive() for _ in range(5)]
        eq(got, [(b"b", 9), (b"e", 9), (b"a", 1), (b"", 1), (b"d", 0)])


@test
def sizes_and_rights_are_checked():
    with Queue() as q:
        eq(q.send(bytes(17)), -E.EMSGSIZE)
        eq(q.send(b"x", 32768), -E.EINVAL)
        eq(q.send(b"x", 32767), 0)
        eq(q.receive(15), -E.EMSGSIZE)
        gives(-E.EFAULT, NR.mq_timedsend, q.fd, 16, 4, 0, 0)
        reader = works(NR.mq_open, q.name, R, 0, 0)
        writer = works(NR.mq_open, q.name, W, 0, 0)
        gives(-E.EBADF, NR.mq_timedsend, reader, b"x", 1, 0, 0)
        gives(-E.EBADF, NR.mq_timedreceive, writer, ctypes.create_string_buffer(16), 16, 0, 0)
        r, w = os.pipe()
        gives(-E.EBADF, NR.mq_timedsend, w, b"x", 1, 0, 0)
        gives(-E.EBADF, NR.mq_getsetattr, w, 0, 0)
        eq(q.receive(16), (b"x", 32767))


@test
def full_and_empty_queues_wait_or_refuse():
    with Queue(1) as q:
        b = ctypes.create_string_buffer(64)
        works(NR.mq_getsetattr, q.fd, struct.pack("8q", NONBLOCK, 9, 9, 9, 0, 0, 0, 0), b)
        eq(q.attributes(), (NONBLOCK, 1, 16, 0))
        gives(-E.EINVAL, NR.mq_getsetattr, q.fd, struct.pack("8q", 1, 0, 0, 0, 0, 0, 0, 0), 0)
        eq(q.receive(), -E.EAGAIN)
        eq(q.send(b"1"), 0)
        eq(q.send(b"2"), -E.EAGAIN)
        works(NR.mq_getsetattr, q.fd, bytes(64), 0)
        t0 = time.monotonic()
        now = time.time() + 0.05
        limit = struct.pack("qq", int(now), int(now % 1 * 1e9))
        eq(q.send(b"2", 0, limit), -E.ETIMEDOUT)
        ok(time.monotonic() - t0 > 0.04, "it waited")
        eq(q.send(b"2", 0, struct.pack("qq", 0, 10 ** 9)), -E.EINVAL)
        sender = spawn(lambda: eq(q.send(b"2", 5), 0))
        wait_state(sender, "S")
        eq(q.receive(), (b"1", 0))
        reap(sender)
        eq(q.receive(), (b"2", 5))
        eq(q.receive(16, struct.pack("qq", 1, 0)), -E.ETIMEDOUT, "long ago")
        reader = spawn(lambda: eq(q.receive(), (b"3", 7)))
        wait_state(reader, "S")
        eq(q.send(b"3", 7), 0)
        reap(reader)

        def interrupted():
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            eq(q.receive(), -E.EINTR)
        child_ok(interrupted)


@test
def queues_can_be_polled():
    with Queue(1) as q:
        p = select.poll()
        p.register(q.fd, select.POLLIN | select.POLLOUT)
        eq(p.poll(0), [(q.fd, select.POLLOUT)])
        ep = select.epoll()
        ep.register(q.fd, select.EPOLLIN)
        sender = spawn(lambda: eq(q.send(b"x"), 0))
        eq(ep.poll(5), [(q.fd, select.EPOLLIN)])
        reap(sender)
        eq(p.poll(0), [(q.fd, select.POLLIN)])


def event(kind, signo, value=0):
    return struct.pack("Qii48x", value, signo, kind)


@test
def a_process_is_notified_once_of_a_message():
    with Queue() as q:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        gives(0, NR.mq_notify, q.fd, event(0, signal.SIGUSR1, 1234))
        child_ok(lambda: eq(sc(NR.mq_notify, q.fd, event(0, signal.SIGUSR1)), -E.EBUSY))
        text = os.pread(q.fd, 200, 0).decode()
        eq(text.split(), ["QSIZE:0", "NOTIFY:0", "SIGNO:10", "NOTIFY_PID:%d" % os.getpid()])
        eq(len(text), 54 + max(6, len(str(os.getpid()))), "length of the text")

        def child():
            eq(q.send(b"x"), 0)
        pid = spawn(child)
        info = signal.sigtimedwait([signal.SIGUSR1], 5)
        eq((info.si_code, info.si_pid), (-3, pid), "SI_MESGQ")
        reap(pid)
        eq(q.send(b"y"), 0)
        eq(signal.sigtimedwait([signal.SIGUSR1], 0.02), None, "only once")
        eq((q.receive()[0], q.receive()[0]), (b"x", b"y"))
        gives(0, NR.mq_notify, q.fd, event(1, 0))
        gives(-E.EBUSY, NR.mq_notify, q.fd, event(1, 0))
        gives(0, NR.mq_notify, q.fd, 0)
        gives(0, NR.mq_notify, q.fd, event(0, signal.SIGUSR1))
        os.close(os.dup(q.fd))
        eq(q.send(b"z"), 0)
        eq(signal.sigtimedwait([signal.SIGUSR1], 0.02), None, "closing a descriptor ends it")
        gives(-E.EINVAL, NR.mq_notify, q.fd, event(7, 0))
        gives(-E.EINVAL, NR.mq_notify, q.fd, event(0, 65))
        gives(-E.EBADF, NR.mq_notify, 0, event(1, 0))


@test
def a_waiting_receiver_gets_the_message_without_a_notification():
    with Queue() as q:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        gives(0, NR.mq_notify, q.fd, event(0, signal.SIGUSR1))
        reader = spawn(lambda: eq(q.receive(), (b"x", 0)))
        wait_state(reader, "S")
        eq(q.send(b"x"), 0)
        reap(reader)
        eq(signal.sigtimedwait([signal.SIGUSR1], 0.02), None)
        eq(q.send(b"y"), 0)
        ok(signal.sigtimedwait([signal.SIGUSR1], 5) is not None, "still registered")


@test
def the_c_library_starts_a_thread():
    with Queue() as q:
        seen = []
        handler = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(seen.append)
        raw = struct.pack("QiiQQ", 4711, 0, 2, ctypes.cast(handler, ctypes.c_void_p).value, 0)
        ev = ctypes.create_string_buffer(raw, 64)
        if libc.mq_notify(q.fd, ev) != 0:
            raise OSError(ctypes.get_errno(), "mq_notify")
        eq(q.send(b"x"), 0)
        wait_until(lambda: seen, "the thread")
        eq(seen, [4711])


@test
def limits_hold():
    need_root()
    gives(-E.EINVAL, NR.mq_open, name(), RW | CREAT, 0o600, attr(65537, 1))
    def child():
        os.setgid(1000)
        os.setuid(1000)
        gives(-E.EINVAL, NR.mq_open, name(), RW | CREAT, 0o600, attr(11, 1))
        gives(-E.EINVAL, NR.mq_open, name(), RW | CREAT, 0o600, attr(1, 8193))
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (82880 * 2 + 100,) * 2)
        names = [name() + b"-%d" % i for i in range(3)]
        fds = [works(NR.mq_open, n, RW | CREAT, 0o600, 0) for n in names[:2]]
        eq(gives(-E.EMFILE, NR.mq_open, names[2], RW | CREAT, 0o600, 0), -E.EMFILE)
        for n in names[:2]:
            works(NR.mq_unlink, n)
        gives(-E.EMFILE, NR.mq_open, names[2], RW | CREAT, 0o600, 0)
        os.close(fds[0])
        works(NR.mq_open, names[2], RW | CREAT, 0o600, 0)
        works(NR.mq_unlink, names[2])
    child_ok(child)


@test
def the_mqueue_file_system_lists_queues():
    need_root()
    os.mkdir("mq")
    if libc.mount(b"none", b"mq", b"mqueue", 0, None) != 0:
        skip("mqueue cannot be mounted")
    try:
        with Queue() as q:
            path = "mq/" + q.name.decode()
            eq(q.send(b"12345"), 0)
            s = os.stat(path)
            eq((s.st_size, s.st_mode), (80, 0o100600))
            ok(open(path).read().startswith("QSIZE:5 "), "its text")
            os.chmod(path, 0o444)
            fails(E.EPERM, os.link, path, "mq/other")
            fails(E.EPERM, os.rename, path, "mq/other")
            fails(E.EPERM, os.mkdir, "mq/dir")
            fails(E.EPERM, os.symlink, "x", "mq/link")
            made = os.open("mq/made", os.O_CREAT | os.O_RDWR, 0o600)
            gives(0, NR.mq_timedsend, made, b"hello", 5, 1, 0)
            ok("made" in os.listdir("mq"), "listed")
            os.unlink("mq/made")
            os.unlink(path)
            gives(-E.ENOENT, NR.mq_open, q.name, RW, 0, 0)
    finally:
        libc.umount(b"mq")


run()
