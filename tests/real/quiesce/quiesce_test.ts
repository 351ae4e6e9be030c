/**
 * Guests that check themselves (world.c) while the world is stopped 1,000 times and goes on: they
 * see nothing of it. dvisor runs from its sources with another main module, stopped_dvisor.ts, as
 * for tests/real/graph.
 *
 * `deno run -A tests/real/quiesce/quiesce_test.ts PLATFORM` prints how long stops take.
 */

import { assertEquals } from "@std/assert";
import { describe, platforms, ROOT, run } from "../../harness/dvisor.ts";
import { lacks, named, noKvm } from "../../harness/machine.ts";
import { MARK, type StopReport, STOPS } from "./world_stopper.ts";

const FOLDER = `${ROOT}/tests/real/quiesce`;
const TIMEOUT_S = 200;

/** The program, and a folder for it that the sandbox shows. */
async function withWorld(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dvisor-quiesce-" });
  try {
    const flags = ["-O2", "-mavx2", "-pthread", "-o", `${folder}/world`];
    const built = await run(["gcc", ...flags, `${FOLDER}/world.c`], { timeoutS: TIMEOUT_S });
    assertEquals(built.code, 0, describe(built));
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the program in a mode while its world is stopped. */
async function stopWorld(folder: string, platform: string, mode: string): Promise<StopReport> {
  const log = `${folder}/log`;
  const result = await run([
    ...[Deno.execPath(), "run", "-A", "--no-lock", "--v8-flags=--no-enable-lazy-source-positions"],
    ...[`${FOLDER}/stopped_dvisor.ts`, `--platform=${platform}`, "--panic-on-bug", "do"],
    ...["--show", folder, "--debug-log", log, "--", `${folder}/world`, mode],
  ], { timeoutS: TIMEOUT_S });
  assertEquals([result.code, result.stdout], [0, "as it was\n"], describe(result));
  const lines = Deno.readTextFileSync(log).split("\n").filter((line) => line.includes(MARK));
  await Deno.remove(log);
  assertEquals(lines.length, 1);
  const [line = ""] = lines;
  return JSON.parse(line.slice(line.indexOf(MARK) + MARK.length));
}

for (const platform of platforms("systrap", "ptrace", "kvm")) {
  const problem = lacks(["gcc"]) ?? (platform === "kvm" ? noKvm : null);
  Deno.test({
    ...named(`${platform}: guests do not see that the world stops ${STOPS} times`, problem),
    fn: () =>
      withWorld(async (folder) => {
        const report = await stopWorld(folder, platform, "all");
        assertEquals([report.label, report.ms.length], ["all", STOPS]);
      }),
  });
}

if (import.meta.main) {
  await withWorld(async (folder) => {
    for (const mode of ["busy", "sleep", "all"]) {
      const { ms, tasks } = await stopWorld(folder, Deno.args[0] ?? "systrap", mode);
      const at = (part: number) => ms[Math.floor(part * (ms.length - 1))];
      console.log(
        `${mode}: ${tasks} tasks, ms: least ${at(0)} median ${at(0.5)} 90% ${at(0.9)} 99% ${
          at(0.99)
        }`,
      );
    }
  });
}
