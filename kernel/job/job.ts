/**
 * A job: a process that was started from outside, and all processes that come from it. It ends as a
 * whole: at its deadline, at its limits of memory or CPU time, or at a request.
 *
 * A process is in the job of the process that made it (clone.ts, key_helper.ts), for all its life.
 * No call changes that, so that sessions, double forks, control groups and namespaces are no way
 * out. Neighbours: job_kill.ts (the kill, in slices), job_memory.ts, job_cpu.ts, job_cpu_limit.ts,
 * ptrace/stops.ts (a tracer does not delay it). docs/internals/sessions.md has the design.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { wifExited } from "../../ffi/abi/wait.ts";
import type { Container } from "../task/container.ts";
import { groupCpuNs } from "../task/cpu_clock.ts";
import { killGroup } from "../task/exit_request.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { Timer } from "../time/timer.ts";
import { JobCpu } from "./job_cpu.ts";
import { JobCpuLimit } from "./job_cpu_limit.ts";
import { JobKill } from "./job_kill.ts";
import { JobMemory } from "./job_memory.ts";

/** Why a job is killed. */
type KillReason = "timeout" | "cpu" | "oom" | "output" | "killed";

/** Why a job ended: by itself ("exit", "signal": how its main process ended), or a kill. */
export type JobReason = "exit" | "signal" | KillReason;

/** Infinity: no limit. */
export interface JobLimits {
  /** Time from the start of the main process on, ns. */
  readonly wallNs: number;
  /** CPU time of all its processes together, ns. */
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** Tasks at a time, threads included: with more, clone(2) fails with EAGAIN. */
  readonly tasks: number;
  /** Processors, also fractions: CPU time over wall time. 0.01 is the least. */
  readonly cpus: number;
}

export interface JobListener {
  /** The OOM killer has chosen one of its processes, which is about to get SIGKILL. */
  onOomKill(victim: ThreadGroup): void;
  /** The main process has ended. */
  onMainEnd(job: Job): void;
  /** No process is left. Behind onMainEnd, if there was a main process. */
  onJobEnd(job: Job): void;
}

export class Job {
  readonly kernel: Kernel;
  readonly container: Container;
  readonly limits: JobLimits;
  /**
   * Its processes with live tasks. Zombies are not among them: they cost no more than their number,
   * and a parent or a tracer outside of the job may keep them.
   */
  readonly groups: Set<ThreadGroup> = new Set();
  /** The process that `startIn` started; null: there was none yet. */
  main: ThreadGroup | null = null;
  /** Wait status of the main process, -1 while it runs. */
  status: number = -1;
  readonly memory: JobMemory;
  readonly cpu: JobCpu;
  /** Number of its live tasks. */
  tasks: number = 0;
  /** All its processes get SIGKILL, and no further one is made. */
  isKilled: boolean = false;
  /** It had processes, and none is left. */
  isEnded: boolean = false;
  /** Null: the session that started it is not there any more. */
  private listener: JobListener | null;
  private readonly deadline: JobDeadline;
  private readonly cpuLimit: JobCpuLimit;
  private readonly killing: JobKill;
  /** Why it was killed, unless the main process had ended before. */
  private killReason: KillReason | null = null;
  /** CPU time of tasks that have ended, ns. */
  private endedCpuNs: number = 0;

  constructor(kernel: Kernel, container: Container, limits: JobLimits, listener: JobListener) {
    this.kernel = kernel;
    this.container = container;
    this.limits = limits;
    this.listener = listener;
    this.deadline = new JobDeadline(this);
    this.cpuLimit = new JobCpuLimit(this);
    this.killing = new JobKill(kernel);
    this.memory = new JobMemory(kernel, this, limits.memoryBytes);
    this.cpu = new JobCpu(this, limits.cpus);
  }

  /** Gives a job of a restored kernel a listener. */
  adopt(listener: JobListener): void {
    this.listener = listener;
  }

  /** Why it was ended; null: it goes on, or only processes beside the main one were ended. */
  get reason(): JobReason | null {
    if (this.killReason !== null) return this.killReason;
    if (this.status < 0) return null;
    return wifExited(this.status) ? "exit" : "signal";
  }

  /**
   * Sends SIGKILL to all processes until none is left. The first reason counts; an end of the main
   * process that has begun is one.
   */
  kill(reason: KillReason): void {
    this.noteReason(reason);
    this.killRest();
  }

  /** As `kill`, without a reason: for what is left when the main process has ended. */
  killRest(): void {
    if (this.isKilled || this.isEnded) return;
    this.isKilled = true;
    this.disarm();
    this.killing.begin([...this.groups]);
  }

  /** Moves the deadline to `ns` from now; Infinity: there is none. */
  setDeadline(ns: number): void {
    const { kernel, deadline } = this;
    if (this.isKilled || this.isEnded) return;
    if (ns === Infinity) kernel.timers.disarm(deadline);
    else kernel.timers.arm(deadline, kernel.now() + ns);
  }

  /** CPU time of all its processes, ended ones included, ns. */
  get cpuNs(): number {
    let ns = this.endedCpuNs;
    for (const group of this.groups) ns += groupCpuNs(group);
    return ns;
  }

  /**
   * The most memory that it was found to have, bytes: what the host had supplied of the frames that
   * its tasks took. It is sampled (peak_sampler.ts).
   */
  get peakMemoryBytes(): number {
    return this.memory.peakBytes;
  }

  /** The main process starts. */
  start(main: ThreadGroup): void {
    this.main = main;
    this.setDeadline(this.limits.wallNs);
    if (main.tasks.length > 0) this.memory.begin(main.tasks[0]!);
    this.add(main);
    this.cpu.begin();
    this.cpuLimit.set(this.limits.cpuNs, this.kernel.now());
  }

  /** A process of the job starts. */
  add(group: ThreadGroup): void {
    this.groups.add(group);
    if (this.isKilled || this.isEnded) killGroup(group, SIGKILL);
  }

  /**
   * Whether `maker` must not make a further task. When the job is killed, so is the caller at once:
   * processes that multiply do not outrun the kill.
   */
  refusesTask(maker: ThreadGroup): boolean {
    if (this.isKilled) killGroup(maker, SIGKILL);
    return this.isKilled || this.tasks >= this.limits.tasks;
  }

  /** The OOM killer has chosen a process of the job. */
  noteVictim(victim: ThreadGroup): void {
    if (victim === this.main) this.noteReason("oom");
    this.listener?.onOomKill(victim);
  }

  /** An ended task used CPU time, ns. */
  chargeEnded(ns: number): void {
    this.endedCpuNs += ns;
  }

  /** A task begins to end; it has its memory yet. */
  onTaskEnding(task: Task): void {
    const { group } = task;
    if (group === this.main && group.tasks.length === 1) this.memory.onMainEnding(task);
  }

  /** All tasks of the process have ended, and it is going to be a zombie. */
  onProcessEnd(group: ThreadGroup): void {
    const { usage } = group;
    if (!this.groups.delete(group)) return;
    this.chargeEnded(usage.userNs + usage.systemNs);
    if (group === this.main) {
      this.status = group.exitStatus;
      this.listener?.onMainEnd(this);
    }
  }

  /** Called behind `onProcessEnd`. */
  endIfEmpty(): void {
    if (this.groups.size > 0 || this.isEnded) return;
    this.isEnded = true;
    this.disarm();
    this.memory.end();
    this.cpu.end();
    this.listener?.onJobEnd(this);
  }

  private disarm(): void {
    this.kernel.timers.disarm(this.deadline);
    this.kernel.timers.disarm(this.cpuLimit);
  }

  private noteReason(reason: KillReason): void {
    if (this.status >= 0 || this.isKilled || this.main?.isExiting) return;
    this.killReason ??= reason;
  }
}

export class JobDeadline extends Timer {
  private readonly job: Job;

  constructor(job: Job) {
    super();
    this.job = job;
  }

  override onExpire(_nowNs: number): void {
    this.job.kill("timeout");
  }
}
