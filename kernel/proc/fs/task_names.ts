/** Directories below /proc/PID with fixed names: ns and attr. */

import { ENOENT, ESRCH } from "../../../ffi/abi/errno.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, type Listed } from "../../fs/generated/generated_dir.ts";
import { TaskBelow } from "./task_below.ts";

export abstract class TaskNames extends TaskBelow {
  protected abstract get names(): readonly string[];
  /** The file type of the entries: S_IFREG or S_IFLNK. */
  protected abstract get type(): number;
  protected abstract inoOf(index: number): number;
  protected abstract make(index: number): Inode;

  override lookup(name: string): Inode | number {
    const index = this.names.indexOf(name);
    if (index < 0) return -ENOENT;
    return this.ref.get() === null ? -ESRCH : this.make(index);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    return this.ref.own(cached) ? cached : -ESRCH;
  }

  override list(): readonly Listed[] | number {
    if (this.ref.get() === null) return -ENOENT;
    return this.names.map((name, i) => ({
      name,
      ino: this.inoOf(i),
      type: this.type >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}
