/**
 * Makes the kernel of a sandbox from a snapshot file: checks the file and the machine, puts the
 * frames into the arena, and decodes the graph. boot_sandbox.ts stands around the kernel then.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { ReportSink } from "../../../kernel/containment.ts";
import type { LineLog } from "../../../kernel/core/line_log.ts";
import type { ChangedFile } from "../../../kernel/fs/gofer/reconnect.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { FrameAllocator } from "../../../kernel/mm/frames.ts";
import { EndsOfSpaces } from "../../../kernel/mm/memory_context.ts";
import { FileWindows } from "../../../kernel/mm/windows.ts";
import type { TurnLog } from "../../../kernel/observe/turns.ts";
import { CpuInfo } from "../../../kernel/proc/fs/cpu_info.ts";
import type { Surroundings } from "../../../kernel/snapshot/anchors/surroundings.ts";
import { ImageError } from "../../../kernel/snapshot/graph/byte_reader.ts";
import { Refusal } from "../../../kernel/snapshot/graph/graph_error.ts";
import { decodeWorld } from "../../../kernel/snapshot/world_image.ts";
import type { CallObserver } from "../../../kernel/task/call_record.ts";
import type { BootSpec, RestoreSpec } from "../../protocol/boot_spec.ts";
import { openCodec } from "../../protocol/snapshot/codec.ts";
import { SECTION_GRAPH, SnapshotFileError } from "../../protocol/snapshot/format.ts";
import { checkMachine, readHeader, type SnapshotHeader } from "../../protocol/snapshot/header.ts";
import { SnapshotReader } from "../../protocol/snapshot/reader.ts";
import { shownShort } from "../../shown_text.ts";
import { UserError } from "../../user_error.ts";
import { makeVdso } from "../guest_clock.ts";
import type { Machine } from "../machine.ts";
import { loadFrames } from "./frame_loader.ts";
import { isSavedGuest, type SavedGuest } from "./guest_records.ts";
import { ImageFile } from "./image_file.ts";
import { factsOf } from "./machine_facts.ts";
import { makeMountPlaces } from "./mount_places.ts";
import { realTable } from "./real_table.ts";

/** LIMIT: changed files that an error names. */
const NAMED_MAX = 10;

/** What the boot process gives a restored kernel. */
interface Outside {
  readonly log: LineLog;
  readonly observer: CallObserver | null;
  readonly turns: TurnLog | null;
  readonly sink: ReportSink;
  readonly gofer: GoferClient;
}

export interface RestoredWorld {
  readonly kernel: SandboxKernel;
  /** The first one is that of the sandbox. */
  readonly guest: SavedGuest;
  /** Descriptions of files that are not as they were, and were accepted. */
  readonly changes: readonly string[];
}

/** @throws UserError that says why the snapshot is refused */
export function restoreWorld(
  machine: Machine,
  spec: BootSpec,
  restore: RestoreSpec,
  outside: Outside,
): RestoredWorld {
  const file = new ImageFile(spec.fds.image ?? -1);
  try {
    if (!file.isRegular) throw new UserError("the snapshot is no regular file");
    return restoreFrom(file, machine, spec, restore, outside);
  } catch (error) {
    throw isRefusal(error) ? new UserError("the snapshot is refused", undefined, error) : error;
  } finally {
    file.close();
  }
}

/** Rules of the kernel's objects refuse with plain errors; the language's own are bugs. */
function isRefusal(error: unknown): boolean {
  if (error instanceof SnapshotFileError || error instanceof ImageError) return true;
  if (error instanceof Refusal) return true;
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

function restoreFrom(
  file: ImageFile,
  machine: Machine,
  spec: BootSpec,
  restore: RestoreSpec,
  outside: Outside,
): RestoredWorld {
  const codec = openCodec(), reader = SnapshotReader.open(file, codec);
  const header = readHeader(reader.header);
  const memory = { needed: reader.runs.pages * 4096, allowed: spec.memoryBytes };
  checkMachine(header, factsOf(machine, codec), memory);
  checkKind(header, spec);
  if (outside.gofer.start() < 0) throw new UserError("the file server does not answer");
  makeMountPlaces(outside.gofer, spec);
  const { arena, host, platform, driver, cpuInfo } = machine;
  const frames = new FrameAllocator(arena, new EndsOfSpaces(platform, host));
  const loaded = loadFrames(reader, arena, frames), changes: ChangedFile[] = [];
  const surroundings: Surroundings = {
    ...{ host, platform, driver, arena, frames, windows: new FileWindows(arena) },
    ...{ changes, dentries: [] },
    cpuInfo: CpuInfo.fromHost(cpuInfo),
    vdso: header.world.vdso === null && machine.clocks === null
      ? null
      : makeVdso(arena, frames, host.cpuCount),
    debugLog: outside.log,
    observer: outside.observer,
    sink: outside.sink,
    turns: outside.turns,
    goferClient: () => outside.gofer,
    // The new start may have a copy of the tree.
    reconnect: { isCopy: true },
    network: machine.network,
    tcp: restore.sockets,
  };
  const bytes = reader.bytes(SECTION_GRAPH), facts = header.world;
  const image = { bytes, kept: [], frames: [], written: [], facts };
  const { kernel, guests } = decodeWorld(image, realTable(), surroundings, loaded);
  loaded.release();
  // The image has the limit of the sandbox that was saved.
  kernel.oom.setLimit(host.memoryBytes);
  const guest = guests.find(isSavedGuest);
  if (guest === undefined) throw new UserError("the snapshot has no container");
  return { kernel, guest, changes: checkChanges(changes, restore) };
}

/** @throws UserError if the sandbox is not for what the snapshot has */
function checkKind(
  { kind, containers, hasHostNetwork }: SnapshotHeader,
  spec: BootSpec,
): void {
  const asked = spec.session !== undefined ? "session" : spec.id === "" ? "do" : "container";
  if (kind !== asked) {
    throw new UserError(`the snapshot is one of ${NAMES[kind]}, and not of ${NAMES[asked]}`);
  }
  // A container has the network of its new start; a client of a session would miss its sockets.
  if (kind === "session" && hasHostNetwork !== (spec.network === "host")) {
    const network = hasHostNetwork ? "host" : "none";
    throw new UserError(`the snapshot is of a sandbox with the network "${network}"`);
  }
  if (containers.length === 1) return;
  const ids = containers.map(({ id }) => shownShort(id)).join(", ");
  throw new UserError(
    `the snapshot is one of a pod, which cannot be restored: it has the containers ${ids}`,
  );
}

const NAMES = { container: "a container", do: "dvisor do", session: "the library" } as const;

/** @throws UserError if changes are not accepted */
function checkChanges(changes: readonly ChangedFile[], { changedFiles }: RestoreSpec): string[] {
  const lines = changes.map((changed) => {
    return `${shownShort(placeOf(changed))} (${CHANGES[changed.change]})`;
  });
  if (lines.length === 0 || changedFiles === "accept") return lines;
  const more = lines.length - NAMED_MAX;
  const rest = more > 0 ? `, and ${more} more` : "";
  throw new UserError(
    "files are not as they were when the snapshot was made (--changed-files=accept takes them " +
      `as they are): ${lines.slice(0, NAMED_MAX).join(", ")}${rest}`,
  );
}

/** The path in the container: trees are named by their places. */
function placeOf({ inode: { fs: { attachName } }, path }: ChangedFile): string {
  return attachName === "/" ? path : `${attachName}${path === "/" ? "" : path}`;
}

const CHANGES: { readonly [C in ChangedFile["change"]]: string } = {
  gone: "it is gone",
  type: "it is of another type",
  replaced: "it is another file",
  size: "it has another size",
  time: "it was changed",
  deleted: "it had no name, and its bytes were not saved",
  closed: "it cannot be opened",
  listener: "a socket that no program listened on yet",
};
