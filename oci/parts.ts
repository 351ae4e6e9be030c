/**
 * The programs that `dvisor` and `dvisor-gofer` are made of, which are one file with two names: so they share its pages. A process runs one of them and does not even parse the others: the command line
 * must not wait for the kernel, nor keep it in memory.
 *
 * From sources a part is a module. In a built binary it is the text of a script in the file's appendix, where the kernel's
 * compiled code is too: compiled_part.ts.
 */

import { Appendix } from "../ffi/sys/appendix.ts";
import { verbOf } from "./cli/global_names.ts";
import { compiled } from "./compiled_part.ts";

/** The parts and their entry points, relative to the project's root. */
export const PARTS = {
  /** The command line: all verbs but those of the kernel part. */
  command: "oci/command_main.ts",
  /** Verbs in which the start is felt, without the others: V8 takes a millisecond for each 40 KB that it has to look at. */
  do: "oci/do_main.ts",
  create: "oci/create_main.ts",
  exec: "oci/exec_main.ts",
  /** What clients ask of a container besides. */
  control: "oci/control_main.ts",
  /** The kernel of a sandbox, and what shows it: `boot`, `syscalls`, `doctor`. */
  kernel: "oci/kernel_main.ts",
  /** The file server: what the file is under its second name. */
  gofer: "gofer/main.ts",
} as const;

const GOFER_NAME = "/dvisor-gofer";

export type PartName = keyof typeof PARTS;

/** The entry with its compiled code: as tools/build/rehearsal.ts has it. */
const KERNEL_CODE = "kernel code";

/** Nothing stands in front of the kernel part's verbs: they belong to the first word alone. */
const KERNEL_VERBS: readonly string[] = ["boot", "syscalls", "doctor"];

/** The parts of other verbs; `command` has those that are not here. */
const PART_OF: ReadonlyMap<string | undefined, PartName> = new Map([
  ["do", "do"],
  ["create", "create"],
  ["exec", "exec"],
  ...["state", "start", "kill", "delete"].map((verb): [string, PartName] => [verb, "control"]),
]);

/** @param path of the executable @param args of the command line */
export function partFor(path: string, args: readonly string[]): PartName {
  if (path.endsWith(GOFER_NAME)) return "gofer";
  if (KERNEL_VERBS.includes(args[0] ?? "")) return "kernel";
  // Help and versions are said by the whole.
  return PART_OF.get(verbOf(args)) ?? "command";
}

interface BuiltPart {
  readonly text: string;
  readonly code: Uint8Array | null;
}

/** The part out of the running binary; null when this is no binary of ours. */
function builtPart(name: PartName): BuiltPart | null {
  using appendix = Appendix.open("/proc/self/exe");
  const text = appendix?.read(name) ?? null;
  if (appendix === null || text === null) return null;
  // The command line is small: its text is parsed sooner than V8's module is loaded.
  const code = name === "kernel" ? appendix.read(KERNEL_CODE) : null;
  return { text: new TextDecoder().decode(text), code };
}

/** Runs a part; it reads Deno.args and ends the process. Not async: its text and code would be kept as long as it runs. */
export function runPart(name: PartName): Promise<unknown> {
  const built = builtPart(name);
  if (built === null) {
    // No literal, so that the build does not follow it.
    const url = new URL(`../${PARTS[name]}`, import.meta.url).href;
    return import(url);
  }
  const { text, code } = built;
  if (code !== null || (name === "kernel" && globalThis.dvisorRehearsal !== undefined)) {
    return compiled(text, code).then((script) => script.runInThisContext());
  }
  // Indirect: the script sees only the global scope.
  return (0, eval)(text);
}
