/**
 * The clocks of a kernel that stood still: it was restored, or rolled back. CLOCK_MONOTONIC and
 * CLOCK_BOOTTIME go on where they stopped, as CLOCK_MONOTONIC of Linux does after a suspend;
 * CLOCK_REALTIME is the host's. So relative times keep their rest, and absolute times of
 * CLOCK_REALTIME come earlier by the standstill.
 *
 * DIFFERS: a wait until a time of CLOCK_REALTIME that is more than 104 days away stays endless.
 */

import type { Host } from "../core/host.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { TaskTimeout } from "../task/task_wait.ts";
import { Task } from "../task/task.ts";

/** The clocks of a kernel when it stopped. */
export interface StoppedClocks {
  readonly monotonicNs: number;
  readonly realtimeSec: number;
  readonly realtimeNsec: number;
}

/** The part of the kernel object that has clocks. */
interface ClockedKernel extends Kernel {
  readonly loop: {
    /** The first task that is due; the others follow by `next`. */
    readonly runQueue: { readonly first: Task | null };
    readonly fair: { waitingTasks(): Task[] };
    restartClock(): void;
  };
}

export function readStoppedClocks(host: Host): StoppedClocks {
  const realtimeSec = host.realtimeSec(), realtimeNsec = host.realtimeNsec();
  return { monotonicNs: host.monotonicNs(), realtimeSec, realtimeNsec };
}

/**
 * Lets the clocks of a kernel go on that stopped at `stopped`. To be called at the end of a
 * standstill, or right before the first turn.
 */
export function resumeClocks(kernel: ClockedKernel, stopped: StoppedClocks): void {
  const { host, timers } = kernel, now = readStoppedClocks(host);
  host.monotonicOffsetNs += Math.round(stopped.monotonicNs - now.monotonicNs);
  const byNs = (now.realtimeSec - stopped.realtimeSec) * 1e9 +
    now.realtimeNsec - stopped.realtimeNsec;
  kernel.loop.restartClock();
  if (byNs === 0) return;
  for (const follower of timers.followers) follower.onRealtimeSet(byNs);
  for (const task of waitingTasks(kernel)) moveDeadline(task, byNs);
  kernel.keys.reap();
}

/** The tasks that may have a deadline; workers of rings have no number. */
function waitingTasks({ pids, timers, loop: { runQueue, fair } }: ClockedKernel): Set<Task> {
  const found = new Set(pids.tasks.values());
  for (const timer of timers.all()) {
    if (timer instanceof TaskTimeout && timer.task instanceof Task) found.add(timer.task);
  }
  for (let task = runQueue.first; task !== null; task = task.next) found.add(task);
  for (const task of fair.waitingTasks()) found.add(task);
  return found;
}

/** Moves the deadline of a call that waits for a time of CLOCK_REALTIME. */
function moveDeadline(task: Task, byNs: number): void {
  const { progress, timeout, kernel: { timers } } = task, { deadlineNs } = progress;
  if (!progress.isRealtime || deadlineNs < 0) return;
  progress.deadlineNs = Math.max(0, deadlineNs - byNs);
  // A call that only gave up its turn is armed for now.
  if (timeout.isArmed && timeout.deadlineNs === deadlineNs) {
    timers.arm(timeout, progress.deadlineNs);
  }
}
