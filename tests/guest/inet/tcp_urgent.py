"""Urgent data of TCP: MSG_OOB, SO_OOBINLINE, the mark, SIGURG (tcp(7))."""

import array
import fcntl
import select
import signal
import socket as S
from errno import *
from lib.guest import *

FIONREAD, SIOCATMARK = 0x541B, 0x8905
PEEK, OOB, DONTWAIT, WAITALL, TRUNC = S.MSG_PEEK, S.MSG_OOB, S.MSG_DONTWAIT, S.MSG_WAITALL, S.MSG_TRUNC


def pair(family=S.AF_INET):
    server = S.socket(family)
    server.bind(("127.0.0.1" if family == S.AF_INET else "::1", 0))
    server.listen()
    a = S.create_connection(server.getsockname()[:2])
    b, _ = server.accept()
    a.setsockopt(S.IPPROTO_TCP, S.TCP_NODELAY, 1)
    return a, b


def number(s, request):
    out = array.array("i", [-1])
    fcntl.ioctl(s, request, out)
    return out[0]


def settle(s, bits=select.POLLPRI):
    """Waits for events, which may take a moment."""
    p = select.poll()
    p.register(s, bits)
    ok(p.poll(5000), "waited for %#x" % bits)


def events(s):
    p = select.poll()
    p.register(s, select.POLLIN | select.POLLPRI)
    got = p.poll(0)
    return got[0][1] if got else 0


@test
def the_last_byte_is_beside_the_stream():
    for family in (S.AF_INET, S.AF_INET6):
        a, b = pair(family)
        a.send(b"before")
        eq(a.send(b"xyU", OOB), 3)
        settle(b)
        eq(events(b), select.POLLIN | select.POLLPRI)
        eq(number(b, SIOCATMARK), 0)
        eq(number(b, FIONREAD), 8)
        eq(b.recv(1, OOB | PEEK), b"U")
        eq(b.recv(10, OOB), b"U")
        eq(events(b), select.POLLIN)
        fails(EINVAL, b.recv, 1, OOB)
        a.send(b"after")
        eq(b.recv(100), b"beforexy")
        eq(number(b, SIOCATMARK), 1)
        eq(b.recv(100), b"after")
        eq(number(b, SIOCATMARK), 0)


@test
def recvmsg_flags_urgent_data():
    a, b = pair()
    a.send(b"U", OOB)
    settle(b)
    data, _, flags, _ = b.recvmsg(10, 0, OOB | PEEK)
    eq((data, flags & OOB), (b"U", OOB))
    eq(b.recv(10, OOB | WAITALL), b"U")
    eq(b.getsockopt(S.SOL_SOCKET, S.SO_ERROR), 0)


@test
def a_read_stops_at_the_mark():
    a, b = pair()
    a.send(b"one")
    a.send(b"U", OOB)
    a.send(b"two")
    settle(b)
    while number(b, FIONREAD) != 3:
        pass
    eq(b.recv(100, PEEK), b"one")
    eq(b.recv(5, WAITALL), b"one")
    eq(number(b, SIOCATMARK), 1)
    eq(number(b, FIONREAD), 0)
    eq(b.recv(3, WAITALL), b"two")
    fails(EINVAL, b.recv, 1, OOB)


@test
def reading_past_the_mark_loses_the_urgent_byte():
    a, b = pair()
    a.send(b"U", OOB)
    settle(b)
    eq(events(b), select.POLLPRI)
    eq(number(b, SIOCATMARK), 1)
    fails(EAGAIN, b.recv, 10, DONTWAIT | PEEK)
    eq(b.recv(1, OOB | PEEK), b"U")
    fails(EAGAIN, b.recv, 10, DONTWAIT)
    fails(EINVAL, b.recv, 1, OOB)
    eq(events(b), 0)
    a.send(b"then")
    eq(b.recv(4, WAITALL), b"then")


@test
def so_oobinline_keeps_the_urgent_byte_in_the_stream():
    a, b = pair()
    b.setsockopt(S.SOL_SOCKET, S.SO_OOBINLINE, 1)
    a.send(b"one")
    a.send(b"U", OOB)
    a.send(b"two")
    settle(b)
    while number(b, FIONREAD) != 7:
        pass
    fails(EINVAL, b.recv, 1, OOB)
    eq(b.recv(100), b"one")
    eq(number(b, SIOCATMARK), 1)
    eq(events(b), select.POLLIN | select.POLLPRI)
    eq(b.recv(100), b"Utwo")
    eq(events(b), 0)


@test
def a_new_mark_takes_the_place_of_the_old():
    a, b = pair()
    a.send(b"1U", OOB)
    settle(b)
    a.send(b"2V", OOB)
    while number(b, FIONREAD) != 3:
        pass
    eq(b.recv(1, OOB), b"V")
    eq(b.recv(100), b"1U2")
    a.send(b"W", OOB)
    settle(b)
    a.send(b"3X", OOB)
    while number(b, FIONREAD) != 1:
        pass
    eq(b.recv(1, OOB), b"X")
    eq(b.recv(100), b"3")


@test
def calls_without_urgent_data_fail():
    a, b = pair()
    fails(EINVAL, b.recv, 1, OOB)
    fails(EINVAL, S.socket().recv, 1, OOB)
    listener = S.socket()
    listener.listen()
    fails(ENOTCONN, listener.recv, 1, OOB)
    eq(number(b, SIOCATMARK), 0)
    a.send(b"U", OOB)
    settle(b)
    a.close()
    settle(b, select.POLLIN)
    eq(b.recv(1, OOB), b"U")
    eq(b.recv(10), b"")


@test
def sigurg_to_the_owner():
    a, b = pair()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
    a.send(b"U", OOB)
    settle(b)
    ok(signal.SIGURG not in signal.sigpending(), "no owner, no signal")
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"V", OOB)
    info = signal.sigtimedwait([signal.SIGURG], 5)
    ok(info is not None, "SIGURG comes")
    eq((info.si_signo, info.si_code), (signal.SIGURG, 0x80))


@test
def urgent_data_are_an_exceptional_condition():
    a, b = pair()
    eq(select.select([b], [], [b], 0), ([], [], []))
    a.send(b"U", OOB)
    eq(select.select([], [], [b], 5), ([], [], [b]))
    e = select.epoll()
    e.register(b, select.EPOLLPRI)
    eq(e.poll(0), [(b.fileno(), select.EPOLLPRI)])


run()
