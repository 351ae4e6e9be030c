"""Ways of objects.py to make sockets and objects of networks."""

import ctypes
import errno
import os
import resource
import socket
import struct
from objects_common import KEPT, resource_max, way


@way
def unix_sockets():
    def one(i):
        KEPT.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    return one


@way
def unix_addresses():
    def one(i):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(b"\0" + (b"%d" % i).ljust(106, b"x"))
        KEPT.append(s)
    return one


@way
def unix_messages():
    return messages(socket.SOCK_DGRAM, b"")


@way
def unix_bytes():
    return messages(socket.SOCK_STREAM, b"x" * 4096)


def messages(kind, data):
    pair = [None]

    def one(i):
        if pair[0] is None:
            pair[0] = socket.socketpair(socket.AF_UNIX, kind)
            KEPT.append(pair[0])
            pair[0][0].setblocking(False)
            pair[0][0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        try:
            pair[0][0].send(data)
        except BlockingIOError:
            pair[0] = None
    return one


@way
def rights_in_flight():
    state = [None]
    fd = os.open("/dev/null", os.O_RDONLY)

    def one(i):
        if state[0] is None:
            state[0] = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            state[0][0].setblocking(False)
            KEPT.append(state[0])
        try:
            socket.send_fds(state[0][0], [b"x"], [fd] * 200)
        except BlockingIOError:
            state[0] = None
    return one


@way
def udp_sockets():
    def one(i):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 0)) if i < 20000 else None
        KEPT.append(s)
    return one


@way
def tcp_connections():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)

    def one(i):
        s = socket.socket()
        s.connect(listener.getsockname())
        KEPT.append((s, listener.accept()[0]))
    return one


@way
def netlink_sockets():
    def one(i):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        s.bind((0, 0))
        KEPT.append(s)
    return one


@way
def netlink_queue():
    """Requests answers that no process reads."""
    state = [None]
    ask = struct.pack("<IHHII", 20, 18, 0x301, 1, 0) + bytes(4)

    def one(i):
        if i % 50 == 0:
            state[0] = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
            KEPT.append(state[0])
            state[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            state[0].send(struct.pack("<IHHII", 20, 18, 0x301, i, 0) + bytes(4))
        except OSError as e:
            if e.errno not in (errno.ENOBUFS, errno.EBUSY, errno.EAGAIN):
                raise
    return one


@way
def packet_sockets():
    def one(i):
        KEPT.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    return one


@way
def links():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))

    def one(i):
        kind = struct.pack("<HH", 9, 1) + b"dummy\0\0\0"
        info = struct.pack("<HH", 4 + len(kind), 18) + kind
        body = struct.pack("<BBHiII", 0, 0, 0, 0, 0, 0) + info
        ack(s, 16, 0x605, body)
    return one


@way
def routes():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))

    def one(i):
        dst = struct.pack("<HH", 8, 1) + struct.pack(">I", (10 << 24) + i)
        oif = struct.pack("<HHI", 8, 4, 1)
        body = struct.pack("<BBBBBBBBI", 2, 32, 0, 0, 254, 3, 253, 1, 0) + dst + oif
        ack(s, 24, 0x605, body)
    return one


@way
def addresses():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 0))

    def one(i):
        ip = struct.pack(">I", (10 << 24) + i)
        attrs = struct.pack("<HH", 8, 2) + ip + struct.pack("<HH", 8, 1) + ip
        ack(s, 20, 0x605, struct.pack("<BBBBI", 2, 32, 0, 0, 1) + attrs)
    return one


def ack(s, kind, flags, body):
    s.send(struct.pack("<IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    answer = s.recv(65536)
    code = struct.unpack_from("<i", answer, 16)[0]
    if code < 0:
        raise OSError(-code, os.strerror(-code))


@way
def socket_filters():
    code = struct.pack("<HBBI", 0, 0, 0, 0) * 4095 + struct.pack("<HBBI", 6, 0, 0, 0)
    text = ctypes.create_string_buffer(code)
    program = struct.pack("<HxxxxxxQ", 4096, ctypes.addressof(text))
    KEPT.append(text)

    def one(i):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, 26, program)
        KEPT.append(s)
    return one


@way
def multicast_memberships():
    resource_max(resource.RLIMIT_NOFILE)
    s = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
    KEPT.append(s)

    def one(i):
        if i % 20 == 0:
            s[0] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            KEPT.append(s[0])
        s[0].setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        struct.pack(">II", 0xE8000000 + i, 0x7F000001))
    return one
