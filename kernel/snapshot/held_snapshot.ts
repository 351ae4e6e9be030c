/**
 * A snapshot inside the process: the image of a kernel, with a reference to each frame. Kernels
 * that are made from it have frames in common with it until they write.
 *
 * Neighbours: world_image.ts (the image), kernel/mm/freeze.ts (why a write changes no snapshot).
 * Not here: which snapshots there are, and what stands around a kernel (oci/boot/snapshot/).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import type { SandboxKernel } from "../kernel.ts";
import type { FramePool } from "../mm/frame_pool.ts";
import { FrameAllocator } from "../mm/frames.ts";
import { freezePages } from "../mm/freeze.ts";
import type { FileWindows } from "../mm/windows.ts";
import type { CpuInfo } from "../proc/fs/cpu_info.ts";
import type { Surroundings } from "./anchors/surroundings.ts";
import type { ClassTable } from "./graph/class_table.ts";
import { type FrameRange, rangesOutside, runAmong } from "./graph/frame_ranges.ts";
import { Refusal } from "./graph/graph_error.ts";
import { holdRecords, releaseRecords } from "./shared_records.ts";
import { decodeWorld, encodeWorld, type WorldImage, type WorldRoot } from "./world_image.ts";

/** LIMIT: records, and frames, that one step of a release gives back. */
const RECORDS_A_STEP = 2000, FRAMES_A_STEP = 1 << 16;

/**
 * Write-protects what a snapshot will hold. The kernel stands still; the protection is complete
 * when `isFrozen` says so.
 */
export function freezeWorld({ memory }: SandboxKernel): void {
  for (const mm of memory.memories) {
    freezePages(mm);
    mm.space.flush();
  }
}

export function isFrozen({ memory }: SandboxKernel): boolean {
  for (const { space } of memory.memories) {
    if (space.ackedSeq < space.seq && !space.broken) return false;
  }
  return true;
}

export class HeldSnapshot {
  private readonly table: ClassTable;
  private readonly image: WorldImage;
  private readonly arena: Arena;
  readonly pool: FramePool;
  readonly windows: FileWindows;
  readonly cpuInfo: CpuInfo;
  /** Frames that it has in common with kernels. */
  private readonly shared: readonly FrameRange[];
  /** Has the copies of frames that kernels write in place. */
  private readonly frames: FrameAllocator;
  /** The first frame of the copy of each range in `image.written`. */
  private readonly copies: readonly number[];

  /**
   * The kernel stands still, and is frozen.
   *
   * @throws GraphError, RefusedError, Refusal
   */
  constructor(root: WorldRoot, table: ClassTable) {
    const { memory: { arena, frames, windows }, proc: { cpuInfo } } = root.kernel;
    this.table = table;
    this.arena = arena;
    this.windows = windows;
    this.cpuInfo = cpuInfo;
    this.pool = frames.pool;
    this.image = encodeWorld(root, table, { isInProcess: true });
    this.frames = new FrameAllocator(arena, null, frames.pool);
    this.copies = this.copyWritten(this.frames, this.image.written.map(({ first }) => first));
    holdRecords(this.image.kept);
    this.shared = rangesOutside(this.image.frames, this.image.written);
    for (const { first, count } of this.shared) this.pool.hold(first, count);
  }

  /** Of its image, without frames. */
  get bytes(): number {
    return this.image.bytes.length;
  }

  get hasVdso(): boolean {
    return this.image.facts.vdso !== null;
  }

  /** Of guest memory and files, which it may have in common with kernels and other snapshots. */
  get frameBytes(): number {
    return this.image.frames.reduce((sum, { count }) => sum + count * PAGE_SIZE, 0);
  }

  /**
   * A kernel that goes on from here, beside others of the process. It has no turns yet.
   *
   * @param surroundings with an allocator, a host and a vDSO of its own
   * @throws Error, after which nothing of it is left
   */
  makeKernel(surroundings: Surroundings): WorldRoot {
    const { frames } = surroundings;
    try {
      const copies = this.copyWritten(frames, this.copies), { written } = this.image;
      const numbers = new Map<number, number>();
      for (const [i, { first, count }] of written.entries()) {
        for (let k = 0; k < count; k++) numbers.set(first + k, copies[i]! + k);
      }
      const root = decodeWorld(this.image, this.table, surroundings, {
        numberOf: (frame) => numbers.get(frame) ?? frame,
        runOf: (first, most) => runAmong(written, first, most),
        hold: (first, count) => frames.share(first * PAGE_SIZE, count),
      });
      for (const [i, { count }] of written.entries()) frames.release(copies[i]! * PAGE_SIZE, count);
      return root;
    } catch (cause) {
      while (frames.dropRest(Infinity));
      throw cause;
    }
  }

  /** Copies the ranges of `image.written`, which are in the frames `from`: the first frames. */
  private copyWritten(frames: FrameAllocator, from: readonly number[]): number[] {
    const { base } = this.arena;
    return this.image.written.map(({ count }, i) => {
      const at = frames.alloc(count);
      if (at < 0) {
        while (frames.dropRest(Infinity));
        throw new Refusal("there is no memory for the buffers of the snapshot");
      }
      const bytes = count * PAGE_SIZE;
      if (copy(base + at, base + from[i]! * PAGE_SIZE, bytes) < bytes) {
        while (frames.dropRest(Infinity));
        throw new Refusal("the host has no memory for the buffers of the snapshot");
      }
      return at / PAGE_SIZE;
    });
  }

  /** Gives back what it holds, by steps: `LoopDriver.finish`. It is not used any more. */
  release(): SnapshotEnd {
    return new SnapshotEnd(this.pool, this.frames, [...this.image.kept], [...this.shared]);
  }
}

class SnapshotEnd {
  isDone: boolean = false;

  constructor(
    private readonly pool: FramePool,
    private readonly frames: FrameAllocator,
    private readonly kept: object[],
    private readonly shared: FrameRange[],
  ) {}

  /** True: another step is possible at once. */
  step(): boolean {
    if (releaseRecords(this.kept, RECORDS_A_STEP)) return true;
    let left = FRAMES_A_STEP;
    while (left > 0 && this.shared.length > 0) {
      const { first, count } = this.shared.pop()!, n = Math.min(left, count);
      if (n < count) this.shared.push({ first, count: count - n });
      this.pool.drop(first + count - n, n);
      left -= n;
    }
    if (left === 0 || this.frames.dropRest(FRAMES_A_STEP)) return true;
    this.isDone = true;
    return false;
  }
}
