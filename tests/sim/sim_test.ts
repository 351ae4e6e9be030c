/** Seeds of simulated sandboxes: README.md. One that failed is run again alone: SIM_SEED=N deno test -A tests/sim. */

import { assertEquals } from "@std/assert";
import { isFull } from "../harness/machine.ts";
import { foreignPlaces } from "./object_graph.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = isFull ? 20_000 : 2_000, STEPS = 250;
/** Seeds whose kernels are walked through, and at how many stops' distance. */
const WALKED_SEEDS = 20, WALK_EVERY = 50;

/** What is no plain data, and why it may be there. */
const FOREIGN: ReadonlyMap<string, string> = new Map([
  ["SandboxKernel.write", "the log, which is made anew"],
  ["Object.read", "rows of tables in the program (files of cgroupfs): known by their names"],
  ["Object.write", "the same"],
  ["Object.changes", "the same"],
]);

function withSeed(seed: number, check: (simulation: Simulation) => void): void {
  const simulation = new Simulation(seed, STEPS);
  try {
    check(simulation);
  } catch (cause) {
    throw new Error(`seed ${seed}: SIM_SEED=${seed} deno test -A tests/sim`, { cause });
  } finally {
    simulation.close();
  }
}

function endsWell(simulation: Simulation): void {
  simulation.run();
  assertEquals(simulation.leftovers(), []);
}

Deno.test("simulated sandboxes come to their end and leave nothing", () => {
  const only = Deno.env.get("SIM_SEED");
  if (only !== undefined) return withSeed(Number(only), endsWell);
  for (let seed = 1; seed <= SEEDS; seed++) withSeed(seed, endsWell);
});

Deno.test("a seed is the same run again, call by call", () => {
  const traces = [1, 2].map(() => {
    const trace: string[] = [];
    withSeed(7, (simulation) => {
      simulation.onStep = () => trace.push(`${simulation.platform.steps} ${simulation.describe()}`);
      simulation.run();
    });
    return trace;
  });
  assertEquals(traces[0], traces[1]);
});

Deno.test("what a kernel holds in the middle of its work is plain data", () => {
  for (let seed = 1; seed <= WALKED_SEEDS; seed++) {
    withSeed(seed, (simulation) => {
      simulation.onStep = () => {
        if (simulation.platform.steps % WALK_EVERY !== 0) return;
        const places = foreignPlaces(simulation.kernel, (value) => simulation.isOutside(value));
        assertEquals([...places.keys()].filter((place) => !FOREIGN.has(place)), []);
      };
      simulation.run();
    });
  }
});
