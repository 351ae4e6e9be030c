/**
 * File status: stat(2), statx(2), file types and permission bits, device numbers, utimensat(2).
 *
 * From arch/x86/include/uapi/asm/stat.h and linux/stat.h. `struct stat` is the x86-64 kernel's,
 * which is also glibc's.
 */

import { layout } from "./layout.ts";

/** File type and permission bits of `mode`. */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o60000;
export const S_IFDIR = 0o40000;
export const S_IFCHR = 0o20000;
export const S_IFIFO = 0o10000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IRWXU = 0o700;
export const S_IRUSR = 0o400;
export const S_IWUSR = 0o200;
export const S_IXUSR = 0o100;
export const S_IRWXG = 0o70;
export const S_IRGRP = 0o40;
export const S_IWGRP = 0o20;
export const S_IXGRP = 0o10;
export const S_IRWXO = 0o7;
export const S_IROTH = 0o4;
export const S_IWOTH = 0o2;
export const S_IXOTH = 0o1;

/** Field mask of statx(2). */
export const STATX_TYPE = 1;
export const STATX_MODE = 2;
export const STATX_NLINK = 4;
export const STATX_UID = 8;
export const STATX_GID = 0x10;
export const STATX_ATIME = 0x20;
export const STATX_MTIME = 0x40;
export const STATX_CTIME = 0x80;
export const STATX_INO = 0x100;
export const STATX_SIZE = 0x200;
export const STATX_BLOCKS = 0x400;
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;
export const STATX_MNT_ID = 0x1000;
export const STATX_DIOALIGN = 0x2000;
export const STATX_MNT_ID_UNIQUE = 0x4000;
export const STATX_SUBVOL = 0x8000;
export const STATX_WRITE_ATOMIC = 0x10000;
export const STATX_ALL = 0xfff;
export const STATX__RESERVED = 0x80000000;

/** `stx_attributes`. */
export const STATX_ATTR_COMPRESSED = 4;
export const STATX_ATTR_IMMUTABLE = 0x10;
export const STATX_ATTR_APPEND = 0x20;
export const STATX_ATTR_NODUMP = 0x40;
export const STATX_ATTR_ENCRYPTED = 0x800;
export const STATX_ATTR_AUTOMOUNT = 0x1000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
export const STATX_ATTR_VERITY = 0x100000;
export const STATX_ATTR_DAX = 0x200000;

/** Special nanosecond values of utimensat(2). */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** `struct stat`, 144 bytes. Times are seconds and nanoseconds. */
export const Stat = /* @__PURE__ */ layout("stat", {
  dev: "u64",
  ino: "u64",
  nlink: "u64",
  mode: "u32",
  uid: "u32",
  gid: "u32",
  pad0: "u32",
  rdev: "u64",
  size: "i64",
  blksize: "i64",
  blocks: "i64",
  atime: "u64",
  atimeNsec: "u64",
  mtime: "u64",
  mtimeNsec: "u64",
  ctime: "u64",
  ctimeNsec: "u64",
  unused: ["i64", 3],
});

/** `struct statx_timestamp`. */
export const StatxTimestamp = /* @__PURE__ */ layout("statx_timestamp", {
  sec: "i64",
  nsec: "u32",
  reserved: "i32",
});

/** `struct statx`, 256 bytes. */
export const Statx = /* @__PURE__ */ layout("statx", {
  mask: "u32",
  blksize: "u32",
  attributes: "u64",
  nlink: "u32",
  uid: "u32",
  gid: "u32",
  mode: "u16",
  spare0: ["u16", 1],
  ino: "u64",
  size: "u64",
  blocks: "u64",
  attributesMask: "u64",
  atime: StatxTimestamp,
  btime: StatxTimestamp,
  ctime: StatxTimestamp,
  mtime: StatxTimestamp,
  rdevMajor: "u32",
  rdevMinor: "u32",
  devMajor: "u32",
  devMinor: "u32",
  mntId: "u64",
  dioMemAlign: "u32",
  dioOffsetAlign: "u32",
  subvol: "u64",
  atomicWriteUnitMin: "u32",
  atomicWriteUnitMax: "u32",
  atomicWriteSegmentsMax: "u32",
  spare1: "u32",
  spare3: ["u64", 9],
});

/**
 * A device number as `st_dev` and mknod(2) carry it (`new_encode_dev`, glibc `makedev` for minors
 * below 2^20).
 *
 * @param major below 2^12, @param minor below 2^20
 */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** Major of a 32-bit device number. */
export function majorOf(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

/** Minor of a 32-bit device number. */
export function minorOf(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}
