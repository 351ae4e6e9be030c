/**
 * The host of a simulation: virtual time that jumps when no agent is runnable, and late timers. It
 * has no descriptors but those that a Gofer gives. Neighbours: sim_platform.ts runs guests,
 * simulation.ts puts both under a kernel.
 */

import { IoHost } from "../../kernel/testing/io_host.ts";
import type { Random } from "../harness/seeded.ts";

/** LIMIT: looks at the clock in one simulation: a kernel that makes more is in an endless loop. */
const MAX_LOOKS = 3_000_000;
/** How late a sleep may end, and how long guests that run are waited for, ns. */
const LATE_NS = 2_000_000, GUEST_NS = 5_000;

export class SimHost extends IoHost {
  /** Nothing runs and nothing is due: called in place of a sleep without end. */
  onStuck: () => void = () => {};
  /** Whether guest code runs. */
  isGuestRunning: () => boolean = () => false;
  readonly #chance: Random;
  #looks: number = 0;

  constructor(chance: Random, memoryBytes: number, time?: { nowNs: number }) {
    super(chance.below(1 << 30) + 1, time);
    this.#chance = chance;
    this.memoryBytes = memoryBytes;
  }

  /** The host as another kernel sees it. */
  another(): SimHost {
    return new SimHost(this.#chance, this.memoryBytes, this.time);
  }

  /** Goes on as the other host. */
  imitate(other: SimHost): void {
    Object.assign(this, { nowNs: other.nowNs, seed: Reflect.get(other, "seed") });
    this.memoryBytes = other.memoryBytes;
    this.#looks = other.#looks;
  }

  override monotonicNs(): number {
    if (++this.#looks > MAX_LOOKS) throw new Error("the simulation comes to no end");
    return super.monotonicNs();
  }

  override poll(timeoutNs: number): void {
    if (timeoutNs <= 0) return;
    if (this.isGuestRunning()) this.nowNs += Math.min(timeoutNs, GUEST_NS);
    else if (timeoutNs === Infinity) this.onStuck();
    else this.nowNs += timeoutNs + (this.#chance.below(4) === 0 ? this.#chance.below(LATE_NS) : 0);
  }
}
