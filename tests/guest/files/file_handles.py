"""name_to_handle_at and open_by_handle_at: files found again without their names."""

import ctypes
import os
import struct
from errno import *
from lib.guest import *

needs_root(
    "a_file_is_found_again", "names_may_change", "a_handle_does_not_find_another_file",
    "directories_and_links", "bad_arguments", "a_handle_opens_below_thousands_of_directories",
)

EMPTY, FOLLOW, FID, UNIQUE = 0x1000, 0x400, 0x200, 1
AT_FDCWD, O_PATH, O_DIRECTORY = -100, os.O_PATH, os.O_DIRECTORY


def handle(path, flags=0, room=128, dirfd=AT_FDCWD):
    buf = ctypes.create_string_buffer(struct.pack("=Ii", room, 0) + bytes(128), 8 + 128)
    mount = ctypes.c_int64()
    r = sc(NR.name_to_handle_at, dirfd, path.encode(), buf, mount, flags)
    size, kind = struct.unpack_from("=Ii", buf)
    return r, buf.raw[:8 + min(size, 128)], mount.value & 0xFFFFFFFF


def reopen(h, flags=os.O_RDONLY, mount=AT_FDCWD):
    return sc(NR.open_by_handle_at, mount, h, flags)


def write(name, text):
    with open(name, "w") as f:
        f.write(text)


@test
def a_file_is_found_again():
    write("a", "one")
    r, h, mount = handle("a")
    eq(r, 0)
    eq(handle("a")[1], h, "the same each time")
    here = os.open(".", os.O_RDONLY)
    ids = [int(l.split()[0]) for l in open("/proc/self/mountinfo")]
    ok(mount in ids, "a mount that there is")
    for base in here, AT_FDCWD:
        fd = reopen(h, os.O_RDONLY, base)
        ok(fd >= 0, name_of(fd))
        eq(os.read(fd, 10), b"one")
        eq(os.fstat(fd).st_ino, os.stat("a").st_ino)
    fd = reopen(h, os.O_RDWR | os.O_APPEND)
    os.write(fd, b"two")
    eq(open("a").read(), "onetwo")
    os.close(reopen(h, os.O_WRONLY | os.O_TRUNC))
    eq(open("a").read(), "")


@test
def names_may_change():
    write("a", "x")
    os.mkdir("d")
    _, h, _ = handle("a")
    os.rename("a", "d/b")
    fd = reopen(h)
    eq(os.read(fd, 10), b"x")
    os.close(fd)
    os.unlink("d/b")
    eq(reopen(h), -ESTALE)


@test
def a_handle_does_not_find_another_file():
    write("a", "1")
    _, h, _ = handle("a")
    os.rename("a", "old")
    write("a", "2")
    fd = reopen(h)
    eq(os.read(fd, 10), b"1")
    ok(handle("a")[1] != h, "two files, two handles")


@test
def directories_and_links():
    os.mkdir("d")
    write("d/f", "f")
    os.symlink("d", "s")
    eq(handle("d")[1], handle("s", FOLLOW)[1])
    ok(handle("s")[1] != handle("d")[1], "the link itself")
    fd = reopen(handle("d")[1], os.O_RDONLY | O_DIRECTORY)
    eq(os.listdir(fd), ["f"])
    eq(reopen(handle("d")[1], os.O_WRONLY), -EISDIR)
    eq(reopen(handle("d/f")[1], os.O_RDONLY | O_DIRECTORY), -ENOTDIR)
    eq(reopen(handle("s")[1]), -ELOOP)
    fd = reopen(handle("s")[1], O_PATH)
    eq(os.readlink("", dir_fd=fd), "d")
    fd = os.open("d", O_PATH)
    eq(handle("", EMPTY, 128, fd)[1], handle("d")[1])
    eq(handle("f", 0, 128, fd)[1], handle("d/f")[1])


@test
def room_for_a_handle():
    write("a", "")
    r, h, _ = handle("a", 0, 0)
    eq(r, -EOVERFLOW)
    need = struct.unpack_from("=I", h)[0]
    between(1, need, 128, "bytes")
    eq(handle("a", 0, need)[0], 0)
    eq(handle("a", 0, need - 1)[0], -EOVERFLOW)
    eq(handle("a", 0, 129)[0], -EINVAL)


@test
def bad_arguments():
    write("a", "")
    _, h, _ = handle("a")
    eq(handle("nothing")[0], -ENOENT)
    eq(handle("a", 0x10000)[0], -EINVAL)
    eq(handle("")[0], -ENOENT)
    eq(reopen(h, os.O_RDONLY, 999), -EBADF)
    eq(reopen(struct.pack("=Ii", 0, 1)), -EINVAL)
    eq(reopen(struct.pack("=Ii", 129, 1)), -EINVAL)
    eq(reopen(struct.pack("=IiQ", 8, 0x55, 7)), -ESTALE)
    gives(-EFAULT, NR.open_by_handle_at, AT_FDCWD, 16, 0)
    gives(-EFAULT, NR.name_to_handle_at, AT_FDCWD, b"a", 16, ctypes.c_int(), 0)
    gives(-EFAULT, NR.name_to_handle_at, AT_FDCWD, b"a", ctypes.create_string_buffer(h, 200), 16, 0)
    r, w = os.pipe()
    eq(handle("", EMPTY, 128, r)[0], -EOPNOTSUPP)
    eq(handle("/proc/self/status")[0], -EOPNOTSUPP)


@test
def a_handle_opens_below_thousands_of_directories():
    top = os.open(".", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    write("a", "deep")
    _, h, _ = handle("a")
    fd = reopen(h, os.O_RDONLY, top)
    eq(os.read(fd, 10), b"deep")
    os.unlink("a")
    for _ in range(3000):
        os.chdir("..")
        os.rmdir("d")


@test
def needs_a_capability():
    if os.geteuid() != 0:
        skip("needs root")
    write("a", "")
    _, h, _ = handle("a")

    def child():
        os.setresuid(1000, 1000, 1000)
        return 0 if reopen(h) == -EPERM else 1

    eq(os.waitpid(spawn(child), 0)[1], 0)


@test
def opening_a_handle_checks_permissions():
    if os.geteuid() != 0:
        skip("needs root")
    write("a", "")
    os.chmod("a", 0o400)
    _, h, _ = handle("a")

    def child():
        # The process keeps CAP_DAC_READ_SEARCH and drops CAP_DAC_OVERRIDE.
        works(NR.prctl, 8, 1, 0, 0, 0)
        os.setresuid(1000, 1000, 1000)
        caps = struct.pack("=6I", 4, 4, 4, 0, 0, 0)
        works(NR.capset, struct.pack("=Ii", 0x20080522, 0), caps)
        return 0 if (reopen(h, os.O_WRONLY), reopen(h) >= 0) == (-EACCES, True) else 1

    eq(os.waitpid(spawn(child), 0)[1], 0)


run()
