/**
 * Whether `dist/` is older than the sources. Neighbours: `main.ts` builds, `../test/main.ts` asks.
 */

/** The binary that a build makes, and the entry point it is made from. */
export const NAME = "dvisor", ENTRY = "oci/main.ts";
/** Its second name: another program, but the same file. */
export const GOFER_NAME = "dvisor-gofer";

/**
 * Modules that assemble machine code, by the names under which programs ask for it
 * (ffi/sys/prebuilt.ts).
 */
export const ASSEMBLIES: Readonly<Record<string, string>> = {
  native: "ffi/sys/native_assembly.ts",
  waiter: "oci/proxy/waiter_code.ts",
};

const SOURCES = ["deno.json", "ffi", "platform", "kernel", "gofer", "oci", "tools/build"];

function mtime(path: string): number {
  try {
    return Deno.statSync(path).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** The latest change below `path`, in ms since the epoch; 0 when it is not there. */
function newest(path: string): number {
  let latest = 0;
  const info = mtime(path);
  if (info === 0) return 0;
  if (Deno.statSync(path).isFile) return path.endsWith("_test.ts") ? 0 : info;
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory || entry.isFile) {
      latest = Math.max(latest, newest(`${path}/${entry.name}`));
    }
  }
  return latest;
}

/** Whether an output is missing or older than the newest source. */
export function isStale(root: string): boolean {
  const oldest = Math.min(...[NAME, GOFER_NAME].map((name) => mtime(`${root}/dist/${name}`)));
  return oldest === 0 || SOURCES.some((source) => newest(`${root}/${source}`) > oldest);
}
