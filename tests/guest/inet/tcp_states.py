"""TCP's states over the loopback: half-closing, resets in each state, a socket's connection to
itself, full windows.
"""

import errno
import select
import socket
import struct

from lib.guest import becomes, cases, eq, fails, ok, run, test, wait_until

STATES = ["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
          "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"]
IN, OUT, ERR, HUP, RDHUP = 1, 4, 8, 16, 0x2000


def pair():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        a = socket.create_connection(listener.getsockname())
        b, _ = listener.accept()
    for s in a, b:
        s.settimeout(10)
    return a, b


def state(s):
    return STATES[s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def events(s):
    p = select.poll()
    p.register(s, IN | OUT | RDHUP)
    found = p.poll(0)
    return found[0][1] if found else 0


def outcome(fn, *args):
    try:
        return fn(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


def settles(*expected):
    """Waits for these states of sockets: packets take a moment."""
    becomes([e for _, e in expected], lambda: [state(s) for s, _ in expected])


def pending(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def lingers(s, seconds):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))


def fill(s):
    s.setblocking(False)
    n = 0
    try:
        while True:
            n += s.send(b"z" * 65536)
    except BlockingIOError:
        return n


@test
def one_direction_is_closed():
    a, b = pair()
    a.shutdown(socket.SHUT_WR)
    settles((a, "FIN_WAIT2"), (b, "CLOSE_WAIT"))
    eq((events(a), events(b)), (OUT, IN | OUT | RDHUP))
    eq((outcome(b.recv, 1), outcome(a.send, b"x")), (b"", "EPIPE"))
    eq((b.send(b"late"), a.recv(9)), (4, b"late"))
    a.shutdown(socket.SHUT_WR)
    b.shutdown(socket.SHUT_WR)
    settles((a, "CLOSE"), (b, "CLOSE"))
    eq((events(a), events(b)), (IN | OUT | HUP | RDHUP,) * 2)
    eq((outcome(a.recv, 1), outcome(b.send, b"x"), outcome(a.shutdown, 1)), (b"", "EPIPE", "ENOTCONN"))
    fails(errno.ENOTCONN, a.getpeername)


@test
def shutdown_of_reading_is_local():
    a, b = pair()
    a.shutdown(socket.SHUT_RD)
    eq((state(a), state(b), events(a), events(b)), ("ESTABLISHED", "ESTABLISHED", IN | OUT | RDHUP, OUT))
    eq(outcome(a.recv, 1), b"")
    b.send(b"x")
    eq(a.recv(9, socket.MSG_WAITALL)[:1] in (b"x", b""), True)
    eq((a.send(b"q"), b.recv(1)), (1, b"q"))


@cases([("at_once", False), ("later", True)])
def data_to_a_peer_that_shut_both_directions_are_reset(late):
    a, b = pair()
    a.shutdown(socket.SHUT_WR if late else socket.SHUT_RDWR)
    settles((a, "FIN_WAIT2"), (b, "CLOSE_WAIT"))
    if late:
        a.shutdown(socket.SHUT_RD)
    eq(b.send(b"x"), 1)
    settles((a, "CLOSE"), (b, "CLOSE"))
    eq((outcome(a.recv, 1), outcome(a.recv, 1)), ("ECONNRESET", b""))
    eq((outcome(b.send, b"y"), pending(b)), ("EPIPE", 0))


@test
def data_to_a_closed_peer_are_reset():
    a, b = pair()
    a.close()
    settles((b, "CLOSE_WAIT"))
    eq(b.send(b"x"), 1)
    settles((b, "CLOSE"))
    eq(events(b), IN | OUT | ERR | HUP | RDHUP)
    eq((outcome(b.send, b"y"), outcome(b.recv, 1), pending(b)), ("EPIPE", b"", 0))


@test
def a_close_with_unread_data_resets():
    a, b = pair()
    b.send(b"unread")
    wait_until(lambda: events(a) & IN, "data")
    a.close()
    settles((b, "CLOSE"))
    eq((outcome(b.recv, 1), outcome(b.recv, 1), outcome(b.send, b"y")), ("ECONNRESET", b"", "EPIPE"))


@cases([("established", None, "ECONNRESET"), ("close_wait", "b", "EPIPE"), ("fin_wait2", "a", "ECONNRESET")])
def a_reset_arrives_in(closer, error):
    a, b = pair()
    if closer is not None:
        (a if closer == "a" else b).shutdown(socket.SHUT_WR)
        settles((a, "FIN_WAIT2" if closer == "a" else "CLOSE_WAIT"))
    lingers(b, 0)
    b.close()
    settles((a, "CLOSE"))
    eq(events(a), IN | OUT | ERR | HUP | RDHUP)
    eq((outcome(a.send, b"x"), pending(a), outcome(a.recv, 1)), (error, 0, b""))
    eq((outcome(a.send, b"x"), outcome(a.shutdown, 2)), ("EPIPE", "ENOTCONN"))


@test
def a_reset_is_reported_once():
    a, b = pair()
    lingers(b, 0)
    b.close()
    settles((a, "CLOSE"))
    eq((pending(a), pending(a), events(a)), (errno.ECONNRESET, 0, IN | OUT | HUP | RDHUP))
    eq((outcome(a.recv, 1), outcome(a.send, b"q")), (b"", "EPIPE"))


@cases([("zero", 0, b"ECONNRESET"), ("a_second", 1, b"")])
def lingering(seconds, last):
    a, b = pair()
    a.send(b"data")
    wait_until(lambda: events(b) & IN, "data")
    lingers(a, seconds)
    a.close()
    settles((b, "CLOSE" if seconds == 0 else "CLOSE_WAIT"))
    eq((b.recv(9), outcome(b.recv, 1)), (b"data", last.decode() or b""))


@cases([("blocking", True), ("at_once", False)])
def a_socket_connects_to_itself(blocking):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.setblocking(blocking)
        eq(outcome(s.connect, s.getsockname()), None if blocking else "EINPROGRESS")
        settles((s, "ESTABLISHED"))
        eq((s.getpeername(), s.send(b"me"), s.recv(9)), (s.getsockname(), 2, b"me"))
        s.shutdown(socket.SHUT_WR)
        settles((s, "CLOSE"))
        eq((outcome(s.recv, 1), events(s), outcome(s.send, b"x")), (b"", IN | OUT | HUP | RDHUP, "EPIPE"))


@test
def a_socket_connected_to_itself_is_released():
    for end in "close", "unread", "disconnect":
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.connect(s.getsockname())
            if end == "unread":
                s.send(b"x")
    a, b = pair()
    eq((a.send(b"x"), b.recv(1)), (1, b"x"))


@test
def a_socket_that_does_not_listen_refuses():
    with socket.socket() as a, socket.socket() as b:
        for s in a, b:
            s.bind(("127.0.0.1", 0))
        fails(errno.ECONNREFUSED, a.connect, b.getsockname())
        eq((state(a), state(b)), ("CLOSE", "CLOSE"))


@test
def a_full_backlog_delays_further_connections():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        clients = []
        for _ in range(5):
            clients.append(socket.socket())
            clients[-1].setblocking(False)
            eq(clients[-1].connect_ex(listener.getsockname()), errno.EINPROGRESS)
        settles(*[(c, "ESTABLISHED" if i < 2 else "SYN_SENT") for i, c in enumerate(clients)])
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        eq(struct.unpack("II", info[24:32]), (2, 1))
        eq([outcome(c.connect, listener.getsockname()) for c in clients], [None] * 2 + ["EALREADY"] * 3)
        eq([outcome(c.send, b"x") for c in clients], [1] * 2 + ["EAGAIN"] * 3)
    settles((clients[0], "CLOSE"), (clients[1], "CLOSE"))
    eq([pending(c) for c in clients[:2]], [errno.ECONNRESET] * 2)


@test
def a_listener_is_shut():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        for call in lambda: listener.recv(1), lambda: listener.getpeername():
            eq(outcome(call), "ENOTCONN")
        eq((outcome(listener.send, b"x"), outcome(listener.connect, ("127.0.0.1", 1))), ("EPIPE", "EISCONN"))
        listener.shutdown(socket.SHUT_WR)
        eq((state(listener), events(listener)), ("LISTEN", 0))
        c = socket.create_connection(listener.getsockname())
        listener.shutdown(socket.SHUT_RD)
        settles((listener, "CLOSE"), (c, "CLOSE"))
        eq((events(listener), outcome(listener.accept)), (OUT | HUP, "EINVAL"))
        eq(outcome(c.recv, 1), "ECONNRESET")
        listener.listen(1)
        eq(state(listener), "LISTEN")


@test
def a_new_socket_is_closed():
    with socket.socket() as s:
        eq((state(s), events(s)), ("CLOSE", OUT | HUP))
        eq([outcome(f) for f in (lambda: s.recv(1), lambda: s.send(b"x"), lambda: s.shutdown(2), s.accept)],
           ["ENOTCONN", "EPIPE", "ENOTCONN", "EINVAL"])


@test
def a_window_closes_and_opens():
    a, b = pair()
    n = fill(a)
    eq(events(a), 0)
    got = 0
    while got < n:
        got += len(b.recv(1 << 20))
    ok(select.select([], [a], [], 10)[1] == [a], "room again")
    eq((a.send(b"more"), b.recv(9)), (4, b"more"))


@cases([("0", 0, 0), ("1", 1, 1), ("2", 2, 3), ("5", 5, 7), ("8", 8, 15), ("30", 30, 31), ("100", 100, 127),
        ("500", 500, 607), ("negative", -1, 0)])
def deferring_is_counted_in_tries(seconds, shown):
    with socket.socket() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, seconds)
        eq(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT), shown)


run()
