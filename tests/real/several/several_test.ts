/**
 * Guests that check themselves (../quiesce/world.c) while their kernel is forked: forks run beside
 * the original on its arena and platform, come to their ends or are deleted, and leave nothing.
 * dvisor runs from its sources with another main module, forked_dvisor.ts.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, platforms, ROOT, run } from "../../harness/dvisor.ts";
import { lacks, named, noKvm } from "../../harness/machine.ts";
import { type ForkReport, FORKS, MARK } from "./world_forker.ts";

const FOLDER = `${ROOT}/tests/real/several`;
const TIMEOUT_S = 200;
const SOURCE = `${ROOT}/tests/real/quiesce/world.c`;

/** Runs the program, with a kernel that is forked. */
async function forkWorld(
  platform: string,
): Promise<{ readonly stdout: string; readonly report: ForkReport }> {
  const folder = await Deno.makeTempDir({ prefix: "dvisor-forks-" });
  try {
    const flags = ["-O2", "-mavx2", "-pthread", "-o", `${folder}/world`];
    const built = await run(["gcc", ...flags, SOURCE], { timeoutS: TIMEOUT_S });
    assertEquals(built.code, 0, describe(built));
    const result = await run([
      ...[Deno.execPath(), "run", "-A", "--no-lock"],
      ...["--v8-flags=--no-enable-lazy-source-positions", `${FOLDER}/forked_dvisor.ts`],
      ...[`--platform=${platform}`, "--panic-on-bug", "do", "--show", folder],
      ...["--debug-log", `${folder}/log`, "--", `${folder}/world`, "all"],
    ], { timeoutS: TIMEOUT_S });
    assertEquals(result.code, 0, describe(result));
    const lines = Deno.readTextFileSync(`${folder}/log`).split("\n");
    const [line = "", ...others] = lines.filter((one) => one.includes(MARK));
    assertEquals(others, []);
    const report = JSON.parse(line.slice(line.indexOf(MARK) + MARK.length));
    return { stdout: result.stdout, report };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const platform of platforms("systrap", "ptrace", "kvm")) {
  const problem = lacks(["gcc"]) ?? (platform === "kvm" ? noKvm : null);
  Deno.test({
    ...named(`${platform}: ${FORKS} forks of a kernel run beside it, half are deleted`, problem),
    fn: async () => {
      const { stdout, report } = await forkWorld(platform);
      assertEquals(report.failures, []);
      assertEquals(report.deleted, FORKS / 2);
      assertEquals(report.statuses, new Array(FORKS / 2).fill(0));
      assertEquals(stdout, "as it was\n".repeat(FORKS / 2 + 1));
      assert(report.heldKiB === report.usedKiB, JSON.stringify(report));
    },
  });
}
