"""Packet sockets (packet(7)) on the loopback and on pairs of virtual Ethernet, in a namespace of
their own.
"""

import ctypes
import mmap
import os
import select
import socket
import struct
from errno import *
from lib.guest import *
from lib.links import ip, own_network

AF_PACKET, SOL_PACKET, ALL = 17, 263, 3
ADD, DROP, RX_RING, STATISTICS, AUXDATA, VERSION, HDRLEN, IGNORE_OUTGOING = 1, 2, 5, 6, 8, 10, 11, 23
HOST, BROADCAST, MULTICAST, OTHERHOST, OUTGOING = range(5)
LO = 1


PAIR = ("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")


def packet(kind=socket.SOCK_RAW, protocol=ALL, link=None):
    s = socket.socket(AF_PACKET, kind, socket.htons(protocol))
    if link:
        s.bind((link, protocol))
    s.settimeout(5)
    return s


def name(index, protocol=0, family=AF_PACKET, halen=0, address=b""):
    return struct.pack("=HHiHBB8s", family, socket.htons(protocol), index, 0, 0, halen, address)


def bind(s, address):
    return sc(NR.bind, s.fileno(), address, len(address))


def sendto(s, data, to):
    return sc(NR.sendto, s.fileno(), data, len(data), 0, to, len(to))


def address_of(link):
    return bytes.fromhex(ip("-o link show " + link).split("link/ether ")[1].split()[0].replace(":", ""))


def datagram(data=b"hello", port=5555):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(data, ("127.0.0.1", port))
    return s.getsockname()[1]


def frame(to=bytes(6), source=bytes(6), protocol=0x88B5, data=b"payload"):
    return to + source + struct.pack(">H", protocol) + data


@test
def a_datagram_is_seen_leaving_and_arriving():
    own_network()
    s = packet(link="lo")
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    port = datagram()
    for kind in (OUTGOING, HOST):
        data, source = s.recvfrom(2000)
        eq(source, ("lo", 0x800, kind, 772, bytes(6)))
        eq(data[:14], bytes(12) + b"\x08\0")
        eq((data[14], data[23], data[26:34]), (0x45, 17, b"\x7f\0\0\1" * 2))
        eq((struct.unpack(">HHH", data[34:40]), data[42:]), ((port, 5555, 13), b"hello"))


@test
def cooked_sockets_see_no_link_header():
    own_network()
    s = packet(socket.SOCK_DGRAM, link="lo")
    datagram()
    data, source = s.recvfrom(2000)
    eq((data[0], len(data), source[2]), (0x45, 33, OUTGOING))


@test
def a_socket_of_one_protocol_receives_incoming_frames_only():
    own_network()
    s, other = packet(protocol=0x800, link="lo"), packet(protocol=0x86DD, link="lo")
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    datagram()
    eq(s.recvfrom(2000)[1][2], HOST)
    s.setblocking(False)
    fails(EAGAIN, s.recv, 100)
    other.setblocking(False)
    fails(EAGAIN, other.recv, 100)


@test
def a_socket_of_protocol_0_receives_nothing():
    own_network()
    s = packet(protocol=0)
    datagram()
    s.setblocking(False)
    fails(EAGAIN, s.recv, 100)


@test
def a_connection_is_seen_as_segments():
    own_network()
    s = packet(protocol=0x800, link="lo")
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    accepted = server.accept()[0]
    client.sendall(b"some data")
    eq(accepted.recv(100), b"some data")
    accepted.close()
    client.close()
    flags, data = [], b""
    while flags.count("F") < 2:
        whole = s.recv(2000)
        tcp = whole[34:]
        bits = tcp[13]
        data += tcp[(tcp[12] >> 4) * 4:struct.unpack(">H", whole[16:18])[0] - 20]
        flags.append("S" if bits & 2 else "F" if bits & 1 else ".")
    eq((flags[:2], data), (["S", "S"], b"some data"))


@cases([
    ("all", name(LO), 0, ("lo", ALL)),
    ("another protocol", name(LO, 0x800), 0, ("lo", 0x800)),
    ("no link", name(0), 0, ("", ALL)),
    ("no such link", name(999), -ENODEV, ("", ALL)),
    ("a negative link", name(-1), -ENODEV, ("", ALL)),
    ("another family", name(LO, family=2), -EINVAL, ("", ALL)),
    ("a short name", name(LO)[:19], -EINVAL, ("", ALL)),
    ("a very short name", name(LO)[:10], -EINVAL, ("", ALL)),
])
def bind_to(address, result, shown):
    own_network()
    s = packet()
    eq(bind(s, address), result)
    eq(s.getsockname()[:2], shown)


@test
def names_have_the_length_of_their_address():
    own_network()
    s, room, size = packet(), ctypes.create_string_buffer(64), ctypes.c_int(64)
    works(NR.getsockname, s.fileno(), room, size)
    eq((size.value, room.raw[:12]), (12, struct.pack("=HHi4x", AF_PACKET, socket.htons(ALL), 0)))
    bind(s, name(LO))
    size.value = 64
    works(NR.getsockname, s.fileno(), room, size)
    eq((size.value, room.raw[8:12]), (18, struct.pack("=HBB", 772, 0, 6)))


@test
def a_link_that_is_down_is_an_error_of_the_socket():
    own_network(*PAIR)
    ip("link set v1 down")
    s = packet(link="v1")
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), ENETDOWN)
    eq(sendto(s, frame(), name(socket.if_nametoindex("v1"))), -ENETDOWN)


@cases([("connect", lambda s: s.connect(("lo", 0))), ("listen", lambda s: s.listen()), ("accept", lambda s: s.accept()),
        ("shutdown", lambda s: s.shutdown(2)), ("getpeername", lambda s: s.getpeername())])
def is_not_supported(call):
    own_network()
    s = packet()
    s.setblocking(False)
    fails(EOPNOTSUPP, call, s)


@cases([("a stream", 1, ESOCKTNOSUPPORT), ("sequenced packets", 5, ESOCKTNOSUPPORT), ("reliable", 4, ESOCKTNOSUPPORT)])
def there_is_no_packet_socket_of(kind, code):
    own_network()
    fails(code, socket.socket, AF_PACKET, kind, 0)


@test
def packet_sockets_need_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        fails(EPERM, socket.socket, AF_PACKET, socket.SOCK_RAW, 0)

    child_ok(nobody)


@cases([
    ("the whole", frame(), name(LO), 21), ("a header alone", frame()[:14], name(LO), 14),
    ("half a header", frame()[:10], name(LO), -EINVAL), ("nothing", b"", name(LO), -EINVAL),
    ("no such link", frame(), name(99), -ENXIO), ("no link", frame(), name(0), -ENXIO),
    ("a short name", frame(), name(LO)[:12], -EINVAL), ("too much", bytes(70000), name(LO), -EMSGSIZE),
    ("an address that is longer than its name", frame(), name(LO, halen=9), -EINVAL),
])
def sending(data, to, result):
    own_network()
    eq(sendto(packet(protocol=0), data, to), result)


@test
def a_bound_socket_sends_without_an_address():
    own_network()
    s = packet(protocol=0)
    fails(ENXIO, s.send, frame())
    s.bind(("lo", 0))
    seen = packet(link="lo")
    eq(s.send(frame()), 21)
    eq(seen.recvfrom(100), (frame(), ("lo", 0x88B5, OUTGOING, 772, bytes(6))))
    eq(seen.recvfrom(100)[1][2], HOST)


@test
def the_sender_does_not_receive_its_outgoing_frame():
    own_network()
    s = packet(link="lo")
    s.send(frame())
    eq(s.recvfrom(100)[1][2], HOST)
    s.setblocking(False)
    fails(EAGAIN, s.recv, 100)


@cases([("its own", "own", HOST), ("all hosts", b"\xff" * 6, BROADCAST), ("a group", b"\1\0\x5e\0\0\1", MULTICAST),
        ("another", b"\2" * 6, OTHERHOST)])
def a_frame_across_a_link_is_for(address, kind):
    own_network(*PAIR)
    s, peer = packet(protocol=0), packet(protocol=0x88B5, link="v1")
    to = address_of("v1") if address == "own" else address
    sent = frame(to, b"\2\1\1\1\1\1")
    eq(sendto(s, sent, name(socket.if_nametoindex("v0"))), len(sent))
    eq(peer.recvfrom(100), (sent, ("v1", 0x88B5, kind, 1, b"\2\1\1\1\1\1")))


@test
def cooked_sockets_get_a_header_from_the_name():
    own_network(*PAIR)
    s, peer = packet(socket.SOCK_DGRAM, 0x88B5), packet(protocol=0x88B5, link="v1")
    index = socket.if_nametoindex("v0")
    eq(sendto(s, b"cooked", name(index, 0x88B5, halen=6, address=b"\xff" * 6)), 6)
    eq(peer.recv(100), frame(b"\xff" * 6, address_of("v0"), data=b"cooked"))
    bind(s, name(index, 0x88B5))
    fails(EINVAL, s.send, b"nowhere")


@cases([("as large as a frame", 1514, 0x88B5, 1514), ("larger", 1515, 0x88B5, -EMSGSIZE),
        ("with a tag", 1518, 0x8100, 1518), ("larger with a tag", 1519, 0x8100, -EMSGSIZE)])
def on_ethernet_a_frame_is(size, protocol, result):
    own_network(*PAIR)
    data = frame(protocol=protocol, data=bytes(size - 14))
    eq(sendto(packet(protocol=0), data, name(socket.if_nametoindex("v0"))), result)


@test
def a_datagram_in_a_frame_reaches_its_socket():
    own_network(*PAIR)
    ip("addr add 10.9.9.1/24 dev v0")
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("10.9.9.1", 0))
    receiver.settimeout(5)
    udp = struct.pack(">HHHH", 1234, receiver.getsockname()[1], 8 + 4, 0) + b"data"
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([10, 9, 9, 2]), bytes([10, 9, 9, 1])))
    total = sum(struct.unpack(">10H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    head[10:12] = struct.pack(">H", ~total & 0xFFFF)
    for to in (b"\2" * 6, address_of("v0")):
        packet(protocol=0, link="v1").send(frame(to, protocol=0x800, data=bytes(head) + udp))
    eq(receiver.recvfrom(100), (b"data", ("10.9.9.2", 1234)))
    receiver.setblocking(False)
    fails(EAGAIN, receiver.recv, 100)


@test
def the_owner_of_an_address_answers_arp():
    own_network(*PAIR)
    ip("addr add 10.9.9.1/24 dev v0")
    s = packet(protocol=0x806, link="v1")
    own = address_of("v1")
    ask = struct.pack(">HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, own, bytes(4), bytes(6), bytes([10, 9, 9, 1]))
    s.send(frame(b"\xff" * 6, own, 0x806, ask))
    while True:
        data = s.recv(100)
        if data[20:22] == b"\0\2":
            break
    eq(data[22:42], address_of("v0") + bytes([10, 9, 9, 1]) + own + bytes(4))


@test
def a_packet_is_cut_to_the_buffer():
    own_network()
    s = packet(link="lo")
    datagram()
    data, _, flags, _ = s.recvmsg(10)
    eq((len(data), flags & socket.MSG_TRUNC), (10, socket.MSG_TRUNC))
    eq(sc(NR.recvfrom, s.fileno(), bytes(10), 10, socket.MSG_TRUNC, 0, 0), 47)


@test
def auxiliary_data_has_the_lengths():
    own_network()
    s = packet(link="lo")
    s.setsockopt(SOL_PACKET, AUXDATA, 1)
    datagram()
    _, controls, _, _ = s.recvmsg(10, 200)
    level, kind, data = controls[0]
    status, length, snaplen, mac, net = struct.unpack_from("=IIIHH", data)
    eq((level, kind, status & 1, length, snaplen, mac, net, len(data)), (SOL_PACKET, AUXDATA, 1, 47, 47, 0, 14, 20))


@test
def statistics_are_read_once():
    own_network()
    s = packet(link="lo")
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    datagram()
    datagram()
    eq(struct.unpack("=II", s.getsockopt(SOL_PACKET, STATISTICS, 8)), (4, 0))
    eq(struct.unpack("=II", s.getsockopt(SOL_PACKET, STATISTICS, 8)), (0, 0))


@test
def dropped_packets_are_counted():
    own_network()
    s = packet(link="lo")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    for _ in range(50):
        datagram()
    seen, lost = struct.unpack("=II", s.getsockopt(SOL_PACKET, STATISTICS, 8))
    eq(seen, 100)
    between(50, lost, 99)


@test
def outgoing_frames_can_be_ignored():
    own_network()
    s = packet(link="lo")
    s.setsockopt(SOL_PACKET, IGNORE_OUTGOING, 1)
    eq(s.getsockopt(SOL_PACKET, IGNORE_OUTGOING), 1)
    datagram()
    eq(s.recvfrom(2000)[1][2], HOST)


def membership(index, kind, length=6, address=b"\xff" * 8):
    return struct.pack("=iHH8s", index, kind, length, address)


@cases([
    ("a group", membership(LO, 0), 0), ("everything", membership(LO, 1), 0), ("all groups", membership(LO, 2), 0),
    ("an address", membership(LO, 3), 0), ("something else", membership(LO, 9), 0),
    ("no such link", membership(99, 1), ENODEV), ("no link", membership(0, 1), ENODEV),
    ("a long address", membership(LO, 0, 9), EINVAL), ("a short request", membership(LO, 1)[:15], EINVAL),
])
def a_membership_of(request, code):
    own_network()
    s = packet()
    if code:
        fails(code, s.setsockopt, SOL_PACKET, ADD, request)
    else:
        s.setsockopt(SOL_PACKET, ADD, request)
        s.setsockopt(SOL_PACKET, DROP, request)
        s.setsockopt(SOL_PACKET, DROP, request)


@test
def a_link_shows_its_count_of_promiscuous_members():
    own_network(*PAIR)
    s = packet()
    s.setsockopt(SOL_PACKET, ADD, membership(socket.if_nametoindex("v1"), 1))
    ok("promiscuity 1" in ip("-d link show v1"), "promiscuous while it is wanted")
    s.close()
    ok("promiscuity 0" in ip("-d link show v1"), "and not any longer")


@cases([("the header of version 1", 0, 32), ("the header of version 2", 1, 32), ("the header of version 3", 2, 48), ("no such version", 77, -EINVAL)])
def length_of(version, expected):
    own_network()
    value, size, s = ctypes.c_int(version), ctypes.c_int(4), packet()
    r = sc(NR.getsockopt, s.fileno(), SOL_PACKET, HDRLEN, value, size)
    eq(value.value if r == 0 else r, expected)


def ring(s, block=4096, blocks=4, size=2048, frames=8):
    s.setsockopt(SOL_PACKET, RX_RING, struct.pack("=IIII", block, blocks, size, frames))


@cases([("no block", (0, 1, 2048, 2)), ("half a page", (2048, 2, 2048, 2)), ("small frames", (4096, 1, 48, 85)),
        ("crooked frames", (4096, 1, 1000, 4)), ("too large frames", (4096, 1, 8192, 0)),
        ("another number of frames", (4096, 2, 2048, 3)), ("frames without blocks", (4096, 0, 2048, 2)),
        ("too many blocks", (1 << 30, 1 << 30, 2048, 1))])
def a_ring_is_refused_with(shape):
    own_network()
    fails(EINVAL, ring, packet(), *shape)


@cases([("1", 0), ("2", 1)])
def a_ring_of_version(version):
    own_network()
    s = packet(link="lo")
    s.setsockopt(SOL_PACKET, VERSION, version)
    ring(s)
    fails(EBUSY, s.setsockopt, SOL_PACKET, VERSION, version)
    m = mmap.mmap(s.fileno(), 4 * 4096)
    eq(select.select([s], [], [], 0)[0], [])
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    datagram()
    eq(select.select([s], [], [], 5)[0], [s])
    at = 8 if version == 0 else 4
    for start, kind in ((0, OUTGOING), (2048, HOST)):
        status, = struct.unpack_from("=I", m, start)
        length, snaplen, mac, net = struct.unpack_from("=IIHH", m, start + at)
        eq((status & 1, length, snaplen, net - mac), (1, 47, 47, 14))
        eq(m[start + mac:start + mac + 47][-5:], b"hello")
        eq(struct.unpack_from("=HH", m, start + 32), (AF_PACKET, socket.htons(0x800)))
        eq(m[start + 32 + 10], kind)
        m[start:start + 8] = bytes(8)
    fails(EBUSY, ring, s, 0, 0, 0, 0)
    m.close()
    ring(s, 0, 0, 0, 0)


@test
def a_ring_that_is_full_loses_frames():
    own_network()
    s = packet(link="lo")
    s.setsockopt(SOL_PACKET, VERSION, 1)
    ring(s)
    m = mmap.mmap(s.fileno(), 4 * 4096)
    keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    keep.bind(("127.0.0.1", 5555))
    for _ in range(10):
        datagram()
    eq(struct.unpack("=II", s.getsockopt(SOL_PACKET, STATISTICS, 8)), (20, 12))


@test
def a_ring_outlives_its_socket():
    own_network()
    s = packet(link="lo")
    s.setsockopt(SOL_PACKET, VERSION, 1)
    ring(s)
    m = mmap.mmap(s.fileno(), 4 * 4096)
    s.close()
    m[0:4] = b"abcd"
    eq(m[0:4], b"abcd")


@test
def the_table_lists_packet_sockets():
    own_network()
    s = packet(protocol=0x88B5, link="lo")
    lines = [line.split() for line in open("/proc/self/net/packet")][1:]
    eq([line[2:5] for line in lines], [["3", "88b5", "1"]])
    eq(int(lines[0][8]), os.fstat(s.fileno()).st_ino)


run()
