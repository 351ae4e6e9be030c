"""Requests of ioctl(2), one by one, on terminals, files, pipes and sockets: each acts, by an
expression whose value Linux gave.
"""

import ctypes
import os
import pty
import socket
import struct
from errno import *
from lib.guest import *


def ioctl(fd, request, arg=0):
    return sc(NR.ioctl, fd, request, arg)


def word(fd, request, value=0):
    v = ctypes.c_int(value)
    return ioctl(fd, request, v), v.value


def tty():
    return pty.openpty()[1]


def ptmx():
    return os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)


def typed(data=b"abc\n"):
    master, slave = pty.openpty()
    os.write(master, data)
    return slave


def buffer(size=128):
    return ctypes.create_string_buffer(size)


def leader(fn):
    """Returns the result of fn(terminal) in a new session that the terminal controls."""
    r, w = os.pipe()
    _, slave = pty.openpty()
    name = os.ttyname(slave)

    def body():
        os.setsid()
        fd = os.open(name, os.O_RDWR)
        os.write(w, repr(fn(fd)).encode())
    child_ok(body)
    return os.read(r, 2000).decode()


def moved(request):
    """Sets what the get request returned; returns the results, and whether it reads back."""
    fd, a, b = tty(), buffer(), buffer()
    got = ioctl(fd, 0x5401 if request < 0x5405 else 0x5405, a)
    return got, ioctl(fd, request, a), ioctl(fd, 0x5401, b), len(set((a.raw[:17], b.raw[:17])))


def file():
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"0123456789")
    os.lseek(fd, 4, 0)
    return fd


def interface(request, name=b"lo"):
    req = ctypes.create_string_buffer(name, 40)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    return ioctl(s.fileno(), request, req), req


@cases([
    ("TCGETS",
     lambda: (ioctl(tty(), 0x5401, buffer()), ioctl(0 if False else os.pipe()[0], 0x5401, buffer())),
     (0, -ENOTTY)),
    ("TCSETS", lambda: moved(0x5402), (0, 0, 0, 1)),
    ("TCSETSW", lambda: moved(0x5403), (0, 0, 0, 1)),
    ("TCSETSF", lambda: moved(0x5404), (0, 0, 0, 1)),
    ("TCGETA", lambda: ioctl(tty(), 0x5405, buffer()), 0),
    ("TCSETA", lambda: moved(0x5406)[:2], (0, 0)),
    ("TCSETAW", lambda: moved(0x5407)[:2], (0, 0)),
    ("TCSETAF", lambda: moved(0x5408)[:2], (0, 0)),
    ("TCSBRK", lambda: (ioctl(tty(), 0x5409, 0), ioctl(tty(), 0x5409, 1)), (0, 0)),
    ("TCXONC",
     lambda: (ioctl(tty(), 0x540A, 0), ioctl(tty(), 0x540A, 1), ioctl(tty(), 0x540A, 9)),
     (0, 0, -EINVAL)),
    ("TCFLSH",
     lambda: (ioctl(tty(), 0x540B, 0), ioctl(tty(), 0x540B, 3), (lambda f: (ioctl(f, 0x540B, 2), word(f, 0x541B)))(typed())),
     (0, -EINVAL, (0, (0, 0)))),
    ("TIOCEXCL",
     lambda: (lambda f: (ioctl(f, 0x540C), word(f, 0x80045440), ioctl(f, 0x540D), word(f, 0x80045440)))(tty()),
     (0, (0, 1), 0, (0, 0))),
    ("TIOCNXCL", lambda: ioctl(tty(), 0x540D), 0),
    ("TIOCSCTTY",
     lambda: (ioctl(tty(), 0x540E, 0), leader(lambda f: ioctl(f, 0x540E, 0))),
     (-EPERM, '0')),
    ("TIOCGPGRP",
     lambda: (word(tty(), 0x540F), leader(lambda f: word(f, 0x540F)[0])),
     ((-ENOTTY, 0), '0')),
    ("TIOCSPGRP",
     lambda: (word(tty(), 0x5410, 1), leader(lambda f: (word(f, 0x5410, os.getpgrp())[0], word(f, 0x5410, 1 << 22)[0], word(f, 0x5410, -1)[0]))),
     ((-ENOTTY, 1), '(0, -3, -22)')),
    ("TIOCOUTQ", lambda: word(tty(), 0x5411), (0, 0)),
    ("TIOCSTI", lambda: leader(lambda f: (ioctl(f, 0x5412, b"x") in (0, -EIO))), 'True'),
    ("TIOCGWINSZ",
     lambda: (lambda f, b: (ioctl(f, 0x5413, b), b.raw[:8]))(tty(), buffer(8)),
     (0, b'\x00\x00\x00\x00\x00\x00\x00\x00')),
    ("TIOCSWINSZ",
     lambda: (lambda f, b: (ioctl(f, 0x5414, struct.pack("4H", 1, 2, 3, 4)), ioctl(f, 0x5413, b), b.raw[:8]))(tty(), buffer(8)),
     (0, 0, b'\x01\x00\x02\x00\x03\x00\x04\x00')),
    ("TIOCMGET", lambda: word(tty(), 0x5415), (-ENOTTY, 0)),
    ("TIOCMSET", lambda: word(tty(), 0x5418), (-ENOTTY, 0)),
    ("TIOCGSOFTCAR", lambda: word(tty(), 0x5419), (0, 0)),
    ("TIOCLINUX", lambda: ioctl(tty(), 0x541C, b"\x06"), -ENOTTY),
    ("TIOCCONS", lambda: ioctl(tty(), 0x541D) in (0, -EBUSY, -EPERM), True),
    ("TIOCGSERIAL", lambda: ioctl(tty(), 0x541E, buffer()), -ENOTTY),
    ("TIOCPKT",
     lambda: (lambda f: (word(f, 0x5420, 1), word(f, 0x80045438), word(f, 0x5420, 0), word(f, 0x80045438), word(tty(), 0x5420, 1)))(ptmx()),
     ((0, 1), (0, 1), (0, 0), (0, 0), (-ENOTTY, 1))),
    ("TIOCSETD",
     lambda: (lambda f: (word(f, 0x5423, 0), word(f, 0x5423, 99)))(tty()),
     ((0, 0), (-EINVAL, 99))),
    ("TIOCGETD", lambda: word(tty(), 0x5424), (0, 0)),
    ("TCSBRKP", lambda: ioctl(tty(), 0x5425, 0), 0),
    ("TIOCSBRK", lambda: ioctl(tty(), 0x5427), 0),
    ("TIOCCBRK", lambda: ioctl(tty(), 0x5428), 0),
    ("TIOCGSID",
     lambda: (word(tty(), 0x5429), leader(lambda f: word(f, 0x5429)[0])),
     ((-ENOTTY, 0), '0')),
    ("TCGETS2", lambda: ioctl(tty(), 0x802C542A, buffer()), 0),
    ("TCSETS2",
     lambda: (lambda f, b: (ioctl(f, 0x802C542A, b), ioctl(f, 0x402C542B, b)))(tty(), buffer()),
     (0, 0)),
    ("TCSETSW2",
     lambda: (lambda f, b: (ioctl(f, 0x802C542A, b), ioctl(f, 0x402C542C, b)))(tty(), buffer()),
     (0, 0)),
    ("TCSETSF2",
     lambda: (lambda f, b: (ioctl(f, 0x802C542A, b), ioctl(f, 0x402C542D, b)))(tty(), buffer()),
     (0, 0)),
    ("TIOCGPTN", lambda: (word(ptmx(), 0x80045430)[0], word(tty(), 0x80045430)[0]), (0, -ENOTTY)),
    ("TIOCSPTLCK",
     lambda: (lambda f: (word(f, 0x40045431, 1), word(f, 0x80045439), word(f, 0x40045431, 0), word(f, 0x80045439), word(tty(), 0x40045431, 0)))(ptmx()),
     ((0, 1), (0, 1), (0, 0), (0, 0), (-ENOTTY, 0))),
    ("TIOCGDEV", lambda: word(tty(), 0x80045432)[0], 0),
    ("TIOCSIG",
     lambda: (word(ptmx(), 0x40045436, 2)[0], ioctl(ptmx(), 0x40045436, 2), ioctl(ptmx(), 0x40045436, 99), ioctl(tty(), 0x40045436, 2)),
     (-EINVAL, 0, -EINVAL, -ENOTTY)),
    ("TIOCGPKT", lambda: word(ptmx(), 0x80045438), (0, 0)),
    ("TIOCGPTLCK", lambda: word(ptmx(), 0x80045439), (0, 1)),
    ("TIOCGEXCL", lambda: word(tty(), 0x80045440), (0, 0)),
    ("TIOCGICOUNT", lambda: ioctl(tty(), 0x545D, buffer()), -ENOTTY),
])
def terminal_requests(call, expected):
    eq(call(), expected)


@cases([
    ("FIONCLEX", lambda: (lambda f: (ioctl(f, 0x5450), sc(NR.fcntl, f, 1)))(file()), (0, 0)),
    ("FIOCLEX",
     lambda: (lambda f: (ioctl(f, 0x5451), sc(NR.fcntl, f, 1), ioctl(999, 0x5451)))(file()),
     (0, 1, -EBADF)),
    ("FIONBIO",
     lambda: (lambda f: (word(f, 0x5421, 1)[0], sc(NR.fcntl, f, 3) & 0o4000, word(f, 0x5421, 0)[0], sc(NR.fcntl, f, 3) & 0o4000))(os.pipe()[0]),
     (0, 2048, 0, 0)),
    ("FS_IOC_GETFSUUID", lambda: ioctl(os.pipe()[0], 0x80111500, buffer()), -ENOTTY),
    ("UNKNOWN",
     lambda: (ioctl(file(), 0x5499), ioctl(os.pipe()[0], 0x5499), ioctl(tty(), 0x5499), ioctl(socket.socket().detach(), 0x5499)),
     (-ENOTTY, -ENOTTY, -ENOTTY, -ENOTTY)),
])
def common_requests(call, expected):
    eq(call(), expected)


@cases([
    ("SIOCATMARK", lambda: word(socket.socket().detach(), 0x8905), (0, 0)),
    ("SIOCSPGRP",
     lambda: (lambda f: (word(f, 0x8902, os.getpid())[0], word(f, 0x8904)[1] == os.getpid()))(socket.socket().detach()),
     (0, True)),
    ("SIOCGPGRP", lambda: word(socket.socket().detach(), 0x8904), (0, 0)),
    ("FIOSETOWN",
     lambda: (lambda f: (word(f, 0x8901, os.getpid())[0], word(f, 0x8903)[1] == os.getpid()))(socket.socket().detach()),
     (0, True)),
    ("FIOGETOWN", lambda: word(socket.socket().detach(), 0x8903), (0, 0)),
    ("SIOCINQ",
     lambda: (lambda p: (p[0].send(b"abc"), word(p[1].fileno(), 0x541B)))(socket.socketpair()),
     (3, (0, 3))),
    ("SIOCOUTQ", lambda: (lambda p: word(p[1].fileno(), 0x5411))(socket.socketpair()), (0, 0)),
    ("SIOCGIFNAME",
     lambda: (lambda b: (ioctl(socket.socket().detach(), 0x8910, b), b.raw[:3]))(ctypes.create_string_buffer(bytes(16) + struct.pack("i", 1), 40)),
     (0, b'lo\x00')),
    ("SIOCGIFCONF",
     lambda: (lambda b: ioctl(socket.socket().detach(), 0x8912, b))(ctypes.create_string_buffer(struct.pack("iiQ", 0, 0, 0), 16)),
     0),
    ("SIOCGIFFLAGS",
     lambda: (interface(0x8913)[0], interface(0x8913)[1].raw[16] & 8, interface(0x8913, b"none9")[0]),
     (0, 8, -ENODEV)),
    ("SIOCGIFADDR",
     lambda: (interface(0x8915)[0], interface(0x8915)[1].raw[20:24]),
     (0, b'\x7f\x00\x00\x01')),
    ("SIOCGIFDSTADDR", lambda: interface(0x8917)[0], 0),
    ("SIOCGIFBRDADDR", lambda: interface(0x8919)[0], 0),
    ("SIOCGIFNETMASK",
     lambda: (interface(0x891B)[0], interface(0x891B)[1].raw[20:24]),
     (0, b'\xff\x00\x00\x00')),
    ("SIOCGIFMETRIC", lambda: interface(0x891D)[0], 0),
    ("SIOCGIFMTU",
     lambda: (interface(0x8921)[0], struct.unpack_from("i", interface(0x8921)[1].raw, 16)[0]),
     (0, 65536)),
    ("SIOCGIFHWADDR",
     lambda: (interface(0x8927)[0], struct.unpack_from("H", interface(0x8927)[1].raw, 16)[0]),
     (0, 772)),
    ("SIOCGIFINDEX",
     lambda: (interface(0x8933)[0], struct.unpack_from("i", interface(0x8933)[1].raw, 16)[0]),
     (0, 1)),
    ("SIOCGIFTXQLEN",
     lambda: (interface(0x8942)[0], struct.unpack_from("i", interface(0x8942)[1].raw, 16)[0]),
     (0, 1000)),
])
def socket_requests(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
