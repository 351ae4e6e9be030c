/**
 * SEM_UNDO of semop(2): what a process has done to semaphores is taken back when it ends. Tasks made with CLONE_SYSVSEM
 * (the threads of a process) share a list; other children have none.
 */

import type { SemaphoreSet } from "./semaphores.ts";

export class SemUndoList {
  refs: number = 1;
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
      set.undos.delete(this);
      for (let num = 0; num < by.length; num++) if (by[num] !== 0) set.adjust(num, by[num]!, pid);
      set.changed();
    }
    this.adjustments.clear();
  }

  /** The adjustments for `set`, by semaphore. */
  of(set: SemaphoreSet): Int32Array {
    let by = this.adjustments.get(set);
    if (by === undefined) {
      by = new Int32Array(set.count);
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
    this.adjustments.delete(set);
  }
}
