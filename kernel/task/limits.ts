/** Resource limits of a process: getrlimit(2). Infinity stands for RLIM_INFINITY. */

import {
  RLIM_NLIMITS,
  RLIMIT_CORE,
  RLIMIT_MEMLOCK,
  RLIMIT_MSGQUEUE,
  RLIMIT_NICE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
  RLIMIT_RTPRIO,
  RLIMIT_SIGPENDING,
  RLIMIT_STACK,
} from "../../ffi/abi/resource.ts";

export class Limits {
  readonly soft: number[];
  readonly hard: number[];

  constructor(from: Limits | null) {
    if (from !== null) {
      this.soft = from.soft.slice();
      this.hard = from.hard.slice();
      return;
    }
    this.soft = new Array<number>(RLIM_NLIMITS).fill(Infinity);
    this.hard = new Array<number>(RLIM_NLIMITS).fill(Infinity);
    this.set(RLIMIT_STACK, 8 << 20, Infinity);
    this.set(RLIMIT_CORE, 0, Infinity);
    this.set(RLIMIT_NPROC, 32768, 32768);
    this.set(RLIMIT_NOFILE, 1024, 1048576);
    this.set(RLIMIT_MEMLOCK, 8 << 20, 8 << 20);
    this.set(RLIMIT_SIGPENDING, 32768, 32768);
    this.set(RLIMIT_MSGQUEUE, 819200, 819200);
    this.set(RLIMIT_NICE, 0, 0);
    this.set(RLIMIT_RTPRIO, 0, 0);
  }

  set(which: number, soft: number, hard: number): void {
    this.soft[which] = soft;
    this.hard[which] = hard;
  }

  get(which: number): number {
    return this.soft[which] ?? Infinity;
  }
}
