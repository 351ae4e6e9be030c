/**
 * How large V8's heap is in the Sentry: by the memory that the sandbox may have. The flag is read
 * when V8 starts and cannot be changed later.
 */

import { heapBytesFor, objectBytesMax } from "../../kernel/core/kernel_heap.ts";

/**
 * V8's flag for a sandbox with that limit of memory, on that machine.
 *
 * Code that V8 compiled with another size is taken all the same.
 */
export function heapFlag(memoryBytes: number, machineBytes: number): string {
  const bytes = heapBytesFor(objectBytesMax(memoryBytes, machineBytes));
  return `--max-old-space-size=${Math.ceil(bytes / 2 ** 20)}`;
}
