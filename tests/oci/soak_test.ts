/** Hundreds of containers are made and deleted, and leave nothing behind: soak_main.ts. */

import { assert, assertEquals } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { isFull, lacks, named, noContainers } from "../harness/machine.ts";
import { inWorld, removeGroups } from "./crash_world.ts";
import type { Round } from "./soak_main.ts";

const ROUNDS = isFull ? 10 : 2, CONTAINERS = isFull ? 50 : 4;
/** LIMIT: seconds of all rounds. */
const TIMEOUT_S = 3600;
/** What may stay charged to the group above: caches that the host takes back when it needs them. */
const MEMORY_BYTES = 8 << 20;

Deno.test({
  ...named(
    `${ROUNDS} rounds of ${CONTAINERS} containers leave nothing`,
    noContainers ?? lacks(["unshare"]),
  ),
  fn: async () => {
    const cgroup = `/dvisor-soak-${crypto.randomUUID().slice(0, 8)}`;
    try {
      const argv = inWorld("tests/oci/soak_main.ts", `${ROUNDS}`, `${CONTAINERS}`, cgroup);
      const result = await run(argv, { timeoutS: TIMEOUT_S });
      assertEquals(result.code, 0, describe(result));
      const rounds: Round[] = JSON.parse(result.stdout);
      for (const { problems: _, ...numbers } of rounds) console.log(JSON.stringify(numbers));
      assertEquals(rounds.flatMap((round) => round.problems), []);
      const [first] = rounds, last = rounds.at(-1);
      assert(first !== undefined && last !== undefined && rounds.length === ROUNDS);
      assertEquals(last.fds, first.fds);
      const grown = last.memoryBytes - first.memoryBytes;
      assert(grown < MEMORY_BYTES, `${grown} bytes more than after the first round`);
    } finally {
      removeGroups(cgroup);
    }
  },
});
