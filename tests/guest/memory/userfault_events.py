"""userfaultfd(2): pages that are moved and poisoned; events about changes of handled memory."""

import ctypes
import os
import signal
import struct
from errno import *
from lib.guest import *
from lib.userfault import *

needs_root(
    "uffdio_move_moves_pages", "uffdio_move_moves_holes_when_allowed", "pages_that_cannot_be_moved",
    "a_process_moves_its_own_pages_only", "poisoned_pages", "poisoned_shared_memory",
    "removed_memory_is_an_event_*", "events_come_only_for_requested_features",
    "holes_of_shared_memory", "moved_memory_keeps_its_handler",
    "a_remap_is_an_event_with_the_unmapped_ranges",
    "the_end_of_the_descriptor_ends_waits_for_readers",
    "a_process_that_waits_for_a_reader_can_be_killed",
)

HOLES, EHWPOISON = 2, 133
DONTNEED, FREE, REMOVE = 4, 8, 9


@test
def uffdio_move_moves_pages():
    fd, at = new(), memory(8)
    eq(register(fd, at, 8 * PAGE)[0], 0)
    src = filled(65, 4)
    t = Runs(load, at + PAGE)
    eq(message(fd), (0, at + PAGE, 0))
    eq(move(fd, at + PAGE, src + PAGE), (0, PAGE))
    eq(t.end(), 65)
    eq(ctypes.string_at(at + PAGE, PAGE), b"A" * PAGE)
    # The source page is a hole now.
    eq(load(src + PAGE), 0)
    eq(move(fd, at + PAGE, src), (-EEXIST, -EEXIST))
    eq(move(fd, at + 2 * PAGE, src + 2 * PAGE, 2 * PAGE), (0, 2 * PAGE))
    eq(ctypes.string_at(at + 2 * PAGE, 2 * PAGE), b"A" * 2 * PAGE)
    store(at + 2 * PAGE, 7)
    eq(load(at + 2 * PAGE), 7)
    # The result counts the bytes that were moved before the error.
    eq(move(fd, at, src, 2 * PAGE), (-EAGAIN, PAGE))
    eq((load(at), load(src)), (65, 0))


@test
def uffdio_move_moves_holes_when_allowed():
    fd, at, src = new(), memory(8), memory(4)
    store(src + 2 * PAGE, 9)
    eq(register(fd, at, 8 * PAGE)[0], 0)
    eq(move(fd, at, src), (-ENOENT, -ENOENT))
    eq(move(fd, at + PAGE, src + PAGE, 2 * PAGE), (-ENOENT, -ENOENT))
    eq(move(fd, at, src, 4 * PAGE, HOLES), (0, 4 * PAGE))
    eq(load(at + 2 * PAGE), 9)
    t = Runs(load, at + PAGE)
    eq(message(fd), (0, at + PAGE, 0))
    eq(zero(fd, at + PAGE), (0, PAGE))
    t.end()


@test
def pages_that_cannot_be_moved():
    fd, at, src = new(), memory(4), filled(66, 4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    for dst, source, size, mode in ((at + 1, src, PAGE, 0), (at, src + 1, PAGE, 0), (at, src, 0, 0),
                                    (at, src, PAGE, 4), (at, src, 5, 0)):
        eq(move(fd, dst, source, size, mode), (-EINVAL, 0x77), "%x %x %x %x" % (dst, source, size, mode))
    gives(-EFAULT, NR.ioctl, fd, MOVE, 0)
    eq(move(fd, memory(1), src), (-EINVAL, -EINVAL), "no handler")
    eq(move(fd, 0x10000000, src), (-ENOENT, -ENOENT))
    eq(move(fd, at, 0x10000000), (-ENOENT, -ENOENT))
    eq(move(fd, at + 3 * PAGE, src, 2 * PAGE), (-EINVAL, -EINVAL))
    eq(move(fd, at, src + 3 * PAGE, 2 * PAGE), (-EINVAL, -EINVAL))
    shared = memory(1, 0x21)
    store(shared, 1)
    eq(move(fd, at, shared), (-EINVAL, -EINVAL))
    works(NR.mprotect, src, PAGE, 1)
    eq(move(fd, at, src), (-EINVAL, -EINVAL), "read-only")
    works(NR.mlock, src + PAGE, PAGE)
    eq(move(fd, at, src + PAGE), (-EINVAL, -EINVAL), "locked")
    # A child shares the page.
    src = filled(66, 512)
    r, w = os.pipe()
    pid = spawn(lambda: os.read(r, 1))
    eq(move(fd, at, src + 2 * PAGE), (-EBUSY, -EBUSY))
    os.write(w, b"x")
    os.waitpid(pid, 0)
    store(src + 2 * PAGE, 66)
    eq(move(fd, at, src + 2 * PAGE), (0, PAGE))


@test
def a_process_moves_its_own_pages_only():
    fd, at, src = new(), memory(1), filled(1)
    eq(register(fd, at, PAGE)[0], 0)
    child_ok(lambda: eq(move(fd, at, src), (-EINVAL, 0x77)))


@test
def poisoned_pages():
    fd, at = new(), memory(8)
    r, words = register(fd, at, 8 * PAGE)
    eq((r, words[3] & 0x120), (0, 0x120))
    t = Runs(load, at)
    eq(message(fd), (0, at, 0))
    seen = []
    from lib.native import action

    def handler(signo, info, context):
        code, = struct.unpack("=i", ctypes.string_at(info + 8, 4))
        address, lsb = struct.unpack("=Qh", ctypes.string_at(info + 16, 10))
        seen.append((code, address, lsb))
        works(NR.madvise, address // PAGE * PAGE, PAGE, DONTNEED)
        zero(fd, address // PAGE * PAGE)
    action(signal.SIGBUS, handler)
    eq(zero(fd, at), (0, PAGE))
    t.end()
    eq(poison(fd, at), (-EEXIST, -EEXIST))
    eq(poison(fd, at + PAGE, 3 * PAGE), (0, 3 * PAGE))
    eq(poison(fd, at + PAGE), (-EEXIST, -EEXIST))
    eq(zero(fd, at + PAGE), (-EEXIST, -EEXIST))
    eq(move(fd, at + PAGE, filled(1)), (-EEXIST, -EEXIST))
    eq(poison(fd, at + 8 * PAGE), (-ENOENT, -ENOENT))
    eq(poison(fd, at + 1), (-EINVAL, 0x77))
    eq(poison(fd, at, 0), (-EINVAL, 0x77))
    eq(poison(fd, at, PAGE, 2), (-EINVAL, 0x77))
    # UFFDIO_COPY replaces a poisoned page.
    eq(copy(fd, at + 3 * PAGE, filled(1)), (0, PAGE))
    eq(load(at + 3 * PAGE), 1)
    r, w = os.pipe()
    os.write(w, b"hello")
    gives(-EFAULT, NR.read, r, at + PAGE, 5)
    eq(sc(NR.madvise, at + PAGE, PAGE, 22), -EHWPOISON)
    # The poison stays after the handler's end, in a child, and after mremap.
    eq(on_range(fd, UNREGISTER, at, 8 * PAGE), 0)

    def child():
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
        load(at + PAGE)
    eq(in_child(child) & 0x7F, signal.SIGBUS)
    eq(sc(NR.madvise, at + 2 * PAGE, PAGE, 22), -EHWPOISON)
    to = memory(1)
    works(NR.mremap, at + 2 * PAGE, PAGE, PAGE, 3, to)
    eq(sc(NR.madvise, to, PAGE, 22), -EHWPOISON)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    eq(load(at + PAGE + 5), 0)
    # BUS_MCEERR_AR, or BUS_ADRERR of a kernel without CONFIG_MEMORY_FAILURE.
    ok(seen in ([(4, at + PAGE + 5, 12)], [(2, at + PAGE + 5, 0)]), str(seen))


@test
def poisoned_shared_memory():
    fd = new()
    mem = os.memfd_create("x")
    os.ftruncate(mem, 4 * PAGE)
    at = memory(4, 1, mem)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    eq(poison(fd, at + PAGE), (0, PAGE))
    eq(on_range(fd, UNREGISTER, at, 4 * PAGE), 0)
    os.pwrite(mem, b"x" * 4 * PAGE, 0)
    eq(load(at), ord("x"))
    eq(sc(NR.madvise, at + PAGE, PAGE, 22), -EHWPOISON)
    eq(load(memory(4, 1, mem) + PAGE), ord("x"))


@cases([("unmapped", EVENT_UNMAP, lambda at: works(NR.munmap, at + PAGE, 2 * PAGE), UNMAPPED, 2),
        ("mapped over", EVENT_UNMAP, lambda at: works(NR.mmap, at + PAGE, PAGE, 3, 0x32, -1, 0), UNMAPPED, 1),
        ("shrunk", EVENT_UNMAP, lambda at: works(NR.mremap, at, 4 * PAGE, PAGE, 0), UNMAPPED, 3),
        ("not needed", EVENT_REMOVE, lambda at: works(NR.madvise, at + PAGE, PAGE, DONTNEED), REMOVED, 1),
        ("freed", EVENT_REMOVE, lambda at: works(NR.madvise, at + PAGE, PAGE, FREE), REMOVED, 1)])
def removed_memory_is_an_event(feature, change, kind, pages):
    fd, at = new(feature), memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    for i in range(4):
        eq(copy(fd, at + i * PAGE, filled(67)), (0, PAGE))
    t = Runs(change, at)
    ok(t.waits(), "for the reader")
    # No page can be filled before the event is read.
    eq(copy(fd, at, filled(1))[0], -EAGAIN)
    eq(zero(fd, at)[0], -EAGAIN)
    eq(event(fd)[:3], (kind, at + PAGE, at + (1 + pages) * PAGE))
    t.end()
    eq(copy(fd, at, filled(1))[0], -EEXIST)
    ok(is_quiet(fd), "one event")


@test
def events_come_only_for_requested_features():
    fd, at = new(), memory(8)
    eq(register(fd, at, 8 * PAGE)[0], 0)
    works(NR.madvise, at, PAGE, DONTNEED)
    works(NR.munmap, at, PAGE)
    works(NR.mremap, at + PAGE, PAGE, PAGE, 3, memory(1))
    child_ok(lambda: None)
    fd2, other = new(EVENT_UNMAP | EVENT_REMAP | EVENT_REMOVE), memory(4)
    eq(register(fd2, other, PAGE)[0], 0)
    works(NR.munmap, other + PAGE, PAGE)
    works(NR.madvise, other + 2 * PAGE, PAGE, DONTNEED)
    ok(is_quiet(fd) and is_quiet(fd2), "quiet")


@test
def holes_of_shared_memory():
    fd = new(EVENT_REMOVE)
    mem = os.memfd_create("x")
    os.ftruncate(mem, 4 * PAGE)
    at = memory(4, 1, mem)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    eq(copy(fd, at + PAGE, filled(9)), (0, PAGE))
    for advice in (DONTNEED, REMOVE):
        t = Runs(sc, NR.madvise, at + PAGE, PAGE, advice)
        eq(event(fd)[:3], (REMOVED, at + PAGE, at + 2 * PAGE))
        eq(t.end(), 0)
    t = Runs(load, at + PAGE)
    eq(message(fd), (0, at + PAGE, 0))
    eq(zero(fd, at + PAGE), (0, PAGE))
    t.end()


@test
def moved_memory_keeps_its_handler():
    fd, at = new(EVENT_REMAP), memory(4)
    eq(register(fd, at, 4 * PAGE, MISSING | WP)[0], 0)
    for i in range(2):
        eq(copy(fd, at + i * PAGE, filled(68), PAGE, WP), (0, PAGE))
    to = memory(8)
    t = Runs(works, NR.mremap, at, 4 * PAGE, 8 * PAGE, 3, to)
    ok(t.waits(), "for the reader")
    eq(event(fd), (REMAPPED, at, to, 4 * PAGE))
    eq(t.end(), to)
    eq(load(to), 68)
    t = Runs(load, to + 5 * PAGE)
    eq(message(fd), (0, to + 5 * PAGE, 0))
    eq(zero(fd, to + 5 * PAGE), (0, PAGE))
    t.end()
    # Protected pages stay protected.
    t = Runs(store, to, 1)
    eq(message(fd), (3, to, 0))
    eq(protect(fd, to, PAGE, False), 0)
    t.end()
    # Growth in place has no event.
    works(NR.munmap, to + 7 * PAGE, PAGE)
    works(NR.mremap, to, 7 * PAGE, 8 * PAGE, 0)
    ok(is_quiet(fd), "quiet")


@test
def a_remap_is_an_event_with_the_unmapped_ranges():
    fd, at = new(EVENT_REMAP | EVENT_UNMAP), memory(4)
    eq(register(fd, at, 4 * PAGE)[0], 0)
    to = memory(2)
    eq(register(fd, to, 2 * PAGE)[0], 0)
    t = Runs(works, NR.mremap, at, 4 * PAGE, 2 * PAGE, 3, to)
    eq([event(fd)[:3] for _ in range(4)],
       [(UNMAPPED, to, to + 2 * PAGE), (REMAPPED, at, to), (UNMAPPED, at + 2 * PAGE, at + 4 * PAGE),
        (UNMAPPED, at, at + 2 * PAGE)])
    t.end()
    ok(is_quiet(fd), "quiet")


@test
def a_child_has_a_handler_of_its_own():
    need_root()
    fd, at = new(EVENT_FORK), memory(4)

    def monitor():
        kind, child, _, _ = event(fd)
        eq((kind, os.readlink("/proc/self/fd/%d" % child)), (FORKED, "anon_inode:[userfaultfd]"))
        eq(message(child)[:2], (0, at))
        eq(copy(child, at, filled(70)), (0, PAGE))
        eq(message(child)[:2], (3, at + PAGE))
        eq(protect(child, at + PAGE, PAGE, False), 0)
        ok(is_quiet(fd), "nothing of the parent's")
        os._exit(0)
    reader = spawn(monitor)
    eq(register(fd, at, 4 * PAGE, MISSING | WP)[0], 0)
    eq(copy(fd, at + PAGE, filled(69), PAGE, WP), (0, PAGE))

    def child():
        eq((load(at), load(at + PAGE)), (70, 69))
        store(at + PAGE, 71)
        eq(load(at + PAGE), 71)
    child_ok(child)
    eq(os.waitpid(reader, 0)[1], 0)
    eq(load(at + PAGE), 69)


@test
def fork_events_need_a_capability():
    need_root()

    def child():
        os.setuid(1000)
        fd = works(NR.userfaultfd, USER_ONLY)
        eq(api(fd, EVENT_FORK), (-EPERM, (0, 0, 0)))
        eq(api(fd, EVENT_FORK | 1 << 40), (-EPERM, (0, 0, 0)))
        eq(api(fd, EVENT_FORK, 0xAB), (-EINVAL, (0, 0, 0)))
        eq(api(fd, EVENT_REMAP)[0], 0)
    child_ok(child)


@test
def the_end_of_the_descriptor_ends_waits_for_readers():
    fd, at = new(EVENT_UNMAP), memory(2)
    eq(register(fd, at, 2 * PAGE)[0], 0)
    t = Runs(works, NR.munmap, at, PAGE)
    ok(t.waits(), "for the reader")
    os.close(fd)
    eq(t.end(), 0)


@test
def a_process_that_waits_for_a_reader_can_be_killed():
    ready = Pipe()

    def child():
        fd, at = new(EVENT_UNMAP), memory(2)
        register(fd, at, 2 * PAGE)
        ready.post()
        works(NR.munmap, at, PAGE)
    pid = spawn(child)
    ready.take()
    wait_state(pid, "SD")
    os.kill(pid, signal.SIGKILL)
    eq(os.waitpid(pid, 0)[1], signal.SIGKILL)


@test
def a_child_whose_fork_event_is_unread_has_no_handler():
    need_root()
    fd, at = new(EVENT_FORK), memory(2)
    closed = Pipe()
    reader = spawn(lambda: (closed.take(), wait_state(os.getppid(), "SD"), os._exit(0)))
    eq(register(fd, at, 2 * PAGE)[0], 0)
    # The reader has the only descriptor and ends without a read.
    os.close(fd)
    closed.post()
    child_ok(lambda: eq(load(at), 0))
    os.waitpid(reader, 0)


run()
