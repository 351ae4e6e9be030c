"""Segments of TCP made by hand, and the answers of listeners and empty ports."""

import socket
import struct
from lib.guest import *
from lib.packets import checksum

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
HOME4, HOME6 = b"\x7f\0\0\1", bytes(15) + b"\1"
OWN = 5555


class Prober:
    """A raw socket that sends segments and receives the answers."""

    def __init__(self, family=socket.AF_INET):
        if os.geteuid() != 0:
            skip("needs root")
        self.home, self.name = (HOME4, "127.0.0.1") if family == socket.AF_INET else (HOME6, "::1")
        self.s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.s.bind((self.name, 0))
        self.family = family

    def segment(self, port, sequence, acknowledged, flags, data=b"", damage=0):
        head = struct.pack("!HHIIBBHHH", OWN, port, sequence, acknowledged, 5 << 4, flags, 8192, 0, 0)
        length = len(head) + len(data)
        pseudo = self.home * 2 + struct.pack("!II" if self.family == socket.AF_INET6 else "!HH", 6, length)
        total = checksum(pseudo + head + data) ^ damage
        return head[:16] + struct.pack("!H", total) + head[18:] + data

    def send(self, *args, **named):
        """
        Sends a segment. Returns the segments after it: ports, sequence, acknowledgement, flags,
        window, options.
        """
        sent = self.segment(*args, **named)
        self.s.sendto(sent, (self.name, 0))
        replies = []
        self.s.settimeout(0.2)
        while True:
            try:
                got = self.s.recv(9999)
            except TimeoutError:
                break
            replies.append(got[(got[0] & 15) * 4:] if self.family == socket.AF_INET else got)
        eq(replies.pop(0), sent)
        for one in replies:
            # The card computes the checksum of a SYN-ACK, and of all segments of IPv6.
            if self.family == socket.AF_INET and one[13] & SYN == 0:
                eq(checksum(self.home * 2 + struct.pack("!HH", 6, len(one)) + one), 0, "a good sum")
        return [(*struct.unpack("!HHII", one[:12]), one[13], struct.unpack("!H", one[14:16])[0], one[20:]) for one in replies]


def listener(family=socket.AF_INET):
    s = socket.socket(family)
    s.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    s.listen()
    return s, s.getsockname()[1]


@cases([("four", socket.AF_INET, 65495), ("six", socket.AF_INET6, 65476)])
def a_listener_answers_a_syn_with_a_syn_ack(family, most):
    p, (s, port) = Prober(family), listener(family)
    first, second = p.send(port, 1000, 0, SYN)
    sequence = first[2]
    eq(first, (port, OWN, sequence, 1001, SYN | ACK, most, struct.pack("!BBH", 2, 4, most)))
    eq(second, (OWN, port, 1001, 0, RST, 0, b""), "no socket has the port")
    s.setblocking(False)
    try:
        s.accept()
    except BlockingIOError:
        pass
    else:
        raise AssertionError("no connection came of it")


@test
def a_listener_refuses_other_segments():
    p, (s, port) = Prober(), listener()
    eq(p.send(port, 1000, 77, ACK), [(port, OWN, 77, 0, RST, 0, b"")])
    eq(p.send(port, 1000, 77, SYN | ACK), [(port, OWN, 77, 0, RST, 0, b"")])
    eq([p.send(port, 1000, 0, flags) for flags in (0, RST, FIN, FIN | PSH | URG, SYN | FIN)], [[]] * 5)


@cases([("syn", SYN, b"", 1), ("fin", FIN, b"", 1), ("nothing", 0, b"", 0), ("data", PSH, b"abc", 3), ("syn_fin", SYN | FIN, b"", 2)])
def an_unused_port_answers_with_a_reset(flags, data, more):
    eq(Prober().send(1, 1000, 77, flags, data), [(1, OWN, 0, 1000 + more, RST | ACK, 0, b"")])


@test
def an_unused_port_answers_an_acknowledgement_with_a_reset():
    p = Prober()
    for flags in (ACK, ACK | PSH, SYN | ACK, FIN | ACK):
        eq(p.send(1, 1000, 77, flags), [(1, OWN, 77, 0, RST, 0, b"")])


@test
def segments_that_are_not_answered():
    p = Prober()
    eq((p.send(1, 1000, 77, RST), p.send(1, 1000, 77, RST | ACK), p.send(1, 1000, 0, SYN, damage=0x1111)), ([], [], []))
    p.s.sendto(b"short", ("127.0.0.1", 0))
    eq(p.s.recv(99)[20:], b"short")
    p.s.settimeout(0.1)
    try:
        p.s.recv(99)
    except TimeoutError:
        pass
    else:
        raise AssertionError("an answer")


run()
