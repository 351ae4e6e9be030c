"""Guests whose memory or processes are large: one attack a name, for `do --turns`
(docs/internals/turns.md).

    dvisor do --turns --debug-log FILE -- /usr/bin/python3 turns_memory.py NAME
"""

import ctypes
import mmap
import os
import resource
import signal
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
libc.mlock.argtypes = libc.munlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.syscall.restype = ctypes.c_long

PAGE = 4096
GiB = 1 << 30
RW = 3
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
SHARED = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
NORESERVE, POPULATE, FIXED = 0x4000, 0x8000, 0x10
AREAS = 50000


def get(size, flags=PRIVATE | NORESERVE, prot=RW, fd=-1, addr=None):
    at = libc.mmap(addr, size, prot, flags, fd, 0)
    assert at != ctypes.c_void_p(-1).value, os.strerror(ctypes.get_errno())
    return at


def touch(at, size, step=PAGE):
    for a in range(at, at + size, step):
        ctypes.c_char.from_address(a).value = b"x"


def areas(n=AREAS, touched=False):
    """Makes `n` adjacent areas of one page each, with alternating protections."""
    at = get(n * PAGE)
    if touched:
        touch(at, n * PAGE)
    for k in range(0, n, 2):
        if libc.mprotect(at + k * PAGE, PAGE, 1) != 0:
            break
    return at, n * PAGE


def scattered(pages):
    """Touches pages so that no frames are adjacent: there are as many extents as pages."""
    at = get(pages * PAGE, PRIVATE)
    touch(at, pages * PAGE)
    pid = os.fork()
    if pid == 0:
        signal.pause()
    touch(at, pages * PAGE, 2 * PAGE)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return at, pages * PAGE


def forked(n=1):
    for _ in range(n):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)


def read_all(path, size=1 << 16):
    with open(path, "rb", buffering=0) as f:
        total = 0
        while True:
            data = f.read(size)
            if not data:
                return total
            total += len(data)


def attack_smaps():
    areas(touched=True)
    for name in "maps", "smaps", "numa_maps", "smaps_rollup":
        started = time.monotonic()
        n = read_all(f"/proc/self/{name}")
        print(name, n, round(time.monotonic() - started, 2), flush=True)


def attack_status():
    scattered(60000)
    for name in "status", "statm", "stat":
        for _ in range(50):
            read_all(f"/proc/self/{name}")
    for _ in range(100):
        resource.getrusage(resource.RUSAGE_SELF)


def attack_pagemap():
    at, size = scattered(60000)
    with open("/proc/self/pagemap", "rb", buffering=0) as f:
        f.seek(at // PAGE * 8)
        f.read(size // PAGE * 8)


def attack_exec_long():
    os.execv("/bin/true", ["true"] + ["x" * 131000] * 15)


def attack_exec_many():
    os.execv("/bin/true", ["true"] + ["x"] * 200000)


def attack_exec_env():
    n = 0
    resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.RLIM_INFINITY))
    os.execve("/bin/true", ["true"] + ["y" * 131000] * 40, {f"a{k}": "x" for k in range(50000)})


def attack_fork_areas():
    areas(touched=True)
    forked(3)


def attack_fork_pages():
    scattered(120000)
    forked(3)


def attack_fork_big():
    at = get(2 * GiB, PRIVATE)
    touch(at, 2 * GiB)
    forked(2)


def attack_munmap_areas():
    at, size = areas(touched=True)
    libc.munmap(at, size)


def attack_munmap_pages():
    at, size = scattered(120000)
    libc.munmap(at, size)


def attack_munmap_big():
    at = get(2 * GiB, PRIVATE)
    touch(at, 2 * GiB)
    libc.munmap(at, 2 * GiB)
    time.sleep(0.5)


def attack_exit_areas():
    areas(touched=True)
    os._exit(0)


def in_child(f):
    pid = os.fork()
    if pid == 0:
        f()
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.3)


def attack_exit_child_areas():
    in_child(lambda: areas(touched=True))


def attack_exit_child_pages():
    in_child(lambda: scattered(120000))


def attack_exit_child_big():
    in_child(lambda: touch(get(2 * GiB, PRIVATE), 2 * GiB))


def attack_exec_areas():
    def f():
        areas(touched=True)
        os.execv("/bin/true", ["true"])
    in_child(f)


def attack_mprotect():
    at, size = areas(touched=True)
    libc.mprotect(at, size, RW)
    at, size = areas(touched=True)
    libc.mprotect(at, size, 0)


def attack_mprotect_pages():
    at, size = scattered(120000)
    libc.mprotect(at, size, 1)
    libc.mprotect(at, size, RW)


def attack_mremap():
    at, size = scattered(120000)
    to = get(size + 2 * PAGE)
    libc.mremap(at, size, size, 3, to)
    big = get(2 * GiB, PRIVATE)
    touch(big, 2 * GiB)
    libc.mremap(big, 2 * GiB, 3 * GiB, 1, 0)


def attack_dontneed():
    at, size = areas(touched=True)
    libc.madvise(at, size, 4)
    at, size = scattered(120000)
    libc.madvise(at, size, 4)
    big = get(2 * GiB, PRIVATE)
    touch(big, 2 * GiB)
    libc.madvise(big, 2 * GiB, 4)


def attack_madvise_flags():
    at, size = areas(touched=True)
    for advice in 10, 11, 16, 17, 18, 19, 14, 15, 0, 1, 2, 3, 8, 9, 20, 21, 22, 23:
        libc.madvise(at, size, advice)


def attack_populate():
    get(2 * GiB, PRIVATE | POPULATE)
    at = get(GiB, PRIVATE)
    libc.madvise(at, GiB, 23)
    get(GiB, SHARED | POPULATE)


def attack_mlock():
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
    at, size = areas()
    print(libc.mlock(at, size), libc.munlock(at, size))
    at = get(2 * GiB, PRIVATE)
    print(libc.mlock(at, 2 * GiB))
    print(libc.munlockall(), libc.mlockall(1), libc.munlockall())


def attack_msync():
    at, size = areas(touched=True)
    libc.msync(at, size, 4)
    shared = get(GiB, SHARED)
    touch(shared, GiB)
    libc.msync(shared, GiB, 4)


def attack_mincore():
    at = get(64 * GiB, PRIVATE | NORESERVE)
    vector = ctypes.create_string_buffer(64 * GiB // PAGE)
    libc.mincore(at, 64 * GiB, vector)
    at, size = scattered(120000)
    libc.mincore(at, size, vector)


def attack_truncate():
    fd = os.memfd_create("m")
    os.ftruncate(fd, 2 * GiB)
    at = get(2 * GiB, mmap.MAP_SHARED, fd=fd)
    touch(at, 2 * GiB)
    libc.munmap(at, 2 * GiB)
    os.ftruncate(fd, GiB)
    os.ftruncate(fd, 0)
    os.posix_fallocate(fd, 0, GiB)
    libc.fallocate(fd, 3, ctypes.c_long(0), ctypes.c_long(GiB))


def attack_truncate_holes():
    fd = os.memfd_create("m")
    os.ftruncate(fd, 64 * GiB)
    for k in range(60000):
        os.pwrite(fd, b"x", k * 2 * PAGE * 8)
    at = get(GiB, mmap.MAP_SHARED, fd=fd)
    touch(at, GiB, 16 * PAGE)
    os.lseek(fd, 0, os.SEEK_DATA)
    os.ftruncate(fd, 0)


def attack_shm():
    shmid = libc.shmget(0, ctypes.c_size_t(GiB), 0o1600)
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(shmid, None, 0)
    touch(at, GiB)
    libc.shmctl(shmid, 11, None)
    libc.shmctl(shmid, 0, None)
    libc.shmdt(ctypes.c_void_p(at))


def attack_threads():
    n = 4000
    threading.stack_size(32768)
    pid = os.fork()
    if pid == 0:
        made = 0
        for _ in range(n):
            try:
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
                made += 1
            except RuntimeError:
                break
        print(made, "threads", flush=True)
        for name in "status", "stat", "task":
            if name == "task":
                os.listdir("/proc/self/task")
            else:
                read_all(f"/proc/self/{name}")
        resource.getrusage(resource.RUSAGE_SELF)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)


def attack_zombies():
    n = 4000
    pids = []
    for _ in range(n):
        try:
            pid = os.fork()
        except OSError as e:
            print(e)
            break
        if pid == 0:
            os._exit(0)
        pids.append(pid)
    print(len(pids), "zombies", flush=True)
    os.listdir("/proc")
    started = time.monotonic()
    for pid in reversed(pids):
        os.waitpid(pid, 0)
    print("waits", time.monotonic() - started)


def attack_kill_group():
    n = 3000
    pids = []
    for _ in range(n):
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.kill(pid, 9)
    for pid in pids:
        os.waitpid(pid, 0)


def attack_futex():
    n = 2000
    word, other = ctypes.c_int(0), ctypes.c_int(0)
    threading.stack_size(32768)
    for _ in range(n):
        threading.Thread(target=lambda: libc.syscall(202, ctypes.byref(word), 128, 0, None), daemon=True).start()
    time.sleep(1)
    print(libc.syscall(202, ctypes.byref(word), 128 | 3, 1, ctypes.c_long(2**31 - 1), ctypes.byref(other), 0))
    print(libc.syscall(202, ctypes.byref(other), 129, 2**31 - 1, None))
    os._exit(0)


def attack_process_vm():
    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    at, other = get(1 << 28, PRIVATE), get(1 << 28, PRIVATE)
    touch(at, 1 << 28)
    local, remote = (Iovec * 1024)(), (Iovec * 1024)()
    for k in range(1024):
        local[k].base, local[k].len = other, 1 << 28
        remote[k].base, remote[k].len = at, 1 << 28
    local[0].len = 1 << 28
    print(libc.syscall(310, os.getpid(), local, ctypes.c_long(4), remote, ctypes.c_long(4), ctypes.c_long(0)))
    for k in range(1024):
        local[k].len = remote[k].len = 1
    for _ in range(100):
        libc.syscall(310, os.getpid(), local, ctypes.c_long(1024), remote, ctypes.c_long(1024), ctypes.c_long(0))


def attack_seccomp():
    class Filter(ctypes.Structure):
        _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]

    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]
    code = (Filter * 4096)()
    for k in range(4095):
        code[k] = Filter(0x20, 0, 0, 16)
    code[4095] = Filter(6, 0, 0, 0x7FFF0000)
    program = Program(4096, code)
    libc.prctl(38, 1, 0, 0, 0)
    for _ in range(7):
        print(libc.prctl(22, 2, ctypes.byref(program), 0, 0), flush=True)
    for _ in range(200):
        os.getppid()


def attack_sbrk():
    libc.sbrk.restype = ctypes.c_void_p
    libc.sbrk.argtypes = [ctypes.c_long]
    at = libc.sbrk(GiB)
    touch(at, GiB)
    libc.sbrk(-GiB)


def attack_fixed():
    at, size = areas(touched=True)
    get(size, PRIVATE | FIXED | NORESERVE, addr=at)


def attack_shared_fork():
    at = get(GiB, SHARED)
    touch(at, GiB)
    forked(2)
    libc.munmap(at, GiB)


def attack_cow():
    at = get(GiB, PRIVATE)
    touch(at, GiB)
    pid = os.fork()
    if pid == 0:
        touch(at, GiB)
        os._exit(0)
    os.waitpid(pid, 0)
    touch(at, GiB)


def main():
    name = sys.argv[1]
    sys.stdout.reconfigure(line_buffering=True)
    globals()["attack_" + name]()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(*[n[7:] for n in globals() if n.startswith("attack_")])
    else:
        main()
