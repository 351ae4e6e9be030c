/**
 * Guests that check themselves (../quiesce/world.c) while their kernel is replaced 100 times by a
 * copy of itself, which a snapshot has made: they see nothing of it. dvisor runs from its sources
 * with another main module, copied_dvisor.ts, as for tests/real/quiesce.
 *
 * `deno run -A tests/real/copy/copy_test.ts PLATFORM` prints how long copies take.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, platforms, ROOT, run } from "../../harness/dvisor.ts";
import { lacks, named, noKvm } from "../../harness/machine.ts";
import { COPIES, type CopyReport, MARK } from "./world_copier.ts";

const FOLDER = `${ROOT}/tests/real/copy`;
const TIMEOUT_S = 200;
/** How much more memory a kernel may have after 100 copies: what guests have varies. */
const GROWTH_KIB = 2048;

/** The program, and a folder for it that the sandbox shows. */
async function withWorld(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dvisor-copy-" });
  try {
    const flags = ["-O2", "-mavx2", "-pthread", "-o", `${folder}/world`];
    const source = `${ROOT}/tests/real/quiesce/world.c`;
    const built = await run(["gcc", ...flags, source], { timeoutS: TIMEOUT_S });
    assertEquals(built.code, 0, describe(built));
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command that asks for copies, and shows a folder to it. */
async function copyWorld(
  folder: string,
  platform: string,
  command: readonly string[],
): Promise<{ readonly stdout: string; readonly report: CopyReport }> {
  const log = `${folder}/log`;
  const result = await run([
    ...[Deno.execPath(), "run", "-A", "--no-lock", "--v8-flags=--no-enable-lazy-source-positions"],
    ...[`${FOLDER}/copied_dvisor.ts`, `--platform=${platform}`, "--panic-on-bug", "do"],
    ...["--show", folder, "--debug-log", log, "--", ...command],
  ], { timeoutS: TIMEOUT_S });
  assertEquals(result.code, 0, describe(result));
  const lines = Deno.readTextFileSync(log).split("\n").filter((line) => line.includes(MARK));
  await Deno.remove(log);
  assertEquals(lines.length, 1);
  const [line = ""] = lines;
  return {
    stdout: result.stdout,
    report: JSON.parse(line.slice(line.indexOf(MARK) + MARK.length)),
  };
}

for (const platform of platforms("systrap", "ptrace", "kvm")) {
  const problem = lacks(["gcc"]) ?? (platform === "kvm" ? noKvm : null);
  Deno.test({
    ...named(`${platform}: guests do not see that their kernel is copied ${COPIES} times`, problem),
    fn: () =>
      withWorld(async (folder) => {
        const { stdout, report } = await copyWorld(folder, platform, [`${folder}/world`, "all"]);
        assertEquals([stdout, report.label, report.heldKiB.length], ["as it was\n", "all", COPIES]);
        const [first = 0] = report.heldKiB, last = report.heldKiB.at(-1) ?? 0;
        assert(last < first + GROWTH_KIB, `${first} KiB of frames have become ${last}`);
      }),
  });
}

if (import.meta.main) {
  await withWorld(async (folder) => {
    await Deno.copyFile(`${FOLDER}/python.py`, `${folder}/python.py`);
    const [platform = "systrap"] = Deno.args, world = `${folder}/world`;
    const python = ["python3", `${folder}/python.py`, "200"];
    for (const command of [[world, "busy"], [world, "sleep"], [world, "all"], python]) {
      const { report } = await copyWorld(folder, platform, command);
      const { label, tasks, bytes, encodeMs, decodeMs } = report;
      const shown = [encodeMs, decodeMs].map((ms) =>
        [0, 0.5, 0.9].map((part) => ms[Math.floor(part * (ms.length - 1))]).join(" ")
      );
      console.log(
        `${label}: ${tasks} tasks, ${bytes} bytes, ms of processor time (least, median, 90%): ` +
          `encode ${shown[0]}, decode ${shown[1]}`,
      );
    }
  });
}
