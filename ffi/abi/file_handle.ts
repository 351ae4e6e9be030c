/** `struct file_handle`: open_by_handle_at(2), <fcntl.h>, <linux/exportfs.h>. */

import { layout } from "./layout.ts";

export const MAX_HANDLE_SZ = 128;
/** A type of handle: 32 bits of a number, 32 of a generation. */
export const FILEID_INO32_GEN = 1;

/** The handle's own bytes follow. */
export const FileHandle = layout("file_handle", {
  handleBytes: "u32",
  handleType: "i32",
});
