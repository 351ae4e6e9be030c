/**
 * Runs one test file in its own process, so that a crash, a hang or a broken module costs that file
 * only. Neighbours: `main.ts` decides which files, `junit.ts` reads the report.
 */

import { type Outcome, parseJunit } from "./junit.ts";

/** The result of one test file. */
export interface FileResult {
  readonly file: string;
  readonly outcomes: readonly Outcome[];
  /** Everything the process printed. */
  readonly output: string;
  readonly elapsedMs: number;
}

/** How to run a file. */
export interface RunOptions {
  readonly root: string;
  readonly timeoutS: number;
  readonly env: Record<string, string>;
}

/** The exit status of timeout(1) when it had to end the command. */
const TIMED_OUT = 124;

/** The outcomes of a run: a process that fails without a failed test counts as one failure. */
export function outcomesOf(
  code: number,
  xml: string | null,
  isOverdue: boolean,
): Outcome[] {
  const outcomes = xml === null ? [] : parseJunit(xml);
  if (code === 0 || outcomes.some((o) => o.status === "failed")) return outcomes;
  const why = code === TIMED_OUT || isOverdue
    ? "did not end in time"
    : code > 128
    ? `the test process died of signal ${code - 128}`
    : outcomes.length === 0
    ? "the file did not load"
    : `exit status ${code}`;
  return [...outcomes, { name: `(${why})`, status: "failed" }];
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Runs `file` (relative to the root) to its end or its timeout. */
export async function runFile(file: string, options: RunOptions): Promise<FileResult> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-test-" });
  const start = performance.now();
  try {
    const report = `${dir}/junit.xml`;
    // timeout(1) leads its own process group, so what the test left behind goes with it.
    const { code, stdout, stderr } = await new Deno.Command("timeout", {
      args: [
        "-k",
        "10",
        String(options.timeoutS),
        Deno.execPath(),
        "test",
        "-A",
        "--no-check",
        "--quiet",
        `--junit-path=${report}`,
        file,
      ],
      cwd: options.root,
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const elapsedMs = performance.now() - start;
    const isOverdue = elapsedMs >= options.timeoutS * 1000;
    const outcomes = outcomesOf(code, await readIfThere(report), isOverdue);
    const text = new TextDecoder();
    return {
      file,
      outcomes,
      output: text.decode(stdout) + text.decode(stderr),
      elapsedMs,
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
