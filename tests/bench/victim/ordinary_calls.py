"""The ordinary calls of a victim: each does a small, frequent task of programs, and fails if the
kernel refuses it.

The calls in SHARED use objects that containers of a pod share, or that Linux counts for a user: an
attacker in the pod, or of the same user, can exhaust them natively as well.
"""

import ctypes
import errno
import mmap
import os
import pty
import select
import socket
import threading

from calls import libc

EVERY, SELDOM, SHARED = {}, {}, set()


def each(table, is_shared=False):
    def enter(function):
        table[function.__name__] = function
        if is_shared:
            SHARED.add(function.__name__)
        return function
    return enter


def checked(r):
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


@each(EVERY)
def open_file():
    for path in ("/bin/busybox", "/etc/own", "/proc/self/status", "/dev/null"):
        with open(path, "rb", buffering=0) as f:
            f.read(64)


@each(EVERY)
def write_file():
    for at in ("/tmp", "/dev/shm"):
        with open(f"{at}/victim", "wb", buffering=0) as f:
            f.write(b"x" * 8192)
        os.rename(f"{at}/victim", f"{at}/victim2")
        os.unlink(f"{at}/victim2")


@each(EVERY)
def memory():
    with mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as m:
        for at in range(0, 1 << 20, 4096):
            m[at] = 1


@each(EVERY)
def memfd():
    fd = os.memfd_create("victim")
    try:
        os.write(fd, b"x" * 65536)
    finally:
        os.close(fd)


@each(EVERY)
def pipe():
    r, w = os.pipe()
    os.write(w, b"x" * 65536)
    got = os.read(r, 65536)
    os.close(r)
    os.close(w)
    if len(got) != 65536:
        raise OSError(errno.EIO, "pipe")


@each(EVERY)
def unix_sockets():
    a, b = socket.socketpair()
    with a, b:
        a.send(b"x" * 1000)
        b.recv(1000)


@each(EVERY)
def named_unix_socket():
    with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX) as c:
        s.bind("/tmp/socket")
        try:
            s.listen()
            c.connect("/tmp/socket")
            s.accept()[0].close()
        finally:
            os.unlink("/tmp/socket")


@each(EVERY)
def inet_socket():
    with socket.socket() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as d:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        d.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


@each(EVERY)
def event_files():
    fds = [checked(libc.eventfd(0, 0)), checked(libc.timerfd_create(1, 0))]
    try:
        with select.epoll() as ep:
            for fd in fds:
                ep.register(fd, select.EPOLLIN)
            ep.poll(0)
    finally:
        for fd in fds:
            os.close(fd)


@each(EVERY)
def record_lock():
    import fcntl
    with open("/tmp/lock", "wb") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)


@each(EVERY)
def attribute():
    with open("/tmp/attribute", "wb"):
        pass
    os.setxattr("/tmp/attribute", "user.victim", b"x")


@each(SELDOM)
def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        raise OSError(errno.EINTR, "the child was killed")


@each(SELDOM)
def execute():
    pid = os.posix_spawn("/bin/busybox", ["true"], {})
    if os.waitpid(pid, 0)[1] != 0:
        raise OSError(errno.EINTR, "the program was killed")


@each(SELDOM)
def thread():
    t = threading.Thread(target=os.getpid)
    try:
        t.start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, "thread") from None
    t.join()


@each(SELDOM, True)
def watch():
    fd = checked(libc.inotify_init())
    try:
        checked(libc.inotify_add_watch(fd, b"/tmp", 0xFFF))
    finally:
        os.close(fd)


@each(SELDOM, True)
def connection():
    with socket.socket() as s, socket.socket() as c:
        s.bind(("127.0.0.1", 0))
        s.listen()
        c.connect(s.getsockname())
        s.accept()[0].close()


@each(SELDOM, True)
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.bind(("127.0.0.1", 0))
        s.sendto(b"x", s.getsockname())
        s.recv(1)


@each(SELDOM, True)
def abstract_socket():
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("\0victim")
        s.listen()


@each(SELDOM, True)
def system_v():
    ids = [
        (checked(libc.semget(0, 1, 0o1600)), lambda i: libc.semctl(i, 0, 0)),
        (checked(libc.shmget(0, 4096, 0o1600)), lambda i: libc.shmctl(i, 0, None)),
        (checked(libc.msgget(0, 0o1600)), lambda i: libc.msgctl(i, 0, None)),
    ]
    for one, remove in ids:
        remove(one)


@each(SELDOM, True)
def message_queue():
    queue = checked(libc.mq_open(b"/victim", 0o102, 0o600, None))
    os.close(queue)
    libc.mq_unlink(b"/victim")


@each(SELDOM, True)
def key():
    one = libc.syscall(248, b"user", b"victim", b"x", ctypes.c_long(1), ctypes.c_int(-2))
    checked(libc.syscall(250, ctypes.c_long(3), ctypes.c_int(checked(one)), 0, 0, 0))


@each(SELDOM, True)
def terminal():
    a, b = pty.openpty()
    os.close(a)
    os.close(b)


class Tally:
    """Makes the calls between the victim's waits, and counts the failures of each phase, as in
    {"pipe ENFILE": 3}."""

    def __init__(self):
        self.failed = ({}, {})

    def __call__(self, i, phase):
        if i % 10 == 0:
            self.make(EVERY, phase)
        if i % 100 == 0:
            self.make(SELDOM, phase)

    def make(self, table, phase):
        for name, function in table.items():
            try:
                function()
            except OSError as e:
                what = f"{name} {errno.errorcode.get(e.errno, e)}"
                self.failed[phase][what] = self.failed[phase].get(what, 0) + 1
