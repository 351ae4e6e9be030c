"""Resident and locked pages, by mincore(2), mlock(2), /proc/PID/pagemap and /proc/PID/smaps."""

import ctypes
import os
import resource
import struct
from errno import *
from lib.guest import *

PAGE = 4096
PRESENT, FILE, WATCHED, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 57, 1 << 56
KINDS = PRESENT | FILE | WATCHED | EXCLUSIVE


def anon(pages, prot=3, flags=0x22, fd=-1):
    return works(NR.mmap, 0, pages * PAGE, prot, flags, fd, 0)


def touch(at, *pages):
    for i in pages:
        ctypes.memset(at + i * PAGE, 1, 1)


def core(at, pages):
    v = ctypes.create_string_buffer(pages)
    works(NR.mincore, at, pages * PAGE, v)
    return [x & 1 for x in v.raw]


def pagemap(at, pages):
    with open("/proc/self/pagemap", "rb", 0) as f:
        f.seek(at // PAGE * 8)
        data = f.read(pages * 8)
    return [x & KINDS for x in struct.unpack("<%dQ" % pages, data)]


def smaps(at):
    """Returns the fields of the area at `at`: numbers in pages, VmFlags as a set."""
    with open("/proc/self/smaps") as f:
        lines = f.read().split("\n")
    i = [k for k, x in enumerate(lines) if x.startswith("%x-" % at)][0] + 1
    out = {}
    while not lines[i].startswith("VmFlags"):
        name, value = lines[i].split(":")
        out[name] = int(value.split()[0]) // 4
        i += 1
    out["VmFlags"] = set(lines[i].split()[1:])
    return out


def locked():
    with open("/proc/self/status") as f:
        return int([x for x in f if x.startswith("VmLck")][0].split()[1]) // 4


@test
def touched_pages_are_resident():
    at = anon(8)
    touch(at, 0, 3)
    eq(core(at, 8), [1, 0, 0, 1, 0, 0, 0, 0])
    mine = PRESENT | EXCLUSIVE
    eq(pagemap(at, 8), [mine, 0, 0, mine, 0, 0, 0, 0])
    works(NR.madvise, at, PAGE, 4)
    eq(core(at, 4), [0, 0, 0, 1])
    eq(pagemap(at, 4), [0, 0, 0, mine])
    shared = anon(4, 3, 0x21)
    touch(shared, 1)
    eq(pagemap(shared, 4), [0, PRESENT | FILE | EXCLUSIVE, 0, 0])


@test
def a_child_shares_pages():
    at = anon(32)
    touch(at, *range(32))
    r, w = os.pipe()
    pid = spawn(lambda: os.read(r, 1) and 0)
    eq(pagemap(at, 32), [PRESENT] * 32)
    touch(at, 0)
    eq(pagemap(at, 1), [PRESENT | EXCLUSIVE])
    os.write(w, b"x")
    os.waitpid(pid, 0)
    # The kernel may free the child's memory a moment later.
    wait_until(lambda: pagemap(at, 32) == [PRESENT | EXCLUSIVE] * 32, "pages of its own")


@test
def pagemap_is_read_in_whole_entries():
    at = anon(2)
    touch(at, 0)
    f = os.open("/proc/self/pagemap", os.O_RDONLY)
    where = at // PAGE * 8
    fails(EINVAL, os.pread, f, 7, where)
    fails(EINVAL, os.pread, f, 8, where + 4)
    eq(len(os.pread(f, 16, where)), 16)
    eq(os.pread(f, 0, where), b"")
    eq(os.pread(f, 8, 0), bytes(8))
    eq(os.pread(f, 8, (1 << 47) // PAGE * 8), b"")
    eq(os.pread(f, 8, (1 << 62)), b"")
    gives(-EFAULT, NR.pread64, f, 1, 8, where)
    fails(EBADF, os.write, f, b"12345678")
    eq(os.stat("/proc/self/pagemap").st_mode & 0o777, 0o400)


@test
def locked_memory_is_resident():
    before = locked()
    at = anon(8)
    touch(at, 2)
    works(NR.mlock, at + 100, 3 * PAGE)
    eq(core(at, 8), [1, 1, 1, 1, 0, 0, 0, 0])
    eq(locked(), before + 4)
    works(NR.mlock2, at + 4 * PAGE, 2 * PAGE, 1)
    eq(core(at, 8), [1, 1, 1, 1, 0, 0, 0, 0])
    eq(locked(), before + 6)
    works(NR.munlock, at, 8 * PAGE)
    eq(locked(), before)
    none = anon(2, 0)
    gives(-ENOMEM, NR.mlock, none, PAGE)
    hole = anon(4)
    works(NR.munmap, hole + PAGE, PAGE)
    gives(-ENOMEM, NR.mlock, hole, 3 * PAGE)
    for flags in (2, 4, 0x80000000):
        gives(-EINVAL, NR.mlock2, at, PAGE, flags)
    gives(0, NR.mlock, at, 0)
    big = 64 << 20
    at = anon(big // PAGE)
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] not in (-1,) and not is_root():
        return
    works(NR.mlock, at, big)
    eq(sum(core(at, big // PAGE)), big // PAGE)
    eq(smaps(at)["Rss"], big // PAGE)


@test
def populated_memory_is_resident():
    at = anon(8, 3, 0x8022)
    eq(core(at, 8), [1] * 8)
    at = anon(8, 3, 0x8021)
    eq(core(at, 8), [1] * 8)
    at = anon(8, 3, 0x2022)
    eq(core(at, 8), [1] * 8)
    works(NR.munlock, at, 8 * PAGE)


@test
def all_memory_can_be_locked():
    need_root()
    at = anon(8)

    def child():
        works(NR.mlockall, 1)
        eq(core(at, 8), [1] * 8)
        eq(core(anon(4), 4), [0] * 4)
        works(NR.mlockall, 2)
        eq(core(anon(4), 4), [1] * 4)
        works(NR.mlockall, 6)
        eq(core(anon(4), 4), [0] * 4)
        works(NR.munlockall)
        eq(locked(), 0)
    child_ok(child)


@test
def pages_of_files_can_be_removed():
    mem = os.memfd_create("x")
    disk = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    for fd in (mem, disk):
        os.write(fd, b"x" * 4 * PAGE)
        at = anon(4, 3, 1, fd)
        touch(at, 0, 1, 2)
        works(NR.madvise, at + PAGE, 2 * PAGE, 9)
        eq(ctypes.string_at(at + PAGE, 2 * PAGE), bytes(2 * PAGE))
        eq(os.pread(fd, 2, PAGE), bytes(2))
        eq((os.pread(fd, 1, 3 * PAGE), os.fstat(fd).st_size), (b"x", 4 * PAGE))
        gives(0, NR.madvise, anon(1, 1, 1, fd), PAGE, 9)
        ro = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
        gives(-EACCES, NR.madvise, anon(1, 1, 1, ro), PAGE, 9)
        gives(-EACCES, NR.madvise, anon(1, 3, 2, fd), PAGE, 9)
    gives(-EINVAL, NR.madvise, anon(1), PAGE, 9)


@test
def smaps_counts_pages():
    at = anon(8)
    works(NR.mprotect, at, PAGE, 0)
    works(NR.mprotect, at + 7 * PAGE, PAGE, 0)
    at += PAGE
    touch(at, 0, 1, 5)
    s = smaps(at)
    eq([s[k] for k in ("Size", "Rss", "Pss", "Private_Dirty", "Shared_Dirty", "Anonymous",
                       "Locked")], [6, 3, 3, 3, 0, 3, 0])
    eq(s["VmFlags"] - {"sd"}, {"rd", "wr", "mr", "mw", "me", "ac"})
    works(NR.mlock, at, 6 * PAGE)
    s = smaps(at)
    eq([s[k] for k in ("Rss", "Locked")], [6, 6])
    ok("lo" in s["VmFlags"], "lo")
    shared = anon(4, 3, 0x21)
    touch(shared, 0, 1)
    s = smaps(shared)
    eq([s[k] for k in ("Rss", "Pss", "Private_Dirty", "Shared_Dirty", "Anonymous")],
       [2, 2, 2, 0, 0])
    ok("ac" not in s["VmFlags"], "shared memory is not counted as committed")


run()
