"""Packets on the loopback: time to live, type of service and hop limit, as options and control
messages.
"""

import socket as S
import struct
from errno import *
from lib.guest import *

V4, V6 = ("127.0.0.1", 0), ("::1", 0)
TTL, TOS = (S.IPPROTO_IP, S.IP_TTL), (S.IPPROTO_IP, S.IP_TOS)
HOPS, CLASS = (S.IPPROTO_IPV6, S.IPV6_HOPLIMIT), (S.IPPROTO_IPV6, S.IPV6_TCLASS)
IP_RECVTTL = 12


def number(n):
    return struct.pack("i", n)


def pair(family, *options, name=None):
    receiver = S.socket(family, S.SOCK_DGRAM)
    receiver.settimeout(5)
    receiver.bind(name or (V4 if family == S.AF_INET else V6))
    for level, option in options:
        receiver.setsockopt(level, option, 1)
    sender = S.socket(family, S.SOCK_DGRAM)
    return receiver, sender, receiver.getsockname()


def v4_pair():
    return pair(S.AF_INET, (S.IPPROTO_IP, IP_RECVTTL), (S.IPPROTO_IP, S.IP_RECVTOS))


def v6_pair():
    return pair(S.AF_INET6, (S.IPPROTO_IPV6, S.IPV6_RECVHOPLIMIT),
                (S.IPPROTO_IPV6, S.IPV6_RECVTCLASS))


def received(receiver):
    data, controls, flags, _ = receiver.recvmsg(100, 200)
    return {(level, kind): int.from_bytes(value, "little") for level, kind, value in controls}


@test
def a_packet_carries_the_senders_options():
    receiver, sender, to = v4_pair()
    sender.sendto(b"x", to)
    eq(received(receiver), {TTL: 64, TOS: 0})
    sender.setsockopt(*TTL, 7)
    sender.setsockopt(*TOS, 0x10)
    sender.sendto(b"x", to)
    eq(received(receiver), {TTL: 7, TOS: 0x10})
    receiver, sender, to = v6_pair()
    sender.sendto(b"x", to)
    eq(received(receiver), {HOPS: 64, CLASS: 0})
    sender.setsockopt(S.IPPROTO_IPV6, S.IPV6_UNICAST_HOPS, 9)
    sender.setsockopt(*CLASS, 0x20)
    sender.sendto(b"x", to)
    eq(received(receiver), {HOPS: 9, CLASS: 0x20})
    sender.setsockopt(*CLASS, -1)
    eq(sender.getsockopt(*CLASS), 0)


@test
def a_control_message_applies_to_its_packet_only():
    receiver, sender, to = v4_pair()
    sender.setsockopt(*TTL, 7)
    sender.sendmsg([b"x"], [(*TTL, number(3)), (*TOS, number(0x20))], 0, to)
    eq(received(receiver), {TTL: 3, TOS: 0x20})
    sender.sendmsg([b"x"], [(*TOS, b"\x28")], 0, to)
    eq(received(receiver), {TTL: 7, TOS: 0x28})
    sender.sendto(b"x", to)
    eq(received(receiver), {TTL: 7, TOS: 0})
    receiver, sender, to = v6_pair()
    sender.setsockopt(S.IPPROTO_IPV6, S.IPV6_UNICAST_HOPS, 9)
    sender.sendmsg([b"x"], [(*HOPS, number(2)), (*CLASS, number(0x30))], 0, to)
    eq(received(receiver), {HOPS: 2, CLASS: 0x30})
    sender.sendmsg([b"x"], [(*HOPS, number(-1))], 0, to)
    eq(received(receiver), {HOPS: 9, CLASS: 0})
    sender.sendmsg([b"x"], [(*HOPS, number(0)), (*CLASS, number(255))], 0, to)
    eq(received(receiver), {HOPS: 0, CLASS: 255})


@test
def values_out_of_range_are_refused():
    receiver, sender, to = v4_pair()
    for level, kind, data in ((*TTL, number(0)), (*TTL, number(256)), (*TTL, number(-1)),
                              (*TTL, b"\x01"), (*TOS, number(-1)), (*TOS, number(256)),
                              (*TOS, b"\1\2"), (S.IPPROTO_IP, 99, number(1))):
        fails(EINVAL, sender.sendmsg, [b"x"], [(level, kind, data)], 0, to)
    receiver, sender, to = v6_pair()
    for level, kind, data in ((*HOPS, number(-2)), (*HOPS, number(256)), (*HOPS, b"\x01"),
                              (*CLASS, number(-2)), (*CLASS, number(256)), (*CLASS, b"\x01"),
                              (S.IPPROTO_IPV6, 99, number(1))):
        fails(EINVAL, sender.sendmsg, [b"x"], [(level, kind, data)], 0, to)


@test
def messages_of_other_levels_are_passed_over():
    receiver, sender, to = v4_pair()
    sender.sendmsg([b"x"], [(*HOPS, number(2)), (S.IPPROTO_TCP, 1, b"")], 0, to)
    eq(received(receiver), {TTL: 64, TOS: 0})
    receiver, sender, to = v6_pair()
    sender.sendmsg([b"x"], [(*TTL, number(2)), (S.IPPROTO_TCP, 1, b"")], 0, to)
    eq(received(receiver), {HOPS: 64, CLASS: 0})


@test
def v4_packets_of_v6_sockets():
    receiver, sender, to = pair(S.AF_INET6, (S.IPPROTO_IPV6, S.IPV6_RECVHOPLIMIT),
                                (S.IPPROTO_IP, IP_RECVTTL), (S.IPPROTO_IP, S.IP_RECVTOS),
                                name=("::ffff:127.0.0.1", 0))
    sender.setsockopt(*TTL, 5)
    sender.setsockopt(S.IPPROTO_IPV6, S.IPV6_UNICAST_HOPS, 9)
    sender.sendto(b"x", to)
    eq(received(receiver), {TTL: 5, TOS: 0})
    sender.sendmsg([b"x"], [(*TTL, number(3)), (*HOPS, number(2))], 0, to)
    eq(received(receiver), {TTL: 3, TOS: 0})


run()
