/**
 * A directory of one task: it has the task's owner, and its names are valid as long as the task.
 */

import { GeneratedDir } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import type { TaskRef } from "./task_ref.ts";

export abstract class TaskBelow extends GeneratedDir {
  readonly ref: TaskRef;
  private readonly parent: GeneratedDir;

  constructor(
    fs: GeneratedFs,
    ref: TaskRef,
    parent: GeneratedDir,
    ino: number,
    permissions: number,
  ) {
    super(fs, ino, permissions);
    this.ref = ref;
    this.parent = parent;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override get parentIno(): number {
    return this.parent.ino;
  }
  /** The process may end at any time. */
  override get dentriesAreStable(): boolean {
    return false;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }
}
