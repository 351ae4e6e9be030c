/**
 * Runs a fuzzer of tests/fuzz as a guest: its seeds, its time limit, and output that means a
 * failure. Each fuzzer has a test file.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, type PlatformName, ROOT, runIn } from "../harness/dvisor.ts";
import { fuzzSeconds, fuzzSeed } from "../harness/fuzz_run.ts";
import { isFull, named, PYTHON } from "../harness/machine.ts";

/** LIMIT: seconds beyond the fuzzer's own until it counts as hung. */
const PATIENCE_S = 40;

/** The seed in `DVISOR_SEED`; else fixed ones, and in the full run one that is random. */
export function seeds(full: readonly number[]): number[] {
  if (Deno.env.has("DVISOR_SEED")) return [fuzzSeed()];
  return isFull ? [...full, Math.floor(Math.random() * 2 ** 31)] : [1];
}

/**
 * How long one seed runs: what `deno task fuzz` says, shared by `parts` tests of the file, ten
 * minutes for two seeds in the full run, else some seconds.
 */
export function secondsOf(full: number, short: number, parts: number = 1): number {
  return Math.ceil(fuzzSeconds(parts) ?? (isFull ? full : short));
}

interface Fuzzer {
  /** Of tests/fuzz. */
  readonly script: string;
  readonly stdin?: string;
  /** Calls (or steps) that it makes at least. */
  readonly least: number;
}

/**
 * The kernel outlives the fuzzer, no call keeps it busy for long, and it logs no fault of its own.
 */
export async function fuzz(
  platform: PlatformName,
  { script, stdin, least }: Fuzzer,
  seed: number,
  seconds: number,
): Promise<void> {
  const argv = [PYTHON ?? "", "-B", `${ROOT}/tests/fuzz/${script}`, `${seed}`, `${seconds}`];
  const options = { timeoutS: seconds + PATIENCE_S, ...(stdin === undefined ? {} : { stdin }) };
  const result = await runIn(platform, argv, options);
  const what = `seed ${seed}: ${describe(result)}`;
  assertEquals(result.code, 0, what);
  assert(/^done$/m.test(result.stdout), what);
  assert(!/^stall/m.test(result.stdout), what);
  assert(!/bug in dvisor|panic/i.test(result.stderr), what);
  assert(Number(/^calls (\d+)/m.exec(result.stdout)?.[1]) > least, what);
}

/** A test of one fuzzer: some seconds, or in the full run ten minutes. */
export function testFuzzer(name: string, fuzzer: Fuzzer): void {
  Deno.test({
    ...named(name, PYTHON === null ? "no python3 on this machine" : null),
    fn: async (t) => {
      for (const seed of seeds([1])) {
        await t.step(`seed ${seed}`, () => fuzz("systrap", fuzzer, seed, secondsOf(300, 4)));
      }
    },
  });
}
