"""PAGEMAP_SCAN of ioctl(2): categories of pages, and write tracking."""

import os
import struct
from errno import *
from lib.guest import *
from lib.userfault import *

needs_root(
    "zero_pages_are_found", "written_pages_are_found",
)

SCAN = 0xC0606610
ALLOWED, WRITTEN, FILE, PRESENT, SWAPPED, ZERO = 1, 2, 4, 8, 16, 32
PROTECTS, CHECKS = 1, 2
WP_ASYNC = 0x8000


def scan(at, pages, mask=0, result=None, flags=0, inverted=0, anyof=0, shown=0x3F, vec=8, most=0, size=96, length=None):
    """Returns ([(first page, pages, categories)], end page), or checks for the expected error."""
    import ctypes
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    regions = ctypes.create_string_buffer(24 * max(vec, 1))
    end = at + pages * PAGE
    arg = ctypes.create_string_buffer(struct.pack(
        "=12Q", size, flags, at, end, 77, ctypes.addressof(regions) if vec else 0,
        vec if length is None else length, most, inverted, mask, anyof, shown))
    r = sc(NR.ioctl, fd, SCAN, arg)
    os.close(fd)
    if result is not None:
        eq(r, result)
        return None
    ok(r >= 0, "scan: %d" % r)
    found = [struct.unpack_from("=3Q", regions, 24 * i) for i in range(r)]
    walked = struct.unpack_from("=Q", arg, 32)[0]
    return [((a - at) // PAGE, (b - a) // PAGE, c) for a, b, c in found], (walked - at) // PAGE


def two_of_ten():
    at = memory(10)
    store(at + PAGE, 1)
    store(at + 2 * PAGE, 1)
    store(at + 5 * PAGE, 1)
    return at


@test
def present_pages_are_found():
    at = two_of_ten()
    eq(scan(at, 10, PRESENT), ([(1, 2, PRESENT | WRITTEN), (5, 1, PRESENT | WRITTEN)], 10))
    eq(scan(at, 10, PRESENT, shown=PRESENT), ([(1, 2, PRESENT), (5, 1, PRESENT)], 10))
    eq(scan(at, 10, PRESENT, inverted=PRESENT, shown=PRESENT), ([(0, 1, 0), (3, 2, 0), (6, 4, 0)], 10))
    # A page that was never present counts as written if it has a page table.
    eq(scan(at, 10), ([(0, 1, WRITTEN), (1, 2, 10), (3, 2, WRITTEN), (5, 1, 10), (6, 4, WRITTEN)], 10))
    eq(scan(memory(1 << 16) + (1 << 24), 1024)[0], [(0, 1024, 0)])
    eq(scan(at, 10, anyof=PRESENT | FILE)[0], [(1, 2, 10), (5, 1, 10)])
    eq(scan(at, 10, FILE), ([], 10))
    eq(scan(at, 3, PRESENT), ([(1, 2, 10)], 3))
    # The scan ends where the vector or the number of pages is full.
    eq(scan(at, 10, PRESENT, vec=1), ([(1, 2, 10)], 5))
    eq(scan(at, 10, PRESENT, most=1), ([(1, 1, 10)], 2))
    eq(scan(at, 10, PRESENT, most=2), ([(1, 2, 10)], 5))
    eq(scan(at, 10, PRESENT, most=3), ([(1, 2, 10), (5, 1, 10)], 10))
    eq(scan(at, 10, PRESENT, vec=0), ([], 10))
    works(NR.munmap, at + 2 * PAGE, 2 * PAGE)
    eq(scan(at, 10, PRESENT)[0], [(1, 1, 10), (5, 1, 10)])
    eq(scan(at, 0, PRESENT)[0], [])


@test
def zero_pages_are_found():
    import ctypes
    # Memory that is mapped below reuses these page frames.
    fd, used = new(WP_ASYNC), memory(2000)
    eq(register(fd, used, 2000 * PAGE, WP)[0], 0)
    eq(protect(fd, used, 2000 * PAGE), 0)
    for i in range(0, 2000, 2):
        store(used + i * PAGE, 7)
    works(NR.munmap, used, 2000 * PAGE)
    at = memory(1000)
    eq(register(fd, at, 1000 * PAGE, WP)[0], 0)
    eq(protect(fd, at, 1000 * PAGE), 0)

    def written(flags=PROTECTS):
        return scan(at, 1000, WRITTEN, shown=WRITTEN, flags=flags)[0]
    ctypes.memset(at, 7, 1000 * PAGE)
    eq(written(0), [(0, 1000, WRITTEN)])
    ctypes.memset(at, 0, 500 * PAGE)
    eq(written(), [(0, 1000, WRITTEN)])
    ctypes.memset(at + PAGE, 0, 998 * PAGE)
    eq(written(), [(1, 998, WRITTEN)])
    eq(written(), [])


@test
def pages_of_files():
    mem = os.memfd_create("x")
    os.ftruncate(mem, 4 * PAGE)
    at = memory(4, 1, mem)
    store(at + PAGE, 1)
    eq(scan(at, 4, FILE)[0], [(1, 1, FILE | PRESENT | WRITTEN)])


@test
def written_pages_are_found():
    fd, at = new(WP_ASYNC), two_of_ten()
    eq(scan(at, 10, result=-EPERM, flags=CHECKS), None)
    eq(scan(at, 10, PRESENT, flags=PROTECTS), ([], 10))
    eq(register(fd, at, 10 * PAGE, WP)[0], 0)
    eq(scan(at, 10, ALLOWED, shown=ALLOWED), ([(0, 10, ALLOWED)], 10))
    eq(scan(at, 10, WRITTEN | PRESENT, shown=WRITTEN)[0], [(1, 2, WRITTEN), (5, 1, WRITTEN)])
    # PM_SCAN_WP_MATCHING protects the pages that it finds.
    eq(scan(at, 10, WRITTEN, shown=WRITTEN, flags=PROTECTS | CHECKS)[0], [(0, 10, WRITTEN)])
    marked = SWAPPED | ALLOWED
    eq(scan(at, 10)[0], [(0, 1, marked), (1, 2, 9), (3, 2, marked), (5, 1, 9), (6, 4, marked)])
    eq(scan(at, 10, WRITTEN, shown=WRITTEN)[0], [])
    store(at + 2 * PAGE, 2)
    eq(scan(at, 10, WRITTEN, shown=WRITTEN)[0], [(2, 1, WRITTEN)])
    eq(protect(fd, at, 10 * PAGE), 0)
    eq(scan(at, 10, WRITTEN, shown=WRITTEN)[0], [])
    store(at + 7 * PAGE, 2)
    eq(scan(at, 10, WRITTEN, shown=WRITTEN, flags=PROTECTS)[0], [(7, 1, WRITTEN)])
    eq(scan(at, 10, WRITTEN, shown=WRITTEN, vec=0, flags=PROTECTS), ([], 10))
    store(at, 3)
    store(at + PAGE, 3)
    # The scan protects at most `most` pages.
    eq(scan(at, 10, WRITTEN, shown=WRITTEN, flags=PROTECTS, most=1)[0], [(0, 1, WRITTEN)])
    eq(scan(at, 10, WRITTEN, shown=WRITTEN)[0], [(1, 1, WRITTEN)])


@test
def arguments_are_checked():
    at = two_of_ten()
    for size in (0, 95, 104):
        scan(at, 10, PRESENT, -EINVAL, size=size)
    scan(at, 10, PRESENT, -EINVAL, flags=4)
    for name in ("mask", "inverted", "anyof", "shown"):
        scan(at, 10, result=-EINVAL, **{name: 1 << 20})
    scan(at + 1, 1, PRESENT, -EINVAL)
    scan(at, 10, PRESENT, -EINVAL, vec=0, length=1)
    scan(1 << 62, 1 << 50, PRESENT, -EFAULT)
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    gives(-EFAULT, NR.ioctl, fd, SCAN, 0)
    gives(-EINVAL, NR.ioctl, fd, SCAN + 1, 0)


run()
