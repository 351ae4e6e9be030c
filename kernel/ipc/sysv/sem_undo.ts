/**
 * SEM_UNDO of semop(2): the changes of a process to semaphores are undone when it ends. Tasks made
 * with CLONE_SYSVSEM (threads of a process) share a list; other children start without one.
 */

import type { Account } from "../../core/account.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import type { SemaphoreSet } from "./semaphores.ts";

/** Bytes of the kernel's heap for the adjustments of a set, beside 4 for each semaphore. */
const LIST_BYTES = 400;

/** The undo list of one or more tasks. */
export class SemUndoList {
  refs: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  /** The account that the list is charged to. */
  private readonly account: Account;
  /** The adjustments for each set, by semaphore. */
  private readonly adjustments: Map<SemaphoreSet, Int32Array> = new Map();

  constructor(account: Account) {
    this.account = account;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  /** A task drops the list; the last one applies it. `pid`: its process. */
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

  /** Whether there is memory for adjustments of `set`. */
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

  /** SETVAL: nothing is left to undo for a semaphore. */
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
