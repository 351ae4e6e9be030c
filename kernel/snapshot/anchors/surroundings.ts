/**
 * What a kernel runs on. A snapshot leaves it out, and a kernel that is made from one is given
 * another: objects of the same roles. oci/boot and the tests give theirs.
 */

import type { Arena } from "../../../ffi/mem/arena.ts";
import type { Platform } from "../../../platform/platform.ts";
import type { Host } from "../../core/host.ts";
import type { HostEvents } from "../../loop.ts";
import type { CpuInfo } from "../../proc/fs/cpu_info.ts";
import type { FrameAllocator } from "../../mm/frames.ts";

export interface Surroundings {
  readonly host: Host & HostEvents;
  readonly platform: Platform;
  readonly arena: Arena;
  /** Of the arena; the frames of the snapshot are allocated in it, and have their contents. */
  readonly frames: FrameAllocator;
  /** The processor, as guests see it. */
  readonly cpuInfo: CpuInfo;
}

/** A class, for its objects' prototype. */
export interface Made {
  readonly name: string;
  readonly prototype: object;
}

/** The classes of one kind of surroundings. */
export interface SurroundingClasses {
  readonly host: Made;
  readonly platforms: readonly Made[];
  readonly arena: Made;
  readonly spaces: readonly Made[];
  readonly contexts: readonly Made[];
}
