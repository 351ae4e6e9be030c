"""Calls that came to Linux since 5.10: futex_wait and its sisters, mseal, advice to other processes, mounts by id."""

import ctypes
import mmap
import os
import signal
import struct
import threading
from errno import *
from lib.guest import *

U32, PRIVATE, ANY = 2, 128, 0xFFFFFFFF
MONOTONIC, REALTIME = 1, 0


def word(value=0):
    w = ctypes.c_uint32.from_address(works(NR.mmap, 0, 4096, 3, 0x21, -1, 0))
    w.value = value
    return w


def at(seconds, clock=time.CLOCK_MONOTONIC):
    ns = time.clock_gettime_ns(clock) + round(seconds * 10**9)
    return (ctypes.c_int64 * 2)(ns // 10**9, ns % 10**9)


def waitv(*words):
    array = (ctypes.c_uint64 * (3 * len(words)))()
    for i, (w, value, flags) in enumerate(words):
        array[3 * i:3 * i + 3] = [value, ctypes.addressof(w), flags]
    return array


@test
def futex_wait_checks():
    w = word(5)
    gives(-EAGAIN, NR.futex_wait, w, 6, ANY, U32, None, 0)
    gives(-ETIMEDOUT, NR.futex_wait, w, 5, ANY, U32, at(0.02), MONOTONIC)
    gives(-ETIMEDOUT, NR.futex_wait, w, 5, ANY, U32, at(0.02, time.CLOCK_REALTIME), REALTIME)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, U32, at(0.02), 7)
    gives(-EAGAIN, NR.futex_wait, w, 6, ANY, U32, None, 7)
    gives(-EINVAL, NR.futex_wait, w, 5, 0, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, 0, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, ANY, U32 | 0x40, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 1 << 32, ANY, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, w, 5, 1 << 32, U32, None, 0)
    gives(-EFAULT, NR.futex_wait, 4096, 5, ANY, U32, None, 0)
    gives(-EINVAL, NR.futex_wait, ctypes.addressof(w) + 1, 5, ANY, U32, None, 0)


@test
def futex_wake_counts():
    w = word()
    gives(0, NR.futex_wake, w, ANY, 1, U32)
    gives(-EINVAL, NR.futex_wake, w, 0, 1, U32)
    gives(-EINVAL, NR.futex_wake, w, ANY, 1, 0)
    pids = [spawn(lambda: sc(NR.futex_wait, w, 0, 2, U32, at(10), MONOTONIC)) for _ in range(3)]
    for pid in pids:
        wait_state(pid, "S")
    gives(0, NR.futex_wake, w, ANY, 0, U32)
    gives(0, NR.futex_wake, w, 1, 9, U32)
    gives(0, NR.futex_wake, w, ANY, 9, U32 | PRIVATE)
    gives(2, NR.futex_wake, w, ANY, 2, U32)
    gives(1, NR.futex, w, 1, 9, None, None, 0)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


@test
def futex_requeue_moves():
    a, b = word(3), word()
    pids = [spawn(lambda: sc(NR.futex_wait, a, 3, ANY, U32, at(10), MONOTONIC)) for _ in range(3)]
    for pid in pids:
        wait_state(pid, "S")
    gives(-EAGAIN, NR.futex_requeue, waitv((a, 4, U32), (b, 0, U32)), 0, 1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 1, 1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 0, -1, 1)
    gives(-EINVAL, NR.futex_requeue, waitv((a, 3, U32), (b, 0, 0)), 0, 1, 1)
    gives(-EINVAL, NR.futex_requeue, None, 0, 1, 1)
    gives(-EFAULT, NR.futex_requeue, 4096, 0, 1, 1)
    gives(3, NR.futex_requeue, waitv((a, 3, U32), (b, 0, U32)), 0, 1, 5)
    gives(0, NR.futex_wake, a, ANY, 9, U32)
    gives(2, NR.futex_wake, b, ANY, 9, U32)
    for pid in pids:
        eq(os.waitpid(pid, 0)[1], 0)


PAGE = 4096


def area(pages, prot=3):
    return works(NR.mmap, 0, pages * PAGE, prot, 0x22, -1, 0)


@test
def sealed_memory_stays():
    m = area(4)
    gives(0, NR.mseal, m + PAGE, PAGE, 0)
    gives(-EPERM, NR.munmap, m + PAGE, PAGE)
    gives(-EPERM, NR.munmap, m, 4 * PAGE)
    gives(-EPERM, NR.mprotect, m + PAGE, PAGE, 1)
    gives(-EPERM, NR.mprotect, m + PAGE, PAGE, 3)
    gives(-EPERM, NR.mmap, m + PAGE, PAGE, 3, 0x32, -1, 0)
    gives(-EPERM, NR.mremap, m + PAGE, PAGE, 2 * PAGE, 1)
    gives(-EPERM, NR.mremap, m + PAGE, PAGE, PAGE, 3, m)
    gives(0, NR.mseal, m + PAGE, PAGE, 0)
    ctypes.memset(m + PAGE, 7, PAGE)
    gives(0, NR.madvise, m + PAGE, PAGE, mmap.MADV_DONTNEED)
    eq(ctypes.string_at(m + PAGE, 1), b"\0")
    gives(0, NR.munmap, m + 2 * PAGE, 2 * PAGE)
    gives(0, NR.munmap, m, PAGE)

    def child():
        return 0 if sc(NR.munmap, m + PAGE, PAGE) == -EPERM else 1

    eq(os.waitpid(spawn(child), 0)[1], 0, "children inherit it")


@test
def sealed_read_only_memory_is_not_thrown_away():
    m = area(2)
    ctypes.memset(m, 7, PAGE)
    works(NR.mprotect, m, 2 * PAGE, 1)
    gives(0, NR.mseal, m, 2 * PAGE, 0)
    for advice in mmap.MADV_DONTNEED, 8, 10, 18:
        gives(-EPERM, NR.madvise, m, PAGE, advice)
    gives(0, NR.madvise, m, PAGE, mmap.MADV_WILLNEED)
    eq(ctypes.string_at(m, 1), b"\7")


@test
def mseal_checks():
    m = area(3)
    gives(-EINVAL, NR.mseal, m, PAGE, 1)
    gives(-EINVAL, NR.mseal, m + 1, PAGE, 0)
    gives(0, NR.mseal, m, 0, 0)
    works(NR.munmap, m + PAGE, PAGE)
    gives(-ENOMEM, NR.mseal, m, 3 * PAGE, 0)
    gives(0, NR.munmap, m, PAGE)
    gives(-EINVAL, NR.mseal, m, (1 << 64) - PAGE, 0)


@test
def advice_to_another_process():
    if os.geteuid() != 0:
        skip("needs CAP_SYS_NICE")
    m = area(4)
    ctypes.memset(m, 1, 4 * PAGE)
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(w)
        os.read(r, 1)
        os._exit(0)
    fd = os.pidfd_open(pid)
    vec = (ctypes.c_uint64 * 4)(m, PAGE, m + 2 * PAGE, 2 * PAGE)
    gives(3 * PAGE, NR.process_madvise, fd, vec, 2, mmap.MADV_WILLNEED, 0)
    gives(3 * PAGE, NR.process_madvise, fd, vec, 2, 20, 0)
    gives(-EINVAL, NR.process_madvise, fd, vec, 2, mmap.MADV_DONTNEED, 0)
    gives(-EINVAL, NR.process_madvise, fd, vec, 2, mmap.MADV_WILLNEED, 1)
    gives(-EINVAL, NR.process_madvise, fd, vec, 1025, mmap.MADV_WILLNEED, 0)
    gives(-EFAULT, NR.process_madvise, fd, 16, 2, mmap.MADV_WILLNEED, 0)
    gives(-EBADF, NR.process_madvise, r, vec, 2, mmap.MADV_WILLNEED, 0)
    gives(-EINVAL, NR.process_mrelease, fd, 0)
    gives(-EINVAL, NR.process_mrelease, fd, 1)
    gives(-EBADF, NR.process_mrelease, r, 0)
    os.close(w)
    os.waitpid(pid, 0)
    gives(-ESRCH, NR.process_madvise, fd, vec, 2, mmap.MADV_WILLNEED, 0)
    gives(-ESRCH, NR.process_mrelease, fd, 0)


ROOT, OFFSET = (1 << 64) - 1, 1 << 31


def request(mount, param=0, size=24, spare=0):
    return struct.pack("=IIQQQ", size, spare, mount, param, 0)


def unique_id(path):
    buf = ctypes.create_string_buffer(256)
    works(NR.statx, -100, path.encode(), 0, 0x4000, buf)
    eq(struct.unpack_from("=I", buf)[0] & 0x4000, 0x4000)
    return struct.unpack_from("=Q", buf, 0x90)[0]


def mounts_below(mount, param=0, count=4000, flags=0):
    ids = (ctypes.c_uint64 * count)()
    n = works(NR.listmount, request(mount, param), ids, count, flags)
    return list(ids[:n])


@test
def mounts_are_listed():
    ids = mounts_below(ROOT)
    eq(ids, sorted(ids))
    ok(unique_id("/proc") in ids, "/proc is there")
    ok(all(i > OFFSET for i in ids), "ids are unique")
    ok(unique_id("/") in ids, "the root of all is one of them")
    ok(unique_id("/") not in mounts_below(unique_id("/")), "but is not below itself")
    eq(mounts_below(ROOT, 0, 2), ids[:2])
    eq(mounts_below(ROOT, ids[1]), ids[2:])
    eq(mounts_below(ROOT, 0, 4000, 1), ids[::-1])
    eq(mounts_below(unique_id("/proc")), [i for i in mounts_below(unique_id("/proc")) if i in ids])
    buf = ctypes.create_string_buffer(80)
    gives(-EINVAL, NR.listmount, request(ROOT), buf, 1, 2)
    gives(-EINVAL, NR.listmount, request(ROOT, 0, 23), buf, 1, 0)
    gives(-E2BIG, NR.listmount, request(ROOT, 0, 4097), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(ROOT, 0, 24, 1), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(5), buf, 1, 0)
    gives(-ENOENT, NR.listmount, request(OFFSET + 999999), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(ROOT, 5), buf, 1, 0)
    gives(-EFAULT, NR.listmount, request(ROOT), 4096, 1, 0)
    gives(-EFAULT, NR.listmount, 4096, buf, 1, 0)
    gives(-EOVERFLOW, NR.listmount, request(ROOT), buf, 1 << 40, 0)


def statmount(mount, mask, size=4096):
    buf = ctypes.create_string_buffer(4096)
    r = sc(NR.statmount, request(mount, mask), buf, size, 0)
    return (r, buf.raw)


def string(raw, offset):
    start = 512 + struct.unpack_from("=I", raw, offset)[0]
    return raw[start:raw.index(b"\0", start)]


@test
def a_mount_is_described():
    proc = unique_id("/proc")
    r, raw = statmount(proc, 0x3B)
    eq(r, 0)
    size, _, mask = struct.unpack_from("=IIQ", raw)
    eq(mask, 0x3B)
    between(525, size, 526, "size, with or without an empty string in front")
    eq(string(raw, 36), b"proc")
    eq(string(raw, 104), b"/")
    eq(string(raw, 108), b"/proc")
    eq(struct.unpack_from("=Q", raw, 24)[0], 0x9FA0, "magic")
    st = os.stat("/proc").st_dev
    eq(struct.unpack_from("=II", raw, 16), (os.major(st), os.minor(st)))
    eq(struct.unpack_from("=Q", raw, 40)[0], proc)
    line = [l.split() for l in open("/proc/self/mountinfo") if l.split()[4] == "/proc"][-1]
    eq(struct.unpack_from("=II", raw, 56), (int(line[0]), int(line[1])), "ids as in mountinfo")
    flags = struct.unpack_from("=Q", raw, 64)[0]
    options = line[5].split(",")
    for bit, name in (1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec"), (0x10, "noatime"):
        eq(bool(flags & bit), name in options, name)


@test
def statmount_checks():
    proc = unique_id("/proc")
    eq(statmount(proc, 0x20, 500)[0], -EOVERFLOW)
    eq(statmount(proc, 0x20, 512)[0], -EOVERFLOW)
    eq(statmount(proc, 2, 16)[0], 0)
    eq(statmount(5, 2)[0], -EINVAL)
    eq(statmount(OFFSET + 999999, 2)[0], -ENOENT)
    eq(struct.unpack_from("=Q", statmount(proc, 1 << 60)[1], 8)[0], 0)
    eq(struct.unpack_from("=Q", statmount(proc, 1 << 60 | 0x22)[1], 8)[0], 0x22, "with unknown bits")
    gives(-EINVAL, NR.statmount, request(proc), ctypes.create_string_buffer(600), 600, 1)
    gives(-EFAULT, NR.statmount, request(proc, 2), 4096, 600, 0)


run()
