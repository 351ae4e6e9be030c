/**
 * Marks of fanotify(7) on inodes, mounts and file systems, and which of them an event concerns
 * (fs/notify/fsnotify.c). notify.ts and permission_events.ts call this; kernel/fanotify implements
 * MarkGroup and decides what a group does with an event.
 */

import {
  FAN_CREATE,
  FAN_DELETE,
  FAN_EVENT_ON_CHILD,
  FAN_MODIFY,
  FAN_MOVED_FROM,
  FAN_MOVED_TO,
  FAN_ONDIR,
  FAN_RENAME,
} from "../../ffi/abi/fanotify.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Dentry, Mount } from "./dentry.ts";
import type { FileSystem, Inode } from "./inode.ts";

/** Events of a directory's entries, which the marks on the directory itself get. */
export const ENTRY_EVENTS: number = FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO |
  FAN_RENAME;
const EVENT_FLAGS = FAN_ONDIR | FAN_EVENT_ON_CHILD;

/** Bits of `match`: why a mark concerns an event. */
export const BY_INODE = 1, BY_PARENT = 2, BY_MOUNT = 4, BY_FS = 8;
/** FAN_RENAME: by a mark on the directory that the entry moved to. */
export const BY_TARGET = 16;

/** The object that a mark is on. */
export type MarkTarget =
  | { readonly kind: "inode"; readonly inode: Inode }
  | { readonly kind: "mount"; readonly mount: Mount }
  | { readonly kind: "fs"; readonly fs: FileSystem };

export abstract class MarkGroup {
  /** Permission events are asked of the group with the highest priority first. */
  abstract readonly priority: number;
  /**
   * Takes an event. `mask`: the bits of the event that its marks want; `match`: BY_* of those
   * marks.
   */
  abstract onEvent(event: FileEvent, mask: number, match: number): void;
  /** Takes a permission event, which waits for an answer; null when the group does not want it. */
  abstract ask(event: FileEvent, mask: number): Question | null;
  /** The object of the mark is gone. */
  abstract forget(mark: Mark): void;
}

/** The question of one task to one group. */
export abstract class Question {
  readonly group: MarkGroup;
  readonly dentry: Dentry;
  readonly mask: number;
  /** Woken at the answer. */
  readonly answered: WaitQueue = new WaitQueue();
  isAnswered: boolean = false;
  isDenied: boolean = false;

  constructor(group: MarkGroup, dentry: Dentry, mask: number) {
    this.group = group;
    this.dentry = dentry;
    this.mask = mask;
  }

  /** The task does not wait any more. */
  abstract withdraw(): void;
}

export class Mark {
  readonly group: MarkGroup;
  readonly target: MarkTarget;
  mask: number = 0;
  ignored: number = 0;
  /** FAN_MARK_IGNORE: FAN_ONDIR and FAN_EVENT_ON_CHILD in `ignored` count. */
  hasIgnoreFlags: boolean = false;
  /** FAN_MARK_IGNORED_SURV_MODIFY. */
  survivesModify: boolean = false;
  isEvictable: boolean = false;

  constructor(group: MarkGroup, target: MarkTarget) {
    this.group = group;
    this.target = target;
  }

  /** The events that this mark makes its group ignore. */
  ignores(isDir: boolean, isByParent: boolean): number {
    const events = this.ignored & ~EVENT_FLAGS;
    if (events === 0 || (!isDir && !isByParent)) return events;
    const flags = this.hasIgnoreFlags ? this.ignored : FAN_ONDIR | (this.mask & FAN_EVENT_ON_CHILD);
    return isApplicable(flags, isDir, isByParent) ? events : 0;
  }
}

export class FileEvent {
  /** FAN_*, with FAN_ONDIR when the event is about a directory. */
  readonly mask: number;
  /**
   * The mount that the file was reached by; null when it is not known, and then no descriptor can
   * be opened for the event.
   */
  readonly mount: Mount | null;
  /** The file of the event; its dentry may not be known. */
  readonly inode: Inode;
  readonly dentry: Dentry | null;
  /** The directory in which its name is `name`. */
  readonly dir: Dentry | null;
  readonly name: string;
  /** FAN_RENAME: the new place. */
  readonly newDir: Dentry | null;
  readonly newName: string;

  constructor(
    mask: number,
    mount: Mount | null,
    inode: Inode,
    dentry: Dentry | null,
    dir: Dentry | null,
    name: string,
    newDir: Dentry | null = null,
    newName: string = "",
  ) {
    this.mask = mask;
    this.mount = mount;
    this.inode = inode;
    this.dentry = dentry;
    this.dir = dir;
    this.name = name;
    this.newDir = newDir;
    this.newName = newName;
  }

  get isOnDirectory(): boolean {
    return (this.mask & FAN_ONDIR) !== 0;
  }
}

/** The marks of one group that concern an event. */
class Concern {
  readonly group: MarkGroup;
  marks: number = 0;
  ignored: number = 0;
  match: number = 0;

  constructor(group: MarkGroup) {
    this.group = group;
  }

  get mask(): number {
    return this.marks & ~this.ignored;
  }
}

/** Whether the file system, or the mount that the file was reached by, has marks. HOT */
export function hasWideMarks(mount: Mount | null, fs: FileSystem): boolean {
  return fs.marks.length > 0 || (mount !== null && mount.marks.length > 0);
}

/** Reports an event to all groups with marks for it. */
export function notifyMarks(event: FileEvent): void {
  for (const concern of concernsOf(event)) {
    const mask = event.mask & concern.mask & ~EVENT_FLAGS;
    if (mask !== 0) concern.group.onEvent(event, mask, concern.match);
  }
}

/** The groups whose marks an event reaches, highest priority first. */
export function concernsOf(event: FileEvent): readonly Concern[] {
  const found: Concern[] = [], isEntry = (event.mask & ENTRY_EVENTS) !== 0;
  addConcerns(found, event, event.inode.fs.marks, BY_FS);
  if (event.mount !== null) addConcerns(found, event, event.mount.marks, BY_MOUNT);
  const above = event.dir === null ? null : event.dir.inode;
  const own = isEntry ? above : event.inode;
  if (own !== null && own.watches !== null) addConcerns(found, event, own.watches.marks, BY_INODE);
  const other = isEntry ? event.newDir?.inode ?? null : above;
  if (other !== null && other.watches !== null) {
    addConcerns(found, event, other.watches.marks, isEntry ? BY_TARGET : BY_PARENT);
  }
  return found.length < 2 ? found : found.sort((a, b) => b.group.priority - a.group.priority);
}

function addConcerns(
  found: Concern[],
  event: FileEvent,
  marks: readonly Mark[],
  match: number,
): void {
  const isDir = event.isOnDirectory, isByParent = match === BY_PARENT;
  for (const mark of marks) {
    if ((event.mask & FAN_MODIFY) !== 0 && !mark.survivesModify) mark.ignored = 0;
    let concern = found.find((c) => c.group === mark.group);
    if (concern === undefined) found.push(concern = new Concern(mark.group));
    concern.ignored |= mark.ignores(isDir, isByParent);
    if (!isApplicable(mark.mask, isDir, isByParent)) continue;
    concern.marks |= mark.mask;
    concern.match |= match;
  }
}

/** fsnotify_mask_applicable. */
function isApplicable(mask: number, isDir: boolean, isByParent: boolean): boolean {
  if (isDir && (mask & FAN_ONDIR) === 0) return false;
  return !isByParent || (mask & FAN_EVENT_ON_CHILD) !== 0;
}

/** Ends the marks of an object that is gone. */
export function endMarks(marks: readonly Mark[]): void {
  for (const mark of [...marks]) mark.group.forget(mark);
}
