"""Operands of table cases: descriptors of every kind, names, and bad pointers.

The process that uses an operand makes it, in its own directory. DESCRIPTORS has a maker for each
kind; all are non-blocking, so that no case waits. Results are written as Linux names them: a
number, or the name of an errno.
"""

import ctypes
import errno
import os
import shutil
import signal
import socket
import struct

from lib.guest import NR, SYS, child_ok, eq, sc, works

SYS.update(mq_open=240, mq_unlink=241)

PAGE = 4096
KERNEL = 0xFFFF888000000000
HALF = 1 << 63
WRAP = 2**64 - 8
ADDRESS_END = 0x7FFFFFFFF000
UNMAPPED = 0x1000


def spell(r):
    """Returns a result as the tables write it."""
    return errno.errorcode.get(-r, str(r)) if isinstance(r, int) and r < 0 else str(r)


def then(*results):
    return " ".join(spell(r) for r in results)


def alone(fn):
    """What fn finds in a child, as it changes the process."""
    r, w = os.pipe()
    child_ok(lambda: os.write(w, spell(fn()).encode()) and None)
    return os.read(r, 200).decode()


def as_nobody(fn):
    """What an unprivileged child finds."""
    def unprivileged():
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return fn()
    return alone(unprivileged)


def area(pages=1, prot=3):
    return works(NR.mmap, 0, pages * PAGE, prot, 0x22, -1, 0)


def edge(n):
    """Returns an address n bytes before inaccessible memory."""
    at = area(2)
    works(NR.mprotect, at + PAGE, PAGE, 0)
    return at + PAGE - n


def read_only(data=b""):
    at = area()
    ctypes.memmove(at, data, len(data))
    works(NR.mprotect, at, PAGE, 1)
    return at


def buf(n=PAGE, data=b""):
    at = area((n + PAGE - 1) // PAGE)
    ctypes.memmove(at, data, len(data))
    return at


def file(flags=os.O_RDWR, data=b"0123456789", name="file"):
    """Makes and opens a file of this name."""
    if os.path.lexists(name):
        os.unlink(name)
    with open(name, "wb") as f:
        f.write(data)
    return os.open(name, flags)


def _pipe(end):
    return os.pipe()[end]


def _socket(*kind):
    return socket.socket(*kind).detach()


def _pair(kind):
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    b.detach()
    return a.detach()


def _terminal():
    pair = os.openpty()
    return pair[1]


def _queue():
    name = b"things-%d" % os.getpid()
    fd = works(NR.mq_open, name, os.O_RDWR | os.O_CREAT, 0o600, None)
    works(NR.mq_unlink, name)
    return fd


DESCRIPTORS = {
    "none": lambda: -1,
    "closed": lambda: 899,
    "path": lambda: file(os.O_PATH),
    "dir": lambda: os.open(".", os.O_RDONLY),
    "rdonly": lambda: file(os.O_RDONLY),
    "wronly": lambda: file(os.O_WRONLY),
    "rdwr": lambda: file(os.O_RDWR),
    "append": lambda: file(os.O_RDWR | os.O_APPEND),
    "memfd": lambda: os.memfd_create("thing"),
    "piper": lambda: _pipe(0),
    "pipew": lambda: _pipe(1),
    "stream": lambda: _pair(socket.SOCK_STREAM),
    "dgram": lambda: _pair(socket.SOCK_DGRAM),
    "tcp": lambda: _socket(socket.AF_INET, socket.SOCK_STREAM),
    "udp": lambda: _socket(socket.AF_INET, socket.SOCK_DGRAM),
    "netlink": lambda: _socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "event": lambda: works(NR.eventfd2, 0, 0),
    "epoll": lambda: works(NR.epoll_create1, 0),
    "timer": lambda: works(NR.timerfd_create, 1, 0),
    "signal": lambda: works(NR.signalfd4, -1, struct.pack("Q", 1 << 11), 8, 0),
    "inotify": lambda: works(NR.inotify_init1, 0),
    "pidfd": lambda: works(NR.pidfd_open, os.getpid(), 0),
    "queue": _queue,
    "null": lambda: os.open("/dev/null", os.O_RDWR),
    "zero": lambda: os.open("/dev/zero", os.O_RDWR),
    "full": lambda: os.open("/dev/full", os.O_RDWR),
    "random": lambda: os.open("/dev/urandom", os.O_RDONLY),
    "tty": _terminal,
    "ptmx": lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY),
    "proc": lambda: os.open("/proc/self/status", os.O_RDONLY),
    "procdir": lambda: os.open("/proc/self", os.O_RDONLY),
    "ns": lambda: os.open("/proc/self/ns/uts", os.O_RDONLY),
}


def descriptor(kind):
    fd = DESCRIPTORS[kind]()
    if fd >= 0 and kind != "path":
        sc(NR.fcntl, fd, 4, sc(NR.fcntl, fd, 3) | os.O_NONBLOCK)
    return fd


def spread(text, kinds):
    """
    Makes rows for @cases of lines `CALL: RESULT KIND KIND ...; RESULT KIND ...`: a label of call
    and result, then call, result, kinds. A line that starts with a blank continues the line before.
    `*` stands for every kind of `kinds` that the call does not name. The result `-` is not
    checked: it differs among versions and file systems.
    """
    rows = []
    for line in text.replace("\n ", " ").strip().split("\n"):
        call, _, answers = line.partition(":")
        answers = [answer.split() for answer in answers.split(";")]
        named = {kind for answer in answers for kind in answer[1:]}
        unknown = named - set(kinds) - {"*"}
        if unknown:
            raise ValueError("%s: unknown %s" % (call, unknown))
        for result, *which in answers:
            if "*" in which:
                which = [k for k in kinds if k not in named] + [k for k in which if k != "*"]
            if result != "-":
                rows.append((call + " gives " + result, call, result, which))
    return rows


def on_descriptors(call, result, kinds):
    """Checks the result of a call on each of these kinds, and that no descriptor stays open."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    home = os.getcwd()
    for kind in kinds:
        eq(spell(call(descriptor(kind))), result, "on " + kind)
        os.closerange(3, 890)
        os.chdir(home)


def _unended():
    """Returns an unterminated string before inaccessible memory."""
    at = edge(4)
    ctypes.memmove(at, b"abcd", 4)
    return at


NAMES = {
    "null": lambda: 0,
    "unmapped": lambda: UNMAPPED,
    "kernel": lambda: KERNEL,
    "noncanonical": lambda: HALF,
    "unended": _unended,
    "empty": lambda: b"",
    "missing": lambda: b"missing",
    "missing_parent": lambda: b"missing/x",
    "below_a_file": lambda: b"plain/x",
    "file_with_a_slash": lambda: b"plain/",
    "loop": lambda: b"loop",
    "through_a_loop": lambda: b"loop/x",
    "dangling": lambda: b"dangling",
    "name_of_256": lambda: b"n" * 256,
    "name_of_255": lambda: b"n" * 255,
    "path_of_4096": lambda: b"./" * 2047 + b"ab",
    "path_of_4095": lambda: b"./" * 2047 + b"a",
    "a_directory": lambda: b"dir",
    "a_file": lambda: b"plain",
    "a_fifo": lambda: b"fifo",
    "dot": lambda: b".",
    "dot_dot_below": lambda: b"dir/..",
}


def _make_names():
    os.mkdir("dir")
    os.mkdir("odir")
    file(name="plain", data=b"plain")
    file(name="other", data=b"")
    os.chmod("plain", 0o644)
    os.symlink("loop", "loop")
    os.symlink("nowhere", "dangling")
    os.mkfifo("fifo")


def on_names(call, result, kinds):
    """Checks the result of a call on each of these names, in a new directory that has them."""
    home = os.getcwd()
    for kind in kinds:
        os.mkdir("here")
        os.chdir("here")
        _make_names()
        eq(spell(call(NAMES[kind]())), result, "on " + kind)
        os.closerange(3, 890)
        os.chdir(home)
        shutil.rmtree("here")


def judged(expected, fn):
    """Checks the result of fn as `spell` writes it; for rows of a label, this text, and fn."""
    eq(spell(fn()), expected)
