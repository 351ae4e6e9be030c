/**
 * Makes a copy of a simulated world by a snapshot: the kernel's graph of objects is encoded and
 * decoded, with an arena, a host and a platform of its own. Not a test.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Arena, WINDOW_BYTES } from "../../ffi/mem/arena.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { LoopDriver } from "../../kernel/loop_driver.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { freezePages } from "../../kernel/mm/freeze.ts";
import { FileWindows } from "../../kernel/mm/windows.ts";
import { kernelTable } from "../../kernel/snapshot/anchors/kernel_table.ts";
import { decodeWorld, encodeWorld } from "../../kernel/snapshot/world_image.ts";
import { Random } from "../harness/seeded.ts";
import { decodeOn, surroundingsOf } from "./decode_on.ts";
import { copyFrames, writtenFrames } from "./forked_frames.ts";
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

const OUTSIDE = [SimHost, SimPlatform, SimSpace, Arena, FrameAllocator, FileWindows, LoopDriver];

function isOutside(value: object): boolean {
  return OUTSIDE.some((made) => value instanceof made);
}

/** The world stands still. */
export function copyWorld(original: SimulatedWorld): SimulatedWorld {
  const { size, windowCount } = original.arena, chance = new Random(1);
  const arena = Arena.create(size, windowCount * WINDOW_BYTES);
  const host = new SimHost(chance, size), platform = new SimPlatform(arena, chance);
  host.imitate(original.host);
  const image = imageOf(original.kernel);
  const { kernel } = decodeOn({ host, platform, arena }, image, TABLE, original.arena);
  const contexts = contextsOf(original.kernel), copies = contextsOf(kernel);
  platform.imitate(original.platform, (context) => copies[contexts.indexOf(context)] ?? null);
  chance.imitate(original.chance);
  return { chance, arena, host, platform, kernel };
}

/**
 * A copy on the same arena and platform, which has turns beside the original. They share the frames
 * of processes and files until one writes. The world stands still.
 *
 * @throws Error when the platform has no room
 */
export function forkKernel(original: SandboxKernel, host: SimHost): SandboxKernel {
  const { memory, platform, loop: { driver } } = original, { arena, windows } = memory;
  for (const mm of memory.memories) {
    freezePages(mm);
    mm.space.flush();
  }
  const image = imageOf(original), { pool } = memory.frames;
  const objects = heldObjects(original, isOutside).keys();
  const frames = new FrameAllocator(arena, null, pool);
  const numbers = copyFrames(arena, writtenFrames(objects), frames);
  const surroundings = surroundingsOf({ host, platform, arena, frames, windows, driver });
  let kernel: SandboxKernel;
  try {
    ({ kernel } = decodeWorld(image, TABLE, surroundings, {
      numberOf: (frame) => numbers.get(frame) ?? frame,
      hold: (first, count) => frames.share(first * PAGE_SIZE, count),
    }));
  } catch (cause) {
    while (frames.dropRest(Infinity));
    throw cause;
  }
  for (const first of numbers.values()) frames.release(first * PAGE_SIZE, 1);
  const contexts = contextsOf(original), copies = contextsOf(kernel);
  for (const [i, copied] of copies.entries()) copied.imitate(contexts[i]!);
  return kernel;
}

function imageOf(kernel: SandboxKernel): ReturnType<typeof encodeWorld> {
  return encodeWorld({ kernel, guests: [] }, TABLE, { isThorough: true });
}

/** The contexts of a kernel that may run again, in an order that is the same in its copy. */
function contextsOf(kernel: SandboxKernel): SimContext[] {
  const held = [...heldObjects(kernel, isOutside).keys()];
  const contexts = held.filter((object) => object instanceof SimContext);
  return contexts.filter(({ isReleased, space }) => !isReleased && !space.isEnded);
}
