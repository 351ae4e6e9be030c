/**
 * Seeded mutations of a real ELF, run one after the other in one sandbox: the loader refuses them or they run into
 * whatever end, and the sandbox survives every one. `elf_mutations.py` is the driver. A failure prints the seed.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, type PlatformName, ROOT, runIn } from "../harness/dvisor.ts";
import { isFull, named, PYTHON } from "../harness/machine.ts";

const SEED = Number(Deno.env.get("DVISOR_SEED") ?? 2024);
const COUNTS = { systrap: 2000, ptrace: 200 } as const;
/** LIMIT: seconds for all of them. */
const TIMEOUT_S = 240;

async function surviveMutants(platform: PlatformName, seed: number, count: number): Promise<void> {
  const driver = `${ROOT}/tests/fuzz/elf_mutations.py`;
  const argv = [PYTHON ?? "", "-B", driver, String(seed), String(count), "/bin/true"];
  const result = await runIn(platform, argv, { timeoutS: TIMEOUT_S });
  assertEquals(result.code, 0, `seed ${seed}: ${describe(result)}`);
  assert(/^done$/m.test(result.stdout), `seed ${seed}: ${describe(result)}`);
  assert(!/bug in dvisor/.test(result.stderr), `seed ${seed}: ${describe(result)}`);
  console.log(result.stdout.trimEnd());
}

for (const platform of ["systrap", "ptrace"] as const) {
  const count = COUNTS[platform];
  Deno.test({
    ...named(
      `${platform}: the sandbox survives ${count} mutations of an ELF`,
      PYTHON === null ? "no python3 on this machine" : null,
    ),
    fn: async (t) => {
      const seeds = isFull ? [SEED, SEED + 1, SEED + 2, SEED + 3, SEED + 4] : [SEED];
      for (const seed of seeds) {
        await t.step(`seed ${seed}`, () => surviveMutants(platform, seed, count));
      }
    },
  });
}
