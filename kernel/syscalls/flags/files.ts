/**
 * The supported flags, commands and options of calls on files, with the guest test of each. See
 * flag_set.ts.
 */

import { by, each, fails, type FlagSet, flagSet, refused } from "./flag_set.ts";

export const FILES_FLAGS: readonly FlagSet[] = [
  flagSet("open openat openat2", "flags", [
    each(
      "flags_files.opens",
      `O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC
O_SYNC O_ASYNC O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_TMPFILE O_LARGEFILE`,
    ),
    refused("EBADF", "flags_files.opens", "O_PATH"),
  ]),
  flagSet("openat2", "resolve", [
    each(
      "flags_files.resolves",
      `RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH RESOLVE_IN_ROOT
RESOLVE_CACHED`,
    ),
  ]),
  flagSet("fcntl", "command", [
    each(
      "flags_files.commands",
      `F_DUPFD F_DUPFD_CLOEXEC F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW
F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_SETOWN F_GETOWN F_SETSIG F_GETSIG F_SETOWN_EX
F_GETOWN_EX F_GETOWNER_UIDS F_SETLEASE F_GETLEASE F_SET_RW_HINT F_GET_RW_HINT
F_DUPFD_QUERY F_CREATED_QUERY F_SETPIPE_SZ F_GETPIPE_SZ F_ADD_SEALS F_GET_SEALS`,
    ),
    by("directory_signals.a_watch_without_dn_multishot_signals_once", "F_NOTIFY"),
  ]),
  flagSet("fcntl(F_ADD_SEALS)", "seals", [
    each(
      "flags_files.seals",
      `F_SEAL_SEAL F_SEAL_SHRINK F_SEAL_GROW F_SEAL_WRITE F_SEAL_FUTURE_WRITE F_SEAL_EXEC`,
    ),
  ]),
  flagSet("lseek", "whence", [
    each("flags_files.seeks", "SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE"),
  ]),
  flagSet("fallocate", "mode", [
    each("flags_files.allocates", "0 FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE"),
  ]),
  flagSet("renameat2", "flags", [
    each("flags_files.renames", "RENAME_NOREPLACE RENAME_EXCHANGE"),
    fails("EINVAL", "RENAME_WHITEOUT", "needs CAP_MKNOD over the first user namespace"),
  ]),
  flagSet("statx", "mask", [
    each(
      "flags_files.statx_gives",
      `STATX_TYPE STATX_MODE STATX_NLINK STATX_UID STATX_GID STATX_ATIME STATX_MTIME STATX_CTIME
STATX_INO STATX_SIZE STATX_BLOCKS STATX_BASIC_STATS STATX_BTIME STATX_MNT_ID
STATX_MNT_ID_UNIQUE`,
    ),
  ]),
  flagSet("statx newfstatat", "flags", [
    each(
      "flags_files.stat_takes",
      `AT_EMPTY_PATH AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC`,
    ),
    refused("EINVAL", "flags_files.stat_takes", "AT_STATX_SYNC_TYPE"),
  ]),
  flagSet("linkat", "flags", [
    each("flags_files.links", "AT_SYMLINK_FOLLOW AT_EMPTY_PATH"),
  ]),
  flagSet("fchownat", "flags", [
    each("flags_files.changes_owner", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH"),
  ]),
  flagSet("faccessat2", "flags", [
    each("flags_files.accesses", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH"),
    refused("ENOENT", "flags_files.accesses", "AT_EACCESS"),
  ]),
  flagSet("access faccessat", "mode", [
    each("flags_files.access_modes", "F_OK R_OK W_OK X_OK"),
  ]),
  flagSet("fchmodat2", "flags", [
    each("flags_files.changes_mode", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH"),
  ]),
  flagSet("utimensat", "flags", [
    each("flags_files.sets_times", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH UTIME_NOW UTIME_OMIT"),
  ]),
  flagSet("unlinkat", "flags", [
    each("flags_files.unlinks", "AT_REMOVEDIR"),
  ]),
  flagSet("name_to_handle_at", "flags", [
    each("flags_files.handles", "AT_SYMLINK_FOLLOW AT_HANDLE_FID AT_HANDLE_MNT_ID_UNIQUE"),
    by("file_handles.directories_and_links", "AT_EMPTY_PATH"),
  ]),
  flagSet("preadv2 pwritev2", "flags", [
    each("flags_files.vectors", "RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_APPEND RWF_NOAPPEND"),
  ]),
  flagSet("memfd_create", "flags", [
    each("flags_files.memory_files", "0 MFD_CLOEXEC MFD_ALLOW_SEALING MFD_NOEXEC_SEAL MFD_EXEC"),
    fails("EINVAL", "MFD_HUGETLB", "as without hugetlbfs"),
  ]),
  flagSet("splice", "flags", [
    each("flags_files.splices", "SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT"),
  ]),
  flagSet("tee", "flags", [
    each("flags_files.tees", "SPLICE_F_NONBLOCK"),
  ]),
  flagSet("vmsplice", "flags", [
    each("flags_files.vmsplices", "SPLICE_F_NONBLOCK SPLICE_F_GIFT"),
  ]),
  flagSet("close_range", "flags", [
    each("flags_files.close_ranges", "0 CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC"),
  ]),
  flagSet("setxattr lsetxattr fsetxattr", "flags", [
    each("flags_files.attributes", "XATTR_CREATE XATTR_REPLACE"),
  ]),
  flagSet("flock", "operation", [
    each("flags_files.flocks", "LOCK_SH LOCK_EX LOCK_NB LOCK_UN LOCK_MAND"),
  ]),
  flagSet("mknod mknodat", "type", [
    each("flags_files.makes", "S_IFREG S_IFIFO S_IFSOCK S_IFDIR 0"),
  ]),
  flagSet("pipe2", "flags", [
    each("flags_files.pipes", "O_CLOEXEC O_NONBLOCK O_DIRECT"),
    fails("ENOPKG", "O_NOTIFICATION_PIPE", "as without CONFIG_WATCH_QUEUE"),
  ]),
  flagSet("dup3", "flags", [
    each("flags_files.duplicates", "O_CLOEXEC"),
  ]),
  flagSet("fadvise64", "advice", [
    each(
      "flags_files.advises",
      `POSIX_FADV_NORMAL POSIX_FADV_RANDOM POSIX_FADV_SEQUENTIAL POSIX_FADV_WILLNEED
POSIX_FADV_DONTNEED POSIX_FADV_NOREUSE`,
    ),
  ]),
  flagSet("sync_file_range", "flags", [
    each(
      "flags_files.syncs",
      `SYNC_FILE_RANGE_WAIT_BEFORE SYNC_FILE_RANGE_WRITE SYNC_FILE_RANGE_WAIT_AFTER`,
    ),
  ]),
];
