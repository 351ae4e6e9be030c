/**
 * Spreads a computation over 20 sandboxes, a few at a time, with a progress bar. Each sandbox is
 * small and ends when its part is done; ^C ends them all. The bar is for a terminal alone.
 *
 *     deno task example fan_out [AT-ONCE]
 */

import { NotFoundError, Sandbox } from "../../mod.ts";

const PARTS = 20, NUMBERS = 20_000;
const LIMITS = { memoryBytes: 64 << 20, pids: 16, diskBytes: 1 << 20 };
const TIME_MS = 60_000;

/** Counts the primes from FIRST below LIMIT. */
const PROGRAM = `
BEGIN {
  for (n = FIRST; n < LIMIT; n++) {
    if (n < 2) continue
    for (d = 2; d * d <= n; d++) if (n % d == 0) break
    if (d * d > n) count++
  }
  print count + 0
}`;

/** A line that shows how much is done, on a terminal alone. */
class ProgressBar {
  readonly #total: number;
  #done = 0;

  constructor(total: number) {
    this.#total = total;
    this.#show();
  }

  add(): void {
    this.#done++;
    this.#show();
  }

  #show(): void {
    if (!Deno.stderr.isTerminal()) return;
    const bar = "#".repeat(this.#done).padEnd(this.#total, ".");
    const end = this.#done === this.#total ? "\n" : "";
    Deno.stderr.writeSync(new TextEncoder().encode(`\r[${bar}] ${this.#done}${end}`));
  }
}

/** The primes of a part. */
async function count(part: number, signal: AbortSignal): Promise<number> {
  const size = NUMBERS / PARTS, first = part * size;
  await using box = await Sandbox.create({ ...LIMITS, signal });
  const argv = ["awk", "-v", `FIRST=${first}`, "-v", `LIMIT=${first + size}`, PROGRAM];
  const { code, reason, text, errorText } = await box.exec(argv, { timeoutMs: TIME_MS, signal });
  if (code !== 0) throw new Error(`part ${part} ended by ${reason}: ${errorText}`);
  return Number(text);
}

/** All results of `work`, in order, a few calls at a time. The first error ends the others. */
async function mapAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, signal: AbortSignal) => Promise<number>,
  signal: AbortSignal,
): Promise<number[]> {
  const failure = new AbortController(), either = AbortSignal.any([signal, failure.signal]);
  const results: number[] = [], waiting = items.entries();
  const worker = async () => {
    for (const [i, item] of waiting) {
      try {
        results[i] = await work(item, either);
      } catch (error) {
        failure.abort(error);
        throw either.reason;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}

async function main(atOnce: number): Promise<void> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new Error("interrupted"));
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    const bar = new ProgressBar(PARTS), parts = Array.from({ length: PARTS }, (_, i) => i);
    const counts = await mapAtOnce(parts, atOnce, async (part, signal) => {
      const primes = await count(part, signal);
      bar.add();
      return primes;
    }, interrupt.signal);
    console.log(counts.join(" "));
    const sum = counts.reduce((a, b) => a + b);
    console.log(`${sum} primes below ${NUMBERS}, counted in ${PARTS} sandboxes`);
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

if (import.meta.main) {
  const atOnce = Number(Deno.args[0] ?? 4);
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    console.error("usage: fan_out [AT-ONCE], a number from 1");
    Deno.exit(2);
  }
  try {
    await main(atOnce);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(error instanceof NotFoundError ? 2 : 1);
  }
}
