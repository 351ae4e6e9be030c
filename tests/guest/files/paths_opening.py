"""Opening by names of every kind: missing, looping, too long, unreadable, of the wrong type."""

import os
import struct

from lib.guest import *
from lib.operands import *

SYS.update(lgetxattr=192, mq_open=240, mq_unlink=241, open_tree=428)
AT_FDCWD = -100


def opened(fd):
    return min(fd, 1)


def how(flags):
    return struct.pack("QQQ", flags, 0, 0)


def inotify():
    return sc(NR.inotify_init1, 0)


CALLS = {
    "open": lambda name: opened(sc(NR.open, name, 0x800, 0)),
    "open_create": lambda name: opened(sc(NR.open, name, 0o100 | 2 | 0x800, 0o600)),
    "open_exclusive": lambda name: opened(sc(NR.open, name, 0o300 | 2, 0o600)),
    "open_directory": lambda name: opened(sc(NR.open, name, 0o200000, 0)),
    "open_nofollow": lambda name: opened(sc(NR.open, name, 0o400000 | 0x800, 0)),
    "open_path": lambda name: opened(sc(NR.open, name, 0o10000000, 0)),
    "open_write": lambda name: opened(sc(NR.open, name, 1 | 0x800, 0)),
    "open_tmpfile": lambda name: opened(sc(NR.open, name, 0o20200000 | 2, 0o600)),
    "openat2": lambda name: opened(sc(NR.openat2, AT_FDCWD, name, how(os.O_NONBLOCK), 24)),
    "creat": lambda name: opened(sc(NR.creat, name, 0o600)),
    "chdir": lambda name: sc(NR.chdir, name),
    "execve": lambda name: sc(NR.execve, name, None, None),
    "execveat_nofollow": lambda name: sc(NR.execveat, AT_FDCWD, name, None, None, 0x100),
    "watch": lambda name: sc(NR.inotify_add_watch, inotify(), name, 2),
    "watch_directory": lambda name: sc(NR.inotify_add_watch, inotify(), name, 2 | 0x01000000),
    "open_tree": lambda name: opened(sc(NR.open_tree, AT_FDCWD, name, 0)),
}

TABLE = """
open: 1 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
open_create: EFAULT null unmapped kernel noncanonical unended; EISDIR file_with_a_slash
  a_directory dot dot_dot_below; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096;
  ENOENT empty missing_parent; ENOTDIR below_a_file; 1 *
open_exclusive: 1 missing name_of_255 path_of_4095; EFAULT null unmapped kernel noncanonical
  unended; ELOOP through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty
  missing_parent; ENOTDIR below_a_file; EEXIST *; - file_with_a_slash
open_directory: 1 a_directory dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended;
  ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash a_file a_fifo; ENOENT *
open_nofollow: EFAULT null unmapped kernel noncanonical unended; ELOOP loop through_a_loop
  dangling; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255
  path_of_4095; ENOTDIR below_a_file file_with_a_slash; 1 *
open_path: 1 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
open_write: 1 a_file; EFAULT null unmapped kernel noncanonical unended; EISDIR a_directory dot
  dot_dot_below; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR
  below_a_file file_with_a_slash; ENXIO a_fifo; ENOENT *
open_tmpfile: 1 a_directory dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended;
  ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash a_file a_fifo; ENOENT *
openat2: 1 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
creat: EFAULT null unmapped kernel noncanonical unended; EISDIR file_with_a_slash a_directory dot
  dot_dot_below; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty
  missing_parent; ENOTDIR below_a_file; 1 *; - a_fifo
chdir: 0 a_directory dot dot_dot_below; EFAULT null unmapped kernel noncanonical unended; ELOOP
  loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash a_file a_fifo; ENOENT *
execve: EACCES a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel
  noncanonical unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR
  below_a_file file_with_a_slash; ENOENT *
execveat_nofollow: EFAULT null unmapped kernel noncanonical unended; ELOOP loop through_a_loop
  dangling; ENAMETOOLONG name_of_256 path_of_4096; ENOENT empty missing missing_parent name_of_255
  path_of_4095; ENOTDIR below_a_file file_with_a_slash; EACCES *
watch: 1 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
watch_directory: 1 a_directory dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash a_file a_fifo; ENOENT *
open_tree: 1 a_directory a_file a_fifo dot dot_dot_below; EFAULT null unmapped kernel noncanonical
  unended; ELOOP loop through_a_loop; ENAMETOOLONG name_of_256 path_of_4096; ENOTDIR below_a_file
  file_with_a_slash; ENOENT *
"""


@cases(spread(TABLE, NAMES), shared=True)
def by_name(call, result, kinds):
    need_root()
    on_names(CALLS[call], result, kinds)


run()
