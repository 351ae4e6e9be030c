"""Results and errors of calls that no other script tests, a row a call."""

import ctypes
import os
import signal
import socket
import struct
from errno import *
from lib.guest import *

SYS.update(sched_getparam=143, sched_rr_get_interval=148, readahead=187, lsetxattr=189, fsetxattr=190, lgetxattr=192,
           fgetxattr=193, llistxattr=195, flistxattr=196, lremovexattr=198, fremovexattr=199,
           remap_file_pages=216, io_setup=206, io_pgetevents=333, add_key=248, rt_sigreturn=15)
CWD, BAD = -100 & 0xFFFFFFFF, 1 << 63


def new(name="f", text=b"0123456789"):
    with open(name, "wb") as f:
        f.write(text)
    return os.open(name, os.O_RDWR)


def buf(n=64):
    return ctypes.create_string_buffer(n)


def link():
    new()
    os.symlink("f", "l")


def iov(b):
    return struct.pack("QQ", ctypes.addressof(b), len(b))


def listener():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s


def times(*values):
    return (ctypes.c_int64 * len(values))(*values)


def got(nr, *args):
    """Returns the mode of the file, or the error."""
    r = sc(nr, *args)
    return r


def aio():
    ctx = ctypes.c_ulong(0)
    works(NR.io_setup, 1, ctx)
    return ctx.value


def queued():
    """Sends rt_tgsigqueueinfo to this thread. Returns the results and what sigtimedwait gets."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [10])
    info = ctypes.create_string_buffer(struct.pack("iiiiiiQ", 10, 0, -1, 0, os.getpid(), os.getuid(), 77), 128)
    r = sc(NR.rt_tgsigqueueinfo, os.getpid(), os.getpid(), 10, info)
    back = buf(128)
    return r, sc(NR.rt_sigtimedwait, struct.pack("Q", 1 << 9), back, times(0, 0), 8), back.raw[8:12], back.raw[24:32]


def returned():
    """rt_sigreturn without a frame kills by SIGSEGV."""
    return os.WTERMSIG(in_child(lambda: sc(NR.rt_sigreturn)))


def forked_by_vfork():
    pid = sc(NR.vfork)
    if pid == 0:
        os._exit(6)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@cases([
    ("creat",
     lambda: (min(sc(NR.creat, b"c", 0o600), 0), os.stat("c").st_size, sc(NR.creat, b".", 0o600), sc(NR.creat, b"no/c", 0o600), sc(NR.creat, BAD, 0)),
     (0, 0, -EISDIR, -ENOENT, -EFAULT)),
    ("faccessat",
     lambda: (sc(NR.faccessat, CWD, b".", 7), sc(NR.faccessat, CWD, b"none", 0), sc(NR.faccessat, CWD, b".", 8), sc(NR.faccessat, 99, b"x", 0), sc(NR.faccessat, CWD, BAD, 0)),
     (0, -ENOENT, -EINVAL, -EBADF, -EFAULT)),
    ("utimes",
     lambda: (new() > 0, sc(NR.utimes, b"f", times(5, 6, 7, 8)), os.stat("f").st_atime_ns, os.stat("f").st_mtime_ns, sc(NR.utimes, b"f", times(0, 1000000, 0, 0)), sc(NR.utimes, b"f", BAD), sc(NR.utimes, b"none", 0)),
     (True, 0, 5000006000, 7000008000, -EINVAL, -EFAULT, -ENOENT)),
    ("futimesat",
     lambda: (new() > 0, sc(NR.futimesat, CWD, b"f", times(5, 6, 7, 8)), os.stat("f").st_mtime_ns, sc(NR.futimesat, 99, b"f", 0), sc(NR.futimesat, CWD, b"f", times(0, -1, 0, 0))),
     (True, 0, 7000008000, -EBADF, -EINVAL)),
    ("getdents",
     lambda: (sc(NR.getdents, os.open(".", os.O_RDONLY), buf(1024), 1024) > 0, sc(NR.getdents, new(), buf(), 64), sc(NR.getdents, os.open(".", os.O_RDONLY), buf(8), 8), sc(NR.getdents, 99, buf(), 64), sc(NR.getdents, os.open(".", os.O_RDONLY), BAD, 1024)),
     (True, -ENOTDIR, -EINVAL, -EBADF, -EFAULT)),
    ("readlinkat",
     lambda: (link(), (lambda b: (sc(NR.readlinkat, CWD, b"l", b, 64), b.value))(buf()), sc(NR.readlinkat, CWD, b"f", buf(), 64), sc(NR.readlinkat, CWD, b"l", buf(), 0), sc(NR.readlinkat, CWD, b"l", BAD, 4), sc(NR.readlinkat, 99, b"l", buf(), 4)),
     (None, (1, b'f'), -EINVAL, -EINVAL, -EFAULT, -EBADF)),
    ("mkdirat",
     lambda: (sc(NR.mkdirat, CWD, b"d", 0o700), sc(NR.mkdirat, CWD, b"d", 0o700), sc(NR.mkdirat, 99, b"e", 0o700), sc(NR.mkdirat, CWD, BAD, 0o700), sc(NR.mkdirat, CWD, b"", 0o700)),
     (0, -EEXIST, -EBADF, -EFAULT, -ENOENT)),
    ("mknodat",
     lambda: (sc(NR.mknodat, CWD, b"p", 0o10600, 0), sc(NR.mknodat, CWD, b"p", 0o10600, 0), sc(NR.mknodat, CWD, b"q", 0o40600, 0), sc(NR.mknodat, CWD, b"q", 0o170600, 0), sc(NR.mknodat, 99, b"q", 0o10600, 0)),
     (0, -EEXIST, -EPERM, -EINVAL, -EBADF)),
    ("symlinkat",
     lambda: (sc(NR.symlinkat, b"to", CWD, b"s"), os.readlink("s"), sc(NR.symlinkat, b"to", CWD, b"s"), sc(NR.symlinkat, b"", CWD, b"t"), sc(NR.symlinkat, b"to", 99, b"t"), sc(NR.symlinkat, BAD, CWD, b"t")),
     (0, 'to', -EEXIST, -ENOENT, -EBADF, -EFAULT)),
    ("renameat",
     lambda: (new() > 0, sc(NR.renameat, CWD, b"f", CWD, b"g"), os.listdir("."), sc(NR.renameat, CWD, b"f", CWD, b"g"), sc(NR.renameat, 99, b"g", CWD, b"h"), sc(NR.renameat, CWD, BAD, CWD, b"h")),
     (True, 0, ['g'], -ENOENT, -EBADF, -EFAULT)),
    ("lsetxattr",
     lambda: (link(), sc(NR.lsetxattr, b"f", b"user.a", b"v", 1, 0), sc(NR.lsetxattr, b"l", b"user.a", b"v", 1, 0), sc(NR.lsetxattr, b"f", b"user.a", BAD, 1, 0), sc(NR.lsetxattr, b"f", b"user.a", b"v", 65537, 0), sc(NR.lsetxattr, b"f", b"x", b"v", 1, 0)),
     (None, 0, -EPERM, -EFAULT, -E2BIG, -ENOTSUP)),
    ("fsetxattr",
     lambda: (lambda f: (sc(NR.fsetxattr, f, b"user.a", b"v", 1, 0), sc(NR.fsetxattr, f, b"user.a", b"v", 1, 1), sc(NR.fsetxattr, f, b"user.b", b"v", 1, 2), sc(NR.fsetxattr, 99, b"user.a", b"v", 1, 0), sc(NR.fsetxattr, f, b"user.a", b"v", 1, 4)))(new()),
     (0, -EEXIST, -ENODATA, -EBADF, -EINVAL)),
    ("lgetxattr",
     lambda: (link(), os.setxattr("f", "user.a", b"val"), sc(NR.lgetxattr, b"f", b"user.a", buf(), 64), sc(NR.lgetxattr, b"f", b"user.a", 0, 0), sc(NR.lgetxattr, b"f", b"user.a", buf(), 2), sc(NR.lgetxattr, b"l", b"user.a", buf(), 64), sc(NR.lgetxattr, b"f", b"user.b", buf(), 64)),
     (None, None, 3, 3, -ERANGE, -ENODATA, -ENODATA)),
    ("fgetxattr",
     lambda: (lambda f: (os.setxattr("f", "user.a", b"val"), sc(NR.fgetxattr, f, b"user.a", buf(), 64), sc(NR.fgetxattr, f, b"user.a", BAD, 64), sc(NR.fgetxattr, 99, b"user.a", buf(), 64)))(new()),
     (None, 3, -EFAULT, -EBADF)),
    ("llistxattr",
     lambda: (link(), os.setxattr("f", "user.a", b"val"), (lambda b: (sc(NR.llistxattr, b"f", b, 64), b.raw[:7]))(buf()), sc(NR.llistxattr, b"l", buf(), 64), sc(NR.llistxattr, b"f", buf(), 3)),
     (None, None, (7, b'user.a\x00'), 0, -ERANGE)),
    ("flistxattr",
     lambda: (lambda f: (os.setxattr("f", "user.a", b"val"), sc(NR.flistxattr, f, 0, 0), sc(NR.flistxattr, f, BAD, 64), sc(NR.flistxattr, 99, buf(), 64)))(new()),
     (None, 7, -EFAULT, -EBADF)),
    ("lremovexattr",
     lambda: (link(), os.setxattr("f", "user.a", b"val"), sc(NR.lremovexattr, b"f", b"user.a"), sc(NR.lremovexattr, b"f", b"user.a"), sc(NR.lremovexattr, b"l", b"user.a")),
     (None, None, 0, -ENODATA, -EPERM)),
    ("fremovexattr",
     lambda: (lambda f: (os.setxattr("f", "user.a", b"val"), sc(NR.fremovexattr, f, b"user.a"), sc(NR.fremovexattr, f, b"user.a"), sc(NR.fremovexattr, 99, b"user.a"), sc(NR.fremovexattr, f, BAD)))(new()),
     (None, 0, -ENODATA, -EBADF, -EFAULT)),
    ("sync", lambda: sc(NR.sync), 0),
    ("readv",
     lambda: (lambda f, b: (sc(NR.readv, f, iov(b), 1), b.raw, sc(NR.readv, f, iov(b), 0), sc(NR.readv, f, iov(b), -1), sc(NR.readv, f, iov(b), 1025), sc(NR.readv, f, BAD, 1), sc(NR.readv, 99, iov(b), 1)))(new(), buf(4)),
     (4, b'0123', 0, -EINVAL, -EINVAL, -EFAULT, -EBADF)),
    ("readahead",
     lambda: (lambda f: (sc(NR.readahead, f, 0, 100), sc(NR.readahead, 99, 0, 100), sc(NR.readahead, os.pipe()[0], 0, 100), sc(NR.readahead, os.open("f", os.O_WRONLY), 0, 100)))(new()),
     (0, -EBADF, -EINVAL, -EBADF)),
    ("epoll_pwait",
     lambda: (lambda e: (sc(NR.epoll_pwait, e, buf(), 1, 0, 0, 8), sc(NR.epoll_pwait, e, buf(), 0, 0, 0, 8), sc(NR.epoll_pwait, e, buf(), 1, 0, struct.pack("Q", 0), 8), sc(NR.epoll_pwait, e, buf(), 1, 0, struct.pack("Q", 0), 9), sc(NR.epoll_pwait, e, buf(), 1, 0, BAD, 8), sc(NR.epoll_pwait, 99, buf(), 1, 0, 0, 8)))(works(NR.epoll_create1, 0)),
     (0, -EINVAL, 0, -EINVAL, -EFAULT, -EBADF)),
    ("signalfd",
     lambda: (sc(NR.signalfd, -1, struct.pack("Q", 512), 8) > 0, sc(NR.signalfd, -1, struct.pack("Q", 512), 4), sc(NR.signalfd, new(), struct.pack("Q", 512), 8), sc(NR.signalfd, 99, struct.pack("Q", 512), 8), sc(NR.signalfd, -1, BAD, 8)),
     (True, -EINVAL, -EINVAL, -EBADF, -EFAULT)),
    ("inotify_init", lambda: min(sc(NR.inotify_init), 0), 0),
    ("io_pgetevents",
     lambda: (lambda c: (sc(NR.io_pgetevents, c, 0, 1, buf(), times(0, 0), 0), sc(NR.io_pgetevents, c, 2, 1, buf(), times(0, 0), 0), sc(NR.io_pgetevents, 7, 0, 1, buf(), times(0, 0), 0), sc(NR.io_pgetevents, c, 0, 1, buf(), times(0, 0), BAD)))(aio()),
     (0, -EINVAL, -EINVAL, -EFAULT)),
    ("remap_file_pages",
     lambda: (lambda at: (sc(NR.remap_file_pages, at, 4096, 0, 1, 0), sc(NR.remap_file_pages, at, 4096, 1, 0, 0), sc(NR.remap_file_pages, works(NR.mmap, 0, 4096, 3, 0x22, -1, 0), 4096, 0, 0, 0)))(works(NR.mmap, 0, 16384, 3, 0x21, -1, 0)),
     (0, -EINVAL, -EINVAL)),
    ("listen",
     lambda: (sc(NR.listen, listener().fileno(), 1), sc(NR.listen, listener().fileno(), -1), sc(NR.listen, socket.socket(2, 2).fileno(), 1), sc(NR.listen, new(), 1), sc(NR.listen, 99, 1)),
     (-EBADF, -EBADF, -EBADF, -ENOTSOCK, -EBADF)),
    ("accept",
     lambda: (lambda s: (s.listen(), s.setblocking(False), sc(NR.accept, s.fileno(), 0, 0), sc(NR.accept, listener().fileno(), 0, 0), sc(NR.accept, socket.socket(2, 2).fileno(), 0, 0), sc(NR.accept, new(), 0, 0)))(listener()),
     (None, None, -EAGAIN, -EBADF, -EBADF, -ENOTSOCK)),
    ("getpeername",
     lambda: (lambda p: (sc(NR.getpeername, p[0].fileno(), buf(), ctypes.c_uint32(64)), sc(NR.getpeername, listener().fileno(), buf(), ctypes.c_uint32(64)), sc(NR.getpeername, p[0].fileno(), buf(), ctypes.c_int32(-1)), sc(NR.getpeername, p[0].fileno(), BAD, ctypes.c_uint32(64)), sc(NR.getpeername, p[0].fileno(), buf(), BAD), sc(NR.getpeername, new(), buf(), ctypes.c_uint32(64))))(socket.socketpair()),
     (0, -EBADF, -EINVAL, -EFAULT, -EFAULT, -ENOTSOCK)),
    ("recvmsg",
     lambda: (lambda p, b, v: (p[1].send(b"abc"), sc(NR.recvmsg, p[0].fileno(), struct.pack("QIxxxxQQQQi4x", 0, 0, ctypes.addressof(v), 1, 0, 0, 0), 0), b.value, sc(NR.recvmsg, p[0].fileno(), BAD, 0), sc(NR.recvmsg, new(), buf(), 0), sc(NR.recvmsg, p[0].fileno(), struct.pack("QIxxxxQQQQi4x", 0, 0, 0, 0, 0, 0, 0), 0x40)))(*(lambda b: (socket.socketpair(), b, buf(0) if False else ctypes.create_string_buffer(iov(b), 16)))(buf())),
     (3, 3, b'abc', -EFAULT, -ENOTSOCK, -EAGAIN)),
    ("set_tid_address", lambda: sc(NR.set_tid_address, 0) == os.getpid(), True),
    ("get_robust_list",
     lambda: (lambda h, n: (sc(NR.get_robust_list, 0, h, n), n.value, sc(NR.get_robust_list, 1 << 22, h, n), sc(NR.get_robust_list, 0, BAD, n)))(ctypes.c_ulong(), ctypes.c_ulong()),
     (0, 24, -ESRCH, -EFAULT)),
    ("pidfd_getfd",
     lambda: (lambda p: (sc(NR.fcntl, works(NR.pidfd_getfd, p, new(), 0), 1), sc(NR.pidfd_getfd, p, 99, 0), sc(NR.pidfd_getfd, p, 0, 1), sc(NR.pidfd_getfd, new(), 0, 0), sc(NR.pidfd_getfd, 99, 0, 0)))(works(NR.pidfd_open, os.getpid(), 0)),
     (1, -EBADF, -EINVAL, -EBADF, -EBADF)),
    ("setregid", lambda: (sc(NR.setregid, -1, -1), sc(NR.setregid, os.getgid(), os.getegid())), (0, 0)),
    ("setfsgid",
     lambda: (sc(NR.setfsgid, -1) == os.getegid(), sc(NR.setfsgid, os.getegid()) == os.getegid()),
     (True, True)),
    ("sched_getparam",
     lambda: (lambda v: (sc(NR.sched_getparam, 0, v), v.value, sc(NR.sched_getparam, 1 << 22, v), sc(NR.sched_getparam, -1, v), sc(NR.sched_getparam, 0, 0), sc(NR.sched_getparam, 0, BAD)))(ctypes.c_int(5)),
     (0, 0, -ESRCH, -EINVAL, -EINVAL, -EFAULT)),
    ("sched_rr_get_interval",
     lambda: (lambda v: (sc(NR.sched_rr_get_interval, 0, v), sc(NR.sched_rr_get_interval, 1 << 22, v), sc(NR.sched_rr_get_interval, -1, v), sc(NR.sched_rr_get_interval, 0, BAD)))(times(0, 0)),
     (0, -ESRCH, -EINVAL, -EFAULT)),
    ("rt_sigreturn", lambda: returned(), 11),
    ("rt_tgsigqueueinfo",
     lambda: (queued(), sc(NR.rt_tgsigqueueinfo, os.getpid(), 1 << 22, 10, buf(128)), sc(NR.rt_tgsigqueueinfo, os.getpid(), os.getpid(), 10, BAD)),
     ((0, 10, b'\xff\xff\xff\xff', b'M\x00\x00\x00\x00\x00\x00\x00'), -EPERM, -EFAULT)),
    ("add_key",
     lambda: (sc(NR.add_key, b"none", b"d", b"p", 1, -3), sc(NR.add_key, BAD, b"d", b"p", 1, -3), sc(NR.add_key, b"user", b"d", BAD, 1, -3), sc(NR.add_key, b"user", b"d", b"p", 1 << 21, -3)),
     (-ENODEV, -EFAULT, -EFAULT, -EINVAL)),
])
def acts(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
