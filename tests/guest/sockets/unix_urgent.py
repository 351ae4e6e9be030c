"""Urgent data of UNIX streams: MSG_OOB, SO_OOBINLINE, the mark, SIGURG (Linux 5.15 on)."""

import array
import ctypes
import fcntl
import os
import select
import signal
import socket as S
from errno import *
from lib.guest import *

FIONREAD, SIOCATMARK = 0x541B, 0x8905
PEEK, OOB, DONTWAIT, WAITALL = S.MSG_PEEK, S.MSG_OOB, S.MSG_DONTWAIT, S.MSG_WAITALL
PRI, IN = select.POLLPRI, select.POLLIN


def pair():
    a, b = S.socketpair(S.AF_UNIX, S.SOCK_STREAM)
    b.setblocking(False)
    return a, b


def number(s, request):
    out = array.array("i", [-1])
    fcntl.ioctl(s, request, out)
    return out[0]


def state(s):
    """Returns the events of poll, whether the next byte is the mark, and the bytes to read."""
    p = select.poll()
    p.register(s, IN | PRI)
    got = p.poll(0)
    return (got[0][1] if got else 0), number(s, SIOCATMARK), number(s, FIONREAD)


@test
def the_last_byte_is_beside_the_stream():
    a, b = pair()
    eq(a.send(b"hello", OOB), 5)
    eq(state(b), (IN | PRI, 0, 5))
    eq(b.recv(1, OOB | PEEK), b"o")
    eq(b.recvmsg(10, 100, OOB)[0::2], (b"o", OOB))
    eq(state(b), (IN, 0, 4))
    fails(EINVAL, b.recv, 1, OOB)
    a.send(b"world")
    eq(b.recv(100, PEEK), b"hell")
    eq(b.recv(100), b"hell")
    eq(state(b), (IN, 1, 5))
    eq(b.recv(100), b"world")
    eq(state(b), (0, 0, 0))


@test
def a_read_stops_at_the_urgent_byte_and_the_next_skips_it():
    a, b = pair()
    a.send(b"hello", OOB)
    a.send(b"world")
    eq(b.recv(100, WAITALL), b"hell")
    eq(state(b), (IN | PRI, 1, 6))
    eq(b.recv(100, PEEK), b"world")
    eq(b.recv(100), b"world")
    eq(state(b)[:2], (0, 0))
    fails(EINVAL, b.recv, 1, OOB)


@test
def a_read_drops_a_lone_urgent_byte():
    a, b = pair()
    a.send(b"x", OOB)
    fails(EAGAIN, b.recv, 1, PEEK)
    eq(state(b), (IN | PRI, 1, 1))
    fails(EAGAIN, b.recv, 1)
    eq(state(b)[:2], (0, 0))
    a.send(b"x", OOB)
    eq(b.recv(1, OOB), b"x")
    eq(state(b)[:2], (IN, 1))
    fails(EAGAIN, b.recv, 1)
    eq(state(b)[:2], (0, 0))


@test
def a_later_urgent_byte_makes_the_earlier_ordinary():
    a, b = pair()
    for text in (b"hello", b"wor"):
        a.send(text, OOB)
    a.send(b"ld")
    eq(b.recv(100, PEEK), b"hellowo")
    eq(b.recv(100), b"hellowo")
    eq(state(b), (IN | PRI, 1, 3))
    eq(b.recv(9, OOB), b"r")
    eq(b.recv(100), b"ld")
    # A read passes the place of an urgent byte that was received if a later one is queued.
    a.send(b"ab", OOB)
    eq(b.recv(1, OOB), b"b")
    a.send(b"cd", OOB)
    eq(b.recv(100, PEEK), b"ac")
    eq(b.recv(100), b"ac")
    eq(b.recv(1, OOB), b"d")


@test
def so_oobinline_reads_the_urgent_byte_with_the_others():
    a, b = pair()
    b.setsockopt(S.SOL_SOCKET, S.SO_OOBINLINE, 1)
    a.send(b"hello", OOB)
    a.send(b"world")
    fails(EINVAL, b.recv, 1, OOB)
    eq(b.recv(100), b"hell")
    eq(state(b), (IN | PRI, 1, 6))
    eq(b.recv(100, PEEK), b"oworld")
    eq(b.recv(1), b"o")
    eq(state(b), (IN, 0, 5))
    eq(b.recv(100), b"world")


@test
def the_owner_gets_a_signal():
    a, b = pair()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])
    a.send(b"x", OOB)
    eq(signal.sigtimedwait([signal.SIGURG], 0), None)
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"x")
    eq(signal.sigtimedwait([signal.SIGURG], 0), None)
    a.send(b"xy", OOB)
    eq(signal.sigtimedwait([signal.SIGURG], 0).si_signo, signal.SIGURG)
    eq(signal.sigtimedwait([signal.SIGURG], 0), None)


@test
def epoll_reports_the_urgent_byte():
    a, b = pair()
    ep = select.epoll()
    ep.register(b, select.EPOLLPRI | select.EPOLLET)
    a.send(b"x")
    eq(ep.poll(0), [])
    a.send(b"x", OOB)
    eq(ep.poll(0), [(b.fileno(), select.EPOLLPRI)])


@test
def descriptors_are_passed_with_the_bytes_that_are_read():
    a, b = pair()
    r, w = os.pipe()
    fds = [(S.SOL_SOCKET, S.SCM_RIGHTS, array.array("i", [w]))]
    # A read of a lone urgent byte loses the descriptors that came with it.
    a.sendmsg([b"x"], fds, OOB)
    os.close(w)
    eq(b.recvmsg(9, 100, OOB), (b"x", [], OOB, None))
    fails(EAGAIN, b.recv, 1)
    eq(os.read(r, 1), b"")
    r, w = os.pipe()
    fds = [(S.SOL_SOCKET, S.SCM_RIGHTS, array.array("i", [w]))]
    a.sendmsg([b"abx"], fds, OOB)
    data, got, flags, _ = b.recvmsg(9, 100)
    eq((data, len(got), flags), (b"ab", 1, 0))


@test
def credentials_do_not_come_with_the_urgent_byte():
    a, b = pair()
    b.setsockopt(S.SOL_SOCKET, S.SO_PASSCRED, 1)
    a.send(b"xy", OOB)
    eq(b.recvmsg(9, 100, OOB), (b"y", [], OOB, None))
    eq(len(b.recvmsg(9, 100)[1]), 1)


@test
def closing_with_an_urgent_byte_unread():
    """An unread urgent byte resets the peer; the place of a received one does not."""
    a, b = pair()
    a.send(b"x", OOB)
    b.close()
    fails(ECONNRESET, a.recv, 1)
    a, b = pair()
    a.send(b"x", OOB)
    b.recv(1, OOB)
    b.close()
    eq(a.recv(1), b"")


@test
def an_urgent_byte_needs_room():
    a, b = pair()
    a.setblocking(False)
    try:
        while True:
            a.send(b"x" * 4096)
    except BlockingIOError:
        pass
    fails(EAGAIN, a.send, b"x", OOB)
    eq(state(b)[0], IN)


@test
def calls_without_bytes():
    a, b = pair()
    room = ctypes.create_string_buffer(8)
    gives(-EOPNOTSUPP, NR.sendto, a.fileno(), b"", 0, OOB, None, 0)
    a.send(b"x", OOB)
    gives(1, NR.recvfrom, b.fileno(), room, 0, OOB, None, None)
    fails(EINVAL, b.recv, 1, OOB)
    gives(-EAGAIN, NR.recvfrom, b.fileno(), room, 1, 0, None, None)
    a.send(b"z", OOB)
    gives(-EFAULT, NR.recvfrom, b.fileno(), 8, 1, OOB, None, None)
    fails(EINVAL, b.recv, 1, OOB)


@test
def other_types_of_sockets_have_no_urgent_byte():
    for kind, unconnected in ((S.SOCK_DGRAM, EOPNOTSUPP), (S.SOCK_SEQPACKET, ENOTCONN)):
        a, b = S.socketpair(S.AF_UNIX, kind)
        fails(EOPNOTSUPP, a.send, b"x", OOB)
        fails(EOPNOTSUPP, b.recv, 1, OOB | DONTWAIT)
        fails(EOPNOTSUPP, number, b, SIOCATMARK)
        alone = S.socket(S.AF_UNIX, kind)
        fails(unconnected, alone.send, b"x", OOB)
        fails(unconnected, alone.recv, 1, OOB | DONTWAIT)
    for family, kind in ((S.AF_INET, S.SOCK_DGRAM), (S.AF_NETLINK, S.SOCK_RAW)):
        fails(ENOTTY, number, S.socket(family, kind), SIOCATMARK)
        if kind == S.SOCK_SEQPACKET:
            fails(ENOTCONN, alone.sendto, b"x", "\0nobody")
            eq(a.sendto(b"x", "\0nobody"), 1)
            eq(b.recv(9), b"x")
    alone = S.socket(S.AF_UNIX, S.SOCK_STREAM)
    fails(ENOTCONN, alone.send, b"x", OOB)
    fails(EINVAL, alone.recv, 1, OOB)
    eq(number(alone, SIOCATMARK), 0)


run()
