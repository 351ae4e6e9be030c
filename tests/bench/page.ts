/**
 * The generated part of docs/performance.md: the tables of one run of `deno task bench --write`,
 * and the rows that are slower than runsc. What stands outside of the markers is written by hand.
 */

import { formatMarkdown } from "../tidy/format_markdown.ts";
import { ROOT } from "../tidy/source_files.ts";

const PAGE = `${ROOT}/docs/performance.md`;
export const BEGIN = "<!-- bench: begin; written by `deno task bench --write` -->";
export const END = "<!-- bench: end -->";

export interface MeasuredRow {
  readonly name: string;
  readonly unit: string;
  /** One a system, in the order of `Measured.systems`; NaN: it did not work there. */
  readonly values: readonly number[];
}

/** One run. */
export interface Measured {
  /** Year-month-day. */
  readonly date: string;
  readonly host: string;
  readonly repeats: number;
  /** Names of runners.ts. */
  readonly systems: readonly string[];
  readonly rows: readonly MeasuredRow[];
}

/** A value as the tables show it. */
export function cell(value: number): string {
  if (Number.isNaN(value)) return "-";
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

export function ratio(a: number, b: number): string {
  return Number.isNaN(a / b) ? "-" : (a / b).toFixed(2);
}

/** Returns the text between the markers. */
export function generatedPart({ date, host, repeats, systems, rows }: Measured): string {
  const of = (row: MeasuredRow, name: string) => row.values[systems.indexOf(name)] ?? NaN;
  const table = (names: readonly string[], over: readonly [string, string], shown = rows) => {
    const heads = ["", ...names, over.join(" / ")];
    const lines = shown.map((row) => [
      `${row.name}, ${row.unit}`,
      ...names.map((name) => cell(of(row, name))),
      ratio(of(row, over[0]), of(row, over[1])),
    ]);
    return [heads, heads.map(() => "-"), ...lines].map((c) => `| ${c.join(" | ")} |`).join("\n");
  };
  const slower = rows.filter((row) => of(row, "systrap") > of(row, "runsc"));
  const onKvm = rows.filter((row) => !Number.isNaN(of(row, "kvm")));
  const parts = [
    `Measured on ${date}: ${host}; medians of ${repeats} interleaved repeats. Lower is better.`,
    table(["native", "systrap", "ptrace", "runsc"], ["systrap", "runsc"]),
  ];
  if (systems.includes("runsc")) {
    const names = slower.map((row) => row.name).join("; ") || "none";
    parts.push(`Rows that are slower than runsc (${slower.length} of ${rows.length}): ${names}.`);
  }
  if (onKvm.length > 0) {
    parts.push("### The kvm platform", "From the same run:");
    parts.push(table(["native", "systrap", "kvm"], ["kvm", "systrap"], onKvm));
  }
  return parts.join("\n\n");
}

/** The page with another generated part. @throws Error when it has not exactly these markers */
export function replacePart(page: string, part: string): string {
  const [before, rest, ...more] = page.split(BEGIN), [, behind, ...others] = rest?.split(END) ?? [];
  if (before === undefined || behind === undefined || more.length + others.length > 0) {
    throw new Error(
      "docs/performance.md: the markers of the generated part are not there once each",
    );
  }
  return `${before}${BEGIN}\n\n${part}\n\n${END}${behind}`;
}

export async function writePage(measured: Measured): Promise<void> {
  const text = replacePart(await Deno.readTextFile(PAGE), generatedPart(measured));
  await Deno.writeTextFile(PAGE, await formatMarkdown(text));
}
