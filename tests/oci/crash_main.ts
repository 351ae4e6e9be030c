/**
 * Runs cases of the crash matrix in a world of its own (crash_world.ts): `crash_main.ts SEED
 * MOMENTS CGROUP [PATTERN]`. A line of JSON for each case that shows a problem, and one at the end.
 * Not a test: crash_test.ts starts it.
 */

import { Random, seedOf } from "../harness/seeded.ts";
import { Bundle } from "./bundle.ts";
import {
  CALLS,
  CrashCase,
  type Disturber,
  disturbersOf,
  type Outcome,
  VERB_NAMES,
  type VerbName,
} from "./crash_case.ts";
import { kill, sleepMs, World } from "./crash_world.ts";

/** The result of a matrix. */
export interface Report {
  readonly cases: number;
  readonly meetings: number;
  /** How many containers were found in each state. */
  readonly found: Readonly<Record<string, number>>;
  readonly failures: readonly { readonly name: string; readonly problems: readonly string[] }[];
}

/** The last moments lie behind the usual end of a verb. */
const OVER = 1.15;

class Matrix {
  readonly #world: World;
  readonly #seed: number;
  readonly #pattern: RegExp;
  readonly #found = new Map<string, number>();
  readonly #failures: { name: string; problems: readonly string[] }[] = [];
  #cases = 0;
  #meetings = 0;

  constructor(world: World, seed: number, pattern: RegExp) {
    this.#world = world;
    this.#seed = seed;
    this.#pattern = pattern;
  }

  run(moments: number): Report {
    for (const verb of VERB_NAMES) {
      const wanted = disturbersOf(verb).filter((disturber) =>
        this.#pattern.test(`${verb}/${disturber}`)
      );
      if (wanted.length === 0) continue;
      const times = (moments > 1 ? [0, 1, 2] : [0]).map(() =>
        this.#one(`${verb}/nobody`, verb, null, 0).elapsedMs
      );
      const usualMs = times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
      for (const disturber of wanted) this.#moments(verb, disturber, moments, usualMs);
    }
    for (const verb of VERB_NAMES) {
      if (this.#pattern.test(`${verb}/call`)) this.#calls(verb);
    }
    return {
      cases: this.#cases,
      meetings: this.#meetings,
      found: Object.fromEntries(this.#found),
      failures: this.#failures,
    };
  }

  #moments(
    verb: VerbName,
    disturber: Disturber,
    moments: number,
    usualMs: number,
  ): void {
    const random = new Random(seedOf(this.#seed, verb, disturber));
    for (let i = 0; i < moments; i++) {
      // One random moment in each part of the verb's time.
      const part = (i + random.below(1000) / 1000) / moments;
      const afterMs = Math.round(part * usualMs * OVER * 10) / 10;
      const { hasMet } = this.#one(
        `${verb}/${disturber} after ${afterMs} ms`,
        verb,
        disturber,
        afterMs,
      );
      if (hasMet) this.#meetings++;
    }
  }

  /** The command is killed at each of its calls that change something, one run a call. */
  #calls(verb: VerbName): void {
    for (const call of CALLS) {
      for (let n = 1;; n++) {
        const disturber = `${call} ${n}` as const;
        const { hasMet } = this.#one(`${verb}/${disturber}`, verb, disturber, 0);
        if (!hasMet) break;
        this.#meetings++;
      }
    }
  }

  #one(
    name: string,
    verb: VerbName,
    disturber: Disturber | null,
    afterMs: number,
  ): Outcome {
    const outcome = new CrashCase(this.#world, verb).run(disturber, afterMs), { status } = outcome;
    this.#cases++;
    this.#found.set(status, (this.#found.get(status) ?? 0) + 1);
    if (outcome.problems.length > 0) {
      this.#failures.push({ name, problems: outcome.problems });
      console.error(`${name}: ${outcome.problems.join("\n    ")}`);
      this.#clean();
    }
    return outcome;
  }

  /** Removes what a case has left, so that the next one does not fail for it. */
  #clean(): void {
    const world = this.#world;
    for (const { pid } of world.processes()) kill(pid);
    sleepMs(200);
    world.reap();
    for (const path of [...world.cgroups()].reverse()) tryTo(() => Deno.removeSync(path));
    for (const path of world.files()) tryTo(() => Deno.removeSync(path, { recursive: true }));
  }
}

function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // The next case reports it.
  }
}

function main([seed = "1", moments = "1", cgroup = "", pattern = ""]: string[]): void {
  const world = new World(cgroup), bundle = new Bundle();
  Deno.renameSync(bundle.dir, `${world.dir}/bundle`);
  const report = new Matrix(world, Number(seed), new RegExp(pattern)).run(Number(moments));
  console.log(JSON.stringify(report));
  world.close();
}

if (import.meta.main) main(Deno.args);
