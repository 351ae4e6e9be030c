"""ramfs: mounted by its name, a tmpfs without limits, extended attributes and fallocate(2)."""

import os
from errno import EINVAL, EOPNOTSUPP

from lib.guest import NR, child_ok, eq, fails, gives, need_root, ok, run, test
from lib.namespaces import MS_PRIVATE, MS_REC, NEWNS, mount, unshare

MS_RDONLY, MS_REMOUNT = 1, 32


def mounted(fn, data=None):
    """Runs `fn` in a mount namespace of its own with a ramfs on "m"."""
    need_root()
    os.mkdir("m")

    def inside():
        unshare(NEWNS)
        mount("none", "/", None, MS_REC | MS_PRIVATE)
        mount("words", "m", "ramfs", 0, data)
        fn()
    child_ok(inside)


@test
def a_ramfs_has_no_limits_and_no_sizes():
    def inside():
        st, fs = os.stat("m"), os.statvfs("m")
        eq((oct(st.st_mode), st.st_size, st.st_nlink), ("0o40755", 0, 2))
        eq((fs.f_bsize, fs.f_blocks, fs.f_bfree, fs.f_files, fs.f_namemax), (4096, 0, 0, 0, 255))
        os.mkdir("m/d")
        with open("m/a", "w") as f:
            f.write("x" * 5000)
        eq((os.stat("m").st_size, os.stat("m").st_nlink), (0, 3))
        eq((os.stat("m/a").st_size, os.stat("m/a").st_blocks), (5000, 16))
    mounted(inside)


@test
def calls_that_ramfs_does_not_support():
    def inside():
        fd = os.open("m/a", os.O_RDWR | os.O_CREAT)
        for name in ("user.a", "trusted.a"):
            fails(EOPNOTSUPP, os.setxattr, "m/a", name, b"x")
        eq(os.listxattr("m/a"), [])
        gives(-EOPNOTSUPP, NR.fallocate, fd, 0, 0, 4096)
        os.truncate("m/a", 9000)
        eq((os.lseek(fd, 5, os.SEEK_DATA), os.lseek(fd, 5, os.SEEK_HOLE)), (5, 9000))
    mounted(inside)


@test
def options_other_than_mode_are_ignored():
    def inside():
        line = [l for l in open("/proc/self/mountinfo") if l.split()[4] == os.path.realpath("m")]
        eq(line[0].split(" - ")[1], "ramfs words rw,mode=711\n")
        eq(oct(os.stat("m").st_mode), "0o40711")
        fails(EINVAL, mount, "words", "m", "ramfs", 0, "mode=9")
        mount("words", "m", None, MS_REMOUNT | MS_RDONLY, "mode=700,bogus")
        eq(oct(os.stat("m").st_mode), "0o40711")
    mounted(inside, "size=4k,mode=711,bogus")


@test
def a_ramfs_is_listed():
    ok("nodev\tramfs\n" in open("/proc/filesystems").readlines(), "no such type")


run()
