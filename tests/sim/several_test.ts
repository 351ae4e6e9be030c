/**
 * Several kernels in one process, on one arena, host and platform: a simulated kernel is copied at
 * random moments, and so are its copies. All have turns until they end, or are deleted in the
 * middle. Nothing is left of them, and they agree with themselves all the time.
 */

import { assert, assertEquals } from "@std/assert";
import { dropContainer } from "../../kernel/containers.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { endKernel } from "../../kernel/kernel_end.ts";
import { violations } from "../../kernel/observe/invariants.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { forkKernel } from "./copied_world.ts";
import { newWorld, Simulation } from "./simulation.ts";

const SEEDS = isFull ? 1_000 : 8, STEPS = 1500;
const ARENA_BYTES = 512 << 20;
/** LIMIT: kernels at a time, and in a simulation. */
const MOST = 5, MOST_IN_ALL = 12;
/** In how many stops of guests a kernel is copied, and one is deleted. */
const COPY_ONE_IN = 40, DELETE_ONE_IN = 200, CHECK_ONE_IN = 50;
/** What a copy has for itself: buffers and rings. */
const FORK_BYTES = 2 << 20;
const OPTIONS = { panicOnBug: true };

class Neighbours {
  readonly kernels: Set<SandboxKernel> = new Set();
  copies: number = 0;
  failedCopies: number = 0;
  deleted: number = 0;
  failure: unknown = null;
  readonly #simulation: Simulation;
  readonly #chance: Random;
  readonly #world: ReturnType<typeof newWorld>;

  constructor(seed: number) {
    this.#world = newWorld(seed, OPTIONS, ARENA_BYTES);
    this.#chance = new Random(seed + 1000);
    this.#simulation = new Simulation(seed, STEPS, null, OPTIONS, this.#world);
    this.kernels.add(this.#world.kernel);
    this.#simulation.onStep = () => this.#onStep();
  }

  run(): void {
    const { kernel } = this.#world, { pool } = kernel.memory.frames;
    try {
      this.#simulation.run();
      if (this.failure !== null) throw this.failure;
      if (this.kernels.has(kernel)) {
        assertEquals([...this.kernels], [kernel]);
        assertEquals(this.#simulation.leftovers(), []);
        endKernel(kernel);
        kernel.loop.driver.run();
      }
      pool.settle();
      const { contexts, spaces } = this.#world.platform;
      assertEquals([contexts.size, [...spaces].filter((one) => !one.isDestroyed)], [0, []]);
      assertEquals([pool.heldBytes, pool.isShared, pool.quarantine.isEmpty], [0, false, true]);
    } finally {
      this.#simulation.close();
    }
  }

  #onStep(): void {
    const chance = this.#chance, kernels = [...this.kernels];
    if (kernels.length === 0) return;
    const kernel = chance.pick(kernels);
    if (chance.below(COPY_ONE_IN) === 0) this.#askForCopy(kernel);
    if (chance.below(DELETE_ONE_IN) === 0 && kernels.length > 1) this.#delete(kernel);
    if (chance.below(CHECK_ONE_IN) === 0) assertEquals(violations(kernel), []);
  }

  #askForCopy(kernel: SandboxKernel): void {
    const { quiescence } = kernel.loop;
    let slices = this.#chance.below(4);
    quiescence.request({
      onStandstill: () => {
        for (const { ctx } of kernel.pids.tasks.values()) assert(!Reflect.get(ctx, "isRunning"));
        if (slices-- > 0) return; // others have turns between two slices
        const isFew = this.kernels.size < MOST && this.copies < MOST_IN_ALL;
        if (isFew) this.#copy(kernel);
        quiescence.resume();
      },
      onSandboxEnd: () => {},
    });
  }

  #copy(kernel: SandboxKernel): void {
    const { frames } = kernel.memory, { usedBytes, pool: { heldBytes } } = frames;
    const copied = this.#tryCopy(kernel);
    if (copied === null) return;
    assertEquals(frames.usedBytes, usedBytes);
    assert(copied.memory.frames.usedBytes <= usedBytes + FORK_BYTES);
    assert(frames.pool.heldBytes - heldBytes <= FORK_BYTES, "a copy shares frames");
    assertEquals(violations(copied), []);
    this.copies++;
    this.kernels.add(copied);
    copied.loop.driver.add(copied.loop, (failure) => this.#onEnd(copied, failure));
  }

  /** Null: the platform had an accident. */
  #tryCopy(kernel: SandboxKernel): SandboxKernel | null {
    const { heldBytes } = kernel.memory.frames.pool;
    try {
      return forkKernel(kernel, this.#world.host.another());
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.includes("has no room")) throw cause;
      assertEquals(kernel.memory.frames.pool.heldBytes, heldBytes);
      this.failedCopies++;
      return null;
    }
  }

  #delete(kernel: SandboxKernel): void {
    this.deleted++;
    this.kernels.delete(kernel);
    endKernel(kernel);
  }

  #onEnd(kernel: SandboxKernel, failure: unknown): void {
    this.failure ??= failure;
    if (failure !== null) return;
    if (!this.kernels.delete(kernel)) return;
    assertEquals(kernel.pids.tasks.size, 0);
    const container = kernel.pids.groups.get(1)?.container ?? null;
    if (container !== null) dropContainer(container);
    endKernel(kernel);
  }
}

Deno.test("kernels that are copied and deleted beside each other leave nothing", () => {
  let copies = 0, deleted = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const neighbours = new Neighbours(seed);
    try {
      neighbours.run();
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
    copies += neighbours.copies;
    deleted += neighbours.deleted;
  }
  assert(copies > 3 * SEEDS && deleted > SEEDS / 2, `${copies} copies, ${deleted} deleted`);
});
