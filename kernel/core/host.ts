/**
 * The kernel's interface to its host: clocks, randomness, and I/O on host descriptors that were
 * given to it. oci/boot implements it by ffi/; tests and the simulator have their own.
 *
 * Every call returns at once with a result or -errno. Addresses are absolute host addresses
 * (numbers).
 */

import type { KernelHeap } from "./kernel_heap.ts";
import type { Waiter } from "./wait.ts";

/** The fstat(2) data of a host file. */
export interface HostFileStatus {
  size: number;
  /** Blocks of 512 bytes. */
  blocks: number;
  nlink: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
}

export interface Host {
  /**
   * The kernel's CLOCK_MONOTONIC in ns, which timers use; exact below 2^53 (104 days). A kernel
   * made from a snapshot goes on where the snapshot's kernel stopped.
   */
  monotonicNs(): number;
  /** What `monotonicNs` adds to the host's CLOCK_MONOTONIC, whole ns (snapshot/clocks.ts). */
  monotonicOffsetNs: number;
  /** Keeps events of watched descriptors back, from now on; false: dispatches those, and others. */
  holdEvents(isHeld: boolean): void;
  /** The kernel has ended: no event reaches its waiters any more. */
  end(): void;
  /** CLOCK_REALTIME: seconds, and nanoseconds in [0, 1e9) by `realtimeNsec` of the same reading. */
  realtimeSec(): number;
  realtimeNsec(): number;
  /** The CPU time of a process, ns; negative when the host does not show it. */
  processCpuNs(pid: number): number;
  /** The CPU time of the kernel's own thread, ns; negative when the host does not show it. */
  kernelCpuNs(): number;
  /** The CPU that the calling thread runs on; -1 when the host does not show it. */
  currentCpu(): number;
  /** Keeps the calling thread off this CPU from now on; -1: it may run on all. */
  avoidCpu(cpu: number): void;
  /** Fills the buffer with random bytes. */
  random(buf: Uint8Array<ArrayBuffer>): void;

  read(fd: number, addr: number, len: number): number;
  write(fd: number, addr: number, len: number): number;
  /** `iov` is the host address of a struct iovec array; offset -1 means the file's own position. */
  preadv(fd: number, iov: number, count: number, offset: number): number;
  pwritev(fd: number, iov: number, count: number, offset: number): number;
  ftruncate(fd: number, size: number): number;
  fallocate(fd: number, mode: number, offset: number, len: number): number;
  fsync(fd: number, dataOnly: boolean): number;
  lseek(fd: number, offset: number, whence: number): number;
  /** The size of the file of a descriptor, or -errno. */
  fileSize(fd: number): number;
  /** The fstat(2) data of the file of a descriptor: 0 or -errno. */
  fileStatus(fd: number, out: HostFileStatus): number;
  /** Closes a descriptor. Its watch ends if no other process has the same description. */
  close(fd: number): void;
  /** shutdown(2) of a socket; without this method the other end is not shut down. */
  shutdown?(fd: number, how: number): number;
  /** accept(2) of a listening socket: a non-blocking descriptor, or -errno. */
  accept?(fd: number): number;
  /** ioctl(2) with a pointer to host memory (terminals only). */
  ioctl(fd: number, request: number, addr: number): number;
  /** The poll(2) bits that are set now, or -errno. */
  pollNow(fd: number, events: number): number;

  /**
   * Wakes `waiter` (events = poll bits) when the descriptor reports any of `events`:
   * level-triggered and once, as a report disarms the watch and `arm` arms it again. With EPOLLET
   * in `events` each change is reported and the watch stays armed. A descriptor has one watch.
   */
  watch(fd: number, events: number, waiter: Waiter): number;
  arm(fd: number, events: number): number;
  unwatch(fd: number): void;

  /** The CPUs that the sandbox may use. */
  readonly cpuCount: number;
  /** The bytes of memory that the sandbox may use. */
  readonly memoryBytes: number;
  /** The bytes of memory of the machine: no mapping can be larger. */
  readonly machineBytes: number;
  /** Greatest number of descriptors of this process (RLIMIT_NOFILE). */
  readonly fileLimit: number;
  /** V8's heap; null when it is not measured. */
  readonly heap: KernelHeap | null;
}
