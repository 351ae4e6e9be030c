/**
 * process_vm_readv(2), process_vm_writev(2): copies bytes between the memory of two processes, page
 * by page, by host addresses; protections of both sides count.
 */

import { MAX_RW_COUNT } from "../../../ffi/abi/fs.ts";
import { UIO_MAXIOV } from "../../../ffi/abi/socket.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { copy } from "../../../ffi/mem/native_memory.ts";
import { ACCESS_READ, ACCESS_WRITE, type SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Task } from "../../task/task.ts";
import { mayAttachMemory } from "../../ptrace/access.ts";

/** LIMIT: bytes of one turn of the loop: many segments may refer to the same memory. */
const TURN_BYTES = 1 << 20;

/** Two parallel arrays: address and length. */
export class Segments {
  readonly addr: number[] = [];
  readonly len: number[] = [];
  total: number = 0;

  /** Reads the segments: 0, -EINVAL or -EFAULT. */
  load(mm: MemoryManager, iov: number, count: number): number {
    if (count > UIO_MAXIOV) return -EINVAL;
    for (let i = 0; i < count; i++) {
      const base = mm.load64(iov + 16 * i), len = mm.load64(iov + 16 * i + 8);
      if (base < 0 || len < 0) return -EFAULT;
      if (len >= 2 ** 63) return -EINVAL;
      const room = Math.min(len, MAX_RW_COUNT - this.total);
      this.addr.push(base);
      this.len.push(room);
      this.total += room;
    }
    return 0;
  }

  /** The rest of the segments behind `done` bytes. */
  behind(done: number): Segments {
    const rest = new Segments();
    for (let i = 0; i < this.addr.length; i++) {
      const gone = Math.min(done, this.len[i]!);
      done -= gone;
      rest.addr.push(this.addr[i]! + gone);
      rest.len.push(this.len[i]! - gone);
    }
    return rest;
  }
}

export function sysProcessVmReadv(t: Task, a: SyscallArgs): number {
  return transfer(t, a, false);
}

export function sysProcessVmWritev(t: Task, a: SyscallArgs): number {
  return transfer(t, a, true);
}

/** The number of moved bytes is in `progress.done`. */
function transfer(t: Task, a: SyscallArgs, isWrite: boolean): number {
  const { progress } = t, r = transferMore(t, a, isWrite);
  return r >= 0 || r === BLOCK || progress.done === 0 ? r : progress.done;
}

function transferMore(t: Task, a: SyscallArgs, isWrite: boolean): number {
  const { progress } = t;
  if (a.u64(5) !== 0) return -EINVAL;
  const local = new Segments(), remote = new Segments();
  let r = local.load(t.mm, a.u64(1), a.u64(2));
  if (r < 0) return r;
  if (local.total === 0) return 0;
  r = remote.load(t.mm, a.u64(3), a.u64(4));
  if (r < 0) return r;
  const target = t.pids.tasks.get(a.i32(0));
  if (target === undefined) return -ESRCH;
  if (!mayAttachMemory(t, target)) return -EPERM;
  const here = local.behind(progress.done), there = remote.behind(progress.done);
  const moved = isWrite
    ? copyBetween(target.mm, there, t.mm, here, true)
    : copyBetween(t.mm, here, target.mm, there, false);
  progress.done += moved;
  if (moved === TURN_BYTES) return t.yieldTurn();
  return progress.done === 0 && remote.total > 0 ? -EFAULT : progress.done;
}

/**
 * Copies from `src` to `dst` until the first fault, the end of either list, or TURN_BYTES; returns
 * the bytes. Secret memory of the other process (`dst` when `isWrite`) is not accessible.
 */
function copyBetween(
  dstMm: MemoryManager,
  dst: Segments,
  srcMm: MemoryManager,
  src: Segments,
  isWrite: boolean,
): number {
  let moved = 0, d = 0, s = 0, dOff = 0, sOff = 0;
  while (d < dst.addr.length && s < src.addr.length && moved < TURN_BYTES) {
    const want = Math.min(dst.len[d]! - dOff, src.len[s]! - sOff, TURN_BYTES - moved);
    if (want > 0) {
      const dstAddr = dst.addr[d]! + dOff, srcAddr = src.addr[s]! + sOff;
      if (isWrite ? dstMm.vmas.find(dstAddr)?.isSecret : srcMm.vmas.find(srcAddr)?.isSecret) break;
      const to = dstMm.translateRun(dstAddr, want, ACCESS_WRITE);
      if (to < 0) break;
      const room = dstMm.reached;
      const from = srcMm.translateRun(srcAddr, room, ACCESS_READ);
      if (from < 0) break;
      const n = Math.min(room, srcMm.reached);
      const copied = copy(to, from, n);
      moved += copied;
      dOff += copied;
      sOff += copied;
      if (copied < n) break;
    }
    if (dOff === dst.len[d]) {
      d++;
      dOff = 0;
    }
    if (sOff === src.len[s]) {
      s++;
      sOff = 0;
    }
  }
  return moved;
}
