"""Mappings with gaps, signals of accesses and lines of smaps, for cases about memory."""

import ctypes
import os
import resource

from lib.guest import *
from lib.operands import *

R, W, X = 1, 2, 4
RW = R | W
SHARED, PRIVATE, VALIDATE, FIXED, ANON = 1, 2, 3, 0x10, 0x20
GROWSDOWN, DENYWRITE, LOCKED, NORESERVE, POPULATE = 0x100, 0x800, 0x2000, 0x4000, 0x8000
STACK, HUGETLB, SYNC, NOREPLACE, LOW = 0x20000, 0x40000, 0x80000, 0x100000, 0x40
MAYMOVE, MREMAP_FIXED, DONTUNMAP = 1, 2, 4
PA = PRIVATE | ANON


def mapped(*args):
    """Returns 1 for a success, or -errno."""
    return min(sc(NR.mmap, *args), 1)


def two():
    """Maps two pages between two unmapped pages. Returns their address."""
    at = area(4, 0)
    works(NR.munmap, at, PAGE)
    works(NR.munmap, at + 3 * PAGE, PAGE)
    works(NR.mprotect, at + PAGE, 2 * PAGE, RW)
    return at + PAGE


def gap():
    """Maps three pages and unmaps the middle one. Returns the first address."""
    at = area(3)
    works(NR.munmap, at + PAGE, PAGE)
    return at


def filemap(prot=RW, flags=SHARED, pages=2, mode=os.O_RDWR):
    fd = file(mode, bytes(pages * PAGE))
    return works(NR.mmap, 0, pages * PAGE, prot, flags, fd, 0)


def put(at, data):
    ctypes.memmove(at, data, len(data))


def get(at, n):
    return ctypes.string_at(at, n)


def text(at):
    """Reads four bytes as text."""
    data = get(at, 4)
    return "zeros" if data == bytes(4) else data.decode()


def killed(fn):
    """Returns the signal that ends a child in fn, or 0."""
    def child():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        fn()
    return in_child(child) & 0x7F


def field(name, at):
    """Returns a line of the area at `at` in /proc/self/smaps."""
    found = False
    for line in open("/proc/self/smaps"):
        head = line.split()[0]
        if "-" in head and not head.endswith(":"):
            low, high = (int(x, 16) for x in head.split("-"))
            found = low <= at < high
        elif found and head == name + ":":
            return line.split(None, 1)[1].strip()
    return None


def flags_of(at):
    return field("VmFlags", at).split()


def limited(what, value, fn):
    old = resource.getrlimit(what)
    resource.setrlimit(what, (value, old[1]))
    try:
        return fn()
    finally:
        resource.setrlimit(what, old)
