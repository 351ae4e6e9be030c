/**
 * What the cases of the library's suite share. They run in Deno, Node and Bun, so they import
 * modules of Node alone, and use no syntax that Node 20 does not know.
 */

import assert from "node:assert/strict";
import { access, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import type * as Module from "../../mod.ts";

type Library = typeof Module;
type Sandbox = Module.Sandbox;

/** How a runner runs the cases. */
export interface SuiteOptions {
  /** Options of every sandbox, as `binary`. */
  readonly create: Module.SandboxOptions;
  /** The command that runs a script file in this runtime. */
  readonly command: readonly string[];
  /** What a script imports to have the library. */
  readonly library: string;
  /** The file of script.ts, as this runtime can run it. */
  readonly script: string;
}

export interface Case {
  readonly name: string;
  /** Programs that it needs on this machine. */
  readonly needs?: readonly string[];
  /** It is about what the modes of files refuse, which refuse root nothing. */
  readonly isForUsers?: boolean;
  run(library: Library, options: SuiteOptions): Promise<void>;
}

/** A directory of each sandbox that the host does not have: sandboxes show what is in its /tmp. */
export const AREA: string = `/tmp/dvisor-suite-area-${process.pid}-${Date.now()}`;
/** The user that may write anywhere; the user of a sandbox is that of the script. */
export const ROOT_USER = { uid: 0, gid: 0 };

/** A case in one sandbox, which ends with it. */
export function inSandbox(
  name: string,
  run: (box: Sandbox, library: Library, options: SuiteOptions) => Promise<void>,
  more: { readonly needs?: readonly string[]; readonly create?: Module.SandboxOptions } = {},
): Case {
  return {
    name,
    needs: more.needs ?? [],
    run: (library, options) =>
      withSandbox(
        library,
        { ...options.create, ...more.create },
        (box) => run(box, library, options),
      ),
  };
}

/** Calls `run` with a sandbox and ends that. */
export async function withSandbox(
  library: Library,
  options: Module.SandboxOptions,
  run: (box: Sandbox) => Promise<void>,
): Promise<void> {
  const box = await library.Sandbox.create(options);
  try {
    await box.fs.mkdir(AREA, { recursive: true, mode: 0o1777 });
    await run(box);
  } finally {
    await box.kill();
  }
}

/** Calls `run` with a new directory of the host and removes that. */
export async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "dvisor-suite-"));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type ErrorClass<T> = new (...args: never[]) => T;

/** The error of this class with which `work` fails. */
export async function failure<T>(wanted: ErrorClass<T>, work: Promise<unknown>): Promise<T> {
  const error: unknown = await work.then(() => null, (reason) => reason);
  if (error instanceof wanted) return error;
  assert.fail(`expected ${wanted.name}, got ${error === null ? "no error" : String(error)}`);
}

/** LIMIT: until a condition that will come true has to be true. */
const PATIENCE_MS = 60_000;

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!await condition()) {
    if (Date.now() > end) assert.fail(`waited in vain: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** The commands of the processes that the guests of a sandbox see, without the one that asks. */
export async function processes(box: Sandbox): Promise<string[]> {
  const script = "for f in /proc/[0-9]*/comm; do read -r name < $f && echo $name; done 2>/dev/null";
  const { text } = await box.exec(["sh", "-c", script]);
  return text.trim().split("\n");
}

/** Waits until no guest runs a program of this name. */
export async function untilGone(box: Sandbox, name: string): Promise<void> {
  await until(`${name} ends`, async () => !(await processes(box)).includes(name));
}

/** A process of the host, by its number and its start, as numbers are used again. */
interface HostProcess {
  readonly pid: number;
  readonly parent: number;
  readonly start: string;
}

async function hostProcess(pid: number): Promise<HostProcess | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return null;
    return { pid, parent: Number(fields[1]), start: fields[19] ?? "" };
  } catch {
    return null;
  }
}

/** All processes of the host that come from `pid`, with itself. */
export async function familyOf(pid: number): Promise<HostProcess[]> {
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(names.map((name) => hostProcess(Number(name))));
  const family = all.filter((one) => one?.pid === pid);
  for (const one of family) {
    for (const other of all) if (other?.parent === one?.pid) family.push(other);
  }
  return family.filter((one) => one !== null);
}

/** Waits until these processes of the host have ended. */
export async function untilEnded(family: readonly HostProcess[]): Promise<void> {
  await until(`host processes ${family.map(({ pid }) => pid)} end`, async () => {
    const now = await Promise.all(family.map(({ pid }) => hostProcess(pid)));
    return now.every((one, i) => one?.start !== family[i]?.start);
  });
}

/** Why a case cannot run on this machine; null when it can. */
export async function missingFor({ needs = [], isForUsers }: Case): Promise<string | null> {
  if (isForUsers === true && process.getuid?.() === 0) return "modes of files refuse root nothing";
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  for (const program of needs) {
    const found = await Promise.allSettled(directories.map((dir) => access(join(dir, program))));
    if (found.every((one) => one.status === "rejected")) return `no ${program} on this machine`;
  }
  return null;
}

/** The bytes of a text. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** All text of a stream. */
export async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of stream) text += decoder.decode(part, { stream: true });
  return text + decoder.decode();
}

/** Reads a stream until what came ends in `end`. */
export async function readTo(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  end: string,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes(end)) {
    const { done, value } = await reader.read();
    assert(!done, `the stream ended behind ${JSON.stringify(text)}`);
    text += decoder.decode(value, { stream: true });
  }
  return text;
}
