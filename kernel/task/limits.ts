/** Resource limits of a process: getrlimit(2). Infinity stands for RLIM_INFINITY. */

export const RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_DATA = 2, RLIMIT_STACK = 3, RLIMIT_CORE = 4;
export const RLIMIT_RSS = 5, RLIMIT_NPROC = 6, RLIMIT_NOFILE = 7, RLIMIT_MEMLOCK = 8;
export const RLIMIT_AS = 9, RLIMIT_LOCKS = 10, RLIMIT_SIGPENDING = 11, RLIMIT_MSGQUEUE = 12;
export const RLIMIT_NICE = 13, RLIMIT_RTPRIO = 14, RLIMIT_RTTIME = 15, RLIM_NLIMITS = 16;

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
