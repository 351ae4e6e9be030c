"""userfaultfd(2): faults that a program handles itself."""

import ctypes
import fcntl
import os
import select
import signal
import struct
from errno import *
from lib.guest import *
from lib.userfault import *

needs_root(
    "flags_and_privilege", "nothing_works_before_the_handshake",
    "a_blocking_descriptor_cannot_be_polled", "ranges_that_cannot_be_registered",
    "uffdio_copy_fills_missing_pages", "a_thread_waits_for_its_page",
    "faults_have_exact_addresses_and_threads_on_request", "several_threads_wait_for_one_page",
    "a_wake_without_a_page_is_another_fault", "a_call_waits_for_its_pages", "faults_as_signals",
    "touched_memory_is_not_missing", "protection_counts_before_the_handler",
    "writes_to_protected_pages", "protected_pages_and_fork", "shared_memory_has_missing_pages",
    "uffdio_continue_maps_pages_of_the_file", "children_and_moved_memory_have_no_handler",
    "the_end_of_the_descriptor_ends_all_waits", "another_process_handles_the_faults",
    "memory_of_an_ended_process_fails_with_esrch", "a_signal_is_handled_while_a_thread_waits",
    "a_process_that_waits_can_be_killed", "several_messages_in_one_read",
    "a_blocking_read_waits_for_a_fault", "epoll_reports_faults", "two_threads_race_to_put_pages",
)

SHARED_ANON = 0x21


@test
def flags_and_privilege():
    for flags in (0, CLOEXEC, NONBLOCK, USER_ONLY, CLOEXEC | NONBLOCK | USER_ONLY):
        fd = works(NR.userfaultfd, flags)
        eq(fcntl.fcntl(fd, fcntl.F_GETFD), 1 if flags & CLOEXEC else 0)
        eq(fcntl.fcntl(fd, fcntl.F_GETFL), flags & NONBLOCK)
        eq(os.readlink("/proc/self/fd/%d" % fd), "anon_inode:[userfaultfd]")
    for flags in (2, 4, 0x1000, 0xFFFFFFFF):
        gives(-EINVAL, NR.userfaultfd, flags)


@test
def without_a_capability_only_user_faults_are_handled():
    need_root()
    with open("/proc/sys/vm/unprivileged_userfaultfd") as f:
        if f.read().strip() != "0":
            skip("the sysctl permits every user")

    def child():
        os.setuid(1000)
        gives(-EPERM, NR.userfaultfd, 0)
        gives(-EPERM, NR.userfaultfd, 2)
        works(NR.userfaultfd, USER_ONLY)
        gives(-EINVAL, NR.userfaultfd, USER_ONLY | 2)
    child_ok(child)


@test
def the_device_makes_descriptors():
    need_root()
    if not os.path.exists("/dev/userfaultfd"):
        skip("no /dev/userfaultfd")
    dev = os.open("/dev/userfaultfd", os.O_RDWR | os.O_CLOEXEC)
    fd = works(NR.ioctl, dev, 0xAA00, CLOEXEC | NONBLOCK)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL), NONBLOCK)
    eq(api(fd)[0], 0)
    gives(-EINVAL, NR.ioctl, dev, 0xAA00, 2)
    gives(-EINVAL, NR.ioctl, dev, 0xAA01, 0)
    fails(EINVAL, os.read, dev, 32)


@test
def nothing_works_before_the_handshake():
    fd = works(NR.userfaultfd, NONBLOCK)
    fails(EINVAL, os.read, fd, 32)
    at = memory(1)
    eq(register(fd, at, PAGE)[0], -EINVAL)
    p = select.poll()
    p.register(fd, select.POLLIN)
    eq(p.poll(0), [(fd, select.POLLERR)])
    eq(api(fd, 0, 0xAB), (-EINVAL, (0, 0, 0)))
    eq(api(fd, 1 << 40), (-EINVAL, (0, 0, 0)))
    eq(sc(NR.ioctl, fd, API, 0), -EFAULT)
    eq(sc(NR.ioctl, fd, API, 0xFFFFFFFFFFFFF000), -EFAULT)
    r, (version, features, ioctls) = api(fd)
    eq((r, version, ioctls), (0, 0xAA, 0x8000000000000003))
    ok(features & (SIGBUS | THREAD_ID | EXACT) == SIGBUS | THREAD_ID | EXACT, "features")
    eq(api(fd), (-EINVAL, (0, 0, 0)))
    fails(EAGAIN, os.read, fd, 32)
    fails(EINVAL, os.read, fd, 31)
    fails(EBADF, os.write, fd, b"x" * 32)
    gives(-EINVAL, NR.ioctl, fd, 0xAA77, 0)
    gives(-EINVAL, NR.ioctl, fd, 0x5401, 0)


@test
def a_blocking_descriptor_cannot_be_polled():
    fd = new(0, 0)
    p = select.poll()
    p.register(fd, select.POLLIN)
    eq(p.poll(0), [(fd, select.POLLERR)])
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    eq(p.poll(0), [])


@test
def ranges_that_cannot_be_registered():
    fd, at = new(), memory(4)
    for mode in (0, 8, 16, 1 << 63):
        eq(register(fd, at, PAGE, mode)[0], -EINVAL, "mode %x" % mode)
    for start, size in ((at + 1, PAGE), (at, PAGE - 1), (at, 0), (0, PAGE), (PAGE, PAGE),
                        (1 << 63, PAGE), (at, (1 << 64) - PAGE), (0x10000000, PAGE),
                        (0x7FFFFFFFE000, 1 << 20)):
        eq(register(fd, start, size)[0], -EINVAL, "%x %x" % (start, size))
    gives(-EFAULT, NR.ioctl, fd, REGISTER, 0)
    gives(-EFAULT, NR.ioctl, fd, REGISTER, 0xFFFFFFFFFFFFF000)
    r, words = register(fd, at, PAGE)
    eq(r, 0)
    eq(words[3] & 0x5C, 0x1C, "wake, copy, zeropage")
    eq(register(new(), at, PAGE)[0], -EBUSY)
    eq(register(fd, at, PAGE)[0], 0)
    # Minor faults need a file, and shared memory needs a writable descriptor.
    eq(register(fd, memory(1), PAGE, MINOR)[0], -EINVAL)
    mem = os.memfd_create("x")
    os.ftruncate(mem, PAGE)
    ro = os.open("/proc/self/fd/%d" % mem, os.O_RDONLY)
    shown = works(NR.mmap, 0, PAGE, 1, 1, ro, 0)
    eq(register(fd, shown, PAGE)[0], -EPERM)
    exe = os.open("/proc/self/exe", os.O_RDONLY)
    eq(register(fd, memory(1, 2, exe), PAGE)[0], -EINVAL)


@test
def uffdio_copy_fills_missing_pages():
    fd, at, src = new(), memory(12), filled(65, 8)
    eq(register(fd, at, 8 * PAGE)[0], 0)
    eq(copy(fd, at, src), (0, PAGE))
    eq(copy(fd, at, src), (-EEXIST, -EEXIST))
    eq(copy(fd, at + PAGE, src + 5), (0, PAGE))
    eq(copy(fd, at + 3 * PAGE, src), (0, PAGE))
    eq(copy(fd, at + 2 * PAGE, src, 2 * PAGE), (-EAGAIN, PAGE))
    eq(copy(fd, at + 8 * PAGE, src), (-ENOENT, -ENOENT))
    eq(copy(fd, at + 7 * PAGE, src, 2 * PAGE), (-ENOENT, -ENOENT))
    eq(copy(fd, at + 4 * PAGE, 0x1000), (-EFAULT, -EFAULT))
    eq(copy(fd, at + 4 * PAGE, (1 << 64) - PAGE), (-EINVAL, 0x77))
    eq(copy(fd, at + 4 * PAGE, src, PAGE, 4), (-EINVAL, 0x77))
    eq(copy(fd, at + 4 * PAGE, src, PAGE, WP), (-EINVAL, -EINVAL))
    eq(copy(fd, at + 1, src), (-EINVAL, 0x77))
    eq(copy(fd, at, src, 0), (-EINVAL, 0x77))
    gives(-EFAULT, NR.ioctl, fd, COPY, 0)
    eq(ctypes.string_at(at, 4 * PAGE), b"A" * 4 * PAGE)
    eq(zero(fd, at + 5 * PAGE), (0, PAGE))
    eq(zero(fd, at + 5 * PAGE), (-EEXIST, -EEXIST))
    eq(zero(fd, at, PAGE, 2), (-EINVAL, 0x77))
    eq(zero(fd, at + 9 * PAGE), (-ENOENT, -ENOENT))
    eq(ctypes.string_at(at + 5 * PAGE, PAGE), bytes(PAGE))


@test
def a_thread_waits_for_its_page():
    fd, at, src = new(), memory(4), filled(66)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    t = Runs(load, at + 2 * PAGE + 5)
    eq(message(fd), (0, at + 2 * PAGE, 0))
    ok(is_quiet(fd), "one fault")
    with open("/proc/self/fdinfo/%d" % fd) as f:
        text = f.read()
    ok("pending:\t0\ntotal:\t1\n" in text, text)
    ok(t.waits(), "the page is still missing")
    eq(copy(fd, at + 2 * PAGE, src), (0, PAGE))
    eq(t.end(), 66)
    t = Runs(store, at + PAGE, 9)
    eq(message(fd), (1, at + PAGE, 0))
    eq(zero(fd, at + PAGE), (0, PAGE))
    t.end()
    eq(ctypes.string_at(at + PAGE, 2), b"\x09\x00")


@test
def faults_have_exact_addresses_and_threads_on_request():
    fd, at = new(EXACT | THREAD_ID), memory(2)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    tid = []

    def touch():
        tid.append(sc(NR.gettid))
        store(at + 123, 1)
    t = Runs(touch)
    flags, address, thread = message(fd)
    eq((flags, address, [thread]), (1, at + 123, tid))
    eq(zero(fd, at), (0, PAGE))
    t.end()


@test
def several_threads_wait_for_one_page():
    fd, at, src = new(), memory(2), filled(67)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    threads = [Runs(load, at + i) for i in range(4)]
    for _ in threads:
        eq(message(fd)[1], at)
    eq(copy(fd, at, src, PAGE, 1), (0, PAGE))
    ok(threads[0].waits(), "DONTWAKE leaves them")
    eq(on_range(fd, WAKE, at + PAGE, PAGE), 0)
    ok(threads[0].waits(), "another page")
    eq(on_range(fd, WAKE, at, PAGE), 0)
    eq([t.end() for t in threads], [67] * 4)


@test
def a_wake_without_a_page_is_another_fault():
    fd, at = new(), memory(1)
    eq(register(fd, at, PAGE)[0], 0)
    t = Runs(load, at)
    for _ in range(3):
        eq(message(fd)[1], at)
        eq(on_range(fd, WAKE, at, PAGE), 0)
    message(fd)
    eq(on_range(fd, WAKE, 0, 0), -EINVAL)
    eq(on_range(fd, UNREGISTER, at, PAGE), 0)
    eq(t.end(), 0)


@test
def a_call_waits_for_its_pages():
    fd, at, src = new(), memory(8), filled(68, 4)
    eq(register(fd, at, 8 * PAGE)[0], 0)
    r, w = os.pipe()
    os.write(w, b"hello")
    t = Runs(sc, NR.read, r, at, 5)
    eq(message(fd), (1, at, 0))
    eq(copy(fd, at, src), (0, PAGE))
    eq(t.end(), 5)
    eq(ctypes.string_at(at, 6), b"helloD")
    # A write(2) from missing pages is complete.
    f = os.open("f", os.O_RDWR | os.O_CREAT)
    t = Runs(sc, NR.write, f, at, 3 * PAGE)
    for i in (1, 2):
        eq(message(fd), (0, at + i * PAGE, 0))
        eq(copy(fd, at + i * PAGE, src), (0, PAGE))
    eq(t.end(), 3 * PAGE)
    eq(os.fstat(f).st_size, 3 * PAGE)
    # The kernel writes a result to a missing page.
    t = Runs(sc, NR.clock_gettime, 1, at + 3 * PAGE)
    eq(message(fd)[1], at + 3 * PAGE)
    eq(zero(fd, at + 3 * PAGE), (0, PAGE))
    eq(t.end(), 0)
    ok(ctypes.string_at(at + 3 * PAGE, 8) != bytes(8), "a time")
    # The kernel reads a path from a missing page.
    t = Runs(sc, NR.access, at + 4 * PAGE, 0)
    eq(message(fd), (0, at + 4 * PAGE, 0))
    ctypes.memmove(src, b"f\0", 2)
    eq(copy(fd, at + 4 * PAGE, src), (0, PAGE))
    eq(t.end(), 0)


@test
def a_handler_of_user_faults_only():
    fd, at = new(0, NONBLOCK | USER_ONLY), memory(2)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    r, w = os.pipe()
    os.write(w, b"hello")
    gives(-EFAULT, NR.read, r, at, 5)
    ok(is_quiet(fd), "no fault is reported")
    t = Runs(load, at)
    eq(message(fd)[1], at)
    eq(zero(fd, at), (0, PAGE))
    eq(t.end(), 0)
    gives(5, NR.read, r, at, 5)


@test
def faults_as_signals():
    fd, at = new(SIGBUS), memory(2)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    r, w = os.pipe()
    os.write(w, b"hello")
    gives(-EFAULT, NR.read, r, at, 5)
    from lib.native import action, SA_NODEFER
    seen = []

    def handler(signo, info, context):
        code = ctypes.c_int.from_address(info + 8).value
        address = ctypes.c_ulong.from_address(info + 16).value
        seen.append((code, address))
        zero(fd, address // PAGE * PAGE)
    action(signal.SIGBUS, handler, SA_NODEFER)
    eq(load(at + PAGE + 7), 0)
    eq(seen, [(2, at + PAGE + 7)])
    ok(is_quiet(fd), "no fault is reported")


@test
def touched_memory_is_not_missing():
    fd, at = new(), memory(64)
    store(at + 3 * PAGE, 3)
    store(at + 40 * PAGE, 4)
    eq(register(fd, at, 64 * PAGE)[0], 0)
    eq((load(at + 3 * PAGE), load(at + 40 * PAGE)), (3, 4))
    t = Runs(load, at + 41 * PAGE)
    eq(message(fd)[1], at + 41 * PAGE)
    eq(zero(fd, at + 41 * PAGE), (0, PAGE))
    t.end()
    # MADV_DONTNEED makes a page missing again.
    eq(sc(NR.madvise, at + 3 * PAGE, PAGE, 4), 0)
    t = Runs(load, at + 3 * PAGE)
    eq(message(fd)[1], at + 3 * PAGE)
    eq(copy(fd, at + 3 * PAGE, filled(5)), (0, PAGE))
    eq(t.end(), 5)


@test
def protection_counts_before_the_handler():
    fd, at = new(), memory(2)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    works(NR.mprotect, at, PAGE, 1)
    works(NR.mprotect, at + PAGE, PAGE, 0)

    def child():
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        store(at, 1)
    # The child has no handler, so mprotect's protection raises the signal.
    eq(in_child(child) & 0x7F, signal.SIGSEGV)
    t = Runs(load, at)
    eq(message(fd), (0, at, 0))
    eq(copy(fd, at, filled(7)), (0, PAGE))
    eq(t.end(), 7)
    eq(copy(fd, at + PAGE, filled(8)), (0, PAGE))
    works(NR.mprotect, at + PAGE, PAGE, 1)
    eq(load(at + PAGE), 8)


@test
def writes_to_protected_pages():
    fd, at = new(), memory(8)
    r, words = register(fd, at, 8 * PAGE, WP)
    eq((r, words[3] & 0x40), (0, 0x40))
    for i in range(4):
        store(at + i * PAGE, 10 + i)
    eq(protect(fd, at, 4 * PAGE), 0)
    eq(load(at + PAGE), 11)
    t = Runs(store, at + PAGE + 1, 99)
    eq(message(fd), (3, at + PAGE, 0))
    eq(ctypes.string_at(at + PAGE, 2), b"\x0b\x00")
    ok(t.waits(), "still protected")
    eq(protect(fd, at + PAGE, PAGE, False), 0)
    t.end()
    eq(ctypes.string_at(at + PAGE, 2), b"\x0b\x63")
    # Other pages stay protected.
    t = Runs(store, at + 2 * PAGE, 98)
    eq(message(fd), (3, at + 2 * PAGE, 0))
    eq(protect(fd, at, 8 * PAGE, False), 0)
    t.end()
    store(at, 1)
    # Writes of system calls fault as well.
    eq(protect(fd, at, PAGE), 0)
    r, w = os.pipe()
    os.write(w, b"zz")
    t = Runs(sc, NR.read, r, at, 2)
    eq(message(fd), (3, at, 0))
    eq(protect(fd, at, PAGE, False), 0)
    eq(t.end(), 2)
    eq(ctypes.string_at(at, 2), b"zz")
    for start, size, mode in ((at, PAGE, 4), (at, PAGE, 3), (at + 1, PAGE, 1), (at, 0, 1)):
        eq(ask(fd, WRITEPROTECT, "QQQ", start, size, mode)[0], -EINVAL)
    eq(protect(fd, at, 9 * PAGE), -ENOENT)
    eq(protect(fd, 0x10000000), -ENOENT)
    # UFFDIO_COPY can fill a page that is protected.
    eq(copy(fd, at + 6 * PAGE, filled(6), PAGE, WP), (0, PAGE))
    t = Runs(store, at + 6 * PAGE, 97)
    eq(message(fd), (3, at + 6 * PAGE, 0))
    eq(on_range(fd, UNREGISTER, at, 8 * PAGE), 0)
    eq(on_range(fd, WAKE, at, 8 * PAGE), 0)
    t.end()
    store(at, 5)


@test
def protected_pages_and_fork():
    fd, at = new(), memory(2)
    eq(register(fd, at, 2 * PAGE, WP)[0], 0)
    store(at, 1)
    eq(protect(fd, at), 0)

    def child():
        store(at, 2)
        return load(at)
    eq(os.WEXITSTATUS(in_child(child)), 2)
    eq(load(at), 1)
    t = Runs(store, at, 3)
    eq(message(fd), (3, at, 0))
    eq(protect(fd, at, PAGE, False), 0)
    t.end()
    eq(load(at), 3)


@test
def shared_memory_has_missing_pages():
    fd = new()
    mem = os.memfd_create("x")
    os.ftruncate(mem, 4 * PAGE)
    for at in (memory(4, 1, mem), memory(4, SHARED_ANON)):
        eq(register(fd, at, 4 * PAGE)[0], 0)
        t = Runs(load, at + PAGE)
        eq(message(fd), (0, at + PAGE, 0))
        eq(copy(fd, at + PAGE, filled(33)), (0, PAGE))
        eq(t.end(), 33)
        eq(copy(fd, at + PAGE, filled(33)), (-EEXIST, -EEXIST))
        eq(zero(fd, at + 2 * PAGE), (0, PAGE))
        eq(load(at + 2 * PAGE), 0)
    eq(os.pread(mem, 2, PAGE), b"!!")
    # A page that the file has is no missing page.
    os.pwrite(mem, b"w", 0)
    at = memory(4, 1, mem)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    eq((load(at), load(at + PAGE)), (ord("w"), 33))


@test
def uffdio_continue_maps_pages_of_the_file():
    fd = new()
    mem = os.memfd_create("x")
    os.ftruncate(mem, 4 * PAGE)
    at, other = memory(4, 1, mem), memory(4, 1, mem)
    r, words = register(fd, at, 4 * PAGE, MINOR)
    eq((r, words[3] & 0x80), (0, 0x80))
    store(other, 44)
    t = Runs(load, at)
    eq(message(fd), (4, at, 0))
    eq(go_on(fd, at), (0, PAGE))
    eq(t.end(), 44)
    eq(go_on(fd, at), (-EEXIST, -EEXIST))
    eq(go_on(fd, at + PAGE), (-EFAULT, -EFAULT))
    eq(go_on(fd, at + PAGE, PAGE, 8), (-EINVAL, 0x77))


@test
def children_and_moved_memory_have_no_handler():
    fd, at = new(), memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    eq(in_child(lambda: load(at)), 0)
    moved = works(NR.mremap, at, 4 * PAGE, 8 * PAGE, 3, memory(8))
    eq(load(moved + PAGE), 0)
    ok(is_quiet(fd), "no fault is reported")
    eq(copy(fd, moved, filled(1)), (-ENOENT, -ENOENT))
    at = memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    works(NR.mmap, at, PAGE, 3, 0x32, -1, 0)
    eq(load(at), 0)
    works(NR.munmap, at + PAGE, PAGE)
    eq(copy(fd, at + PAGE, filled(1)), (-ENOENT, -ENOENT))
    eq(copy(fd, at + 2 * PAGE, filled(1)), (0, PAGE))


@test
def the_end_of_the_descriptor_ends_all_waits():
    fd, at = new(), memory(4)
    eq(register(fd, at, 4 * PAGE, MISSING | WP)[0], 0)
    eq(zero(fd, at), (0, PAGE))
    eq(protect(fd, at), 0)
    threads = [Runs(load, at + PAGE), Runs(store, at, 1)]
    message(fd)
    ok(threads[0].waits() and threads[1].waits(), "they wait")
    os.close(fd)
    eq(threads[0].end(), 0)
    threads[1].end()
    eq(load(at), 1)


@test
def another_process_handles_the_faults():
    fd, at = new(), memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)

    def handler():
        for _ in range(2):
            _, address, _ = message(fd)
            eq(copy(fd, address, filled(55)), (0, PAGE))
        stay()
    pid = spawn(handler)
    eq((Runs(load, at).end(), Runs(load, at + PAGE).end()), (55, 55))
    # The child has the last descriptor, so its death ends the handler.
    os.close(fd)
    t = Runs(load, at + 2 * PAGE)
    ok(t.waits(), "it waits")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    eq(t.end(), 0)


@test
def memory_of_an_ended_process_fails_with_esrch():
    r, w = os.pipe()
    import socket
    a, b = socket.socketpair()

    def child():
        fd = new()
        at = memory(1)
        register(fd, at, PAGE)
        socket.send_fds(b, [struct.pack("Q", at)], [fd])
        os.read(r, 1)
    pid = spawn(child)
    data, fds, _, _ = socket.recv_fds(a, 8, 1)
    at = struct.unpack("Q", data)[0]
    os.write(w, b"x")
    os.waitpid(pid, 0)
    eq(copy(fds[0], at, filled(1))[0], -ESRCH)
    eq(zero(fds[0], at)[0], -ESRCH)
    fails(EAGAIN, os.read, fds[0], 32)
    os.close(fds[0])


@test
def a_signal_is_handled_while_a_thread_waits():
    fd, at = new(), memory(1)
    eq(register(fd, at, PAGE)[0], 0)
    pid = os.getpid()

    def other():
        message(fd)
        os.kill(pid, signal.SIGUSR1)
        # The instruction runs again after the signal handler.
        message(fd)
        zero(fd, at)
    seen = []
    from lib.native import action
    action(signal.SIGUSR1, lambda *_: seen.append(1))
    t = Runs(other)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    eq(load(at), 0)
    t.end()
    eq(seen, [1])


@test
def a_process_that_waits_can_be_killed():
    ready = Pipe()

    def child():
        fd, at = new(), memory(1)
        register(fd, at, PAGE)
        ok(Runs(sc, NR.clock_gettime, 1, at).waits(), "for the page")
        ready.post()
        load(at)
    pid = spawn(child)
    ready.take()
    wait_state(pid, "SD")
    os.kill(pid, signal.SIGKILL)
    eq(os.waitpid(pid, 0)[1], signal.SIGKILL)


@test
def several_messages_in_one_read():
    fd, at = new(), memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    threads = [Runs(load, at + i * PAGE) for i in range(3)]

    def pending():
        with open("/proc/self/fdinfo/%d" % fd) as f:
            return "pending:\t3\n" in f.read()
    wait_until(pending, "three faults")
    eq(len(os.read(fd, 80)), 64)
    eq(len(os.read(fd, 80)), 32)
    eq(zero(fd, at, 4 * PAGE), (0, 4 * PAGE))
    for t in threads:
        t.end()


@test
def a_blocking_read_waits_for_a_fault():
    fd, at = new(0, 0), memory(1)
    eq(register(fd, at, PAGE)[0], 0)
    reader = Runs(os.read, fd, 32)
    ok(reader.waits(), "no fault yet")
    t = Runs(load, at)
    eq(reader.end()[0], 0x12)
    eq(zero(fd, at), (0, PAGE))
    t.end()


@test
def epoll_reports_faults():
    fd, at = new(), memory(1)
    eq(register(fd, at, PAGE)[0], 0)
    ep = select.epoll()
    ep.register(fd, select.EPOLLIN | select.EPOLLET)
    eq(ep.poll(0), [])
    t = Runs(load, at)
    eq(ep.poll(5), [(fd, select.EPOLLIN)])
    os.read(fd, 32)
    eq(ep.poll(0), [])
    eq(zero(fd, at), (0, PAGE))
    t.end()


@test
def two_threads_race_to_put_pages():
    fd, at, src = new(), memory(64), filled(3)
    eq(register(fd, at, 64 * PAGE)[0], 0)

    def put():
        return [copy(fd, at + i * PAGE, src)[0] for i in range(64)]
    a, b = Runs(put), Runs(put)
    results = list(zip(a.end(), b.end()))
    eq([sorted(r) for r in results], [[-EEXIST, 0]] * 64)


run()
