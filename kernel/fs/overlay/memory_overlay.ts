/** An overlay whose changes live in memory: what `do` and read-only roots get. */

import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import type { Host } from "../../core/host.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { Inode } from "../../vfs/inode.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import { timesOf } from "./copy_up.ts";
import { LAYER_CRED } from "./layers.ts";
import { OverlayFs } from "./overlay_fs.ts";

/**
 * An overlay over the tree at `lower`, a directory, with a tmpfs of its own on top. `text` is what mountinfo shows
 * behind `rw,`; the tmpfs takes at most half of the sandbox's memory unless `maxBytes` says otherwise (0: no limit).
 */
export function memoryOverlay(
  lower: Inode,
  frames: FrameAllocator,
  host: Host,
  text: string,
  maxBytes?: number,
): OverlayFs {
  const limits = maxBytes === undefined ? {} : { pages: Math.ceil(maxBytes / 4096) };
  // Whiteouts are inodes too: as many as fit.
  const tmpfs = new TmpfsFs(frames, host, { ...limits, inodes: 0 });
  const upper = tmpfs.root;
  upper.mode = S_IFDIR | (lower.mode & 0o7777);
  upper.uid = lower.uid;
  upper.gid = lower.gid;
  upper.setattr(timesOf(lower), LAYER_CRED);
  return new OverlayFs(lower, upper, {
    isPersistent: false,
    stackDepth: 0,
    text,
    frames,
    owned: tmpfs,
    pinned: [],
  });
}
