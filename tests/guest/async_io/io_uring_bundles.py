"""Rings: sends and messages with selected buffers, bundles, incremental buffer rings, and other
requests on sockets.
"""

import ctypes
import errno as E
import mmap
import os
import socket
import struct

from lib.guest import NR, cases, eq, gives, ok, run, sc, test
from lib.rings import *

BUFFER, MORE, NONEMPTY, BUF_MORE = 1, 2, 4, 16
MULTISHOT, BUNDLE = 2, 16
BIND, LISTEN = 56, 57
PBUF_RING, UNREGISTER_PBUF_RING, MMAP, INC = 22, 23, 1, 2


class Buffers:
    """
    A ring of buffers of `size` bytes in group `group`; with MMAP the kernel provides its memory.
    """

    def __init__(self, r, group, entries, size, flags=0, words=()):
        own = 0 if flags & MMAP else memory()
        reg = struct.pack("<QIHH", own, entries, group, flags) + bytes(24)
        gives(0, NR.io_uring_register, r.fd, PBUF_RING, reg, 1)
        if flags & MMAP:
            m = mmap.mmap(r.fd, 4096, mmap.MAP_SHARED, offset=1 << 31 | group << 16)
            kept.append(m)
            own = ctypes.addressof(ctypes.c_char.from_buffer(m))
        self.at, self.entries, self.size, self.tail, self.data = own, entries, size, 0, memory()
        for i, word in enumerate(words or [b""] * entries):
            ctypes.memmove(self.data + i * size, word, len(word))
            self.add(i, len(word) or size)

    def add(self, i, length):
        slot = self.at + 16 * (self.tail & (self.entries - 1))
        ctypes.memmove(slot, struct.pack("<QIH", self.data + i * self.size, length, i), 14)
        self.tail += 1
        ctypes.memmove(self.at + 14, struct.pack("<H", self.tail & 0xFFFF), 2)

    def entry(self, i):
        address, length = struct.unpack("<QI", at(self.at + 16 * i, 12))
        return address - self.data, length


def one(r):
    r.enter(0, 1)
    [(data, n, flags)] = r.take()
    return n, flags


def done(r, *args, **named):
    r.put(*args, **named)
    r.enter(1, 1)
    return [(n, flags) for _, n, flags in r.take()]


@test
def sends_choose_buffers():
    r, (a, b) = Ring(), socket.socketpair()
    Buffers(r, 3, 4, 16, words=(b"one", b"second"))
    eq(done(r, SEND, a.fileno(), flags=SELECT, buf=3), [(3, BUFFER)])
    eq(done(r, SEND, a.fileno(), 0, 4, flags=SELECT, buf=3), [(4, BUFFER | 1 << 16)], "as much as was asked for")
    eq(done(r, SEND, a.fileno(), flags=SELECT, buf=3), [(-E.ENOBUFS, 0)])
    eq(b.recv(99), b"oneseco")
    eq(r.do(SENDMSG, a.fileno(), flags=SELECT, buf=3), -E.EOPNOTSUPP)


@test
def bundles_are_sent():
    r, (a, b) = Ring(), tcp_pair()
    Buffers(r, 3, 4, 16, words=(b"one", b"second", b"3"))
    [last] = [x for x in done(r, SEND, a.fileno(), flags=SELECT, buf=3, ioprio=BUNDLE) if not x[1] & MORE]
    eq((last, b.recv(99)), ((10, BUFFER), b"onesecond3"))
    eq(done(r, SEND, a.fileno(), flags=SELECT, buf=3, ioprio=BUNDLE), [(-E.ENOBUFS, 0)])
    eq(r.do(RECVMSG, a.fileno(), flags=SELECT, buf=3, ioprio=BUNDLE), -E.EINVAL)
    eq(r.do(SEND, a.fileno(), b"x", 1, ioprio=MULTISHOT), -E.EINVAL)


@test
def bundles_are_received():
    r, (a, b) = Ring(), tcp_pair()
    ring = Buffers(r, 3, 8, 4)
    a.send(b"abcdefghij")
    got = []
    while sum(n for n, _ in got) < 10:
        got += done(r, RECV, b.fileno(), flags=SELECT, buf=3, ioprio=BUNDLE)
    eq(at(ring.data, 10), b"abcdefghij")
    ok(all(f & BUFFER for _, f in got), "buffers")


@test
def datagrams_fill_bundles():
    r, (a, b) = Ring(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    Buffers(r, 3, 4, 16, words=(b"one", b"second"))
    eq(done(r, SEND, a.fileno(), flags=SELECT, buf=3, ioprio=BUNDLE)[-1][0], 9)
    eq(b.recv(99), b"onesecond", "one datagram")


@test
def buffers_of_the_kernel_are_mapped():
    r, (a, b) = Ring(), os.pipe()
    ring = Buffers(r, 5, 4, 8, MMAP)
    os.write(b, b"hello")
    eq(done(r, READ, a, flags=SELECT, buf=5), [(5, BUFFER)])
    eq(at(ring.data, 5), b"hello")

    def register(flags, address=0, op=PBUF_RING, group=5):
        return sc(NR.io_uring_register, r.fd, op, struct.pack("<QIHH", address, 4, group, flags) + bytes(24), 1)
    eq(register(MMAP), -E.EEXIST)
    eq((register(MMAP, op=UNREGISTER_PBUF_RING), register(0, op=UNREGISTER_PBUF_RING)), (-E.EINVAL, 0))
    eq(at(ring.at, 2) is not None, True, "it stays mapped")
    Buffers(r, 7, 4, 8)
    for group in (5, 7, 9):
        try:
            mmap.mmap(r.fd, 4096, mmap.MAP_SHARED, offset=1 << 31 | group << 16)
        except OSError as e:
            eq(e.errno, E.ENOMEM)
        else:
            raise AssertionError("was mapped")


@cases([("own", INC), ("kernel", INC | MMAP)])
def buffers_are_used_bit_by_bit(flags):
    r, (a, b) = Ring(), socket.socketpair()
    ring = Buffers(r, 5, 2, 8, flags)
    for part, entry, more in ((b"abc", (3, 5), BUF_MORE), (b"de", (5, 3), BUF_MORE), (b"fgh", (5, 3), 0)):
        b.send(part)
        eq(done(r, RECV, a.fileno(), flags=SELECT, buf=5), [(len(part), BUFFER | more)])
        if more:
            eq(ring.entry(0), entry)
    eq(at(ring.data, 8), b"abcdefgh")
    b.send(b"next")
    eq(done(r, RECV, a.fileno(), flags=SELECT, buf=5), [(4, BUFFER | BUF_MORE | 1 << 16)])


@test
def a_message_is_received_into_a_chosen_buffer():
    r, (a, b) = Ring(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ring = Buffers(r, 3, 4, 64)
    b.send(b"hello")
    iov = pointer(struct.pack("QQ", 0, 4))
    msg = ctypes.create_string_buffer(struct.pack("QIIQQQQII", 0, 0, 0, iov, 1, 0, 0, 0, 0), 56)
    eq(done(r, RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3), [(4, BUFFER)])
    eq((at(ring.data, 4), struct.unpack_from("I", msg.raw, 48)[0]), (b"hell", socket.MSG_TRUNC))
    struct.pack_into("Q", msg, 24, 2)
    eq(done(r, RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3), [(-E.EINVAL, 0)], "two buffers")


@test
def a_multishot_recvmsg_completes_for_each_message():
    r = Ring()
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    kept.extend((a, b))
    for s in (a, b):
        s.bind(("127.0.0.1", 0))
    a.setsockopt(socket.IPPROTO_IP, 12, 1)
    ring = Buffers(r, 3, 4, 128)
    msg = ctypes.create_string_buffer(struct.pack("QIIQQQQII", 0, 16, 0, 0, 0, 0, 24, 0, 0), 56)
    r.put(RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3, ioprio=MULTISHOT, data=9)
    r.enter(1)
    for i, text in enumerate((b"one", b"second")):
        b.sendto(text, a.getsockname())
        n, flags = one(r)
        eq((n, flags), (16 + 16 + 24 + len(text), BUFFER | MORE | i << 16))
        whole = at(ring.data + i * 128, n)
        eq(struct.unpack_from("IIII", whole), (16, 24, len(text), 0))
        eq(struct.unpack_from("!xxH4s", whole, 16), (b.getsockname()[1], bytes((127, 0, 0, 1))))
        eq(struct.unpack_from("QiiI", whole, 32), (20, 0, 2, 64), "the TTL")
        eq(whole[56:], text)
    eq(r.do(RECVMSG, a.fileno(), msg, 1, ioprio=MULTISHOT), -E.EINVAL, "without choice")


@test
def the_end_of_a_stream_ends_a_multishot_recvmsg():
    r, (a, b) = Ring(), socket.socketpair()
    Buffers(r, 3, 8, 64)
    msg = ctypes.create_string_buffer(struct.pack("QIIQQQQII", 0, 0, 0, 0, 0, 0, 0, 0, 0), 56)
    r.put(RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3, ioprio=MULTISHOT)
    r.enter(1)
    b.send(b"hello")
    eq(one(r), (16 + 5, BUFFER | MORE))
    b.close()
    eq(one(r), (16, BUFFER | 1 << 16), "no bytes, and no more")
    eq(r.take(), [])


@test
def a_message_needs_room():
    r, (a, b) = Ring(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    Buffers(r, 3, 4, 16)
    b.send(b"hello")
    msg = ctypes.create_string_buffer(struct.pack("QIIQQQQII", 0, 8, 0, 0, 0, 0, 0, 0, 0), 56)
    eq(done(r, RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3, ioprio=MULTISHOT), [(-E.EFAULT, 0)])
    struct.pack_into("I", msg, 8, 0x7FFFFFFF)
    eq(done(r, RECVMSG, a.fileno(), msg, 1, flags=SELECT, buf=3, ioprio=MULTISHOT), [(-E.EOVERFLOW, 0)])


@test
def vectors_choose_buffers():
    r, (a, b) = Ring(), os.pipe()
    ring = Buffers(r, 3, 4, 16)
    os.write(b, b"hello")
    iov = pointer(struct.pack("QQQQ", 0, 3, 0, 3))
    eq(done(r, READV, a, iov, 1, flags=SELECT, buf=3), [(3, BUFFER)])
    eq(at(ring.data, 3), b"hel")
    eq(done(r, READV, a, iov, 2, flags=SELECT, buf=3)[0][0], -E.EINVAL)


@test
def a_completion_says_whether_the_socket_has_more():
    r, (a, b) = Ring(), tcp_pair()
    buf = ctypes.create_string_buffer(8)
    a.send(b"hello")
    eq(done(r, RECV, b.fileno(), buf, 2), [(2, NONEMPTY)])
    eq(done(r, RECV, b.fileno(), buf, 8), [(3, 0)])
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    kept.append([socket.create_connection(s.getsockname()) for _ in range(2)])
    eq([done(r, ACCEPT, s.fileno())[0][1] for _ in range(2)], [NONEMPTY, 0])
    eq(r.do(ACCEPT, s.fileno(), ioprio=2), -E.EAGAIN, "it does not wait")
    eq(r.do(ACCEPT, s.fileno(), ioprio=8), -E.EINVAL)


@test
def a_request_binds_a_socket_and_makes_it_listen():
    r, s = Ring(), socket.socket()
    name = struct.pack("H", socket.AF_INET) + struct.pack("!H4s8x", 0, bytes((127, 0, 0, 1)))
    eq(r.do(BIND, s.fileno(), name, off=16), 0)
    ok(s.getsockname()[1] > 0, "a port")
    eq(r.do(LISTEN, s.fileno(), 0, 5), 0)
    kept.append(socket.create_connection(s.getsockname()))
    eq((r.do(BIND, s.fileno(), name, off=16), r.do(LISTEN, 0, 0, 5)), (-E.EINVAL, -E.ENOTSOCK))
    eq((r.do(BIND, s.fileno(), name, 1, off=16), r.do(LISTEN, s.fileno(), name, 5), r.do(LISTEN, s.fileno(), 0, 5, off=1)),
       (-E.EINVAL,) * 3)


@test
def sockets_take_commands():
    r, (a, b) = Ring(), tcp_pair()
    command = 46
    SOL, TYPE, SNDTIMEO, RCVBUF = socket.SOL_SOCKET, socket.SO_TYPE, socket.SO_SNDTIMEO, socket.SO_RCVBUF
    a.send(b"hello")
    eq((r.do(command, b.fileno(), off=0), r.do(command, a.fileno(), off=1)), (5, 0))
    value = ctypes.create_string_buffer(8)

    def get(fd, level, name, length=8):
        return r.do(command, fd, level | name << 32, off=2, addr3=ctypes.addressof(value), file_index=length)
    eq((get(a.fileno(), SOL, TYPE), value.raw), (4, struct.pack("II", socket.SOCK_STREAM, 0)))
    eq((get(a.fileno(), SOL, TYPE, 2), get(a.fileno(), SOL, TYPE, -1)), (2, -E.EINVAL))
    eq((get(a.fileno(), socket.IPPROTO_TCP, socket.TCP_NODELAY), get(os.open("/etc/passwd", 0), SOL, TYPE)), (-E.EOPNOTSUPP,) * 2)

    def put(level, name, number, length=4):
        struct.pack_into("I", value, 0, number)
        return r.do(command, a.fileno(), level | name << 32, off=3, addr3=ctypes.addressof(value), file_index=length)
    eq((put(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), a.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)), (0, 1))
    eq((put(SOL, RCVBUF, 4096, 2), put(SOL, 9999, 1)), (-E.EINVAL, -E.ENOPROTOOPT))
    u, _ = socket.socketpair()
    eq((r.do(command, u.fileno(), off=0), r.do(command, a.fileno(), off=99)), (-E.EOPNOTSUPP,) * 2)
    eq((r.do(command, a.fileno(), off=1 << 32), r.do(command, a.fileno(), off=0, op_flags=2)), (-E.EINVAL,) * 2)


run()
