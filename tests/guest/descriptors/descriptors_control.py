"""fcntl(2) and ioctl(2), tried on descriptors of every kind."""

import os
import struct

from lib.guest import *
from lib.operands import *

needs_root(
    "answers_read_lease_gives_0", "answers_read_lease_gives_EINVAL",
)


def lock(kind):
    return struct.pack("hhqqi", kind, 0, 0, 0, 0) + bytes(8)


CALLS = {
    "getfd": lambda fd: sc(NR.fcntl, fd, 1),
    "getfl": lambda fd: sc(NR.fcntl, fd, 3) ,
    "setfl_append": lambda fd: sc(NR.fcntl, fd, 4, os.O_APPEND),
    "setfl_async": lambda fd: sc(NR.fcntl, fd, 4, 0o20000),
    "setfl_direct": lambda fd: sc(NR.fcntl, fd, 4, os.O_DIRECT),
    "getown": lambda fd: sc(NR.fcntl, fd, 9),
    "getsig": lambda fd: sc(NR.fcntl, fd, 11),
    "dupfd": lambda fd: sc(NR.fcntl, fd, 0, 500),
    "getlk": lambda fd: sc(NR.fcntl, fd, 5, lock(0)),
    "read_lock": lambda fd: sc(NR.fcntl, fd, 6, lock(0)),
    "write_lock": lambda fd: sc(NR.fcntl, fd, 6, lock(1)),
    "open_file_lock": lambda fd: sc(NR.fcntl, fd, 37, lock(1)),
    "getlease": lambda fd: sc(NR.fcntl, fd, 1025),
    "read_lease": lambda fd: sc(NR.fcntl, fd, 1024, 0),
    "getpipe": lambda fd: sc(NR.fcntl, fd, 1032),
    "setpipe": lambda fd: sc(NR.fcntl, fd, 1031, 4096),
    "notify": lambda fd: sc(NR.fcntl, fd, 1026, 1),
    "get_seals": lambda fd: sc(NR.fcntl, fd, 1034),
    "add_seals": lambda fd: sc(NR.fcntl, fd, 1033, 0),
    "get_hint": lambda fd: sc(NR.fcntl, fd, 1035, buf()),
    "unknown_command": lambda fd: sc(NR.fcntl, fd, 99, 0),
    "fionread": lambda fd: sc(NR.ioctl, fd, 0x541B, buf()),
    "fionbio": lambda fd: sc(NR.ioctl, fd, 0x5421, buf()),
    "fioclex": lambda fd: sc(NR.ioctl, fd, 0x5451, 0),
    "fioasync": lambda fd: sc(NR.ioctl, fd, 0x5452, buf(8, b"\1")),
    "fioqsize": lambda fd: sc(NR.ioctl, fd, 0x5460, buf()),
    "fibmap": lambda fd: sc(NR.ioctl, fd, 1, buf()),
    "tcgets": lambda fd: sc(NR.ioctl, fd, 0x5401, buf()),
    "tiocgwinsz": lambda fd: sc(NR.ioctl, fd, 0x5413, buf()),
    "tiocoutq": lambda fd: sc(NR.ioctl, fd, 0x5411, buf()),
    "fiogetown": lambda fd: sc(NR.ioctl, fd, 0x8903, buf()),
    "unknown_request": lambda fd: sc(NR.ioctl, fd, 0xDEAD, buf()),
}

TABLE = """
getfd: 0 event epoll timer signal inotify; EBADF none closed; 1 *
getfl: 2048 piper inotify; 2049 pipew; 2097152 path; 34816 dir rdonly random proc procdir ns;
  34817 wronly; 34818 rdwr memfd null zero full ptmx; 35842 append; EBADF none closed; 2050 *
setfl_append: EBADF none closed path; 0 *
setfl_async: EBADF none closed path; 0 *
setfl_direct: 0 rdonly wronly rdwr append piper pipew; EBADF none closed path; EINVAL *; - memfd
getown: EBADF none closed path; 0 *
getsig: EBADF none closed path; 0 *
dupfd: EBADF none closed; 500 *
getlk: EBADF none closed path; 0 *
read_lock: EBADF none closed path wronly pipew; 0 *
write_lock: EBADF none closed path dir rdonly piper inotify random proc procdir ns; 0 *
open_file_lock: EBADF none closed path dir rdonly piper inotify random proc procdir ns; 0 *
getlease: EBADF none closed path; 2 *
read_lease: 0 rdonly memfd proc ns; EAGAIN wronly rdwr append queue; EBADF none closed path;
  EINVAL *; - pidfd
getpipe: 65536 piper pipew; EBADF *
setpipe: 4096 piper pipew; EBADF *
notify: 0 dir procdir; EBADF none closed path; ENOTDIR *
get_seals: 1 memfd; EBADF none closed path; EINVAL *
add_seals: EBADF none closed path; EPERM dir rdonly memfd piper inotify random proc procdir ns;
  EINVAL *
get_hint: EBADF none closed path; 0 *
unknown_command: EBADF none closed path; EINVAL *
fionread: EBADF none closed path; EINVAL epoll random; ENOTTY dir netlink event timer signal pidfd
  null zero full procdir; 0 *
fionbio: EBADF none closed path; 0 *
fioclex: EBADF none closed path; 0 *
fioasync: 0 piper pipew stream dgram tcp udp netlink inotify random tty ptmx; EBADF none closed
  path; ENOTTY *
fioqsize: 0 dir rdonly wronly rdwr append memfd queue proc procdir ns; EBADF none closed path;
  ENOTTY *
fibmap: EBADF none closed path; EINVAL epoll random; ENOTTY *; - rdonly wronly rdwr append memfd
  queue proc ns
tcgets: 0 tty ptmx; EBADF none closed path; EINVAL epoll random; ENOTTY *
tiocgwinsz: 0 tty ptmx; EBADF none closed path; EINVAL epoll random; ENOTTY *
tiocoutq: 0 stream dgram tcp udp tty ptmx; EBADF none closed path; EINVAL epoll random; ENOTTY *
fiogetown: 0 stream dgram tcp udp netlink; EBADF none closed path; EINVAL epoll random; ENOTTY *
unknown_request: EBADF none closed path; EINVAL epoll random; ENOTTY *
"""


@cases(spread(TABLE, DESCRIPTORS), shared=True)
def answers(call, result, kinds):
    on_descriptors(CALLS[call], result, kinds)


run()
