"""prctl(PR_SET_VMA): names that a program gives to its memory, in /proc/PID/maps."""

import os
from errno import *
from lib.guest import *

PAGE, SET_VMA = 4096, 0x53564D41


def memory(pages, flags=0x22, fd=-1):
    return works(NR.mmap, 0, pages * PAGE, 3, flags, fd, 0)


def name(at, size, text):
    return sc(NR.prctl, SET_VMA, 0, at, size, text)


def shown(at):
    """Returns (pages, name) of the area at an address."""
    with open("/proc/self/maps") as f:
        for line in f:
            start, end = (int(x, 16) for x in line.split(" ", 1)[0].split("-"))
            if start <= at < end:
                return (end - start) // PAGE, line.rstrip("\n")[73:]


def need_names():
    if name(memory(1), PAGE, b"x") == -EINVAL:
        skip("a kernel without CONFIG_ANON_VMA_NAME")


@test
def names_of_memory():
    need_names()
    at = memory(8)
    works(NR.munmap, at + 7 * PAGE, PAGE)
    works(NR.mprotect, at, PAGE, 1)
    at += PAGE
    eq(name(at, 6 * PAGE, b"all of it"), 0)
    eq(shown(at), (6, "[anon:all of it]"))
    eq(name(at + 2 * PAGE, 1, b"part"), 0)
    eq([shown(at + i * PAGE) for i in (0, 2, 3)], [(2, "[anon:all of it]"), (1, "[anon:part]"), (3, "[anon:all of it]")])
    eq(name(at + 2 * PAGE, PAGE, b"all of it"), 0)
    eq(shown(at), (6, "[anon:all of it]"))
    child_ok(lambda: eq(shown(at), (6, "[anon:all of it]")))
    eq(name(at, 6 * PAGE, None), 0)
    eq(shown(at + PAGE)[1], "")
    shared = memory(2, 0x21)
    eq(name(shared, 2 * PAGE, b"shared"), 0)
    eq(shown(shared), (2, "[anon_shmem:shared]"))


@test
def bad_names_are_refused():
    need_names()
    at = memory(1)
    for text in (b"a\\", b"`", b"$x", b"[", b"]", b"\n", b"\x7f", b"\x80", b"x" * 80):
        eq(name(at, PAGE, text), -EINVAL, repr(text))
    eq(name(at, PAGE, b"x" * 79), 0)
    eq(shown(at)[1], "[anon:" + "x" * 79 + "]")
    eq(name(at, PAGE, b""), 0)
    eq(name(at, PAGE, 1), -EFAULT)
    eq(sc(NR.prctl, SET_VMA, 1, at, PAGE, b"x"), -EINVAL)


@test
def ranges_without_mappings_take_no_name():
    need_names()
    at = memory(4)
    works(NR.munmap, at + PAGE, PAGE)
    eq(name(at + 1, PAGE, b"x"), -EINVAL)
    eq(name(at, 2**64 - 1, b"x"), -EINVAL)
    eq(name(at, 2**64 - PAGE, b"x"), -EINVAL)
    eq(name(at, 0, b"x"), 0)
    eq(name(at, 4 * PAGE, b"over a gap"), -ENOMEM)
    eq([shown(at + i * PAGE)[1] for i in (0, 2)], ["[anon:over a gap]"] * 2)
    eq(name(0x10000, PAGE, b"x"), -ENOMEM)
    fd = os.open("f", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, PAGE)
    mem = os.memfd_create("x")
    os.ftruncate(mem, PAGE)
    for file in (fd, mem):
        for flags in (1, 2):
            eq(name(memory(1, flags, file), PAGE, b"x"), -EBADF)


run()
