"""Events and flags of poll, epoll, inotify, eventfd and signalfd, one by one: each acts, by an
expression whose value Linux gave.
"""

import ctypes
import os
import select
import socket
import struct
from errno import *
from lib.guest import *


def polled(fd, events):
    buf = ctypes.create_string_buffer(struct.pack("ihh", fd, events, 0), 8)
    return sc(NR.poll, buf, 1, 0), struct.unpack("ihH", buf.raw)[2]


def full_pipe(data=b"x"):
    r, w = os.pipe()
    os.write(w, data)
    return r, w


def epoll(events, fd=None, op=1):
    e = works(NR.epoll_create1, 0)
    if fd is None:
        fd = full_pipe()[0]
    r = sc(NR.epoll_ctl, e, op, fd, struct.pack("<IQ", events & 0xFFFFFFFF, 7))
    out = []
    for _ in range(2):
        buf = ctypes.create_string_buffer(24)
        n = sc(NR.epoll_wait, e, buf, 1, 0)
        out.append(struct.unpack("<IQ", buf.raw[:12])[0] if n == 1 else n)
    return [r] + out


def changed(op):
    e, (r, _) = works(NR.epoll_create1, 0), full_pipe()
    event = struct.pack("<IQ", 1, 7)
    return sc(NR.epoll_ctl, e, op, r, event), sc(NR.epoll_ctl, e, 1, r, event), sc(NR.epoll_ctl, e, op, r, event)


def watched(mask, act, path="d"):
    """Returns the masks of the events that act raises."""
    os.makedirs("d", exist_ok=True)
    open("d/f", "w").close()
    i = works(NR.inotify_init1, 0o4000)
    works(NR.inotify_add_watch, i, path.encode(), mask)
    act()
    out = []
    try:
        data = os.read(i, 4096)
    except BlockingIOError:
        return out
    while data:
        _, event, _, size = struct.unpack_from("iIII", data)
        out.append(event)
        data = data[16 + size:]
    return out


def put(path, text="x"):
    with open(path, "a") as f:
        f.write(text)


def get(path):
    with open(path) as f:
        f.read()


def made(nr, *args):
    fd = sc(nr, *args)
    return fd if fd < 0 else (sc(NR.fcntl, fd, 1), sc(NR.fcntl, fd, 3) & 0o4000)


def semaphore(flags):
    fd = works(NR.eventfd2, 3, flags)
    return struct.unpack("Q", os.read(fd, 8))[0], struct.unpack("Q", os.read(fd, 8))[0] if flags & 1 else 0


def add(mask, path=b"."):
    i = works(NR.inotify_init1, 0)
    return sc(NR.inotify_add_watch, i, path, mask), sc(NR.inotify_add_watch, i, path, mask)


@test
def busy_polling_of_epoll():
    put, get = 0x40088a01, 0x80088a02
    e = select.epoll()
    room = ctypes.create_string_buffer(8)

    def kept():
        gives(0, NR.ioctl, e.fileno(), get, room)
        return struct.unpack("IHBB", room.raw)

    def asks(expected, *words):
        gives(expected, NR.ioctl, e.fileno(), put, struct.pack("IHBB", *words))
    if sc(NR.ioctl, e.fileno(), get, room) == -EINVAL:
        skip("Linux before 6.9")
    eq(kept(), (0, 0, 0, 0))
    asks(0, 0x7fffffff, 64, 1, 0)
    for words in ((1, 1, 1, 1), (0x80000000, 1, 1, 0), (1, 1, 2, 0)):
        asks(-EINVAL, *words)
    eq(kept(), (0x7fffffff, 64, 1, 0))
    for request in (put, get):
        gives(-EFAULT, NR.ioctl, e.fileno(), request, 8)
    gives(-EINVAL, NR.ioctl, e.fileno(), put + 2, room)
    if is_root():
        asks(0, 5, 65, 0, 0)
        eq(kept(), (5, 65, 0, 0))
        os.setresuid(1234, 1234, 1234)
    asks(-EPERM, 5, 65, 0, 0)


@cases([
    ("POLLIN", lambda: polled(full_pipe()[0], 1), (1, 1)),
    ("POLLPRI", lambda: polled(full_pipe()[0], 2), (0, 0)),
    ("POLLOUT", lambda: polled(full_pipe()[1], 4), (1, 4)),
    ("POLLERR", lambda: (lambda p: (os.close(p[0]), polled(p[1], 4)))(full_pipe()), (None, (1, 12))),
    ("POLLHUP", lambda: (lambda p: (os.close(p[1]), polled(p[0], 0)))(full_pipe()), (None, (1, 16))),
    ("POLLNVAL", lambda: polled(999, 1), (1, 32)),
    ("POLLRDNORM", lambda: polled(full_pipe()[0], 0x40), (1, 64)),
    ("POLLRDBAND", lambda: polled(full_pipe()[0], 0x80), (0, 0)),
    ("POLLWRNORM", lambda: polled(full_pipe()[1], 0x100), (1, 256)),
    ("POLLWRBAND", lambda: polled(full_pipe()[1], 0x200), (0, 0)),
    ("POLLMSG", lambda: polled(full_pipe()[0], 0x400), (0, 0)),
    ("POLLRDHUP",
     lambda: (lambda p: (p[0].shutdown(1), polled(p[1].fileno(), 0x2000)))(socket.socketpair()),
     (None, (1, 8192))),
])
def polls(call, expected):
    eq(call(), expected)


@cases([
    ("EPOLL_CTL_ADD", lambda: changed(1), (0, -EEXIST, -EEXIST)),
    ("EPOLL_CTL_DEL", lambda: changed(2), (-ENOENT, 0, 0)),
    ("EPOLL_CTL_MOD", lambda: changed(3), (-ENOENT, 0, 0)),
    ("EPOLL_CTL_UNKNOWN",
     lambda: (changed(0), changed(4), changed(-1)),
     ((-EINVAL, 0, -EINVAL), (-EINVAL, 0, -EINVAL), (-EINVAL, 0, -EINVAL))),
])
def epoll_operations(call, expected):
    eq(call(), expected)


@cases([
    ("EPOLLIN", lambda: epoll(1), [0, 1, 1]),
    ("EPOLLPRI", lambda: epoll(2), [0, 0, 0]),
    ("EPOLLOUT", lambda: epoll(4, full_pipe()[1]), [0, 4, 4]),
    ("EPOLLERR", lambda: (lambda p: (os.close(p[0]), epoll(0, p[1])))(full_pipe()), (None, [0, 8, 8])),
    ("EPOLLHUP",
     lambda: (lambda p: (os.close(p[1]), epoll(0, p[0])))(full_pipe()),
     (None, [0, 16, 16])),
    ("EPOLLRDNORM", lambda: epoll(0x40), [0, 64, 64]),
    ("EPOLLRDBAND", lambda: epoll(0x80), [0, 0, 0]),
    ("EPOLLWRNORM", lambda: epoll(0x100, full_pipe()[1]), [0, 256, 256]),
    ("EPOLLWRBAND", lambda: epoll(0x200, full_pipe()[1]), [0, 0, 0]),
    ("EPOLLMSG", lambda: epoll(0x400), [0, 0, 0]),
    ("EPOLLRDHUP",
     lambda: (lambda p: (p[0].shutdown(1), epoll(0x2000, p[1].fileno())))(socket.socketpair()),
     (None, [0, 8192, 8192])),
    ("EPOLLEXCLUSIVE",
     lambda: (epoll(1 << 28 | 1), epoll(1 << 28 | 1, op=3), epoll(1 << 28 | 1 << 30)),
     ([0, 1, 1], [-EINVAL, 0, 0], [-EINVAL, 0, 0])),
    ("EPOLLWAKEUP", lambda: epoll(1 << 29 | 1), [0, 1, 1]),
    ("EPOLLONESHOT", lambda: epoll(1 << 30 | 1), [0, 1, 0]),
    ("EPOLLET", lambda: epoll(1 << 31 | 1), [0, 1, 0]),
])
def epoll_events(call, expected):
    eq(call(), expected)


@cases([
    ("EPOLL_CLOEXEC", lambda: made(NR.epoll_create1, 0o2000000), (1, 0)),
])
def epoll_flags(call, expected):
    eq(call(), expected)


@cases([
    ("EFD_SEMAPHORE", lambda: (semaphore(1), semaphore(0)), ((1, 1), (3, 0))),
    ("EFD_NONBLOCK", lambda: made(NR.eventfd2, 0, 0o4000), (0, 2048)),
    ("EFD_CLOEXEC", lambda: made(NR.eventfd2, 0, 0o2000000), (1, 0)),
])
def eventfds(call, expected):
    eq(call(), expected)


@cases([
    ("SFD_NONBLOCK", lambda: made(NR.signalfd4, -1, struct.pack("Q", 1 << 9), 8, 0o4000), (0, 2048)),
    ("SFD_CLOEXEC", lambda: made(NR.signalfd4, -1, struct.pack("Q", 1 << 9), 8, 0o2000000), (1, 0)),
])
def signalfds(call, expected):
    eq(call(), expected)


@cases([
    ("IN_NONBLOCK", lambda: made(NR.inotify_init1, 0o4000), (0, 2048)),
    ("IN_CLOEXEC", lambda: made(NR.inotify_init1, 0o2000000), (1, 0)),
])
def inotify_flags(call, expected):
    eq(call(), expected)


@cases([
    ("IN_ACCESS", lambda: watched(1, lambda: (put("d/f"), get("d/f"))), [1]),
    ("IN_MODIFY", lambda: watched(2, lambda: put("d/f")), [2]),
    ("IN_ATTRIB", lambda: watched(4, lambda: os.chmod("d/f", 0o600)), [4]),
    ("IN_CLOSE_WRITE", lambda: watched(8, lambda: (put("d/f"), get("d/f"))), [8]),
    ("IN_CLOSE_NOWRITE", lambda: watched(0x10, lambda: (put("d/f"), get("d/f"))), [16]),
    ("IN_OPEN", lambda: watched(0x20, lambda: get("d/f")), [32]),
    ("IN_MOVED_FROM", lambda: watched(0x40, lambda: os.rename("d/f", "d/g")), [64]),
    ("IN_MOVED_TO", lambda: watched(0x80, lambda: os.rename("d/f", "d/h")), [128]),
    ("IN_CREATE", lambda: watched(0x100, lambda: (os.mkdir("d/s"), put("d/new"))), [1073742080, 256]),
    ("IN_DELETE", lambda: watched(0x200, lambda: os.unlink("d/f")), [512]),
    ("IN_DELETE_SELF",
     lambda: watched(0x400, lambda: os.unlink("d/f"), "d/f") if False else watched(0x400, lambda: (os.unlink("d/f"), os.rmdir("d"))),
     [1024, 32768]),
    ("IN_MOVE_SELF", lambda: watched(0x800, lambda: os.rename("d", "e")), [2048]),
    ("IN_ONLYDIR",
     lambda: (open("pl", "w").close(), add(0x1000001), add(0x1000001, b"pl")),
     (None, (1, 1), (-ENOTDIR, -ENOTDIR))),
    ("IN_DONT_FOLLOW",
     lambda: (os.symlink("none", "l"), add(0x2000001, b"l"), add(1, b"l")),
     (None, (1, 1), (-ENOENT, -ENOENT))),
    ("IN_EXCL_UNLINK", lambda: watched(0x4000002, lambda: put("d/f")), [2]),
    ("IN_MASK_CREATE", lambda: add(0x10000001), (1, -EEXIST)),
    ("IN_MASK_ADD", lambda: add(0x20000001), (1, 1)),
    ("IN_ONESHOT", lambda: watched(0x80000002, lambda: (put("d/f"), put("d/f"))), [2, 32768]),
    ("IN_ALL_EVENTS", lambda: watched(0xFFF, lambda: put("d/f")), [32, 2, 8]),
    ("IN_NOTHING",
     lambda: (lambda i: (sc(NR.inotify_add_watch, i, b".", 0), sc(NR.inotify_add_watch, i, b".", 0x8000), sc(NR.inotify_add_watch, i, b".", 0x30000001)))(works(NR.inotify_init1, 0)),
     (-EINVAL, 1, -EINVAL)),
])
def inotify_events(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
