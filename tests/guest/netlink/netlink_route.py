"""rtnetlink(7): messages of its multicast groups, neighbours, rules, extended errors, membership.
"""

import fcntl
import os
import socket
import struct
from errno import *
from lib.guest import *
from lib.links import ip, own_network
from lib.netlink import *

LINK, NEIGH, ADDR4, ROUTE4, ADDR6, ROUTE6 = 1, 3, 5, 7, 9, 11
NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, GETADDR, NEWROUTE, DELROUTE = 16, 17, 18, 20, 21, 22, 24, 25
GETROUTE = 26
NEWNEIGH, DELNEIGH, GETNEIGH, NEWRULE, GETRULE = 28, 29, 30, 32, 34


PAIR = ("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up")


def listener(*groups):
    n = Netlink(0)
    for group in groups:
        n.join(group)
    return n


def messages_after(n, command, kinds, enough=len):
    """
    Runs a command and returns its messages of these kinds, read until `enough` accepts them. Linux
    sends all but a change of carrier before it answers the command, so that a caller that expects
    no message need not wait.
    """
    n.pending()
    ip(command)
    found = []

    def has_come():
        found.extend(one for one in n.pending() if one[0] in kinds)
        return enough(found)
    wait_until(has_come, "messages of " + command)
    return found


def any_number(found):
    return True


def index_of(one):
    return struct.unpack_from("=i", one[4], 4)[0]


@test
def a_new_link_is_announced():
    own_network()
    n = listener(LINK)
    found = messages_after(n, "link add v0 type veth peer name v1", {NEWLINK}, lambda found: len(found) >= 2)
    names = {attributes(one[4][16:])[3] for one in found}
    eq(names, {b"v0\0", b"v1\0"})


@test
def the_other_end_of_a_pair_has_the_lower_number():
    own_network("link add v0 type veth peer name v1")
    eq((socket.if_nametoindex("v1"), socket.if_nametoindex("v0")), (2, 3))


@cases([("up", "link set v0 down"), ("mtu", "link set v0 mtu 1400"), ("name", "link set v0 down"), ("alias", "link set v0 alias x")])
def a_change_of_a_link_is_announced(command):
    own_network(*PAIR)
    n = listener(LINK)
    index = socket.if_nametoindex("v0")
    messages_after(n, command, {NEWLINK}, lambda found: any(index_of(one) == index for one in found))


@test
def a_change_of_the_peer_s_carrier_is_announced():
    own_network(*PAIR)
    n, other = listener(LINK), socket.if_nametoindex("v1")
    messages_after(n, "link set v0 down", {NEWLINK}, lambda found: any(index_of(one) == other for one in found))


@test
def counts_of_a_link_have_their_sizes():
    n = Netlink(0)
    n.send(GETLINK, 1, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    [(_, _, _, _, body)] = messages(n.s.recv(8192))
    found = attributes(body[16:])
    eq((len(found[7]), len(found[23])), (96, 200))


@test
def a_deleted_link_is_announced():
    own_network(*PAIR)
    n, both = listener(LINK), {socket.if_nametoindex("v0"), socket.if_nametoindex("v1")}
    eq({index_of(one) for one in messages_after(n, "link del v0", {DELLINK}, lambda found: len(found) >= 2)}, both)


@test
def added_and_deleted_addresses_are_announced():
    own_network(*PAIR)
    n = listener(ADDR4)
    one, = messages_after(n, "addr add 10.1.1.1/24 dev v0", {NEWADDR})
    eq((one[4][0], one[4][1], attributes(one[4][8:])[2]), (2, 24, b"\x0a\1\1\1"))
    one, = messages_after(n, "addr del 10.1.1.1/24 dev v0", {DELADDR})
    eq(attributes(one[4][8:])[2], b"\x0a\1\1\1")


@test
def addresses_have_their_protocol():
    own_network("addr add 10.1.1.1/24 dev lo proto 5", "addr add fd00::5/64 dev lo proto 7 nodad")
    for words in ("10.1.1.1/24 dev lo proto 6", "fd00::5/64 dev lo proto 9 nodad"):
        ip("addr replace " + words)
    n = Netlink(0)
    found = {a[1]: a.get(11) for a in (attributes(one[4][8:]) for one in n.ask(GETADDR, DUMP, bytes(8)))}
    eq(found, {b"\x7f\0\0\1": None, b"\x0a\1\1\1": b"\6",
               bytes(15) + b"\1": b"\1", b"\xfd" + bytes(14) + b"\5": b"\x09"})


@test
def a_group_receives_messages_of_its_family_only():
    own_network(*PAIR)
    n = listener(ADDR6)
    eq(messages_after(n, "addr add 10.1.1.1/24 dev v0", {NEWADDR}, any_number), [])
    address = b"\xfd" + bytes(14) + b"\1"
    found = messages_after(n, "addr add fd00::1/64 dev v0 nodad", {NEWADDR},
                 lambda found: any(attributes(one[4][8:])[1] == address for one in found))
    eq({one[4][0] for one in found}, {10}, "the family of all")


@test
def added_and_deleted_routes_are_announced():
    own_network(*PAIR, "addr add 10.1.1.1/24 dev v0")
    n = listener(ROUTE4)
    one, = messages_after(n, "route add 10.2.0.0/16 via 10.1.1.2", {NEWROUTE})
    found = attributes(one[4][12:])
    eq((one[4][1], found[1], found[5]), (16, b"\x0a\2\0\0", b"\x0a\1\1\2"))
    one, = messages_after(n, "route del 10.2.0.0/16", {DELROUTE})
    eq(attributes(one[4][12:])[1], b"\x0a\2\0\0")


@test
def routes_of_a_new_address_are_announced():
    own_network(*PAIR)
    n = listener(ROUTE4)
    messages_after(n, "addr add 10.1.1.1/24 dev v0", {NEWROUTE},
         lambda found: {(one[4][1], one[4][7]) for one in found} >= {(24, 1), (32, 2)})


@test
def a_socket_that_left_a_group_receives_nothing():
    own_network(*PAIR)
    n = listener(LINK, ADDR4)
    n.option(DROP_MEMBERSHIP, LINK)
    eq(messages_after(n, "link set v0 mtu 1400", {NEWLINK}, any_number), [])
    eq(len(messages_after(n, "addr add 10.1.1.1/24 dev v0", {NEWADDR})), 1)


@test
def messages_name_their_group():
    own_network(*PAIR)
    n = listener(LINK)
    n.option(PKTINFO)
    ip("link set v0 mtu 1400")
    data, controls, flags, sender = n.s.recvmsg(65536, 100)
    eq((controls, sender), ([(SOL_NETLINK, PKTINFO, struct.pack("=I", LINK))], (0, 1)))


@test
def a_change_by_ioctl_is_announced():
    own_network(*PAIR)
    n = listener(LINK)
    import fcntl
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(s, 0x8922, struct.pack("16si12x", b"v0", 1300))
    found = []

    def is_announced():
        found.extend(n.pending())
        return any(one[0] == NEWLINK and attributes(one[4][16:])[4] == struct.pack("=I", 1300) for one in found)
    wait_until(is_announced, "the new MTU")


@test
def membership_is_listed():
    n = Netlink(0)
    n.join(LINK)
    n.join(33)
    words = n.s.getsockopt(SOL_NETLINK, LIST_MEMBERSHIPS, 64)
    eq(struct.unpack_from("=II", words), (1, 1))
    eq(n.s.getsockname()[1], 1)
    n.option(DROP_MEMBERSHIP, LINK)
    eq(n.s.getsockname()[1], 0)


@cases([("0", 0), ("-1", -1), ("1000", 1000)], shared=True)
def a_group_that_does_not_exist_cannot_be_joined(group):
    fails(EINVAL, Netlink(0).join, group)


@test
def a_bound_socket_keeps_its_number():
    n = Netlink(0)
    own = n.s.getsockname()[0]
    fails(EINVAL, n.s.bind, (own + 1, 0))
    n.s.bind((own, 1))
    eq(n.s.getsockname(), (own, 1))
    other = socket.socket(16, 3, 0)
    fails(EADDRINUSE, other.bind, (own, 0))


@test
def programs_send_messages_to_each_other():
    a, b = Netlink(USERSOCK), Netlink(USERSOCK)
    a.s.sendto(b"hello", (b.s.getsockname()[0], 0))
    eq(b.s.recvfrom(100), (b"hello", (a.s.getsockname()[0], 0)))
    a.s.connect((b.s.getsockname()[0], 0))
    a.s.send(b"again")
    eq(b.s.recv(100), b"again")
    fails(ECONNREFUSED, a.s.sendto, b"x", (0x7FFFFFF0, 0))
    fails(ECONNREFUSED, b.s.send, b"to the kernel")


@test
def a_program_sends_to_a_group():
    need_root()
    a, b = Netlink(USERSOCK), Netlink(USERSOCK)
    b.join(3)
    try:
        a.s.sendto(b"hello", (0, 1 << 2))
    except ConnectionRefusedError:
        pass
    eq(b.s.recvfrom(100), (b"hello", (a.s.getsockname()[0], 4)))


@cases([("nothing", b"", ENODATA), ("too much", bytes(1 << 20), EMSGSIZE)], shared=True)
def sending_of(data, code):
    fails(code, Netlink(0).s.send, data)


def error_of(n, kind, flags, body):
    n.send(kind, flags | REQUEST | ACK, body)
    one = n.receive()[0]
    eq(one[0], ERROR)
    return one


@test
def an_error_carries_the_request():
    n = Netlink(0)
    body = struct.pack("=BxHiII", 0, 0, 99999, 0, 0) + attribute(29, bytes(4))
    one = error_of(n, GETLINK, 0, body)
    eq((one[1], struct.unpack_from("=i", one[4])[0], one[4][20:]), (0, -ENODEV, body))
    n.option(CAP_ACK)
    one = error_of(n, GETLINK, 0, body)
    eq((one[1], len(one[4])), (0x100, 20))


@test
def success_carries_its_header_alone():
    own_network()
    one = error_of(Netlink(0), NEWLINK, 0, struct.pack("=BxHiII", 0, 0, 1, 1, 1))
    eq((one[1], struct.unpack_from("=i", one[4])[0], len(one[4])), (0x100, 0, 20))


@test
def an_extended_error_has_a_text():
    own_network()
    n = Netlink(0)
    n.option(EXT_ACK)
    n.option(CAP_ACK)
    info = attribute(18, attribute(1, b"nonesuch\0"))
    one = error_of(n, NEWLINK, CREATE | EXCL, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + info)
    eq((one[1], struct.unpack_from("=i", one[4])[0]), (0x300, -EOPNOTSUPP))
    eq(attributes(one[4][20:])[1], b"Unknown device type\0")


@cases([("addresses", GETADDR, 3), ("routes", GETROUTE, 4), ("neighbours", GETNEIGH, 1)])
def families_are_listed_one_behind_the_other(kind, least):
    own_network(*PAIR, "addr add fd01::1/64 dev v0", "addr add 10.1.1.1/24 dev v0", "addr add 10.1.2.1/24 dev v1",
                "neigh add fd01::9 lladdr 02:00:00:00:00:09 dev v0",
                "neigh add 10.1.1.9 lladdr 02:00:00:00:00:09 dev v0")
    found = [one[4][0] for one in Netlink(0).ask(kind, DUMP, bytes(12))]
    ok(found.count(2) >= least and found.count(10) >= 1, "both families: %r" % found)
    eq(found, sorted(found))


@test
def rules_of_a_new_namespace_can_be_listed():
    own_network()
    found = Netlink(0).ask(GETRULE, DUMP, struct.pack("=B11x", 2))
    priorities = [struct.unpack("=I", attributes(one[4][12:]).get(6, bytes(4)))[0] for one in found]
    eq((priorities, [one[4][4] for one in found]), ([0, 32766, 32767], [255, 254, 253]))
    found = Netlink(0).ask(GETRULE, DUMP, struct.pack("=B11x", 10))
    eq([one[4][4] for one in found], [255, 254])


def neighbour(index, address=b"\x0a\1\1\x09", mac=b"\2\0\0\0\0\x09", state=0x80, family=2):
    body = struct.pack("=BxxxiHBB", family, index, state, 0, 0)
    return body + (attribute(1, address) if address is not None else b"") + (attribute(2, mac) if mac else b"")


@test
def neighbours_are_added_and_deleted():
    own_network(*PAIR, "addr add 10.1.1.1/24 dev v0")
    n, watch, index = Netlink(0), listener(NEIGH), socket.if_nametoindex("v0")
    n.ask(NEWNEIGH, ACK | CREATE | EXCL, neighbour(index))
    one = [one for one in watch.pending() if attributes(one[4][12:]).get(1) == b"\x0a\1\1\x09"][0]
    eq((one[0], struct.unpack_from("=i", one[4], 4)[0], attributes(one[4][12:])[2]), (NEWNEIGH, index, b"\2\0\0\0\0\x09"))
    found = [attributes(one[4][12:]) for one in n.ask(GETNEIGH, DUMP, struct.pack("=B11x", 2))]
    ok(any(a[1] == b"\x0a\1\1\x09" and a[2] == b"\2\0\0\0\0\x09" for a in found), "it is listed")
    fails(EEXIST, n.ask, NEWNEIGH, ACK | CREATE | EXCL, neighbour(index))
    n.ask(NEWNEIGH, ACK | REPLACE, neighbour(index, mac=b"\2\0\0\0\0\x0a"))
    one, = n.ask(GETNEIGH, 0, neighbour(index, mac=None, state=0))
    eq(attributes(one[4][12:])[2], b"\2\0\0\0\0\x0a")
    n.ask(DELNEIGH, ACK, neighbour(index, mac=None))
    ok(DELNEIGH in [one[0] for one in watch.pending()], "the deletion is announced")
    fails(ENOENT, n.ask, DELNEIGH, ACK, neighbour(index, mac=None))
    fails(ENOENT, n.ask, GETNEIGH, 0, neighbour(index, mac=None, state=0))


def hardware_address(dev, ip="10.1.1.9", family=2, flags=0, kind=0, on=socket.AF_INET):
    """Returns what SIOCGARP gives: the hardware address and the flags, or an error."""
    b = struct.pack("=H2x4s8xH14xi16x16s", family, socket.inet_aton(ip), kind, flags, dev.encode())
    with socket.socket(on, socket.SOCK_DGRAM) as s:
        try:
            return struct.unpack_from("=H6s8xi4x4s8x", fcntl.ioctl(s, 0x8954, b), 16)
        except OSError as e:
            return e.errno


@test
def arp_ioctls_return_the_hardware_address():
    own_network(*PAIR, "addr add 10.1.1.1/24 dev v0",
                "neigh add 10.1.1.9 lladdr 02:00:00:00:00:09 dev v0", "neigh add 10.1.1.8 lladdr 02:00:00:00:00:08 dev v0 nud stale",
                "neigh add 10.1.1.7 lladdr 02:00:00:00:00:07 dev v0 nud noarp", "neigh add 10.1.1.6 dev v0 nud failed")
    eq(hardware_address("v0"), (1, b"\2\0\0\0\0\x09", 6, b"\xff" * 4))
    eq(hardware_address("v0", "10.1.1.8", kind=1, flags=2), (1, b"\2\0\0\0\0\x08", 2, b"\xff" * 4))
    eq(hardware_address("v0", flags=0x28), (1, b"\2\0\0\0\0\x09", 6, bytes(4)))
    eq(hardware_address("v0", "10.1.1.6"), (1, bytes(6), 0, b"\xff" * 4))
    eq([hardware_address("v0", ip) for ip in ("10.1.1.7", "10.1.1.5", "10.1.1.1")], [ENXIO] * 3)
    eq([hardware_address(dev) for dev in ("lo", "", "none9", "v0:1")], [ENXIO, ENODEV, ENODEV, ENODEV])
    eq(hardware_address("none9", family=10), EPFNOSUPPORT)
    eq([hardware_address("none9", flags=flags) for flags in (0x20, 0x40, 0x48)], [EINVAL, EINVAL, ENODEV])
    eq(hardware_address("v0", kind=5, flags=2), EINVAL)
    eq([hardware_address("v0", on=on) for on in (socket.AF_INET6, socket.AF_UNIX)], [ENOTTY] * 2)


@cases([
    ("oneself", "127.0.0.1", (32, 254, 2, 0x80000200), [15, 1, 4, 7, 12], {4: 1, 7: "127.0.0.1"}),
    ("a neighbour", "10.1.1.7", (32, 254, 1, 0x200), [15, 1, 4, 7, 12], {7: "10.1.1.1"}),
    ("one behind a gateway", "10.2.2.2", (32, 254, 1, 0x200), [15, 1, 4, 7, 5, 12], {5: "10.1.1.9", 7: "10.1.1.1"}),
    ("oneself in IPv6", "::1", (128, 255, 2, 0), [15, 1, 7, 4, 12], {4: 1, 7: "::1"}),
])
def the_way_to(address, head, order, values):
    own_network(*PAIR, "addr add 10.1.1.1/24 dev v0", "link set v1 up", "route add 10.2.2.0/24 via 10.1.1.9")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.inet_pton(family, address)
    n = Netlink(0)
    n.send(26, 1, struct.pack("=4B8x", family, 8 * len(raw), 0, 0) + attribute(1, raw))
    [(kind, _, _, _, body)] = messages(n.s.recv(8192))
    dst_len, table, kind_of_route, flags = struct.unpack_from("=xB2xBxxBI", body)
    eq((kind, (dst_len, table, kind_of_route, flags)), (NEWROUTE, head))
    found = attributes(body[12:])
    # The message may have RTA_SRC, RTA_PRIORITY, RTA_UID and RTA_PREF as well.
    eq([one for one in found if one not in (2, 6, 20, 25)], order)
    eq(len(found[12]), 32)
    for one, value in values.items():
        eq(found[one], struct.pack("=I", value) if one == 4 else socket.inet_pton(family, value))


@cases([
    ("no address", dict(address=None), EINVAL), ("a short address", dict(address=b"\1"), EINVAL), ("a short link address", dict(mac=b"\1\2"), EINVAL),
    ("no such link", dict(index=999), ENODEV), ("no link", dict(index=0), EINVAL),
])
def a_neighbour_is_refused_with(change, code):
    own_network(*PAIR)
    arguments = dict(index=socket.if_nametoindex("v0"))
    arguments.update(change)
    fails(code, Netlink(0).ask, NEWNEIGH, ACK | CREATE, neighbour(**arguments))


@test
def changes_need_a_capability():
    need_root()

    def nobody():
        os.setuid(1)
        n = Netlink(0)
        n.join(LINK)
        fails(EPERM, n.ask, NEWLINK, ACK, struct.pack("=BxHiII", 0, 0, 1, 0, 1))
        fails(EPERM, n.ask, NEWNEIGH, ACK | CREATE, neighbour(1))
        fails(EPERM, n.s.sendto, bytes(20), (4242, 0))

    child_ok(nobody)


run()
