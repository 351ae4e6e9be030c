/**
 * Which test files there are, and in which order they run. Neighbours: `main.ts`, `run_file.ts`.
 */

/** Top folders in the order of their tests: a folder comes behind those that it imports. */
const ORDER = ["tools", "ffi", "gofer", "platform", "kernel", "oci", "tests"];

function walk(root: string, dir: string, out: string[]): void {
  for (const entry of Deno.readDirSync(`${root}/${dir}`)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) walk(root, path, out);
    else if (entry.isFile && entry.name.endsWith("_test.ts")) out.push(path);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** All test files below `root`, as paths relative to it. */
export function testFiles(root: string): string[] {
  const out: string[] = [];
  for (const top of ORDER) {
    if (!exists(`${root}/${top}`)) continue;
    const files: string[] = [];
    walk(root, top, files);
    out.push(...files.sort());
  }
  return out;
}

/** Whether a file tests one part beside its code: such files may run side by side. */
export function isUnitTest(file: string): boolean {
  return !file.startsWith("tests/");
}

/** Those files that one of the given path beginnings names; all without any. */
export function selectFiles(files: readonly string[], prefixes: readonly string[]): string[] {
  if (prefixes.length === 0) return [...files];
  const wanted = prefixes.map((p) => p.replace(/^\.\//, ""));
  return files.filter((file) => wanted.some((p) => file.startsWith(p)));
}
