/**
 * Reports the bytes that move between files and their storage, for the io controller
 * (kernel/cgroup/io.ts). File systems with stored bytes call it.
 */

import type { Mount } from "./dentry.ts";
import type { FileSystem } from "./inode.ts";

export interface TransferCharger {
  /** Charges a transfer to the current task. `dev` is the device number of stat(2). */
  charge(dev: number, bytes: number, isWrite: boolean): void;
}

/**
 * Reports that `n` bytes of a file of `fs`, found by `mount`, were read or written; errors and 0
 * are ignored. HOT
 */
export function noteTransfer(mount: Mount, fs: FileSystem, n: number, isWrite: boolean): void {
  const { charger } = mount.vfs;
  if (n > 0 && charger !== null) charger.charge(fs.dev, n, isWrite);
}
