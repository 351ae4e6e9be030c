/**
 * poll(2), ppoll(2), select(2), pselect6(2): polls each file, then waits on all their queues at
 * once.
 */

import { POLLERR, POLLHUP, POLLNVAL } from "../../../ffi/abi/poll.ts";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { EXTRA_WAITS } from "../../core/quota.ts";
import { BLOCK } from "../../core/result.ts";
import { isRestartCode } from "../../task/return_to_user.ts";
import { restoreMask, useTemporaryMask } from "../../signal/mask.ts";
import { NR_OPEN } from "../../vfs/fd_table.ts";
import type { Task } from "../../task/task.ts";
import { FDS_A_TURN, passOf, PollPasses, runPasses } from "./poll_passes.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

const NS_PER_SEC = 1_000_000_000;
const POLLFD_BYTES = 8;

/** The array of the running call; grows to the largest one so far. */
let fds: Uint8Array<ArrayBuffer> = new Uint8Array(64 * POLLFD_BYTES);
let fdsView = new DataView(fds.buffer);

/** A slice of the array of a call that takes several turns. */
const slice = new Uint8Array(FDS_A_TURN * POLLFD_BYTES);
const sliceView = new DataView(slice.buffer);

/** poll(2): `timeout` in ms; negative: no limit. */
export function sysPoll(t: Task, a: SyscallArgs): number {
  const timeoutMs = a.i32(2);
  if (t.progress.deadlineNs < 0) {
    t.progress.deadlineNs = timeoutMs < 0 ? Infinity : t.kernel.now() + timeoutMs * 1e6;
  }
  return pollFds(t, a.u64(0), a.u32(1));
}

/** ppoll(2): writes the remaining time back, also when a signal ended the wait. */
export function sysPpoll(t: Task, a: SyscallArgs): number {
  const first = setDeadline(t, a.u64(2), false);
  if (first < 0) return first;
  const masked = useMask(t, a.u64(3), a.u64(4));
  if (masked < 0) return masked;
  return finishSelect(t, pollFds(t, a.u64(0), a.u32(1)), a.u64(2), false);
}

function pollFds(t: Task, addr: number, count: number): number {
  if (count > Math.min(t.group.limits.get(RLIMIT_NOFILE), NR_OPEN)) return -EINVAL;
  if (count > FDS_A_TURN) return runPasses(t, passOf(t) ?? new ArrayPasses(t, addr, count));
  const bytes = count * POLLFD_BYTES;
  if (bytes > fds.length) {
    fds = new Uint8Array(bytes * 2);
    fdsView = new DataView(fds.buffer);
  }
  if (t.mm.copyIn(fds, 0, addr, bytes) < 0) return -EFAULT;
  let ready = 0;
  for (let at = 0; at < bytes; at += POLLFD_BYTES) {
    const bits = pollOne(t, fdsView.getInt32(at, true), fdsView.getInt16(at + 4, true));
    fdsView.setUint16(at + 6, bits, true);
    if (bits !== 0) ready++;
  }
  if (ready === 0 && t.kernel.now() < t.progress.deadlineNs) {
    if (!EXTRA_WAITS.hasRoom(count, t.account)) return -ENOMEM;
    for (let at = 0; at < bytes; at += POLLFD_BYTES) {
      const file = fileOf(t, fdsView.getInt32(at, true));
      if (file !== null) watchFiles(t, file, fdsView.getUint16(at + 4, true) | POLLERR | POLLHUP);
    }
    const r = t.waitUntil(t.progress.deadlineNs);
    if (r === BLOCK) return BLOCK;
    t.endWait();
    return r;
  }
  for (let at = 0; at < bytes; at += POLLFD_BYTES) {
    if (t.mm.store16(addr + at + 6, fdsView.getUint16(at + 6, true)) < 0) return -EFAULT;
  }
  return ready;
}

function pollOne(t: Task, fd: number, events: number): number {
  if (fd < 0) return 0;
  const file = t.files.get(fd);
  if (file === null) return POLLNVAL;
  return file.poll() & (events | POLLERR | POLLHUP);
}

/** poll(2) of more descriptors than one turn polls. */
export class ArrayPasses extends PollPasses {
  private readonly addr: number;

  constructor(t: Task, addr: number, count: number) {
    super(t, count);
    this.addr = addr;
  }

  override look(t: Task, from: number, to: number): number {
    const addr = this.addr + from * POLLFD_BYTES, bytes = (to - from) * POLLFD_BYTES;
    if (t.mm.copyIn(slice, 0, addr, bytes) < 0) return -EFAULT;
    let ready = 0;
    for (let at = 0; at < bytes; at += POLLFD_BYTES) {
      const fd = sliceView.getInt32(at, true), events = sliceView.getInt16(at + 4, true);
      const bits = pollOne(t, fd, events);
      if (bits !== 0) ready++;
      if (t.mm.store16(addr + at + 6, bits) < 0) return -EFAULT;
      if (ready > 0 || this.isWatched) continue;
      const file = fileOf(t, fd);
      if (file !== null) this.watch(t, file, events & 0xffff | POLLERR | POLLHUP);
    }
    return ready;
  }
}

function fileOf(t: Task, fd: number): OpenFile | null {
  return fd < 0 ? null : t.files.get(fd);
}

export function watchFiles(t: Task, file: OpenFile, events: number): void {
  const queue = file.waitQueue;
  if (queue !== null) t.waitFor(queue, events);
}

/**
 * Sets the deadline once a call: from a timespec, or a timeval whose microseconds may exceed a
 * second.
 */
export function setDeadline(t: Task, addr: number, isTimeval: boolean): number {
  if (t.progress.deadlineNs >= 0) return 0;
  if (addr === 0) {
    t.progress.deadlineNs = Infinity;
    return 0;
  }
  if (t.mm.copyIn(fds, 0, addr, 16) < 0) return -EFAULT;
  let sec = Number(fdsView.getBigInt64(0, true));
  let sub = Number(fdsView.getBigInt64(8, true));
  if (isTimeval) {
    sec += Math.floor(sub / 1e6);
    sub = (sub % 1e6) * 1000;
  }
  if (sec < 0 || sub < 0 || sub >= NS_PER_SEC) return -EINVAL;
  t.progress.deadlineNs = t.kernel.now() + sec * NS_PER_SEC + sub;
  return 0;
}

/**
 * Sets the temporary mask at `addr` (0: none) for the duration of the call: 0, -EINVAL for another
 * size, -EFAULT.
 */
export function useMask(t: Task, addr: number, size: number): number {
  if (addr === 0) return 0;
  if (size !== 8) return -EINVAL;
  const lo = t.mm.load32(addr), hi = t.mm.load32(addr + 4);
  if (lo < 0 || hi < 0) return -EFAULT;
  useTemporaryMask(t, lo, hi);
  return 0;
}

/** Writes the remaining time back (errors are ignored, as on Linux) and restores the mask. */
export function finishSelect(t: Task, result: number, addr: number, isTimeval: boolean): number {
  if (result === BLOCK) return BLOCK;
  if (addr !== 0 && t.progress.deadlineNs !== Infinity) {
    const left = Math.max(0, t.progress.deadlineNs - t.kernel.now());
    const sub = left % NS_PER_SEC;
    t.mm.store64(addr, Math.floor(left / NS_PER_SEC));
    t.mm.store64(addr + 8, Math.floor(isTimeval ? sub / 1000 : sub));
  }
  if (!isRestartCode(result)) restoreMask(t);
  return result;
}
