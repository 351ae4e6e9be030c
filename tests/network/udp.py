"""UDP, names and ICMP across a link: boundaries, errors, control messages."""

import ctypes
import errno
import os
import select
import socket
import struct
import time

from lib.guest import between, eq, fails, ok, run, skip, test, wait_until

PEER4, PEER6, OWN4, OWN6 = "10.77.0.1", "fd77::1", "10.77.0.2", "fd77::2"


def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(10)
    return s


@test
def echo_over_both_families():
    for family, host in ((socket.AF_INET, PEER4), (socket.AF_INET6, PEER6)):
        with udp(family) as s:
            s.sendto(b"one", (host, 7001))
            s.sendto(b"", (host, 7001))
            s.sendto(b"three", (host, 7001))
            got = [s.recvfrom(100) for _ in range(3)]
            eq([data for data, _ in got], [b"one", b"", b"three"])
            eq({who[:2] for _, who in got}, {(host, 7001)})


@test
def large_datagrams():
    data = bytes(range(256)) * 255
    with udp() as s:
        s.connect((PEER4, 7001))
        s.send(data)
        ok(s.recv(70000) == data, "the datagram is whole")
        fails(errno.EMSGSIZE, s.send, bytes(65508))
        pieces = [data[i:i + 64] for i in range(0, 64 * 1000, 64)]
        s.sendmsg(pieces)
        ok(s.recv(70000) == b"".join(pieces), "a thousand pieces are one datagram")


@test
def cut_datagrams():
    with udp() as s:
        s.connect((PEER4, 7001))
        s.send(b"0123456789")
        eq(s.recv(4, socket.MSG_PEEK), b"0123")
        data, _, flags, _ = s.recvmsg(4)
        eq((data, flags & socket.MSG_TRUNC), (b"0123", socket.MSG_TRUNC))
        s.send(b"0123456789")
        buffer = bytearray(4)
        eq(s.recv_into(buffer, 4, socket.MSG_TRUNC), 10)


@test
def a_refused_datagram():
    with udp() as s:
        s.connect((PEER4, 1))
        s.send(b"x")
        p = select.poll()
        p.register(s, select.POLLIN)
        (_, bits), = p.poll(10000)
        ok(bits & select.POLLERR, "POLLERR")
        fails(errno.ECONNREFUSED, s.recv, 10)


@test
def the_queue_of_errors():
    with udp() as s:
        s.setsockopt(socket.IPPROTO_IP, 11, 1)
        s.sendto(b"lost", (PEER4, 1))
        p = select.poll()
        p.register(s, 0)
        wait_until(lambda: p.poll(100), "POLLERR")
        data, control, flags, who = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        eq((data, who), (b"lost", (PEER4, 1)))
        ok(flags & socket.MSG_ERRQUEUE, "MSG_ERRQUEUE")
        (level, kind, value), = control
        eq((level, kind), (socket.IPPROTO_IP, 11))
        eq(struct.unpack("IBBB", value[:7]), (errno.ECONNREFUSED, 2, 3, 3))
        s.settimeout(None)
        fails(errno.EAGAIN, s.recvmsg, 100, 512, socket.MSG_ERRQUEUE)


@test
def what_comes_beside_the_bytes():
    with udp() as s:
        s.setsockopt(socket.IPPROTO_IP, 8, 1)
        s.setsockopt(socket.IPPROTO_IP, 12, 1)
        s.setsockopt(socket.IPPROTO_IP, 13, 1)
        s.setsockopt(socket.SOL_SOCKET, 29, 1)
        s.sendto(b"x", (PEER4, 7001))
        _, control, _, _ = s.recvmsg(100, 512)
        by = {(level, kind): value for level, kind, value in control}
        index, _, to = struct.unpack("i4s4s", by[(0, 8)])
        eq((socket.if_indextoname(index), socket.inet_ntoa(to)), ("veth77", OWN4))
        eq(struct.unpack("i", by[(0, 2)])[0], 64)
        eq(by[(0, 1)], b"\0")
        seconds, _ = struct.unpack("qq", by[(1, 29)])
        between(time.time() - 60, seconds, time.time() + 60)
    with udp(socket.AF_INET6) as s:
        s.setsockopt(socket.IPPROTO_IPV6, 49, 1)
        s.setsockopt(socket.IPPROTO_IPV6, 51, 1)
        s.sendto(b"x", (PEER6, 7001))
        _, control, _, _ = s.recvmsg(100, 512)
        by = {(level, kind): value for level, kind, value in control}
        eq(socket.inet_ntop(socket.AF_INET6, by[(41, 50)][:16]), OWN6)
        eq(struct.unpack("i", by[(41, 52)])[0], 64)


@test
def what_one_packet_says():
    with udp() as a, udp() as b:
        a.bind((OWN4, 0))
        a.setsockopt(socket.IPPROTO_IP, 12, 1)
        ttl = (socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 9))
        b.sendmsg([b"x"], [ttl], 0, a.getsockname())
        _, control, _, _ = a.recvmsg(10, 128)
        eq(control, [(socket.IPPROTO_IP, socket.IP_TTL, struct.pack("i", 9))])
        fails(errno.EINVAL, b.sendmsg, [b"x"], [(socket.IPPROTO_IP, 77, b"1234")], 0, a.getsockname())


class Mmsghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_size_t), ("len", ctypes.c_uint32)]


@test
def several_at_once():
    libc = ctypes.CDLL(None, use_errno=True)
    with udp() as s:
        s.settimeout(None)
        s.connect((PEER4, 7001))
        buffers = [ctypes.create_string_buffer(b"m%d" % i, 16) for i in range(5)]
        iovs = [(ctypes.c_size_t * 2)(ctypes.addressof(b), 2) for b in buffers]
        messages = (Mmsghdr * 5)()
        for m, iov in zip(messages, iovs):
            m.iov, m.iovlen = ctypes.addressof(iov), 1
        eq(libc.sendmmsg(s.fileno(), messages, 5, 0), 5)
        for b in buffers:
            b[:2] = b"--"
        eq(libc.recvmmsg(s.fileno(), messages, 5, 0, None), 5)
        eq(sorted(b[:2] for b in buffers), [b"m%d" % i for i in range(5)])
        eq([m.len for m in messages], [2] * 5)


@test
def multicast_and_broadcast():
    with udp() as a, udp() as b:
        a.bind(("", 0))
        fails(errno.EACCES, b.sendto, b"x", ("10.77.0.255", 9))
        b.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        eq(b.sendto(b"x", ("10.77.0.255", 9)), 1)
        group = socket.inet_aton("239.77.0.1") + socket.inet_aton(OWN4)
        a.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        b.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(OWN4))
        b.sendto(b"to all", ("239.77.0.1", a.getsockname()[1]))
        eq(a.recv(10), b"to all")


@test
def connect_and_dissolve():
    with udp() as s:
        s.connect((PEER4, 7001))
        eq(s.getpeername(), (PEER4, 7001))
        libc = ctypes.CDLL(None, use_errno=True)
        eq(libc.connect(s.fileno(), struct.pack("H14x", 0), 16), 0)
        fails(errno.ENOTCONN, s.getpeername)
        fails(errno.EDESTADDRREQ, s.send, b"x")
        fails(errno.ENOTCONN, s.shutdown, socket.SHUT_RD)


@test
def a_time_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((OWN4, 0))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50000))
        began = time.monotonic()
        fails(errno.EAGAIN, s.recv, 1)
        between(0.04, time.monotonic() - began, 5)


@test
def names():
    """Queries the peer's name server as glibc does."""
    import random
    ident = random.randrange(65536)
    for kind, size in ((1, 4), (28, 16)):
        query = struct.pack(">HHHHHH", ident, 0x100, 1, 0, 0, 0) + b"\4peer\4test\0"
        with udp() as s:
            s.connect((PEER4, 53))
            s.send(query + struct.pack(">HH", kind, 1))
            answer = s.recv(512)
            eq(answer[:2], struct.pack(">H", ident))
            want = socket.inet_aton(PEER4) if size == 4 else socket.inet_pton(socket.AF_INET6, PEER6)
            eq(answer[-size:], want)


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


@test
def ping_with_a_raw_socket():
    if os.getuid() != 0:
        skip("needs uid 0")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(10)
        head = struct.pack("!BBHHH", 8, 0, 0, 0x7777, 1)
        head = struct.pack("!BBHHH", 8, 0, checksum(head + b"data"), 0x7777, 1)
        s.sendto(head + b"data", (PEER4, 0))
        while True:
            packet, who = s.recvfrom(1000)
            if packet[20] == 0 and packet[24:26] == b"\x77\x77":
                break
        eq((who[0], packet[28:]), (PEER4, b"data"))


@test
def ping_with_a_ping_socket():
    with open("/proc/sys/net/ipv4/ping_group_range") as f:
        low, high = map(int, f.read().split())
    if not low <= os.getgid() <= high:
        with_error = socket.socket
        fails(errno.EACCES, with_error, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as s:
        s.settimeout(10)
        s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 3) + b"data", (PEER4, 0))
        packet, who = s.recvfrom(1000)
        eq((packet[0], packet[6:], who[0]), (0, b"\0\3data", PEER4))


@test
def no_packet_sockets():
    """Checks that the sandbox has no packet sockets, which root has outside."""
    if os.getuid() != 0 or "DVISOR" not in os.environ:
        skip("only in the sandbox")
    fails(errno.EAFNOSUPPORT, socket.socket, socket.AF_PACKET, socket.SOCK_RAW, 3)


run()
