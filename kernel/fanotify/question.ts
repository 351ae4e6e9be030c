/** A task that waits until a listener of fanotify(7) lets it open or read a file. */

import type { Dentry } from "../vfs/dentry.ts";
import { type MarkGroup, Question } from "../vfs/marks.ts";

/** What a question's event belongs to. */
export interface Asker extends MarkGroup {
  onWithdrawn(question: PermissionQuestion): void;
}

export class PermissionQuestion extends Question {
  private readonly asker: Asker;
  /** The descriptor that its event was told with; -1: nobody has read it yet. */
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
