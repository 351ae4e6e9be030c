"""Packet counters of a network namespace and its links: /proc/net/snmp, netstat, snmp6, dev, and
rtnetlink.
"""

import os
import signal
import socket
import struct
import time
from errno import *
from lib.guest import *
from lib.links import *

V4, V6 = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")
DATA = b"x" * 100
QUIET_S = 0.1  # longer than an acknowledgement is delayed


def counters():
    found = {}
    for table in ("snmp", "netstat"):
        lines = open("/proc/self/net/" + table).read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            title = names.split(":")[0]
            eq(values.split(":")[0], title)
            pairs = zip(names.split()[1:], values.split()[1:])
            found.update((title + "." + name, int(value)) for name, value in pairs)
    for line in open("/proc/self/net/snmp6"):
        name, value = line.split()
        found[name] = int(value)
    for line in open("/proc/self/net/dev").read().splitlines()[2:]:
        name, values = line.split(":")
        values = [int(v) for v in values.split()]
        found[name.strip()] = (values[0], values[1], values[8], values[9])
    return found


def settled():
    """Waits until no counter changes for a while, so that packets in flight count. Returns all."""
    seen, since = counters(), time.monotonic()

    def stands():
        nonlocal seen, since
        now = counters()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= QUIET_S
    wait_until(stands, "the end of the traffic")
    return seen


def grown(action):
    """Returns how much `action` raises each counter (of a link: bytes and packets, both ways)."""
    before = counters()
    action()
    after = settled()
    result = {}
    for name, value in after.items():
        old = before.get(name, 0 if isinstance(value, int) else (0,) * 4)
        if value != old:
            result[name] = value - old if isinstance(value, int) else tuple(map(int.__sub__, value, old))
    return result


def of(found, names):
    return {name: found.get(name, 0) for name in names.split()}


def on_loopback():
    alone()
    ip("link set lo up")
    settled()


def sockets(family, address):
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    receiver.bind((address, 0))
    return receiver, socket.socket(family, socket.SOCK_DGRAM)


@test
def datagrams():
    on_loopback()
    receiver, sender = sockets(*V4)
    found = grown(lambda: sender.sendto(DATA, receiver.getsockname()))
    eq(found.pop("lo"), (128, 1, 128, 1))
    want = "Ip.InReceives Ip.InDelivers Ip.OutRequests Ip.OutTransmits Udp.OutDatagrams IpExt.InNoECTPkts"
    eq(found, {**{name: 1 for name in want.split()}, "IpExt.InOctets": 128, "IpExt.OutOctets": 128})
    # A datagram counts as received when the socket reads it.
    eq(grown(lambda: receiver.recv(200, socket.MSG_PEEK)), {})
    eq(grown(lambda: receiver.recv(200)), {"Udp.InDatagrams": 1})
    receiver, sender = sockets(*V6)
    found = grown(lambda: sender.sendto(DATA, receiver.getsockname()))
    eq(found.pop("lo"), (148, 1, 148, 1))
    eq(of(found, "Ip6InReceives Ip6InDelivers Ip6OutRequests Ip6OutTransmits Udp6OutDatagrams"),
       dict.fromkeys("Ip6InReceives Ip6InDelivers Ip6OutRequests Ip6OutTransmits Udp6OutDatagrams".split(), 1))
    eq((found["Ip6InOctets"], found["Ip6OutOctets"]), (148, 148))
    eq(grown(lambda: receiver.recv(200)), {"Udp6InDatagrams": 1})


@test
def mapped_addresses_are_of_ipv4():
    on_loopback()
    receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.bind(("::", 0))
    sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    found = grown(lambda: sender.sendto(DATA, ("::ffff:127.0.0.1", receiver.getsockname()[1])))
    eq((found["Udp.OutDatagrams"], found.get("Udp6OutDatagrams", 0), found["lo"][0]), (1, 0, 128))


@test
def datagrams_to_an_unused_port_are_counted():
    on_loopback()
    for size, whole in ((100, 284), (2000, 2604)):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        found = grown(lambda: sender.sendto(b"x" * size, ("127.0.0.1", 9)))
        eq(found["lo"], (whole, 2, whole, 2))
        eq((found["Ip.InReceives"], found["Udp.NoPorts"], found["Udp.OutDatagrams"]), (2, 1, 1))
        names = "Icmp.InMsgs Icmp.InDestUnreachs Icmp.OutMsgs Icmp.OutDestUnreachs IcmpMsg.InType3 IcmpMsg.OutType3"
        eq(of(found, names), dict.fromkeys(names.split(), 1))
    for size, whole in ((100, 344), (2000, 3328)):
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        found = grown(lambda: sender.sendto(b"x" * size, ("::1", 9)))
        eq(found["lo"], (whole, 2, whole, 2))
        names = "Icmp6InMsgs Icmp6OutMsgs Icmp6InDestUnreachs Icmp6OutDestUnreachs Icmp6InType1 Udp6NoPorts"
        eq(of(found, names), dict.fromkeys(names.split(), 1))


@test
def datagrams_that_do_not_fit_are_counted():
    on_loopback()
    receiver, sender = sockets(*V4)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)

    def flood():
        for _ in range(20):
            sender.sendto(b"x" * 1000, receiver.getsockname())

    found = grown(flood)
    ok(found["Udp.RcvbufErrors"] > 10 and found["Udp.InErrors"] == found["Udp.RcvbufErrors"], "lost ones")
    eq((found["Udp.OutDatagrams"], found["lo"][1], found["lo"][0]), (20, 20, 20560))


def connected(family, address):
    listener = socket.socket(family)
    listener.bind((address, 0))
    listener.listen()
    client = socket.socket(family)
    client.connect(listener.getsockname())
    return listener, client, listener.accept()[0]


@test
def connections():
    for (family, address), whole in ((V4, 172), (V6, 232)):
        on_loopback()
        held = []
        found = grown(lambda: held.extend(connected(family, address)))
        names = "Tcp.ActiveOpens Tcp.PassiveOpens Tcp.CurrEstab Tcp.InSegs Tcp.OutSegs"
        eq(of(found, names), dict(zip(names.split(), (1, 1, 2, 3, 3))))
        eq(found["lo"], (whole, 3, whole, 3))
        listener, client, server = held
        found = grown(lambda: (client.sendall(DATA), server.recv(100)))
        eq((found["Tcp.InSegs"], found["Tcp.OutSegs"]), (2, 2))
        eq((found["TcpExt.TCPOrigDataSent"], found["TcpExt.TCPPureAcks"]), (1, 1))
        eq(found["lo"][0], 100 + 2 * (52 if family == socket.AF_INET else 72))
        found = grown(lambda: (client.close(), eq(server.recv(1), b""), server.close()))
        ok(3 <= found["Tcp.OutSegs"] <= 4, found["Tcp.OutSegs"])
        eq((found["Tcp.CurrEstab"], found.get("Tcp.EstabResets", 0)), (-2, 0))
        listener.close()


@test
def refusals_and_resets():
    on_loopback()
    client = socket.socket()
    found = grown(lambda: client.connect_ex(("127.0.0.1", 9)))
    names = "Tcp.ActiveOpens Tcp.AttemptFails Tcp.InSegs Tcp.OutSegs Tcp.OutRsts"
    eq(of(found, names), dict(zip(names.split(), (1, 1, 2, 2, 1))))
    eq(found["lo"], (100, 2, 100, 2))
    _, client, server = connected(*V4)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    found = grown(client.close)
    eq(of(found, "Tcp.EstabResets Tcp.OutRsts Tcp.OutSegs"),
       {"Tcp.EstabResets": 2, "Tcp.OutRsts": 1, "Tcp.OutSegs": 1})
    eq(found["lo"], (52, 1, 52, 1))


def request(type, payload):
    packet = struct.pack("!BBHHH", type, 0, 0, 1, 1) + payload
    words = struct.unpack("!%dH" % (len(packet) // 2), packet)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    return packet[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + packet[4:]


@test
def echoes():
    on_loopback()
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    found = grown(lambda: s.sendto(request(8, b"y" * 56), ("127.0.0.1", 0)))
    eq(found.pop("lo"), (168, 2, 168, 2))
    names = "Icmp.InEchos Icmp.InEchoReps Icmp.OutEchos Icmp.OutEchoReps IcmpMsg.InType0 IcmpMsg.OutType8"
    eq(of(found, names), dict.fromkeys(names.split(), 1))
    eq((found["Icmp.InMsgs"], found["Icmp.OutMsgs"]), (2, 2))
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    found = grown(lambda: s.sendto(request(128, b"y" * 56), ("::1", 0)))
    names = "Icmp6InEchos Icmp6InEchoReplies Icmp6OutEchos Icmp6OutEchoReplies Icmp6InType128 Icmp6OutType129"
    eq(of(found, names), dict.fromkeys(names.split(), 1))
    eq(found["lo"], (208, 2, 208, 2))


@test
def a_listener_without_room():
    on_loopback()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    clients = [socket.socket() for _ in range(3)]
    for client in clients:
        client.setblocking(False)

    def attempt():
        for client in clients:
            client.connect_ex(listener.getsockname())

    found = grown(attempt)
    eq(of(found, "Tcp.ActiveOpens TcpExt.ListenOverflows TcpExt.ListenDrops"),
       {"Tcp.ActiveOpens": 3, "TcpExt.ListenOverflows": 2, "TcpExt.ListenDrops": 2})


@test
def groups():
    on_loopback()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("", 5555))
    member = socket.inet_aton("224.1.1.1") + socket.inet_aton("127.0.0.1")
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    settled()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))

    def talk():
        sender.sendto(DATA, ("224.1.1.1", 5555))
        receiver.recv(200)

    found = grown(talk)
    names = "Udp.InDatagrams Udp.OutDatagrams"
    eq(of(found, names), dict.fromkeys(names.split(), 1))
    # IGMP reports may be counted too.
    ok(found["IpExt.InMcastPkts"] >= 1 and found["IpExt.OutMcastPkts"] >= 1, "packets")
    ok(found["IpExt.InMcastOctets"] >= 128 and found["IpExt.OutMcastOctets"] >= 128, "bytes")


def link_counters(name):
    stats = shown("-s link show " + name)[0]["stats64"]
    return stats["rx"]["bytes"], stats["rx"]["packets"], stats["tx"]["bytes"], stats["tx"]["packets"]


def swallow(address):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((address, 77))
    while True:
        receiver.recv(200)


def without_ipv6():
    for name in ("all", "default"):
        open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % name, "w").write("1")


@test
def a_packet_passes_links():
    """A packet passes a pair, a bridge, and another pair to the next namespace."""
    alone()
    without_ipv6()
    ip("link add v0 type veth peer name v1")
    ip("link add b0 type bridge")
    ip("link add v2 type veth peer name v3")
    other = Namespace()
    other.do(without_ipv6)
    ip("link set v3 netns %d" % other.pid)
    for line in ("v1 master b0", "v2 master b0", "v0 up", "v1 up", "v2 up", "b0 up"):
        ip("link set " + line)
    ip("addr add 10.1.1.1/24 dev v0")
    ip("addr add 10.1.1.2/24 dev v3", ns=other.pid)
    ip("link set v3 up", ns=other.pid)
    pids = [other.start(swallow, "10.1.1.2"), other.pid]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def arrives():
        sender.sendto(DATA, ("10.1.1.2", 77))
        return other.do(counters)["Udp.InDatagrams"] > 0

    wait_until(arrives, "a datagram arrives")
    settled()
    there = other.do(counters)
    found = grown(lambda: sender.sendto(DATA, ("10.1.1.2", 77)))
    eq((found["v0"], found["v1"], found["v2"]), ((0, 0, 142, 1), (142, 1, 0, 0), (0, 0, 142, 1)))
    ok("b0" not in found, "only its ports")
    eq((found["Ip.OutRequests"], found.get("Ip.InReceives", 0)), (1, 0))
    after = other.do(counters)
    eq([b - a for a, b in zip(there["v3"], after["v3"])], [142, 1, 0, 0])
    eq(after["Ip.InReceives"] - there["Ip.InReceives"], 1)
    stats = shown("-s link show v2")[0]["stats64"]
    shown_by = [stats[way][what] for way in ("rx", "tx") for what in ("bytes", "packets")]
    eq(tuple(shown_by), counters()["v2"])
    eq(int(open("/proc/self/net/dev").read().split("v2:")[1].split()[0]), shown_by[0])
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@test
def forwarded_packets_are_counted():
    left, right = through()
    without_ipv6()
    for station in (left, right):
        station.do(without_ipv6)
    open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
    pids = [right.start(swallow, "10.8.2.1"), left.pid, right.pid]

    def send():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.sendto(DATA, ("10.8.2.1", 77))

    def arrives():
        left.do(send)
        return right.do(counters)["Udp.InDatagrams"] > 0

    wait_until(arrives, "a datagram arrives")
    settled()
    found = grown(lambda: left.do(send))
    names = "Ip.InReceives Ip.ForwDatagrams Ip.OutTransmits"
    eq(of(found, names), dict.fromkeys(names.split(), 1))
    eq((found.get("Ip.OutRequests", 0), found.get("Ip.InDelivers", 0)), (0, 0))
    eq((found["l0"], found["r0"]), ((142, 1, 0, 0), (0, 0, 142, 1)))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def rows(table):
    return [line.split() for line in open("/proc/self/net/" + table).read().splitlines()[1:]]


@test
def raw_and_lite_sockets_are_in_tables():
    on_loopback()
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)
    raw.bind(("127.0.0.1", 0))
    raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    lite, lite6 = [socket.socket(f, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE) for f, _ in (V4, V6)]
    eq(rows("udplite"), [])
    lite.bind(("127.0.0.1", 99))
    lite6.bind(("::1", 98))
    eq([r[1] for r in rows("raw")], ["0100007F:00FF"])
    eq([r[1] for r in rows("raw6")], ["0" * 32 + ":003A"])
    eq([r[1] for r in rows("udplite")], ["0100007F:0063"])
    eq([r[1] for r in rows("udplite6")], ["0" * 24 + "01000000:0062"])
    eq([r[9] for r in rows("raw")], [str(os.fstat(raw.fileno()).st_ino)])
    eq((rows("udp"), rows("tcp"), rows("icmp"), rows("icmp6")), ([], [], [], []))
    open("/proc/sys/net/ipv4/ping_group_range", "w").write("0 10")
    ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    ping.bind(("127.0.0.1", 77))
    eq([r[1] for r in rows("icmp")], ["0100007F:004D"])


def numbers(table):
    lines = [line.split() for line in open("/proc/self/net/" + table)]
    return {words[0]: dict(zip(words[1::2], words[2::2])) for words in lines}


@test
def protocols_and_their_sockets():
    lines = lambda: {line.split()[0]: line.split() for line in open("/proc/self/net/protocols")}
    before = lines()
    eq(before["protocol"][:7], ["protocol", "size", "sockets", "memory", "press", "maxhdr", "slab"])
    eq(before["UDP"][4:], "NI 0 yes kernel y y y n y y y n y y y y n n y y y n".split())
    made = [socket.socketpair(), socket.socketpair(type=socket.SOCK_DGRAM), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)]
    after = lines()
    eq({name: int(after[name][2]) - int(row[2]) for name, row in before.items()
        if name != "protocol" and after[name][2] != row[2]}, {"UNIX-STREAM": 2, "UNIX": 2, "NETLINK": 1})


@test
def sockets_are_counted():
    on_loopback()
    before = int(numbers("sockstat")["sockets:"]["used"])
    made = [socket.socket(family, *kind) for family in (socket.AF_INET, socket.AF_INET6)
            for kind in ((socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0), (socket.SOCK_DGRAM, 136), (socket.SOCK_RAW, 200))]
    count = lambda: [numbers("sockstat" + end)[kind + end + ":"]["inuse"]
                     for end in ("", "6") for kind in ("TCP", "UDP", "UDPLITE", "RAW")]
    eq(int(numbers("sockstat")["sockets:"]["used"]) - before, 8)
    eq(count(), list("00010001"))
    for s in made:
        if s.type != socket.SOCK_RAW:
            s.bind(("127.0.0.1" if s.family == socket.AF_INET else "::1", 0))
    eq(count(), list("01110111"))
    for s in made[::4]:
        s.listen()
    eq(count(), list("11111111"))
    client = socket.create_connection(made[0].getsockname())
    server, _ = made[0].accept()
    eq(count()[0], "3")


run()
