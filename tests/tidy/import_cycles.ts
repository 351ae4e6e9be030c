/**
 * Finds import cycles among modules, by what is imported at run time (types leave no trace), and
 * among places, folders as a rule, by all that is imported.
 */

import type { SourceFile } from "./source_files.ts";

const IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?["'](\.[^"']+)["']/gm;
const TYPE_IMPORT = /^(?:import|export)\s+type\b[^"';]*?\sfrom\s+["'](\.[^"']+)["']/gm;

/** The path that `specifier` in `from` names. */
export function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

function targetsOf({ path, text }: SourceFile, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((m) => resolve(path, m[1] ?? ""));
}

/** Module path to the paths of what it imports. */
export function importGraph(files: readonly SourceFile[]): Map<string, string[]> {
  return new Map(files.map((file) => [file.path, targetsOf(file, IMPORT)]));
}

/** Place to the other places of which its files import values or types. */
export function placeGraph(
  files: readonly SourceFile[],
  placeOf: (path: string) => string,
): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const file of files) {
    const from = placeOf(file.path), places = graph.get(from) ?? new Set();
    for (const pattern of [IMPORT, TYPE_IMPORT]) {
      for (const target of targetsOf(file, pattern)) places.add(placeOf(target));
    }
    places.delete(from);
    graph.set(from, places);
  }
  return graph;
}

/** Whether imports lead from one node to another. */
export function isReachable(
  graph: ReadonlyMap<string, Iterable<string>>,
  from: string,
  to: string,
): boolean {
  const seen = new Set([from]);
  for (const node of seen) for (const next of graph.get(node) ?? []) seen.add(next);
  return seen.has(to);
}

/** One cycle for each set of modules that reach each other, as a path back to its beginning. */
export function findCycles(graph: ReadonlyMap<string, Iterable<string>>): string[][] {
  const done = new Set<string>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (node: string): void => {
    const at = stack.indexOf(node);
    if (at >= 0) {
      cycles.push([...stack.slice(at), node]);
      return;
    }
    if (done.has(node)) return;
    stack.push(node);
    for (const next of graph.get(node) ?? []) visit(next);
    stack.pop();
    done.add(node);
  };
  for (const node of graph.keys()) visit(node);
  return cycles;
}
