"""Undefined bits and commands: each bit of each flags argument that no flag has, each number next
to the known commands.
"""

import ctypes
import os
import socket
import struct
from errno import *
from lib.guest import *

needs_root(
    "undefined_fsopen_*", "undefined_fspick_*", "undefined_userfaultfd_*",
)

SYS.update(futex_waitv=449, mount_setattr=442, open_tree=428, move_mount=429, fsopen=430, fsmount=432, fspick=433,
           io_uring_setup=425, io_uring_register=427, mq_open=240, setxattr=188, kcmp=312, shmget=29, shmat=30,
           shmctl=31, semctl=66, msgctl=71, userfaultfd=323, fanotify_init=300, landlock_create_ruleset=444,
           process_mrelease=448, memfd_secret=447, cachestat=451, add_key=248, sched_setattr=314,
           get_mempolicy=239, set_mempolicy=238, mbind=237, move_pages=279, inotify_init1=294)
CWD, BAD = -100 & 0xFFFFFFFF, 1 << 63


def a_file():
    return os.open("f", os.O_RDWR | os.O_CREAT, 0o600)


def page():
    return works(NR.mmap, 0, 16384, 3, 0x22, -1, 0)


def self_fd():
    return works(NR.pidfd_open, os.getpid(), 0)


def stream():
    return socket.socketpair()[0].detach()


def full_pipe():
    r, w = os.pipe()
    os.write(w, b"abc")
    return r


buf = ctypes.create_string_buffer(4096)
vec = struct.pack("QQ", ctypes.addressof(buf), 4)

def span(*runs):
    """Runs (first, last, result) as a map from each number to the result."""
    return {n: result for first, last, result in runs for n in range(first, last + 1)}


# Name, call with flags f, bits that mean something, width.
FLAGS = [
    ("pipe2", lambda f: sc(NR.pipe2, buf, f), 0o2044200, 32),
    ("dup3", lambda f: sc(NR.dup3, 0, 99, f), 0o2000000, 32),
    ("eventfd2", lambda f: sc(NR.eventfd2, 0, f), 0o2004001, 32),
    ("epoll_create1", lambda f: sc(NR.epoll_create1, f), 0o2000000, 32),
    ("inotify_init1", lambda f: sc(NR.inotify_init1, f), 0o2004000, 32),
    ("signalfd4", lambda f: sc(NR.signalfd4, -1, bytes(8), 8, f), 0o2004000, 32),
    ("timerfd_create", lambda f: sc(NR.timerfd_create, 1, f), 0o2004000, 32),
    ("timerfd_settime", lambda f: sc(NR.timerfd_settime, works(NR.timerfd_create, 1, 0), f, bytes(32), 0), 3, 32),
    ("memfd_create", lambda f: sc(NR.memfd_create, b"m", f), 0xFC00001F, 32),
    ("close_range", lambda f: sc(NR.close_range, 1000, 1001, f), 6, 32),
    ("openat2_flags", lambda f: sc(NR.openat2, CWD, b".", struct.pack("QQQ", f, 0, 0), 24), 0o37777703, 64),
    ("openat2_resolve", lambda f: sc(NR.openat2, CWD, b".", struct.pack("QQQ", 0, 0, f), 24), 0x3F, 64),
    ("openat2_mode", lambda f: sc(NR.openat2, CWD, b"n", struct.pack("QQQ", 0o102, f, 0), 24), 0o7777, 64),
    ("renameat2", lambda f: sc(NR.renameat2, CWD, b"f", CWD, b"g", f), 7, 32),
    ("linkat", lambda f: sc(NR.linkat, CWD, b"f", CWD, b"g", f), 0x1400, 32),
    ("unlinkat", lambda f: sc(NR.unlinkat, CWD, b"none", f), 0x200, 32),
    ("fchownat", lambda f: sc(NR.fchownat, CWD, b".", -1, -1, f), 0x1100, 32),
    ("fchmodat2", lambda f: sc(NR.fchmodat2, CWD, b".", 0o755, f), 0x1100, 32),
    ("faccessat2", lambda f: sc(NR.faccessat2, CWD, b".", 0, f), 0x1300, 32),
    ("access", lambda f: sc(NR.access, b".", f), 7, 32),
    ("utimensat", lambda f: sc(NR.utimensat, CWD, b".", 0, f), 0x1100, 32),
    ("newfstatat", lambda f: sc(NR.newfstatat, CWD, b".", buf, f), 0x7900, 32),
    ("statx_flags", lambda f: sc(NR.statx, CWD, b".", f, 0, buf), 0x7900, 32),
    ("name_to_handle_at", lambda f: sc(NR.name_to_handle_at, CWD, b".", BAD, BAD, f), 0x1603, 32),
    ("fallocate", lambda f: sc(NR.fallocate, a_file(), f, 0, 4096), 0xFF, 32),
    ("preadv2", lambda f: sc(NR.preadv2, a_file(), vec, 1, 0, 0, f), 0x1FF, 32),
    ("sync_file_range", lambda f: sc(NR.sync_file_range, a_file(), 0, 0, f), 7, 32),
    ("splice", lambda f: sc(NR.splice, full_pipe(), 0, os.pipe()[1], 0, 3, f), 15, 32),
    ("tee", lambda f: sc(NR.tee, full_pipe(), os.pipe()[1], 3, f), 15, 32),
    ("vmsplice", lambda f: sc(NR.vmsplice, os.pipe()[1], vec, 1, f), 15, 32),
    ("copy_file_range", lambda f: sc(NR.copy_file_range, a_file(), 0, a_file(), 0, 0, f), 0, 32),
    ("setxattr", lambda f: sc(NR.setxattr, b".", b"user.x", b"y", 1, f), 3, 32),
    ("flock", lambda f: sc(NR.flock, a_file(), f), 0x2F, 32),
    ("getrandom", lambda f: sc(NR.getrandom, buf, 4, f), 7, 32),
    ("mremap", lambda f: sc(NR.mremap, page(), 4096, 4096, f, 0), 7, 32),
    ("msync", lambda f: sc(NR.msync, page(), 4096, f), 7, 32),
    ("mlock2", lambda f: sc(NR.mlock2, page(), 4096, f), 1, 32),
    ("mlockall", lambda f: sc(NR.mlockall, f), 7, 32),
    ("mprotect", lambda f: sc(NR.mprotect, page(), 4096, f), 0x0300000F, 32),
    ("mmap_validate", lambda f: min(0, sc(NR.mmap, 0, 4096, 3, 3 | f, a_file(), 0)), 0x41DFFFF, 32),
    ("mseal", lambda f: sc(NR.mseal, page(), 4096, f), 0, 64),
    ("membarrier_flags", lambda f: sc(NR.membarrier, 0, f, 0), 0, 32),
    ("process_madvise", lambda f: sc(NR.process_madvise, self_fd(), vec, 1, 20, f), 0, 32),
    ("process_mrelease", lambda f: sc(NR.process_mrelease, self_fd(), f), 0, 32),
    ("process_vm_readv", lambda f: sc(NR.process_vm_readv, os.getpid(), vec, 1, vec, 1, f), 0, 64),
    ("pidfd_open", lambda f: sc(NR.pidfd_open, os.getpid(), f), 0o4200, 32),
    ("pidfd_getfd", lambda f: sc(NR.pidfd_getfd, self_fd(), 0, f), 0, 32),
    ("pidfd_send_signal", lambda f: sc(NR.pidfd_send_signal, self_fd(), 0, 0, f), 7, 32),
    ("waitid", lambda f: sc(NR.waitid, 0, 0, 0, 5 | f, 0), 0xE100000F, 32),
    ("wait4", lambda f: sc(NR.wait4, -1, 0, 1 | f, 0), 0xE100000B, 32),
    ("clone3", lambda f: sc(NR.clone3, struct.pack("11Q", f, *[0] * 10), 88), 0x3FFFFFF80, 64),
    ("unshare", lambda f: sc(NR.unshare, f), 0x7E0F0F80, 32),
    ("setns", lambda f: sc(NR.setns, self_fd(), f), 0x7E020080, 32),
    ("seccomp_filter", lambda f: sc(NR.seccomp, 1, f, BAD), 0x3F, 32),
    ("sched_setattr", lambda f: sc(NR.sched_setattr, 0, struct.pack("IIQiIQQQII", 56, 0, f, 0, 0, 0, 0, 0, 0, 0), 0), 0x7F, 64),
    ("socket_type", lambda f: sc(NR.socket, 1, 1 | f, 0), 0o2004017, 32),
    ("accept4", lambda f: sc(NR.accept4, stream(), 0, 0, f), 0o2004000, 32),
    ("sigaltstack", lambda f: sc(NR.sigaltstack, struct.pack("QIxxxxQ", 0, f, 16384), 0), 0x80000003, 32),
    ("epoll_pwait2", lambda f: sc(NR.epoll_pwait2, works(NR.epoll_create1, 0), buf, 1, bytes(16), 0, 8 | f), 8, 32),
    ("futex_waitv", lambda f: sc(NR.futex_waitv, struct.pack("QQII", 2, ctypes.addressof(buf), 2, 0), 1, f, 0, 1), 0, 32),
    ("futex_waitv_waiter", lambda f: sc(NR.futex_waitv, struct.pack("QQII", 2, ctypes.addressof(buf), 2 | f, 0), 1, 0, 0, 1), 0x8F, 32),
    ("futex_wake_flags", lambda f: sc(NR.futex_wake, buf, 1, 1, 2 | f), 0x8F, 32),
    ("umount2", lambda f: sc(NR.umount2, b"/nowhere", f), 15, 32),
    ("open_tree", lambda f: min(0, sc(NR.open_tree, CWD, b".", f)), 0o2114401, 32),
    ("fsopen", lambda f: min(0, sc(NR.fsopen, b"tmpfs", f)), 1, 32),
    ("fspick", lambda f: min(0, sc(NR.fspick, CWD, b".", f)), 15, 32),
    ("mount_setattr_flags", lambda f: sc(NR.mount_setattr, CWD, b".", f, bytes(32), 32), 0x9900, 32),
    ("io_uring_setup", lambda f: min(0, sc(NR.io_uring_setup, 1, struct.pack("III", 0, 0, f) + bytes(108))), 0xFFFFF, 32),
    ("userfaultfd", lambda f: min(0, sc(NR.userfaultfd, f)), 0o2004001, 32),
    ("memfd_secret", lambda f: min(0, sc(NR.memfd_secret, f)), 0o2000000, 32),
    ("landlock_create_ruleset", lambda f: sc(NR.landlock_create_ruleset, 0, 0, f), 7, 32),
    ("timer_settime", lambda f: sc(NR.timer_settime, 99, f, bytes(32), 0), 1, 32),
    ("clock_nanosleep", lambda f: sc(NR.clock_nanosleep, 1, f, bytes(16), 0), 1, 32),
    ("rt_sigaction", lambda f: sc(NR.rt_sigaction, 10, struct.pack("QQQQ", 1, f, 0, 0), 0, 8), 0xDC000C07, 64),
    ("inotify_add_watch", lambda f: min(0, sc(NR.inotify_add_watch, works(NR.inotify_init1, 0), b".", f)), 0xF7000FFF, 32),
    ("epoll_events", lambda f: sc(NR.epoll_ctl, works(NR.epoll_create1, 0), 1, full_pipe(), struct.pack("<IQ", f, 0)), 0xF0002FFF, 32),
    ("recv", lambda f: sc(NR.recvfrom, stream(), buf, 4, 0x40 | f, 0, 0), 0x6000FFFF, 32),
    ("shmat", lambda f: min(0, sc(NR.shmat, 1 << 22, 0, f)), 0o170000, 32),
]
FLAG_ROWS = {
    "pipe2": span((0, 6, "EINVAL"), (8, 10, "EINVAL"), (12, 13, "EINVAL"), (15, 18, "EINVAL"), (20, 31,
        "EINVAL")),
    "dup3": span((0, 18, "EINVAL"), (20, 31, "EINVAL")),
    "eventfd2": span((1, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "epoll_create1": span((0, 18, "EINVAL"), (20, 31, "EINVAL")),
    "inotify_init1": span((0, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "signalfd4": span((0, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "timerfd_create": span((0, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "timerfd_settime": span((2, 31, "EINVAL")),
    "memfd_create": span((5, 25, "EINVAL")),
    "close_range": span((0, 0, "EINVAL"), (3, 31, "EINVAL")),
    "openat2_flags": span((2, 5, "EINVAL"), (23, 63, "EINVAL")),
    "openat2_resolve": span((6, 63, "EINVAL")),
    "openat2_mode": span((12, 63, "EINVAL")),
    "renameat2": span((3, 31, "EINVAL")),
    "linkat": span((0, 9, "EINVAL"), (11, 11, "EINVAL"), (13, 31, "EINVAL")),
    "unlinkat": span((0, 8, "EINVAL"), (10, 31, "EINVAL")),
    "fchownat": span((0, 7, "EINVAL"), (9, 11, "EINVAL"), (13, 31, "EINVAL")),
    "fchmodat2": span((0, 7, "EINVAL"), (9, 11, "EINVAL"), (13, 31, "EINVAL")),
    "faccessat2": span((0, 7, "EINVAL"), (10, 11, "EINVAL"), (13, 31, "EINVAL")),
    "access": span((3, 31, "EINVAL")),
    "utimensat": span((0, 7, "EINVAL"), (9, 11, "EINVAL"), (13, 31, "EINVAL")),
    "newfstatat": span((0, 7, "EINVAL"), (9, 10, "EINVAL"), (15, 31, "EINVAL")),
    "statx_flags": span((0, 7, "EINVAL"), (9, 10, "EINVAL"), (15, 31, "EINVAL")),
    "name_to_handle_at": span((2, 8, "EINVAL"), (11, 11, "EINVAL"), (13, 31, "EINVAL")),
    "fallocate": span((8, 31, "ENOTSUP")),
    "preadv2": span((9, 31, "ENOTSUP")),
    "sync_file_range": span((3, 31, "EINVAL")),
    "splice": span((4, 31, "EINVAL")),
    "tee": span((4, 31, "EINVAL")),
    "vmsplice": span((4, 31, "EINVAL")),
    "copy_file_range": span((0, 31, "EINVAL")),
    "setxattr": span((2, 31, "EINVAL")),
    "flock": span((4, 4, "EINVAL"), (6, 31, "EINVAL")),
    "getrandom": span((3, 31, "EINVAL")),
    "mremap": span((3, 31, "EINVAL")),
    "msync": span((3, 31, "EINVAL")),
    "mlock2": span((1, 31, "EINVAL")),
    "mlockall": span((3, 31, "EINVAL")),
    "mprotect": span((4, 23, "EINVAL"), (26, 31, "EINVAL")),
    "mmap_validate": span((17, 17, "0"), (21, 25, "ENOTSUP"), (27, 30, "0"), (31, 31, "ENOTSUP")),
    "mseal": span((0, 63, "EINVAL")),
    "membarrier_flags": span((0, 31, "EINVAL")),
    "process_madvise": span((0, 31, "EINVAL")),
    "process_mrelease": span((0, 31, "EINVAL")),
    "process_vm_readv": span((0, 63, "EINVAL")),
    "pidfd_open": span((0, 6, "EINVAL"), (8, 10, "EINVAL"), (12, 31, "EINVAL")),
    "pidfd_getfd": span((0, 31, "EINVAL")),
    "pidfd_send_signal": span((3, 31, "EINVAL")),
    "waitid": span((4, 23, "EINVAL"), (25, 28, "EINVAL")),
    "wait4": span((2, 2, "EINVAL"), (4, 23, "EINVAL"), (25, 28, "EINVAL")),
    "clone3": span((0, 6, "EINVAL"), (34, 63, "EINVAL")),
    "unshare": span((0, 6, "EINVAL"), (12, 15, "EINVAL"), (20, 24, "EINVAL"), (31, 31, "EINVAL")),
    "setns": span((0, 6, "EINVAL"), (8, 16, "EINVAL"), (18, 24, "EINVAL"), (31, 31, "EINVAL")),
    "seccomp_filter": span((6, 31, "EINVAL")),
    "sched_setattr": span((7, 63, "EINVAL")),
    "socket_type": span((4, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "accept4": span((0, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "sigaltstack": span((2, 30, "EINVAL")),
    "epoll_pwait2": span((0, 2, "0"), (4, 31, "0")),
    "futex_waitv": span((0, 31, "EINVAL")),
    "futex_waitv_waiter": span((4, 6, "EINVAL"), (8, 31, "EINVAL")),
    "futex_wake_flags": span((4, 6, "EINVAL"), (8, 31, "EINVAL")),
    "umount2": span((4, 31, "EINVAL")),
    "open_tree": span((1, 7, "EINVAL"), (9, 10, "EINVAL"), (13, 14, "EINVAL"), (16, 18, "EINVAL"), (20, 31,
        "EINVAL")),
    "fsopen": span((1, 31, "EINVAL")),
    "fspick": span((4, 31, "EINVAL")),
    "mount_setattr_flags": span((0, 7, "EINVAL"), (9, 10, "EINVAL"), (13, 14, "EINVAL"), (16, 31, "EINVAL")),
    "io_uring_setup": span((20, 31, "EINVAL")),
    "userfaultfd": span((1, 10, "EINVAL"), (12, 18, "EINVAL"), (20, 31, "EINVAL")),
    "memfd_secret": span((0, 18, "EINVAL"), (20, 31, "EINVAL")),
    "landlock_create_ruleset": span((3, 31, "EINVAL")),
    "timer_settime": span((1, 31, "EINVAL")),
    "clock_nanosleep": span((1, 31, "0")),
    "rt_sigaction": span((3, 9, "0"), (12, 25, "0"), (29, 29, "0"), (32, 63, "0")),
    "inotify_add_watch": span((12, 12, "EINVAL"), (13, 15, "0"), (16, 23, "EINVAL"), (27, 27, "EINVAL")),
    "epoll_events": span((12, 12, "0"), (14, 27, "0")),
    "recv": span((16, 28, "0"), (31, 31, "0")),
    "shmat": span((0, 11, "EINVAL"), (16, 31, "EINVAL")),
}

# Name, call with command c, the known commands.
COMMANDS = [
    ("fcntl", lambda c: sc(NR.fcntl, 0, c, 0)),
    ("prctl", lambda c: sc(NR.prctl, c, 0, 0, 0, 0)),
    ("madvise", lambda c: sc(NR.madvise, page(), 4096, c)),
    ("fadvise64", lambda c: sc(NR.fadvise64, a_file(), 0, 0, c)),
    ("lseek", lambda c: sc(NR.lseek, a_file(), 0, c)),
    ("futex", lambda c: sc(NR.futex, buf, c, 1, bytes(16), buf, 1)),
    ("membarrier", lambda c: sc(NR.membarrier, c, 0, 0)),
    ("kcmp", lambda c: sc(NR.kcmp, os.getpid(), os.getpid(), c, 0, 0)),
    ("seccomp", lambda c: sc(NR.seccomp, c, 0, BAD)),
    ("arch_prctl", lambda c: sc(NR.arch_prctl, c, BAD)),
    ("shmctl", lambda c: sc(NR.shmctl, -1, c, BAD)),
    ("semctl", lambda c: sc(NR.semctl, -1, 0, c, BAD)),
    ("msgctl", lambda c: sc(NR.msgctl, -1, c, BAD)),
    ("getrlimit", lambda c: sc(NR.getrlimit, c, buf)),
    ("getrusage", lambda c: sc(NR.getrusage, c, buf)),
    ("getpriority", lambda c: min(0, sc(NR.getpriority, c, 0))),
    ("ioprio_get", lambda c: min(0, sc(NR.ioprio_get, c, 0))),
    ("sched_get_priority_max", lambda c: sc(146, c)),
    ("clock_gettime", lambda c: sc(NR.clock_gettime, c, buf)),
    ("clock_getres", lambda c: sc(NR.clock_getres, c, buf)),
    ("getitimer", lambda c: sc(NR.getitimer, c, buf)),
    ("shutdown", lambda c: sc(NR.shutdown, stream(), c)),
    ("socket_family", lambda c: min(0, sc(NR.socket, c, 99, 0))),
    ("waitid_type", lambda c: sc(NR.waitid, c, 1 << 22, 0, 5, 0)),
    ("epoll_ctl", lambda c: sc(NR.epoll_ctl, works(NR.epoll_create1, 0), c, full_pipe(), bytes(12))),
    ("rt_sigprocmask", lambda c: sc(NR.rt_sigprocmask, c, bytes(8), 0, 8)),
    ("ptrace", lambda c: sc(NR.ptrace, c, 1 << 22, 0, 0)),
    ("io_uring_register", lambda c: sc(NR.io_uring_register, -1, c, 0, 0)),
    ("landlock_add_rule", lambda c: sc(445, -1, c, 0, 0)),
]
COMMAND_ROWS = {
    "fcntl": span((12, 14, "EINVAL"), (18, 20, "EINVAL"), (1020, 1023, "EINVAL"), (1041, 1044, "EINVAL")),
    "prctl": span((0, 0, "EINVAL"), (17, 18, "EINVAL"), (48, 49, "EINVAL"), (81, 89, "EINVAL")),
    "madvise": span((5, 7, "EINVAL"), (26, 29, "EINVAL"), (200, 200, "EINVAL")),
    "fadvise64": span((0, 5, "0"), (6, 9, "EINVAL")),
    "lseek": span((0, 2, "0"), (3, 4, "ENXIO"), (5, 9, "EINVAL")),
    "futex": span((14, 19, "ENOSYS")),
    "membarrier": span((3, 3, "EINVAL"), (5, 7, "EINVAL"), (9, 9, "EINVAL"), (15, 15, "EINVAL"), (1024, 1024,
        "EINVAL"), (2048, 2048, "EINVAL"), (4096, 4096, "EINVAL")),
    "kcmp": span((-1, -1, "EINVAL"), (0, 6, "0"), (7, 7, "EFAULT"), (8, 11, "EINVAL")),
    "seccomp": span((0, 0, "EINVAL"), (1, 3, "EFAULT"), (4, 7, "EINVAL")),
    "arch_prctl": span((0, 1, "EINVAL"), (4096, 4096, "EINVAL"), (4101, 4102, "EINVAL"), (4111, 4112,
        "EINVAL"), (4115, 4115, "EINVAL"), (8192, 8192, "EINVAL"), (8196, 8196, "EINVAL"), (12288, 12288,
        "EINVAL"), (16384, 16384, "EINVAL"), (16388, 16388, "EINVAL"), (20480, 20480, "EINVAL"), (20484,
        20484, "EINVAL"), (24576, 24576, "EINVAL")),
    "shmctl": span((4, 19, "EINVAL")),
    "semctl": span((4, 23, "EINVAL")),
    "msgctl": span((4, 17, "EINVAL")),
    "getrlimit": span((16, 23, "EINVAL")),
    "getrusage": span((-3, -2, "EINVAL"), (2, 3, "EINVAL"), (99, 99, "EINVAL")),
    "getpriority": span((-1, -1, "EINVAL"), (0, 2, "0"), (3, 5, "EINVAL")),
    "ioprio_get": span((-1, 0, "EINVAL"), (1, 3, "0"), (4, 6, "EINVAL")),
    "sched_get_priority_max": span((-1, -1, "EINVAL"), (0, 0, "0"), (1, 2, "99"), (3, 3, "0"), (4, 4,
        "EINVAL"), (5, 7, "0"), (8, 11, "EINVAL")),
    "clock_gettime": span((8, 10, "EINVAL"), (11, 11, "0"), (12, 23, "EINVAL")),
    "clock_getres": span((8, 10, "EINVAL"), (11, 11, "0"), (12, 23, "EINVAL")),
    "getitimer": span((-1, -1, "EINVAL"), (0, 2, "0"), (3, 5, "EINVAL")),
    "shutdown": span((-1, -1, "EINVAL"), (0, 2, "0"), (3, 5, "EINVAL")),
    "socket_family": span((-1, -1, "EINVAL"), (46, 48, "EINVAL"), (60, 60, "EINVAL"), (100, 100, "EINVAL")),
    "waitid_type": span((-1, -1, "EINVAL"), (0, 2, "ECHILD"), (3, 3, "EBADF"), (4, 8, "EINVAL")),
    "epoll_ctl": span((-1, 0, "EINVAL"), (4, 6, "EINVAL"), (99, 99, "EINVAL")),
    "rt_sigprocmask": span((-1, -1, "EINVAL"), (3, 5, "EINVAL"), (99, 99, "EINVAL")),
    "ptrace": span((8, 11, "ESRCH"), (20, 23, "ESRCH"), (27, 29, "ESRCH"), (34, 34, "ESRCH"), (100, 100,
        "ESRCH"), (16915, 16915, "ESRCH"), (16928, 16928, "ESRCH")),
}


@cases([("%s bit %d" % (name, bit), name, bit, expected) for name, row in FLAG_ROWS.items()
        for bit, expected in row.items()], shared=True)
def undefined(name, bit, expected):
    call = [row[1] for row in FLAGS if row[0] == name][0]
    eq(name_of(call(1 << bit)), expected)


@cases([("%s %s" % (name, str(number).replace("-", "minus ")), name, number, expected) for name, row in COMMAND_ROWS.items()
        for number, expected in row.items()], shared=True)
def unknown(name, number, expected):
    call = [row[1] for row in COMMANDS if row[0] == name][0]
    eq(name_of(call(number)), expected)


if __name__ == "__main__":
    run()
