/**
 * Fuzzes the kernel for a while: `deno task fuzz` (../main.ts) starts this in a process of its own.
 *
 *     deno run -A tests/fuzz/kernel/main.ts --seconds N [--seed N] [--corpus DIR] [--unguided]
 *     deno run -A tests/fuzz/kernel/main.ts --replay FILE
 *
 * With `--copies` each world is copied in the middle of its program (copies.ts).
 *
 * A failure is written to `failure-SEED-N.jsonl` in the corpus's folder (or the current one), once
 * for each kind, and the run goes on; it ends with code 1 then. Everything else about it:
 * docs/fuzzing.md.
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { runCopied } from "./copies.ts";
import { KernelFuzzer, type Progress, runProgram } from "./fuzzer.ts";
import { decodeProgram, encodeProgram, type Program } from "./program.ts";

const REPORT_MS = 10_000;
/** LIMIT: kinds of failures until a run ends before its time. */
const FAILURES_MAX = 20;

function readCorpus(dir: string): Program[] {
  try {
    const names = [...Deno.readDirSync(dir)].filter((e) =>
      e.isFile && !e.name.startsWith("failure")
    )
      .map((e) => e.name).sort();
    return names.map((name) => decodeProgram(Deno.readTextFileSync(join(dir, name))));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Writes programs of a corpus that are new, so that a run which is killed keeps what it found. */
class CorpusWriter {
  readonly #dir: string | null;
  readonly #seed: number;
  readonly #known: number;
  #written: number;

  /** @param known programs at the beginning that are in the folder already */
  constructor(dir: string | null, seed: number, known: number) {
    if (dir !== null) Deno.mkdirSync(dir, { recursive: true });
    this.#dir = dir;
    this.#seed = seed;
    this.#known = this.#written = known;
  }

  write(corpus: readonly Program[]): void {
    if (this.#dir === null) return;
    for (; this.#written < corpus.length; this.#written++) {
      const name = `${this.#seed}-${this.#written - this.#known}.jsonl`;
      Deno.writeTextFileSync(join(this.#dir, name), encodeProgram(corpus[this.#written]!));
    }
  }

  writeFailure(program: Program, number: number): string {
    const path = join(this.#dir ?? ".", `failure-${this.#seed}-${number}.jsonl`);
    Deno.writeTextFileSync(path, encodeProgram(program));
    return path;
  }
}

function show({ programs, calls, blocks, corpus }: Progress, seconds: number): void {
  const rate = Math.round(calls / seconds);
  console.log(`${programs} programs, ${calls} calls (${rate}/s), ${blocks} blocks, ${corpus} kept`);
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    string: ["seconds", "seed", "corpus", "replay"],
    boolean: ["copies", "unguided"],
  });
  const run = args.copies ? (program: Program) => runCopied(program) : runProgram;
  if (args.replay !== undefined) {
    const what = run(decodeProgram(Deno.readTextFileSync(args.replay)));
    console.log(what ?? "nothing is wrong with it");
    return what === null ? 0 : 1;
  }
  const seconds = Number(args.seconds ?? 60), seed = Number(args.seed ?? Date.now() % 2 ** 31);
  const dir = args.corpus ?? null, start = performance.now();
  console.log(`seed ${seed}`);
  const fuzzer = new KernelFuzzer(seed, dir === null ? [] : readCorpus(dir), !args.unguided, run);
  const writer = new CorpusWriter(dir, seed, fuzzer.corpus.length);
  let nextMs = start + REPORT_MS;
  let failures = 0;
  for (; failures < FAILURES_MAX; failures++) {
    const failure = await fuzzer.run(start + seconds * 1000, (progress) => {
      if (performance.now() < nextMs) return;
      nextMs += REPORT_MS;
      show(progress, (performance.now() - start) / 1000);
      writer.write(fuzzer.corpus);
    });
    if (failure === null) break;
    const path = writer.writeFailure(failure.program, failures);
    console.log(`FAILED: ${failure.what}\nthe program, made small: ${path}`);
  }
  show(fuzzer.progress, (performance.now() - start) / 1000);
  fuzzer.close();
  writer.write(fuzzer.corpus);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
