/**
 * Writes a snapshot file while the world stands still: the graph first, then the frames in slices.
 * If anything fails, the world goes on and the file is empty. Neighbours: restore.ts,
 * kernel/snapshot/quiesce.ts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, poll, read } from "../../../ffi/sys/files.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { GraphError, Refusal, RefusedError } from "../../../kernel/snapshot/graph/graph_error.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
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

/** The client. */
export interface SaveListener {
  /** The file is whole. The world stands still. */
  onSaved(bytes: number): void;
  /** The file is not whole, and the world goes on. */
  onFailed(error: UserError): void;
}

/** The sandbox. */
interface CheckpointOwner {
  /** The guests of the sandbox, the first one first. @throws UserError if one cannot be saved */
  savedGuests(): SavedGuest[];
  /** The world is to end here, as it goes on elsewhere. */
  onTaken(): void;
}

/** What is saved, and how. */
interface CheckpointPlan {
  readonly kernel: SandboxKernel;
  readonly machine: Machine;
  readonly kind: SnapshotHeader["kind"];
  readonly hostname: string;
  /** Which it owns. */
  readonly file: ImageFile;
  /** Of zstd; 0: nothing is compressed. */
  readonly level: number;
  /** Connections to programs outside are ended in the copy; otherwise they fail the checkpoint. */
  readonly endsConnections: boolean;
  /** The world goes on when the file is whole. Otherwise it stands still, until the verdict. */
  readonly leaveRunning: boolean;
  /** Which it owns. */
  readonly verdict: Verdict;
}

/**
 * The reading end of a pipe that the client has: a byte says that the world is to end. The pipe
 * ends with the client.
 */
export class Verdict {
  readonly #fd: number;
  #deadlineMs: number = Infinity;

  /** @param fd which it owns */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Before the file is whole nothing is written into the pipe. */
  get isClientGone(): boolean {
    return poll(this.#fd, POLLIN, 0) > 0;
  }

  /** Begins the time that the client has. */
  begin(): void {
    this.#deadlineMs = performance.now() + VERDICT_MS;
  }

  /** Waits for a moment: whether the world is to end, or null if it is not known yet. */
  look(): boolean | null {
    if (poll(this.#fd, POLLIN, LOOK_MS) > 0) return read(this.#fd, scratch.area(0), 1) === 1;
    return performance.now() < this.#deadlineMs ? null : false;
  }

  close(): void {
    close(this.#fd);
  }
}

/** LIMIT: how long a client may take to name a file that is whole, ms. */
const VERDICT_MS = 60_000;
const LOOK_MS = 10;

export class Checkpoint implements StandstillListener {
  readonly #plan: CheckpointPlan;
  readonly #owner: CheckpointOwner;
  readonly #listener: SaveListener;
  #writer: SnapshotWriter | null = null;
  #saver: FrameSaver | null = null;
  #isSaved = false;

  constructor(plan: CheckpointPlan, owner: CheckpointOwner, listener: SaveListener) {
    this.#plan = plan;
    this.#owner = owner;
    this.#listener = listener;
  }

  onStandstill(): void {
    const { file, leaveRunning, verdict } = this.#plan;
    if (this.#isSaved) return this.#awaitVerdict();
    let bytes: number;
    try {
      if (verdict.isClientGone) throw new UserError("the client has gone");
      bytes = this.#step();
    } catch (error) {
      this.#fail(reasonOf(error));
      this.#goOn();
      return;
    }
    if (bytes < 0) return;
    this.#isSaved = true;
    file.close();
    verdict.begin();
    this.#listener.onSaved(bytes);
    if (leaveRunning) this.#goOn();
  }

  onSandboxEnd(): void {
    if (!this.#isSaved) this.#fail(new UserError("the sandbox has ended before it was saved"));
    this.#plan.verdict.close();
  }

  /** The client gives the file its name, and takes the world. */
  #awaitVerdict(): void {
    const isTaken = this.#plan.verdict.look();
    if (isTaken === null) return;
    if (isTaken) this.#owner.onTaken();
    else this.#goOn();
  }

  #goOn(): void {
    this.#plan.verdict.close();
    this.#plan.kernel.loop.quiescence.resume();
  }

  /** A slice of the work. The bytes of the file when it is whole, -1 before. */
  #step(): number {
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
    const guests = this.#owner.savedGuests();
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

  #fail(reason: UserError): void {
    const { file } = this.#plan;
    file.discard();
    file.close();
    this.#listener.onFailed(reason);
  }
}

/** Every exception ends the checkpoint alone: nothing of the kernel is changed by it. */
function reasonOf(error: unknown): UserError {
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
