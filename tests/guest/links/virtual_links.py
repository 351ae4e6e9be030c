"""Links between network namespaces: veth pairs, bridges, addresses, routes, and sockets across
them.
"""

import os
import select
import socket
import struct
import time
from errno import *
from lib.guest import *
from lib.links import *


def serve(address, family=socket.AF_INET):
    """Answers one connection and one datagram with their bytes in capitals."""
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 7000))
    s.listen()
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind((address, 7000))
    c, client = s.accept()
    c.sendall(c.recv(100).upper() + b" " + client[0].encode())
    c.close()
    data, client = u.recvfrom(100)
    u.sendto(data.upper() + b" " + client[0].encode(), client)


def talk(address, family=socket.AF_INET):
    made = []

    def connects():
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(10)
        if s.connect_ex((address, 7000)) != 0:
            s.close()
            return False
        made.append(s)
        return True
    wait_until(connects, "a connection")
    s, = made
    s.sendall(b"stream")
    first = s.recv(100).decode()
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.settimeout(10)
    u.sendto(b"datagram", (address, 7000))
    return [first, u.recv(100).decode(), s.getsockname()[0]]


@test
def a_pair_of_links():
    alone()
    ip("link add v0 type veth peer name v1")
    a, b = [next(l for l in shown("link") if l["ifname"] == n) for n in ("v0", "v1")]
    eq((a["link_type"], a["mtu"], a["operstate"]), ("ether", 1500, "DOWN"))
    ok("UP" not in a["flags"] and "BROADCAST" in a["flags"], "flags")
    ip("link set v0 up")
    eq(shown("link show v0")[0]["operstate"], "LOWERLAYERDOWN")
    ip("link set v1 up")
    eq(shown("link show v0")[0]["operstate"], "UP")
    ip("link set v0 mtu 1400 address 02:11:22:33:44:55 alias hello")
    a = shown("link show v0")[0]
    eq((a["mtu"], a["address"], a["ifalias"]), (1400, "02:11:22:33:44:55", "hello"))
    eq(shown("-d link show v0")[0]["linkinfo"]["info_kind"], "veth")
    ok(os.path.exists("/sys/class/net/") , "sysfs")
    names = [l.split(":")[0].strip() for l in open("/proc/self/net/dev")][2:]
    eq(sorted(names), ["lo", "v0", "v1"])
    ip("link del v1")
    eq([l["ifname"] for l in shown("link")], ["lo"])


@test
def names():
    alone()
    ip("link add d1 type bridge")
    ok("exists" in ip("link add d1 type bridge", code=2), "a second one")
    ip("link add nosuch type nosuchkind", code=2)
    ip("link set d1 name d2")
    ok(ip("link show d1", code=1) != "", "the old name is gone")
    ip("link add type veth")
    eq(sorted(l["ifname"] for l in shown("link")), ["d2", "lo", "veth0", "veth1"])
    ip("link set nothing up", code=1)
    ip("link del lo", code=2)


@test
def addresses():
    alone()
    ip("link add d0 type bridge")
    ip("addr add 10.5.0.1/16 brd + dev d0")
    ip("addr add 10.5.0.1/16 dev d0", code=2)
    info = shown("addr show d0")[0]["addr_info"][0]
    eq((info["local"], info["prefixlen"], info["broadcast"]), ("10.5.0.1", 16, "10.5.255.255"))
    eq((info["scope"], info["label"]), ("global", "d0"))
    eq(shown("route"), [], "no routes while it is down")
    ip("link set d0 up")
    route = shown("route")[0]
    eq((route["dst"], route["dev"], route["prefsrc"]), ("10.5.0.0/16", "d0", "10.5.0.1"))
    rows = [l.split() for l in open("/proc/self/net/route")][1:]
    eq(rows[0][:4] + rows[0][7:8], ["d0", "0000050A", "00000000", "0001", "0000FFFF"])
    s = socket.socket()
    s.bind(("10.5.0.1", 0))
    ip("addr del 10.5.0.1/16 dev d0")
    try:
        socket.socket().bind(("10.5.0.1", 0))
        ok(False, "the address is gone")
    except OSError as e:
        eq(e.errno, EADDRNOTAVAIL)
    ip("addr del 10.5.0.1/16 dev d0", code=2)


@test
def addresses_of_a_link_are_reached_by_the_loopback():
    alone()
    ip("link set lo up")
    ip("link add d0 type bridge")
    ip("addr add 10.5.0.1/16 dev d0")
    ip("link set d0 up")
    s = socket.socket()
    s.bind(("", 7000))
    s.listen()
    c = socket.create_connection(("10.5.0.1", 7000), 10)
    eq(c.getsockname()[0], "10.5.0.1")
    eq(s.accept()[1], c.getsockname())


@test
def streams_and_datagrams_cross():
    other = pair()
    pid = other.start(serve, "")
    eq(talk("10.1.1.2"), ["STREAM 10.1.1.1", "DATAGRAM 10.1.1.1", "10.1.1.1"])
    eq(os.waitpid(pid, 0)[1], 0)
    pid = other.start(serve, "::", socket.AF_INET6)
    eq(talk("fd00::2", socket.AF_INET6), ["STREAM fd00::1", "DATAGRAM fd00::1", "fd00::1"])
    eq(os.waitpid(pid, 0)[1], 0)


@test
def connections_to_unused_addresses_fail():
    other = pair()

    def attempt(address, port=7001):
        s = socket.socket()
        s.settimeout(4)
        try:
            s.connect((address, port))
            return 0
        except OSError as e:
            return e.errno

    eq(attempt("10.1.1.2"), ECONNREFUSED)
    eq(attempt("10.9.9.9"), ENETUNREACH)
    eq(other.do(attempt, "10.1.1.1"), ECONNREFUSED)
    ok(ip("route get 10.9.9.9", code=2) != "", "no route")
    eq(shown("route get 10.1.1.2")[0]["prefsrc"], "10.1.1.1")


def errors_of(s, seconds=8):
    """
    Returns the entries of the error queue: bytes, level of the control message, error, destination.
    """
    wait = select.poll()
    wait.register(s, 0)
    if not wait.poll(seconds * 1000):
        return []
    found = []
    while True:
        try:
            data, [(level, _, error)], _, to = s.recvmsg(99, 300, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return found
        found.append((data, level, struct.unpack("IBBB", error[:7]), error[20:24] if level == 0 else error[24:40], to[0]))


@cases([("four", socket.AF_INET, "10.1.1.77", 0, 11, (EHOSTUNREACH, 2, 3, 1), socket.inet_aton("10.1.1.1")),
        ("six", socket.AF_INET6, "fd00::77", 41, 25, (EHOSTUNREACH, 3, 1, 3), socket.inet_pton(socket.AF_INET6, "fd00::1"))])
def neighbours_that_do_not_answer(family, unused_address, level, name, error, own):
    pair()
    ip("link set lo up")
    asked, other, linked = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(3))
    for s in (asked, linked):
        s.setsockopt(level, name, 1)
    linked.connect((unused_address, 9))
    for s in (asked, other, linked):
        s.setblocking(False)
    start = time.monotonic()
    eq([asked.sendto(b"one", (unused_address, 9)), asked.sendto(b"two", (unused_address, 9)), other.sendto(b"x", (unused_address, 9)), linked.send(b"y")],
       [3, 3, 1, 1])
    eq(errors_of(asked), [(b, level, error, own, unused_address) for b in (b"one", b"two")])
    ok(2.5 < time.monotonic() - start < 7, "after three questions")
    eq(errors_of(linked), [(b"y", level, error, own, unused_address)])
    eq((errors_of(other, 0.2), other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), ([], 0),
       "a socket without the option has no error")


@test
def connections_to_neighbours_that_do_not_answer():
    pair()
    ip("link set lo up")
    s, start = socket.socket(), time.monotonic()
    s.setblocking(False)
    eq(s.connect_ex(("10.1.1.77", 9)), EINPROGRESS)
    wait = select.poll()
    wait.register(s, select.POLLOUT)
    ok(wait.poll(9000), "an end")
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), EHOSTUNREACH)
    ok(2.5 < time.monotonic() - start < 7, "after three questions")
    s = socket.socket()
    eq(s.connect_ex(("10.1.1.77", 9)), EHOSTUNREACH, "one that waits")


@test
def raw_sockets_receive_the_error_of_an_unanswered_neighbour():
    pair()
    ip("link set lo up")
    receiver, raw = (socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) for _ in range(2))
    receiver.settimeout(9)
    raw.sendto(b"\x08\0\0\0\0\1\0\1hello", ("10.1.1.77", 0))
    got = receiver.recv(999)
    eq((socket.inet_ntoa(got[12:16]), got[20:22], got[28 + 20:28 + 22], got[-5:]), ("10.1.1.1", b"\3\1", b"\x08\0", b"hello"))


@test
def a_link_ends_with_its_namespace():
    other = pair()
    os.kill(other.pid, 9)
    os.waitpid(other.pid, 0)
    wait_until(lambda: [l["ifname"] for l in shown("link")] == ["lo"], "the pair is gone")


@test
def a_bridge_joins_three():
    alone()
    ip("link add br0 type bridge")
    ip("addr add 10.7.0.254/24 dev br0")
    ip("link set br0 up")
    others = [Namespace(), Namespace()]
    for i, other in enumerate(others):
        ip("link add p%d type veth peer name e0 netns %d" % (i, other.pid))
        ip("link set p%d master br0 up" % i)
        for line in "addr add 10.7.0.%d/24 dev e0" % (i + 1), "link set e0 up", "link set lo up":
            ip(line, ns=other.pid)
    eq(shown("link show p0")[0]["master"], "br0")
    pid = others[0].start(serve, "")
    eq(others[1].do(talk, "10.7.0.1"), ["STREAM 10.7.0.2", "DATAGRAM 10.7.0.2", "10.7.0.2"])
    eq(os.waitpid(pid, 0)[1], 0)
    pid = others[1].start(serve, "")
    eq(talk("10.7.0.2"), ["STREAM 10.7.0.254", "DATAGRAM 10.7.0.254", "10.7.0.254"])
    eq(os.waitpid(pid, 0)[1], 0)


@test
def routes_through_a_third():
    left, right = through()
    route = next(r for r in shown("route", ns=left.pid) if r["dst"] == "default")
    eq((route["gateway"], route["dev"]), ("10.8.1.254", "e0"))
    ok("exists" in ip("route add default via 10.8.1.254", ns=left.pid, code=2), "twice")
    with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write("1")
    pid = right.start(serve, "")
    eq(left.do(talk, "10.8.2.1"), ["STREAM 10.8.1.1", "DATAGRAM 10.8.1.1", "10.8.1.1"])
    eq(os.waitpid(pid, 0)[1], 0)
    ip("route del default", ns=left.pid)
    ip("route del default", ns=left.pid, code=2)
    ip("route add 10.99.0.0/16 via 10.98.0.1", ns=left.pid, code=2)


@cases([(k, k, code) for k, code in (("blackhole", EINVAL), ("unreachable", EHOSTUNREACH),
                                        ("prohibit", EACCES), ("throw", ENETUNREACH))])
def routes_that_lead_nowhere(kind, code):
    pair()
    ip("link set lo up")
    ip("route add default via 10.1.1.2")
    ip("route add %s 10.2.0.0/16 metric 7" % kind)
    ip("-6 route add %s fd02::/16" % kind)
    ok("exists" in ip("route add %s 10.2.0.0/16 metric 7" % kind, code=2), "twice")
    ok("can not be" in ip("route add %s 10.3.0.0/16 via 10.1.1.2" % kind, code=2), "by a station")
    four = next(r for r in shown("-details route") if r["dst"] == "10.2.0.0/16")
    eq((four["type"], four["metric"], "dev" in four), (kind, 7, False))
    six = next(r for r in shown("-6 -details route") if r["dst"] == "fd02::/16")
    eq((six["type"], six["dev"], six["metric"]), (kind, "lo", 1024))
    row = [l.split() for l in open("/proc/net/route") if l.split()[1] == "0000020A"][0]
    eq((row[0], row[3]), ("*", "0201" if kind in ("unreachable", "prohibit") else "0001"))
    for family, address in ((socket.AF_INET, "10.2.5.5"), (socket.AF_INET6, "fd02::5")):
        for sort in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            fails(code, socket.socket(family, sort).connect, (address, 9))
        fails(code, socket.socket(family, socket.SOCK_DGRAM).sendto, b"x", (address, 9))
        ip("route get " + address, code=2)
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"v0")
    bound.connect(("10.2.5.5", 9))
    ip("route add 10.2.0.0/24 via 10.1.1.2")
    eq(shown("route get 10.2.0.9")[0]["gateway"], "10.1.1.2")
    ip("route add %s 10.5.0.0/16" % kind)
    ip("route del 10.5.0.0/16")
    other = "throw" if kind == "prohibit" else "prohibit"
    ip("route del %s 10.2.0.0/16" % other, code=2)
    ip("link set v0 down")
    eq([r["dst"] for r in shown("route")], ["10.2.0.0/16"], "a link's end is not theirs")
    ip("route del %s 10.2.0.0/16" % kind)
    eq(shown("route"), [])


@test
def needs_a_capability():
    alone()

    def child():
        os.setresuid(1000, 1000, 1000)
        return 0 if "not permitted" in ip("link add d0 type bridge", code=2) else 1

    eq(os.waitpid(spawn(child), 0)[1], 0)


@test
def ioctls_describe_a_link():
    import fcntl
    import struct
    alone()
    ip("link add d0 type bridge")
    ip("addr add 10.5.0.1/16 brd + dev d0")
    ip("link set d0 up")
    s = socket.socket()

    def ask(request):
        return fcntl.ioctl(s, request, struct.pack("=16s24x", b"d0"))[16:]

    eq(ask(0x8915)[4:8], b"\x0a\x05\0\1")
    eq(ask(0x891B)[4:8], b"\xff\xff\0\0")
    eq(ask(0x8919)[4:8], b"\x0a\x05\xff\xff")
    eq(struct.unpack("=i", ask(0x8921)[:4])[0], 1500)
    eq(sorted(n for _, n in socket.if_nameindex()), ["d0", "lo"])
    eq(socket.if_nametoindex("d0"), shown("link show d0")[0]["ifindex"])


@test
def routes_are_listed_in_order():
    alone()
    ip("link add v0 type veth peer name v1")
    for line in ("addr add 10.0.0.1/8 dev v0", "addr add 10.0.0.2/24 dev v0", "link set v0 up", "link set v1 up"):
        ip(line)
    for line in ("192.168.0.0/16", "9.1.0.0/16", "9.0.0.0/8 metric 5", "9.0.0.0/8 metric 3", "9.0.0.0/16", "default"):
        ip("route add via 10.0.0.9 " + line)
    eq([(r["dst"], r.get("metric", 0)) for r in shown("route")], [
        ("default", 0), ("9.0.0.0/16", 0), ("9.0.0.0/8", 3), ("9.0.0.0/8", 5), ("9.1.0.0/16", 0),
        ("10.0.0.0/24", 0), ("10.0.0.0/8", 0), ("192.168.0.0/16", 0)])


run()
