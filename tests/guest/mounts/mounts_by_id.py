"""listmount(2) and statmount(2): mounts by their unique ids."""

import ctypes
import os
import struct

from errno import E2BIG, EFAULT, EINVAL, ENOENT, EOVERFLOW

from lib.guest import NR, between, eq, gives, ok, run, sc, test, works

ROOT, OFFSET = (1 << 64) - 1, 1 << 31


def request(mount, param=0, size=24, spare=0):
    return struct.pack("=IIQQQ", size, spare, mount, param, 0)


def unique_id(path):
    buf = ctypes.create_string_buffer(256)
    works(NR.statx, -100, path.encode(), 0, 0x4000, buf)
    eq(struct.unpack_from("=I", buf)[0] & 0x4000, 0x4000)
    return struct.unpack_from("=Q", buf, 0x90)[0]


def mounts_below(mount, param=0, count=4000, flags=0):
    ids = (ctypes.c_uint64 * count)()
    n = works(NR.listmount, request(mount, param), ids, count, flags)
    return list(ids[:n])


@test
def mounts_are_listed():
    ids = mounts_below(ROOT)
    eq(ids, sorted(ids))
    ok(unique_id("/proc") in ids, "/proc is there")
    ok(all(i > OFFSET for i in ids), "ids are unique")
    ok(unique_id("/") in ids, "the root of all is one of them")
    ok(unique_id("/") not in mounts_below(unique_id("/")), "but is not below itself")
    eq(mounts_below(ROOT, 0, 2), ids[:2])
    eq(mounts_below(ROOT, ids[1]), ids[2:])
    eq(mounts_below(ROOT, 0, 4000, 1), ids[::-1])
    eq(mounts_below(unique_id("/proc")), [i for i in mounts_below(unique_id("/proc")) if i in ids])
    buf = ctypes.create_string_buffer(80)
    gives(-EINVAL, NR.listmount, request(ROOT), buf, 1, 2)
    gives(-EINVAL, NR.listmount, request(ROOT, 0, 23), buf, 1, 0)
    gives(-E2BIG, NR.listmount, request(ROOT, 0, 4097), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(ROOT, 0, 24, 1), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(5), buf, 1, 0)
    gives(-ENOENT, NR.listmount, request(OFFSET + 999999), buf, 1, 0)
    gives(-EINVAL, NR.listmount, request(ROOT, 5), buf, 1, 0)
    gives(-EFAULT, NR.listmount, request(ROOT), 4096, 1, 0)
    gives(-EFAULT, NR.listmount, 4096, buf, 1, 0)
    gives(-EOVERFLOW, NR.listmount, request(ROOT), buf, 1 << 40, 0)


def statmount(mount, mask, size=4096):
    buf = ctypes.create_string_buffer(4096)
    r = sc(NR.statmount, request(mount, mask), buf, size, 0)
    return (r, buf.raw)


def string(raw, offset):
    start = 512 + struct.unpack_from("=I", raw, offset)[0]
    return raw[start:raw.index(b"\0", start)]


@test
def a_mount_is_described():
    proc = unique_id("/proc")
    r, raw = statmount(proc, 0x3B)
    eq(r, 0)
    size, _, mask = struct.unpack_from("=IIQ", raw)
    eq(mask, 0x3B)
    between(525, size, 526, "size, with or without an empty string in front")
    eq(string(raw, 36), b"proc")
    eq(string(raw, 104), b"/")
    eq(string(raw, 108), b"/proc")
    eq(struct.unpack_from("=Q", raw, 24)[0], 0x9FA0, "magic")
    st = os.stat("/proc").st_dev
    eq(struct.unpack_from("=II", raw, 16), (os.major(st), os.minor(st)))
    eq(struct.unpack_from("=Q", raw, 40)[0], proc)
    line = [l.split() for l in open("/proc/self/mountinfo") if l.split()[4] == "/proc"][-1]
    eq(struct.unpack_from("=II", raw, 56), (int(line[0]), int(line[1])), "ids as in mountinfo")
    flags = struct.unpack_from("=Q", raw, 64)[0]
    options = line[5].split(",")
    for bit, name in (1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec"), (0x10, "noatime"):
        eq(bool(flags & bit), name in options, name)


@test
def statmount_checks():
    proc = unique_id("/proc")
    eq(statmount(proc, 0x20, 500)[0], -EOVERFLOW)
    eq(statmount(proc, 0x20, 512)[0], -EOVERFLOW)
    eq(statmount(proc, 2, 16)[0], 0)
    eq(statmount(5, 2)[0], -EINVAL)
    eq(statmount(OFFSET + 999999, 2)[0], -ENOENT)
    eq(struct.unpack_from("=Q", statmount(proc, 1 << 60)[1], 8)[0], 0)
    eq(struct.unpack_from("=Q", statmount(proc, 1 << 60 | 0x22)[1], 8)[0], 0x22, "with unknown bits")
    gives(-EINVAL, NR.statmount, request(proc), ctypes.create_string_buffer(600), 600, 1)
    gives(-EFAULT, NR.statmount, request(proc, 2), 4096, 600, 0)


run()
