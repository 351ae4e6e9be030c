/** Makes a kernel from an image on a machine of a test, which has no Gofer. Not a test. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { Host } from "../../kernel/core/host.ts";
import { type HostEvents, LoopDriver } from "../../kernel/loop_driver.ts";
import { FrameAllocator } from "../../kernel/mm/frames.ts";
import { FileWindows } from "../../kernel/mm/windows.ts";
import { CpuInfo } from "../../kernel/proc/fs/cpu_info.ts";
import type { Surroundings } from "../../kernel/snapshot/anchors/surroundings.ts";
import type { ClassTable } from "../../kernel/snapshot/graph/class_table.ts";
import type { Platform } from "../../platform/platform.ts";
import { copyFrames } from "./forked_frames.ts";
import { decodeWorld, type encodeWorld } from "../../kernel/snapshot/world_image.ts";

/** What a kernel of a test lacks around it is null. */
export function surroundingsOf(
  machine: Pick<Surroundings, "host" | "platform" | "arena" | "frames" | "windows" | "driver">,
): Surroundings {
  return {
    ...machine,
    ...{ goferClient: () => null, reconnect: { isCopy: false }, changes: [], dentries: [] },
    ...{ vdso: null, debugLog: null, observer: null, sink: null, turns: null },
    ...{ network: null, tcp: "refuse" },
    cpuInfo: CpuInfo.fromHost(""),
  };
}

interface TestMachine {
  readonly host: Host & HostEvents;
  readonly platform: Platform;
  readonly arena: Arena;
}

/** @param original the arena of the kernel that was encoded, whose frames are copied */
export function decodeOn(
  { host, platform, arena }: TestMachine,
  image: ReturnType<typeof encodeWorld>,
  table: ClassTable,
  original: Arena,
): ReturnType<typeof decodeWorld> {
  const frames = new FrameAllocator(arena), numbers = copyFrames(original, image.frames, frames);
  const driver = new LoopDriver(host, platform), windows = new FileWindows(arena);
  const surroundings = surroundingsOf({ host, platform, arena, frames, windows, driver });
  const root = decodeWorld(image, table, surroundings, {
    numberOf: (frame) => numbers.get(frame) ?? -1,
    hold: (first, count) => frames.share(first * PAGE_SIZE, count),
  });
  for (const first of numbers.values()) frames.release(first * PAGE_SIZE, 1);
  return root;
}
