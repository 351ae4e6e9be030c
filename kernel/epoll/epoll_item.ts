/** An entry of an epoll interest list (epoll_file.ts): a waiter on its file's queue. */

import type { DeferredWork } from "../core/deferred_work.ts";
import { Waiter } from "../core/wait.ts";
import type { FileWatcher, OpenFile } from "../vfs/open_file.ts";
import type { EpollFile } from "./epoll_file.ts";

/**
 * The bits of `events` that are events; the upper ones are EPOLLONESHOT, EPOLLET, EPOLLEXCLUSIVE
 * and EPOLLWAKEUP.
 */
const EVENT_BITS = 0x0fffffff;

export class EpollItem extends Waiter implements FileWatcher {
  readonly epoll: EpollFile;
  readonly file: OpenFile;
  readonly fd: number;
  /**
   * The requested events, the ones that are always reported, and EPOLLET and the like; an
   * EPOLLONESHOT item that has fired has only the latter.
   */
  events: number;
  dataLo: number;
  dataHi: number;
  /** The neighbours among the items of this set on the same file. */
  sameFileBefore: EpollItem | null = null;
  sameFile: EpollItem | null = null;
  /** Whether it is on the ready list, and its neighbours there. */
  isReady: boolean = false;
  readyPrev: EpollItem | null = null;
  readyNext: EpollItem | null = null;
  prevWatcher: FileWatcher | null = null;
  nextWatcher: FileWatcher | null = null;

  constructor(
    epoll: EpollFile,
    file: OpenFile,
    fd: number,
    events: number,
    dataLo: number,
    dataHi: number,
  ) {
    super();
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
    this.events = events;
    this.dataLo = dataLo;
    this.dataHi = dataHi;
  }

  get deferred(): DeferredWork {
    return this.epoll.deferred;
  }

  /** The wanted events that hold now; none for a file that is gone. HOT */
  readyBits(): number {
    const wanted = this.events & EVENT_BITS;
    return wanted === 0 || this.file.refs === 0 ? 0 : this.file.poll() & wanted;
  }

  /** HOT */
  override onWake(events: number): void {
    const wanted = this.events & EVENT_BITS;
    const concerns = wanted !== 0 && (events === 0 || (events & wanted) !== 0);
    if (concerns) this.epoll.onItemWake(this);
    else this.declined = true;
  }

  onFileGone(): void {
    this.epoll.dropItem(this);
  }

  /** Removes the item from the file's watchers. */
  leaveFile(): void {
    this.file.removeWatcher(this);
  }

  /** The item's line in /proc/PID/fdinfo. */
  describe(): string {
    const { file } = this;
    const data = this.dataHi.toString(16) + this.dataLo.toString(16).padStart(8, "0");
    const tfd = String(this.fd).padStart(8), events = this.events.toString(16).padStart(8);
    return `tfd: ${tfd} events: ${events} data: ${data.replace(/^0+(?=.)/, "").padStart(16)} ` +
      ` pos:${file.pos} ino:${file.inode.ino.toString(16)} sdev:${file.inode.dev.toString(16)}\n`;
  }
}
