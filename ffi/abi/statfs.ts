/**
 * File system status: statfs(2), and the magic numbers of file systems.
 *
 * From asm-generic/statfs.h and linux/magic.h.
 */

import { layout } from "./layout.ts";

/** `f_type`. */
export const ADFS_SUPER_MAGIC = 0xadf5;
export const ANON_INODE_FS_MAGIC = 0x9041934;
export const BDEVFS_MAGIC = 0x62646576;
export const BPF_FS_MAGIC = 0xcafe4a11;
export const BTRFS_SUPER_MAGIC = 0x9123683e;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
export const DEBUGFS_MAGIC = 0x64626720;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const EXT4_SUPER_MAGIC = 0xef53;
export const F2FS_SUPER_MAGIC = 0xf2f52010;
export const FUSE_SUPER_MAGIC = 0x65735546;
export const HUGETLBFS_MAGIC = 0x958458f6;
export const ISOFS_SUPER_MAGIC = 0x9660;
export const MSDOS_SUPER_MAGIC = 0x4d44;
export const NFS_SUPER_MAGIC = 0x6969;
export const NSFS_MAGIC = 0x6e736673;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const PIPEFS_MAGIC = 0x50495045;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const RAMFS_MAGIC = 0x858458f6;
export const SECURITYFS_MAGIC = 0x73636673;
export const SELINUX_MAGIC = 0xf97cff8c;
export const SOCKFS_MAGIC = 0x534f434b;
export const SYSFS_MAGIC = 0x62656572;
export const SECRETMEM_MAGIC = 0x5345434d;
export const TMPFS_MAGIC = 0x1021994;
export const TRACEFS_MAGIC = 0x74726163;
export const V9FS_MAGIC = 0x1021997;
export const XFS_SUPER_MAGIC = 0x58465342;
export const DEVMEM_MAGIC = 0x454d444d;
export const PID_FS_MAGIC = 0x50494446;

/** `f_flags`; ST_VALID says that the kernel filled them. */
export const ST_RDONLY = 1;
export const ST_NOSUID = 2;
export const ST_NODEV = 4;
export const ST_NOEXEC = 8;
export const ST_SYNCHRONOUS = 0x10;
export const ST_MANDLOCK = 0x40;
export const ST_NOATIME = 0x400;
export const ST_NODIRATIME = 0x800;
export const ST_RELATIME = 0x1000;

export const ST_VALID = 0x20;

/** mqueue's magic stands in ipc/mqueue.c only. */
export const MQUEUE_MAGIC = 0x19800202;

/** `struct statfs`, 120 bytes. */
export const Statfs = /* @__PURE__ */ layout("statfs", {
  type: "i64",
  bsize: "i64",
  blocks: "u64",
  bfree: "u64",
  bavail: "u64",
  files: "u64",
  ffree: "u64",
  fsid: ["i32", 2],
  namelen: "i64",
  frsize: "i64",
  flags: "i64",
  spare: ["i64", 4],
});
