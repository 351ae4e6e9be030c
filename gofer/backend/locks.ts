/**
 * POSIX record locks on host files: 9P's Tlock by fcntl's open-file-description locks.
 *
 * A lock belongs to the open fid that took it, so it stays when another fid of the same file is
 * closed, unlike fcntl's locks of a process. Linux's client sends flock(2) as a lock of the whole
 * file, and takes exclusive ones on files that are open for reading only; for fcntl's locks it
 * refuses that itself. So the descriptor for locks is open for reading and writing.
 */

import { EACCES, EAGAIN, EINVAL } from "../../ffi/abi/errno.ts";
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

function stageLock(m: Tlock | Tgetlock, type: number): number {
  const host = hostType(type);
  if (host < 0) return host;
  view.setInt16(FLOCK_AT + at.type, host, true);
  view.setInt16(FLOCK_AT + at.whence, 0, true);
  view.setUint32(FLOCK_AT + at.start, m.startLo, true);
  view.setUint32(FLOCK_AT + at.start + 4, m.startHi, true);
  view.setUint32(FLOCK_AT + at.len, m.lengthLo, true);
  view.setUint32(FLOCK_AT + at.len + 4, m.lengthHi, true);
  view.setInt32(FLOCK_AT + at.pid, 0, true);
  return 0;
}

/**
 * Takes or drops a lock and never waits: LOCK_SUCCESS, LOCK_BLOCKED (the client tries again) or
 * -errno.
 */
export function applyLock(fd: number, m: Tlock): number {
  if ((m.flags & ~(LOCK_FLAGS_BLOCK | LOCK_FLAGS_RECLAIM)) !== 0) return -EINVAL;
  const staged = stageLock(m, m.lockType);
  if (staged < 0) return staged;
  const r = lockFd(fd, F_OFD_SETLK, base + FLOCK_AT);
  if (r === -EAGAIN || r === -EACCES) return LOCK_BLOCKED;
  return r < 0 ? r : LOCK_SUCCESS;
}

/**
 * Finds the first conflicting lock; LOCK_TYPE_UNLCK when there is none. 0 or -errno. Linux's client
 * sends LOCK_TYPE_UNLCK for any request of its program; the answer then is any lock of other
 * owners.
 */
export function testLock(fd: number, m: Tgetlock, out: Rgetlock): number {
  const type = m.lockType === LOCK_TYPE_UNLCK ? LOCK_TYPE_WRLCK : m.lockType;
  const staged = stageLock(m, type);
  if (staged < 0) return staged;
  const r = lockFd(fd, F_OFD_GETLK, base + FLOCK_AT);
  if (r < 0) return r;
  const found = view.getInt16(FLOCK_AT + at.type, true);
  out.lockType = found === F_RDLCK
    ? LOCK_TYPE_RDLCK
    : found === F_WRLCK
    ? LOCK_TYPE_WRLCK
    : LOCK_TYPE_UNLCK;
  const isFree = found === F_UNLCK;
  out.startLo = isFree ? m.startLo : view.getUint32(FLOCK_AT + at.start, true);
  out.startHi = isFree ? m.startHi : view.getUint32(FLOCK_AT + at.start + 4, true);
  out.lengthLo = isFree ? m.lengthLo : view.getUint32(FLOCK_AT + at.len, true);
  out.lengthHi = isFree ? m.lengthHi : view.getUint32(FLOCK_AT + at.len + 4, true);
  out.procId = isFree ? m.procId : 0;
  out.clientId.setBytes(m.clientId.bytes, m.clientId.off, isFree ? m.clientId.len : 0);
  return 0;
}
