/** The project's own text files, for the tidy tests. Not a build input. */

import { fromFileUrl } from "@std/path";

/** The root folder of the project, without a trailing separator. */
export const ROOT: string = fromFileUrl(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Whether the project has a file of that path, relative to the root. */
export function isThere(path: string): boolean {
  try {
    return Deno.statSync(`${ROOT}/${path}`).isFile;
  } catch {
    return false;
  }
}

/** Folders that no person wrote, and those that belong to other tools. */
const SKIPPED = new Set([".git", "dist", "vendor", "node_modules", ".cache", ".deno", "coverage"]);

/** One file: its path relative to the root, and its lines. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

function walk(dir: string, wanted: (name: string) => boolean, out: SourceFile[]): void {
  for (const entry of Deno.readDirSync(dir === "" ? ROOT : `${ROOT}/${dir}`)) {
    const path = dir === "" ? entry.name : `${dir}/${entry.name}`;
    if (entry.isDirectory && !SKIPPED.has(entry.name)) walk(path, wanted, out);
    else if (entry.isFile && wanted(entry.name)) {
      const text = Deno.readTextFileSync(`${ROOT}/${path}`);
      out.push({ path, text, lines: text.replace(/\n$/, "").split("\n") });
    }
  }
}

/** All files whose name `wanted` accepts, sorted by path. */
export function sourceFiles(wanted: (name: string) => boolean): SourceFile[] {
  const out: SourceFile[] = [];
  walk("", wanted, out);
  return out.sort((a, b) => (a.path < b.path ? -1 : 1));
}
