/**
 * Two builds of one tree, at different places, with other settings of the user's, have the same
 * bytes. In `test:full`.
 */

import { assert, assertEquals } from "@std/assert";
import { isFull, named } from "../../tests/harness/machine.ts";
import { ROOT } from "../host_check.ts";
import { SUMS } from "../release.ts";

const SOURCES = "mod.ts deno.json ffi platform kernel gofer oci tools vendor".split(" ");

async function run(command: string, args: string[], env: Record<string, string>): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** SHA256SUMS of a release that is built of a copy of the tree. */
async function release(dir: string, umask: string, env: Record<string, string>): Promise<string> {
  await Deno.mkdir(`${dir}/tree`, { recursive: true });
  for (const source of SOURCES) await run("cp", ["-r", `${ROOT}/${source}`, `${dir}/tree/`], {});
  const script = `umask ${umask}; exec "$0" run -A --config tree/deno.json "$@"`;
  const args = ["tree/tools/release.ts", "--unsigned", "--out", "out"];
  await run("sh", ["-c", `cd ${dir} && ${script}`, Deno.execPath(), ...args], env);
  return await Deno.readTextFile(`${dir}/out/${SUMS}`);
}

Deno.test({
  ...named(
    "a release built at two places has the same checksums",
    isFull ? null : "needs DVISOR_FULL=1: it builds twice",
  ),
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "dvisor-reproducible-test-" });
    try {
      const one = await release(`${dir}/one`, "022", { TZ: "UTC", LC_ALL: "C" });
      const other = { TZ: "Asia/Tokyo", LC_ALL: "C.UTF-8", SOURCE_DATE_EPOCH: "5" };
      assertEquals(await release(`${dir}/a/longer/path`, "077", other), one);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
