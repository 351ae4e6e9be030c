/**
 * Picks and runs a part of `dvisor` and `dvisor-gofer`, which are one file with two names, so that
 * their processes share its pages. A process parses only the part that it runs: the command line
 * neither waits for the kernel nor keeps it in memory. part_table.ts lists the parts.
 *
 * From sources a part is a module. In a built binary it is the text of a script in the file's
 * appendix, beside the kernel's compiled code (compiled_part.ts).
 */

import { Appendix } from "../ffi/sys/appendix.ts";
import { verbOf } from "./options/global_options.ts";
import { compiled } from "./compiled_part.ts";
import { entryOf, type PartName, partOfVerb } from "./part_table.ts";

/**
 * The file server's name, by which users start it; the launcher starts its own executable with the
 * verb, so that one file is enough.
 */
const GOFER_NAME = "/dvisor-gofer", GOFER_VERB = "serve";

/** The appendix's entry with the kernel's compiled code, which tools/build/rehearsal.ts writes. */
const KERNEL_CODE = "kernel code";

/**
 * Words by which a client asks for a proxy. A word of the guest's command may match too: the part
 * `proxied exec` runs every command line of `exec`.
 */
const OF_PROXY = /^(?:-d|--?detach|--?(?:pid-file|pidfd-socket|console-socket)(?:=.*)?)$/s;

/** @param path of the executable @param args of the command line */
export function partFor(path: string, args: readonly string[]): PartName {
  if (path.endsWith(GOFER_NAME) || args[0] === GOFER_VERB) return "gofer";
  const verb = verbOf(args), part = partOfVerb(verb);
  // The kernel's verbs take no options in front of them, which the command line says.
  if (part === "kernel" && verb !== args[0]) return "command";
  return part === "exec" && args.some((word) => OF_PROXY.test(word)) ? "proxied exec" : part;
}

interface BuiltPart {
  readonly text: string;
  readonly code: Uint8Array | null;
}

/** A part of the running binary; null when the process runs from sources. */
function builtPart(name: PartName): BuiltPart | null {
  using appendix = Appendix.open("/proc/self/exe");
  const text = appendix?.read(name) ?? null;
  if (appendix === null || text === null) return null;
  // The command line is small: its text is parsed sooner than V8's module is loaded.
  const code = name === "kernel" ? appendix.read(KERNEL_CODE) : null;
  return { text: new TextDecoder().decode(text), code };
}

/**
 * Runs a part, which reads Deno.args and ends the process. Not async: the frame of an async
 * function would keep the text and the code in memory as long as the part runs.
 */
export function runPart(name: PartName): Promise<unknown> {
  const built = builtPart(name);
  if (built === null) {
    // No literal, so that the build does not follow it.
    const entry = entryOf(name, new URL("../", import.meta.url).href);
    return import(`data:text/javascript,${encodeURIComponent(entry)}`);
  }
  const { text, code } = built;
  if (code !== null || (name === "kernel" && globalThis.dvisorRehearsal !== undefined)) {
    return compiled(text, code).then((script) => script.runInThisContext());
  }
  // Indirect: the script sees only the global scope.
  return (0, eval)(text);
}
