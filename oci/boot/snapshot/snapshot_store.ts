/**
 * The snapshots inside a sandbox's process, and the kernels that are made from them
 * (kernel/snapshot/held_snapshot.ts). Neighbours: boot/session/ (the requests), restore.ts (kernels
 * from a file).
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { ReportSink } from "../../../kernel/containment.ts";
import type { LineLog } from "../../../kernel/core/line_log.ts";
import { endKernel } from "../../../kernel/kernel_end.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { FrameAllocator } from "../../../kernel/mm/frames.ts";
import type { ChangedFile } from "../../../kernel/fs/gofer/reconnect.ts";
import { EndsOfSpaces } from "../../../kernel/mm/memory_context.ts";
import type { TurnLog } from "../../../kernel/observe/turns.ts";
import { freezeWorld, HeldSnapshot, isFrozen } from "../../../kernel/snapshot/held_snapshot.ts";
import { GraphError, Refusal, RefusedError } from "../../../kernel/snapshot/graph/graph_error.ts";
import type { ClassTable } from "../../../kernel/snapshot/graph/class_table.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import type { CallObserver } from "../../../kernel/task/call_record.ts";
import { RequestError } from "../../protocol/request_error.ts";
import type { SnapshotInfo } from "../../protocol/session/messages.ts";
import { explain, UserError } from "../../user_error.ts";
import { GuestClock, makeVdso } from "../guest_clock.ts";
import type { Machine } from "../machine.ts";
import { isSavedGuest, type SavedGuest } from "./guest_records.ts";
import { realTable } from "./real_table.ts";

/** LIMIT: snapshots of a sandbox. */
const SNAPSHOTS_MAX = 256;

/** What the boot process gives each kernel. */
export interface KernelParts {
  readonly log: LineLog;
  readonly observer: CallObserver | null;
  readonly turns: TurnLog | null;
  readonly sink: ReportSink;
  readonly gofer: GoferClient;
}

/** A kernel, and its guest. */
export interface MadeKernel {
  readonly kernel: SandboxKernel;
  readonly guest: SavedGuest;
}

/** The client that asked for a snapshot. */
export interface TakenListener {
  onTaken(snapshot: SnapshotInfo): void;
  onFailed(error: UserError): void;
}

/** What is taken. */
interface TakenWorld {
  readonly kernel: SandboxKernel;
  /** Its guest, at the standstill. */
  save(): SavedGuest;
}

interface Kept {
  readonly info: SnapshotInfo;
  readonly held: HeldSnapshot;
}

export class SnapshotStore {
  readonly #machine: Machine;
  readonly #snapshots: Map<number, Kept> = new Map();
  #table: ClassTable | null = null;
  #last = 0;
  /** Snapshots that are being taken. */
  #begun = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** In the order in which they were taken. */
  get list(): SnapshotInfo[] {
    return [...this.#snapshots.values()].map(({ info }) => info);
  }

  /** @throws UserError if it cannot begin */
  take(world: TakenWorld, name: string, listener: TakenListener): void {
    if (this.#machine.network !== null) {
      throw new RequestError(
        "Unsupported",
        "a sandbox with the network of the host has no snapshots, as its connections have no copies",
      );
    }
    if (this.#snapshots.size + this.#begun >= SNAPSHOTS_MAX) {
      throw new RequestError("Limit", `a sandbox has at most ${SNAPSHOTS_MAX} snapshots`);
    }
    const taking = new Taking(world, () => {
      const held = new HeldSnapshot({ kernel: world.kernel, guests: [world.save()] }, this.#rows());
      return this.#keep(held, name);
    }, {
      onTaken: (info) => this.#end(() => listener.onTaken(info)),
      onFailed: (error) => {
        this.#end(() => listener.onFailed(error));
      },
    });
    if (!world.kernel.loop.quiescence.request(taking)) throw busy();
    this.#begun++;
  }

  #end(report: () => void): void {
    this.#begun--;
    report();
  }

  #rows(): ClassTable {
    return this.#table ??= realTable();
  }

  #keep(held: HeldSnapshot, name: string): SnapshotInfo {
    const id = ++this.#last, memoryBytes = held.frameBytes;
    const info = { snapshot: id, name, createdMs: Date.now(), memoryBytes };
    this.#snapshots.set(id, { info, held });
    return info;
  }

  /** @throws UserError if there is none with this number */
  #find(id: number): Kept {
    const kept = this.#snapshots.get(id);
    if (kept === undefined) throw new RequestError("NotFound", `there is no snapshot ${id}`);
    return kept;
  }

  /** @throws UserError if there is none with this number */
  require(id: number): void {
    this.#find(id);
  }

  /** @throws UserError if there is none with this number */
  delete(id: number): void {
    const { held } = this.#find(id);
    this.#snapshots.delete(id);
    this.#machine.driver.finish(held.release());
  }

  /**
   * A kernel that goes on from a snapshot. It has no turns yet.
   * @throws UserError if there is no such snapshot, or no room for a kernel
   */
  makeKernel(id: number, { gofer, log, observer, sink, turns }: KernelParts): MadeKernel {
    const { held } = this.#find(id), { arena, platform, driver, clocks } = this.#machine;
    const host = this.#machine.host.another(), { pool, windows } = held;
    const frames = new FrameAllocator(arena, new EndsOfSpaces(platform, host), pool);
    const vdso = held.hasVdso ? makeVdso(arena, frames, host.cpuCount) : null;
    const changes: ChangedFile[] = [];
    const { kernel, guests } = explained("a kernel cannot be made from the snapshot", () => {
      return held.makeKernel({
        ...{ host, platform, driver, arena, frames, windows, vdso, cpuInfo: held.cpuInfo },
        ...{ debugLog: log, observer, sink, turns, changes, dentries: [] },
        ...{ goferClient: () => gofer, reconnect: { isCopy: false, losesReplaced: true } },
        ...{ network: null, tcp: "refuse" },
      });
    });
    for (const { path, change } of changes) log.line(`a file of the snapshot: ${path}: ${change}`);
    const guest = guests.find(isSavedGuest);
    if (guest === undefined) {
      endKernel(kernel);
      throw new RequestError("Failed", "the snapshot has no guest");
    }
    if (vdso !== null && clocks !== null) {
      host.guestClock = new GuestClock(arena, vdso, { ...clocks });
    }
    return { kernel, guest };
  }
}

export function busy(): UserError {
  return new RequestError("Failed", "the sandbox is being saved already, or it ends");
}

/** @throws UserError in place of what the kernel's rules throw */
function explained<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw reasonOf(what, error);
  }
}

function reasonOf(what: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  if (error instanceof RefusedError) {
    return new RequestError("Unsupported", `${what}: ${error.reason}`);
  }
  if (error instanceof Refusal) return new RequestError("Failed", `${what}: ${error.message}`);
  const kind = error instanceof GraphError ? "this is a bug in dvisor: " : "";
  return new RequestError("Failed", `${what}: ${kind}${explain(error)}`);
}

/** Takes a snapshot: first all pages are protected from writes. */
class Taking implements StandstillListener {
  readonly #world: TakenWorld;
  readonly #take: () => SnapshotInfo;
  #listener: TakenListener | null;
  #isProtected = false;

  constructor(world: TakenWorld, take: () => SnapshotInfo, listener: TakenListener) {
    this.#world = world;
    this.#take = take;
    this.#listener = listener;
  }

  onStandstill(): void {
    const { kernel } = this.#world;
    if (!this.#isProtected) {
      freezeWorld(kernel);
      this.#isProtected = true;
    }
    if (!isFrozen(kernel)) return;
    const listener = this.#listener;
    this.#listener = null;
    try {
      listener?.onTaken(explained("the snapshot cannot be taken", this.#take));
    } catch (error) {
      const isKnown = error instanceof UserError;
      listener?.onFailed(isKnown ? error : new RequestError("Failed", explain(error)));
      if (!isKnown) throw error;
    } finally {
      kernel.loop.quiescence.resume();
    }
  }

  onSandboxEnd(): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onFailed(new RequestError("Failed", "the sandbox has ended"));
  }
}
