"""Attacks by sockets, and by dumps of all sockets."""

import os
import socket
import struct
import threading

from calls import CLONE_NEWNET, own_namespaces, table

ATTACKS, attack = table()


def read_all(path):
    with open(path, "rb") as f:
        while f.read(1 << 16):
            pass


def own_network():
    own_namespaces(CLONE_NEWNET)
    with socket.socket() as s:
        import fcntl
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 1))


def bound(count, kind=socket.SOCK_DGRAM):
    held = []
    for i in range(count):
        try:
            s = socket.socket(socket.AF_INET, kind)
            s.bind((f"127.{1 + i // 60000}.0.1", 1024 + i % 60000))
            if kind == socket.SOCK_STREAM:
                s.listen(1)
        except OSError:
            break
        held.append(s)
    return held


def dump(kind, what, body, flags=0x301):
    """Sends a dump request of netlink and reads all of the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, kind) as s:
        s.send(struct.pack("IHHII", 16 + len(body), what, flags, 1, 0) + body)
        while True:
            data = s.recv(1 << 18)
            at = 0
            while at + 16 <= len(data):
                length, mark = struct.unpack_from("IH", data, at)
                if mark in (2, 3):
                    return
                at += (length + 3) & ~3


@attack
def proc_net_of_20000_udp(scale):
    own_network()
    held = bound(int(20000 * scale))

    def go():
        assert held
        read_all("/proc/self/net/udp")
    return go


@attack
def proc_net_of_20000_tcp(scale):
    own_network()
    held = bound(int(20000 * scale), socket.SOCK_STREAM)

    def go():
        assert held
        read_all("/proc/self/net/tcp")
    return go


@attack
def proc_net_of_20000_unix(scale):
    own_network()
    held = [socket.socketpair() for _ in range(int(10000 * scale))]

    def go():
        assert held
        read_all("/proc/self/net/unix")
    return go


@attack
def sock_diag_of_20000_udp(scale):
    own_network()
    held = bound(int(20000 * scale))
    body = struct.pack("BBBxI48x", socket.AF_INET, 17, 0, 0xFFFFFFFF)

    def go():
        assert held
        dump(4, 20, body)
    return go


@attack
def sock_diag_of_20000_tcp(scale):
    own_network()
    held = bound(int(20000 * scale), socket.SOCK_STREAM)
    body = struct.pack("BBBxI48x", socket.AF_INET, 6, 0, 0xFFFFFFFF)

    def go():
        assert held
        dump(4, 20, body)
    return go


@attack
def sock_diag_of_20000_unix(scale):
    own_network()
    held = [socket.socketpair() for _ in range(int(10000 * scale))]
    body = struct.pack("BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, 0x3F, 0, 0)

    def go():
        assert held
        dump(4, 20, body)
    return go


@attack
def routes_of_20000(scale):
    own_network()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        for i in range(int(20000 * scale)):
            dst = struct.pack("HH", 8, 1) + bytes([10, i >> 16, i >> 8 & 255, i & 255])
            oif = struct.pack("HHI", 8, 4, 1)
            body = struct.pack("BBBBBBBBI", 2, 32, 0, 0, 254, 3, 253, 1, 0) + dst + oif
            s.send(struct.pack("IHHII", 16 + len(body), 24, 0x405, i, 0) + body)
            error = struct.unpack_from("i", s.recv(4096), 16)[0]
            if error != 0:
                break

    def go():
        dump(0, 26, struct.pack("BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0))
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(100):
            try:
                s.sendto(b"x", (f"10.0.{i}.77", 9))
            except OSError:
                pass
        s.close()
    return go


@attack
def addresses_of_5000(scale):
    own_network()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        for i in range(int(5000 * scale)):
            address = struct.pack("HH", 8, 2) + bytes([10, 1, i >> 8, i & 255])
            body = struct.pack("BBBBI", 2, 32, 0, 0, 1) + address
            s.send(struct.pack("IHHII", 16 + len(body), 20, 0x405, i, 0) + body)
            if struct.unpack_from("i", s.recv(4096), 16)[0] != 0:
                break
    return lambda: dump(0, 22, struct.pack("BBBBI", 0, 0, 0, 0, 0))


@attack
def unix_datagrams(scale):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.setblocking(False)
    b.setblocking(False)

    def go():
        for size in (1, 100000):
            for s in (a, b):
                try:
                    for _ in range(int(5000 * scale) + 1):
                        s.send(b"x" * size)
                except BlockingIOError:
                    pass
            for s in (a, b):
                try:
                    while True:
                        s.recv(1 << 18)
                except BlockingIOError:
                    pass
    return go


@attack
def udp_flood(scale):
    own_network()
    sinks = bound(4)

    def flood():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for i in range(int(20000 * scale)):
            s.sendto(b"x" * 1000, sinks[i % 4].getsockname())
        s.close()

    def go():
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    return go


@attack
def tcp_of_large_buffers(scale):
    own_network()
    listener = bound(1, socket.SOCK_STREAM)[0]
    a = socket.socket()
    a.connect(listener.getsockname())
    b, _ = listener.accept()
    data = bytes(int((64 << 20) * scale) + 1)

    def drain():
        left = len(data)
        while left > 0:
            left -= len(b.recv(1 << 24))

    def go():
        t = threading.Thread(target=drain)
        t.start()
        a.sendall(data)
        t.join()
    return go


@attack
def connections_closed_at_once(scale):
    own_network()
    listener = bound(1, socket.SOCK_STREAM)[0]
    listener.listen(4096)

    def go():
        held = []
        for _ in range(int(2000 * scale) + 1):
            s = socket.socket()
            s.setblocking(False)
            try:
                s.connect(listener.getsockname())
            except BlockingIOError:
                pass
            held.append(s)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        del held
        listener.setblocking(False)
        try:
            while True:
                listener.accept()[0].close()
        except BlockingIOError:
            pass
    return go


@attack
def socket_filter_of_4096_steps(scale):
    import ctypes
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    steps = int(4094 * scale) + 1
    program = struct.pack("HBBI", 0x00, 0, 0, 7) * steps + struct.pack("HBBI", 0x06, 0, 0, 0xFFFF)
    held = ctypes.create_string_buffer(program)
    b.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxQ", steps + 1, ctypes.addressof(held)))

    def go():
        for _ in range(200):
            a.send(b"x")
            b.recv(10)
    return go
