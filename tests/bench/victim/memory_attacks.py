"""Attacks by the size of address spaces, argument lists and the files of /proc/PID."""

import ctypes
import mmap
import os

from calls import call, in_child, libc, table

ATTACKS, attack = table()
PAGE = 4096
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]


def reserve(pages, prot=3):
    at = libc.mmap(None, pages * PAGE, prot, 0x22, -1, 0)
    if at is None or at == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return at


def areas(count):
    """Makes `count` areas: every other page has another protection."""
    at = reserve(2 * count)
    for i in range(count):
        if libc.mprotect(ctypes.c_void_p(at + 2 * i * PAGE), PAGE, 1) < 0:
            break
    return at


def read_all(path):
    with open(path, "rb", buffering=0) as f:
        while f.read(1 << 20):
            pass


@attack
def smaps_of_60000_areas(scale):
    areas(int(30000 * scale))
    return lambda: read_all("/proc/self/smaps")


@attack
def maps_of_60000_areas(scale):
    areas(int(30000 * scale))
    return lambda: read_all("/proc/self/maps")


@attack
def smaps_rollup_of_60000_areas(scale):
    areas(int(30000 * scale))
    return lambda: read_all("/proc/self/smaps_rollup")


@attack
def fork_of_16000_areas(scale):
    areas(int(8000 * scale))
    return lambda: in_child(lambda: None)


@attack
def unmap_of_60000_areas(scale):
    def go():
        at = areas(int(30000 * scale))
        libc.munmap(ctypes.c_void_p(at), int(60000 * scale) * PAGE)
    return go


@attack
def exit_with_60000_areas(scale):
    return lambda: in_child(lambda: areas(int(30000 * scale)))


@attack
def protect_60000_areas(scale):
    count = int(30000 * scale)
    at = areas(count)

    def go():
        libc.mprotect(ctypes.c_void_p(at), 2 * count * PAGE, 0)
        libc.mprotect(ctypes.c_void_p(at), 2 * count * PAGE, 3)
        for i in range(count):
            libc.mprotect(ctypes.c_void_p(at + 2 * i * PAGE), PAGE, 1)
    return go


@attack
def unmap_of_512_mib(scale):
    size = int((512 << 20) * scale)

    def go():
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as m:
            for at in range(0, size, PAGE):
                m[at] = 1
    return go


@attack
def populate_512_mib(scale):
    size = int((512 << 20) * scale)

    def go():
        mmap.mmap(-1, size, flags=0x22 | 0x8000).close()
    return go


@attack
def fork_of_256_mib(scale):
    size = int((256 << 20) * scale)
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, size, PAGE):
        m[at] = 1
    return lambda: in_child(lambda: None)


@attack
def execve_of_a_huge_list(scale):
    words = ["x" * 7] * int(200000 * scale)
    return lambda: in_child(lambda: os.execv("/bin/true", ["true"] + words))


@attack
def execve_of_long_words(scale):
    words = ["x" * 131000] * max(1, int(15 * scale))
    return lambda: in_child(lambda: os.execv("/bin/true", ["true"] + words))


@attack
def discard_and_touch(scale):
    size = int((128 << 20) * scale)
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def go():
        for at in range(0, size, PAGE):
            m[at] = 1
        m.madvise(mmap.MADV_DONTNEED)
    return go


@attack
def mincore_of_a_tebibyte(scale):
    pages = int((1 << 26) * scale)
    at = libc.mmap(None, pages * PAGE, 0, 0x4022, -1, 0)
    vec = ctypes.create_string_buffer(pages)
    return lambda: call(27, at, pages * PAGE, vec)


@attack
def pagemap_of_a_gibibyte(scale):
    at = reserve(int((1 << 18) * scale))
    fd = os.open("/proc/self/pagemap", os.O_RDONLY)
    return lambda: os.pread(fd, 8 * int((1 << 18) * scale), at // PAGE * 8)
