/**
 * What moves between files and where their bytes are stored, for what keeps account of that
 * (control groups).
 */

import type { Mount } from "./dentry.ts";
import type { FileSystem } from "./inode.ts";

export interface TransferCharger {
  /** One transfer for the current task. `dev`: as stat(2) shows it. */
  charge(dev: number, bytes: number, isWrite: boolean): void;
}

/** A file of `fs`, found by `mount`, was read or written (`n` bytes; or it was not). HOT */
export function noteTransfer(mount: Mount, fs: FileSystem, n: number, isWrite: boolean): void {
  const { charger } = mount.vfs;
  if (n > 0 && charger !== null) charger.charge(fs.dev, n, isWrite);
}
