/**
 * What becomes of an exception in the kernel: a bug. The process that was being served dies by
 * SIGKILL, what it has is taken away as at any end, and the loop goes on for all others.
 * docs/internals/faults.md has the whole account.
 *
 * Neighbours: kernel.ts (the fence around the loop), task/exit.ts (ends in steps that a fault
 * cannot repeat), observe/crash.ts (the report).
 */

import { KernelBug } from "./core/kernel_bug.ts";
import type { MemoryContext } from "./mm/memory_context.ts";
import { describeCrash, describeFault } from "./observe/crash.ts";
import { alertForExit, mustEnd } from "./task/alert.ts";
import { exitTask, finishZombie, isEndingHalfway, skipEndStep } from "./task/exit.ts";
import { killGroup } from "./task/exit_request.ts";
import type { Kernel } from "./task/kernel_services.ts";
import { SIGKILL } from "./signal/sigset.ts";
import { BLOCKED, HANDLING, RUNNING, Task } from "./task/task.ts";
import { ThreadGroup } from "./task/thread_group.ts";

/**
 * LIMIT: reports that are written in all, and characters of each: a guest may know how to make
 * more.
 */
const MAX_REPORTS = 16, MAX_REPORT_CHARS = 2000;
/**
 * LIMIT: faults for which no process is to blame (or with no memory left) within a second that the
 * sandbox survives.
 */
const MAX_UNBLAMED = 16, WINDOW_NS = 1_000_000_000;
/**
 * LIMIT: faults in the end of one task before a step that goes on with the next thing is given up
 * as well.
 */
const MAX_FAULTS_OF_END = 100;

export interface ContainmentOptions {
  /** Every fault ends the sandbox: tests find bugs so. */
  readonly panicOnBug?: boolean;
  /** Receives reports, of several lines each. */
  readonly report?: (text: string) => void;
  /** The runtime can make the text of a stack here: without /proc it may not. */
  readonly hasStacks?: boolean;
}

/** The kernel object, as far as it is needed here. */
export interface ContainedKernel extends Kernel {
  readonly memory: MemoryContext;
}

export class Containment {
  /** Faults that were contained. */
  count: number = 0;
  private readonly kernel: ContainedKernel;
  private readonly panicOnBug: boolean;
  private readonly hasStacks: boolean;
  private readonly write: ((text: string) => void) | null;
  /** Tasks that end because of a fault: the last one is being ended. */
  private readonly condemned: Task[] = [];
  private faultsOfEnd: number = 0;
  /** There was a fault, and what it condemned has not been ended. */
  private isDue: boolean = false;
  private reports: number = 0;
  /** Faults without a culprit since `windowNs`. */
  private unblamed: number = 0;
  private windowNs: number = -Infinity;

  constructor(kernel: ContainedKernel, options: ContainmentOptions) {
    this.kernel = kernel;
    this.panicOnBug = options.panicOnBug === true;
    this.hasStacks = options.hasStacks === true;
    this.write = options.report ?? null;
  }

  /** Something was thrown. @throws KernelBug if the sandbox must not go on */
  contain(cause: unknown): void {
    const { kernel } = this, { current } = kernel, { firing } = kernel.timers;
    const culprit = this.culpritOf(firing === null ? current : firing.culprit);
    kernel.timers.firing = null;
    const isUnblamed = culprit === null || isOutOfMemory(cause);
    if (this.panicOnBug || isUnblamed && !this.survives()) {
      throw new KernelBug(describeCrash(current), { cause });
    }
    this.count++;
    this.isDue = true;
    this.report(current, culprit, cause);
    kernel.memory.awaited.handler = null;
    kernel.memory.told.length = 0;
    this.condemn(current, culprit);
  }

  /**
   * Ends what a fault condemned. Called inside of the fence: a fault here goes on behind the step
   * that failed.
   */
  endCondemned(): void {
    const { condemned, kernel } = this;
    if (!this.isDue) return;
    for (let task = condemned.at(-1); task !== undefined; task = condemned.at(-1)) {
      kernel.current = task;
      exitTask(task);
      this.faultsOfEnd = 0;
      condemned.pop();
    }
    kernel.current = null;
    for (const group of [...kernel.pids.groups.values()]) finishZombie(group, kernel);
    this.isDue = false;
  }

  private culpritOf(blamed: object | null): ThreadGroup | null {
    if (blamed instanceof Task) return blamed.group;
    return blamed instanceof ThreadGroup ? blamed : null;
  }

  /** A fault that stops no process may come again at once, for ever. */
  private survives(): boolean {
    const now = this.kernel.now();
    if (now - this.windowNs > WINDOW_NS) {
      this.windowNs = now;
      this.unblamed = 0;
    }
    return ++this.unblamed <= MAX_UNBLAMED;
  }

  private report(task: Task | null, culprit: ThreadGroup | null, cause: unknown): void {
    const { kernel, write } = this;
    const place = describeCrash(task);
    const fate = culprit === null ? "no process is to blame" : `process ${culprit.pid} is killed`;
    kernel.log(`contained a bug ${place}; ${fate}`);
    if (write === null || ++this.reports > MAX_REPORTS) return;
    const text = `contained a bug in dvisor ${place}: ${describeFault(cause, this.hasStacks)}`;
    const last = this.reports === MAX_REPORTS ? "; further reports are left out" : "";
    write(`${text.slice(0, MAX_REPORT_CHARS)}\n${fate}${last}`);
  }

  /**
   * The culprit is killed. The task that was being served must be brought to its end here, as
   * nothing else comes back to it; so must a child that it was making.
   *
   * A wake-up under way may have been lost, and so may the alert of a task that must end:
   * everything that waits looks again. That is always permitted: a blocked call tests its condition
   * anew.
   */
  private condemn(current: Task | null, culprit: ThreadGroup | null): void {
    const { kernel, condemned } = this;
    if (condemned.length > 0 && ++this.faultsOfEnd > MAX_FAULTS_OF_END) {
      this.faultsOfEnd = 0;
      skipEndStep(condemned.at(-1)!);
    }
    if (culprit !== null) this.attempt(() => killGroup(culprit, SIGKILL));
    for (const task of [...kernel.pids.tasks.values()]) {
      const isServed = task.state === HANDLING || task === current && task.state === RUNNING;
      if (isServed && culprit !== null) {
        this.attempt(() => killGroup(task.group, SIGKILL));
        if (!condemned.includes(task)) condemned.push(task);
      } else if (task.state === BLOCKED) this.attempt(() => task.wake());
      if (mustEnd(task)) this.attempt(() => alertForExit(task));
    }
    if (current !== null && isEndingHalfway(current) && !condemned.includes(current)) {
      condemned.push(current);
    }
  }

  /** What fails here as well is left: the fence has done what it could. */
  private attempt(act: () => void): void {
    try {
      act();
    } catch (cause) {
      this.count++;
      this.kernel.log(`a bug while another one was contained: ${describeFault(cause, false)}`);
    }
  }
}

/**
 * The engine could not have memory for a buffer. Of a wrong size ("Invalid array length") the
 * message differs: that is a bug of the caller.
 */
function isOutOfMemory(cause: unknown): boolean {
  return cause instanceof RangeError && cause.message.includes("allocation failed");
}
