// Handlers: lock and getlock.

import { EBADF } from "../../ffi/abi/errno.ts";
import { applyLock, testLock } from "../backend/locks.ts";
import { Rgetlock, Rlock, Tgetlock, Tlock } from "../protocol/lock.ts";
import { decode } from "../protocol/message.ts";
import type { Session } from "./session.ts";

const tlock = new Tlock();
const rlock = new Rlock();
const tgetlock = new Tgetlock();
const rgetlock = new Rgetlock();

/** Never waits: a lock that is taken is LOCK_BLOCKED even with the blocking flag, and the client comes again. */
export function onLock(s: Session): number {
  decode(s.in, tlock);
  const fid = s.fid(tlock.fid);
  if (fid === null || fid.io < 0) return -EBADF;
  const status = applyLock(fid.io, tlock);
  if (status < 0) return status;
  rlock.status = status;
  return s.reply(rlock);
}

export function onGetlock(s: Session): number {
  decode(s.in, tgetlock);
  const fid = s.fid(tgetlock.fid);
  if (fid === null || fid.io < 0) return -EBADF;
  const r = testLock(fid.io, tgetlock, rgetlock);
  return r < 0 ? r : s.reply(rgetlock);
}
