"""ioctl(2) on files: flags of chattr(1), errors of immutable and append-only files, blocks, clones,
freezing.
"""

import ctypes
import errno
import fcntl
import os
import struct

from lib.guest import NR, child_ok, eq, fails, gives, need_root, ok, run, sc, skip, test

GETFLAGS, SETFLAGS, GETX, SETX = 0x80086601, 0x40086602, 0x801c581f, 0x401c5820
FIEMAP, FIBMAP, FIGETBSZ, FIFREEZE, FITHAW = 0xc020660b, 1, 2, 0xc0045877, 0xc0045878
FICLONE, FICLONERANGE, FIDEDUPE, RESVSP = 0x40049409, 0x4020940d, 0xc0189436, 0x40305828
IMMUTABLE, APPEND, NODUMP, NOATIME = 0x10, 0x20, 0x40, 0x80
EPERM = errno.EPERM


def on_tmpfs():
    """Enters a new tmpfs, in a mount namespace of its own."""
    need_root()
    eq(sc(NR.unshare, 0x20000), 0)
    eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
    os.mkdir("m")
    eq(sc(NR.mount, b"t", b"m", b"tmpfs", 0, None), 0)
    os.chdir("m")


def new(name="f", flags=0, text=b"text"):
    fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o666)
    os.write(fd, text)
    if flags:
        chattr(fd, flags)
    return fd


def chattr(fd, flags):
    r = sc(NR.ioctl, fd, SETFLAGS, struct.pack("=Q", flags))
    if r < 0:
        raise OSError(-r, os.strerror(-r))


def lsattr(fd):
    buf = ctypes.c_uint(0)
    eq(sc(NR.ioctl, fd, GETFLAGS, buf), 0)
    return buf.value


def attributes(path):
    buf = ctypes.create_string_buffer(256)
    eq(sc(NR.statx, -100, path.encode(), 0, 0xfff, buf), 0)
    return struct.unpack_from("=Q", buf, 8)[0], struct.unpack_from("=Q", buf, 56)[0]


@test
def flags_are_kept_and_shown():
    on_tmpfs()
    fd = new()
    eq(lsattr(fd), 0)
    for flags in (IMMUTABLE, APPEND, NODUMP, NOATIME, IMMUTABLE | APPEND | NODUMP | NOATIME, 0):
        chattr(fd, flags)
        eq(lsattr(fd), flags)
        shown, known = attributes("f")
        eq(shown, flags & 0x70)
        eq(known & 0x70, 0x70)
    os.mkdir("d")
    chattr(os.open("d", os.O_RDONLY), NODUMP)
    eq(lsattr(os.open("d", os.O_RDONLY)), NODUMP)


@test
def unknown_flags_are_refused():
    on_tmpfs()
    fd = new()
    for flags in (1, 2, 4, 8, 0x100, 0x4000, 0x10000, 0x20000, 0x80000, 0x100000, 0x800000, 0x20000000, 0x80000000,
                  IMMUTABLE | 1):
        fails(errno.EOPNOTSUPP, chattr, fd, flags)
    eq(lsattr(fd), 0)
    for request in (GETFLAGS, SETFLAGS, GETX, SETX):
        for pointer in (0, 8, 1 << 63, (1 << 64) - 4):
            gives(-errno.EFAULT, NR.ioctl, fd, request, pointer)


@test
def flags_need_the_owner_and_a_capability():
    on_tmpfs()
    os.chmod(".", 0o777)
    fd = new("roots")
    os.chmod("roots", 0o666)

    def child():
        os.setuid(1000)
        fails(EPERM, chattr, os.open("roots", os.O_RDWR), NODUMP)
        own = new("own")
        chattr(own, NODUMP)
        fails(EPERM, chattr, own, IMMUTABLE)
        fails(EPERM, chattr, own, APPEND | NODUMP)
        fails(EPERM, chattr, own, IMMUTABLE | 1)
        fails(errno.EOPNOTSUPP, chattr, own, NODUMP | 1)
        eq(lsattr(own), NODUMP)
        chattr(own, 0)
    child_ok(child)


@test
def extended_flags():
    on_tmpfs()
    fd = new()
    x = lambda flags, *more: struct.pack("=5I8s", flags, *(more or (0, 0, 0, 0)), b"")
    gives(0, NR.ioctl, fd, SETX, x(0x8 | 0x80))
    eq(lsattr(fd), IMMUTABLE | NODUMP)
    buf = ctypes.create_string_buffer(28)
    gives(0, NR.ioctl, fd, GETX, buf)
    eq(struct.unpack_from("=5I", buf), (0x88, 0, 0, 0, 0))
    gives(0, NR.ioctl, fd, SETX, x(0x10 | 0x40))
    eq(lsattr(fd), APPEND | NOATIME)
    gives(-errno.EOPNOTSUPP, NR.ioctl, fd, SETX, x(0x20))
    gives(-errno.EOPNOTSUPP, NR.ioctl, fd, SETX, x(0x200))
    gives(0, NR.ioctl, fd, SETX, x(0))
    eq(lsattr(fd), 0)


@test
def an_immutable_file():
    on_tmpfs()
    open_before = new("f", 0)
    os.symlink("f", "s")
    chattr(open_before, IMMUTABLE)
    eq(os.write(open_before, b"more"), 4)
    for call in (
        lambda: os.open("f", os.O_WRONLY), lambda: os.open("f", os.O_RDWR | os.O_APPEND), lambda: os.unlink("f"),
        lambda: os.open("f", os.O_RDONLY | os.O_TRUNC), lambda: os.rename("f", "g"), lambda: os.link("f", "g"),
        lambda: os.chmod("f", 0o600), lambda: os.chown("f", 1, 1), lambda: os.chown("f", -1, 1),
        lambda: os.utime("f", (1, 1)), lambda: os.utime("f"), lambda: os.truncate("f", 0),
        lambda: os.setxattr("f", "user.x", b"1"), lambda: os.removexattr("f", "user.x"),
        lambda: os.setxattr("f", "trusted.x", b"1"), lambda: os.posix_fallocate(open_before, 0, 100),
    ):
        fails(EPERM, call)
    os.close(os.open("f", os.O_RDONLY))
    eq(os.access("f", os.R_OK), True)
    eq(os.access("f", os.W_OK), False)
    os.rename("s", "s2")
    os.ftruncate(open_before, 2)
    chattr(open_before, 0)
    os.unlink("f")


@test
def an_append_only_file():
    on_tmpfs()
    fd = new("f", APPEND)
    for call in (
        lambda: os.open("f", os.O_WRONLY), lambda: os.open("f", os.O_RDWR), lambda: os.unlink("f"),
        lambda: os.open("f", os.O_WRONLY | os.O_APPEND | os.O_TRUNC), lambda: os.rename("f", "g"),
        lambda: os.link("f", "g"), lambda: os.chmod("f", 0o600), lambda: os.chown("f", 1, 1),
        lambda: os.utime("f", (1, 1)), lambda: os.truncate("f", 0), lambda: os.ftruncate(fd, 0),
        lambda: os.setxattr("f", "user.x", b"1"),
    ):
        fails(EPERM, call)
    os.utime("f")
    a = os.open("f", os.O_WRONLY | os.O_APPEND)
    os.write(a, b"!")
    fails(EPERM, fcntl.fcntl, a, fcntl.F_SETFL, 0)
    fcntl.fcntl(a, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
    eq(open("f").read(), "text!")


@test
def protected_directories():
    on_tmpfs()
    os.mkdir("d")
    new("d/f")
    d = os.open("d", os.O_RDONLY)
    chattr(d, IMMUTABLE)
    for call in (
        lambda: os.unlink("d/f"), lambda: os.mkdir("d/x"), lambda: os.open("d/x", os.O_CREAT | os.O_RDWR),
        lambda: os.rename("d/f", "g"), lambda: os.rename("d/f", "d/g"), lambda: os.symlink("x", "d/x"),
        lambda: os.rmdir("d"), lambda: os.rename("d", "e"), lambda: os.link("d/f", "d/g"),
        lambda: os.open("d", os.O_TMPFILE | os.O_RDWR),
    ):
        fails(EPERM, call)
    os.close(os.open("d/f", os.O_WRONLY))
    chattr(d, APPEND)
    new("d/new")
    for call in (lambda: os.unlink("d/new"), lambda: os.rename("d/new", "d/x"), lambda: os.rmdir("d")):
        fails(EPERM, call)
    os.mkdir("d/sub")
    fails(EPERM, os.rmdir, "d/sub")
    chattr(d, 0)


@test
def access_times_stay_with_noatime():
    on_tmpfs()
    fd = new("f")
    os.utime("f", (1, 2))
    chattr(fd, NOATIME)
    open("f").read()
    eq(os.stat("f").st_atime, 1)
    chattr(fd, 0)
    open("f").read()
    ok(os.stat("f").st_atime > 1, "read")


@test
def files_without_flags():
    on_tmpfs()
    os.mkfifo("p")
    r, _ = os.pipe()
    for fd in (os.open("p", os.O_RDWR), r, os.open("/dev/null", os.O_RDWR), os.open("/proc/version", os.O_RDONLY)):
        gives(-errno.ENOTTY, NR.ioctl, fd, GETFLAGS, ctypes.c_ulong())
        gives(-errno.ENOTTY, NR.ioctl, fd, SETFLAGS, ctypes.c_ulong())
        gives(-errno.ENOTTY, NR.ioctl, fd, GETX, ctypes.create_string_buffer(28))
        gives(-errno.EFAULT, NR.ioctl, fd, SETFLAGS, 0)


@test
def a_tmpfs_has_no_map_of_extents():
    on_tmpfs()
    fd = new()
    for pointer in (0, ctypes.create_string_buffer(64)):
        gives(-errno.EOPNOTSUPP, NR.ioctl, fd, FIEMAP, pointer)
    r, _ = os.pipe()
    gives(-errno.EOPNOTSUPP, NR.ioctl, r, FIEMAP, 0)
    gives(-errno.EOPNOTSUPP, NR.ioctl, os.open(".", os.O_RDONLY), FIEMAP, 0)
    gives(-errno.EBADF, NR.ioctl, os.open("f", os.O_PATH), FIEMAP, 0)


def extents(fd, start=0, length=2**64 - 1, flags=1, count=8, result=0):
    """Calls FS_IOC_FIEMAP: flags, number, and (logical, length, is last) of each extent."""
    buf = ctypes.create_string_buffer(32 + 56 * min(count, 8))
    struct.pack_into("=QQ4I", buf, 0, start, length, flags, 77, count, 0)
    gives(result, NR.ioctl, fd, FIEMAP, buf)
    flags, mapped = struct.unpack_from("=2I", buf, 16)
    found = [struct.unpack_from("=3Q16xI", buf, 32 + 56 * i) for i in range(min(mapped, count) if result == 0 else 0)]
    return flags, mapped, [(at, n, last & 1) for at, _, n, last in found]


@test
def fiemap_lists_extents():
    fd = os.open("f", os.O_CREAT | os.O_RDWR)
    statfs = ctypes.create_string_buffer(120)
    eq(sc(NR.fstatfs, fd, statfs), 0)
    if struct.unpack_from("=Q", statfs)[0] == 0x01021994:
        skip("a tmpfs has no map of extents")
    eq(extents(fd), (1, 0, []))
    for at, n in ((0, 5000), (65636, 1), (196608, 8192)):
        os.pwrite(fd, b"x" * n, at)
    three = [(0, 8192, 0), (65536, 4096, 0), (196608, 8192, 1)]
    eq(extents(fd), (1, 3, three))
    eq(extents(fd, flags=0)[1:], (3, three))
    eq(extents(fd, count=0), (1, 3, []))
    eq(extents(fd, count=2), (1, 2, three[:2]))
    eq(extents(fd, count=0xffffffff // 56)[1], 3)
    eq(extents(os.open("f", os.O_WRONLY)), (1, 3, three))
    eq(extents(fd, 100, 100)[2], [(0, 4096, 1)])
    eq(extents(fd, 5000, 65000)[2], [(4096, 4096, 0), (65536, 4096, 1)])
    eq(extents(fd, 16384, 4096)[2], [])
    eq(extents(fd, 1 << 40)[2], [])
    os.ftruncate(fd, 1 << 20)
    eq(extents(fd)[2], three)
    eq(extents(fd, length=0, flags=8, result=-errno.EINVAL)[:2], (8, 0))
    eq(extents(fd, start=2**63, flags=8, result=-errno.EFBIG)[:2], (8, 0))
    eq(extents(fd, flags=9, result=-errno.EBADR)[:2], (8, 0))
    eq(extents(fd, count=0xffffffff // 56 + 1, result=-errno.EINVAL)[1], 77)
    gives(-errno.EFAULT, NR.ioctl, fd, FIEMAP, 0)
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, 8192, 3, 0x22, -1, ctypes.c_long(0))
    eq(sc(NR.munmap, at + 4096, 4096), 0)
    ctypes.memmove(at + 4064, struct.pack("=QQ4I", 0, 2**63, 1, 77, 5, 0), 32)
    gives(-errno.EFAULT, NR.ioctl, fd, FIEMAP, at + 4064)
    eq(struct.unpack("=2I", ctypes.string_at(at + 4080, 8)), (1, 0))


@test
def blocks_of_a_file():
    on_tmpfs()
    fd = new()
    block = ctypes.c_int(1)
    gives(-errno.EINVAL, NR.ioctl, fd, FIBMAP, block)
    eq(block.value, 0)
    gives(-errno.EINVAL, NR.ioctl, fd, FIBMAP, ctypes.c_int(-1))
    gives(-errno.EFAULT, NR.ioctl, fd, FIBMAP, 0)
    gives(-errno.ENOTTY, NR.ioctl, os.open(".", os.O_RDONLY), FIBMAP, block)
    size = ctypes.c_int(0)
    gives(0, NR.ioctl, fd, FIGETBSZ, size)
    eq(size.value, 4096)
    gives(-errno.EFAULT, NR.ioctl, fd, FIGETBSZ, 0)
    os.setuid(1000)
    gives(-EPERM, NR.ioctl, fd, FIBMAP, block)
    gives(-EPERM, NR.ioctl, fd, FIBMAP, 0)
    gives(-EPERM, NR.ioctl, fd, FIFREEZE, 0)
    gives(-EPERM, NR.ioctl, fd, FITHAW, 0)


@test
def a_tmpfs_does_not_freeze():
    on_tmpfs()
    fd = new()
    gives(-errno.EOPNOTSUPP, NR.ioctl, fd, FIFREEZE, 0)
    gives(-errno.EINVAL, NR.ioctl, fd, FITHAW, 0)


@test
def a_tmpfs_clones_no_file():
    on_tmpfs()
    a, b = new("a"), new("b")
    outside = os.open("../other", os.O_CREAT | os.O_RDWR)
    gives(-errno.EOPNOTSUPP, NR.ioctl, b, FICLONE, a)
    gives(-errno.EBADF, NR.ioctl, b, FICLONE, 999)
    gives(-errno.EXDEV, NR.ioctl, b, FICLONE, outside)
    gives(-errno.EISDIR, NR.ioctl, b, FICLONE, os.open(".", os.O_RDONLY))
    gives(-errno.EBADF, NR.ioctl, b, FICLONE, os.open("a", os.O_WRONLY))
    gives(-errno.EBADF, NR.ioctl, os.open("b", os.O_RDONLY), FICLONE, a)
    gives(-errno.EBADF, NR.ioctl, os.open("b", os.O_RDWR | os.O_APPEND), FICLONE, a)
    gives(-errno.EFAULT, NR.ioctl, b, FICLONERANGE, 0)
    gives(-errno.EOPNOTSUPP, NR.ioctl, b, FICLONERANGE, struct.pack("=qQQQ", a, 0, 0, 0))
    gives(-errno.EFAULT, NR.ioctl, a, FIDEDUPE, 0)
    gives(-errno.ENOMEM, NR.ioctl, a, FIDEDUPE, struct.pack("=QQHHI", 0, 4, 200, 0, 0) + b"\0" * 8000)
    gives(-errno.EOPNOTSUPP, NR.ioctl, a, FIDEDUPE, struct.pack("=QQHHI", 0, 4, 0, 0, 0))
    gives(-errno.EINVAL, NR.ioctl, a, FIDEDUPE, struct.pack("=QQHHI", 0, 4, 0, 1, 0))
    gives(-errno.EISDIR, NR.ioctl, os.open(".", os.O_RDONLY), FIDEDUPE, struct.pack("=QQHHI", 0, 4, 0, 0, 0))


@test
def space_is_reserved():
    on_tmpfs()
    fd = new()
    space = lambda whence, start, length: struct.pack("=hh4xqqiI16x", 0, whence, start, length, 0, 0)
    gives(0, NR.ioctl, fd, RESVSP, space(0, 0, 65536))
    st = os.fstat(fd)
    eq(st.st_size, 4)
    ok(st.st_blocks * 512 >= 65536, "blocks")
    gives(-errno.EINVAL, NR.ioctl, fd, RESVSP, space(3, 0, 1))
    gives(-errno.EINVAL, NR.ioctl, fd, RESVSP, space(0, -1, 1))
    gives(-errno.EINVAL, NR.ioctl, fd, RESVSP, space(0, 0, 0))
    gives(-errno.EFAULT, NR.ioctl, fd, RESVSP, 0)
    gives(-errno.EBADF, NR.ioctl, os.open("f", os.O_RDONLY), RESVSP, space(0, 0, 1))


run()
