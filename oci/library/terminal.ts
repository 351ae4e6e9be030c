/**
 * Connects the terminal of a script with that of a program: keys, output and size. node:process has
 * it in Node, Deno and Bun.
 */

import process from "node:process";
import type { TerminalSize } from "./options.ts";

/** The program's side. */
interface AttachedProgram {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  resize(size: TerminalSize): void;
}

/** Signals that end a script, which then must not leave its terminal raw. */
const ENDS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SIDE_MAX = 65535;

/**
 * Forwards until the program's output ends. The terminal is as before then, and also when the
 * script ends in between.
 */
export async function forwardTerminal(program: AttachedProgram): Promise<void> {
  const keys = program.stdin.getWriter(), terminal = new RawTerminal();
  const onKeys = (bytes: Uint8Array): void => {
    // It fails when keys are pressed behind the program's end.
    keys.write(bytes).catch(() => {});
  };
  const onEnd = (): void => {
    keys.close().catch(() => {});
  };
  const onResize = (): void => {
    const size = sizeOfTerminal();
    if (size !== null) program.resize(size);
  };
  const { stdin, stdout } = process;
  terminal.begin();
  try {
    stdout.on("resize", onResize);
    onResize();
    stdin.on("data", onKeys);
    stdin.on("end", onEnd);
    stdin.resume();
    await show(program.stdout);
  } finally {
    stdout.removeListener("resize", onResize);
    stdin.removeListener("data", onKeys);
    stdin.removeListener("end", onEnd);
    stdin.pause();
    terminal.restore();
    keys.releaseLock();
  }
}

async function show(output: ReadableStream<Uint8Array>): Promise<void> {
  const { stdout } = process, reader = output.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      await new Promise<void>((resolve, reject) => {
        stdout.write(value, (error) => error == null ? resolve() : reject(error));
      });
    }
  } finally {
    reader.releaseLock();
  }
}

/** Null: standard output is no terminal, or one without a size. */
function sizeOfTerminal(): TerminalSize | null {
  const { isTTY, columns: cols, rows } = process.stdout;
  const isSide = (side: number): boolean => side >= 1 && side <= SIDE_MAX;
  return isTTY && isSide(cols) && isSide(rows) ? { cols, rows } : null;
}

/** The mode of the terminal on standard input; does nothing if that is none. */
class RawTerminal {
  readonly #restore = (): void => this.restore();
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.restore();
    // Without a handler of the script the signal ends it, as it would have.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  #isRaw = false;

  /** Keys go through as they are: ^C is for the program. */
  begin(): void {
    const { stdin } = process;
    if (!stdin.isTTY || stdin.isRaw) return;
    stdin.setRawMode(true);
    this.#isRaw = true;
    process.on("exit", this.#restore);
    for (const signal of ENDS) process.on(signal, this.#onSignal);
  }

  restore(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    process.stdin.setRawMode(false);
    process.removeListener("exit", this.#restore);
    for (const signal of ENDS) process.removeListener(signal, this.#onSignal);
  }
}
