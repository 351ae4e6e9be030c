/**
 * An overlay whose changes are in memory: for `dvisor do`, and for root directories whose changes
 * are not kept. oci/boot/rootfs/file_systems.ts makes it.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import { timesOf } from "./copy_up.ts";
import { LAYER_CRED } from "./layers.ts";
import { OverlayFs, type Payers } from "./overlay_fs.ts";

/**
 * Makes an overlay over the directory `lower` with its own tmpfs on top. `text` is what mountinfo
 * shows behind `rw,`; the tmpfs takes at most half of the sandbox's memory unless `maxBytes` says
 * otherwise (0: no limit).
 */
export function memoryOverlay(
  account: Account,
  lower: Inode,
  frames: FrameAllocator,
  vfs: Vfs,
  text: string,
  maxBytes?: number,
  payers: Payers | null = null,
): OverlayFs {
  const limits = maxBytes === undefined ? {} : { pages: Math.ceil(maxBytes / PAGE_SIZE) };
  // The number of inodes is not limited, because whiteouts are inodes too.
  const tmpfs = new TmpfsFs(account, frames, vfs, { ...limits, inodes: 0 });
  const upper = tmpfs.root;
  upper.mode = S_IFDIR | (lower.mode & 0o7777);
  upper.uid = lower.uid;
  upper.gid = lower.gid;
  upper.setattr(timesOf(lower), LAYER_CRED);
  return new OverlayFs(lower, upper, {
    devices: vfs.devices,
    isPersistent: false,
    account,
    payers,
    stackDepth: 0,
    text,
    frames,
    owned: tmpfs,
    pinned: [],
  });
}
