/**
 * Deferred work: freeing what the last user of a guest's structure leaves (the files of a tmpfs,
 * the mounts of a namespace, watches, descriptors in messages). No call waits for it, and it has no
 * bound. A work item does its first slice at once, so that small work is done before the call
 * returns; the kernel's loop runs the rest, a slice at a time (docs/internals/turns.md).
 *
 * Objects stay charged to their accounts until they are freed, so their quotas limit this work too.
 */

import { Fifo } from "./fifo.ts";

export interface WorkItem {
  /**
   * Does `units` units of work, of about a microsecond each. Returns the units that are left; 0 or
   * less when there may be more work.
   */
  step(units: number): number;
}

/** LIMIT: units of one slice. */
export const SLICE_UNITS = 512;
/** The units that a work item costs by itself. */
const ITEM_UNITS = 4;

/** The part of the kernel that names the account of turns that pays. */
export interface CallServer {
  readonly current: { readonly billed: { readonly turnAccount: object | null } } | null;
}

/** A work item, the account of its objects, and the account of turns that pays for it. */
interface Left {
  readonly item: WorkItem;
  readonly payer: object | null;
}

export class DeferredWork {
  /**
   * The kernel, which knows the task being served: that task's account of turns pays for items that
   * start now.
   */
  private readonly server: CallServer | null;
  private readonly left: Fifo<Left> = new Fifo();
  /** Work items that start while `begin` runs another one. */
  private readonly fresh: Fifo<Left> = new Fifo();
  private isBeginning: boolean = false;
  private isStepping: boolean = false;

  constructor(server: CallServer | null = null) {
    this.server = server;
  }

  get isEmpty(): boolean {
    return this.left.length === 0;
  }

  /**
   * Starts a work item, and those that it starts: together they have done one slice when this
   * returns. They are not nested, because guests make chains of them of any length.
   */
  begin(item: WorkItem): void {
    const next = { item, payer: this.payer };
    if (this.isStepping) {
      this.left.push(next);
      return;
    }
    this.fresh.push(next);
    if (this.isBeginning) return;
    this.isBeginning = true;
    try {
      this.beginFresh();
    } finally {
      this.isBeginning = false;
    }
  }

  /** Leaves a work item to the loop: nothing of it is done before this returns. */
  later(item: WorkItem): void {
    this.left.push({ item, payer: this.payer });
  }

  private get payer(): object | null {
    return this.server?.current?.billed.turnAccount ?? null;
  }

  private beginFresh(): void {
    const { fresh, left } = this;
    let units = SLICE_UNITS;
    for (let next = fresh.shift(); next !== undefined; next = fresh.shift()) {
      if (units > 0) units = next.item.step(units);
      if (units <= 0) left.push(next);
    }
  }

  /**
   * Runs a slice: of the item that has waited longest, and of those behind it with the same payer,
   * which is returned and charged with the turn. A work item that throws is not run again.
   */
  step(): object | null {
    const payer = this.left.first?.payer ?? null;
    this.isStepping = true;
    try {
      this.runLeft(payer);
    } finally {
      this.isStepping = false;
    }
    return payer;
  }

  private runLeft(payer: object | null): void {
    const { left } = this;
    for (let units = SLICE_UNITS; units > 0 && left.first?.payer === payer; units -= ITEM_UNITS) {
      const next = left.shift()!;
      units = next.item.step(units);
      if (units <= 0) left.push(next);
    }
  }
}

/** A work item over the members of a list, in order, each of which takes `unitsEach`. */
export abstract class WorkList<T> implements WorkItem {
  private readonly items: readonly T[];
  private readonly unitsEach: number;
  private next: number = 0;

  constructor(items: readonly T[], unitsEach: number) {
    this.items = items;
    this.unitsEach = unitsEach;
  }

  protected abstract each(item: T): void;

  step(units: number): number {
    const { items } = this;
    for (; this.next < items.length && units > 0; units -= this.unitsEach) {
      this.each(items[this.next++]!);
    }
    return units;
  }
}
