/** Requests that open into and close slots of registered files: direct descriptors. */

import { EBADF, EFAULT, EINVAL, ENXIO } from "../../ffi/abi/errno.ts";
import { O_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { SOCK_CLOEXEC } from "../../ffi/abi/socket.ts";
import { openHow, readHow } from "../syscalls/fs/open.ts";
import { emptyPlace, fillPlace } from "./resources.ts";
import { updateFiles } from "./register_resources.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

const ACCEPT_FLAGS = U.IORING_ACCEPT_MULTISHOT | U.IORING_ACCEPT_DONTWAIT |
  U.IORING_ACCEPT_POLL_FIRST;

/** A slot has no close-on-exec flag. */
export function checkOpen({ flags, bufIndex, spliceFd, rwFlags }: Sqe): number {
  if ((flags & U.IOSQE_FIXED_FILE) !== 0) return -EBADF;
  return bufIndex !== 0 || (spliceFd !== 0 && (rwFlags & O_CLOEXEC) !== 0) ? -EINVAL : 0;
}

export function checkOpen2({ flags, bufIndex }: Sqe): number {
  if ((flags & U.IOSQE_FIXED_FILE) !== 0) return -EBADF;
  return bufIndex !== 0 ? -EINVAL : 0;
}

/** IORING_OP_OPENAT2. */
export function openat2(w: Worker): number {
  const { sqe } = w, how = readHow(w, sqe.off, sqe.len);
  if (typeof how === "number") return how;
  if (sqe.spliceFd !== 0 && (how.flags & O_CLOEXEC) !== 0) return -EINVAL;
  return openHow(w, sqe.fd, sqe.addr, how);
}

export function checkSocket({ addr, rwFlags, bufIndex, off, spliceFd }: Sqe): number {
  if (addr !== 0 || rwFlags !== 0 || bufIndex !== 0) return -EINVAL;
  return spliceFd !== 0 && (off & SOCK_CLOEXEC) !== 0 ? -EINVAL : 0;
}

export function checkAccept({ len, bufIndex, ioprio, spliceFd, rwFlags }: Sqe): number {
  if (len !== 0 || bufIndex !== 0 || (ioprio & ~ACCEPT_FLAGS) !== 0) return -EINVAL;
  if (spliceFd !== 0 && (rwFlags & SOCK_CLOEXEC) !== 0) return -EINVAL;
  // A multishot accept makes several files, so it needs more than one fixed slot.
  const isOne = spliceFd !== 0 && spliceFd >>> 0 !== U.IORING_FILE_INDEX_ALLOC;
  return isOne && (ioprio & U.IORING_ACCEPT_MULTISHOT) !== 0 ? -EINVAL : 0;
}

export function checkClose(s: Sqe): number {
  if (s.off !== 0 || s.addr !== 0 || s.len !== 0 || s.rwFlags !== 0 || s.bufIndex !== 0) {
    return -EINVAL;
  }
  if ((s.flags & U.IOSQE_FIXED_FILE) !== 0) return -EBADF;
  return s.spliceFd !== 0 && s.fd !== 0 ? -EINVAL : 0;
}

/** IORING_OP_CLOSE of a slot. */
export function closePlace({ ring, sqe }: Worker): number {
  return emptyPlace(ring, (sqe.spliceFd >>> 0) - 1);
}

export function checkFilesUpdate({ flags, rwFlags, spliceFd, len }: Sqe): number {
  if ((flags & U.IOSQE_FIXED_FILE) !== 0 || rwFlags !== 0 || spliceFd !== 0) return -EINVAL;
  return len === 0 ? -EINVAL : 0;
}

/** IORING_OP_FILES_UPDATE: the number of changed slots. */
export function filesUpdate(w: Worker): number {
  const { ring, sqe } = w, count = sqe.len, offset = sqe.offLo;
  if (offset !== U.IORING_FILE_INDEX_ALLOC) {
    return updateFiles(w, { ring, offset, count }, sqe.addr, 0);
  }
  if (ring.files === null) return -ENXIO;
  for (let i = 0; i < count; i++) {
    const r = moveToPlace(w, sqe.addr + 4 * i);
    if (r < 0) return i > 0 ? i : r;
  }
  return count;
}

/**
 * Moves the file of the descriptor at `addr` into a free slot, whose number is stored there
 * instead.
 */
function moveToPlace({ mm, table, ring }: Worker, addr: number): number {
  const fd = mm.load32(addr);
  if (fd < 0) return -EFAULT;
  const file = table.get(fd | 0);
  if (file === null || file.isRing) return -EBADF;
  const at = fillPlace(ring, file.hold(), U.IORING_FILE_INDEX_ALLOC);
  if (at < 0) {
    file.drop();
    return at;
  }
  if (mm.store32(addr, at) >= 0) return 0;
  emptyPlace(ring, at);
  return -EFAULT;
}
