/** The CPU of the calling thread: getcpu(2), and a CPU that it avoids, sched_setaffinity(2). */

import {
  SYS_getcpu,
  SYS_sched_getaffinity,
  SYS_sched_setaffinity,
} from "../abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "./cstring.ts";
import { syscall } from "./native.ts";

/** LIMIT: bytes of a mask, for 2,048 CPUs. */
const MASK_BYTES = 256;

export class Affinity {
  readonly #bytes = allocBuffer(MASK_BYTES);
  readonly #dv = new DataView(this.#bytes.buffer);
  readonly #address = addressOf(this.#bytes);
  /** CPUs that the thread may use, a bit each; empty if the host gives none. */
  readonly #allowed: Uint8Array;

  constructor() {
    const count = syscall(SYS_sched_getaffinity, 0, MASK_BYTES, this.#address);
    this.#allowed = this.#bytes.slice(0, Math.max(0, count));
  }

  /** The CPU that the thread is on; -1 if the host gives none. */
  currentCpu(): number {
    return syscall(SYS_getcpu, this.#address, 0) < 0 ? -1 : this.#dv.getUint32(0, true);
  }

  /**
   * Restricts the thread to its allowed CPUs except this one; without another one it stays as it
   * is. -1: all of them.
   */
  avoid(cpu: number): void {
    const mask = this.#bytes.subarray(0, this.#allowed.length);
    mask.set(this.#allowed);
    if (cpu >= 0 && cpu < 8 * mask.length) mask[cpu >> 3]! &= ~(1 << (cpu & 7));
    syscall(SYS_sched_setaffinity, 0, mask.length, this.#address);
  }
}
