"""loop(4): block devices made of files."""

import ctypes
import errno
import os
import stat
import struct

from lib.guest import NR, eq, fails, gives, need_root, ok, run, sc, skip, test

SET_FD, CLR_FD, SET_STATUS, GET_STATUS, SET_STATUS64, GET_STATUS64 = range(0x4c00, 0x4c06)
CHANGE_FD, SET_CAPACITY, SET_DIRECT_IO, SET_BLOCK_SIZE, CONFIGURE = range(0x4c06, 0x4c0b)
ADD, REMOVE, GET_FREE = 0x4c80, 0x4c81, 0x4c82
BLKGETSIZE64, BLKGETSIZE, BLKSSZGET, BLKROGET, BLKFLSBUF, BLKPBSZGET = (
    0x80081272, 0x1260, 0x1268, 0x125e, 0x1261, 0x127b)
RO, AUTOCLEAR = 1, 4


def io(fd, request, arg=0):
    return sc(NR.ioctl, fd, request, arg)


def control():
    need_root()
    try:
        return os.open("/dev/loop-control", os.O_RDWR)
    except OSError as e:
        skip("no /dev/loop-control: " + e.strerror)


def device(flags=os.O_RDWR):
    """Finds a free device. Returns its descriptor and its number."""
    c = control()
    n = io(c, GET_FREE)
    ok(n >= 0, "a free device")
    os.close(c)
    path = "/dev/loop%d" % n
    if not os.path.exists(path):
        skip("no node for " + path)
    return os.open(path, flags), n


def backing(size=65536, name="backing"):
    fd = os.open(name, os.O_CREAT | os.O_RDWR)
    os.write(fd, b"0123456789" * 10)
    os.ftruncate(fd, size)
    return fd


def info64(fd):
    buf = ctypes.create_string_buffer(232)
    eq(io(fd, GET_STATUS64, buf), 0)
    device_, inode, rdevice, offset, limit, number, _, _, flags = struct.unpack_from("=5Q4I", buf)
    return inode, offset, limit, number, flags, buf.raw[56:120].split(b"\0")[0]


def status(offset=0, limit=0, flags=0, name=b"", crypt=0, key=0):
    return struct.pack("=5Q4I64s64s32s2Q", 0, 0, 0, offset, limit, 0, crypt, key, flags, name, b"", b"", 0, 0)


def size_of(fd):
    size = ctypes.c_ulonglong()
    eq(io(fd, BLKGETSIZE64, size), 0)
    return size.value


@test
def the_control_device():
    c = control()
    gives(-errno.ENOSYS, NR.ioctl, c, 0x4c8f, 0)
    gives(-errno.EINVAL, NR.ioctl, c, REMOVE, -1)
    gives(-errno.ENODEV, NR.ioctl, c, REMOVE, 777777)
    gives(-errno.EEXIST, NR.ioctl, c, ADD, io(c, GET_FREE))
    fails(errno.EINVAL, os.read, c, 1)
    fails(errno.EINVAL, os.write, c, b"x")


@test
def a_device_is_added_and_removed():
    c = control()
    eq(io(c, ADD, 4242), 4242)
    gives(-errno.EEXIST, NR.ioctl, c, ADD, 4242)
    path = "/dev/loop4242"
    if os.path.exists(path):
        eq(stat.S_IFMT(os.stat(path).st_mode), stat.S_IFBLK)
        eq(os.stat(path).st_rdev, os.makedev(7, 4242))
        fd = os.open(path, os.O_RDONLY)
        gives(-errno.EBUSY, NR.ioctl, c, REMOVE, 4242)
        os.close(fd)
    eq(io(c, REMOVE, 4242), 0)
    gives(-errno.ENODEV, NR.ioctl, c, REMOVE, 4242)


@test
def an_unbound_device_is_empty():
    fd, _ = device()
    eq(size_of(fd), 0)
    eq(os.read(fd, 10), b"")
    for request, arg in ((CLR_FD, 0), (SET_CAPACITY, 0), (SET_BLOCK_SIZE, 512), (SET_DIRECT_IO, 1),
                         (SET_STATUS64, status()), (GET_STATUS64, ctypes.create_string_buffer(232)),
                         (GET_STATUS, ctypes.create_string_buffer(168))):
        gives(-errno.ENXIO, NR.ioctl, fd, request, arg)
    gives(-errno.EINVAL, NR.ioctl, fd, GET_STATUS64, 0)
    gives(-errno.EFAULT, NR.ioctl, fd, SET_STATUS64, 0)
    gives(-errno.EFAULT, NR.ioctl, fd, CONFIGURE, 0)
    gives(-errno.EBADF, NR.ioctl, fd, SET_FD, 999)
    gives(-errno.EBADF, NR.ioctl, fd, SET_FD, -1)
    gives(-errno.EINVAL, NR.ioctl, fd, SET_FD, os.pipe()[0])
    gives(-errno.EINVAL, NR.ioctl, fd, SET_FD, os.open(".", os.O_RDONLY))


@test
def bytes_of_the_file():
    file = backing()
    fd, n = device()
    eq(io(fd, SET_FD, file), 0)
    try:
        gives(-errno.EBUSY, NR.ioctl, fd, SET_FD, file)
        eq(size_of(fd), 65536)
        sectors = ctypes.c_ulong()
        eq(io(fd, BLKGETSIZE, sectors), 0)
        eq(sectors.value, 128)
        eq(os.pread(fd, 10, 5), b"5678901234")
        eq(os.pwrite(fd, b"hello", 4096), 5)
        eq(io(fd, BLKFLSBUF), 0)
        os.fsync(fd)
        eq(os.pread(file, 5, 4096), b"hello")
        eq(os.lseek(fd, 0, 2), 65536)
        eq(os.read(fd, 10), b"")
        fails(errno.ENOSPC, os.write, fd, b"x")
        eq(os.pread(fd, 100, 65530), b"\0" * 6)
        eq(os.pwrite(fd, b"y" * 100, 65530), 6)
        eq(os.fstat(fd).st_size, 0)
        inode, offset, limit, number, flags, name = info64(fd)
        eq((inode, offset, limit, number, flags, name), (os.fstat(file).st_ino, 0, 0, n, 0, b""))
    finally:
        eq(io(fd, CLR_FD), 0)
    os.close(fd)


@test
def offset_and_limit():
    file = backing()
    fd, _ = device()
    eq(io(fd, SET_FD, file), 0)
    try:
        gives(0, NR.ioctl, fd, SET_STATUS64, status(512, 1024, 0, b"a name"))
        eq(size_of(fd), 1024)
        eq(info64(fd)[1:3], (512, 1024))
        eq(info64(fd)[5], b"a name")
        os.pwrite(file, b"at 512", 512)
        eq(io(fd, BLKFLSBUF), 0)
        eq(os.pread(fd, 6, 0), b"at 512")
        for bad, code in ((status(crypt=1), errno.EINVAL), (status(crypt=18), errno.EINVAL),
                          (status(key=33), errno.EINVAL), (status(offset=1 << 63), errno.EOVERFLOW),
                          (status(limit=(1 << 64) - 1), errno.EOVERFLOW)):
            gives(-code, NR.ioctl, fd, SET_STATUS64, bad)
        gives(0, NR.ioctl, fd, SET_STATUS64, status())
        os.ftruncate(file, 131072)
        eq(size_of(fd), 65536)
        gives(0, NR.ioctl, fd, SET_CAPACITY, 0)
        eq(size_of(fd), 131072)
        old = ctypes.create_string_buffer(168)
        gives(0, NR.ioctl, fd, GET_STATUS, old)
        gives(0, NR.ioctl, fd, SET_STATUS, old)
        gives(-errno.EINVAL, NR.ioctl, fd, GET_STATUS, 0)
    finally:
        eq(io(fd, CLR_FD), 0)
    os.close(fd)


@test
def block_sizes():
    file = backing()
    fd, _ = device()
    eq(io(fd, SET_FD, file), 0)
    try:
        size = ctypes.c_int()
        eq(io(fd, BLKSSZGET, size), 0)
        eq(size.value, 512)
        for bad in (1, 256, 513, 3000):
            gives(-errno.EINVAL, NR.ioctl, fd, SET_BLOCK_SIZE, bad)
        gives(0, NR.ioctl, fd, SET_BLOCK_SIZE, 4096)
        eq(io(fd, BLKSSZGET, size), 0)
        eq(size.value, 4096)
        gives(0, NR.ioctl, fd, SET_BLOCK_SIZE, 512)
        gives(0, NR.ioctl, fd, SET_DIRECT_IO, 0)
    finally:
        eq(io(fd, CLR_FD), 0)
    os.close(fd)


@test
def a_file_that_is_only_read():
    backing()
    other = backing(65536, "other")
    os.pwrite(other, b"OTHER", 0)
    short = backing(4096, "short")
    file = os.open("backing", os.O_RDONLY)
    fd, _ = device()
    eq(io(fd, SET_FD, file), 0)
    try:
        eq(info64(fd)[4], RO)
        ro = ctypes.c_int()
        eq(io(fd, BLKROGET, ro), 0)
        eq(ro.value, 1)
        fails(errno.EPERM, os.pwrite, fd, b"x", 0)
        gives(-errno.EBADF, NR.ioctl, fd, CHANGE_FD, 999)
        gives(-errno.EINVAL, NR.ioctl, fd, CHANGE_FD, short)
        gives(0, NR.ioctl, fd, CHANGE_FD, other)
        eq(os.pread(fd, 5, 0), b"OTHER")
    finally:
        eq(io(fd, CLR_FD), 0)
    os.close(fd)


@test
def configured_at_once():
    file = backing()
    fd, n = device()
    config = lambda f, block=0, info=status(), tail=b"": struct.pack("=II", f & 0xffffffff, block) + info + tail.ljust(64, b"\0")
    for bad, code in ((config(999), errno.EBADF), (config(file, 100), errno.EINVAL),
                      (config(file, 0, status(flags=2)), errno.EINVAL),
                      (config(file, 0, status(crypt=1)), errno.EINVAL)):
        gives(-code, NR.ioctl, fd, CONFIGURE, bad)
    gives(0, NR.ioctl, fd, CONFIGURE, config(file, 4096, status(offset=4096, flags=AUTOCLEAR, name=b"x")))
    eq(info64(fd)[1:], (4096, 0, n, AUTOCLEAR, b"x"))
    eq(size_of(fd), 61440)
    second = os.open("/dev/loop%d" % n, os.O_RDONLY)
    os.close(fd)
    eq(size_of(second), 61440)
    os.close(second)
    again = os.open("/dev/loop%d" % n, os.O_RDONLY)
    eq(size_of(again), 0)
    os.close(again)


@test
def a_device_stays_bound_until_its_last_opener_closes_it():
    file = backing()
    fd, n = device()
    eq(io(fd, SET_FD, file), 0)
    second = os.open("/dev/loop%d" % n, os.O_RDONLY)
    eq(io(fd, CLR_FD), 0)
    eq(size_of(second), 65536)
    os.close(fd)
    os.close(second)
    again = os.open("/dev/loop%d" % n, os.O_RDONLY)
    eq(size_of(again), 0)
    gives(-errno.ENXIO, NR.ioctl, again, CLR_FD, 0)
    os.close(again)


run()
