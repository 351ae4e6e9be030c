/**
 * The ways in which a task names a ring: by a descriptor, or by an index of the rings that it
 * registered.
 */

import { EBADF, EFAULT, EINVAL, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { MAX_RING_FDS, RingFds } from "./registered_rings.ts";
import type { Task } from "../task/task.ts";
import { Uring } from "./ring.ts";

const ANYWHERE = 0xffffffff, { at: R, size: SIZE } = U.IoUringRsrcUpdate;

/** The ring of a descriptor, or -errno. */
export function ringOf(t: Task, fd: number): Uring | number {
  const file = t.files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof Uring ? file : -EOPNOTSUPP;
}

/** The ring at an index of the registered ones, or -errno. */
export function registeredRing(t: Task, at: number): Uring | number {
  const ring = t.ringFds?.get(at) ?? -EINVAL;
  return typeof ring === "number" ? ring : ring instanceof Uring ? ring : -EOPNOTSUPP;
}

/** The fields of struct io_uring_rsrc_update `i`. */
interface Entry {
  readonly offset: number;
  readonly data: number;
}

function entryAt(t: Task, addr: number): Entry | number {
  const offset = t.mm.load32(addr + R.offset), reserved = t.mm.load32(addr + R.resv);
  const data = t.mm.load64(addr + R.data);
  if (offset < 0 || reserved < 0 || data < 0) return -EFAULT;
  return reserved !== 0 ? -EINVAL : { offset, data };
}

/** IORING_REGISTER_RING_FDS: the number registered; indexes are written into the entries. */
export function registerRingFds(t: Task, arg: number, count: number): number {
  if (count === 0 || count > MAX_RING_FDS) return -EINVAL;
  const rings = t.ringFds ??= new RingFds();
  for (let i = 0; i < count; i++) {
    const r = registerOne(t, rings, arg + i * SIZE);
    if (r < 0) return i > 0 ? i : r;
  }
  return count;
}

function registerOne(t: Task, rings: RingFds, addr: number): number {
  const entry = entryAt(t, addr);
  if (typeof entry === "number") return entry;
  const isAnywhere = entry.offset === ANYWHERE;
  if (!isAnywhere && entry.offset >= MAX_RING_FDS) return -EINVAL;
  const ring = ringOf(t, entry.data | 0);
  if (typeof ring === "number") return ring;
  const from = isAnywhere ? 0 : entry.offset, to = isAnywhere ? MAX_RING_FDS : from + 1;
  const at = rings.add(ring, from, to);
  if (at < 0) return at;
  if (t.mm.store32(addr + R.offset, at) >= 0) return 0;
  rings.remove(at);
  return -EFAULT;
}

/** IORING_UNREGISTER_RING_FDS: the number released. */
export function unregisterRingFds(t: Task, arg: number, count: number): number {
  if (count === 0 || count > MAX_RING_FDS) return -EINVAL;
  for (let i = 0; i < count; i++) {
    const entry = entryAt(t, arg + i * SIZE);
    const isWrong = typeof entry !== "number" && (entry.data !== 0 || entry.offset >= MAX_RING_FDS);
    const r = typeof entry === "number" ? entry : isWrong ? -EINVAL : entry.offset;
    if (r < 0) return i > 0 ? i : r;
    t.ringFds?.remove(r);
  }
  return count;
}
