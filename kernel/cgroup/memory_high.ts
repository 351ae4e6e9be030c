/**
 * memory.high: no process is killed for memory beyond it; tasks that take more are delayed, the
 * longer the more the group has (cgroup-v2.rst of Linux).
 *
 * DIFFERS: what tasks took is checked some hundred times a second, and not at each page.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { DEAD, type Task } from "../task/task.ts";
import { delayTask } from "./delay.ts";

const NS_A_SECOND = 1e9;
/** The shortest delay that is made, and the longest, ns. */
const LEAST_NS = 10e6, MOST_NS = 2e9;

export class HighLimit {
  bytes: number = Infinity;
  /**
   * Bytes provided by the host at the last check; the first check is made when the limit is set.
   */
  private givenBytes: number = 0;
  /** Pages reserved by tasks while reservations exceeded the limit, and not touched yet. */
  private readonly takers: Map<Task, number> = new Map();

  set(bytes: number, givenBytes: number): void {
    this.bytes = bytes;
    this.givenBytes = givenBytes;
    this.takers.clear();
  }

  onTaken(task: Task, pages: number): void {
    this.takers.set(task, (this.takers.get(task) ?? 0) + pages);
  }

  /** The host has provided this many bytes. True: tasks took more, beyond the limit. */
  onMeasured(bytes: number): boolean {
    const { takers, givenBytes } = this, grown = Math.floor((bytes - givenBytes) / PAGE_SIZE);
    this.givenBytes = bytes;
    if (grown <= 0 || takers.size === 0) return false;
    const over = (bytes - this.bytes) / Math.max(this.bytes, PAGE_SIZE);
    for (const [task, promised] of takers) {
      const pages = Math.min(promised, grown);
      if (promised > pages && task.state !== DEAD) takers.set(task, promised - pages);
      else takers.delete(task);
      if (over > 0) slow(task, over, pages);
    }
    return over > 0;
  }
}

/** Delay a task in proportion to what it took, and to the square of the group's excess. */
function slow(task: Task, over: number, pages: number): void {
  const delayNs = Math.min(MOST_NS, over * over * pages * NS_A_SECOND);
  if (delayNs > LEAST_NS && task.state !== DEAD) delayTask(task, task.kernel.now() + delayNs);
}
