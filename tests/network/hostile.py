"""Random socket calls: bad addresses, options, messages, requests. The sandbox must live through
them.
"""

import ctypes
import fcntl
import mmap
import os
import random
import socket
import struct
import time

from lib.guest import NR, eq, run, sc, skip, test

SECONDS = 20.0 if "DVISOR_FULL" in os.environ else 3.0
MEMORY = 1 << 21
# Offsets of the arguments in it.
ADDRESS, LENGTH, REQUEST, HEADER, IOVECS, CONTROL = 0, 6144, 7168, 8192, 16384, 49152
NOSIGNAL = 0x4000
FIXED = 64 | NOSIGNAL


class Fuzz:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.memory = mmap.mmap(-1, MEMORY)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.fds = []

    def bytes(self, n):
        return bytes(self.random.randrange(256) for _ in range(n))

    def put(self, at, data):
        self.memory[at:at + len(data)] = data
        return self.base + at

    def pointer(self):
        good = self.base + self.random.randrange(MEMORY // 2)
        edge = self.base + MEMORY - self.random.randrange(1, 64)
        return self.random.choice([good, good, edge, 0, 8, 0x7FFFFFFFFFFF, 0xFFFF800000000000])

    def fd(self):
        r = self.random
        return r.choice(self.fds) if self.fds and r.random() < 0.97 else r.randrange(-2, 80)

    def address(self):
        r = self.random
        family = r.choice([0, 1, 2, 2, 2, 10, 10, 16, 17, r.randrange(65536)])
        data = struct.pack("H", family) + self.bytes(r.choice([0, 6, 14, 22, 26, 30, 126]))
        port = struct.pack("!H", r.choice([0, 1, 53, 7001]))
        if family == 2 and len(data) >= 8:
            host = r.choice(["127.0.0.1", "10.77.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"])
            data = data[:2] + port + socket.inet_aton(host) + data[8:]
        if family == 10 and len(data) >= 24:
            host = r.choice(["::1", "fd77::1", "::", "ff02::1", "::ffff:10.77.0.1"])
            data = data[:2] + port + data[4:8] + socket.inet_pton(10, host) + data[24:]
        length = r.choice([len(data), len(data), 0, 16, 28, r.randrange(-5, 200)])
        return self.put(ADDRESS, data), length

    def message(self):
        r = self.random
        name, length = self.address()
        count = r.choice([0, 1, 1, 2, 17, 1024, 1025])
        iovecs = b"".join(
            struct.pack("QQ", self.pointer(), r.choice([0, 1, 100, 4096, 70000, 2**40, 2**63]))
            for _ in range(count))
        self.put(IOVECS, iovecs)
        control = b""
        for _ in range(r.randrange(4)):
            data = self.bytes(r.choice([0, 1, 4, 12, 20, 40, 600]))
            size = r.choice([16 + len(data), 16 + len(data), 0, 15, 2**40])
            level, kind = r.choice([0, 41, 1, 17, 6, 255]), r.randrange(120)
            control += struct.pack("Qii", size, level, kind) + data + bytes(-len(data) % 8)
        self.put(CONTROL, control)
        header = struct.pack(
            "QIxxxxQQQQi", r.choice([name, 0]), length & 0xFFFFFFFF, self.base + IOVECS, count,
            r.choice([self.base + CONTROL, 0]), r.choice([len(control), 0, 4096, 2**31]), 0)
        return self.put(HEADER, header)

    def open(self):
        r = self.random
        family = r.choice([2, 2, 10, 10, 16, 1, 17])
        kind = r.choice([1, 2, 3, 5, r.randrange(12)]) | os.O_NONBLOCK
        fd = sc(NR.socket, family, kind, r.choice([0, 0, 6, 17, 1, 58, 136, 4, 255, -1, 300]))
        if fd >= 0:
            self.fds.append(fd)
        if len(self.fds) > 40:
            os.close(self.fds.pop(r.randrange(len(self.fds))))

    def accept(self):
        fd = sc(NR.accept4, self.fd(), self.pointer(), self.pointer(),
                self.random.choice([0, 0x800, 0x80000, 5]))
        if fd >= 0:
            fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
            self.fds.append(fd)

    def name(self):
        address, length = self.address()
        sc(self.random.choice([NR.bind, NR.connect]), self.fd(), address, length)

    def option(self):
        r = self.random
        level = r.choice([0, 1, 6, 17, 41, 58, 255, 270, 136, r.randrange(300)])
        name = r.randrange(120)
        if r.random() < 0.5:
            size = r.choice([0, 1, 4, 8, 12, 16, 20, 128, 264, 4096, -1])
            sc(NR.setsockopt, self.fd(), level, name, self.pointer(), size)
            return
        size = self.put(LENGTH, struct.pack("i", r.choice([0, 1, 4, 8, 16, 256, 4096, -1])))
        sc(NR.getsockopt, self.fd(), level, name, self.pointer(), size)

    def move(self):
        r = self.random
        flags = r.choice([0, 1, 2, 0x20, 0x8000, 0x2000, 0x102, r.getrandbits(31)])
        sc(r.choice([NR.sendmsg, NR.recvmsg]), self.fd(), self.message(), flags | FIXED)

    def ask(self):
        r = self.random
        request = r.choice([0x541B, 0x5411, 0x8905, 0x8912, r.randrange(0x8900, 0x8990)])
        sc(NR.ioctl, self.fd(), request, self.pointer())

    def netlink(self):
        r = self.random
        body = self.bytes(r.choice([0, 1, 4, 8, 12, 16, 24, 40, 60]))
        size = r.choice([16 + len(body), 16 + len(body), r.randrange(100), 0xFFFFFFFF])
        kind = r.choice([18, 20, 22, 26, 30, r.randrange(120)])
        header = struct.pack("IHHII", size, kind, r.choice([1, 0x301, 5, 0x305]), 1, 0)
        request = self.put(REQUEST, header + body)
        sc(NR.sendto, self.fd(), request, 16 + len(body), FIXED, 0, 0)

    def names(self):
        sc(self.random.choice([NR.getsockname, NR.getpeername]), self.fd(), self.pointer(),
           self.pointer())

    def end(self):
        sc(self.random.choice([NR.listen, NR.shutdown]), self.fd(), self.random.randrange(-1, 9))

    def step(self):
        calls = (self.open, self.accept, self.name, self.option, self.option, self.move, self.move,
                 self.move, self.ask, self.netlink, self.names, self.end)
        self.random.choice(calls)()


@test
def random_calls():
    if "DVISOR" not in os.environ:
        skip("they could change the network of the host")
    seed = random.randrange(1 << 32)
    print("seed", seed)
    fuzz, end = Fuzz(seed), time.monotonic() + SECONDS
    while time.monotonic() < end:
        fuzz.step()


@test
def the_network_is_as_before():
    with socket.create_connection(("10.77.0.1", 7001), timeout=10) as s:
        s.sendall(b"still here")
        eq(s.recv(100), b"still here")


run()
