/**
 * `deno task build`: makes `dist/dvisor` and `dist/dvisor-gofer`. With `--reproducible` the same
 * tree makes the same bytes on every machine, and they start somewhat slower (whole_code.ts); with
 * `--out DIR` they are made there.
 *
 * They are two names of one executable that needs neither Deno nor Node.
 * Outputs appear atomically, after all of them were made. Neighbours: `program.ts`, `compile.ts`.
 */

import { parseArgs } from "@std/cli";
import { requireHost, ROOT } from "../host_check.ts";
import { refuseOthers } from "../options.ts";
import { chooseBase, compileProgram, homeMadeBase } from "./compile.ts";
import { bundleOutput } from "./program.ts";
import { addParts, secondName } from "./rehearsal.ts";
import { GOFER_NAME, NAME } from "./staleness.ts";

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return error.message + cause;
}

async function build(dist: string, workDir: string, isReproducible: boolean): Promise<void> {
  const base = isReproducible ? await homeMadeBase(workDir) : await chooseBase(workDir);
  console.log(`Base: ${base.kind}`);
  const output = await bundleOutput(ROOT, workDir), binary = `${workDir}/${NAME}`;
  await compileProgram(output.script, binary, NAME, base, workDir);
  const texts = [output.script, ...output.parts.values()];
  const kilobytes = Math.round(texts.reduce((n, text) => n + text.length, 0) / 1024);
  console.log(`${NAME}: ${kilobytes} KB of script`);
  await addParts(binary, output, base, workDir, isReproducible);
  await secondName(binary, `${workDir}/${GOFER_NAME}`);
  for (const name of [NAME, GOFER_NAME]) await Deno.rename(`${workDir}/${name}`, `${dist}/${name}`);
}

async function main(): Promise<number> {
  requireHost();
  const options = parseArgs(Deno.args, {
    boolean: ["reproducible"],
    string: ["out"],
    unknown: refuseOthers("deno task build [--reproducible] [--out DIR]"),
  });
  const out = options.out ?? `${ROOT}/dist`;
  await Deno.mkdir(out, { recursive: true });
  const dist = await Deno.realPath(out);
  // Beside the outputs, so that a rename puts them in place.
  const workDir = await Deno.makeTempDir({ dir: dist, prefix: ".build-" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      Deno.removeSync(workDir, { recursive: true });
      Deno.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
  try {
    await build(dist, workDir, options.reproducible);
    return 0;
  } catch (error) {
    console.error(`build failed: ${describe(error)}`);
    return 1;
  } finally {
    await Deno.remove(workDir, { recursive: true });
  }
}

Deno.exit(await main());
