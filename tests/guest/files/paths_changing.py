"""Calls that make, remove, rename and link, by names of every kind."""

import socket
import struct

from lib.guest import *
from lib.operands import *

AT_FDCWD = -100


def bound(name):
    fd = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()
    if isinstance(name, int):
        return sc(NR.bind, fd, name, 20)
    text = name[:107] + b"\0"
    return sc(NR.bind, fd, struct.pack("H", socket.AF_UNIX) + text, 2 + len(text))


CALLS = {
    "mkdir": lambda name: sc(NR.mkdir, name, 0o700),
    "rmdir": lambda name: sc(NR.rmdir, name),
    "unlink": lambda name: sc(NR.unlink, name),
    "unlinkat_dir": lambda name: sc(NR.unlinkat, AT_FDCWD, name, 0x200),
    "mknod": lambda name: sc(NR.mknod, name, 0o100600, 0),
    "mknod_fifo": lambda name: sc(NR.mknod, name, 0o010600, 0),
    "symlink_at": lambda name: sc(NR.symlink, b"x", name),
    "symlink_of": lambda name: sc(NR.symlink, name, b"new"),
    "link_of": lambda name: sc(NR.link, name, b"new"),
    "link_to": lambda name: sc(NR.link, b"other", name),
    "link_followed": lambda name: sc(NR.linkat, AT_FDCWD, name, AT_FDCWD, b"new", 0x400),
    "rename_of": lambda name: sc(NR.rename, name, b"new"),
    "rename_to": lambda name: sc(NR.rename, b"other", name),
    "rename_dir_to": lambda name: sc(NR.rename, b"odir", name),
    "rename_noreplace": lambda name: sc(NR.renameat2, AT_FDCWD, b"other", AT_FDCWD, name, 1),
    "rename_exchange": lambda name: sc(NR.renameat2, AT_FDCWD, b"other", AT_FDCWD, name, 2),
    "truncate": lambda name: sc(NR.truncate, name, 1),
    "bind_socket": lambda name: bound(name),
}

TABLE = """
mkdir: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical unended; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing_parent; ENOTDIR
  below_a_file; EEXIST *
rmdir: 0 a_directory; EFAULT null unmapped kernel noncanonical unended; EINVAL dot; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent
  name_of_255 path_of_4095; ENOTEMPTY dot_dot_below; ENOTDIR *
unlink: 0 loop dangling a_file a_fifo; EISDIR a_directory dot dot_dot_below; ELOOP through_a_loop;
  ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255
  path_of_4095; ENOTDIR below_a_file file_with_a_slash; EFAULT *
unlinkat_dir: 0 a_directory; EFAULT null unmapped kernel noncanonical unended; EINVAL dot; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent
  name_of_255 path_of_4095; ENOTEMPTY dot_dot_below; ENOTDIR *
mknod: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical unended; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing_parent; ENOTDIR
  below_a_file; EEXIST *
mknod_fifo: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical unended;
  ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing_parent;
  ENOTDIR below_a_file; EEXIST *
symlink_at: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical unended;
  ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing_parent;
  ENOTDIR below_a_file; EEXIST *
symlink_of: EFAULT null unmapped kernel noncanonical unended; ENAMETOOLONG path_of_4096; ENOENT
  empty; 0 *
link_of: 0 loop dangling a_file a_fifo; ELOOP through_a_loop; ENAMETOOLONG name_of_256
  path_of_4096; ENOENT empty missing missing_parent name_of_255 path_of_4095; ENOTDIR below_a_file
  file_with_a_slash; EPERM a_directory dot dot_dot_below; EFAULT *
link_to: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical unended;
  ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing_parent;
  ENOTDIR below_a_file; EEXIST *
link_followed: 0 a_file a_fifo; EFAULT null unmapped kernel noncanonical unended; ELOOP loop
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file file_with_a_slash;
  EPERM a_directory dot dot_dot_below; ENOENT *
rename_of: EBUSY dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent
  name_of_255 path_of_4095; ENOTDIR below_a_file file_with_a_slash; 0 *
rename_to: EBUSY dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended; EISDIR
  a_directory; ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty
  missing_parent; ENOTDIR below_a_file file_with_a_slash; 0 *
rename_dir_to: 0 missing name_of_255 path_of_4095 a_directory; EBUSY dot dot_dot_below; EFAULT
  null unmapped kernel noncanonical unended; ELOOP through_a_loop; ENAMETOOLONG name_of_256
  path_of_4096; ENOENT empty missing_parent; ENOTDIR *
rename_noreplace: 0 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical
  unended; ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty
  missing_parent; ENOTDIR below_a_file; EEXIST *
rename_exchange: EBUSY dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended; ELOOP
  through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent
  name_of_255 path_of_4095; ENOTDIR below_a_file file_with_a_slash; 0 *
truncate: 0 a_file; EFAULT null unmapped kernel noncanonical unended; EINVAL a_fifo; EISDIR
  a_directory dot dot_dot_below; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096;
  ENOTDIR below_a_file file_with_a_slash; ENOENT *
bind_socket: 0 empty missing name_of_256 name_of_255; EFAULT null unmapped kernel noncanonical
  unended; ELOOP through_a_loop; ENOENT missing_parent; ENOTDIR below_a_file; EADDRINUSE *
"""


@cases(spread(TABLE, NAMES), shared=True)
def by_name(call, result, kinds):
    need_root()
    on_names(CALLS[call], result, kinds)


run()
