/**
 * What the kernel may ask of its host: clocks, randomness, and I/O on host fds that were given to it. The real
 * one is made in `oci/sandbox` from `ffi/`; tests and the simulator bring their own.
 *
 * Every call returns at once with a result or -errno. Addresses are absolute host addresses (numbers).
 */

import type { KernelHeap } from "./kernel_heap.ts";
import type { Waiter } from "./wait.ts";

/** What fstat(2) says of a file of the host's. */
export interface HostFileStatus {
  size: number;
  /** Of 512 bytes. */
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
  /** CLOCK_MONOTONIC in ns; exact below 2^53 (104 days of uptime), which is what timers use. */
  monotonicNs(): number;
  /** CLOCK_REALTIME: seconds, and nanoseconds in [0, 1e9) by `realtimeNsec` of the same reading. */
  realtimeSec(): number;
  realtimeNsec(): number;
  /** CPU time that a process has used, ns; negative when the host does not tell. */
  processCpuNs(pid: number): number;
  /** CPU time of the kernel's own thread, ns; negative when the host does not tell. */
  kernelCpuNs(): number;
  /** CPU that the calling thread runs on, -1 when the host does not say. */
  currentCpu(): number;
  /** Keep the calling thread off this CPU from now on; -1: it may run on all. */
  avoidCpu(cpu: number): void;
  /** Fill with random bytes. */
  random(buf: Uint8Array<ArrayBuffer>): void;

  read(fd: number, addr: number, len: number): number;
  write(fd: number, addr: number, len: number): number;
  /** iov: host address of a struct iovec array; offset -1 means the file's own position. */
  preadv(fd: number, iov: number, count: number, offset: number): number;
  pwritev(fd: number, iov: number, count: number, offset: number): number;
  ftruncate(fd: number, size: number): number;
  fallocate(fd: number, mode: number, offset: number, len: number): number;
  fsync(fd: number, dataOnly: boolean): number;
  lseek(fd: number, offset: number, whence: number): number;
  /** fstat of a donated fd: size, or -errno. */
  fileSize(fd: number): number;
  /** The same, and more of it: 0 or -errno. */
  fileStatus(fd: number, out: HostFileStatus): number;
  /** The watch of a descriptor that nobody else has ends with it. */
  close(fd: number): void;
  /** shutdown(2) of a socket that was given; where it is missing the other end does not hear of it. */
  shutdown?(fd: number, how: number): number;
  /** accept(2) of a listening socket that was given: a non-blocking descriptor, or -errno. */
  accept?(fd: number): number;
  /** ioctl with a pointer argument to host memory (terminals only). */
  ioctl(fd: number, request: number, addr: number): number;
  /** poll(2) bits that are set now, or -errno. */
  pollNow(fd: number, events: number): number;

  /** Wake `waiter` (events = poll bits) whenever the fd reports any of `events`, level-triggered once:
   * the watch is disarmed by a report and armed again by `arm`. With EPOLLET in `events` it reports each change
   * instead, and stays armed. One watch a fd. */
  watch(fd: number, events: number, waiter: Waiter): number;
  arm(fd: number, events: number): number;
  unwatch(fd: number): void;

  /** CPUs that the sandbox may use. */
  readonly cpuCount: number;
  /** Bytes of memory that the sandbox may use. */
  readonly memoryBytes: number;
  /** Bytes of memory of the machine: what a mapping cannot be larger than. */
  readonly machineBytes: number;
  /** V8's heap; null: it is not measured. */
  readonly heap: KernelHeap | null;
}
