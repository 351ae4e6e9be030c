/**
 * Two kernels in one process; one runs in the middle of the other's work. Neither changes the
 * other's run, and they share no object that can change.
 */

import { assert, assertEquals } from "@std/assert";
import { heldObjects } from "./object_graph.ts";
import { Simulation } from "./simulation.ts";

/** Objects that both hold, as "Class.field", each with the reason. */
const COMMON: ReadonlyMap<string, string> = new Map([
  ["CpuInfo.lines", "a constant"],
  ["StoredInode.setting", "a row of a table in the program"],
  ["Object.bounds", "the same"],
  ["Object.words", "the same"],
  ["Array.element", "the same"],
  ["Object.effective", "capabilities, which are constants"],
  ["Object.inheritable", "the same"],
  ["Object.bounding", "the same"],
  ["UserNamespace.uidMap", "the first one, which is frozen"],
]);

const STEPS = 600, MIDDLE = 300;

/** What a run shows: each stop of a guest with all tasks and their calls. */
function runOf(seed: number, atMiddle: (simulation: Simulation) => void = () => {}): string[] {
  const simulation = new Simulation(seed, STEPS), trace: string[] = [];
  simulation.onStep = () => {
    trace.push(`${simulation.platform.steps} ${simulation.describe()}`);
    if (simulation.platform.steps === MIDDLE) atMiddle(simulation);
  };
  try {
    simulation.run();
    assertEquals(simulation.leftovers(), []);
  } finally {
    simulation.close();
  }
  return trace;
}

Deno.test("two kernels whose work is interleaved do not affect each other", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const alone = [runOf(seed), runOf(seed + 100)];
    let inner: string[] = [];
    const outer = runOf(seed, () => inner = runOf(seed + 100));
    assert(outer.length > MIDDLE, `seed ${seed} ends before the middle`);
    assertEquals([outer, inner], alone);
  }
});

Deno.test("two kernels hold nothing in common that can change", () => {
  const found = new Set<string>();
  runOf(1, (one) => {
    const held = heldObjects(one.kernel, (value) => one.isOutside(value));
    runOf(3, (other) => {
      for (const [object, place] of heldObjects(other.kernel, (value) => other.isOutside(value))) {
        if (held.has(object) && !Object.isFrozen(object)) found.add(place);
      }
    });
  });
  assert(found.size > 0, "the second one came to its middle");
  assertEquals([...found].filter((place) => !COMMON.has(place)), []);
});
