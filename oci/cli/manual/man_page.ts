/**
 * Man pages in roff, made of the tables: dvisor(1), and dvisor-VERB(1) for each verb. See man(7).
 */

import { RUNTIME_OPTIONS } from "../../options/global_options.ts";
import { type Option, type Options, valueName } from "../../options/option.ts";
import { VERSION } from "../../version.ts";
import type { Commands, Declaration } from "../command.ts";
import { optionHelp, optionSections, paragraphs, wrap } from "./help_text.ts";
import { ABOUT, ALSO_IN_FRONT, EXIT_CODES, USAGE } from "./overview.ts";

/** dvisor(1). */
export function mainPage(verbs: Commands): string {
  const list = Object.values(verbs).map(({ name, summary }) =>
    `.TP\n.BR ${escaped(`dvisor-${name}`)} (1)\n${lines(summary)}`
  );
  return page("dvisor", "run programs in a sandbox", [
    ["SYNOPSIS", synopsis(USAGE)],
    ["DESCRIPTION", prose(ABOUT)],
    ["VERBS", list.join("\n")],
    ["OPTIONS", `${optionItems(RUNTIME_OPTIONS)}\n.PP\n${prose(ALSO_IN_FRONT)}`],
    ["EXIT STATUS", prose(sentence(EXIT_CODES))],
  ]);
}

/** dvisor-VERB(1). */
export function verbPage(verb: Declaration): string {
  const { name, summary, usage, description, notes, exitCodes } = verb;
  return page(`dvisor-${name}`, summary, [
    ["SYNOPSIS", usage.map((words) => synopsis(`dvisor ${name} ${words}`)).join("\n.br\n")],
    ["DESCRIPTION", prose(description)],
    ...optionSections(verb).map(([title, options]): Section => [
      title.toUpperCase(),
      optionItems(options),
    ]),
    ["NOTES", prose(notes ?? "")],
    ["EXIT STATUS", prose(sentence(exitCodes ?? ""))],
    ["SEE ALSO", ".BR dvisor (1)"],
  ]);
}

type Section = readonly [title: string, body: string];

function page(name: string, summary: string, sections: readonly Section[]): string {
  // No date: the same version makes the same page at any time.
  const title = `.TH ${escaped(name).toUpperCase()} 1 "" "dvisor ${VERSION}" "dvisor"`;
  const noHyphenation = ".nh\n.ad l";
  const head: Section = ["NAME", `${escaped(name)} \\- ${escaped(summary)}`];
  const bodies = [head, ...sections].filter(([, body]) => body !== "");
  return [title, noHyphenation, ...bodies.map(([title, body]) => `.SH ${title}\n${body}`)].join(
    "\n",
  ) + "\n";
}

/** The program and the verb in bold. */
function synopsis(usage: string): string {
  const [, bold = "", rest = ""] = /^(dvisor(?: [a-z]+)?) ?(.*)$/.exec(usage) ?? [];
  return rest === "" ? `.B ${escaped(bold)}` : `.B ${escaped(bold)}\n${lines(rest)}`;
}

function optionItems(options: Options): string {
  return Object.entries(options).map(([name, option]) =>
    `.TP\n${heading(name, option)}\n${lines(optionHelp(option))}`
  ).join("\n");
}

/** `-b, --bundle DIR`: names in bold, the value in italics. */
function heading(name: string, option: Option): string {
  const short = option.short === undefined ? "" : `\\fB\\-${option.short}\\fR, `;
  const value = valueName(option);
  return `${short}\\fB\\-\\-${escaped(name)}\\fR` +
    (value === "" ? "" : ` \\fI${escaped(value)}\\fR`);
}

function prose(text: string): string {
  return paragraphs(text).map(lines).join("\n.PP\n");
}

const COLUMNS = 72;

/** Lines of text, none of which is a command of roff. */
function lines(text: string): string {
  return escaped(wrap(text, COLUMNS)).replaceAll(/^(?=[.'])/gm, "\\&");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
