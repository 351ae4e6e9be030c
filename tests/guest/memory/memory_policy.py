"""Memory policies, page placement and cachestat(2), as a machine whose one node is 0 has them."""

import ctypes
import os
import struct
from errno import *
from lib.guest import *

needs_root("pages_migrate_to_their_own_node")

PAGE = 4096
DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, WEIGHTED = range(7)
STATIC, RELATIVE, BALANCING = 0x8000, 0x4000, 0x2000
NODE, ADDR, ALLOWED = 1, 2, 4


def need_one_node():
    try:
        with open("/sys/devices/system/node/online") as f:
            if f.read().strip() != "0":
                skip("more than one node")
    except OSError:
        pass
    if sc(NR.set_mempolicy, 0, 0, 0) == -ENOSYS:
        skip("a kernel without CONFIG_NUMA")


def mask(value, words=8):
    return ctypes.create_string_buffer(struct.pack("<Q", value) + bytes(8 * (words - 1)))


def anon(pages=4):
    at = works(NR.mmap, 0, pages * PAGE, 3, 0x22, -1, 0)
    return at


def get(flags=0, addr=0, max_node=64):
    """Calls get_mempolicy. Returns (result, mode, bytes written of the mask, mask)."""
    mode, buf = ctypes.c_int(77), ctypes.create_string_buffer(b"\xff" * 4096)
    r = sc(NR.get_mempolicy, mode, buf, max_node, addr, flags)
    n = len(buf.raw[:4096].rstrip(b"\xff"))
    return r, mode.value, n, int.from_bytes(buf.raw[:8], "little") if n else None


def put(mode, nodes=None, max_node=64):
    return sc(NR.set_mempolicy, mode, None if nodes is None else mask(nodes), max_node)


def bind(at, size, mode, nodes=1, flags=0, max_node=64):
    return sc(NR.mbind, at, size, mode, None if nodes is None else mask(nodes), max_node, flags)


@test
def modes_that_set_mempolicy_takes():
    need_one_node()
    for mode in (DEFAULT, LOCAL, PREFERRED, DEFAULT | STATIC, DEFAULT | RELATIVE):
        eq(put(mode), 0, "mode %x" % mode)
    for mode in (BIND, INTERLEAVE, PREFERRED_MANY, WEIGHTED, PREFERRED | STATIC):
        eq(put(mode), -EINVAL, "mode %x without nodes" % mode)
        eq(put(mode, 1), 0, "mode %x" % mode)
        eq(put(mode, 3), 0, "mode %x, a node more" % mode)
        eq(put(mode, 2), -EINVAL, "mode %x, node 1" % mode)
    eq(put(BIND | RELATIVE, 2), 0)
    for mode in (DEFAULT, LOCAL):
        eq(put(mode, 1), -EINVAL, "mode %x with nodes" % mode)
    for mode in (7, -1, BALANCING, BALANCING | INTERLEAVE, STATIC | RELATIVE | BIND, 0x100):
        eq(put(mode, 1), -EINVAL, "mode %x" % mode)
    eq(put(BIND | BALANCING, 1), 0)
    eq(put(DEFAULT), 0)


@test
def masks_are_bounded():
    need_one_node()
    for n in (2, 63, 64, 65, 1025, 4096 * 8):
        eq(sc(NR.set_mempolicy, BIND, mask(1, 1024), n), 0, str(n))
    for n in (0, 1, 4096 * 8 + 2, 1 << 20, 1 << 40, (1 << 64) - 1):
        eq(sc(NR.set_mempolicy, BIND, mask(1, 1024), n), -EINVAL, str(n))
    far = mask(1, 1024)
    far[200] = b"\1"
    eq(sc(NR.set_mempolicy, BIND, far, 2000), -EINVAL)
    eq(sc(NR.set_mempolicy, BIND, far, 1025), 0)
    for at in (1, 0xFFFFFFFFFFFF0000, 1 << 63):
        eq(sc(NR.set_mempolicy, BIND, at, 64), -EFAULT)
    eq(sc(NR.set_mempolicy, DEFAULT, 1, 64), -EFAULT)
    eq(put(DEFAULT), 0)


@test
def get_mempolicy_returns_the_policy_that_was_set():
    need_one_node()
    at = anon()
    for mode, nodes, shown, found in (
            (DEFAULT, None, DEFAULT, 0), (PREFERRED, None, LOCAL, 0), (PREFERRED, 1, PREFERRED, 1),
            (BIND, 3, BIND, 1), (LOCAL, None, LOCAL, 0), (INTERLEAVE, 1, INTERLEAVE, 1),
            (BIND | STATIC, 5, BIND | STATIC, 5), (BIND | RELATIVE, 2, BIND | RELATIVE, 2)):
        eq(put(mode, nodes), 0)
        eq(get(), (0, shown, 8, found))
        eq(get(ADDR, at), (0, 0, 8, 0))
    eq(get(NODE)[0], -EINVAL)
    put(INTERLEAVE, 1)
    eq(get(NODE)[:2], (0, 0))
    child_ok(lambda: eq(get()[1], INTERLEAVE))
    put(DEFAULT)
    eq(get(NODE | ADDR, at)[:2], (0, 0))
    eq(get(ALLOWED), (0, 0, 8, 1))
    for flags in (5, 6, 7, 8, 1 << 40):
        eq(get(flags, at)[0], -EINVAL)
    eq(get(0, at)[0], -EINVAL)
    eq(get(ADDR, 0x1000)[0], -EFAULT)
    for n, size in ((1, 0), (2, 8), (64, 8), (65, 8), (1025, 128)):
        eq(get(0, 0, n)[2], size, "%d bits" % n)
    eq(get(0, 0, 0)[0], -EINVAL)
    gives(-EFAULT, NR.get_mempolicy, 1, 0, 0, 0, 0)
    gives(-EFAULT, NR.get_mempolicy, 0, 1, 64, 0, 0)


@test
def mbind_and_its_ranges():
    need_one_node()
    at = anon(8)
    works(NR.munmap, at + 6 * PAGE, PAGE)
    eq(bind(at, PAGE, BIND), 0)
    eq(get(ADDR, at)[1:], (BIND, 8, 1))
    eq(get(ADDR, at + PAGE)[1], DEFAULT)
    eq(bind(at, PAGE, DEFAULT, None), 0)
    eq(get(ADDR, at)[1], DEFAULT)
    eq(bind(at + 1, PAGE, BIND), -EINVAL)
    eq(bind(at, 0, BIND), 0)
    eq(bind(at, 1, BIND), 0)
    eq(bind(at, 8 * PAGE, BIND), -EFAULT)
    eq(bind(at + 6 * PAGE, PAGE, BIND), -EFAULT)
    eq(bind(at + 6 * PAGE, PAGE, DEFAULT, None), -EFAULT)
    eq(bind(at, (1 << 64) - PAGE, BIND), -EINVAL)
    for flags in (1, 2, 3):
        eq(bind(at, PAGE, BIND, 1, flags), 0)
    for flags in (8, 16, 0x80000000):
        eq(bind(at, PAGE, BIND, 1, flags), -EINVAL)
    for mode in (7, 0xFFFFFFFF, BIND | STATIC | RELATIVE):
        eq(bind(at, PAGE, mode), -EINVAL)
    eq(bind(at, PAGE, BIND, None), -EINVAL)
    eq(bind(at, PAGE, DEFAULT, 1), -EINVAL)
    eq(bind(at, PAGE, BIND, 2), -EINVAL)


@test
def home_nodes():
    need_one_node()
    at = anon(8)

    def home(start, size, node=0, flags=0):
        return sc(NR.set_mempolicy_home_node, start, size, node, flags)
    eq(home(at, PAGE), -ENOENT)
    bind(at, PAGE, BIND)
    bind(at + 2 * PAGE, PAGE, INTERLEAVE)
    eq(home(at, PAGE), 0)
    eq(home(at, 2 * PAGE), 0)
    eq(home(at, 3 * PAGE), -EOPNOTSUPP)
    eq(home(at, 0), 0)
    eq(home(at + 1, PAGE), -EINVAL)
    for node in (1, 64, 1 << 40):
        eq(home(at, PAGE, node), -EINVAL)
    eq(home(at, PAGE, 0, 1), -EINVAL)


@test
def pages_are_on_node_0():
    need_one_node()
    at, status = anon(4), ctypes.create_string_buffer(64)
    ctypes.memset(at, 1, PAGE)
    where = struct.pack("<4Q", at, at + PAGE, 0x10000000, (1 << 64) - PAGE)

    def move(nodes, count=4, flags=0, pid=0):
        r = sc(NR.move_pages, pid, count, where,
               None if nodes is None else struct.pack("<4i", *nodes), status, flags)
        return r, struct.unpack("<4i", status.raw[:16])
    for nodes in (None, [0] * 4):
        eq(move(nodes), (0, (0, -ENOENT, -EFAULT, -EFAULT)))
    eq(move([1, 0, 0, 0])[0], -ENODEV)
    eq(move([-1, 0, 0, 0])[0], -ENODEV)
    eq(move([1000, 0, 0, 0])[0], -ENODEV)
    eq(move(None, 0)[0], 0)
    for flags in (1, 3, 8):
        eq(move(None, 1, flags)[0], -EINVAL)
    eq(move(None, 1, 0, 99999999)[0], -ESRCH)
    gives(-EFAULT, NR.move_pages, 0, 1, 1, 0, status, 0)
    gives(-EFAULT, NR.move_pages, 0, 1, where, 1, status, 2)
    gives(-EFAULT, NR.move_pages, 0, 1, where, 0, 1, 0)
    mem = os.memfd_create("x")
    os.ftruncate(mem, 2 * PAGE)
    os.pwrite(mem, b"x", 0)
    shared = works(NR.mmap, 0, 2 * PAGE, 3, 1, mem, 0)
    ctypes.string_at(shared, 1)
    two = struct.pack("<2Q", shared, shared + PAGE)
    gives(0, NR.move_pages, 0, 2, two, 0, status, 0)
    eq(struct.unpack("<2i", status.raw[:8]), (0, -ENOENT))


@test
def pages_migrate_to_their_own_node():
    need_one_node()

    def migrate(pid, old, new, n=64):
        return sc(NR.migrate_pages, pid, n, None if old is None else mask(old),
                  None if new is None else mask(new))
    for pid in (0, os.getpid()):
        for old in (0, 1, 2, None):
            eq(migrate(pid, old, 1), 0)
            for new in (0, 2, None):
                eq(migrate(pid, old, new), -EINVAL)
    eq(migrate(99999999, 1, 1), -ESRCH)
    eq(migrate(0, 1, 1, 0), -EINVAL)
    gives(-EFAULT, NR.migrate_pages, 0, 64, 1, mask(1))


@test
def calls_that_need_a_capability():
    need_root()
    need_one_node()
    at = anon()

    def child():
        os.setuid(1000)
        eq(bind(at, PAGE, BIND, 1, 4), -EPERM)
        eq(sc(NR.move_pages, 0, 0, 0, 0, 0, 4), -EPERM)
        eq(sc(NR.move_pages, 1, 0, 0, 0, 0, 0), -EPERM)
        eq(sc(NR.migrate_pages, 1, 64, mask(1), mask(1)), -EPERM)
        eq(sc(NR.migrate_pages, 0, 64, mask(1), mask(1)), 0)
    child_ok(child)


@test
def numa_maps_shows_policies():
    need_one_node()
    at = anon(8)
    ctypes.memset(at, 1, 3 * PAGE)
    bind(at, 8 * PAGE, BIND)

    def line():
        with open("/proc/self/numa_maps") as f:
            return [x.split() for x in f if x.startswith("%x " % at)][0]
    eq(line()[1:], ["bind:0", "anon=3", "dirty=3", "active=0", "N0=3", "kernelpagesize_kB=4"])
    bind(at, 8 * PAGE, INTERLEAVE | STATIC)
    eq(line()[1], "interleave=static:0")
    bind(at, 8 * PAGE, LOCAL, None)
    eq(line()[1], "local")
    with open("/proc/self/numa_maps") as f:
        text = f.read()
    ok(" file=" in text and " stack" in text, "files and the stack")


@test
def cachestat_counts_pages():
    if sc(NR.cachestat, -1, 0, 0, 0) == -ENOSYS:
        skip("a kernel without cachestat")
    out = ctypes.create_string_buffer(40)

    def stat(fd, at=0, size=0, flags=0):
        r = sc(NR.cachestat, fd, struct.pack("QQ", at, size), out, flags)
        return r, struct.unpack("5Q", out.raw)[0]
    mem = os.memfd_create("x")
    os.ftruncate(mem, 8 * PAGE)
    eq(stat(mem), (0, 0))
    os.pwrite(mem, b"x" * 5000, 2 * PAGE)
    eq(stat(mem), (0, 2))
    eq(stat(mem, 2 * PAGE, PAGE), (0, 1))
    eq(stat(mem, 2 * PAGE + 5, PAGE), (0, 2))
    eq(stat(mem, 4 * PAGE, 0), (0, 0))
    eq(stat(mem, (1 << 64) - 1, 5), (0, 0))
    eq(stat(mem, 0, 0, 1)[0], -EINVAL)
    eq(stat(-1)[0], -EBADF)
    eq(stat(os.open("/", os.O_PATH))[0], -EBADF)
    eq(stat(os.pipe()[0]), (0, 0))
    gives(-EFAULT, NR.cachestat, mem, 1, out, 0)
    gives(-EFAULT, NR.cachestat, mem, struct.pack("QQ", 0, 0), 1, 0)


@test
def calls_for_absent_hardware_fail():
    with open("/proc/cpuinfo") as f:
        if " ospke" in f.read():
            skip("a processor with protection keys")
    at = anon()
    gives(-EINVAL, NR.pkey_alloc, 1, 0)
    gives(-EINVAL, NR.pkey_alloc, 0, 4)
    gives(-EINVAL, NR.pkey_alloc, 0, 0)
    gives(-ENOSPC, NR.pkey_alloc, 0, 0)
    for key in (0, 1, -1, 16):
        gives(-EINVAL, NR.pkey_free, key)
    gives(0, NR.pkey_mprotect, at, PAGE, 1, -1)
    for key in (0, 1, -2, 16):
        gives(-EINVAL, NR.pkey_mprotect, at, PAGE, 3, key)


run()
