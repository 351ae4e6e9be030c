/**
 * The fuzzer of the kernel: draws programs, runs each in a world of its own, keeps those that run
 * something new, and makes the next ones from them. A failure is made small before it is reported.
 *
 * Neighbours: world.ts, program.ts, oracles.ts, coverage.ts; main.ts is its command line.
 */

import { violations } from "../../../kernel/observe/invariants.ts";
import { Random } from "../../harness/seeded.ts";
import { Coverage } from "./coverage.ts";
import { Before, leftovers } from "./oracles.ts";
import { drawProgram, drawStep, mutate, type Program } from "./program.ts";
import { type Actor, containerOf, SET_ID, World } from "./world.ts";

/** Programs between two questions about coverage. */
const BATCH = 16;
/** One in so many programs is drawn anew, not made from one that is kept. */
const NEW = 4;
/** LIMIT: programs that are kept. */
const CORPUS_MAX = 4000;
/** LIMIT: runs that making a failure small may take. */
const SHRINK_RUNS = 400;

interface Failure {
  /** The failures, one line a finding. */
  readonly what: string;
  readonly program: Program;
}

export interface Progress {
  readonly programs: number;
  readonly calls: number;
  readonly blocks: number;
  readonly corpus: number;
}

/** Runs a program: what was wrong with it, or null. */
export function runProgram(program: Program): string | null {
  const world = new World();
  try {
    const before = new Before(world);
    for (const step of program) runStep(world, step);
    const found = before.findings(program);
    found.push(...violations(world.kernel));
    world.end();
    found.push(...leftovers(world));
    return found.length === 0 ? null : found.join("\n");
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : String(error);
  } finally {
    world.close();
  }
}

/**
 * The result of the call; null: it has none yet, or no task of the actor can make it.
 *
 * @param turns what becomes ready runs for so many turns at most
 */
export function runStep(
  world: World,
  { actor, nr, args, writes }: Program[number],
  turns?: number,
): number | null {
  let task = world.taskOf(actor);
  if (task === null) {
    world.pass();
    task = world.taskOf(actor);
  }
  if (task === null) return null;
  for (const { at, bytes } of writes) world.store(task, at, bytes);
  const result = world.call(task, nr, args, turns);
  // A set-ID program was executed: what root does afterwards is root's right.
  if (task.group.exe?.path?.dentry.name === SET_ID) world.gained.add(containerOf(actor));
  return result;
}

export class KernelFuzzer {
  readonly corpus: Program[] = [];
  readonly #chance: Random;
  readonly #coverage: Coverage | null;
  #programs: number = 0;
  #calls: number = 0;
  /** How many of the corpus are given, and how many of those were tried. */
  readonly #given: number;
  #tried: number = 0;
  /** Kinds of failures that were found, each of which is reported once. */
  readonly #kinds: Set<string> = new Set();

  readonly #run: typeof runProgram;

  /**
   * @param seeds programs to begin with
   * @param isGuided without, programs are drawn and not kept
   * @param run runs a program: what was wrong with it, or null
   */
  constructor(
    seed: number,
    seeds: readonly Program[],
    isGuided: boolean,
    run: typeof runProgram = runProgram,
  ) {
    this.#run = run;
    this.#chance = new Random(seed);
    this.#coverage = isGuided ? new Coverage() : null;
    this.corpus.push(...seeds);
    this.#given = seeds.length;
  }

  get progress(): Progress {
    const { corpus } = this,
      programs = this.#programs,
      calls = this.#calls,
      coverage = this.#coverage;
    return { programs, calls, blocks: coverage?.blocks ?? 0, corpus: corpus.length };
  }

  /**
   * Until `endMs` of performance.now(), or the next failure of a new kind; it may be called again.
   */
  async run(endMs: number, onProgress: (progress: Progress) => void): Promise<Failure | null> {
    while (this.#tried < this.#given) {
      const failure = this.#try(this.corpus[this.#tried++]!);
      if (failure !== null) return failure;
    }
    await this.#coverage?.news(true);
    while (performance.now() < endMs) {
      const batch = Array.from({ length: BATCH }, () => this.#next());
      for (const program of batch) {
        const failure = this.#try(program);
        if (failure !== null) return failure;
      }
      await this.#keepNews(batch);
      onProgress(this.progress);
    }
    return null;
  }

  #next(): Program {
    const { corpus } = this, chance = this.#chance;
    if (corpus.length === 0 || chance.below(NEW) === 0) return this.#draw();
    return mutate(chance, chance.pick(corpus), chance.pick(corpus));
  }

  /**
   * Half of them have the actors of one container, or one ordinary user, alone: the others must not
   * notice.
   */
  #draw(): Program {
    const chance = this.#chance, program = drawProgram(chance);
    const kind = chance.below(4);
    if (kind >= 2) return program;
    const actors: readonly Actor[] = kind === 0 ? [0, 1] : [1];
    return program.map(() => drawStep(chance, chance.pick(actors)));
  }

  #try(program: Program): Failure | null {
    this.#programs++;
    this.#calls += program.length;
    const what = this.#run(program);
    if (what === null || this.#kinds.has(kindOf(what))) return null;
    this.#kinds.add(kindOf(what));
    return { what, program: shrink(program, what, this.#run) };
  }

  async #keepNews(batch: readonly Program[]): Promise<void> {
    const { corpus } = this, coverage = this.#coverage;
    if (coverage === null || await coverage.news(false) === 0) return;
    for (const program of batch) {
      await coverage.reset();
      this.#run(program);
      if (await coverage.news(true) > 0 && corpus.length < CORPUS_MAX) corpus.push(program);
    }
  }

  close(): void {
    this.#coverage?.close();
  }
}

/** The program without the calls that the failure does not need. */
export function shrink(
  program: Program,
  what: string,
  run: typeof runProgram = runProgram,
): Program {
  let kept = program, runs = 0;
  const isSame = (other: Program): boolean => {
    const failure = run(other);
    return failure !== null && kindOf(failure) === kindOf(what);
  };
  for (let size = kept.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < kept.length && runs < SHRINK_RUNS; runs++) {
      const less = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (less.length < kept.length && isSame(less)) kept = less;
      else at += size;
    }
  }
  return kept;
}

/** Failures with the same first line, numbers aside, are one. */
function kindOf(failure: string): string {
  return (failure.split("\n")[0] ?? "").replace(/[0-9]+/g, "n");
}
