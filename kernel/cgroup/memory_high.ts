/**
 * memory.high: nobody is killed for what a group has beyond it, but whoever takes still more stands still for a while, the
 * longer the more that is (cgroup-v2.rst of Linux).
 *
 * DIFFERS: what tasks took is looked at some hundred times a second, and not at each page.
 */

import { DEAD, type Task } from "../task/task.ts";
import { delayTask } from "./delay.ts";

const PAGE = 4096, NS_A_SECOND = 1e9;
/** The shortest delay that is worth it, and the longest at a time, ns. */
const LEAST_NS = 10e6, MOST_NS = 2e9;

export class HighLimit {
  bytes: number = Infinity;
  /** What the host had given at the last look, of which the first is when the limit is set. */
  private givenBytes: number = 0;
  /** Pages that tasks were promised while more was promised than the limit, and have not touched yet. */
  private readonly takers: Map<Task, number> = new Map();

  set(bytes: number, givenBytes: number): void {
    this.bytes = bytes;
    this.givenBytes = givenBytes;
    this.takers.clear();
  }

  onTaken(task: Task, pages: number): void {
    this.takers.set(task, (this.takers.get(task) ?? 0) + pages);
  }

  /** The host has given so much. True: tasks took more, beyond the limit. */
  onMeasured(bytes: number): boolean {
    const { takers, givenBytes } = this, grown = Math.floor((bytes - givenBytes) / PAGE);
    this.givenBytes = bytes;
    if (grown <= 0 || takers.size === 0) return false;
    const over = (bytes - this.bytes) / Math.max(this.bytes, PAGE);
    for (const [task, promised] of takers) {
      const pages = Math.min(promised, grown);
      if (promised > pages && task.state !== DEAD) takers.set(task, promised - pages);
      else takers.delete(task);
      if (over > 0) slow(task, over, pages);
    }
    return over > 0;
  }
}

/** In proportion to what it took, and to the square of how far beyond the limit the group is. */
function slow(task: Task, over: number, pages: number): void {
  const delayNs = Math.min(MOST_NS, over * over * pages * NS_A_SECOND);
  if (delayNs > LEAST_NS && task.state !== DEAD) delayTask(task, task.kernel.now() + delayNs);
}
