"""Arguments at the ends of what a register holds, and which of two errors comes first."""

import ctypes
import os
import signal
import struct

from errno import *
from lib.guest import *

BAD, LAST, CWD = 99, (1 << 63) - 1, -100 & 0xFFFFFFFF
SYS.update(readahead=187, shmget=29, io_uring_setup=425, io_uring_enter=426)
PAGE = 4096


def file():
    return os.open("file", os.O_RDWR | os.O_CREAT, 0o600)


@cases([("offset -1", -1, 1, 0), ("lowest offset", 1 << 63, 1, 0), ("last offset", LAST, 1, 0),
        ("length -1", 0, -1, -EINVAL)])
def advice(offset, length, expected):
    gives(expected, NR.readahead, file(), offset, length)
    gives(expected, NR.fadvise64, file(), offset, length, 3)


@cases([("last byte", LAST, 1, -EINVAL), ("nothing behind it", LAST, 0, 0),
        ("byte before", LAST - 1, 1, 0), ("page to the end", LAST + 1 - PAGE, PAGE, -EINVAL),
        ("page but a byte", LAST + 1 - PAGE, PAGE - 1, 0), ("beyond exact numbers", 1 << 53, PAGE, 0)])
def transfer_at(offset, count, expected):
    fd, buf = file(), ctypes.create_string_buffer(PAGE)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(buf), count)
    gives(expected, NR.pread64, fd, buf, count, offset)
    gives(expected, NR.preadv, fd, vector, 1, offset, 0)
    if expected < 0 or count == 0:
        gives(expected, NR.pwrite64, fd, buf, count, offset)
        gives(expected, NR.pwritev, fd, vector, 1, offset, 0)


@test
def a_bad_buffer_at_the_last_offset():
    gives(-EFAULT, NR.pread64, file(), 1 << 63, 1, LAST)
    gives(-EINVAL, NR.pread64, file(), BAD, 1, LAST)


@test
def a_file_of_the_largest_exact_number():
    fd = works(NR.memfd_create, b"long", 0)
    gives(0, NR.ftruncate, fd, (1 << 53) - 1)
    eq(os.fstat(fd).st_size, (1 << 53) - 1)
    eq(os.lseek(fd, 0, os.SEEK_END), (1 << 53) - 1)
    gives(1, NR.pwrite64, fd, b"x", 1, (1 << 53) - 2)
    eq(os.pread(fd, 9, (1 << 53) - 3), b"\0x")
    gives(0, NR.ftruncate, fd, 0)


def how(flags=0, mode=0, resolve=0):
    return struct.pack("QQQ", flags, mode, resolve)


@cases([("flag 53", how(1 << 53)), ("flag 63", how(1 << 63)), ("flags 0 and 53", how(1 << 53 | 1)),
        ("mode 53", how(os.O_CREAT, 1 << 53)), ("resolve 53", how(0, 0, 1 << 53)),
        ("resolve all", how(0, 0, (1 << 64) - 1))])
def openat2_of(arg):
    os.close(file())
    gives(-EINVAL, NR.openat2, CWD, b"file", arg, 24)
    gives(-EINVAL, NR.openat2, CWD, BAD, arg, 24)


@test
def openat2_looks_at_flags_first():
    gives(-EAGAIN, NR.openat2, CWD, BAD, how(os.O_CREAT, 0, 0x20), 24)
    gives(-EFAULT, NR.openat2, CWD, BAD, how(), 24)


@cases([("2^63", 1 << 63, -EINVAL), ("2^63 - 1", LAST, -ENOMEM), ("2^62", 1 << 62, -ENOMEM),
        ("2^64 - 2^25", (1 << 64) - (1 << 25), -EINVAL), ("2^64 - 1", (1 << 64) - 1, -EINVAL)])
def shmget_of(size, expected):
    gives(expected, NR.shmget, 0, size, 0o1600)


@cases([("to a bad address", BAD, 100, -EFAULT), ("its length", BAD, 0, 7), ("too long", BAD, 6, 7),
        ("without a buffer", 0, 100, 7), ("to the kernel half", 1 << 63, 7, -EFAULT)])
def read_key(addr, size, expected):
    key = works(NR.add_key, b"user", b"extreme", b"payload", 7, -2)
    gives(expected, NR.keyctl, 11, key, addr, size)


@cases([("a part of an id", BAD, 3, -EINVAL), ("an id and a part", BAD, 7, -EINVAL),
        ("too short", BAD, 4, 8), ("to a bad address", BAD, 8, -EFAULT),
        ("without a buffer", 0, 3, 8), ("of no length", BAD, 0, 8)])
def read_keyring(addr, size, expected):
    ring = works(NR.add_key, b"keyring", b"extreme", 0, 0, -2)
    for name in (b"a", b"b"):
        works(NR.add_key, b"user", name, b"x", 1, ring)
    gives(expected, NR.keyctl, 11, ring, addr, size)


EXITED, NOHANG = 4, 1


@cases([("no child", (0, 0, EXITED)), ("no child now", (0, 0, EXITED | NOHANG)),
        ("no event", (0, 0, 0)), ("no such kind", (77, 0, EXITED)), ("pid -1", (1, -1, EXITED)),
        ("no pidfd", (3, 999, EXITED))])
def waitid_failing(args):
    kind, id, options = args
    expected = sc(NR.waitid, kind, id, 0, options, 0)
    ok(expected < 0, "an error")
    gives(-EFAULT, NR.waitid, kind, id, BAD, options, 0)
    info = ctypes.create_string_buffer(b"\xff" * 128, 128)
    gives(expected, NR.waitid, kind, id, info, options, 0)
    eq(info.raw[:12] + info.raw[16:28], bytes(24), "an empty siginfo_t")
    eq(info.raw[12:16] + info.raw[28:], b"\xff" * 104, "the rest")


@test
def waitid_reaps_whatever_the_pointer():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    gives(-EFAULT, NR.waitid, 0, 0, BAD, EXITED, 0)
    gives(-ECHILD, NR.waitid, 0, 0, 0, EXITED, 0)


def cpu_clock(pid, kind, of_thread=False):
    return (~pid << 3 | (4 if of_thread else 0) | kind) & 0xFFFFFFFF


def spec(sec=0, ns=0):
    return struct.pack("qq", sec, ns)


@cases([("own process", lambda: cpu_clock(0, 2), 0), ("own process by pid", lambda: cpu_clock(os.getpid(), 2), 0),
        ("own user time", lambda: cpu_clock(0, 1), 0), ("own user and system time", lambda: cpu_clock(0, 0), 0),
        ("own thread", lambda: cpu_clock(0, 2, True), -EINVAL),
        ("own thread by id", lambda: cpu_clock(works(NR.gettid), 2, True), -EINVAL),
        ("a parent", lambda: cpu_clock(os.getppid(), 2), 0),
        ("no process", lambda: cpu_clock(4000000, 2), -EINVAL),
        ("a descriptor", lambda: cpu_clock(0, 3), -EOPNOTSUPP),
        ("no descriptor", lambda: cpu_clock(77, 3), -EOPNOTSUPP),
        ("no kind", lambda: cpu_clock(0, 3, True), -EINVAL)])
def sleep_on(clock, expected):
    clock = clock()
    gives(expected, NR.clock_nanosleep, clock, 0, spec(), 0)
    gives(expected, NR.clock_nanosleep, clock, 1, spec(), 0)
    early = expected == -EOPNOTSUPP
    gives(expected if early else -EFAULT, NR.clock_nanosleep, clock, 0, BAD, 0)
    gives(expected if early else -EINVAL, NR.clock_nanosleep, clock, 0, spec(0, -1), 0)


@test
def sleep_until_a_child_has_worked():
    pid = os.fork()
    if pid == 0:
        while True:
            pass
    try:
        clock = cpu_clock(pid, 2)
        gives(0, NR.clock_nanosleep, clock, 0, spec(0, 30000000), 0)
        got = ctypes.create_string_buffer(16)
        works(NR.clock_gettime, clock, got)
        sec, ns = struct.unpack("qq", got.raw)
        ok(sec > 0 or ns >= 30000000, "its clock has moved on")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def half(bytes_before, data=b""):
    """An address with so many mapped bytes behind it, which begin as the data does."""
    at = works(NR.mmap, 0, 2 * PAGE, 3, 0x22, -1, 0)
    works(NR.munmap, at + PAGE, PAGE)
    at += PAGE - bytes_before
    ctypes.memset(at, 0xEE, bytes_before)
    ctypes.memmove(at, data, min(len(data), bytes_before))
    return at


def setting(interval, value):
    return struct.pack("qqqq", *interval, *value)


@cases([("%d bytes" % n, n) for n in (0, 8, 16, 24, 31)])
def half_a_timer_setting(n):
    id = ctypes.c_int()
    works(NR.timer_create, 1, struct.pack("Qii", 0, 0, 1) + bytes(48), id)
    works(NR.timer_settime, id.value, 0, setting((5, 6), (100, 0)), 0)
    old = half(n)
    gives(-EFAULT, NR.timer_settime, id.value, 0, setting((7, 8), (200, 0)), old)
    eq(ctypes.string_at(old, min(n, 16)), struct.pack("qq", 5, 6)[:n], "what fits is stored")
    now = ctypes.create_string_buffer(32)
    works(NR.timer_gettime, id.value, now)
    eq(struct.unpack("qqqq", now.raw)[:2], (7, 8), "the new setting counts")
    wrong = setting((5, -1), (1, 0))
    gives(-EFAULT, NR.timer_settime, id.value, 0, half(n, wrong), 0)
    gives(-EFAULT, NR.timerfd_settime, works(NR.timerfd_create, 1, 0), 0, half(n, wrong), 0)
    gives(-EFAULT, NR.setitimer, 0, half(n, wrong), 0)
    gives(-EINVAL, NR.timer_settime, id.value, 0, wrong, 0)


@cases([("bad mask", 0, BAD, 8, 0), ("size of a mask", 0, BAD, 7, 0), ("bad mask and a wait", 1, BAD, 8, -EFAULT),
        ("size of a mask and a wait", 1, BAD, 7, -EINVAL)])
def ring_enter(least, mask, size, expected):
    ring = sc(NR.io_uring_setup, 4, bytes(120))
    if ring in (-ENOSYS, -EPERM):
        skip("no io_uring")
    gives(expected, NR.io_uring_enter, ring, 0, least, 1, mask, size)
    ext = struct.pack("QIIQ", mask, size, 0, 0)
    gives(expected, NR.io_uring_enter, ring, 0, least, 9, ext, 24)
    gives(-EFAULT, NR.io_uring_enter, ring, 0, least, 9, BAD, 24)
    gives(-EINVAL, NR.io_uring_enter, ring, 0, least, 9, ext, 23)


run()
