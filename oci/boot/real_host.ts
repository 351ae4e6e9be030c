/**
 * The kernel's Host: clocks, randomness, I/O on host descriptors that the sandbox was given, and
 * the events of those descriptors. Only here do requests of the kernel become host calls. Each
 * kernel of a process has one, with a clock of its own.
 *
 * Neighbours: kernel/core/host.ts (the contract), host_events.ts (the epoll set, which they share),
 * ffi/ (the calls). Not here: opening anything by name.
 */

import { Stat } from "../../ffi/abi/stat.ts";
import {
  SYS_accept4,
  SYS_fdatasync,
  SYS_getrandom,
  SYS_preadv,
  SYS_pwritev,
  SYS_readv,
  SYS_shutdown,
  SYS_writev,
} from "../../ffi/abi/syscall_numbers.ts";
import { Affinity } from "../../ffi/sys/affinity.ts";
import {
  monotonicNs,
  processCpuNs,
  realtimeNsec,
  realtimeSec,
  threadCpuNs,
} from "../../ffi/sys/clock.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../ffi/abi/socket.ts";
import { descriptorLimit } from "../../ffi/sys/descriptor_limit.ts";
import { check } from "../../ffi/sys/errors.ts";
import {
  close,
  fallocate,
  fstat,
  fsync,
  ftruncate,
  ioctl,
  lseek,
  poll,
  read,
  write,
} from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { Fifo } from "../../kernel/core/fifo.ts";
import type { Host, HostFileStatus } from "../../kernel/core/host.ts";
import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import type { Waiter } from "../../kernel/core/wait.ts";
import type { HostEvents } from "../../kernel/loop_driver.ts";
import type { GuestClock } from "./guest_clock.ts";
import { HostEventSet } from "./host_events.ts";

/** LIMIT: bytes of randomness fetched from the host at once. */
const RANDOM_BYTES = 4096;

export class RealHost implements Host, HostEvents {
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly machineBytes: number;
  readonly fileLimit: number = descriptorLimit();
  readonly heap: KernelHeap | null;
  readonly events: HostEventSet;
  #guestClock: GuestClock | null = null;
  #monotonicOffsetNs: number = 0;
  /** Events that came while `holdEvents` keeps them back. */
  readonly #held: Fifo<HeldEvent> = new Fifo();
  #isHolding: boolean = false;
  readonly #statBuf: Uint8Array<ArrayBuffer> = allocBuffer(256);
  readonly #statDv: DataView = new DataView(this.#statBuf.buffer);
  readonly #statAddr: number = addressOf(this.#statBuf);
  readonly #entropy: Uint8Array<ArrayBuffer> = allocBuffer(RANDOM_BYTES);
  #entropyLeft: number = 0;
  readonly #affinity: Affinity = new Affinity();

  constructor(
    cpuCount: number,
    memoryBytes: number,
    machineBytes: number,
    heap: KernelHeap | null = null,
    events: HostEventSet = new HostEventSet(),
  ) {
    this.events = events;
    this.heap = heap;
    this.cpuCount = cpuCount;
    this.memoryBytes = memoryBytes;
    this.machineBytes = machineBytes;
  }

  /** The host as another kernel of the process sees it. */
  another(): RealHost {
    const { cpuCount, memoryBytes, machineBytes, heap, events } = this;
    return new RealHost(cpuCount, memoryBytes, machineBytes, heap, events);
  }

  /** The kernel is gone: nothing reaches its waiters any more. */
  end(): void {
    this.guestClock = null;
    this.events.unwatchAll(this);
  }

  shutdown(fd: number, how: number): number {
    return syscall(SYS_shutdown, fd, how);
  }

  accept(fd: number): number {
    return syscall(SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }

  monotonicNs(): number {
    return monotonicNs() + this.#monotonicOffsetNs;
  }
  get monotonicOffsetNs(): number {
    return this.#monotonicOffsetNs;
  }
  /** Lets the kernel's clock, and the one that guests read, go on at another time at once. */
  set monotonicOffsetNs(ns: number) {
    this.#monotonicOffsetNs = ns;
    this.#guestClock?.setOffset(ns);
  }
  set guestClock(clock: GuestClock | null) {
    if (this.#guestClock !== null) this.events.removeClock(this.#guestClock);
    if (clock !== null) this.events.addClock(clock);
    this.#guestClock = clock;
    clock?.setOffset(this.#monotonicOffsetNs);
  }
  realtimeSec(): number {
    return realtimeSec();
  }
  realtimeNsec(): number {
    return realtimeNsec();
  }
  processCpuNs(pid: number): number {
    return processCpuNs(pid);
  }

  kernelCpuNs(): number {
    return threadCpuNs();
  }

  currentCpu(): number {
    return this.#affinity.currentCpu();
  }

  avoidCpu(cpu: number): void {
    this.#affinity.avoid(cpu);
  }

  random(buf: Uint8Array<ArrayBuffer>): void {
    for (let done = 0; done < buf.length;) {
      if (this.#entropyLeft === 0) this.#refillEntropy();
      const n = Math.min(this.#entropyLeft, buf.length - done);
      const from = RANDOM_BYTES - this.#entropyLeft;
      buf.set(this.#entropy.subarray(from, from + n), done);
      this.#entropy.fill(0, from, from + n);
      this.#entropyLeft -= n;
      done += n;
    }
  }

  #refillEntropy(): void {
    const addr = addressOf(this.#entropy);
    let done = 0;
    while (done < RANDOM_BYTES) {
      done += check(syscall(SYS_getrandom, addr + done, RANDOM_BYTES - done, 0), "getrandom");
    }
    this.#entropyLeft = RANDOM_BYTES;
  }

  read(fd: number, addr: number, len: number): number {
    return read(fd, addr, len);
  }
  write(fd: number, addr: number, len: number): number {
    return write(fd, addr, len);
  }
  preadv(fd: number, iov: number, count: number, offset: number): number {
    return offset < 0
      ? syscall(SYS_readv, fd, iov, count)
      : syscall(SYS_preadv, fd, iov, count, offset, 0);
  }
  pwritev(fd: number, iov: number, count: number, offset: number): number {
    return offset < 0
      ? syscall(SYS_writev, fd, iov, count)
      : syscall(SYS_pwritev, fd, iov, count, offset, 0);
  }
  ftruncate(fd: number, size: number): number {
    return ftruncate(fd, size);
  }
  fallocate(fd: number, mode: number, offset: number, len: number): number {
    return fallocate(fd, mode, offset, len);
  }
  fsync(fd: number, dataOnly: boolean): number {
    return dataOnly ? syscall(SYS_fdatasync, fd) : fsync(fd);
  }
  lseek(fd: number, offset: number, whence: number): number {
    return lseek(fd, offset, whence);
  }
  fileSize(fd: number): number {
    const r = fstat(fd, this.#statAddr);
    return r < 0 ? r : Number(this.#statDv.getBigInt64(Stat.at.size, true));
  }
  fileStatus(fd: number, out: HostFileStatus): number {
    const r = fstat(fd, this.#statAddr);
    if (r < 0) return r;
    const { at } = Stat, word = (field: number) => Number(this.#statDv.getBigInt64(field, true));
    out.size = word(at.size);
    out.blocks = word(at.blocks);
    out.nlink = word(at.nlink);
    out.atimeSec = word(at.atime);
    out.atimeNsec = word(at.atimeNsec);
    out.mtimeSec = word(at.mtime);
    out.mtimeNsec = word(at.mtimeNsec);
    out.ctimeSec = word(at.ctime);
    out.ctimeNsec = word(at.ctimeNsec);
    return 0;
  }
  close(fd: number): void {
    this.events.forget(fd);
    close(fd);
  }
  ioctl(fd: number, request: number, addr: number): number {
    return ioctl(fd, request, addr);
  }
  pollNow(fd: number, events: number): number {
    return poll(fd, events, 0);
  }

  watch(fd: number, events: number, waiter: Waiter): number {
    return this.events.watch(fd, events, waiter, this);
  }
  arm(fd: number, events: number): number {
    return this.events.arm(fd, events);
  }
  unwatch(fd: number): void {
    this.events.unwatch(fd);
  }

  /** The event set calls this for each event. */
  deliver(fd: number, events: number, waiter: Waiter): void {
    if (this.#isHolding) this.#held.push({ fd, events, waiter });
    else waiter.onWake(events);
  }

  holdEvents(isHeld: boolean): void {
    this.#isHolding = isHeld;
    if (isHeld) return;
    for (let held = this.#held.shift(); held !== undefined; held = this.#held.shift()) {
      const { fd, events, waiter } = held;
      if (this.events.waiterOf(fd) === waiter) waiter.onWake(events);
    }
  }

  /** Dispatches events of all kernels; waits at most `timeoutNs` for the first one. */
  poll(timeoutNs: number): void {
    this.events.poll(timeoutNs);
  }
}

interface HeldEvent {
  readonly fd: number;
  readonly events: number;
  readonly waiter: Waiter;
}
