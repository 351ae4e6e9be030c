"""Attacks by filters, rings, and listings of the kernel's own files."""

import ctypes
import mmap
import os
import struct

from calls import call, in_child, libc, table

ATTACKS, attack = table()


def seccomp(steps):
    """Adds a filter of `steps` instructions that allows every call."""
    libc.prctl(38, 1, 0, 0, 0)
    program = struct.pack("HBBI", 0x20, 0, 0, 16) * (steps - 1) + struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
    held = ctypes.create_string_buffer(program)
    fprog = struct.pack("HxxxxxxQ", steps, ctypes.addressof(held))
    return libc.prctl(22, 2, ctypes.c_char_p(fprog), 0, 0)


@attack
def seccomp_of_long_filters(scale):
    def filtered():
        for _ in range(7):
            if seccomp(max(2, int(4000 * scale))) < 0:
                break
        for _ in range(500):
            libc.getppid()
    return lambda: in_child(filtered)


@attack
def io_uring_of_4096_nops(scale):
    entries = 4096
    params = ctypes.create_string_buffer(120)
    fd = call(425, entries, params)
    sq_entries, cq_entries = struct.unpack_from("II", params, 0)
    sq = struct.unpack_from("10I", params, 40)
    cq = struct.unpack_from("10I", params, 80)
    ring = mmap.mmap(fd, sq[6] + 4 * sq_entries, flags=mmap.MAP_SHARED, offset=0)
    cq_ring = mmap.mmap(fd, cq[5] + 16 * cq_entries, flags=mmap.MAP_SHARED, offset=0x8000000)
    sqes = mmap.mmap(fd, 64 * sq_entries, flags=mmap.MAP_SHARED, offset=0x10000000)
    for i in range(sq_entries):
        struct.pack_into("BBHiQQIIQ", sqes, 64 * i, 0, 0, 0, -1, 0, 0, 0, 0, i)
        struct.pack_into("I", ring, sq[6] + 4 * i, i)

    def go():
        for _ in range(5):
            tail = struct.unpack_from("I", ring, sq[1])[0]
            struct.pack_into("I", ring, sq[1], (tail + sq_entries) & 0xFFFFFFFF)
            call(426, fd, sq_entries, 0, 0, 0, 0)
            struct.pack_into("I", cq_ring, cq[0], struct.unpack_from("I", cq_ring, cq[1])[0])
    return go


@attack
def io_uring_of_1024_long_reads(scale):
    entries = 1024
    params = ctypes.create_string_buffer(120)
    fd = call(425, entries, params)
    sq = struct.unpack_from("10I", params, 40)
    cq = struct.unpack_from("10I", params, 80)
    cq_entries = struct.unpack_from("I", params, 4)[0]
    ring = mmap.mmap(fd, sq[6] + 4 * entries, flags=mmap.MAP_SHARED, offset=0)
    cq_ring = mmap.mmap(fd, cq[5] + 16 * cq_entries, flags=mmap.MAP_SHARED, offset=0x8000000)
    sqes = mmap.mmap(fd, 64 * entries, flags=mmap.MAP_SHARED, offset=0x10000000)
    size = int((1 << 20) * scale) + 1
    into = ctypes.create_string_buffer(size)
    zero = os.open("/dev/zero", os.O_RDONLY)
    for i in range(entries):
        struct.pack_into("BBHiQQIIQ", sqes, 64 * i, 22, 0, 0, zero, 0, ctypes.addressof(into), size, 0, i)
        struct.pack_into("I", ring, sq[6] + 4 * i, i)

    def go():
        tail = struct.unpack_from("I", ring, sq[1])[0]
        struct.pack_into("I", ring, sq[1], (tail + entries) & 0xFFFFFFFF)
        call(426, fd, entries, entries, 1, 0, 0)
        struct.pack_into("I", cq_ring, cq[0], struct.unpack_from("I", cq_ring, cq[1])[0])
    return go


@attack
def sysctl_listing(scale):
    def go():
        for top, _dirs, files in os.walk("/proc/sys"):
            for name in files:
                try:
                    with open(os.path.join(top, name), "rb") as f:
                        f.read()
                except OSError:
                    pass
    return go


@attack
def sysfs_listing(scale):
    def go():
        for _top, _dirs, _files in os.walk("/sys"):
            pass
    return go


@attack
def vectors_of_1024_parts(scale):
    into = ctypes.create_string_buffer(1 << 20)
    fd = os.open("/dev/zero", os.O_RDONLY)
    vector = struct.pack("QQ", ctypes.addressof(into), 1 << 20) * 1024

    def go():
        libc.readv(fd, vector, max(1, int(1024 * scale)))
    return go


@attack
def getrandom_of_256_mib(scale):
    size = int((256 << 20) * scale)
    into = ctypes.create_string_buffer(size)
    return lambda: call(318, into, size, 0)


@attack
def process_vm_of_256_mib(scale):
    size = int((256 << 20) * scale)
    a, b = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
    mine = struct.pack("QQ", ctypes.addressof(a), size)
    other = struct.pack("QQ", ctypes.addressof(b), size)

    def go():
        assert a and b
        call(310, os.getpid(), ctypes.c_char_p(mine), 1, ctypes.c_char_p(other), 1, 0)
    return go


@attack
def syslog_and_rlimits(scale):
    buf = ctypes.create_string_buffer(1 << 20)

    def go():
        for _ in range(100):
            libc.syscall(103, 3, buf, 1 << 20)
            with open("/proc/self/limits", "rb") as f:
                f.read()
    return go
