/**
 * SEM_UNDO of semop(2): what a process has done to semaphores is taken back when it ends. Tasks made with CLONE_SYSVSEM
 * (the threads of a process) share a list; other children have none.
 */

import { type Account, ACCOUNTING } from "../../core/account.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import type { SemaphoreSet } from "./semaphores.ts";

/** What the adjustments for a set take of the kernel's heap, beside 4 bytes for each semaphore. */
const LIST_BYTES = 400;

export class SemUndoList {
  refs: number = 1;
  /** What it is charged to. */
  private readonly account: Account = ACCOUNTING.current;
  /** What is to be added to each semaphore of a set. */
  private readonly adjustments: Map<SemaphoreSet, Int32Array> = new Map();

  hold(): this {
    this.refs++;
    return this;
  }

  /** A task goes; the last one undoes. `pid`: its process. */
  drop(pid: number): void {
    if (--this.refs > 0) return;
    for (const [set, by] of this.adjustments) {
      IPC_BYTES.give(bytesFor(set), this.account);
      set.undos.delete(this);
      for (let num = 0; num < by.length; num++) if (by[num] !== 0) set.adjust(num, by[num]!, pid);
      set.changed();
    }
    this.adjustments.clear();
  }

  /** Is there memory for adjustments of `set`? */
  mayUndo(set: SemaphoreSet): boolean {
    return this.adjustments.has(set) || IPC_BYTES.hasRoom(bytesFor(set), this.account);
  }

  /** The adjustments for `set`, by semaphore. */
  of(set: SemaphoreSet): Int32Array {
    let by = this.adjustments.get(set);
    if (by === undefined) {
      by = new Int32Array(set.count);
      IPC_BYTES.add(bytesFor(set), this.account);
      this.adjustments.set(set, by);
      set.undos.add(this);
    }
    return by;
  }

  /** A value was set: there is nothing to undo for it. */
  forget(set: SemaphoreSet, num: number): void {
    const by = this.adjustments.get(set);
    if (by !== undefined) by[num] = 0;
  }

  forgetSet(set: SemaphoreSet): void {
    if (this.adjustments.delete(set)) IPC_BYTES.give(bytesFor(set), this.account);
  }
}

function bytesFor(set: SemaphoreSet): number {
  return LIST_BYTES + 4 * set.count;
}
