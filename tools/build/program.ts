/**
 * An entry point and all it imports as one plain script: what the binaries run.
 *
 * A script, and no module, so that it can be evaluated without Deno's own parser looking at it:
 * that parser takes 90 ms for 900 KB, V8 takes 20. As a module it means the same. Neighbours:
 * `compile.ts` makes it a binary.
 */

import { assembled, type PrebuiltImage, toText } from "../../ffi/sys/prebuilt.ts";
import { entryOf, PART_NAMES } from "../../oci/part_table.ts";
import { ASSEMBLIES, ENTRY, NAME } from "./staleness.ts";

/** The text that replaces `import.meta`, which a script does not have. */
const META = `({main:true,url:"file:///proc/self/exe",filename:"/proc/self/exe"})`;

/** The list of exports that ends a bundle: no module imports the main module. */
const EXPORTS = /export\s*\{[^{}]*\};?\s*$/;

/**
 * The bundle, an ES module without imports, as a script in strict mode. Top-level `await` is
 * allowed; an uncaught error ends the program as it does in a module. Stack traces call
 * it `name`.
 *
 * @throws Error if the bundle still imports something
 */
export function toScript(bundle: string, name: string): string {
  const body = bundle.replace(EXPORTS, "").replace(/\bimport\.meta\b/g, () => META).trimEnd();
  const script = `(async()=>{"use strict";${body}\n})();\n//# sourceURL=${name}.js\n`;
  try {
    new Function(script);
  } catch (cause) {
    throw new Error(
      "the bundle is no plain script: it imports something that is not bundled (such as node:*)",
      { cause },
    );
  }
  return script;
}

/**
 * Bundles and minifies `entry` (an absolute path, or one relative to `root`) and returns the
 * script.
 *
 * @throws Error if the bundler fails; it has printed why
 */
export async function bundleProgram(
  root: string,
  entry: string,
  name: string,
  workDir: string,
): Promise<string> {
  const bundle = `${workDir}/bundle.js`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--config", `${root}/deno.json`, "-o", bundle, entry],
    cwd: root,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`cannot bundle ${entry}:\n${new TextDecoder().decode(stderr).trimEnd()}`);
  }
  return toScript(await Deno.readTextFile(bundle), name);
}

/** The program of the binary. */
export interface BundledOutput {
  /** The prebuilt values, and the entry. */
  readonly script: string;
  /** The scripts that the entry chooses from. */
  readonly parts: ReadonlyMap<string, string>;
}

/** @throws Error if the bundler fails */
export async function bundleOutput(
  root: string,
  workDir: string,
): Promise<BundledOutput> {
  const parts = new Map<string, string>();
  for (const part of PART_NAMES) {
    const entry = `${workDir}/${part}.js`;
    await Deno.writeTextFile(entry, entryOf(part, `file://${root}/`));
    parts.set(part, await bundleProgram(root, entry, `${NAME}-${part}`, workDir));
  }
  const main = await bundleProgram(root, ENTRY, NAME, workDir);
  const prebuilt: Record<string, PrebuiltImage> = {};
  for (const [image, module] of Object.entries(ASSEMBLIES)) {
    prebuilt[image] = toText(await assembled(image, new URL(`file://${root}/${module}`)));
  }
  return { script: `globalThis.dvisorPrebuilt=${JSON.stringify(prebuilt)};${main}`, parts };
}
