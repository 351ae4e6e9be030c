/**
 * What a snapshot keeps of the guests that the boot process serves: the `guests` of an image's root
 * (kernel/snapshot/world_image.ts). They are plain objects, whose members are state of the kernel.
 */

import type { CgroupLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { MasterFile } from "../../../kernel/fs/devpts/master_file.ts";
import { HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
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
}

/** Whether an object of a decoded image is what `SavedGuest` says. */
export function isSavedGuest(object: object): object is SavedGuest {
  const { id, container, args, init, execs, limits }: Partial<Record<string, unknown>> = {
    ...object,
  };
  return typeof id === "string" && container instanceof Container && Array.isArray(args) &&
    (init === null || isSavedProcess(init)) && Array.isArray(execs) &&
    execs.every(isSavedProcess) && (limits === null || isPlain(limits));
}

function isSavedProcess(value: unknown): boolean {
  if (!isPlain(value)) return false;
  const { group, streams } = value;
  if (!(group instanceof ThreadGroup) || !isPlain(streams)) return false;
  const { inodes, master } = streams;
  return Array.isArray(inodes) && (master === null || master instanceof MasterFile) &&
    inodes.every((inode) => inode === null || inode instanceof HostFdInode);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
}
