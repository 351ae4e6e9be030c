/**
 * `deno task build`: makes `dist/dvisor` and `dist/dvisor-gofer`.
 *
 * They are two names of one executable that needs neither Deno nor Node.
 * Outputs appear atomically, after all of them were made. Neighbours: `program.ts`, `compile.ts`.
 */

import { requireHost, ROOT } from "../host_check.ts";
import { chooseBase, compileProgram } from "./compile.ts";
import { bundleOutput } from "./program.ts";
import { addParts, secondName } from "./rehearsal.ts";
import { GOFER_NAME, NAME } from "./staleness.ts";

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return error.message + cause;
}

async function build(dist: string, workDir: string): Promise<void> {
  const base = await chooseBase(workDir);
  console.log(`Base: ${base.kind}`);
  const output = await bundleOutput(ROOT, workDir), binary = `${workDir}/${NAME}`;
  await compileProgram(output.script, binary, NAME, base, workDir);
  const texts = [output.script, ...output.parts.values()];
  const kilobytes = Math.round(texts.reduce((n, text) => n + text.length, 0) / 1024);
  console.log(`${NAME}: ${kilobytes} KB of script`);
  await addParts(binary, output, base, workDir);
  await secondName(binary, `${workDir}/${GOFER_NAME}`);
  for (const name of [NAME, GOFER_NAME]) await Deno.rename(`${workDir}/${name}`, `${dist}/${name}`);
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
