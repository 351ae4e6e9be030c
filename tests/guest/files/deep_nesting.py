"""Deep nesting: directories, mounts, sockets in flight inside of sockets."""

import array
import ctypes
import os
import resource
import socket
from errno import ENAMETOOLONG, ERANGE

from lib.guest import SYS, NR, eq, gives, run, sc, skip, test

SYS.update(unshare=272)
DEPTH = 20000
libc = ctypes.CDLL(None, use_errno=True)


def apart():
    """Enters a mount namespace of its own, whose mounts do not propagate."""
    if sc(NR.unshare, 0x20000) < 0:
        skip("no mount namespaces for this user")
    eq(libc.mount(b"none", b"/", None, 0x40000 | 0x4000, None), 0, "private")


def tmpfs_at(path):
    os.makedirs(path, exist_ok=True)
    eq(libc.mount(b"t", path.encode(), b"tmpfs", 0, None), 0, "mount")


def nest(depth, name="a"):
    for _ in range(depth):
        os.mkdir(name)
        os.chdir(name)


@test
def a_mount_with_a_deep_tree_is_unmounted():
    apart()
    home = os.getcwd()
    tmpfs_at("deep")
    os.chdir("deep")
    nest(DEPTH)
    eq(len(os.listdir("..")), 1)
    os.chdir(home)
    os.rename("deep/a", "deep/b")
    eq(os.stat("deep/b/a").st_nlink, 3)
    eq(libc.umount2(b"deep", 2), 0)
    eq(os.listdir("deep"), [])


@test
def paths_longer_than_a_page():
    home = os.getcwd()
    name, depth = "n" * 120, (4095 - len(home)) // 121 - 1
    nest(depth, name)
    left = 4095 - len(os.getcwd()) - 1
    nest(1, "m" * left)
    buf = ctypes.create_string_buffer(8192)
    eq(sc(NR.getcwd, buf, 8192), 4096)
    eq(len(os.readlink("/proc/self/cwd")), 4095)
    gives(-ERANGE, NR.getcwd, buf, 4095)
    fd = os.open(".", os.O_RDONLY)
    os.rename("../" + "m" * left, "../" + "m" * (left + 1))
    # The size of the buffer does not matter.
    for size in 8192, 4096, 10, 0:
        gives(-ENAMETOOLONG, NR.getcwd, buf, size)
    gives(-ENAMETOOLONG, NR.readlink, b"/proc/self/cwd", buf, 8192)
    gives(-ENAMETOOLONG, NR.readlink, b"/proc/self/fd/%d" % fd, buf, 8192)
    os.rename("../" + "m" * (left + 1), "../" + "m" * (left - 5))
    os.rmdir("../" + "m" * (left - 5))
    # " (deleted)" adds ten bytes.
    gives(-ENAMETOOLONG, NR.readlink, b"/proc/self/fd/%d" % fd, buf, 8192)
    os.close(fd)
    os.chdir("..")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir(name)
    eq(os.getcwd(), home)


@test
def a_deep_tree_is_removed():
    os.makedirs("deeper")
    os.chdir("deeper")
    nest(2000)
    for _ in range(2000):
        os.chdir("..")
        os.rmdir("a")
    os.chdir("..")
    os.rmdir("deeper")


@test
def sockets_in_sockets_close():
    last = None
    for _ in range(DEPTH):
        a, b = socket.socketpair()
        if last is not None:
            files = array.array("i", [last.fileno()])
            try:
                a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            except OSError:
                break
            last.close()
        a.close()
        last = b
    last.close()
    a, b = socket.socketpair()
    a.send(b"y")
    eq(b.recv(2), b"y")


@test
def nested_mounts_are_unmounted():
    apart()
    home = os.getcwd()
    tmpfs_at("stack")
    os.chdir("stack")
    for _ in range(2000):
        os.mkdir("m")
        if libc.mount(b"t", b"m", b"tmpfs", 0, None) != 0:
            break
        os.chdir("m")
    eq(sc(NR.unshare, 0x20000), 0)
    os.chdir(home)
    eq(libc.umount2(b"stack", 2), 0)
    eq(os.listdir("stack"), [])


@test
def slaves_of_slaves_receive_mounts():
    apart()
    tmpfs_at("slaves")
    os.chdir("slaves")
    os.mkdir("0")
    eq(libc.mount(b"t", b"0", b"tmpfs", 0, None), 0)
    eq(libc.mount(None, b"0", None, 1 << 20, None), 0, "shared")
    os.mkdir("0/x")
    for i in range(300):
        old, new = str(i).encode(), str(i + 1).encode()
        os.mkdir(new)
        eq(libc.mount(old, new, None, 4096, None), 0, "bind")
        eq(libc.mount(None, new, None, 1 << 19, None), 0, "slave")
        eq(libc.mount(None, new, None, 1 << 20, None), 0, "shared")
    eq(libc.mount(b"t", b"0/x", b"tmpfs", 0, None), 0)
    open("0/x/there", "w").close()
    eq(os.listdir("300/x"), ["there"])
    eq(libc.umount2(b"0/x", 0), 0)
    eq(os.listdir("300/x"), [])


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
run()
