"""Flags and advice of calls on memory, one by one: each acts, by an expression whose value Linux
gave.
"""

import ctypes
import os
import struct
from errno import *
from lib.guest import *

needs_root(
    "locks_all_MCL_CURRENT", "attaches_SHM_EXEC", "advises_others_*",
)

PAGE = 4096
RW, ANON = 3, 0x22
SYS.update(process_madvise=440, process_mrelease=448, shmget=29, shmat=30, shmctl=31, shmdt=67)


def pages(n=4, prot=RW, flags=ANON, at=0):
    return works(NR.mmap, at, n * PAGE, prot, flags, -1, 0)


def filled(n=4, flags=ANON):
    at = pages(n, flags=flags)
    ctypes.memset(at, 7, n * PAGE)
    return at


def byte(at):
    return ctypes.c_uint8.from_address(at).value


def mapped(flags, fd=-1, prot=RW, length=PAGE):
    r = sc(NR.mmap, 0, length, prot, flags, fd, 0)
    return min(r, 0)


def file_pages(n=4):
    f = os.open("m", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(f, b"a" * n * PAGE)
    return f


def line_of(at, what):
    found = False
    with open("/proc/self/smaps") as f:
        for line in f:
            if "-" in line.split()[0] and not line.split()[0].endswith(":"):
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                found = low <= at < high
            elif found and line.startswith(what + ":"):
                return line.split(":")[1].split()
    return None


def has_flag(at, flag):
    return flag in line_of(at, "VmFlags")


def advised(advice, n=4, flags=ANON):
    at = filled(n, flags)
    return sc(NR.madvise, at, n * PAGE, advice), byte(at)


def after_fork(advice, undo):
    at = filled()
    r, w = os.pipe()
    out = [sc(NR.madvise, at, PAGE, advice), sc(NR.madvise, at, PAGE, undo) if undo else 0]

    def child():
        vec = ctypes.create_string_buffer(4)
        os.write(w, struct.pack("ii", sc(NR.mincore, at, PAGE, vec),
                                byte(at) if sc(NR.mincore, at, PAGE, vec) == 0 else -1))
    child_ok(child)
    return out + list(struct.unpack("ii", os.read(r, 8)))


def killed_by(fn):
    status = in_child(fn)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def touch(at):
    ctypes.memset(at, 1, 1)


def remapped(flags, old=2, new=4, to=0):
    at = filled(8)
    works(NR.munmap, at + old * PAGE, (8 - old) * PAGE)
    place = pages(16) if to else 0
    r = sc(NR.mremap, at, old * PAGE, new * PAGE, flags, place)
    if r < 0:
        return r
    vec = ctypes.create_string_buffer(16)
    return byte(r), r == at if not to else r == place, sc(NR.mincore, at, PAGE, vec)


def locked(nr, *args):
    at = filled()
    r = sc(nr, at, PAGE, *args)
    return r, has_flag(at, "lo") if r == 0 else None


def shm(flags, size=PAGE, key=0):
    i = sc(29, key, size, flags)
    if i < 0:
        return i
    r = sc(31, i, 0, 0)
    return r


def attached(flags, at=0, op=None):
    i = works(29, 0, PAGE, 0o1600)
    r = sc(30, i, at, flags)
    out = r if r < 0 else op(r) if op else 0
    sc(31, i, 0, 0)
    return out


def barrier(cmd, flags=0, cpu=0):
    return sc(NR.membarrier, cmd, flags, cpu)


def advised_by_pidfd(advice):
    at = filled()
    iov = struct.pack("QQ", at, PAGE)
    return sc(440, works(NR.pidfd_open, os.getpid(), 0), iov, 1, advice, 0)


@cases([
    ("PROT_NONE", lambda: killed_by(lambda: touch(pages(1, 0))), 11),
    ("PROT_READ", lambda: (byte(pages(1, 1)), killed_by(lambda: touch(pages(1, 1)))), (0, 11)),
    ("PROT_WRITE", lambda: (touch(pages(1, 2)), killed_by(lambda: touch(pages(1, 2)))), (None, 0)),
    ("PROT_EXEC", lambda: min(pages(1, 5), 0), 0),
    ("PROT_GROWSDOWN", lambda: mapped(0x22, prot=0x01000003), 0),
    ("PROT_GROWSUP", lambda: mapped(0x22, prot=0x02000003), 0),
    ("PROT_SEM", lambda: mapped(0x22, prot=0xB), 0),
])
def protections(call, expected):
    eq(call(), expected)


@cases([
    ("PROT_NONE",
     lambda: (lambda at: (sc(NR.mprotect, at, PAGE, 0), killed_by(lambda: touch(at))))(pages()),
     (0, 11)),
    ("PROT_READ",
     lambda: (lambda at: (sc(NR.mprotect, at, PAGE, 1), killed_by(lambda: touch(at)), byte(at)))(pages()),
     (0, 11, 0)),
    ("PROT_WRITE",
     lambda: (lambda at: (sc(NR.mprotect, at, PAGE, 2), touch(at)))(pages(1, 0)),
     (0, None)),
    ("PROT_EXEC", lambda: sc(NR.mprotect, pages(), PAGE, 4), 0),
    ("PROT_GROWSDOWN",
     lambda: (sc(NR.mprotect, pages(), PAGE, 0x01000003), sc(NR.mprotect, pages(4, RW, ANON | 0x100), PAGE, 0x01000001)),
     (-EINVAL, 0)),
    ("PROT_GROWSUP",
     lambda: (sc(NR.mprotect, pages(), PAGE, 0x02000003), sc(NR.mprotect, pages(), PAGE, 0x03000003)),
     (-EINVAL, -EINVAL)),
    ("PROT_SEM", lambda: sc(NR.mprotect, pages(), PAGE, 8), 0),
])
def protects(call, expected):
    eq(call(), expected)


@cases([
    ("MAP_SHARED", lambda: (mapped(0x21), mapped(1, file_pages())), (0, 0)),
    ("MAP_PRIVATE", lambda: (mapped(0x22), mapped(2, file_pages())), (0, 0)),
    ("MAP_SHARED_VALIDATE",
     lambda: (mapped(0x23), mapped(3, file_pages()), mapped(0x80003, file_pages())),
     (-EINVAL, 0, -ENOTSUP)),
    ("MAP_ANONYMOUS", lambda: (mapped(0x22), mapped(0x20), mapped(0x22, 99)), (0, -EINVAL, 0)),
    ("MAP_FIXED",
     lambda: (lambda at: (works(NR.mmap, at, PAGE, RW, ANON | 0x10, -1, 0) == at, byte(at), byte(at + PAGE)))(filled()),
     (True, 0, 7)),
    ("MAP_FIXED_NOREPLACE", lambda: sc(NR.mmap, filled(), PAGE, RW, ANON | 0x100000, -1, 0), -EEXIST),
    ("MAP_GROWSDOWN", lambda: has_flag(pages(4, RW, ANON | 0x100), "gd"), True),
    ("MAP_32BIT", lambda: pages(1, RW, ANON | 0x40) < 1 << 32, True),
    ("MAP_LOCKED", lambda: has_flag(pages(4, RW, ANON | 0x2000), "lo"), True),
    ("MAP_NORESERVE", lambda: has_flag(pages(4, RW, ANON | 0x4000), "nr"), True),
    ("MAP_POPULATE", lambda: mapped(0x8022), 0),
    ("MAP_NONBLOCK", lambda: mapped(0x18022), 0),
    ("MAP_STACK", lambda: mapped(0x20022), 0),
    ("MAP_DENYWRITE", lambda: (mapped(0x802, file_pages()), os.write(os.open("m", 1), b"x")), (0, 1)),
    ("MAP_EXECUTABLE", lambda: mapped(0x1022), 0),
    ("MAP_UNINITIALIZED", lambda: (mapped(0x4000022), byte(pages(1, RW, 0x4000022))), (0, 0)),
    ("MAP_SYNC", lambda: mapped(0x80003, file_pages()), -ENOTSUP),
    ("MAP_DROPPABLE", lambda: mapped(0x28), 0),
])
def maps(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: (remapped(0, 4, 2), ), ((7, True, 0),)),
    ("MREMAP_MAYMOVE", lambda: remapped(1, 2, 64), (7, False, -ENOMEM)),
    ("MREMAP_FIXED",
     lambda: (remapped(3, 2, 4, True), remapped(2, 2, 4, True)),
     ((7, True, -ENOMEM), -EINVAL)),
    ("MREMAP_DONTUNMAP",
     lambda: (remapped(5, 2, 2), remapped(5, 2, 4), remapped(4, 2, 2)),
     ((7, False, 0), -EINVAL, -EINVAL)),
])
def remaps(call, expected):
    eq(call(), expected)


@cases([
    ("MADV_NORMAL", lambda: advised(0), (0, 7)),
    ("MADV_RANDOM",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 1), has_flag(at, "rr")))(filled()),
     (0, True)),
    ("MADV_SEQUENTIAL",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 2), has_flag(at, "sr")))(filled()),
     (0, True)),
    ("MADV_WILLNEED", lambda: advised(3), (0, 7)),
    ("MADV_DONTNEED", lambda: (advised(4), advised(4, flags=0x21)), ((0, 0), (0, 7))),
    ("MADV_FREE", lambda: (advised(8)[0], advised(8, flags=0x21)[0]), (0, -EINVAL)),
    ("MADV_REMOVE", lambda: (advised(9), advised(9, flags=0x21)), ((-EINVAL, 7), (0, 0))),
    ("MADV_DONTFORK", lambda: after_fork(10, 0), [0, 0, -ENOMEM, -EPERM]),
    ("MADV_DOFORK", lambda: after_fork(10, 11), [0, 0, 0, 7]),
    ("MADV_MERGEABLE", lambda: advised(12), (0, 7)),
    ("MADV_UNMERGEABLE", lambda: advised(13), (0, 7)),
    ("MADV_HUGEPAGE",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 14), has_flag(at, "hg")))(filled()),
     (0, True)),
    ("MADV_NOHUGEPAGE",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 15), has_flag(at, "nh")))(filled()),
     (0, True)),
    ("MADV_DONTDUMP",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 16), has_flag(at, "dd")))(filled()),
     (0, True)),
    ("MADV_DODUMP",
     lambda: (lambda at: (sc(NR.madvise, at, PAGE, 16), sc(NR.madvise, at, PAGE, 17), has_flag(at, "dd")))(filled()),
     (0, 0, False)),
    ("MADV_WIPEONFORK", lambda: after_fork(18, 0), [0, 0, 0, 0]),
    ("MADV_KEEPONFORK", lambda: after_fork(18, 19), [0, 0, 0, 7]),
    ("MADV_COLD", lambda: advised(20), (0, 7)),
    ("MADV_PAGEOUT", lambda: advised(21), (0, 7)),
    ("MADV_POPULATE_READ", lambda: (advised(22), advised(22, flags=0x21)), ((0, 7), (0, 7))),
    ("MADV_POPULATE_WRITE", lambda: (advised(23), advised(23, flags=0x21)), ((0, 7), (0, 7))),
    ("MADV_DONTNEED_LOCKED", lambda: advised(24), (0, 0)),
])
def advises(call, expected):
    eq(call(), expected)


@cases([
    ("MADV_WILLNEED", lambda: advised_by_pidfd(3), 4096),
    ("MADV_COLD", lambda: advised_by_pidfd(20), 4096),
    ("MADV_PAGEOUT", lambda: advised_by_pidfd(21), 4096),
])
def advises_others(call, expected):
    eq(call(), expected)


@cases([
    ("MS_ASYNC", lambda: sc(NR.msync, filled(), PAGE, 1), 0),
    ("MS_INVALIDATE",
     lambda: (lambda at: (sc(NR.msync, at, PAGE, 2), sc(NR.mlock, at, PAGE), sc(NR.msync, at, PAGE, 2)))(filled()),
     (0, 0, -EBUSY)),
    ("MS_SYNC",
     lambda: (sc(NR.msync, filled(), PAGE, 4), sc(NR.msync, filled(), PAGE, 5)),
     (0, -EINVAL)),
])
def syncs(call, expected):
    eq(call(), expected)


@cases([
    ("0", lambda: locked(NR.mlock2, 0), (0, True)),
    ("MLOCK_ONFAULT", lambda: locked(NR.mlock2, 1), (0, True)),
])
def locks(call, expected):
    eq(call(), expected)


@cases([
    ("MCL_CURRENT",
     lambda: (sc(NR.mlockall, 1), has_flag(ctypes.addressof(ctypes.c_int()), "lo"), sc(NR.munlockall)),
     (0, True, 0)),
    ("MCL_FUTURE",
     lambda: (sc(NR.mlockall, 2), has_flag(pages(), "lo"), sc(NR.munlockall), has_flag(pages(), "lo")),
     (0, True, 0, False)),
    ("MCL_ONFAULT",
     lambda: (sc(NR.mlockall, 4), sc(NR.mlockall, 6), has_flag(pages(), "lo")),
     (-EINVAL, 0, True)),
])
def locks_all(call, expected):
    eq(call(), expected)


@cases([
    ("MEMBARRIER_CMD_QUERY", lambda: barrier(0) & 0x1FF & ~0x180, 127),
    ("MEMBARRIER_CMD_GLOBAL", lambda: barrier(1), 0),
    ("MEMBARRIER_CMD_GLOBAL_EXPEDITED", lambda: barrier(2), 0),
    ("MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", lambda: barrier(4), 0),
    ("MEMBARRIER_CMD_PRIVATE_EXPEDITED", lambda: (barrier(8), barrier(16), barrier(8)), (-EPERM, 0, 0)),
    ("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED", lambda: barrier(16), 0),
    ("MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE",
     lambda: (barrier(32), barrier(64), barrier(32)),
     (-EPERM, 0, 0)),
    ("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE", lambda: barrier(64), 0),
    ("MEMBARRIER_CMD_GET_REGISTRATIONS", lambda: (barrier(512), barrier(16), barrier(512)), (0, 0, 16)),
])
def barriers(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_CREAT", lambda: (shm(0o1600, key=0x5A5A01), shm(0o600, key=0x5A5A02)), (0, -ENOENT)),
    ("IPC_EXCL",
     lambda: (lambda i: (sc(29, 0x5A5A03, PAGE, 0o3600), sc(31, i, 0, 0)))(works(29, 0x5A5A03, PAGE, 0o1600)),
     (-EEXIST, 0)),
    ("SHM_NORESERVE", lambda: shm(0o11600), 0),
])
def segments(call, expected):
    eq(call(), expected)


@cases([
    ("SHM_RDONLY", lambda: attached(0o10000, op=lambda at: killed_by(lambda: touch(at))), 11),
    ("SHM_RND", lambda: attached(0o20000, pages(8) + PAGE + 5, lambda at: at & 4095), -EINVAL),
    ("SHM_REMAP",
     lambda: (attached(0o40000, 0), attached(0o40000, filled(), byte), attached(0, filled())),
     (-EINVAL, 0, -EINVAL)),
    ("SHM_EXEC",
     lambda: attached(0o100000, op=lambda at: "x" in [l for l in open("/proc/self/maps") if int(l.split("-")[0], 16) == at][0].split()[1]),
     True),
])
def attaches(call, expected):
    eq(call(), expected)


@cases([
    ("IPC_RMID",
     lambda: (lambda i: (sc(31, i, 0, 0), sc(31, i, 0, 0)))(works(29, 0, PAGE, 0o1600)),
     (0, -EINVAL)),
    ("IPC_SET",
     lambda: (lambda i, b: (sc(31, i, 2, b), sc(31, i, 1, b), b.raw[20] | b.raw[21] << 8, sc(31, i, 0, 0)))(works(29, 0, PAGE, 0o1600), ctypes.create_string_buffer(struct.pack("iIIIIH", 0, os.getuid(), os.getgid(), 0, 0, 0o400), 112)),
     (0, 0, 384, 0)),
    ("IPC_STAT",
     lambda: (lambda i, b: (sc(31, i, 2, b), struct.unpack_from("Q", b.raw, 48)[0], sc(31, i, 0, 0)))(works(29, 0, PAGE, 0o1600), ctypes.create_string_buffer(112)),
     (0, 4096, 0)),
    ("IPC_INFO", lambda: sc(31, 0, 3, ctypes.create_string_buffer(72)) >= 0, True),
    ("SHM_INFO", lambda: sc(31, 0, 14, ctypes.create_string_buffer(48)) >= 0, True),
    ("SHM_STAT", lambda: sc(31, 1 << 20, 13, ctypes.create_string_buffer(112)), -EINVAL),
    ("SHM_STAT_ANY", lambda: sc(31, 1 << 20, 15, ctypes.create_string_buffer(112)), -EINVAL),
    ("SHM_LOCK",
     lambda: (lambda i, b: (sc(31, i, 11, 0), sc(31, i, 2, b), b.raw[21] & 4, sc(31, i, 12, 0), sc(31, i, 2, b), b.raw[21] & 4, sc(31, i, 0, 0)))(works(29, 0, PAGE, 0o1600), ctypes.create_string_buffer(112)),
     (0, 0, 4, 0, 0, 0, 0)),
    ("SHM_UNLOCK",
     lambda: (lambda i: (sc(31, i, 12, 0), sc(31, i, 0, 0)))(works(29, 0, PAGE, 0o1600)),
     (0, 0)),
])
def controls(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
