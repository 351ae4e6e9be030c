/**
 * What the Sentry does with its own memory when the sandbox has nothing to do: the garbage of its
 * work goes back to the host. The loop is one task of V8 that never ends, so V8 has no idle time of
 * its own to shrink its heap in; malloc keeps holes whatever happens.
 *
 * Not here: memory of guests (kernel/mm gives it back, the last of it at `RealHost.onRest`).
 */

import { ownCpuNs } from "../../ffi/sys/clock.ts";
import { trimHeap } from "../../ffi/sys/native.ts";
import { collectGarbage } from "./v8_heap.ts";

/** A sleep of this long is a rest. */
export const REST_NS = 1_000_000_000;
/** CPU time of the Sentry since the last collection that makes another one worth its 50 ms. */
const WORK_NS = 1_000_000_000;

export class Rest {
  readonly #workNs: number;
  /** Its start leaves garbage too. */
  #cpuNs: number = -Infinity;

  constructor(workNs: number = WORK_NS) {
    this.#workNs = workNs;
  }

  /** Whether there is garbage enough to look out for a rest. */
  get isDue(): boolean {
    return ownCpuNs() - this.#cpuNs >= this.#workNs;
  }

  /** The sandbox has rested for `REST_NS`. */
  take(): void {
    collectGarbage("last-resort");
    trimHeap();
    this.#cpuNs = ownCpuNs();
  }
}
