"""Names of files: rename, link, symlink, unlink, mkdir, rmdir, getdents, mknod, paths."""

import ctypes
import os
import stat
import struct
from errno import *
from lib.guest import *

AT_FDCWD = -100 & 0xFFFFFFFF
AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x200, 0x400, 0x1000
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


def touch(path, text=""):
    with open(path, "w") as f:
        f.write(text)


def text_of(path):
    with open(path) as f:
        return f.read()


@test
def rename_replaces_atomically():
    touch("a", "A")
    touch("b", "B")
    old = os.stat("a").st_ino
    fd = os.open("b", os.O_RDONLY)
    os.rename("a", "b")
    eq(text_of("b"), "A")
    eq(os.stat("b").st_ino, old)
    eq(os.read(fd, 5), b"B")
    ok(not os.path.exists("a"), "the old name is gone")


@test
def rename_errors():
    touch("f")
    os.mkdir("d")
    os.mkdir("d/sub")
    os.mkdir("e")
    fails(ENOENT, os.rename, "no", "x")
    fails(ENOENT, os.rename, "f", "no/x")
    fails(ENOTDIR, os.rename, "f/x", "y")
    fails(EISDIR, os.rename, "f", "d")
    fails(ENOTDIR, os.rename, "d", "f")
    fails(EINVAL, os.rename, "d", "d/sub/x")
    fails(ENOTEMPTY, os.rename, "e", "d")
    fails(EBUSY, os.rename, ".", "x")
    fails(EBUSY, os.rename, "d/..", "x")
    os.rename("d/sub", "e")
    eq(sorted(os.listdir(".")), ["d", "e", "f"])
    os.rename("f", "f")


@test
def rename_of_two_links_to_one_file_does_nothing():
    touch("a")
    os.link("a", "b")
    os.rename("a", "b")
    eq(sorted(os.listdir(".")), ["a", "b"])


@test
def rename_directory_moves_its_tree():
    os.makedirs("a/b/c")
    touch("a/b/c/f", "deep")
    fd = os.open("a/b", os.O_RDONLY)
    os.rename("a", "z")
    eq(text_of("z/b/c/f"), "deep")
    eq(os.stat("..", dir_fd=fd).st_ino, os.stat("z").st_ino)
    os.chdir("z/b")
    os.rename("../../z", "../../y")
    ok(os.getcwd().endswith("/y/b"), "getcwd follows a rename: " + os.getcwd())
    eq(os.stat("y").st_nlink if os.path.exists("y") else 3, 3)


@test
def rename_symlink_moves_the_link():
    touch("f", "x")
    os.symlink("f", "s")
    os.rename("s", "t")
    eq(os.readlink("t"), "f")
    touch("g", "G")
    os.rename("g", "t")
    eq(text_of("t"), "G")
    eq(text_of("f"), "x")


@test
def renameat2_flags():
    touch("a", "A")
    touch("b", "B")
    gives(-EEXIST, NR.renameat2, AT_FDCWD, b"a", AT_FDCWD, b"b", RENAME_NOREPLACE)
    gives(0, NR.renameat2, AT_FDCWD, b"a", AT_FDCWD, b"c", RENAME_NOREPLACE)
    gives(0, NR.renameat2, AT_FDCWD, b"b", AT_FDCWD, b"c", RENAME_EXCHANGE)
    eq((text_of("b"), text_of("c")), ("A", "B"))
    gives(-ENOENT, NR.renameat2, AT_FDCWD, b"b", AT_FDCWD, b"no", RENAME_EXCHANGE)
    gives(-EINVAL, NR.renameat2, AT_FDCWD, b"b", AT_FDCWD, b"c", 3)
    gives(-EINVAL, NR.renameat2, AT_FDCWD, b"b", AT_FDCWD, b"c", 0x80)
    os.mkdir("d")
    touch("d/f", "in")
    gives(0, NR.renameat2, AT_FDCWD, b"b", AT_FDCWD, b"d", RENAME_EXCHANGE)
    eq((text_of("d"), text_of("b/f")), ("A", "in"))


@test
def links_count():
    touch("a", "A")
    os.link("a", "b")
    eq(os.stat("a").st_nlink, 2)
    eq(os.stat("a").st_ino, os.stat("b").st_ino)
    os.unlink("a")
    eq(os.stat("b").st_nlink, 1)
    fails(EEXIST, os.link, "b", "b")
    fails(ENOENT, os.link, "no", "x")
    os.mkdir("d")
    fails(EPERM, os.link, "d", "x")
    os.symlink("b", "s")
    gives(0, NR.linkat, AT_FDCWD, b"s", AT_FDCWD, b"hard", 0)
    ok(os.path.islink("hard"), "link does not follow")
    gives(0, NR.linkat, AT_FDCWD, b"s", AT_FDCWD, b"followed", AT_SYMLINK_FOLLOW)
    ok(not os.path.islink("followed"), "AT_SYMLINK_FOLLOW does")
    gives(-EINVAL, NR.linkat, AT_FDCWD, b"s", AT_FDCWD, b"x", 0x4000000)


@test
def directory_link_counts():
    eq(os.stat(".").st_nlink >= 2, True)
    before = os.stat(".").st_nlink
    os.mkdir("d")
    eq(os.stat("d").st_nlink, 2)
    eq(os.stat(".").st_nlink, before + 1)
    os.rmdir("d")
    eq(os.stat(".").st_nlink, before)


@test
def symlinks_hold_any_text():
    os.symlink("x" * 4095, "long")
    eq(len(os.readlink("long")), 4095)
    gives(-ENAMETOOLONG, NR.symlink, b"x" * 4096, b"l")
    gives(-ENOENT, NR.symlink, b"", b"l")
    gives(-EEXIST, NR.symlink, b"y", b"long")
    buf = ctypes.create_string_buffer(4)
    eq(sc(NR.readlink, b"long", buf, 4), 4)
    gives(-EINVAL, NR.readlink, b"long", buf, 0)
    touch("f")
    gives(-EINVAL, NR.readlink, b"f", buf, 4)
    gives(-ENOENT, NR.readlink, b"no", buf, 4)
    eq(os.lstat("long").st_size, 4095)
    eq(stat.S_IMODE(os.lstat("long").st_mode), 0o777)


@test
def unlink_and_rmdir_errors():
    touch("f")
    os.mkdir("d")
    os.mkdir("d/e")
    gives(-EISDIR, NR.unlink, b"d")
    gives(-ENOTDIR, NR.rmdir, b"f")
    gives(-ENOTEMPTY, NR.rmdir, b"d")
    gives(-ENOENT, NR.rmdir, b"no")
    gives(-EINVAL, NR.rmdir, b"d/.")
    gives(-ENOTEMPTY, NR.rmdir, b"d/..")
    gives(-ENOTDIR, NR.unlink, b"f/")
    gives(-ENOTDIR, NR.unlink, b"f/x")
    gives(-EINVAL, NR.unlinkat, AT_FDCWD, b"f", 1)
    gives(-ENOTDIR, NR.unlinkat, AT_FDCWD, b"f", AT_REMOVEDIR)
    gives(0, NR.unlinkat, AT_FDCWD, b"d/e", AT_REMOVEDIR)
    gives(0, NR.rmdir, b"d/")
    gives(-EBUSY, NR.rmdir, b"/")


@test
def mkdir_errors_and_modes():
    os.umask(0o027)
    os.mkdir("d", 0o7777)
    eq(stat.S_IMODE(os.stat("d").st_mode), 0o1750)
    gives(-EEXIST, NR.mkdir, b"d", 0o700)
    gives(-EEXIST, NR.mkdir, b"/", 0o700)
    gives(-EEXIST, NR.mkdir, b".", 0o700)
    gives(-ENOENT, NR.mkdir, b"no/d", 0o700)
    gives(-ENOENT, NR.mkdir, b"", 0o700)
    os.symlink("nowhere", "s")
    gives(-EEXIST, NR.mkdir, b"s", 0o700)
    gives(0, NR.mkdir, b"slash/", 0o700)
    gives(-ENOENT, NR.mkdir, b"dot/.", 0o700)


@test
def directory_set_gid_is_inherited():
    os.mkdir("d")
    os.chmod("d", 0o2775)
    if not os.stat("d").st_mode & 0o2000:
        skip("cannot set the set-gid bit here")
    os.mkdir("d/e")
    ok(os.stat("d/e").st_mode & 0o2000, "a directory takes set-gid from its parent")
    touch("d/f")
    eq(os.stat("d/f").st_gid, os.stat("d").st_gid)


@test
def removed_directory_as_cwd():
    os.mkdir("d")
    os.chdir("d")
    os.rmdir("../d")
    gives(-ENOENT, NR.open, b"x", os.O_CREAT | os.O_WRONLY, 0o600)
    gives(-ENOENT, NR.getcwd, ctypes.create_string_buffer(4096), 4096)
    eq(os.listdir("."), [])
    eq(os.stat(".").st_nlink, 0)
    gives(-ENOENT, NR.mkdir, b"y", 0o700)
    os.chdir("..")


@test
def getcwd_limits():
    buf = ctypes.create_string_buffer(4096)
    n = works(NR.getcwd, buf, 4096)
    eq(n, len(os.getcwd()) + 1)
    gives(-ERANGE, NR.getcwd, buf, n - 1)
    gives(-ERANGE, NR.getcwd, buf, 0)
    eq(works(NR.getcwd, buf, n), n)
    gives(-EFAULT, NR.getcwd, 1, 4096)


def entries(fd, size=32768):
    """Returns all entries that getdents64 gives of fd: (ino, off, type, name)."""
    out = []
    buf = ctypes.create_string_buffer(size)
    while True:
        n = works(NR.getdents64, fd, buf, size)
        if n == 0:
            return out
        at = 0
        while at < n:
            ino, off, reclen, kind = struct.unpack_from("<QqHB", buf.raw, at)
            name = buf.raw[at + 19:at + reclen].split(b"\0")[0].decode()
            ok(reclen % 8 == 0, "records are 8-aligned")
            out.append((ino, off, kind, name))
            at += reclen


@test
def getdents64_gives_types_and_inodes():
    touch("f")
    os.mkdir("d")
    os.symlink("f", "s")
    os.mkfifo("p")
    fd = os.open(".", os.O_RDONLY)
    found = {name: (ino, kind) for ino, _, kind, name in entries(fd)}
    eq(sorted(found), [".", "..", "d", "f", "p", "s"])
    eq(found["f"], (os.stat("f").st_ino, 8))
    eq(found["d"], (os.stat("d").st_ino, 4))
    eq(found["s"], (os.lstat("s").st_ino, 10))
    eq(found["p"], (os.stat("p").st_ino, 1))
    eq(found["."], (os.stat(".").st_ino, 4))
    eq(entries(fd), [])
    os.lseek(fd, 0, os.SEEK_SET)
    eq(len(entries(fd)), 6)


@test
def getdents64_in_small_pieces():
    for i in range(300):
        touch("file-with-a-name-%03d" % i)
    fd = os.open(".", os.O_RDONLY)
    names = [e[3] for e in entries(fd, 200)]
    eq(len(names), 302)
    eq(len(set(names)), 302)
    os.lseek(fd, 0, os.SEEK_SET)
    buf = ctypes.create_string_buffer(8)
    gives(-EINVAL, NR.getdents64, fd, buf, 8)
    gives(-EFAULT, NR.getdents64, fd, 1, 4096)
    f = os.open("file-with-a-name-000", os.O_RDONLY)
    gives(-ENOTDIR, NR.getdents64, f, buf, 8)


@test
def getdents64_seeks_to_a_cookie():
    for i in range(20):
        touch("f%02d" % i)
    fd = os.open(".", os.O_RDONLY)
    every = entries(fd)
    os.lseek(fd, every[9][1], os.SEEK_SET)
    eq([e[3] for e in entries(fd)], [e[3] for e in every[10:]])


@test
def listing_while_deleting():
    for i in range(200):
        touch("f%03d" % i)
    fd = os.open(".", os.O_RDONLY)
    seen = set()
    buf = ctypes.create_string_buffer(400)
    while True:
        n = works(NR.getdents64, fd, buf, 400)
        if n == 0:
            break
        at = 0
        while at < n:
            reclen = struct.unpack_from("<H", buf.raw, at + 16)[0]
            name = buf.raw[at + 19:at + reclen].split(b"\0")[0].decode()
            if name not in (".", ".."):
                ok(name not in seen, "seen twice: " + name)
                seen.add(name)
                os.unlink(name)
            at += reclen
    eq(len(seen), 200)
    eq(os.listdir("."), [])


@test
def fifos_and_sockets_by_mknod():
    os.mkfifo("p", 0o640)
    ok(stat.S_ISFIFO(os.stat("p").st_mode), "a FIFO")
    os.mknod("s", stat.S_IFSOCK | 0o600)
    ok(stat.S_ISSOCK(os.stat("s").st_mode), "a socket")
    os.mknod("f", stat.S_IFREG | 0o600)
    ok(stat.S_ISREG(os.stat("f").st_mode), "a file")
    fails(EEXIST, os.mkfifo, "p")
    gives(-EPERM, NR.mknod, b"d", stat.S_IFDIR | 0o700, 0)
    gives(-EINVAL, NR.mknod, b"q", 0o170000 | 0o700, 0)
    fails(ENXIO, os.open, "s", os.O_RDWR)
    fails(ENXIO, os.open, "p", os.O_WRONLY | os.O_NONBLOCK)


@test
def dot_dot_and_slashes():
    os.makedirs("a/b")
    touch("a/f", "x")
    for path in ["a/b/../f", "a//f", "./a/./f", "a/b/../../a/f", ".//a///b/..//f"]:
        eq(text_of(path), "x", path)
    eq(os.stat("/..").st_ino, os.stat("/").st_ino)
    eq(os.stat("/../../..").st_ino, os.stat("/").st_ino)
    os.symlink("a/b", "s")
    eq(text_of("s/../f"), "x")
    os.symlink(os.path.abspath("a"), "abs")
    eq(text_of("abs/f"), "x")


@test
def trailing_slash_follows_links():
    os.mkdir("d")
    os.symlink("d", "s")
    ok(stat.S_ISLNK(os.lstat("s").st_mode), "no slash: the link")
    ok(stat.S_ISDIR(os.lstat("s/").st_mode), "slash: the directory")
    touch("f")
    os.symlink("f", "t")
    fails(ENOTDIR, os.lstat, "t/")


@test
def chdir_and_chroot():
    os.mkdir("d")
    touch("f")
    fails(ENOTDIR, os.chdir, "f")
    fails(ENOENT, os.chdir, "no")
    fd = os.open("d", os.O_RDONLY)
    os.fchdir(fd)
    ok(os.getcwd().endswith("/d"), "fchdir")
    os.chdir("..")
    f = os.open("f", os.O_RDONLY)
    fails(ENOTDIR, os.fchdir, f)
    fails(EBADF, os.fchdir, 999)
    need_root()
    os.mkdir("d/inside")

    def inside():
        os.chroot("d")
        os.chdir("/")
        eq(os.listdir("/"), ["inside"])
        eq(os.listdir("/.."), ["inside"])
        eq(os.getcwd(), "/")
    child_ok(inside)


@test
def statx_reports_a_birth_time_only_where_one_is_kept():
    def shown(fd):
        buf = ctypes.create_string_buffer(256)
        works(NR.statx, fd, b"", AT_EMPTY_PATH, 0xFFF, buf)
        mask, seconds = struct.unpack_from("I", buf, 0)[0], struct.unpack_from("q", buf, 0x50)[0]
        return mask & 0x800 != 0, seconds != 0
    r, w = os.pipe()
    kept = os.memfd_create("kept")
    none = [r, w, os.eventfd(0), os.open("/proc/version", os.O_RDONLY), os.open("/sys/kernel", os.O_RDONLY)]
    eq([shown(fd) for fd in none], [(False, False)] * 5)
    eq(shown(kept), (True, True))


@test
def statx_and_empty_paths():
    touch("f", "12345")
    buf = ctypes.create_string_buffer(256)
    works(NR.statx, AT_FDCWD, b"f", 0, 0x7FF, buf)
    mask, _, _, nlink, uid, gid, mode = struct.unpack_from("<IIQIIIH", buf.raw, 0)
    ino, size = struct.unpack_from("<QQ", buf.raw, 32)
    st = os.stat("f")
    eq((nlink, uid, gid, mode, ino, size),
       (1, st.st_uid, st.st_gid, st.st_mode, st.st_ino, 5))
    ok(mask & 0x7FF == 0x7FF, "all basic fields: %#x" % mask)
    fd = os.open("f", os.O_RDONLY)
    works(NR.statx, fd, b"", AT_EMPTY_PATH, 0x7FF, buf)
    eq(struct.unpack_from("<Q", buf.raw, 40)[0], 5)
    gives(-ENOENT, NR.statx, fd, b"", 0, 0x7FF, buf)
    gives(-EINVAL, NR.statx, fd, b"f", 0x10, 0x7FF, buf)
    gives(-EINVAL, NR.statx, AT_FDCWD, b"f", 0, 0x80000000, buf)
    gives(-EFAULT, NR.statx, AT_FDCWD, b"f", 0, 0x7FF, 1)
    gives(0, NR.newfstatat, fd, b"", buf, AT_EMPTY_PATH)
    gives(-ENOENT, NR.newfstatat, fd, b"", buf, 0)
    gives(-EINVAL, NR.newfstatat, fd, b"f", buf, 0x10)


run()
