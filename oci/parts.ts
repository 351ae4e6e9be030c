/**
 * The programs that `dvisor` is made of. A process runs one of them and does not even parse the others: the command line
 * must not wait for the kernel, nor keep it in memory.
 *
 * From sources a part is a module. In a built binary it is the text of a script, which the build puts into
 * `globalThis.dvisorParts`, and the kernel's compiled code: compiled_part.ts.
 */

import { compiledCodeIn, runCompiled } from "./compiled_part.ts";

/** The parts and their entry points, relative to the project's root. */
export const PARTS = {
  /** The command line. */
  command: "oci/command_main.ts",
  /** `do` alone, the verb in which the start is felt: without the others it is parsed in half the time. */
  do: "oci/do_main.ts",
  /** The kernel of a sandbox, and what shows it: `boot`, `syscalls`, `doctor`. */
  kernel: "oci/kernel_main.ts",
} as const;

export type PartName = keyof typeof PARTS;

declare global {
  /** Set by the build, in front of the program. */
  var dvisorParts: Readonly<Record<string, string>> | undefined;
}

/** Verbs of the kernel part. */
const KERNEL_VERBS: readonly string[] = ["boot", "syscalls", "doctor"];

/** @param verb the first argument: nothing stands in front of the kernel part's verbs */
export function partFor(verb: string | undefined): PartName {
  if (verb === "do") return "do";
  return verb !== undefined && KERNEL_VERBS.includes(verb) ? "kernel" : "command";
}

/** Runs a part; it reads Deno.args and ends the process. */
export async function runPart(name: PartName): Promise<void> {
  const script = globalThis.dvisorParts?.[name];
  if (script === undefined) {
    // No literal, so that the build does not follow it.
    const url = new URL(`../${PARTS[name]}`, import.meta.url).href;
    await import(url);
    return;
  }
  globalThis.dvisorParts = undefined;
  // The command line is small: its text is parsed sooner than V8's module is loaded.
  const code = name === "kernel" ? compiledCodeIn("/proc/self/exe") : null;
  if (code !== null || (name === "kernel" && globalThis.dvisorRehearsal !== undefined)) {
    return await runCompiled(script, code);
  }
  // Indirect: the script sees only the global scope.
  await (0, eval)(script);
}
