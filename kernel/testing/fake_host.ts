/** A host for unit tests: a clock that moves by itself, seeded randomness, and no descriptors. */

import { EBADF } from "../../ffi/abi/errno.ts";
import type { Host, HostFileStatus } from "../core/host.ts";
import type { Waiter } from "../core/wait.ts";
import type { HostEvents } from "../loop_driver.ts";

export class FakeHost implements Host, HostEvents {
  /** The CPU time that `processCpuNs` returns for each process, ns. */
  readonly cpuNsOf: Map<number, number> = new Map();
  /** The host's CLOCK_MONOTONIC, which views of the same host share. */
  protected readonly time: { nowNs: number };
  monotonicOffsetNs: number = 0;
  readonly cpuCount = 1;
  memoryBytes: number = 8 * 2 ** 30;
  machineBytes: number = 8 * 2 ** 30;
  fileLimit: number = 1 << 20;
  readonly heap = null;
  private seed: number;

  constructor(seed: number = 1, time: { nowNs: number } = { nowNs: 1_000_000_000 }) {
    this.seed = seed;
    this.time = time;
  }

  get nowNs(): number {
    return this.time.nowNs;
  }
  set nowNs(ns: number) {
    this.time.nowNs = ns;
  }

  monotonicNs(): number {
    this.nowNs += 1000;
    return this.nowNs + this.monotonicOffsetNs;
  }
  holdEvents(_isHeld: boolean): void {}
  end(): void {}
  realtimeSec(): number {
    return Math.floor(this.nowNs / 1e9);
  }
  realtimeNsec(): number {
    return this.nowNs % 1e9;
  }
  processCpuNs(pid: number): number {
    return this.cpuNsOf.get(pid) ?? -1;
  }
  kernelCpuNs(): number {
    return this.nowNs;
  }
  currentCpu(): number {
    return -1;
  }
  avoidCpu(_cpu: number): void {}
  random(buf: Uint8Array<ArrayBuffer>): void {
    for (let i = 0; i < buf.length; i++) {
      this.seed = Math.imul(this.seed, 1664525) + 1013904223 >>> 0;
      buf[i] = this.seed >>> 24;
    }
  }
  read(_fd: number, _addr: number, _len: number): number {
    return -EBADF;
  }
  write(_fd: number, _addr: number, _len: number): number {
    return -EBADF;
  }
  preadv(_fd: number, _iov: number, _count: number, _offset: number): number {
    return -EBADF;
  }
  pwritev(_fd: number, _iov: number, _count: number, _offset: number): number {
    return -EBADF;
  }
  ftruncate(_fd: number, _size: number): number {
    return -EBADF;
  }
  fallocate(_fd: number, _mode: number, _offset: number, _len: number): number {
    return -EBADF;
  }
  fsync(_fd: number, _dataOnly: boolean): number {
    return -EBADF;
  }
  lseek(_fd: number, _offset: number, _whence: number): number {
    return -EBADF;
  }
  fileSize(_fd: number): number {
    return -EBADF;
  }
  fileStatus(_fd: number, _out: HostFileStatus): number {
    return -EBADF;
  }
  close(_fd: number): void {}
  ioctl(_fd: number, _request: number, _addr: number): number {
    return -EBADF;
  }
  pollNow(_fd: number, _events: number): number {
    return -EBADF;
  }
  watch(_fd: number, _events: number, _waiter: Waiter): number {
    return -EBADF;
  }
  arm(_fd: number, _events: number): number {
    return -EBADF;
  }
  unwatch(_fd: number): void {}
  poll(_timeoutNs: number): void {}
}
