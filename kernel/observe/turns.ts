/**
 * --turns: the longest turns of the kernel's loop, by what they did. A turn is what the only thread
 * does without letting another task go first: one run of a call's handler, one fault, the timers
 * that are due, a slice of housekeeping.
 *
 * The clock is read once a turn, and only with this option: without it the loop tests one field.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";

/** Turns longer than this are counted by themselves, ns. */
const LONG_NS = 2_000_000;
/** Lines of a report. */
const SHOWN = 40;

/** Names of turns that are no system call. */
export type TurnKind =
  | "fault"
  | "registers"
  | "death"
  | "resume"
  | "worker"
  | "timers"
  | "tick"
  | "events"
  | "deferred"
  | "reclaim";

/** All turns of one name. */
export class TurnTally {
  count: number = 0;
  totalNs: number = 0;
  longestNs: number = 0;
  /** Those of more than 2 ms. */
  long: number = 0;

  add(ns: number): void {
    this.count++;
    this.totalNs += ns;
    if (ns > this.longestNs) this.longestNs = ns;
    if (ns > LONG_NS) this.long++;
  }
}

export class TurnLog {
  readonly tallies: Map<string, TurnTally> = new Map();
  private readonly now: () => number;
  private sinceNs: number = 0;

  /**
   * `now`: a clock in ns; CPU time of the loop's thread, so that what else the host runs does not
   * count.
   */
  constructor(now: () => number) {
    this.now = now;
  }

  /** A turn begins. */
  begin(): void {
    this.sinceNs = this.now();
  }

  /** It ends. `nr`: of the system call, or -1. The next one begins. */
  end(kind: TurnKind, nr: number): void {
    const now = this.now();
    this.add(nr < 0 ? kind : NAMES[nr] ?? `call ${nr}`, now - this.sinceNs);
    this.sinceNs = now;
  }

  add(name: string, ns: number): void {
    let tally = this.tallies.get(name);
    if (tally === undefined) this.tallies.set(name, tally = new TurnTally());
    tally.add(ns);
  }

  /** The names with the longest turns first, a line each. */
  report(): string[] {
    const all = [...this.tallies].sort(([, a], [, b]) => b.longestNs - a.longestNs);
    return all.slice(0, SHOWN).map(([name, t]) =>
      `turns: ${name}: longest ${micros(t.longestNs)} us, ${t.long} of ${t.count} over 2 ms, ` +
      `mean ${micros(t.totalNs / t.count)} us`
    );
  }
}

function micros(ns: number): string {
  return (ns / 1000).toFixed(1);
}
