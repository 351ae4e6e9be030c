/**
 * Fuzzes the kernel for a while: `deno task fuzz` (../main.ts) starts this in a process of its own.
 *
 *     deno run -A tests/fuzz/kernel/main.ts --seconds N [--seed N] [--corpus DIR] [--unguided]
 *     deno run -A tests/fuzz/kernel/main.ts --replay FILE
 *
 * A failure is written to `failure-SEED.jsonl` in the corpus's folder (or the current one), and
 * ends the run with code 1. Everything else about it: docs/fuzzing.md.
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { KernelFuzzer, type Progress, runProgram } from "./fuzzer.ts";
import { decodeProgram, encodeProgram, type Program } from "./program.ts";

const REPORT_MS = 10_000;

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

function show({ programs, calls, blocks, corpus }: Progress, seconds: number): void {
  const rate = Math.round(calls / seconds);
  console.log(`${programs} programs, ${calls} calls (${rate}/s), ${blocks} blocks, ${corpus} kept`);
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    string: ["seconds", "seed", "corpus", "replay"],
    boolean: ["unguided"],
  });
  if (args.replay !== undefined) {
    const what = runProgram(decodeProgram(Deno.readTextFileSync(args.replay)));
    console.log(what ?? "nothing is wrong with it");
    return what === null ? 0 : 1;
  }
  const seconds = Number(args.seconds ?? 60), seed = Number(args.seed ?? Date.now() % 2 ** 31);
  const dir = args.corpus ?? null, start = performance.now();
  console.log(`seed ${seed}`);
  const fuzzer = new KernelFuzzer(seed, dir === null ? [] : readCorpus(dir), !args.unguided);
  const known = fuzzer.corpus.length;
  let nextMs = start + REPORT_MS;
  const failure = await fuzzer.run(start + seconds * 1000, (progress) => {
    if (performance.now() < nextMs) return;
    nextMs += REPORT_MS;
    show(progress, (performance.now() - start) / 1000);
  });
  show(fuzzer.progress, (performance.now() - start) / 1000);
  fuzzer.close();
  if (dir !== null) {
    Deno.mkdirSync(dir, { recursive: true });
    fuzzer.corpus.slice(known).forEach((program, i) => {
      Deno.writeTextFileSync(join(dir, `${seed}-${i}.jsonl`), encodeProgram(program));
    });
  }
  if (failure === null) return 0;
  const path = join(dir ?? ".", `failure-${seed}.jsonl`);
  Deno.writeTextFileSync(path, encodeProgram(failure.program));
  console.log(`FAILED: ${failure.what}\nthe program, made small: ${path}`);
  return 1;
}

if (import.meta.main) Deno.exit(await main());
