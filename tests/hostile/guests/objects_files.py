"""Ways of objects.py to make descriptors, files, mounts and objects that these hold."""

import ctypes
import fcntl
import mmap
import os
import struct
from objects_common import KEPT, ROOM, call, libc, way


@way
def eventfds():
    return lambda i: call(290, 0, 0)


@way
def timerfds():
    return lambda i: call(283, 0, 0)


@way
def signalfds():
    mask = ctypes.create_string_buffer(8)
    return lambda i: call(289, -1, mask, 8, 0)


@way
def epolls_of_epolls():
    top = [call(291, 0)]
    event = ctypes.create_string_buffer(struct.pack("<IQ", 1, 0))

    def one(i):
        fd = call(291, 0)
        call(233, top[0], 1, fd, event)
    return one


@way
def memfds():
    return lambda i: os.memfd_create("m" * 200)


@way
def pipes():
    return lambda i: os.pipe()


@way
def pipe_buffers():
    def one(i):
        r, w = os.pipe()
        fcntl.fcntl(w, 1031, 1 << 20)
        os.set_blocking(w, False)
        for k in range(256):
            os.write(w, b"x" * 4096)
    return one


@way
def pipe_buffers_small():
    """Fills pipes with pages of one byte each: vmsplice and tee use a buffer a byte."""
    page = ctypes.create_string_buffer(4096)
    vec = ctypes.create_string_buffer(struct.pack("<QQ", ctypes.addressof(page), 1))

    def one(i):
        if i % 256 == 0:
            r, w = os.pipe()
            fcntl.fcntl(w, 1031, 1 << 20)
            KEPT[:] = [w]
        call(278, KEPT[0], vec, 1, 2)
    return one


@way
def inotify_watches():
    fd = call(253)
    os.makedirs(ROOM, exist_ok=True)

    def one(i):
        name = ROOM + "/%d" % i
        os.close(os.open(name, os.O_CREAT, 0o600))
        call(254, fd, name.encode(), 0xfff)
    return one


@way
def inotify_events():
    fd = call(253)
    os.makedirs(ROOM, exist_ok=True)
    call(254, fd, ROOM.encode(), 0xfff)

    def one(i):
        if i % 1000 == 0:
            call(254, call(253), ROOM.encode(), 0xfff)
        name = ROOM + "/" + "n" * 240 + str(i % 100)
        os.close(os.open(name, os.O_CREAT, 0o600))
        os.unlink(name)
    return one


@way
def fanotify_groups():
    return lambda i: call(300, 0, 0)


@way
def fanotify_marks():
    fd = call(300, 0x10, 0)  # FAN_UNLIMITED_QUEUE
    os.makedirs(ROOM, exist_ok=True)

    def one(i):
        name = ROOM + "/%d" % i
        os.close(os.open(name, os.O_CREAT, 0o600))
        call(301, fd, 1, 0x20, -100, name.encode())
    return one


@way
def io_urings():
    def one(i):
        params = ctypes.create_string_buffer(120)
        call(425, 4096, params)
    return one


@way
def io_uring_buffers():
    memory = mmap.mmap(-1, 1 << 20)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    vec = ctypes.create_string_buffer(struct.pack("<QQ", at, 4096) * 16384)

    def one(i):
        fd = call(425, 1, ctypes.create_string_buffer(120))
        call(427, fd, 0, vec, 16384)
    return one


@way
def aio_contexts():
    return lambda i: call(206, 128, ctypes.byref(ctypes.c_ulong(0)))


@way
def tmpfs_files():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, b"nr_inodes=0")
    return lambda i: os.close(os.open(ROOM + "/" + "n" * 200 + str(i), os.O_CREAT, 0o600))


@way
def tmpfs_hard_links():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, b"nr_inodes=0")
    os.close(os.open(ROOM + "/first", os.O_CREAT, 0o600))
    return lambda i: os.link(ROOM + "/first", ROOM + "/" + "n" * 200 + str(i))


@way
def tmpfs_symlinks():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, b"nr_inodes=0")
    return lambda i: os.symlink("t" * 4000, ROOM + "/%d" % i)


@way
def xattrs():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, b"nr_inodes=0")

    def one(i):
        name = ROOM + "/%d" % (i // 10)
        os.close(os.open(name, os.O_CREAT, 0o600))
        os.setxattr(name, "user.a%d" % (i % 10), b"v" * 30000)
    return one


@way
def overlay_files():
    """Makes files in the sandbox's own root, which is an overlay."""
    os.makedirs("/var/objects", exist_ok=True)
    return lambda i: os.close(os.open("/var/objects/" + "n" * 200 + str(i), os.O_CREAT, 0o600))


@way
def overlay_xattrs():
    os.makedirs("/var/objects", exist_ok=True)

    def one(i):
        name = "/var/objects/%d" % (i // 10)
        os.close(os.open(name, os.O_CREAT, 0o600))
        os.setxattr(name, "user.a%d" % (i % 10), b"v" * 30000)
    return one


@way
def negative_dentries():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, 0)
    return lambda i: os.path.exists(ROOM + "/" + "n" * 240 + str(i))


@way
def negative_dentries_overlay():
    return lambda i: os.path.exists("/usr/" + "n" * 240 + str(i))


@way
def deep_directories():
    os.makedirs(ROOM, exist_ok=True)
    libc.mount(b"none", ROOM.encode(), b"tmpfs", 0, b"nr_inodes=0")
    os.chdir(ROOM)

    def one(i):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    return one


@way
def record_locks():
    fd = os.open("/tmp/locks", os.O_RDWR | os.O_CREAT)
    return lambda i: fcntl.lockf(fd, fcntl.LOCK_EX, 1, 2 * i)


@way
def flocks_and_leases():
    os.close(os.open("/tmp/locks", os.O_CREAT | os.O_RDWR))

    def one(i):
        fd = os.open("/tmp/locks", os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_SH)
        fcntl.fcntl(fd, 1024, 0)
    return one


@way
def open_files():
    return lambda i: os.open("/dev/null", os.O_RDONLY)


@way
def proc_texts():
    """Opens files of /proc, each of which keeps its text."""
    def one(i):
        fd = os.open("/proc/self/smaps" if i & 1 else "/proc/mounts", os.O_RDONLY)
        os.read(fd, 1)
    return one


@way
def mounts():
    os.makedirs(ROOM, exist_ok=True)

    def one(i):
        if libc.mount(b"/etc", ROOM.encode(), 0, 4096, 0) < 0:
            raise OSError(ctypes.get_errno(), "mount")
    return one


@way
def tmpfs_mounts():
    os.makedirs(ROOM, exist_ok=True)

    def one(i):
        if libc.mount(b"s" * 200, ROOM.encode(), b"tmpfs", 0, b"mode=700") < 0:
            raise OSError(ctypes.get_errno(), "mount")
    return one


@way
def mount_contexts():
    """Sets strings in fsopen(2) contexts that are never mounted."""
    def one(i):
        fd = call(430, b"tmpfs", 0)
        call(431, fd, 1, b"source", b"s" * 250, 0)
        for k in range(50):
            if libc.syscall(431, fd, 1, b"mode", b"7" * 1, 0) < 0:
                break
    return one


@way
def ptys():
    return lambda i: os.openpty()
