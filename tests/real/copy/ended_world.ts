/**
 * Ends a kernel that stands still and has been copied: its threads and address spaces are gone, and
 * it holds no frames. Not a test.
 */

import { assert } from "@std/assert";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { MemoryManager } from "../../../kernel/mm/memory_manager.ts";
import { FATES } from "../../../kernel/snapshot/fates.ts";
import { AddressSpace } from "../../../platform/platform.ts";
import { heldObjects } from "../../sim/object_graph.ts";

const PATIENCE_MS = 20_000;

/** Whether an object is no state of a kernel: the host, or the boot process. */
function isOutside(value: object): boolean {
  return value instanceof AddressSpace || FATES.get(value.constructor?.name ?? "") === "host";
}

/** All objects of state. */
export function objectsOf(kernel: SandboxKernel): object[] {
  return [...heldObjects(kernel, isOutside).keys()];
}

export function endWorld(kernel: SandboxKernel): void {
  const { memory: { frames, sites }, oom, pids, platform } = kernel;
  oom.listener = null;
  for (const { ctx } of pids.tasks.values()) if (!ctx.isReleased) ctx.release();
  const memories = objectsOf(kernel).filter((object) => object instanceof MemoryManager);
  for (const mm of memories) mm.destroy();
  for (const one of sites) while (sites.has(one)) one.drop();
  // A deadline, so that a thread that does not end fails the test.
  const end = performance.now() + PATIENCE_MS;
  while (memories.some(({ space }) => space.ackedSeq < space.seq)) {
    assert(performance.now() < end, "an address space does not end");
    platform.reap();
    assert(platform.poll() === null, "a thread stops in a world that stands still");
  }
  frames.pool.settle();
  while (frames.dropRest(Infinity));
}
