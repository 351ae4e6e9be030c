/**
 * A Python session that stays warm, as a notebook has it. python3 starts once, each cell is sent
 * over its standard input, and what a cell defines is there for the next one. A cell that takes too
 * long is interrupted, and the session goes on; one that ignores that loses it.
 *
 *     deno task example notebook [DIRECTORY]     # keeps the files that cells make there
 */

import { NotFoundError, type Program, Sandbox } from "../../mod.ts";

const CELL_MS = 3_000, GRACE_MS = 3_000;
const OUT = "/tmp/out";

/**
 * Reads cells and runs them. A cell and an answer are a line each, JSON, whatever text they have.
 * SIGINT counts only while a cell runs. The value of a last expression is shown.
 */
const KERNEL = `
import ast, contextlib, io, json, signal, sys, traceback
answers, names = sys.stdout, {"__name__": "__main__"}
def run(source):
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last is None: return
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if value is not None: print(repr(value))
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", file=answers, flush=True)
for line in sys.stdin:
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            run(json.loads(line))
        except BaseException as caught: error = traceback.format_exception_only(caught)[-1].strip()
        finally: signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps({"text": printed.getvalue(), "error": error}), file=answers, flush=True)
`;

const CELLS: readonly string[] = [
  "import math\nradius = 2",
  "print('the area:')\nround(math.pi * radius ** 2, 3)",
  "radius / 0",
  "while True: radius += 1",
  "radius > 2",
  `bars = ''.join(f'<rect x="{10 * i}" width="8" height="{i * i}"/>' for i in range(8))
open('squares.svg', 'w').write(f'<svg xmlns="http://www.w3.org/2000/svg">{bars}</svg>') > 0`,
  `while True:
    try:
        while True: pass
    except KeyboardInterrupt: pass`,
  "radius",
];

interface Answer {
  readonly text: string;
  readonly error: string | null;
}

/** The lines that a program prints. */
async function* linesOf(program: Program): AsyncGenerator<string> {
  let rest = "";
  for await (const part of program.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** A python3 that keeps its variables from cell to cell. */
class Session implements AsyncDisposable {
  readonly #program: Program;
  readonly #answers: AsyncGenerator<string>;
  readonly #cells: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(program: Program) {
    this.#program = program;
    this.#answers = linesOf(program);
    this.#cells = program.stdin.getWriter();
    program.stderr.cancel();
  }

  static async start(box: Sandbox): Promise<Session> {
    const session = new Session(await box.spawn(["python3", "-c", KERNEL], { cwd: OUT }));
    await session.#answers.next(); // it is ready: cells do not pay for the start
    return session;
  }

  /** @returns null if the session had to be ended */
  async run(source: string): Promise<Answer | null> {
    const interrupt = setTimeout(() => this.#program.kill("SIGINT"), CELL_MS);
    const end = setTimeout(() => this.#program.kill(), CELL_MS + GRACE_MS);
    await this.#cells.write(new TextEncoder().encode(JSON.stringify(source) + "\n"));
    const { done, value } = await this.#answers.next();
    clearTimeout(interrupt);
    clearTimeout(end);
    return done === true ? null : JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

async function main(directory: string | undefined): Promise<void> {
  await using box = await Sandbox.create({ memoryBytes: 512 << 20, pids: 50, diskBytes: 64 << 20 });
  await box.fs.mkdir(OUT);
  let session = await Session.start(box);
  for (const [i, cell] of CELLS.entries()) {
    console.log(`[${i + 1}] ${cell.replaceAll("\n", "\n    ")}`);
    const answer = await session.run(cell);
    if (answer?.text) console.log(answer.text.trimEnd());
    if (answer?.error) console.log(answer.error);
    if (answer === null) {
      console.log("The session was ended. A new one begins without variables.");
      session = await Session.start(box);
    }
  }
  for (const { name, size } of await box.fs.list(OUT)) console.log(`${name}: ${size} bytes`);
  if (directory !== undefined) await box.fs.download(OUT, directory);
}

if (import.meta.main) {
  try {
    await main(Deno.args[0]);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
