"""Raw sockets on the loopback interface: protocols, headers by the sender, checksums, and datagrams
made by hand.
"""

import errno
import socket
import struct
from lib.guest import *
from lib.packets import checksum

UDP, RAW, OTHER = socket.IPPROTO_UDP, socket.IPPROTO_RAW, 253
IP_HDRINCL, IPV6_CHECKSUM, IPV6_HDRINCL = 3, 7, 36
HOME = b"\x7f\0\0\1"


def raw(protocol, family=socket.AF_INET):
    if os.geteuid() != 0:
        skip("needs root")
    s = socket.socket(family, socket.SOCK_RAW, protocol)
    s.settimeout(10)
    return s


def fails(code, fn, *args):
    try:
        fn(*args)
    except OSError as e:
        eq(errno.errorcode[e.errno], errno.errorcode[code])
    else:
        raise AssertionError("expected " + errno.errorcode[code])


def datagram(source, target, data, seal=False):
    head = struct.pack("!HHHH", source, target, 8 + len(data), 0)
    if not seal:
        return head + data
    pseudo = HOME + HOME + struct.pack("!BBH", 0, 17, 8 + len(data))
    return head[:6] + struct.pack("!H", checksum(pseudo + head + data)) + data


def packet(protocol, payload, source=HOME, target=HOME, ttl=33, length=None, first=0x45):
    total = 20 + len(payload) if length is None else length
    return struct.pack("!BBHHHBBH4s4s", first, 0x10, total, 7, 0, ttl, protocol, 0, source, target) + payload


def port():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    s.settimeout(10)
    return s, s.getsockname()[1]


@test
def a_raw_socket_receives_packets_of_its_protocol():
    with raw(OTHER) as a, raw(OTHER) as b, raw(252) as c:
        eq(a.sendto(b"hello", ("127.0.0.1", 0)), 5)
        for s in a, b:
            got, peer = s.recvfrom(100)
            eq(peer, ("127.0.0.1", 0))
            eq((got[0], got[9], got[12:20], got[20:]), (0x45, OTHER, HOME + HOME, b"hello"))
            eq(struct.unpack("!H", got[2:4])[0], 25)
            eq(checksum(got[:20]), 0)
        c.setblocking(False)
        fails(errno.EAGAIN, c.recv, 100)
        a.sendto(b"", ("127.0.0.1", 0))
        eq(len(b.recv(100)), 20, "nothing but a header")


@test
def the_protocol_takes_the_place_of_a_port():
    with raw(OTHER) as s, raw(OTHER, socket.AF_INET6) as six:
        eq(s.getsockname(), ("0.0.0.0", OTHER))
        s.bind(("127.0.0.1", 7))
        s.connect(("127.0.0.1", 9))
        eq((s.getsockname(), s.getpeername()), (("127.0.0.1", OTHER), ("127.0.0.1", 9)))
        six.bind(("::1", 7))
        eq(six.getsockname()[:2], ("::1", OTHER))


@test
def addresses_choose_the_packets_that_are_received():
    with raw(OTHER) as a, raw(OTHER) as b, raw(OTHER) as c:
        b.bind(("127.0.0.2", 0))
        c.connect(("127.0.0.2", 0))
        a.sendto(b"x", ("127.0.0.2", 0))
        eq(b.recv(100)[20:], b"x")
        b.sendto(b"y", ("127.0.0.1", 0))
        eq(c.recv(100)[20:], b"y")
        eq(a.recv(100)[12:20], HOME + b"\x7f\0\0\2")
        eq(a.recv(100)[12:20], b"\x7f\0\0\2" + HOME)
        fails(errno.EADDRNOTAVAIL, a.bind, ("10.99.99.99", 0))


@test
def ttl_and_tos_are_in_the_header():
    with raw(OTHER) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 9)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
        s.sendto(b"x", ("127.0.0.1", 0))
        got = s.recv(100)
        eq((got[1], got[8]), (0x28, 9))


@test
def ip_hdrincl_sends_headers_of_the_caller():
    with raw(OTHER) as s:
        eq(s.getsockopt(socket.IPPROTO_IP, IP_HDRINCL), 0)
        s.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
        eq(s.getsockopt(socket.IPPROTO_IP, IP_HDRINCL), 1)
        eq(s.sendto(packet(OTHER, b"own", b"\x7f\0\0\7", HOME, 77, 9999), ("127.0.0.1", 0)), 23)
        got, peer = s.recvfrom(100)
        eq(peer, ("127.0.0.7", 0))
        eq((got[8], got[1], got[20:]), (77, 0x10, b"own"))
        eq(struct.unpack("!H", got[2:4])[0], 23, "the length is put in")
        eq(checksum(got[:20]), 0)
        s.sendto(packet(OTHER, b"zero", bytes(4)), ("127.0.0.1", 0))
        eq(s.recv(100)[12:16], HOME, "a source is put in")
        fails(errno.EINVAL, s.sendto, b"short", ("127.0.0.1", 0))
        fails(errno.EINVAL, s.sendto, packet(OTHER, b"", first=0x4F), ("127.0.0.1", 0))
        s.sendto(packet(OTHER, b"bad", first=0x65), ("127.0.0.1", 0))
        s.sendto(packet(OTHER, b"good"), ("127.0.0.1", 0))
        eq(s.recv(100)[20:], b"good", "what is no IPv4 is dropped")


@test
def ipproto_raw_always_has_headers():
    with raw(RAW) as s, raw(OTHER) as other:
        eq(s.getsockopt(socket.IPPROTO_IP, IP_HDRINCL), 1)
        s.sendto(packet(OTHER, b"data"), ("127.0.0.1", 0))
        eq(other.recv(100)[20:], b"data")


@test
def a_datagram_built_by_hand_arrives():
    receiver, number = port()
    with raw(UDP) as s, raw(RAW) as whole:
        s.sendto(datagram(1234, number, b"one"), ("127.0.0.1", 0))
        eq(receiver.recvfrom(100), (b"one", ("127.0.0.1", 1234)))
        s.sendto(datagram(1235, number, b"two!", True), ("127.0.0.1", 0))
        eq(receiver.recvfrom(100), (b"two!", ("127.0.0.1", 1235)))
        bad = bytearray(datagram(1236, number, b"bad", True))
        bad[-1] ^= 1
        s.sendto(bytes(bad), ("127.0.0.1", 0))
        s.sendto(datagram(1, number, b"cut")[:9], ("127.0.0.1", 0))
        whole.sendto(packet(UDP, datagram(1237, number, b"three")), ("127.0.0.1", 0))
        eq(receiver.recvfrom(100), (b"three", ("127.0.0.1", 1237)), "damaged ones are dropped")


@test
def a_raw_socket_receives_datagrams_of_other_sockets():
    sender, number = port()
    receiver, to = port()
    with raw(UDP) as s:
        sender.sendto(b"data", ("127.0.0.1", to))
        while True:
            got = s.recv(1000)
            if struct.unpack("!HH", got[20:24]) == (number, to):
                break
        eq((struct.unpack("!H", got[24:26])[0], got[28:]), (12, b"data"))
        eq(receiver.recv(100), b"data")


@test
def ipv6_and_its_checksum():
    with raw(OTHER, socket.AF_INET6) as s:
        eq(s.getsockopt(255, IPV6_CHECKSUM), -1)
        s.sendto(b"plain", ("::1", 0))
        eq(s.recv(100), b"plain", "no header in front")
        s.setsockopt(255, IPV6_CHECKSUM, 2)
        s.sendto(b"abXXcd", ("::1", 0))
        got = s.recv(100)
        one = bytes(15) + b"\1"
        eq(checksum(one + one + struct.pack("!II", 6, OTHER) + got), 0)
        fails(errno.EINVAL, s.sendto, b"ab", ("::1", 0))
        fails(errno.EINVAL, s.setsockopt, 255, IPV6_CHECKSUM, 3)
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, -1)
        eq(s.getsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM), -1)
        s.sendto(b"ab", ("::1", 0))
        eq(s.recv(100), b"ab")


@test
def ipv6_hdrincl_sends_headers_of_the_caller():
    one = bytes(15) + b"\1"
    with raw(RAW, socket.AF_INET6) as s, raw(OTHER, socket.AF_INET6) as other:
        eq(s.getsockopt(socket.IPPROTO_IPV6, IPV6_HDRINCL), 1)
        s.sendto(struct.pack("!IHBB", 0x60000000, 4, OTHER, 5) + one + one + b"six!", ("::1", 0))
        eq(other.recv(100), b"six!")
        fails(errno.EINVAL, s.sendto, b"short", ("::1", 0))


@test
def sizes():
    with raw(OTHER) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        fails(errno.EMSGSIZE, s.sendto, bytes(65516), ("127.0.0.1", 0))
        s.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
        fails(errno.EMSGSIZE, s.sendto, packet(OTHER, bytes(65516), length=0), ("127.0.0.1", 0))


run()
