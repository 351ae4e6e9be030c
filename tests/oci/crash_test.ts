/**
 * Commands leave nothing behind: at any moment of any command, one of the processes that take part
 * is killed, or another command runs. crash_case.ts has the conditions that must hold afterwards.
 * `DVISOR_SEED` repeats a run.
 */

import { assertEquals } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { isFull, lacks, named, noContainers } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { disturbersOf, VERB_NAMES } from "./crash_case.ts";
import type { Report } from "./crash_main.ts";
import { inWorld, removeGroups } from "./crash_world.ts";

const noWorld = noContainers ?? lacks(["unshare"]);
const SEED = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 1e9));
/** Moments of each pair of a verb and a victim, and such pairs in a sample. */
const MOMENTS = 20, SAMPLE = 6;
/** LIMIT: seconds of a world. */
const TIMEOUT_S = 3600;

async function matrix(moments: number, pattern: string): Promise<void> {
  console.log(`DVISOR_SEED=${SEED}, ${moments} moments of ${pattern}`);
  const cgroup = `/dvisor-crash-${crypto.randomUUID().slice(0, 8)}`;
  try {
    const argv = inWorld("tests/oci/crash_main.ts", `${SEED}`, `${moments}`, cgroup, pattern);
    const result = await run(argv, { timeoutS: TIMEOUT_S });
    assertEquals(result.code, 0, describe(result));
    const { cases, failures, ...counts }: Report = JSON.parse(result.stdout);
    console.log(`${cases} cases: ${JSON.stringify(counts)}`);
    assertEquals(failures, []);
  } finally {
    removeGroups(cgroup);
  }
}

function samplePattern(): string {
  const random = new Random(SEED), pairs: string[] = [];
  for (let i = 0; i < SAMPLE; i++) {
    const verb = random.pick(VERB_NAMES);
    pairs.push(`${verb}/${random.pick(disturbersOf(verb))}`);
  }
  return `^(${pairs.join("|")})$`;
}

Deno.test({
  ...named("a sample of crashes: states are reported truly, and nothing is left", noWorld),
  fn: () => matrix(1, samplePattern()),
});

const isLong = isFull ? null : "long: deno task test:full";

for (const verb of VERB_NAMES) {
  Deno.test({
    ...named(
      `${verb}: after the death of any process at any moment, state is true and nothing is left`,
      noWorld ?? isLong,
    ),
    fn: () => matrix(MOMENTS, `^${verb}/(?!call)`),
  });
  Deno.test({
    ...named(
      `${verb}: killed at any call that changes something, it leaves the truth and nothing else`,
      noWorld ?? lacks(["strace"]) ?? isLong,
    ),
    fn: () => matrix(0, `^${verb}/call`),
  });
}
