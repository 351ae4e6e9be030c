/**
 * Watches V8's heap, since the bytes of quotas are estimates and some objects are charged to no
 * account: V8 would end the whole sandbox. What lives in the heap is known behind a collection
 * alone, which takes long: so one is made when the heap is more than half used, which a kernel
 * with few objects does not come to, as V8 collects before that by itself.
 *
 * What is done: accounts get less room by the factor that their estimates are wrong by, so that
 * calls fail as they do for a quota; above that the OOM killer ends a process.
 *
 * Neighbours: core/kernel_heap.ts (the heap), accounts.ts, oom_killer.ts.
 */

import { HEAP_BASE, HEAP_USABLE, type KernelHeap, objectBytesIn } from "../core/kernel_heap.ts";
import type { SandboxAccounts } from "./accounts.ts";

/** From this part of the heap on a collection has to say what lives. */
const LOOK_SHARE = 0.6;
/** What lives may be this part of the heap before a process ends; V8 gives up from 0.8 on. */
const KILL_SHARE = 0.74;
/** LIMIT: time between two looks, ns. */
const LOOK_NS = 10_000_000;
/** Another collection, where the heap grew by this part, or after so many times what one took. */
const GROWTH_SHARE = 1 / 16, PAUSE_FACTOR = 50;

export class HeapWatch {
  private readonly heap: KernelHeap;
  private readonly accounts: SandboxAccounts;
  private nextLookNs: number = 0;
  private collectAtBytes: number = 0;
  private collectAtNs: number = 0;
  /** Accounts have less room than the heap's size says. */
  private isScaled: boolean = false;

  constructor(heap: KernelHeap, accounts: SandboxAccounts) {
    this.heap = heap;
    this.accounts = accounts;
    accounts.setHeapLimit(objectBytesIn(heap.limitBytes));
  }

  /** Looks, if it is time to: whether a process has to end. */
  isTooFull(nowNs: number, clockNs: () => number): boolean {
    if (nowNs < this.nextLookNs) return false;
    this.nextLookNs = nowNs + LOOK_NS;
    const { heap } = this, { limitBytes } = heap, usedBytes = heap.usedBytes();
    if (usedBytes < LOOK_SHARE * limitBytes) {
      this.collectAtBytes = 0;
      if (this.isScaled) this.scale(0);
      return false;
    }
    if (usedBytes < this.collectAtBytes && nowNs < this.collectAtNs) return false;
    const startNs = clockNs();
    heap.collect();
    const endNs = clockNs(), liveBytes = heap.usedBytes();
    this.collectAtNs = endNs + PAUSE_FACTOR * (endNs - startNs);
    this.collectAtBytes = Math.max(LOOK_SHARE * limitBytes, liveBytes) + GROWTH_SHARE * limitBytes;
    this.scale(liveBytes);
    return liveBytes > KILL_SHARE * limitBytes;
  }

  /** Room for objects by what lives in the heap. */
  private scale(liveBytes: number): void {
    const { heap: { limitBytes }, accounts } = this, room = objectBytesIn(limitBytes);
    this.isScaled = liveBytes > HEAP_USABLE * limitBytes;
    const error = this.isScaled ? (liveBytes - HEAP_BASE) / accounts.root.bytes : 1;
    accounts.setHeapLimit(room / Math.max(1, error));
  }
}
