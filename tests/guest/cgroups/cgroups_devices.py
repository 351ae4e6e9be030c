"""Devices of control groups: programs of bpf(2) that allow them (BPF_PROG_TYPE_CGROUP_DEVICE)."""

import ctypes
import errno
import os
import struct

from lib.cgroups import grouped
from lib.guest import (NR, cases, child_ok, eq, fails, name_of, need_root, ok, run, sc, skip, test)

LOAD, ATTACH, DETACH, NEXT_ID, FD_BY_ID, QUERY = 5, 8, 9, 11, 13, 16
DEVICE_TYPE, DEVICE = 15, 6
OVERRIDE, MULTI, REPLACE, EFFECTIVE = 1, 2, 4, 1
MOV, MOV32, AND, ADD, EXIT, LDXW, LDXH, JNE, JA = 0xB7, 0xB4, 0x57, 0x07, 0x95, 0x61, 0x69, 0x55, 0x05
LICENSE = ctypes.create_string_buffer(b"GPL")


def ins(op, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


ALLOW = ins(MOV, 0, imm=1) + ins(EXIT)
DENY = ins(MOV, 0, imm=0) + ins(EXIT)
# A program as runc writes it: no writes to 1:3 (/dev/null); everything else is allowed.
NO_WRITES = (ins(LDXW, 2, 1, 0) + ins(AND, 2, imm=0xFFFF) + ins(LDXW, 3, 1, 0) + ins(0x74, 3, imm=16) +
             ins(LDXW, 4, 1, 4) + ins(LDXW, 5, 1, 8) + ins(JNE, 2, 0, 7, 2) + ins(JNE, 4, 0, 6, 1) +
             ins(JNE, 5, 0, 5, 3) + ins(0xBC, 1, 3) + ins(0x54, 1, imm=4) + ins(0x15, 1, 0, 2, 0) +
             DENY + ALLOW)


def bpf(command, attr, size=None):
    """Returns the result, and the struct after the call."""
    buf = ctypes.create_string_buffer(attr, len(attr))
    r = sc(NR.bpf, command, buf, len(attr) if size is None else size)
    return r, buf.raw


def load_raw(code, kind=DEVICE_TYPE, log=0, flags=0, extra=b""):
    insns, text = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(4096)
    attr = struct.pack("<IIQQIIQII16sII", kind, len(code) // 8, ctypes.addressof(insns),
                       ctypes.addressof(LICENSE), log, 4096 if log else 0,
                       ctypes.addressof(text) if log else 0, 0, flags, b"guest", 0, 0)
    return bpf(LOAD, attr + extra)[0], text.value.decode()


def load(code):
    fd = load_raw(code)[0]
    ok(fd >= 0, "load: " + name_of(fd))
    return fd


def loadable():
    need_root()
    fd = load_raw(ALLOW)[0]
    if fd in (-errno.ENOSYS, -errno.EPERM):
        skip("no bpf here: " + name_of(fd))
    os.close(fd)


def attach(group, prog, flags=0, replaced=0):
    return bpf(ATTACH, struct.pack("<IIIII", group, prog, DEVICE, flags, replaced))[0]


def detach(group, prog):
    return bpf(DETACH, struct.pack("<IIIII", group, prog, DEVICE, 0, 0))[0]


def query(group, flags=0, room=8):
    """Returns the result, the flags, the number of programs, and their ids."""
    ids = (ctypes.c_uint * 8)()
    r, raw = bpf(QUERY, struct.pack("<IIIIQIIQ", group, DEVICE, flags, 77, ctypes.addressof(ids), room, 0, 0))
    shown, count = struct.unpack_from("<I", raw, 12)[0], struct.unpack_from("<I", raw, 24)[0]
    return r, shown, count, [n for n in ids if n != 0]


def id_of(fd):
    with open("/proc/self/fdinfo/%d" % fd) as f:
        return int([line.split()[1] for line in f if line.startswith("prog_id:")][0])


@cases([
    ("allow", ALLOW, 0), ("as runc", NO_WRITES, 0), ("loads", ins(LDXH, 2, 1, 2) + ALLOW, 0),
    ("masked verdict", ins(LDXW, 0, 1, 0) + ins(AND, 0, imm=1) + ins(EXIT), 0),
    ("verdict 2", ins(MOV, 0, imm=2) + ins(EXIT), errno.EINVAL),
    ("verdict loaded", ins(LDXW, 0, 1, 0) + ins(EXIT), errno.EINVAL),
    ("verdict of a pointer", ins(0xBF, 0, 1) + ins(EXIT), errno.EINVAL),
    ("no verdict", ins(EXIT), errno.EACCES), ("no end", ins(MOV, 0, imm=1), errno.EINVAL),
    ("nothing", b"", errno.E2BIG), ("dead code", ALLOW + ALLOW, errno.EINVAL),
    ("for ever", ins(MOV, 0, imm=1) + ins(JA, off=-1) + ins(EXIT), errno.EINVAL),
    ("jump out", ins(MOV, 0, imm=1) + ins(JA, off=5) + ins(EXIT), errno.EINVAL),
    ("unset register", ins(ADD, 2, imm=1) + ALLOW, errno.EACCES),
    ("unset on one way", ins(LDXW, 2, 1, 0) + ins(JNE, 2, 0, 1, 7) + ins(MOV, 3, imm=1) +
     ins(ADD, 3, imm=1) + ALLOW, errno.EACCES),
    ("beyond the context", ins(LDXW, 2, 1, 12) + ALLOW, errno.EACCES),
    ("before the context", ins(LDXW, 2, 1, -4) + ALLOW, errno.EACCES),
    ("between fields", ins(LDXW, 2, 1, 2) + ALLOW, errno.EACCES),
    ("half a major", ins(LDXH, 2, 1, 4) + ALLOW, errno.EACCES),
    ("two words", ins(0x79, 2, 1, 0) + ALLOW, errno.EACCES),
    ("store", ins(0x62, 1, 0, 0, 1) + ALLOW, errno.EACCES),
    ("masked pointer", ins(AND, 1, imm=1) + ALLOW, errno.EACCES),
    ("load by a number", ins(MOV, 2, imm=1) + ins(LDXW, 3, 2, 0) + ALLOW, errno.EACCES),
    ("frame pointer", ins(MOV, 10, imm=1) + ALLOW, errno.EACCES),
    ("register 11", ins(MOV, 11, imm=1) + ALLOW, errno.EINVAL),
    ("reserved register", ins(MOV, 0, 1, 0, 1) + ins(EXIT), errno.EINVAL),
    ("reserved offset", ins(MOV, 0, 0, 1, 1) + ins(EXIT), errno.EINVAL),
    ("opcode", ins(0xFF) + ALLOW, errno.EINVAL),
    ("division by zero", ins(MOV, 2, imm=1) + ins(0x37, 2, imm=0) + ALLOW, errno.EINVAL),
    ("shift by 64", ins(MOV, 2, imm=1) + ins(0x67, 2, imm=64) + ALLOW, errno.EINVAL),
    ("shift by 32 of 32", ins(MOV, 2, imm=1) + ins(0x64, 2, imm=32) + ALLOW, errno.EINVAL),
])
def verifies(code, expected):
    loadable()
    r, log = load_raw(code, log=1)
    if expected == 0:
        ok(r >= 0, "%s: %s" % (name_of(r), log))
    else:
        eq(name_of(r), name_of(-expected), log)


@test
def bad_loads():
    loadable()
    eq(load_raw(ALLOW, kind=0)[0], -errno.EINVAL)
    eq(load_raw(ALLOW, kind=99)[0], -errno.EINVAL)
    eq(load_raw(ALLOW, flags=0x4000)[0], -errno.EINVAL)
    eq(load_raw(ALLOW, extra=b"\1" * 200)[0], -errno.E2BIG)
    ok(load_raw(ALLOW, extra=b"\0" * 200)[0] >= 0, "zeros behind the known fields")
    eq(bpf(LOAD, b"\0" * 48, 8192)[0], -errno.E2BIG)
    eq(sc(NR.bpf, LOAD, 8, 48), -errno.EFAULT)
    eq(bpf(99, b"\0" * 48)[0], -errno.EINVAL)
    ok("R0" in load_raw(ins(EXIT), log=1)[1], "the log says what is wrong")


@test
def a_program_for_packets_cannot_be_attached_for_devices():
    """Probes for BPF_F_REPLACE as cilium's library does."""
    loadable()
    fd, log = load_raw(ALLOW, kind=8)
    ok(fd >= 0, log)
    eq(attach(0xFFFFFFFF, fd, MULTI), -errno.EINVAL, "for devices")
    attr = struct.pack("<IIIII", 0xFFFFFFFF, fd, 0, REPLACE, fd)
    eq(bpf(ATTACH, attr)[0], -errno.EBADF)


@test
def loading_a_program_needs_a_capability():
    loadable()

    def body():
        os.setresuid(65534, 65534, 65534)
        eq(load_raw(ALLOW)[0], -errno.EPERM)
    child_ok(body)


@test
def programs_have_numbers():
    loadable()
    fd = load(ALLOW)
    eq(os.readlink("/proc/self/fd/%d" % fd), "anon_inode:bpf-prog")
    number = id_of(fd)
    again = bpf(FD_BY_ID, struct.pack("<III", number, 0, 0))[0]
    eq(id_of(again), number)
    r, raw = bpf(NEXT_ID, struct.pack("<III", number - 1, 0, 0))
    eq((r, struct.unpack_from("<I", raw, 4)[0]), (0, number))
    eq(bpf(FD_BY_ID, struct.pack("<III", 0x7FFFFFFF, 0, 0))[0], -errno.ENOENT)
    eq(bpf(NEXT_ID, struct.pack("<III", 0x7FFFFFFE, 0, 0))[0], -errno.ENOENT)
    eq(bpf(NEXT_ID, struct.pack("<III", 0x7FFFFFFF, 0, 0))[0], -errno.EINVAL)


@grouped
def a_program_decides_about_open_and_mknod(group):
    loadable()
    eq(attach(os.open(group.path, os.O_RDONLY), load(NO_WRITES)), 0)

    def body():
        group.enter()
        os.close(os.open("/dev/null", os.O_RDONLY))
        for flags in (os.O_WRONLY, os.O_RDWR):
            fails(errno.EPERM, os.open, "/dev/null", flags)
        eq((os.access("/dev/null", os.R_OK), os.access("/dev/null", os.W_OK)), (True, False))
        os.close(os.open("/dev/zero", os.O_RDWR))
        open("file", "w").close()
    child_ok(body)
    os.close(os.open("/dev/null", os.O_WRONLY))


@grouped
def a_refused_mknod_makes_no_node(group):
    loadable()
    eq(attach(os.open(group.path, os.O_RDONLY), load(DENY)), 0)

    def body():
        group.enter()
        fails(errno.EPERM, os.mknod, "node", 0o020600, os.makedev(1, 3))
        os.mknod("pipe", 0o010600)
        fails(errno.EPERM, os.open, "/dev/zero", os.O_RDONLY)
    child_ok(body)


@grouped
def a_group_has_one_program_or_several(group):
    loadable()
    at, first, second = os.open(group.path, os.O_RDONLY), load(ALLOW), load(NO_WRITES)
    one, two = id_of(first), id_of(second)
    eq(query(at), (0, 0, 0, []))
    eq((attach(at, first), attach(at, first), attach(at, second, MULTI)), (0, 0, -errno.EPERM))
    eq(query(at), (0, 0, 1, [one]))
    eq((attach(at, second), query(at)), (0, (0, 0, 1, [two])))
    eq((detach(at, first), detach(at, first)), (0, -errno.ENOENT))
    eq((attach(at, first, MULTI), attach(at, first, MULTI), attach(at, second, MULTI)),
       (0, -errno.EINVAL, 0))
    eq(query(at), (0, MULTI, 2, [one, two]))
    eq(query(at, room=1), (-errno.ENOSPC, MULTI, 2, [one]))
    eq(query(at, room=0), (0, MULTI, 2, []))
    third = load(ALLOW)
    eq(attach(at, third, MULTI | REPLACE, first), 0)
    eq((attach(at, third, MULTI | REPLACE, second), attach(at, first, MULTI | REPLACE, first)),
       (-errno.EINVAL, -errno.ENOENT))
    eq((attach(at, first, REPLACE, third), attach(at, first, OVERRIDE | MULTI)),
       (-errno.EINVAL, -errno.EINVAL))
    eq(query(at), (0, MULTI, 2, [id_of(third), two]))
    eq((detach(at, first), detach(at, 999)), (-errno.ENOENT, -errno.EINVAL))


@grouped
def a_program_applies_to_groups_below(group):
    loadable()
    child = group.make("child")
    top, below = os.open(group.path, os.O_RDONLY), os.open(child.path, os.O_RDONLY)
    deny, allow = load(NO_WRITES), load(ALLOW)
    eq(attach(top, deny), 0)
    eq(attach(below, allow), -errno.EPERM, "the program of the parent is exclusive")
    eq(query(below, EFFECTIVE), (0, 0, 1, [id_of(deny)]))

    def body():
        child.enter()
        fails(errno.EPERM, os.open, "/dev/null", os.O_WRONLY)
    child_ok(body)
    eq(detach(top, deny), 0)
    eq((attach(top, deny, OVERRIDE), attach(below, allow)), (0, 0))

    def overridden():
        child.enter()
        os.close(os.open("/dev/null", os.O_WRONLY))
    child_ok(overridden)
    eq((detach(top, deny), detach(below, allow)), (0, 0))
    eq((attach(top, deny, MULTI), attach(below, allow, MULTI)), (0, 0))
    eq(query(below, EFFECTIVE), (0, 0, 2, [id_of(allow), id_of(deny)]))
    child_ok(body)


@grouped
def an_attach_to_a_bad_target_is_refused(group):
    loadable()
    at, prog = os.open(group.path, os.O_RDONLY), load(ALLOW)
    eq((attach(0, prog), attach(999, prog)), (-errno.EBADF, -errno.EBADF))
    eq((attach(at, 999), attach(at, at)), (-errno.EBADF, -errno.EINVAL))
    eq(bpf(ATTACH, struct.pack("<IIIII", at, prog, 99, 0, 0))[0], -errno.EINVAL)
    gone = group.make("gone")
    dead = os.open(gone.path, os.O_RDONLY)
    eq(attach(dead, prog), 0)
    os.rmdir(gone.path)
    eq(attach(dead, prog), -errno.ENOENT)


run()
