/** A program that runs in a sandbox: its streams, signals and end. */

import type { ExecOptions } from "./options.ts";
import { SandboxError } from "./runtime.ts";

const MAX_OUTPUT_BYTES = 64 << 20;

/** How a program ended. */
export interface ExecResult {
  /** Exit code; 128 + N when signal N ended it. */
  readonly code: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: Uint8Array<ArrayBuffer>;
  /** `stdout` as text. */
  readonly text: string;
  /** `stderr` as text. */
  readonly errorText: string;
  /** It was killed because it took longer than `timeoutMs`. */
  readonly isOverdue: boolean;
  /** It was killed because it wrote more than `maxOutputBytes`. */
  readonly isCut: boolean;
}

/** How often to check whether a program that is to be killed has started, in ms. */
const START_CHECK_MS = 5;

export class Program {
  readonly #child: Deno.ChildProcess;
  readonly #pidFile: string;
  readonly status: Promise<{ readonly code: number }>;
  #hasEnded = false;

  private constructor(child: Deno.ChildProcess, pidFile: string, files: readonly string[]) {
    this.#child = child;
    this.#pidFile = pidFile;
    this.status = this.#wait(files);
  }

  /**
   * @param pidFile where `dvisor exec` writes the pid of the program's proxy
   * @param files removed after the end of the program, with `pidFile`
   * @throws SandboxError if there is no `binary`
   */
  static start(
    binary: string,
    args: readonly string[],
    pidFile: string,
    files: readonly string[],
  ): Program {
    const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    try {
      const child = new Deno.Command(binary, { args: [...args], ...streams }).spawn();
      return new Program(child, pidFile, [pidFile, ...files]);
    } catch (cause) {
      throw new SandboxError(`cannot run ${binary}`, { cause });
    }
  }

  get stdin(): WritableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdin;
  }
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stdout;
  }
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#child.stderr;
  }

  /** Sends a signal; SIGKILL ends the program at once. Nothing happens when it has ended. */
  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    while (!this.#hasEnded) {
      const pid = await readPid(this.#pidFile);
      if (pid > 0) return send(pid, signal);
      await new Promise((done) => setTimeout(done, START_CHECK_MS));
    }
  }

  async #wait(files: readonly string[]): Promise<{ readonly code: number }> {
    const { code } = await this.#child.status;
    this.#hasEnded = true;
    for (const file of files) await removeIfThere(file);
    return { code };
  }
}

/** 0: the file is not written yet, or is gone. */
async function readPid(path: string): Promise<number> {
  try {
    return Number(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    // The sandbox may have been removed meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Writes a program's input, waits for its end, and collects its output. */
export async function collect(program: Program, options: ExecOptions): Promise<ExecResult> {
  const limit = options.maxOutputBytes ?? MAX_OUTPUT_BYTES;
  let isOverdue = false, isCut = false;
  let killed = Promise.resolve();
  const tooMuch = () => {
    isCut = true;
    killed = program.kill();
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
    isOverdue = true;
    killed = program.kill();
  }, options.timeoutMs);
  try {
    const [stdout, stderr, { code }] = await Promise.all([
      readUpTo(program.stdout, limit, tooMuch),
      readUpTo(program.stderr, limit, tooMuch),
      program.status,
      feed(program.stdin, options.stdin),
    ]);
    await killed;
    const decoder = new TextDecoder();
    return {
      code,
      stdout,
      stderr,
      text: decoder.decode(stdout),
      errorText: decoder.decode(stderr),
      isOverdue,
      isCut,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** A program need not read all of its input. */
async function feed(
  stdin: WritableStream<Uint8Array<ArrayBuffer>>,
  data: ExecOptions["stdin"],
): Promise<void> {
  try {
    if (data instanceof ReadableStream) return await data.pipeTo(stdin);
    const writer = stdin.getWriter();
    if (data !== undefined && data.length > 0) {
      await writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    }
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** The first `limit` bytes. `tooMuch` is called when there are more; the rest is dropped. */
async function readUpTo(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  limit: number,
  tooMuch: () => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    if (length >= limit) continue;
    const kept = part.subarray(0, limit - length);
    parts.push(kept);
    length += kept.length;
    if (kept.length < part.length) tooMuch();
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
