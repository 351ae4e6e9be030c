/** Handlers: lock and getlock. */

import { EBADF } from "../../ffi/abi/errno.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import { applyLock, testLock } from "../backend/locks.ts";
import { Rgetlock, Rlock, Tgetlock, Tlock } from "../protocol/lock.ts";
import { decode } from "../protocol/message.ts";
import type { Fid } from "./fid.ts";
import type { Session } from "./session.ts";

const tlock = new Tlock();
const rlock = new Rlock();
const tgetlock = new Tgetlock();
const rgetlock = new Rgetlock();

/**
 * The descriptor for a fid's locks: always the same one, because its own locks would conflict
 * otherwise. Where the file may not be written it is the open file's, and an exclusive lock is
 * EBADF.
 */
function lockOf(s: Session, fid: Fid): number {
  if (fid.lock >= 0) return fid.lock;
  if (fid.access === O_RDWR || fid.isReadOnly) return fid.io;
  const fd = s.service.proc.reopen(fid.fd, O_RDWR);
  if (fd < 0) return fid.io;
  fid.lock = fd;
  return fd;
}

/**
 * Never waits: a conflicting lock gives LOCK_BLOCKED even with the blocking flag, and the client
 * tries again.
 */
export function onLock(s: Session): number {
  decode(s.in, tlock);
  const fid = s.fid(tlock.fid);
  if (fid === null || fid.io < 0) return -EBADF;
  const status = applyLock(lockOf(s, fid), tlock);
  if (status < 0) return status;
  rlock.status = status;
  return s.reply(rlock);
}

/** Tgetlock (9P2000.L). */
export function onGetlock(s: Session): number {
  decode(s.in, tgetlock);
  const fid = s.fid(tgetlock.fid);
  if (fid === null || fid.io < 0) return -EBADF;
  const r = testLock(lockOf(s, fid), tgetlock, rgetlock);
  return r < 0 ? r : s.reply(rgetlock);
}
