"""Filters of sockets (SO_ATTACH_FILTER of socket(7)): accepted programs, what they read and keep.
"""

import ctypes
import os
import select
import socket
import struct
from errno import *
from lib.guest import *
from lib.links import own_network
from lib.netlink import *

ATTACH, DETACH, LOCK, EXTENSIONS = 26, 27, 44, 48
LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)
W, H, B = 0, 8, 0x10
IMM, ABS, IND, MEM, LEN, MSH = 0, 0x20, 0x40, 0x60, 0x80, 0xA0
AD = 0xFFFFF000


def op(code, k=0, jt=0, jf=0):
    return struct.pack("=HBBI", code, jt, jf, k & 0xFFFFFFFF)


KEEP = op(RET, 0xFFFFFFFF)


def attach(s, *ops):
    program = ctypes.create_string_buffer(b"".join(ops))
    request = struct.pack("=H6xQ", len(ops), ctypes.addressof(program))
    return sc(NR.setsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, request, len(request))


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(5)
    return s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def kept(data, *ops):
    """Returns the part of a datagram that a program keeps, or None if the program drops it."""
    s, sender = udp()
    eq(attach(s, *ops), 0)
    sender.sendto(data, s.getsockname())
    sc(NR.setsockopt, s.fileno(), socket.SOL_SOCKET, DETACH, struct.pack("i", 0), 4)
    sender.sendto(b"the end", s.getsockname())
    got = s.recv(1000)
    return None if got == b"the end" else got


@cases([
    ("all", [op(RET, 0xFFFFFFFF)], b"0123456789"), ("nothing", [op(RET, 0)], None), ("a part", [op(RET, 12)], b"0123"),
    ("its header alone", [op(RET, 3)], b""), ("the length in A", [op(LD | IMM, 10), op(RET | 0x10)], b"01"),
    ("its length", [op(LD | LEN), op(RET | 0x10)], b"0123456789"),
    ("half of it", [op(LD | LEN), op(ALU | 0x70, 1), op(RET | 0x10)], b"0"),
], shared=True)
def keeping(ops, expected):
    eq(kept(b"0123456789", *ops), expected)


def computed(*ops, data=bytes(range(100))):
    """Returns register A after a few instructions, as the length that is kept of a datagram."""
    got = kept(data, *ops, op(RET | 0x10))
    return None if got is None else len(got) + 8


@cases([
    ("a byte", [op(LD | B | ABS, 8 + 50)], 50), ("two bytes", [op(LD | H | ABS, 8), op(ALU | 0x00, 20)], 21),
    ("four bytes", [op(LD | W | ABS, 8), op(ALU | 0x50, 0xFF), op(ALU | 0x00, 20)], 23),
    ("the length in its header", [op(LD | H | ABS, 4)], 108), ("by X", [op(LDX | IMM, 40), op(LD | B | IND, 18)], 50),
    ("a nibble", [op(LDX | B | MSH, 8 + 19), op(MISC | 0x80)], 12), ("X is the length", [op(LDX | LEN), op(MISC | 0x80)], 108),
    ("memory", [op(LD | IMM, 33), op(ST, 3), op(LD | IMM, 1), op(LD | MEM, 3)], 33),
    ("memory by X", [op(LDX | IMM, 44), op(STX, 15), op(LDX | MEM, 15), op(MISC | 0x80)], 44),
    ("a remainder", [op(LD | IMM, 115), op(ALU | 0x90, 50)], 15),
    ("a remainder by X", [op(LD | IMM, 115), op(LDX | IMM, 50), op(ALU | 0x98)], 15),
    ("the exclusive or of X", [op(LDX | IMM, 1), op(LD | IMM, 32), op(LD | W | ABS, AD + 40)], 33),
    ("a quotient", [op(LD | IMM, 0xFFFFFFFF), op(ALU | 0x30, 0x4000000)], 63),
    ("a negative number", [op(LD | IMM, -40), op(ALU | 0x80)], 40), ("a jump", [op(LD | IMM, 9), op(JMP, 1), op(LD | IMM, 8), op(ALU, 20)], 29),
    ("greater without sign", [op(LD | IMM, -1), op(JMP | 0x20, 5, 0, 1), op(LD | IMM, 21)], 21),
    ("a protocol", [op(LD | W | ABS, AD + 0), op(ALU | 0x70, 5)], 64),
    ("no queue", [op(LD | W | ABS, AD + 24), op(ALU, 11)], 11),
], shared=True)
def a_program_computes(ops, expected):
    eq(computed(*ops), expected)


@cases([
    ("a load behind the end", [op(LD | W | ABS, 105)]), ("a load far behind the end", [op(LD | W | ABS, 0x7FFFFFFF)]),
    ("a load of X behind the end", [op(LDX | IMM, 0x7FFFFFFF), op(LD | W | IND, 0x7FFFFFFF)]),
    ("a nibble behind the end", [op(LDX | B | MSH, 9999)]), ("division by X that is 0", [op(LD | IMM, 9), op(ALU | 0x38)]),
    ("remainder by X that is 0", [op(LD | IMM, 9), op(ALU | 0x98)]), ("a load before all headers", [op(LD | W | ABS, 0x80000000)]),
], shared=True)
def a_packet_is_dropped_at(ops):
    eq(kept(bytes(range(100)), *ops, KEEP), None)


@cases([
    ("nothing", []), ("no end", [op(LD | IMM, 1)]), ("a jump too far", [op(JMP, 1), KEEP]), ("a branch too far", [op(JMP | 0x10, 0, 0, 1), KEEP]),
    ("a jump back", [op(JMP, -1), KEEP]), ("division by 0", [op(ALU | 0x30), KEEP]), ("remainder by 0", [op(ALU | 0x90), KEEP]),
    ("a wide shift", [op(ALU | 0x60, 32), KEEP]), ("memory beyond 16", [op(ST, 16), KEEP]), ("unset memory", [op(LD | MEM, 1), KEEP]),
    ("memory set on one way", [op(JMP | 0x10, 0, 0, 1), op(ST, 1), op(LD | MEM, 1), KEEP]), ("an unknown code", [op(0xFF), KEEP]),
    ("an unknown field", [op(LD | W | ABS, AD + 64), KEEP]), ("half a field", [op(LD | W | ABS, AD + 1), KEEP]),
    ("a field of -1", [op(LD | W | ABS, -1), KEEP]), ("RET X", [op(RET | 0x08)]),
], shared=True)
def a_program_is_refused_with(ops):
    s, _ = udp()
    eq(attach(s, *ops), -EINVAL)


@cases([("short", 8, -EINVAL), ("long", 17, -EINVAL), ("empty", 0, -EINVAL), ("negative", -1, -EINVAL)], shared=True)
def a_request_that_is(length, expected):
    s, _ = udp()
    program = ctypes.create_string_buffer(KEEP)
    request = struct.pack("=H6xQx", 1, ctypes.addressof(program))
    gives(expected, NR.setsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, request, length)


@cases([("null", 0, -EINVAL), ("low", 8, -EFAULT), ("in the kernel's half", 0xFFFF800000000000, -EFAULT),
        ("wrapping", 0xFFFFFFFFFFFFFFF8, -EFAULT), ("not canonical", 1 << 62, -EFAULT)], shared=True)
def instructions_at_an_address_that_is(address, expected):
    s, _ = udp()
    request = struct.pack("=H6xQ", 2, address)
    gives(expected, NR.setsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, request, 16)


@cases([("4096", 4096, 0), ("4097", 4097, -EINVAL), ("65535", 65535, -EINVAL)], shared=True)
def so_many_instructions(count, expected):
    s, _ = udp()
    program = ctypes.create_string_buffer(KEEP * 65536)
    request = struct.pack("=H6xQ", count, ctypes.addressof(program))
    gives(expected, NR.setsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, request, 16)


@test
def a_program_can_be_read_back():
    s, _ = udp()
    ops = [op(LD | W | ABS, 8), op(RET, 100)]
    eq(attach(s, *ops), 0)
    room, size = ctypes.create_string_buffer(64), ctypes.c_int(0)
    works(NR.getsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, room, size)
    eq(size.value, 2)
    size.value = 1
    gives(-EINVAL, NR.getsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, room, size)
    size.value = 2
    works(NR.getsockopt, s.fileno(), socket.SOL_SOCKET, ATTACH, room, size)
    eq((size.value, room.raw[:16]), (2, b"".join(ops)))


@test
def a_filter_can_be_locked():
    s, _ = udp()
    eq(s.getsockopt(socket.SOL_SOCKET, LOCK), 0)
    fails(ENOENT, s.setsockopt, socket.SOL_SOCKET, DETACH, 0)
    eq(attach(s, KEEP), 0)
    s.setsockopt(socket.SOL_SOCKET, LOCK, 1)
    eq(s.getsockopt(socket.SOL_SOCKET, LOCK), 1)
    eq(attach(s, KEEP), -EPERM)
    fails(EPERM, s.setsockopt, socket.SOL_SOCKET, DETACH, 0)
    fails(EPERM, s.setsockopt, socket.SOL_SOCKET, LOCK, 0)
    s.setsockopt(socket.SOL_SOCKET, LOCK, 1)


@test
def fields_are_numbers_below_64():
    eq(udp()[0].getsockopt(socket.SOL_SOCKET, EXTENSIONS), 64)


@test
def netlink_messages_pass_filters():
    n = Netlink(ROUTE)
    eq(attach(n.s, op(RET, 0)), 0)
    n.send(18, REQUEST | DUMP, bytes(16))
    eq(n.pending(), [])
    eq(attach(n.s, op(RET, 20)), 0)
    n.send(18, REQUEST | DUMP, bytes(16))
    eq(len(n.s.recv(1000)), 20)


@test
def filters_find_attributes_of_netlink():
    n = Netlink(ROUTE)
    # The program looks for IFLA_MTU (4) behind both headers and cuts the message there.
    eq(attach(n.s, op(LD | IMM, 32), op(LDX | IMM, 4), op(LD | W | ABS, AD + 12), op(RET | 0x10)), 0)
    n.send(18, REQUEST, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    cut = len(n.s.recv(1000))
    sc(NR.setsockopt, n.s.fileno(), socket.SOL_SOCKET, DETACH, struct.pack("i", 0), 4)
    n.send(18, REQUEST, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    eq(struct.unpack_from("=HH", n.s.recv(1000), cut), (8, 4))


@test
def packet_sockets_filter_by_link_and_type():
    own_network()
    s = socket.socket(17, socket.SOCK_RAW, socket.htons(3))
    s.bind(("lo", 3))
    # Only packets of type PACKET_HOST, whose network header is at offset 14.
    eq(attach(s, op(LD | W | ABS, AD + 4), op(JMP | 0x10, 0, 0, 3), op(LD | B | ABS, -0x100000 + 9), op(JMP | 0x10, 17, 0, 1), KEEP,
              op(RET, 0)), 0)
    receiver, sender = udp()
    sender.sendto(b"x", receiver.getsockname())
    s.settimeout(5)
    eq(s.recvfrom(1000)[1][2], 0)
    s.setblocking(False)
    fails(EAGAIN, s.recv, 100)


KINDS = [("dgram", socket.SOCK_DGRAM), ("seqpacket", socket.SOCK_SEQPACKET)]


def unix_kept(kind, data, *ops):
    """Returns the part of a UNIX message that a program keeps, or None. Each send succeeds."""
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    eq(attach(b, *ops), 0)
    eq(a.send(data), len(data))
    sc(NR.setsockopt, b.fileno(), socket.SOL_SOCKET, DETACH, struct.pack("i", 0), 4)
    eq(a.send(b"the end"), 7)
    got = b.recv(1000)
    return None if got == b"the end" else got


@cases([(f"{what} of {name}", kind, ops, data, expected) for name, kind in KINDS for what, ops, data, expected in [
    ("all", [KEEP], b"0123456789", b"0123456789"), ("nothing", [op(RET, 0)], b"0123456789", None),
    ("a part", [op(RET, 4)], b"0123456789", b"0123"), ("more than there is", [op(RET, 40)], b"0123", b"0123"),
    ("its length", [op(LD | LEN), op(ALU | 0x10, 3), op(RET | 0x10)], b"0123456789", b"0123456"),
    ("a byte", [op(LD | B | ABS, 2), op(RET | 0x10)], b"\x09\x09\x03abcdef", b"\x09\x09\x03"),
    ("a byte outside", [op(LD | B | ABS, 20), KEEP], b"0123456789", None),
    ("a protocol", [op(LD | W | ABS, AD + 0), op(ALU, 2), op(RET | 0x10)], b"0123456789", b"01"),
    ("a message of nothing", [KEEP], b"", b""), ("a message of nothing, dropped", [op(RET, 0)], b"", None),
]], shared=True)
def unix_messages(kind, ops, data, expected):
    eq(unix_kept(kind, data, *ops), expected)


@test
def a_unix_sender_of_a_dropped_message_does_not_wait():
    a, b, c = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3))
    b.bind("")
    for s in (a, c):
        s.connect(b.getsockname())
    for s in (a, b, c):
        s.setblocking(False)
    eq(attach(b, op(LD | B | ABS, 0), op(JMP | 0x10, ord("x"), 0, 1), op(RET, 0), KEEP), 0)
    try:
        while True:
            a.send(b"kept")
    except BlockingIOError:
        pass
    for _ in range(100):
        eq(c.send(b"x is dropped"), 12)
    while b.recv(100) == b"kept":
        if not select.select([b], [], [], 0)[0]:
            break
    fails(EAGAIN, b.recv, 100)


@test
def unix_streams_accept_filters_and_ignore_them():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    eq(attach(b, op(RET, 0)), 0)
    eq(a.send(b"all of it"), 9)
    eq(b.recv(100), b"all of it")


@test
def descriptors_in_a_dropped_unix_message_are_closed():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    r, w = os.pipe()
    eq(attach(b, op(RET, 0)), 0)
    eq(socket.send_fds(a, [b"x"], [w]), 1)
    os.close(w)
    eq(os.read(r, 1), b"")


run()
