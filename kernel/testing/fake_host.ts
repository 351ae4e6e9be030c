/** A host for unit tests: a clock that moves by itself, seeded randomness, and no descriptors. */

import { EBADF } from "../../ffi/abi/errno.ts";
import type { Host } from "../core/host.ts";
import type { Waiter } from "../core/wait.ts";

export class FakeHost implements Host {
  nowNs: number = 1_000_000_000;
  readonly cpuCount = 1;
  memoryBytes: number = 8 * 2 ** 30;
  private seed: number;

  constructor(seed: number = 1) {
    this.seed = seed;
  }

  monotonicNs(): number {
    return this.nowNs += 1000;
  }
  realtimeSec(): number {
    return Math.floor(this.nowNs / 1e9);
  }
  realtimeNsec(): number {
    return this.nowNs % 1e9;
  }
  cpuNs(): number {
    return this.nowNs;
  }
  random(buf: Uint8Array<ArrayBuffer>): void {
    for (let i = 0; i < buf.length; i++) {
      this.seed = Math.imul(this.seed, 1664525) + 1013904223 >>> 0;
      buf[i] = this.seed >>> 24;
    }
  }
  read(): number {
    return -EBADF;
  }
  write(): number {
    return -EBADF;
  }
  preadv(): number {
    return -EBADF;
  }
  pwritev(): number {
    return -EBADF;
  }
  ftruncate(): number {
    return -EBADF;
  }
  fallocate(): number {
    return -EBADF;
  }
  fsync(): number {
    return -EBADF;
  }
  lseek(): number {
    return -EBADF;
  }
  fileSize(): number {
    return -EBADF;
  }
  close(): void {}
  ioctl(): number {
    return -EBADF;
  }
  pollNow(): number {
    return -EBADF;
  }
  watch(_fd: number, _events: number, _waiter: Waiter): number {
    return -EBADF;
  }
  arm(): number {
    return -EBADF;
  }
  unwatch(): void {}
}
