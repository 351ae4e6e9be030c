/**
 * The memory state that all processes of a kernel share: the arena, its frames, windows, TLBs and
 * patched sites. The kernel makes one; every MemoryManager has it as `ctx`. Kernels of one process
 * have an arena, its pool of frames and its windows together.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Host } from "../core/host.ts";
import { AddressLayout } from "./address_layout.ts";
import { FrameAllocator, type FrameWaiter } from "./frames.ts";
import { LeavingSpaces } from "./leaving_spaces.ts";
import type { MemoryManager } from "./memory_manager.ts";
import type { PatchedSites } from "./patched_sites.ts";
import { TlbPool } from "./tlb.ts";
import { AwaitedFault, type MonitorEvent } from "../userfault/userfault.ts";
import { FileWindows } from "./windows.ts";

/**
 * The pages of the vDSO and its data page, as arena offsets and bytes. oci/boot/guest_clock.ts
 * makes them; loader/vdso.ts maps them.
 */
export interface VdsoPages {
  readonly imageFrame: number;
  readonly imageBytes: number;
  readonly vvarFrame: number;
  readonly vvarBytes: number;
  /** The word of the data page that makes getcpu ask the kernel when it is 0. */
  readonly cpusAt: number;
}

/** Bytes that are moved at once between two files that have no buffer of their own. */
export const MOVE_BYTES = 65536;

export class MemoryContext {
  readonly arena: Arena;
  readonly platform: Platform;
  readonly host: Host;
  readonly frames: FrameAllocator;
  readonly windows: FileWindows;
  readonly tlbs: TlbPool = new TlbPool();
  /** Those that are not destroyed. */
  readonly memories: Set<MemoryManager> = new Set();
  /** The address spaces whose host process is ending. */
  readonly leavingSpaces: LeavingSpaces;
  /** The patched sites of the users of all containers. */
  readonly sites: Set<PatchedSites> = new Set();
  /** The layout of programs without randomization, and of memory that has no program yet. */
  readonly plainLayout: AddressLayout;
  /** The last access that met a fault for a handler (userfaultfd(2)). */
  readonly awaited: AwaitedFault = new AwaitedFault();
  /** The events of the running call for userfaultfd(2) monitors, in their order. */
  readonly monitorEvents: MonitorEvent[] = [];
  vdso: VdsoPages | null = null;
  /** The number of guest faults that were resolved. */
  faults: number = 0;
  /** The host address of a page for copies that must not touch guest memory. */
  readonly bounce: number;

  /** Frames for moving bytes between files; -1 until they are needed. */
  private moveFrame: number = -1;
  private lastIno: number = 0;

  /** @param beside that of another kernel, with which this one shares the arena */
  constructor(arena: Arena, platform: Platform, host: Host, beside: MemoryContext | null = null) {
    this.arena = arena;
    this.platform = platform;
    this.host = host;
    const waiter = new EndsOfSpaces(platform, host);
    this.frames = new FrameAllocator(arena, waiter, beside?.frames.pool);
    this.windows = beside?.windows ?? new FileWindows(arena);
    this.leavingSpaces = new LeavingSpaces(platform);
    this.plainLayout = new AddressLayout(platform.maxUserAddress, null);
    this.bounce = arena.base + this.frames.alloc(1);
  }

  /** An inode number for shared memory that has no file. */
  nextIno(): number {
    return ++this.lastIno;
  }

  /** A buffer of MOVE_BYTES for the length of one step: its host address, or -ENOMEM. */
  moveBuffer(): number {
    if (this.moveFrame < 0) this.moveFrame = this.frames.alloc(MOVE_BYTES / PAGE_SIZE);
    return this.moveFrame < 0 ? -ENOMEM : this.arena.base + this.moveFrame;
  }

  /** A new random layout. */
  newLayout(): AddressLayout {
    return new AddressLayout(this.platform.maxUserAddress, this.host);
  }

  /**
   * Makes the vDSO's getcpu ask the kernel from now on, because threads are bound to some
   * processors, or the guest set an affinity.
   */
  hideProcessors(): void {
    if (this.vdso !== null) this.arena.words[this.vdso.cpusAt / 4] = 0;
  }

  get hidesProcessors(): boolean {
    return this.vdso !== null && this.arena.words[this.vdso.cpusAt / 4] === 0;
  }

  /**
   * Gives a slice of the freed memory back to the host: true when more is left. The loop calls it.
   */
  reclaim(): boolean {
    this.leavingSpaces.collect();
    return this.frames.reclaim(RECLAIM_SLICE, RECLAIM_RUNS);
  }

  /** Called at rest: memory that is kept for reuse goes back to the host. */
  releaseCaches(): void {
    for (const sites of this.sites) sites.pages.age();
    this.tlbs.clear();
    this.frames.pool.trim();
  }
}

/** LIMIT: bytes that are given back in one turn of the loop (about 1 ms). */
const RECLAIM_SLICE = 4 << 20;
/** LIMIT: runs of pages that are given back in one turn: single ones take 2 us each. */
const RECLAIM_RUNS = 256;

/** LIMIT: how long the sandbox waits for frames after a guest took all memory and ended, ns. */
const SHORTAGE_NS = 100e6, SHORTAGE_LOOKS = 1e6;

/** Waits for frames of address spaces that are ending, which takes the host a moment. */
export class EndsOfSpaces implements FrameWaiter {
  private readonly platform: Platform;
  private readonly host: Host;
  private sinceNs: number = 0;
  private looks: number = 0;

  constructor(platform: Platform, host: Host) {
    this.platform = platform;
    this.host = host;
  }

  waitForFrames(isFirst: boolean): boolean {
    if (isFirst) {
      this.sinceNs = this.host.monotonicNs();
      this.looks = 0;
    }
    this.platform.reap();
    return ++this.looks < SHORTAGE_LOOKS && this.host.monotonicNs() - this.sinceNs < SHORTAGE_NS;
  }
}
