"""The queue of errors (IP_RECVERR, MSG_ERRQUEUE) and SO_TIMESTAMPING, over the loopback."""

import errno
import select
import socket
import struct
import time

from lib.guest import NR, between, cases, eq, fails, gives, need_root, ok, run, sc, test

MSG_ERRQUEUE, POLL_BITS = 0x2000, select.POLLIN | select.POLLPRI | select.POLLOUT
SO_TIMESTAMPING, SO_TIMESTAMPING_NEW, SO_SELECT_ERR_QUEUE = 37, 65, 45
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, OPT_CMSG, TSONLY = 2, 8, 16, 128, 256, 1024, 2048
V4 = (socket.AF_INET, "127.0.0.1", 0, 11)
V6 = (socket.AF_INET6, "::1", 41, 25)
BOTH = [("v4", V4), ("v6", V6)]
UNREACHABLE = {
    V4: struct.pack("IBBBBIIH2x4s8x", 111, 2, 3, 3, 0, 0, 0, 2, b"\x7f\0\0\1"),
    V6: struct.pack("IBBBBIIH6x16s4x", 111, 3, 1, 4, 0, 0, 0, 10, b"\0" * 15 + b"\1"),
}


def closed_port(kind):
    with socket.socket(kind[0], socket.SOCK_DGRAM) as s:
        s.bind((kind[1], 0))
        return s.getsockname()


def sender(kind, connected=False):
    s, to = socket.socket(kind[0], socket.SOCK_DGRAM), closed_port(kind)
    s.setsockopt(kind[2], kind[3], 1)
    if connected:
        s.connect(to)
    return s, to


def take(s, size=4000, control=512, flags=0):
    """
    Returns data, control messages, flags and name of the first error, or the errno name of
    recvmsg(2).
    """
    try:
        return s.recvmsg(size, control, MSG_ERRQUEUE | socket.MSG_DONTWAIT | flags)
    except OSError as e:
        return errno.errorcode[e.errno]


def events(s):
    p = select.poll()
    p.register(s, POLL_BITS)
    found = p.poll(0)
    return found[0][1] if found else 0


def pending(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@cases(BOTH)
def an_unreachable_port_is_queued(kind):
    s, to = sender(kind)
    eq(s.sendto(b"hello", to), 5)
    eq(events(s), select.POLLOUT | select.POLLERR)
    eq(take(s), (b"hello", [(kind[2], kind[3], UNREACHABLE[kind])], MSG_ERRQUEUE, to))
    eq((events(s), take(s), pending(s)), (select.POLLOUT, "EAGAIN", 0))


@cases(BOTH)
def a_connected_socket_queues_errors(kind):
    s, to = sender(kind, True)
    eq(s.send(b"hello"), 5)
    eq(take(s)[3], to)
    eq((pending(s), take(s)), (0, "EAGAIN"))


@cases(BOTH)
def a_queued_error_is_also_the_pending_error(kind):
    s, to = sender(kind)
    s.sendto(b"1", to)
    fails(errno.ECONNREFUSED, s.sendto, b"2", to)
    s.sendto(b"3", to)
    fails(errno.ECONNREFUSED, s.recv, 1, socket.MSG_DONTWAIT)
    fails(errno.EAGAIN, s.recv, 1, socket.MSG_DONTWAIT)
    eq(events(s), select.POLLOUT | select.POLLERR)
    eq(take(s)[0], b"1")
    # The pending error is that of the next entry.
    eq(pending(s), errno.ECONNREFUSED)
    eq((take(s)[0], take(s), pending(s)), (b"3", "EAGAIN", 0))


@cases(BOTH)
def a_queued_error_is_cut_to_the_buffer(kind):
    s, to = sender(kind)
    s.sendto(b"hello", to)
    data, control, flags, _ = take(s, 2)
    eq((data, len(control), flags), (b"he", 1, MSG_ERRQUEUE | socket.MSG_TRUNC))
    s.sendto(b"hello", to)
    eq(take(s, 2, 0)[1:3], ([], MSG_ERRQUEUE | socket.MSG_TRUNC | socket.MSG_CTRUNC))
    s.sendto(b"hello", to)
    eq(take(s, 10, 20)[1:3],
       ([(kind[2], kind[3], UNREACHABLE[kind][:4])], MSG_ERRQUEUE | socket.MSG_CTRUNC))
    s.sendto(b"hello", to)
    eq(take(s, 2, 512, socket.MSG_TRUNC)[0], b"he")
    # A read with MSG_PEEK removes the entry too.
    s.sendto(b"hello", to)
    eq((take(s, 9, 512, socket.MSG_PEEK)[0], take(s)), (b"hello", "EAGAIN"))


@cases(BOTH)
def a_queued_error_quotes_a_bounded_part(kind):
    s, to = sender(kind)
    s.sendto(b"l" * 3000, to)
    eq(len(take(s)[0]), 520 if kind == V4 else 1184)
    s.sendto(b"", to)
    eq((take(s)[0], take(s)), (b"", "EAGAIN"))


@cases(BOTH)
def switching_off_empties_the_queue(kind):
    s, to = sender(kind)
    s.sendto(b"x", to)
    s.setsockopt(kind[2], kind[3], 0)
    eq((take(s), pending(s)), ("EAGAIN", errno.ECONNREFUSED))
    s.sendto(b"x", to)
    eq((take(s), pending(s), events(s)), ("EAGAIN", 0, select.POLLOUT))


@cases(BOTH)
def a_datagram_that_is_too_long_is_queued(kind):
    s, to = sender(kind, True)
    fails(errno.EMSGSIZE, s.send, b"l" * (65508 if kind == V4 else 65528))
    eq(events(s), select.POLLOUT | select.POLLERR)
    data, control, _, name = take(s)
    head = struct.pack("IBBBBII", errno.EMSGSIZE, 1, 0, 0, 0, 65535 if kind == V4 else 65536, 0)
    eq((data, control), (b"", [(kind[2], kind[3], head.ljust(len(UNREACHABLE[kind]), b"\0"))]))
    eq(name[0], kind[1])
    if kind == V4:
        eq(name[1], to[1])
    fails(errno.EMSGSIZE, s.send, b"l" * 66000)
    eq(take(s) if kind == V4 else take(s)[0], "EAGAIN" if kind == V4 else b"")


@cases(BOTH)
def the_queue_is_bounded(kind):
    s, to = sender(kind)
    for _ in range(2000):
        s.sendto(b"x" * 100, to)
        pending(s)
    n = 0
    while take(s) != "EAGAIN":
        n += 1
    between(100, n, 1000)


@cases(BOTH)
def a_queued_error_can_be_selected_as_urgent(kind):
    s, to = sender(kind)
    s.setsockopt(socket.SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1)
    s.sendto(b"x", to)
    eq(events(s), select.POLLOUT | select.POLLERR | select.POLLPRI)
    eq(select.select([], [], [s], 0)[2], [s])


@test
def errors_are_not_queued_without_the_option():
    s, to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), closed_port(V4)
    s.sendto(b"x", to)
    eq((take(s), events(s)), ("EAGAIN", select.POLLOUT))
    s.connect(to)
    s.send(b"x")
    eq((take(s), events(s), pending(s)),
       ("EAGAIN", select.POLLOUT | select.POLLERR, errno.ECONNREFUSED))


@test
def errors_of_mapped_addresses_are_queued():
    s, to = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), ("::ffff:127.0.0.1", closed_port(V4)[1])
    s.setsockopt(41, 26, 0)
    s.setsockopt(41, 25, 1)
    s.sendto(b"x", to)
    eq((take(s), events(s)), ("EAGAIN", select.POLLOUT))
    s.setsockopt(0, 11, 1)
    s.sendto(b"x", to)
    extended = struct.pack("IBBBBIIH6x16s4x", 111, 2, 3, 3, 0, 0, 0, 10, b"\0" * 10 + b"\xff\xff\x7f\0\0\1")
    eq(take(s)[:2], (b"x", [(41, 25, extended)]))


@test
def a_queued_error_comes_with_other_control_messages():
    s, to = sender(V4)
    s.setsockopt(0, 8, 1)
    s.setsockopt(0, 12, 1)
    s.setsockopt(socket.SOL_SOCKET, 29, 1)
    s.sendto(b"x", to)
    found = take(s)[1]
    eq([c[:2] for c in found], [(1, 29), (0, 8), (0, 2), (0, 11)])
    eq((found[1][2], found[2][2]), (struct.pack("II4s", 1, 0, b"\x7f\0\0\1"), struct.pack("I", 64)))
    between(time.time() - 60, struct.unpack("qq", found[0][2])[0], time.time())


@cases([("", b"", 0), ("one_byte", b"\1", 1), ("two", b"\2\0\0\0", 1), ("negative", b"\xff" * 4, 1)])
def ip_recverr_takes_any_number(value, shown):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(0, 11, value)
    eq(s.getsockopt(0, 11), shown)
    if value[:1] > b"\1":
        fails(errno.EINVAL, s.setsockopt, 0, 26, value)
    else:
        s.setsockopt(0, 26, value)
        eq(s.getsockopt(0, 26), shown)


@test
def ipv6_recverr_rfc4884_takes_0_and_1():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        fails(errno.EINVAL, s.setsockopt, 41, 31, 2)
        s.setsockopt(41, 31, 1)
        eq(s.getsockopt(41, 31), 1)


@test
def other_families_have_no_error_queue():
    for family, kind, expected in (2, 1, "EAGAIN"), (1, 2, "EAGAIN"), (1, 1, "EINVAL"), (16, 3, "EAGAIN"):
        with socket.socket(family, kind) as s:
            eq(take(s), expected)
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        a, b = socket.socketpair(socket.AF_UNIX, kind)
        b.send(b"x")
        eq(take(a)[0], b"x")


@test
def raw_sockets_have_an_error_queue():
    need_root()
    with socket.socket(2, socket.SOCK_RAW, 17) as s, socket.socket(2, socket.SOCK_RAW, 1) as icmp:
        s.setsockopt(0, 11, 1)
        packet = struct.pack("!HHHH", 999, closed_port(V4)[1], 12, 0) + b"data"
        s.sendto(packet, ("127.0.0.1", 0))
        eq(take(s), (packet, [(0, 11, UNREACHABLE[V4])], MSG_ERRQUEUE, ("127.0.0.1", 0)))
        eq((take(s), pending(s)), ("EAGAIN", 0))
        icmp.settimeout(10)
        while True:
            answer = icmp.recv(1000)
            if answer[20:22] == b"\3\3" and answer[48:] == packet:
                break
        eq((answer[1], answer[8], answer[24:28], answer[28] == 0x45), (0xC0, 64, bytes(4), True))
        s.setsockopt(0, 11, 0)
        s.sendto(packet, ("127.0.0.1", 0))
        eq(pending(s), 0)
        s.connect(("127.0.0.1", 0))
        s.send(packet)
        eq((pending(s), take(s)), (errno.ECONNREFUSED, "EAGAIN"))


@test
def a_bad_buffer_fails_with_efault():
    s, to = sender(V4)
    head = struct.pack("QQQQQQI4x", 0, 0, 8, 1, 0, 0, 0)
    s.sendto(b"x", to)
    eq(sc(NR.recvmsg, s.fileno(), head, MSG_ERRQUEUE), -errno.EFAULT)
    gives(-errno.EFAULT, NR.recvmsg, s.fileno(), 0, MSG_ERRQUEUE)


@cases([
    ("nothing", 0, 0), ("receive", 24, 0), ("new_name", 24, 1), ("unknown", 1 << 31, errno.EINVAL),
    ("a_clock", 1 << 15, errno.EOPNOTSUPP), ("of_streams", 1 << 12, errno.EINVAL),
    ("ids_of_streams", 1 << 16, errno.EINVAL), ("all_others", 0x26FFF, 0),
])
def timestamping_takes(flags, expected):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name, packed = (65, 0) if expected == 1 else (37, expected)
        if packed:
            fails(packed, s.setsockopt, 1, name, struct.pack("I", flags))
            flags = 0
        else:
            s.setsockopt(1, name, struct.pack("I", flags))
        eq(struct.unpack("II", s.getsockopt(1, 37, 20)), (flags, 0))
        eq(struct.unpack("II", s.getsockopt(1, 65, 20)), (flags if name == 65 else 0, 0))


@test
def timestamping_id_needs_its_flag():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for value in b"", b"\1", b"\1\0\0":
            fails(errno.EINVAL, s.setsockopt, 1, 37, value)
        s.setsockopt(1, 37, struct.pack("Ii", 24, 5))


@cases([("SO_TIMESTAMPING", 37), ("SO_TIMESTAMPING_NEW", 65)])
def a_received_datagram_has_its_time(name):
    with socket.socket(2, 2) as s, socket.socket(2, 2) as to:
        to.bind(("127.0.0.1", 0))
        to.setsockopt(1, name, RX_SOFTWARE | SOFTWARE)
        before = time.time() - 1
        s.sendto(b"x", to.getsockname())
        _, control, _, _ = to.recvmsg(10, 512)
        eq([(c[0], c[1], len(c[2])) for c in control], [(1, name, 48)])
        times = struct.unpack("6q", control[0][2])
        between(before, times[0] + times[1] / 1e9, time.time() + 1)
        eq(times[2:], (0, 0, 0, 0))
        to.setsockopt(1, 37, RX_SOFTWARE)
        s.sendto(b"x", to.getsockname())
        eq(to.recvmsg(10, 512)[1], [])


@cases(BOTH)
def a_sent_datagram_has_its_time(kind):
    with socket.socket(kind[0], 2) as s, socket.socket(kind[0], 2) as to:
        to.bind((kind[1], 0))
        s.setsockopt(1, 37, TX_SOFTWARE | SOFTWARE | OPT_ID)
        for n, data in enumerate((b"abc", b"d")):
            s.sendto(data, to.getsockname())
            eq(to.recv(9), data)
            eq(events(s) & select.POLLERR, select.POLLERR)
            frame, control, flags, name = take(s)
            header = 20 if kind == V4 else 40
            eq((frame[12:14], len(frame), frame[-len(data):]),
               (b"\x08\0" if kind == V4 else b"\x86\xdd", 14 + header + 8 + len(data), data))
            eq((flags, name), (MSG_ERRQUEUE, None))
            eq([c[:2] for c in control], [(1, 37), kind[2:]])
            extended = struct.unpack("IBBBBII", control[1][2][:16])
            eq(extended, (errno.ENOMSG, 4, 0, 0, 0, 0, n))
            ok(struct.unpack("6q", control[0][2])[0] > 0, "a time")
        eq((take(s), pending(s)), ("EAGAIN", 0))


@test
def a_time_can_come_without_the_datagram():
    with socket.socket(2, 2) as s:
        s.bind(("127.0.0.1", 0))
        s.setsockopt(1, 37, TX_SOFTWARE | TX_SCHED | SOFTWARE | TSONLY | OPT_CMSG)
        s.sendto(b"abc", s.getsockname())
        both = [take(s) for _ in range(2)]
        eq([b[0] for b in both], [b"", b""])
        eq([struct.unpack("IBBBBII", b[1][1][2][:16])[5] for b in both], [1, 0])
        eq(take(s), "EAGAIN")


run()
