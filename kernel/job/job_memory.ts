/**
 * The memory of a job: each frame that its tasks take is charged to it until it is given back,
 * whichever file, pipe, segment or process has it, and beside it to the task's control group or
 * container (cgroup/charge_share.ts). A job over its limit is killed as a whole.
 *
 * DIFFERS from a control group: kernel objects are not counted; the container's quotas bound them.
 * Neighbours: peak_sampler.ts (the peak), oom/oom_killer.ts (compares domains with their limits).
 */

import type { ChargeShare, Sharer } from "../cgroup/charge_share.ts";
import { ChargedFrames, chargedTo, chargesOf, type FrameCharges } from "../cgroup/charges.ts";
import { framesOf } from "../oom/frame_runs.ts";
import type { MemoryDomain } from "../oom/oom_killer.ts";
import type { Container } from "../task/container.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import type { Job } from "./job.ts";
import { PeakSampler } from "./peak_sampler.ts";

/**
 * LIMIT: shares of a job, whose ids all jobs and control groups have in common: a guest that moves
 * among ever new groups must not use them up.
 */
const SHARES_MAX = 64;

export class JobMemory implements MemoryDomain, Sharer {
  readonly memoryMax: number;
  /** Pages that its tasks were promised; the host supplies them at the first touch. */
  chargedPages: number = 0;
  /** The greatest number of bytes that the host was found to have supplied. */
  peakBytes: number = 0;
  private readonly job: Job;
  private readonly kernel: Kernel;
  private readonly charges: FrameCharges;
  private readonly sampler: PeakSampler;
  /** All its shares, and the present one of each owner by the owner's id. */
  private readonly shares: ChargeShare[] = [];
  private readonly byBase: Map<number, ChargeShare> = new Map();
  /** The last answer of `shareOf`; -1: none. */
  private lastBaseId: number = -1;
  private lastId: number = 0;
  private isEnded: boolean = false;

  constructor(kernel: Kernel, job: Job, memoryMax: number) {
    this.kernel = kernel;
    this.job = job;
    this.memoryMax = memoryMax;
    this.charges = chargesOf(kernel);
    this.sampler = new PeakSampler(kernel, this);
  }

  get container(): Container {
    return this.job.container;
  }

  get promisedPages(): number {
    return this.chargedPages;
  }

  /** The main process starts. It was loaded before it was in the job. */
  begin(main: Task): void {
    this.charges.adopt(chargedTo(main), framesOf([main.group]));
    if (this.memoryMax !== Infinity) this.kernel.oom.watch(this);
    this.sampler.begin();
  }

  has(group: ThreadGroup): boolean {
    return group.job === this.job;
  }

  frames(): ChargedFrames {
    return new ChargedFrames(this.charges, new Set(this.shares.map(({ ownerId }) => ownerId)));
  }

  onMeasured(bytes: number): void {
    if (bytes > this.peakBytes) this.peakBytes = bytes;
  }

  onOutOfMemory(_victim: ThreadGroup): Iterable<ThreadGroup> {
    this.job.kill("oom");
    return [];
  }

  /** The id to which frames are charged that would be charged to `baseId` without the job. HOT */
  shareOf(baseId: number): number {
    if (baseId === this.lastBaseId) return this.lastId;
    if (this.isEnded) return baseId;
    let share = this.byBase.get(baseId) ?? null;
    if (share === null) {
      // Without a share of this owner the frames count for the job, and for its first owner.
      const hasRoom = this.shares.length < SHARES_MAX;
      share = (hasRoom ? this.charges.openShare(this, baseId) : null) ?? this.shares[0] ?? null;
      if (share === null) return baseId;
      this.byBase.set(baseId, share);
      if (share !== this.shares[0]) this.shares.push(share);
    }
    this.lastBaseId = baseId;
    this.lastId = share.ownerId;
    return share.ownerId;
  }

  forgetBase(baseId: number): void {
    this.byBase.delete(baseId);
    this.lastBaseId = -1;
  }

  /** The main process ends: a job that was too short for a sample is measured by it. */
  onMainEnding(main: Task): void {
    if (this.peakBytes === 0) this.sampler.measureNow(main.mm);
  }

  /** The job has ended: what is left of its memory is its container's alone. */
  end(): void {
    this.isEnded = true;
    this.lastBaseId = -1;
    this.sampler.end();
    this.kernel.oom.limited.delete(this);
    for (const share of this.shares) this.charges.closeShare(share);
    this.shares.length = 0;
    this.byBase.clear();
  }
}
