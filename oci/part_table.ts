/**
 * The parts of the binary and the module that each one runs. parts.ts picks a part when a process
 * starts; tools/build/program.ts bundles each part into a script of its own.
 *
 * V8 takes about 1 ms for each 40 KB of script that it has to look at. So verbs that clients run
 * often have parts without the other verbs, and no command line loads the kernel.
 */

/** The verbs of a part, or the path from the root of the sources to a module with its `main`. */
type PartContent = { readonly verbs: readonly string[] | "all" } | { readonly module: string };

const PARTS = {
  /** Every verb of cli/verb_table.ts: those without a part of their own run here. */
  command: { verbs: "all" },
  do: { verbs: ["do"] },
  sandbox: { verbs: ["sandbox"] },
  create: { verbs: ["create"] },
  exec: { verbs: ["exec"] },
  /** What `exec` evaluates for another process on the host, or parts.ts in place of it. */
  "proxied exec": { module: "oci/cli/verbs/proxied_exec.ts" },
  /** Verbs by which clients query or change an existing container. */
  control: { verbs: ["state", "start", "kill", "delete"] },
  /** The boot process, and the verbs that show tables of the kernel or try a platform. */
  kernel: { verbs: ["boot", "syscalls", "doctor"] },
  /** The file server, which is the binary under its second name. */
  gofer: { module: "gofer/main.ts" },
} as const satisfies Readonly<Record<string, PartContent>>;

export type PartName = keyof typeof PARTS;

function isPartName(name: string): name is PartName {
  return Object.hasOwn(PARTS, name);
}

export const PART_NAMES: readonly PartName[] = Object.keys(PARTS).filter(isPartName);

/** The part that runs a verb: the smallest one that has it. */
export function partOfVerb(verb: string | undefined): PartName {
  const part = PART_NAMES.find((name) => verb !== undefined && verbsOf(name).includes(verb));
  return part ?? "command";
}

/** The verbs that are listed for a part; none for the part with all of them. */
export function verbsOf(name: PartName): readonly string[] {
  const part: PartContent = PARTS[name];
  return "verbs" in part && part.verbs !== "all" ? part.verbs : [];
}

/**
 * The text of a part's main module.
 *
 * @param root URL of the root of the sources; ends in "/"
 */
export function entryOf(name: PartName, root: string): string {
  const part: PartContent = PARTS[name];
  if ("module" in part) {
    return `import { main } from "${root}${part.module}";\nmain(Deno.args);\n`;
  }
  const cli = `${root}oci/cli`;
  const main = `import { main } from "${cli}/command_line.ts";\n`;
  const run = "Deno.exit(await main(Deno.args, VERBS));\n";
  if (part.verbs === "all") return `${main}import { VERBS } from "${cli}/verb_table.ts";\n${run}`;
  const imports = part.verbs.map((verb, i) =>
    `import { command as verb${i} } from "${cli}/verbs/${verb}.ts";\n`
  );
  const members = part.verbs.map((verb, i) => `"${verb}": verb${i}`);
  return `${main}${imports.join("")}const VERBS = { ${members.join(", ")} };\n${run}`;
}
