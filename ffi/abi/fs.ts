/**
 * Files and file systems in general: lseek(2), preadv2(2), FS_IOC_* and block device ioctls.
 *
 * From include/uapi/linux/fs.h. Flags of open and fcntl are in fcntl.ts, of mounts in mount.ts.
 */

import { layout } from "./layout.ts";

/** `whence` of lseek(2). */
export const SEEK_SET = 0;
export const SEEK_CUR = 1;
export const SEEK_END = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
export const SEEK_MAX = 4;

/** Flags of preadv2(2) and pwritev2(2). */
export const RWF_HIPRI = 1;
export const RWF_DSYNC = 2;
export const RWF_SYNC = 4;
export const RWF_NOWAIT = 8;
export const RWF_APPEND = 0x10;

/** Inode attributes and clone ioctls. */
export const FS_IOC_GETFLAGS = 0x80086601;
export const FS_IOC_SETFLAGS = 0x40086602;
export const FS_IOC_GETVERSION = 0x80087601;
export const FS_IOC_SETVERSION = 0x40087602;
export const FS_IOC_FSGETXATTR = 0x801c581f;
export const FS_IOC_FSSETXATTR = 0x401c5820;
export const FS_IOC_FIEMAP = 0xc020660b;
export const FIBMAP = 1;
export const FIGETBSZ = 2;
export const FS_IOC_GETFSUUID = 0x80111500;
export const FS_IOC_GETFSSYSFSPATH = 0x80811501;
export const FIFREEZE = 0xc0045877;
export const FITHAW = 0xc0045878;
export const FICLONE = 0x40049409;
export const FICLONERANGE = 0x4020940d;
export const FIDEDUPERANGE = 0xc0189436;
export const FS_IOC_GETFSLABEL = 0x81009431;
export const FS_SECRM_FL = 1;
export const FS_UNRM_FL = 2;
export const FS_COMPR_FL = 4;
export const FS_SYNC_FL = 8;
export const FS_IMMUTABLE_FL = 0x10;
export const FS_APPEND_FL = 0x20;
export const FS_NODUMP_FL = 0x40;
export const FS_NOATIME_FL = 0x80;
export const FS_DIRSYNC_FL = 0x10000;
export const FS_TOPDIR_FL = 0x20000;
export const FS_EXTENT_FL = 0x80000;
export const FS_NOCOW_FL = 0x800000;
export const FS_PROJINHERIT_FL = 0x20000000;
export const FS_XFLAG_IMMUTABLE = 8;
export const FS_XFLAG_APPEND = 0x10;
export const FS_XFLAG_SYNC = 0x20;
export const FS_XFLAG_NOATIME = 0x40;
export const FS_XFLAG_NODUMP = 0x80;
export const FS_XFLAG_PROJINHERIT = 0x200;
/** linux/falloc.h. */
export const FS_IOC_RESVSP = 0x40305828;
export const FS_IOC_RESVSP64 = 0x4030582a;

/** Block devices. */
export const BLKROSET = 0x125d;
export const BLKROGET = 0x125e;
export const BLKRRPART = 0x125f;
export const BLKGETSIZE = 0x1260;
export const BLKFLSBUF = 0x1261;
export const BLKBSZGET = 0x80081270;
export const BLKIOMIN = 0x1278;
export const BLKIOOPT = 0x1279;
export const BLKALIGNOFF = 0x127a;
export const BLKDISCARDZEROES = 0x127c;
export const BLKSSZGET = 0x1268;
export const BLKGETSIZE64 = 0x80081272;
export const BLKDISCARD = 0x1277;
export const BLKPBSZGET = 0x127b;
export const BLKZEROOUT = 0x127f;

/** Limits. */
export const INR_OPEN_CUR = 1024;
export const INR_OPEN_MAX = 4096;
export const NAME_MAX = 255;
export const NGROUPS_MAX = 65536;
export const PATH_MAX = 4096;
export const PIPE_BUF = 4096;
export const XATTR_NAME_MAX = 255;
export const XATTR_SIZE_MAX = 65536;
export const XATTR_LIST_MAX = 65536;

/** Longest symlink chain in one walk (include/linux/namei.h), then ELOOP. */
export const MAXSYMLINKS = 40;

/** Longest `read` or `write`: `INT_MAX` rounded down to a page (include/linux/fs.h). */
export const MAX_RW_COUNT = 0x7ffff000;

/** `struct file_clone_range` of FICLONERANGE. */
export const FileCloneRange = /* @__PURE__ */ layout("file_clone_range", {
  srcFd: "i64",
  srcOffset: "u64",
  srcLength: "u64",
  destOffset: "u64",
});

/** `struct file_dedupe_range` of FIDEDUPERANGE, and what follows for each destination. */
export const FileDedupeRange = /* @__PURE__ */ layout("file_dedupe_range", {
  srcOffset: "u64",
  srcLength: "u64",
  destCount: "u16",
  reserved1: "u16",
  reserved2: "u32",
});
export const FileDedupeRangeInfo = /* @__PURE__ */ layout("file_dedupe_range_info", {
  destFd: "i64",
  destOffset: "u64",
  bytesDeduped: "u64",
  status: "i32",
  reserved: "u32",
});

/** `struct fsxattr` of FS_IOC_FSGETXATTR. */
export const Fsxattr = /* @__PURE__ */ layout("fsxattr", {
  xflags: "u32",
  extsize: "u32",
  nextents: "u32",
  projid: "u32",
  cowextsize: "u32",
  pad: ["u8", 8],
});

/** `struct space_resv` of FS_IOC_RESVSP. */
export const SpaceResv = /* @__PURE__ */ layout("space_resv", {
  type: "i16",
  whence: "i16",
  start: "i64",
  len: "i64",
  sysid: "i32",
  pid: "u32",
  pad: ["i32", 4],
});

/** `struct fiemap` of FS_IOC_FIEMAP, and the extents behind it (linux/fiemap.h). */
export const Fiemap = /* @__PURE__ */ layout("fiemap", {
  start: "u64",
  length: "u64",
  flags: "u32",
  mappedExtents: "u32",
  extentCount: "u32",
  reserved: "u32",
});
export const FiemapExtent = /* @__PURE__ */ layout("fiemap_extent", {
  logical: "u64",
  physical: "u64",
  length: "u64",
  reserved64: ["u64", 2],
  flags: "u32",
  reserved: ["u32", 3],
});
export const FIEMAP_FLAG_SYNC = 1;
export const FIEMAP_FLAG_XATTR = 2;
export const FIEMAP_FLAG_CACHE = 4;
export const FIEMAP_EXTENT_LAST = 1;
export const FIEMAP_EXTENT_UNKNOWN = 2;
