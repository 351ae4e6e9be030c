/**
 * V8's heap, which the kernel's objects are in: how large it has to be for a limit of memory, and
 * what the kernel asks of it. The launcher starts the Sentry with that size (oci/launch); the OOM
 * killer watches what is in it (task/heap_watch.ts).
 *
 * V8 ends the process when it finds no room, and sooner, from four fifths of the size on, when
 * collections gain little. So a third of the heap is a reserve: for garbage, and for what objects
 * take beyond the estimates of their quotas.
 */

/** The part of the memory limit that kernel objects may take; the rest is for programs. */
export const KERNEL_SHARE = 0.5;
/**
 * LIMIT: bytes of kernel objects, and the part of the machine's memory: V8's heap is at most a
 * fourth of it, or 4 GiB.
 */
const OBJECTS_MAX = 1.5 * 2 ** 30, MACHINE_SHARE = 1 / 8;
/**
 * Bytes of the kernel itself and of its caches, without objects that are charged: 25 to 35 MB live
 * while gcc, Python or 300 processes run, 65 behind a `find /` of a large tree.
 */
export const HEAP_BASE: number = 96 * 2 ** 20;
/** The part of the heap that is for the kernel itself and for objects; the rest is the reserve. */
export const HEAP_USABLE: number = 2 / 3;

export interface KernelHeap {
  /** What may live in it, in bytes: the old generation's size. */
  readonly limitBytes: number;
  /** What is in it, in bytes, garbage included: some microseconds. */
  usedBytes(): number;
  /** Collects all garbage: about a millisecond for each megabyte that lives. */
  collect(): void;
}

/** Bytes that kernel objects may take where guests may have `limitBytes` of memory. */
export function objectBytesMax(limitBytes: number, machineBytes: number): number {
  return Math.min(limitBytes * KERNEL_SHARE, machineBytes * MACHINE_SHARE, OBJECTS_MAX);
}

/** The heap's size for that many bytes of objects. */
export function heapBytesFor(objectBytes: number): number {
  return (HEAP_BASE + objectBytes) / HEAP_USABLE;
}

/** Bytes of objects that a heap of that size has room for. */
export function objectBytesIn(heapBytes: number): number {
  return Math.max(0, heapBytes * HEAP_USABLE - HEAP_BASE);
}
