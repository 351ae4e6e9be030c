/** Whether `dist/` is older than the sources. Neighbours: `main.ts` builds, `../test/main.ts` asks. */

/** What a build makes: the binary's name and the entry point it is made from. */
export interface Output {
  readonly name: string;
  readonly entry: string;
  /** Entry points of programs that the entry chooses from, by name: oci/parts.ts. */
  readonly parts: Readonly<Record<string, string>>;
}

/** As oci/parts.ts has them. */
const PARTS = {
  command: "oci/command_main.ts",
  do: "oci/do_main.ts",
  kernel: "oci/kernel_main.ts",
};

/** Both binaries. */
export const OUTPUTS: readonly Output[] = [
  { name: "dvisor", entry: "oci/main.ts", parts: PARTS },
  { name: "dvisor-gofer", entry: "gofer/main.ts", parts: {} },
];

const SOURCES = ["mod.ts", "deno.json", "ffi", "platform", "kernel", "gofer", "oci", "tools/build"];

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
  const oldest = Math.min(...OUTPUTS.map(({ name }) => mtime(`${root}/dist/${name}`)));
  return oldest === 0 || SOURCES.some((source) => newest(`${root}/${source}`) > oldest);
}
