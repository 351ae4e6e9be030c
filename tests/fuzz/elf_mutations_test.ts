/**
 * Seeded mutations of a real ELF file, run one after the other in one sandbox: the loader refuses
 * them or they end in some way, and the sandbox survives each. `elf_mutations.py` is the driver. A
 * failure prints the seed.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, type PlatformName, ROOT, runIn } from "../harness/dvisor.ts";
import { fuzzSeconds, fuzzSeed } from "../harness/fuzz_run.ts";
import { isFull, named, PYTHON } from "../harness/machine.ts";

const SEED = fuzzSeed(2024);
const PLATFORMS = ["systrap", "ptrace"] as const;
const COUNTS = { systrap: 2000, ptrace: 200 } as const;
/** Seconds for each platform; null for a number of mutants. */
const SECONDS = fuzzSeconds(PLATFORMS.length);
/** More mutants than any time is enough for. */
const NO_COUNT = 1e9;
/** LIMIT: seconds for all of them, or beyond their time. */
const TIMEOUT_S = 240;

async function surviveMutants(platform: PlatformName, seed: number, count: number): Promise<void> {
  const driver = `${ROOT}/tests/fuzz/elf_mutations.py`;
  const argv = [PYTHON ?? "", "-B", driver, `${seed}`, `${count}`, "/bin/true"];
  if (SECONDS !== null) argv.push(`${SECONDS}`);
  const result = await runIn(platform, argv, { timeoutS: TIMEOUT_S + (SECONDS ?? 0) });
  assertEquals(result.code, 0, `seed ${seed}: ${describe(result)}`);
  assert(/^done$/m.test(result.stdout), `seed ${seed}: ${describe(result)}`);
  assert(!/bug in dvisor/.test(result.stderr), `seed ${seed}: ${describe(result)}`);
  console.log(result.stdout.trimEnd());
}

for (const platform of PLATFORMS) {
  const count = SECONDS === null ? COUNTS[platform] : NO_COUNT;
  Deno.test({
    ...named(
      `${platform}: the sandbox survives mutations of an ELF`,
      PYTHON === null ? "no python3 on this machine" : null,
    ),
    fn: async (t) => {
      const seeds = isFull && SECONDS === null
        ? [SEED, SEED + 1, SEED + 2, SEED + 3, SEED + 4]
        : [SEED];
      for (const seed of seeds) {
        await t.step(`seed ${seed}`, () => surviveMutants(platform, seed, count));
      }
    },
  });
}
