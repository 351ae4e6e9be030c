/**
 * inotify(7): the file of an inotify instance, with its queue of events and its watches on inodes
 * (vfs/watch_list.ts). A watch does not hold its inode: it ends with IN_DELETE_SELF and IN_IGNORED.
 * syscalls/io/inotify.ts has the calls.
 */

import { POLLIN, POLLRDNORM } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, EEXIST, EINVAL, ENOSPC } from "../../../ffi/abi/errno.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { FIONREAD } from "../../../ffi/abi/ioctl.ts";
import {
  IN_ALL_EVENTS,
  IN_EXCL_UNLINK,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_ONESHOT,
  IN_Q_OVERFLOW,
  IN_UNMOUNT,
  InotifyEvent,
} from "../../../ffi/abi/inotify.ts";
import type { DeferredWork, WorkItem } from "../../core/deferred_work.ts";
import { INODE_WATCHES, INOTIFY_EVENTS } from "../../core/quota.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import type { Inode } from "../../vfs/inode.ts";
import { Watch, watchesOf } from "../../vfs/watch_list.ts";
import { AnonFile, type AnonFiles } from "./anon_inode.ts";

/** LIMIT: /proc/sys/fs/inotify/max_queued_events. */
const MAX_EVENTS = 16384;
/** LIMIT: watches of one descriptor; max_user_watches limits all of a user. */
const MAX_WATCHES = 65536;

const AT = InotifyEvent.at, HEADER = InotifyEvent.size;
/** Scratch for one event: the header and a padded name of at most 255 bytes. */
const buffer = new Uint8Array(HEADER + 256);
const view = new DataView(buffer.buffer);

export class Event {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  /** Null for an event without a name. */
  readonly name: string | null;

  constructor(wd: number, mask: number, cookie: number, name: string | null) {
    this.wd = wd;
    this.mask = mask;
    this.cookie = cookie;
    this.name = name;
  }

  /**
   * The bytes of the event in a read: the name has at least one NUL and is padded to whole headers.
   */
  get size(): number {
    return HEADER + this.padded;
  }
  get padded(): number {
    return this.name === null ? 0 : Math.ceil((this.name.length + 1) / HEADER) * HEADER;
  }

  isSame(e: Event): boolean {
    return this.wd === e.wd && this.mask === e.mask && this.cookie === e.cookie &&
      this.name === e.name;
  }
}

export class InotifyWatch extends Watch {
  readonly file: InotifyFile;
  readonly wd: number;

  /** `mask` has events, IN_EXCL_UNLINK and IN_ONESHOT. */
  constructor(account: Account, file: InotifyFile, wd: number, inode: Inode, mask: number) {
    super(account, inode, mask);
    this.file = file;
    this.wd = wd;
  }

  override onEvent(mask: number, cookie: number, name: string | null): void {
    this.file.push(new Event(this.wd, mask, cookie, name));
    if ((this.mask & IN_ONESHOT) !== 0) this.end();
  }
  override end(): void {
    this.file.end(this);
  }
}

export class InotifyFile extends AnonFile {
  private events: Event[] = [];
  private bytes: number = 0;
  private readonly watches: Map<number, InotifyWatch> = new Map();
  private lastWd: number = 0;
  private readonly queue: WaitQueue = new WaitQueue();
  private readonly deferred: DeferredWork;
  /** The last descriptor is closed; watches may still be ending in slices. */
  private isClosed: boolean = false;

  /** `flags`: O_NONBLOCK or 0. */
  constructor(account: Account, anon: AnonFiles, flags: number, deferred: DeferredWork) {
    super(account, anon, O_RDONLY | flags);
    this.deferred = deferred;
  }

  override get canSignal(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.queue;
  }

  /** inotify_add_watch(2): the watch descriptor, -EEXIST (IN_MASK_CREATE), -ENOSPC. */
  watch(inode: Inode, mask: number): number {
    const kept = (mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)) | IN_UNMOUNT;
    const old = [...watchesOf(inode)].find((w) => w instanceof InotifyWatch && w.file === this);
    if (old instanceof InotifyWatch) {
      if ((mask & IN_MASK_CREATE) !== 0) return -EEXIST;
      old.mask = (mask & IN_MASK_ADD) !== 0 ? old.mask | kept : kept;
      return old.wd;
    }
    if (this.watches.size >= MAX_WATCHES || !INODE_WATCHES.hasRoom(1, this.account)) return -ENOSPC;
    const watch = new InotifyWatch(this.account, this, ++this.lastWd, inode, kept);
    this.watches.set(watch.wd, watch);
    watch.attach();
    return watch.wd;
  }

  /** inotify_rm_watch(2). */
  unwatch(wd: number): number {
    const watch = this.watches.get(wd);
    if (watch === undefined) return -EINVAL;
    this.end(watch);
    return 0;
  }

  /** Ends a watch; IN_IGNORED is its last event. */
  end(watch: InotifyWatch): void {
    if (!this.watches.delete(watch.wd)) return;
    watch.detach();
    this.push(new Event(watch.wd, IN_IGNORED, 0, null));
  }

  push(event: Event): void {
    if (this.isClosed) return;
    const last = this.events.at(-1);
    if (last !== undefined && last.isSame(event)) return;
    if (this.events.length >= MAX_EVENTS || !INOTIFY_EVENTS.hasRoom(1, this.account)) {
      if (last !== undefined && last.mask === IN_Q_OVERFLOW) return;
      event = new Event(-1, IN_Q_OVERFLOW, 0, null);
    }
    this.events.push(event);
    INOTIFY_EVENTS.add(1, this.account);
    this.bytes += event.size;
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Reads whole events: -EINVAL when the first does not fit. */
  override read(io: IoCursor, _offset: number): number {
    if (this.events.length === 0) return -EAGAIN;
    let done = 0, count = 0;
    for (const event of this.events) {
      if (event.size > io.remaining) break;
      const n = io.putBytes(buffer, 0, fill(event));
      if (n < 0 && done === 0) return n;
      if (n < event.size) break;
      done += n;
      count++;
    }
    this.events = this.events.slice(count);
    INOTIFY_EVENTS.give(count, this.account);
    this.bytes -= done;
    return done > 0 ? done : -EINVAL;
  }

  override poll(): number {
    return this.events.length > 0 ? POLLIN | POLLRDNORM : 0;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request === FIONREAD) return user.store32(arg, this.bytes);
    return super.ioctl(request, arg, user);
  }

  /** The file has no position; lseek(2) succeeds. */
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:inotify";
  }

  /** One line for each watch, the newest first. */
  override fdinfo(): string {
    let text = "";
    for (const { wd, inode, mask } of [...this.watches.values()].reverse()) {
      text += `inotify wd:${wd.toString(16)} ino:${inode.ino.toString(16)} ` +
        `sdev:${inode.dev.toString(16)} mask:${(mask & IN_ALL_EVENTS).toString(16)} ` +
        `ignored_mask:0 \n`;
    }
    return text;
  }

  protected override release(): void {
    this.isClosed = true;
    this.deferred.begin(new WatchesEnd(this));
    INOTIFY_EVENTS.give(this.events.length, this.account);
    this.events = [];
  }

  /** Ends a slice of all watches; those whose inodes are deleted meanwhile end by themselves. */
  endWatches(units: number): number {
    for (const watch of this.watches.values()) {
      if (units-- <= 0) return 0;
      this.watches.delete(watch.wd);
      watch.detach();
    }
    return units;
  }
}

export class WatchesEnd implements WorkItem {
  private readonly file: InotifyFile;

  constructor(file: InotifyFile) {
    this.file = file;
  }
  step(units: number): number {
    return this.file.endWatches(units);
  }
}

/** Writes an event to `buffer`; returns its size. */
function fill(event: Event): number {
  buffer.fill(0, 0, event.size);
  view.setInt32(AT.wd, event.wd, true);
  view.setUint32(
    AT.mask,
    event.mask & (IN_ALL_EVENTS | IN_ISDIR | IN_IGNORED | IN_Q_OVERFLOW),
    true,
  );
  view.setUint32(AT.cookie, event.cookie, true);
  view.setUint32(AT.len, event.padded, true);
  const { name } = event;
  if (name !== null) {
    for (let i = 0; i < name.length; i++) buffer[HEADER + i] = name.charCodeAt(i);
  }
  return event.size;
}
