/**
 * Files that outlive the process that wrote them, in a directory for them. Their number is limited.
 */

import { join } from "@std/path";

interface KeptFile {
  readonly path: string;
  readonly changedMs: number;
}

/**
 * Removes the files that were changed first until `count` are left. Another process may do the same
 * meanwhile.
 *
 * @param suffix of the names that count; directories never do
 * @param spared a path that neither counts nor is removed
 * @throws Error of the host
 */
export function keepNewest(directory: string, suffix: string, count: number, spared = ""): void {
  const files: KeptFile[] = [];
  for (const { name, isFile } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (!isFile || !name.endsWith(suffix) || path === spared) continue;
    const changedMs = ifThere(() => Deno.lstatSync(path).mtime?.getTime() ?? 0);
    if (changedMs !== null) files.push({ path, changedMs });
  }
  files.sort((a, b) => a.changedMs - b.changedMs || (a.path < b.path ? -1 : 1));
  for (const { path } of files.slice(0, Math.max(0, files.length - count))) {
    ifThere(() => Deno.removeSync(path));
  }
}

function ifThere<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
