/** Command lines of dvisor that the pages show are such as the tables of options accept. */

import { assert, assertEquals } from "@std/assert";
import { findVerb } from "../../oci/cli/command_line.ts";
import { VERBS } from "../../oci/cli/verb_table.ts";
import { readFlags } from "../../oci/options/flags.ts";
import { splitCommandLine } from "../../oci/options/globals.ts";
import { ROOT } from "./source_files.ts";

const PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...pagesOf("docs")];

/** docs/command-line.md has forms of command lines. */
function pagesOf(folder: string): string[] {
  return [...Deno.readDirSync(`${ROOT}/${folder}`)].map(({ name }) => `${folder}/${name}`)
    .filter((page) => page.endsWith(".md") && page !== "docs/command-line.md");
}

/** A line of an indented or fenced block, or code inside a line, that begins with the program. */
const SHOWN = /^(?: {4}|\$ )(?:dist\/)?dvisor ([a-z-].*)$|`dvisor ([^`]*)`/gm;
/** A comment, or what a shell does with the command. */
const REST = /\s+(?:#|\||>|&&|;).*$/;
/** Words, where quotation marks hold some together. */
const WORD = /(?:[^\s"']|"[^"]*"|'[^']*')+/g;

/** The command lines of a page. */
function shownCommands(page: string): string[] {
  const text = page.replaceAll(/(?<=`[^`\n]*)\n(?=[^`\n]*`)/g, " ");
  return [...text.matchAll(SHOWN)].map(([, line, inline]) => (line ?? inline ?? "").trim())
    .map((line) => line.replace(REST, ""));
}

/** Why a command line is refused; null if it is not. */
function refusal(line: string): string | null {
  try {
    const { verb, rest, asks } = splitCommandLine(line.match(WORD) ?? []);
    // A list of verbs is no command line, nor is a name that stands for any verb; boot is internal.
    if (asks !== null || verb === undefined || /,$|^VERB$|^boot$/.test(verb)) return null;
    const command = findVerb(VERBS, verb);
    const { rest: words } = readFlags(
      rest.map((word) => word.replace(/^\[(.*)\]$/, "$1")),
      command,
    );
    return command.operands === undefined && words.length > 0 ? "unexpected words" : null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

Deno.test("the command lines that pages show are accepted", () => {
  const all = PAGES.flatMap((page) =>
    shownCommands(Deno.readTextFileSync(`${ROOT}/${page}`)).map((line) => ({ page, line }))
  );
  const bad = all.map(({ page, line }) => ({ page, line, why: refusal(line) }))
    .filter(({ why }) => why !== null);
  assertEquals(bad, []);
  assert(all.length > 20, `${all.length} command lines`);
});

Deno.test("a command line that is not accepted is found", () => {
  const page = "    dvisor install containerd --dry-run   # shows it\n" +
    "and `dvisor kill --al x` or\n    dvisor spec x | cat\n";
  const lines = shownCommands(page);
  assertEquals(lines, ["install containerd --dry-run", "kill --al x", "spec x"]);
  assertEquals(lines.map(refusal), [
    null,
    "there is no option --al; did you mean --all?",
    "unexpected words",
  ]);
});
