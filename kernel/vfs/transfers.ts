/** What moves between files and where their bytes are stored, for whoever keeps account of that (control groups). */

import type { FileSystem } from "./inode.ts";

export interface TransferCharger {
  /** One transfer for the current task. `dev`: as stat(2) shows it. */
  charge(dev: number, bytes: number, isWrite: boolean): void;
}

/** There is one kernel, and one account. */
class Transfers {
  charger: TransferCharger | null = null;
}
export const TRANSFERS: Transfers = new Transfers();

/** A file of `fs` was read or written (`n` bytes; or it was not). HOT */
export function noteTransfer(fs: FileSystem, n: number, isWrite: boolean): void {
  if (n > 0 && TRANSFERS.charger !== null) TRANSFERS.charger.charge(fs.dev, n, isWrite);
}
