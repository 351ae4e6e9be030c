"""Mappings, waits and calls that are for one kind of descriptor, tried on all other kinds."""

import ctypes
import os
import struct

from lib.guest import *
from lib.operands import *

needs_root("answers_setns_gives_0")

SYS.update(mq_timedsend=242, mq_timedreceive=243, mq_notify=244, mq_getsetattr=245,
           io_uring_enter=426, open_tree=428)


def vector(n):
    return struct.pack("QQ", buf(), n)


def polled(fd, events):
    one = ctypes.create_string_buffer(struct.pack("ihh", fd, events, 0))
    r = sc(NR.poll, one, 1, 0)
    return r if r < 0 else struct.unpack_from("ihh", one.raw)[2]


def selected(fd):
    chosen = buf()
    if fd >= 0:
        ctypes.memset(chosen + fd // 8, 1 << (fd % 8), 1)
    return sc(NR.select, fd + 1, chosen, None, None, buf())


CALLS = {
    "map_private": lambda fd: min(sc(NR.mmap, 0, 4096, 1, 2, fd, 0), 1),
    "map_shared": lambda fd: min(sc(NR.mmap, 0, 4096, 3, 1, fd, 0), 1),
    "map_validated": lambda fd: min(sc(NR.mmap, 0, 4096, 1, 3, fd, 0), 1),
    "epoll_add": lambda fd: sc(NR.epoll_ctl, sc(NR.epoll_create1, 0), 1, fd, buf()),
    "epoll_of_it": lambda fd: sc(NR.epoll_ctl, fd, 1, os.pipe()[0], buf()),
    "epoll_wait": lambda fd: sc(NR.epoll_wait, fd, buf(), 1, 0),
    "poll_in": lambda fd: polled(fd, 1),
    "poll_out": lambda fd: polled(fd, 4),
    "select_in": lambda fd: selected(fd),
    "timer_gettime": lambda fd: sc(NR.timerfd_gettime, fd, buf()),
    "timer_settime": lambda fd: sc(NR.timerfd_settime, fd, 0, buf(), None),
    "signal_mask": lambda fd: min(sc(NR.signalfd4, fd, buf(), 8, 0), 1),
    "inotify_add": lambda fd: sc(NR.inotify_add_watch, fd, b".", 2),
    "inotify_rm": lambda fd: sc(NR.inotify_rm_watch, fd, 1),
    "pidfd_signal": lambda fd: sc(NR.pidfd_send_signal, fd, 0, None, 0),
    "pidfd_get": lambda fd: min(sc(NR.pidfd_getfd, fd, 0, 0), 1),
    "wait_pidfd": lambda fd: sc(NR.waitid, 3, fd, buf(), 4 | 1, None),
    "setns": lambda fd: sc(NR.setns, fd, 0x04000000),
    "madvise_of": lambda fd: sc(NR.process_madvise, fd, vector(4096), 1, 4, 0),
    "mq_attributes": lambda fd: sc(NR.mq_getsetattr, fd, None, buf()),
    "mq_send": lambda fd: sc(NR.mq_timedsend, fd, buf(), 1, 0, None),
    "mq_receive": lambda fd: sc(NR.mq_timedreceive, fd, buf(8192), 8192, None, None),
    "mq_notify": lambda fd: sc(NR.mq_notify, fd, None),
    "sockname": lambda fd: sc(NR.getsockname, fd, buf(), buf(8, b"\x40")),
    "peername": lambda fd: sc(NR.getpeername, fd, buf(), buf(8, b"\x40")),
    "shutdown": lambda fd: sc(NR.shutdown, fd, 1),
    "listen": lambda fd: sc(NR.listen, fd, 1),
    "accept": lambda fd: sc(NR.accept4, fd, None, None, 0),
    "recv": lambda fd: sc(NR.recvfrom, fd, buf(), 8, 0x40, None, None),
    "sockopt": lambda fd: sc(NR.getsockopt, fd, 1, 3, buf(), buf(8, b"\4")),
    "open_tree": lambda fd: min(sc(NR.open_tree, fd, b"", 0x1000), 1),
    "uring_enter": lambda fd: sc(NR.io_uring_enter, fd, 0, 0, 0, None, 0),
    "close_twice": lambda fd: (sc(NR.close, fd), sc(NR.close, fd))[0],
    "dup3_onto_itself": lambda fd: sc(NR.dup3, fd, fd, 0),
    "dup2_onto_itself": lambda fd: min(sc(NR.dup2, fd, fd), 1),
}

TABLE = """
map_private: 1 rdonly rdwr append memfd zero; EACCES wronly pipew; EBADF none closed path; ENODEV
  *; - tcp
map_shared: 1 rdwr append memfd zero; EACCES dir rdonly wronly piper pipew inotify random proc
  procdir ns; EBADF none closed path; ENODEV *; - tcp
map_validated: 1 rdonly rdwr append memfd zero; EACCES wronly pipew; EBADF none closed path;
  ENODEV *; - tcp
epoll_add: EBADF none closed path; EPERM dir rdonly wronly rdwr append memfd null zero full random
  proc procdir ns; 0 *
epoll_of_it: 0 epoll; EBADF none closed path; EINVAL *
epoll_wait: 0 epoll; EBADF none closed path; EINVAL *
poll_in: 1 dir rdonly wronly rdwr append memfd null zero full random proc procdir ns; 16 tcp; 32
  closed path; 0 *
poll_out: 0 none piper epoll timer signal inotify pidfd; 20 tcp; 32 closed path; 4 *
select_in: 1 path dir rdonly wronly rdwr append memfd tcp null zero full random proc procdir ns; 0
  *; - closed
timer_gettime: 0 timer; EBADF none closed path; EINVAL *
timer_settime: 0 timer; EBADF none closed path; EINVAL *
signal_mask: 1 none signal; EBADF closed path; EINVAL *
inotify_add: 1 inotify; EBADF none closed path; EINVAL *
inotify_rm: EBADF none closed path; EINVAL *
pidfd_signal: 0 pidfd procdir; EBADF *
pidfd_get: 1 pidfd; EBADF *
wait_pidfd: ECHILD pidfd; EINVAL none; EBADF *
setns: 0 pidfd ns; EBADF none closed path; EINVAL *
madvise_of: EBADF *; - pidfd
mq_attributes: 0 queue; EBADF *
mq_send: 0 queue; EBADF *
mq_receive: EAGAIN queue; EBADF *
mq_notify: 0 queue; EBADF *
sockname: 0 stream dgram tcp udp netlink; EBADF none closed path; ENOTSOCK *
peername: 0 stream dgram netlink; EBADF none closed path; ENOTCONN tcp udp; ENOTSOCK *
shutdown: 0 stream dgram; EBADF none closed path; ENOTCONN tcp udp; ENOTSUP netlink; ENOTSOCK *
listen: 0 tcp; EBADF none closed path; EINVAL stream; ENOTSUP dgram udp netlink; ENOTSOCK *
accept: EBADF none closed path; EINVAL stream tcp; ENOTSUP dgram udp netlink; ENOTSOCK *
recv: EAGAIN stream dgram udp netlink; EBADF none closed path; ENOTCONN tcp; ENOTSOCK *
sockopt: 0 stream dgram tcp udp netlink; EBADF none closed path; ENOTSOCK *
open_tree: EBADF none closed; 1 *; - piper pipew stream dgram tcp udp netlink event epoll timer
  signal inotify pidfd
uring_enter: EBADF none closed path; ENOTSUP *
close_twice: EBADF none closed; 0 *
dup3_onto_itself: EINVAL *
dup2_onto_itself: EBADF none closed; 1 *
"""


@cases(spread(TABLE, DESCRIPTORS), shared=True)
def answers(call, result, kinds):
    on_descriptors(CALLS[call], result, kinds)


run()
