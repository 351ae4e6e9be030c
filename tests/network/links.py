"""Links, addresses and routes as programs read them: netlink, ioctls, /proc and /sys."""

import errno
import fcntl
import os
import re
import socket
import struct
import subprocess

from lib.guest import eq, fails, ok, run, skip, test

PEER4, OWN4, OWN6, LINK = "10.77.0.1", "10.77.0.2", "fd77::2", "veth77"


def output(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError("%s: %s" % (argv[0], done.stderr.strip()))
    return done.stdout


def ioctl(request, name=LINK):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack("16s24x", name.encode()))


@test
def ip_addr_shows_the_link():
    text = output("ip", "addr")
    ok(re.search(r"\d+: lo: <LOOPBACK,UP", text), "lo is there")
    ok(re.search(r"\d+: veth77@", text), "the link is there")
    for address in ("inet %s/24" % OWN4, "inet6 %s/64" % OWN6, "inet 127.0.0.1/8", "inet6 ::1/128"):
        ok(address in text, address)
    ok(OWN4 in output("ip", "-4", "addr", "show", "dev", LINK), "one link")
    ok(OWN6 not in output("ip", "-4", "addr"), "one family")


@test
def ip_route_shows_the_routes():
    ok("default via %s dev %s" % (PEER4, LINK) in output("ip", "route"), "the default route")
    ok("10.77.0.0/24 dev %s" % LINK in output("ip", "route"), "the route of the link")
    ok("fd77::/64 dev %s" % LINK in output("ip", "-6", "route"), "IPv6")
    ok("via %s dev %s src %s" % (PEER4, LINK, OWN4) in output("ip", "route", "get", "192.0.2.9"), "get")


@test
def neighbours_and_rules():
    with socket.create_connection((PEER4, 7001)):
        ok(PEER4 in output("ip", "neigh"), "the peer is a neighbour")
    ok("lookup main" in output("ip", "rule"), "the rules")


@test
def nothing_can_be_changed():
    if "DVISOR" not in os.environ:
        skip("only in the sandbox")
    done = subprocess.run(["ip", "link", "set", LINK, "down"], capture_output=True, text=True)
    ok("Operation not permitted" in done.stderr, "EPERM of netlink")
    fails(errno.EPERM, ioctl, 0x8914)
    fails(errno.ENODEV, ioctl, 0x8913, "nothing")


@test
def ioctls():
    index = struct.unpack("16xi", ioctl(0x8933)[:20])[0]
    eq(index, socket.if_nametoindex(LINK))
    flags = struct.unpack("16xH", ioctl(0x8913)[:18])[0]
    eq(flags & 0x1049, 0x1041)
    eq(socket.inet_ntoa(ioctl(0x8915)[20:24]), OWN4)
    eq(socket.inet_ntoa(ioctl(0x891B)[20:24]), "255.255.255.0")
    eq(struct.unpack("16xi", ioctl(0x8921)[:20])[0], 1500)
    eq([name for _, name in socket.if_nameindex()][0], "lo")
    names = {name for _, name in socket.if_nameindex()}
    ok(LINK in names, "getifaddrs")
    import array
    buffer = array.array("B", bytes(4096))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        conf = fcntl.ioctl(s, 0x8912, struct.pack("iL", 4096, buffer.buffer_info()[0]))
    length = struct.unpack("iL", conf)[0]
    data = buffer.tobytes()
    found = {data[i:i + 16].rstrip(b"\0"): data[i + 20:i + 24] for i in range(0, length, 40)}
    eq(found[LINK.encode()], socket.inet_aton(OWN4))


@test
def proc_and_sys():
    with open("/proc/net/dev") as f:
        ok(LINK in f.read(), "/proc/net/dev")
    with open("/proc/net/route") as f:
        ok(re.search(r"veth77\t00000000\t01004D0A", f.read()), "/proc/net/route")
    with open("/proc/net/if_inet6") as f:
        ok("fd770000000000000000000000000002" in f.read(), "/proc/net/if_inet6")
    with open("/proc/net/snmp") as f:
        ok(f.read().startswith("Ip: "), "/proc/net/snmp")
    folder = "/sys/class/net/" + LINK
    ok(LINK in os.listdir("/sys/class/net"), "/sys/class/net")
    with open(folder + "/mtu") as f:
        eq(f.read(), "1500\n")
    with open(folder + "/address") as f:
        eq(f.read().strip(), ":".join("%02x" % b for b in ioctl(0x8927)[18:24]))
    with open(folder + "/statistics/rx_bytes") as f:
        ok(int(f.read()) > 0, "bytes were counted")


@test
def ss_shows_sockets():
    with socket.create_server((OWN4, 0)) as server:
        port = server.getsockname()[1]
        ok("%s:%d" % (OWN4, port) in output("ss", "-tlnH"), "a listener")
        with socket.create_connection((OWN4, port)):
            text = output("ss", "-tanH")
            ok(re.search(r"ESTAB.*%s:%d\b" % (OWN4, port), text), "a connection")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            u.bind((OWN4, 0))
            ok("%s:%d" % u.getsockname() in output("ss", "-uanH"), "a datagram socket")


@test
def addresses_of_names():
    """Checks that getaddrinfo sorts by the present addresses and routes."""
    eq(socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)[0][4], ("127.0.0.1", 80))
    found = socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    eq({family for family, *_ in found}, {socket.AF_INET, socket.AF_INET6})


run()
