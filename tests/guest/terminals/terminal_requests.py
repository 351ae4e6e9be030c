"""Requests on terminals, sessions, hang-up, packet mode, sizes: an error, a request or an event a
case.
"""

import os
import pty
import select
import signal
import struct
import termios

from lib.guest import *
from lib.operands import *

needs_root(
    "nowhere_TIOCSLCKTRMIOS", "requests_TIOCVHANGUP", "states_exclusive_to_root",
    "states_vhangup_signals", "states_after_vhangup",
)

TCGETS, TCSETS, TCGETS2, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP = (
    0x5401, 0x5402, 0x802C542A, 0x540E, 0x540F, 0x5410)
TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCPKT, TIOCNOTTY, TIOCGSID = (
    0x5413, 0x5414, 0x541B, 0x5420, 0x5422, 0x5429)
TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER, TIOCOUTQ, TIOCVHANGUP = (
    0x80045430, 0x40045431, 0x5441, 0x5411, 0x5437)
TCFLSH, TCXONC, TCSBRK, TIOCEXCL = 0x540B, 0x540A, 0x5409, 0x540C


def ioctl(fd, request, arg=0):
    return sc(NR.ioctl, fd, request, arg)


def master():
    return os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)


def slave():
    return pty.openpty()[1]


def number(value):
    return struct.pack("i", value)


def both(request, arg=0):
    return lambda: then(ioctl(slave(), request, arg), ioctl(master(), request, arg))


FAULTS = [
    ("TCGETS", "EFAULT EFAULT", TCGETS), ("TCSETS", "EFAULT EFAULT", TCSETS), ("TCGETS2", "EFAULT EFAULT", TCGETS2),
    ("TCSETS2", "EFAULT EFAULT", 0x402C542B), ("TCGETA", "EFAULT EFAULT", 0x5405), ("TCSETA", "EFAULT EFAULT", 0x5406),
    ("TIOCGWINSZ", "EFAULT EFAULT", TIOCGWINSZ), ("TIOCSWINSZ", "EFAULT EFAULT", TIOCSWINSZ), ("FIONREAD", "EFAULT EFAULT", FIONREAD),
    ("TIOCPKT", "ENOTTY EFAULT", TIOCPKT), ("TIOCGPTN", "ENOTTY EFAULT", TIOCGPTN), ("TIOCSPTLCK", "ENOTTY EFAULT", TIOCSPTLCK),
    ("TIOCGPGRP", "ENOTTY EFAULT", TIOCGPGRP), ("TIOCSPGRP", "EFAULT EFAULT", TIOCSPGRP), ("TIOCGSID", "ENOTTY ENOTTY", TIOCGSID),
    ("TIOCOUTQ", "EFAULT EFAULT", TIOCOUTQ), ("TIOCSETD", "EFAULT EFAULT", 0x5423), ("TIOCGETD", "EFAULT EFAULT", 0x5424),
    ("TIOCGEXCL", "EFAULT EFAULT", 0x80045440), ("TIOCGPKT", "ENOTTY EFAULT", 0x80045438), ("TIOCGDEV", "EFAULT EFAULT", 0x80045432),
    ("TIOCGPTLCK", "ENOTTY EFAULT", 0x80045439), ("FIONBIO", "EFAULT EFAULT", 0x5421), ("TIOCGLCKTRMIOS", "EFAULT EFAULT", 0x5456),
    ("TIOCSLCKTRMIOS", "EFAULT EFAULT", 0x5457), ("TIOCGSOFTCAR", "EFAULT EFAULT", 0x5419), ("TIOCSSOFTCAR", "EFAULT EFAULT", 0x541A),
]

VALUES = [
    ("TCFLSH 0", "0 0", TCFLSH, 0), ("TCFLSH 2", "0 0", TCFLSH, 2), ("TCFLSH 3", "EINVAL EINVAL", TCFLSH, 3),
    ("TCFLSH of all bits", "EINVAL EINVAL", TCFLSH, -1), ("TCXONC 0", "0 0", TCXONC, 0),
    ("TCXONC 3", "0 0", TCXONC, 3), ("TCXONC 4", "EINVAL EINVAL", TCXONC, 4), ("TCSBRK 1", "0 0", TCSBRK, 1),
    ("unknown of the group", "ENOTTY ENOTTY", 0x54FF, 0), ("unknown", "ENOTTY ENOTTY", 0x12345678, 0),
    ("TIOCNOTTY", "ENOTTY ENOTTY", TIOCNOTTY, 0), ("TIOCSCTTY", "EPERM EPERM", TIOCSCTTY, 0),
    ("TIOCGPTPEER on a bad flag", "EIO EIO", 0x5441, 0x40000000), ("TIOCVHANGUP", "0 0", TIOCVHANGUP, 0),
    ("TIOCSIG 0", "ENOTTY EINVAL", 0x40045436, 0), ("TIOCSIG 64", "ENOTTY EINVAL", 0x40045436, 64),
    ("TIOCSIG 65", "ENOTTY EINVAL", 0x40045436, 65),
    ("TIOCSETD of minus 1", "EINVAL EINVAL", 0x5423, number(-1)),
    ("FIOASYNC nowhere", "EFAULT EFAULT", 0x5452, UNMAPPED), ("TIOCMBIS", "ENOTTY ENOTTY", 0x5416, 0),
]


def opened(fn):
    return fn(*pty.openpty())


def outcome(fn):
    try:
        return fn()
    except OSError as e:
        return -e.errno


def locked():
    m = master()
    name = b"/dev/pts/%d" % struct.unpack("i", fcntl_get(m))[0]
    works(NR.ioctl, m, TIOCSPTLCK, number(1))
    closed = sc(NR.open, name, 0o402, 0)
    works(NR.ioctl, m, TIOCSPTLCK, number(0))
    return then(closed, min(sc(NR.open, name, 0o402, 0), 0))


def fcntl_get(m):
    at = ctypes.create_string_buffer(4)
    works(NR.ioctl, m, TIOCGPTN, at)
    return at.raw


def events(fd, mask=0x3FFF):
    poll = select.poll()
    poll.register(fd, mask)
    found = poll.poll(20)
    return hex(found[0][1]) if found else "none"


def after_master(fn):
    m, s = pty.openpty()
    os.close(m)
    return fn(s)


def after_slave(fn):
    m, s = pty.openpty()
    os.close(s)
    return fn(m)


def packet(act, reads=2):
    """Returns what the master reads in packet mode after act(master, slave)."""
    m, s = pty.openpty()
    attrs = termios.tcgetattr(s)
    attrs[3] &= ~termios.ECHO
    termios.tcsetattr(s, termios.TCSANOW, attrs)
    works(NR.ioctl, m, TIOCPKT, number(1))
    act(m, s)
    os.set_blocking(m, False)
    shown = events(m)
    found = []
    for _ in range(reads):
        select.select([m], [], [], 0.02)
        r = outcome(lambda: os.read(m, 100))
        found.append(spell(r) if isinstance(r, int) else repr(r)[2:-1])
    return shown + " " + " ".join(found)


def set_flow(fd, on):
    attrs = termios.tcgetattr(fd)
    attrs[0] = attrs[0] | termios.IXON if on else attrs[0] & ~termios.IXON
    termios.tcsetattr(fd, termios.TCSANOW, attrs)


def external(fd):
    attrs = termios.tcgetattr(fd)
    attrs[3] |= 0x10000
    termios.tcsetattr(fd, termios.TCSANOW, attrs)


def session(fn, controls=True):
    """
    Returns the result of fn(terminal, master) in a new session, with the terminal or without.
    """
    r, w = os.pipe()
    m, s = pty.openpty()

    def leader():
        os.setsid()
        if controls:
            works(NR.ioctl, s, TIOCSCTTY, 0)
        os.write(w, str(fn(s, m)).encode())
    child_ok(leader)
    return os.read(r, 999).decode()


def opens(flags, leader=True):
    """Says whether an open makes the terminal the controlling one."""
    def fn(_, m):
        if not leader and os.fork():
            os.wait()
            return "parent"
        fd = os.open(os.ttyname(_), flags)
        return then(sc(NR.ioctl, fd, TIOCGSID, buf()), min(sc(NR.open, b"/dev/tty", 2, 0), 0))
    return session(fn, False)


def caught(signo, act):
    """Counts the signals that the session leader gets during act(terminal, master)."""
    def fn(s, m):
        count = []
        signal.signal(signo, lambda *_: count.append(1))
        act(s, m)
        select.select([], [], [], 0.03)
        return len(count)
    return session(fn)


def group_of_another(s, m):
    """Sets a process group of another session as the foreground group; Linux refuses it."""
    hold = Pipe()
    pid = spawn(lambda: (os.setsid(), hold.post(), signal.pause()))
    hold.take()
    r = ioctl(s, TIOCSPGRP, number(pid))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return spell(r)


def size(fd):
    at = ctypes.create_string_buffer(8)
    works(NR.ioctl, fd, TIOCGWINSZ, at)
    return "%d %d %d %d" % struct.unpack("4H", at.raw)


def resized(by, seen):
    m, s = pty.openpty()
    fds = (m, s)
    works(NR.ioctl, fds[by], TIOCSWINSZ, struct.pack("4H", 24, 80, 5, 6))
    return size(fds[seen])


def sized(n):
    return struct.pack("4H", n, 80, 0, 0)


def twice(s, m):
    ioctl(m, TIOCSWINSZ, sized(3))
    select.select([], [], [], 0.02)
    ioctl(m, TIOCSWINSZ, sized(3))


def carrier(fd):
    """Sets TIOCSSOFTCAR to some values; returns each result and CLOCAL."""
    found = []
    for value in (1, 0, 55):
        found.append(ioctl(fd, 0x541A, number(value)))
        found.append(int(bool(termios.tcgetattr(fd)[2] & termios.CLOCAL)))
    return then(*found)


STATES = [
    ("soft carrier", "0 1 0 0 0 1 0 1 0 0 0 1", lambda: opened(lambda m, s: carrier(m) + " " + carrier(s))),
    ("locked slave", "EIO 0", locked),
    ("peer", "0 EIO", lambda: opened(lambda m, s: then(
        min(ioctl(m, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY), 0),
        ioctl(s, TIOCGPTPEER, os.O_RDWR)))),
    ("peer of a new master", "EIO", lambda: min(ioctl(master(), TIOCGPTPEER, os.O_RDWR), 0)),
    ("events of a new master", "0x104", lambda: events(master())),
    ("events of a new pair", "0x104 0x104", lambda: opened(lambda m, s: events(m) + " " + events(s))),
    ("events of a master whose slave closed", "0x114", lambda: after_slave(events)),
    ("events of a slave whose master closed", "0x15d", lambda: after_master(events)),
    ("read of a new master", "EAGAIN", lambda: opened(lambda m, s: (
        os.set_blocking(m, False), sc(NR.read, m, buf(), 9))[1])),
    ("read of a master whose slave closed", "EIO",
     lambda: after_slave(lambda m: sc(NR.read, m, buf(), 9))),
    ("write of a master whose slave closed", "3",
     lambda: after_slave(lambda m: sc(NR.write, m, b"abc", 3))),
    ("read of a slave whose master closed", "0",
     lambda: after_master(lambda s: sc(NR.read, s, buf(), 9))),
    ("write of a slave whose master closed", "EIO",
     lambda: after_master(lambda s: sc(NR.write, s, b"abc", 3))),
    ("settings of a slave whose master closed", "EIO",
     lambda: after_master(lambda s: ioctl(s, TCGETS, buf()))),
    ("size of a slave whose master closed", "EIO",
     lambda: after_master(lambda s: ioctl(s, TIOCGWINSZ, buf()))),
    ("FIONREAD of a slave whose master closed", "EIO",
     lambda: after_master(lambda s: ioctl(s, FIONREAD, buf()))),
    ("flush of a slave whose master closed", "EIO",
     lambda: after_master(lambda s: ioctl(s, TCFLSH, 2))),
    ("FIONBIO of a slave whose master closed", "0",
     lambda: after_master(lambda s: ioctl(s, 0x5421, number(1)))),
    ("text is read before the end", "3 EIO", lambda: opened(lambda m, s: (
        os.write(s, b"abc"), os.close(s),
        then(sc(NR.read, m, buf(), 9), sc(NR.read, m, buf(), 9)))[2])),
    ("text does not outlive the master", "0", lambda: opened(lambda m, s: (
        os.write(m, b"abc\n"), events(s), os.close(m), sc(NR.read, s, buf(), 9))[3])),
    ("exclusive to root", "0 0", lambda: opened(lambda m, s: then(
        ioctl(s, TIOCEXCL), min(sc(NR.open, os.ttyname(s).encode(), 0o402, 0), 0)))),
    ("lseek", "ESPIPE", lambda: sc(NR.lseek, slave(), 0, 0)),
    ("pread", "ESPIPE", lambda: sc(NR.pread64, slave(), buf(), 1, 0)),
    ("mmap", "ENODEV", lambda: sc(NR.mmap, 0, 4096, 1, 2, slave(), 0)),
    ("fsync", "EINVAL", lambda: sc(NR.fsync, slave())),
    ("ftruncate", "EINVAL", lambda: sc(NR.ftruncate, slave(), 0)),
    ("packets of nothing", "0x104 EAGAIN EAGAIN", lambda: packet(lambda m, s: None)),
    ("packets of text", "0x145 \\x00abc EAGAIN", lambda: packet(lambda m, s: os.write(s, b"abc"))),
    ("packets of a stop", "0x147 \\x04 EAGAIN", lambda: packet(lambda m, s: ioctl(s, TCXONC, 0))),
    ("packets of a stop and start", "0x147 \\x08 EAGAIN", lambda: packet(
        lambda m, s: (ioctl(s, TCXONC, 0), ioctl(s, TCXONC, 1)))),
    ("packets of an input flush", "0x147 \\x01 EAGAIN", lambda: packet(lambda m, s: ioctl(s, TCFLSH, 0))),
    ("packets of an output flush", "0x147 \\x02 EAGAIN", lambda: packet(lambda m, s: ioctl(s, TCFLSH, 1))),
    ("packets of both flushes", "0x147 \\x03 EAGAIN", lambda: packet(lambda m, s: ioctl(s, TCFLSH, 2))),
    ("packets of no flow control", "0x147 \\x10 EAGAIN", lambda: packet(lambda m, s: set_flow(s, False))),
    ("packets of flow control", "0x147   EAGAIN", lambda: packet(
        lambda m, s: (set_flow(s, False), set_flow(s, True)))),
    ("packets of external processing", "0x147 @ EAGAIN", lambda: packet(lambda m, s: external(s))),
    ("packets of the end", "0x114 EIO EIO", lambda: packet(lambda m, s: os.close(s))),
    ("packets of text and the end", "0x155 \\x00x EIO EIO", lambda: packet(
        lambda m, s: (os.write(s, b"x"), os.close(s)), 3)),
    ("size from the master", "24 80 5 6", lambda: resized(0, 1)),
    ("size from the slave", "24 80 5 6", lambda: resized(1, 0)),
    ("a size signals", "1", lambda: caught(signal.SIGWINCH, lambda s, m: ioctl(
        m, TIOCSWINSZ, sized(2)))),
    ("a size of the slave signals", "1", lambda: caught(signal.SIGWINCH, lambda s, m: ioctl(
        s, TIOCSWINSZ, sized(2)))),
    ("the same size does not signal", "1", lambda: caught(signal.SIGWINCH, twice)),
    ("interrupt signals", "1", lambda: caught(signal.SIGINT, lambda s, m: os.write(m, b"\x03"))),
    ("quit signals", "1", lambda: caught(signal.SIGQUIT, lambda s, m: os.write(m, b"\x1c"))),
    ("suspend signals", "1", lambda: caught(signal.SIGTSTP, lambda s, m: os.write(m, b"\x1a"))),
    ("TIOCSIG signals", "1", lambda: caught(signal.SIGINT, lambda s, m: ioctl(m, 0x40045436, 2))),
    ("TIOCSIG without ISIG signals", "0", lambda: caught(signal.SIGUSR1, lambda s, m: ioctl(
        m, 0x40045436, signal.SIGUSR1))),
    ("the end of one of two masters does not signal", "0", lambda: caught(signal.SIGHUP, lambda s, m: os.close(m))),
    ("TIOCNOTTY signals", "1", lambda: caught(signal.SIGHUP, lambda s, m: ioctl(s, TIOCNOTTY))),
    ("vhangup signals", "1", lambda: caught(signal.SIGHUP, lambda s, m: ioctl(s, TIOCVHANGUP))),
    ("after vhangup", "0 EIO EIO", lambda: session(lambda s, m: (
        signal.signal(signal.SIGHUP, signal.SIG_IGN), ioctl(s, TIOCVHANGUP),
        then(sc(NR.read, s, buf(), 1), sc(NR.write, s, b"x", 1), ioctl(s, TCGETS, buf())))[2])),
    ("opened with O_NOCTTY", "ENOTTY ENXIO", lambda: opens(os.O_RDWR | os.O_NOCTTY)),
    ("opened without O_NOCTTY", "0 0", lambda: opens(os.O_RDWR)),
    ("opened for writing", "ENOTTY ENXIO", lambda: opens(os.O_WRONLY)),
    ("TIOCSCTTY twice", "0", lambda: session(lambda s, m: spell(ioctl(s, TIOCSCTTY, 0)))),
    ("TIOCSCTTY of a second terminal", "EPERM", lambda: session(
        lambda s, m: spell(ioctl(slave(), TIOCSCTTY, 0)))),
    ("TIOCSCTTY of a master", "0", lambda: session(
        lambda s, m: spell(ioctl(master(), TIOCSCTTY, 0)), False)),
    ("TIOCNOTTY", "0 ENOTTY ENXIO", lambda: session(lambda s, m: (
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
        then(ioctl(s, TIOCNOTTY), ioctl(s, TIOCNOTTY), sc(NR.open, b"/dev/tty", 2, 0)))[1])),
    ("no controlling terminal", "ENXIO", lambda: session(
        lambda s, m: spell(sc(NR.open, b"/dev/tty", 2, 0)), False)),
    ("foreground of another session", "EPERM", lambda: session(group_of_another)),
    ("foreground of a missing group", "ESRCH", lambda: session(
        lambda s, m: spell(ioctl(s, TIOCSPGRP, number(2**22 + 1))))),
    ("foreground of minus 1", "EINVAL", lambda: session(
        lambda s, m: spell(ioctl(s, TIOCSPGRP, number(-1))))),
    ("foreground by the master", "0 0 0", lambda: session(lambda s, m: then(
        ioctl(m, TIOCGPGRP, buf()), ioctl(m, TIOCSPGRP, number(os.getpgrp())),
        ioctl(m, TIOCGSID, buf())))),
]


@cases(FAULTS, shared=True)
def nowhere(expected, request):
    eq(both(request, UNMAPPED)(), expected)


@cases(VALUES, shared=True)
def requests(expected, request, arg):
    eq(both(request, arg)(), expected)


@cases(STATES)
def states(expected, fn):
    judged(expected, fn)


run()
