/**
 * V8's heap of the boot process: its size for the kernel, and collections while the sandbox is
 * idle. V8 has no idle time of its own to shrink its heap in, because the kernel's loop is one task
 * that never ends; and malloc keeps free memory. Neighbours: kernel/core/kernel_heap.ts (the
 * interface), launch/executables.ts (the heap's size). Not here: guest memory (kernel/mm, and
 * `HostEventSet.onRest`).
 */

import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import { ownCpuNs } from "../../ffi/sys/clock.ts";
import { trimHeap } from "../../ffi/sys/native.ts";

/** The part of `node:v8` that is used. */
interface V8Module {
  getHeapStatistics(): { readonly used_heap_size: number; readonly heap_size_limit: number };
}

/** V8's limit is that of the old generation and at most this for the young one. */
const YOUNG_BYTES = 96 * 2 ** 20;

/**
 * The part of `node:process` that is used: a script cannot import a module, but can get one from
 * there.
 */
interface Process {
  getBuiltinModule(name: string): V8Module;
}

class V8Heap implements KernelHeap {
  readonly limitBytes: number;
  readonly #v8: V8Module;

  constructor(v8: V8Module) {
    this.#v8 = v8;
    this.limitBytes = v8.getHeapStatistics().heap_size_limit - YOUNG_BYTES;
  }

  usedBytes(): number {
    return this.#v8.getHeapStatistics().used_heap_size;
  }
  collect(): void {
    collectGarbage("regular");
  }
}

/** Called before the process is confined, because the runtime loads a module. */
export function openHeap(): KernelHeap {
  const process: Process = Reflect.get(globalThis, "process");
  return new V8Heap(process.getBuiltinModule("node:v8"));
}

/**
 * Collects garbage. V8 has the function with --expose-gc; without it nothing is collected.
 *
 * @param flavor "last-resort" also gives free pages of the heap back
 */
function collectGarbage(flavor: "regular" | "last-resort"): void {
  const gc: unknown = Reflect.get(globalThis, "gc");
  if (typeof gc !== "function") return;
  Reflect.apply(gc, undefined, [{ type: "major", execution: "sync", flavor }]);
}

/** A sleep of this many ns counts as idle. */
export const REST_NS = 1_000_000_000;
/** CPU time of the Sentry, in ns, after which another collection is worth its 50 ms. */
const WORK_NS = 1_000_000_000;

/** Collects V8's garbage when the sandbox is idle and has worked enough since the last time. */
export class IdleCollector {
  readonly #workNs: number;
  /** -Infinity: a first collection is due, because the start leaves garbage. */
  #cpuNs: number = -Infinity;

  constructor(workNs: number = WORK_NS) {
    this.#workNs = workNs;
  }

  /** Whether there is enough garbage for a collection when the sandbox is idle. */
  get isDue(): boolean {
    return ownCpuNs() - this.#cpuNs >= this.#workNs;
  }

  /** Called when the sandbox has been idle for `REST_NS`. */
  collect(): void {
    collectGarbage("last-resort");
    trimHeap();
    this.#cpuNs = ownCpuNs();
  }
}
