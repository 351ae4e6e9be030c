/**
 * docs/command-line.md: every verb with its options, from the tables that parse them.
 * claims_test.ts fails when the page is not what this makes.
 */

import type { Command } from "../../oci/cli/command.ts";
import { optionHelp, optionSections, written } from "../../oci/cli/manual/help_text.ts";
import { ABOUT, ALSO_IN_FRONT, EXIT_CODES, USAGE } from "../../oci/cli/manual/overview.ts";
import { VERBS } from "../../oci/cli/verb_table.ts";
import { RUNTIME_OPTIONS } from "../../oci/options/global_options.ts";
import type { Options } from "../../oci/options/option.ts";
import { formatMarkdown } from "./format_markdown.ts";
import { ROOT } from "./source_files.ts";

export const PAGE = `${ROOT}/docs/command-line.md`;

/** The page, formatted. */
export async function commandLinePage(): Promise<string> {
  return await formatMarkdown([
    `# The command line

\`deno task docs\` makes this page from the tables that parse command lines. \`dvisor help VERB\`,
\`dvisor man VERB | man -l -\` and completion come from the same tables. To have completion, put
\`source <(dvisor completion bash)\` into \`~/.bashrc\`, the same with \`zsh\` into \`~/.zshrc\`
behind \`compinit\`, or \`dvisor completion fish | source\` into fish's configuration; or let
\`dvisor man --write /usr/local/share\` put everything where shells and man(1) look.`,
    `${ABOUT}\n\n    ${USAGE}`,
    `## Options in front of the verb\n\n${optionTable(RUNTIME_OPTIONS)}\n\n${shown(ALSO_IN_FRONT)}`,
    ...Object.values(VERBS).map(verbSection),
    `## Exit codes\n\nThey are ${shown(EXIT_CODES)}`,
  ].join("\n\n"));
}

function verbSection(verb: Command): string {
  const { name, usage, description, notes, exitCodes } = verb;
  return [
    `## ${name}`,
    usage.map((words) => `    dvisor ${name} ${words}`.trimEnd()).join("\n"),
    shown(description),
    ...optionSections(verb).map(([title, options], i) =>
      i === 0 ? optionTable(options) : `${title}:\n\n${optionTable(options)}`
    ),
    shown(notes ?? ""),
    exitCodes === undefined ? "" : `Exit codes: ${shown(exitCodes)}`,
  ].filter((part) => part !== "").join("\n\n");
}

function optionTable(options: Options): string {
  const rows = Object.entries(options).map(([name, option]) =>
    `| \`${cell(written(name, option))}\` | ${cell(shown(optionHelp(option)))} |`
  );
  return rows.length === 0 ? "" : ["| option | what it does |", "| - | - |", ...rows].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

/** Options as code, and no mark of Markdown by accident. */
function shown(text: string): string {
  return text.replaceAll(/[_*<]/g, "\\$&").replaceAll(/(?<!\S)--[a-z][\w-]*/g, "`$&`");
}

if (import.meta.main) Deno.writeTextFileSync(PAGE, await commandLinePage());
