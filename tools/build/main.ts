/**
 * `deno task build`: makes `dist/dvisor` and `dist/dvisor-gofer`.
 *
 * Each is bundled to one script and compiled to one executable that needs neither Deno nor Node.
 * Outputs appear atomically, after all of them were made. Neighbours: `program.ts`, `compile.ts`.
 */

import { requireHost, ROOT } from "../host_check.ts";
import { chooseBase, compileProgram } from "./compile.ts";
import { type BundledOutput, bundleOutput } from "./program.ts";
import { addParts } from "./rehearsal.ts";
import { OUTPUTS } from "./staleness.ts";

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return error.message + cause;
}

async function build(dist: string, workDir: string): Promise<void> {
  const base = await chooseBase(workDir);
  console.log(`Base: ${base.kind}`);
  // Behind the others: the rehearsal of one needs them.
  const bundled = new Map<string, BundledOutput>();
  for (const output of OUTPUTS) {
    const { name } = output;
    const { script, parts } = await bundleOutput(ROOT, output, workDir);
    await compileProgram(script, `${workDir}/${name}`, name, base, workDir);
    const texts = [script, ...parts.values()];
    const kilobytes = Math.round(texts.reduce((n, text) => n + text.length, 0) / 1024);
    console.log(`${name}: ${kilobytes} KB of script`);
    if (parts.size > 0) bundled.set(name, { script, parts });
  }
  for (const [name, output] of bundled) await addParts(name, output, base, workDir);
  for (const { name } of OUTPUTS) await Deno.rename(`${workDir}/${name}`, `${dist}/${name}`);
}

async function main(): Promise<number> {
  requireHost();
  const dist = `${ROOT}/dist`;
  await Deno.mkdir(dist, { recursive: true });
  // Beside the outputs, so that a rename puts them in place.
  const workDir = await Deno.makeTempDir({ dir: dist, prefix: ".build-" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      Deno.removeSync(workDir, { recursive: true });
      Deno.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
  try {
    await build(dist, workDir);
    return 0;
  } catch (error) {
    console.error(`build failed: ${describe(error)}`);
    return 1;
  } finally {
    await Deno.remove(workDir, { recursive: true });
  }
}

Deno.exit(await main());
