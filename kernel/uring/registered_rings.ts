/**
 * Rings that a task registered for itself, so that io_uring_enter(2) finds them without the
 * descriptor table (IORING_REGISTER_RING_FDS).
 */

import { EBADF, EBUSY, EINVAL } from "../../ffi/abi/errno.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** LIMIT: rings of a task (IO_RINGFD_REG_MAX). */
export const MAX_RING_FDS = 16;

export class RingFds {
  private readonly rings: (OpenFile | null)[] = new Array(MAX_RING_FDS).fill(null);

  /** The ring at an index: -EINVAL, -EBADF. */
  get(at: number): OpenFile | number {
    return at >= MAX_RING_FDS ? -EINVAL : this.rings[at] ?? -EBADF;
  }

  /** Holds a ring at the first free index of [from, to): the index, or -EBUSY. */
  add(ring: OpenFile, from: number, to: number): number {
    const at = this.rings.indexOf(null, from);
    if (at < 0 || at >= to) return -EBUSY;
    this.rings[at] = ring.hold();
    return at;
  }

  remove(at: number): void {
    this.rings[at]?.drop();
    this.rings[at] = null;
  }

  release(): void {
    for (let at = 0; at < MAX_RING_FDS; at++) this.remove(at);
  }
}
