"""open(2) and its relatives: flags, modes, error codes in their order."""

import os
import stat
import ctypes
import fcntl
from errno import *
from lib.guest import *

AT_FDCWD = -100 & 0xFFFFFFFF
O_PATH, O_TMPFILE = 0o10000000, 0o20200000


def touch(path, data=b"", mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    os.write(fd, data)
    os.close(fd)


@test
def creat_excl_and_modes():
    os.umask(0o022)
    fd = os.open("a", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    eq(stat.S_IMODE(os.fstat(fd).st_mode), 0o644)
    fails(EEXIST, os.open, "a", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    os.symlink("nowhere", "dangling")
    fails(EEXIST, os.open, "dangling", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    os.umask(0)
    os.close(os.open("b", os.O_CREAT | os.O_WRONLY, 0o7777))
    eq(stat.S_IMODE(os.stat("b").st_mode), 0o7777)


@test
def creat_through_dangling_symlink():
    os.symlink("target", "link")
    os.close(os.open("link", os.O_CREAT | os.O_WRONLY, 0o600))
    ok(stat.S_ISREG(os.lstat("target").st_mode), "the target was created")


@test
def missing_and_not_directory():
    touch("f")
    fails(ENOENT, os.open, "no", os.O_RDONLY)
    fails(ENOENT, os.open, "no/x", os.O_RDONLY)
    fails(ENOTDIR, os.open, "f/x", os.O_RDONLY)
    fails(ENOTDIR, os.open, "f/", os.O_RDONLY)
    fails(ENOTDIR, os.open, "f", os.O_RDONLY | os.O_DIRECTORY)
    fails(ENOTDIR, os.open, "f/..", os.O_RDONLY)
    gives(-ENOENT, NR.open, b"", os.O_RDONLY, 0)
    fails(EISDIR, os.open, "d/", os.O_CREAT | os.O_WRONLY, 0o600)


@test
def directory_for_writing():
    os.mkdir("d")
    fails(EISDIR, os.open, "d", os.O_WRONLY)
    fails(EISDIR, os.open, "d", os.O_RDWR)
    fails(EISDIR, os.open, "d", os.O_RDONLY | os.O_CREAT)
    fd = os.open("d", os.O_RDONLY)
    fails(EISDIR, os.read, fd, 1)
    fails(EBADF, os.write, fd, b"x")
    fails(EBADF, os.open, "x", os.O_RDONLY, dir_fd=999)


@test
def bad_pointers_and_names():
    gives(-EFAULT, NR.open, 1, os.O_RDONLY, 0)
    gives(-EFAULT, NR.open, 0, os.O_RDONLY, 0)
    gives(-ENAMETOOLONG, NR.open, b"a" * 256, os.O_RDONLY, 0)
    gives(-ENAMETOOLONG, NR.open, b"./" * 2100, os.O_RDONLY, 0)
    touch("n" * 255)
    gives(-ENOENT, NR.open, b"a" * 255, os.O_RDONLY, 0)
    fd = works(NR.open, b"./" * 2000 + b"n" * 90 + b"", os.O_RDONLY | os.O_CREAT, 0o600)
    os.close(fd)


@test
def symlink_loops():
    os.symlink("b", "a")
    os.symlink("a", "b")
    fails(ELOOP, os.open, "a", os.O_RDONLY)
    fails(ELOOP, os.stat, "a")
    ok(os.path.islink("a"), "lstat of a loop works")
    touch("end")
    last = "end"
    for i in range(40):
        os.symlink(last, "l%d" % i)
        last = "l%d" % i
    os.close(os.open(last, os.O_RDONLY))
    os.symlink(last, "over")
    fails(ELOOP, os.open, "over", os.O_RDONLY)


@test
def nofollow():
    touch("f")
    os.symlink("f", "s")
    fails(ELOOP, os.open, "s", os.O_RDONLY | os.O_NOFOLLOW)
    fd = os.open("s", O_PATH | os.O_NOFOLLOW)
    ok(stat.S_ISLNK(os.fstat(fd).st_mode), "O_PATH|O_NOFOLLOW gives the link itself")
    eq(os.readlink("", dir_fd=fd), "f")
    os.mkdir("d")
    os.symlink("d", "sd")
    fails(ENOTDIR, os.open, "sd", os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    os.close(os.open("sd/", os.O_RDONLY | os.O_NOFOLLOW))


@test
def o_path_allows_little():
    touch("f", b"abc")
    fd = os.open("f", O_PATH)
    fails(EBADF, os.read, fd, 1)
    fails(EBADF, os.write, fd, b"x")
    fails(EBADF, os.fchmod, fd, 0o600)
    gives(-EBADF, NR.lseek, fd, 0, 0)
    gives(-EBADF, NR.ioctl, fd, 0x541B, 0)
    eq(os.fstat(fd).st_size, 3)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL) & O_PATH, O_PATH)
    again = os.open("/proc/self/fd/%d" % fd, os.O_RDONLY)
    eq(os.read(again, 10), b"abc")


@test
def append_writes_at_the_end():
    touch("f", b"12345")
    a = os.open("f", os.O_WRONLY | os.O_APPEND)
    b = os.open("f", os.O_RDWR)
    os.write(b, b"AB")
    os.lseek(a, 0, os.SEEK_SET)
    os.write(a, b"67")
    eq(os.lseek(a, 0, os.SEEK_CUR), 7)
    eq(os.pread(b, 100, 0), b"AB34567")
    # On Linux pwrite to an O_APPEND file appends and ignores the offset.
    os.pwrite(a, b"8", 0)
    eq(os.pread(b, 100, 0), b"AB345678")


@test
def a_write_at_an_offset_appends_and_keeps_the_position():
    touch("f", b"12345")
    fd = os.open("f", os.O_RDWR | os.O_APPEND)
    os.lseek(fd, 2, os.SEEK_SET)
    end = 5
    writes = (
        lambda: os.pwrite(fd, b"67", 0),
        lambda: os.pwritev(fd, [b"6", b"7"], 0),
        lambda: os.pwritev(fd, [b"67"], 0, 0x10),
        lambda: os.pwrite(fd, b"x" * 2_000_000, 1),
    )
    for write in writes:
        end += write()
        eq((os.lseek(fd, 0, os.SEEK_CUR), os.fstat(fd).st_size), (2, end))
    eq(os.read(fd, 5), b"34567")
    eq(os.write(fd, b"!"), 1)
    eq(os.lseek(fd, 0, os.SEEK_CUR), end + 1, "a write moves it to the end")


@test
def trunc_and_access_modes():
    touch("f", b"hello")
    r = os.open("f", os.O_RDONLY)
    fails(EBADF, os.write, r, b"x")
    w = os.open("f", os.O_WRONLY)
    fails(EBADF, os.read, w, 1)
    fails(EINVAL, os.ftruncate, r, 0)
    os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))
    eq(os.fstat(r).st_size, 0)
    eq(os.read(r, 10), b"")


@test
def cloexec_flag():
    touch("f")
    fd = works(NR.open, b"f", os.O_RDONLY | os.O_CLOEXEC, 0)
    eq(fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
    fd2 = works(NR.open, b"f", os.O_RDONLY, 0)
    eq(fcntl.fcntl(fd2, fcntl.F_GETFD), 0)
    dup = works(NR.dup, fd)
    eq(fcntl.fcntl(dup, fcntl.F_GETFD), 0)
    gives(-EINVAL, NR.dup3, fd, fd, 0)
    gives(-EINVAL, NR.dup3, fd, 50, 1)
    eq(works(NR.dup3, fd, 50, os.O_CLOEXEC), 50)
    eq(fcntl.fcntl(50, fcntl.F_GETFD), 1)
    eq(works(NR.dup2, 50, 50), 50)
    gives(-EBADF, NR.dup2, 51, 51)
    gives(-EBADF, NR.dup2, fd, 1 << 30)


@test
def lowest_descriptor_first():
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
    os.close(fds[1])
    os.close(fds[3])
    eq(os.open("/dev/null", os.O_RDONLY), fds[1])
    eq(os.open("/dev/null", os.O_RDONLY), fds[3])
    eq(fcntl.fcntl(fds[0], fcntl.F_DUPFD, 200), 200)
    eq(fcntl.fcntl(fds[0], fcntl.F_DUPFD_CLOEXEC, 200), 201)


@test
def descriptor_limit():
    import fcntl
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    got = []
    while True:
        r = sc(NR.open, b"/dev/null", os.O_RDONLY, 0)
        if r < 0:
            eq(r, -EMFILE)
            break
        got.append(r)
    ok(max(got) == 63, "the last descriptor is 63, found %d" % max(got))
    gives(-EMFILE, NR.dup, got[0])
    fails(EINVAL, fcntl.fcntl, got[0], fcntl.F_DUPFD, 64)
    pair = (ctypes.c_int * 2)()
    gives(-EMFILE, NR.pipe2, pair, 0)
    os.close(got[0])
    gives(-EMFILE, NR.pipe2, pair, 0)
    eq(works(NR.open, b"/dev/null", os.O_RDONLY, 0), got[0])


@test
def setfl_changes_some_flags():
    touch("f")
    fd = os.open("f", os.O_RDWR)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK | os.O_RDONLY)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK),
       os.O_RDWR | os.O_APPEND | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETFL, 0)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK), 0)
    gives(-EINVAL, NR.fcntl, fd, 9999, 0)
    gives(-EBADF, NR.fcntl, 999, fcntl.F_GETFL, 0)


@test
def openat_relative_and_absolute():
    os.mkdir("d")
    touch("d/f", b"in d")
    d = os.open("d", os.O_RDONLY | os.O_DIRECTORY)
    eq(os.read(os.open("f", os.O_RDONLY, dir_fd=d), 10), b"in d")
    absolute = os.path.abspath("d/f")
    eq(os.read(os.open(absolute, os.O_RDONLY, dir_fd=999), 10), b"in d")
    f = os.open("d/f", os.O_RDONLY)
    fails(ENOTDIR, os.open, "x", os.O_RDONLY, dir_fd=f)
    gives(-ENOENT, NR.openat, d, b"", os.O_RDONLY, 0)


@test
def tmpfile():
    try:
        fd = os.open(".", O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as e:
        if e.errno == EOPNOTSUPP:
            skip("this file system has no O_TMPFILE")
        raise
    os.write(fd, b"data")
    eq(os.listdir("."), [])
    eq(os.fstat(fd).st_nlink, 0)
    works(NR.linkat, AT_FDCWD, b"/proc/self/fd/%d" % fd, AT_FDCWD, b"named", 0x400)
    eq(open("named").read(), "data")
    gives(-EINVAL, NR.open, b".", O_TMPFILE | os.O_RDONLY, 0o600)
    gives(-EINVAL, NR.open, b".", 0o20000000 | os.O_RDWR, 0o600)


@test
def openat2_resolve():
    class How(ctypes.Structure):
        _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64),
                    ("resolve", ctypes.c_uint64)]
    os.mkdir("d")
    touch("d/f")
    touch("out")
    os.symlink("../out", "d/up")
    os.symlink("f", "d/s")
    d = os.open("d", os.O_RDONLY)
    how = How(os.O_RDONLY, 0, 0x08)
    r = sc(NR.openat2, d, b"f", how, 24)
    if r == -ENOSYS:
        skip("no openat2 here")
    ok(r >= 0, "RESOLVE_BENEATH opens a file below")
    gives(-EXDEV, NR.openat2, d, b"up", how, 24)
    gives(-EXDEV, NR.openat2, d, b"../out", how, 24)
    gives(-EXDEV, NR.openat2, d, b"/etc", how, 24)
    works(NR.openat2, d, b"s", how, 24)
    gives(-ELOOP, NR.openat2, d, b"s", How(os.O_RDONLY, 0, 0x04), 24)
    gives(-EINVAL, NR.openat2, d, b"f", How(os.O_RDONLY, 0, 1 << 40), 24)
    gives(-EINVAL, NR.openat2, d, b"f", How(1 << 40, 0, 0), 24)
    gives(-EINVAL, NR.openat2, d, b"f", How(os.O_RDONLY, 0o600, 0), 24)
    gives(-EINVAL, NR.openat2, d, b"f", how, 8)
    big = (ctypes.c_uint8 * 32)()
    big[31] = 1
    gives(-E2BIG, NR.openat2, d, b"f", big, 32)


@test
def unlinked_file_lives_on():
    touch("f", b"still here")
    fd = os.open("f", os.O_RDWR)
    os.unlink("f")
    eq(os.fstat(fd).st_nlink, 0)
    eq(os.read(fd, 20), b"still here")
    ok(os.readlink("/proc/self/fd/%d" % fd).endswith("/f (deleted)"), "proc says deleted")
    eq(os.read(os.open("/proc/self/fd/%d" % fd, os.O_RDONLY), 20), b"still here")


@test
def offsets_are_shared_by_dup_and_fork():
    touch("f", b"abcdefgh")
    fd = os.open("f", os.O_RDONLY)
    other = os.dup(fd)
    os.read(fd, 2)
    eq(os.read(other, 1), b"c")
    child_ok(lambda: os.read(fd, 2) and 0)
    eq(os.read(fd, 1), b"f")
    own = os.open("f", os.O_RDONLY)
    eq(os.read(own, 1), b"a")


@test
def close_range_closes():
    first = os.open("/dev/null", os.O_RDONLY)
    base = 300
    for i in range(base, base + 10):
        os.dup2(first, i)
    r = sc(NR.close_range, base + 2, base + 5, 0)
    if r == -ENOSYS:
        skip("no close_range here")
    alive = [i for i in range(base, base + 10) if sc(NR.fcntl, i, 1, 0) >= 0]
    eq(alive, [300, 301, 306, 307, 308, 309])
    works(NR.close_range, base + 6, 0xFFFFFFFF, 4)
    eq(sc(NR.fcntl, base + 7, 1, 0), 1)
    gives(-EINVAL, NR.close_range, 5, 4, 0)
    gives(-EINVAL, NR.close_range, 5, 6, 1)


@test
def devices_behave():
    z = os.open("/dev/zero", os.O_RDWR)
    eq(os.read(z, 5), b"\0" * 5)
    eq(os.write(z, b"abc"), 3)
    n = os.open("/dev/null", os.O_RDWR)
    eq(os.read(n, 5), b"")
    eq(os.write(n, b"abc"), 3)
    f = os.open("/dev/full", os.O_RDWR)
    fails(ENOSPC, os.write, f, b"x")
    eq(os.read(f, 3), b"\0\0\0")
    u = os.open("/dev/urandom", os.O_RDONLY)
    ok(os.read(u, 16) != os.read(u, 16), "random bytes differ")
    st = os.stat("/dev/null")
    ok(stat.S_ISCHR(st.st_mode), "a character device")
    eq((os.major(st.st_rdev), os.minor(st.st_rdev)), (1, 3))
    eq(stat.S_IMODE(st.st_mode), 0o666)


run()
