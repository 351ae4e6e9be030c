/**
 * loop(4): block devices over the bytes of a file.
 *
 * From linux/loop.h; LOOP_CTL_* are for /dev/loop-control.
 */

import { layout } from "./layout.ts";

export const LO_NAME_SIZE = 64;
export const LO_KEY_SIZE = 32;
export const LO_FLAGS_READ_ONLY = 1;
export const LO_FLAGS_AUTOCLEAR = 4;
export const LO_FLAGS_PARTSCAN = 8;
export const LO_FLAGS_DIRECT_IO = 16;

export const LOOP_SET_FD = 0x4c00;
export const LOOP_CLR_FD = 0x4c01;
export const LOOP_SET_STATUS = 0x4c02;
export const LOOP_GET_STATUS = 0x4c03;
export const LOOP_SET_STATUS64 = 0x4c04;
export const LOOP_GET_STATUS64 = 0x4c05;
export const LOOP_CHANGE_FD = 0x4c06;
export const LOOP_SET_CAPACITY = 0x4c07;
export const LOOP_SET_DIRECT_IO = 0x4c08;
export const LOOP_SET_BLOCK_SIZE = 0x4c09;
export const LOOP_CONFIGURE = 0x4c0a;
export const LOOP_CTL_ADD = 0x4c80;
export const LOOP_CTL_REMOVE = 0x4c81;
export const LOOP_CTL_GET_FREE = 0x4c82;

/** The old `struct loop_info`. */
export const LoopInfo = /* @__PURE__ */ layout("loop_info", {
  number: "i32",
  device: "u64",
  inode: "u64",
  rdevice: "u64",
  offset: "i32",
  encryptType: "i32",
  encryptKeySize: "i32",
  flags: "i32",
  name: ["u8", 64],
  encryptKey: ["u8", 32],
  init: ["u64", 2],
  reserved: ["u8", 4],
});

export const LoopInfo64 = /* @__PURE__ */ layout("loop_info64", {
  device: "u64",
  inode: "u64",
  rdevice: "u64",
  offset: "u64",
  sizelimit: "u64",
  number: "u32",
  encryptType: "u32",
  encryptKeySize: "u32",
  flags: "u32",
  fileName: ["u8", 64],
  cryptName: ["u8", 64],
  encryptKey: ["u8", 32],
  init: ["u64", 2],
});

export const LoopConfig = /* @__PURE__ */ layout("loop_config", {
  fd: "u32",
  blockSize: "u32",
  info: LoopInfo64,
  reserved: ["u64", 8],
});
