/**
 * Finds exports that no other file imports. Not a parser: a declaration begins its line, and a
 * module that a program names by a URL or in import() has all its exports used.
 */

import { resolve } from "./import_cycles.ts";
import type { SourceFile } from "./source_files.ts";

const COMMENT_LINE = /^\s*(?:\/\*|\*|\/\/).*$/gm;
const NAMED = /^(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+"(\.[^"]+)";/gm;
const NAMESPACE = /^import\s+(?:type\s+)?\*\s+as\s+(\w+)\s+from\s+"(\.[^"]+)";/gm;
const BY_URL = /\b(?:new URL|import)\("([^"]+\.ts)"/g;
const DECLARED =
  /^export (?:abstract |async )*(?:const|let|function\*?|class|interface|type) (\w+)/gm;
/** Constants in one statement are one list: it is used when one of them is. */
const CONSTANTS = /^export const ([^;`{([]*,[^;`{([]*);/gm;
const LISTED = /^export (?:type )?\{([^}]*)\}/gm;

/** The names of a list in braces: those in front of `as`, or those behind it. */
function namesOf(list: string, side: 0 | -1): string[] {
  return list.split(",").map((name) => name.trim().replace(/^type /, "")).filter((n) => n !== "")
    .map((name) => name.split(" as ").at(side) ?? "");
}

/** The exports of a file, in groups of which one use is enough. */
function exportsOf(text: string): string[][] {
  const lists = [...text.matchAll(CONSTANTS)].map(([, constants = ""]) =>
    [...constants.matchAll(/(?:^|,)\s*(\w+)[^,]*/g)].map(([, name = ""]) => name)
  );
  const single = [
    ...[...text.matchAll(DECLARED)].map(([, name = ""]) => name),
    ...[...text.matchAll(LISTED)].flatMap(([, list = ""]) => namesOf(list, -1)),
  ].filter((name) => !lists.some((list) => list.includes(name)));
  return [...lists, ...single.map((name) => [name])];
}

/** Adds what a file uses of others; "*": everything. */
function addUses({ path, text }: SourceFile, uses: Map<string, Set<string>>): void {
  const add = (specifier: string, names: readonly string[]): void => {
    const target = resolve(path, specifier), used = uses.get(target) ?? new Set();
    uses.set(target, used);
    for (const name of names) used.add(name);
  };
  for (const [, list = "", from = ""] of text.matchAll(NAMED)) add(from, namesOf(list, 0));
  for (const [, from = ""] of text.matchAll(BY_URL)) add(from, ["*"]);
  const body = text.replaceAll(NAMESPACE, "");
  for (const [, space = "", from = ""] of text.matchAll(NAMESPACE)) {
    const members = body.matchAll(new RegExp(`(?<![\\w.])${space}\\b(?:\\.(\\w+))?`, "g"));
    add(from, [...members].map(([, member]) => member ?? "*"));
  }
}

/** "path: names" of each export without an import, besides those of files that `isFree` names. */
export function deadExports(
  files: readonly SourceFile[],
  isFree: (path: string) => boolean,
): string[] {
  const uses = new Map<string, Set<string>>();
  const sources = files.map((file) => ({ ...file, text: file.text.replaceAll(COMMENT_LINE, "") }));
  for (const file of sources) addUses(file, uses);
  return sources.filter(({ path }) => !isFree(path)).flatMap(({ path, text }) => {
    const used = uses.get(path);
    if (used?.has("*") === true) return [];
    return exportsOf(text).filter((names) => !names.some((name) => used?.has(name) === true))
      .map((names) => `${path}: ${names.join(", ")}`);
  });
}
