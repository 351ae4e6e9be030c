/**
 * V8's heap of this process. Neighbours: kernel/core/kernel_heap.ts (what the kernel asks of it),
 * oci/launch/executables.ts (how large it is).
 */

import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import { ownCpuNs } from "../../ffi/sys/clock.ts";
import { trimHeap } from "../../ffi/sys/native.ts";

/** What is used of V8's interface in `node:v8`. */
interface V8Module {
  getHeapStatistics(): { readonly used_heap_size: number; readonly heap_size_limit: number };
}

/** What V8 counts as its limit beside the old generation: the young one, at most. */
const YOUNG_BYTES = 96 * 2 ** 20;

/** What is used of `node:process`: the way to a module for a script, which cannot import any. */
interface Process {
  getBuiltinModule(name: string): V8Module;
}

/** Before the process is confined: the runtime loads a module. */
export function openHeap(): KernelHeap {
  const process: Process = Reflect.get(globalThis, "process");
  const v8 = process.getBuiltinModule("node:v8");
  return {
    limitBytes: v8.getHeapStatistics().heap_size_limit - YOUNG_BYTES,
    usedBytes: () => v8.getHeapStatistics().used_heap_size,
    collect: () => collectGarbage("regular"),
  };
}

/**
 * V8 has this function with --expose-gc; without, nothing is collected.
 *
 * @param flavor "last-resort" gives all free pages of the heap back, too
 */
export function collectGarbage(flavor: "regular" | "last-resort"): void {
  const gc: unknown = Reflect.get(globalThis, "gc");
  if (typeof gc !== "function") return;
  Reflect.apply(gc, undefined, [{ type: "major", execution: "sync", flavor }]);
}

/** A sleep of this long is a rest. */
export const REST_NS = 1_000_000_000;
/** CPU time of the Sentry since the last collection that makes another one worth its 50 ms. */
const WORK_NS = 1_000_000_000;

export class Rest {
  readonly #workNs: number;
  /** Its start leaves garbage too. */
  #cpuNs: number = -Infinity;

  constructor(workNs: number = WORK_NS) {
    this.#workNs = workNs;
  }

  /** Whether there is garbage enough to look out for a rest. */
  get isDue(): boolean {
    return ownCpuNs() - this.#cpuNs >= this.#workNs;
  }

  /** The sandbox has rested for `REST_NS`. */
  take(): void {
    collectGarbage("last-resort");
    trimHeap();
    this.#cpuNs = ownCpuNs();
  }
}
