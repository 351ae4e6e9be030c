"""Attacks by descriptors: full tables, poll, epoll, descriptors in flight."""

import array
import ctypes
import os
import resource
import select
import socket
import struct

from calls import call, in_child, libc, table

ATTACKS, attack = table()


def many_fds(count, fd=None):
    """Makes up to `count` descriptors of one file. Returns the list."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64
    fd = os.open("/dev/null", os.O_RDONLY) if fd is None else fd
    return [os.dup(fd) for _ in range(min(count, limit))]


@attack
def close_range_of_a_full_table(scale):
    def go():
        fds = many_fds(int(500000 * scale))
        call(436, fds[0], fds[-1], 0)
    return go


@attack
def exit_with_a_full_table(scale):
    return lambda: in_child(lambda: many_fds(int(300000 * scale)))


@attack
def exec_with_a_full_table(scale):
    def full():
        many_fds(int(300000 * scale))
        os.execv("/bin/true", ["true"])
    return lambda: in_child(full)


@attack
def fork_with_a_full_table(scale):
    many_fds(int(300000 * scale))
    return lambda: in_child(lambda: None)


@attack
def exit_with_pipes(scale):
    def full():
        for _ in range(int(50000 * scale)):
            try:
                os.pipe()
            except OSError:
                break
    return lambda: in_child(full)


@attack
def poll_of_a_full_table(scale):
    poll = select.poll()
    r, _w = os.pipe()
    for fd in many_fds(int(200000 * scale), r):
        poll.register(fd, select.POLLIN)
    return lambda: poll.poll(1)


@attack
def epoll_of_100000_ready(scale):
    ep = select.epoll()
    r, w = os.pipe()
    os.write(w, b"x")
    for fd in many_fds(int(100000 * scale), r):
        ep.register(fd, select.EPOLLIN)

    def go():
        ep.poll(0, 100000)
        libc.epoll_pwait(ep.fileno(), ctypes.create_string_buffer(12), 1, 0, None)
    return go


@attack
def epoll_edges_of_100000(scale):
    ep = select.epoll()
    r, w = os.pipe()
    for fd in many_fds(int(100000 * scale), r):
        ep.register(fd, select.EPOLLIN | select.EPOLLET)

    def go():
        os.write(w, b"x")
        ep.poll(0, 100000)
        os.read(r, 1)
    return go


@attack
def epoll_nested(scale):
    """Makes as many paths from each file to the last set as the limit allows: 100 of three sets."""
    files = [libc.eventfd(0, os.O_NONBLOCK) for _ in range(int(2000 * scale) + 1)]
    layers = [files]
    for width in (10, 10, 1):
        layer = [select.epoll() for _ in range(width)]
        for ep in layer:
            for fd in layers[-1]:
                ep.register(fd, select.EPOLLIN)
        layers.append(layer)
    one = struct.pack("Q", 1)

    def go():
        for fd in files[:100]:
            os.write(fd, one)
        layers[-1][0].poll(0, 10)
        for fd in files[:100]:
            os.read(fd, 8)
        layers[-1][0].unregister(layers[-2][0])
        layers[-1][0].register(layers[-2][0], select.EPOLLIN)
    return go


@attack
def epoll_close_of_100000(scale):
    r, _w = os.pipe()
    fds = many_fds(int(100000 * scale), r)

    def go():
        ep = select.epoll()
        for fd in fds:
            ep.register(fd, select.EPOLLIN)
        ep.close()
    return go


@attack
def descriptors_in_flight(scale):
    """Makes sockets that hold each other, for the garbage collection of descriptors in flight."""
    def ring():
        pairs = []
        for _ in range(int(2000 * scale) + 2):
            try:
                pairs.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
            except OSError:
                break
        for i, (a, _b) in enumerate(pairs):
            fds = array.array("i", [s.fileno() for s in pairs[(i + 1) % len(pairs)]])
            try:
                a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)], socket.MSG_DONTWAIT)
            except OSError:
                break
        for a, b in pairs:
            a.close()
            b.close()
    return ring


@attack
def messages_with_253_descriptors(scale):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    fds = array.array("i", [os.open("/dev/null", 0)] * 253)

    def go():
        for _ in range(int(500 * scale) + 1):
            try:
                a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)], socket.MSG_DONTWAIT)
            except OSError:
                b.recv(1)
        while True:
            try:
                b.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
    return go
