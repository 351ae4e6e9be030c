"""Calls on the attributes of a file, by names of every kind; names of queues and mounts."""

import struct

from lib.guest import *
from lib.operands import *

SYS.update(lgetxattr=192, mq_open=240, mq_unlink=241, open_tree=428)
AT_FDCWD = -100


def opened(fd):
    return min(fd, 1)


def handle():
    return struct.pack("II", 128, 0) + bytes(128)


CALLS = {
    "stat": lambda name: sc(NR.stat, name, buf()),
    "lstat": lambda name: sc(NR.lstat, name, buf()),
    "statx": lambda name: sc(NR.statx, AT_FDCWD, name, 0, 0x7ff, buf()),
    "statfs": lambda name: sc(NR.statfs, name, buf()),
    "access": lambda name: sc(NR.access, name, 4),
    "faccessat2": lambda name: sc(NR.faccessat2, AT_FDCWD, name, 1, 0x200),
    "readlink": lambda name: sc(NR.readlink, name, buf(), 100),
    "chmod": lambda name: sc(NR.chmod, name, 0o700),
    "fchmodat2_nofollow": lambda name: sc(NR.fchmodat2, AT_FDCWD, name, 0o700, 0x100),
    "chown": lambda name: sc(NR.chown, name, -1, -1),
    "lchown": lambda name: sc(NR.lchown, name, -1, -1),
    "utime": lambda name: sc(NR.utime, name, None),
    "utimes": lambda name: sc(NR.utimes, name, None),
    "utimensat": lambda name: sc(NR.utimensat, AT_FDCWD, name, None, 0),
    "utimensat_nofollow": lambda name: sc(NR.utimensat, AT_FDCWD, name, None, 0x100),
    "getxattr": lambda name: sc(NR.getxattr, name, b"user.x", buf(), 10),
    "lgetxattr": lambda name: sc(NR.lgetxattr, name, b"user.x", buf(), 10),
    "setxattr": lambda name: sc(NR.setxattr, name, b"user.x", b"v", 1, 0),
    "listxattr": lambda name: sc(NR.listxattr, name, buf(), 1000),
    "removexattr": lambda name: sc(NR.removexattr, name, b"user.x"),
    "handle": lambda name: sc(NR.name_to_handle_at, AT_FDCWD, name, handle(),
        buf(), 0),
    "mount_at": lambda name: sc(NR.mount, b"none", name, b"nofs", 0, None),
    "bind_of": lambda name: sc(NR.mount, name, b"nowhere-x", None, 4096, None),
    "umount": lambda name: sc(NR.umount2, name, 8),
    "mq_open": lambda name: opened(sc(NR.mq_open, name, 0, 0, None)),
    "mq_unlink": lambda name: sc(NR.mq_unlink, name),
    "memfd": lambda name: opened(sc(NR.memfd_create, name, 0)),
    "setprocname": lambda name: sc(NR.prctl, 15, name, 0, 0, 0),
}

TABLE = """
stat: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
lstat: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG
  name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR
  below_a_file file_with_a_slash; 0 *
statx: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
statfs: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
access: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
faccessat2: 0 a_directory dot dot_dot_below; EACCES a_file a_fifo; EFAULT null unmapped kernel
  noncanonical unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR
  below_a_file file_with_a_slash; ENOENT *
readlink: 4 loop; 7 dangling; EINVAL a_directory a_file a_fifo dot dot_dot_below; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent
  name_of_255 path_of_4095; ENOTDIR below_a_file file_with_a_slash; EFAULT *
chmod: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
fchmodat2_nofollow: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255
  path_of_4095; ENOTDIR below_a_file file_with_a_slash; ENOTSUP loop dangling; 0 *
chown: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
lchown: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG
  name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR
  below_a_file file_with_a_slash; 0 *
utime: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
utimes: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
utimensat: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
utimensat_nofollow: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255
  path_of_4095; ENOTDIR below_a_file file_with_a_slash; 0 *
getxattr: EFAULT null unmapped kernel noncanonical unended; ELOOP loop through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENODATA a_directory a_file a_fifo dot dot_dot_below;
  ENOTDIR below_a_file file_with_a_slash; ENOENT *
lgetxattr: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG
  name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR
  below_a_file file_with_a_slash; ENODATA *
setxattr: 0 a_directory a_file dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; EPERM a_fifo; ENOENT *
listxattr: 0 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
removexattr: EFAULT null unmapped kernel noncanonical unended; ELOOP loop through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENODATA a_directory a_file dot dot_dot_below; ENOTDIR
  below_a_file file_with_a_slash; EPERM a_fifo; ENOENT *
handle: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG
  name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR
  below_a_file file_with_a_slash; 0 *
mount_at: EFAULT null unmapped kernel noncanonical unended; ELOOP loop through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENODEV a_directory a_file a_fifo dot dot_dot_below;
  ENOTDIR below_a_file file_with_a_slash; ENOENT *
bind_of: EFAULT unmapped kernel noncanonical unended; EINVAL path_of_4096; ENOENT *
umount: EFAULT null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG
  name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR
  below_a_file file_with_a_slash; EINVAL *
mq_open: EACCES missing_parent below_a_file file_with_a_slash through_a_loop path_of_4095 dot
  dot_dot_below; EFAULT null unmapped kernel noncanonical unended; ENAMETOOLONG name_of_256
  path_of_4096; ENOENT *
mq_unlink: EACCES missing_parent below_a_file file_with_a_slash through_a_loop path_of_4095 dot
  dot_dot_below; EFAULT null unmapped kernel noncanonical unended; ENAMETOOLONG name_of_256
  path_of_4096; ENOENT *
memfd: EFAULT null unmapped kernel noncanonical unended; EINVAL name_of_256 name_of_255
  path_of_4096 path_of_4095; 1 *
setprocname: EFAULT null unmapped kernel noncanonical unended; 0 *
"""


@cases(spread(TABLE, NAMES), shared=True)
def by_name(call, result, kinds):
    need_root()
    on_names(CALLS[call], result, kinds)


run()
