/**
 * `deno task package`: makes what registries publish, in dist/package: archives for npm, and
 * `jsr/`, a directory from which `deno publish` takes the library. Neighbour: docs/releases.md.
 *
 * The same sources and the same executable make the same bytes.
 */

import { parseArgs } from "@std/cli";
import { ensureBuilt } from "../build/ensure.ts";
import { requireHost, ROOT } from "../host_check.ts";
import { refuseOthers } from "../options.ts";
import { LIBRARY, writeLibrary } from "./library_tree.ts";
import { writePackages } from "./npm.ts";

const USAGE = "deno task package [--out DIR] [--binary FILE]";

async function main(): Promise<number> {
  requireHost();
  const options = parseArgs(Deno.args, {
    string: ["out", "binary"],
    unknown: refuseOthers(USAGE),
  });
  try {
    if (options.binary === undefined && !await ensureBuilt(ROOT)) return 1;
    const out = options.out ?? `${ROOT}/dist/package`;
    await Deno.remove(`${out}/jsr`, { recursive: true }).catch(() => {}); // of an earlier run
    await Deno.mkdir(`${out}/jsr`, { recursive: true });
    for (const name of await writePackages(ROOT, out, options.binary ?? `${ROOT}/dist/dvisor`)) {
      console.log(`${out}/${name}`);
    }
    await writeLibrary(ROOT, `${out}/jsr`, LIBRARY);
    console.log(`${out}/jsr`);
    return 0;
  } catch (error) {
    console.error(`package: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
