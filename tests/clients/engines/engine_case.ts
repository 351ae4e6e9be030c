/**
 * A check of a container engine, and the engine that it gets. Not a test. Neighbours: `inside.ts`
 * runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, type Finished, run, type RunOptions } from "../../harness/dvisor.ts";

/** LIMIT: how long anything that is waited for may take. */
const SOON_MS = 60_000;
/** LIMIT: seconds of a command. */
const COMMAND_S = 180;
const POLL_MS = 50;

export type PeerName = "runc" | "dvisor";

/** One engine with one runtime, in a place of its own. */
export abstract class Engine {
  readonly peer: PeerName;
  /** The directory of all its files. */
  readonly dir: string;
  /** The runtime's program. */
  readonly runtime: string;
  /** Whether it runs as an ordinary user. */
  readonly isRootless: boolean = false;
  #count = 0;

  constructor(peer: PeerName, dir: string, runtime: string) {
    this.peer = peer;
    this.dir = dir;
    this.runtime = runtime;
  }

  /** The engine's command in front of its arguments. */
  abstract argv(...args: string[]): string[];
  /** Whether the engine needs variables. */
  protected abstract env(): Record<string, string>;
  /** Ends all containers between two checks. */
  abstract sweep(): Promise<void>;
  /** Ends the engine. */
  abstract close(): Promise<void>;

  /** A name that no other container has. */
  name(): string {
    return `c${++this.#count}`;
  }

  host(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(argv, { cwd: this.dir, env: this.env(), timeoutS: COMMAND_S, ...options });
  }

  call(...args: string[]): Promise<Finished> {
    return this.host(this.argv(...args));
  }

  /** Runs a command, which must succeed. Returns its standard output. */
  async must(...args: string[]): Promise<string> {
    const result = await this.call(...args);
    assertEquals(result.code, 0, `${args.join(" ")}: ${describe(result)}`);
    return result.stdout;
  }

  /** It has to fail like this. */
  async fails(message: RegExp, ...args: string[]): Promise<number> {
    const result = await this.call(...args);
    assert(result.code !== 0, `${args.join(" ")}: ${describe(result)}`);
    assertMatch(result.stdout + result.stderr, message);
    return result.code;
  }

  /** Runs a command on a terminal. The output is returned without carriage returns. */
  async terminal(args: readonly string[], stdin = ""): Promise<Finished> {
    const line = this.argv(...args).map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(" ");
    const result = await this.host(["script", "-qec", line, "/dev/null"], { stdin });
    return { ...result, stdout: result.stdout.replaceAll("\r", "") };
  }

  file(name: string, text: string): string {
    const path = `${this.dir}/${name}`;
    this.folder(name.includes("/") ? name.slice(0, name.lastIndexOf("/")) : "");
    Deno.writeTextFileSync(path, text);
    return path;
  }

  folder(name: string): string {
    const path = `${this.dir}/${name}`;
    Deno.mkdirSync(path, { recursive: true });
    Deno.chmodSync(path, 0o777);
    return path;
  }
}

export interface EngineCase<E extends Engine> {
  readonly name: string;
  /** Part of the short sample. */
  readonly isQuick?: boolean;
  /** Why runc does not run the case. */
  readonly notRunc?: string;
  /** Why the case does not run as an ordinary user. */
  readonly notRootless?: string;
  /** The requirement of the case that this machine lacks; null when it has all. */
  readonly lacking?: string | null;
  run(engine: E): Promise<void>;
}

const GROUPS = "/sys/fs/cgroup";

/**
 * Takes control groups away that clients leave: parents of their containers' groups, with those of
 * pods in them.
 */
export function removeGroups(...names: string[]): void {
  const places = [...Deno.readDirSync(GROUPS)].filter((entry) => entry.isDirectory);
  for (const place of [GROUPS, ...places.map((entry) => `${GROUPS}/${entry.name}`)]) {
    for (const name of names) removeGroup(`${place}/${name}`);
  }
}

/** One that a process is in stays, and so do those above it: another client runs beside. */
function removeGroup(path: string): void {
  try {
    const entries = [...Deno.readDirSync(path)];
    for (const { name, isDirectory } of entries) if (isDirectory) removeGroup(`${path}/${name}`);
    Deno.removeSync(path);
  } catch (error) {
    const isBusy = /os error (?:16|39)\b/.test(String(error));
    if (!isBusy && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Repeats a request until it gives an answer. */
export async function until(
  what: string,
  ask: () => boolean | Promise<boolean>,
  timeoutMs: number = SOON_MS,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!await ask()) {
    if (performance.now() > end) throw new Error(`never came: ${what}`);
    await pause(POLL_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
