/**
 * Which task the inodes of one directory of /proc belong to. They hold no task: they hold its id and birth, ask for it
 * when they are used, and find it gone when its process was waited for.
 */

import type { Inode } from "../../vfs/inode.ts";
import { mayAttachMemory, mayInspect, mayReadMemory, takeOwner } from "./access.ts";
import type { ProcSource, ProcTask } from "./source.ts";

/** Inode numbers: a task has 2^26 of them, in areas of 2^21 (as many as there can be fds). */
const PER_TASK = 2 ** 26, PER_AREA = 2 ** 21;

/** Areas: /proc/PID and its entries, the same in task/TID, fds, fdinfo, net. */
export const AREA_PROCESS = 0, AREA_THREAD = 1, AREA_FD = 2, AREA_FDINFO = 3, AREA_NET = 4;
/** The task's directories of fds in task/TID. */
export const AREA_THREAD_FD = 5, AREA_THREAD_FDINFO = 6;
export const AREA_ATTR = 7, AREA_THREAD_ATTR = 8;
export const AREA_MAP_FILES = 9;

/** Inode number of the `index`th entry in an area of a task. */
export function inoOf(tid: number, area: number, index: number): number {
  return tid * PER_TASK + area * PER_AREA + index;
}

export class TaskRef {
  readonly source: ProcSource;
  readonly tid: number;
  /** The directory is task/TID: times are those of the thread alone. */
  readonly isThread: boolean;
  private readonly startNs: number;

  constructor(source: ProcSource, task: ProcTask, isThread: boolean) {
    this.source = source;
    this.tid = task.tid;
    this.startNs = task.startNs;
    this.isThread = isThread;
  }

  /** The task, or null when it is gone. */
  get(): ProcTask | null {
    const task = this.source.task(this.tid);
    return task !== null && task.startNs === this.startNs ? task : null;
  }

  /** The task, when the caller may look into it; -EACCES is the caller's to return. */
  mayInspect(task: ProcTask): boolean {
    return mayInspect(this.source, task);
  }

  /** The same for its memory. */
  mayAttachMemory(task: ProcTask): boolean {
    return mayAttachMemory(this.source, task);
  }
  mayReadMemory(task: ProcTask): boolean {
    return mayReadMemory(this.source, task);
  }

  /** Owner of one of its inodes, now. False: the task is gone. */
  own(inode: Inode): boolean {
    const task = this.get();
    if (task === null) return false;
    takeOwner(inode, task);
    return true;
  }

  ino(area: number, index: number): number {
    return inoOf(this.tid, area, index);
  }
}
