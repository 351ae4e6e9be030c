/**
 * Directory entries: getdents64(2) and the old getdents(2).
 *
 * From include/linux/dirent.h and fs_types.h.
 */

import { layout } from "./layout.ts";

/** `d_type`; it equals `(mode & S_IFMT) >> 12`. */
export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

/** `struct linux_dirent64`. `reclen` covers header, name, NUL, and padding to 8 bytes. */
export const LinuxDirent64 = /* @__PURE__ */ layout("linux_dirent64", {
  ino: "u64",
  off: "i64",
  reclen: "u16",
  type: "u8",
  name: ["u8", 0],
});

/** `struct linux_dirent` of the old call; the type byte is at `reclen - 1`. */
export const LinuxDirent = /* @__PURE__ */ layout("linux_dirent", {
  ino: "u64",
  off: "u64",
  reclen: "u16",
  name: ["u8", 0],
});
