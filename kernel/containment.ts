/**
 * Containment of faults: an exception in the kernel is a bug. The process that was being served is
 * killed with SIGKILL and ends as any process does, and the loop goes on for all others.
 * docs/internals/faults.md has the design.
 *
 * Neighbours: kernel.ts (the fence around the loop), task/exit.ts (ends in steps that a fault
 * cannot repeat), observe/crash.ts (the report).
 */

import { SIGKILL } from "../ffi/abi/signal.ts";
import { KernelBug } from "./core/kernel_bug.ts";
import type { MemoryContext } from "./mm/memory_context.ts";
import { describeCrash, describeFault } from "./observe/crash.ts";
import { alertForExit, mustEnd } from "./task/alert.ts";
import { exitTask, finishZombie, isEndingHalfway, skipEndStep } from "./task/exit.ts";
import { killGroup } from "./task/exit_request.ts";
import type { Kernel } from "./task/kernel_services.ts";
import { BLOCKED, HANDLING, RUNNING, Task } from "./task/task.ts";
import { ThreadGroup } from "./task/thread_group.ts";

/**
 * LIMIT: number of reports written in a sandbox's life, and characters of each. A guest may know
 * how to cause more.
 */
const MAX_REPORTS = 16, MAX_REPORT_CHARS = 2000;
/**
 * LIMIT: faults within a second that no process can be blamed for, or that left no memory, which
 * the sandbox survives.
 */
const MAX_UNBLAMED = 16, WINDOW_NS = 1_000_000_000;
/**
 * LIMIT: faults in the end of one task, before a step that continues with the next object is
 * skipped as a whole.
 */
const MAX_FAULTS_OF_END = 100;

/** Takes the reports of faults. */
export interface ReportSink {
  /** Takes a report, of several lines. */
  report(text: string): void;
}

export interface ContainmentOptions {
  /** Every fault ends the sandbox, so that tests find bugs. */
  readonly panicOnBug?: boolean;
  readonly sink?: ReportSink;
  /** The runtime can make the text of a stack here. Without /proc it may not. */
  readonly hasStacks?: boolean;
}

/** The part of the kernel object that containment uses. */
interface ContainedKernel extends Kernel {
  readonly memory: MemoryContext;
}

export class Containment {
  /** Number of faults that were contained. */
  count: number = 0;
  private readonly kernel: ContainedKernel;
  private readonly panicOnBug: boolean;
  private readonly hasStacks: boolean;
  private readonly sink: ReportSink | null;
  /** Tasks that must end because of a fault. The last one is being ended. */
  private readonly condemned: Task[] = [];
  private faultsOfEnd: number = 0;
  /** A fault happened, and the tasks that it condemned have not ended yet. */
  private isDue: boolean = false;
  private reports: number = 0;
  /** Faults without a culprit since `windowNs`. */
  private unblamed: number = 0;
  private windowNs: number = -Infinity;

  constructor(kernel: ContainedKernel, options: ContainmentOptions) {
    this.kernel = kernel;
    this.panicOnBug = options.panicOnBug === true;
    this.hasStacks = options.hasStacks === true;
    this.sink = options.sink ?? null;
  }

  /**
   * Handles an exception of the kernel.
   *
   * @throws KernelBug if the sandbox cannot go on
   */
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
    kernel.memory.monitorEvents.length = 0;
    this.condemn(current, culprit);
  }

  /**
   * Ends the tasks that a fault condemned. The caller is inside the fence: after a fault in here
   * the end continues behind the step that failed.
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

  /**
   * A fault that stops no process may repeat at once, without an end: false when there were too
   * many.
   */
  private survives(): boolean {
    const now = this.kernel.now();
    if (now - this.windowNs > WINDOW_NS) {
      this.windowNs = now;
      this.unblamed = 0;
    }
    return ++this.unblamed <= MAX_UNBLAMED;
  }

  private report(task: Task | null, culprit: ThreadGroup | null, cause: unknown): void {
    const { kernel, sink } = this;
    const place = describeCrash(task);
    const fate = culprit === null ? "no process is to blame" : `process ${culprit.pid} is killed`;
    kernel.log(`contained a bug ${place}; ${fate}`);
    if (sink === null || ++this.reports > MAX_REPORTS) return;
    const text = `contained a bug in dvisor ${place}: ${describeFault(cause, this.hasStacks)}`;
    const last = this.reports === MAX_REPORTS ? "; further reports are left out" : "";
    sink.report(`${text.slice(0, MAX_REPORT_CHARS)}\n${fate}${last}`);
  }

  /**
   * Kills the culprit. This function must end the task that was being served, because no other
   * event comes for it, and a child that the task was making.
   *
   * A wake-up in progress may be lost, and the alert of a task that must end too. So every waiting
   * task is woken. A blocked call may always be woken: it tests its condition again.
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

  /** Runs `act`, and ignores a second fault in it. */
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
 * The engine had no memory for a buffer. A wrong size has another message ("Invalid array length"):
 * that is a bug of the calling code.
 */
function isOutOfMemory(cause: unknown): boolean {
  return cause instanceof RangeError && cause.message.includes("allocation failed");
}
