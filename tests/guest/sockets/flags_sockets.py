"""Families, types, options and flags of sockets, one by one: values read back as on Linux, and
flags have their effect.
"""

import ctypes
import os
import socket as S
import struct
from errno import *
from lib.guest import *

needs_root(
    "socket_level_SO_BINDTODEVICE", "socket_level_SO_SNDBUFFORCE", "socket_level_SO_RCVBUFFORCE",
)

SOL, IP, IPV6, TCP, UDP = 1, 0, 41, 6, 17
INT = struct.Struct("i")


def make(kind):
    if kind == "unix":
        return S.socketpair()[0].detach()
    if kind == "dgram":
        return S.socketpair(S.AF_UNIX, S.SOCK_DGRAM)[0].detach()
    family = S.AF_INET6 if kind.endswith("6") else S.AF_INET
    return S.socket(family, S.SOCK_STREAM if kind.startswith("tcp") else S.SOCK_DGRAM).detach()


def put(fd, level, option, value):
    data = value if isinstance(value, bytes) else INT.pack(value)
    return sc(NR.setsockopt, fd, level, option, ctypes.create_string_buffer(data, max(1, len(data))), len(data))


def get(fd, level, option, room=64):
    """Returns the number or the bytes of an option, or -errno."""
    buf, length = ctypes.create_string_buffer(max(room, 1)), ctypes.c_uint32(room)
    r = sc(NR.getsockopt, fd, level, option, buf, length)
    if r < 0:
        return r
    data = buf.raw[:length.value]
    return INT.unpack(data)[0] if len(data) == 4 else data


def keeps(kind, level, option, *values):
    """Returns the first value of an option, and for each value the result of a set and the get."""
    fd = make(kind)
    out = [get(fd, level, option)]
    for value in values:
        out.append((put(fd, level, option, value), get(fd, level, option)))
    return out


def created(family, kind=1, protocol=0):
    return min(sc(NR.socket, family, kind, protocol), 0)


def tcp_pair(family=S.AF_INET):
    listener = S.socket(family)
    listener.bind(("::1" if family == S.AF_INET6 else "127.0.0.1", 0))
    listener.listen()
    a = S.create_connection(listener.getsockname()[:2])
    return a, listener.accept()[0]


def pair(kind=S.SOCK_STREAM):
    return S.socketpair(S.AF_UNIX, kind)


def said(fn):
    try:
        return fn()
    except OSError as e:
        return -e.errno


def sent(flags, a, b):
    return said(lambda: a.send(b"abc", flags)), said(lambda: b.recv(9))


def received(flags, a, b):
    a.send(b"abcdef")
    first = said(lambda: b.recv(3, flags))
    return first, said(lambda: b.recv(9, S.MSG_DONTWAIT))


@cases([
    ("AF_UNIX", lambda: created(1), 0),
    ("AF_INET", lambda: created(2), 0),
    ("AF_INET6", lambda: created(10), 0),
    ("AF_NETLINK", lambda: created(16, 3), 0),
    ("AF_UNSPEC", lambda: created(0), -EAFNOSUPPORT),
    ("AF_X25", lambda: created(9, 5), -EAFNOSUPPORT),
    ("AF_BLUETOOTH_OR_NONE", lambda: created(46), -EAFNOSUPPORT),
])
def families(call, expected):
    eq(call(), expected)


@cases([
    ("SOCK_STREAM", lambda: (created(1, 1), created(2, 1), created(10, 1)), (0, 0, 0)),
    ("SOCK_DGRAM", lambda: (created(1, 2), created(2, 2), created(10, 2)), (0, 0, 0)),
    ("SOCK_SEQPACKET", lambda: (created(1, 5), created(2, 5)), (0, -ESOCKTNOSUPPORT)),
    ("SOCK_RAW", lambda: (created(1, 3), created(16, 3)), (0, 0)),
    ("SOCK_RDM", lambda: (created(1, 4), created(2, 4)), (-ESOCKTNOSUPPORT, -ESOCKTNOSUPPORT)),
    ("SOCK_DCCP", lambda: created(2, 6), -ESOCKTNOSUPPORT),
    ("SOCK_NONBLOCK", lambda: sc(NR.fcntl, works(NR.socket, 1, 1 | 0o4000, 0), 3), 2050),
    ("SOCK_CLOEXEC", lambda: sc(NR.fcntl, works(NR.socket, 1, 1 | 0o2000000, 0), 1), 1),
])
def types(call, expected):
    eq(call(), expected)


@cases([
    ("IPPROTO_IP", lambda: created(2, 1, 0), 0),
    ("IPPROTO_TCP",
     lambda: (created(2, 1, 6), created(2, 2, 6), created(1, 1, 6)),
     (0, -EPROTONOSUPPORT, -EPROTONOSUPPORT)),
    ("IPPROTO_UDP", lambda: (created(2, 2, 17), created(2, 1, 17)), (0, -EPROTONOSUPPORT)),
    ("IPPROTO_UDPLITE", lambda: (created(2, 2, 136), created(10, 2, 136)), (0, 0)),
    ("IPPROTO_ICMP", lambda: (created(2, 3, 1) == 0) == is_root(), True),
    ("IPPROTO_RAW", lambda: (created(2, 3, 255) == 0) == is_root(), True),
    ("NETLINK_ROUTE", lambda: created(16, 3, 0), 0),
    ("NETLINK_SOCK_DIAG", lambda: created(16, 3, 4), 0),
    ("NETLINK_none", lambda: created(16, 3, 100), -EPROTONOSUPPORT),
])
def protocols(call, expected):
    eq(call(), expected)


@cases([
    ("SO_DEBUG", lambda: keeps("udp", SOL, 1, 0), [0, (0, 0)]),
    ("SO_REUSEADDR", lambda: keeps("tcp", SOL, 2, 1, 5, 0), [0, (0, 1), (0, 1), (0, 0)]),
    ("SO_TYPE",
     lambda: (get(make("tcp"), SOL, 3), get(make("dgram"), SOL, 3), put(make("tcp"), SOL, 3, 1)),
     (1, 2, -ENOPROTOOPT)),
    ("SO_ERROR", lambda: (get(make("tcp"), SOL, 4), put(make("tcp"), SOL, 4, 0)), (0, -ENOPROTOOPT)),
    ("SO_DONTROUTE", lambda: keeps("udp", SOL, 5, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_BROADCAST", lambda: keeps("udp", SOL, 6, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_SNDBUF", lambda: keeps("udp", SOL, 7, 8192, 0, 1)[1:], [(0, 16384), (0, 4608), (0, 4608)]),
    ("SO_RCVBUF", lambda: keeps("udp", SOL, 8, 8192, 0, 1)[1:], [(0, 16384), (0, 2304), (0, 2304)]),
    ("SO_KEEPALIVE", lambda: keeps("tcp", SOL, 9, 1, 7, 0), [0, (0, 1), (0, 1), (0, 0)]),
    ("SO_OOBINLINE", lambda: keeps("tcp", SOL, 10, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_NO_CHECK", lambda: keeps("udp", SOL, 11, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_PRIORITY", lambda: keeps("udp", SOL, 12, 1, 6, 0), [0, (0, 1), (0, 6), (0, 0)]),
    ("SO_REUSEPORT",
     lambda: keeps("tcp", SOL, 15, 1, 0) + keeps("unix", SOL, 15, 0),
     [0, (0, 1), (0, 0), 0, (0, 0)]),
    ("SO_PASSCRED", lambda: keeps("unix", SOL, 16, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_PEERCRED",
     lambda: (lambda v: (len(v), struct.unpack("iII", v) == (os.getpid(), os.getuid(), os.getgid())))(get(make("unix"), SOL, 17)),
     (12, True)),
    ("SO_SNDLOWAT", lambda: keeps("tcp", SOL, 19, 5), [1, (-ENOPROTOOPT, 1)]),
    ("SO_RCVTIMEO",
     lambda: keeps("tcp", SOL, 20, struct.pack("qq", 1, 500000), struct.pack("qq", 0, 1000000), struct.pack("qq", -1, 0), b"x"),
     [b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', (0, b'\x01\x00\x00\x00\x00\x00\x00\x00 \xa1\x07\x00\x00\x00\x00\x00'), (-EDOM, b'\x01\x00\x00\x00\x00\x00\x00\x00 \xa1\x07\x00\x00\x00\x00\x00'), (0, b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'), (-EINVAL, b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00')]),
    ("SO_SNDTIMEO",
     lambda: keeps("tcp", SOL, 21, struct.pack("qq", 2, 0), struct.pack("qq", 0, -1)),
     [b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', (0, b'\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'), (-EDOM, b'\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00')]),
    ("SO_BINDTODEVICE",
     lambda: (lambda f: (get(f, SOL, 25), put(f, SOL, 25, b"lo"), get(f, SOL, 25), put(f, SOL, 25, b"nodev99"), put(f, SOL, 25, b""), get(f, SOL, 25)))(make("udp")),
     (b'', 0, b'lo\x00', -ENODEV, 0, b'')),
    ("SO_ATTACH_FILTER",
     lambda: (lambda f, code: (put(f, SOL, 26, struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))), put(f, SOL, 26, b"x"), put(f, SOL, 26, struct.pack("HxxxxxxQ", 0, 0))))(make("udp"), ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xFFFF))),
     (0, -EINVAL, -EINVAL)),
    ("SO_PEERNAME", lambda: (lambda p: get(p[0].fileno(), SOL, 28))(pair()), -EINVAL),
    ("SO_TIMESTAMP", lambda: keeps("udp", SOL, 29, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_ACCEPTCONN",
     lambda: (lambda s: (get(s.fileno(), SOL, 30), s.listen(), get(s.fileno(), SOL, 30), put(s.fileno(), SOL, 30, 1)))(S.socket()),
     (0, None, 1, -ENOPROTOOPT)),
    ("SO_PEERSEC", lambda: get(make("unix"), SOL, 31), -ENOPROTOOPT),
    ("SO_SNDBUFFORCE",
     lambda: keeps("udp", SOL, 32, 8192)[1] if is_root() else (0, 16384),
     (0, -ENOPROTOOPT)),
    ("SO_RCVBUFFORCE",
     lambda: keeps("udp", SOL, 33, 8192)[1] if is_root() else (0, 16384),
     (0, -ENOPROTOOPT)),
    ("SO_PASSSEC", lambda: keeps("unix", SOL, 34, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_TIMESTAMPNS", lambda: keeps("udp", SOL, 35, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_MARK", lambda: keeps("udp", SOL, 36, 7) if is_root() else [0, (0, 7)], [0, (0, 7)]),
    ("SO_PROTOCOL",
     lambda: (get(make("tcp"), SOL, 38), get(make("udp"), SOL, 38), get(make("unix"), SOL, 38), put(make("tcp"), SOL, 38, 6)),
     (6, 17, 0, -ENOPROTOOPT)),
    ("SO_DOMAIN",
     lambda: (get(make("tcp"), SOL, 39), get(make("udp6"), SOL, 39), get(make("unix"), SOL, 39), put(make("tcp"), SOL, 39, 2)),
     (2, 10, 1, -ENOPROTOOPT)),
    ("SO_RXQ_OVFL", lambda: keeps("udp", SOL, 40, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_WIFI_STATUS", lambda: keeps("udp", SOL, 41, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_NOFCS", lambda: keeps("udp", SOL, 43, 0), [0, (0, 0)]),
    ("SO_LOCK_FILTER", lambda: keeps("udp", SOL, 44, 0, 1, 0), [0, (0, 0), (0, 1), (-EPERM, 1)]),
    ("SO_SELECT_ERR_QUEUE", lambda: keeps("udp", SOL, 45, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_BUSY_POLL", lambda: keeps("udp", SOL, 46, 0), [0, (0, 0)]),
    ("SO_BPF_EXTENSIONS", lambda: get(make("udp"), SOL, 48), 64),
    ("SO_INCOMING_CPU", lambda: keeps("udp", SOL, 49, 0)[1:], [(0, 0)]),
    ("SO_CNX_ADVICE", lambda: put(make("udp"), SOL, 53, 1), 0),
    ("SO_MEMINFO", lambda: len(get(make("udp"), SOL, 55)), 36),
    ("SO_COOKIE", lambda: len(get(make("udp"), SOL, 57)), 8),
    ("SO_TIMESTAMP_NEW", lambda: keeps("udp", SOL, 63, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_TIMESTAMPNS_NEW", lambda: keeps("udp", SOL, 64, 1, 0), [0, (0, 1), (0, 0)]),
    ("SO_RCVTIMEO_NEW",
     lambda: keeps("tcp", SOL, 66, struct.pack("qq", 1, 500000)),
     [b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', (0, b'\x01\x00\x00\x00\x00\x00\x00\x00 \xa1\x07\x00\x00\x00\x00\x00')]),
    ("SO_SNDTIMEO_NEW",
     lambda: keeps("tcp", SOL, 67, struct.pack("qq", 1, 500000)),
     [b'\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', (0, b'\x01\x00\x00\x00\x00\x00\x00\x00 \xa1\x07\x00\x00\x00\x00\x00')]),
    ("SO_BUF_LOCK",
     lambda: keeps("udp", SOL, 72, 1, 3, 0, 4),
     [0, (0, 1), (0, 3), (0, 0), (-EINVAL, 0)]),
    ("SO_MAX_PACING_RATE",
     lambda: (lambda f: (get(f, SOL, 47, 4), get(f, SOL, 47), put(f, SOL, 47, 1000), get(f, SOL, 47, 4), put(f, SOL, 47, b"\2" + bytes(7)), get(f, SOL, 47)))(make("udp")),
     (-1, b"\xff" * 8, 0, 1000, 0, b"\2" + bytes(7))),
    ("SO_PREFER_BUSY_POLL", lambda: keeps("udp", SOL, 69, 0), [0, (0, 0)]),
    ("SO_BUSY_POLL_BUDGET", lambda: keeps("udp", SOL, 70, 0, 65536)[1:], [(0, -ENOPROTOOPT), (-EINVAL if is_root() else -EPERM, -ENOPROTOOPT)]),
    ("SO_NETNS_COOKIE",
     lambda: (len(get(make("udp"), SOL, 71, 8)), get(make("udp"), SOL, 71, 8) == get(make("tcp"), SOL, 71, 8), get(make("udp"), SOL, 71, 64), put(make("udp"), SOL, 71, 1)),
     (8, True, -EINVAL, -ENOPROTOOPT)),
    ("SO_TXREHASH",
     lambda: keeps("tcp", SOL, 74, 0, 1, 2, -1) + keeps("udp", SOL, 74, 1),
     [1, (0, 0), (0, 1), (-EINVAL, 1), (0, 1), -EOPNOTSUPP, (-EOPNOTSUPP, -EOPNOTSUPP)]),
    ("SO_ATTACH_BPF", lambda: (put(make("udp"), SOL, 50, -1), put(make("udp"), SOL, 50, bytes(8))), (-EBADF, -EINVAL)),
    ("SO_RCVMARK", lambda: keeps("udp", SOL, 75, 1, 0), [0, (0, 1), (0, 0)]),
])
def socket_level(call, expected):
    eq(call(), expected)


@cases([
    ("TCP_NODELAY", lambda: keeps("tcp", TCP, 1, 1, 9, 0), [0, (0, 1), (0, 1), (0, 0)]),
    ("TCP_CORK", lambda: keeps("tcp", TCP, 3, 1, 0), [0, (0, 1), (0, 0)]),
    ("TCP_KEEPIDLE",
     lambda: keeps("tcp", TCP, 4, 60, 0, 32768),
     [7200, (0, 60), (-EINVAL, 60), (-EINVAL, 60)]),
    ("TCP_KEEPINTVL",
     lambda: keeps("tcp", TCP, 5, 10, 0, 32768),
     [75, (0, 10), (-EINVAL, 10), (-EINVAL, 10)]),
    ("TCP_KEEPCNT", lambda: keeps("tcp", TCP, 6, 3, 0, 128), [9, (0, 3), (-EINVAL, 3), (-EINVAL, 3)]),
    ("TCP_SYNCNT", lambda: keeps("tcp", TCP, 7, 3, 0, 256), [6, (0, 3), (-EINVAL, 3), (-EINVAL, 3)]),
    ("TCP_LINGER2",
     lambda: keeps("tcp", TCP, 8, 30, -1, 0, 200),
     [60, (0, 30), (0, -EPERM), (0, 60), (0, 120)]),
    ("TCP_WINDOW_CLAMP", lambda: keeps("tcp", TCP, 10, 0, 4096), [0, (0, 0), (0, 4096)]),
    ("TCP_INFO",
     lambda: (lambda p: (get(p[0].fileno(), TCP, 11, 300)[0], get(p[0].fileno(), TCP, 11, 1), len(get(p[0].fileno(), TCP, 11, 104))))(tcp_pair()),
     (1, b'\x01', 104)),
    ("TCP_QUICKACK", lambda: keeps("tcp", TCP, 12, 0, 1), [1, (0, 0), (0, 1)]),
    ("TCP_MD5SIG", lambda: put(make("tcp"), TCP, 14, b"x"), -EINVAL),
    ("TCP_USER_TIMEOUT",
     lambda: keeps("tcp", TCP, 18, 1000, 0, -1),
     [0, (0, 1000), (0, 0), (-EINVAL, 0)]),
    ("TCP_REPAIR_QUEUE", lambda: keeps("tcp", TCP, 20, 1), [-EINVAL, (-EPERM, -EINVAL)]),
    ("TCP_NOTSENT_LOWAT", lambda: keeps("tcp", TCP, 25, 4096, 0), [0, (0, 4096), (0, 0)]),
    ("TCP_MAXSEG", lambda: keeps("tcp", TCP, 2, 1000, 87, 0), [536, (0, 1000), (-EINVAL, 1000), (0, 536)]),
    ("TCP_THIN_LINEAR_TIMEOUTS", lambda: keeps("tcp", TCP, 16, 1, 2, 0), [0, (0, 1), (-EINVAL, 1), (0, 0)]),
    ("TCP_THIN_DUPACK", lambda: keeps("tcp", TCP, 17, 1, 2, 0), [0, (0, 0), (-EINVAL, 0), (0, 0)]),
    ("TCP_FASTOPEN", lambda: keeps("tcp", TCP, 23, 5, 100000, -1, 0), [0, (0, 5), (0, 4096), (-EINVAL, 4096), (0, 0)]),
    ("TCP_TIMESTAMP", lambda: put(make("tcp"), TCP, 24, 1), -EPERM),
    ("TCP_SAVE_SYN", lambda: keeps("tcp", TCP, 27, 1, 2, 3, -1, 0), [0, (0, 1), (0, 2), (-EINVAL, 2), (-EINVAL, 2), (0, 0)]),
    ("TCP_FASTOPEN_CONNECT", lambda: keeps("tcp", TCP, 30, 1, 2, 0), [0, (0, 1), (-EINVAL, 1), (0, 0)]),
    ("TCP_FASTOPEN_NO_COOKIE", lambda: keeps("tcp", TCP, 34, 1, 2, 0), [0, (0, 1), (-EINVAL, 1), (0, 0)]),
    ("TCP_TX_DELAY", lambda: keeps("tcp", TCP, 37, 65536, -1, 0x7FFFFFFF, 0), [0, (0, 65536), (-EINVAL, 65536), (-EINVAL, 65536), (0, 0)]),
    ("TCP_IS_MPTCP", lambda: keeps("tcp", TCP, 43, 1), [0, (-ENOPROTOOPT, 0)]),
    ("TCP_INQ", lambda: keeps("tcp", TCP, 36, 1, 0, 2), [0, (0, 1), (0, 0), (-EINVAL, 0)]),
])
def tcp_level(call, expected):
    eq(call(), expected)


@cases([
    ("UDP_CORK", lambda: keeps("udp", UDP, 1, 1, 0), [0, (0, 1), (0, 0)]),
    ("UDP_NO_CHECK6_TX", lambda: keeps("udp6", UDP, 101, 1, 0), [0, (0, 1), (0, 0)]),
    ("UDP_NO_CHECK6_RX", lambda: keeps("udp6", UDP, 102, 1, 0), [0, (0, 1), (0, 0)]),
    ("UDP_SEGMENT",
     lambda: keeps("udp", UDP, 103, 1000, 0, 65536),
     [0, (0, 1000), (0, 0), (-EINVAL, 0)]),
    ("UDP_GRO", lambda: keeps("udp", UDP, 104, 1, 0), [0, (0, 1), (0, 0)]),
])
def udp_level(call, expected):
    eq(call(), expected)


@cases([
    ("IP_TOS", lambda: keeps("udp", IP, 1, 0x10, 0xFF, b"\x08"), [0, (0, 16), (0, 255), (0, 8)]),
    ("IP_TTL",
     lambda: keeps("udp", IP, 2, 10, 0, 256, -1),
     [64, (0, 10), (-EINVAL, 10), (-EINVAL, 10), (0, 64)]),
    ("IP_RECVOPTS", lambda: keeps("udp", IP, 6, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_RETOPTS", lambda: keeps("udp", IP, 7, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_PKTINFO", lambda: keeps("udp", IP, 8, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_MTU_DISCOVER",
     lambda: keeps("udp", IP, 10, 0, 2, 3, 4, 5, 6),
     [1, (0, 0), (0, 2), (0, 3), (0, 4), (0, 5), (-EINVAL, 5)]),
    ("IP_RECVERR", lambda: keeps("udp", IP, 11, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_RECVTTL", lambda: keeps("udp", IP, 12, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_RECVTOS", lambda: keeps("udp", IP, 13, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_MTU",
     lambda: (get(make("udp"), IP, 14), (lambda p: get(p[0].fileno(), IP, 14) > 576)(tcp_pair())),
     (-ENOTCONN, True)),
    ("IP_FREEBIND", lambda: keeps("udp", IP, 15, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_PASSSEC", lambda: keeps("udp", IP, 18, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_TRANSPARENT", lambda: keeps("udp", IP, 19, 0), [0, (0, 0)]),
    ("IP_RECVORIGDSTADDR", lambda: keeps("udp", IP, 20, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_MINTTL", lambda: keeps("udp", IP, 21, 10, 256, 0), [0, (0, 10), (-EINVAL, 10), (0, 0)]),
    ("IP_BIND_ADDRESS_NO_PORT", lambda: keeps("udp", IP, 24, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_RECVFRAGSIZE", lambda: keeps("udp", IP, 25, 1), [0, (0, 1)]),
    ("IP_MULTICAST_TTL", lambda: keeps("udp", IP, 33, 5, -1, 256), [1, (0, 5), (0, 1), (-EINVAL, 1)]),
    ("IP_MULTICAST_LOOP", lambda: keeps("udp", IP, 34, 0, 1), [1, (0, 0), (0, 1)]),
    ("IP_MULTICAST_ALL", lambda: keeps("udp", IP, 49, 0, 1, 2), [1, (0, 0), (0, 1), (-EINVAL, 1)]),
    ("IP_UNICAST_IF", lambda: keeps("udp", IP, 50, 0), [0, (0, 0)]),
    ("IP_CHECKSUM", lambda: keeps("udp", IP, 23, 1, 0), [0, (0, 1), (0, 0)]),
    ("IP_NODEFRAG", lambda: keeps("udp", IP, 22, 1), [0, (-ENOPROTOOPT, 0)]),
    ("IP_PROTOCOL", lambda: keeps("udp", IP, 52, 1), [0, (-ENOPROTOOPT, 0)]),
    ("a_byte", lambda: [get(make(kind), IP, 2, room) for kind in ("udp", "tcp") for room in (1, 2, 3)], [b"\x40"] * 6),
    ("no_room", lambda: (get(make("udp"), IP, 2, 0), get(make("tcp"), IP, 999), get(make("udp6"), IP, 2)), (b"", -ENOPROTOOPT, 64)),
    ("other_levels",
     lambda: [get(make(kind), level, 1) for kind, level in (("unix", IP), ("udp", IPV6), ("udp", TCP), ("tcp", UDP), ("udp6", TCP), ("tcp6", UDP))],
     [-EOPNOTSUPP] * 4 + [-ENOPROTOOPT] * 2),
    ("other_levels_set",
     lambda: [put(make(kind), level, 1, 1) for kind, level in (("unix", IP), ("udp", IPV6), ("udp", TCP), ("tcp", UDP), ("udp6", TCP), ("tcp6", UDP))],
     [-EOPNOTSUPP] + [-ENOPROTOOPT] * 5),
])
def ip_level(call, expected):
    eq(call(), expected)


@cases([
    ("IPV6_CHECKSUM", lambda: keeps("udp6", IPV6, 7, 2), [-ENOPROTOOPT, (-ENOPROTOOPT, -ENOPROTOOPT)]),
    ("IPV6_UNICAST_HOPS",
     lambda: keeps("udp6", IPV6, 16, 10, -1, 0, 256),
     [64, (0, 10), (0, 64), (0, 0), (-EINVAL, 0)]),
    ("IPV6_MULTICAST_HOPS",
     lambda: keeps("udp6", IPV6, 18, 10, -1, 256),
     [1, (0, 10), (0, 1), (-EINVAL, 1)]),
    ("IPV6_MULTICAST_LOOP",
     lambda: keeps("udp6", IPV6, 19, 0, 1, 2),
     [1, (0, 0), (0, 1), (-EINVAL, 1)]),
    ("IPV6_MTU_DISCOVER",
     lambda: keeps("udp6", IPV6, 23, 0, 2, 3, 6),
     [1, (0, 0), (0, 2), (0, 3), (-EINVAL, 3)]),
    ("IPV6_RECVERR", lambda: keeps("udp6", IPV6, 25, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_V6ONLY", lambda: keeps("udp6", IPV6, 26, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_MULTICAST_ALL", lambda: keeps("udp6", IPV6, 29, 0, 1), [1, (0, 0), (0, 1)]),
    ("IPV6_ROUTER_ALERT_ISOLATE", lambda: keeps("udp6", IPV6, 30, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_FLOWINFO", lambda: keeps("udp6", IPV6, 11, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVPKTINFO", lambda: keeps("udp6", IPV6, 49, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVHOPLIMIT", lambda: keeps("udp6", IPV6, 51, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVHOPOPTS", lambda: keeps("udp6", IPV6, 53, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVRTHDR", lambda: keeps("udp6", IPV6, 56, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVDSTOPTS", lambda: keeps("udp6", IPV6, 58, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVPATHMTU", lambda: keeps("udp6", IPV6, 60, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_DONTFRAG", lambda: keeps("udp6", IPV6, 62, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_RECVTCLASS", lambda: keeps("udp6", IPV6, 66, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_TCLASS", lambda: keeps("udp6", IPV6, 67, 0x20, -1, 256), [0, (0, 32), (0, 0), (-EINVAL, 0)]),
    ("IPV6_AUTOFLOWLABEL", lambda: keeps("udp6", IPV6, 70, 1, 0)[1:], [(0, 1), (0, 0)]),
    ("IPV6_MINHOPCOUNT", lambda: keeps("udp6", IPV6, 73, 5, 256), [0, (0, 5), (-EINVAL, 5)]),
    ("IPV6_RECVORIGDSTADDR", lambda: keeps("udp6", IPV6, 74, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_UNICAST_IF", lambda: keeps("udp6", IPV6, 76, 0), [0, (0, 0)]),
    ("IPV6_RECVFRAGSIZE", lambda: keeps("udp6", IPV6, 77, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_MTU", lambda: keeps("udp6", IPV6, 24, 0, 1280, 1279), [-ENOTCONN, (0, -ENOTCONN), (0, -ENOTCONN), (-EINVAL, -ENOTCONN)]),
    ("IPV6_ADDR_PREFERENCES", lambda: keeps("udp6", IPV6, 72, 1, 4, 3, 0x100, 0), [0x500, (0, 0x401), (0, 0x104), (-EINVAL, 0x104), (0, 0x500), (0, 0x500)]),
    ("IPV6_2292PKTINFO", lambda: keeps("udp6", IPV6, 2, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_2292HOPLIMIT", lambda: keeps("udp6", IPV6, 8, 1, 0), [0, (0, 1), (0, 0)]),
    ("IPV6_FREEBIND", lambda: keeps("udp6", IPV6, 78, 1, 0), [0, (0, 1), (0, 0)]),
])
def ipv6_level(call, expected):
    eq(call(), expected)


@cases([
    ("MSG_OOB", lambda: sent(1, *tcp_pair()), (3, b'ab')),
    ("MSG_DONTROUTE", lambda: sent(4, *tcp_pair()), (3, b'abc')),
    ("MSG_DONTWAIT", lambda: sent(0x40, *tcp_pair()), (3, b'abc')),
    ("MSG_EOR", lambda: sent(0x80, *pair(S.SOCK_SEQPACKET)), (3, b'abc')),
    ("MSG_CONFIRM", lambda: sent(0x800, *tcp_pair()), (3, b'abc')),
    ("MSG_NOSIGNAL",
     lambda: (lambda p: (p[1].close(), said(lambda: p[0].send(b"x", 0x4000))))(pair()),
     (None, -EPIPE)),
    ("MSG_MORE",
     lambda: (lambda p: (p[0].send(b"a", 0x8000), p[0].send(b"b"), p[1].recv(2, 0x100)))(tcp_pair()),
     (1, 1, b'ab')),
    ("MSG_ZEROCOPY", lambda: sent(0x4000000, *tcp_pair()), (3, b'abc')),
    ("MSG_SPLICE_PAGES", lambda: sent(0x8000000, *tcp_pair()), (3, b'abc')),
])
def sends(call, expected):
    eq(call(), expected)


@cases([
    ("MSG_PEEK",
     lambda: (received(2, *tcp_pair()), received(2, *pair()), received(2, *pair(S.SOCK_DGRAM))),
     ((b'abc', b'abcdef'), (b'abc', b'abcdef'), (b'abc', b'abcdef'))),
    ("MSG_TRUNC",
     lambda: (lambda p: (p[0].send(b"abcdef"), sc(NR.recvfrom, p[1].fileno(), ctypes.create_string_buffer(9), 2, 0x20, 0, 0), said(lambda: p[1].recv(9, 0x40))))(pair(S.SOCK_DGRAM)),
     (6, 6, -EAGAIN)),
    ("MSG_DONTWAIT", lambda: (lambda p: said(lambda: p[0].recv(1, 0x40)))(tcp_pair()), -EAGAIN),
    ("MSG_WAITALL",
     lambda: (lambda p: (p[0].send(b"abc"), p[0].close(), p[1].recv(9, 0x100)))(pair()),
     (3, None, b'abc')),
    ("MSG_OOB",
     lambda: (lambda p: (p[0].send(b"xyz", 1), said(lambda: p[1].recv(9, 1)), p[1].recv(9)))(tcp_pair()),
     (3, b'z', b'xy')),
    ("MSG_ERRQUEUE", lambda: (lambda p: said(lambda: p[0].recv(1, 0x2000)))(tcp_pair()), -EAGAIN),
    ("MSG_CMSG_CLOEXEC",
     lambda: (lambda p: (S.send_fds(p[0], [b"x"], [0]), sc(NR.fcntl, struct.unpack("i", p[1].recvmsg(1, 100, 0x40000000)[1][0][2])[0], 1)))(pair()),
     (1, 1)),
    ("MSG_NOSIGNAL", lambda: received(0x4000, *pair()), (b'abc', b'def')),
])
def receives(call, expected):
    eq(call(), expected)


@cases([
    ("MSG_WAITFORONE",
     lambda: (lambda p, b, v: (p[0].send(b"a"), sc(299, p[1].fileno(), v, 1, 0x10000, 0)))(pair(S.SOCK_DGRAM), ctypes.create_string_buffer(9), ctypes.create_string_buffer(bytes(64), 64)),
     (1, 1)),
])
def receives_many(call, expected):
    eq(call(), expected)


@cases([
    ("SHUT_RD",
     lambda: (lambda p: (p[0].shutdown(0), p[0].recv(1), sc(NR.shutdown, make("tcp"), 0)))(pair()),
     (None, b'', -ENOTCONN)),
    ("SHUT_WR", lambda: (lambda p: (p[0].shutdown(1), p[1].recv(1)))(pair()), (None, b'')),
    ("SHUT_RDWR",
     lambda: (lambda p: (p[0].shutdown(2), p[1].recv(1), sc(NR.shutdown, p[0].fileno(), 3)))(pair()),
     (None, b'', -EINVAL)),
])
def shuts(call, expected):
    eq(call(), expected)


@cases([
    ("SOCK_NONBLOCK",
     lambda: (lambda l: (l.bind(("127.0.0.1", 0)), l.listen(), S.create_connection(l.getsockname()), sc(NR.fcntl, sc(NR.accept4, l.fileno(), 0, 0, 0o4000), 3))[3])(S.socket()),
     2050),
    ("SOCK_CLOEXEC",
     lambda: (lambda l: (l.bind(("127.0.0.1", 0)), l.listen(), S.create_connection(l.getsockname()), sc(NR.fcntl, sc(NR.accept4, l.fileno(), 0, 0, 0o2000000), 1))[3])(S.socket()),
     1),
])
def accepts(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
