/**
 * Simulated worlds are copied by a snapshot at a random moment. Original and copy go on, and come
 * to the same end call by call.
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
  Object.assign(kernel.loop, { spin: new SpinPolicy(1, platform.sleepCostNs) });
  for (const task of kernel.pids.tasks.values()) {
    Object.assign(task.mm, { hostUse: new HostUse() });
  }
}

/** Names the first step at which two runs differ. */
function assertSame([one = [], other = []]: readonly string[][]): void {
  const at = one.findIndex((line, i) => line !== other[i]);
  assertEquals(other[at], one[at]);
  assertEquals(other.length, one.length);
}

/** Copies the world of a seed. False: it came to its end before. */
function compare(seed: number): boolean {
  const original = runTo(seed);
  if (original === null) return false;
  const copy = original.copy(copyWorld);
  try {
    renew(original);
    assertEquals(copy.violations(), []);
    const traces = [original, copy].map(record);
    original.goOn();
    copy.goOn();
    assertSame(traces);
    assertEquals(copy.leftovers(), []);
    return true;
  } finally {
    original.close();
    copy.close();
  }
}

Deno.test("a copy of a simulated world goes on as the original does", () => {
  let copies = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      if (compare(seed)) copies++;
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
  assert(copies > SEEDS / 2, `${copies} copies`);
});
