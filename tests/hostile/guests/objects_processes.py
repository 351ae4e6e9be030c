"""
Ways of objects.py to make processes and their objects: memory, credentials, namespaces, keys,
IPC, filters.
"""

import ctypes
import mmap
import os
import resource
import struct
import threading
import time
from objects_common import KEPT, ROOM, call, libc, many_files, resource_max, way


@way
def seccomp_filters():
    """Installs the longest possible chain of filters in each of many children."""
    def one(i):
        if os.fork() == 0:
            n = 4000
            text = ctypes.create_string_buffer(struct.pack("<HBBI", 0x20, 0, 0, i & 63 & ~3) * n +
                                               struct.pack("<HBBI", 6, 0, 0, 0x7fff0000))
            fields = struct.pack("<HxxxxxxQ", n + 1, ctypes.addressof(text))
            program = ctypes.create_string_buffer(fields)
            libc.prctl(38, 1, 0, 0, 0)
            done = 0
            while libc.syscall(317, 1, 0, program) == 0:
                done += 1
            while True:
                libc.pause()
    return one


@way
def landlock_rulesets():
    attr = ctypes.create_string_buffer(struct.pack("<Q", 4))
    return lambda i: call(444, attr, 8, 0)


@way
def landlock_rules():
    attr = ctypes.create_string_buffer(struct.pack("<QQ", 4, 3))
    state = [0]

    def one(i):
        if i % 60000 == 0:
            state[0] = call(444, attr, 16, 0)
        call(445, state[0], 2, ctypes.create_string_buffer(struct.pack("<QQ", 1, i % 60000)), 0)
    return one


@way
def keys():
    def one(i):
        call(248, b"user", b"k%d" % i, b"x" * 100, 100, -2)
    return one


@way
def key_bytes():
    return lambda i: call(248, b"user", b"k%d" % i, b"x" * 30000, 30000, -2)


@way
def key_descriptions():
    return lambda i: call(248, b"user", (b"%d" % i).ljust(4000, b"x"), b"x", 1, -2)


@way
def keyrings():
    return lambda i: call(248, b"keyring", b"r%d" % i, 0, 0, -2)


@way
def session_keyrings():
    def one(i):
        if os.fork() == 0:
            for k in range(1000):
                if libc.syscall(250, 1, b"s%d" % k) < 0:
                    break
            os._exit(0)
        os.wait()
    return one


@way
def posix_timers():
    return lambda i: call(222, 1, 0, ctypes.byref(ctypes.c_int()))


@way
def queued_signals():
    info = ctypes.create_string_buffer(struct.pack("<iii", 40, 0, -1).ljust(128, b"\0"))
    signal_mask(1 << 39)
    resource_max(resource.RLIMIT_SIGPENDING)
    return lambda i: call(129, os.getpid(), 40, info)


def signal_mask(bits):
    call(14, 0, ctypes.create_string_buffer(struct.pack("<Q", bits)), 0, 8)


@way
def mount_namespaces():
    return namespaces(0x20000)


@way
def uts_namespaces():
    return namespaces(0x04000000)


@way
def ipc_namespaces():
    return namespaces(0x08000000)


@way
def net_namespaces():
    return namespaces(0x40000000, "net")


@way
def cgroup_namespaces():
    return namespaces(0x02000000, "cgroup")


@way
def pid_namespaces():
    """Makes PID namespaces, each with an init that does not end."""
    def one(i):
        if os.fork() == 0:
            call(272, 0x20000000)
            if os.fork() == 0:
                while True:
                    libc.pause()
            os._exit(0)
        os.wait()
    return one


def namespaces(flag, name=None):
    name = name or {0x20000: "mnt", 0x04000000: "uts", 0x08000000: "ipc"}[flag]

    def one(i):
        call(272, flag)
        KEPT.append(os.open("/proc/self/ns/" + name, os.O_RDONLY))
    return one


@way
def user_namespaces():
    """Nests user namespaces in children that do not end: one task can nest 32."""
    def one(i):
        if os.fork() == 0:
            while libc.unshare(0x10000000) == 0:
                pass
            while True:
                libc.pause()
    return one


@way
def user_namespace_maps():
    def one(i):
        pid = os.fork()
        if pid == 0:
            call(272, 0x10000000)
            while True:
                libc.pause()
        text = "".join("%d %d 1\n" % (k * 2, k * 2) for k in range(340)).encode()
        for _ in range(100):
            try:
                fd = os.open("/proc/%d/uid_map" % pid, os.O_WRONLY)
                os.write(fd, text)
                os.close(fd)
                break
            except OSError:
                time.sleep(0.001)
    return one


@way
def processes():
    def one(i):
        if os.fork() == 0:
            while True:
                libc.pause()
    return one


@way
def threads():
    threading.stack_size(65536)
    stop = threading.Event()
    return lambda i: threading.Thread(target=stop.wait, daemon=True).start()


@way
def zombies():
    def one(i):
        if os.fork() == 0:
            os._exit(0)
    return one


@way
def pidfds():
    return lambda i: call(434, os.getpid(), 0)


@way
def areas():
    """Makes as many areas as vm.max_map_count permits in each of many processes."""
    def one(i):
        if i > 0 and i % 32000 == 0:
            if os.fork() == 0:
                while True:
                    libc.pause()
            return
        if i == 0:
            call(9, 0x100000000000, 1 << 31, 0, 0x4032, -1, 0)
        call(10, 0x100000000000 + 8192 * (i % 32000), 4096, 1 + i // 32000 % 2 * 2)
    return one


@way
def area_names():
    """Names anonymous areas, each with a name of its own."""
    call(9, 0x100000000000, 1 << 31, 3, 0x4022 | 0x10, -1, 0)

    def one(i):
        at = 0x100000000000 + 4096 * i
        call(157, 0x53564D41, 0, at, 4096, (b"%d" % i).ljust(79, b"n"))
    return one


@way
def pages_one_by_one():
    """Makes extents of page maps: touches every second page of a shared file, in many mappings."""
    fd = os.memfd_create("pages")
    os.ftruncate(fd, 64 << 20)

    def one(i):
        if i % 8192 == 0:
            KEPT.append(mmap.mmap(fd, 64 << 20))
        KEPT[-1][8192 * (i % 8192)]
    return one


@way
def environment_strings():
    def one(i):
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "1000"], {"a%d" % k: "x" * 100000 for k in range(15)})
    return one


@way
def sysv_semaphores():
    return lambda i: call(64, 0, 250, 0o600)


@way
def semaphore_undo():
    ids = [call(64, 0, 250, 0o600) for _ in range(100)]
    def one(i):
        if os.fork() == 0:
            op = b"".join(struct.pack("<Hhh", k, 1, 0x1000) for k in range(250))
            for s in ids:
                libc.syscall(65, s, op, 250)
            while True:
                libc.pause()
    return one


@way
def sysv_queues():
    return lambda i: call(68, 0, 0o600)


@way
def sysv_messages():
    state = [0]
    text = ctypes.create_string_buffer(struct.pack("<q", 1))

    def one(i):
        if i % 16384 == 0:
            state[0] = call(68, 0, 0o600)
        try:
            call(69, state[0], text, 0, 0o4000)
        except BlockingIOError:
            state[0] = call(68, 0, 0o600)
    return one


@way
def sysv_segments():
    return lambda i: call(29, 0, 4096, 0o600)


@way
def mqueues():
    return lambda i: call(240, b"q%d" % i, 0o102, 0o600, 0)


@way
def mqueue_messages():
    state = [0]
    resource_max(resource.RLIMIT_MSGQUEUE)

    def one(i):
        if i % 10 == 0:
            fields = struct.pack("<qqqq", 0, 10, 8192, 0).ljust(64, b"\0")
            attr = ctypes.create_string_buffer(fields)
            state[0] = call(240, b"q%d" % i, 0o102, 0o600, attr)
        call(242, state[0], b"x" * 8192, 8192, 0, 0)
    return one


@way
def cgroups():
    base = "/sys/fs/cgroup"

    def one(i):
        if i == 0 and not os.access(base + "/cgroup.procs", os.F_OK):
            os.makedirs(ROOM, exist_ok=True)
            if libc.mount(b"none", ROOM.encode(), b"cgroup2", 0, 0) < 0:
                raise OSError(ctypes.get_errno(), "mount")
            KEPT.append(ROOM)
        os.mkdir((KEPT[0] if KEPT else base) + "/" + "g" * 200 + str(i))
    return one


@way
def futex_waiters():
    """Starts threads that wait in futex_waitv for 128 words each."""
    threading.stack_size(65536)
    words = ctypes.create_string_buffer(512)
    at = ctypes.addressof(words)
    entry = b"".join(struct.pack("<QQII", 0, at + 4 * k, 2 | 128, 0) for k in range(128))

    def one(i):
        threading.Thread(target=lambda: libc.syscall(449, entry, 128, 0, 0, 1), daemon=True).start()
    return one


@way
def userfaultfds():
    return lambda i: call(323, 0)


@way
def robust_poll():
    """Starts threads that wait in poll(2) for many descriptors each."""
    threading.stack_size(65536)
    fd = call(290, 0, 0)
    entries = struct.pack("<ihh", fd, 1, 0) * 100000
    many_files()

    def one(i):
        threading.Thread(target=lambda: libc.syscall(7, entries, 100000, -1), daemon=True).start()
    return one


@way
def seccomp_notifications():
    return lambda i: call(317, 1, 8, notify_filter()) if i == 0 else eventfd_fork()


def notify_filter():
    text = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0x7fff0000))
    KEPT.append(text)
    return ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 1, ctypes.addressof(text)))


def eventfd_fork():
    if os.fork() == 0:
        while True:
            libc.pause()


@way
def fd_tables():
    """Starts processes with large descriptor tables."""
    os.dup2(1, 900000)

    def one(i):
        if os.fork() == 0:
            while True:
                libc.pause()
    return one


@way
def supplementary_groups():
    groups = struct.pack("<I", 7) * 65536

    def one(i):
        if os.fork() == 0:
            call(116, 65536, struct.pack("<I", i) + groups[4:])
            while True:
                libc.pause()
    return one
