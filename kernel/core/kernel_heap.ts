/**
 * V8's heap, which has the kernel's objects: its size for a memory limit, and the interface to
 * measure and collect it. The launcher starts the Sentry with that size (oci/launch); the OOM
 * killer watches its use (oom/heap_watch.ts).
 *
 * V8 ends the process when it has no room, and from four fifths of the size on, when collections
 * gain little. So a third of the heap is a reserve for garbage, and for objects that take more than
 * the estimates of their quotas.
 */

/** The part of the memory limit that kernel objects may take; the rest is for programs. */
export const KERNEL_SHARE = 0.5;
/**
 * LIMIT: bytes of kernel objects, and the part of the machine's memory: V8's heap is at most a
 * fourth of it, or 4 GiB.
 */
const OBJECTS_MAX = 1.5 * 2 ** 30, MACHINE_SHARE = 1 / 8;
/**
 * The bytes of the kernel itself and its caches, without charged objects: 25 to 35 MB are live
 * while gcc, Python or 300 processes run, 65 after a `find /` of a large tree.
 */
export const HEAP_BASE: number = 96 * 2 ** 20;
/** The part of the heap for the kernel itself and for objects; the rest is the reserve. */
export const HEAP_USABLE: number = 2 / 3;

export interface KernelHeap {
  /** The most bytes that may be live in it: the old generation's size. */
  readonly limitBytes: number;
  /** The bytes in it, with garbage; a call takes some microseconds. */
  usedBytes(): number;
  /** Collects all garbage, in about a millisecond for each live megabyte. */
  collect(): void;
}

/** The bytes that kernel objects may take when guests may have `limitBytes` of memory. */
export function objectBytesMax(limitBytes: number, machineBytes: number): number {
  return Math.min(limitBytes * KERNEL_SHARE, machineBytes * MACHINE_SHARE, OBJECTS_MAX);
}

/** The heap's size for that many bytes of objects. */
export function heapBytesFor(objectBytes: number): number {
  return (HEAP_BASE + objectBytes) / HEAP_USABLE;
}

/** The bytes of objects that a heap of that size has room for. */
export function objectBytesIn(heapBytes: number): number {
  return Math.max(0, heapBytes * HEAP_USABLE - HEAP_BASE);
}
