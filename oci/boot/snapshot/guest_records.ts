/**
 * What a snapshot keeps of the guests that the boot process serves: the `guests` of an image's root
 * (kernel/snapshot/world_image.ts). They are plain objects, whose members are state of the kernel.
 */

import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { MasterFile } from "../../../kernel/fs/devpts/master_file.ts";
import { HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
import { PipeFile } from "../../../kernel/ipc/pipe.ts";
import { Job } from "../../../kernel/job/job.ts";
import { Socket } from "../../../kernel/net/socket.ts";
import { Container } from "../../../kernel/task/container.ts";
import { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { GuestStreams } from "../guest/guest_streams.ts";

/** A process that has a waiter on the host. */
export interface SavedProcess {
  readonly group: ThreadGroup;
  readonly streams: GuestStreams;
}

/** A container, or the guest of `do`, or that of a session. The first one is the sandbox's. */
export interface SavedGuest {
  readonly id: string;
  readonly container: Container;
  /** The command of its first process. */
  readonly args: readonly string[];
  /** Its first process; null: it has ended, or nothing waits for it. */
  readonly init: SavedProcess | null;
  /** Processes of `exec`. */
  readonly execs: readonly SavedProcess[];
  /** What the files of its control group show, which is this object; null: it has no such files. */
  readonly limits: CgroupLimits | null;
  /** Null: it is none of a session. */
  readonly session: SavedSession | null;
}

export interface SavedSession {
  readonly startNs: number;
  /** Places for mounts that were made in the root's overlay; byte strings. */
  readonly ownPaths: ReadonlySet<string>;
  /** The number of the last job. */
  readonly lastJob: number;
  readonly programs: readonly SavedProgram[];
  /** Sockets of clients' connections to ports of the guest. */
  readonly sockets: readonly Socket[];
}

/** A job of a session. */
export interface SavedProgram {
  readonly id: number;
  readonly pid: number;
  /** Byte strings. */
  readonly argv: readonly string[];
  readonly isDetached: boolean;
  readonly hasEnded: boolean;
  readonly startNs: number;
  readonly startedMs: number;
  readonly job: Job;
  readonly streams: ServerEnds;
}

/** What the boot process holds of a program's streams. */
export interface ServerEnds {
  /** The end of stdin, which it writes; null: there is none, or it is closed. */
  readonly input: PipeFile | null;
  /** The ends of stdout and stderr, which it reads; null: closed. */
  readonly outputs: readonly (PipeFile | null)[];
  /** The master of the program's terminal; null: it has none, or it is closed. */
  readonly master: MasterFile | null;
}

/** Whether an object of a decoded image is what `SavedGuest` says. */
export function isSavedGuest(object: object): object is SavedGuest {
  const { id, container, args, init, execs, limits, session }: Partial<Record<string, unknown>> = {
    ...object,
  };
  return typeof id === "string" && container instanceof Container && Array.isArray(args) &&
    (init === null || isSavedProcess(init)) && Array.isArray(execs) &&
    execs.every(isSavedProcess) && (limits === null || isPlain(limits)) &&
    (session === null || isSavedSession(session));
}

function isSavedProcess(value: unknown): boolean {
  if (!isPlain(value)) return false;
  const { group, streams } = value;
  if (!(group instanceof ThreadGroup) || !isPlain(streams)) return false;
  const { inodes, master } = streams;
  return Array.isArray(inodes) && (master === null || master instanceof MasterFile) &&
    inodes.every((inode) => inode === null || inode instanceof HostFdInode);
}

function isSavedSession(value: unknown): boolean {
  if (!isPlain(value)) return false;
  const { startNs, ownPaths, lastJob, programs, sockets } = value;
  return typeof startNs === "number" && ownPaths instanceof Set && typeof lastJob === "number" &&
    Array.isArray(programs) && programs.every(isSavedProgram) &&
    Array.isArray(sockets) && sockets.every((socket) => socket instanceof Socket);
}

const PROGRAM_NUMBERS = ["id", "pid", "startNs", "startedMs"];

function isSavedProgram(value: unknown): boolean {
  if (!isPlain(value) || !isPlain(value["streams"])) return false;
  const { input, outputs, master } = value["streams"];
  return PROGRAM_NUMBERS.every((name) => typeof value[name] === "number") &&
    Array.isArray(value["argv"]) && value["job"] instanceof Job && isPipe(input) &&
    Array.isArray(outputs) && outputs.every(isPipe) &&
    (master === null || master instanceof MasterFile);
}

function isPipe(value: unknown): boolean {
  return value === null || value instanceof PipeFile;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
}
