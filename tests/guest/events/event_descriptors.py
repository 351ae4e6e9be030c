"""Epoll, poll, select, timers, signals and counters as descriptors: an error, a mode or an event a
case.
"""

import os
import select
import signal
import socket
import struct

from lib.guest import *
from lib.operands import *

needs_root("descriptors_timer_at_an_alarm_clock")

IN, PRI, OUT, ERR, HUP, RDHUP = 1, 2, 4, 8, 16, 0x2000
EXCLUSIVE, WAKEUP, ONESHOT, EDGE = 1 << 28, 1 << 29, 1 << 30, 1 << 31
ADD, DEL, MOD = 1, 2, 3
NONBLOCK = 0o4000


def epoll():
    return works(NR.epoll_create1, 0)


def ctl(ep, op, fd, events=IN, data=7):
    return sc(NR.epoll_ctl, ep, op, fd, struct.pack("=IQ", events & 0xFFFFFFFF, data))


def got(ep, n=8, wait=0):
    """Returns the events of epoll_wait, each as events:data."""
    at = buf()
    r = sc(NR.epoll_wait, ep, at, n, wait)
    if r < 0:
        return spell(r)
    pairs = struct.iter_unpack("=IQ", ctypes.string_at(at, 12 * r))
    return "[" + " ".join("%x:%d" % pair for pair in pairs) + "]"


def watching(events, act, rounds=2):
    """Watches the read end of a pipe and runs act(r, w, ep) before each wait."""
    ep, (r, w) = epoll(), os.pipe()
    works(NR.epoll_ctl, ep, ADD, r, struct.pack("=IQ", events & 0xFFFFFFFF, 7))
    found = []
    for _ in range(rounds):
        act(r, w, ep)
        found.append(got(ep))
    return " ".join(found)


def post(r, w, ep):
    os.write(w, b"x")


def once(*acts):
    """Makes an act that runs one of these acts a round, and then nothing."""
    left = list(acts)
    return lambda r, w, ep: left.pop(0)(r, w, ep) if left else None


def nothing(r, w, ep):
    pass


def chain(depth):
    """Nests epolls, the innermost with a pipe. Returns the result of the last step."""
    r, w = os.pipe()
    inner = r
    for _ in range(depth):
        ep = epoll()
        result = ctl(ep, ADD, inner)
        if result < 0:
            return result
        inner = ep
    os.write(w, b"x")
    return got(inner)


def loop():
    a, b = epoll(), epoll()
    return then(ctl(a, ADD, b), ctl(b, ADD, a))


def kept(act):
    """Adds the read end of a pipe, runs act(r, w, copy, ep), and makes the pipe readable."""
    ep, (r, w) = epoll(), os.pipe()
    ctl(ep, ADD, r)
    copy = os.dup(r)
    act(r, w, copy, ep)
    os.write(w, b"x")
    return got(ep)


EPOLLS = [
    ("size 0", "EINVAL", lambda: sc(NR.epoll_create, 0)),
    ("size minus 1", "EINVAL", lambda: sc(NR.epoll_create, -1)),
    ("an unknown flag", "EINVAL", lambda: sc(NR.epoll_create1, 1)),
    ("non-blocking", "EINVAL", lambda: sc(NR.epoll_create1, NONBLOCK)),
    ("itself", "EINVAL", lambda: (lambda ep: ctl(ep, ADD, ep))(epoll())),
    ("a file", "EPERM", lambda: ctl(epoll(), ADD, file())),
    ("a directory", "EPERM", lambda: ctl(epoll(), ADD, os.open(".", 0))),
    ("a closed one", "EBADF", lambda: ctl(epoll(), ADD, 899)),
    ("to a pipe", "EINVAL", lambda: ctl(os.pipe()[0], ADD, os.pipe()[0])),
    ("to a closed one", "EBADF", lambda: ctl(899, ADD, os.pipe()[0])),
    ("operation 0", "EINVAL", lambda: ctl(epoll(), 0, os.pipe()[0])),
    ("event nowhere", "EFAULT", lambda: sc(NR.epoll_ctl, epoll(), ADD, os.pipe()[0], UNMAPPED)),
    ("event nowhere at a deletion", "ENOENT", lambda: sc(
        NR.epoll_ctl, epoll(), DEL, os.pipe()[0], UNMAPPED)),
    ("deletion of none", "ENOENT", lambda: ctl(epoll(), DEL, os.pipe()[0])),
    ("change of none", "ENOENT", lambda: ctl(epoll(), MOD, os.pipe()[0])),
    ("twice", "0 EEXIST", lambda: (lambda ep, r: then(ctl(ep, ADD, r), ctl(ep, ADD, r)))(
        epoll(), os.pipe()[0])),
    ("wait for 0", "EINVAL", lambda: got(epoll(), 0)),
    ("wait for minus 1", "EINVAL", lambda: got(epoll(), -1)),
    ("wait for too many", "EINVAL", lambda: got(epoll(), 2**31 // 12 + 1)),
    ("wait at a pipe", "EINVAL", lambda: got(os.pipe()[0])),
    ("wait nowhere", "0", lambda: sc(NR.epoll_wait, epoll(), UNMAPPED, 1, 0)),
    ("wait in the kernel", "EFAULT", lambda: sc(NR.epoll_wait, epoll(), KERNEL, 1, 0)),
    ("wait nowhere with something", "EFAULT [1:7]", lambda: (lambda ep, p: (
        ctl(ep, ADD, p[0]), os.write(p[1], b"x"),
        then(sc(NR.epoll_wait, ep, UNMAPPED, 1, 0)) + " " + got(ep))[2])(epoll(), os.pipe())),
    ("mask of size 4", "EINVAL", lambda: sc(NR.epoll_pwait, epoll(), buf(), 1, 0, buf(), 4)),
    ("mask nowhere", "EFAULT", lambda: sc(NR.epoll_pwait, epoll(), buf(), 1, 0, UNMAPPED, 8)),
    ("pwait2 of a bad time", "EINVAL", lambda: sc(
        NR.epoll_pwait2, epoll(), buf(), 1, struct.pack("qq", 0, 10**9), None, 8)),
    ("pwait2 of time minus 1", "EINVAL", lambda: sc(
        NR.epoll_pwait2, epoll(), buf(), 1, struct.pack("qq", -1, 0), None, 8)),
    ("pwait2 of no time", "0", lambda: sc(
        NR.epoll_pwait2, epoll(), buf(), 1, struct.pack("qq", 0, 0), None, 8)),
    ("pwait2 time nowhere", "EFAULT", lambda: sc(NR.epoll_pwait2, epoll(), buf(), 1, UNMAPPED, None, 8)),
    ("exclusive epoll", "EINVAL", lambda: ctl(epoll(), ADD, epoll(), IN | EXCLUSIVE)),
    ("exclusive one-shot", "EINVAL", lambda: ctl(epoll(), ADD, os.pipe()[0], IN | EXCLUSIVE | ONESHOT)),
    ("exclusive edge", "0", lambda: ctl(epoll(), ADD, os.pipe()[0], IN | EXCLUSIVE | EDGE)),
    ("exclusive hang-up", "EINVAL", lambda: ctl(epoll(), ADD, os.pipe()[0], IN | EXCLUSIVE | RDHUP)),
    ("exclusive wake-up", "0", lambda: ctl(epoll(), ADD, os.pipe()[0], IN | EXCLUSIVE | WAKEUP)),
    ("change to exclusive", "0 EINVAL", lambda: (lambda ep, r: then(
        ctl(ep, ADD, r), ctl(ep, MOD, r, IN | EXCLUSIVE)))(epoll(), os.pipe()[0])),
    ("change of an exclusive one", "0 EINVAL", lambda: (lambda ep, r: then(
        ctl(ep, ADD, r, IN | EXCLUSIVE), ctl(ep, MOD, r, IN)))(epoll(), os.pipe()[0])),
    ("two in each other", "0 ELOOP", loop),
    ("a chain of 5", "[1:7]", lambda: chain(5)),
    ("a chain of 6", "ELOOP", lambda: chain(6)),
    ("a level", "[1:7] [1:7] [1:7]", lambda: watching(IN, once(post), 3)),
    ("an edge", "[1:7] [] []", lambda: watching(IN | EDGE, once(post), 3)),
    ("edges", "[1:7] [1:7] [1:7]", lambda: watching(IN | EDGE, post, 3)),
    ("an edge with a rest", "[1:7] []", lambda: watching(IN | EDGE, once(
        lambda r, w, ep: os.write(w, b"xx"), lambda r, w, ep: os.read(r, 1)), 2)),
    ("an edge and a change", "[1:7] [1:8] []", lambda: watching(IN | EDGE, once(
        post, lambda r, w, ep: ctl(ep, MOD, r, IN | EDGE, 8)), 3)),
    ("one shot", "[1:7] [] []", lambda: watching(IN | ONESHOT, post, 3)),
    ("one shot and again", "[1:7] [] [1:7] []", lambda: watching(IN | ONESHOT, once(
        post, nothing, lambda r, w, ep: ctl(ep, MOD, r, IN | ONESHOT)), 4)),
    ("one shot that cannot be added again", "[1:7] []", lambda: watching(IN | ONESHOT, once(
        post, lambda r, w, ep: ctl(ep, ADD, r, IN, 8)), 2)),
    ("nothing asked and the end", "[10:7] [10:7]", lambda: watching(0, once(lambda r, w, ep: os.close(w)), 2)),
    ("the end", "[10:7] [10:7]", lambda: watching(IN, once(lambda r, w, ep: os.close(w)), 2)),
    ("the end at an edge", "[10:7] []", lambda: watching(IN | EDGE, once(
        lambda r, w, ep: os.close(w)), 2)),
    ("a deletion before the wait", "[] []", lambda: watching(IN, once(
        lambda r, w, ep: (os.write(w, b"x"), ctl(ep, DEL, r))), 2)),
    ("a close with a copy", "[1:7]", lambda: kept(lambda r, w, copy, ep: os.close(r))),
    ("a copy is another", "2", lambda: len(kept(
        lambda r, w, copy, ep: ctl(ep, ADD, copy, IN, 8)).split())),
    ("deletion by a copy", "[1:7]", lambda: kept(lambda r, w, copy, ep: ctl(ep, DEL, copy))),
    ("one at a time", "[1:1] [1:2] [1:1] [1:2]", lambda: (lambda ep, a, b: (
        ctl(ep, ADD, a[0], IN, 1), ctl(ep, ADD, b[0], IN, 2), os.write(a[1], b"x"),
        os.write(b[1], b"x"), " ".join(got(ep, 1) for _ in range(4)))[4])(
            epoll(), os.pipe(), os.pipe())),
    ("an epoll is readable", "1:1", lambda: (lambda ep, p: (
        ctl(ep, ADD, p[0]), polled(ep, IN) + " ", os.write(p[1], b"x"), polled(ep, IN))[3])(
            epoll(), os.pipe())),
    ("all bits", "[41:7]", lambda: watching(0xFFFFFFFF & ~EXCLUSIVE & ~ONESHOT & ~EDGE, once(post), 1)),
    ("data of 64 bits", "[4:18446744073709551615]", lambda: (lambda ep, p: (
        ctl(ep, ADD, p[1], OUT, 2**64 - 1), got(ep))[1])(epoll(), os.pipe())),
]


def polled(fd, events):
    at = ctypes.create_string_buffer(struct.pack("ihh", fd, events, -1), 8)
    r = sc(NR.poll, at, 1, 0)
    return "%s:%x" % (spell(r), struct.unpack("ihH", at.raw)[2])


def after(make, act, events):
    things = make()
    act(*things)
    return polled(things[0] if isinstance(things[0], int) else things[0].fileno(), events)


def raw(family, protocol):
    try:
        return socket.socket(family, socket.SOCK_RAW, protocol).detach()
    except PermissionError:
        skip("no raw sockets")


def pair():
    return socket.socketpair()


def selected(n, reads=b"", writes=b"", excepts=b"", time=(0, 0)):
    sets = [ctypes.create_string_buffer(s, 128) if s else None for s in (reads, writes, excepts)]
    r = sc(NR.select, n, *sets, struct.pack("qq", *time) if time else None)
    return spell(r) + " " + " ".join(s.raw.rstrip(b"\0").hex() or "0" for s in sets if s)


def bit(*fds):
    return b"".join(bytes([sum(1 << (fd % 8) for fd in set(fds) if fd // 8 == i)])
                    for i in range(128))


def with_pipe(fn):
    """Runs fn(r, w) with the descriptors 108 and 109 of a pipe that has a byte."""
    r, w = os.pipe()
    os.dup2(r, 108)
    os.dup2(w, 109)
    os.write(109, b"x")
    return fn(108, 109)


POLLS = [
    ("nothing", "0", lambda: sc(NR.poll, None, 0, 0)),
    ("nowhere", "EFAULT", lambda: sc(NR.poll, UNMAPPED, 1, 0)),
    ("in the kernel", "EFAULT", lambda: sc(NR.poll, KERNEL, 1, 0)),
    ("too many", "EINVAL", lambda: sc(NR.poll, buf(), 2**20 + 2**30, 0)),
    ("read only", "EFAULT", lambda: sc(NR.poll, read_only(struct.pack("ihh", -1, 0, 0)), 1, 0)),
    ("descriptor minus 1", "0:0", lambda: polled(-1, IN)),
    ("descriptor minus 5", "0:0", lambda: polled(-5, IN)),
    ("a closed one", "1:20", lambda: polled(899, IN)),
    ("a closed one without events", "1:20", lambda: polled(899, 0)),
    ("a path", "1:20", lambda: polled(descriptor("path"), IN)),
    ("a file", "1:145", lambda: polled(file(), 0x7FFF)),
    ("a directory", "1:145", lambda: polled(os.open(".", 0), 0x7FFF)),
    ("null", "1:145", lambda: polled(descriptor("null"), 0x7FFF)),
    ("a pidfd of itself", "0:0", lambda: polled(descriptor("pidfd"), 0x7FFF)),
    ("a namespace", "1:145", lambda: polled(descriptor("ns"), 0x7FFF)),
    ("an empty pipe", "0:0", lambda: polled(os.pipe()[0], 0x7FFF)),
    ("a pipe's write end", "1:104", lambda: polled(os.pipe()[1], 0x7FFF)),
    ("a pipe without writers", "1:10", lambda: after(os.pipe, lambda r, w: os.close(w), 0x7FFF)),
    ("a pipe without writers but data", "1:51", lambda: after(
        os.pipe, lambda r, w: (os.write(w, b"x"), os.close(w)), 0x7FFF)),
    ("a pipe without readers", "1:10c", lambda: after(
        lambda: os.pipe()[::-1], lambda w, r: os.close(r), 0x7FFF)),
    ("a new tcp socket", "1:114", lambda: polled(descriptor("tcp"), 0x7FFF)),
    ("a new udp socket", "1:304", lambda: polled(descriptor("udp"), 0x7FFF)),
    ("a new raw socket", "1:304", lambda: polled(
        raw(socket.AF_INET, 1), 0x7FFF)),
    ("a new packet socket", "1:304", lambda: polled(
        raw(socket.AF_PACKET, 0), 0x7FFF)),
    ("a new netlink socket", "1:304", lambda: polled(descriptor("netlink"), 0x7FFF)),
    ("a new unix socket", "1:314", lambda: polled(
        socket.socket(socket.AF_UNIX).detach(), 0x7FFF)),
    ("a pair", "1:304", lambda: after(pair, lambda a, b: None, 0x7FFF)),
    ("a pair that shut writing", "1:304", lambda: after(pair, lambda a, b: a.shutdown(1), 0x7FFF)),
    ("a pair that shut reading", "1:2345", lambda: after(pair, lambda a, b: a.shutdown(0), 0x7FFF)),
    ("a pair that shut both", "1:2355", lambda: after(pair, lambda a, b: a.shutdown(2), 0x7FFF)),
    ("a pair whose other shut writing", "1:2345", lambda: after(
        pair, lambda a, b: b.shutdown(1), 0x7FFF)),
    ("a pair whose other closed", "1:2355", lambda: after(pair, lambda a, b: b.close(), 0x7FFF)),
    ("a pair whose other closed with data", "1:235d", lambda: after(
        pair, lambda a, b: (a.send(b"x"), b.close()), 0x7FFF)),
    ("ppoll with a mask of 4", "EINVAL", lambda: sc(NR.ppoll, buf(), 0, None, buf(), 4)),
    ("ppoll of a bad time", "EINVAL", lambda: sc(
        NR.ppoll, buf(), 0, struct.pack("qq", 0, -1), None, 8)),
    ("select of minus 1", "EINVAL ", lambda: selected(-1)),
    ("select of nothing", "0 ", lambda: selected(0)),
    ("select of a bad time", "EINVAL ", lambda: selected(0, time=(0, -1))),
    ("select of too many microseconds", "0 ", lambda: selected(0, time=(0, 2 * 10**6))),
    ("select of a closed one", "EBADF 00000000000004", lambda: selected(64, bit(50))),
    ("select of a closed one behind the end", "0 0", lambda: selected(40, bit(50))),
    ("select for reading", "1 0000000000000000000000000010", lambda: with_pipe(lambda r, w: selected(120, bit(r, w)))),
    ("select for writing", "1 0000000000000000000000000020", lambda: with_pipe(lambda r, w: selected(120, b"", bit(r, w)))),
    ("select for exceptions", "0 0", lambda: with_pipe(
        lambda r, w: selected(120, b"", b"", bit(r, w)))),
    ("select for all", "2 0000000000000000000000000010 0000000000000000000000000020 0", lambda: with_pipe(
        lambda r, w: selected(120, bit(r), bit(w), bit(r)))),
    ("select behind the last", "0 0", lambda: with_pipe(lambda r, w: selected(r, bit(r)))),
    ("select nowhere", "EFAULT", lambda: sc(NR.select, 8, UNMAPPED, None, None, bytes(16))),
    ("pselect with a mask of 4", "EINVAL", lambda: sc(
        NR.pselect6, 0, None, None, None, bytes(16), struct.pack("QQ", buf(), 4))),
]


def event(value=0, flags=NONBLOCK):
    return works(NR.eventfd2, value, flags)


def value_of(fd, n=8):
    at = buf()
    r = sc(NR.read, fd, at, n)
    return spell(r) if r < 0 else str(struct.unpack("Q", ctypes.string_at(at, 8))[0])


def put(fd, value, n=8):
    return sc(NR.write, fd, struct.pack("QQ", value & (2**64 - 1), 0), n)


def timer(first=0, again=0, clock=1, flags=0, at=0):
    fd = works(NR.timerfd_create, clock, NONBLOCK)
    new = struct.pack("qqqq", again // 10**9, again % 10**9, first // 10**9, first % 10**9)
    works(NR.timerfd_settime, fd, flags, new, at or None)
    return fd


def set_timer(value=(0, 0, 0, 0), flags=0, fd=None):
    return sc(NR.timerfd_settime, timer() if fd is None else fd, flags,
              struct.pack("qqqq", *value), None)


def ran_out(*args, **kwargs):
    fd = timer(*args, **kwargs)
    select.select([fd], [], [], 1)
    return fd


def signals(mask, flags=NONBLOCK, fd=-1, size=8):
    return sc(NR.signalfd4, fd, struct.pack("Q", mask), size, flags)


def pending(signo, n=128, room=None):
    """Blocks and sends a signal. Returns the result of a read, and the signals still pending."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signo])
    fd = signals(1 << (signo - 1))
    os.kill(os.getpid(), signo)
    at = buf() if room is None else edge(room)
    r = sc(NR.read, fd, at, n)
    left = sorted(int(s) for s in signal.sigpending())
    return spell(r) + " " + str(left)


DESCRIPTORS_OF_EVENTS = [
    ("counter with an unknown flag", "EINVAL", lambda: sc(NR.eventfd2, 0, 2)),
    ("counter of 0", "EAGAIN", lambda: value_of(event())),
    ("counter of 5", "5", lambda: value_of(event(5))),
    ("counter that is read twice", "5 EAGAIN", lambda: (lambda e: value_of(e) + " " + value_of(e))(
        event(5))),
    ("counter of 2 as a semaphore", "1 1 EAGAIN", lambda: (lambda e: " ".join(
        value_of(e) for _ in range(3)))(event(2, NONBLOCK | 1))),
    ("counter read into 7", "EINVAL", lambda: value_of(event(5), 7)),
    ("counter read into 16", "5", lambda: value_of(event(5), 16)),
    ("counter read nowhere", "EFAULT EAGAIN", lambda: (lambda e: then(sc(NR.read, e, UNMAPPED, 8)) + " "
                                           + value_of(e))(event(5))),
    ("counter and 7 bytes", "EINVAL", lambda: put(event(), 1, 7)),
    ("counter and 16 bytes", "EINVAL", lambda: put(event(), 1, 16)),
    ("counter and all bits", "EINVAL", lambda: put(event(), -1)),
    ("counter and the most", "8", lambda: put(event(), -2)),
    ("counter and too much", "8 EAGAIN 8", lambda: (lambda e: then(put(e, -2), put(e, 1), put(e, 0)))(
        event())),
    ("counter of the most polled", "1:1", lambda: (lambda e: (put(e, -2), polled(e, IN | OUT))[1])(
        event())),
    ("counter of 0 polled", "1:4", lambda: polled(event(), 0x7FFF)),
    ("counter of 1 polled", "1:5", lambda: polled(event(1), 0x7FFF)),
    ("timer of an unknown clock", "EINVAL", lambda: sc(NR.timerfd_create, 99, 0)),
    ("timer of processor time", "EINVAL", lambda: sc(NR.timerfd_create, 2, 0)),
    ("timer of a coarse clock", "EINVAL", lambda: sc(NR.timerfd_create, 6, 0)),
    ("timer of raw time", "EINVAL", lambda: sc(NR.timerfd_create, 4, 0)),
    ("timer with an unknown flag", "EINVAL", lambda: sc(NR.timerfd_create, 1, 1)),
    ("timer with an unknown setting", "EINVAL", lambda: set_timer(flags=4)),
    ("timer of too many nanoseconds", "EINVAL", lambda: set_timer((0, 0, 0, 10**9))),
    ("timer of negative seconds", "EINVAL", lambda: set_timer((0, 0, -1, 0))),
    ("timer with a bad interval", "EINVAL", lambda: set_timer((0, 10**9, 1, 0))),
    ("timer with a bad interval that is off", "EINVAL", lambda: set_timer((0, 10**9, 0, 0))),
    ("timer that cancels monotonic", "0", lambda: set_timer((0, 0, 1, 0), 3)),
    ("setting of a pipe", "EINVAL", lambda: set_timer(fd=os.pipe()[0])),
    ("setting of a closed one", "EBADF", lambda: set_timer(fd=899)),
    ("setting nowhere", "EFAULT", lambda: sc(NR.timerfd_settime, timer(), 0, UNMAPPED, None)),
    ("getting nowhere", "EFAULT", lambda: sc(NR.timerfd_gettime, timer(), UNMAPPED)),
    ("getting a pipe", "EINVAL", lambda: sc(NR.timerfd_gettime, os.pipe()[0], buf())),
    ("old value nowhere", "EFAULT", lambda: sc(
        NR.timerfd_settime, timer(), 0, struct.pack("4q", 0, 0, 5, 0), UNMAPPED)),
    ("timer that is off", "EAGAIN", lambda: value_of(timer())),
    ("timer that runs", "EAGAIN", lambda: value_of(timer(10**10))),
    ("timer that ran out", "1 EAGAIN", lambda: (lambda t: value_of(t) + " " + value_of(t))(ran_out(10**6))),
    ("timer in the past", "1", lambda: value_of(ran_out(1, flags=1))),
    ("timer read into 7", "EINVAL", lambda: value_of(ran_out(10**6), 7)),
    ("timer that is set again", "EAGAIN", lambda: (lambda t: (
        set_timer((0, 0, 100, 0), fd=t), value_of(t))[1])(ran_out(10**6))),
    ("timer at an alarm clock", "0", lambda: min(sc(NR.timerfd_create, 9, 0), 0)),
    ("ticks of a timer that is off", "1:1 3", lambda: (lambda t: (sc(
        NR.ioctl, t, 0x40085400, struct.pack("Q", 3)), polled(t, IN) + " " + value_of(t))[1])(
            timer())),
    ("ticks nowhere", "EFAULT", lambda: sc(NR.ioctl, timer(), 0x40085400, UNMAPPED)),
    ("unknown request of a timer", "ENOTTY", lambda: sc(NR.ioctl, timer(), 0x40085401, UNMAPPED)),
    ("no ticks", "EINVAL", lambda: sc(NR.ioctl, timer(), 0x40085400, bytes(8))),
    ("signals of size 4", "EINVAL", lambda: signals(2, size=4)),
    ("signals of size 16", "EINVAL", lambda: signals(2, size=16)),
    ("signals with an unknown flag", "EINVAL", lambda: signals(2, 1)),
    ("signals nowhere", "EFAULT", lambda: sc(NR.signalfd4, -1, UNMAPPED, 8, 0)),
    ("signals of a pipe", "EINVAL", lambda: signals(2, fd=os.pipe()[0])),
    ("signals of a closed one", "EBADF", lambda: signals(2, fd=899)),
    ("signals anew", "1", lambda: (lambda fd: int(signals(4, fd=fd) == fd))(signals(2))),
    ("signals that none sent", "EAGAIN", lambda: sc(NR.read, signals(2), buf(), 128)),
    ("signals into 127", "EINVAL [12]", lambda: pending(12, 127)),
    ("signals into 128", "128 []", lambda: pending(12)),
    ("signals nowhere when they come", "EFAULT []", lambda: pending(12, 128, 64)),
    ("signals of SIGKILL", "0:0", lambda: polled(signals(1 << 8), IN)),
]


@cases(EPOLLS, shared=True)
def epolls(expected, fn):
    judged(expected, fn)


@cases(POLLS, shared=True)
def polls(expected, fn):
    judged(expected, fn)


@cases(DESCRIPTORS_OF_EVENTS)
def descriptors(expected, fn):
    judged(expected, fn)


run()
