/** What all processes of a sandbox share for their memory: the arena, its frames, windows. */

import { ENOMEM } from "../../ffi/abi/errno.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { Platform } from "../../platform/platform.ts";
import type { Host } from "../core/host.ts";
import { AddressLayout } from "./address_layout.ts";
import { FrameAllocator, type FrameWaiter, PAGE_SIZE } from "./frames.ts";
import type { PatchedSites } from "./patched_sites.ts";
import { TlbPool } from "./tlb.ts";
import { AwaitedFault, type MonitorEvent } from "../userfault/userfault.ts";
import { FileWindows } from "./windows.ts";

/** The kernel's own shared object and its data page, made elsewhere: arena offsets and bytes. */
export interface VdsoPages {
  readonly imageFrame: number;
  readonly imageBytes: number;
  readonly vvarFrame: number;
  readonly vvarBytes: number;
  /** The word of the data page that makes getcpu ask the kernel when it is 0. */
  readonly cpusAt: number;
}

/** Bytes that are moved at once between two files without a buffer of their own. */
export const MOVE_BYTES = 65536;

export class MemoryContext {
  readonly arena: Arena;
  readonly platform: Platform;
  readonly host: Host;
  readonly frames: FrameAllocator;
  readonly windows: FileWindows;
  readonly tlbs: TlbPool = new TlbPool();
  /** What is patched for the users of all containers. */
  readonly sites: Set<PatchedSites> = new Set();
  /**
   * The layout of programs that asked for no randomization, and of memory that has no program yet.
   */
  readonly plainLayout: AddressLayout;
  /** The fault for a handler (userfaultfd(2)) that an access met last. */
  readonly awaited: AwaitedFault = new AwaitedFault();
  /** What monitors are to hear of the call that is running, in this order. */
  readonly told: MonitorEvent[] = [];
  vdso: VdsoPages | null = null;
  /** Faults of guests that ended with a page. */
  faults: number = 0;
  /** A page for copies that must not touch guest memory: its host address. */
  readonly bounce: number;

  /** Frames for moving bytes between files; -1 until they are needed. */
  private moveFrame: number = -1;
  private lastIno: number = 0;

  constructor(arena: Arena, platform: Platform, host: Host) {
    this.arena = arena;
    this.platform = platform;
    this.host = host;
    this.frames = new FrameAllocator(arena, new EndsOfSpaces(platform, host));
    this.windows = new FileWindows(arena);
    this.plainLayout = new AddressLayout(platform.maxUserAddress, null);
    this.bounce = arena.base + this.frames.alloc(1);
  }

  /** Of shared memory that is no file's. */
  nextIno(): number {
    return ++this.lastIno;
  }

  /** A buffer of MOVE_BYTES for the length of one step: its host address, or -ENOMEM. */
  moveBuffer(): number {
    if (this.moveFrame < 0) this.moveFrame = this.frames.alloc(MOVE_BYTES / PAGE_SIZE);
    return this.moveFrame < 0 ? -ENOMEM : this.arena.base + this.moveFrame;
  }

  /** A random one. */
  newLayout(): AddressLayout {
    return new AddressLayout(this.platform.maxUserAddress, this.host);
  }

  /** Threads are kept to some processors, or said to be: the vDSO's getcpu, which tells where they are, asks from now on. */
  hideProcessors(): void {
    if (this.vdso !== null) this.arena.words[this.vdso.cpusAt / 4] = 0;
  }

  /** Give freed memory back to the host, a slice a call: true when more is left (the loop calls it). */
  reclaim(): boolean {
    return this.frames.reclaim(RECLAIM_SLICE, RECLAIM_RUNS);
  }

  /** Nothing is to be done for a while: what is kept to be used again goes back to the host. */
  rest(): void {
    for (const sites of this.sites) sites.pages.age();
    this.tlbs.clear();
    this.frames.trim();
  }
}

/** LIMIT: bytes that are given back in one turn of the loop (about 1 ms). */
const RECLAIM_SLICE = 4 << 20;
/** LIMIT: runs of pages that are given back in one turn: single ones take 2 us each. */
const RECLAIM_RUNS = 256;

/** LIMIT: how long everybody waits when a guest has taken all memory and gives it back, ns. */
const SHORTAGE_NS = 100e6, SHORTAGE_LOOKS = 1e6;

/** The host takes a moment to end an address space. */
class EndsOfSpaces implements FrameWaiter {
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
