"""Attacks by paths, directories, mounts, locks and watches."""

import ctypes
import fcntl
import os
import struct

from calls import CLONE_NEWNS, call, in_child, libc, mount, own_namespaces, scratch, table, umount

ATTACKS, attack = table()


def touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def lock_bytes(fd, count):
    """Locks every other byte, up to the limit of locks."""
    for i in range(count):
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX, 1, 2 * i)
        except OSError:
            break


def private_tmpfs(name):
    """Mounts a tmpfs in a mount namespace of its own. Returns its path."""
    own_namespaces(CLONE_NEWNS)
    at = scratch(name)
    mount("none", "/", "none", 0x44000)
    mount("none", at, "tmpfs")
    return at


@attack
def path_of_40_symlinks(scale):
    at = scratch("links")
    os.chdir(at)
    os.makedirs("d", exist_ok=True)
    for i in range(39):
        to = f"l{i - 1}" if i > 0 else "d"
        os.symlink("d/../" * 800 + to, f"l{i}")

    def go():
        for _ in range(20):
            os.stat("l38")
    return go


@attack
def path_of_4000_components(scale):
    os.chdir(scratch("long"))
    os.makedirs("d", exist_ok=True)
    path = "d/../" * 800 + "d"

    def go():
        for _ in range(200):
            os.stat(path)
    return go


@attack
def getdents_of_200000_names(scale):
    at = private_tmpfs("names")
    for i in range(int(200000 * scale)):
        touch(f"{at}/{i}")
    return lambda: os.listdir(at)


@attack
def getdents_of_an_overlay(scale):
    at = scratch("over")
    for i in range(int(50000 * scale)):
        touch(f"{at}/{i}")
    return lambda: os.listdir(at)


@attack
def getdents_of_merged_directories(scale):
    at = private_tmpfs("merged")
    for name in ("lower", "upper", "work", "merged"):
        os.mkdir(f"{at}/{name}")
    for i in range(int(50000 * scale)):
        touch(f"{at}/lower/l{i}")
        touch(f"{at}/upper/u{i}")
    mount("none", f"{at}/merged", "overlay", 0, f"lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work")
    return lambda: os.listdir(f"{at}/merged")


@attack
def umount_of_a_huge_tree(scale):
    at = private_tmpfs("tree")

    def go():
        os.makedirs(f"{at}/in", exist_ok=True)
        mount("none", f"{at}/in", "tmpfs")
        for i in range(int(100000 * scale)):
            touch(f"{at}/in/{i}")
        umount(f"{at}/in")
    return go


@attack
def umount_of_many_mounts(scale):
    at = private_tmpfs("mounts")

    def go():
        os.makedirs(f"{at}/in", exist_ok=True)
        mount("none", f"{at}/in", "tmpfs")
        for i in range(int(5000 * scale)):
            os.mkdir(f"{at}/in/{i}")
            mount("none", f"{at}/in/{i}", "tmpfs")
        umount(f"{at}/in", 2)
    return go


@attack
def mountinfo_of_many_mounts(scale):
    at = private_tmpfs("info")
    for i in range(int(5000 * scale)):
        os.mkdir(f"{at}/{i}")
        mount("none", f"{at}/{i}", "tmpfs")

    def go():
        with open("/proc/self/mountinfo", "rb") as f:
            f.read()
    return go


@attack
def bind_of_a_tree_of_mounts(scale):
    at = private_tmpfs("bind")
    os.mkdir(f"{at}/from")
    os.mkdir(f"{at}/to")
    mount("none", f"{at}/from", "tmpfs")
    for i in range(int(2000 * scale)):
        os.mkdir(f"{at}/from/{i}")
        mount("none", f"{at}/from/{i}", "tmpfs")

    def go():
        mount(f"{at}/from", f"{at}/to", "none", 0x5000)
        umount(f"{at}/to", 2)
    return go


@attack
def namespaces_of_many_mounts(scale):
    at = private_tmpfs("copies")
    for i in range(int(2000 * scale)):
        os.mkdir(f"{at}/{i}")
        mount("none", f"{at}/{i}", "tmpfs")
    return lambda: in_child(lambda: call(272, CLONE_NEWNS))


@attack
def record_locks_on_one_file(scale):
    path = scratch("locks") + "/f"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)

    def go():
        lock_bytes(fd, int(20000 * scale))
        fcntl.lockf(fd, fcntl.LOCK_UN)
    return go


@attack
def record_locks_of_a_closed_file(scale):
    path = scratch("locks2") + "/f"

    def go():
        fd = os.open(path, os.O_CREAT | os.O_RDWR)
        lock_bytes(fd, int(20000 * scale))
        os.close(fd)
    return go


@attack
def inotify_of_50000_watches(scale):
    at = private_tmpfs("watches")
    count = int(50000 * scale)
    for i in range(count):
        touch(f"{at}/{i}")

    def go():
        fd = libc.inotify_init()
        for i in range(count):
            if libc.inotify_add_watch(fd, f"{at}/{i}".encode(), 0xFFF) < 0:
                break
        os.close(fd)
    return go


@attack
def xattr_lists(scale):
    at = private_tmpfs("xattrs")
    touch(f"{at}/f")
    # A longer list of names than XATTR_LIST_MAX would fail with E2BIG.
    for i in range(int(260 * scale) + 1):
        try:
            os.setxattr(f"{at}/f", f"user.{i:0240}", b"x")
        except OSError:
            break

    def go():
        for _ in range(50):
            os.listxattr(f"{at}/f")
    return go


@attack
def truncate_of_a_huge_sparse_file(scale):
    at = private_tmpfs("sparse")
    fd = os.open(f"{at}/f", os.O_CREAT | os.O_RDWR)

    def go():
        for i in range(int(50000 * scale)):
            os.pwrite(fd, b"x", i << 24)
        os.ftruncate(fd, 0)
    return go


@attack
def sendfile_of_a_gibibyte(scale):
    at = private_tmpfs("send")
    size = int((128 << 20) * scale)
    a = os.open(f"{at}/a", os.O_CREAT | os.O_RDWR)
    b = os.open(f"{at}/b", os.O_CREAT | os.O_RDWR)
    os.ftruncate(a, size)

    def go():
        for _ in range(8):
            os.lseek(b, 0, 0)
            os.sendfile(b, a, 0, size)
    return go


@attack
def write_of_256_mib(scale):
    at = private_tmpfs("write")
    fd = os.open(f"{at}/a", os.O_CREAT | os.O_RDWR)
    data = bytes(int((256 << 20) * scale))
    return lambda: os.pwrite(fd, data, 0)


@attack
def rename_over_a_deep_tree(scale):
    at = private_tmpfs("deep")
    os.chdir(at)
    for name in ("a", "b"):
        os.mkdir(name)
        os.chdir(name)
        for _ in range(int(5000 * scale)):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(at)
    deep = os.open("a", os.O_DIRECTORY)
    for _ in range(int(1000 * scale)):
        deep = os.open("d", os.O_DIRECTORY, dir_fd=deep)

    def go():
        for _ in range(100):
            os.mkdir("x", dir_fd=deep)
            os.rename("x", "y", src_dir_fd=deep, dst_dir_fd=deep)
            os.rmdir("y", dir_fd=deep)
            os.readlink(f"/proc/self/fd/{deep}")
    return go


@attack
def landlock_rules(scale):
    at = scratch("landlock")

    def rules():
        attr = struct.pack("QQQ", 0xF, 0, 0)
        ruleset = call(444, ctypes.c_char_p(attr), 8, 0)
        for i in range(int(2000 * scale)):
            os.makedirs(f"{at}/{i}", exist_ok=True)
            fd = os.open(f"{at}/{i}", os.O_PATH)
            call(445, ruleset, 1, ctypes.c_char_p(struct.pack("<Qi", 4, fd)), 0)
            os.close(fd)
        libc.prctl(38, 1, 0, 0, 0)
        for _ in range(16):
            call(446, ruleset, 0)
        for i in range(200):
            os.path.exists(f"{at}/{i}")
    return lambda: in_child(rules)


@attack
def file_system_sync(scale):
    path = scratch("sync")

    def go():
        for i in range(100):
            with open(f"{path}/{i}", "wb") as f:
                f.write(b"x" * 65536)
        os.sync()
    return go
