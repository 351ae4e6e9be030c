/** The rows of file system calls. */

import { type Row, row } from "../table.ts";
import * as attributes from "./attributes.ts";
import * as directory from "./directory.ts";
import * as handles from "./handles.ts";
import { sysMemfdCreate, sysMemfdSecret } from "./memfd.ts";
import * as mount from "./mount.ts";
import { sysListmount, sysStatmount } from "./mount_query.ts";
import { sysMountSetattr } from "./mount_attributes.ts";
import * as mountContext from "./mount_context.ts";
import * as mountTree from "./mount_tree.ts";
import * as names from "./names.ts";
import * as open from "./open.ts";
import * as stat from "./stat.ts";
import * as sync from "./sync.ts";
import * as xattr from "./xattr.ts";

const HANDLES = "files of tmpfs, of overlays and of the host; 16,384 handles are known";

export const rows: readonly Row[] = [
  row("open", open.sysOpen, "path openflags mode"),
  row("openat", open.sysOpenat, "dirfd path openflags mode"),
  row("openat2", open.sysOpenat2, "dirfd path ptr size"),
  row("creat", open.sysCreat, "path mode"),
  row("memfd_create", sysMemfdCreate, "str hex", {
    support: "partial",
    note: "MFD_HUGETLB is EINVAL, as without hugetlbfs",
  }),
  row("memfd_secret", sysMemfdSecret, "hex"),

  row("stat", stat.sysStat, "path stat"),
  row("lstat", stat.sysLstat, "path stat"),
  row("fstat", stat.sysFstat, "fd stat"),
  row("newfstatat", stat.sysNewfstatat, "dirfd path stat hex"),
  row("statx", stat.sysStatx, "dirfd path hex hex ptr", {
    support: "partial",
    note: "no STATX_SUBVOL, STATX_DIOALIGN, STATX_WRITE_ATOMIC",
  }),
  row("statfs", stat.sysStatfs, "path ptr"),
  row("fstatfs", stat.sysFstatfs, "fd ptr"),

  row("access", attributes.sysAccess, "path mode"),
  row("faccessat", attributes.sysFaccessat, "dirfd path mode"),
  row("faccessat2", attributes.sysFaccessat2, "dirfd path mode hex"),
  row("chmod", attributes.sysChmod, "path mode"),
  row("fchmod", attributes.sysFchmod, "fd mode"),
  row("fchmodat", attributes.sysFchmodat, "dirfd path mode"),
  row("fchmodat2", attributes.sysFchmodat2, "dirfd path mode hex"),
  row("chown", attributes.sysChown, "path uid uid"),
  row("lchown", attributes.sysLchown, "path uid uid"),
  row("fchown", attributes.sysFchown, "fd uid uid"),
  row("fchownat", attributes.sysFchownat, "dirfd path uid uid hex"),
  row("utime", attributes.sysUtime, "path ptr"),
  row("utimes", attributes.sysUtimes, "path ptr"),
  row("futimesat", attributes.sysFutimesat, "dirfd path ptr"),
  row("utimensat", attributes.sysUtimensat, "dirfd path ptr hex"),
  row("truncate", attributes.sysTruncate, "path off"),

  row("getdents", directory.sysGetdents, "fd ptr uint"),
  row("getdents64", directory.sysGetdents64, "fd ptr uint"),
  row("chdir", directory.sysChdir, "path"),
  row("fchdir", directory.sysFchdir, "fd"),
  row("chroot", directory.sysChroot, "path"),
  row("getcwd", directory.sysGetcwd, "out size"),
  row("umask", directory.sysUmask, "mode"),
  row("readlink", directory.sysReadlink, "path out size"),
  row("readlinkat", directory.sysReadlinkat, "dirfd path out size"),

  row("mkdir", names.sysMkdir, "path mode"),
  row("mkdirat", names.sysMkdirat, "dirfd path mode"),
  row("mknod", names.sysMknod, "path mode hex"),
  row("mknodat", names.sysMknodat, "dirfd path mode hex"),
  row("symlink", names.sysSymlink, "path path"),
  row("symlinkat", names.sysSymlinkat, "path dirfd path"),
  row("link", names.sysLink, "path path"),
  row("linkat", names.sysLinkat, "dirfd path dirfd path hex"),
  row("unlink", names.sysUnlink, "path"),
  row("unlinkat", names.sysUnlinkat, "dirfd path hex"),
  row("rmdir", names.sysRmdir, "path"),
  row("rename", names.sysRename, "path path"),
  row("renameat", names.sysRenameat, "dirfd path dirfd path"),
  row("renameat2", names.sysRenameat2, "dirfd path dirfd path hex"),

  row("setxattr", xattr.sysSetxattr, "path str ptr size hex"),
  row("lsetxattr", xattr.sysLsetxattr, "path str ptr size hex"),
  row("fsetxattr", xattr.sysFsetxattr, "fd str ptr size hex"),
  row("getxattr", xattr.sysGetxattr, "path str ptr size"),
  row("lgetxattr", xattr.sysLgetxattr, "path str ptr size"),
  row("fgetxattr", xattr.sysFgetxattr, "fd str ptr size"),
  row("listxattr", xattr.sysListxattr, "path ptr size"),
  row("llistxattr", xattr.sysLlistxattr, "path ptr size"),
  row("flistxattr", xattr.sysFlistxattr, "fd ptr size"),
  row("removexattr", xattr.sysRemovexattr, "path str"),
  row("lremovexattr", xattr.sysLremovexattr, "path str"),
  row("fremovexattr", xattr.sysFremovexattr, "fd str"),

  row("mount", mount.sysMount, "str path str hex ptr", {
    support: "partial",
    note:
      "no file systems of block devices (ENODEV); MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME and " +
      "MS_MANDLOCK do nothing",
  }),
  row("umount2", mount.sysUmount2, "path hex"),
  row("pivot_root", mount.sysPivotRoot, "path path"),
  row("fsopen", mountContext.sysFsopen, "str hex"),
  row("fspick", mountContext.sysFspick, "dirfd path hex"),
  row("fsconfig", mountContext.sysFsconfig, "fd int str ptr int", {
    support: "partial",
    note: "parameters are judged by FSCONFIG_CMD_CREATE; none are paths, descriptors or blobs",
  }),
  row("fsmount", mountContext.sysFsmount, "fd hex hex"),
  row("open_tree", mountTree.sysOpenTree, "dirfd path hex"),
  row("move_mount", mountTree.sysMoveMount, "dirfd path dirfd path hex"),
  row("statmount", sysStatmount, "ptr ptr size hex"),
  row("listmount", sysListmount, "ptr ptr size hex"),
  row("mount_setattr", sysMountSetattr, "dirfd path hex ptr size", {
    support: "partial",
    note: "no MOUNT_ATTR_IDMAP",
  }),
  row("sync", sync.sysSync, ""),
  row("syncfs", sync.sysSyncfs, "fd"),
  row("name_to_handle_at", handles.sysNameToHandleAt, "dirfd path ptr ptr hex", {
    support: "partial",
    note: HANDLES,
  }),
  row("open_by_handle_at", handles.sysOpenByHandleAt, "fd ptr hex", {
    support: "partial",
    note: HANDLES,
  }),
];
