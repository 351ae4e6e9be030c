/**
 * How long a fuzz target runs and with which seed: what `deno task fuzz` says (`DVISOR_SEED`,
 * `DVISOR_FUZZ_SECONDS`), else a fixed number of cases with a fixed seed. Not a test.
 *
 * A case has a seed of its own, made of the target's name, the seed and the case's number, so that
 * each can be run alone: `DVISOR_SEED=N DVISOR_FUZZ_CASE=N deno test -A FILE`.
 */

import { isFull } from "./machine.ts";
import { Random, seedOf } from "./seeded.ts";

const CI_SEED = 1;

function numberIn(name: string): number | null {
  const text = Deno.env.get(name);
  if (text === undefined) return null;
  const value = Number(text);
  if (text === "" || !(value >= 0)) throw new Error(`${name} is "${text}", not a number`);
  return value;
}

/** The seed of this run. */
export function fuzzSeed(ci: number = CI_SEED): number {
  return numberIn("DVISOR_SEED") ?? ci;
}

/** Seconds that one of `parts` equal parts of a target gets; null: it has no time, but a count. */
export function fuzzSeconds(parts: number = 1): number | null {
  const seconds = numberIn("DVISOR_FUZZ_SECONDS");
  return seconds === null ? null : seconds / parts;
}

/** How many cases are run where no time is given. */
interface CaseCounts {
  readonly ci: number;
  readonly full: number;
}

interface CaseOptions extends CaseCounts {
  /** Tests of the same target, in the same file, that share its time. */
  readonly parts?: number;
}

/**
 * Runs cases until the time or their number is over, and prints the seed and how many there were.
 *
 * @throws Error that names the seed and the case which failed
 */
export async function runCases(
  name: string,
  { ci, full, parts }: CaseOptions,
  run: (random: Random) => void | Promise<void>,
): Promise<void> {
  const seed = fuzzSeed(), seconds = fuzzSeconds(parts), only = numberIn("DVISOR_FUZZ_CASE");
  console.log(`${name}: seed ${seed}`);
  if (only !== null) return await runCase(name, seed, only, run);
  const count = seconds === null ? isFull ? full : ci : Infinity;
  const start = performance.now(), end = start + (seconds ?? Infinity) * 1000;
  let done = 0;
  // Some cases at least, whatever the time.
  for (; done < count && (done === 0 || performance.now() < end); done++) {
    await runCase(name, seed, done, run);
  }
  console.log(`${name}: ${done} cases in ${Math.round((performance.now() - start) / 1000)} s`);
}

async function runCase(
  name: string,
  seed: number,
  at: number,
  run: (random: Random) => void | Promise<void>,
): Promise<void> {
  try {
    await run(new Random(seedOf(name, seed, at)));
  } catch (cause) {
    const again = `DVISOR_SEED=${seed} DVISOR_FUZZ_CASE=${at}`;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name}, case ${at} of seed ${seed} (${again}): ${message}`, { cause });
  }
}
