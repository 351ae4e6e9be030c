/**
 * epoll(7): an interest list of items, each a waiter on its file's queue, and the list of items
 * that may be ready. A wake-up puts an item on the ready list. epoll_wait(2) polls the file of each
 * ready item again, and drops an item whose file is not ready any more.
 *
 * Items do not hold their files: when the last descriptor of a file is closed, its items are
 * removed. Neighbours: epoll_item.ts, epoll_paths.ts (sets that watch each other), calls/.
 */

import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM } from "../../ffi/abi/poll.ts";
import type { Account } from "../core/account.ts";
import { EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from "../../ffi/abi/errno.ts";
import {
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLONESHOT,
  EpollParams,
  EPOLLWAKEUP,
} from "../../ffi/abi/epoll.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import type { DeferredWork, WorkItem } from "../core/deferred_work.ts";
import { EPOLL_ITEMS } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { AnonFile, type AnonFiles } from "../fs/anonfd/anon_inode.ts";
import { EpollItem } from "./epoll_item.ts";
import { filesBelowHaveFewPaths, hasFewPaths, isWatched, mayBeWatchedBy } from "./epoll_paths.ts";

/** Bits of `events` that are not events. */
const PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
/** Events that are always reported. */
const ALWAYS = POLLERR | POLLHUP;
/** The bits that may be combined with EPOLLEXCLUSIVE. */
const EXCLUSIVE_OK = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

export class EpollFile extends AnonFile {
  private readonly queue: WaitQueue = new WaitQueue();
  /**
   * The items by file; items of one file under several descriptors are linked through `sameFile`.
   */
  private readonly items: Map<OpenFile, EpollItem> = new Map();
  /**
   * The items by file and descriptor, for files with more than one: there may be 10^6 of one file.
   */
  private readonly byFd: Map<OpenFile, Map<number, EpollItem>> = new Map();
  /** The number of items whose file is a set. */
  private setsWatched: number = 0;
  private firstReady: EpollItem | null = null;
  private lastReady: EpollItem | null = null;
  /** struct epoll_params. DIFFERS: kept, and no link here is polled. */
  readonly busyPoll: Uint8Array<ArrayBuffer> = new Uint8Array(EpollParams.size);

  /** The work that removes many items in slices. */
  readonly deferred: DeferredWork;

  constructor(account: Account, anon: AnonFiles, deferred: DeferredWork) {
    super(account, anon, O_RDWR);
    this.deferred = deferred;
  }

  override get waitQueue(): WaitQueue {
    return this.queue;
  }

  /** EPOLL_CTL_ADD. `dataLo` and `dataHi` are the caller's 64 bits of data. */
  add(file: OpenFile, fd: number, events: number, dataLo: number, dataHi: number): number {
    const r = this.checkTarget(file, events);
    if (r < 0) return r;
    if (this.find(file, fd) !== null) return -EEXIST;
    if (file instanceof EpollFile && !mayBeWatchedBy(file, this)) return -ELOOP;
    const queue = file.waitQueue;
    if (queue === null) return -EPERM;
    if (!EPOLL_ITEMS.hasRoom(1, this.account)) return -ENOSPC;
    EPOLL_ITEMS.add(1, this.account);
    const item = new EpollItem(this, file, fd, (events | ALWAYS) >>> 0, dataLo, dataHi);
    this.addItem(item);
    file.addWatcher(item);
    const isFew = file instanceof EpollFile
      ? filesBelowHaveFewPaths(file)
      : !isWatched(this) || hasFewPaths(file);
    if (!isFew) {
      this.dropItem(item);
      return -EINVAL;
    }
    item.exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    // Linux's order: the item that was added last is ready first.
    if (item.exclusive) queue.add(item, 0);
    else queue.addFirst(item, 0);
    this.queueIfReady(item);
    return 0;
  }

  /** EPOLL_CTL_MOD. */
  modify(file: OpenFile, fd: number, events: number, dataLo: number, dataHi: number): number {
    const r = this.checkTarget(file, events);
    if (r < 0) return r;
    if ((events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    const item = this.find(file, fd);
    if (item === null) return -ENOENT;
    if ((item.events & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    item.events = (events | ALWAYS) >>> 0;
    item.dataLo = dataLo;
    item.dataHi = dataHi;
    this.queueIfReady(item);
    return 0;
  }

  /** EPOLL_CTL_DEL. */
  delete(file: OpenFile, fd: number): number {
    if (file === this) return -EINVAL;
    if (file.waitQueue === null) return -EPERM;
    const item = this.find(file, fd);
    if (item === null) return -ENOENT;
    this.dropItem(item);
    return 0;
  }

  private checkTarget(file: OpenFile, events: number): number {
    if (file.waitQueue === null) return -EPERM;
    if (file === this) return -EINVAL;
    if ((events & EPOLLEXCLUSIVE) === 0) return 0;
    return file instanceof EpollFile || (events & ~EXCLUSIVE_OK) !== 0 ? -EINVAL : 0;
  }

  /** The file that was added with this descriptor number, after `skip` others; null: none. */
  targetOf(fd: number, skip: number): OpenFile | null {
    let left = skip;
    for (const item of this.items.values()) {
      for (let at: EpollItem | null = item; at !== null; at = at.sameFile) {
        if (at.fd === fd && left-- === 0) return at.file;
      }
    }
    return null;
  }

  private find(file: OpenFile, fd: number): EpollItem | null {
    const first = this.items.get(file) ?? null;
    if (first === null || first.fd === fd) return first;
    return this.byFd.get(file)?.get(fd) ?? null;
  }

  private addItem(item: EpollItem): void {
    const { file } = item, other = this.items.get(file) ?? null;
    this.items.set(file, item);
    if (file instanceof EpollFile) this.setsWatched++;
    if (other === null) return;
    item.sameFile = other;
    other.sameFileBefore = item;
    let fds = this.byFd.get(file);
    if (fds === undefined) this.byFd.set(file, fds = new Map([[other.fd, other]]));
    fds.set(item.fd, item);
  }

  private removeItem(item: EpollItem): void {
    const { file, sameFile, sameFileBefore } = item;
    if (file instanceof EpollFile) this.setsWatched--;
    if (sameFile !== null) sameFile.sameFileBefore = sameFileBefore;
    if (sameFileBefore !== null) sameFileBefore.sameFile = sameFile;
    else if (sameFile !== null) this.items.set(file, sameFile);
    else this.items.delete(file);
    const fds = this.byFd.get(file);
    if (fds === undefined) return;
    fds.delete(item.fd);
    if (fds.size === 0) this.byFd.delete(file);
  }

  /** Puts a new or changed item on the ready list if its file is ready. */
  private queueIfReady(item: EpollItem): void {
    if (item.readyBits() === 0) return;
    this.pushReady(item);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** A file reported an event that the item wants. HOT */
  onItemWake(item: EpollItem): void {
    item.declined = this.queue.isEmpty;
    this.pushReady(item);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Adds the sets that this one watches. */
  addWatchedTo(sets: Set<EpollFile>): void {
    if (this.setsWatched === 0) return;
    for (const file of this.items.keys()) if (file instanceof EpollFile) sets.add(file);
  }

  /** Whether the test holds for each watched file that is no set. */
  everyFile(test: (file: OpenFile) => boolean): boolean {
    for (const file of this.items.keys()) {
      if (!(file instanceof EpollFile) && !test(file)) return false;
    }
    return true;
  }

  override ioctl(_request: number, _arg: number, _user: UserMemory): number {
    return -EINVAL;
  }

  /** Whether an item is ready. Items that are not ready any more leave the list. */
  override poll(): number {
    for (let item = this.firstReady; item !== null; item = this.firstReady) {
      if (item.readyBits() !== 0) return POLLIN | POLLRDNORM;
      this.dropReady(item);
    }
    return 0;
  }

  /**
   * The last entry of the ready list: a scan that starts now ends there, because items may be put
   * back behind it.
   */
  get scanEnd(): EpollItem | null {
    return this.lastReady;
  }

  /** Takes the first item off the ready list, or returns null. HOT */
  shiftReady(): EpollItem | null {
    const item = this.firstReady;
    if (item !== null) this.dropReady(item);
    return item;
  }

  /**
   * Called after an item was reported: a level-triggered item goes back to the ready list, and
   * leaves it when its file is found not ready. HOT
   */
  reported(item: EpollItem): void {
    if ((item.events & EPOLLONESHOT) !== 0) item.events = (item.events & PRIVATE_BITS) >>> 0;
    else if ((item.events & EPOLLET) === 0) this.pushReady(item);
  }

  /** Puts an item that could not be reported back to the front. */
  unshiftReady(item: EpollItem): void {
    item.isReady = true;
    item.readyNext = this.firstReady;
    item.readyPrev = null;
    if (this.firstReady === null) this.lastReady = item;
    else this.firstReady.readyPrev = item;
    this.firstReady = item;
  }

  private pushReady(item: EpollItem): void {
    if (item.isReady) return;
    item.isReady = true;
    item.readyPrev = this.lastReady;
    item.readyNext = null;
    if (this.lastReady === null) this.firstReady = item;
    else this.lastReady.readyNext = item;
    this.lastReady = item;
  }

  private dropReady(item: EpollItem): void {
    if (!item.isReady) return;
    if (item.readyPrev === null) this.firstReady = item.readyNext;
    else item.readyPrev.readyNext = item.readyNext;
    if (item.readyNext === null) this.lastReady = item.readyPrev;
    else item.readyNext.readyPrev = item.readyPrev;
    item.readyPrev = item.readyNext = null;
    item.isReady = false;
  }

  /** Removes an item: its file is closed, or EPOLL_CTL_DEL was called. */
  dropItem(item: EpollItem): void {
    EPOLL_ITEMS.give(1, this.account);
    item.unlink();
    this.dropReady(item);
    item.leaveFile();
    this.removeItem(item);
  }

  protected override release(): void {
    this.deferred.begin(new ItemsEnd(this));
  }

  /**
   * Removes a slice of all items; those whose files are closed meanwhile are removed by themselves.
   */
  endItems(units: number): number {
    for (const file of this.items.keys()) {
      for (let item = this.items.get(file); item !== undefined; item = this.items.get(file)) {
        if (units-- <= 0) return 0;
        this.dropItem(item);
      }
    }
    return units;
  }

  /** The file has no position; lseek(2) succeeds. */
  override seek(): number {
    return 0;
  }
  override describe(): string {
    return "anon_inode:[eventpoll]";
  }

  override fdinfo(): string {
    let text = "";
    for (const first of this.items.values()) {
      for (let item: EpollItem | null = first; item !== null; item = item.sameFile) {
        text += item.describe();
      }
    }
    return text;
  }
}

export class ItemsEnd implements WorkItem {
  private readonly set: EpollFile;

  constructor(set: EpollFile) {
    this.set = set;
  }
  step(units: number): number {
    return this.set.endItems(units);
  }
}
