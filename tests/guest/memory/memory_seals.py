"""mseal(2): mappings that no later call may change."""

import ctypes
import mmap
import os

from errno import EINVAL, ENOMEM, EPERM

from lib.guest import NR, eq, gives, run, sc, spawn, test, works

PAGE = 4096


def area(pages, prot=3):
    return works(NR.mmap, 0, pages * PAGE, prot, 0x22, -1, 0)


@test
def sealed_memory_cannot_be_unmapped_or_changed():
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
def madvise_does_not_discard_sealed_read_only_memory():
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


run()
