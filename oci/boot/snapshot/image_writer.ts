/**
 * Writes a kernel that stands still into a snapshot file: the graph first, then the frames in
 * slices. Neighbours: checkpoint.ts and saved_snapshot.ts (what stands still, and how long),
 * restore.ts (reads it).
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { GraphError, Refusal, RefusedError } from "../../../kernel/snapshot/graph/graph_error.ts";
import { encodeWorld } from "../../../kernel/snapshot/world_image.ts";
import { openCodec } from "../../protocol/snapshot/codec.ts";
import {
  SECTION_GRAPH,
  SECTION_HELD,
  SECTION_RUNS,
  SnapshotFileError,
} from "../../protocol/snapshot/format.ts";
import { FrameRuns } from "../../protocol/snapshot/frame_runs.ts";
import type { SnapshotHeader } from "../../protocol/snapshot/header.ts";
import { SnapshotWriter } from "../../protocol/snapshot/writer.ts";
import { explain, UserError } from "../../user_error.ts";
import type { Machine } from "../machine.ts";
import { FrameSaver } from "./frame_saver.ts";
import type { SavedGuest } from "./guest_records.ts";
import type { ImageFile } from "./image_file.ts";
import { factsOf } from "./machine_facts.ts";
import { realTable } from "./real_table.ts";

/** What is written, and how. */
export interface ImagePlan {
  readonly kernel: SandboxKernel;
  readonly machine: Machine;
  readonly kind: SnapshotHeader["kind"];
  readonly hostname: string;
  /** Which the plan owns. */
  readonly file: ImageFile;
  /** Of zstd; 0: nothing is compressed. */
  readonly level: number;
  /** Connections to programs outside are ended in the copy; otherwise they fail the image. */
  readonly endsConnections: boolean;
}

export class ImageWriter {
  readonly #plan: ImagePlan;
  readonly #guests: () => readonly SavedGuest[];
  #writer: SnapshotWriter | null = null;
  #saver: FrameSaver | null = null;

  /** @param guests of the kernel, the first one first; it throws if one cannot be saved */
  constructor(plan: ImagePlan, guests: () => readonly SavedGuest[]) {
    this.#plan = plan;
    this.#guests = guests;
  }

  /**
   * A slice of the work: the bytes of the file when it is whole, -1 before.
   * @throws Error, for `whyNotSaved`
   */
  step(): number {
    const writer = this.#writer, saver = this.#saver;
    if (writer === null || saver === null) {
      this.#begin();
      return -1;
    }
    if (saver.step()) return -1;
    writer.addBytes(SECTION_RUNS, saver.runs.toBytes());
    return writer.finish();
  }

  /** Encodes the world, and writes all but the contents of frames. */
  #begin(): void {
    const { kernel, machine, file, level, endsConnections } = this.#plan;
    const guests = [...this.#guests()];
    const image = encodeWorld({ kernel, guests }, realTable(), { endsConnections });
    const held = new FrameRuns(), codec = openCodec();
    for (const { first, count } of image.frames) held.add(first, count);
    const header: SnapshotHeader = {
      ...factsOf(machine, codec),
      ...this.#describe(guests),
      world: image.facts,
      frameBytes: held.pages * PAGE_SIZE,
    };
    const writer = new SnapshotWriter(file, codec, header, level);
    writer.addBytes(SECTION_GRAPH, image.bytes);
    writer.addBytes(SECTION_HELD, held.toBytes());
    this.#writer = writer;
    this.#saver = new FrameSaver(machine.arena, writer, image.frames);
  }

  #describe(guests: readonly SavedGuest[]) {
    const { kernel, kind, hostname, machine: { host, network } } = this.#plan;
    const groups = [...kernel.pids.groups.values()].filter(({ tasks }) => tasks.length > 0);
    return {
      created: new Date().toISOString(),
      kind,
      containers: guests.map(({ id, args, init }) => {
        return { id, args, terminal: init !== null && init.streams.master !== null };
      }),
      hostname,
      hasHostNetwork: network !== null,
      processes: groups.length,
      threads: groups.reduce((sum, { tasks }) => sum + tasks.length, 0),
      memoryBytes: host.memoryBytes,
      cpus: host.cpuCount,
    };
  }
}

/** Every exception ends the image alone: nothing of the kernel is changed by it. */
export function whyNotSaved(error: unknown): UserError {
  if (error instanceof UserError) return error;
  const what = "the sandbox cannot be saved";
  if (error instanceof RefusedError) {
    return new UserError(`${what}: ${error.reason} (--tcp reset ends it in the snapshot)`);
  }
  if (error instanceof Refusal || error instanceof SnapshotFileError) {
    return new UserError(what, undefined, error);
  }
  const kind = error instanceof GraphError ? "" : `${error instanceof Error ? error.name : ""}: `;
  return new UserError(`${what}; this is a bug in dvisor: ${kind}${explain(error)}`);
}
