/** Programs in a sandbox: `exec` collects what one writes, `spawn` gives its streams. */

import type { Request } from "../protocol/session/messages.ts";
import type {
  EndedEvent,
  ExecResultMessage,
  Reason,
  StartedEvent,
} from "../protocol/session/messages.ts";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { InvalidArgumentError, SandboxError } from "./errors.ts";
import { Job } from "./job.ts";
import { LineReader } from "./lines.ts";
import { checkOptions, checkSignal } from "./option_checks.ts";
import {
  EXEC_CHECKS,
  type ExecOptions,
  LINES_CHECKS,
  type LinesOptions,
  RESIZE_CHECKS,
  SPAWN_CHECKS,
  type SpawnOptions,
  type TerminalSize,
} from "./options.ts";
import { forwardTerminal } from "./terminal.ts";

const MAX_OUTPUT_BYTES = 64 << 20, MAX_LINE_BYTES = 1 << 20;

type Bytes = Uint8Array<ArrayBuffer>;

/** How a program ended. */
export interface ProgramStatus {
  /** Its exit code; null: a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it, as "SIGKILL". */
  readonly signal: string | null;
  /**
   * Why: `exit` and `signal` are its own doing; `timeout` (the wall clock's), `cpu`, `output` and
   * `oom` are limits, and `killed` is the script's doing.
   */
  readonly reason: Reason;
  readonly durationMs: number;
  /** The most memory that the program and what came from it had at a time. */
  readonly peakMemoryBytes: number;
  /** Their processor time. */
  readonly cpuMs: number;
}

/** How a program ended, and what it wrote. */
export interface ExecResult extends ProgramStatus {
  readonly stdout: Bytes;
  readonly stderr: Bytes;
  /** `stdout` as text. */
  readonly text: string;
  /** `stderr` as text. */
  readonly errorText: string;
  /** The processes that a `detached` program left behind, if it left some. */
  readonly job: Job;
}

function execRequest(
  argv: readonly string[],
  options: ExecOptions | SpawnOptions,
): Extract<Request, { op: "exec" }> {
  if (!Array.isArray(argv) || argv.length === 0) {
    throw new InvalidArgumentError("argv must be an array with the program and its arguments");
  }
  const wrong = argv.find((arg) => typeof arg !== "string" || arg.includes("\0"));
  if (wrong !== undefined) {
    throw new InvalidArgumentError("argv must have strings without NUL characters only");
  }
  const { cwd, env, user, timeoutMs, maxOutputBytes, detached, limits } = options;
  const pty = "pty" in options ? options.pty : undefined;
  return {
    op: "exec",
    argv,
    ...cwd === undefined ? {} : { cwd },
    ...env === undefined ? {} : { env },
    ...user === undefined ? {} : { user },
    ...timeoutMs === undefined ? {} : { timeoutMs: Math.ceil(timeoutMs) },
    ...maxOutputBytes === undefined ? {} : { maxOutputBytes },
    ...detached === undefined ? {} : { detached },
    ...limits === undefined ? {} : { limits },
    ...pty === undefined ? {} : { pty },
  };
}

/** Runs a program to its end and collects its output. */
export async function execProgram(
  connection: Connection,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  checkOptions("exec", options, EXEC_CHECKS);
  const { stdin, signal } = options;
  signal?.throwIfAborted();
  const maxOutputBytes = options.maxOutputBytes ?? MAX_OUTPUT_BYTES;
  const request = { ...execRequest(argv, options), maxOutputBytes, stdin: stdin !== undefined };
  const doing = { verb: "run", subject: request.argv[0] ?? "" };
  let job = 0, pid = 0;
  const onEvent = (event: unknown): void => {
    const started = event as StartedEvent | EndedEvent;
    if ("job" in started) ({ job, pid } = started);
  };
  const channel = connection.request(request, { doing, onEvent, keepBytes: maxOutputBytes });
  let thrown: { readonly error: unknown } | null = null;
  const guarded = (callback: ((piece: Bytes) => void) | undefined) => (piece: Bytes): void => {
    try {
      if (thrown === null) callback?.(piece);
    } catch (error) {
      thrown = { error };
      channel.cancel();
    }
  };
  channel.output.watch(guarded(options.onStdout));
  channel.errors.watch(guarded(options.onStderr));
  const fed = stdin === undefined ? null : feed(channel, stdin);
  const status = await channel.finish(signal) as ExecResultMessage;
  rethrow(thrown);
  const failure = await fed;
  if (failure != null) throw failure;
  const stdout = channel.output.all(), stderr = channel.errors.all();
  const decoder = new TextDecoder();
  return {
    ...status,
    stdout,
    stderr,
    text: decoder.decode(stdout),
    errorText: decoder.decode(stderr),
    job: new Job(connection, job, pid, request.argv),
  };
}

/** What a callback has thrown; null: nothing. */
function rethrow(thrown: { readonly error: unknown } | null): void {
  if (thrown !== null) throw thrown.error;
}

/**
 * Writes a program's input. A program need not read all of it, but a source that fails ends it.
 * @returns the failure of the source
 */
async function feed(
  channel: Channel,
  data: string | Uint8Array | ReadableStream<Uint8Array>,
): Promise<Error | null> {
  if (data instanceof ReadableStream) return await feedStream(channel, data);
  try {
    await channel.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    channel.endInput();
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
  }
  return null;
}

async function feedStream(
  channel: Channel,
  stream: ReadableStream<Uint8Array>,
): Promise<Error | null> {
  const reader = stream.getReader();
  // A source that never ends must not outlast the program.
  const ended = channel.outcome.then(() => null);
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), ended]);
      if (next === null || next.done) break;
      await channel.write(next.value);
    }
    channel.endInput();
    return null;
  } catch (error) {
    if (!channel.isOpen) return null;
    channel.cancel();
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * A program that runs in a sandbox.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * const program = await box.spawn(["sh", "-c", "read name; echo hello $name"]);
 * const writer = program.stdin.getWriter();
 * await writer.write(new TextEncoder().encode("world\n"));
 * await writer.close();
 * console.log(await new Response(program.stdout).text()); // "hello world\n"
 * console.log((await program.status).code); // 0
 * ```
 *
 * A program that writes more than a mebibyte waits until the script reads it. What the script does
 * not want, it reads and drops: `program.stderr.pipeTo(new WritableStream())`. After
 * `program.stderr.cancel()` the program's writes fail with EPIPE, which can end it or its requests.
 */
export class Program implements AsyncDisposable {
  /** Its process id in the sandbox. */
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Bytes>;
  /** Empty when the program has a terminal. */
  readonly stderr: ReadableStream<Bytes>;
  /** How it ended. It is known at the program's end, also when its output was not read. */
  readonly status: Promise<ProgramStatus>;
  /** The program with all that came from it. */
  readonly job: Job;
  readonly #channel: Channel;
  readonly #hasTerminal: boolean;
  #lines: LineReader | null = null;

  private constructor(
    channel: Channel,
    job: Job,
    ended: Promise<ProgramStatus>,
    { signal, pty }: SpawnOptions,
  ) {
    this.#channel = channel;
    this.#hasTerminal = pty !== undefined;
    this.job = job;
    this.pid = job.pid;
    this.stdin = inputStream(channel);
    this.stdout = channel.output.stream(() => channel.control({ closeStream: 1 }));
    this.stderr = channel.errors.stream(() => channel.control({ closeStream: 2 }));
    const cancel = (): void => channel.cancel();
    signal?.addEventListener("abort", cancel);
    this.status = Promise.race([ended, channel.finish() as Promise<ProgramStatus>]);
    // A script need not look at it.
    this.status.catch(() => {}).finally(() => signal?.removeEventListener("abort", cancel));
  }

  /** @throws NotFoundError if there is no such program */
  static async start(
    connection: Connection,
    argv: readonly string[],
    options: SpawnOptions,
  ): Promise<Program> {
    checkOptions("spawn", options, SPAWN_CHECKS);
    const { signal } = options;
    signal?.throwIfAborted();
    const request = { ...execRequest(argv, options), stdin: true };
    const doing = { verb: "run", subject: request.argv[0] ?? "" };
    let onStart: (event: StartedEvent) => void = () => {};
    let onEnd: (status: ProgramStatus) => void = () => {};
    const started = new Promise<StartedEvent>((resolve) => onStart = resolve);
    const ended = new Promise<ProgramStatus>((resolve) => onEnd = resolve);
    const onEvent = (message: unknown): void => {
      const event = message as StartedEvent | EndedEvent;
      if ("ended" in event) onEnd(event.ended);
      else onStart(event);
    };
    const channel = connection.request(request, { doing, onEvent });
    const first = await Promise.race([started, channel.outcome]);
    const { pid, job } = "pid" in first ? first : await channel.finish(signal) as StartedEvent;
    const handle = new Job(connection, job, pid, request.argv);
    const program = new Program(channel, handle, ended, options);
    if (signal?.aborted === true) {
      channel.cancel();
      await channel.finish(signal);
    }
    return program;
  }

  /**
   * The lines of `stdout`, without their ends. After the loop was left, another call goes on behind
   * the last line; `stdout` itself lacks what was read for it.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * await using program = await box.spawn(["sh", "-c", "echo starting; echo ready; sleep 100"]);
   * for await (const line of program.lines()) if (line === "ready") break;
   * ```
   * @throws LimitError for a line that is too long
   */
  lines(options: LinesOptions = {}): AsyncGenerator<string, undefined> {
    checkOptions("lines", options, LINES_CHECKS);
    this.#lines ??= new LineReader(this.stdout);
    return this.#lines.lines(options.maxLineBytes ?? MAX_LINE_BYTES);
  }

  /**
   * Connects the terminal of this script with that of the program, until the program ends: keys go
   * through as they are, ^C too, and the program's terminal gets the size of the script's. Then the
   * script's terminal is as before. Standard input that is no terminal is forwarded too.
   *
   *     const program = await box.spawn(["bash"], { pty: { cols: 80, rows: 24 } });
   *     const { code } = await program.attach();
   *
   * @throws InvalidArgumentError if the program has no terminal
   */
  async attach(): Promise<ProgramStatus> {
    if (!this.#hasTerminal) {
      throw new InvalidArgumentError("attach: the program has no terminal; spawn it with `pty`");
    }
    await forwardTerminal(this);
    return await this.status;
  }

  /** The same as `status`. */
  wait(): Promise<ProgramStatus> {
    return this.status;
  }

  /**
   * Sends a signal, by name or number, to the program; SIGKILL ends it with all that came from it.
   * Nothing happens when it has ended.
   * @throws InvalidArgumentError if there is no such signal
   */
  kill(signal: string | number = "SIGKILL"): void {
    checkSignal(signal);
    this.#channel.control({ signal });
  }

  /** Changes the size of the program's terminal. */
  resize(size: TerminalSize): void {
    checkOptions("resize", size, RESIZE_CHECKS);
    this.#channel.control({ resize: { cols: size.cols, rows: size.rows } });
  }

  /** Ends the program with all that came from it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.cancel();
    await this.#channel.outcome;
  }
}

/** The input of a request as a stream. */
export function inputStream(channel: Channel): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>({
    write: (bytes) => channel.write(bytes),
    close: () => channel.endInput(),
    abort: () => channel.endInput(),
  });
}
