"""TCP across a link: connects, bulk data, half-closing, resets, waits, options."""

import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import threading
import time
import zlib

from lib.guest import between, eq, fails, ok, run, test, wait_until

PEER4, PEER6, OWN4, OWN6 = "10.77.0.1", "fd77::1", "10.77.0.2", "fd77::2"
PATTERN = bytes(range(251)) * 1044
BIG = 10 << 20


def connect(port, host=PEER4):
    return socket.create_connection((host, port), timeout=10)


def read_all(s):
    parts = []
    while True:
        part = s.recv(262144)
        if not part:
            return b"".join(parts)
        parts.append(part)


def echo(s, data):
    s.sendall(data)
    got = b""
    while len(got) < len(data):
        got += s.recv(65536)
    eq(got, data)


@test
def echo_over_both_families():
    for host, own in ((PEER4, OWN4), (PEER6, OWN6)):
        with connect(7001, host) as s:
            echo(s, b"hello")
            eq(s.getpeername()[:2], (host, 7001))
            eq(s.getsockname()[0], own)


@test
def ten_megabytes_out():
    data = (PATTERN * 41)[:BIG]
    with connect(7002) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        eq(read_all(s), b"%d %d" % (BIG, zlib.crc32(data)))


@test
def ten_megabytes_in():
    with connect(7003, PEER6) as s:
        s.sendall(b"%d\n" % BIG)
        data = read_all(s)
        eq(len(data), BIG)
        ok(data.startswith(PATTERN), "the bytes are those that were sent")


@test
def both_directions_at_once():
    data = PATTERN * 8
    with connect(7001) as s:
        sender = threading.Thread(target=s.sendall, args=(data,))
        sender.start()
        got = bytearray()
        while len(got) < len(data):
            got += s.recv(100000)
        sender.join()
        ok(bytes(got) == data, "the bytes are those that were sent")


@test
def sendfile_and_splice():
    data = PATTERN * 4
    with open("file", "wb") as f:
        f.write(data)
    with connect(7002) as s, open("file", "rb") as f:
        eq(s.sendfile(f), len(data))
        s.shutdown(socket.SHUT_WR)
        eq(read_all(s), b"%d %d" % (len(data), zlib.crc32(data)))
    with connect(7003) as s:
        s.sendall(b"100000\n")
        r, w = os.pipe()
        got = b""
        s.settimeout(None)
        while len(got) < 100000:
            n = os.splice(s.fileno(), w, 50000)
            ok(n > 0, "splice moved something")
            while n > 0:
                part = os.read(r, n)
                got += part
                n -= len(part)
        eq(got, PATTERN[:100000])


@test
def a_refused_connection():
    for host in (PEER4, PEER6, "127.0.0.1", "::1"):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            fails(errno.ECONNREFUSED, s.connect, (host, 1))


@test
def a_connection_in_progress():
    with socket.socket() as s:
        s.setblocking(False)
        ok(s.connect_ex((PEER4, 7001)) in (0, errno.EINPROGRESS), "in progress")
        eq(select.select([], [s], [], 10)[1], [s])
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
        s.setblocking(True)
        echo(s, b"x")
    with socket.socket() as s:
        s.setblocking(False)
        s.connect_ex((PEER4, 1))
        eq(select.select([], [s], [], 10)[1], [s])
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.ECONNREFUSED)
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)


@test
def a_connection_that_does_not_come():
    with socket.socket() as s:
        s.setblocking(False)
        eq(s.connect_ex((PEER4, 7006)), errno.EINPROGRESS)
        eq(s.connect_ex((PEER4, 7006)), errno.EALREADY)
        eq(select.select([], [s], [], 0.2)[1], [])
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("qq", 0, 200000))
        began = time.monotonic()
        fails(errno.EINPROGRESS, s.connect, (PEER4, 7006))
        between(0.15, time.monotonic() - began, 5)
    with socket.socket() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        s.setsockopt(socket.IPPROTO_TCP, 18, 500)
        fails(errno.ETIMEDOUT, s.connect, (PEER4, 7006))


@test
def a_half_closed_connection():
    with connect(7001) as s:
        s.sendall(b"last words")
        s.shutdown(socket.SHUT_WR)
        eq(read_all(s), b"last words")
        fails(errno.EPIPE, s.send, b"x")


@test
def sigpipe_and_msg_nosignal():
    with connect(7001) as s:
        got = []
        signal.signal(signal.SIGPIPE, lambda *_: got.append(1))
        s.shutdown(socket.SHUT_WR)
        fails(errno.EPIPE, s.send, b"x", socket.MSG_NOSIGNAL)
        eq(got, [])
        fails(errno.EPIPE, s.send, b"x")
        eq(got, [1])


@test
def a_reset():
    with connect(7004) as s:
        p = select.poll()
        p.register(s, select.POLLIN)
        s.sendall(b"x")
        (_, bits), = p.poll(10000)
        ok(bits & select.POLLERR, "POLLERR")
        ok(bits & select.POLLHUP, "POLLHUP")
        fails(errno.ECONNRESET, s.recv, 1)
        eq(s.recv(1), b"")
        fails(errno.EPIPE, s.send, b"x")


@test
def a_server_of_our_own():
    for family, own, peer in ((socket.AF_INET, OWN4, PEER4), (socket.AF_INET6, OWN6, PEER6)):
        with socket.create_server((own, 0), family=family) as server:
            with connect(7005, peer) as control:
                control.sendall(b"%s %d ping\n" % (own.encode(), server.getsockname()[1]))
                c, who = server.accept()
                eq(who[0], peer)
                with c:
                    eq(read_all(c), b"ping")
                    c.sendall(b"pong")
                eq(read_all(control), b"pong")


@test
def accept_waits_and_times_out():
    with socket.create_server((OWN4, 0)) as server:
        server.setblocking(False)
        fails(errno.EAGAIN, server.accept)
        server.setblocking(True)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50000))
        fails(errno.EAGAIN, server.accept)


@test
def two_hundred_connections():
    with socket.create_server((OWN4, 0), backlog=256) as server:
        address = server.getsockname()
        clients = [socket.create_connection(address) for _ in range(200)]
        served = [server.accept()[0] for _ in range(200)]
        epoll = select.epoll()
        for c in served:
            epoll.register(c, select.EPOLLIN)
        for i, c in enumerate(clients):
            c.sendall(b"%d" % i)
        by_fd, texts = {c.fileno(): c for c in served}, set()
        while len(texts) < 200:
            for fd, bits in epoll.poll(10):
                ok(bits & select.EPOLLIN, "EPOLLIN")
                texts.add(by_fd[fd].recv(10))
                epoll.unregister(fd)
        eq(texts, {b"%d" % i for i in range(200)})
        for c in clients + served:
            c.close()


@test
def edge_triggered_epoll():
    a = connect(7001)
    epoll = select.epoll()
    epoll.register(a, select.EPOLLIN | select.EPOLLET)
    eq(epoll.poll(0), [])
    for _ in range(3):
        a.sendall(b"x")
        eq(epoll.poll(10), [(a.fileno(), select.EPOLLIN)])
        eq(epoll.poll(0), [])
        eq(a.recv(10), b"x")
    a.close()


@test
def a_reader_and_a_writer_wait_at_once():
    server = socket.create_server((OWN4, 0))
    a = socket.create_connection(server.getsockname())
    b, _ = server.accept()
    sent = []

    def fill():
        sent.append(a.sendall(bytes(32 << 20)))

    writer, got = threading.Thread(target=fill), []
    reader = threading.Thread(target=lambda: got.append(a.recv(10)))
    reader.start()
    writer.start()
    time.sleep(0.1)
    eq((sent, got), ([], []))
    b.sendall(b"to a")
    reader.join(10)
    eq((sent, got), ([], [b"to a"]))
    total = 0
    while total < 32 << 20:
        total += len(b.recv(1 << 20))
    writer.join(10)
    eq(sent, [None])


@test
def ports_and_reuse():
    with socket.create_server((OWN4, 0)) as first:
        address = first.getsockname()
        with socket.socket() as s:
            fails(errno.EADDRINUSE, s.bind, address)
            fails(errno.EADDRNOTAVAIL, s.bind, ("10.99.99.99", 0))
        c = socket.create_connection(address)
        served, _ = first.accept()
        served.close()
        c.close()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        s.listen()
    pair = []
    for _ in range(2):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(pair[0].getsockname() if pair else (OWN4, 0))
        s.listen()
        pair.append(s)


@test
def privileged_ports():
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((OWN4, 80))
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as f:
            first = int(f.read())
        if first > 80:
            with socket.socket() as s:
                fails(errno.EACCES, s.bind, (OWN4, 80))


@test
def peek_waitall_and_trunc():
    with connect(7001) as s:
        s.sendall(b"abcdef")
        wait_until(lambda: len(s.recv(10, socket.MSG_PEEK)) == 6, "six bytes")
        eq(s.recv(3, socket.MSG_PEEK), b"abc")
        eq(s.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL), b"abcdef")
        eq(struct.unpack("i", fcntl.ioctl(s, termios.FIONREAD, b"\0\0\0\0"))[0], 6)
        s.settimeout(None)
        timer = threading.Timer(0.05, s.sendall, (b"ghi",))
        timer.start()
        eq(s.recv(9, socket.MSG_WAITALL), b"abcdefghi")
        fails(errno.EAGAIN, s.recv, 1, socket.MSG_DONTWAIT)
        s.sendall(b"dropped")
        wait_until(lambda: len(s.recv(10, socket.MSG_PEEK)) == 7, "seven bytes")
        s.recv(7, socket.MSG_TRUNC)
        fails(errno.EAGAIN, s.recv, 1, socket.MSG_DONTWAIT)


@test
def urgent_data():
    server = socket.create_server((OWN4, 0))
    a = socket.create_connection(server.getsockname())
    b, _ = server.accept()
    a.send(b"ab")
    a.send(b"!", socket.MSG_OOB)
    a.send(b"cd")
    p = select.poll()
    p.register(b, select.POLLPRI)
    eq(p.poll(10000), [(b.fileno(), select.POLLPRI)])
    eq(b.recv(1, socket.MSG_OOB), b"!")
    wait_until(lambda: len(b.recv(10, socket.MSG_PEEK)) == 2, "up to the mark")
    eq(b.recv(10), b"ab")
    eq(fcntl.ioctl(b, 0x8905, b"\0\0\0\0"), b"\1\0\0\0")
    wait_until(lambda: len(b.recv(10, socket.MSG_PEEK)) == 2, "behind the mark")
    eq(b.recv(10), b"cd")


@test
def a_signal_for_urgent_data():
    with socket.create_server((OWN4, 0)) as server:
        a = socket.create_connection(server.getsockname())
        b, _ = server.accept()
    got = []
    signal.signal(signal.SIGURG, lambda *_: got.append(1))
    fcntl.fcntl(b, fcntl.F_SETOWN, os.getpid())
    a.send(b"!", socket.MSG_OOB)
    wait_until(lambda: got == [1], "SIGURG")
    eq(b.recv(1, socket.MSG_OOB), b"!")
    a.send(b"x")
    eq(b.recv(1), b"x")
    eq(got, [1])


@test
def options():
    with connect(7001) as s:
        for level, name, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 7),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_IP, socket.IP_TOS, 0x10),
            (socket.IPPROTO_IP, socket.IP_TTL, 33),
        ):
            s.setsockopt(level, name, value)
            eq(s.getsockopt(level, name), value, "option %d of %d" % (name, level))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000)
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), 40000)
        info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        eq(info[0], 1)
        ok(len(info) >= 104, "the size of tcp_info")
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), socket.SOCK_STREAM)
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), socket.AF_INET)
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), socket.IPPROTO_TCP)
        fails(errno.ENOPROTOOPT, s.setsockopt, socket.IPPROTO_TCP, 9999, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 30))
        eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8), struct.pack("ii", 1, 30))


@test
def bad_addresses():
    with socket.socket() as s:
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)

        def call(name, data, length):
            r = getattr(libc, name)(s.fileno(), data, length)
            return -ctypes.get_errno() if r < 0 else r

        eq(call("connect", b"", 0), -errno.EINVAL)
        eq(call("connect", b"\2\0\0\1", 4), -errno.EINVAL)
        eq(call("connect", bytes(200), 200), -errno.EINVAL)
        eq(call("connect", struct.pack("H14x", 10), 16), -errno.EAFNOSUPPORT)
        eq(call("bind", struct.pack("H108s", 1, b"/tmp/x"), 110), -errno.EAFNOSUPPORT)
        eq(call("connect", struct.pack("H14x", 16), 16), -errno.EAFNOSUPPORT)
        fails(errno.ENOTCONN, s.getpeername)
        fails(errno.ENOTCONN, s.recv, 1)
        fails(errno.EINVAL, s.accept)


@test
def a_child_shares_the_socket():
    with connect(7001) as s:
        pid = os.fork()
        if pid == 0:
            s.sendall(b"from the child")
            os._exit(0)
        os.waitpid(pid, 0)
        eq(s.recv(100), b"from the child")


@test
def tables_of_proc_net():
    with socket.create_server((OWN4, 0)) as server:
        port = server.getsockname()[1]
        with open("/proc/net/tcp") as f:
            rows = [row.split() for row in f.read().splitlines()[1:]]
        ino = os.fstat(server.fileno()).st_ino
        mine = [row for row in rows if row[1] == "02004D0A:%04X" % port]
        eq([(row[3], row[9]) for row in mine], [("0A", str(ino))])


run()
