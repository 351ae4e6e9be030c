/**
 * Watches V8's heap. The bytes of quotas are estimates and some objects are charged to no account,
 * but a full heap would end the whole sandbox. The live size is only known after a garbage
 * collection, which takes long: one is forced when more than LOOK_SHARE of the heap is used. A
 * kernel with few objects never gets there, because V8 collects earlier by itself.
 *
 * When the live size is larger than estimated, accounts get less room by that factor, so that calls
 * fail as they do at a quota. Above a higher limit the OOM killer ends a process.
 *
 * Neighbours: core/kernel_heap.ts (the heap), task/accounts.ts, oom_killer.ts.
 */

import { HEAP_BASE, HEAP_USABLE, type KernelHeap, objectBytesIn } from "../core/kernel_heap.ts";
import type { MemoryUser, MemoryUsers } from "../mm/memory_users.ts";
import type { SandboxAccounts } from "../task/accounts.ts";

/** Heap use from which on a collection must show the live size. */
const LOOK_SHARE = 0.6;
/** Live part of the heap at which a process is killed. V8 gives up from 0.8 on. */
const KILL_SHARE = 0.74;
/** LIMIT: shortest time between two checks, ns. */
const LOOK_NS = 10_000_000;
/**
 * A further collection is made after the heap grew by this part, or after this many times the
 * duration of the last collection.
 */
const GROWTH_SHARE = 1 / 16, PAUSE_FACTOR = 50;

export class HeapWatch {
  private readonly heap: KernelHeap;
  private readonly accounts: SandboxAccounts;
  /** The kernels whose objects are in the heap, and that of this watch; null: there is no other. */
  private readonly users: MemoryUsers | null;
  private readonly user: MemoryUser | null;
  private nextLookNs: number = 0;
  private collectAtBytes: number = 0;
  private collectAtNs: number = 0;
  /** Accounts have less room than the heap's size allows. */
  private isScaled: boolean = false;
  /** Live bytes for each byte that accounts are charged with, if that is more than one. */
  private error: number = 1;
  /** The bytes of others that the present room allows for. */
  private limitedFor: number = 0;

  constructor(
    heap: KernelHeap,
    accounts: SandboxAccounts,
    users: MemoryUsers | null = null,
    user: MemoryUser | null = null,
  ) {
    this.heap = heap;
    this.accounts = accounts;
    this.users = users;
    this.user = user;
    accounts.setHeapLimit(objectBytesIn(heap.limitBytes));
  }

  /** Checks the heap if a check is due. True: a process has to be killed. */
  isTooFull(nowNs: number, clockNs: () => number): boolean {
    if (nowNs < this.nextLookNs) return false;
    this.nextLookNs = nowNs + LOOK_NS;
    const { othersBytes } = this;
    if (othersBytes !== this.limitedFor) this.limit(othersBytes);
    // One collection serves all kernels, and the one with most objects pays.
    if (this.user !== null && this.users?.hasMostObjects(this.user) === false) return false;
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

  /** Objects of other kernels in the heap, bytes. */
  private get othersBytes(): number {
    return this.user === null ? 0 : this.users?.objectBytesBeside(this.user) ?? 0;
  }

  /** Sets the accounts' room by the live size of the heap. */
  private scale(liveBytes: number): void {
    const { heap: { limitBytes }, accounts } = this;
    this.isScaled = liveBytes > HEAP_USABLE * limitBytes;
    const charged = accounts.root.bytes + this.othersBytes;
    this.error = this.isScaled ? Math.max(1, (liveBytes - HEAP_BASE) / charged) : 1;
    this.limit(this.othersBytes);
  }

  /** Leaves the accounts what others of the heap do not have. */
  private limit(othersBytes: number): void {
    const room = objectBytesIn(this.heap.limitBytes) / this.error;
    this.limitedFor = othersBytes;
    this.accounts.setHeapLimit(Math.max(0, room - othersBytes));
  }
}
