/**
 * Kills the processes of a job in slices of a turn of the loop: a guest decides how many there are.
 * None is added meanwhile, because clone(2) fails in a job that is killed.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { alertForExit } from "../task/alert.ts";
import { killGroup } from "../task/exit_request.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { TRACED } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { Timer } from "../time/timer.ts";

/** LIMIT: tasks that are killed in one turn, and time of a slice, ns. */
const TURN_TASKS = 256, SLICE_NS = 500_000;

export class JobKill extends Timer {
  private readonly kernel: Kernel;
  private doomed: readonly ThreadGroup[] = [];
  private next: number = 0;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  /** Kills some of the processes now, and the rest in turns of their own. */
  begin(doomed: readonly ThreadGroup[]): void {
    this.doomed = doomed;
    this.next = 0;
    this.run();
  }

  override onExpire(_nowNs: number): void {
    this.run();
  }

  private run(): void {
    const { kernel, doomed } = this, untilNs = kernel.host.monotonicNs() + SLICE_NS;
    for (let left = TURN_TASKS; this.next < doomed.length && left > 0;) {
      const group = doomed[this.next++]!;
      left -= Math.max(1, group.tasks.length);
      endProcess(kernel, group);
      if (kernel.host.monotonicNs() >= untilNs) break;
    }
    if (this.next < doomed.length) kernel.timers.arm(this, kernel.now());
    else this.doomed = [];
  }
}

/** Kills a process, which may have begun to end and stand still on the way. */
function endProcess(kernel: Kernel, group: ThreadGroup): void {
  killGroup(group, SIGKILL);
  kernel.oom.release(group);
  for (const task of group.tasks) if (task.state === TRACED) alertForExit(task);
}
