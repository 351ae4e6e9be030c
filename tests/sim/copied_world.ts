/**
 * Makes a copy of a simulated world by a snapshot: the kernel's graph of objects is encoded and
 * decoded, with an arena, a host and a platform of its own. Not a test.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Arena, WINDOW_BYTES } from "../../ffi/mem/arena.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { LoopDriver } from "../../kernel/loop_driver.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { FileWindows } from "../../kernel/mm/windows.ts";
import { CpuInfo } from "../../kernel/proc/fs/cpu_info.ts";
import type { FrameRange } from "../../kernel/snapshot/graph/frame_ranges.ts";
import { kernelTable } from "../../kernel/snapshot/anchors/kernel_table.ts";
import { decodeWorld, encodeWorld } from "../../kernel/snapshot/world_image.ts";
import type { Surroundings } from "../../kernel/snapshot/anchors/surroundings.ts";
import { Random } from "../harness/seeded.ts";
import { heldObjects } from "./object_graph.ts";
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

const OUTSIDE = [SimHost, SimPlatform, SimSpace, Arena, FrameAllocator];

/** The world stands still. */
export function copyWorld(original: SimulatedWorld): SimulatedWorld {
  const { size, windowCount } = original.arena, chance = new Random(1);
  const arena = Arena.create(size, windowCount * WINDOW_BYTES);
  const host = new SimHost(chance, size), platform = new SimPlatform(arena, chance);
  host.imitate(original.host);
  const root = { kernel: original.kernel, guests: [] };
  const image = encodeWorld(root, TABLE, { isThorough: true });
  const frames = new FrameAllocator(arena), numbers = copyFrames(original, image.frames, frames);
  const windows = new FileWindows(arena), driver = new LoopDriver(host, platform);
  const surroundings: Surroundings = {
    ...{ host, platform, arena, frames, windows, driver, cpuInfo: CpuInfo.fromHost("") },
    ...{ goferClient: () => null, reconnect: { isCopy: false }, changes: [] },
    dentries: [],
    ...{ vdso: null, debugLog: null, observer: null, sink: null, turns: null },
    ...{ network: null, tcp: "refuse" },
  };
  const { kernel } = decodeWorld(image, TABLE, surroundings, {
    numberOf: (frame) => numbers.get(frame) ?? -1,
    hold: (first, count) => frames.retain(first * PAGE_SIZE, count),
  });
  for (const first of numbers.values()) frames.release(first * PAGE_SIZE, 1);
  const contexts = contextsOf(original.kernel), copies = contextsOf(kernel);
  platform.imitate(original.platform, (context) => copies[contexts.indexOf(context)] ?? null);
  chance.imitate(original.chance);
  return { chance, arena, host, platform, kernel };
}

/** Copies frames to another arena. @returns their numbers there */
function copyFrames(
  { arena }: SimulatedWorld,
  ranges: readonly FrameRange[],
  frames: FrameAllocator,
): Map<number, number> {
  const numbers = new Map<number, number>();
  for (const { first, count } of ranges) {
    const off = frames.alloc(count);
    if (off < 0) throw new Error("the copy has no memory");
    copy(frames.arena.base + off, arena.base + first * PAGE_SIZE, count * PAGE_SIZE);
    for (let i = 0; i < count; i++) numbers.set(first + i, off / PAGE_SIZE + i);
  }
  return numbers;
}

/** The contexts of a kernel that may run again, in an order that is the same in its copy. */
function contextsOf(kernel: SandboxKernel): SimContext[] {
  const isOutside = (value: object) => OUTSIDE.some((made) => value instanceof made);
  const held = [...heldObjects(kernel, isOutside).keys()];
  const contexts = held.filter((object) => object instanceof SimContext);
  return contexts.filter(({ isReleased, space }) => !isReleased && !space.isEnded);
}
