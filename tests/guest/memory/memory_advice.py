"""madvise(2), msync(2), mincore(2), mlock(2), brk(2) and others, an error or flag a case."""

import ctypes
import errno
import mmap
import os
import resource
import struct

from lib.areas import *
from lib.guest import *
from lib.operands import *

needs_root("memory_process_madvise_cold")

SYS.update(remap_file_pages=216)

ADVICE = {
    "normal": 0, "random": 1, "sequential": 2, "willneed": 3, "dontneed": 4, "free": 8,
    "remove": 9, "dontfork": 10, "dofork": 11, "dontdump": 16, "dodump": 17, "wipeonfork": 18,
    "keeponfork": 19, "cold": 20,
    "pageout": 21, "populate_read": 22, "populate_write": 23, "dontneed_locked": 24,
    "unknown": 77}


def advised(kind, at, length=PAGE):
    return sc(NR.madvise, at, length, ADVICE[kind])


def on_kinds(kind):
    """Advises private, shared, private file and shared file memory, a gap, and unmapped memory."""
    shared = works(NR.mmap, 0, PAGE, RW, SHARED | ANON, -1, 0)
    return then(advised(kind, area()), advised(kind, shared),
                advised(kind, filemap(RW, PRIVATE)), advised(kind, filemap()),
                advised(kind, gap(), 3 * PAGE), advised(kind, 0x10000))


MADVISE = [
    ("normal", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("normal")),
    ("random", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("random")),
    ("sequential", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("sequential")),
    ("willneed", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("willneed")),
    ("dontneed", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dontneed")),
    ("free", "0 EINVAL EINVAL EINVAL ENOMEM ENOMEM", lambda: on_kinds("free")),
    ("remove", "EINVAL 0 EACCES 0 EINVAL ENOMEM", lambda: on_kinds("remove")),
    ("dontfork", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dontfork")),
    ("dofork", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dofork")),
    ("dontdump", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dontdump")),
    ("dodump", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dodump")),
    ("wipeonfork", "0 EINVAL EINVAL EINVAL ENOMEM ENOMEM", lambda: on_kinds("wipeonfork")),
    ("keeponfork", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("keeponfork")),
    ("cold", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("cold")),
    ("pageout", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("pageout")),
    ("populate_read", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("populate_read")),
    ("populate_write", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("populate_write")),
    ("dontneed_locked", "0 0 0 0 ENOMEM ENOMEM", lambda: on_kinds("dontneed_locked")),
    ("unknown", "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL", lambda: on_kinds("unknown")),
    ("not aligned", "EINVAL", lambda: sc(NR.madvise, area() + 1, PAGE, 4)),
    ("of nothing", "0", lambda: sc(NR.madvise, area(), 0, 4)),
    ("unknown of nothing", "EINVAL", lambda: sc(NR.madvise, area(), 0, 77)),
    ("that wraps", "EINVAL", lambda: sc(NR.madvise, area(), 2**64 - PAGE, 4)),
    ("of 2^64 - 1", "EINVAL", lambda: sc(NR.madvise, area(), 2**64 - 1, 4)),
    ("dontneed of locked memory", "EINVAL text", lambda: on_locked(4)),
    ("free of locked memory", "EINVAL text", lambda: on_locked(8)),
    ("dontneed_locked of locked memory", "0 zeros", lambda: on_locked(24)),
    ("pageout of locked memory", "EINVAL text", lambda: on_locked(21)),
    ("remove of locked memory", "EINVAL text", lambda: on_locked(9)),
    ("remove of a read-only mapping", "0", lambda: sc(NR.madvise, filemap(R), PAGE, 9)),
    ("populate_write of a read-only mapping", "EINVAL",
     lambda: sc(NR.madvise, filemap(R), PAGE, 23)),
    ("populate_read of unreadable memory", "EINVAL",
     lambda: sc(NR.madvise, area(1, 0), PAGE, 22)),
    ("dontneed drops written data", "0 zeros", lambda: dropped(area(), 4)),
    ("dontneed of a shared file keeps the data", "0 text", lambda: dropped(filemap(), 4)),
    ("dontneed of a private file reads the file", "0 zeros",
     lambda: dropped(filemap(RW, PRIVATE), 4)),
    ("remove of a shared file makes a hole", "0 zeros", lambda: dropped(filemap(), 9)),
    ("dontneed over a gap drops both sides", "ENOMEM zeros zeros", lambda: both_sides()),
    ("dontfork shows", "1", lambda: flag_after(10, "dc")),
    ("dofork ends dontfork", "0", lambda: flag_after(10, "dc", 11)),
    ("dontdump shows", "1", lambda: flag_after(16, "dd")),
    ("dodump ends dontdump", "0", lambda: flag_after(16, "dd", 17)),
    ("wipeonfork shows", "1", lambda: flag_after(18, "wf")),
    ("keeponfork ends wipeonfork", "0", lambda: flag_after(18, "wf", 19)),
    ("random shows", "1", lambda: flag_after(1, "rr")),
    ("sequential shows", "1", lambda: flag_after(2, "sr")),
    ("normal ends random", "0", lambda: flag_after(1, "rr", 0)),
]


def on_locked(advice):
    at = area()
    works(NR.mlock, at, PAGE)
    put(at, b"text")
    return then(sc(NR.madvise, at, PAGE, advice)) + " " + text(at)


def dropped(at, advice):
    put(at, b"text")
    return then(sc(NR.madvise, at, PAGE, advice)) + " " + text(at)


def both_sides():
    at = gap()
    put(at, b"aaaa")
    put(at + 2 * PAGE, b"bbbb")
    return then(sc(NR.madvise, at, 3 * PAGE, 4)) + " " + text(at) + " " + text(at + 2 * PAGE)


def flag_after(advice, flag, undo=None):
    at = area()
    works(NR.madvise, at, PAGE, advice)
    if undo is not None:
        works(NR.madvise, at, PAGE, undo)
    return int(flag in flags_of(at))


OTHERS = [
    ("msync of nothing", "0", lambda: sc(NR.msync, filemap(), 0, 4)),
    ("msync not aligned", "EINVAL", lambda: sc(NR.msync, filemap() + 1, PAGE, 4)),
    ("msync async and sync", "EINVAL", lambda: sc(NR.msync, filemap(), PAGE, 5)),
    ("msync without a flag", "0", lambda: sc(NR.msync, filemap(), PAGE, 0)),
    ("msync unknown flag", "EINVAL", lambda: sc(NR.msync, filemap(), PAGE, 8)),
    ("msync invalidate", "0", lambda: sc(NR.msync, filemap(), PAGE, 2 | 4)),
    ("msync invalidate of locked memory", "EBUSY",
     lambda: sc(NR.msync, locked(filemap()), PAGE, 2 | 4)),
    ("msync over a gap", "ENOMEM", lambda: sc(NR.msync, gap(), 3 * PAGE, 4)),
    ("msync of a free range", "ENOMEM", lambda: sc(NR.msync, 0x10000, PAGE, 4)),
    ("msync that wraps", "ENOMEM", lambda: sc(NR.msync, filemap(), 2**64 - PAGE, 4)),
    ("msync of anonymous memory", "0", lambda: sc(NR.msync, area(), PAGE, 4)),
    ("mincore not aligned", "EINVAL", lambda: sc(NR.mincore, area() + 1, PAGE, buf())),
    ("mincore of nothing", "0", lambda: sc(NR.mincore, area(), 0, buf())),
    ("mincore over a gap", "ENOMEM", lambda: over_a_gap()),
    ("mincore of a free range", "ENOMEM", lambda: sc(NR.mincore, 0x10000, PAGE, buf())),
    ("mincore in the kernel", "ENOMEM", lambda: sc(NR.mincore, KERNEL, PAGE, buf())),
    ("mincore into nowhere", "EFAULT", lambda: sc(NR.mincore, area(), PAGE, UNMAPPED)),
    ("mincore that wraps", "ENOMEM", lambda: sc(NR.mincore, area(), 2**64 - PAGE, buf())),
    ("mlock of nothing", "0", lambda: sc(NR.mlock, area(), 0)),
    ("mlock of a free range", "ENOMEM", lambda: sc(NR.mlock, 0x10000, PAGE)),
    ("mlock over a gap", "ENOMEM", lambda: sc(NR.mlock, gap(), 3 * PAGE)),
    ("mlock not aligned", "0", lambda: sc(NR.mlock, area(2) + 100, PAGE)),
    ("mlock that wraps", "0", lambda: sc(NR.mlock, area(), 2**64 - 1)),
    ("mlock in the kernel", "ENOMEM", lambda: sc(NR.mlock, KERNEL, PAGE)),
    ("mlock of unreadable memory", "ENOMEM", lambda: sc(NR.mlock, area(1, 0), PAGE)),
    ("mlock2 unknown flag", "EINVAL", lambda: sc(NR.mlock2, area(), PAGE, 2)),
    ("munlock of a free range", "ENOMEM", lambda: sc(NR.munlock, 0x10000, PAGE)),
    ("munlock of unlocked memory", "0", lambda: sc(NR.munlock, area(), PAGE)),
    ("munlock over the end", "ENOMEM", lambda: sc(NR.munlock, ADDRESS_END, PAGE)),
    ("mlockall without a flag", "EINVAL", lambda: sc(NR.mlockall, 0)),
    ("mlockall unknown flag", "EINVAL", lambda: sc(NR.mlockall, 8)),
    ("mlockall only on fault", "EINVAL", lambda: sc(NR.mlockall, 4)),
    ("mlock shows in smaps", "4 kB", lambda: field("Locked", touched(locked(area())))),
    ("remap_file_pages of anonymous memory", "EINVAL",
     lambda: sc(NR.remap_file_pages, area(), PAGE, 0, 0, 0)),
    ("remap_file_pages of a private file", "EINVAL", lambda: sc(
        NR.remap_file_pages, filemap(RW, PRIVATE), PAGE, 0, 1, 0)),
    ("remap_file_pages with protection", "EINVAL", lambda: sc(
        NR.remap_file_pages, filemap(), PAGE, 1, 1, 0)),
    ("remap_file_pages of a shared file", "0",
     lambda: sc(NR.remap_file_pages, filemap(), PAGE, 0, 1, 0)),
    ("remap_file_pages behind the area", "EINVAL", lambda: sc(
        NR.remap_file_pages, filemap(), 8 * PAGE, 0, 1, 0)),
    ("mseal unknown flag", "EINVAL", lambda: sc(NR.mseal, area(), PAGE, 1)),
    ("mseal not aligned", "EINVAL", lambda: sc(NR.mseal, area() + 1, PAGE, 0)),
    ("mseal of nothing", "0", lambda: sc(NR.mseal, area(), 0, 0)),
    ("mseal over a gap", "ENOMEM", lambda: sc(NR.mseal, gap(), 3 * PAGE, 0)),
    ("mseal that wraps", "EINVAL", lambda: sc(NR.mseal, area(), 2**64 - PAGE, 0)),
    ("process_vm_readv unknown flag", "EINVAL", lambda: vm(flags=1)),
    ("process_vm_readv of no process", "ESRCH", lambda: vm(pid=2**22 + 5)),
    ("process_vm_readv of pid 0", "ESRCH", lambda: vm(pid=0)),
    ("process_vm_readv too many vectors", "EINVAL", lambda: vm(remote=1025)),
    ("process_vm_readv no remote vectors", "0", lambda: vm(remote=0)),
    ("process_vm_readv works", "4", lambda: vm()),
    ("process_vm_readv of a zombie", "ESRCH", lambda: of_a_zombie()),
    ("process_madvise of a bad descriptor", "EBADF", lambda: sc(
        NR.process_madvise, 899, struct.pack("QQ", area(), PAGE), 1, 20, 0)),
    ("process_madvise unknown flag", "EINVAL", lambda: sc(
        NR.process_madvise, me(), struct.pack("QQ", area(), PAGE), 1, 20, 1)),
    ("process_madvise cold", "4096", lambda: sc(
        NR.process_madvise, me(), struct.pack("QQ", area(), PAGE), 1, 20, 0)),
    ("process_madvise unknown advice", "EINVAL", lambda: sc(
        NR.process_madvise, me(), struct.pack("QQ", area(), PAGE), 1, 99, 0)),
    ("process_madvise too many vectors", "EINVAL", lambda: sc(
        NR.process_madvise, me(), struct.pack("QQ", area(), PAGE), 1025, 20, 0)),
    ("membarrier unknown command", "EINVAL", lambda: sc(NR.membarrier, 1 << 20, 0, 0)),
    ("membarrier unknown flag", "EINVAL", lambda: sc(NR.membarrier, 0, 2, 0)),
    ("membarrier private without registration", "EPERM", lambda: sc(NR.membarrier, 8, 0, 0)),
    ("membarrier private", "0 0",
     lambda: then(sc(NR.membarrier, 16, 0, 0), sc(NR.membarrier, 8, 0, 0))),
    ("membarrier global", "0", lambda: sc(NR.membarrier, 1, 0, 0)),
    ("brk below the start", "1", lambda: int(sc(NR.brk, 1) == sc(NR.brk, 0))),
    ("brk in the kernel", "1", lambda: int(sc(NR.brk, KERNEL) == sc(NR.brk, 0))),
    ("brk over the limit", "1", lambda: limited(resource.RLIMIT_DATA, 1 << 20, lambda: int(
        sc(NR.brk, sc(NR.brk, 0) + (1 << 28)) == sc(NR.brk, 0)))),
    ("brk grows", "zeros", lambda: grown()),
    ("access behind the end of a file", "0 7", lambda: behind_the_end()),
    ("access to the last page of a file", "0", lambda: killed(lambda: get(filemap(), 2 * PAGE))),
    ("access after a truncation", "0 7", lambda: truncated()),
    ("write to read-only memory", "11", lambda: killed(lambda: put(area(1, R), b"x"))),
    ("jump into data", "11", lambda: killed(lambda: ctypes.CFUNCTYPE(None)(area())())),
    ("access in the kernel", "11", lambda: killed(lambda: get(KERNEL, 1))),
    ("access at a noncanonical address", "11", lambda: killed(lambda: get(HALF, 1))),
    ("memfd mapping grows with the file", "7 0 7", lambda: growing_memfd()),
]


def over_a_gap():
    there = buf()
    return sc(NR.mincore, gap(), 3 * PAGE, there)


def locked(at):
    works(NR.mlock, at, PAGE)
    return at


def touched(at):
    put(at, b"x")
    return at


def vm(pid=None, flags=0, remote=1):
    local, there = buf(), buf(32768, b"text")
    vectors = struct.pack("QQ", there, 4) * remote
    return sc(NR.process_vm_readv, os.getpid() if pid is None else pid,
              struct.pack("QQ", local, 4), 1, vectors, remote, flags)


def of_a_zombie():
    pid = spawn(lambda: 0)
    wait_state(pid, "Z")
    return vm(pid=pid)


def me():
    return works(NR.pidfd_open, os.getpid(), 0)


def grown():
    old = sc(NR.brk, 0)
    new = sc(NR.brk, old + 4 * PAGE)
    r = text(old) if new == old + 4 * PAGE else "no"
    sc(NR.brk, old)
    return r


def behind_the_end():
    fd = file(data=b"short")
    at = works(NR.mmap, 0, 2 * PAGE, R, SHARED, fd, 0)
    return then(killed(lambda: get(at + PAGE - 1, 1)), killed(lambda: get(at + PAGE, 1)))


def truncated():
    fd = file(data=bytes(2 * PAGE))
    at = works(NR.mmap, 0, 2 * PAGE, R, SHARED, fd, 0)
    get(at + PAGE, 1)
    os.ftruncate(fd, 10)
    return then(killed(lambda: get(at, 1)), killed(lambda: get(at + PAGE, 1)))


def growing_memfd():
    fd = os.memfd_create("grows")
    at = works(NR.mmap, 0, 2 * PAGE, RW, SHARED, fd, 0)
    first = killed(lambda: get(at, 1))
    os.ftruncate(fd, PAGE)
    return then(first, killed(lambda: get(at, 1)), killed(lambda: get(at + PAGE, 1)))


@cases(MADVISE, shared=True)
def advice(expected, fn):
    judged(expected, fn)


@cases(OTHERS, shared=True)
def memory(expected, fn):
    judged(expected, fn)


@test
def populated_pages_are_resident():
    for kind in ("populate_read", "populate_write"):
        at, vec = works(NR.mmap, 0, 4 * PAGE, RW, PRIVATE | ANON, -1, 0), ctypes.create_string_buffer(4)
        eq((sc(NR.mincore, at, 4 * PAGE, vec), vec.raw), (0, bytes(4)), "before " + kind)
        eq(advised(kind, at + PAGE, 2 * PAGE), 0)
        eq((sc(NR.mincore, at, 4 * PAGE, vec), vec.raw), (0, b"\0\1\1\0"), "after " + kind)
        eq(get(at, 4 * PAGE), bytes(4 * PAGE))


@test
def droppable_memory():
    DROPPABLE, LOCKED, GROWSDOWN = 8, 0x2000, 0x100
    at = works(NR.mmap, 0, 2 * PAGE, RW, DROPPABLE | ANON, -1, 0)
    put(at, b"text")
    for kind in ("dodump", "keeponfork"):
        eq(advised(kind, at), -errno.EINVAL, kind)
    eq((advised("cold", at), text(at)), (0, "text"))
    works(NR.mlock, at, 2 * PAGE)
    # Linux skips a page that it uses at the moment.
    wait_until(lambda: advised("pageout", at) == 0 and get(at, 4) == bytes(4), "dropped")
    with open("/proc/self/smaps") as f:
        lines = iter(f)
        while not next(lines).startswith("%x-" % at):
            pass
        flags = next(line for line in lines if line.startswith("VmFlags")).split()
    ok("dp" in flags and "lo" not in flags, flags)
    for other in (LOCKED, GROWSDOWN):
        gives(-errno.EINVAL, NR.mmap, 0, PAGE, RW, DROPPABLE | ANON | other, -1, 0)


@test
def advice_to_another_process():
    need_root()
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
    gives(-errno.EINVAL, NR.process_madvise, fd, vec, 2, mmap.MADV_DONTNEED, 0)
    gives(-errno.EINVAL, NR.process_madvise, fd, vec, 2, mmap.MADV_WILLNEED, 1)
    gives(-errno.EINVAL, NR.process_madvise, fd, vec, 1025, mmap.MADV_WILLNEED, 0)
    gives(-errno.EFAULT, NR.process_madvise, fd, 16, 2, mmap.MADV_WILLNEED, 0)
    gives(-errno.EBADF, NR.process_madvise, r, vec, 2, mmap.MADV_WILLNEED, 0)
    gives(-errno.EINVAL, NR.process_mrelease, fd, 0)
    gives(-errno.EINVAL, NR.process_mrelease, fd, 1)
    gives(-errno.EBADF, NR.process_mrelease, r, 0)
    os.close(w)
    os.waitpid(pid, 0)
    gives(-errno.ESRCH, NR.process_madvise, fd, vec, 2, mmap.MADV_WILLNEED, 0)
    gives(-errno.ESRCH, NR.process_mrelease, fd, 0)


run()
