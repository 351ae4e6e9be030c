"""Multicast and broadcast: joining, sources, and which sockets receive, on lo and veth pairs."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
from errno import *
from lib.guest import *
from lib.links import own_network

IP, IPV6, SOL = 0, 41, 1
PKTINFO, IF, TTL, LOOP, JOIN, LEAVE, UNBLOCK, BLOCK, JOIN_FROM, LEAVE_FROM, FILTER, ALL = 8, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 49
ANY_JOIN, ANY_BLOCK, ANY_UNBLOCK, ANY_LEAVE, ANY_JOIN_FROM, ANY_LEAVE_FROM, ANY_FILTER = 42, 43, 44, 45, 46, 47, 48
IF6, HOPS6, LOOP6, JOIN6, LEAVE6, ALL6, RECVPKTINFO6, PKTINFO6 = 17, 18, 19, 20, 21, 29, 49, 50
EXCLUDE, INCLUDE = 0, 1
LO, PORT, G, G6 = 1, 5000, "239.5.5.5", "ff05::1:3"
N = "nobody"


def ip(words, code=0):
    r = subprocess.run(["ip", *words.split()], capture_output=True, text=True)
    eq(r.returncode, code, "ip %s: %s" % (words, r.stderr))


def alone(pair=False):
    """Enters a namespace with lo, and with v0 (10.1.0.1, fd00::1) and its other end on request."""
    own_network()
    if not pair:
        return LO
    ip("link add v0 type veth peer name v1")
    ip("addr add 10.1.0.1/24 brd + dev v0")
    for link in ("v0", "v1"):
        ip("link set %s up" % link)
    ip("addr add fd00::1/64 dev v0 nodad")
    return socket.if_nametoindex("v0")


def udp(port=None, host="", six=False):
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(SOL, socket.SO_REUSEADDR, 1)
    s.settimeout(2)
    if port is not None:
        s.bind((host, port))
    return s


def v4(*addresses):
    return b"".join(socket.inet_aton(a) for a in addresses)


def v6(a):
    return socket.inet_pton(socket.AF_INET6, a)


def mreqn(group, index):
    return v4(group, "0.0.0.0") + struct.pack("i", index)


def storage(a, family=None):
    if ":" in a:
        return struct.pack("=HHI16s", family or 10, 0, 0, v6(a)).ljust(128, b"\0")
    return struct.pack("=HH4s", family or 2, 0, v4(a)).ljust(128, b"\0")


def any_req(index, *addresses):
    return struct.pack("=II", index, 0) + b"".join(storage(a) for a in addresses)


def any_filter(index, group, mode, *sources):
    return any_req(index, group) + struct.pack("=II", mode, len(sources)) + b"".join(storage(a) for a in sources)


def filter4(group, link, mode, *sources):
    return v4(group, link) + struct.pack("=II", mode, len(sources)) + v4(*sources)


def setting(s, level, name, value):
    return sc(NR.setsockopt, s.fileno(), level, name, value, len(value))


def asking(s, level, name, question, room):
    """Calls getsockopt with input. Returns the answer and its length, or -errno."""
    buffer = ctypes.create_string_buffer(question, max(room, len(question)))
    length = ctypes.c_int(room)
    r = sc(NR.getsockopt, s.fileno(), level, name, buffer, ctypes.byref(length))
    return r if r < 0 else (buffer.raw[:length.value], length.value)


def received(s):
    """Returns the next datagram and the host that sent it, or N without one."""
    s.settimeout(0.05)
    try:
        data, source = s.recvfrom(2000)
    except TimeoutError:
        return N
    return data, source[0]


def sends(s, data, to, port=PORT):
    return fails_with(lambda: s.sendto(data, (to, port)))


def fails_with(fn):
    try:
        fn()
    except OSError as e:
        return -e.errno
    return 0


@cases([
    ("join_without_a_link", lambda v0: [(JOIN, v4(G, "0.0.0.0"), -ENODEV)]),
    ("join_by_address", lambda v0: [(JOIN, v4(G, "127.0.0.1"), 0), (JOIN, v4(G, "127.0.0.1"), -EADDRINUSE), (JOIN, mreqn(G, LO), -EADDRINUSE),
                                    (JOIN, mreqn(G, v0), 0), (LEAVE, v4(G, "127.0.0.1"), 0), (LEAVE, mreqn(G, LO), -EADDRNOTAVAIL), (LEAVE, mreqn(G, v0), 0)]),
    ("join_what_is_not_there", lambda v0: [(JOIN, v4(G, "1.2.3.4"), -ENODEV), (JOIN, mreqn(G, 77), -ENODEV), (JOIN, v4("1.2.3.4", "127.0.0.1"), -EINVAL),
                                           (JOIN, v4(G), -EINVAL), (JOIN, v4(G, "127.0.0.1") + b"x", 0)]),
    ("leave_what_is_not_joined", lambda v0: [(LEAVE, v4(G, "127.0.0.1"), -EADDRNOTAVAIL), (LEAVE, v4(G, "0.0.0.0"), -ENODEV),
                                             (LEAVE, v4(G, "4.3.2.1"), -EADDRNOTAVAIL), (LEAVE, v4("1.1.1.1", "127.0.0.1"), -EADDRNOTAVAIL)]),
    ("sources_to_hear", lambda v0: [(JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.1"), 0), (JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.1"), -EADDRNOTAVAIL),
                                    (JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.2"), 0), (BLOCK, v4(G, "127.0.0.1", "1.1.1.3"), -EINVAL),
                                    (UNBLOCK, v4(G, "127.0.0.1", "1.1.1.3"), -EINVAL), (LEAVE_FROM, v4(G, "127.0.0.1", "1.1.1.9"), -EADDRNOTAVAIL),
                                    (LEAVE_FROM, v4(G, "127.0.0.1", "1.1.1.1"), 0), (LEAVE_FROM, v4(G, "127.0.0.1", "1.1.1.2"), 0),
                                    (LEAVE_FROM, v4(G, "127.0.0.1", "1.1.1.2"), -EINVAL), (LEAVE, v4(G, "127.0.0.1"), -EADDRNOTAVAIL)]),
    ("sources_not_to_hear", lambda v0: [(JOIN, v4(G, "127.0.0.1"), 0), (BLOCK, v4(G, "127.0.0.1", "1.1.1.1"), 0), (BLOCK, v4(G, "127.0.0.1", "1.1.1.1"), -EADDRNOTAVAIL),
                                        (JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.1"), -EINVAL), (UNBLOCK, v4(G, "127.0.0.1", "1.1.1.2"), -EADDRNOTAVAIL),
                                        (UNBLOCK, v4(G, "127.0.0.1", "1.1.1.1"), 0), (UNBLOCK, v4(G, "127.0.0.1", "1.1.1.1"), -EADDRNOTAVAIL),
                                        (LEAVE_FROM, v4(G, "127.0.0.1", "1.1.1.1"), -EINVAL), (LEAVE, v4(G, "127.0.0.1"), 0)]),
    ("sources_of_no_member", lambda v0: [(BLOCK, v4(G, "127.0.0.1", "1.1.1.1"), -EINVAL), (BLOCK, v4(G, "9.9.9.9", "1.1.1.1"), -ENODEV),
                                         (JOIN_FROM, v4("1.1.1.1", "127.0.0.1", "1.1.1.1"), -EINVAL), (JOIN_FROM, v4(G, "9.9.9.9", "1.1.1.1"), -ENODEV),
                                         (JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.1") + b"x", -EINVAL), (JOIN_FROM, v4(G, "127.0.0.1"), -EINVAL)]),
    ("ten_sources", lambda v0: [(JOIN_FROM, v4(G, "127.0.0.1", "1.1.1.%d" % i), 0 if i < 10 else -ENOBUFS) for i in range(11)]),
    ("twenty_groups", lambda v0: [(JOIN, v4("239.3.3.%d" % i, "127.0.0.1"), 0 if i < 20 else -ENOBUFS) for i in range(21)]),
    ("by_struct_group_req", lambda v0: [(ANY_JOIN, any_req(LO, G), 0), (ANY_JOIN, any_req(LO, G)[:-1], -EINVAL), (ANY_JOIN, any_req(LO, G6), -EINVAL),
                                        (ANY_LEAVE, any_req(LO, G), 0), (ANY_LEAVE, any_req(LO, G), -EADDRNOTAVAIL), (ANY_LEAVE, any_req(0, G), -ENODEV)]),
    ("by_struct_group_source_req", lambda v0: [(ANY_JOIN_FROM, any_req(LO, G, "1.1.1.1"), 0), (ANY_BLOCK, any_req(LO, G, "1.1.1.1"), -EINVAL),
                                               (ANY_UNBLOCK, any_req(99, G, "1.1.1.1"), -ENODEV), (ANY_JOIN_FROM, any_req(LO, G, G6), -EADDRNOTAVAIL),
                                               (ANY_JOIN_FROM, any_req(LO, G, "1.1.1.1") + b"x", -EINVAL), (ANY_LEAVE_FROM, any_req(LO, G, "1.1.1.1"), 0)]),
    ("filters", lambda v0: [(FILTER, filter4(G, "127.0.0.1", INCLUDE, "1.1.1.1"), -EINVAL), (FILTER, filter4(G, "127.0.0.1", INCLUDE), -EADDRNOTAVAIL),
                            (JOIN, v4(G, "127.0.0.1"), 0), (FILTER, b"1" * 15, -EINVAL), (FILTER, filter4(G, "127.0.0.1", 2, "1.1.1.1"), -EINVAL),
                            (FILTER, filter4("1.1.1.1", "127.0.0.1", INCLUDE, "1.1.1.1"), -EINVAL), (FILTER, filter4(G, "9.9.9.9", INCLUDE, "1.1.1.1"), -ENODEV),
                            (FILTER, filter4(G, "127.0.0.1", INCLUDE, "1.1.1.1", "1.1.1.2")[:-1], -EINVAL),
                            (FILTER, filter4(G, "127.0.0.1", INCLUDE, *["1.1.1.%d" % i for i in range(11)]), -ENOBUFS),
                            (FILTER, filter4(G, "127.0.0.1", EXCLUDE, "1.1.1.1") + b"x", 0), (FILTER, filter4(G, "127.0.0.1", INCLUDE), 0),
                            (LEAVE, v4(G, "127.0.0.1"), -EADDRNOTAVAIL)]),
    ("filters_of_any_family", lambda v0: [(JOIN, v4(G, "127.0.0.1"), 0), (ANY_FILTER, any_filter(LO, G, INCLUDE, "1.1.1.1", "1.1.1.2"), 0),
                                          (ANY_FILTER, b"1" * 143, -EINVAL), (ANY_FILTER, any_filter(LO, G, INCLUDE, "1.1.1.1")[:-1], -EINVAL),
                                          (ANY_FILTER, any_filter(LO, G6, INCLUDE), -EADDRNOTAVAIL), (ANY_FILTER, any_filter(LO, G, INCLUDE, G6), -EADDRNOTAVAIL),
                                          (ANY_FILTER, any_filter(LO, G, EXCLUDE), 0)]),
    ("the_link_to_send_by", lambda v0: [(IF, v4("9.9.9.9"), -EADDRNOTAVAIL), (IF, mreqn("0.0.0.0", 99), -EADDRNOTAVAIL), (IF, b"123", -EINVAL),
                                        (IF, v4("0.0.0.0", "10.1.0.1"), 0), (IF, v4("0.0.0.0"), 0), (IF, mreqn("0.0.0.0", LO), 0)]),
])
def v4_options(steps):
    v0, s = alone(pair=True), udp()
    for i, (name, value, expected) in enumerate(steps(v0)):
        eq(setting(s, IP, name, value), expected, "step %d" % i)


def mreq6(group, index):
    return v6(group) + struct.pack("i", index)


@cases([
    ("join_and_leave", lambda v0: [(JOIN6, mreq6(G6, v0), 0), (JOIN6, mreq6(G6, v0), -EADDRINUSE), (JOIN6, mreq6(G6, 0), -EADDRINUSE), (JOIN6, mreq6(G6, LO), 0),
                                   (LEAVE6, mreq6(G6, 0), 0), (LEAVE6, mreq6(G6, 0), 0), (LEAVE6, mreq6(G6, 0), -EADDRNOTAVAIL)]),
    ("what_is_not_there", lambda v0: [(JOIN6, mreq6(G6, 99), -ENODEV), (JOIN6, mreq6("fd00::1", v0), -EINVAL), (JOIN6, mreq6("::ffff:239.1.1.1", v0), -EINVAL),
                                      (JOIN6, mreq6(G6, v0)[:19], -EINVAL), (LEAVE6, mreq6("fd00::1", 0), -EINVAL), (LEAVE6, mreq6(G6, 99), -EADDRNOTAVAIL)]),
    ("by_struct_group_req", lambda v0: [(ANY_JOIN, any_req(v0, G6), 0), (ANY_JOIN, any_req(0, G6), -EADDRINUSE), (ANY_JOIN, any_req(v0, G), -EADDRNOTAVAIL),
                                        (ANY_JOIN, any_req(v0, G6)[:-1], -EINVAL), (ANY_LEAVE, any_req(v0, G6), 0), (ANY_LEAVE, any_req(v0, G6), -EADDRNOTAVAIL)]),
    ("sources", lambda v0: [(ANY_BLOCK, any_req(v0, G6, "fd00::1"), -EINVAL), (ANY_BLOCK, any_req(99, G6, "fd00::1"), -ENODEV),
                            (ANY_JOIN_FROM, any_req(v0, "fd00::2", "fd00::1"), -EINVAL), (ANY_JOIN_FROM, any_req(v0, G6, "fd00::1"), 0),
                            (ANY_JOIN_FROM, any_req(v0, G6, "fd00::1"), -EADDRNOTAVAIL), (ANY_UNBLOCK, any_req(v0, G6, "fd00::1"), -EINVAL),
                            (ANY_LEAVE_FROM, any_req(v0, G6, "fd00::9"), -EADDRNOTAVAIL), (ANY_LEAVE_FROM, any_req(0, G6, "fd00::1"), 0),
                            (ANY_LEAVE_FROM, any_req(v0, G6, "fd00::1"), -EINVAL)]),
    ("64_sources", lambda v0: [(ANY_JOIN_FROM, any_req(v0, G6, "fd00::%x" % (i + 1)), 0 if i < 64 else -ENOBUFS) for i in range(65)]),
    ("filters", lambda v0: [(ANY_FILTER, any_filter(v0, G6, INCLUDE, "fd00::1"), -EINVAL), (JOIN6, mreq6(G6, v0), 0),
                            (ANY_FILTER, any_filter(v0, G6, 2, "fd00::1"), -EINVAL), (ANY_FILTER, any_filter(v0, G6, INCLUDE, "fd00::1"), 0),
                            (ANY_FILTER, any_filter(0, G6, INCLUDE, "fd00::1"), -EINVAL), (ANY_FILTER, any_filter(99, G6, INCLUDE, "fd00::1"), -ENODEV),
                            (ANY_FILTER, any_filter(v0, G, INCLUDE), -EINVAL), (ANY_FILTER, any_filter(v0, G6, INCLUDE), 0), (LEAVE6, mreq6(G6, v0), -EADDRNOTAVAIL)]),
    ("the_link_to_send_by", lambda v0: [(IF6, struct.pack("i", 99), -ENODEV), (IF6, struct.pack("i", -1), -ENODEV), (IF6, struct.pack("i", v0), 0), (IF6, struct.pack("i", 0), 0)]),
])
def v6_options(steps):
    v0, s = alone(pair=True), udp(six=True)
    for i, (name, value, expected) in enumerate(steps(v0)):
        eq(setting(s, IPV6, name, value), expected, "step %d" % i)


@test
def stream_sockets_take_few_options_of_groups():
    alone()
    s, six = socket.socket(), socket.socket(socket.AF_INET6)
    eq(setting(s, IP, JOIN, v4(G, "127.0.0.1")), -EPROTO)
    eq(setting(s, IP, LEAVE, b"1"), -EPROTO)
    eq(setting(s, IP, IF, v4("127.0.0.1")), -EINVAL)
    eq(setting(s, IP, ANY_JOIN, any_req(LO, G)), 0)
    eq(setting(six, IPV6, JOIN6, mreq6(G6, LO)), -EPROTO)
    eq(setting(six, IPV6, JOIN6, b"1"), -EINVAL)
    eq(setting(six, IPV6, ANY_JOIN, any_req(LO, G6)), 0)


@test
def filters_can_be_read():
    alone()
    s = udp()
    question = lambda n, link="127.0.0.1": v4(G, link) + struct.pack("=II", 9, n) + bytes(4 * n)
    eq(asking(s, IP, FILTER, question(2), 24), -EADDRNOTAVAIL)
    eq(asking(s, IP, FILTER, question(2, "9.9.9.9"), 24), -ENODEV)
    eq(asking(s, IP, FILTER, question(0), 15), -EINVAL)
    eq(setting(s, IP, JOIN, v4(G, "127.0.0.1")), 0)
    eq(setting(s, IP, FILTER, filter4(G, "127.0.0.1", INCLUDE, "1.1.1.1", "1.1.1.2")), 0)
    head = v4(G, "127.0.0.1") + struct.pack("=II", INCLUDE, 2)
    eq(asking(s, IP, FILTER, question(8), 48), (head + v4("1.1.1.1", "1.1.1.2"), 24))
    eq(asking(s, IP, FILTER, question(1), 24), (head + v4("1.1.1.1"), 20))
    eq(asking(s, IP, FILTER, question(0), 16), (head, 16))
    eq(asking(s, IP, ANY_FILTER, any_filter(LO, G, 0, "0.0.0.0", "0.0.0.0"), 144 + 256), (any_filter(LO, G, INCLUDE, "1.1.1.1", "1.1.1.2"), 400))
    eq(asking(s, IP, ANY_FILTER, any_filter(LO, G, 0), 143), -EINVAL)
    eq(asking(s, IP, ANY_FILTER, any_filter(LO, G6, 0), 144), -EINVAL)


@test
def filters_of_ipv6_can_be_read():
    v0, s = alone(pair=True), udp(six=True)
    eq(setting(s, IPV6, JOIN6, mreq6(G6, v0)), 0)
    eq(setting(s, IPV6, ANY_FILTER, any_filter(v0, G6, EXCLUDE, "fd00::7")), 0)
    eq(asking(s, IPV6, ANY_FILTER, any_filter(v0, G6, 9, "::"), 144 + 128), (any_filter(v0, G6, EXCLUDE, "fd00::7"), 272))
    eq(asking(s, IPV6, ANY_FILTER, any_filter(0, G6, 9, "::"), 144 + 128), -EADDRNOTAVAIL)
    eq(asking(s, IPV6, ANY_FILTER, any_filter(v0, "ff02::9", 9, "::"), 144 + 128), -EADDRNOTAVAIL)


@test
def the_loopback_delivers_to_a_group_with_members():
    alone()
    r, s, m = udp(PORT), udp(), udp()
    eq(sends(s, b"0", G), -ENETUNREACH, "no route")
    s.setsockopt(IP, IF, v4("127.0.0.1"))
    eq(s.getsockopt(IP, IF, 4), v4("127.0.0.1"))
    s.sendto(b"a", (G, PORT))
    eq(received(r), N, "no member")
    m.setsockopt(IP, JOIN, mreqn(G, LO))
    s.sendto(b"b", (G, PORT))
    eq(received(r), (b"b", "127.0.0.1"), "another socket's membership")
    r.setsockopt(IP, ALL, 0)
    s.sendto(b"c", (G, PORT))
    eq(received(r), N, "own groups only")
    r.setsockopt(IP, JOIN, mreqn(G, LO))
    s.sendto(b"d", (G, PORT))
    eq(received(r), (b"d", "127.0.0.1"))
    s.setsockopt(IP, LOOP, 0)
    s.setsockopt(IP, TTL, 0)
    s.sendto(b"e", (G, PORT))
    eq(received(r), (b"e", "127.0.0.1"), "on the loopback whatever these say")
    r.setsockopt(IP, ALL, 1)
    s.sendto(b"f", ("224.0.0.1", PORT))
    eq(received(r), (b"f", "127.0.0.1"), "all hosts")
    m.close()
    r.setsockopt(IP, LEAVE, mreqn(G, LO))
    s.sendto(b"g", (G, PORT))
    eq(received(r), N, "all have left")


@test
def all_matching_sockets_receive_a_datagram():
    alone()
    s, member = udp(), udp()
    member.setsockopt(IP, JOIN, mreqn(G, LO))
    s.setsockopt(IP, IF, v4("127.0.0.1"))
    wide, group, other, own = udp(PORT), udp(PORT, G), udp(PORT, "239.9.9.9"), udp(PORT, "127.0.0.1")
    six, friend, stranger = udp(PORT, "::", six=True), udp(PORT), udp(PORT)
    s.sendto(b"0", ("127.0.0.1", 9))
    stranger.connect(("127.0.0.1", 9))
    eq(group.getsockname(), (G, PORT))
    s.sendto(b"x", (G, PORT))
    eq([received(q) for q in (wide, group, friend)], [(b"x", "127.0.0.1")] * 3)
    eq([received(q) for q in (other, own, stranger, six)], [N] * 4)
    six.setsockopt(IP, JOIN, mreqn(G, LO))
    s.sendto(b"x", (G, PORT))
    eq(received(six), (b"x", "::ffff:127.0.0.1"), "IPv6 sockets need membership")
    group.sendto(b"y", ("127.0.0.1", PORT))
    eq(received(own), (b"y", "127.0.0.1"), "a group is no source")
    group.connect(("127.0.0.1", s.getsockname()[1]))
    eq(group.getsockname(), (G, PORT), "it stays bound to it")
    received(group)
    s.sendto(b"z", (G, PORT))
    eq(received(group), (b"z", "127.0.0.1"))


@test
def source_filters_hold():
    alone()
    f, plain, s, t = udp(PORT), udp(PORT), udp(0, "127.0.0.1"), udp(0, "127.0.0.2")
    f.setsockopt(IP, JOIN_FROM, v4(G, "127.0.0.1", "127.0.0.2"))
    s.sendto(b"1", (G, PORT))
    eq((received(f), received(plain)), (N, N), "the link drops a group without members")
    t.sendto(b"2", (G, PORT))
    eq((received(f), received(plain)), ((b"2", "127.0.0.2"),) * 2)
    plain.setsockopt(IP, JOIN, mreqn(G, LO))
    s.sendto(b"3", (G, PORT))
    eq((received(f), received(plain)), (N, (b"3", "127.0.0.1")))
    plain.setsockopt(IP, BLOCK, v4(G, "127.0.0.1", "127.0.0.1"))
    s.sendto(b"4", (G, PORT))
    t.sendto(b"5", (G, PORT))
    eq((received(f), received(plain)), ((b"5", "127.0.0.2"),) * 2)
    plain.setsockopt(IP, UNBLOCK, v4(G, "127.0.0.1", "127.0.0.1"))
    s.sendto(b"6", (G, PORT))
    eq(received(plain), (b"6", "127.0.0.1"))


@test
def a_link_is_chosen_by_its_address():
    v0 = alone(pair=True)
    r, s, m = udp(PORT), udp(), udp()
    s.setsockopt(IP, IF, mreqn("0.0.0.0", v0))
    eq(s.getsockopt(IP, IF, 4), bytes(4))
    s.sendto(b"a", (G, PORT))
    eq(received(r), N)
    m.setsockopt(IP, JOIN, mreqn(G, v0))
    s.sendto(b"b", (G, PORT))
    eq(received(r), (b"b", "10.1.0.1"))
    eq(received(r), N, "the other end is no member, and knows the source as its own")
    s.setsockopt(IP, LOOP, 0)
    s.sendto(b"c", (G, PORT))
    eq(received(r), N)
    s.setsockopt(IP, LOOP, 1)
    s.setsockopt(IP, TTL, 0)
    s.sendto(b"d", (G, PORT))
    eq(received(r), (b"d", "10.1.0.1"), "it does not leave, and comes back")
    s.connect((G, PORT))
    eq((s.getsockname()[0], s.getpeername()), ("10.1.0.1", (G, PORT)))
    s.send(b"e")
    eq(received(r), (b"e", "10.1.0.1"))
    t = udp(0, "10.1.0.1")
    t.sendto(b"f", (G, PORT))
    eq(received(r), (b"f", "10.1.0.1"), "the source's link")
    t.setsockopt(IP, IF, v4("127.0.0.1"))
    t.sendto(b"g", ("224.0.0.1", PORT))
    eq(received(r), (b"g", "10.1.0.1"))


@test
def control_messages_report_and_choose_the_link():
    v0 = alone(pair=True)
    r, m = udp(PORT), udp()
    for link in (LO, v0):
        m.setsockopt(IP, JOIN, mreqn(G, link))
    r.setsockopt(IP, PKTINFO, 1)
    r.setsockopt(IP, 12, 1)  # IP_RECVTTL
    controls = lambda: {kind: data for _, kind, data in r.recvmsg(10, 200)[1]}
    s = udp()
    s.sendmsg([b"x"], [(IP, PKTINFO, struct.pack("=i8x", v0))], 0, (G, PORT))
    eq(controls(), {PKTINFO: struct.pack("=i", v0) + v4("10.1.0.1", G), 2: struct.pack("=i", 1)})
    s.sendmsg([b"x"], [(IP, PKTINFO, struct.pack("=i", 0) + v4("127.0.0.1", "0.0.0.0"))], 0, (G, PORT))
    eq(controls(), {PKTINFO: struct.pack("=i", LO) + v4("127.0.0.1", G), 2: struct.pack("=i", 1)})
    s.setsockopt(IP, IF, mreqn("0.0.0.0", v0))
    s.setsockopt(IP, TTL, 7)
    s.sendto(b"x", (G, PORT))
    eq(controls()[2], struct.pack("=i", 7))
    eq(fails_with(lambda: s.sendmsg([b"x"], [(IP, PKTINFO, struct.pack("=i8x", 99))], 0, (G, PORT))), -ENODEV)


@test
def broadcasts():
    v0 = alone(pair=True)
    r, two, s = udp(PORT), udp(PORT), udp()
    eq([sends(s, b"a", to) for to in ("10.1.0.255", "127.255.255.255", "255.255.255.255")], [-EACCES, -EACCES, -ENETUNREACH])
    eq(fails_with(lambda: s.connect(("10.1.0.255", PORT))), -EACCES)
    s.setsockopt(SOL, socket.SO_BROADCAST, 1)
    s.sendto(b"b", ("10.1.0.255", PORT))
    eq((received(r), received(two)), ((b"b", "10.1.0.1"),) * 2)
    s.sendto(b"c", ("127.255.255.255", PORT))
    eq((received(r), received(two)), ((b"c", "127.0.0.1"),) * 2)
    all_of_it = udp(PORT, "10.1.0.255")
    eq(all_of_it.getsockname(), ("10.1.0.255", PORT))
    t = udp(0, "10.1.0.1")
    t.setsockopt(SOL, socket.SO_BROADCAST, 1)
    t.sendto(b"d", ("255.255.255.255", PORT))
    eq((received(r), received(all_of_it)), ((b"d", "10.1.0.1"), N))
    t.sendto(b"e", ("10.1.0.255", PORT))
    eq((received(r), received(all_of_it)), ((b"e", "10.1.0.1"),) * 2)
    r.setsockopt(IP, PKTINFO, 1)
    t.sendto(b"f", ("10.1.0.255", PORT))
    eq(r.recvmsg(10, 200)[1], [(IP, PKTINFO, struct.pack("=i", v0) + v4("10.1.0.1", "10.1.0.255"))])


@test
def raw_sockets_send_to_and_receive_from_groups():
    v0 = alone(pair=True)
    raw, deaf = (socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) for _ in range(2))
    r = udp(PORT)
    r.setsockopt(IP, JOIN, mreqn(G, v0))
    deaf.setsockopt(IP, ALL, 0)
    raw.setsockopt(IP, IF, mreqn("0.0.0.0", v0))
    eq(fails_with(lambda: raw.sendto(b"12345678", ("10.1.0.255", 0))), -EACCES)
    raw.sendto(struct.pack(">HHHH", 1, PORT, 9, 0) + b"z", (G, 0))
    eq(received(r), (b"z", "10.1.0.1"))
    packet, source = received(raw)
    eq((packet[8:10], packet[12:], source), (b"\1\x11", v4("10.1.0.1", G) + struct.pack(">HHHH", 1, PORT, 9, 0) + b"z", "10.1.0.1"))
    eq(received(deaf), N)


@test
def groups_of_ipv6():
    v0 = alone(pair=True)
    r, s, m = udp(PORT, "::", six=True), udp(0, "fd00::1", six=True), udp(six=True)
    m.setsockopt(IPV6, JOIN6, mreq6(G6, v0))
    to = (G6, PORT, 0, v0)
    s.setsockopt(IPV6, IF6, v0)
    eq(s.getsockopt(IPV6, IF6), v0)
    s.sendto(b"b", to)
    eq(received(r), (b"b", "fd00::1"))
    s.setsockopt(IPV6, LOOP6, 0)
    s.sendto(b"c", to)
    eq(received(r), N)
    s.setsockopt(IPV6, LOOP6, 1)
    s.setsockopt(IPV6, HOPS6, 0)
    s.sendto(b"d", to)
    eq(received(r), (b"d", "fd00::1"))
    s.setsockopt(IPV6, HOPS6, -1)
    r.setsockopt(IPV6, ALL6, 0)
    s.sendto(b"e", to)
    eq(received(r), N)
    r.setsockopt(IPV6, ANY_JOIN_FROM, any_req(v0, G6, "fd00::9"))
    s.sendto(b"f", to)
    eq(received(r), N)
    r.setsockopt(IPV6, ANY_JOIN_FROM, any_req(v0, G6, "fd00::1"))
    r.setsockopt(IPV6, RECVPKTINFO6, 1)
    s.sendto(b"g", to)
    eq(r.recvmsg(10, 200)[1], [(IPV6, PKTINFO6, v6(G6) + struct.pack("=i", v0))])
    s.setsockopt(IPV6, IF6, LO)
    eq(fails_with(lambda: s.sendto(b"h", (G6, PORT))), -ENETUNREACH, "the loopback has no groups of IPv6")


@test
def a_group_of_link_scope_needs_its_link():
    v0 = alone(pair=True)
    near = "ff02::1"
    eq(fails_with(lambda: udp(PORT, near, six=True)), -EINVAL)
    s = udp(six=True)
    s.bind((near, PORT, 0, v0))
    eq(s.getsockname(), (near, PORT, 0, v0))
    t = udp(six=True)
    eq(fails_with(lambda: t.connect((near, PORT))), -EINVAL)
    t = udp(0, "fd00::1", six=True)
    t.connect((near, PORT, 0, v0))
    eq((t.getsockname()[0], t.getsockname()[3], t.getpeername()), ("fd00::1", 0, (near, PORT, 0, v0)))
    t.send(b"x")
    eq(received(s), (b"x", "fd00::1"))


def table(name):
    return open("/proc/net/" + name).read()


@test
def lists_of_groups():
    v0 = alone(pair=True)
    head = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
    link = lambda i, name, n: "%d\t%-10s: %5d      V3\n" % (i, name, n)
    group = lambda g, users=1: "\t\t\t\t%s %5d 0:00000000\t\t0\n" % (g, users)
    s, t = udp(), udp(six=True)
    before = table("dev_mcast")
    for one in ("239.1.1.1", "239.1.1.2"):
        s.setsockopt(IP, JOIN, v4(one, "127.0.0.1"))
    s.setsockopt(IP, JOIN, mreqn("224.0.0.1", LO))
    rows = table("igmp")
    ok(rows.startswith(head + link(1, "lo", 3)), rows)
    ok(group("020101EF") + group("010101EF") + group("010000E0", 2) in rows, rows)
    s.setsockopt(IP, JOIN, mreqn("239.1.1.1", v0))
    ok(link(v0, "v0", 2) in table("igmp"), "v0")
    ok("%-4d %-15s %-5d %-5d %s\n" % (v0, "v0", 1, 0, "01005e010101") in table("dev_mcast"), table("dev_mcast"))
    ok("01005e010101" not in before, before)
    t.setsockopt(IPV6, JOIN6, mreq6(G6, LO))
    ok("1    lo              ff050000000000000000000000010003     1 00000004 0\n" in table("igmp6"), table("igmp6"))
    ok("1    lo              ff020000000000000000000000000001     1 0000000C 0\n" in table("igmp6"), table("igmp6"))
    s.setsockopt(IP, BLOCK, v4("239.1.1.2", "127.0.0.1", "127.0.0.2"))
    eq(table("mcfilter"), "Idx Device        MCA        SRC    INC    EXC\n  1     lo 0xef010102 0x7f000002      0      1\n")
    s.close()
    ok("EF" not in table("igmp"), "closed")


@test
def the_setting_bounds_memberships():
    alone()
    s = udp()
    with open("/proc/sys/net/ipv4/igmp_max_memberships", "r+") as f:
        eq(f.read(), "20\n")
        f.seek(0)
        f.write("1\n")
    eq(setting(s, IP, JOIN, v4("239.1.1.1", "127.0.0.1")), 0)
    eq(setting(s, IP, JOIN, v4("239.1.1.2", "127.0.0.1")), -ENOBUFS)
    eq(open("/proc/sys/net/ipv4/igmp_max_msf").read(), "10\n")


@test
def groups_reach_other_namespaces():
    alone()
    parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ip("link add br0 type bridge")
    ip("link set br0 up")
    ip("addr add 10.2.0.1/24 brd + dev br0")

    def there():
        eq(sc(NR.unshare, 0x40000000), 0)
        child.send(b"u")
        eq(child.recv(1), b"m")
        ip("link set lo up")
        ip("addr add 10.2.0.2/24 brd + dev far")
        ip("link set far up")
        r = udp(PORT)
        r.setsockopt(IP, JOIN, v4(G, "10.2.0.2"))
        child.send(b"r")
        eq(r.recvfrom(10), (b"group", ("10.2.0.1", source)))
        eq(r.recvfrom(10), (b"all", ("10.2.0.1", source)))
        answer = udp()
        answer.setsockopt(IP, IF, v4("10.2.0.2"))
        answer.setsockopt(IP, LOOP, 0)
        answer.sendto(b"back", (G, PORT))
        eq(received(r), N)

    s = udp(0)
    source = s.getsockname()[1]
    pid = os.fork()
    if pid == 0:
        try:
            there()
            os._exit(0)
        except BaseException as e:
            print(repr(e), file=sys.stderr)
            os._exit(1)
    eq(parent.recv(1), b"u")
    ip("link add near type veth peer name far")
    ip("link set near master br0")
    ip("link set near up")
    ip("link set far netns %d" % pid)
    parent.send(b"m")
    eq(parent.recv(1), b"r")
    wait_until(lambda: "LOWER_UP" in subprocess.run(["ip", "link", "show", "near"], capture_output=True, text=True).stdout, "carrier")
    r = udp(PORT)
    r.setsockopt(IP, JOIN, v4(G, "10.2.0.1"))
    s.setsockopt(IP, IF, v4("10.2.0.1"))
    s.setsockopt(IP, LOOP, 0)
    s.setsockopt(SOL, socket.SO_BROADCAST, 1)
    s.sendto(b"group", (G, PORT))
    s.sendto(b"all", ("10.2.0.255", PORT))
    eq(r.recvfrom(10), (b"all", ("10.2.0.1", source)))
    eq(r.recvfrom(10)[0], b"back")
    eq(os.waitpid(pid, 0)[1], 0)


run()
