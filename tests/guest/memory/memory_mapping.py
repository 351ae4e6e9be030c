"""mmap(2), munmap(2), mprotect(2), mremap(2), one error, flag or limit a case."""

import errno
import resource
import signal

from lib.areas import *
from lib.guest import *
from lib.operands import *

needs_root("mmaps_locked_over_the_limit_by_root")

SYS.update(pkey_mprotect=329, pkey_alloc=330, pkey_free=331)

MMAP = [
    ("length 0", "EINVAL", lambda: mapped(0, 0, R, PA, -1, 0)),
    ("length of the address space", "ENOMEM", lambda: mapped(0, 2**47, R, PA, -1, 0)),
    ("length that wraps", "ENOMEM", lambda: mapped(0, 2**64 - 1, R, PA, -1, 0)),
    ("length that wraps to a page", "ENOMEM", lambda: mapped(0, 2**64 - PAGE, R, PA, -1, 0)),
    ("length of one byte", "1", lambda: mapped(0, 1, R, PA, -1, 0)),
    ("offset that is not aligned", "EINVAL", lambda: mapped(0, PAGE, R, PA, -1, 1)),
    ("anonymous offset", "1", lambda: mapped(0, PAGE, R, PA, -1, PAGE)),
    ("anonymous descriptor is not looked at", "1", lambda: mapped(0, PAGE, R, PA, 899, 0)),
    ("no type", "EINVAL", lambda: mapped(0, PAGE, R, ANON, -1, 0)),
    ("type 0 of a file", "EINVAL", lambda: mapped(0, PAGE, R, 0, file(), 0)),
    ("type 3 without a file", "EINVAL", lambda: mapped(0, PAGE, R, VALIDATE | ANON, -1, 0)),
    ("type 4", "EINVAL", lambda: mapped(0, PAGE, R, 4 | ANON, -1, 0)),
    ("type 15", "EINVAL", lambda: mapped(0, PAGE, R, 15 | ANON, -1, 0)),
    ("unknown protection", "1", lambda: mapped(0, PAGE, 0x100, PA, -1, 0)),
    ("unknown flag", "1", lambda: mapped(0, PAGE, R, PA | 1 << 27, -1, 0)),
    ("fixed and not aligned", "EINVAL", lambda: mapped(0x10001, PAGE, R, PA | FIXED, -1, 0)),
    ("hint that is not aligned", "1", lambda: mapped(0x10001, PAGE, R, PA, -1, 0)),
    ("fixed behind the end", "ENOMEM", lambda: mapped(ADDRESS_END, PAGE, R, PA | FIXED, -1, 0)),
    ("fixed over the end", "ENOMEM",
     lambda: mapped(ADDRESS_END - PAGE, 2 * PAGE, R, PA | FIXED, -1, 0)),
    ("fixed in the kernel", "ENOMEM", lambda: mapped(KERNEL, PAGE, R, PA | FIXED, -1, 0)),
    ("hint in the kernel", "1", lambda: mapped(KERNEL, PAGE, R, PA, -1, 0)),
    ("noreplace over a mapping", "EEXIST", lambda: mapped(area(), PAGE, R, PA | NOREPLACE, -1, 0)),
    ("noreplace over a part", "EEXIST",
     lambda: mapped(two() - PAGE, 2 * PAGE, R, PA | NOREPLACE, -1, 0)),
    ("noreplace of free space", "1", lambda: mapped(two() - PAGE, PAGE, R, PA | NOREPLACE, -1, 0)),
    ("fixed over a mapping", "1", lambda: mapped(area(), PAGE, R, PA | FIXED, -1, 0)),
    ("shared and growing", "EINVAL", lambda: mapped(0, PAGE, R, SHARED | ANON | GROWSDOWN, -1, 0)),
    ("huge without pages", "ENOMEM", lambda: mapped(0, 2 << 20, R, PA | HUGETLB, -1, 0)),
    ("low is below 2 GB", "1", lambda: int(works(NR.mmap, 0, PAGE, R, PA | LOW, -1, 0) < 1 << 31)),
    ("denywrite is ignored", "1", lambda: mapped(0, PAGE, R, PRIVATE | DENYWRITE, file(), 0)),
    ("stack is ignored", "1", lambda: mapped(0, PAGE, R, PA | STACK, -1, 0)),
    ("validated unknown flag", "1", lambda: mapped(0, PAGE, R, VALIDATE | 1 << 27, file(), 0)),
    ("shared for writing of a read-only file", "EACCES",
     lambda: mapped(0, PAGE, RW, SHARED, file(0), 0)),
    ("private for writing of a read-only file", "1",
     lambda: mapped(0, PAGE, RW, PRIVATE, file(0), 0)),
    ("shared of a write-only file", "EACCES", lambda: mapped(0, PAGE, W, SHARED, file(1), 0)),
    ("file offset near the end", "EOVERFLOW",
     lambda: mapped(0, PAGE, R, SHARED, file(), (1 << 63) - PAGE)),
    ("file offset that wraps", "EOVERFLOW",
     lambda: mapped(0, 2 * PAGE, R, SHARED, file(), 2**64 - PAGE)),
    ("behind the end of a file", "1", lambda: mapped(0, PAGE, R, SHARED, file(), 64 * PAGE)),
    ("length over the limit", "ENOMEM", lambda: limited(resource.RLIMIT_AS, 1 << 32, lambda: mapped(
        0, 1 << 33, R, PA, -1, 0))),
    ("locked over the limit by root", "1",
     lambda: limited(resource.RLIMIT_MEMLOCK, PAGE, lambda: mapped(
        0, 4 * PAGE, RW, PA | LOCKED, -1, 0))),
    ("data over the limit", "ENOMEM", lambda: limited(resource.RLIMIT_DATA, 1 << 20, lambda: mapped(
        0, 1 << 30, RW, PA, -1, 0))),
    ("data limit ignores read-only memory", "1", lambda: limited(
        resource.RLIMIT_DATA, 1 << 20, lambda: mapped(0, 1 << 30, R, PA, -1, 0))),
]


MUNMAP = [
    ("of nothing", "EINVAL", lambda: sc(NR.munmap, area(), 0)),
    ("not aligned", "EINVAL", lambda: sc(NR.munmap, area() + 1, PAGE)),
    ("of a free range", "0", lambda: sc(NR.munmap, 0x10000, PAGE)),
    ("of a part of a page", "0 11", lambda: killed_after(lambda at: sc(NR.munmap, at, 1))),
    ("over a gap", "0", lambda: sc(NR.munmap, gap(), 3 * PAGE)),
    ("in the kernel", "EINVAL", lambda: sc(NR.munmap, KERNEL, PAGE)),
    ("over the end", "EINVAL", lambda: sc(NR.munmap, ADDRESS_END - PAGE, 4 * PAGE)),
    ("length that wraps", "EINVAL", lambda: sc(NR.munmap, area(), 2**64 - PAGE)),
    ("length of 2^64 - 1", "EINVAL", lambda: sc(NR.munmap, area(), 2**64 - 1)),
]


def killed_after(fn):
    at = area()
    return then(fn(at), killed(lambda: get(at + PAGE - 1, 1)))


MPROTECT = [
    ("not aligned", "EINVAL", lambda: sc(NR.mprotect, area() + 1, PAGE, R)),
    ("of nothing", "0", lambda: sc(NR.mprotect, area(), 0, R)),
    ("of nothing that is free", "0", lambda: sc(NR.mprotect, 0x10000, 0, R)),
    ("of a free range", "ENOMEM", lambda: sc(NR.mprotect, 0x10000, PAGE, R)),
    ("over a gap", "ENOMEM", lambda: sc(NR.mprotect, gap(), 3 * PAGE, R)),
    ("over a gap changes the pages before it", "ENOMEM 11 0", lambda: before_a_gap()),
    ("unknown bit", "EINVAL", lambda: sc(NR.mprotect, area(), PAGE, 0x100)),
    ("growsdown of memory that does not grow", "EINVAL",
     lambda: sc(NR.mprotect, area(), PAGE, R | 0x01000000)),
    ("growsup of memory that does not grow", "EINVAL",
     lambda: sc(NR.mprotect, area(), PAGE, R | 0x02000000)),
    ("both growths", "EINVAL", lambda: sc(NR.mprotect, area(), PAGE, R | 0x03000000)),
    ("wrapping", "ENOMEM", lambda: sc(NR.mprotect, area(), 2**64 - PAGE, R)),
    ("in the kernel", "ENOMEM", lambda: sc(NR.mprotect, KERNEL, PAGE, R)),
    ("writing of a read-only shared file", "EACCES", lambda: sc(
        NR.mprotect, filemap(R, SHARED, 2, os.O_RDONLY), PAGE, RW)),
    ("writing of a read-only private file", "0", lambda: sc(
        NR.mprotect, filemap(R, PRIVATE, 2, os.O_RDONLY), PAGE, RW)),
    ("none stops reads", "11", lambda: protected(0, False)),
    ("read only stops writes", "11", lambda: protected(R, True)),
    ("write only reads", "0", lambda: protected(W, False)),
    ("key -1", "0", lambda: sc(NR.pkey_mprotect, area(), PAGE, R, -1)),
    ("key 77", "EINVAL", lambda: sc(NR.pkey_mprotect, area(), PAGE, R, 77)),
    ("freeing key 77", "EINVAL", lambda: sc(NR.pkey_free, 77)),
    ("a key with flags", "EINVAL", lambda: sc(NR.pkey_alloc, 1, 0)),
    ("a key with unknown rights", "EINVAL", lambda: sc(NR.pkey_alloc, 0, 8)),
]


def before_a_gap():
    at = gap()
    return then(sc(NR.mprotect, at, 3 * PAGE, R), killed(lambda: put(at, b"x")),
                killed(lambda: put(at + 2 * PAGE, b"x")))


def protected(prot, writes):
    at = area()
    works(NR.mprotect, at, PAGE, prot)
    return killed(lambda: put(at, b"x") if writes else get(at, 1))


def moved(r):
    return min(r, 1)


MREMAP = [
    ("not aligned", "EINVAL", lambda: sc(NR.mremap, area() + 1, PAGE, PAGE, 0, 0)),
    ("to nothing", "EINVAL", lambda: sc(NR.mremap, area(), PAGE, 0, 0, 0)),
    ("unknown flag", "EINVAL", lambda: sc(NR.mremap, area(), PAGE, PAGE, 8, 0)),
    ("fixed without maymove", "EINVAL",
     lambda: sc(NR.mremap, area(), PAGE, PAGE, MREMAP_FIXED, area())),
    ("dontunmap without maymove", "EINVAL",
     lambda: sc(NR.mremap, area(), PAGE, PAGE, DONTUNMAP, 0)),
    ("dontunmap with another size", "EINVAL", lambda: sc(
        NR.mremap, area(2), PAGE, 2 * PAGE, DONTUNMAP | MAYMOVE, 0)),
    ("fixed and not aligned", "EINVAL", lambda: sc(
        NR.mremap, area(), PAGE, PAGE, MREMAP_FIXED | MAYMOVE, area() + 1)),
    ("fixed onto itself", "EINVAL", lambda: onto_itself(0)),
    ("fixed over a part of itself", "EINVAL", lambda: onto_itself(PAGE)),
    ("fixed in the kernel", "EINVAL", lambda: sc(NR.mremap, area(), PAGE, PAGE, 3, KERNEL)),
    ("of a free range", "EFAULT", lambda: sc(NR.mremap, 0x10000, PAGE, 2 * PAGE, MAYMOVE, 0)),
    ("over a gap", "EFAULT", lambda: sc(NR.mremap, gap(), 3 * PAGE, 4 * PAGE, MAYMOVE, 0)),
    ("growing without room", "ENOMEM", lambda: sc(NR.mremap, area(2), PAGE, 2 * PAGE, 0, 0)),
    ("growing in place", "1", lambda: moved(sc(NR.mremap, two() + PAGE, PAGE, 2 * PAGE, 0, 0))),
    ("growing elsewhere", "1", lambda: moved(sc(NR.mremap, area(2), PAGE, 2 * PAGE, MAYMOVE, 0))),
    ("shrinking", "1", lambda: moved(sc(NR.mremap, area(2), 2 * PAGE, PAGE, 0, 0))),
    ("shrinking frees the end", "0 11", lambda: shrunk()),
    ("size of a byte", "1", lambda: moved(sc(NR.mremap, area(), 1, 1, 0, 0))),
    ("size that wraps", "EINVAL", lambda: sc(NR.mremap, area(), PAGE, 2**64 - 1, MAYMOVE, 0)),
    ("old size 0 of private memory", "EINVAL", lambda: sc(NR.mremap, area(), 0, PAGE, MAYMOVE, 0)),
    ("old size 0 of shared memory", "both", lambda: doubled()),
    ("over the limit", "ENOMEM", lambda: limited(resource.RLIMIT_AS, 1 << 32, lambda: sc(
        NR.mremap, area(), PAGE, 1 << 33, MAYMOVE, 0))),
    ("moves written data", "text", lambda: contents()),
    ("dontunmap leaves zeros", "text zeros", lambda: left_behind(area())),
    ("dontunmap of shared memory", "text text", lambda: left_behind(
        works(NR.mmap, 0, PAGE, RW, SHARED | ANON, -1, 0))),
    ("a file behind its end", "1", lambda: moved(sc(
        NR.mremap, filemap(), 2 * PAGE, 8 * PAGE, MAYMOVE, 0))),
]


def onto_itself(off):
    at = area(4)
    return sc(NR.mremap, at, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MAYMOVE, at + off)


def shrunk():
    at = area(2)
    works(NR.mremap, at, 2 * PAGE, PAGE, 0, 0)
    return then(killed(lambda: get(at, 1)), killed(lambda: get(at + PAGE, 1)))


def doubled():
    at = works(NR.mmap, 0, PAGE, RW, SHARED | ANON, -1, 0)
    again = works(NR.mremap, at, 0, PAGE, MAYMOVE, 0)
    put(at, b"both")
    return get(again, 4).decode()


def contents():
    at = area(2)
    put(at, b"text")
    new = works(NR.mremap, at, PAGE, 2 * PAGE, MAYMOVE, 0)
    return text(new)


def left_behind(at):
    put(at, b"text")
    new = works(NR.mremap, at, PAGE, PAGE, MAYMOVE | DONTUNMAP, 0)
    return text(new) + " " + text(at)


@cases(MMAP, shared=True)
def mmaps(expected, fn):
    judged(expected, fn)


@cases(MUNMAP, shared=True)
def munmaps(expected, fn):
    judged(expected, fn)


@cases(MPROTECT, shared=True)
def mprotects(expected, fn):
    judged(expected, fn)


@test
def mremap_moves_nothing_to_the_null_page():
    if os.getuid() == 0:
        os.setresuid(1, 1, 1)
    at = area()
    put(at, b"text")
    gives(-errno.EPERM, NR.mremap, at, PAGE, PAGE, MREMAP_FIXED | MAYMOVE, 0)
    eq(text(at), "text")


def grown_down(top, to):
    """Writes to each page from a growing area at `top` down to `to`."""
    works(NR.mmap, top, PAGE, RW, PA | FIXED | GROWSDOWN, -1, 0)
    for at in range(top, to - 1, -PAGE):
        put(at, b"x")


@test
def a_stack_that_grows_too_far_ends_its_process_only():
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    killer = killed(lambda: grown_down(0x600a0000, 0x60010000))
    ok(killer in (0, signal.SIGSEGV), killer)
    # Below vm.mmap_min_addr, which is a page at least.
    eq(killed(lambda: grown_down(0x20000, 0)), signal.SIGSEGV)


@test
def brk_returns_the_old_or_the_new_end():
    start = works(NR.brk, 0)
    for end in 0x60060000, 0x60060001, 0x60080000, 0x70000000, 2**46, ADDRESS_END, KERNEL, 2**64 - 1:
        now = works(NR.brk, end)
        ok(now in (start, end), hex(now))
        works(NR.brk, start)
    eq(works(NR.brk, 0), start)


@cases(MREMAP, shared=True)
def mremaps(expected, fn):
    judged(expected, fn)


run()
