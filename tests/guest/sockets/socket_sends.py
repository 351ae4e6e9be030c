"""Options of sockets: peeks from an offset, zero copy, times of sending, the peer's process, bound
links.
"""

import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import threading
import time

from lib.guest import *
from lib.namespaces import NEWNET, unshare

SOL = socket.SOL_SOCKET
PEEK_OFF, ZEROCOPY, TXTIME, PASSCRED, PASSPIDFD, PEERPIDFD, BINDTODEVICE, BINDTOIFINDEX, LOWAT = 42, 60, 61, 16, 76, 77, 25, 62, 18
MSG_ZEROCOPY = 0x4000000
PEEK, DONTWAIT, ERRQUEUE = 2, 0x40, 0x2000
UNIX, STREAM, DGRAM, SEQPACKET = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET


def outcome(fn, *args):
    try:
        return fn(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, "timeout")


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        a = socket.create_connection(listener.getsockname())
        return a, listener.accept()[0]


def udp(family=socket.AF_INET):
    b = socket.socket(family, DGRAM)
    b.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    a = socket.socket(family, DGRAM)
    a.connect(b.getsockname()[:2])
    return a, b


PAIRS = [
    ("tcp", tcp), ("udp", udp), ("unix stream", socket.socketpair),
    ("unix dgram", lambda: socket.socketpair(UNIX, DGRAM)), ("unix seqpacket", lambda: socket.socketpair(UNIX, SEQPACKET)),
]


def offset(s):
    return s.getsockopt(SOL, PEEK_OFF)


def sees_nothing(s):
    gives(-errno.EAGAIN, NR.recvfrom, s.fileno(), ctypes.create_string_buffer(9), 9, PEEK | DONTWAIT, 0, 0)


def wait_for(s, n):
    """Waits until n bytes can be read (of a datagram its first n)."""
    def there():
        return sc(NR.recvfrom, s.fileno(), ctypes.create_string_buffer(n), n, PEEK | DONTWAIT, 0, 0) >= n
    wait_until(there, "%d bytes" % n)


@cases(PAIRS)
def so_peek_off_moves_with_each_peek(make):
    a, b = make()
    b.settimeout(5)
    eq(offset(b), -1)
    a.send(b"abcdef")
    wait_for(b, 6)
    b.setsockopt(SOL, PEEK_OFF, 0)
    eq([(b.recv(2, PEEK), offset(b)) for _ in range(3)], [(b"ab", 2), (b"cd", 4), (b"ef", 6)])
    sees_nothing(b)
    b.setsockopt(SOL, PEEK_OFF, -1)
    eq((b.recv(9, PEEK), b.recv(9, PEEK), offset(b)), (b"abcdef", b"abcdef", -1))
    b.setsockopt(SOL, PEEK_OFF, 4)
    eq((b.recv(9, PEEK), offset(b)), (b"ef", 6))
    eq((b.recv(9), offset(b)), (b"abcdef", 0))


@cases([("tcp", tcp), ("unix stream", socket.socketpair)])
def reading_moves_the_peek_offset_back(make):
    a, b = make()
    a.send(b"abcdef")
    wait_for(b, 6)
    b.setsockopt(SOL, PEEK_OFF, 0)
    b.recv(6, PEEK)
    eq((b.recv(2), offset(b)), (b"ab", 4))
    a.send(b"ghi")
    b.settimeout(5)
    eq((b.recv(9, PEEK), offset(b)), (b"ghi", 7))
    b.setsockopt(SOL, PEEK_OFF, 100)
    sees_nothing(b)
    eq((os.read(b.fileno(), 9), offset(b)), (b"cdefghi", 93))


@cases([PAIRS[0], PAIRS[2], PAIRS[3]])
def a_peek_waits_for_data_behind_its_offset(make):
    a, b = make()
    a.send(b"abc")
    wait_for(b, 3)
    b.setsockopt(SOL, PEEK_OFF, 0)
    b.settimeout(5)
    b.recv(3, PEEK)
    threading.Timer(0.2, lambda: a.send(b"def")).start()
    eq((b.recv(3, PEEK), offset(b)), (b"def", 6))


@cases([PAIRS[1], PAIRS[3], PAIRS[4]])
def a_peek_passes_from_message_to_message(make):
    a, b = make()
    for part in b"aaaa", b"bb", b"cc":
        a.send(part)
    b.settimeout(DEADLINE_S)
    b.setsockopt(SOL, PEEK_OFF, 0)
    eq([(b.recv(3, PEEK), offset(b)) for _ in range(4)], [(b"aaa", 3), (b"a", 4), (b"bb", 6), (b"cc", 8)])
    eq((b.recv(9), offset(b)), (b"aaaa", 4))


@test
def sockets_without_a_peek_offset():
    need_root()
    for s in socket.socket(socket.AF_INET, socket.SOCK_RAW, 99), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0):
        eq((outcome(offset, s), outcome(s.setsockopt, SOL, PEEK_OFF, 1)), ("ENOTSUP", "ENOTSUP"))


def notices(s):
    found = []
    while isinstance(got := outcome(s.recvmsg, 10, 200, ERRQUEUE), tuple):
        data, ((level, kind, control),), flags, name = got
        eq((data, flags & ERRQUEUE), (b"", ERRQUEUE))
        eq((level, kind), (0, 11) if s.family == socket.AF_INET else (41, 25))
        error, origin, type_, code, pad, low, high = struct.unpack_from("=IBBBBII", control)
        found.append((error, origin, code, low, high))
    return found


def has_error(s):
    p = select.poll()
    p.register(s, 0)
    return p.poll(5000) == [(s.fileno(), select.POLLERR)]


@cases([("tcp", tcp), ("udp", udp), ("udp6", lambda: udp(socket.AF_INET6))])
def zero_copy_sends_are_notified(make):
    a, b = make()
    a.send(b"x", MSG_ZEROCOPY)
    wait_for(b, 1)
    eq(notices(a), [])
    a.setsockopt(SOL, ZEROCOPY, 1)
    a.send(b"hello", MSG_ZEROCOPY)
    ok(has_error(a), "an error to fetch")
    eq(a.getsockopt(SOL, socket.SO_ERROR), 0)
    eq(notices(a), [(0, 5, 1, 0, 0)])
    for _ in range(4):
        a.send(b"hello", MSG_ZEROCOPY)
    a.send(b"plain")
    b.settimeout(DEADLINE_S)
    got = b""
    while not got.endswith(b"plain"):
        got += b.recv(100)
    eq((got, notices(a)), (b"x" + 5 * b"hello" + b"plain", [(0, 5, 1, 1, 4)]))


@test
def sockets_that_support_zero_copy():
    a, b = socket.socketpair()
    eq((outcome(a.setsockopt, SOL, ZEROCOPY, 1), a.getsockopt(SOL, ZEROCOPY), a.send(b"x", MSG_ZEROCOPY)), ("ENOTSUP", 0, 1))
    s = socket.socket()
    eq((outcome(s.setsockopt, SOL, ZEROCOPY, 2), outcome(s.setsockopt, SOL, ZEROCOPY, -1)), ("EINVAL", "EINVAL"))


@test
def times_of_sending():
    a, b = udp()
    control = [(SOL, TXTIME, struct.pack("Q", time.monotonic_ns()))]
    eq(outcome(a.sendmsg, [b"x"], control), "EINVAL")
    a.setsockopt(SOL, TXTIME, struct.pack("iI", 1, 0))
    eq(a.getsockopt(SOL, TXTIME, 8), struct.pack("iI", 1, 0))
    eq((a.sendmsg([b"x"], control), outcome(a.sendmsg, [b"x"], [(SOL, TXTIME, b"abc")])), (1, "EINVAL"))
    b.settimeout(5)
    eq(b.recv(9), b"x")
    eq([outcome(a.setsockopt, SOL, TXTIME, struct.pack("iI", 1, flags)) for flags in (3, 4)], [None, "EINVAL"])


def pid_of(fd):
    with open("/proc/self/fdinfo/%d" % fd) as f:
        return int(f.read().split("Pid:\t")[1].split()[0])


@cases([PAIRS[2], PAIRS[3], PAIRS[4]])
def so_passpidfd_adds_a_pidfd_of_the_sender(make):
    a, b = make()
    a.send(b"x")
    b.setsockopt(SOL, PASSPIDFD, 1)
    eq((b.getsockopt(SOL, PASSPIDFD), b.recvmsg(9, 200)[1]), (1, []))
    a.send(b"x")
    (level, kind, data), = b.recvmsg(9, 200)[1]
    fd, = struct.unpack("i", data)
    eq((level, kind, pid_of(fd), os.get_inheritable(fd)), (SOL, 4, os.getpid(), False))


@test
def the_pidfd_comes_last_and_needs_room():
    a, b = socket.socketpair()
    for name in PASSPIDFD, PASSCRED:
        b.setsockopt(SOL, name, 1)
    socket.send_fds(a, [b"x"], [0])
    eq([(level, kind, len(data)) for level, kind, data in b.recvmsg(9, 200)[1]], [(1, 2, 12), (1, 1, 4), (1, 4, 4)])
    a.send(b"x")
    control, flags = b.recvmsg(9, socket.CMSG_SPACE(12) + 2)[1:3]
    eq((len(control), flags), (1, socket.MSG_CTRUNC))


@test
def an_accepted_socket_inherits_options_of_its_listener():
    listener = socket.socket(UNIX)
    listener.bind("s")
    listener.listen()
    for name in PASSPIDFD, PASSCRED:
        listener.setsockopt(SOL, name, 1)
    client = socket.socket(UNIX)
    client.connect("s")
    server = listener.accept()[0]
    eq([server.getsockopt(SOL, name) for name in (PASSPIDFD, PASSCRED)], [1, 1])


@test
def so_peerpidfd_returns_a_pidfd_of_the_peer():
    a, b = socket.socketpair()
    fd = a.getsockopt(SOL, PEERPIDFD)
    eq((pid_of(fd), os.get_inheritable(fd)), (os.getpid(), False))
    for s in socket.socket(UNIX), socket.socket(UNIX, DGRAM), socket.socket():
        eq(outcome(s.getsockopt, SOL, PEERPIDFD), "ENODATA")
    listener = socket.socket(UNIX)
    listener.bind("s")
    listener.listen()

    def connect():
        client = socket.socket(UNIX)
        client.connect("s")
        client.recv(1)

    pid = os.fork()
    if pid == 0:
        connect()
        os._exit(0)
    server = listener.accept()[0]
    fd = server.getsockopt(SOL, PEERPIDFD)
    eq(pid_of(fd), pid)
    server.send(b"x")
    ok(select.select([fd], [], [], 5)[0], "its end is seen")
    os.waitpid(pid, 0)


def own_network():
    """Enters a network namespace with a pair of links that have an address each."""
    need_root()
    unshare(NEWNET)
    script = "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up"
    if os.system(script + " && ip addr add 10.8.0.1/24 dev v0 && ip addr add 10.9.0.1/24 dev v1") != 0:
        skip("no links")


def bound(device, kind=DGRAM, address="0.0.0.0", port=0):
    s = socket.socket(socket.AF_INET, kind)
    if device:
        s.setsockopt(SOL, BINDTODEVICE, device)
    s.bind((address, port))
    s.settimeout(0.3)
    return s


def reaches(receiver, sender, address):
    r, s = bound(receiver), bound(sender)
    eq(s.sendto(b"q", (address, r.getsockname()[1])), 1)
    return outcome(r.recv, 9) == b"q"


@test
def a_bound_socket_receives_from_its_link_only():
    own_network()
    for receiver, address, expected in ((b"lo", "127.0.0.1", True), (b"lo", "10.8.0.1", False), (b"v0", "10.8.0.1", True),
                                        (b"v0", "127.0.0.1", False), (b"v1", "10.8.0.1", False), (None, "10.8.0.1", True)):
        eq(reaches(receiver, None, address), expected, "%s at %s" % (receiver, address))


@test
def a_bound_socket_sends_by_its_link_only():
    own_network()
    for sender, address, expected in ((b"lo", "127.0.0.1", True), (b"v0", "10.8.0.1", True), (b"v0", "127.0.0.1", False),
                                      (b"v1", "10.8.0.1", False), (b"v1", "10.9.0.1", True)):
        eq(reaches(None, sender, address), expected, "%s to %s" % (sender, address))


@test
def connections_respect_the_bound_link():
    own_network()
    for device, address, expected in ((b"lo", "127.0.0.1", None), (b"lo", "10.8.0.1", "ECONNREFUSED"),
                                      (b"v0", "10.8.0.1", None), (b"v0", "127.0.0.1", "ECONNREFUSED")):
        listener = bound(device, STREAM)
        listener.listen()
        s = socket.socket()
        eq(outcome(s.connect, (address, listener.getsockname()[1])), expected, "%s at %s" % (device, address))
        if expected is None:
            server = listener.accept()[0]
            eq((server.getsockopt(SOL, BINDTODEVICE, 16), server.getsockopt(SOL, BINDTOIFINDEX)),
               (device + b"\0", socket.if_nametoindex(device.decode())))


@test
def ports_of_links_are_not_shared():
    own_network()
    a = bound(b"lo", address="127.0.0.1")
    port = a.getsockname()[1]
    b = bound(b"v0", address="127.0.0.1", port=port)
    eq([outcome(bound, device, DGRAM, "127.0.0.1", port) for device in (b"lo", None)], ["EADDRINUSE"] * 2)


@test
def a_socket_bound_to_the_link_is_preferred():
    own_network()
    for order in (b"lo", None), (None, b"lo"):
        sockets = {}
        port = 0
        for device in order:
            s = socket.socket(socket.AF_INET, DGRAM)
            s.setsockopt(SOL, socket.SO_REUSEADDR, 1)
            if device:
                s.setsockopt(SOL, BINDTODEVICE, device)
            s.bind(("0.0.0.0", port))
            s.settimeout(0.3)
            port, sockets[device] = s.getsockname()[1], s
        bound(None).sendto(b"q", ("127.0.0.1", port))
        eq((sockets[b"lo"].recv(9), outcome(sockets[None].recv, 9)), (b"q", "timeout"))


@test
def links_by_index():
    s = socket.socket(socket.AF_INET, DGRAM)
    s.setsockopt(SOL, BINDTOIFINDEX, 1)
    eq((s.getsockopt(SOL, BINDTODEVICE, 16), s.getsockopt(SOL, BINDTOIFINDEX), outcome(s.getsockopt, SOL, BINDTODEVICE, 2)), (b"lo\0", 1, "EINVAL"))
    eq(outcome(s.setsockopt, SOL, BINDTOIFINDEX, -1), "EINVAL")
    if is_root():
        s.setsockopt(SOL, BINDTOIFINDEX, 999999)
        eq((s.getsockopt(SOL, BINDTOIFINDEX), outcome(s.getsockopt, SOL, BINDTODEVICE, 16)), (999999, "ENODEV"))
        s.setsockopt(SOL, BINDTODEVICE, b"")
        eq(s.getsockopt(SOL, BINDTOIFINDEX), 0)


@test
def a_bound_link_is_kept_without_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        s = socket.socket(socket.AF_INET, DGRAM)
        eq([outcome(s.setsockopt, SOL, BINDTODEVICE, name) for name in (b"lo", b"lo", b"")], [None, "EPERM", "EPERM"])

    child_ok(nobody)


@cases([("tcp", tcp, False), ("unix stream", socket.socketpair, True)])
def so_rcvlowat_delays_readiness(make, polls):
    a, b = make()
    b.setsockopt(SOL, LOWAT, 10)
    a.send(b"12345")
    wait_for(b, 5)
    p = select.poll()
    p.register(b, select.POLLIN)
    eq((bool(p.poll(50)), b.recv(9, PEEK | DONTWAIT)), (polls, b"12345"))
    threading.Timer(0.2, lambda: a.send(b"67890abcdefghi")).start()
    b.settimeout(None)
    eq(b.recv(100), b"1234567890abcdefghi")


@cases([("tcp", tcp), ("unix stream", socket.socketpair)])
def a_buffer_that_ends_in_the_middle(make):
    """A read that faults leaves the bytes that it did not copy."""
    a, b = make()
    m = mmap.mmap(-1, 8192)
    at = ctypes.addressof(ctypes.c_char.from_buffer(m)) + 4096
    eq(libc.mprotect(ctypes.c_void_p(at), 4096, 0), 0)
    for there in 0, 10, 99:
        a.send(bytes(range(100)))
        wait_for(b, 100)
        gives(-errno.EFAULT, NR.recvfrom, b.fileno(), at - there, 200, DONTWAIT, 0, 0)
        eq(b.recv(200), bytes(range(100)))
    gives(-errno.EFAULT, NR.sendto, a.fileno(), at - 4096, 5000, DONTWAIT, 0, 0)
    eq(outcome(b.recv, 1, DONTWAIT), "EAGAIN")


def local_port(option, value, kind=STREAM):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(0, option, struct.pack("I", value))
    s.bind(("127.0.0.1", 0))
    return s, s.getsockname()[1]


@test
def a_range_of_ports():
    for _ in range(20):
        s, port = local_port(51, 40000 | 40100 << 16)
        between(40000, port, 40100, "port")
    s = socket.socket()
    for value in 40000, 40100 << 16, 0:
        s.setsockopt(0, 51, struct.pack("I", value))
        eq(s.getsockopt(0, 51, 4), struct.pack("I", value))
    eq([outcome(s.setsockopt, 0, 51, value) for value in (0x7FFFFFFF, b"\1")], ["EINVAL", "EINVAL"])


@cases([("tcp", STREAM), ("udp", DGRAM)])
def an_address_without_a_port(kind):
    s, port = local_port(24, 1, kind)
    eq(port, 0)
    with socket.create_server(("127.0.0.1", 0)) as there:
        s.connect(there.getsockname())
    ok(s.getsockname()[1] != 0, "a port when it is needed")


@test
def older_names_of_control_messages_of_ipv6():
    a, b = udp(socket.AF_INET6)
    for name in 2, 8:
        b.setsockopt(41, name, 1)
    a.send(b"x")
    b.settimeout(5)
    found = {kind: data for level, kind, data in b.recvmsg(9, 200)[1] if level == 41}
    eq((sorted(found), found[2][:16], struct.unpack("i", found[8])), ([2, 8], bytes(15) + b"\1", (64,)))


@test
def ipv6_pathmtu_of_a_connected_socket():
    s = socket.socket(socket.AF_INET6, DGRAM)
    eq((outcome(s.getsockopt, 41, 61, 64), outcome(s.getsockopt, 41, 61, 8)), ("ENOTCONN", "EINVAL"))
    s.connect(("::1", 9))
    data = s.getsockopt(41, 61, 64)
    eq((len(data), data[:28], struct.unpack_from("=I", data, 28)[0] >= 1280), (32, bytes(28), True))


@test
def datagrams_that_must_not_be_cut():
    need_root()
    unshare(NEWNET)
    if os.system("ip link set lo up mtu 1500") != 0:
        skip("no lo")
    for make, level, discover, headers in ((udp, 0, 10, 28), (lambda: udp(socket.AF_INET6), 41, 23, 48)):
        a, b = make()
        for how, expected in ((0, 3000), (1, 3000), (2, "EMSGSIZE"), (3, "EMSGSIZE"), (5, 3000)):
            a.setsockopt(level, discover, how)
            eq(outcome(a.send, bytes(3000)), expected, "with %d" % how)
            eq(a.send(bytes(1500 - headers)), 1500 - headers)


if __name__ == "__main__":
    run()
