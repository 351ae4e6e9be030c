"""Address spaces: mmap of every kind, mremap, mprotect, madvise, brk, copy on write, limits."""

import ctypes
import os
import resource
import signal
import struct
from errno import *
from lib.guest import *
from lib.native import code

R, W, X = 1, 2, 4
SHARED, PRIVATE, FIXED, ANON, NORESERVE, POPULATE, NOREPLACE, GROWSDOWN = (
    1, 2, 0x10, 0x20, 0x4000, 0x8000, 0x100000, 0x100)
PAGE = 4096


def anon(pages=1, prot=R | W, flags=PRIVATE, at=0):
    return works(NR.mmap, at, pages * PAGE, prot, flags | ANON, -1, 0)


def put(at, data):
    ctypes.memmove(at, data, len(data))


def get(at, n):
    return ctypes.string_at(at, n)


def faults(at, write=False):
    """Returns the signal that an access raises in a child, or 0."""
    def child():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.memset(at, 1, 1) if write else ctypes.string_at(at, 1)
    return in_child(child) & 0x7F


def maps():
    """Returns (start, end, perms, offset, path) of each line of /proc/self/maps."""
    out = []
    for line in open("/proc/self/maps"):
        parts = line.split(None, 5)
        start, end = (int(x, 16) for x in parts[0].split("-"))
        out.append((start, end, parts[1], int(parts[2], 16),
                    parts[5].strip() if len(parts) > 5 else ""))
    return out


def perms_of(at):
    for start, end, perms, _, _ in maps():
        if start <= at < end:
            return perms
    return None


@test
def mmap_errors():
    gives(-EINVAL, NR.mmap, 0, 0, R, PRIVATE | ANON, -1, 0)
    gives(-EINVAL, NR.mmap, 0, PAGE, R, ANON, -1, 0)
    gives(-EINVAL, NR.mmap, 1, PAGE, R, PRIVATE | ANON | FIXED, -1, 0)
    gives(-EINVAL, NR.mmap, 0, PAGE, R, PRIVATE, 0, 1)
    gives(-EBADF, NR.mmap, 0, PAGE, R, PRIVATE, 999, 0)
    gives(-ENOMEM, NR.mmap, 0, 1 << 62, R, PRIVATE | ANON, -1, 0)
    gives(-ENOMEM, NR.mmap, 0, 2**64 - 1, R, PRIVATE | ANON, -1, 0)
    r, w = os.pipe()
    gives(-ENODEV, NR.mmap, 0, PAGE, R, SHARED, r, 0)
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x" * PAGE)
    ro = os.open("f", os.O_RDONLY)
    wo = os.open("f", os.O_WRONLY)
    gives(-EACCES, NR.mmap, 0, PAGE, R | W, SHARED, ro, 0)
    gives(-EACCES, NR.mmap, 0, PAGE, R, PRIVATE, wo, 0)
    works(NR.mmap, 0, PAGE, R | W, PRIVATE, ro, 0)
    gives(-ENODEV, NR.mmap, 0, PAGE, R, SHARED, os.open(".", os.O_RDONLY), 0)
    gives(-EINVAL, NR.munmap, 1, PAGE)
    gives(-EINVAL, NR.munmap, 0, 0)
    at = works(NR.mmap, 0, PAGE, R, SHARED, ro, 0)
    gives(-EACCES, NR.mprotect, at, PAGE, R | W)


@test
def anonymous_memory_is_zero_and_private():
    at = anon(100)
    eq(get(at, 100 * PAGE), b"\0" * (100 * PAGE))
    put(at, b"parent")
    child_ok(lambda: (eq(get(at, 6), b"parent"), put(at, b"child!"), eq(get(at, 6), b"child!"))[0])
    eq(get(at, 6), b"parent")


@test
def shared_memory_is_shared():
    at = anon(3, R | W, SHARED)
    put(at, b"one")
    child_ok(lambda: (eq(get(at, 3), b"one"), put(at + PAGE, b"two"))[0])
    eq(get(at + PAGE, 3), b"two")
    # A page that was not present before the fork is shared too.
    child_ok(lambda: put(at + 2 * PAGE, b"three"))
    eq(get(at + 2 * PAGE, 5), b"three")


@test
def fork_copies_pages_that_are_written_later():
    n = 200
    at = anon(n)
    for i in range(n):
        put(at + i * PAGE, b"%06d" % i)
    p, q = Pipe(), Pipe()

    def child():
        p.take()
        for i in range(n):
            eq(get(at + i * PAGE, 6), b"%06d" % i)
        for i in range(0, n, 3):
            put(at + i * PAGE, b"child!")
        q.post()
        p.take()
        for i in range(n):
            eq(get(at + i * PAGE, 6), b"child!" if i % 3 == 0 else b"%06d" % i)
    pid = spawn(child)
    for i in range(0, n, 2):
        put(at + i * PAGE, b"PARENT")
    p.post()
    q.take()
    for i in range(n):
        eq(get(at + i * PAGE, 6), b"PARENT" if i % 2 == 0 else b"%06d" % i)
    p.post()
    eq(os.waitpid(pid, 0)[1], 0)


@test
def grandchildren_share_and_copy():
    at = anon(10)
    put(at, b"zero")

    def child():
        put(at, b"one!")

        def grandchild():
            eq(get(at, 4), b"one!")
            put(at, b"two!")
        child_ok(grandchild)
        eq(get(at, 4), b"one!")
    child_ok(child)
    eq(get(at, 4), b"zero")


@test
def private_file_mappings():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"A" * PAGE + b"B" * PAGE)
    at = works(NR.mmap, 0, 2 * PAGE, R | W, PRIVATE, fd, 0)
    put(at, b"mine")
    eq(os.pread(fd, 4, 0), b"AAAA")
    eq(get(at, 5), b"mineA")
    second = works(NR.mmap, 0, PAGE, R, PRIVATE, fd, PAGE)
    eq(get(second, 3), b"BBB")


@test
def shared_file_mappings():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, 3 * PAGE)
    at = works(NR.mmap, 0, 3 * PAGE, R | W, SHARED, fd, 0)
    put(at + PAGE + 5, b"through the mapping")
    eq(os.pread(fd, 19, PAGE + 5), b"through the mapping")
    os.pwrite(fd, b"through the file", 100)
    eq(get(at + 100, 16), b"through the file")
    gives(0, NR.msync, at, 3 * PAGE, 4)
    other = works(NR.mmap, 0, PAGE, R | W, SHARED, fd, PAGE)
    eq(get(other + 5, 7), b"through")
    put(other, b"!")
    eq(get(at + PAGE, 1), b"!")
    child_ok(lambda: put(at, b"child"))
    eq(os.pread(fd, 5, 0), b"child")
    os.close(fd)
    os.unlink("f")
    eq(get(at, 5), b"child")


@test
def file_growth_shows_in_a_mapping():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"x")
    at = works(NR.mmap, 0, 4 * PAGE, R | W, SHARED, fd, 0)
    os.pwrite(fd, b"grown", 2 * PAGE)
    eq(get(at + 2 * PAGE, 5), b"grown")
    eq(get(at + PAGE, 5), b"\0" * 5)


@test
def fixed_replaces_and_noreplace_does_not():
    at = anon(3)
    put(at, b"a" * 3 * PAGE)
    eq(anon(1, R | W, PRIVATE | FIXED, at + PAGE), at + PAGE)
    eq((get(at, 1), get(at + PAGE, 1), get(at + 2 * PAGE, 1)), (b"a", b"\0", b"a"))
    gives(-EEXIST, NR.mmap, at, PAGE, R, PRIVATE | ANON | NOREPLACE, -1, 0)
    works(NR.munmap, at + PAGE, PAGE)
    gives(at + PAGE, NR.mmap, at + PAGE, PAGE, R, PRIVATE | ANON | NOREPLACE, -1, 0)
    works(NR.munmap, at, 3 * PAGE)
    eq(anon(1, R, PRIVATE, at), at, "a free hint is taken")


@test
def unmapping_a_part():
    at = anon(5)
    put(at, b"z" * 5 * PAGE)
    works(NR.munmap, at + PAGE, PAGE)
    works(NR.munmap, at + 3 * PAGE, PAGE)
    eq([faults(at + i * PAGE) for i in range(5)], [0, 11, 0, 11, 0])
    works(NR.munmap, at, 5 * PAGE)
    eq(faults(at), 11)


@test
def protections():
    at = anon(6)
    works(NR.munmap, at + 4 * PAGE, PAGE)
    put(at, b"p" * 4 * PAGE)
    gives(0, NR.mprotect, at + PAGE, PAGE, R)
    gives(0, NR.mprotect, at + 2 * PAGE, PAGE, 0)
    eq([faults(at + i * PAGE) for i in range(4)], [0, 0, 11, 0])
    eq([faults(at + i * PAGE, True) for i in range(4)], [0, 11, 11, 0])
    gives(0, NR.mprotect, at + 2 * PAGE, PAGE, R | W)
    eq(get(at + 2 * PAGE, 1), b"p")
    gives(-ENOMEM, NR.mprotect, at + 3 * PAGE, 3 * PAGE, R)
    gives(-EINVAL, NR.mprotect, at + 1, PAGE, R)
    gives(0, NR.mprotect, at, 0, R)
    gives(-EINVAL, NR.mprotect, at, PAGE, 0x100)
    works(NR.mprotect, at, 2 * PAGE, R | W)
    eq(perms_of(at), "rw-p")


@test
def protect_after_fork():
    at = anon(2)
    put(at, b"x" * 2 * PAGE)

    def child():
        works(NR.mprotect, at, PAGE, R)
        eq(faults(at, True), 11)
        works(NR.mprotect, at, PAGE, R | W)
        put(at, b"child")
    child_ok(child)
    put(at, b"p")
    eq(get(at, 2), b"px")


@test
def remap_grows_moves_and_shrinks():
    at = anon(4)
    put(at, b"0123" + b"\0" * (4 * PAGE - 8) + b"last")
    gives(-ENOMEM, NR.mremap, anon_between(at), 4 * PAGE, 40 * PAGE, 0, 0)
    moved = works(NR.mremap, at, 4 * PAGE, 100 * PAGE, 1, 0)
    eq(get(moved, 4), b"0123")
    eq(get(moved + 4 * PAGE - 4, 8), b"last\0\0\0\0")
    eq(get(moved + 99 * PAGE, 4), b"\0" * 4)
    eq(works(NR.mremap, moved, 100 * PAGE, PAGE, 0, 0), moved)
    eq(faults(moved + PAGE), 11)
    target = anon(8)
    eq(works(NR.mremap, moved, PAGE, 2 * PAGE, 3, target + 2 * PAGE), target + 2 * PAGE)
    eq(get(target + 2 * PAGE, 4), b"0123")
    eq(faults(moved), 11)
    gives(-EFAULT, NR.mremap, moved, PAGE, 2 * PAGE, 1, 0)
    gives(-EINVAL, NR.mremap, target, PAGE, 0, 1, 0)
    gives(-EINVAL, NR.mremap, target, PAGE, PAGE, 2, target)
    gives(-EINVAL, NR.mremap, target + 1, PAGE, PAGE, 1, 0)


def anon_between(at):
    """Makes a mapping of four pages that cannot grow, because another mapping follows it."""
    block = anon(8)
    works(NR.mprotect, block + 4 * PAGE, 4 * PAGE, R)
    return block


@test
def remap_of_shared_and_file_memory():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(fd, 8 * PAGE)
    os.pwrite(fd, b"page five", 5 * PAGE)
    at = works(NR.mmap, 0, PAGE, R | W, SHARED, fd, 0)
    at = works(NR.mremap, at, PAGE, 8 * PAGE, 1, 0)
    eq(get(at + 5 * PAGE, 9), b"page five")
    put(at, b"zero")
    eq(os.pread(fd, 4, 0), b"zero")
    shared = anon(2, R | W, SHARED)
    put(shared, b"twin")
    twin = works(NR.mremap, shared, 0, 2 * PAGE, 1, 0)
    put(twin, b"TWIN")
    eq(get(shared, 4), b"TWIN")


@test
def madvise_forms():
    at = anon(4)
    put(at, b"d" * 4 * PAGE)
    gives(0, NR.madvise, at + PAGE, PAGE, 4)
    eq((get(at, 1), get(at + PAGE, 1), get(at + 2 * PAGE, 1)), (b"d", b"\0", b"d"))
    for advice in (0, 1, 2, 3, 8, 10, 11, 14, 15, 16, 17):
        r = sc(NR.madvise, at, 4 * PAGE, advice)
        ok(r in (0, -EINVAL) and (advice > 4 or r == 0), "advice %d: %s" % (advice, name_of(r)))
    gives(-EINVAL, NR.madvise, at + 1, PAGE, 4)
    gives(-EINVAL, NR.madvise, at, PAGE, 9999)
    works(NR.munmap, at + PAGE, PAGE)
    gives(-ENOMEM, NR.madvise, at, 3 * PAGE, 4)
    eq(get(at + 2 * PAGE, 1), b"\0")
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"F" * PAGE)
    m = works(NR.mmap, 0, PAGE, R | W, PRIVATE, fd, 0)
    put(m, b"x")
    gives(0, NR.madvise, m, PAGE, 4)
    eq(get(m, 1), b"F")
    s = anon(1, R | W, SHARED)
    put(s, b"keep")
    gives(0, NR.madvise, s, PAGE, 4)
    eq(get(s, 4), b"keep")
    r = sc(NR.madvise, s, PAGE, 9)
    ok(r == 0 and get(s, 4) == b"\0" * 4, "MADV_REMOVE empties shared memory: %s" % name_of(r))


@test
def dont_fork_and_wipe_on_fork():
    at = anon(2)
    put(at, b"a" * 2 * PAGE)
    gives(0, NR.madvise, at, PAGE, 10)
    gives(0, NR.madvise, at + PAGE, PAGE, 18)

    def child():
        eq(get(at + PAGE, 1), b"\0")
        eq(faults(at), 11)
    child_ok(child)
    eq(get(at, 1), b"a")
    gives(0, NR.madvise, at, PAGE, 11)
    eq(faults(at), 0)


@test
def a_terabyte_is_mapped_without_being_touched():
    at = works(NR.mmap, 0, 1 << 40, 0, PRIVATE | ANON | NORESERVE, -1, 0)
    gives(0, NR.mprotect, at + (1 << 39), 1 << 20, R | W)
    put(at + (1 << 39) + 5000, b"far")
    eq(get(at + (1 << 39) + 5000, 3), b"far")
    eq(faults(at), 11)
    start = time.monotonic()
    gives(0, NR.munmap, at, 1 << 40)
    ok(time.monotonic() - start < 1, "unmapping it is quick")


@test
def sparse_touching_of_much_memory():
    n = 1 << 30
    at = works(NR.mmap, 0, n, R | W, PRIVATE | ANON | NORESERVE, -1, 0)
    for i in range(0, n, 16 << 20):
        put(at + i, struct.pack("<q", i))
    for i in range(0, n, 16 << 20):
        eq(struct.unpack("<q", get(at + i, 8))[0], i)


@test
def program_break():
    start = sc(NR.brk, 0)
    eq(sc(NR.brk, start + 10 * PAGE), start + 10 * PAGE)
    put(start + 9 * PAGE, b"heap")
    eq(sc(NR.brk, start + 2 * PAGE), start + 2 * PAGE)
    eq(sc(NR.brk, start + 10 * PAGE), start + 10 * PAGE)
    eq(get(start + 9 * PAGE, 4), b"\0" * 4)
    eq(sc(NR.brk, 4096), start + 10 * PAGE)
    eq(sc(NR.brk, start), start)


@test
def mincore_and_locks():
    at = anon(4)
    put(at, b"x")
    vec = ctypes.create_string_buffer(4)
    gives(0, NR.mincore, at, 4 * PAGE, vec)
    eq(vec.raw[0] & 1, 1)
    gives(-EINVAL, NR.mincore, at + 1, PAGE, vec)
    gives(-EFAULT, NR.mincore, at, PAGE, 1)
    works(NR.munmap, at + 2 * PAGE, PAGE)
    gives(-ENOMEM, NR.mincore, at, 4 * PAGE, vec)
    gives(0, NR.mlock, at, PAGE)
    gives(0, NR.munlock, at, PAGE)
    gives(-ENOMEM, NR.mlock, at, 4 * PAGE)
    gives(-EINVAL, NR.msync, at, PAGE, 5)
    gives(-ENOMEM, NR.msync, at, 4 * PAGE, 4)


@test
def address_space_limit():
    def child():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        gives(-ENOMEM, NR.mmap, 0, 1 << 30, R, PRIVATE | ANON, -1, 0)
        works(NR.mmap, 0, 1 << 20, R, PRIVATE | ANON, -1, 0)
    child_ok(child)


@test
def maps_are_merged_and_named():
    at = anon(6, R)
    works(NR.mprotect, at + 2 * PAGE, PAGE, R | W)
    inside = [m for m in maps() if at <= m[0] < at + 6 * PAGE]
    ok(len(inside) >= 2, "split in /proc/self/maps: %r" % inside)
    eq(perms_of(at + 2 * PAGE), "rw-p")
    names = [m[4] for m in maps()]
    ok("[stack]" in names and "[heap]" in names, "stack and heap have names")
    ok(any(n.endswith("python3") or "python3." in n for n in names), "the executable has its path")


@test
def self_modifying_code():
    at = anon(1, R | W | X)
    put(at, bytes.fromhex("b801000000c3"))
    fn = ctypes.CFUNCTYPE(ctypes.c_int)(at)
    for i in range(50):
        put(at + 1, struct.pack("<i", i))
        eq(fn(), i)


@test
def code_written_then_made_executable():
    for i in range(20):
        fn, at = code("b8" + struct.pack("<i", i * 3).hex() + "c3")
        eq(fn(), i * 3)
        works(NR.munmap, at, PAGE)


@test
def code_from_a_file():
    # A file with a mapping to write and one to execute, as JIT compilers have.
    fd = works(NR.memfd_create, b"jit", 0)
    os.ftruncate(fd, PAGE)
    w = works(NR.mmap, 0, PAGE, R | W, SHARED, fd, 0)
    x = works(NR.mmap, 0, PAGE, R | X, SHARED, fd, 0)
    fn = ctypes.CFUNCTYPE(ctypes.c_int)(x)
    for i in range(20):
        put(w, bytes.fromhex("b8") + struct.pack("<i", i) + b"\xc3")
        eq(fn(), i)


@test
def system_call_code_in_a_writable_page():
    # mov eax, 39; syscall; ret: over and over, also after it changes into another call.
    at = anon(1, R | W | X)
    fn = ctypes.CFUNCTYPE(ctypes.c_long)(at)
    put(at, bytes.fromhex("b827000000 0f05 c3"))
    for _ in range(2000):
        eq(fn(), os.getpid())
    put(at, bytes.fromhex("b86e000000 0f05 c3"))
    for _ in range(2000):
        eq(fn(), os.getppid())
    eq(get(at, 8), bytes.fromhex("b86e000000 0f05 c3"))


@test
def syscall_instruction_as_data():
    # Bytes of a system call that was made many times still read as they were written.
    fn, at = code("b827000000 0f05 c3")
    for _ in range(5000):
        fn()
    eq(get(at, 8), bytes.fromhex("b827000000 0f05 c3"))
    # A jump to the syscall instruction itself, with another number in eax.
    jump, _ = code("b86e000000 49bb" + struct.pack("<Q", at + 5).hex() + "41ffe3")
    eq(jump(), os.getppid())


@test
def process_vm_calls():
    at = anon(1)
    put(at, b"secret of the child")
    go, done = Pipe(), Pipe()

    def child():
        put(at, b"what the child has")
        go.post()
        done.take()
        eq(get(at, 5), b"HELLO")
    pid = spawn(child)
    go.take()
    buf = ctypes.create_string_buffer(18)
    local = (ctypes.c_uint64 * 2)(ctypes.addressof(buf), 18)
    remote = (ctypes.c_uint64 * 2)(at, 18)
    gives(18, NR.process_vm_readv, pid, local, 1, remote, 1, 0)
    eq(buf.raw, b"what the child has")
    buf.raw = b"HELLO".ljust(18)
    local[1] = remote[1] = 5
    gives(5, NR.process_vm_writev, pid, local, 1, remote, 1, 0)
    done.post()
    eq(os.waitpid(pid, 0)[1], 0)
    gives(-ESRCH, NR.process_vm_readv, 999999, local, 1, remote, 1, 0)
    gives(-EINVAL, NR.process_vm_readv, os.getpid(), local, 1, remote, 1, 1)
    remote[0] = 8
    gives(-EFAULT, NR.process_vm_readv, os.getpid(), local, 1, remote, 1, 0)


@test
def many_mappings():
    at = anon(2000, 0)
    for i in range(0, 2000, 2):
        works(NR.mprotect, at + i * PAGE, PAGE, R | W)
        put(at + i * PAGE, b"m")
    child_ok(lambda: [eq(get(at + i * PAGE, 1), b"m") for i in range(0, 2000, 50)] and 0)
    gives(0, NR.munmap, at, 2000 * PAGE)


@test
def code_that_makes_calls_can_be_copied():
    getppid = ctypes.CDLL(None).getppid
    for _ in range(100):
        getppid()
    at = ctypes.cast(getppid, ctypes.c_void_p).value
    start, _, _, offset, path = next(m for m in maps() if m[0] <= at < m[1])
    with open(path, "rb") as library:
        library.seek(offset)
        code = library.read(at - start + 100000)
    fd = works(NR.memfd_create, b"code", 0)
    for first in (at - at % PAGE, at - at % PAGE + 100, at):
        for length in (PAGE, 2 * PAGE, 40000):
            gives(length, NR.pwrite64, fd, first, length, 0)
            eq(os.pread(fd, length, 0), code[first - start:first - start + length])
            with open("/proc/self/mem", "rb", 0) as memory:
                memory.seek(first)
                eq(memory.read(length), code[first - start:first - start + length])


run()
