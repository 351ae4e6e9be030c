"""ICMP on the loopback interface: raw and ping sockets, filters, and the rights they need."""

import errno
import os
import socket
import struct

from lib.guest import child_ok, eq, fails, need_root, run, test
from lib.packets import checksum

ICMP_FILTER = 1
ECHO, REPLY, UNREACHABLE = 8, 0, 3


def request(ident, data, kind=ECHO):
    head = struct.pack("!BBHHH", kind, 0, 0, ident, 1)
    return struct.pack("!BBHHH", kind, 0, checksum(head + data), ident, 1) + data


def raw(family=socket.AF_INET, protocol=socket.IPPROTO_ICMP):
    need_root()
    s = socket.socket(family, socket.SOCK_RAW, protocol)
    s.settimeout(10)
    return s


@test
def a_raw_socket_receives_requests_and_replies():
    with raw() as s:
        s.sendto(request(0x1234, b"data"), ("127.0.0.1", 0))
        seen = {}
        while REPLY not in seen:
            packet, source = s.recvfrom(1000)
            if packet[24:26] == b"\x12\x34":
                seen[packet[20]] = (packet, source)
        packet, source = seen[REPLY]
        eq(source, ("127.0.0.1", 0))
        eq((packet[0], packet[8], packet[9]), (0x45, 64, 1))
        eq(struct.unpack("!H", packet[2:4])[0], 32)
        eq((packet[12:16], packet[16:20]), (b"\x7f\0\0\1", b"\x7f\0\0\1"))
        eq(checksum(packet[:20]), 0)
        eq((checksum(packet[20:]), packet[28:]), (0, b"data"))
        eq(seen[ECHO][0][20:], request(0x1234, b"data"))


@test
def a_request_with_a_code_is_answered_with_it():
    with raw() as s:
        body = struct.pack("!HH", 0x1235, 1) + b"data"
        s.sendto(struct.pack("!BBH", ECHO, 9, checksum(bytes((ECHO, 9, 0, 0)) + body)) + body,
                 ("127.0.0.1", 0))
        while True:
            packet, _ = s.recvfrom(1000)
            if packet[20] == REPLY and packet[24:26] == b"\x12\x35":
                break
        eq((packet[21], packet[28:]), (9, b"data"))


@test
def an_unused_protocol_is_answered_as_unreachable():
    with raw() as receiver, raw(protocol=200) as sends:
        sends.bind(("127.0.0.1", 0))
        sends.connect(("127.0.0.2", 0))
        for data, error in (b"7 bytes", 0), (b"8 bytes.", errno.ENOPROTOOPT):
            sends.send(data)
            while True:
                packet, (source, _) = receiver.recvfrom(1000)
                if packet[20] == UNREACHABLE and packet[37] == 200:
                    break
            eq((source, packet[21], packet[48:]), ("127.0.0.2", 2, data))
            eq(sends.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), error)


@test
def a_filter_keeps_types_out():
    with raw() as s:
        s.setsockopt(255, ICMP_FILTER, struct.pack("I", ~(1 << REPLY) & 0xFFFFFFFF))
        eq(struct.unpack("I", s.getsockopt(255, ICMP_FILTER, 4))[0], 0xFFFFFFFE)
        s.sendto(request(0x4321, b"data"), ("127.0.0.1", 0))
        packet, _ = s.recvfrom(1000)
        eq((packet[20], packet[24:26]), (REPLY, b"\x43\x21"))


@test
def ipv6_has_no_header_in_front():
    with raw(socket.AF_INET6, socket.IPPROTO_ICMPV6) as s:
        s.sendto(struct.pack("!BBHHH", 128, 0, 0, 0x7777, 9) + b"six", ("::1", 0))
        while True:
            packet, source = s.recvfrom(1000)
            if packet[0] == 129 and packet[4:6] == b"\x77\x77":
                break
        eq((packet[6:], source[0]), (b"\0\x09six", "::1"))


@test
def a_connected_socket_sends_without_an_address():
    with raw() as s:
        fails(errno.EDESTADDRREQ, s.send, request(1, b""))
        s.connect(("127.0.0.1", 0))
        eq(s.send(request(0x2222, b"data")), 12)
        fails(errno.ENOTCONN, s.getpeername)


@test
def raw_icmp_sockets_need_a_capability():
    def as_user():
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        fails(errno.EPERM, socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)

    need_root()
    child_ok(as_user)
    fails(errno.EPROTONOSUPPORT, socket.socket, socket.AF_INET, socket.SOCK_RAW, 0)


@test
def ping_sockets_are_for_groups():
    with open("/proc/sys/net/ipv4/ping_group_range") as f:
        low, high = map(int, f.read().split())
    if low <= os.getegid() <= high:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as s:
            fails(errno.EINVAL, s.sendto, b"short", ("127.0.0.1", 0))
            s.sendto(request(0, b"data"), ("127.0.0.1", 0))
            packet, source = s.recvfrom(100)
            eq((packet[0], packet[8:], source), (REPLY, b"data", ("127.0.0.1", 0)))
    else:
        fails(errno.EACCES, socket.socket, socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)


run()
