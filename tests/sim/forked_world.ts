/**
 * Snapshots of a simulated kernel inside the process, and kernels that are made of them: they share
 * the arena, the host and the platform. Not a test.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { LoopDriver } from "../../kernel/loop_driver.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { CpuInfo } from "../../kernel/proc/fs/cpu_info.ts";
import { kernelTable } from "../../kernel/snapshot/anchors/kernel_table.ts";
import type { Surroundings } from "../../kernel/snapshot/anchors/surroundings.ts";
import { holdRecords, releaseRecords } from "../../kernel/snapshot/shared_records.ts";
import { decodeWorld, encodeWorld } from "../../kernel/snapshot/world_image.ts";
import { SimHost } from "./sim_host.ts";
import { SimContext, SimPlatform, SimSpace } from "./sim_platform.ts";
import type { SimulatedWorld } from "./simulation.ts";

const TABLE = kernelTable({
  host: SimHost,
  platforms: [SimPlatform],
  arena: Arena,
  spaces: [SimSpace],
  contexts: [SimContext],
});

/** A kernel, and what the test keeps of it: plain objects and state. */
export interface Forked<Guest extends object> {
  readonly kernel: SandboxKernel;
  readonly guest: Guest;
}

export class HeldSnapshot<Guest extends object> {
  readonly #world: SimulatedWorld;
  readonly #image: ReturnType<typeof encodeWorld>;

  /** `kernel` stands still. */
  constructor(world: SimulatedWorld, { kernel, guest }: Forked<Guest>, isThorough: boolean = true) {
    this.#world = world;
    const root = { kernel, guests: [guest] };
    this.#image = encodeWorld(root, TABLE, { isInProcess: true, isThorough });
    holdRecords(this.#image.kept);
    const { pool } = kernel.memory.frames;
    for (const { first, count } of this.#image.frames) pool.hold(first, count);
  }

  get bytes(): number {
    return this.#image.bytes.length;
  }

  /** A kernel of its own, of the same pool of frames. */
  fork(): Forked<Guest> {
    const { host, platform, arena, kernel: { memory } } = this.#world;
    const frames = new FrameAllocator(arena, null, memory.frames.pool);
    const surroundings: Surroundings = {
      ...{ host, platform, arena, frames, cpuInfo: CpuInfo.fromHost(""), dentries: [] },
      ...{ goferClient: () => null, reconnect: { isCopy: true }, changes: [] },
      ...{ network: null, tcp: "refuse", windows: memory.windows },
      driver: new LoopDriver(host, platform),
      ...{ vdso: null, debugLog: null, observer: null, sink: null, turns: null },
    };
    const { kernel, guests } = decodeWorld(this.#image, TABLE, surroundings, {
      hold: (first, count) => frames.share(first * PAGE_SIZE, count),
    });
    return { kernel, guest: guests[0] as Guest };
  }

  release(): void {
    const { frames, kept } = this.#image, { pool } = this.#world.kernel.memory.frames;
    const left = [...kept];
    while (releaseRecords(left, 100));
    for (const { first, count } of frames) pool.drop(first, count);
  }
}

/** The kernel of a copy is not used any more. */
export function endKernel({ memory: { frames } }: SandboxKernel): void {
  while (frames.dropRest(100));
}
