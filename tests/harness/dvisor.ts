/**
 * Runs dvisor, or the host itself, for tests: what to start, with which standard files, for how
 * long. Not a test. Neighbours: `machine.ts` says what this machine has, `leftovers.ts` what stayed
 * behind.
 *
 * `DVISOR_FROM_SOURCES=1` runs `oci/main.ts` in place of the compiled binary: for development.
 * `DVISOR_PLATFORM=NAME` runs everything on that platform.
 */

import { fromFileUrl } from "@std/path";
import { isPlatformName, type PlatformName } from "../../platform/select/candidates.ts";

export type { PlatformName };

/** The root folder of the project, without a trailing separator. */
export const ROOT: string = fromFileUrl(new URL("../..", import.meta.url)).replace(/\/$/, "");

const asked = askedPlatform();

/** The platform of tests that are not about a platform. */
export const PLATFORM: PlatformName = asked ?? "systrap";

function askedPlatform(): PlatformName | null {
  const name = Deno.env.get("DVISOR_PLATFORM") ?? "";
  if (name === "") return null;
  if (!isPlatformName(name)) throw new Error(`DVISOR_PLATFORM is "${name}", which is no platform`);
  return name;
}

/**
 * Those that a test of all of them is to run on: the one that DVISOR_PLATFORM names, or else these.
 */
export function platforms(...names: readonly PlatformName[]): readonly PlatformName[] {
  return asked === null ? names : [asked];
}

/** The command line of dvisor itself; a verb can follow, and options in front of it. */
export function dvisorCommand(): string[] {
  return asked === null ? program() : [...program(), `--platform=${asked}`];
}

function program(): string[] {
  if (Deno.env.get("DVISOR_FROM_SOURCES") === undefined) return [`${ROOT}/dist/dvisor`];
  const flags = ["-A", "--no-lock", "--v8-flags=--no-enable-lazy-source-positions"];
  return [Deno.execPath(), "run", ...flags, `${ROOT}/oci/main.ts`];
}

/**
 * `dvisor do` in front of a command. A bug in the kernel ends the sandbox, so that no test
 * overlooks it.
 */
export function doCommand(platform: PlatformName, ...options: string[]): string[] {
  return [...dvisorCommand(), "do", `--platform=${platform}`, "--panic-on-bug", ...options, "--"];
}

export interface RunOptions {
  /** LIMIT: seconds until the command and its process group are killed. */
  readonly timeoutS?: number;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** No variable but those of `env`. */
  readonly clearEnv?: boolean;
  /** The text of its standard input; empty by default. */
  readonly stdin?: string | Uint8Array;
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isOverdue: boolean;
  readonly elapsedMs: number;
}

/** The exit status of timeout(1) when it had to end the command; 137 when it had to kill it. */
const TIMED_OUT: readonly number[] = [124, 137];

/** LIMIT: seconds that a test's command may take if it names no other bound. */
const DEFAULT_TIMEOUT_S = 60;

/** Runs a command to its end and gives all that it printed. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { timeoutS = DEFAULT_TIMEOUT_S } = options;
  const start = performance.now();
  const child = new Deno.Command("timeout", {
    args: ["-k", "5", String(timeoutS), ...argv],
    cwd: options.cwd ?? ROOT,
    env: { ...options.env },
    clearEnv: options.clearEnv ?? false,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin !== undefined) await feed(child.stdin, options.stdin);
  const { code, stdout, stderr } = await child.output();
  const elapsedMs = performance.now() - start;
  return {
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
    bytes: new Uint8Array(stdout),
    isOverdue: TIMED_OUT.includes(code) && elapsedMs >= timeoutS * 1000,
    elapsedMs,
  };
}

async function feed(stdin: WritableStream<Uint8Array>, data: string | Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await writer.close();
  } catch (error) {
    // A command may end before it has read all of its input.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Runs a command in `dvisor do`. */
export function runIn(
  platform: PlatformName,
  argv: readonly string[],
  options: RunOptions = {},
  flags: readonly string[] = [],
): Promise<Finished> {
  return run([...doCommand(platform, ...flags), ...argv], options);
}

/**
 * Runs `dvisor` with these arguments, which make no sandbox: some verbs take no options in front of
 * them.
 */
export function dvisor(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return run([...program(), ...args], options);
}

/** A result in a few lines, for the message of a failed assertion. */
export function describe(result: Finished): string {
  const why = result.isOverdue ? "did not end in time" : `exit code ${result.code}`;
  return `${why}\n--- stdout\n${tail(result.stdout)}\n--- stderr\n${tail(result.stderr)}`;
}

const TAIL_CHARS = 3000;

function tail(text: string): string {
  return text.length <= TAIL_CHARS ? text : `...${text.slice(-TAIL_CHARS)}`;
}
