/**
 * Record locks and flock(2): fcntl(2) F_GETLK, F_SETLK, F_SETLKW and their open file description
 * forms.
 */

import { EAGAIN, EBADF, EDEADLK, EFAULT, EINVAL, EOVERFLOW } from "../../../ffi/abi/errno.ts";
import {
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
} from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { kernelPid, shownPid } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";
import {
  FileLock,
  FileLocks,
  flockRequest,
  isLockType,
  type LockKind,
  type LockOwner,
} from "../../vfs/file_locks.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

/** struct flock: l_type s16, l_whence s16, l_start s64 at 8, l_len s64 at 16, l_pid s32 at 24. */
const FLOCK_BYTES = 32;
const LOCK_MAND = 32;
const buf = new Uint8Array(FLOCK_BYTES);
const dv = new DataView(buf.buffer);
const OFFSET_MAX = 2n ** 63n - 1n;

/**
 * The range of a struct flock. DIFFERS: beyond 2^53 the ends of ranges are rounded, by 1 KiB at
 * most, and an end so near the largest offset means the end of the file, as the largest offset does
 * on Linux.
 */
const range = { type: 0, start: 0, end: 0 };

/** Reads and checks the struct: 0 or -errno; sets `range`. */
function readFlock(t: Task, file: OpenFile, addr: number, isOfd: boolean): number {
  if (t.mm.copyIn(buf, 0, addr, FLOCK_BYTES) < 0) return -EFAULT;
  const start = dv.getBigInt64(8, true), len = dv.getBigInt64(16, true);
  let base: number;
  switch (dv.getInt16(2, true)) {
    case 0:
      base = 0;
      break;
    case 1:
      base = file.pos;
      break;
    case 2:
      base = file.inode.size;
      break;
    default:
      return -EINVAL;
  }
  let from = BigInt(base) + start, end = len === 0n ? OFFSET_MAX : from + len - 1n;
  if (from > OFFSET_MAX) return -EOVERFLOW;
  if (from < 0n) return -EINVAL;
  if (end > OFFSET_MAX) return -EOVERFLOW;
  if (len < 0n) {
    end = from - 1n;
    from += len;
    if (from < 0n) return -EINVAL;
  }
  range.type = dv.getInt16(0, true);
  range.start = Number(from);
  range.end = Number(end) < 2 ** 63 ? Number(end) : Infinity;
  if (!isLockType(range.type)) return -EINVAL;
  if (isOfd && dv.getInt32(24, true) !== 0) return -EINVAL;
  return 0;
}

/** An offset as l_start and l_len show it; 2^63 comes from rounding the largest offsets. */
function offsetOf(value: number): bigint {
  return value < 2 ** 63 ? BigInt(value) : OFFSET_MAX;
}

/** The lock that the caller requests with `range`. */
function requestOf(t: Task, file: OpenFile, isOfd: boolean): FileLock {
  const { type, start, end } = range, by = isOfd ? ownerOf(t, "OFDLCK", file) : ownerOf(t, "POSIX");
  return new FileLock(by, type, start, end);
}

function ownerOf(t: Task, kind: LockKind, owner: object = t.files): LockOwner {
  const pid = kind === "OFDLCK" ? -1 : kernelPid(t), ages = t.fs.namespace.vfs.lockAges;
  return { kind, owner, pid, account: t.account, ages };
}

function locksOf(t: Task, inode: Inode): FileLocks {
  return inode.locks ??= new FileLocks(inode, t.fs.namespace.vfs.lockedFiles);
}

export function getLock(t: Task, file: OpenFile, addr: number, isOfd: boolean): number {
  const r = readFlock(t, file, addr, isOfd);
  if (r < 0) return r;
  const asksOwn = range.type === F_UNLCK;
  if (asksOwn && !isOfd) return -EINVAL;
  const request = requestOf(t, file, isOfd), { locks } = file.inode;
  const lock = (asksOwn ? locks?.heldBy(request) : locks?.conflict(request)) ?? null;
  if (lock === null) {
    dv.setInt16(0, F_UNLCK, true);
  } else {
    dv.setInt16(0, lock.type, true);
    dv.setInt16(2, 0, true);
    dv.setBigInt64(8, offsetOf(lock.start), true);
    dv.setBigInt64(16, lock.end === Infinity ? 0n : offsetOf(lock.end - lock.start + 1), true);
    dv.setInt32(24, lock.pid < 0 ? -1 : shownPid(t, lock.pid), true);
  }
  return t.mm.copyOut(addr, buf, 0, FLOCK_BYTES) < 0 ? -EFAULT : 0;
}

export function setLock(
  t: Task,
  file: OpenFile,
  addr: number,
  isOfd: boolean,
  wait: boolean,
): number {
  const r = readFlock(t, file, addr, isOfd);
  if (r < 0) return r;
  const { type } = range;
  if (type === F_RDLCK && !file.canRead || type === F_WRLCK && !file.canWrite) return -EBADF;
  const locks = locksOf(t, file.inode), request = requestOf(t, file, isOfd);
  const done = locks.setRecord(request);
  if (done !== -EAGAIN || !wait) return done;
  const blocker = locks.conflict(request);
  if (blocker === null) return -EAGAIN;
  const waits = t.fs.namespace.vfs.lockWaits;
  if (!isOfd && waits.wouldDeadlock(request.owner, blocker.owner)) return -EDEADLK;
  const blocked = t.waitFor(locks.waiters, 0);
  if (t.waiter.queue !== locks.waiters) return blocked;
  if (isOfd) waits.add(request, locks.waiters, t.waiter);
  else waits.addRecord(request, blocker.owner, locks, t.waiter);
  return blocked;
}

/** flock(2). */
export function sysFlock(t: Task, a: SyscallArgs): number {
  const operation = a.i32(1), kind = operation & ~LOCK_NB;
  // Linux accepts the removed mandatory locks without effect.
  if ((operation & LOCK_MAND) !== 0) return 0;
  if (kind !== LOCK_SH && kind !== LOCK_EX && kind !== LOCK_UN) return -EINVAL;
  const file = t.files.get(a.i32(0));
  if (file === null) return -EBADF;
  const locks = locksOf(t, file.inode), request = flockRequest(ownerOf(t, "FLOCK", file), kind);
  const r = locks.flock(request);
  if (r !== -EAGAIN || operation & LOCK_NB) return r;
  const blocked = t.waitFor(locks.waiters, 0);
  if (t.waiter.queue === locks.waiters) {
    t.fs.namespace.vfs.lockWaits.add(request, locks.waiters, t.waiter);
  }
  return blocked;
}
