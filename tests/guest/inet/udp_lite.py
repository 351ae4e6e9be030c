"""UDP-Lite: its own ports, and coverage of the checksum (RFC 3828)."""

import socket as S
from errno import *
from lib.guest import *

SEND_CSCOV, RECV_CSCOV = 10, 11


def lite(family=S.AF_INET):
    try:
        return S.socket(family, S.SOCK_DGRAM, S.IPPROTO_UDPLITE)
    except OSError:
        skip("this kernel has no UDP-Lite")


@test
def ports_of_udp_lite_are_not_those_of_udp():
    udp, receiver, sender = S.socket(S.AF_INET, S.SOCK_DGRAM), lite(), lite()
    udp.bind(("127.0.0.1", 0))
    receiver.bind(udp.getsockname())
    eq(receiver.getsockopt(S.SOL_SOCKET, S.SO_PROTOCOL), S.IPPROTO_UDPLITE)
    sender.sendto(b"lite", receiver.getsockname())
    receiver.settimeout(5)
    eq(receiver.recv(100), b"lite")
    fails(EAGAIN, udp.recv, 100, S.MSG_DONTWAIT)
    fails(EADDRINUSE, lite().bind, udp.getsockname())
    sender.connect(receiver.getsockname())
    receiver.close()
    sender.send(b"unread")
    fails(ECONNREFUSED, sender.send, b"there")


@test
def coverage_options():
    s = lite()
    for name in (SEND_CSCOV, RECV_CSCOV):
        eq(s.getsockopt(S.IPPROTO_UDPLITE, name), 0)
        for given, kept in ((1, 8), (8, 8), (20, 20), (70000, 65535), (-1, 8), (0, 0)):
            s.setsockopt(S.IPPROTO_UDPLITE, name, given)
            eq(s.getsockopt(S.IPPROTO_UDPLITE, name), kept)
        fails(EINVAL, s.setsockopt, S.IPPROTO_UDPLITE, name, b"x")
    fails(ENOPROTOOPT, s.setsockopt, S.IPPROTO_UDPLITE, 77, 1)
    udp = S.socket(S.AF_INET, S.SOCK_DGRAM)
    fails(ENOPROTOOPT, udp.setsockopt, S.IPPROTO_UDPLITE, SEND_CSCOV, 8)


@test
def a_datagram_with_too_little_coverage_is_dropped():
    receiver, sender = lite(S.AF_INET6), lite(S.AF_INET6)
    receiver.bind(("::1", 0))
    to = receiver.getsockname()

    def arrives(sent, least):
        sender.setsockopt(S.IPPROTO_UDPLITE, SEND_CSCOV, sent)
        receiver.setsockopt(S.IPPROTO_UDPLITE, RECV_CSCOV, least)
        sender.sendto(b"0123456789", to)
        try:
            return receiver.recv(100, S.MSG_DONTWAIT) == b"0123456789"
        except BlockingIOError:
            return False
    sender.setsockopt(S.IPPROTO_UDPLITE, SEND_CSCOV, 8)
    sender.sendto(b"0123456789", to)
    eq(receiver.recv(100, S.MSG_DONTWAIT), b"0123456789")
    eq([arrives(*c) for c in ((0, 0), (12, 12), (12, 8), (8, 12), (12, 0), (18, 0), (18, 20),
                              (20, 19), (0, 30))],
       [True, True, True, False, False, True, True, True, True])


run()
