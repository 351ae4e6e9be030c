"""Copies that end at memory that may not be touched: bytes that were copied, lost and kept."""

import os
import socket
import struct

from lib.guest import *
from lib.operands import *

SYS.update(mq_timedsend=242, mq_timedreceive=243, msgget=68, msgsnd=69, msgrcv=70, msgctl=71)
DGRAM, SEQPACKET, PEEK = socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, 2


def received(pair, room, flags=0):
    """Sends two messages and receives one into `room` bytes. Returns both results."""
    a, b = pair
    b.send(b"12345678")
    b.send(b"second")
    r = sc(NR.recvfrom, a.fileno(), UNMAPPED if room == 0 else edge(room), 8, flags, None, None)
    a.setblocking(False)
    return spell(r) + " " + a.recv(100).decode()


def unix(kind):
    return socket.socketpair(socket.AF_UNIX, kind)


def udp(family=socket.AF_INET, host="127.0.0.1"):
    a, b = socket.socket(family, DGRAM), socket.socket(family, DGRAM)
    a.bind((host, 0))
    b.connect(a.getsockname())
    return a, b


def descriptors_of_a_lost_message():
    """Checks that a lost message closes the pipe end that it carries."""
    a, b = unix(DGRAM)
    r, w = os.pipe()
    socket.send_fds(b, [b"12345678"], [w])
    os.close(w)
    got = sc(NR.recvfrom, a.fileno(), UNMAPPED, 8, 0, None, None)
    return spell(got) + " " + str(os.read(r, 1))


def sender_is_woken():
    a, b = unix(DGRAM)
    b.setblocking(False)
    try:
        while True:
            b.send(b"x")
    except BlockingIOError:
        sc(NR.recvfrom, a.fileno(), UNMAPPED, 8, 0, None, None)
    return b.send(b"y")


def queued():
    fd = descriptor("queue")
    for text in (b"one", b"two"):
        works(NR.mq_timedsend, fd, text, 3, 0, None)
    at = buf(8192)
    r = sc(NR.mq_timedreceive, fd, UNMAPPED, 8192, None, None)
    n = sc(NR.mq_timedreceive, fd, at, 8192, None, None)
    return spell(r) + " " + ctypes.string_at(at, n).decode()


def sysv():
    q = works(NR.msgget, 0, 0o600)
    for text in (b"one", b"two"):
        works(NR.msgsnd, q, struct.pack("q", 1) + text, 3, 0)
    at = buf()
    r = sc(NR.msgrcv, q, UNMAPPED, 10, 0, 0)
    n = sc(NR.msgrcv, q, at, 10, 0, 0o4000)
    works(NR.msgctl, q, 0, None)
    return spell(r) + " " + ctypes.string_at(at + 8, n).decode()


MESSAGES = [
    ("dgram nowhere", "EFAULT second", lambda: received(unix(DGRAM), 0)),
    ("dgram in half", "EFAULT second", lambda: received(unix(DGRAM), 4)),
    ("dgram looked at nowhere", "EFAULT 12345678", lambda: received(unix(DGRAM), 0, PEEK)),
    ("dgram looked at in half", "EFAULT 12345678", lambda: received(unix(DGRAM), 4, PEEK)),
    ("seqpacket nowhere", "EFAULT second", lambda: received(unix(SEQPACKET), 0)),
    ("seqpacket in half", "EFAULT second", lambda: received(unix(SEQPACKET), 4)),
    ("seqpacket looked at in half", "EFAULT 12345678", lambda: received(unix(SEQPACKET), 4, PEEK)),
    ("udp nowhere", "EFAULT second", lambda: received(udp(), 0)),
    ("udp in half", "EFAULT second", lambda: received(udp(), 4)),
    ("udp looked at in half", "EFAULT 12345678", lambda: received(udp(), 4, PEEK)),
    ("dgram with descriptors", "EFAULT b''", descriptors_of_a_lost_message),
    ("dgram makes room", "1", sender_is_woken),
    ("queue", "EFAULT two", queued),
    ("sysv", "EFAULT two", sysv),
]


@cases(MESSAGES)
def message(expected, fn):
    judged(expected, fn)


@cases([("%d of %d" % row, *row) for row in
        [(1, 201), (63, 64), (100, 300), (256, 257), (300, 500), (4095, 4096)]], shared=True)
def random_bytes(room, wanted):
    gives(room, NR.getrandom, edge(room), wanted, 0)


def information(size, code, tail, sig, expected):
    """Calls rt_sigqueueinfo with this many bytes at an edge, and `tail` behind the first 48."""
    signal.signal(sig, signal.SIG_IGN)
    data = struct.pack("iii", sig, 0, code) + bytes(36) + bytes([tail]) * 80
    at = edge(size)
    ctypes.memmove(at, data[:size], size)
    eq(spell(sc(NR.rt_sigqueueinfo, os.getpid(), sig, at)), expected)


@cases([(("%d bytes code %d tail %d signal %d" % row[:4]).replace("-", "minus "), *row) for row in [
    (47, -1, 0, 40, "EFAULT"),
    (48, -1, 0, 40, "0"),
    (48, -7, 0, 40, "0"),
    (48, -8, 0, 40, "EFAULT"),
    (48, -60, 0, 40, "0"),
    (48, -61, 0, 40, "EFAULT"),
    (48, 0, 0, 40, "0"),
    (48, 6, 0, 40, "0"),
    (48, 7, 0, 40, "EFAULT"),
    (48, 6, 0, 17, "0"),
    (48, 7, 0, 17, "EFAULT"),
    (48, 7, 0, 8, "0"),
    (48, 128, 0, 40, "0"),
    (127, -100, 0, 40, "EFAULT"),
    (128, -1, 1, 40, "0"),
    (128, -8, 0, 40, "0"),
    (128, -8, 1, 40, "E2BIG"),
    (128, 7, 1, 40, "E2BIG"),
    (128, 7, 1, 8, "0"),
    (128, 7, 1, 17, "E2BIG"),
]], shared=True)
def siginfo(*row):
    information(*row)


def sizes_of_a_queue():
    fd, found = descriptor("queue"), []
    for size in (0, 5, 2**31 - 1, 2**31):
        r = spell(sc(NR.ftruncate, fd, size))
        os.lseek(fd, 0, 0)
        found.append("%s %d %d" % (r, os.fstat(fd).st_size, len(os.read(fd, 100))))
    return ", ".join(found)


@test
def mq_getsetattr_returns_the_size_of_the_queue():
    last = 2**31 - 1
    judged("0 0 60, 0 5 60, 0 %d 60, EINVAL %d 60" % (last, last), sizes_of_a_queue)


def vector(*parts):
    return (ctypes.c_uint64 * (2 * len(parts)))(*[n for part in parts for n in part])


@test
def process_vm_readv_of_many_megabytes():
    """The two vectors have different boundaries, and the last remote part is unmapped."""
    one = 1 << 20
    source = ctypes.create_string_buffer(bytes(range(251)) * (2 * one // 251), 2 * one)
    target = ctypes.create_string_buffer(one)
    src, dst = ctypes.addressof(source), ctypes.addressof(target)
    remote = vector(*[(src + 4 * i, one) for i in range(20)])
    local = vector((dst, 7), *[(dst, one) for _ in range(19)], (dst + 7, one - 7))
    gives(20 * one, NR.process_vm_readv, os.getpid(), local, 21, remote, 20, 0)
    # The end of the target is from the last part, its start from the part before.
    eq(target[one - 4:], source[4 * 19 + one - 4:4 * 19 + one])
    eq(target[:4], source[4 * 18 + 7:4 * 18 + 11])
    remote[2 * 17] = UNMAPPED
    gives(17 * one, NR.process_vm_readv, os.getpid(), local, 21, remote, 20, 0)


run()
