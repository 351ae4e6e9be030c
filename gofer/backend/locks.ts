// POSIX record locks on host files: 9P's Tlock by fcntl's open-file-description locks.
//
// A lock belongs to the open fid that took it, so closing another fid of the same file does not drop it, unlike
// with the process-wide kind of fcntl.

import { EACCES, EAGAIN, EINVAL, EOVERFLOW } from "../../ffi/abi/errno.ts";
import { F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_UNLCK, F_WRLCK, Flock } from "../../ffi/abi/fcntl.ts";
import {
  LOCK_BLOCKED,
  LOCK_FLAGS_BLOCK,
  LOCK_FLAGS_RECLAIM,
  LOCK_SUCCESS,
  LOCK_TYPE_RDLCK,
  LOCK_TYPE_UNLCK,
  LOCK_TYPE_WRLCK,
} from "../protocol/constants.ts";
import type { Rgetlock, Tgetlock, Tlock } from "../protocol/lock.ts";
import { lockFd } from "./host_calls.ts";
import { base, FLOCK_AT, view } from "./scratch.ts";

const TWO_32 = 2 ** 32;
const at = Flock.at;

function hostType(type: number): number {
  switch (type) {
    case LOCK_TYPE_RDLCK:
      return F_RDLCK;
    case LOCK_TYPE_WRLCK:
      return F_WRLCK;
    case LOCK_TYPE_UNLCK:
      return F_UNLCK;
    default:
      return -EINVAL;
  }
}

function putU64(offset: number, v: number): void {
  const hi = Math.floor(v / TWO_32);
  view.setUint32(FLOCK_AT + offset, v - hi * TWO_32, true);
  view.setUint32(FLOCK_AT + offset + 4, hi, true);
}

function stageLock(type: number, start: number, length: number): number {
  const host = hostType(type);
  if (host < 0) return host;
  if (start + length > Number.MAX_SAFE_INTEGER) return -EOVERFLOW;
  view.setInt16(FLOCK_AT + at.type, host, true);
  view.setInt16(FLOCK_AT + at.whence, 0, true);
  putU64(at.start, start);
  putU64(at.len, length);
  view.setInt32(FLOCK_AT + at.pid, 0, true);
  return 0;
}

/** Takes or drops a lock without ever waiting: LOCK_SUCCESS, LOCK_BLOCKED (the client asks again) or -errno. */
export function applyLock(fd: number, m: Tlock): number {
  if ((m.flags & ~(LOCK_FLAGS_BLOCK | LOCK_FLAGS_RECLAIM)) !== 0) return -EINVAL;
  const staged = stageLock(m.lockType, m.start, m.length);
  if (staged < 0) return staged;
  const r = lockFd(fd, F_OFD_SETLK, base + FLOCK_AT);
  if (r === -EAGAIN || r === -EACCES) return LOCK_BLOCKED;
  return r < 0 ? r : LOCK_SUCCESS;
}

/** Finds the first lock that would stand in the way; LOCK_TYPE_UNLCK when there is none. 0 or -errno. */
export function testLock(fd: number, m: Tgetlock, out: Rgetlock): number {
  const staged = stageLock(m.lockType, m.start, m.length);
  if (staged < 0) return staged;
  const r = lockFd(fd, F_OFD_GETLK, base + FLOCK_AT);
  if (r < 0) return r;
  const type = view.getInt16(FLOCK_AT + at.type, true);
  out.lockType = type === F_RDLCK
    ? LOCK_TYPE_RDLCK
    : type === F_WRLCK
    ? LOCK_TYPE_WRLCK
    : LOCK_TYPE_UNLCK;
  const isFree = type === F_UNLCK;
  out.start = isFree ? m.start : getU64(at.start);
  out.length = isFree ? m.length : getU64(at.len);
  out.procId = isFree ? m.procId : 0;
  out.clientId.setBytes(m.clientId.bytes, m.clientId.off, isFree ? m.clientId.len : 0);
  return 0;
}

function getU64(offset: number): number {
  return view.getUint32(FLOCK_AT + offset, true) +
    view.getUint32(FLOCK_AT + offset + 4, true) * TWO_32;
}
