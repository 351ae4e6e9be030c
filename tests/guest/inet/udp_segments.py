"""UDP (udp(7)): datagrams put together (UDP_CORK, MSG_MORE), cut (UDP_SEGMENT) and joined
(UDP_GRO), ports shared by several.
"""

import socket
import struct
from errno import *
from lib.guest import *

UDP, CORK, SEGMENT, GRO = 17, 1, 103, 104


def pair(family=socket.AF_INET):
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    receiver.bind((host, 0))
    receiver.settimeout(5)
    sender = socket.socket(family, socket.SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    return receiver, sender


def waiting(s):
    found = []
    s.setblocking(False)
    try:
        while True:
            found.append(s.recv(65536))
    except BlockingIOError:
        return found


@cases([("four", socket.AF_INET), ("six", socket.AF_INET6)])
def a_send_is_cut_into_segments(family):
    receiver, sender = pair(family)
    sender.setsockopt(UDP, SEGMENT, 4)
    eq(sender.getsockopt(UDP, SEGMENT), 4)
    eq(sender.send(b"aaaabbbbcc"), 10)
    eq(waiting(receiver), [b"aaaa", b"bbbb", b"cc"])
    eq(sender.send(b"xyz"), 3)
    eq(waiting(receiver), [b"xyz"])


@test
def a_message_chooses_its_segments():
    receiver, sender = pair()
    eq(sender.sendmsg([b"aabbc"], [(UDP, SEGMENT, struct.pack("=H", 2))]), 5)
    eq(waiting(receiver), [b"aa", b"bb", b"c"])
    sender.setsockopt(UDP, SEGMENT, 2)
    eq(sender.sendmsg([b"aabbc"], [(UDP, SEGMENT, struct.pack("=H", 0))]), 5)
    eq(waiting(receiver), [b"aabbc"])
    fails(EINVAL, sender.sendmsg, [b"aabbc"], [(UDP, SEGMENT, struct.pack("=I", 2))])
    fails(EINVAL, sender.sendmsg, [b"aabbc"], [(UDP, 99, struct.pack("=H", 2))])


@test
def segments_are_bounded():
    receiver, sender = pair()
    sender.setsockopt(UDP, SEGMENT, 1)
    eq(sender.send(bytes(128)), 128)
    eq(len(waiting(receiver)), 128)
    fails(EINVAL, sender.send, bytes(200))


@test
def segments_can_be_joined_again():
    receiver, sender = pair()
    receiver.setsockopt(UDP, GRO, 1)
    sender.setsockopt(UDP, SEGMENT, 4)
    sender.send(b"aaaabbbbcc")
    eq(receiver.recvmsg(100, 100)[:2], (b"aaaabbbbcc", [(UDP, GRO, struct.pack("=i", 4))]))
    sender.send(b"abc")
    eq(receiver.recvmsg(100, 100)[:2], (b"abc", []))


@test
def udp_cork_holds_data():
    receiver, sender = pair()
    sender.setsockopt(UDP, CORK, 1)
    eq((sender.getsockopt(UDP, CORK), sender.send(b"one"), sender.send(b"two")), (1, 3, 3))
    eq(waiting(receiver), [])
    sender.setsockopt(UDP, CORK, 0)
    eq(waiting(receiver), [b"onetwo"])
    sender.send(b"three")
    eq(waiting(receiver), [b"three"])


@test
def msg_more_holds_data():
    receiver, sender = pair()
    eq(sender.send(b"one", socket.MSG_MORE), 3)
    eq(sender.send(b"two", socket.MSG_MORE), 3)
    eq(waiting(receiver), [])
    eq(sender.send(b""), 0)
    eq(waiting(receiver), [b"onetwo"])


@test
def joined_data_go_to_the_address_of_the_first_part():
    receiver, _ = pair()
    other, _ = pair()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"one", socket.MSG_MORE, receiver.getsockname())
    sender.sendto(b"two", other.getsockname())
    eq((waiting(receiver), waiting(other)), ([b"onetwo"], []))


@test
def too_much_data_is_not_joined():
    receiver, sender = pair()
    eq(sender.send(bytes(60000), socket.MSG_MORE), 60000)
    fails(EMSGSIZE, sender.send, bytes(10000), socket.MSG_MORE)


@cases([("%d is %d" % (name, value), name, value, code) for name, value, code in (
    (CORK, 300, 0), (101, 1, 0), (102, 1, 0), (SEGMENT, -1, EINVAL), (SEGMENT, 65536, EINVAL), (SEGMENT, 65535, 0), (GRO, 1, 0), (99, 1, ENOPROTOOPT))],
    shared=True)
def option(name, value, code):
    _, s = pair()
    if code:
        fails(code, s.setsockopt, UDP, name, value)
    else:
        s.setsockopt(UDP, name, value)
        eq(s.getsockopt(UDP, name), value if name == SEGMENT else 1)
    fails(EINVAL, s.setsockopt, UDP, name, b"\1")


def shared(count):
    found = []
    for i in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", found[0].getsockname()[1] if found else 0))
        found.append(s)
    return found


@test
def a_shared_port_spreads_senders():
    group = shared(4)
    for _ in range(64):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", group[0].getsockname())
    counts = [len(waiting(s)) for s in group]
    eq(sum(counts), 64)
    ok(sum(1 for n in counts if n) >= 2, "datagrams at %r" % counts)


@test
def one_sender_always_reaches_the_same_socket():
    group = shared(4)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(16):
        sender.sendto(b"x", group[0].getsockname())
    eq(sorted(len(waiting(s)) for s in group), [0, 0, 0, 16])


run()
