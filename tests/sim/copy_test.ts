/**
 * Simulated worlds are copied by a snapshot at a random moment. Original and copy go on, call by
 * call, to the same end.
 */

import { assert, assertEquals } from "@std/assert";
import { HostUse } from "../../kernel/mm/host_use.ts";
import { SpinPolicy } from "../../kernel/spin_policy.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { copyWorld } from "./copied_world.ts";
import { newWorld, Simulation } from "./simulation.ts";

const SEEDS = isFull ? 2_000 : 60, STEPS = 400;
/** Enough that no call depends on how frames lie in the arena. */
const ARENA_BYTES = 512 << 20;
/** In so many copies one may take another order. */
const OTHERS_ONE_IN = 200;
const OPTIONS = { panicOnBug: true };

/** Records each stop of a guest, with all tasks and their calls. */
function record(simulation: Simulation): string[] {
  const trace: string[] = [];
  simulation.onStep = () => trace.push(`${simulation.platform.steps} ${simulation.describe()}`);
  return trace;
}

/** Runs up to a moment that the seed chooses, at which the world stands still; null: it ended. */
function runTo(seed: number): Simulation | null {
  const simulation = new Simulation(
    seed,
    STEPS,
    null,
    OPTIONS,
    newWorld(seed, OPTIONS, ARENA_BYTES),
  );
  const moment = new Random(seed).below(STEPS), { quiescence } = simulation.kernel.loop;
  let isStill = false;
  const listener = {
    onStandstill() {
      isStill = true;
      simulation.stop();
    },
    onSandboxEnd() {},
  };
  simulation.onStep = () => {
    if (simulation.platform.steps === moment) quiescence.request(listener);
  };
  simulation.run();
  if (isStill) return simulation;
  simulation.close();
  return null;
}

/** What a copy makes anew is made anew in the original too: it decides when the host is asked. */
function renew({ kernel, platform }: Simulation): void {
  Object.assign(kernel.loop.driver, { spin: new SpinPolicy(1, platform.sleepCostNs) });
  kernel.loop.restartClock();
  for (const task of kernel.pids.tasks.values()) {
    Object.assign(task.mm, { hostUse: new HostUse() });
  }
}

/**
 * Copies the world of a seed. Null: it came to its end before. False: the copy served stops in
 * another order at some step, as turns are shared out by the time that the kernel has used.
 */
function compare(seed: number): boolean | null {
  const original = runTo(seed);
  if (original === null) return null;
  const copy = original.copy(copyWorld);
  try {
    renew(original);
    assertEquals(copy.violations(), []);
    const [one = [], other = []] = [original, copy].map(record);
    original.goOn();
    copy.goOn();
    assertEquals(copy.leftovers(), []);
    return one.length === other.length && one.every((line, i) => line === other[i]);
  } finally {
    original.close();
    copy.close();
  }
}

Deno.test("a copy of a simulated world goes on as the original does", () => {
  let copies = 0;
  const others: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      const isSame = compare(seed);
      if (isSame !== null) copies++;
      if (isSame === false) others.push(seed);
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
  assert(copies > SEEDS / 2, `${copies} copies`);
  assert(others.length <= copies / OTHERS_ONE_IN, `seeds ${others}`);
});
