"""memfd_secret(2): memory that only its mappings can read."""

import ctypes
import os
import resource
import struct
import fcntl
from errno import *
from lib.guest import *

R, W, X = 1, 2, 4
SHARED, PRIVATE = 1, 2
PAGE = 4096
CLOEXEC = os.O_CLOEXEC


def secret(pages=0, flags=0):
    fd = sc(NR.memfd_secret, flags)
    if fd == -ENOSYS:
        skip("secret memory is switched off")
    ok(fd >= 0, "memfd_secret: " + name_of(fd))
    if pages:
        os.ftruncate(fd, pages * PAGE)
    return fd


def mapped(pages=2):
    fd = secret(pages)
    at = works(NR.mmap, 0, pages * PAGE, R | W, SHARED, fd, 0)
    ctypes.memset(at, 0x53, pages * PAGE)
    return fd, at


def status(name):
    return int([x for x in open("/proc/self/status") if x.startswith(name)][0].split()[1])


@test
def memfd_secret_takes_cloexec_only():
    eq(fcntl.fcntl(secret(), fcntl.F_GETFD), 0)
    eq(fcntl.fcntl(secret(0, CLOEXEC), fcntl.F_GETFD), 1)
    for flags in (1, 2, 0o4000, 0x80000000, 0xFFFFFFFF, CLOEXEC | 1):
        gives(-EINVAL, NR.memfd_secret, flags)
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    fds = [sc(NR.memfd_secret, 0) for _ in range(40)]
    eq(fds[-1], -EMFILE)


@test
def secret_memory_cannot_be_read_or_written_by_calls():
    fd = secret(2)
    eq(os.readlink("/proc/self/fd/%d" % fd), "/secretmem (deleted)")
    s = os.fstat(fd)
    eq((s.st_mode, s.st_size, s.st_uid), (0o100600, 2 * PAGE, os.geteuid()))
    eq(fcntl.fcntl(fd, fcntl.F_GETFL), 0o100002)
    fails(EINVAL, os.read, fd, 4)
    fails(EINVAL, os.write, fd, b"x")
    fails(ESPIPE, os.pread, fd, 4, 0)
    fails(ESPIPE, os.pwrite, fd, b"x", 0)
    fails(ESPIPE, os.lseek, fd, 0, os.SEEK_END)
    fails(ESPIPE, os.posix_fallocate, fd, 0, PAGE)
    fails(EINVAL, os.fsync, fd)
    fails(EINVAL, fcntl.fcntl, fd, 1034)
    fails(ENXIO, os.open, "/proc/self/fd/%d" % fd, os.O_RDWR)
    r, w = os.pipe()
    fails(ESPIPE, os.sendfile, w, fd, 0, 10)
    gives(-EINVAL, NR.splice, fd, 0, w, 0, 10, 0)


@test
def the_size_of_secret_memory_is_set_once():
    fd = secret()
    os.ftruncate(fd, 0)
    fails(EINVAL, os.ftruncate, fd, -1)
    os.ftruncate(fd, 2 * PAGE)
    for size in (0, PAGE, 2 * PAGE, 3 * PAGE):
        fails(EINVAL, os.ftruncate, fd, size)
    eq(os.fstat(fd).st_size, 2 * PAGE)


@test
def mappings_are_shared_and_locked():
    fd = secret(4)
    gives(-EINVAL, NR.mmap, 0, PAGE, R | W, PRIVATE, fd, 0)
    gives(-EPERM, NR.mmap, 0, PAGE, R | X, SHARED, fd, 0)
    before = status("VmLck")
    at = works(NR.mmap, 0, 4 * PAGE, R | W, SHARED, fd, 0)
    eq(status("VmLck"), before + 16)
    works(NR.munlock, at, 4 * PAGE)
    eq(status("VmLck"), before + 16)
    gives(-EINVAL, NR.madvise, at, PAGE, 4)
    gives(-EINVAL, NR.madvise, at, PAGE, 9)
    gives(-EINVAL, NR.madvise, at, PAGE, 22)
    gives(-EBUSY, NR.msync, at, PAGE, 2)
    gives(-EINVAL, NR.msync, at, PAGE, 4)
    ctypes.memset(at, 7, 4 * PAGE)
    other = works(NR.mmap, 0, PAGE, R, SHARED, fd, PAGE)
    eq(ctypes.string_at(other, 8), b"\7" * 8)
    os.close(fd)
    works(NR.munmap, at, 4 * PAGE)
    eq(ctypes.string_at(other, 8), b"\7" * 8)


@test
def behind_the_end_is_a_bus_error():
    fd = secret()
    at = works(NR.mmap, 0, 3 * PAGE, R | W, SHARED, fd, 0)
    eq(in_child(lambda: ctypes.string_at(at, 1)) & 0x7F, 7)
    os.ftruncate(fd, 2 * PAGE)
    eq(in_child(lambda: ctypes.string_at(at, 1)), 0)
    eq(in_child(lambda: ctypes.string_at(at + 2 * PAGE, 1)) & 0x7F, 7)


@test
def other_calls_do_not_reach_secret_memory():
    _, at = mapped()
    buf = ctypes.create_string_buffer(16)
    mine = struct.pack("QQ", ctypes.addressof(buf), 8)
    theirs = struct.pack("QQ", at, 8)
    gives(-EFAULT, NR.process_vm_readv, os.getpid(), mine, 1, theirs, 1, 0)
    gives(-EFAULT, NR.process_vm_writev, os.getpid(), mine, 1, theirs, 1, 0)
    gives(8, NR.process_vm_readv, os.getpid(), theirs, 1, mine, 1, 0)
    ctypes.memset(at, 0x53, 8)
    # The part before the secret memory is copied.
    both = struct.pack("QQQQ", ctypes.addressof(buf), 4, at, 4)
    gives(4, NR.process_vm_readv, os.getpid(), mine, 1, both, 2, 0)
    mem = os.open("/proc/self/mem", os.O_RDWR)
    fails(EIO, os.pread, mem, 8, at)
    fails(EIO, os.pwrite, mem, b"x", at)
    gives(-EFAULT, NR.futex, at, 1, 1, 0, 0, 0)
    gives(0, NR.futex, at, 1 | 128, 1, 0, 0, 0)


@test
def a_pipe_does_not_take_secret_pages():
    _, at = mapped()
    r, w = os.pipe()
    plain = ctypes.create_string_buffer(b"plain")
    gives(-EFAULT, NR.vmsplice, w, struct.pack("QQ", at, 4), 1, 0)
    gives(5, NR.vmsplice, w, struct.pack("QQQQ", ctypes.addressof(plain), 5, at, 4), 2, 0)
    eq(os.read(r, 100), b"plain")
    gives(4, NR.write, w, at, 4)
    gives(4, NR.vmsplice, r, struct.pack("QQ", at, 4), 1, 0)


@test
def a_tracer_does_not_read_secret_memory():
    _, at = mapped()

    def child():
        sc(NR.ptrace, 0, 0, 0, 0)
        os.kill(os.getpid(), 19)
        return 0
    pid = spawn(child)
    os.waitpid(pid, os.WUNTRACED)
    word = ctypes.c_ulong()
    gives(-EIO, NR.ptrace, 1, pid, at, word)
    gives(-EIO, NR.ptrace, 4, pid, at, 1)
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@test
def calls_of_its_process_reach_secret_memory():
    _, at = mapped()
    r, w = os.pipe()
    gives(8, NR.write, w, at, 8)
    eq(os.read(r, 8), b"S" * 8)
    os.write(w, b"abcd")
    gives(4, NR.read, r, at + 8, 4)
    eq(ctypes.string_at(at, 13), b"SSSSSSSSabcdS")


@test
def a_child_shares_secret_memory():
    _, at = mapped()
    child_ok(lambda: ctypes.memset(at, 0x41, 4) and 0)
    eq(ctypes.string_at(at, 5), b"AAAAS")


@test
def the_limit_of_locked_memory_counts():
    fd = secret(64)

    def child():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (2 * PAGE, 2 * PAGE))
        if is_root():
            os.setuid(1000)
        works(NR.mmap, 0, 2 * PAGE, R | W, SHARED, fd, 0)
        gives(-EAGAIN, NR.mmap, 0, PAGE, R | W, SHARED, fd, 0)
    child_ok(child)


@test
def two_threads_race_for_the_size():
    import threading
    for _ in range(20):
        fd = secret()
        results = []

        def grow(size):
            results.append(libc.ftruncate(fd, ctypes.c_long(size)))
        threads = [threading.Thread(target=grow, args=(n * PAGE,)) for n in (1, 2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(sorted(results), [-1, 0])
        ok(os.fstat(fd).st_size in (PAGE, 2 * PAGE), "a size of one of them")
        os.close(fd)


run()
