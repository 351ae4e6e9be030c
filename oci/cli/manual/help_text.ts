/** The texts of `help`, made of the tables of options and verbs. */

import { type Option, type Options, valueName } from "../../options/option.ts";
import type { Declaration } from "../command.ts";

const COLUMNS = 100;
/** LIMIT: columns of an option's name and value, beside which its help begins. */
const NAME_COLUMNS = 24;

/** How a verb is used. */
export function verbHelp(verb: Declaration): string {
  const { notes, exitCodes } = verb, width = nameColumns(rowsOf(verb.options));
  return [
    usageText(verb),
    wrap(verb.description),
    ...optionSections(verb).map(([title, options]) =>
      `${title}:\n${alignedLines(rowsOf(options), width)}`
    ),
    wrap(notes ?? ""),
    exitCodes === undefined ? "" : wrap(`Exit codes: ${exitCodes}`),
  ].filter((part) => part !== "").join("\n\n");
}

/** The options of a verb in parts with titles. */
export function optionSections(
  { options, sections = {} }: Declaration,
): readonly (readonly [title: string, options: Options])[] {
  const named = Object.values(sections).flat();
  const part = (isIn: (name: string) => boolean): Options =>
    Object.fromEntries(Object.entries(options).filter(([name]) => isIn(name)));
  return [
    ["Options", part((name) => !named.includes(name))] as const,
    ...Object.entries(sections).map(([title, names]) =>
      [title, part((name) => names.includes(name))] as const
    ),
  ].filter(([, options]) => Object.keys(options).length > 0);
}

function usageText({ name, usage }: Declaration): string {
  const lines = usage.map((words) => `dvisor ${name} ${words}`.trimEnd());
  return `Usage: ${lines.join("\n       ")}`;
}

/** The lines of a table: names, and what they mean beside them. */
export function optionLines(options: Options): string {
  return alignedLines(rowsOf(options));
}

type Row = readonly [left: string, right: string];

function rowsOf(options: Options): Row[] {
  return Object.entries(options).map((
    [name, option],
  ) => [written(name, option), optionHelp(option)]);
}

/** `-b, --bundle DIR` */
export function written(name: string, option: Option): string {
  const short = option.short === undefined ? "" : `-${option.short}, `;
  return `${short}--${name} ${valueName(option)}`.trimEnd();
}

/** What the option does, and what the table knows of its values. */
export function optionHelp({ help, value, choices, default: usual, repeats }: Option): string {
  const facts = [
    ...value === undefined || choices === undefined ? [] : [choices.join(", ")],
    ...repeats === undefined ? [] : ["repeatable"],
    ...usual === undefined ? [] : [`default ${usual}`],
  ];
  return facts.length === 0 ? help : `${help} (${facts.join("; ")})`;
}

/** Rows of two cells; a left one that is too long stands on a line of its own. */
export function alignedLines(rows: readonly Row[], width = nameColumns(rows)): string {
  const margin = " ".repeat(width + 4);
  return rows.map(([left, right]) => {
    const text = wrap(right, COLUMNS - margin.length).replaceAll("\n", `\n${margin}`);
    const isLong = left.length > width;
    return isLong ? `  ${left}\n${margin}${text}` : `  ${left.padEnd(width)}  ${text}`;
  }).join("\n");
}

function nameColumns(rows: readonly Row[]): number {
  const widths = rows.map(([left]) => left.length).filter((width) => width <= NAME_COLUMNS);
  return Math.max(...widths, 0);
}

/** The paragraphs of a text, each a line without breaks. */
export function paragraphs(text: string): string[] {
  return text.split(/\n\s*\n/).map((part) => part.trim().replaceAll(/\s+/g, " "))
    .filter((part) => part !== "");
}

/** Paragraphs in lines of up to `columns`. */
export function wrap(text: string, columns = COLUMNS): string {
  return paragraphs(text).map((paragraph) => {
    let lines = "", length = 0;
    for (const word of paragraph.split(" ")) {
      const fits = length + 1 + word.length <= columns;
      lines += length === 0 ? word : fits ? ` ${word}` : `\n${word}`;
      length = length > 0 && fits ? length + 1 + word.length : word.length;
    }
    return lines;
  }).join("\n\n");
}
