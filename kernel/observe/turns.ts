/**
 * --turns: the longest turns of the kernel's loop, by kind. A turn is what the kernel's thread does
 * before it can serve another task: one run of a handler, one fault, the timers that are due, a
 * slice of housekeeping.
 *
 * kernel/turn_server.ts reads the clock once a turn, and only with this option; without it the loop
 * tests one field.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";

/** Turns longer than this are counted separately, ns. */
const LONG_NS = 2_000_000;
/** The lines of a report. */
const SHOWN = 40;

/** The names of turns other than system calls. */
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
class TurnTally {
  count: number = 0;
  totalNs: number = 0;
  longestNs: number = 0;
  /** The turns of more than 2 ms. */
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
   * `now`: a clock in ns. It is the CPU time of the loop's thread, so that other programs of the
   * host do not count.
   */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Starts a turn. */
  begin(): void {
    this.sinceNs = this.now();
  }

  /** Ends a turn and starts the next one. `nr`: the system call's number, or -1. */
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

  /** One line for each name, those with the longest turns first. */
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
