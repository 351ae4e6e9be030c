"""NETLINK_SOCK_DIAG (sock_diag(7)): dumps of sockets with the attributes that ss(8) reads, filters,
look-up of one socket, and SOCK_DESTROY.
"""

import os
import socket
import struct
from errno import *
from lib.guest import *
from lib.links import own_network
from lib.netlink import *

BY_FAMILY, DESTROY = 20, 21
TCP, UDP, RAW = 6, 17, 255
ESTABLISHED, CLOSE, LISTEN = 1, 7, 10
ALL = 0xFFFFFFFF


def request(family, protocol, extra=0xFF, states=ALL, name=bytes(48)):
    return struct.pack("=BBBBI", family, protocol, extra, 0, states) + name


def name(local, remote=None):
    """Makes a struct inet_diag_sockid of IPv4 addresses."""
    out = struct.pack(">HH", local[1], remote[1] if remote else 0)
    for host in (local[0], remote[0] if remote else "0.0.0.0"):
        out += socket.inet_aton(host) + bytes(12)
    return out + struct.pack("=III", 0, ALL, ALL)


def rows(protocol, family=2, **more):
    """Maps the inode of each listed socket to its state, ports, queues and attributes."""
    tail = more.pop("tail", b"")
    found = {}
    for one in Netlink(SOCK_DIAG).ask(BY_FAMILY, DUMP, request(family, protocol, **more) + tail):
        body = one[4]
        sport, dport = struct.unpack_from(">HH", body, 4)
        received, unsent, uid, inode = struct.unpack_from("=IIII", body, 56)
        found[inode] = (body[1], sport, dport, received, unsent, attributes(body[72:]))
    return found


def inode(s):
    return os.fstat(s.fileno()).st_ino


def connection():
    own_network()
    server = socket.create_server(("127.0.0.1", 0), backlog=7)
    client = socket.create_connection(server.getsockname())
    accepted = server.accept()[0]
    return server, client, accepted


@test
def connections_are_listed_with_their_queues():
    server, client, accepted = connection()
    client.send(b"abc")
    found = rows(TCP)
    port, own = server.getsockname()[1], client.getsockname()[1]
    eq(found[inode(server)][:5], (LISTEN, port, 0, 0, 7))
    eq(found[inode(accepted)][:5], (ESTABLISHED, port, own, 3, 0))
    eq(found[inode(client)][:3], (ESTABLISHED, own, port))


@test
def requested_attributes_are_listed():
    server, client, accepted = connection()
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 8)
    client.setsockopt(socket.SOL_SOCKET, 36, 5)
    found = rows(TCP)[inode(client)][5]
    eq((found[8], found[5], found[15], len(found[22])), (b"\0", b"\x08", struct.pack("=I", 5), 2))
    eq((len(found[1]), len(found[7])), (16, 36))
    ok(len(found[2]) >= 104 and found[2][0] == ESTABLISHED, "struct tcp_info")
    eq(found[4], client.getsockopt(socket.IPPROTO_TCP, 13, 16).rstrip(b"\0") + b"\0")
    found = rows(TCP, extra=0)[inode(client)][5]
    eq(set(found) & {1, 2, 4, 5, 7}, set())


@test
def half_closed_connections_are_listed_with_their_shutdown():
    server, client, accepted = connection()
    client.shutdown(socket.SHUT_WR)
    eq(rows(TCP)[inode(client)][5][8], b"\2")
    eq(rows(TCP)[inode(accepted)][5][8], b"\1")


@cases([("listening", 1 << LISTEN, 1), ("established", 1 << ESTABLISHED, 2), ("all", ALL, 3), ("none", 0, 0)])
def states_choose(states, count):
    keep = connection()
    eq(len(rows(TCP, states=states)), count)


@test
def datagram_and_raw_sockets_are_listed():
    own_network()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    eq(rows(UDP)[inode(udp)][:3], (CLOSE, udp.getsockname()[1], 0))
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.bind(("::1", 0))
    eq(rows(UDP, family=10)[inode(six)][5][11], b"\1")
    eq(six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), 1)


def compare(code, port):
    return struct.pack("=BBHBBH", code, 8, 12, 0, 0, port)


@test
def filters_compare_ports():
    server, client, accepted = connection()
    port, own = server.getsockname()[1], client.getsockname()[1]
    chosen = lambda code, value: set(rows(TCP, tail=attribute(1, compare(code, value))))
    eq(chosen(11, port), {inode(server), inode(accepted)})
    eq(chosen(12, port), {inode(client)})
    eq(chosen(11, own), {inode(client)})
    eq(chosen(2, 1), {inode(server), inode(accepted), inode(client)})
    eq(chosen(3, 1), set())


@test
def filters_compare_addresses():
    server, client, accepted = connection()

    def at(family, bits, port, address):
        op = struct.pack("=BBHBBHi", 7, 12 + len(address), 16 + len(address), family, bits, 0, port) + address
        return set(rows(TCP, tail=attribute(1, op)))

    all_of_them = {inode(server), inode(client), inode(accepted)}
    eq(at(2, 8, -1, b"\x7f\0\0\0"), all_of_them)
    eq(at(2, 32, -1, b"\x7f\0\0\2"), set())
    eq(at(2, 32, client.getsockname()[1], b"\x7f\0\0\1"), {inode(client)})
    eq(at(0, 0, -1, b""), all_of_them)


@cases([("empty", b""), ("a byte", b"\0"), ("an unknown operation", struct.pack("=BBH", 99, 4, 4)), ("a cut comparison", struct.pack("=BBH", 2, 4, 8)),
        ("a crooked jump", struct.pack("=BBH", 1, 4, 6)), ("no step", struct.pack("=BBH", 0, 0, 0)), ("a cut condition", struct.pack("=BBH", 7, 4, 8)),
        ("a jump into the middle", compare(11, 1)[:2] + struct.pack("=H", 10) + bytes(4)), ("a far jump", struct.pack("=BBH", 1, 4, 400)),
        ("a long prefix", struct.pack("=BBHBBHi4s", 7, 16, 20, 2, 33, 0, -1, bytes(4)))], shared=True)
def a_filter_is_refused_that_is(code):
    fails(EINVAL, rows, TCP, tail=attribute(1, code))


@test
def one_socket_is_found_by_its_name():
    server, client, accepted = connection()
    n, ends = Netlink(SOCK_DIAG), (client.getsockname(), server.getsockname())
    one, = n.ask(BY_FAMILY, 0, request(2, TCP, name=name(*ends)))
    eq((one[1], struct.unpack_from("=I", one[4], 68)[0]), (0, inode(client)))
    one, = n.ask(BY_FAMILY, 0, request(2, TCP, name=name(ends[1])))
    eq(struct.unpack_from("=I", one[4], 68)[0], inode(server))
    fails(ENOENT, n.ask, BY_FAMILY, 0, request(2, TCP, name=name(("127.0.0.1", 1))))
    fails(ENOENT, n.ask, BY_FAMILY, 0, request(2, TCP))


@test
def a_connection_can_be_destroyed():
    server, client, accepted = connection()
    n, body = Netlink(SOCK_DIAG), request(2, TCP, name=name(client.getsockname(), server.getsockname()))
    n.ask(DESTROY, ACK, body)
    fails(ECONNABORTED, client.recv, 10)
    fails(ECONNRESET, accepted.recv, 10)
    fails(ENOENT, n.ask, DESTROY, ACK, body)


@test
def a_listener_can_be_destroyed():
    server, client, accepted = connection()
    Netlink(SOCK_DIAG).ask(DESTROY, ACK, request(2, TCP, name=name(server.getsockname())))
    server.setblocking(False)
    fails(EINVAL, server.accept)
    fails(ECONNREFUSED, socket.create_connection, client.getpeername())


@test
def a_datagram_socket_can_be_destroyed():
    own_network()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    Netlink(SOCK_DIAG).ask(DESTROY, ACK, request(2, UDP, name=name(udp.getsockname())))
    fails(ECONNABORTED, udp.recv, 10)


@test
def destroying_needs_a_capability():
    server, client, accepted = connection()

    def nobody():
        os.setuid(1)
        fails(EPERM, Netlink(SOCK_DIAG).ask, DESTROY, ACK, request(2, TCP, name=name(client.getsockname(), server.getsockname())))

    child_ok(nobody)
    client.send(b"x")
    eq(accepted.recv(1), b"x")


def unix(show=0x7F, number=0, states=ALL):
    return struct.pack("=BBHIIIII", 1, 0, 0, states, number, show, ALL, ALL)


@test
def unix_sockets_are_listed_with_requested_attributes():
    a, b = socket.socketpair()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0diag-%d" % os.getpid())
    listener.listen(5)
    found = {}
    for one in Netlink(SOCK_DIAG).ask(BY_FAMILY, DUMP, unix()):
        found[struct.unpack_from("=I", one[4], 4)[0]] = one[4][1], one[4][2], attributes(one[4][16:])
    kind, state, more = found[inode(a)]
    eq((kind, state, more[2], more[6], len(more[5])), (1, ESTABLISHED, struct.pack("=I", inode(b)), b"\0", 36))
    eq(more[7], struct.pack("=I", os.fstat(a.fileno()).st_uid))
    kind, state, more = found[inode(listener)]
    eq((state, more[0]), (LISTEN, b"\0diag-%d" % os.getpid()))
    one, = Netlink(SOCK_DIAG).ask(BY_FAMILY, 0, unix(show=0, number=inode(a)))
    eq(set(attributes(one[4][16:])) & {0, 2, 4, 5}, set())
    fails(ENOENT, Netlink(SOCK_DIAG).ask, BY_FAMILY, 0, unix(number=0x7FFFFFFF))
    fails(EINVAL, Netlink(SOCK_DIAG).ask, BY_FAMILY, 0, unix(number=0))


def other(family, protocol=0):
    return struct.pack("=BBHIIII", family, protocol, 0, 0, 0xFF, ALL, ALL)


@test
def packet_sockets_are_listed():
    own_network()
    s = socket.socket(17, socket.SOCK_RAW, socket.htons(3))
    s.bind(("lo", 3))
    one, = Netlink(SOCK_DIAG).ask(BY_FAMILY, DUMP, other(17))
    family, kind, number, found = struct.unpack_from("=BBHI", one[4])
    eq((family, kind, number, found), (17, 3, 3, inode(s)))
    eq(struct.unpack_from("=I", attributes(one[4][16:])[0])[0], 1)
    fails(EOPNOTSUPP, Netlink(SOCK_DIAG).ask, BY_FAMILY, 0, other(17))
    fails(EINVAL, Netlink(SOCK_DIAG).ask, BY_FAMILY, DUMP, other(17, 1))


@test
def netlink_sockets_are_listed():
    own_network()
    n = Netlink(0, 0x11)
    found = {}
    for one in Netlink(SOCK_DIAG).ask(BY_FAMILY, DUMP, other(16, 0)):
        found[struct.unpack_from("=I", one[4], 4)[0]] = one[4][:4], attributes(one[4][28:])
    head, more = found[n.s.getsockname()[0]]
    eq((head[0], head[2], more[1][:4]), (16, 0, struct.pack("=I", 0x11)))
    eq(Netlink(SOCK_DIAG).ask(BY_FAMILY, DUMP, other(16, 99)), [])


@cases([("a short request", request(2, TCP)[:20], EINVAL), ("a family alone", b"\2", EINVAL), ("family 0", request(0, TCP), ENOENT),
        ("family 40", request(40, TCP), ENOENT), ("family 99", request(99, TCP), EINVAL)], shared=True)
def a_list_is_refused_for(body, code):
    fails(code, Netlink(SOCK_DIAG).ask, BY_FAMILY, DUMP, body)


@cases([("18", 18), ("19", 19), ("99", 99)], shared=True)
def an_unknown_message_is_refused(kind):
    fails(EINVAL, Netlink(SOCK_DIAG).ask, kind, DUMP, request(2, TCP))


run()
