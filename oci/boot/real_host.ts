/**
 * The kernel's Host: clocks, randomness, I/O on host descriptors that the sandbox was given, and
 * the events of those descriptors. Only here do requests of the kernel become host calls.
 *
 * Neighbours: kernel/core/host.ts (the contract), ffi/ (the calls). Not here: opening anything by
 * name.
 */

import { EEXIST, ENOENT } from "../../ffi/abi/errno.ts";
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
import { EPOLLET, EPOLLIN, EPOLLONESHOT } from "../../ffi/abi/epoll.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
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
import type { Host, HostFileStatus } from "../../kernel/core/host.ts";
import type { KernelHeap } from "../../kernel/core/kernel_heap.ts";
import type { Waiter } from "../../kernel/core/wait.ts";
import type { HostEvents } from "../../kernel/loop.ts";
import type { GuestClock } from "./guest_clock.ts";
import { IdleCollector, REST_NS } from "./v8_heap.ts";

/** Token of the platform's doorbell; all others are fds. */
const DOORBELL = 0xffffffff;
/** LIMIT: bytes of randomness fetched from the host at once. */
const RANDOM_BYTES = 4096;

export class RealHost implements Host, HostEvents {
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly machineBytes: number;
  readonly fileLimit: number = descriptorLimit();
  readonly heap: KernelHeap | null;
  #guestClock: GuestClock | null = null;
  #monotonicOffsetNs: number = 0;
  /** Called before a sleep. */
  beforeSleep: (() => void) | null = null;
  /** Called when the sandbox has been idle for a while after work: caches may be dropped. */
  onRest: (() => void) | null = null;
  readonly #epoll: Epoll = new Epoll();
  /** Has the platform's doorbell alone. */
  readonly #bell: Epoll = new Epoll(1);
  readonly #idleCollector: IdleCollector = new IdleCollector();
  /** By fd. */
  readonly #watches: (Waiter | null)[] = [];
  readonly #statBuf: Uint8Array<ArrayBuffer> = allocBuffer(256);
  readonly #statDv: DataView = new DataView(this.#statBuf.buffer);
  readonly #statAddr: number = addressOf(this.#statBuf);
  readonly #entropy: Uint8Array<ArrayBuffer> = allocBuffer(RANDOM_BYTES);
  #entropyLeft: number = 0;
  /**
   * Events of the last wait, and the number of them that were dispatched: an exception of one must
   * not lose the others.
   */
  #found: number = 0;
  #dispatched: number = 0;
  readonly #affinity: Affinity = new Affinity();

  constructor(
    cpuCount: number,
    memoryBytes: number,
    machineBytes: number,
    heap: KernelHeap | null = null,
  ) {
    this.heap = heap;
    this.cpuCount = cpuCount;
    this.memoryBytes = memoryBytes;
    this.machineBytes = machineBytes;
  }

  shutdown(fd: number, how: number): number {
    return syscall(SYS_shutdown, fd, how);
  }

  accept(fd: number): number {
    return syscall(SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  }

  /** Watches the platform's doorbell, which only ends a sleep. */
  watchDoorbell(fd: number): void {
    for (const epoll of [this.#epoll, this.#bell]) {
      check(epoll.add(fd, EPOLLIN | EPOLLET, DOORBELL), "epoll_ctl doorbell");
    }
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
  /** `poll` updates it; the loop calls that often while it is awake. */
  set guestClock(clock: GuestClock | null) {
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
    if (fd < this.#watches.length) this.#watches[fd] = null;
    close(fd);
  }
  ioctl(fd: number, request: number, addr: number): number {
    return ioctl(fd, request, addr);
  }
  pollNow(fd: number, events: number): number {
    return poll(fd, events, 0);
  }

  watch(fd: number, events: number, waiter: Waiter): number {
    if ((this.#watches[fd] ?? null) !== null) return -EEXIST;
    const isEdge = (events & EPOLLET) !== 0;
    const r = this.#epoll.add(fd, isEdge ? events : events | EPOLLONESHOT, fd);
    if (r < 0) return r;
    while (this.#watches.length <= fd) this.#watches.push(null);
    this.#watches[fd] = waiter;
    return 0;
  }
  arm(fd: number, events: number): number {
    return (this.#watches[fd] ?? null) === null
      ? -ENOENT
      : this.#epoll.mod(fd, events | EPOLLONESHOT, fd);
  }
  unwatch(fd: number): void {
    if ((this.#watches[fd] ?? null) === null) return;
    this.#watches[fd] = null;
    this.#epoll.del(fd);
  }

  awaitDoorbell(timeoutNs: number): void {
    this.#bell.waitNs(timeoutNs);
  }

  /** Returns the number of events. If a collection is due, a long sleep begins with it. */
  #wait(timeoutNs: number): number {
    let left = timeoutNs;
    if (left > REST_NS && this.#idleCollector.isDue) {
      const n = this.#epoll.waitNs(REST_NS);
      if (n > 0) return n;
      if (this.onRest !== null) this.onRest();
      this.#idleCollector.collect();
      left -= REST_NS;
    }
    return left === Infinity ? this.#epoll.wait(-1) : this.#epoll.waitNs(left);
  }

  /** Dispatches events; waits at most `timeoutNs` for the first one. */
  poll(timeoutNs: number): void {
    if (timeoutNs > 0 && this.beforeSleep !== null) this.beforeSleep();
    if (this.#dispatched === this.#found) {
      this.#dispatched = 0;
      this.#found = Math.max(0, this.#wait(timeoutNs));
    }
    if (this.#guestClock !== null) this.#guestClock.tick(monotonicNs());
    while (this.#dispatched < this.#found) {
      const i = this.#dispatched++, token = this.#epoll.token(i);
      if (token === DOORBELL) continue;
      this.#watches[token]?.onWake(this.#epoll.events(i));
    }
  }
}
