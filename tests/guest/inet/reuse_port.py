"""Sockets that share a port (SO_REUSEPORT), and programs that pick one of them
(SO_ATTACH_REUSEPORT_CBPF).
"""

import ctypes
import select
import socket
import struct
from errno import *
from lib.guest import *

SOL, REUSEPORT, LOCK, ATTACH, DETACH = 1, 15, 44, 51, 68
HOST = "127.0.0.1"
kept = []


def op(code, k=0):
    return struct.pack("=HBBI", code, 0, 0, k & 0xFFFFFFFF)


def always(n):
    return [op(6, n)]


FIRST_BYTE = [op(0x30, 0), op(0x16)]
LENGTH = [op(0x80), op(0x16)]


def attach(s, ops):
    program = ctypes.create_string_buffer(b"".join(ops))
    request = struct.pack("=H6xQ", len(ops), ctypes.addressof(program))
    return sc(NR.setsockopt, s.fileno(), SOL, ATTACH, request, len(request))


def detach(s, value=b"\0\0\0\0"):
    return sc(NR.setsockopt, s.fileno(), SOL, DETACH, value, len(value))


def sharing(kind=socket.SOCK_DGRAM, port=None, host=HOST, family=socket.AF_INET):
    s = socket.socket(family, kind)
    s.setsockopt(SOL, REUSEPORT, 1)
    s.setblocking(False)
    if port is not None:
        s.bind((host, port))
        if kind == socket.SOCK_STREAM:
            s.listen(10)
    return s


def group(n, kind=socket.SOCK_DGRAM, host=HOST, family=socket.AF_INET):
    first = sharing(kind, 0, host, family)
    return [first] + [sharing(kind, first.getsockname()[1], host, family) for _ in range(n - 1)]


def receiver_of(sockets, data, via=None):
    """Sends a datagram. Returns the index of the only socket that receives it."""
    sender = via or socket.socket(sockets[0].family, socket.SOCK_DGRAM)
    sender.sendto(data, sockets[0].getsockname()[:2])
    found = []
    for i, s in enumerate(sockets):
        try:
            eq(s.recv(100), data)
            found.append(i)
        except BlockingIOError:
            pass
    eq(len(found), 1, "receivers of one datagram")
    return found[0]


@cases([
    ("no sharing", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), -EINVAL, -EINVAL),
    ("sharing later", lambda: sharing(), 0, -ENOENT), ("sharing", lambda: sharing(port=0), 0, -ENOENT),
    ("bound before", lambda: bound_before(), -EINVAL, -ENOENT), ("UNIX", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), -EINVAL, -EINVAL),
    ("a stream that does not listen", lambda: sharing(socket.SOCK_STREAM), 0, -ENOENT), ("a connection", lambda: connected(), -EINVAL, -ENOENT),
    ("locked", lambda: locked(), -EPERM, -ENOENT),
])
def sockets_that_take_a_program(make, attached, detached):
    s = make()
    eq(detach(s), detached)
    eq(attach(s, always(0)), attached)
    if attached == 0:
        eq((detach(s), detach(s)), (0, -ENOENT))


def bound_before():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((HOST, 0))
    s.setsockopt(SOL, REUSEPORT, 1)
    return s


def connected():
    kept.append(sharing(socket.SOCK_STREAM, 0))
    s = socket.create_connection(kept[0].getsockname())
    s.setsockopt(SOL, REUSEPORT, 1)
    return s


def locked():
    s = sharing()
    s.setsockopt(SOL, LOCK, 1)
    return s


@test
def bad_programs_are_refused():
    s = sharing()
    eq(sc(NR.setsockopt, s.fileno(), SOL, ATTACH, b"123", 3), -EINVAL)
    eq(attach(s, [op(6, 0), op(0x30, 0)]), -EINVAL)
    eq(attach(s, []), -EINVAL)
    request = struct.pack("=H6xQ", 1, 8)
    eq(sc(NR.setsockopt, s.fileno(), SOL, ATTACH, request, len(request)), -EFAULT)
    eq(detach(s, b""), -EINVAL)
    fails(ENOPROTOOPT, s.getsockopt, SOL, ATTACH, 100)
    fails(ENOPROTOOPT, s.getsockopt, SOL, DETACH)


@test
def a_program_picks_a_socket_by_the_data():
    g = group(3)
    eq(attach(g[0], always(1)), 0)
    eq([receiver_of(g, b"x") for _ in range(4)], [1] * 4)
    eq(attach(g[2], FIRST_BYTE), 0, "any of them, in place of the one before")
    eq([receiver_of(g, bytes([n, 65])) for n in (2, 0, 1)], [2, 0, 1])
    eq(receiver_of(g, b""), 0, "a load outside is 0")
    eq(attach(g[0], LENGTH), 0)
    eq([receiver_of(g, bytes(n)) for n in (0, 1, 2)], [0, 1, 2])
    eq(attach(g[0], [op(0x30, -0x100000 + 9), op(0x54, 1), op(0x16)]), 0)
    eq(receiver_of(g, b"x"), 1, "17 & 1, of the header of the network")


@test
def without_a_verdict_the_same_flow_reaches_the_same_socket():
    g = group(3)
    via = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one = receiver_of(g, b"x", via)
    eq({receiver_of(g, b"x", via) for _ in range(5)}, {one})
    eq(attach(g[0], always(7)), 0)
    eq({receiver_of(g, b"x", via) for _ in range(5)}, {one}, "no socket has this index")
    eq(attach(g[0], always((one + 1) % 3)), 0)
    eq(receiver_of(g, b"x", via), (one + 1) % 3)
    eq(detach(g[1]), 0)
    eq(receiver_of(g, b"x", via), one)


@test
def the_last_socket_takes_the_index_of_a_closed_one():
    g = group(3)
    eq(attach(g[0], FIRST_BYTE), 0)
    g.append(sharing(port=g[0].getsockname()[1]))
    eq(receiver_of(g, b"\3"), 3)
    g.pop(1).close()
    eq([receiver_of(g, bytes([n])) for n in range(3)], [0, 2, 1], "the last takes the index")


@test
def a_program_can_be_attached_before_the_bind():
    first = sharing()
    eq(attach(first, FIRST_BYTE), 0)
    first.bind((HOST, 0))
    second = sharing(port=first.getsockname()[1])
    eq([receiver_of([first, second], bytes([n])) for n in (1, 0)], [1, 0])
    late = sharing()
    eq(attach(late, always(0)), 0)
    fails(EADDRINUSE, late.bind, first.getsockname())


@test
def a_program_picks_among_ipv6_sockets():
    g = group(2, host="::1", family=socket.AF_INET6)
    eq(attach(g[1], FIRST_BYTE), 0)
    eq([receiver_of(g, bytes([n])) for n in (1, 0)], [1, 0])


@test
def listeners():
    g = group(3, socket.SOCK_STREAM)

    def accepts():
        c = socket.create_connection(g[0].getsockname())
        found = []
        for i, s in enumerate(g):
            try:
                s.accept()
                found.append(i)
            except BlockingIOError:
                pass
        eq(len(found), 1)
        return found[0]

    for n in (1, 2, 0):
        eq(attach(g[0], always(n)), 0)
        eq([accepts() for _ in range(3)], [n] * 3)
    eq(attach(g[1], LENGTH), 0)
    eq(accepts(), 0, "a connection has no data")
    eq(attach(g[1], always(9)), 0)
    accepts()
    g.pop(0).close()
    eq(attach(g[0], always(1)), 0)
    eq(accepts(), 0, "the last is the first")


@test
def random_numbers_of_programs_are_not_the_same():
    g = group(2)
    eq(attach(g[0], [op(0x20, -0x1000 + 56), op(0x54, 1), op(0x16)]), 0)
    via = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    eq({receiver_of(g, b"x", via) for _ in range(64)}, {0, 1})


@cases([("datagrams", socket.SOCK_DGRAM), ("connections", socket.SOCK_STREAM)])
def ipv4_before_ipv6(kind):
    """IPv4 traffic goes to the IPv4 wildcard socket, in whatever order the two were bound."""
    for families in ((socket.AF_INET, socket.AF_INET6), (socket.AF_INET6, socket.AF_INET)):
        first = sharing(kind, 0, "", families[0])
        port = first.getsockname()[1]
        both = {families[0]: first, families[1]: sharing(kind, port, "", families[1])}
        for family, host in ((socket.AF_INET, HOST), (socket.AF_INET6, "::1")):
            sender = socket.socket(family, kind)
            sender.connect((host, port))
            if kind == socket.SOCK_DGRAM:
                sender.send(b"x")
            ready = select.select(list(both.values()), [], [], 5)[0]
            eq(ready, [both[family]], "of %s" % family)
            if kind == socket.SOCK_DGRAM:
                ready[0].recv(9)
            else:
                ready[0].accept()


run()
