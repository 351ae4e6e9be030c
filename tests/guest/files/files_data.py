"""Contents of files: offsets, holes, fallocate, vectors, times, xattrs, locks, copies in the
kernel.
"""

import ctypes
import fcntl
import mmap
import os
import struct
from errno import *
from lib.guest import *

AT_FDCWD = -100 & 0xFFFFFFFF
SEEK_DATA, SEEK_HOLE = 3, 4
KEEP_SIZE, PUNCH_HOLE, COLLAPSE, ZERO_RANGE = 1, 2, 8, 16


def fresh(data=b"", name="f"):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, data)
    return fd


@test
def seek_forms():
    fd = fresh(b"0123456789")
    eq(os.lseek(fd, -3, os.SEEK_END), 7)
    eq(os.lseek(fd, 2, os.SEEK_CUR), 9)
    eq(os.lseek(fd, 100, os.SEEK_SET), 100)
    eq(os.read(fd, 5), b"")
    fails(EINVAL, os.lseek, fd, -1, os.SEEK_SET)
    fails(EINVAL, os.lseek, fd, -200, os.SEEK_CUR)
    gives(-EINVAL, NR.lseek, fd, 0, 99)
    eq(os.lseek(fd, 0, os.SEEK_CUR), 100)
    r, _ = os.pipe()
    fails(ESPIPE, os.lseek, r, 0, os.SEEK_CUR)
    fails(ESPIPE, os.pread, r, 1, 0)
    fails(EBADF, os.lseek, 999, 0, 0)


@test
def write_beyond_the_end_makes_zeros():
    fd = fresh(b"ab")
    os.pwrite(fd, b"z", 10000)
    eq(os.pread(fd, 20000, 0), b"ab" + b"\0" * 9998 + b"z")
    eq(os.fstat(fd).st_size, 10001)


@test
def a_store_into_a_mapping_changes_times():
    fd = fresh(bytes(8192))
    m = mmap.mmap(fd, 8192)
    private = mmap.mmap(fd, 8192, mmap.MAP_PRIVATE)
    before = os.fstat(fd)
    wait_for_tick(before.st_ctime_ns)
    private[0] = 1
    eq(os.fstat(fd).st_mtime_ns, before.st_mtime_ns, "a private copy is not the file")
    m[0] = 1
    m.flush()
    after = os.fstat(fd)
    ok(after.st_mtime_ns > before.st_mtime_ns, "mtime")
    ok(after.st_ctime_ns > before.st_ctime_ns, "ctime")
    another = mmap.mmap(fd, 8192)
    wait_for_tick(after.st_ctime_ns)
    fresh(b"read", "g")
    os.readv(os.open("g", os.O_RDONLY), [memoryview(another)[4096:5000]])
    ok(os.fstat(fd).st_mtime_ns > after.st_mtime_ns, "stored by a call")


@test
def truncate_both_ways():
    fd = fresh(b"x" * 10000)
    os.ftruncate(fd, 5000)
    os.ftruncate(fd, 9000)
    eq(os.pread(fd, 10000, 0), b"x" * 5000 + b"\0" * 4000)
    os.truncate("f", 0)
    eq(os.fstat(fd).st_size, 0)
    gives(-EINVAL, NR.ftruncate, fd, -1)
    gives(-EINVAL, NR.truncate, b"f", -1)
    gives(-ENOENT, NR.truncate, b"no", 0)
    os.mkdir("d")
    gives(-EISDIR, NR.truncate, b"d", 0)
    r, w = os.pipe()
    gives(-EINVAL, NR.ftruncate, w, 0)


@test
def sparse_files():
    fd = fresh()
    size = 1 << 40
    os.ftruncate(fd, size)
    os.pwrite(fd, b"data", 1 << 30)
    st = os.fstat(fd)
    eq(st.st_size, size)
    ok(st.st_blocks * 512 < 1 << 20, "few blocks: %d" % st.st_blocks)
    eq(os.pread(fd, 4, (1 << 39)), b"\0" * 4)
    eq(os.pread(fd, 6, (1 << 30) - 1), b"\0data\0")


@test
def seek_data_and_hole():
    fd = fresh()
    os.ftruncate(fd, 1 << 20)
    os.pwrite(fd, b"x", 512 << 10)
    at = os.lseek(fd, 0, SEEK_DATA)
    between(508 << 10, at, 512 << 10, "data begins")
    hole = os.lseek(fd, at, SEEK_HOLE)
    between((512 << 10) + 1, hole, 580 << 10, "the hole behind it")
    eq(os.lseek(fd, 0, SEEK_HOLE), 0)
    fails(ENXIO, os.lseek, fd, hole, SEEK_DATA)
    fails(ENXIO, os.lseek, fd, 1 << 20, SEEK_HOLE)
    fails(ENXIO, os.lseek, fd, 2 << 20, SEEK_DATA)


@test
def fallocate_modes():
    fd = fresh(b"a" * 12288)
    gives(0, NR.fallocate, fd, 0, 0, 20000)
    eq(os.fstat(fd).st_size, 20000)
    gives(0, NR.fallocate, fd, KEEP_SIZE, 0, 40000)
    eq(os.fstat(fd).st_size, 20000)
    r = sc(NR.fallocate, fd, PUNCH_HOLE | KEEP_SIZE, 4000, 1000)
    if r == -EOPNOTSUPP:
        skip("no PUNCH_HOLE on this file system")
    eq(r, 0)
    eq(os.pread(fd, 12288, 0), b"a" * 4000 + b"\0" * 1000 + b"a" * 7288)
    gives(-EOPNOTSUPP, NR.fallocate, fd, PUNCH_HOLE, 0, 100)
    gives(-EINVAL, NR.fallocate, fd, 0, 0, 0)
    gives(-EINVAL, NR.fallocate, fd, 0, -1, 10)
    gives(-EFBIG, NR.fallocate, fd, 0, 1 << 62, 1 << 62)
    ro = os.open("f", os.O_RDONLY)
    gives(-EBADF, NR.fallocate, ro, 0, 0, 10)
    r, w = os.pipe()
    gives(-ESPIPE, NR.fallocate, w, 0, 0, 10)


@test
def vectors():
    fd = fresh()
    eq(os.writev(fd, [b"ab", b"", b"cde"]), 5)
    a, b = bytearray(3), bytearray(10)
    eq(os.preadv(fd, [a, b], 0), 5)
    eq((bytes(a), bytes(b[:2])), (b"abc", b"de"))
    eq(os.pwritev(fd, [b"XY", b"Z"], 1), 3)
    eq(os.pread(fd, 10, 0), b"aXYZe")
    eq(os.lseek(fd, 0, os.SEEK_CUR), 5)
    iov = (ctypes.c_uint64 * 2)(1, 4)
    gives(-EFAULT, NR.writev, fd, iov, 1)
    gives(-EINVAL, NR.writev, fd, iov, 1025)
    gives(-EINVAL, NR.writev, fd, (ctypes.c_uint64 * 2)(1, 1 << 63), 1)
    gives(0, NR.writev, fd, iov, 0)
    gives(-EFAULT, NR.writev, fd, 8, 1)


@test
def bad_buffers_and_lengths():
    fd = fresh(b"hello")
    gives(-EFAULT, NR.write, fd, 1, 10)
    gives(-EFAULT, NR.pread64, fd, 1, 10, 0)
    gives(0, NR.pread64, fd, 1, 0, 0)
    gives(-EINVAL, NR.pread64, fd, 1, 1, -1)
    gives(-EBADF, NR.read, 999, 1, 1)
    buf = ctypes.create_string_buffer(8192)
    gives(5, NR.pread64, fd, buf, 0x7FFFFFFF, 0)
    libc.mmap.restype = ctypes.c_void_p
    page = works(NR.mmap, 0, 8192, 3, 0x22, -1, 0)
    works(NR.mprotect, page + 4096, 4096, 0)
    ctypes.memset(page, 65, 4096)
    eq(sc(NR.pwrite64, fd, page + 4090, 100, 0), 6, "a short write up to the fault")
    eq(os.pread(fd, 10, 0), b"AAAAAA")


@test
def file_size_limit():
    import resource
    import signal
    fd = fresh()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    eq(os.write(fd, b"x" * 2000), 1000)
    fails(EFBIG, os.write, fd, b"x")
    fails(EFBIG, os.ftruncate, fd, 1001)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    status = in_child(lambda: os.write(fd, b"x"))
    ok(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXFSZ, "SIGXFSZ kills")


@test
def times_are_set_and_move():
    fd = fresh(b"x")
    os.utime("f", ns=(1_000_000_001, 2_000_000_002))
    st = os.stat("f")
    eq((st.st_atime_ns, st.st_mtime_ns), (1_000_000_001, 2_000_000_002))
    os.write(fd, b"more")
    ok(os.stat("f").st_mtime_ns > 10**18, "a write moves mtime")
    omit = (ctypes.c_int64 * 4)(0, 0x3FFFFFFE, 5, 7)
    gives(0, NR.utimensat, AT_FDCWD, b"f", omit, 0)
    eq(os.stat("f").st_mtime_ns, 5_000_000_007)
    now = (ctypes.c_int64 * 4)(0, 0x3FFFFFFF, 0, 0x3FFFFFFE)
    gives(0, NR.utimensat, AT_FDCWD, b"f", now, 0)
    st = os.stat("f")
    ok(st.st_atime_ns > 10**18 and st.st_mtime_ns == 5_000_000_007, "UTIME_NOW and UTIME_OMIT")
    bad = (ctypes.c_int64 * 4)(0, 10**9, 0, 0)
    gives(-EINVAL, NR.utimensat, AT_FDCWD, b"f", bad, 0)
    os.symlink("f", "s")
    os.utime("s", (9, 9), follow_symlinks=False)
    eq(os.lstat("s").st_mtime, 9.0)
    eq(os.stat("f").st_mtime_ns, 5_000_000_007)
    gives(0, NR.utimensat, fd, None, omit, 0)
    os.utime("f", (-5, -7))
    eq(os.stat("f").st_mtime_ns, -7 * 10**9)


@test
def directory_times_move():
    os.mkdir("d")
    os.utime("d", (1, 1))
    fresh(name="d/f")
    ok(os.stat("d").st_mtime > 10**6, "creation moves the directory's mtime")
    os.utime("d", (1, 1))
    os.rename("d/f", "d/g")
    ok(os.stat("d").st_mtime > 10**6, "rename too")
    os.utime("d", (1, 1))
    os.unlink("d/g")
    ok(os.stat("d").st_mtime > 10**6, "unlink too")


@test
def extended_attributes():
    fd = fresh()
    try:
        os.setxattr("f", "user.a", b"one")
    except OSError as e:
        if e.errno == EOPNOTSUPP:
            skip("no user xattrs on this file system")
        raise
    eq(os.getxattr("f", "user.a"), b"one")
    os.setxattr(fd, "user.b", b"")
    eq(sorted(x for x in os.listxattr("f") if x.startswith("user.")), ["user.a", "user.b"])
    fails(EEXIST, os.setxattr, "f", "user.a", b"", os.XATTR_CREATE)
    fails(ENODATA, os.setxattr, "f", "user.c", b"", os.XATTR_REPLACE)
    fails(ENODATA, os.getxattr, "f", "user.c")
    fails(ENODATA, os.removexattr, "f", "user.c")
    os.removexattr("f", "user.a")
    fails(ENODATA, os.getxattr, "f", "user.a")
    fails(EOPNOTSUPP, os.setxattr, "f", "weird.a", b"")
    gives(-ERANGE, NR.setxattr, b"f", b"", b"x", 1, 0)
    gives(-ERANGE, NR.setxattr, b"f", b"user." + b"n" * 256, b"x", 1, 0)
    gives(-E2BIG, NR.setxattr, b"f", b"user.n", ctypes.create_string_buffer(70000), 65537, 0)
    os.setxattr("f", "user.l", b"12345")
    buf = ctypes.create_string_buffer(10)
    gives(5, NR.getxattr, b"f", b"user.l", buf, 0)
    gives(-ERANGE, NR.getxattr, b"f", b"user.l", buf, 2)
    os.symlink("f", "s")
    fails(EPERM, os.setxattr, "s", "user.z", b"", follow_symlinks=False)


def lock(fd, cmd, kind, start=0, length=0):
    packed = struct.pack("hhqqi", kind, 0, start, length, 0)
    return struct.unpack("hhqqi", fcntl.fcntl(fd, cmd, packed))


@test
def record_locks_between_processes():
    fd = fresh(b"x" * 100)
    lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 10, 10)
    parent = os.getpid()

    def child():
        other = os.open("f", os.O_RDWR)
        fails(EAGAIN, lock, other, fcntl.F_SETLK, fcntl.F_RDLCK, 15, 1)
        lock(other, fcntl.F_SETLK, fcntl.F_WRLCK, 20, 10)
        kind, _, start, length, pid = lock(other, fcntl.F_GETLK, fcntl.F_WRLCK, 0, 100)
        eq((kind, start, length, pid), (fcntl.F_WRLCK, 10, 10, parent))
    child_ok(child)
    # The locks of the child ended with the child.
    kind = lock(fd, fcntl.F_GETLK, fcntl.F_WRLCK, 20, 10)[0]
    eq(kind, fcntl.F_UNLCK)
    # Closing any descriptor of the file drops all of the process's locks.
    os.close(os.open("f", os.O_RDONLY))
    child_ok(lambda: lock(os.open("f", os.O_RDWR), fcntl.F_SETLK, fcntl.F_WRLCK, 10, 10) and 0)
    ro = os.open("f", os.O_RDONLY)
    fails(EBADF, lock, ro, fcntl.F_SETLK, fcntl.F_WRLCK)


@test
def record_lock_waits_and_deadlock():
    fd = fresh(b"x" * 100)
    go = Pipe()
    lock(fd, fcntl.F_SETLK, fcntl.F_WRLCK, 0, 1)

    def child():
        other = os.open("f", os.O_RDWR)
        lock(other, fcntl.F_SETLK, fcntl.F_WRLCK, 1, 1)
        go.post()
        lock(other, fcntl.F_SETLKW, fcntl.F_WRLCK, 0, 1)
        return 7
    pid = spawn(child)
    go.take()
    wait_state(pid, "S")
    fails(EDEADLK, lock, fd, fcntl.F_SETLKW, fcntl.F_WRLCK, 1, 1)
    lock(fd, fcntl.F_SETLK, fcntl.F_UNLCK, 0, 1)
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)


@test
def flock_between_descriptions():
    a = fresh()
    b = os.open("f", os.O_RDONLY)
    fcntl.flock(a, fcntl.LOCK_EX)
    fails(EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    dup = os.dup(a)
    fcntl.flock(dup, fcntl.LOCK_SH)
    fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fails(EWOULDBLOCK, fcntl.flock, a, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(b)
    os.close(a)
    c = os.open("f", os.O_RDONLY)
    fcntl.flock(dup, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fails(EWOULDBLOCK, fcntl.flock, c, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(dup)
    fcntl.flock(c, fcntl.LOCK_EX | fcntl.LOCK_NB)
    gives(-EINVAL, NR.flock, c, 0)


@test
def open_file_description_locks():
    a = fresh(b"x" * 10)
    b = os.open("f", os.O_RDWR)
    F_OFD_SETLK = 37
    lock(a, F_OFD_SETLK, fcntl.F_WRLCK, 0, 5)
    fails(EAGAIN, lock, b, F_OFD_SETLK, fcntl.F_WRLCK, 4, 2)
    lock(b, F_OFD_SETLK, fcntl.F_WRLCK, 5, 5)
    os.close(os.open("f", os.O_RDONLY))
    fails(EAGAIN, lock, b, F_OFD_SETLK, fcntl.F_WRLCK, 4, 2)
    os.close(a)
    lock(b, F_OFD_SETLK, fcntl.F_WRLCK, 4, 2)


@test
def copies_inside_the_kernel():
    src = fresh(bytes(range(256)) * 1000, "src")
    dst = fresh(b"", "dst")
    eq(os.sendfile(dst, src, 10, 1000), 1000)
    eq(os.pread(dst, 1000, 0), (bytes(range(256)) * 5)[10:1010])
    eq(os.lseek(dst, 0, os.SEEK_CUR), 1000)
    os.lseek(src, 0, os.SEEK_SET)
    n = sc(NR.copy_file_range, src, None, dst, None, 256000, 0)
    if n == -ENOSYS:
        skip("no copy_file_range here")
    ok(n > 0, "copy_file_range: " + name_of(n))
    r, w = os.pipe()
    off = ctypes.c_int64(5)
    eq(sc(NR.splice, src, off, w, None, 100, 0), 100)
    eq(off.value, 105)
    eq(os.read(r, 200), bytes(range(5, 105)))
    gives(-EINVAL, NR.splice, src, None, dst, None, 10, 0)


@test
def sync_calls():
    fd = fresh(b"x")
    for nr in (NR.fsync, NR.fdatasync, NR.syncfs):
        gives(0, nr, fd)
    gives(-EBADF, NR.fsync, 999)
    r, w = os.pipe()
    gives(-EINVAL, NR.fsync, r)
    gives(0, NR.fadvise64, fd, 0, 0, 4)
    gives(-EINVAL, NR.fadvise64, fd, 0, 0, 99)
    gives(-ESPIPE, NR.fadvise64, r, 0, 0, 4)


@test
def memory_files_and_seals():
    fd = works(NR.memfd_create, b"name", 2)
    os.write(fd, b"data")
    ok(os.readlink("/proc/self/fd/%d" % fd).startswith("/memfd:name"), "its name in /proc")
    F_ADD_SEALS, F_GET_SEALS = 1033, 1034
    eq(fcntl.fcntl(fd, F_GET_SEALS), 0)
    fcntl.fcntl(fd, F_ADD_SEALS, 2 | 4)
    fails(EPERM, os.ftruncate, fd, 0)
    fails(EPERM, os.ftruncate, fd, 100)
    fails(EPERM, os.pwrite, fd, b"x", 10)
    os.pwrite(fd, b"D", 0)
    fcntl.fcntl(fd, F_ADD_SEALS, 8 | 1)
    fails(EPERM, os.pwrite, fd, b"x", 0)
    fails(EPERM, fcntl.fcntl, fd, F_ADD_SEALS, 1)
    eq(os.pread(fd, 10, 0), b"Data")
    at = works(NR.mmap, 0, 4096, 1, 1, fd, 0)
    gives(-EACCES, NR.mprotect, at, 4096, 3)
    plain = works(NR.memfd_create, b"p", 0)
    eq(fcntl.fcntl(plain, F_GET_SEALS), 1)
    gives(-EINVAL, NR.memfd_create, b"x", 0x8000)


@test
def statfs_describes_the_file_system():
    st = os.statvfs(".")
    ok(st.f_bsize > 0 and st.f_namemax == 255, "block size and name length")
    gives(-ENOENT, NR.statfs, b"no", ctypes.create_string_buffer(120))
    gives(-EBADF, NR.fstatfs, 999, ctypes.create_string_buffer(120))


@test
def big_copy_keeps_every_byte():
    import hashlib
    import random
    rnd = random.Random(7)
    data = rnd.randbytes(3_000_001)
    fd = fresh()
    at = 0
    while at < len(data):
        n = rnd.randrange(1, 200_000)
        os.write(fd, data[at:at + n])
        at += len(data[at:at + n])
    os.lseek(fd, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while True:
        part = os.read(fd, rnd.randrange(1, 100_000))
        if not part:
            break
        digest.update(part)
    eq(digest.hexdigest(), hashlib.sha256(data).hexdigest())


@test
def memory_devices_have_no_position():
    for name in "null", "zero", "full", "random", "urandom":
        fd = os.open("/dev/" + name, os.O_RDONLY)
        for offset, whence in (5, 0), (-5, 0), (3, 1), (-100, 2), (-2 ** 62, 0), (9, 3):
            eq(os.lseek(fd, offset, whence), 0, name)
        gives(-EINVAL, NR.lseek, fd, 0, 9)
        os.read(fd, 10)
        eq(os.lseek(fd, 0, 1), 0, name)


@test
def a_write_ends_at_the_largest_size():
    fd = os.open("largest", os.O_RDWR | os.O_CREAT)
    good, bad = 1 << 20, 1 << 63
    while bad - good > 1:
        size = (good + bad) // 2
        if sc(NR.ftruncate, fd, size) == 0:
            good = size
        else:
            bad = size
    os.ftruncate(fd, 0)
    if good == (1 << 63) - 1:  # No write reaches this offset.
        return
    eq(os.pwrite(fd, b"12345", good - 3), 3)
    eq(os.pread(fd, 9, good - 3), b"123")
    fails(EFBIG, os.pwrite, fd, b"12345", good)
    os.ftruncate(fd, 0)


run()
