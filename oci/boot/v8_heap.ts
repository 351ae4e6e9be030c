/**
 * V8's heap of this process. Neighbours: kernel/core/kernel_heap.ts (what the kernel asks of it),
 * oci/launch/executables.ts (how large it is).
 */

import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";

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
