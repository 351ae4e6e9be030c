"""/proc/sys/net: settings of network namespaces and of their links, and their effects (ip-sysctl
of Linux).
"""

import os
import socket
from errno import *
from lib.guest import *
from lib.links import *

NET = "/proc/sys/net/"
V4, V6 = NET + "ipv4/conf/", NET + "ipv6/conf/"


def read(path):
    with open(path) as f:
        return f.read().strip()


def put(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def conf(family, name, *where):
    return [read("%sipv%d/conf/%s/%s" % (NET, family, link, name)) for link in where]


@test
def links_have_directories():
    alone()
    eq(sorted(os.listdir(V4)), ["all", "default", "lo"])
    ip("link add v0 type veth peer name v1")
    for top in V4, V6:
        eq(sorted(os.listdir(top)), ["all", "default", "lo", "v0", "v1"])
        eq(os.stat(top + "v0").st_mode, 0o40555)
    eq(os.stat(V4 + "v0/forwarding").st_mode, 0o100644)
    eq(os.stat(V4 + "v0/mc_forwarding").st_mode, 0o100444)
    fails(EACCES, open, V4 + "v0/mc_forwarding", "w")
    put(V4 + "v0/tag", 7)
    ip("link set v0 name w0")
    eq(sorted(os.listdir(V4)), ["all", "default", "lo", "v1", "w0"])
    fails(ENOENT, os.stat, V4 + "v0")
    eq(conf(4, "tag", "w0", "v1"), ["7", "0"])
    for name in "all", "default":
        ip("link add %s type veth peer name x0" % name, code=2)
        ip("link set w0 name %s" % name, code=2)
    ip("link del w0")
    eq(sorted(os.listdir(V6)), ["all", "default", "lo"])


@cases([("%s of %s" % (name, where), family, name, where, value) for family, name, where, value in (
    (4, "accept_source_route", "all", 0), (4, "accept_source_route", "v0", 1), (4, "rp_filter", "v0", 0),
    (4, "disable_policy", "lo", 1), (4, "disable_policy", "v0", 0), (4, "arp_evict_nocarrier", "v0", 1),
    (4, "igmpv2_unsolicited_report_interval", "v0", 10000), (4, "secure_redirects", "v0", 1),
    (6, "accept_dad", "all", 0), (6, "accept_dad", "default", 1), (6, "accept_dad", "lo", -1),
    (6, "mtu", "default", 1280), (6, "mtu", "lo", 65536), (6, "mtu", "v0", 1500),
    (6, "hop_limit", "v0", 64), (6, "use_tempaddr", "lo", -1), (6, "ioam6_id_wide", "v0", 4294967295),
    (6, "router_solicitation_max_interval", "v0", 3600), (6, "temp_valid_lft", "all", 604800))])
def initial_values(family, name, where, value):
    alone()
    ip("link add v0 type veth peer name v1")
    eq(conf(family, name, where), [str(value)])


def takes(path, text, want):
    """Writes a setting and compares what is read back; or expects EINVAL."""
    if want == EINVAL:
        fails(EINVAL, put, path, text)
    else:
        put(path, text)
        eq(read(path), want)


@cases([("%s to %r" % (name, text), family, name, text, want) for family, name, text, want in (
    (4, "rp_filter", "-3", "-3"), (4, "tag", "2147483648", EINVAL), (4, "tag", " 0x11 ", "17"),
    (4, "tag", "3 4", "3"), (4, "tag", "x", EINVAL), (4, "tag", "6x", EINVAL), (4, "tag", "7\n\n", "7"),
    (4, "tag", " ", EINVAL), (4, "forwarding", "5", "5"), (6, "hop_limit", "0", EINVAL),
    (6, "hop_limit", "256", EINVAL), (6, "hop_limit", "9", "9"), (6, "addr_gen_mode", "4", EINVAL),
    (6, "ndisc_tclass", "256", EINVAL), (6, "ra_honor_pio_life", "2", EINVAL), (6, "mtu", "1279", EINVAL),
    (6, "mtu", "1501", EINVAL), (6, "mtu", "1400", "1400"), (6, "router_solicitations", "-2", EINVAL),
    (6, "ra_defrtr_metric", "4294967295", "4294967295"), (6, "accept_untracked_na", "3", EINVAL))])
def values_are_bounded(family, name, text, want):
    alone()
    ip("link add v0 type veth peer name v1")
    path = "%sipv%d/conf/v0/%s" % (NET, family, name)
    takes(path, text, want)


@test
def new_links_have_the_default_values():
    alone()
    ip("link add v0 type veth peer name v1")
    put(V4 + "v1/arp_notify", 1)
    put(V4 + "default/arp_notify", 2)
    eq(conf(4, "arp_notify", "v0", "v1", "all"), ["2", "1", "0"])
    ip("addr add 10.1.1.1/24 dev v0")
    put(V4 + "default/arp_notify", 3)
    eq(conf(4, "arp_notify", "v0", "v1", "lo"), ["2", "1", "3"])
    put(V6 + "default/accept_ra", 2)
    ip("link add w0 type veth peer name w1")
    eq(conf(6, "accept_ra", "v0", "w0"), ["1", "2"])
    eq(conf(4, "arp_notify", "w0"), ["3"])


@test
def forwarding_of_all():
    alone()
    ip("link add v0 type veth peer name v1")
    places = "all", "default", "lo", "v0"
    put(NET + "ipv4/ip_forward", 5)
    eq(conf(4, "forwarding", *places), ["5"] * 4)
    eq(conf(4, "accept_redirects", *places), ["0", "1", "1", "1"])
    put(V4 + "v0/forwarding", 0)
    put(V4 + "all/forwarding", 5)
    eq(conf(4, "forwarding", *places), ["5", "5", "5", "0"], "nothing changed")
    put(V4 + "all/forwarding", 0)
    eq(read(NET + "ipv4/ip_forward"), "0")
    eq(conf(4, "accept_redirects", "all"), ["1"])
    put(V6 + "all/forwarding", 1)
    eq(conf(6, "forwarding", *places), ["1"] * 4)
    put(V6 + "v0/forwarding", 0)
    eq(conf(6, "forwarding", *places), ["1", "1", "1", "0"])


def passes(left, right, source="10.8.1.1", to="10.8.2.1"):
    """Says whether a datagram arrives."""
    ready, sent = Pipe(), Pipe()

    def listen():
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind((to, 7000))
        ready.post()
        sent.take()
        u.settimeout(0.3)
        try:
            u.recv(10)
        except TimeoutError:
            os._exit(1)

    def talk():
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind((source, 0))
        try:
            u.sendto(b"x", (to, 7000))
        except OSError:
            pass

    pid = right.start(listen)
    ready.take()
    left.do(talk)
    sent.post()
    return os.waitpid(pid, 0)[1] == 0


@test
def forwarding_of_one_link():
    left, right = through()
    ok(not passes(left, right), "forwarding is off")
    put(V4 + "l0/forwarding", 1)
    ok(passes(left, right), "packets that arrive on l0 are forwarded")
    ok(not passes(right, left, "10.8.2.1", "10.8.1.1"), "the other link does not forward")


@test
def rp_filter_checks_the_route_back():
    left, right = through()
    put(NET + "ipv4/ip_forward", 1)
    ip("addr add 10.8.3.1/32 dev e0", ns=left.pid)
    ip("route add 10.8.3.1/32 dev r0")
    put(V4 + "l0/rp_filter", 1)
    ok(passes(left, right), "the link that leads back")
    ok(not passes(left, right, "10.8.3.1"), "another link leads back")
    put(V4 + "l0/rp_filter", 0)
    put(V4 + "all/rp_filter", 1)
    ok(not passes(left, right, "10.8.3.1"), "asked of all links")
    ip("route del 10.8.3.1/32 dev r0")
    put(V4 + "all/rp_filter", 2)
    ok(not passes(left, right, "10.8.3.1"), "no link leads back")


def knows(other, address):
    """Says whether a neighbour answers for an address."""
    def ask():
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.settimeout(2)
        try:
            s.connect((address, 7000))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return other.do(ask)


@cases([("0", 0, [True, True]), ("1", 1, [True, False]), ("2", 2, [True, False]), ("8", 8, [False, False])])
def arp_ignore(value, answers):
    other = pair()
    ip("link set lo up")
    ip("link add w0 type veth peer name w1")
    ip("addr add 10.7.7.7/24 dev w0")
    ip("link set w0 up")
    ip("route add 10.7.7.0/24 dev v1", ns=other.pid)
    put(V4 + "v0/arp_ignore", value)
    eq([knows(other, "10.1.1.1"), knows(other, "10.7.7.7")], answers)


@test
def proxy_arp():
    left, right = through()
    put(NET + "ipv4/ip_forward", 1)
    ip("route del default", ns=left.pid)
    ip("route add 10.8.2.0/24 dev e0", ns=left.pid)
    ok(not knows(left, "10.8.2.1"), "no answer without proxy_arp")
    put(V4 + "l0/proxy_arp", 1)
    # A proxy delays its answer at random, up to 0.8 s (proxy_delay).
    becomes(True, knows, left, "10.8.2.1", what="an answer by proxy")
    ok(not knows(left, "10.8.1.7"), "no answer: it would go back by the same link")


@test
def links_that_are_down():
    alone()
    other = Namespace()
    ip("link add v0 type veth peer name v1")
    ip("link add w0 type veth peer name w1 netns %d" % other.pid)
    for line in ("addr add 10.1.1.1/24 dev v0", "addr add 10.1.2.1/24 dev w0", "link set v0 up", "link set w0 up",
                 "link set lo up", "route add 10.5.0.0/16 dev v0", "route add 10.5.0.0/16 dev w0 metric 9"):
        ip(line)
    ip("addr add 10.5.0.1/16 dev w1", ns=other.pid)
    ip("link set w1 up", ns=other.pid)

    def source():
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.connect(("10.5.0.1", 7))
        return u.getsockname()[0]

    put(V4 + "v0/ignore_routes_with_linkdown", 1)
    eq(source(), "10.1.2.1")


@test
def without_ipv6():
    other = pair()
    ip("link set lo up")
    ok("fd00::1" in [a["local"] for a in shown("-6 addr show dev v0")[0]["addr_info"]], "an address")
    put(V6 + "v0/disable_ipv6", 1)
    eq(shown("-6 addr show dev v0"), [])
    ip("addr add fd00::1/64 dev v0", code=2)
    put(V6 + "all/disable_ipv6", 1)
    eq(conf(6, "disable_ipv6", "default", "lo", "v0"), ["1"] * 3)
    eq(shown("-6 addr show"), [])
    ip("link set lo down")
    put(V6 + "all/disable_ipv6", 0)
    ip("link set lo up")
    eq([a["local"] for a in shown("-6 addr show dev lo")[0]["addr_info"]], ["::1"])
    ip("addr add fd00::1/64 dev v0 nodad")
    put(V6 + "default/disable_ipv6", 1)
    eq(conf(6, "disable_ipv6", "lo", "v0"), ["0", "0"])


@test
def ipv6_follows_the_mtu():
    alone()
    ip("link add v0 type veth peer name v1")
    ip("link set v0 mtu 1450")
    eq(conf(6, "mtu", "v0"), ["1450"])


@test
def each_namespace_has_settings_of_its_own():
    alone()
    other = Namespace()
    put(V4 + "default/rp_filter", 2)
    put(NET + "core/somaxconn", 77)
    eq(other.do(lambda: [conf(4, "rp_filter", "default")[0], read(NET + "core/somaxconn") == "77"]), ["0", False])
    ip("link add v0 type veth peer name v1")
    put(V4 + "v0/tag", 5)
    ip("link set v0 netns %d" % other.pid)
    eq(other.do(conf, 4, "tag", "v0"), ["0"])


@cases([(name, name) for name in ("core/netdev_max_backlog", "core/default_qdisc", "ipv4/tcp_mem")])
def the_first_namespace_has(name):
    if not os.path.exists(NET + name):
        skip("not the first namespace")
    alone()
    fails(ENOENT, os.stat, NET + name)
    ok(os.path.basename(name) not in os.listdir(os.path.dirname(NET + name)), "listed")


@cases([(name, name) for name in ("core/rmem_max", "core/wmem_default", "ipv4/tcp_allowed_congestion_control")])
def other_namespaces_may_only_read(name):
    alone()
    eq(os.stat(NET + name).st_mode & 0o777, 0o444)
    fails(EACCES, open, NET + name, "w")


@cases([("range %d" % i, text, want) for i, (text, want) in enumerate((
    ("5", "5"), ("1,5-7", "1,5-7"), ("3,1,2", "1-3"), ("10-20,15-30", "10-30"), ("\n", ""), ("5,", "5"),
    ("7-5", EINVAL), ("8080, 9148", EINVAL), ("70000", EINVAL), ("1-2-3", EINVAL), ("x", EINVAL), ("1 2", EINVAL)))])
def ranges_of_ports(text, want):
    alone()
    path = NET + "ipv4/ip_local_reserved_ports"
    takes(path, text, want)


@test
def reserved_ports_are_not_given():
    alone()
    ip("link set lo up")
    put(NET + "ipv4/ip_local_port_range", "40000 40010")
    put(NET + "ipv4/ip_local_reserved_ports", "40000-40004,40006-40010")
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 0))
            eq(s.getsockname()[1], 40005)
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 40003))


@cases([(path, path, family, level, name, value, shown) for path, family, level, name, value, shown in (
    ("ipv4/ip_default_ttl", socket.AF_INET, socket.IPPROTO_IP, socket.IP_TTL, 77, 77),
    ("ipv6/bindv6only", socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1, 1),
    ("ipv6/conf/all/hop_limit", socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 66, 66),
    ("ipv4/tcp_keepalive_time", socket.AF_INET, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 100, 100),
    ("ipv4/tcp_keepalive_intvl", socket.AF_INET, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 11, 11),
    ("ipv4/tcp_keepalive_probes", socket.AF_INET, socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4, 4),
    ("ipv4/tcp_syn_retries", socket.AF_INET, socket.IPPROTO_TCP, socket.TCP_SYNCNT, 3, 3),
    ("ipv4/tcp_fin_timeout", socket.AF_INET, socket.IPPROTO_TCP, socket.TCP_LINGER2, 33, 33))])
def new_sockets_have_the_default_options(path, family, level, name, value, shown):
    alone()
    put(NET + path, value)
    with socket.socket(family, socket.SOCK_STREAM) as s:
        eq(s.getsockopt(level, name), shown)


@test
def ip_nonlocal_bind_allows_foreign_addresses():
    alone()
    ip("link set lo up")
    for family, kind, address in ("ipv4", socket.AF_INET, "10.9.9.9"), ("ipv6", socket.AF_INET6, "fd09::9"):
        with socket.socket(kind, socket.SOCK_STREAM) as s:
            fails(EADDRNOTAVAIL, s.bind, (address, 0))
            put(NET + family + "/ip_nonlocal_bind", 1)
            s.bind((address, 0))


@test
def somaxconn_bounds_the_backlog():
    alone()
    ip("link set lo up")
    put(NET + "core/somaxconn", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind("listener")
        s.listen(100)
        clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
        for client in clients:
            client.setblocking(False)
        clients[0].connect("listener")
        clients[1].connect("listener")
        fails(EAGAIN, clients[2].connect, "listener")


@test
def max_dgram_qlen_bounds_queued_messages():
    alone()
    put(NET + "unix/max_dgram_qlen", 2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as c:
        s.bind("receiver")
        c.setblocking(False)
        for _ in range(3):
            c.sendto(b"x", "receiver")
        fails(EAGAIN, c.sendto, b"x", "receiver")


@test
def echo_requests_without_answers():
    other = pair()
    def ping():
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.settimeout(0.5)
        s.sendto(bytes((8, 0, 0xF7, 0xFD, 0, 1, 0, 1)), ("10.1.1.1", 0))
        try:
            return s.recv(100)[20]
        except TimeoutError:
            return -1
    eq(other.do(ping), 0)
    put(NET + "ipv4/icmp_echo_ignore_all", 1)
    eq(other.do(ping), -1)


@test
def administrators_may_write():
    alone()
    path = V4 + "lo/tag"

    def user():
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        fails(EACCES, open, path, "w")
        if sc(NR.unshare, 0x10000000) != 0:
            return
        fails(EACCES, open, path, "w")
        works(NR.unshare, NEWNET)
        put(path, 6)
        eq(read(path), "6")
    eq(in_child(user), 0)
    eq(read(path), "0")


run()
