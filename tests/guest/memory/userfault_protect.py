"""userfaultfd(2): write protection of shared memory and of missing pages, and without a handler
(WP_ASYNC).
"""

import os
import struct
from errno import *
from lib.guest import *
from lib.userfault import *

needs_root(
    "writes_to_shared_memory_memfd", "writes_to_shared_memory_anonymous",
    "shared_pages_are_filled_protected", "pages_of_the_file_are_shown_protected",
    "missing_pages_are_protected",
    "without_the_feature_missing_pages_are_not_protected", "protection_that_ends_by_itself",
)

SHARED_ANON, DONTNEED = 0x21, 4
WP_SHMEM, UNPOPULATED, WP_ASYNC = 0x1000, 0x2000, 0x8000


def shared(kind, pages=8):
    """Maps shared memory twice. Returns both addresses."""
    if kind == "anonymous":
        at = memory(pages, SHARED_ANON)
        return at, works(NR.mremap, at, 0, pages * PAGE, 1)
    mem = os.memfd_create("x")
    os.ftruncate(mem, pages * PAGE)
    return memory(pages, 1, mem), memory(pages, 1, mem)


def store_waits(fd, at, value):
    """Checks that a store faults and waits until the handler ends the protection."""
    page = at // PAGE * PAGE
    t = Runs(store, at, value)
    eq(message(fd), (3, page, 0))
    ok(t.waits(), "protected")
    eq(protect(fd, page, PAGE, False), 0)
    t.end()
    eq(load(at), value)


@cases([("memfd", "memfd"), ("anonymous", "anonymous")])
def writes_to_shared_memory(kind):
    fd = new(WP_SHMEM)
    at, other = shared(kind)
    r, words = register(fd, at, 8 * PAGE, WP)
    eq((r, words[3] & 0x40), (0, 0x40))
    store(at, 1)
    store(other + PAGE, 2)
    eq(protect(fd, at, 4 * PAGE), 0)
    # A mapped page, a page that only the file has, and pages that do not exist.
    eq((load(at), load(at + PAGE), load(at + 2 * PAGE)), (1, 2, 0))
    store_waits(fd, at + 1, 11)
    store_waits(fd, at + PAGE + 1, 12)
    store_waits(fd, at + 2 * PAGE + 1, 13)
    store_waits(fd, at + 3 * PAGE + 1, 14)
    # Another mapping is not protected.
    eq(protect(fd, at), 0)
    store(other, 21)
    eq(load(at), 21)
    store(at + 5 * PAGE, 3)
    # A system call writes.
    r, w = os.pipe()
    os.write(w, b"zz")
    t = Runs(sc, NR.read, r, at, 2)
    eq(message(fd), (3, at, 0))
    eq(protect(fd, at, PAGE, False), 0)
    eq(t.end(), 2)
    eq(load(other), ord("z"))
    # A child is not protected.
    eq(protect(fd, at, 8 * PAGE), 0)
    child_ok(lambda: (store(at, 31), store(at + 6 * PAGE, 32)))
    eq((load(at), load(other + 6 * PAGE)), (31, 32))
    store_waits(fd, at, 33)
    eq(on_range(fd, UNREGISTER, at, 8 * PAGE), 0)
    for i in range(8):
        store(at + i * PAGE, 40 + i)
    eq(load(other + 7 * PAGE), 47)


@test
def shared_pages_are_filled_protected():
    fd = new()
    at, other = shared("memfd")
    eq(register(fd, at, 8 * PAGE, MISSING | WP)[0], 0)
    eq(copy(fd, at, filled(5), PAGE, WP), (0, PAGE))
    store_waits(fd, at + 9, 6)
    eq(load(other), 5)
    # The fault for a missing page comes before the fault for protection.
    eq(protect(fd, at + PAGE), 0)
    t = Runs(store, at + PAGE, 7)
    eq(message(fd), (1, at + PAGE, 0))
    eq(copy(fd, at + PAGE, filled(8), PAGE, WP), (0, PAGE))
    eq(message(fd), (3, at + PAGE, 0))
    eq(protect(fd, at + PAGE, PAGE, False), 0)
    t.end()
    # The protection stays when MADV_DONTNEED drops the page.
    eq(protect(fd, at), 0)
    works(NR.madvise, at, PAGE, DONTNEED)
    store_waits(fd, at, 9)


@test
def pages_of_the_file_are_shown_protected():
    fd = new()
    at, other = shared("memfd")
    eq(register(fd, at, 8 * PAGE, MINOR | WP)[0], 0)
    store(other, 44)
    t = Runs(load, at)
    eq(message(fd), (4, at, 0))
    eq(go_on(fd, at, PAGE, 2), (0, PAGE))
    eq(t.end(), 44)
    store_waits(fd, at, 45)
    second, _ = shared("memfd")
    eq(register(fd, second, PAGE, MINOR)[0], 0)
    eq(go_on(fd, second, PAGE, 2), (-EINVAL, -EINVAL))


@test
def missing_pages_are_protected():
    fd, at = new(UNPOPULATED), memory(16)
    store(at + PAGE, 1)
    eq(register(fd, at, 16 * PAGE, WP)[0], 0)
    eq(protect(fd, at, 8 * PAGE), 0)
    store_waits(fd, at, 2)
    store_waits(fd, at + PAGE, 3)
    eq(load(at + 2 * PAGE), 0)
    store_waits(fd, at + 2 * PAGE, 4)
    # No fault where the protection was removed, dropped with the page, or never set.
    eq(protect(fd, at + 3 * PAGE, PAGE, False), 0)
    works(NR.madvise, at + 4 * PAGE, PAGE, DONTNEED)
    for i in (3, 4, 8, 9):
        store(at + i * PAGE, 5)
    eq(zero(fd, at + 5 * PAGE), (-EEXIST, -EEXIST))
    eq(copy(fd, at + 5 * PAGE, filled(6)), (0, PAGE))
    store(at + 5 * PAGE, 7)
    moved = works(NR.mremap, at + 6 * PAGE, PAGE, PAGE, 3, memory(1))
    store(moved, 8)
    child_ok(lambda: store(at + 7 * PAGE, 9))
    store_waits(fd, at + 7 * PAGE, 10)


@test
def without_the_feature_missing_pages_are_not_protected():
    fd, at = new(), memory(4)
    eq(register(fd, at, 4 * PAGE, WP)[0], 0)
    eq(protect(fd, at, 4 * PAGE), 0)
    store(at, 1)
    eq(load(at), 1)


@test
def protection_that_ends_by_itself():
    fd = new(WP_ASYNC)
    mine, (other, _) = memory(8), shared("memfd")
    for at in (mine, other):
        store(at, 1)
        eq(register(fd, at, 8 * PAGE, WP)[0], 0)
        eq(protect(fd, at, 8 * PAGE), 0)
        store(at, 2)
        store(at + PAGE, 3)
        r, w = os.pipe()
        os.write(w, b"x")
        gives(1, NR.read, r, at + 2 * PAGE, 1)
        eq([load(at + i * PAGE) for i in range(4)], [2, 3, ord("x"), 0])
        ok(is_quiet(fd), "no fault reaches the handler")
        with open("/proc/self/pagemap", "rb") as f:
            f.seek(at // PAGE * 8)
            entries = struct.unpack("=5Q", f.read(40))
        eq([e >> 57 & 1 for e in entries], [0, 0, 0, 1, 1])


run()
