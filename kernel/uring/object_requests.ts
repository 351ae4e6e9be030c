/**
 * Requests about objects other than the bytes of one file: pipes, futexes, children, other rings,
 * descriptors.
 */

import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { MAX_RW_COUNT } from "../../ffi/abi/fs.ts";
import { EBADF, EBADFD, EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { SPLICE_F_KNOWN, spliceFiles, teeFiles } from "../syscalls/io/splice.ts";
import { sysWaitid } from "../syscalls/process/wait.ts";
import { sysFutexWait, sysFutexWaitv, sysFutexWake } from "../futex/calls/futex2.ts";
import { setArguments } from "./arguments.ts";
import { type FileTable, fillPlace } from "./resources.ts";
import type { Sqe } from "./sqe.ts";
import type { Worker } from "./worker.ts";

const SPLICE_F_FD_IN_FIXED = 2 ** 31;

function sourceOf({ sqe, ring, table }: Worker): OpenFile | null {
  const isFixed = (sqe.rwFlags & SPLICE_F_FD_IN_FIXED) !== 0;
  return isFixed ? ring.files?.places[sqe.spliceFd]?.file ?? null : table.get(sqe.spliceFd);
}

/** IORING_OP_SPLICE: `addr` is the offset of the source, `off` that of the target. */
export function splice(w: Worker): number {
  const { sqe, file } = w, inAt = sqe.addrOffset;
  if (sqe.len === 0) return 0;
  if (inAt < -1 || sqe.off < -1) return -EINVAL;
  const flags = (sqe.rwFlags & ~SPLICE_F_FD_IN_FIXED) >>> 0, len = Math.min(sqe.len, MAX_RW_COUNT);
  return spliceFiles(w, sourceOf(w), inAt, file, sqe.off, len, flags);
}

export function checkTee({ off, addr, rwFlags }: Sqe): number {
  const unknown = rwFlags & ~(SPLICE_F_KNOWN | SPLICE_F_FD_IN_FIXED);
  return off !== 0 || addr !== 0 || unknown !== 0 ? -EINVAL : 0;
}

export function tee(w: Worker): number {
  const { sqe, file } = w, from = sourceOf(w);
  if (from === null) return -EBADF;
  if (sqe.len === 0) return 0;
  const flags = sqe.rwFlags & SPLICE_F_KNOWN, len = Math.min(sqe.len, MAX_RW_COUNT);
  return teeFiles(w, from, file, len, flags);
}

/** The futex's flags are in `fd`, value and mask in `off` and `addr3`. */
export function checkFutex({ len, rwFlags, bufIndex, spliceFd }: Sqe): number {
  return len !== 0 || rwFlags !== 0 || bufIndex !== 0 || spliceFd !== 0 ? -EINVAL : 0;
}

export function futexWait(w: Worker): number {
  const { sqe } = w;
  setArguments(w, [sqe.addr, sqe.off, sqe.addr3, sqe.fd, 0, 0]);
  return sysFutexWait(w, w.args);
}

export function futexWake(w: Worker): number {
  const { sqe } = w;
  setArguments(w, [sqe.addr, sqe.addr3, sqe.off, sqe.fd]);
  return sysFutexWake(w, w.args);
}

export function checkFutexMany({ fd, bufIndex, spliceFd, off, rwFlags, addr3 }: Sqe): number {
  const hasRest = fd !== 0 || bufIndex !== 0 || spliceFd !== 0;
  return hasRest || off !== 0 || rwFlags !== 0 || addr3 !== 0 ? -EINVAL : 0;
}

export function futexWaitMany(w: Worker): number {
  setArguments(w, [w.sqe.addr, w.sqe.len, 0, 0, 0]);
  return sysFutexWaitv(w, w.args);
}

export function checkWaitid({ addr, bufIndex, addr3, rwFlags }: Sqe): number {
  return addr !== 0 || bufIndex !== 0 || addr3 !== 0 || rwFlags !== 0 ? -EINVAL : 0;
}

/** IORING_OP_WAITID: the id type is in `len`, the id in `fd`, options in `file_index`. */
export function waitid(w: Worker): number {
  const { sqe } = w;
  setArguments(w, [sqe.len, sqe.fd, sqe.off, sqe.spliceFd, 0]);
  return sysWaitid(w, w.args);
}

/** The receiver of a request to another ring; only rings implement it. */
interface RingLike {
  readonly isDisabled: boolean;
  readonly files: FileTable | null;
  postFor(lo: number, hi: number, result: number, flags: number): void;
}

function isRing(file: OpenFile): file is OpenFile & RingLike {
  return "postFor" in file;
}

/** IORING_OP_MSG_RING: posts a completion on another ring, or passes a registered file to it. */
export function messageRing(w: Worker): number {
  const { sqe, file } = w;
  if (sqe.bufIndex !== 0 || sqe.personality !== 0) return -EINVAL;
  if ((sqe.rwFlags & ~(U.IORING_MSG_RING_CQE_SKIP | U.IORING_MSG_RING_FLAGS_PASS)) !== 0) {
    return -EINVAL;
  }
  if (file === null || !isRing(file)) return -EBADFD;
  if (sqe.addr === U.IORING_MSG_SEND_FD) return giveFile(w, file);
  if (sqe.addr !== U.IORING_MSG_DATA) return -EINVAL;
  const passes = (sqe.rwFlags & U.IORING_MSG_RING_FLAGS_PASS) !== 0;
  if (sqe.addr3 !== 0 || (!passes && sqe.spliceFd !== 0)) return -EINVAL;
  if (file.isDisabled) return -EBADFD;
  file.postFor(sqe.offLo, sqe.offHi, sqe.len | 0, passes ? sqe.spliceFd >>> 0 : 0);
  return 0;
}

/** IORING_MSG_SEND_FD: passes the file in slot `addr3` to a slot of the other ring. */
function giveFile({ sqe, ring }: Worker, other: RingLike): number {
  if (sqe.len !== 0 || other === ring) return -EINVAL;
  if (other.isDisabled) return -EBADFD;
  const given = ring.files?.places[sqe.addr3]?.file;
  if (given === undefined) return -EBADF;
  const at = fillPlace(other, given.hold(), sqe.spliceFd >>> 0);
  if (at < 0) given.drop();
  else if ((sqe.rwFlags & U.IORING_MSG_RING_CQE_SKIP) === 0) {
    other.postFor(sqe.offLo, sqe.offHi, at, 0);
  }
  return at;
}

export function checkInstall(s: Sqe): number {
  const hasRest = s.off !== 0 || s.addr !== 0 || s.len !== 0 || s.bufIndex !== 0;
  if (hasRest || s.spliceFd !== 0 || s.addr3 !== 0) return -EINVAL;
  if ((s.flags & U.IOSQE_FIXED_FILE) === 0) return -EBADF;
  if ((s.rwFlags & ~U.IORING_FIXED_FD_NO_CLOEXEC) !== 0) return -EINVAL;
  // The descriptor would belong to the submitter, whatever personality it names.
  return s.personality !== 0 ? -EPERM : 0;
}

/** IORING_OP_FIXED_FD_INSTALL: installs a descriptor for a registered file. */
export function installFixed({ sqe, file, table, group }: Worker): number {
  if (file === null) return -EBADF;
  const isCloexec = (sqe.rwFlags & U.IORING_FIXED_FD_NO_CLOEXEC) === 0;
  const fd = table.install(file.hold(), isCloexec, group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}
