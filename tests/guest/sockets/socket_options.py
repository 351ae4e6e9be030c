"""Options of sockets (socket(7), ip(7), ipv6(7), tcp(7)): first values, accepted values, errors."""

import os
import socket
import struct
from errno import *
from lib.guest import *

IP, IPV6, TCP, SOL = 0, 41, 6, 1
KINDS = {"tcp4": (2, 1), "tcp6": (10, 1), "udp4": (2, 2), "udp6": (10, 2)}


def make(kind):
    return socket.socket(*KINDS[kind])


def rows(table):
    """Makes cases of (kinds, level, option, first value, {value set: value read, or -errno})."""
    return [("%s level %d option %d" % (kind, level, name), kind, level, name, first, values)
            for kinds, level, name, first, values in table for kind in kinds.split()]


BOTH4, BOTH6, ALL = "tcp4 udp4", "tcp6 udp6", "tcp4 tcp6 udp4 udp6"
ON_OFF = {0: 0, 1: 1, 2: 1, -1: 1, 300: 1}


@cases(rows([
    (ALL, SOL, 41, 0, ON_OFF), (ALL, SOL, 43, 0, ON_OFF), (ALL, SOL, 45, 0, ON_OFF), (ALL, SOL, 75, 0, ON_OFF),
    (ALL, SOL, 49, -1, {0: 0, 3: 3, -1: -1}), (ALL, SOL, 72, 0, {0: 0, 1: 1, 3: 3, 4: -EINVAL, -1: -EINVAL}),
    (ALL, SOL, 63, 0, ON_OFF), (ALL, SOL, 64, 0, ON_OFF),
    ("udp4", IP, 1, 0, {0: 0, 2: 2, 255: 255, 256: 0, 300: 44, -1: 255}), ("tcp4", IP, 1, 0, {0: 0, 2: 0, 4: 4, 255: 252, 300: 44}),
    (BOTH4, IP, 18, 0, ON_OFF), (BOTH4, IP, 19, 0, ON_OFF), (BOTH4, IP, 20, 0, ON_OFF), ("udp4", IP, 25, 0, ON_OFF),
    (BOTH4, IP, 34, 1, ON_OFF), (BOTH4, IP, 49, 1, {0: 0, 1: 1, 2: -EINVAL, -1: -EINVAL}),
    ("udp4", IP, 33, 1, {0: 0, 2: 2, -1: 1, 255: 255, 256: -EINVAL}), ("tcp4", IP, 33, 1, {1: -EINVAL}),
    ("udp4", IP, 32, 0, {0: 0}), ("tcp4", IP, 32, 0, {0: -EINVAL}), (BOTH4, IP, 50, 0, {0: 0}),
    *[(BOTH6, IPV6, name, 0, ON_OFF) for name in (3, 4, 5, 11, 30, 33, 53, 56, 58, 60, 62, 74, 75, 77, 78, 49, 51, 66)],
    (BOTH6, IPV6, 29, 1, ON_OFF), (BOTH6, IPV6, 70, 1, ON_OFF), (BOTH6, IPV6, 73, 0, {0: 0, 2: 2, 255: 255, 256: -EINVAL, -1: -EINVAL}),
    ("udp6", IPV6, 67, 0, {0: 0, 1: 1, 2: 2, -1: 0, 256: -EINVAL}), ("tcp6", IPV6, 67, 0, {0: 0, 3: 0, 4: 4, -1: 0, 256: -EINVAL}),
    ("udp6", IPV6, 18, 1, {0: 0, 2: 2, -1: 1, 256: -EINVAL}), ("tcp6", IPV6, 18, 1, {1: -ENOPROTOOPT}), ("tcp6", IPV6, 17, 0, {0: -ENOPROTOOPT}),
    (BOTH6, IPV6, 76, 0, {0: 0}),
    ("tcp4 tcp6", TCP, 8, 60, {1: 1, 0: 60, 120: 120, 300: 120, -1: -1, -5: -1}), ("tcp4 tcp6", TCP, 10, 0, {0: 0, 1: 1152, 2000: 2000}),
    ("tcp4 tcp6", TCP, 12, 1, ON_OFF), ("tcp4 tcp6", TCP, 20, None, {}), ("tcp4 tcp6", TCP, 21, None, {}),
]), shared=True)
def values_of(kind, level, name, first, values):
    need_root()
    s = make(kind)
    if first is None:
        fails(EINVAL, s.getsockopt, level, name)
    else:
        eq(struct.unpack("=i", s.getsockopt(level, name, 4))[0], first)
    for value, shown in values.items():
        s = make(kind)
        if shown < 0 and shown not in (-1, -5):
            fails(-shown, s.setsockopt, level, name, value)
        else:
            s.setsockopt(level, name, value)
            eq(struct.unpack("=i", s.getsockopt(level, name, 4))[0], shown, "after %d" % value)


@cases([(name, *rest) for name, *rest in (
    ("IP_TOS without a value", "udp4", IP, 1, b"", 0), ("IP_TOS of a byte", "udp4", IP, 1, b"\x08", 0), ("IP_PKTINFO without a value", "udp4", IP, 8, b"", 0),
    ("IP_RECVERR without a value", "udp4", IP, 11, b"", 0), ("IP_TTL without a value", "udp4", IP, 2, b"", EINVAL),
    ("IP_MINTTL without a value", "tcp4", IP, 21, b"", EINVAL), ("IP_MULTICAST_LOOP without a value", "udp4", IP, 34, b"", EINVAL),
    ("IP_LOCAL_PORT_RANGE of a byte", "udp4", IP, 51, b"\1", EINVAL), ("IP_LOCAL_PORT_RANGE of 16", "udp4", IP, 51, bytes(16), EINVAL),
    ("IP_TRANSPARENT without a value", "udp4", IP, 19, b"", EINVAL), ("IPV6_DONTFRAG of a byte", "udp6", IPV6, 62, b"\1", 0),
    ("IPV6_RECVHOPOPTS of a byte", "udp6", IPV6, 53, b"\1", EINVAL), ("an unknown option of a byte", "udp6", IPV6, 10, b"\1", ENOPROTOOPT),
    ("an unknown option of IP", "udp4", IP, 3, b"\1\0\0\0", ENOPROTOOPT), ("a short membership", "udp4", IP, 35, bytes(4), EINVAL),
    ("a membership of a stream", "tcp4", IP, 35, bytes(8), EPROTO), ("a short membership of IPv6", "udp6", IPV6, 20, bytes(16), EINVAL),
    ("TCP_QUICKACK of a byte", "tcp4", TCP, 12, b"\1", EINVAL), ("SO_BUF_LOCK of a byte", "tcp4", SOL, 72, b"\1", EINVAL),
)], shared=True)
def setting(kind, level, name, data, code):
    need_root()
    s = make(kind)
    if code:
        fails(code, s.setsockopt, level, name, data)
    else:
        s.setsockopt(level, name, data)


@cases([("TCP_REPAIR_QUEUE", 20, 1), ("TCP_REPAIR_WINDOW", 29, 1)], shared=True)
def repair_options_need_repair_mode(name, value):
    s = make("tcp4")
    fails(EPERM, s.setsockopt, TCP, name, value)


@test
def repair_needs_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        fails(EPERM, make("tcp4").setsockopt, TCP, 19, 1)

    child_ok(nobody)


@test
def transparent_sockets_need_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        fails(EPERM, make("udp4").setsockopt, IP, 19, 1)
        fails(EPERM, make("udp6").setsockopt, IPV6, 75, 1)
        make("udp4").setsockopt(IP, 19, 0)

    child_ok(nobody)
    s = make("udp4")
    fails(EADDRNOTAVAIL, s.bind, ("192.0.2.7", 0))
    s.setsockopt(IP, 19, 1)
    s.bind(("192.0.2.7", 0))


@test
def the_name_of_the_peer_is_an_option():
    a, b = make("udp4"), make("udp4")
    fails(ENOTCONN, a.getsockopt, SOL, 28, 128)
    b.bind(("127.0.0.1", 0))
    a.connect(b.getsockname())
    fails(EINVAL, a.getsockopt, SOL, 28, 128)
    eq(a.getsockopt(SOL, 28, 16), struct.pack("=H", 2) + struct.pack(">H", b.getsockname()[1]) + b"\x7f\0\0\1" + bytes(8))


@test
def memory_is_an_option():
    s = make("udp4")
    words = struct.unpack("=9I", s.getsockopt(SOL, 55, 64))
    eq((words[0], words[1], words[3]), (0, s.getsockopt(SOL, socket.SO_RCVBUF), s.getsockopt(SOL, socket.SO_SNDBUF)))


@test
def the_destination_comes_with_a_datagram():
    for kind, host, level, option, family in (("udp4", "127.0.0.1", IP, 20, 2), ("udp6", "::1", IPV6, 74, 10)):
        receiver, sender = make(kind), make(kind)
        receiver.bind((host, 0))
        receiver.settimeout(5)
        receiver.setsockopt(level, option, 1)
        sender.sendto(b"x", receiver.getsockname())
        (found, kind_, data), = receiver.recvmsg(10, 200)[1]
        eq((found, kind_, struct.unpack_from("=H", data)[0]), (level, option, family))
        eq(struct.unpack_from(">H", data, 2)[0], receiver.getsockname()[1])


@test
def newer_times_have_their_own_type():
    receiver, sender = make("udp4"), make("udp4")
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    for option, scale in ((63, 10**6), (64, 10**9)):
        receiver.setsockopt(SOL, option, 1)
        sender.sendto(b"x", receiver.getsockname())
        (level, kind, data), = receiver.recvmsg(10, 200)[1]
        sec, part = struct.unpack("=qq", data)
        eq((level, kind), (SOL, option))
        between(time.time() - 60, sec + part / scale, time.time() + 1)


run()
