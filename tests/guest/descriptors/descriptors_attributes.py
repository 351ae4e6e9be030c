"""Sizes, times, owners, directories and attributes, tried on descriptors of every kind."""

import os
import socket
from errno import EOPNOTSUPP

from lib.guest import *
from lib.operands import *

needs_root(
    "answers_fchmod_gives_0", "answers_faccess_itself_gives_0", "answers_fchmod_itself_gives_0",
    "answers_fsetxattr_gives_ENOTSUP",
)

SYS.update(readahead=187, fsetxattr=190, fgetxattr=193, flistxattr=196)


def mode_of(fd):
    """Returns the mode of the file: natively the devices are those of the host."""
    try:
        return os.fstat(fd).st_mode & 0o7777
    except OSError:
        return 0o600


CALLS = {
    "ftruncate": lambda fd: sc(NR.ftruncate, fd, 4),
    "ftruncate_below_nothing": lambda fd: sc(NR.ftruncate, fd, -1),
    "fallocate": lambda fd: sc(NR.fallocate, fd, 0, 0, 4),
    "fallocate_nothing": lambda fd: sc(NR.fallocate, fd, 0, 0, 0),
    "fsync": lambda fd: sc(NR.fsync, fd),
    "fdatasync": lambda fd: sc(NR.fdatasync, fd),
    "syncfs": lambda fd: sc(NR.syncfs, fd),
    "sync_range": lambda fd: sc(NR.sync_file_range, fd, 0, 0, 0),
    "advise": lambda fd: sc(NR.fadvise64, fd, 0, 0, 0),
    "readahead": lambda fd: sc(NR.readahead, fd, 0, 10),
    "fchmod": lambda fd: sc(NR.fchmod, fd, mode_of(fd)),
    "fchown": lambda fd: sc(NR.fchown, fd, -1, -1),
    "fstat": lambda fd: sc(NR.fstat, fd, buf()),
    "fstatfs": lambda fd: sc(NR.fstatfs, fd, buf()),
    "fchdir": lambda fd: sc(NR.fchdir, fd),
    "flock": lambda fd: sc(NR.flock, fd, 2 | 4),
    "getdents64": lambda fd: min(sc(NR.getdents64, fd, buf(), 4096), 1),
    "futimens": lambda fd: sc(NR.utimensat, fd, None, None, 0),
    "openat_below": lambda fd: min(sc(NR.openat, fd, b".", 0, 0), 1),
    "mkdirat_below": lambda fd: sc(NR.mkdirat, fd, b"", 0o700),
    "statx_itself": lambda fd: sc(NR.statx, fd, b"", 0x1000, 0x7FF, buf()),
    "faccess_itself": lambda fd: sc(NR.faccessat2, fd, b"", 4, 0x1000),
    "fchmod_itself": lambda fd: sc(NR.fchmodat2, fd, b"", mode_of(fd), 0x1000),
    "readlink_itself": lambda fd: sc(NR.readlinkat, fd, b"", buf(), 4096),
    "fgetxattr": lambda fd: sc(NR.fgetxattr, fd, b"user.none", buf(), 10),
    "fsetxattr": lambda fd: sc(NR.fsetxattr, fd, b"user.some", b"x", 1, 0),
    "flistxattr": lambda fd: sc(NR.flistxattr, fd, buf(), 4096),
    "exec_itself": lambda fd: sc(NR.execveat, fd, b"", None, None, 0x1000),
}

TABLE = """
ftruncate: 0 wronly rdwr append memfd queue; EBADF none closed path; EINVAL *; - pidfd
ftruncate_below_nothing: EINVAL *
fallocate: 0 wronly rdwr append memfd; EBADF none closed path dir rdonly piper inotify random proc
  procdir ns; ESPIPE pipew; ENODEV *; - pidfd queue
fallocate_nothing: EBADF none closed path; EINVAL *
fsync: 0 dir rdonly wronly rdwr append memfd; EBADF none closed path; EINVAL *
fdatasync: 0 dir rdonly wronly rdwr append memfd; EBADF none closed path; EINVAL *
syncfs: EBADF none closed path; 0 *
sync_range: 0 dir rdonly wronly rdwr append memfd queue proc procdir ns; EBADF none closed path;
  ESPIPE *; - pidfd
advise: EBADF none closed path; ESPIPE piper pipew; 0 *
readahead: 0 rdonly rdwr append memfd queue proc ns; EBADF none closed path wronly pipew; EINVAL *
fchmod: EBADF none closed path; EPERM proc procdir ns; 0 *; - event epoll timer signal inotify
  pidfd
fchown: EBADF none closed path; 0 *; - event epoll timer signal inotify pidfd ns
fstat: EBADF none closed; 0 *
fstatfs: EBADF none closed; 0 *
fchdir: 0 dir procdir; EBADF none closed; ENOTDIR *
flock: EBADF none closed path; 0 *
getdents64: 1 dir procdir; EBADF none closed path; ENOTDIR *
futimens: EBADF none closed path; EPERM ns; 0 *; - event epoll timer signal inotify pidfd procdir
openat_below: 1 dir procdir; EBADF none closed; ENOTDIR *
mkdirat_below: ENOENT *
statx_itself: EBADF none closed; 0 *
faccess_itself: EBADF none closed; 0 *
fchmod_itself: EBADF none closed; EPERM proc procdir ns; 0 *; - event epoll timer signal inotify
  pidfd
readlink_itself: EBADF none closed; ENOENT *
fgetxattr: EBADF none closed path; ENOTSUP proc queue ns; ENODATA *; - pidfd procdir
fsetxattr: 0 dir rdonly wronly rdwr append memfd; EBADF none closed path; ENOTSUP proc queue; EPERM
  *; - pidfd procdir
flistxattr: 21 stream dgram tcp udp netlink; EBADF none closed path; 0 *; - dir pidfd procdir
exec_itself: EBADF none closed; ENOEXEC memfd; EACCES *
"""


@cases(spread(TABLE, DESCRIPTORS), shared=True)
def answers(call, result, kinds):
    on_descriptors(CALLS[call], result, kinds)


@test
def the_protocol_of_a_socket_has_a_name():
    for family, kind, protocol, name in ((1, 1, 0, b"UNIX-STREAM"), (1, 2, 0, b"UNIX"), (2, 1, 0, b"TCP"),
                                         (2, 2, 0, b"UDP"), (10, 2, 136, b"UDPLITEv6"), (16, 3, 0, b"NETLINK")):
        s = socket.socket(family, kind, protocol)
        link = "/proc/self/fd/%d" % s.fileno()
        for target in (s.fileno(), link):
            eq(os.getxattr(target, "system.sockprotoname"), name + b"\0", target)
            eq(os.listxattr(target), ["system.sockprotoname"])
    fails(EOPNOTSUPP, os.getxattr, "/proc/self/fd/%d" % os.pipe()[0], "system.sockprotoname")


@test
def fdinfo_of_a_terminals_master():
    master, slave = os.openpty()
    with open("/proc/self/fdinfo/%d" % master) as f:
        eq(f.readlines()[4:], ["tty-index:\t%s\n" % os.ttyname(slave).split("/")[-1]])


@test
def fdinfo_of_watches_has_the_newest_first():
    fd = sc(NR.inotify_init1, 0)
    for i, name in enumerate(b"abc"):
        os.mkdir(bytes([name]))
        eq(sc(NR.inotify_add_watch, fd, bytes([name]), 0x100), i + 1)
    with open("/proc/self/fdinfo/%d" % fd) as f:
        eq([line.split()[1] for line in f if line.startswith("inotify")], ["wd:3", "wd:2", "wd:1"])



run()
