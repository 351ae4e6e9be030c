/**
 * Finds the peak of a job's memory by samples: the host supplies memory at the first touch, which
 * the kernel does not see, and to ask the host costs a call for each run of frames.
 *
 * DIFFERS from memory.peak of a control group: a peak between two samples is missed.
 */

import type { MemoryManager } from "../mm/memory_manager.ts";
import { type FrameSource, MemoryFrames, ResidentCount } from "../oom/resident_count.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { Timer } from "../time/timer.ts";

/** LIMIT: time from the start to the first sample, and between two samples, ns. */
const FIRST_NS = 10_000_000, PAUSE_MOST_NS = 250_000_000;
/** LIMIT: time between two samples while the host supplies nothing to any guest, ns. */
const IDLE_PAUSE_NS = 2_000_000_000;
/** LIMIT: each sample is followed by a pause of this many times its duration: 2% of a processor. */
const PAUSE_SHARE = 50;
/** LIMIT: time of one slice of a sample, and between two slices, ns. */
const SLICE_NS = 200_000, REST_NS = 1_000_000;

/** The memory that is sampled. */
interface Sampled {
  frames(): FrameSource;
  onMeasured(bytes: number): void;
}

export class PeakSampler extends Timer {
  private readonly kernel: Kernel;
  private readonly sampled: Sampled;
  private count: ResidentCount | null = null;
  private spentNs: number = 0;
  private pauseNs: number = FIRST_NS;
  /** What the host had supplied to all guests at the last sample. */
  private suppliedBytes: number = -1;

  constructor(kernel: Kernel, sampled: Sampled) {
    super();
    this.kernel = kernel;
    this.sampled = sampled;
  }

  begin(): void {
    this.kernel.timers.arm(this, this.kernel.now() + FIRST_NS);
  }

  end(): void {
    this.kernel.timers.disarm(this);
    this.count = null;
  }

  /** Measures the memory of a process now, for the time of a slice. */
  measureNow(mm: MemoryManager): void {
    const { host, memory: { arena } } = this.kernel;
    const count = new ResidentCount(arena, new MemoryFrames(mm));
    count.step(host, host.monotonicNs() + SLICE_NS);
    this.sampled.onMeasured(count.bytes);
  }

  override onExpire(_nowNs: number): void {
    const { kernel } = this, { host, memory: { arena } } = kernel, startNs = host.monotonicNs();
    if (this.count === null) {
      const suppliedBytes = arena.residentBytes();
      if (suppliedBytes === this.suppliedBytes) return this.pause(IDLE_PAUSE_NS);
      this.suppliedBytes = suppliedBytes;
      this.spentNs = 0;
      this.count = new ResidentCount(arena, this.sampled.frames());
    }
    const isDone = this.count.step(host, startNs + SLICE_NS), endNs = host.monotonicNs();
    this.spentNs += endNs - startNs;
    if (!isDone) return kernel.timers.arm(this, endNs + REST_NS);
    this.sampled.onMeasured(this.count.bytes);
    this.count = null;
    this.pause(Math.max(PAUSE_MOST_NS, PAUSE_SHARE * this.spentNs));
  }

  /** The next sample comes later each time, up to a longest pause. */
  private pause(longestNs: number): void {
    const nextNs = Math.max(1.5 * this.pauseNs, PAUSE_SHARE * this.spentNs);
    this.pauseNs = Math.min(longestNs, nextNs);
    this.kernel.timers.arm(this, this.kernel.now() + this.pauseNs);
  }
}
