/** One entry of an epoll interest list: a waiter on its file's queue. */

import type { DeferredWork } from "../../core/deferred_work.ts";
import { Waiter } from "../../core/wait.ts";
import type { FileWatcher, OpenFile } from "../../vfs/open_file.ts";
import type { EpollFile } from "./epoll.ts";

/** EPOLLONESHOT, EPOLLET, EPOLLEXCLUSIVE, EPOLLWAKEUP: the upper bits are no events. */
const EVENT_BITS = 0x0fffffff;

export class EpollItem extends Waiter implements FileWatcher {
  readonly epoll: EpollFile;
  readonly file: OpenFile;
  readonly fd: number;
  /** Events asked for, with those that always are, and EPOLLET and the like; a spent EPOLLONESHOT has only those. */
  events: number;
  dataLo: number;
  dataHi: number;
  /** Other items of this set on the same file: the one before this, and the one behind. */
  sameFileBefore: EpollItem | null = null;
  sameFile: EpollItem | null = null;
  /** On the ready list, and its neighbours there. */
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

  /** Events that it asks for and that hold now; none of a file that is gone. HOT */
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
    this.epoll.forget(this);
  }

  /** Out of the file's list of watchers. */
  leaveFile(): void {
    this.file.removeWatcher(this);
  }

  /** A line of /proc/PID/fdinfo. */
  describe(): string {
    const { file } = this;
    const data = this.dataHi.toString(16) + this.dataLo.toString(16).padStart(8, "0");
    const tfd = String(this.fd).padStart(8), events = this.events.toString(16).padStart(8);
    return `tfd: ${tfd} events: ${events} data: ${data.replace(/^0+(?=.)/, "").padStart(16)} ` +
      ` pos:${file.pos} ino:${file.inode.ino.toString(16)} sdev:${file.inode.dev.toString(16)}\n`;
  }
}
