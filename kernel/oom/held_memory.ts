/**
 * Measures, in slices, what the host has supplied for the frames of one kernel, while other kernels
 * or snapshots have frames of the same arena. What is shared counts for each holder.
 */

import type { FrameAllocator } from "../mm/frames.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { Host } from "../core/host.ts";
import type { FrameRun } from "./frame_runs.ts";
import { type FrameSource, ResidentCount } from "./resident_count.ts";

/** LIMIT: pages whose references are read at once. */
const SCAN_PAGES = 8192;
/** A measurement is followed by a pause of this many times its duration, ns at least. */
const PAUSE_FACTOR = 20, PAUSE_NS = 10_000_000;

/** The frames that a kernel holds. */
class HeldFrames implements FrameSource {
  private readonly frames: FrameAllocator;
  private next: number = 0;

  constructor(frames: FrameAllocator) {
    this.frames = frames;
  }

  nextRuns(): readonly FrameRun[] | null {
    const { frames } = this;
    if (this.next >= frames.pool.pageCount) return null;
    const runs: FrameRun[] = [], to = this.next + SCAN_PAGES;
    this.next = frames.addRuns(this.next, to, runs);
    return runs;
  }
}

export class HeldMemory {
  /** Bytes, as last measured. */
  suppliedBytes: number = 0;
  private readonly arena: Arena;
  private readonly frames: FrameAllocator;
  private readonly host: Host;
  private count: ResidentCount | null = null;
  private spentNs: number = 0;
  private nextNs: number = 0;

  constructor(arena: Arena, frames: FrameAllocator, host: Host) {
    this.arena = arena;
    this.frames = frames;
    this.host = host;
  }

  get isCounting(): boolean {
    return this.count !== null;
  }

  /** Measures until the kernel's clock is `untilNs`, if it is time to. */
  measure(untilNs: number): void {
    const { host } = this, startNs = host.monotonicNs();
    if (this.count === null && startNs < this.nextNs) return;
    this.count ??= new ResidentCount(this.arena, new HeldFrames(this.frames));
    const isDone = this.count.step(host, untilNs), endNs = host.monotonicNs();
    this.spentNs += endNs - startNs;
    if (!isDone) return;
    this.suppliedBytes = this.count.bytes;
    this.nextNs = endNs + Math.max(PAUSE_NS, PAUSE_FACTOR * this.spentNs);
    this.count = null;
    this.spentNs = 0;
  }

  /** A process was killed: what was measured counts no more. */
  forget(): void {
    this.suppliedBytes = this.nextNs = this.spentNs = 0;
    this.count = null;
  }
}
