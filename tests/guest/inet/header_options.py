"""Options in IPv4 headers (ip(7), IP_OPTIONS): options that can be set, and that receivers get."""

import socket
import struct
from errno import EINVAL

from lib.guest import *

IP_OPTIONS, IP_RECVOPTS, IP_RETOPTS, OTHER = 4, 6, 7, 253
ALERT = b"\x94\4\0\0"
NOBODY = 65534


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(10)
    return s


@cases([
    ("nothing", b"", b""),
    ("one byte", b"\1", b"\1\0\0\0"),
    ("five bytes", b"\1" * 5, b"\1" * 5 + b"\0" * 3),
    ("the most", b"\1" * 40, b"\1" * 40),
    ("too many", b"\1" * 41, None),
    ("behind the end", b"\1\0\7\7", b"\1\0\0\0"),
    ("router alert", ALERT, ALERT),
    ("short router alert", b"\x94\3\0", None),
    ("no length", b"\x94", None),
    ("a length of one", b"\x94\1\0\0", None),
    ("longer than all", b"\x94\5\0\0", None),
], shared=True)
def set_and_shown(given, shown):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, ALERT)
        if shown is None:
            fails(EINVAL, s.setsockopt, socket.IPPROTO_IP, IP_OPTIONS, given)
            shown_now = ALERT
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, given)
            shown_now = shown
        eq(s.getsockopt(socket.IPPROTO_IP, IP_OPTIONS, 64), shown_now)
        eq(s.getsockopt(socket.IPPROTO_IP, IP_OPTIONS, 2), shown_now[:2], "the first two bytes")


@test
def unknown_options_need_a_capability():
    need_root()
    s = udp()
    s.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, b"\x55\4\0\0")
    eq(s.getsockopt(socket.IPPROTO_IP, IP_OPTIONS, 64), b"\x55\4\0\0")

    def unprivileged():
        os.setresuid(NOBODY, NOBODY, NOBODY)
        fails(EINVAL, s.setsockopt, socket.IPPROTO_IP, IP_OPTIONS, b"\x55\4\0\0")
        s.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, ALERT)
    child_ok(unprivileged)


def options_received(receiver):
    data, control, _, _ = receiver.recvmsg(100, 200)
    return data, [(kind, value) for level, kind, value in control if level == socket.IPPROTO_IP]


@test
def received_options_are_in_control_messages():
    receiver, sender = udp(), udp()
    receiver.bind(("127.0.0.1", 0))
    sender.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, ALERT)
    sender.sendto(b"unasked", receiver.getsockname())
    eq(options_received(receiver), (b"unasked", []))
    receiver.setsockopt(socket.IPPROTO_IP, IP_RECVOPTS, 1)
    sender.sendto(b"asked", receiver.getsockname())
    eq(options_received(receiver), (b"asked", [(IP_RECVOPTS, ALERT)]))
    receiver.setsockopt(socket.IPPROTO_IP, IP_RETOPTS, 1)
    sender.sendto(b"both", receiver.getsockname())
    eq(options_received(receiver), (b"both", [(IP_RECVOPTS, ALERT), (IP_RETOPTS, b"")]))
    sender.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, b"")
    sender.sendto(b"none", receiver.getsockname())
    eq(options_received(receiver), (b"none", []))


@test
def raw_sockets_see_options_in_the_header():
    need_root()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_RAW, OTHER)
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, OTHER)
    receiver.settimeout(10)
    receiver.setsockopt(socket.IPPROTO_IP, IP_RECVOPTS, 1)
    sender.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, b"\1\1\1")
    sender.sendto(b"text", ("127.0.0.1", 0))
    packet, control = options_received(receiver)
    eq((packet[0], packet[20:], struct.unpack(">H", packet[2:4])[0]), (0x46, b"\1\1\1\0text", 28))
    eq(control, [(IP_RECVOPTS, b"\1\1\1\0")])


@test
def accepted_connections_have_no_options():
    server, client = socket.socket(), socket.socket()
    server.bind(("127.0.0.1", 0))
    server.setsockopt(socket.IPPROTO_IP, IP_OPTIONS, ALERT)
    server.listen()
    client.connect(server.getsockname())
    accepted = server.accept()[0]
    eq(accepted.getsockopt(socket.IPPROTO_IP, IP_OPTIONS, 64), b"")


run()
