"""Credentials that netlink requests are checked with, and the ids that UNIX sockets report."""

import errno
import os
import signal
import socket
import struct

from lib import netlink
from lib.guest import NR, Pipe, child_ok, eq, fails, sc, skip, spawn
from lib.namespaces import NEWNET, NEWPID, NEWUSER, clone_ok, map_ids, unshare
from lib.passing import acting_as, become, body, give, take

USER = 1000
RTM_NEWLINK, RTM_GETLINK = 16, 18
IFF_UP = 1
LINK_UP = netlink.message(RTM_NEWLINK, netlink.REQUEST | netlink.ACK,
                          struct.pack("=BxHiII", 0, 0, 1, IFF_UP, IFF_UP))


def verdict(s):
    """0 or the errno of the answer."""
    for kind, _, _, _, answer in netlink.messages(s.recv(1 << 16)):
        if kind == netlink.ERROR:
            return -struct.unpack_from("=i", answer)[0]
    raise AssertionError("no verdict")


def route_socket():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.ROUTE)
    s.settimeout(10)
    return s


@body
def a_netlink_request_needs_the_rights_of_opener_and_sender():
    unshare(NEWNET)
    with acting_as(USER):
        users = route_socket()
    roots = route_socket()
    # Root writes into the socket of a user, as a set-ID program does whose output goes there.
    os.write(users.fileno(), LINK_UP)
    eq(verdict(users), errno.EPERM)
    users.send(LINK_UP)
    eq(verdict(users), errno.EPERM)
    # A user writes into the socket of root.
    with acting_as(USER):
        os.write(roots.fileno(), LINK_UP)
    eq(verdict(roots), errno.EPERM)
    os.write(roots.fileno(), LINK_UP)
    eq(verdict(roots), 0)


@body
def a_send_without_an_address_needs_the_opener_s_rights():
    unshare(NEWNET)
    with acting_as(USER):
        s = route_socket()
        s.connect((0, 0))
    os.write(s.fileno(), LINK_UP)
    eq(verdict(s), errno.EPERM)
    # A set-ID program writes its output without an address; a send with an address is deliberate.
    s.sendto(LINK_UP, (0, 0))
    eq(verdict(s), 0)
    with acting_as(USER):
        s.sendto(LINK_UP, (0, 0))
    eq(verdict(s), errno.EPERM)


@body
def every_user_may_send_netlink_queries():
    unshare(NEWNET)
    with acting_as(USER):
        s = route_socket()
        body = struct.pack("=BxHiII", 0, 0, 1, 0, 0)
        s.send(netlink.message(RTM_GETLINK, netlink.REQUEST, body))
        eq([m[0] for m in netlink.messages(s.recv(1 << 16))], [RTM_NEWLINK])


def spliced(s, data):
    r, w = os.pipe()
    os.write(w, data)
    eq(os.splice(r, s.fileno(), len(data)), len(data))


def sent_from_file(s, data):
    with open("data", "wb") as f:
        f.write(data)
    with open("data", "rb") as f:
        eq(os.sendfile(s.fileno(), f.fileno(), 0, len(data)), len(data))


def submitted(s, data):
    """By io_submit(2)."""
    import ctypes
    context, text = ctypes.c_ulong(), ctypes.create_string_buffer(data)
    if sc(206, 8, context) != 0:
        skip("no AIO here")
    iocb = ctypes.create_string_buffer(struct.pack(
        "<QIIHhIQQqQII", 0, 0, 0, 1, 0, s.fileno(), ctypes.addressof(text), len(data), 0, 0, 0, 0))
    pointers = (ctypes.c_ulong * 1)(ctypes.addressof(iocb))
    eq(sc(209, context.value, 1, pointers), 1)
    result = ctypes.create_string_buffer(32)
    eq(sc(208, context.value, 1, 1, result, None), 1)
    eq(struct.unpack_from("<q", result.raw, 16)[0], len(data))


WAYS = [spliced, sent_from_file, submitted]


@body
def every_call_that_sends_checks_the_caller():
    unshare(NEWNET)
    os.chmod(".", 0o777)
    a, b = socket.socketpair()
    for way in WAYS:
        s = route_socket()
        go, done = Pipe(), Pipe()
        def user():
            become(USER)
            go.take()
            way(s, LINK_UP)
            done.post()
        pid = spawn(user)
        # Root sends first: the next sender must not get the credentials of the last one.
        a.send(b"x")
        go.post()
        done.take()
        eq(verdict(s), errno.EPERM, way.__name__)
        eq(os.waitpid(pid, 0)[1], 0)
        way(s, LINK_UP)
        eq(verdict(s), 0, way.__name__)


@body
def every_call_that_sends_passes_the_caller_s_credentials():
    os.chmod(".", 0o777)
    other, _ = kept = socket.socketpair()
    for way in WAYS:
        a, b = socket.socketpair()
        b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        go, done = Pipe(), Pipe()
        def user():
            become(USER)
            go.take()
            way(a, b"hello")
            done.post()
        pid = spawn(user)
        other.send(b"x")
        go.post()
        done.take()
        data, control, _, _ = b.recvmsg(100, 100)
        eq(data, b"hello")
        eq([struct.unpack("iII", c[2]) for c in control], [(pid, USER, USER)], way.__name__)
        os.waitpid(pid, 0)


# UNIX sockets

SO_PEERGROUPS, SO_PEERPIDFD = 59, 77


def peer(s):
    return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


@body
def peer_credentials_are_those_at_connect_and_listen():
    with acting_as(USER):
        server = socket.socket(socket.AF_UNIX)
        server.bind("\0dvisor-cred-%d" % os.getpid())
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    with acting_as(2000):
        client.connect(server.getsockname())
    accepted = server.accept()[0]
    me = os.getpid()
    eq(peer(client), (me, 0, 0), "ids at listen, not at bind")
    eq(peer(accepted), (me, 2000, 2000), "ids at connect, not at accept")
    def user():
        become(3000)
        eq(peer(accepted), (me, 2000, 2000))
        eq(peer(client), (me, 0, 0))
    child_ok(user)


@body
def a_socket_pair_has_the_credentials_of_its_maker():
    os.setgroups([5, 6])
    a, b = socket.socketpair()
    eq(peer(a), (os.getpid(), 0, 0))
    def user():
        become(USER)
        eq(peer(a), (os.getppid(), 0, 0))
        groups = a.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, 64)
        eq(struct.unpack("%dI" % (len(groups) // 4), groups), (5, 6))
    child_ok(user)


@body
def peer_credentials_are_shown_in_the_reader_s_namespace():
    a, b = socket.socketpair()
    def inside():
        eq(peer(a), (0, 65534, 65534))
    def user():
        clone_ok(NEWUSER | NEWPID, inside)
    child_ok(user)


@body
def peer_credentials_name_a_process_not_a_number():
    """Runs in a PID namespace of its own, where the next PID can be chosen."""
    def inside():
        ours, theirs = socket.socketpair()
        def maker():
            pair = socket.socketpair()
            give(theirs, pair[0].fileno())
        pid = spawn(maker)
        s = socket.socket(fileno=take(ours)[0])
        os.waitpid(pid, 0)
        with open("/proc/sys/kernel/ns_last_pid", "w") as f:
            f.write(str(pid - 1))
        go = Pipe()
        other = spawn(go.take)
        eq(other, pid, "the PID is reused")
        # The socket refers to the process that ended, not to the new process with its PID.
        fd = ctypes_getsockopt(s, SO_PEERPIDFD)
        if fd == -errno.ENOPROTOOPT:
            go.post()
            os.waitpid(other, 0)
            return
        if fd >= 0:
            # Newer kernels return a pidfd of a process that has ended.
            fails(errno.ESRCH, signal.pidfd_send_signal, fd, 0)
        else:
            eq(fd, -errno.EINVAL)
        go.post()
        os.waitpid(other, 0)
    clone_ok(NEWPID, inside)


def ctypes_getsockopt(s, name):
    import ctypes
    value, size = ctypes.c_int(-1), ctypes.c_uint(4)
    r = sc(NR.getsockopt, s.fileno(), socket.SOL_SOCKET, name, value, size)
    return value.value if r == 0 else r


@body
def claimed_credentials_need_capabilities():
    a, b = socket.socketpair()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    def claim(pid, uid, gid):
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS,
                            struct.pack("iII", pid, uid, gid))])
        _, control, _, _ = b.recvmsg(1, 100)
        return struct.unpack("iII", control[0][2])
    eq(claim(1, 5, 6), (1, 5, 6))
    fails(errno.ESRCH, claim, 4000000, 5, 6)
    def user():
        os.setgroups([])
        os.setresgid(10, 11, 12)
        os.setresuid(10, 11, 12)
        me = os.getpid()
        for uid in (10, 11, 12):
            eq(claim(me, uid, uid), (me, uid, uid))
        fails(errno.EPERM, claim, me, 0, 10)
        fails(errno.EPERM, claim, me, 10, 0)
        fails(errno.EPERM, claim, os.getppid(), 10, 10)
    child_ok(user)
    def inside():
        me = os.getpid()
        eq(claim(me, 0, 0), (me, 0, 0))
        # Ids that its namespace does not map, and a process that it may not name.
        fails(errno.EINVAL, claim, me, 5, 0)
        fails(errno.EPERM, claim, os.getppid(), 0, 0)
    def mapped():
        become(USER)
        unshare(NEWUSER)
        map_ids("self", "0 1000 1", "0 1000 1")
        me = os.getpid()
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS,
                            struct.pack("iII", me, 0, 0))])
        fails(errno.EINVAL, claim, me, 5, 0)
        fails(errno.EPERM, claim, os.getppid(), 0, 0)
    child_ok(mapped)
    _, control, _, _ = b.recvmsg(1, 100)
    eq(struct.unpack("iII", control[0][2])[1:], (USER, USER))


@body
def socket_options_check_the_caller():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    SO_MARK, SO_SNDBUFFORCE = 36, 32
    s.setsockopt(socket.SOL_SOCKET, SO_MARK, 7)
    with acting_as(USER):
        fails(errno.EPERM, s.setsockopt, socket.SOL_SOCKET, SO_MARK, 8)
        fails(errno.EPERM, s.setsockopt, socket.SOL_SOCKET, SO_SNDBUFFORCE, 4096)
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.setsockopt(socket.SOL_SOCKET, SO_MARK, 7)


@body
def a_raw_socket_checks_its_maker():
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with acting_as(USER):
        fails(errno.EPERM, socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        fails(errno.EPERM, socket.socket, socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        # A socket that a capable process made can be used without the capability.
        eq(raw.sendto(b"\0\x09\0\x09\0\x08\0\0", ("127.0.0.1", 0)), 8)
        packets.getsockname()


@body
def a_port_is_shared_by_sockets_of_one_user():
    def shared(port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", port))
        return s
    first = shared(0)
    port = first.getsockname()[1]
    kept = shared(port)
    with acting_as(USER):
        fails(errno.EADDRINUSE, shared, port)


if __name__ == "__main__":
    from lib.guest import run
    run()
