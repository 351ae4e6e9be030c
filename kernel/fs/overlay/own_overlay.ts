/**
 * An overlay whose upper layer belongs to it alone and ends with it (a host directory for a
 * container's changes). oci/boot/rootfs/file_systems.ts makes it.
 */

import type { Account } from "../../core/account.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { DeviceNumbers } from "../../vfs/device_numbers.ts";
import type { FileSystem, Inode } from "../../vfs/inode.ts";
import { copyAttributes } from "./copy_up.ts";
import { OverlayFs, type Payers } from "./overlay_fs.ts";

/**
 * Makes an overlay over the directory `lower` with the empty file system `upper` on top; -errno.
 * `text` is what mountinfo shows behind `rw,`.
 */
export function ownOverlay(
  account: Account,
  lower: Inode,
  upper: FileSystem,
  frames: FrameAllocator,
  devices: DeviceNumbers,
  text: string,
  payers: Payers | null = null,
): OverlayFs | number {
  const r = copyAttributes(lower, upper.root);
  if (r < 0) return r;
  const options = {
    devices,
    isPersistent: false,
    account,
    payers,
    stackDepth: 0,
    text,
    frames,
    owned: upper,
    pinned: [],
  };
  return new OverlayFs(lower, upper.root, options);
}
