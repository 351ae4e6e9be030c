"""A hostile guest: random programs of classic BPF, as filters of sockets and of system calls.

    python3 bpf_fuzz.py SEED SECONDS
"""

import ctypes
import os
import socket
import struct

import workers

libc = ctypes.CDLL(None)
LOADS = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61, 0xB1]
SECCOMP_LOADS = [0x20, 0x20, 0x20, 0x80, 0x81, 0x00, 0x01, 0x60, 0x61]
STORES = [0x02, 0x03, 0x07, 0x87]
ALU = [0x04, 0x0C, 0x14, 0x1C, 0x24, 0x2C, 0x34, 0x3C, 0x44, 0x4C, 0x54, 0x5C, 0x64, 0x6C, 0x74, 0x7C, 0x84, 0x94, 0x9C, 0xA4, 0xAC]
JUMPS = [0x05, 0x15, 0x1D, 0x25, 0x2D, 0x35, 0x3D, 0x45, 0x4D]
RETURNS = [0x06, 0x06, 0x16]
WORDS = [0, 1, 2, 3, 4, 8, 12, 14, 16, 31, 32, 60, 63, 64, 100, 255, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFE00000, 0xFFEFFFFF,
         0xFFF00000, 0xFFFFF000, 0xFFFFF004, 0xFFFFF00C, 0xFFFFF010, 0xFFFFF028, 0xFFFFF034, 0xFFFFF038, 0xFFFFFFFC, 0xFFFFFFFF]
VERDICTS = [0x7FFF0000, 0x7FFF0000, 0x7FFF0000, 0x50026, 0x50FFF, 0x30000, 0x7FFC0000, 0x7FF00000]

sockets = []


def word(rng):
    return rng.choice(WORDS) if rng.random() < 0.8 else rng.getrandbits(32)


def program(rng, loads, verdicts):
    """Makes an instruction that is valid at its index, in most cases."""
    length = rng.choice((1, 2, 3, 5, 8, 20, 60)) if rng.random() < 0.97 else rng.choice((300, 4096, 5000))
    ops, written = [], {0}
    for i in range(length):
        left = length - i - 1
        pick = rng.random()
        jt = jf = 0
        k = word(rng)
        if left == 0 or pick < 0.04:
            code = rng.choice(RETURNS)
            k = rng.choice(verdicts)
        elif pick < 0.35:
            code = rng.choice(loads)
            if code in (0x60, 0x61):
                k = rng.choice(sorted(written))
            elif loads is SECCOMP_LOADS and code == 0x20:
                k = rng.randrange(0, 64, 4)
        elif pick < 0.45:
            code = rng.choice(STORES)
            k = rng.randrange(16)
            written.add(k) if code in (2, 3) else None
        elif pick < 0.75:
            code = rng.choice(ALU)
            k = rng.randrange(1, 32) if code in (0x64, 0x74, 0x34, 0x94) else k
        else:
            code = rng.choice(JUMPS)
            k = rng.randrange(left) if code == 0x05 else k
            jt, jf = rng.randrange(min(left, 256)), rng.randrange(min(left, 256))
        ops.append(struct.pack("=HBBI", code, jt, jf, k))
    ops.insert(0, struct.pack("=HBBI", 0x02, 0, 0, 0))
    for _ in range(rng.choice((0, 0, 0, 0, 1, 3))):
        ops[rng.randrange(len(ops))] = rng.randbytes(8)
    return b"".join(ops)


def fprog(data, rng):
    keep = ctypes.create_string_buffer(data)
    count = len(data) // 8
    if rng.random() < 0.03:
        count = rng.choice((0, 1, count + 1, 4097, 65535))
    address = ctypes.addressof(keep) if rng.random() < 0.98 else rng.choice((0, 8, 1 << 47, (1 << 64) - 8))
    return keep, struct.pack("=H6xQ", count & 0xFFFF, address)


def open_all():
    for family, kind, protocol in ((2, 2, 0), (10, 2, 0), (2, 3, 1), (16, 3, 0), (17, 3, 0x300), (17, 2, 0x300), (2, 2, 136)):
        try:
            s = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
            if family in (2, 10):
                s.bind(("127.0.0.1" if family == 2 else "::1", 0))
            sockets.append(s)
        except OSError:
            pass


def feed(rng):
    """Sends data to some of the sockets."""
    data = rng.randbytes(rng.choice((0, 1, 8, 20, 100, 1400)))
    target = rng.choice(sockets)
    try:
        if target.family in (2, 10) and target.type & 3 == 2:
            socket.socket(target.family, 2).sendto(data, target.getsockname()[:2])
        elif target.family == 16:
            target.send(struct.pack("=IHHIIB15x", 32, 18, 0x301, 1, 0, 0))
        elif target.family == 17:
            target.sendto(bytes(12) + b"\x88\xb5" + data, ("lo", 0x88B5))
    except OSError:
        pass
    for s in sockets:
        try:
            s.recv(2000)
        except OSError:
            pass


def filter_calls(rng):
    """Runs in a child of its own, which a filter may kill."""
    pid = os.fork()
    if pid != 0:
        return os.waitpid(pid, 0)
    try:
        libc.prctl(38, 1, 0, 0, 0)
        for _ in range(rng.randrange(1, 4)):
            keep, request = fprog(program(rng, SECCOMP_LOADS, VERDICTS), rng)
            libc.syscall(317, 1, rng.choice((0, 0, 1, 2, 4)), request)
        for number in (39, 102, 110, 186, 63, 24, 96, 228, 1000, -1):
            libc.syscall(number, 0, 0, 0)
    finally:
        os._exit(0)


def work(rng, step):
    if step == 0:
        libc.unshare(0x40000000)
        os.system("ip link set lo up")
        open_all()
    if rng.random() < 0.15:
        return filter_calls(rng)
    s = rng.choice(sockets)
    pick = rng.random()
    if pick < 0.7:
        verdicts = [0, 1, 8, 20, 100, 0xFFFF, 0xFFFFFFFF]
        keep, request = fprog(program(rng, LOADS, verdicts), rng)
        try:
            s.setsockopt(1, 26, request)
        except OSError:
            pass
    elif pick < 0.75:
        s.setsockopt(1, 27, 0)
    elif pick < 0.8:
        s.getsockopt(1, 26, rng.choice((0, 1, 100, 1024)))
    feed(rng)


workers.main(work)
