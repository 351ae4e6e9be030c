/**
 * A permission request: a task waits until a listener of fanotify(7) allows it to open or read a
 * file.
 */

import type { Dentry } from "../vfs/dentry.ts";
import { type MarkGroup, Question } from "../vfs/marks.ts";

/** The group that a request's event belongs to. */
export interface Asker extends MarkGroup {
  onWithdrawn(question: PermissionRequest): void;
}

export class PermissionRequest extends Question {
  private readonly asker: Asker;
  /** The descriptor that its event was read with; -1: not read yet. */
  fd: number = -1;

  constructor(asker: Asker, dentry: Dentry, mask: number) {
    super(asker, dentry, mask);
    this.asker = asker;
  }

  answer(isAllowed: boolean): void {
    this.isAnswered = true;
    this.isDenied = !isAllowed;
    this.answered.wake(0);
  }

  override withdraw(): void {
    this.asker.onWithdrawn(this);
  }
}
