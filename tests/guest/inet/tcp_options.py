"""Effects of TCP options (tcp(7)): time-outs, deferred accepting, Fast Open, counters of TCP_INFO.
"""

import errno
import os
import select
import socket
import struct
import time

from lib.guest import *
from lib.namespaces import NEWNET, unshare

TCP = socket.IPPROTO_TCP
MAXSEG, SYNCNT, DEFER, CLAMP, INFO, CONGESTION, USER_TIMEOUT, FASTOPEN = 2, 7, 9, 10, 11, 13, 18, 23
NOTSENT, CC_INFO, SAVE_SYN, SAVED_SYN, FO_CONNECT, ULP, FO_KEY, NO_COOKIE, INQ = 25, 26, 27, 28, 30, 31, 33, 34, 36
MSG_FASTOPEN = 0x20000000
ESTABLISHED, SYN_SENT, CLOSE = 1, 2, 7
SYN_DATA = 32


def outcome(fn, *args):
    try:
        return fn(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, "timeout")


def listening(*options, backlog=5, family=socket.AF_INET):
    s = socket.socket(family)
    s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    for name, value in options:
        s.setsockopt(TCP, name, value)
    s.listen(backlog)
    s.settimeout(10)
    return s


def connected(*options):
    with listening(*options) as listener:
        a = socket.create_connection(listener.getsockname())
        return a, listener.accept()[0]


def fill(s):
    """Sends as many bytes as there is room for. Returns their number."""
    s.setblocking(False)
    sent = 0
    try:
        while True:
            sent += s.send(bytes(65536))
    except BlockingIOError:
        return sent


def events(s, ms=0):
    p = select.poll()
    p.register(s, select.POLLIN | select.POLLOUT | 0x2000)
    found = p.poll(ms)
    return found[0][1] if found else 0


def info(s):
    data = s.getsockopt(TCP, INFO, 248)
    eq(len(data), 248)
    names = "acked received segs_out segs_in notsent min_rtt data_in data_out".split()
    found = dict(zip(names, struct.unpack_from("=QQ6I", data, 120)))
    found.update(zip(["last_sent", "", "last_received", "last_ack"], struct.unpack_from("=4I", data, 44)))
    found.update(state=data[0], options=data[5], fail=data[7] >> 1 & 3, delivered=struct.unpack_from("=I", data, 192)[0],
                 sent=struct.unpack_from("=Q", data, 200)[0], rtt=struct.unpack_from("=I", data, 68)[0])
    return found


def some_info(s, names):
    found = info(s)
    return tuple(found[name] for name in names.split())


def state(s):
    return s.getsockopt(TCP, INFO, 1)[0]


@test
def unacknowledged_data_end_a_connection_after_the_user_timeout():
    a, b = connected()
    a.setsockopt(TCP, USER_TIMEOUT, 500)
    fill(a)
    start = time.monotonic()
    eq(events(a) & select.POLLOUT, 0)
    p = select.poll()
    p.register(a, select.POLLIN)
    eq(p.poll(8000)[0][1], select.POLLIN | select.POLLERR | select.POLLHUP)
    between(0.4, time.monotonic() - start, 4, "seconds")
    eq((state(a), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), (CLOSE, errno.ETIMEDOUT))
    eq(outcome(a.send, b"x"), "EPIPE")
    # The peer gets no segment at first; it gets the reset when it makes room.
    eq(state(b), ESTABLISHED)
    b.settimeout(5)
    while isinstance(got := outcome(b.recv, 1 << 20), bytes) and got:
        pass
    eq(got, "ECONNRESET")


@test
def a_slow_receiver_does_not_end_a_connection():
    a, b = connected()
    a.setsockopt(TCP, USER_TIMEOUT, 1500)
    total, got = fill(a), 0
    start = time.monotonic()
    while time.monotonic() - start < 2.5:
        got += len(b.recv(total // 20))
        time.sleep(0.25)
    eq((state(a), a.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), (ESTABLISHED, 0))


@test
def acknowledged_data_need_not_be_read():
    a, b = connected()
    a.setsockopt(TCP, USER_TIMEOUT, 200)
    a.send(b"x")
    time.sleep(0.8)
    eq((a.send(b"y"), b.recv(9)), (1, b"xy"))


def full_listener():
    listener = listening(backlog=0)
    return listener, socket.create_connection(listener.getsockname())


@cases([("TCP_USER_TIMEOUT", [(USER_TIMEOUT, 500)], 1), ("TCP_SYNCNT", [(SYNCNT, 1)], 3)])
def a_connect_without_an_answer_times_out(options, seconds):
    listener, first = full_listener()
    s = socket.socket()
    for name, value in options:
        s.setsockopt(TCP, name, value)
    start = time.monotonic()
    eq(outcome(s.connect, listener.getsockname()), "ETIMEDOUT")
    between(seconds - 0.2, time.monotonic() - start, seconds + 2, "seconds")


@test
def a_nonblocking_connect_without_an_answer_times_out():
    listener, first = full_listener()
    s = socket.socket()
    s.setsockopt(TCP, USER_TIMEOUT, 500)
    s.setblocking(False)
    eq(s.connect_ex(listener.getsockname()), errno.EINPROGRESS)
    eq(events(s), 0)
    ok(events(s, 5000) & select.POLLERR, "an error")
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ETIMEDOUT)


@test
def a_connection_without_data_is_not_accepted():
    listener = listening((DEFER, 1))
    client = socket.create_connection(listener.getsockname())
    eq((state(client), events(listener)), (ESTABLISHED, 0))
    listener.setblocking(False)
    eq(outcome(listener.accept), "EAGAIN")
    client.send(b"hello")
    listener.settimeout(5)
    server = listener.accept()[0]
    eq((server.recv(9), server.getsockopt(TCP, DEFER)), (b"hello", 0))


@test
def deferring_ends_after_some_seconds():
    listener = listening((DEFER, 1))
    client = socket.create_connection(listener.getsockname())
    start = time.monotonic()
    server = listener.accept()[0]
    between(0.7, time.monotonic() - start, 4, "seconds")
    client.send(b"x")
    eq(server.recv(9), b"x")


@test
def a_fin_completes_a_deferred_connection():
    listener = listening((DEFER, 10))
    socket.create_connection(listener.getsockname()).close()
    server = listener.accept()[0]
    eq(server.recv(9), b"")


@test
def a_deferred_connection_that_is_reset_is_not_accepted():
    listener = listening((DEFER, 1))
    client = socket.create_connection(listener.getsockname())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    listener.settimeout(1.7)
    eq(outcome(listener.accept), "timeout")


@test
def closing_the_listener_resets_deferred_connections():
    listener = listening((DEFER, 10))
    client = socket.create_connection(listener.getsockname())
    listener.close()
    client.settimeout(5)
    eq(outcome(client.recv, 1) in (b"", "ECONNRESET", "timeout") and outcome(client.send, b"x") in (1, "EPIPE", "ECONNRESET"), True)


@test
def bytes_and_segments_are_counted():
    a, b = connected()
    for s, acked, out, came in (a, 1, 2, 1), (b, 0, 0, 2):
        i = info(s)
        eq((i["acked"], i["received"], i["sent"], i["segs_out"], i["segs_in"], i["data_out"], i["delivered"]), (acked, 0, 0, out, came, 0, 1))
        ok(0 < i["min_rtt"] < 1000000 and 0 < i["rtt"] < 1000000, "round trip")
    start = time.monotonic()
    a.send(b"x" * 1000)
    becomes((1001, 1000, 3, 2, 1, 2), some_info, a, "acked sent segs_out segs_in data_out delivered")
    becomes((1000, 1, 3, 1), some_info, b, "received segs_out segs_in data_in")
    ages = lambda: some_info(a, "last_sent last_ack") + some_info(b, "last_received")
    wait_until(lambda: min(ages()) >= 100, "ages go up")
    ok(max(ages()) <= 1000 * (time.monotonic() - start) + 10, "ages are milliseconds")
    b.recv(2000)
    b.send(b"yy")
    becomes((2, 1, 3, 4), some_info, a, "received data_in segs_in segs_out")
    becomes((2, 2, 1), some_info, b, "acked sent data_out")
    a.shutdown(socket.SHUT_WR)
    becomes((1002, 1000), some_info, a, "acked sent")
    becomes((1001,), some_info, b, "received")


@test
def data_beyond_the_window_are_not_sent():
    a, b = connected()
    total = fill(a)
    wait_until(lambda: info(b)["received"] == info(a)["acked"] - 1 > 0, "all that has room is acknowledged")
    i = info(a)
    ok(0 < i["notsent"] < total, "bytes that wait")
    ok(i["sent"] + i["notsent"] >= total, "and the others were sent")
    eq(info(b)["received"], i["acked"] - 1)


@test
def tcp_notsent_lowat_bounds_unsent_data():
    a, b = connected()
    total = fill(a)
    c, d = connected()
    c.setsockopt(TCP, NOTSENT, 16384)
    less = fill(c)
    ok(less < total, "%d of %d" % (less, total))
    eq(events(c) & select.POLLOUT, 0)
    d.settimeout(5)
    got = 0
    while got < less:
        got += len(d.recv(1 << 20))
    ok(events(c, 5000) & select.POLLOUT, "room")


@test
def tcp_save_syn_keeps_the_syn():
    listener = listening((SAVE_SYN, 1))
    client = socket.create_connection(listener.getsockname())
    server = listener.accept()[0]
    eq(outcome(server.getsockopt, TCP, SAVED_SYN, 10), "EINVAL")
    eq((listener.getsockopt(TCP, SAVED_SYN, 300), client.getsockopt(TCP, SAVED_SYN, 300)), (b"", b""))
    syn = server.getsockopt(TCP, SAVED_SYN, 300)
    eq((len(syn), syn[0], syn[9], syn[12:16], syn[16:20]), (60, 0x45, 6, b"\x7f\0\0\1", b"\x7f\0\0\1"))
    ports = struct.unpack_from(">HH", syn, 20)
    eq(ports, (client.getsockname()[1], listener.getsockname()[1]))
    eq((syn[32], syn[33] & 0x3F, syn[40:42]), (0xA0, 2, b"\2\4"))
    eq(server.getsockopt(TCP, SAVED_SYN, 300), b"")
    listener = listening((SAVE_SYN, 2), family=socket.AF_INET6)
    client = socket.create_connection(listener.getsockname()[:2])
    syn = listener.accept()[0].getsockopt(TCP, SAVED_SYN, 300)
    eq((len(syn), syn[12:15]), (94, b"\x86\xdd\x60"))


@test
def an_unknown_protocol_name_is_refused():
    s = socket.socket()
    eq((outcome(s.setsockopt, TCP, ULP, b"nothing"), outcome(s.setsockopt, TCP, ULP, b""), s.getsockopt(TCP, ULP, 16)), ("ENOENT", "EINVAL", b""))
    s.setsockopt(TCP, CONGESTION, b"reno")
    eq(s.getsockopt(TCP, CC_INFO, 64), b"")


@test
def tcp_inq_reports_the_bytes_left_to_read():
    a, b = connected()
    b.setsockopt(TCP, INQ, 1)
    a.send(b"x" * 100)
    data, control, flags, name = b.recvmsg(30, 100)
    eq(control, [(TCP, INQ, struct.pack("i", 70))])


def fast_open(setting):
    """Sets tcp_fastopen in a network namespace of its own; returns a function that restores it."""
    need_root()
    unshare(NEWNET)
    if os.system("ip link set lo up") != 0:
        skip("no lo")
    path = "/proc/sys/net/ipv4/tcp_fastopen"
    with open(path) as f:
        before = f.read()
    with open(path, "w") as f:
        f.write(str(setting))
    return lambda: open(path, "w").write(before)


def with_setting(setting, fn):
    undo = fast_open(setting)
    try:
        fn()
    finally:
        undo()


@test
def fast_open_sends_data_with_the_second_syn():
    def see():
        listener = listening((FASTOPEN, 5))
        address = listener.getsockname()
        for i in range(3):
            client = socket.socket()
            eq(client.sendto(b"hello", MSG_FASTOPEN, address), 5)
            server = listener.accept()[0]
            eq(server.recv(9), b"hello")
            found = info(client), info(server)
            expected = (0, 0, 1) if i == 0 else (SYN_DATA, SYN_DATA, 0)
            eq((found[0]["options"] & SYN_DATA, found[1]["options"] & SYN_DATA, found[0]["fail"]), expected)
            server.send(b"re")
            eq(client.recv(9), b"re")
    with_setting(3, see)


@test
def fast_open_without_a_server_is_a_plain_connection():
    def see():
        listener = listening((FASTOPEN, 5))
        for i in range(2):
            client = socket.socket()
            eq(client.sendto(b"hello", MSG_FASTOPEN, listener.getsockname()), 5)
            server = listener.accept()[0]
            eq((server.recv(9), info(client)["options"] & SYN_DATA, info(client)["fail"]), (b"hello", 0, 1))
        client = socket.socket()
        client.setsockopt(TCP, NO_COOKIE, 1)
        eq((client.sendto(b"hello", MSG_FASTOPEN, listener.getsockname()), info(client)["fail"]), (5, 2))
    with_setting(1, see)


@test
def fast_open_without_blocking():
    def see():
        listener = listening((FASTOPEN, 5))
        client = socket.socket()
        client.setblocking(False)
        eq(outcome(client.sendto, b"hello", MSG_FASTOPEN, listener.getsockname()), "EINPROGRESS")
        ok(events(client, 5000) & select.POLLOUT, "connected")
        eq(client.send(b"plain"), 5)
        eq(listener.accept()[0].recv(9), b"plain")
        client = socket.socket()
        client.setblocking(False)
        eq(client.sendto(b"hello", MSG_FASTOPEN, listener.getsockname()), 5)
        eq(listener.accept()[0].recv(9), b"hello")
    with_setting(3, see)


@test
def tcp_fastopen_connect_connects_at_the_first_write():
    def see():
        listener = listening((FASTOPEN, 5))
        address = listener.getsockname()
        first = socket.socket()
        first.sendto(b"x", MSG_FASTOPEN, address)
        listener.accept()
        client = socket.socket()
        client.setsockopt(TCP, FO_CONNECT, 1)
        client.connect(address)
        client.setblocking(False)
        eq((state(client), events(client), outcome(client.getpeername), outcome(client.connect, address)),
           (SYN_SENT, select.POLLOUT, "ENOTCONN", "EISCONN"))
        eq(events(listener), 0)
        eq((client.send(b"data"), state(client), info(client)["options"] & SYN_DATA), (4, ESTABLISHED, SYN_DATA))
        eq(listener.accept()[0].recv(9), b"data")
        client = socket.socket()
        client.setsockopt(TCP, FO_CONNECT, 1)
        client.connect(address)
        listener.close()
        eq((outcome(client.send, b"x"), state(client), outcome(client.send, b"x")), ("ECONNREFUSED", CLOSE, "EPIPE"))
    with_setting(3, see)


@test
def fast_open_can_be_off():
    def see():
        listener = listening((FASTOPEN, 5))
        s = socket.socket()
        eq((outcome(s.sendto, b"x", MSG_FASTOPEN, listener.getsockname()), outcome(s.setsockopt, TCP, FO_CONNECT, 1)), ("ENOTSUP", "ENOTSUP"))
    with_setting(0, see)


@test
def refused_fast_opens():
    listener = listening((FASTOPEN, 5))
    address = listener.getsockname()
    eq(listener.getsockopt(TCP, FASTOPEN), 5)
    a = socket.create_connection(address)
    eq(outcome(a.sendto, b"x", MSG_FASTOPEN, address), "EISCONN")
    eq([outcome(a.setsockopt, TCP, name, 1) for name in (FASTOPEN, FO_CONNECT, NO_COOKIE)], ["EINVAL"] * 3)
    eq((outcome(listener.setsockopt, TCP, FO_CONNECT, 1), outcome(listener.setsockopt, TCP, NO_COOKIE, 1)), ("EINVAL", None))
    s = socket.socket()
    eq([outcome(s.setsockopt, TCP, FO_CONNECT, 2), outcome(s.setsockopt, TCP, FASTOPEN, -1), outcome(s.send, b"x", MSG_FASTOPEN)], ["EINVAL"] * 3)
    listener.close()
    eq(outcome(socket.socket().sendto, b"x", MSG_FASTOPEN, address), "ECONNREFUSED")


@test
def a_listener_has_a_key():
    s = listening((FASTOPEN, 5))
    for key in b"k" * 16, b"a" * 32:
        s.setsockopt(TCP, FO_KEY, key)
        eq(s.getsockopt(TCP, FO_KEY, 64), key)
    eq(outcome(s.setsockopt, TCP, FO_KEY, b"abc"), "EINVAL")


@test
def ip_pktoptions_returns_options_of_the_first_segment():
    """The options that select control messages of datagrams select the parts of IP_PKTOPTIONS."""
    ip, pktoptions, home = socket.IPPROTO_IP, 9, b"\x7f\0\0\1"
    asks = ((8, 1), (12, 1), (13, 1))

    def parts(s, room=200):
        got, found = s.getsockopt(ip, pktoptions, room), []
        while len(got) >= 16:
            length, _, kind = struct.unpack("qii", got[:16])
            found.append((kind, got[16:length]))
            got = got[length + 7 & ~7 :]
        return found

    def expected(link, ttl, tos):
        info = struct.pack("i", link) + home + home
        return [(8, info), (2, struct.pack("i", ttl)), (1, struct.pack("i", tos))]

    with listening() as listener, socket.socket() as a:
        eq(listener.getsockopt(ip, pktoptions, 200), b"")
        for name, value in asks:
            listener.setsockopt(ip, name, value)
            a.setsockopt(ip, name, value)
        a.setsockopt(ip, socket.IP_TTL, 77)
        a.setsockopt(ip, socket.IP_TOS, 0x10)
        a.connect(listener.getsockname())
        b = listener.accept()[0]
        eq(parts(b), expected(socket.if_nametoindex("lo"), 77, 0x10))
        eq(parts(a), expected(0, 1, 0))
        eq(parts(listener), expected(0, 1, 0))
        eq(parts(b, 40), expected(socket.if_nametoindex("lo"), 77, 0x10)[:1], "what fits")
        eq(b.getsockopt(ip, socket.IP_MULTICAST_TTL), 77)
        eq(a.getsockopt(ip, 14), 65535, "IP_MTU of lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        eq(outcome(s.getsockopt, ip, pktoptions, 200), "ENOPROTOOPT")


if __name__ == "__main__":
    run()
