"""Reading, writing and copying, tried on descriptors of every kind."""

import os
import struct

from lib.guest import *
from lib.operands import *


def vector(n=8):
    return struct.pack("QQ", buf(), n)


def other(data=b"0123456789"):
    return file(os.O_RDWR, data, "other")


def filled():
    r, w = os.pipe()
    os.write(w, b"pipeful")
    return r


CALLS = {
    "read": lambda fd: sc(NR.read, fd, buf(), 8),
    "read_nothing": lambda fd: sc(NR.read, fd, buf(), 0),
    "read_to_nowhere": lambda fd: sc(NR.read, fd, UNMAPPED, 8),
    "readv": lambda fd: sc(NR.readv, fd, vector(), 1),
    "readv_no_vectors": lambda fd: sc(NR.readv, fd, vector(), 0),
    "pread": lambda fd: sc(NR.pread64, fd, buf(), 8, 0),
    "pread_before_the_start": lambda fd: sc(NR.pread64, fd, buf(), 8, -1),
    "preadv2_at_the_position": lambda fd: sc(NR.preadv2, fd, vector(), 1, -1, 0, 0),
    "preadv2_without_waiting": lambda fd: sc(NR.preadv2, fd, vector(), 1, -1, 0, 8),
    "pwritev2_without_waiting": lambda fd: sc(NR.pwritev2, fd, vector(), 1, -1, 0, 8),
    "write": lambda fd: sc(NR.write, fd, buf(), 8),
    "write_nothing": lambda fd: sc(NR.write, fd, buf(), 0),
    "write_from_nowhere": lambda fd: sc(NR.write, fd, UNMAPPED, 8),
    "pwrite": lambda fd: sc(NR.pwrite64, fd, buf(), 8, 0),
    "pwrite_before_the_start": lambda fd: sc(NR.pwrite64, fd, buf(), 8, -1),
    "pwritev2_at_the_end": lambda fd: sc(NR.pwritev2, fd, vector(), 1, 0, 0, 0x10),
    "lseek": lambda fd: sc(NR.lseek, fd, 5, 0),
    "lseek_before_the_start": lambda fd: sc(NR.lseek, fd, -1, 0),
    "lseek_unknown": lambda fd: sc(NR.lseek, fd, 0, 9),
    "lseek_data": lambda fd: sc(NR.lseek, fd, 0, 3),
    "sendfile_out": lambda fd: sc(NR.sendfile, fd, other(), None, 4),
    "sendfile_in": lambda fd: sc(NR.sendfile, other(), fd, None, 4),
    "splice_out": lambda fd: sc(NR.splice, filled(), None, fd, None, 4, 2),
    "splice_in": lambda fd: sc(NR.splice, fd, None, os.pipe()[1], None, 4, 2),
    "copy_range_out": lambda fd: sc(NR.copy_file_range, other(), None, fd, None, 4, 0),
    "copy_range_in": lambda fd: sc(NR.copy_file_range, fd, None, other(b""), None, 4, 0),
    "tee_in": lambda fd: sc(NR.tee, fd, os.pipe()[1], 4, 2),
    "vmsplice": lambda fd: sc(NR.vmsplice, fd, vector(), 1, 2),
}

TABLE = """
read: 0 memfd null; 8 rdonly rdwr append queue zero full random proc; EBADF none closed path
  wronly pipew; EINVAL epoll signal pidfd ns; EISDIR dir procdir; ENOTCONN tcp; EAGAIN *
read_nothing: EAGAIN inotify; EBADF none closed path wronly pipew; EINVAL event epoll timer signal
  pidfd ns; EISDIR dir procdir; 0 *
read_to_nowhere: 0 memfd null; EBADF none closed path wronly pipew; EFAULT rdonly rdwr append
  queue zero full random proc; EINVAL epoll signal pidfd ns; EISDIR dir procdir; ENOTCONN tcp;
  EAGAIN *
readv: 0 memfd null; 8 rdonly rdwr append queue zero full random proc; EBADF none closed path
  wronly pipew; EINVAL epoll signal pidfd ns; EISDIR dir procdir; ENOTCONN tcp; EAGAIN *
readv_no_vectors: EBADF none closed path wronly pipew; EINVAL epoll pidfd ns; 0 *
pread: 0 memfd null; 8 rdonly rdwr append queue zero random; EBADF none closed path wronly; EISDIR
  dir procdir; ESPIPE *; - pidfd full proc ns
pread_before_the_start: EINVAL *
preadv2_at_the_position: 0 memfd null; 8 rdonly rdwr append queue zero full random proc; EBADF
  none closed path wronly pipew; EINVAL epoll signal pidfd ns; EISDIR dir procdir; ENOTCONN tcp;
  EAGAIN *
preadv2_without_waiting: 0 null; 8 rdonly rdwr append zero random; EBADF none closed path wronly
  pipew; EINVAL epoll signal pidfd ns; ENOTCONN tcp; ENOTSUP dir inotify queue full tty ptmx proc
  procdir; EAGAIN *; - memfd
pwritev2_without_waiting: 8 null zero pipew stream dgram netlink; EBADF none closed path dir rdonly
  piper inotify random proc procdir ns; EDESTADDRREQ udp; EINVAL epoll timer signal pidfd queue;
  ENOTSUP event full tty ptmx; EPIPE tcp; EAGAIN *; - wronly rdwr append memfd
write: EBADF none closed path dir rdonly piper inotify random proc procdir ns; EDESTADDRREQ udp;
  EINVAL epoll timer signal pidfd queue; ENOSPC full; EPIPE tcp; 8 *
write_nothing: EBADF none closed path dir rdonly piper inotify random proc procdir ns;
  EDESTADDRREQ udp; EINVAL event epoll timer signal pidfd queue; ENODATA netlink; ENOSPC full;
  EPIPE tcp; 0 *
write_from_nowhere: 8 null zero; EDESTADDRREQ udp; EFAULT wronly rdwr append memfd pipew stream
  dgram netlink event tty ptmx; EINVAL epoll timer signal pidfd queue; ENOSPC full; EPIPE tcp;
  EBADF *
pwrite: 8 wronly rdwr append memfd null zero; EBADF none closed path dir rdonly random procdir;
  EINVAL queue; ESPIPE *; - pidfd full proc ns
pwrite_before_the_start: EINVAL *
pwritev2_at_the_end: 8 wronly rdwr append memfd null zero; EBADF none closed path dir rdonly
  random procdir; EINVAL queue; ESPIPE *; - pidfd full proc ns
lseek: 0 event epoll timer signal inotify null zero full random; 5 dir rdonly wronly rdwr append
  memfd queue proc procdir; EBADF none closed path; ESPIPE *
lseek_before_the_start: 0 event epoll timer signal inotify null zero full random; EBADF none
  closed path; EINVAL dir rdonly wronly rdwr append memfd queue proc procdir; ESPIPE *
lseek_unknown: EBADF none closed path; EINVAL *
lseek_data: EBADF none closed path; EINVAL proc; ENXIO memfd; ESPIPE piper pipew stream dgram tcp
  udp netlink pidfd tty ptmx ns; 0 *; - dir queue procdir
sendfile_out: EBADF none closed path dir rdonly piper inotify random proc procdir ns; EDESTADDRREQ
  udp; EINVAL append event epoll timer signal queue pidfd full; EPIPE tcp; 4 *
sendfile_in: 0 memfd; 4 rdonly rdwr append zero full random; EBADF none closed path wronly pipew;
  EINVAL *; - inotify queue null proc
splice_out: EBADF none closed path dir rdonly piper inotify random proc procdir ns; EDESTADDRREQ
  udp; EINVAL append event epoll timer signal queue pidfd full; EPIPE tcp; 4 *
splice_in: 0 memfd; 4 rdonly rdwr append zero full random; EAGAIN piper stream dgram udp netlink
  tty ptmx; EBADF none closed path wronly pipew; ENOTCONN tcp; EINVAL *; - inotify queue null proc
copy_range_out: 4 wronly rdwr; EBADF none closed path rdonly append proc ns; EISDIR dir procdir;
  EXDEV memfd queue; EINVAL *; - pidfd
copy_range_in: 4 rdonly rdwr append; EBADF none closed path wronly; EISDIR dir procdir; EXDEV
  memfd queue proc ns; EINVAL *; - pidfd
tee_in: EAGAIN piper; EBADF none closed path wronly pipew; EINVAL *
vmsplice: 8 pipew; EAGAIN piper; EBADF *
"""


@cases(spread(TABLE, DESCRIPTORS), shared=True)
def answers(call, result, kinds):
    on_descriptors(CALLS[call], result, kinds)


run()
