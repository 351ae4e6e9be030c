/**
 * Work that no call waits for and that has no bound of its own: what is left behind when the last
 * user of a structure of the guest's goes (the files of a tmpfs, the mounts of a namespace,
 * watches, descriptors in messages). A job does a first slice at once, so that what is small is
 * gone before the call is over; the loop runs the rest, a slice at a time
 * (docs/internals/turns.md).
 *
 * Objects stay charged to their accounts until they are freed, so their quotas bound the jobs too.
 */

import { type Account, ACCOUNTING } from "./account.ts";
import { Fifo } from "./fifo.ts";

export interface Job {
  /**
   * Does so many units of work, of about a microsecond each. The units that are left; none: there
   * may be more to do.
   */
  step(units: number): number;
}

/** LIMIT: units of one slice. */
export const SLICE_UNITS = 512;
/** What a job takes besides. */
const JOB_UNITS = 4;

/** The kernel, as far as it names the account that pays. */
export interface CallServer {
  readonly current: { readonly billed: { readonly account: object | null } } | null;
}

/** A job, and whose work it is. */
interface Left {
  readonly job: Job;
  readonly account: Account;
  readonly payer: object | null;
}

export class DeferredWork {
  /** Knows whose call is served: its account of turns pays for what is begun now. */
  server: CallServer | null = null;
  private readonly left: Fifo<Left> = new Fifo();
  /** Jobs that are begun while `begin` runs another one. */
  private readonly fresh: Fifo<Left> = new Fifo();
  private isBeginning: boolean = false;
  private isStepping: boolean = false;

  get isEmpty(): boolean {
    return this.left.length === 0;
  }

  /**
   * Begins a job, and those that it begins: one slice in all is done when this returns. They are
   * not nested, as guests make chains of them as long as they like.
   */
  begin(job: Job): void {
    const next = { job, account: ACCOUNTING.current, payer: this.payer };
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

  private get payer(): object | null {
    return this.server?.current?.billed.account ?? null;
  }

  private beginFresh(): void {
    const { fresh, left } = this;
    let units = SLICE_UNITS;
    for (let next = fresh.shift(); next !== undefined; next = fresh.shift()) {
      if (units > 0) units = next.job.step(units);
      if (units <= 0) left.push(next);
    }
  }

  /**
   * A slice: of the job that has waited longest, and of those behind it while they have the same
   * payer, which is to be charged with the turn. A job that fails is not run again.
   */
  step(): object | null {
    const { current } = ACCOUNTING, payer = this.left.first?.payer ?? null;
    this.isStepping = true;
    try {
      this.runLeft(payer);
    } finally {
      this.isStepping = false;
      ACCOUNTING.current = current;
    }
    return payer;
  }

  private runLeft(payer: object | null): void {
    const { left } = this;
    for (let units = SLICE_UNITS; units > 0 && left.first?.payer === payer; units -= JOB_UNITS) {
      const next = left.shift()!;
      ACCOUNTING.current = next.account;
      units = next.job.step(units);
      if (units <= 0) left.push(next);
    }
  }
}

/** A job for the members of a list, the first ones first, each of which takes `unitsEach`. */
export abstract class ListJob<T> implements Job {
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
