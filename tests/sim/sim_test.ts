/**
 * Seeds of simulated sandboxes: README.md. One that failed is run again alone: SIM_SEED=N deno test
 * -A tests/sim.
 */

import { assertEquals } from "@std/assert";
import { EIO } from "../../ffi/abi/errno.ts";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { withServer } from "../../gofer/server/testing.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = isFull ? 20_000 : 2_000, STEPS = 250;
/** Seeds whose kernels' structures are compared at each stop. */
const CHECKED_SEEDS = 20;

function withSeed(
  seed: number,
  check: (simulation: Simulation) => void,
  gofer: GoferClient | null = null,
): void {
  const simulation = new Simulation(seed, STEPS, gofer);
  try {
    check(simulation);
  } catch (cause) {
    throw new Error(`seed ${seed}: SIM_SEED=${seed} deno test -A tests/sim`, { cause });
  } finally {
    simulation.close();
  }
}

/** Seeds with files of a Gofer, seeds whose Gofer dies, and in how many requests one fails. */
const SERVED_SEEDS = 100, DEATHS = 10, FAILING = 25, DYING = 60;

/**
 * As endsWell, while requests fail with EIO, one in so many, or (`isDying`) one of them is the
 * last.
 */
function endsWellWith(client: GoferClient, simulation: Simulation, isDying: boolean): void {
  const { connection } = client, call = connection.call, chance = new Random(simulation.seed);
  connection.call = (request, reply) => {
    const isOn = simulation.platform.steps > 0;
    if (isOn && isDying && chance.below(DYING) === 0) return connection.die("as it was drawn");
    if (isOn && chance.below(FAILING) === 0) return -EIO;
    return call.call(connection, request, reply);
  };
  try {
    endsWell(simulation);
  } finally {
    connection.call = call;
  }
}

async function inFolder(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-sim-" });
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
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

Deno.test("so do those with files of a Gofer whose requests fail", () =>
  inFolder(async (dir) => {
    const roots = [{ path: dir, isReadOnly: false }];
    await withServer({ roots }, {}, (client) => {
      for (let seed = 1; seed <= SERVED_SEEDS; seed++) {
        withSeed(seed, (simulation) => endsWellWith(client, simulation, false), client);
      }
    });
  }));

Deno.test("and those whose Gofer dies", () =>
  inFolder(async (dir) => {
    for (let seed = 1; seed <= DEATHS; seed++) {
      await withServer({ roots: [{ path: dir, isReadOnly: false }] }, {}, (client) => {
        withSeed(seed, (simulation) => endsWellWith(client, simulation, true), client);
      });
    }
  }));

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

Deno.test("the kernel's structures agree with each other at all times", () => {
  for (let seed = 1; seed <= CHECKED_SEEDS; seed++) {
    withSeed(seed, (simulation) => {
      simulation.onStep = () => assertEquals(simulation.violations(), []);
      simulation.run();
      assertEquals(simulation.violations(), []);
    });
  }
});
