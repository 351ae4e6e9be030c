/**
 * Simulated worlds that are stopped between turns at random moments, and go on: guests that run are
 * interrupted, make a call or a fault first, or die.
 */

import { assert, assertEquals } from "@std/assert";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { withServer } from "../../gofer/server/testing.ts";
import type { Quiescence, StandstillListener } from "../../kernel/snapshot/quiesce.ts";
import { RUNNING } from "../../kernel/task/task.ts";
import { TRAP_DEATH } from "../../platform/platform.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = isFull ? 5_000 : 100, STEPS = 250, CHECKED_SEEDS = 20;
/** In how many stops of guests the world stops, and how long it stands still, ns. */
const OFTEN = 3, LONG_NS = 50_000_000;

/** Stops the world of a simulation at random stops of guests, and looks at it. */
class Stopper implements StandstillListener {
  count: number = 0;
  /** Whether the kernel's structures are compared. */
  readonly #isThorough: boolean;
  readonly #simulation: Simulation;
  readonly #quiescence: Quiescence;
  readonly #chance: Random;
  /** What the world was before its guests were interrupted. */
  #before: string = "";
  #cpuNs: number = 0;

  constructor(simulation: Simulation, isThorough: boolean) {
    this.#isThorough = isThorough;
    this.#simulation = simulation;
    this.#chance = new Random(simulation.seed);
    const { platform, kernel: { loop: { quiescence } } } = simulation;
    this.#quiescence = quiescence;
    const { step } = quiescence;
    quiescence.step = () => {
      if (platform.stopChance === null) this.#before = simulation.describe();
      platform.stopChance = this.#chance;
      step.call(quiescence);
      if (quiescence.isAsked) return;
      platform.stopChance = null;
      // Each look at the clock takes some time.
      assert(this.#userNs() - this.#cpuNs < LONG_NS / 10, "the standstill is charged to tasks");
    };
  }

  askSometimes(): void {
    if (this.#chance.below(OFTEN) === 0) this.#quiescence.request(this);
  }

  onStandstill(): void {
    const { platform, kernel } = this.#simulation;
    this.count++;
    assertEquals(platform.runningCount, 0);
    assertEquals(platform.prepareSleep(), true, "no stop is left in the platform");
    assertEquals(this.#simulation.describe(), this.#before);
    for (const { ctx, regsFetched, mm } of kernel.pids.tasks.values()) {
      assert(regsFetched || ctx.isFull || ctx.trap === TRAP_DEATH);
      assertEquals(mm.space.ackedSeq, mm.space.seq);
    }
    if (this.#isThorough) assertEquals(this.#simulation.violations(), []);
    assertEquals(this.#quiescence.request(this), false);
    this.#cpuNs = this.#userNs();
    this.#simulation.passTime(LONG_NS);
    this.#quiescence.resume();
  }
  onSandboxEnd(): void {}

  /** User time of all, with the present runs. */
  #userNs(): number {
    const { kernel } = this.#simulation, now = kernel.now();
    let ns = 0;
    for (const task of kernel.pids.tasks.values()) {
      ns += task.userNs + (task.state === RUNNING ? now - task.ranSinceNs : 0);
    }
    return ns;
  }
}

/** Runs a seed: what guests did at each stop, and how often the world was stopped. */
function runStopped(
  seed: number,
  isThorough = false,
  gofer: GoferClient | null = null,
): readonly [string[], number] {
  const simulation = new Simulation(seed, STEPS, gofer), trace: string[] = [];
  const stopper = new Stopper(simulation, isThorough);
  simulation.onStep = () => {
    trace.push(`${simulation.platform.steps} ${simulation.describe()}`);
    stopper.askSometimes();
  };
  try {
    simulation.run();
    assertEquals(simulation.leftovers(), []);
    return [trace, stopper.count];
  } catch (cause) {
    throw new Error(`seed ${seed}`, { cause });
  } finally {
    simulation.close();
  }
}

Deno.test("worlds that are stopped at random moments come to their end and leave nothing", () => {
  let stops = 0;
  for (let seed = 1; seed <= SEEDS; seed++) stops += runStopped(seed)[1];
  assert(stops > 10 * SEEDS, `${stops} stops`);
});

Deno.test("so do those with files of a Gofer", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-sim-" });
  try {
    await withServer({ roots: [{ path: dir, isReadOnly: false }] }, {}, (client) => {
      for (let seed = 1; seed <= CHECKED_SEEDS; seed++) runStopped(seed, false, client);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("the kernel's structures agree with each other while the world stands still", () => {
  for (let seed = 1; seed <= CHECKED_SEEDS; seed++) runStopped(seed, true);
});

Deno.test("a seed with stops is the same run again", () => {
  assertEquals(runStopped(7), runStopped(7));
});
