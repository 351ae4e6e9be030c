/**
 * Updates the vDSO's data page: relates the time stamp counter to the host's clocks, once a second.
 *
 * The clock that guests see never steps back unless its offset does: when the extrapolation ran
 * ahead of the host, it is slowed down until the host has caught up. Neighbour: vdso.ts reads this
 * page.
 */

import { copyFromBuffer, store32 } from "../../ffi/mem/native_memory.ts";
import { CLOCK } from "./vdso.ts";

/** One reading of all clocks of the host, as close together as possible. */
export interface ClockReading {
  /** Time stamp counter. */
  tsc: number;
  monotonicNs: number;
  realtimeSec: number;
  realtimeNsec: number;
}

/** LIMIT: shorter baselines give no useful rate. */
const MIN_BASELINE_NS = 50_000_000;
/** LIMIT: how much the guest's clock may be slowed to let the host catch up. */
const MAX_SLEW = 0.01;
const NS_PER_SEC = 1_000_000_000;

export class ClockPage {
  readonly #page: number;
  readonly #first: ClockReading;
  readonly #buf: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  readonly #dv: DataView = new DataView(this.#buf.buffer);
  /** The guests' CLOCK_MONOTONIC less the host's, ns; the next update shows it. */
  offsetNs: number = 0;
  #seq: number = 0;
  /** Base of the guests' extrapolation: counter and the host's monotonic ns, ns a tick. */
  #baseTsc: number = 0;
  #baseNs: number = 0;
  #rate: number = 0;

  /**
   * @param page host address of the data page, zero filled: guests make system calls until a rate
   * is known
   */
  constructor(page: number, first: ClockReading) {
    this.#page = page;
    this.#first = first;
  }

  /** Uses a new reading; to be called about once a second. */
  update(now: ClockReading): void {
    const ticks = now.tsc - this.#first.tsc;
    const elapsed = now.monotonicNs - this.#first.monotonicNs;
    if (elapsed < MIN_BASELINE_NS || ticks <= 0) return;
    const trueRate = elapsed / ticks;
    let startNs = now.monotonicNs, rate = trueRate;
    if (this.#rate !== 0) {
      const shown = this.#baseNs + (now.tsc - this.#baseTsc) * this.#rate;
      const ahead = shown - now.monotonicNs;
      if (ahead > 0) {
        startNs = shown;
        rate = trueRate * (1 - Math.min(MAX_SLEW, ahead / NS_PER_SEC));
      }
    }
    this.#publish(now, startNs, rate);
  }

  #publish(now: ClockReading, startNs: number, rate: number): void {
    const shift = startNs - now.monotonicNs, monotonicNs = startNs + this.offsetNs;
    let sec = now.realtimeSec, nsec = now.realtimeNsec + shift;
    sec += Math.floor(nsec / NS_PER_SEC);
    nsec -= Math.floor(nsec / NS_PER_SEC) * NS_PER_SEC;
    this.#baseTsc = now.tsc;
    this.#baseNs = startNs;
    this.#rate = rate;
    this.#put(CLOCK.usable, 1);
    this.#put(CLOCK.tsc, now.tsc);
    this.#put(CLOCK.mult, Math.round(rate * 0x100000000));
    this.#put(CLOCK.monotonic, Math.floor(monotonicNs / NS_PER_SEC));
    this.#put(CLOCK.monotonic + 8, Math.floor(monotonicNs % NS_PER_SEC));
    this.#put(CLOCK.realtime, sec);
    this.#put(CLOCK.realtime + 8, Math.floor(nsec));
    // The sequence is odd while the rest changes; native stores keep their order.
    store32(this.#page + CLOCK.seq, ++this.#seq);
    copyFromBuffer(this.#page + CLOCK.usable, this.#buf, CLOCK.usable, 56 - CLOCK.usable);
    store32(this.#page + CLOCK.seq, ++this.#seq);
  }

  #put(at: number, value: number): void {
    this.#dv.setUint32(at, value % 0x100000000, true);
    if (at !== CLOCK.usable) this.#dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
  }
}
