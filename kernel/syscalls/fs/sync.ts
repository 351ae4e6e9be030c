/**
 * sync(2), syncfs(2): one file of the host a turn, since the kernel waits for the host's disk. The
 * work that is left is in `progress.object` between turns.
 */

import { EBADF } from "../../../ffi/abi/errno.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import type { Task } from "../../task/task.ts";

/**
 * The file systems that a call has left to sync, each with its number of files. Files that are
 * written meanwhile are not waited for.
 */
export class SyncWork {
  private readonly left: { readonly fs: FileSystem; files: number }[];
  private error: number = 0;

  constructor(systems: Iterable<FileSystem>) {
    this.left = Array.from(systems, (fs) => ({ fs, files: fs.unsyncedFiles }));
  }

  /** Syncs one file; whether more are left. */
  step(): boolean {
    const { left } = this;
    while (left.length > 0 && left.at(-1)!.files <= 0) left.pop();
    const last = left.at(-1);
    if (last === undefined) return false;
    const r = last.fs.syncFile();
    if (r < 0 && this.error === 0) this.error = r;
    last.files = Math.min(last.files - 1, last.fs.unsyncedFiles);
    return left.length > 1 || last.files > 0;
  }

  /** 0, or the first error. */
  get result(): number {
    return this.error;
  }
}

/** sync(2): every file system that the caller can see. Errors are not reported, as on Linux. */
export function sysSync(t: Task, _a: SyscallArgs): number {
  if (t.progress.object === null) {
    const systems = new Set<FileSystem>();
    for (const mount of t.fs.namespace.mounts) systems.add(mount.fs);
    t.progress.object = new SyncWork(systems);
  }
  return syncNextFile(t) === BLOCK ? BLOCK : 0;
}

/** syncfs(2): the first error of a file of that file system. */
export function sysSyncfs(t: Task, a: SyscallArgs): number {
  if (t.progress.object === null) {
    const file = t.files.get(a.i32(0));
    if (file === null) return -EBADF;
    t.progress.object = new SyncWork([file.inode.fs]);
  }
  return syncNextFile(t);
}

/** Syncs one file: BLOCK if others follow in further turns, else the result of the call. */
function syncNextFile(t: Task): number {
  const work = t.progress.object;
  if (!(work instanceof SyncWork)) return 0;
  if (!work.step()) return work.result;
  t.uninterruptible = true;
  return t.yieldTurn();
}
