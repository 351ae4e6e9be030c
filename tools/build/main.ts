/**
 * `deno task build`: makes `dist/dvisor` and `dist/dvisor-gofer`.
 *
 * Each is bundled to one script and compiled to one executable that needs neither Deno nor Node.
 * Outputs appear atomically, after all of them were made. Neighbours: `program.ts`, `compile.ts`.
 */

import { requireHost, ROOT } from "../host_check.ts";
import { chooseBase, compileProgram } from "./compile.ts";
import { bundleOutput } from "./program.ts";
import { addCompiledCode } from "./rehearsal.ts";
import { OUTPUTS } from "./staleness.ts";

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return error.message + cause;
}

async function build(dist: string, workDir: string): Promise<void> {
  const base = await chooseBase(workDir);
  console.log(`Base: ${base.kind}`);
  const scripts = new Map<string, string>();
  for (const output of OUTPUTS) {
    const { name } = output;
    const script = await bundleOutput(ROOT, output, workDir);
    await compileProgram(script, `${workDir}/${name}`, name, base, workDir);
    console.log(`${name}: ${Math.round(script.length / 1024)} KB of script`);
    scripts.set(name, script);
  }
  await addCompiledCode(scripts.get("dvisor")!, base, workDir);
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
