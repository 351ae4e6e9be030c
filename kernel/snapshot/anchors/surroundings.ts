/**
 * What a kernel runs on. A snapshot leaves it out, and a kernel that is made from one is given
 * another: objects of the same roles. oci/boot and the tests give theirs.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { Arena } from "../../../ffi/mem/arena.ts";
import type { Platform } from "../../../platform/platform.ts";
import type { ReportSink } from "../../containment.ts";
import type { Host } from "../../core/host.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import type { LineLog } from "../../core/line_log.ts";
import type { ChangedFile, ReconnectOptions } from "../../fs/gofer/reconnect.ts";
import type { LoopDriver } from "../../loop_driver.ts";
import type { FileWindows } from "../../mm/windows.ts";
import type { TurnLog } from "../../observe/turns.ts";
import type { CpuInfo } from "../../proc/fs/cpu_info.ts";
import type { CallObserver } from "../../task/call_record.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { VdsoPages } from "../../mm/memory_context.ts";
import type { Dentry } from "../../vfs/dentry.ts";

export interface Surroundings {
  readonly host: Host;
  readonly platform: Platform;
  readonly arena: Arena;
  /** Of the arena; the frames of the snapshot are allocated in it, and have their contents. */
  readonly frames: FrameAllocator;
  /** Of the arena. */
  readonly windows: FileWindows;
  /** Gives the kernel its turns, once it is added. */
  readonly driver: LoopDriver;
  /** The processor, as guests see it. */
  readonly cpuInfo: CpuInfo;
  /** Of the same image as that of the snapshot; null: the kernel had none. */
  readonly vdso: VdsoPages | null;
  /** Lines of the kernel; null: they are dropped. */
  readonly debugLog: LineLog | null;
  /** Observes the calls of all tasks (--strace); null: nothing does. */
  readonly observer: CallObserver | null;
  /** Takes the reports of faults. */
  readonly sink: ReportSink | null;
  /** The record of long turns (--turns); null: they are not measured. */
  readonly turns: TurnLog | null;
  /**
   * The connection to the Gofer of a container ("": of the first one); it is started. Null: there
   * is none.
   */
  goferClient(name: string): GoferClient | null;
  readonly reconnect: ReconnectOptions;
  /** The decoder adds the files that are not as they were. */
  readonly changes: ChangedFile[];
  /** The network of the host, for namespaces that used it; null: guests must not have used it. */
  readonly network: HostNetwork | null;
  /** What becomes of connections of host sockets. */
  readonly tcp: "refuse" | "reset";
  /** Empty; while a graph is decoded, the dentries of its trees. */
  readonly dentries: Dentry[];
}

/** A class, for its objects' prototype. */
export interface Made {
  readonly name: string;
  readonly prototype: object;
}

/** Classes with the names that they have in the sources: in a minified program they have others. */
export function named(classes: Readonly<Record<string, { readonly prototype: object }>>): Made[] {
  return Object.entries(classes).map(([name, { prototype }]) => ({ name, prototype }));
}

/** The classes of one kind of surroundings. */
export interface SurroundingClasses {
  readonly host: Made;
  readonly platforms: readonly Made[];
  readonly arena: Made;
  readonly spaces: readonly Made[];
  readonly contexts: readonly Made[];
}
