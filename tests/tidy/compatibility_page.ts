/**
 * `deno task docs`: docs/compatibility.md, from the system call table, its flags, and the list of
 * what gVisor lacks. claims_test.ts fails when the page is not what this makes.
 */

import { syscallEntries, verdict } from "../../oci/cli/verbs/syscalls.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import type { Flag, FlagSet } from "../../kernel/syscalls/flags/flag_set.ts";
import { FLAG_SETS } from "../../kernel/syscalls/flags/flag_sets.ts";
import { ROWS } from "../../kernel/syscalls/x86_64.ts";
import { BEYOND_GVISOR } from "./beyond_gvisor.ts";
import { formatMarkdown } from "./format_markdown.ts";
import { ROOT } from "./source_files.ts";

export const PAGE = `${ROOT}/docs/compatibility.md`;

const INTRODUCTION = `# What the kernel does as Linux does it

\`deno task docs\` makes this page from the tables that the kernel is compiled with.
\`dvisor syscalls\` and \`dvisor syscalls --flags\` print the same, with \`--json\` for programs.
Each flag that works has a case in \`tests/guest\` that shows it and passes on native Linux too;
\`--flags\` names the case.`;

/** The page, formatted. */
export async function compatibilityPage(): Promise<string> {
  return await formatMarkdown([
    INTRODUCTION,
    callsSection(),
    flagsSection(),
    beyondSection(),
  ].join("\n\n"));
}

function code(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(" ");
}

function callsSection(): string {
  const entries = syscallEntries(ROWS, NAMES);
  const names = (support: string) => entries.filter((e) => e.support === support);
  const full = names("full"), partial = names("partial");
  const refused = entries.filter((e) => e.support === "refused" || e.support === "missing");
  const list = (part: typeof entries) => part.map((e) => `- \`${e.name}\`: ${e.note}`).join("\n");
  return `## System calls

x86-64 Linux 6.12 has these calls. ${full.length} of them work. ${partial.length} work in part; the
list says what is missing. ${refused.length} fail, each with the error that Linux gives without the
needed capability or option of its configuration.

### In part

${list(partial)}

### Refused

${list(refused)}

### In full

${code(full.map((e) => e.name))}`;
}

function setText(set: FlagSet): string {
  const by = new Map<string, Flag[]>();
  for (const flag of set.flags) {
    const key = [verdict(flag), flag.note].filter((text) => text !== "").join(", ");
    by.set(key, [...by.get(key) ?? [], flag]);
  }
  const lines = [...by].map(([key, flags]) => `- ${key}: ${code(flags.map((f) => f.name))}`);
  return `### \`${set.calls}\`: ${set.argument}\n\n${lines.join("\n")}`;
}

function flagsSection(): string {
  const flags = FLAG_SETS.flatMap((set) => set.flags);
  const count = (support: string) => flags.filter((flag) => flag.support === support).length;
  return `## Flags, commands and options

${count("works")} work, ${count("partial")} in part, ${count("refused")} are refused. An error "as
on Linux" is Linux's own answer.

${FLAG_SETS.map(setText).join("\n\n")}`;
}

function beyondSection(): string {
  const lines = BEYOND_GVISOR.map(([what, shown]) => `- ${what}: ${code(shown.split(" "))}`);
  return `## What gVisor lacks and works here

The list comes from running 77 programs, CPython's own tests and stress-ng in Debian's runsc of
July 2024. A newer runsc may do more. Each entry names the guest cases that show it.

${lines.join("\n")}`;
}

if (import.meta.main) Deno.writeTextFileSync(PAGE, await compatibilityPage());
