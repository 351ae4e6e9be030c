/**
 * The frames that a job's tasks took while they were charged to one owner (a control group, a
 * container, or none): they count for both. A job has a share of each owner that its tasks have
 * been in, so that a move to another control group does not leave the job's limit.
 *
 * Neighbours: charges.ts (the table), job/job_memory.ts (the job's side).
 */

import type { Container } from "../task/container.ts";
import type { Task } from "../task/task.ts";
import type { ChargeOwner } from "./charges.ts";

/** A job, as the owner of shares. */
export interface Sharer {
  readonly container: Container;
  /** Pages charged to all its shares. */
  chargedPages: number;
  /** The share of the owner with this id is now another owner's. */
  forgetBase(baseId: number): void;
}

export class ChargeShare implements ChargeOwner {
  readonly ownerId: number;
  readonly container: Container;
  /** Null: the job has ended. No frame is charged to the share any more. */
  sharer: Sharer | null;
  /** The owner of which it is a share, and the owner's id; null and 0: none. */
  base: ChargeOwner | null;
  baseId: number;
  private pages: number = 0;

  constructor(id: number, sharer: Sharer, base: ChargeOwner | null, baseId: number) {
    this.ownerId = id;
    this.container = sharer.container;
    this.sharer = sharer;
    this.base = base;
    this.baseId = baseId;
  }

  get chargedPages(): number {
    return this.pages;
  }

  set chargedPages(pages: number) {
    const more = pages - this.pages;
    this.pages = pages;
    if (this.sharer !== null) this.sharer.chargedPages += more;
    if (this.base !== null) this.base.chargedPages += more;
  }

  onTaken(task: Task, pages: number): void {
    if (this.base !== null) this.base.onTaken(task, pages);
  }

  /** It becomes a share of another owner, which counts its pages already. */
  moveTo(base: ChargeOwner | null, baseId: number): void {
    if (this.sharer !== null) this.sharer.forgetBase(this.baseId);
    this.base = base;
    this.baseId = baseId;
  }

  /** A page of it is charged to its owner alone from now on. */
  passOn(): void {
    this.pages--;
  }

  /** The job has ended: its pages are the owner's alone. */
  endSharing(): void {
    if (this.sharer !== null) this.sharer.chargedPages -= this.pages;
    this.sharer = null;
  }
}
