"""How TCP connections end: connect(2) to AF_UNSPEC, and a write after the peer has closed."""

import errno
import socket
import struct

from lib.guest import NR, between, eq, gives, run, test

UNSPEC = struct.pack("H14x", 0)


def pair():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    return a, b


def disconnect(s):
    gives(0, NR.connect, s.fileno(), UNSPEC, 16)


def outcome(fn, *args):
    try:
        return fn(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


@test
def a_disconnect_resets_the_peer():
    a, b = pair()
    disconnect(a)
    eq(outcome(a.getpeername), "ENOTCONN")
    eq([outcome(a.recv, 1) for _ in range(2)], ["ECONNRESET", "ENOTCONN"])
    eq(outcome(b.recv, 1), "ECONNRESET")
    eq(outcome(b.recv, 1), b"")
    eq(outcome(b.send, b"x"), "EPIPE")


@test
def data_sent_before_a_disconnect_can_be_read():
    a, b = pair()
    for _ in range(4):
        a.send(bytes(40000))
    b.send(b"to a")
    disconnect(a)
    got = 0
    for _ in range(100):
        part = outcome(b.recv, 8192)
        if not isinstance(part, bytes) or not part:
            break
        got += len(part)
    between(1, got, 160000)
    disconnect(a)


@test
def both_ends_can_disconnect_at_once():
    a, b = pair()
    a.send(b"x" * 8192)
    disconnect(a)
    disconnect(b)
    eq((outcome(a.recv, 1), outcome(b.recv, 1)), ("ECONNRESET", "ECONNRESET"))


@test
def a_socket_can_connect_again():
    a, b = pair()
    disconnect(a)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        a.connect(listener.getsockname())
        c, _ = listener.accept()
    a.send(b"again")
    eq(c.recv(10), b"again")
    c.send(b"yes")
    eq(a.recv(10), b"yes")


@test
def a_connect_to_a_full_backlog_can_be_disconnected():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        clients = []
        for _ in range(6):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
            clients.append(s)
        for s in clients[1:]:
            disconnect(s)
        accepted, _ = listener.accept()
        eq(accepted.getpeername(), clients[0].getsockname())
        clients[-1].setblocking(True)
        eq(outcome(clients[-1].recv, 1) in ("ENOTCONN", "ECONNRESET"), True)


@test
def a_long_write_to_a_closed_peer_is_short():
    for blocking in True, False:
        a, b = pair()
        b.close()
        a.setblocking(blocking)
        n = a.send(bytes(50 << 20))
        between(1, n, 49 << 20, "bytes taken")
        eq(outcome(a.send, b"x"), "EPIPE")


run()
