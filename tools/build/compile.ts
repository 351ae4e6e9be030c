/**
 * Makes an executable of a script with `deno compile`: on the genuine base (`denort`) where Deno
 * can get it, else on the home-made one. Neighbours: `program.ts` makes the script, `main.ts` asks.
 */

import { makeBase } from "./base_binary.ts";
import { embedProgram } from "./embed.ts";

/**
 * V8 takes the positions of lazily compiled functions at once. Otherwise the first caught error
 * makes it parse the whole program again, which doubles the start-up time of a large one. And the
 * program may say when garbage is collected (oci/boot/v8_heap.ts).
 */
const V8_FLAGS = ["--no-enable-lazy-source-positions", "--expose-gc"];

/** The origin of a binary's base. */
type Base = "genuine" | "home-made";

/** LIMIT: Deno has this long to get its genuine base. */
const GENUINE_TIMEOUT_MS = 180_000;

/** Messages of the child are quoted in ours. */
const QUIET = { NO_COLOR: "1", RUST_BACKTRACE: "0" };

interface CompileResult {
  readonly success: boolean;
  readonly stderr: string;
}

async function denoCompile(
  program: string,
  output: string,
  v8Flags: readonly string[],
  options: { flags?: string[]; base?: string; timeoutMs?: number },
): Promise<CompileResult> {
  const abort = new AbortController();
  const timer = options.timeoutMs === undefined
    ? undefined
    : setTimeout(() => abort.abort(), options.timeoutMs);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--quiet",
      "--no-config",
      "--no-check",
      "-A",
      `--v8-flags=${v8Flags.join(",")}`,
      ...(options.flags ?? []),
      "-o",
      output,
      program,
    ],
    env: options.base === undefined ? QUIET : { ...QUIET, DENORT_BIN: options.base },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: abort.signal,
  }).output();
  clearTimeout(timer);
  return { success, stderr: new TextDecoder().decode(stderr).trimEnd() };
}

/** A base for all binaries of one build. */
export interface BaseChoice {
  readonly kind: Base;
  /** The file to pass as DENORT_BIN; null: Deno has its own. */
  readonly path: string | null;
  /** V8's flags in binaries of it. */
  readonly v8Flags: readonly string[];
}

/**
 * When programs were last changed, as their binaries say: always the same, in s since the epoch.
 * Deno writes it into what it compiles, and two builds of one tree are to be the same to the byte.
 */
const PROGRAM_TIME_S = 1;

/**
 * Finds out whether Deno can get its genuine base by compiling a trivial program, and makes the
 * home-made one in `workDir` if it cannot. A base named by the caller's DENORT_BIN is taken.
 *
 * @throws Error if neither works
 */
export async function chooseBase(workDir: string): Promise<BaseChoice> {
  const trial = `${workDir}/trial.js`;
  await Deno.writeTextFile(trial, "0;\n");
  const options = { timeoutMs: GENUINE_TIMEOUT_MS }, v8Flags = V8_FLAGS;
  const genuine = await denoCompile(trial, `${workDir}/trial`, v8Flags, options);
  if (genuine.success) return { kind: "genuine", path: null, v8Flags };
  try {
    return await homeMadeBase(workDir, v8Flags);
  } catch (cause) {
    throw new Error(
      `no base for a binary: deno compile cannot get its own (${lastLine(genuine.stderr)}), and ` +
        `one cannot be made of ${Deno.execPath()}: use the official Deno, as npx brings it`,
      { cause },
    );
  }
}

/**
 * The base that is made of the running Deno, the same on every machine, whether Deno can get the
 * genuine one there or not.
 *
 * @throws Error if this is not the official Deno
 */
export async function homeMadeBase(
  workDir: string,
  v8Flags: readonly string[] = V8_FLAGS,
): Promise<BaseChoice> {
  const path = `${workDir}/base`;
  const base = makeBase(await Deno.readFile(Deno.execPath()), v8Flags);
  await Deno.writeFile(path, base, { mode: 0o755 });
  return { kind: "home-made", path, v8Flags };
}

/** Makes a base of the same kind with additional flags of V8, with its files in `workDir`. */
export async function withFlags(
  base: BaseChoice,
  more: readonly string[],
  workDir: string,
): Promise<BaseChoice> {
  const v8Flags = [...base.v8Flags, ...more];
  return base.path === null ? { ...base, v8Flags } : await homeMadeBase(workDir, v8Flags);
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "" && !/^Stack backtrace|<unknown>/.test(line)) ?? "";
}

/**
 * Compiles the script to the executable `output`.
 *
 * @param name the program's name inside the binary, and what stack traces call it
 * @throws Error if `deno compile` fails
 */
export async function compileProgram(
  script: string,
  output: string,
  name: string,
  base: BaseChoice,
  workDir: string,
): Promise<void> {
  const program = `${workDir}/${name}.js`;
  await Deno.writeTextFile(program, script);
  await Deno.utime(program, PROGRAM_TIME_S, PROGRAM_TIME_S);
  // The genuine base would keep its code cache in a folder that others can write to.
  const options = base.path === null ? { flags: ["--no-code-cache"] } : { base: base.path };
  const { success, stderr } = await denoCompile(program, output, base.v8Flags, options);
  if (!success) throw new Error(`deno compile failed:\n${stderr}`);
  if (base.path === null) return;
  const binary = await Deno.readFile(output);
  embedProgram(binary, new TextEncoder().encode(script));
  await Deno.writeFile(output, binary, { mode: 0o755 });
}
