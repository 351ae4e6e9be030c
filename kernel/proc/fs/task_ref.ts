/**
 * The task of a directory in /proc. Inodes keep the task's id and birth, not the task, and look it
 * up at each use; after the process was reaped they find none.
 */

import type { Inode } from "../../vfs/inode.ts";
import { mayAttachMemory, mayInspect, mayReadMemory, takeOwner } from "./access.ts";
import type { ProcSource, ProcTask } from "./source.ts";

/**
 * Inode numbers: 2^26 for each task, in areas of 2^21 (as many as there are descriptor numbers).
 */
const PER_TASK = 2 ** 26, PER_AREA = 2 ** 21;

/** Areas: /proc/PID and its entries, those of task/TID, fd, fdinfo, net. */
export const AREA_PROCESS = 0, AREA_THREAD = 1, AREA_FD = 2, AREA_FDINFO = 3, AREA_NET = 4;
/** Areas of fd and fdinfo in task/TID. */
export const AREA_THREAD_FD = 5, AREA_THREAD_FDINFO = 6;
export const AREA_ATTR = 7, AREA_THREAD_ATTR = 8;
export const AREA_MAP_FILES = 9;

/** The inode number of the `index`th entry in an area of a task. */
export function inoOf(tid: number, area: number, index: number): number {
  return tid * PER_TASK + area * PER_AREA + index;
}

/** Refers to a task by id and birth. */
export class TaskRef {
  readonly source: ProcSource;
  readonly tid: number;
  /** The directory is task/TID: times are those of the thread. */
  readonly isThread: boolean;
  private readonly startNs: number;

  constructor(source: ProcSource, task: ProcTask, isThread: boolean) {
    this.source = source;
    this.tid = task.tid;
    this.startNs = task.startNs;
    this.isThread = isThread;
  }

  /** The task; null: it is gone. */
  get(): ProcTask | null {
    const task = this.source.task(this.tid);
    return task !== null && task.startNs === this.startNs ? task : null;
  }

  /** Whether the caller may inspect the task. */
  mayInspect(task: ProcTask): boolean {
    return mayInspect(this.source, task);
  }

  /** Whether the caller may access the task's memory. */
  mayAttachMemory(task: ProcTask): boolean {
    return mayAttachMemory(this.source, task);
  }
  mayReadMemory(task: ProcTask): boolean {
    return mayReadMemory(this.source, task);
  }

  /** Sets the present owner of an inode. False: the task is gone. */
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
