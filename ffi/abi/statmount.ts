/** statmount(2), listmount(2): <linux/mount.h>. */

import { layout } from "./layout.ts";

export const STATMOUNT_SB_BASIC = 1;
export const STATMOUNT_MNT_BASIC = 2;
export const STATMOUNT_PROPAGATE_FROM = 4;
export const STATMOUNT_MNT_ROOT = 8;
export const STATMOUNT_MNT_POINT = 0x10;
export const STATMOUNT_FS_TYPE = 0x20;
export const STATMOUNT_MNT_NS_ID = 0x40;
export const STATMOUNT_MNT_OPTS = 0x80;
export const LISTMOUNT_REVERSE = 1;
/** The id of the root of the mount namespace. */
export const LSMT_ROOT: number = 2 ** 64;
/** Ids above this are never used again. */
export const MNT_UNIQUE_ID_OFFSET: number = 2 ** 31;
export const MNT_ID_REQ_SIZE_VER0 = 24;

/** `struct mnt_id_req`. */
export const MntIdReq = /* @__PURE__ */ layout("mnt_id_req", {
  size: "u32",
  spare: "u32",
  mntId: "u64",
  param: "u64",
  mntNsId: "u64",
});

/** `struct statmount`; its `u32` offsets point to the strings behind it. */
export const StatmountHeader = /* @__PURE__ */ layout("statmount", {
  size: "u32",
  mntOpts: "u32",
  mask: "u64",
  sbDevMajor: "u32",
  sbDevMinor: "u32",
  sbMagic: "u64",
  sbFlags: "u32",
  fsType: "u32",
  mntId: "u64",
  mntParentId: "u64",
  mntIdOld: "u32",
  mntParentIdOld: "u32",
  mntAttr: "u64",
  mntPropagation: "u64",
  mntPeerGroup: "u64",
  mntMaster: "u64",
  propagateFrom: "u64",
  mntRoot: "u32",
  mntPoint: "u32",
  mntNsId: "u64",
  spare2: ["u64", 49],
});
