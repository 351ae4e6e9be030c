"""userfaultfd(2) for tests: descriptors, requests, messages, and touches that let other threads
run.
"""

import ctypes
import os
import select
import struct
import threading
from lib.guest import DEADLINE_S, NR, eq, libc, name_of, ok, sc, works

PAGE = 4096
API, REGISTER, UNREGISTER, WAKE = 0xC018AA3F, 0xC020AA00, 0x8010AA01, 0x8010AA02
COPY, ZEROPAGE, WRITEPROTECT, CONTINUE = 0xC028AA03, 0xC020AA04, 0xC018AA06, 0xC020AA07
MOVE, POISON = 0xC028AA05, 0xC020AA08
NONBLOCK, CLOEXEC, USER_ONLY = 0x800, 0x80000, 1
MISSING, WP, MINOR = 1, 2, 4
SIGBUS, THREAD_ID, EXACT = 0x80, 0x100, 0x800
EVENT_FORK, EVENT_REMAP, EVENT_REMOVE, EVENT_UNMAP = 2, 4, 8, 0x40
FORKED, REMAPPED, REMOVED, UNMAPPED = 0x13, 0x14, 0x15, 0x16


def ask(fd, request, fmt, *values):
    """Calls an ioctl. Returns (result, the argument after it)."""
    b = ctypes.create_string_buffer(struct.pack(fmt, *values))
    r = sc(NR.ioctl, fd, request, b)
    return r, struct.unpack(fmt, b.raw[:struct.calcsize(fmt)])


def api(fd, features=0, version=0xAA):
    return ask(fd, API, "QQQ", version, features, 0)


def new(features=0, flags=NONBLOCK):
    fd = sc(NR.userfaultfd, flags)
    ok(fd >= 0, "userfaultfd: " + name_of(fd))
    eq(api(fd, features)[0], 0, "UFFDIO_API")
    return fd


def register(fd, at, size, mode=MISSING):
    return ask(fd, REGISTER, "QQQQ", at, size, mode, 0x77)


def copy(fd, dst, src, size=PAGE, mode=0):
    """Calls UFFDIO_COPY. Returns (result, bytes)."""
    r, words = ask(fd, COPY, "QQQQq", dst, src, size, mode, 0x77)
    return r, words[4]


def zero(fd, at, size=PAGE, mode=0):
    r, words = ask(fd, ZEROPAGE, "QQQq", at, size, mode, 0x77)
    return r, words[3]


def go_on(fd, at, size=PAGE, mode=0):
    r, words = ask(fd, CONTINUE, "QQQq", at, size, mode, 0x77)
    return r, words[3]


def protect(fd, at, size=PAGE, on=True):
    return ask(fd, WRITEPROTECT, "QQQ", at, size, 1 if on else 0)[0]


def move(fd, dst, src, size=PAGE, mode=0):
    r, words = ask(fd, MOVE, "QQQQq", dst, src, size, mode, 0x77)
    return r, words[4]


def poison(fd, at, size=PAGE, mode=0):
    r, words = ask(fd, POISON, "QQQq", at, size, mode, 0x77)
    return r, words[3]


def on_range(fd, request, at, size):
    return ask(fd, request, "QQ", at, size)[0]


def memory(pages, flags=0x22, fd=-1):
    return works(NR.mmap, 0, pages * PAGE, 3, flags, fd, 0)


def filled(byte, pages=1):
    at = memory(pages)
    ctypes.memset(at, byte, pages * PAGE)
    return at


def message(fd, timeout=5.0):
    """Reads the next fault: (flags, address, tid)."""
    p = select.poll()
    p.register(fd, select.POLLIN)
    ok(p.poll(int(timeout * 1000)), "a fault is reported")
    data = os.read(fd, 32)
    eq((len(data), data[0]), (32, 0x12), "message")
    return struct.unpack("<QQI", data[8:28])


def event(fd, timeout=5.0):
    """Reads the next message of any kind: (event, three words)."""
    p = select.poll()
    p.register(fd, select.POLLIN)
    ok(p.poll(int(timeout * 1000)), "an event is reported")
    data = os.read(fd, 32)
    eq(len(data), 32, "message")
    return (data[0],) + struct.unpack("<3Q", data[8:])


def is_quiet(fd):
    p = select.poll()
    p.register(fd, select.POLLIN)
    return p.poll(20) == []


def load(at):
    """Reads a byte without the interpreter's lock."""
    b = ctypes.create_string_buffer(1)
    libc.memcpy(b, ctypes.c_void_p(at), ctypes.c_size_t(1))
    return b.raw[0]


def store(at, value):
    libc.memset(ctypes.c_void_p(at), value, ctypes.c_size_t(1))


class Runs:
    """Runs fn in a thread; has its `result` after the end."""

    def __init__(self, fn, *args):
        self.result = None
        self.thread = threading.Thread(target=self._run, args=(fn, args), daemon=True)
        self.thread.start()

    def _run(self, fn, args):
        self.result = fn(*args)

    def end(self, timeout=DEADLINE_S):
        self.thread.join(timeout)
        ok(not self.thread.is_alive(), "the thread went on")
        return self.result

    def waits(self):
        self.thread.join(0.05)
        return self.thread.is_alive()
