"""Mounts by descriptors: fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2),
move_mount(2), mount_setattr(2).
"""

import ctypes
import errno as E
import os
import struct

from lib.guest import NR, SYS, eq, gives, ok, run, sc, skip, test, works

SYS.update(open_tree=428, move_mount=429, fsopen=430, fsconfig=431, fsmount=432, fspick=433,
           mount_setattr=442)
FLAG, STRING, BINARY, PATH, PATH_EMPTY, FD, CREATE, CHANGE = range(8)
CLONE, CLOEXEC, EMPTY, RECURSIVE = 1, 0o2000000, 0x1000, 0x8000
F_EMPTY, T_EMPTY = 4, 0x40
RDONLY, NOSUID, NODEV, NOEXEC, NOATIME, STRICT, NODIRATIME = 1, 2, 4, 8, 0x10, 0x20, 0x80
ATIME, CWD = 0x70, -100 & 2**64 - 1
libc = ctypes.CDLL(None, use_errno=True)


def isolated():
    """Enters a mount namespace of its own, whose mounts do not propagate."""
    if sc(272, 0x20000) != 0:
        skip("no mount namespace to be had")
    if libc.mount(b"none", b"/", None, ctypes.c_ulong(0x44000), None) != 0:
        skip("mounts cannot be made private")


def mounted(path):
    """Returns (options, type, source) of the topmost mount on `path`, or None."""
    found = None
    for line in open("/proc/self/mountinfo"):
        left, right = line.split(" - ")
        if left.split()[4] == os.path.realpath(path):
            found = (left.split()[5], *right.split()[:2])
    return found


def tmpfs(**parameters):
    fd = works(NR.fsopen, b"tmpfs", 1)
    for name, value in parameters.items():
        works(NR.fsconfig, fd, STRING, name.encode(), value.encode(), 0)
    works(NR.fsconfig, fd, CREATE, 0, 0, 0)
    return fd


def attr(set=0, clear=0, propagation=0, userns=0):
    return struct.pack("QQQQ", set, clear, propagation, userns)


@test
def a_file_system_is_made_in_steps():
    isolated()
    os.mkdir("m")
    fd = tmpfs(source="words", size="1m", mode="0711")
    eq(os.readlink("/proc/self/fd/%d" % fd), "anon_inode:[fscontext]")
    mfd = works(NR.fsmount, fd, 1, NOSUID | NOATIME)
    gives(-E.EBUSY, NR.fsmount, fd, 0, 0)
    eq(mounted("m"), None)
    # Files can be made in a mount that is not attached.
    os.close(os.open("early", os.O_CREAT | os.O_WRONLY, dir_fd=mfd))
    works(NR.move_mount, mfd, b"", CWD, b"m", F_EMPTY)
    options, kind, source = mounted("m")
    eq((options, kind, source), ("rw,nosuid,noatime", "tmpfs", "words"))
    eq(os.listdir("m"), ["early"])
    eq((os.stat("m").st_mode & 0o777, os.statvfs("m").f_blocks * 4096), (0o711, 1 << 20))
    os.close(mfd)
    eq(os.listdir("m"), ["early"], "it stays")


@test
def an_unattached_mount_ends_with_its_descriptor():
    isolated()
    mfd = works(NR.fsmount, tmpfs(), 0, 0)
    other = os.open(".", os.O_RDONLY, dir_fd=mfd)
    os.close(mfd)
    eq(os.listdir(other), [])


@test
def steps_are_checked():
    isolated()
    gives(-E.ENODEV, NR.fsopen, b"nosuchfs", 0)
    gives(-E.EINVAL, NR.fsopen, b"tmpfs", 2)
    gives(-E.EFAULT, NR.fsopen, 8, 0)
    fd = works(NR.fsopen, b"tmpfs", 0)
    gives(-E.EINVAL, NR.fsmount, fd, 0, 0)
    gives(-E.EINVAL, NR.fsconfig, fd, FLAG, 0, 0, 0)
    gives(-E.EINVAL, NR.fsconfig, fd, FLAG, b"ro", b"x", 0)
    gives(-E.EINVAL, NR.fsconfig, fd, STRING, b"size", 0, 0)
    gives(-E.EINVAL, NR.fsconfig, fd, STRING, b"size", b"1m", 1)
    gives(-E.EINVAL, NR.fsconfig, fd, CREATE, b"x", 0, 0)
    gives(-E.EOPNOTSUPP, NR.fsconfig, fd, 99, 0, 0, 0)
    gives(-E.EBADF, NR.fsconfig, 9999, CREATE, 0, 0, 0)
    gives(-E.EINVAL, NR.fsconfig, os.open("/", os.O_RDONLY), CREATE, 0, 0, 0)
    gives(-E.EBUSY, NR.fsconfig, fd, CHANGE, 0, 0, 0)
    works(NR.fsconfig, fd, STRING, b"source", b"a", 0)
    gives(-E.EINVAL, NR.fsconfig, fd, STRING, b"source", b"b", 0)
    works(NR.fsconfig, fd, FLAG, b"ro", 0, 0)
    works(NR.fsconfig, fd, CREATE, 0, 0, 0)
    gives(-E.EBUSY, NR.fsconfig, fd, CREATE, 0, 0, 0)
    gives(-E.EBUSY, NR.fsconfig, fd, STRING, b"size", b"1m", 0)
    gives(-E.EINVAL, NR.fsmount, fd, 2, 0)
    gives(-E.EINVAL, NR.fsmount, fd, 0, 1 << 30)
    gives(-E.EINVAL, NR.fsmount, fd, 0, NOATIME | STRICT)
    mfd = works(NR.fsmount, fd, 0, 0)
    try:
        os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=mfd)
        ok(False, "written to a read-only file system")
    except OSError as e:
        eq(e.errno, E.EROFS)


@test
def mount_calls_need_a_capability():
    if os.getuid() != 0:
        skip("needs root")
    isolated()
    fd = tmpfs()
    os.seteuid(1000)
    gives(-E.EPERM, NR.fsopen, b"tmpfs", 0)
    gives(-E.EPERM, NR.fsmount, fd, 0, 0)
    gives(-E.EPERM, NR.open_tree, CWD, b".", CLONE)
    gives(-E.EPERM, NR.move_mount, CWD, b".", CWD, b".", 0)
    gives(-E.EPERM, NR.mount_setattr, CWD, b".", 0, attr(RDONLY), 32)
    gives(-E.EPERM, NR.fspick, CWD, b"/", 0)
    works(NR.open_tree, CWD, b"/", 0)


@test
def a_mounted_file_system_is_changed():
    isolated()
    os.mkdir("m")
    mfd = works(NR.fsmount, tmpfs(size="1m"), 0, 0)
    works(NR.move_mount, mfd, b"", CWD, b"m", F_EMPTY)
    fd = works(NR.fspick, CWD, b"m", 0)
    works(NR.fsconfig, fd, STRING, b"size", b"2m", 0)
    works(NR.fsconfig, fd, CHANGE, 0, 0, 0)
    eq(os.statvfs("m").f_blocks * 4096, 2 << 20)
    works(NR.fsconfig, fd, FLAG, b"ro", 0, 0)
    works(NR.fsconfig, fd, CHANGE, 0, 0, 0)
    eq(os.statvfs("m").f_flag & 1, 1)
    os.mkdir("d")
    gives(-E.EINVAL, NR.fspick, CWD, b"d", 0)
    gives(-E.EINVAL, NR.fspick, CWD, b"m", 0x100)


@test
def trees_are_copied_and_placed():
    isolated()
    for d in ("a", "a/sub", "b", "c"):
        os.mkdir(d)
    open("a/file", "w").close()
    works(NR.move_mount, works(NR.fsmount, tmpfs(), 0, 0), b"", CWD, b"a/sub", F_EMPTY)
    open("a/sub/inner", "w").close()
    tree = works(NR.open_tree, CWD, b"a", CLONE | CLOEXEC)
    works(NR.move_mount, tree, b"", CWD, b"b", F_EMPTY)
    eq(sorted(os.listdir("b")), ["file", "sub"])
    eq(os.listdir("b/sub"), [], "alone")
    tree = works(NR.open_tree, CWD, b"a", CLONE | RECURSIVE)
    works(NR.move_mount, tree, b"", CWD, b"c", F_EMPTY)
    eq(os.listdir("c/sub"), ["inner"], "with what is mounted below")
    gives(-E.EINVAL, NR.open_tree, CWD, b"a", RECURSIVE)
    gives(-E.EINVAL, NR.open_tree, CWD, b"a", 1 << 20)
    gives(-E.ENOENT, NR.open_tree, CWD, b"none", CLONE)
    # An attached mount moves.
    os.mkdir("e")
    works(NR.move_mount, CWD, b"c", CWD, b"e", 0)
    eq((os.listdir("c"), os.listdir("e/sub")), ([], ["inner"]))
    gives(-E.EINVAL, NR.move_mount, CWD, b"a", CWD, b"c", 0)
    gives(-E.EINVAL, NR.move_mount, CWD, b"e", CWD, b"c", 0x1000)
    gives(-E.ELOOP, NR.move_mount, CWD, b"e", CWD, b"e/sub", 0)
    fd = works(NR.open_tree, CWD, b"a/file", CLOEXEC)
    eq(os.readlink("/proc/self/fd/%d" % fd)[-6:], "a/file")
    open("target", "w").close()
    tree = works(NR.open_tree, CWD, b"a/file", CLONE)
    gives(-E.EINVAL, NR.move_mount, tree, b"", CWD, b"c", F_EMPTY)
    works(NR.move_mount, tree, b"", CWD, b"target", F_EMPTY)
    eq(os.stat("target").st_ino, os.stat("a/file").st_ino)


@test
def attributes_are_set_and_cleared():
    isolated()
    for d in ("m", "n"):
        os.mkdir(d)
    works(NR.move_mount, works(NR.fsmount, tmpfs(), 0, 0), b"", CWD, b"m", F_EMPTY)
    os.mkdir("m/sub")
    works(NR.move_mount, works(NR.fsmount, tmpfs(), 0, 0), b"", CWD, b"m/sub", F_EMPTY)
    works(NR.mount_setattr, CWD, b"m", 0, attr(RDONLY | NOEXEC), 32)
    eq((mounted("m")[0], mounted("m/sub")[0]), ("ro,noexec,relatime", "rw,relatime"))
    works(NR.mount_setattr, CWD, b"m", RECURSIVE, attr(NODEV, RDONLY | NOEXEC), 32)
    eq((mounted("m")[0], mounted("m/sub")[0]), ("rw,nodev,relatime", "rw,nodev,relatime"))
    works(NR.mount_setattr, CWD, b"m", 0, attr(NOATIME, ATIME), 32)
    eq(mounted("m")[0], "rw,nodev,noatime")
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"m", 0, attr(NOATIME), 32)
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"m", 0, attr(0, NOATIME), 32)
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"m", 0, attr(0, ATIME | 1 << 30), 32)
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"m", 0, attr(RDONLY), 31)
    gives(-E.E2BIG, NR.mount_setattr, CWD, b"m", 0, attr(RDONLY) + b"\1" + bytes(7), 40)
    works(NR.mount_setattr, CWD, b"m", 0, attr(RDONLY) + bytes(8), 40)
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"n", 0, attr(RDONLY), 32)
    gives(-E.EINVAL, NR.mount_setattr, CWD, b"m", 0, attr(0, 0, 3 << 17), 32)
    works(NR.mount_setattr, CWD, b"m", 0, attr(0, 0, 1 << 20), 32)
    ok(any(" %s " % os.path.realpath("m") in l and "shared:" in l
           for l in open("/proc/self/mountinfo")), "MS_SHARED")
    works(NR.mount_setattr, CWD, b"m", 0, attr(0, RDONLY), 32)
    f = open("m/busy", "w")
    gives(-E.EBUSY, NR.mount_setattr, CWD, b"m", 0, attr(RDONLY), 32)
    f.close()
    works(NR.mount_setattr, CWD, b"m", RECURSIVE, attr(RDONLY), 32)
    eq(mounted("m/sub")[0][:2], "ro")
    # A mount that is not attached can be changed.
    mfd = works(NR.fsmount, tmpfs(), 0, 0)
    works(NR.mount_setattr, mfd, b"", EMPTY, attr(RDONLY), 32)
    works(NR.move_mount, mfd, b"", CWD, b"n", F_EMPTY)
    eq(mounted("n")[0][:2], "ro")


run()
