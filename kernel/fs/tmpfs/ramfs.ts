/**
 * ramfs: a tmpfs without limits, extended attributes, fallocate(2) and sizes of directories, as in
 * Linux. Unknown options are ignored, as in Linux.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EINVAL } from "../../../ffi/abi/errno.ts";
import { RAMFS_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { TmpfsFs } from "./tmpfs.ts";

const DEFAULT_MODE = 0o755;

export class RamFs extends TmpfsFs {
  /** The mode option, which mountinfo shows whatever the root's mode is now. */
  private readonly mode: number;

  private constructor(
    account: Account,
    frames: FrameAllocator,
    vfs: Vfs,
    mode: number,
    cred: Credentials,
  ) {
    const { fsuid, fsgid } = cred;
    super(
      account,
      frames,
      vfs,
      { pages: 0, inodes: 0, mode, uid: fsuid, gid: fsgid },
      "ramfs",
      true,
    );
    this.mode = mode;
  }

  /** Makes a ramfs for a mount(2) by `cred`, or -EINVAL. */
  static ofOptions(
    account: Account,
    frames: FrameAllocator,
    vfs: Vfs,
    text: string,
    cred: Credentials,
  ): RamFs | number {
    const mode = modeOption(text);
    return mode < 0 ? mode : new RamFs(account, frames, vfs, mode, cred);
  }

  override statfs(out: StatFs): number {
    out.type = RAMFS_MAGIC;
    out.blockSize = PAGE_SIZE;
    out.nameMax = 255;
    out.fsid = this.dev;
    return 0;
  }

  override superOptions(): string {
    return this.mode === DEFAULT_MODE ? "" : `mode=${this.mode.toString(8)}`;
  }

  /** Changes nothing, but refuses bad options. */
  override remount(text: string): number {
    return Math.min(0, modeOption(text));
  }
}

/** The mode of the options, or -EINVAL when it is not an octal number. */
function modeOption(text: string): number {
  let mode = DEFAULT_MODE;
  for (const part of text.split(",")) {
    const [key, value = ""] = part.split("=", 2);
    if (key !== "mode") continue;
    if (!/^[0-7]{1,10}$/.test(value)) return -EINVAL;
    mode = parseInt(value, 8) & 0o7777;
  }
  return mode;
}
