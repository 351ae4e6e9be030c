/**
 * `deno task example NAME [ARGUMENT...]`: builds dvisor if that is missing or old, and runs a
 * script of docs/examples. Without a name it lists the scripts.
 */

import { ensureBuilt } from "./build/ensure.ts";
import { requireHost, ROOT } from "./host_check.ts";

const FOLDER = `${ROOT}/docs/examples`;

/** A script, and the first sentence of its header. */
interface Example {
  readonly name: string;
  readonly summary: string;
}

/** All scripts, by name. */
export function examples(): Example[] {
  const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name)
    .filter((name) => name.endsWith(".ts")).sort();
  return names.map((file) => ({
    name: file.slice(0, -".ts".length),
    summary: summaryOf(Deno.readTextFileSync(`${FOLDER}/${file}`)),
  }));
}

/** The first sentence of the comment that a source opens with. */
function summaryOf(source: string): string {
  const [, comment = ""] = source.match(/^\/\*\*(.*?)\*\//s) ?? [];
  const text = comment.replace(/\n \*( |$)/gm, " ").trim();
  return text.match(/^.*?\.(?=\s|$)/s)?.[0] ?? text;
}

/** @returns the lines that name every script */
function listing(): string {
  const all = examples(), width = Math.max(...all.map(({ name }) => name.length));
  return all.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n");
}

/** Runs a script with this one's terminal. @returns its exit code */
async function run(name: string, args: readonly string[]): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", `${FOLDER}/${name}.ts`, ...args],
  }).spawn();
  // ^C is for the script, which ends its sandboxes.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined) {
    console.log(`usage: deno task example NAME [ARGUMENT...]\n\n${listing()}`);
    return 0;
  }
  if (!examples().some((example) => example.name === name)) {
    console.error(`there is no example ${name}; these are there:\n\n${listing()}`);
    return 2;
  }
  requireHost();
  return await ensureBuilt(ROOT) ? await run(name, args) : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
