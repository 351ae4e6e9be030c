"""Ids of mount namespaces: statmount(2) and listmount(2) of other namespaces, and requests of
ioctl_ns(2).
"""

import ctypes
import fcntl
import os
import struct
from errno import *
from lib.guest import *
from lib.namespaces import NEWNS, NEWUSER, unshare

ROOT, OFFSET, NS_ID = (1 << 64) - 1, 1 << 31, 0x40
GET_ID, GET_INFO, GET_NEXT, GET_PREV = 0x8008B705, 0x8010B70A, 0x8010B70B, 0x8010B70C


def request(mount, ns=0, param=0):
    return struct.pack("=IIQQQ", 32, 0, mount, param, ns)


def namespace(pid="self", kind="mnt"):
    return os.open("/proc/%s/ns/%s" % (pid, kind), os.O_RDONLY)


def id_of(fd):
    return struct.unpack("=Q", fcntl.ioctl(fd, GET_ID, bytes(8)))[0]


def info(fd, ask=GET_INFO):
    """Returns (result, size, mounts, id)."""
    buf = bytearray(16)
    r = fcntl.ioctl(fd, ask, buf)
    return (r,) + struct.unpack("=IIQ", buf)


def mounts(ns=0):
    ids = (ctypes.c_uint64 * 4000)()
    return list(ids[:works(NR.listmount, request(ROOT, ns), ids, 4000, 0)])


def described(mount, ns, mask):
    buf = ctypes.create_string_buffer(4096)
    r = sc(NR.statmount, request(mount, ns, mask), buf, 4096, 0)
    return r, struct.unpack_from("=Q", buf, 8)[0], struct.unpack_from("=Q", buf, 112)[0]


def elsewhere():
    """Starts a child in a mount namespace of its own, with one more mount. Returns its pid."""
    ready, go = Pipe(), Pipe()

    def child():
        unshare(NEWNS)
        eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
        os.mkdir("m")
        eq(sc(NR.mount, b"t", b"m", b"tmpfs", 0, None), 0)
        os.write(ready.w, b"x")
        os.read(go.r, 1)
    pid = spawn(child)
    os.read(ready.r, 1)
    return pid, lambda: (os.write(go.w, b"x"), os.waitpid(pid, 0))


@test
def a_namespace_has_an_id():
    need_root()
    own = namespace()
    r, size, count, ns = info(own)
    eq((r, size, ns), (0, 16, id_of(own)))
    ok(count >= len(mounts()), "mounts: %d" % count)
    eq(described(mounts()[0], 0, NS_ID), (0, NS_ID, ns))
    eq(described(mounts()[0], ns, NS_ID), (0, NS_ID, ns))
    eq(mounts(ns), mounts())
    uts = namespace(kind="uts")
    for ask in (GET_ID, GET_INFO, GET_NEXT, GET_PREV):
        fails(EINVAL, fcntl.ioctl, uts, ask, bytes(16))
        if ask != GET_ID:
            # Later kernels return ENOTTY.
            ok(sc(NR.ioctl, own, ask & ~(0x3FFF << 16) | 15 << 16, bytes(16)) in (-EINVAL, -ENOTTY), "too small")
    gives(-EINVAL, NR.ioctl, own, GET_INFO, 0)
    gives(-EFAULT, NR.ioctl, own, GET_ID, 0)
    eq(len(fcntl.ioctl(own, GET_INFO & ~(0x3FFF << 16) | 32 << 16, bytes(32))), 32)


@test
def mounts_of_another_namespace():
    need_root()
    pid, end = elsewhere()
    own, other = namespace(), namespace(pid)
    there = id_of(other)
    ok(there > id_of(own), "later")
    listed = mounts(there)
    ok(listed and not set(listed) & set(mounts()), "mounts of its own")
    eq(len(listed), len(mounts()) + 1)
    eq(described(listed[0], there, NS_ID), (0, NS_ID, there))
    eq(described(listed[0], 0, NS_ID)[0], -ENOENT)
    eq(described(mounts()[0], there, NS_ID)[0], -ENOENT)
    buf = ctypes.create_string_buffer(4096)
    works(NR.statmount, request(listed[-1], there, 0x10), buf, 4096, 0)
    eq(buf.raw[512:].split(b"\0")[0] or buf.raw[513:].split(b"\0")[0], os.path.realpath("m").encode())
    # NS_MNT_GET_NEXT leads from a namespace to the next.
    seen, fd = [], own
    while True:
        try:
            fd, _, _, ns = info(fd, GET_NEXT)
        except OSError as e:
            eq(e.errno, ENOENT)
            break
        seen.append(ns)
    eq(seen, sorted(seen))
    ok(there in seen, "the next ones")
    ok(fcntl.fcntl(fd, fcntl.F_GETFD) & 1, "closed at exec")
    while id_of(fd) != id_of(own):
        fd = sc(NR.ioctl, fd, GET_PREV, 0)
        ok(fd > 0, "the previous one")
    end()
    os.close(other)
    eq(described(ROOT - 1, there + 1000, NS_ID)[0], -ENOENT)


@test
def another_namespace_needs_a_capability():
    need_root()
    own = id_of(namespace())

    def inside():
        unshare(NEWUSER | NEWNS)
        ids = (ctypes.c_uint64 * 10)()
        gives(-ENOENT, NR.listmount, request(ROOT, own), ids, 10, 0)
        mine = namespace()
        ok(mounts(id_of(mine)), "its own")
        # Later kernels return EPERM.
        ok(sc(NR.ioctl, mine, GET_PREV, 0) in (-ENOENT, -EPERM), "the others are not to be seen")
    child_ok(inside)


run()
