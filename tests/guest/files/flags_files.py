"""Flags and commands of calls on files, one by one: each acts, by an expression whose value Linux
gave.
"""

import ctypes
import fcntl as F
import os
import stat
import struct
from errno import *
from lib.guest import *

needs_root("links_AT_EMPTY_PATH")

CWD = -100 & 0xFFFFFFFF
R, W, RW, CREAT = os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_CREAT


def new(name="f", text=b"0123456789", flags=RW):
    with open(name, "wb") as f:
        f.write(text)
    return os.open(name, flags)


def fd(flags=RW):
    return new("f%d" % len(os.listdir(".")), flags=flags)


def stored(name):
    with open(name, "rb") as f:
        return f.read()


def opened(flags, name="x", mode=0o600):
    """Returns the result of an open: 0, or -errno."""
    r = sc(NR.open, name.encode(), flags, mode)
    return min(r, 0)


def status(flags):
    """Returns the flags of a description that was opened with `flags`, or -errno."""
    new("s")
    f = sc(NR.open, b"s", flags, 0)
    return f if f < 0 else sc(NR.fcntl, f, F.F_GETFL) & ~0o100000


def cmd(f, command, value=0):
    return sc(NR.fcntl, f, command, value)


def lock(f, command, kind=F.F_WRLCK, pid=0):
    fl = ctypes.create_string_buffer(struct.pack("hhqqi4x", kind, 0, 0, 5, pid))
    r = cmd(f, command, fl)
    return r, struct.unpack("hhqqi4x", fl.raw[:32])[0]


def owner_ex(f):
    owner = ctypes.create_string_buffer(struct.pack("ii", 1, os.getpid()))
    r = cmd(f, 15, owner)
    back = ctypes.create_string_buffer(8)
    return r, cmd(f, 16, back), struct.unpack("ii", back.raw[:8]) == (1, os.getpid())


def holes():
    f = new("h", b"")
    os.ftruncate(f, 1 << 20)
    os.pwrite(f, b"x" * 4096, 512 << 10)
    return f


def allocated(mode, offset=0, length=4096, size=16384):
    f = new("a", b"x" * size)
    r = sc(NR.fallocate, f, mode, offset, length)
    st = os.fstat(f)
    return r, st.st_size, os.pread(f, 4, 0), os.pread(f, 4, 4096)


def moved(flags, onto=True):
    new("from", b"1")
    if onto:
        new("to", b"2")
    r = sc(NR.renameat2, CWD, b"from", CWD, b"to", flags)
    return r, os.path.exists("from"), os.path.exists("to") and stored("to"), \
        os.path.exists("from") and stat.S_ISCHR(os.lstat("from").st_mode)


def resolved(path, resolve, flags=R):
    os.makedirs("d/e", exist_ok=True)
    new("d/file")
    for name, to in (("d/up", "../d/file"), ("d/abs", os.path.abspath("d/file")), ("d/in", "file"),
                     ("d/root", "/file")):
        if not os.path.lexists(name):
            os.symlink(to, name)
    how = struct.pack("QQQ", flags, 0, resolve)
    return min(sc(NR.openat2, os.open("d", os.O_PATH), path.encode(), how, 24), 0)


def statx(mask, path=b"s", flags=0, dirfd=CWD):
    new("s")
    os.path.lexists("l") or os.symlink("s", "l")
    buf = ctypes.create_string_buffer(256)
    r = sc(NR.statx, dirfd, path, flags, mask, buf)
    return r, struct.unpack_from("<I", buf.raw)[0] & mask == mask


def link_at(flags, path=b"l"):
    new("s")
    os.symlink("s", "l")
    r = sc(NR.linkat, CWD, path, CWD, b"n", flags)
    return r, r == 0 and os.path.islink("n")


def owned(flags, path=b"l", dirfd=CWD):
    new("s")
    os.symlink("s", "l")
    r = sc(NR.fchownat, dirfd, path, os.getuid(), os.getgid(), flags)
    return r


def access(flags, mode=4, path=b"l"):
    os.symlink("nothing", "l")
    return sc(NR.faccessat2, CWD, path, mode, flags)


def removed(flags, is_dir):
    os.mkdir("gone") if is_dir else new("gone")
    return sc(NR.unlinkat, CWD, b"gone", flags)


def io(flags, write=False, offset=0):
    f = new("io")
    buf = ctypes.create_string_buffer(b"abcd", 4)
    iov = struct.pack("QQ", ctypes.addressof(buf), 4)
    nr = NR.pwritev2 if write else NR.preadv2
    return sc(nr, f, iov, 1, offset, 0, flags), stored("io")


def memfd(flags):
    f = sc(NR.memfd_create, b"m", flags)
    return f if f < 0 else (cmd(f, F.F_GETFD), cmd(f, 1034), stat.S_IMODE(os.fstat(f).st_mode))


def sealed(seal):
    f = works(NR.memfd_create, b"m", 2)
    os.write(f, b"x" * 10)
    r = cmd(f, 1033, seal)
    out = [r, cmd(f, 1034)]
    for call in (lambda: os.write(f, b"y"), lambda: os.ftruncate(f, 5), lambda: os.ftruncate(f, 50),
                 lambda: cmd(f, 1033, 2)):
        try:
            out.append(call())
        except OSError as e:
            out.append(-e.errno)
    return out


def piped(nr, flags):
    r, w = os.pipe()
    os.write(w, b"abcdef")
    r2, w2 = os.pipe()
    if nr == NR.tee:
        return sc(nr, r, w2, 3, flags)
    if nr == NR.vmsplice:
        buf = ctypes.create_string_buffer(b"abcd", 4)
        return sc(nr, w2, struct.pack("QQ", ctypes.addressof(buf), 4), 1, flags), os.read(r2, 9)
    return sc(nr, r, 0, w2, 0, 3, flags), os.read(r2, 9)


def empty_pipe(flags):
    r, _ = os.pipe()
    _, w2 = os.pipe()
    return sc(NR.splice, r, 0, w2, 0, 3, flags)


def ranged(flags):
    a, b = os.dup(0), os.dup(0)
    r = sc(NR.close_range, a, b, flags)
    return r, cmd(a, F.F_GETFD), cmd(b, F.F_GETFD)


def xattr(flags, exists):
    f = new("xa")
    if exists:
        os.setxattr("xa", "user.a", b"1")
    return sc(NR.setxattr, b"xa", b"user.a", b"2", 1, flags)


def flocked(op):
    a, b = new("fl"), os.open("fl", RW)
    held = sc(NR.flock, b, 1)
    r = sc(NR.flock, a, op)
    return held, r, sc(NR.flock, b, 8)


def made(mode):
    r = sc(NR.mknod, b"node", mode | 0o600, 0)
    return r, r == 0 and stat.S_IFMT(os.lstat("node").st_mode)


def paired(flags):
    buf = (ctypes.c_int * 2)()
    r = sc(NR.pipe2, buf, flags)
    return r if r else (r, cmd(buf[0], F.F_GETFD), cmd(buf[0], F.F_GETFL), cmd(buf[1], F.F_GETFL))


def handled(flags, path=b"s"):
    new("s")
    buf = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0), 200)
    return sc(NR.name_to_handle_at, CWD, path, buf, ctypes.c_int64(), flags)


@cases([
    ("O_RDONLY", lambda: (status(R), sc(NR.write, fd(R), b"x", 1)), (0, -EBADF)),
    ("O_WRONLY",
     lambda: (status(W), sc(NR.read, fd(W), ctypes.create_string_buffer(4), 1)),
     (1, -EBADF)),
    ("O_RDWR", lambda: (status(RW), sc(NR.write, fd(RW), b"x", 1)), (2, 1)),
    ("O_CREAT", lambda: (opened(RW), opened(RW | CREAT), opened(RW)), (-ENOENT, 0, 0)),
    ("O_EXCL", lambda: (opened(RW | CREAT | os.O_EXCL), opened(RW | CREAT | os.O_EXCL)), (0, -EEXIST)),
    ("O_NOCTTY", lambda: opened(RW | CREAT | os.O_NOCTTY), 0),
    ("O_TRUNC",
     lambda: (fd(), os.close(new("t")), opened(RW | os.O_TRUNC, "t"), stored("t")),
     (3, None, 0, b'')),
    ("O_APPEND",
     lambda: (status(RW | os.O_APPEND), os.lseek(new("a"), 0, 0), os.write(os.open("a", W | os.O_APPEND), b"x"), stored("a")),
     (1026, 0, 1, b'0123456789x')),
    ("O_NONBLOCK",
     lambda: (os.mkfifo("p"), opened(W | os.O_NONBLOCK, "p"), opened(R | os.O_NONBLOCK, "p")),
     (None, -ENXIO, 0)),
    ("O_DSYNC", lambda: status(RW | os.O_DSYNC), 4098),
    ("O_SYNC", lambda: status(RW | os.O_SYNC), 1052674),
    ("O_ASYNC", lambda: status(RW | 0o20000), 8194),
    ("O_DIRECTORY",
     lambda: (new("s") and opened(R | os.O_DIRECTORY, "s"), opened(R | os.O_DIRECTORY, "."), opened(RW | os.O_DIRECTORY, ".")),
     (-ENOTDIR, 0, -EISDIR)),
    ("O_NOFOLLOW",
     lambda: (os.symlink(".", "l"), opened(R | os.O_NOFOLLOW, "l"), opened(R | os.O_NOFOLLOW | os.O_PATH, "l")),
     (None, -ELOOP, 0)),
    ("O_NOATIME", lambda: status(R | os.O_NOATIME), 262144),
    ("O_CLOEXEC",
     lambda: (cmd(new("s", flags=R | os.O_CLOEXEC), F.F_GETFD), cmd(works(NR.open, b"s", R, 0), F.F_GETFD)),
     (1, 0)),
    ("O_PATH",
     lambda: sc(NR.read, new("s", flags=os.O_PATH), ctypes.create_string_buffer(4), 1),
     -EBADF),
    ("O_TMPFILE",
     lambda: (os.fstat(os.open(".", RW | os.O_TMPFILE, 0o600)).st_nlink, opened(R | os.O_TMPFILE, ".")),
     (0, -EINVAL)),
    ("O_LARGEFILE",
     lambda: sc(NR.fcntl, works(NR.open, b".", 0o100000, 0), F.F_GETFL) & 0o100000,
     32768),
])
def opens(call, expected):
    eq(call(), expected)


@cases([
    ("RESOLVE_NO_XDEV", lambda: (resolved("file", 1), resolved("/proc/self/status", 1)), (0, -EXDEV)),
    ("RESOLVE_NO_MAGICLINKS",
     lambda: (resolved("in", 2), resolved("/proc/self/exe", 2), resolved("/proc/self/exe", 0)),
     (0, -ELOOP, 0)),
    ("RESOLVE_NO_SYMLINKS", lambda: (resolved("file", 4), resolved("in", 4)), (0, -ELOOP)),
    ("RESOLVE_BENEATH",
     lambda: (resolved("in", 8), resolved("up", 8), resolved("abs", 8), resolved("../d/file", 8)),
     (0, -EXDEV, -EXDEV, -EXDEV)),
    ("RESOLVE_IN_ROOT",
     lambda: (resolved("root", 16), resolved("/../file", 16), resolved("/etc/passwd", 16)),
     (0, 0, -ENOENT)),
    ("RESOLVE_CACHED",
     lambda: (resolved("file", 0), resolved("file", 32), resolved("new", 32, RW | CREAT)),
     (0, 0, -EAGAIN)),
])
def resolves(call, expected):
    eq(call(), expected)


@cases([
    ("F_DUPFD", lambda: (cmd(fd(), 0, 50), cmd(0, F.F_DUPFD, 1 << 30)), (50, -EINVAL)),
    ("F_DUPFD_CLOEXEC", lambda: (cmd(fd(), 1030, 60), cmd(60, F.F_GETFD)), (60, 1)),
    ("F_GETFD", lambda: (cmd(fd(), 1), cmd(999, 1)), (1, -EBADF)),
    ("F_SETFD",
     lambda: (lambda f: (cmd(f, 2, 0), cmd(f, 1), cmd(f, 2, 1), cmd(f, 1)))(fd()),
     (0, 0, 0, 1)),
    ("F_GETFL", lambda: cmd(fd(), 3) & 3, 2),
    ("F_SETFL",
     lambda: (lambda f: (cmd(f, 4, 0o6000), cmd(f, 3) & 0o6003, cmd(f, 4, 0), cmd(f, 3) & 0o6003))(fd()),
     (0, 3074, 0, 2)),
    ("F_GETLK", lambda: (lambda f: (lock(f, 5), lock(f, 5, 7)))(fd()), ((0, 2), (-EINVAL, 7))),
    ("F_SETLK",
     lambda: (lambda f: (lock(f, 6), lock(f, 6, F.F_UNLCK), lock(fd(R), 6)))(fd()),
     ((0, 1), (0, 2), (-EBADF, 1))),
    ("F_SETLKW", lambda: lock(fd(), 7), (0, 1)),
    ("F_OFD_GETLK",
     lambda: (lambda f: (lock(f, 36), lock(f, 36, pid=1)))(fd()),
     ((0, 2), (-EINVAL, 1))),
    ("F_OFD_SETLK",
     lambda: (lambda a, b: (lock(a, 37), lock(b, 37), lock(b, 36)))(new("o"), os.open("o", RW)),
     ((0, 1), (-EAGAIN, 1), (0, 1))),
    ("F_OFD_SETLKW", lambda: lock(fd(), 38), (0, 1)),
    ("F_SETOWN",
     lambda: (lambda f: (cmd(f, 8, os.getpid()), cmd(f, 9) == os.getpid(), cmd(f, 8, 0), cmd(f, 9)))(os.pipe()[0]),
     (0, True, 0, 0)),
    ("F_GETOWN", lambda: cmd(os.pipe()[0], 9), 0),
    ("F_SETSIG",
     lambda: (lambda f: (cmd(f, 10, 40), cmd(f, 11), cmd(f, 10, 65), cmd(f, 10, 0)))(os.pipe()[0]),
     (0, 40, -EINVAL, 0)),
    ("F_GETSIG", lambda: cmd(os.pipe()[0], 11), 0),
    ("F_SETOWN_EX", lambda: owner_ex(os.pipe()[0]), (0, 0, True)),
    ("F_GETOWN_EX", lambda: owner_ex(os.pipe()[1]), (0, 0, True)),
    ("F_GETOWNER_UIDS",
     lambda: (lambda b: (cmd(os.pipe()[0], 17, b), struct.unpack("II", b.raw[:8])))(ctypes.create_string_buffer(8)),
     (0, (0, 0))),
    ("F_SETLEASE",
     lambda: (lambda f: (cmd(f, 1024, 0), cmd(f, 1025), cmd(f, 1024, 2), cmd(f, 1025)))(fd(R)),
     (0, 0, 0, 2)),
    ("F_GETLEASE", lambda: cmd(fd(), 1025), 2),
    ("F_SET_RW_HINT",
     lambda: (lambda f, b: (cmd(f, 1036, b), cmd(f, 1035, b), b.value, cmd(f, 1036, ctypes.c_uint64(6)), cmd(f, 1036, 1 << 63)))(fd(), ctypes.c_uint64(3)),
     (0, 0, 3, -EINVAL, -EFAULT)),
    ("F_GET_RW_HINT",
     lambda: (lambda f, b: (cmd(f, 1035, b), b.value))(fd(), ctypes.c_uint64(9)),
     (0, 0)),
    ("F_DUPFD_QUERY",
     lambda: (lambda f: (cmd(f, 1027, os.dup(f)), cmd(f, 1027, fd()), cmd(f, 1027, 999)))(fd()),
     (1, 0, -EBADF)),
    ("F_CREATED_QUERY", lambda: (cmd(os.open("n", RW | CREAT), 1028), cmd(os.open("n", RW | CREAT), 1028),
                                 cmd(os.open("o", CREAT | os.O_EXCL), 1028), cmd(999, 1028)), (1, 0, 1, -EBADF)),
    ("F_SETPIPE_SZ", lambda: cmd(os.pipe()[0], 1031, 8192), 8192),
    ("F_GETPIPE_SZ", lambda: (cmd(os.pipe()[0], 1032), cmd(fd(), 1032)), (65536, -EBADF)),
    ("F_ADD_SEALS", lambda: (sealed(1), cmd(0, 1033, 1) < 0), ([0, 1, 1, None, None, -EPERM], True)),
    ("F_GET_SEALS", lambda: (sealed(0)[1], cmd(fd(), 1034) < 0), (0, True)),
])
def commands(call, expected):
    eq(call(), expected)


@cases([
    ("F_SEAL_SEAL", lambda: sealed(1), [0, 1, 1, None, None, -EPERM]),
    ("F_SEAL_SHRINK", lambda: sealed(2), [0, 2, 1, -EPERM, None, 0]),
    ("F_SEAL_GROW", lambda: sealed(4), [0, 4, -EPERM, None, -EPERM, 0]),
    ("F_SEAL_WRITE", lambda: sealed(8), [0, 8, -EPERM, None, None, 0]),
    ("F_SEAL_FUTURE_WRITE", lambda: sealed(16), [0, 16, -EPERM, None, None, 0]),
    ("F_SEAL_EXEC", lambda: sealed(32), [0, 62, -EPERM, -EPERM, -EPERM, 0]),
])
def seals(call, expected):
    eq(call(), expected)


@cases([
    ("SEEK_SET", lambda: (sc(NR.lseek, fd(), 4, 0), sc(NR.lseek, fd(), -1, 0)), (4, -EINVAL)),
    ("SEEK_CUR",
     lambda: (lambda f: (sc(NR.lseek, f, 4, 1), sc(NR.lseek, f, 4, 1), sc(NR.lseek, f, -20, 1)))(fd()),
     (4, 8, -EINVAL)),
    ("SEEK_END", lambda: (sc(NR.lseek, fd(), -4, 2), sc(NR.lseek, fd(), 4, 2)), (6, 14)),
    ("SEEK_DATA",
     lambda: (sc(NR.lseek, holes(), 0, 3), sc(NR.lseek, holes(), 1 << 20, 3)),
     (524288, -ENXIO)),
    ("SEEK_HOLE",
     lambda: (sc(NR.lseek, holes(), 512 << 10, 4), sc(NR.lseek, holes(), 2 << 20, 4)),
     (528384, -ENXIO)),
])
def seeks(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: allocated(0, 16384), (0, 20480, b'xxxx', b'xxxx')),
    ("FALLOC_FL_KEEP_SIZE", lambda: allocated(1, 16384), (0, 16384, b'xxxx', b'xxxx')),
    ("FALLOC_FL_PUNCH_HOLE",
     lambda: (allocated(2), allocated(3)),
     ((-ENOTSUP, 16384, b'xxxx', b'xxxx'), (0, 16384, b'\x00\x00\x00\x00', b'xxxx'))),
])
def allocates(call, expected):
    eq(call(), expected)


@cases([
    ("RENAME_NOREPLACE",
     lambda: (moved(1), moved(1, False)),
     ((-EEXIST, True, b'2', False), (-EEXIST, True, b'2', False))),
    ("RENAME_EXCHANGE", lambda: moved(2), (0, True, b'1', False)),
])
def renames(call, expected):
    eq(call(), expected)


@cases([
    ("STATX_TYPE", lambda: statx(1), (0, True)),
    ("STATX_MODE", lambda: statx(2), (0, True)),
    ("STATX_NLINK", lambda: statx(4), (0, True)),
    ("STATX_UID", lambda: statx(8), (0, True)),
    ("STATX_GID", lambda: statx(16), (0, True)),
    ("STATX_ATIME", lambda: statx(32), (0, True)),
    ("STATX_MTIME", lambda: statx(64), (0, True)),
    ("STATX_CTIME", lambda: statx(128), (0, True)),
    ("STATX_INO", lambda: statx(256), (0, True)),
    ("STATX_SIZE", lambda: statx(512), (0, True)),
    ("STATX_BLOCKS", lambda: statx(1024), (0, True)),
    ("STATX_BASIC_STATS", lambda: statx(0x7ff), (0, True)),
    ("STATX_BTIME", lambda: statx(0x800), (0, True)),
    ("STATX_MNT_ID", lambda: statx(0x1000), (0, True)),
    ("STATX_MNT_ID_UNIQUE", lambda: statx(0x4000), (0, True)),
    ("STATX__RESERVED", lambda: statx(1 << 31)[0], -EINVAL),
])
def statx_gives(call, expected):
    eq(call(), expected)


@cases([
    ("AT_EMPTY_PATH", lambda: statx(1, b"", 0x1000, fd()), (0, True)),
    ("AT_SYMLINK_NOFOLLOW",
     lambda: (lambda b: (sc(NR.statx, CWD, b"l", 0x100, 1, b), os.symlink("f", "l"), sc(NR.statx, CWD, b"l", 0x100, 1, b), struct.unpack_from("<H", b.raw, 28)[0] >> 12))(ctypes.create_string_buffer(256)),
     (-ENOENT, None, 0, 10)),
    ("AT_NO_AUTOMOUNT", lambda: statx(1, b"s", 0x800), (0, True)),
    ("AT_STATX_FORCE_SYNC", lambda: statx(1, b"s", 0x2000), (0, True)),
    ("AT_STATX_DONT_SYNC", lambda: statx(1, b"s", 0x4000), (0, True)),
    ("AT_STATX_SYNC_TYPE", lambda: statx(1, b"s", 0x6000)[0], -EINVAL),
])
def stat_takes(call, expected):
    eq(call(), expected)


@cases([
    ("AT_SYMLINK_FOLLOW", lambda: (link_at(0x400),), ((0, False),)),
    ("AT_EMPTY_PATH",
     lambda: (link_at(0x1000, b"") if not is_root() else 0, sc(NR.linkat, fd(), b"", CWD, b"m", 0x1000) if is_root() else 0),
     (0, 0)),
])
def links(call, expected):
    eq(call(), expected)


@cases([
    ("AT_SYMLINK_NOFOLLOW", lambda: owned(0x100), 0),
    ("AT_EMPTY_PATH", lambda: owned(0x1000, b"", fd()), 0),
])
def changes_owner(call, expected):
    eq(call(), expected)


@cases([
    ("AT_EACCESS", lambda: access(0x200), -ENOENT),
    ("AT_SYMLINK_NOFOLLOW", lambda: access(0x100), 0),
    ("AT_EMPTY_PATH",
     lambda: (sc(NR.faccessat2, fd(), b"", 4, 0x1000), sc(NR.faccessat2, fd(), b"", 4, 0)),
     (0, -ENOENT)),
])
def accesses(call, expected):
    eq(call(), expected)


@cases([
    ("F_OK", lambda: (access(0, 0, b"."), access.__name__ and sc(NR.access, b"none", 0)), (0, -ENOENT)),
    ("R_OK", lambda: sc(NR.access, b"/etc/passwd", 4), 0),
    ("W_OK", lambda: sc(NR.access, b".", 2), 0),
    ("X_OK", lambda: (sc(NR.access, b".", 1), new("s") and sc(NR.access, b"s", 1)), (0, -EACCES)),
])
def access_modes(call, expected):
    eq(call(), expected)


@cases([
    ("AT_SYMLINK_NOFOLLOW",
     lambda: (os.symlink("x", "l"), sc(NR.fchmodat2, CWD, b"l", 0o600, 0x100)),
     (None, -ENOTSUP)),
    ("AT_EMPTY_PATH", lambda: sc(NR.fchmodat2, fd(), b"", 0o600, 0x1000), 0),
])
def changes_mode(call, expected):
    eq(call(), expected)


@cases([
    ("AT_SYMLINK_NOFOLLOW",
     lambda: (os.symlink("x", "l"), sc(NR.utimensat, CWD, b"l", 0, 0x100), sc(NR.utimensat, CWD, b"l", 0, 0)),
     (None, 0, -ENOENT)),
    ("AT_EMPTY_PATH", lambda: sc(NR.utimensat, fd(), b"", 0, 0x1000), 0),
    ("UTIME_NOW",
     lambda: (lambda f: (sc(NR.utimensat, f, 0, (ctypes.c_int64 * 4)(1, 0x3FFFFFFF, 1, 0x3FFFFFFF), 0), os.fstat(f).st_mtime > 1000))(fd()),
     (0, True)),
    ("UTIME_OMIT",
     lambda: (lambda f: (os.utime(f, ns=(5, 5)), sc(NR.utimensat, f, 0, (ctypes.c_int64 * 4)(1, 0x3FFFFFFE, 9, 0), 0), os.fstat(f).st_atime_ns, os.fstat(f).st_mtime_ns))(fd()),
     (None, 0, 5, 9000000000)),
])
def sets_times(call, expected):
    eq(call(), expected)


@cases([
    ("AT_REMOVEDIR", lambda: (removed(0x200, True), removed(0x200, False)), (0, -ENOTDIR)),
])
def unlinks(call, expected):
    eq(call(), expected)


@cases([
    ("AT_SYMLINK_FOLLOW", lambda: (os.symlink("s", "l"), handled(0x400, b"l")), (None, 0)),
    ("AT_HANDLE_FID", lambda: handled(0x200), 0),
    ("AT_HANDLE_MNT_ID_UNIQUE", lambda: handled(1), 0),
])
def handles(call, expected):
    eq(call(), expected)


@cases([
    ("RWF_HIPRI", lambda: io(1)[1], b'0123456789'),
    ("RWF_DSYNC", lambda: io(2, True), (4, b'abcd456789')),
    ("RWF_SYNC", lambda: io(4, True), (4, b'abcd456789')),
    ("RWF_APPEND", lambda: io(16, True), (4, b'0123456789abcd')),
    ("RWF_NOAPPEND",
     lambda: (lambda f, b: (sc(NR.pwritev2, f, struct.pack("QQ", ctypes.addressof(b), 2), 1, 0, 0, 32), stored("s")))(new("s", flags=W | os.O_APPEND), ctypes.create_string_buffer(b"zz", 2)),
     (2, b'zz23456789')),
])
def vectors(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: memfd(0), (0, 1, 511)),
    ("MFD_CLOEXEC", lambda: memfd(1), (1, 1, 511)),
    ("MFD_ALLOW_SEALING", lambda: memfd(2), (0, 0, 511)),
    ("MFD_NOEXEC_SEAL", lambda: memfd(8), (0, 32, 438)),
    ("MFD_EXEC", lambda: memfd(16), (0, 1, 511)),
])
def memory_files(call, expected):
    eq(call(), expected)


@cases([
    ("SPLICE_F_MOVE", lambda: piped(NR.splice, 1), (3, b'abc')),
    ("SPLICE_F_NONBLOCK", lambda: (piped(NR.splice, 2), empty_pipe(2)), ((3, b'abc'), -EAGAIN)),
    ("SPLICE_F_MORE", lambda: piped(NR.splice, 4), (3, b'abc')),
    ("SPLICE_F_GIFT", lambda: piped(NR.splice, 8), (3, b'abc')),
])
def splices(call, expected):
    eq(call(), expected)


@cases([
    ("SPLICE_F_NONBLOCK", lambda: piped(NR.tee, 2), 3),
])
def tees(call, expected):
    eq(call(), expected)


@cases([
    ("SPLICE_F_NONBLOCK", lambda: piped(NR.vmsplice, 2), (4, b'abcd')),
    ("SPLICE_F_GIFT", lambda: piped(NR.vmsplice, 8), (4, b'abcd')),
])
def vmsplices(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: ranged(0), (0, -EBADF, -EBADF)),
    ("CLOSE_RANGE_UNSHARE", lambda: ranged(2), (0, -EBADF, -EBADF)),
    ("CLOSE_RANGE_CLOEXEC", lambda: ranged(4), (0, 1, 1)),
])
def close_ranges(call, expected):
    eq(call(), expected)


@cases([
    ("XATTR_CREATE", lambda: (xattr(1, False), xattr(1, True)), (0, -EEXIST)),
    ("XATTR_REPLACE", lambda: (xattr(2, True), os.unlink("xa"), xattr(2, False)), (0, None, -ENODATA)),
])
def attributes(call, expected):
    eq(call(), expected)


@cases([
    ("LOCK_SH", lambda: flocked(1), (0, 0, 0)),
    ("LOCK_EX", lambda: (sc(NR.flock, fd(), 2),), (0,)),
    ("LOCK_NB", lambda: (flocked(2 | 4), flocked(1 | 4)), ((0, -EAGAIN, 0), (0, 0, 0))),
    ("LOCK_UN", lambda: flocked(8), (0, 0, 0)),
    ("LOCK_MAND", lambda: sc(NR.flock, fd(), 32), 0),
])
def flocks(call, expected):
    eq(call(), expected)


@cases([
    ("S_IFREG", lambda: made(stat.S_IFREG), (0, 32768)),
    ("S_IFIFO", lambda: made(stat.S_IFIFO), (0, 4096)),
    ("S_IFSOCK", lambda: made(stat.S_IFSOCK), (0, 49152)),
    ("S_IFDIR", lambda: made(stat.S_IFDIR), (-EPERM, False)),
    ("0", lambda: made(0), (0, 32768)),
])
def makes(call, expected):
    eq(call(), expected)


@cases([
    ("O_CLOEXEC", lambda: paired(os.O_CLOEXEC), (0, 1, 0, 1)),
    ("O_NONBLOCK", lambda: paired(os.O_NONBLOCK), (0, 0, 2048, 2049)),
    ("O_DIRECT", lambda: paired(os.O_DIRECT), (0, 0, 0, 16385)),
])
def pipes(call, expected):
    eq(call(), expected)


@cases([
    ("O_CLOEXEC",
     lambda: (sc(NR.dup3, 0, 70, os.O_CLOEXEC), cmd(70, F.F_GETFD), sc(NR.dup3, 0, 0, 0)),
     (70, 1, -EINVAL)),
])
def duplicates(call, expected):
    eq(call(), expected)


@cases([
    ("POSIX_FADV_NORMAL", lambda: sc(NR.fadvise64, fd(), 0, 0, 0), 0),
    ("POSIX_FADV_RANDOM", lambda: sc(NR.fadvise64, fd(), 0, 0, 1), 0),
    ("POSIX_FADV_SEQUENTIAL", lambda: sc(NR.fadvise64, fd(), 0, 0, 2), 0),
    ("POSIX_FADV_WILLNEED", lambda: sc(NR.fadvise64, fd(), 0, 0, 3), 0),
    ("POSIX_FADV_DONTNEED", lambda: sc(NR.fadvise64, fd(), 0, 0, 4), 0),
    ("POSIX_FADV_NOREUSE", lambda: sc(NR.fadvise64, fd(), 0, 0, 5), 0),
])
def advises(call, expected):
    eq(call(), expected)


@cases([
    ("SYNC_FILE_RANGE_WAIT_BEFORE", lambda: sc(NR.sync_file_range, fd(), 0, 0, 1), 0),
    ("SYNC_FILE_RANGE_WRITE", lambda: sc(NR.sync_file_range, fd(), 0, 0, 2), 0),
    ("SYNC_FILE_RANGE_WAIT_AFTER", lambda: sc(NR.sync_file_range, fd(), 0, 0, 4), 0),
])
def syncs(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
