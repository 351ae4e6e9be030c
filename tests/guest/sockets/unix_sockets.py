"""UNIX sockets: stream, datagram, seqpacket, names, SCM_RIGHTS, SCM_CREDENTIALS, shutdown, errors.
"""

import array
import ctypes
import fcntl
import os
import signal
import socket
import stat
import struct
import termios
import threading
from errno import *
from lib.guest import *

S, D, P = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
U = socket.AF_UNIX


def send_fds(s, data, fds):
    return s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def recv_fds(s, n=100, room=10, flags=0):
    fds = array.array("i")
    data, anc, fl, _ = s.recvmsg(n, socket.CMSG_SPACE(room * 4), flags)
    for level, kind, raw in anc:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(raw[:len(raw) - len(raw) % 4])
    return data, list(fds), fl


@test
def stream_pairs():
    a, b = socket.socketpair(U, S)
    a.send(b"hello ")
    a.send(b"world")
    eq(b.recv(100), b"hello world")
    b.send(b"12345")
    eq(a.recv(2), b"12")
    eq(a.recv(10, socket.MSG_PEEK), b"345")
    eq(a.recv(10), b"345")
    a.close()
    eq(b.recv(10), b"")
    fails(EPIPE, b.send, b"x", socket.MSG_NOSIGNAL)
    got = []
    signal.signal(signal.SIGPIPE, lambda s, f: got.append(s))
    fails(EPIPE, b.send, b"x")
    eq(got, [signal.SIGPIPE])


@test
def unread_data_resets_the_peer():
    a, b = socket.socketpair(U, S)
    b.send(b"never read")
    a.send(b"left")
    a.close()
    err = b.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    eq(err, ECONNRESET)
    eq(b.recv(10), b"left")
    eq(b.recv(10), b"")


@test
def datagram_pairs():
    a, b = socket.socketpair(U, D)
    a.send(b"one")
    a.send(b"")
    a.send(b"three")
    eq([b.recv(100), b.recv(100)], [b"one", b""])
    data, _, flags, _ = b.recvmsg(2)
    eq((data, flags & socket.MSG_TRUNC), (b"th", socket.MSG_TRUNC))
    b.setblocking(False)
    fails(EAGAIN, b.recv, 10)
    b.close()
    fails(ECONNREFUSED, a.send, b"x")


@test
def seqpacket_pairs():
    a, b = socket.socketpair(U, P)
    a.send(b"one")
    a.send(b"two")
    eq(b.recv(2), b"on")
    eq(b.recv(100), b"two")
    a.close()
    eq(b.recv(10), b"")


@test
def named_streams():
    srv = socket.socket(U, S)
    srv.bind("s")
    ok(stat.S_ISSOCK(os.stat("s").st_mode), "a socket file")
    c = socket.socket(U, S)
    fails(ECONNREFUSED, c.connect, "s")
    srv.listen(5)
    eq(srv.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
    c.connect("s")
    conn, peer = srv.accept()
    eq(peer, "")
    eq(c.getpeername(), "s")
    eq(conn.getsockname(), "s")
    c.send(b"x")
    eq(conn.recv(5), b"x")
    fails(EADDRINUSE, socket.socket(U, S).bind, "s")
    fails(EINVAL, srv.bind, "t")
    fails(ENOENT, socket.socket(U, S).connect, "no")
    fails(EISCONN, c.connect, "s")
    fails(EPROTOTYPE, socket.socket(U, D).connect, "s")
    open("file", "w").close()
    fails(ECONNREFUSED, socket.socket(U, S).connect, "file")
    srv.close()
    fails(ECONNREFUSED, socket.socket(U, S).connect, "s")
    fails(ENOTCONN, socket.socket(U, S).getpeername)
    fails(EINVAL, socket.socket(U, S).accept)


@test
def abstract_names():
    name = "\0guest-test-%d" % os.getpid()
    srv = socket.socket(U, S)
    srv.bind(name)
    srv.listen()
    fails(EADDRINUSE, socket.socket(U, S).bind, name)
    c = socket.socket(U, S)
    c.connect(name)
    eq(c.getpeername(), name.encode())
    srv.accept()[0].close()
    again = socket.socket(U, S)
    again.connect(name)
    accepted, _ = srv.accept()
    eq(accepted.getsockname(), name.encode())
    srv.close()
    c.close()
    fails(ECONNREFUSED, socket.socket(U, S).connect, name)
    srv = socket.socket(U, S)
    srv.bind(name)
    accepted.close()
    srv.listen()
    c = socket.socket(U, S)
    c.connect(name)
    srv.close()
    c.close()
    fails(ECONNREFUSED, socket.socket(U, S).connect, name)
    auto = socket.socket(U, D)
    auto.bind("")
    ok(len(auto.getsockname()) == 6, "autobind gives five hexadecimal digits")


@test
def named_datagrams():
    srv = socket.socket(U, D)
    srv.bind("s")
    c = socket.socket(U, D)
    c.sendto(b"anonymous", "s")
    eq(srv.recvfrom(100), (b"anonymous", None))
    c.bind("c")
    c.sendto(b"named", "s")
    eq(srv.recvfrom(100), (b"named", "c"))
    srv.sendto(b"answer", "c")
    eq(c.recv(10), b"answer")
    c.connect("s")
    c.send(b"connected")
    eq(srv.recv(100), b"connected")
    other = socket.socket(U, D)
    srv.connect("c")
    fails(EPERM, other.sendto, b"x", "s")
    fails(ENOTCONN, other.send, b"x")
    fails(ENOENT, other.sendto, b"x", "no")


@test
def backlog_blocks_and_refuses():
    srv = socket.socket(U, S)
    srv.bind("s")
    srv.listen(1)
    conns = []
    for _ in range(10):
        c = socket.socket(U, S)
        c.setblocking(False)
        try:
            c.connect("s")
            conns.append(c)
        except BlockingIOError:
            break
    eq(len(conns), 2)
    srv.setblocking(False)
    srv.accept()
    srv.accept()
    fails(EAGAIN, srv.accept)


@test
def shutdown_forms():
    a, b = socket.socketpair(U, S)
    a.shutdown(socket.SHUT_WR)
    eq(b.recv(5), b"")
    b.send(b"x")
    eq(a.recv(5), b"x")
    fails(EPIPE, a.send, b"x", socket.MSG_NOSIGNAL)
    b.shutdown(socket.SHUT_RD)
    a, b = socket.socketpair(U, S)
    a.send(b"in the queue")
    b.shutdown(socket.SHUT_RD)
    eq(b.recv(100), b"in the queue")
    eq(b.recv(100), b"")
    fails(EPIPE, a.send, b"x", socket.MSG_NOSIGNAL)


@test
def buffers_fill():
    a, b = socket.socketpair(U, S)
    a.setblocking(False)
    total = 0
    try:
        while total < 1 << 24:
            total += a.send(b"x" * 4096)
    except BlockingIOError:
        pass
    between(16384, total, 1 << 23, "bytes until it is full")
    got = 0
    while got < total:
        got += len(b.recv(1 << 20))
    ok(a.send(b"x") == 1, "room again")


@test
def blocked_senders_wake():
    a, b = socket.socketpair(U, S)
    pid = spawn(lambda: a.sendall(b"ab" * 1_000_000))
    a.close()
    data = b""
    while True:
        part = b.recv(100_000)
        if not part:
            break
        data += part
    eq(len(data), 2_000_000)
    ok(data == b"ab" * 1_000_000, "in order")
    eq(os.waitpid(pid, 0)[1], 0)


@test
def descriptors_are_passed():
    a, b = socket.socketpair(U, S)
    r, w = os.pipe()
    send_fds(a, b"fds", [r, w])
    os.close(r)
    data, fds, _ = recv_fds(b)
    eq((data, len(fds)), (b"fds", 2))
    os.write(fds[1], b"through")
    eq(os.read(fds[0], 10), b"through")
    os.close(fds[1])
    os.close(w)
    eq(os.read(fds[0], 10), b"")


@test
def descriptors_keep_files_alive():
    a, b = socket.socketpair(U, S)
    fd = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, b"kept")
    send_fds(a, b"x", [fd])
    os.close(fd)
    os.unlink("f")
    _, (got,), _ = recv_fds(b)
    eq(os.pread(got, 10, 0), b"kept")
    eq(os.lseek(got, 0, os.SEEK_CUR), 4)


@test
def unread_descriptors_are_closed():
    a, b = socket.socketpair(U, S)
    r, w = os.pipe()
    send_fds(a, b"x", [w])
    os.close(w)
    eq(b.recv(1), b"x")
    eq(os.read(r, 1), b"")
    r, w = os.pipe()
    send_fds(a, b"x", [w])
    os.close(w)
    a.close()
    b.close()
    eq(os.read(r, 1), b"")


@test
def sockets_in_their_own_queue_are_collected():
    a, b = socket.socketpair(U, S)
    r, w = os.pipe()
    send_fds(a, b"x", [b.fileno(), w])
    os.close(w)
    a.close()
    b.close()
    done = []
    t = threading.Thread(target=lambda: done.append(os.read(r, 1)), daemon=True)
    t.start()
    for _ in range(50):
        socket.socketpair(U, S)
        t.join(0.05)
        if done:
            break
    eq(done, [b""])


@test
def descriptors_do_not_mix():
    a, b = socket.socketpair(U, S)
    n1, n2 = os.open("/dev/null", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY)
    send_fds(a, b"1", [n1])
    send_fds(a, b"2", [n2])
    a.send(b"3")
    eq([(len(d), len(f)) for d, f, _ in (recv_fds(b) for _ in range(2))], [(1, 1), (1, 1)])
    eq(b.recv(10), b"3")


@test
def too_little_room_for_descriptors():
    a, b = socket.socketpair(U, D)
    send_fds(a, b"x", [0, 1, 2])
    data, fds, flags = recv_fds(b, room=2)
    ok(len(fds) in (2, 3), "what fits: %d" % len(fds))
    send_fds(a, b"x", [0])
    data, anc, flags, _ = b.recvmsg(10)
    ok(flags & socket.MSG_CTRUNC, "MSG_CTRUNC")
    eq(anc, [])
    fails(EBADF, send_fds, a, b"x", [999])
    fails(EINVAL, send_fds, a, b"x", [0] * 254)
    send_fds(a, b"x", [0] * 253)


@test
def cmsg_cloexec():
    import fcntl
    a, b = socket.socketpair(U, S)
    send_fds(a, b"x", [0])
    _, (fd,), _ = recv_fds(b, flags=0x40000000)
    eq(fcntl.fcntl(fd, fcntl.F_GETFD), 1)


@test
def credentials():
    a, b = socket.socketpair(U, S)
    raw = a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    eq(struct.unpack("iii", raw), (os.getpid(), os.getuid(), os.getgid()))
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def child():
        a.send(b"x")
        return 0
    pid = spawn(child)
    data, anc, _, _ = b.recvmsg(10, 100)
    os.waitpid(pid, 0)
    eq(anc[0][1], 2)
    eq(struct.unpack("iii", anc[0][2]), (pid, os.getuid(), os.getgid()))
    if is_root():
        def faker():
            os.setuid(999)
            fails(EPERM, a.sendmsg, [b"x"], [(1, 2, struct.pack("iii", os.getpid(), 0, 0))])
        child_ok(faker)


@test
def options():
    s = socket.socket(U, S)
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), S)
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), U)
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10000)
    eq(s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), 20000)
    a, b = socket.socketpair(U, S)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 0, 50000))
    start = time.monotonic()
    fails(EAGAIN, a.recv, 1)
    ok(time.monotonic() - start >= 0.049, "SO_RCVTIMEO")
    gives(-ENOTSOCK, NR.getsockopt, 0, 1, 3, ctypes.c_int(), ctypes.c_int(4))
    fails(ENOPROTOOPT, s.getsockopt, socket.SOL_SOCKET, 9999)
    gives(-EAFNOSUPPORT, NR.socket, 99, 1, 0)
    gives(-EINVAL, NR.socket, 1, 1 | 0x100000, 0)
    gives(-ESOCKTNOSUPPORT, NR.socket, 1, 4, 0)
    gives(-EPROTONOSUPPORT, NR.socket, 1, 1, 77)


@test
def message_flags():
    a, b = socket.socketpair(U, S)
    fails(EAGAIN, a.recv, 1, socket.MSG_DONTWAIT)

    def unread():
        return struct.unpack("i", fcntl.ioctl(b, termios.TIOCOUTQ, bytes(4)))[0]

    def send_in_parts():
        for _ in range(4):
            wait_parent_sleeps()
            b.send(b"12345")
            becomes(0, unread, what="bytes that the reader left")
    pid = spawn(send_in_parts)
    eq(a.recv(20, socket.MSG_WAITALL), b"12345" * 4)
    os.waitpid(pid, 0)
    a, b = socket.socketpair(U, D)
    b.send(b"long message")
    eq(a.recv(4, socket.MSG_PEEK), b"long")
    gives(12, NR.recvfrom, a.fileno(), ctypes.create_string_buffer(4), 4,
          socket.MSG_TRUNC, None, None)


@test
def vectors_of_messages():
    a, b = socket.socketpair(U, D)

    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Msg(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                    ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                    ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int),
                    ("pad", ctypes.c_int), ("sent", ctypes.c_uint), ("pad2", ctypes.c_uint)]
    bufs = [ctypes.create_string_buffer(b"m%d" % i, 8) for i in range(3)]
    iovs = [Iov(ctypes.addressof(x), 2) for x in bufs]
    msgs = (Msg * 3)(*[Msg(None, 0, ctypes.addressof(v), 1) for v in iovs])
    eq(sc(NR.sendmmsg, a.fileno(), msgs, 3, 0), 3)
    eq([m.sent for m in msgs], [2, 2, 2])
    eq([b.recv(10) for _ in range(3)], [b"m0", b"m1", b"m2"])
    msg = Msg(None, 0, ctypes.addressof(iovs[0]), 1025)
    gives(-EMSGSIZE, NR.sendmsg, a.fileno(), msg, 0)
    gives(-EFAULT, NR.sendmsg, a.fileno(), 8, 0)


@test
def permissions_of_names():
    need_root()
    srv = socket.socket(U, S)
    srv.bind("s")
    srv.listen()
    os.chmod("s", 0o600)

    def stranger():
        os.setuid(777)
        fails(EACCES, socket.socket(U, S).connect, "s")
    child_ok(stranger)
    os.chmod("s", 0o666)

    def friend():
        os.setuid(777)
        socket.socket(U, S).connect("s")
    child_ok(friend)


@test
def ping_pong_between_processes():
    a, b = socket.socketpair(U, S)

    def child():
        for _ in range(1000):
            b.recv(1)
            b.send(b"y")
    pid = spawn(child)
    for _ in range(1000):
        a.send(b"x")
        eq(a.recv(1), b"y")
    os.waitpid(pid, 0)


run()
