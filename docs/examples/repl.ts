/**
 * An interactive program on a terminal of its own (PTY) in a sandbox. On a terminal, yours is
 * forwarded: keys, colours, ^C, and its size when the window changes. Elsewhere a script types.
 *
 *     deno task example repl                  # a shell
 *     deno task example repl python3          # any program, with arguments
 *     deno task example repl < /dev/null      # the script
 */

import { NotFoundError, type Program, Sandbox } from "../../mod.ts";

const PROMPT = "$ ", SHELL = ["sh", "-i"];
/** LIMIT: characters that may come before those that a script waits for. */
const SHOWN_MAX = 100_000;

/** Reads what a terminal shows. */
class Screen {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();

  constructor(program: Program) {
    this.#reader = program.stdout.getReader();
  }

  /** What comes until it ends in `end`, or until the program ends. */
  async readTo(end: string): Promise<string> {
    let text = "";
    while (!text.endsWith(end)) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      // A terminal ends lines with two characters, which may come one by one.
      text = (text + this.#decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n");
      if (text.length > SHOWN_MAX) throw new Error(`waited in vain for ${JSON.stringify(end)}`);
    }
    return text;
  }
}

/** Types lines, each when the prompt is there. @returns the exit code */
async function runScript(box: Sandbox, argv: readonly string[]): Promise<number> {
  const env = { PS1: PROMPT, TERM: "dumb" };
  await using shell = await box.spawn(argv, { pty: { cols: 80, rows: 24 }, env, cwd: "/" });
  const screen = new Screen(shell), keys = shell.stdin.getWriter();
  const show = async (end: string): Promise<void> => {
    await Deno.stdout.write(new TextEncoder().encode(await screen.readTo(end)));
  };
  const type = async (text: string, end = PROMPT): Promise<void> => {
    await keys.write(new TextEncoder().encode(text));
    await show(end);
  };
  await show(PROMPT);
  await type("test -t 0 && echo this is a terminal\n");
  await type("stty size\n");
  shell.resize({ cols: 120, rows: 40 });
  await type("stty size\n");
  await type("x=21; echo $((x * 2))\n");
  // One sleep would outlive a ^C that comes while dash still starts it.
  await type("sh -c 'echo asleep; while sleep 0.1; do :; done'\n", "\nasleep\n");
  await type("\x03"); // ^C ends the sleep, and the shell goes on
  await type("echo $((x * 3))\n");
  await type("exit 7\n");
  return (await shell.status).code ?? 1;
}

/** Connects the terminal of this script with that of the program. @returns the exit code */
async function forward(box: Sandbox, argv: readonly string[]): Promise<number> {
  const env = { TERM: Deno.env.get("TERM") ?? "xterm" };
  await using program = await box.spawn(argv, { pty: { cols: 80, rows: 24 }, env });
  const { code, signal } = await program.attach();
  if (signal !== null) console.error(`${argv[0]}: ${signal}`);
  return code ?? 1;
}

async function main(): Promise<number> {
  await using box = await Sandbox.create({ memoryBytes: 512 << 20, pids: 100 });
  const argv = Deno.args.length === 0 ? SHELL : Deno.args;
  const isTerminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await (isTerminal ? forward(box, argv) : runScript(box, argv));
}

if (import.meta.main) {
  try {
    Deno.exit(await main()); // a read of the terminal would keep the script
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
