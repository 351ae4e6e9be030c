/**
 * Contexts of asynchronous I/O (io_setup(2)): events that a process has not fetched yet, and polls that have not come
 * true. Reads, writes and syncs are over when io_submit(2) returns, as those of most files are on Linux.
 *
 * Neighbour: syscalls/io/aio.ts (the calls).
 */

import { AIO_REQUESTS } from "../core/quota.ts";
import { Waiter, WaitQueue } from "../core/wait.ts";
import type { EventFile } from "../fs/anonfd/eventfd.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** struct io_event. `data` and `obj` are 64-bit values of the caller, as two words. */
export class AioEvent {
  dataLo: number = 0;
  dataHi: number = 0;
  /** Address of the iocb. */
  obj: number = 0;
  result: number = 0;
  /** Counts the event when it is there; held. */
  eventFile: EventFile | null = null;
}

export class AioContext {
  /** The caller's name for it: an address at which it has a page. */
  readonly id: number;
  readonly bytes: number;
  /** Requests that it takes, those whose events were not fetched among them. */
  readonly capacity: number;
  /** What it was made for, of AIO_REQUESTS. */
  private readonly wanted: number;
  /** Woken by events, and by its end. */
  readonly waitQueue: WaitQueue = new WaitQueue();
  isDestroyed: boolean = false;
  private readonly events: AioEvent[] = [];
  private readonly polls: Set<AioPoll> = new Set();

  /** The caller has taken `wanted` of AIO_REQUESTS. */
  constructor(id: number, bytes: number, capacity: number, wanted: number) {
    this.id = id;
    this.bytes = bytes;
    this.capacity = capacity;
    this.wanted = wanted;
  }

  get hasRoom(): boolean {
    return this.events.length + this.polls.size < this.capacity;
  }

  complete(event: AioEvent): void {
    this.events.push(event);
    if (event.eventFile !== null) {
      event.eventFile.signal();
      event.eventFile.drop();
      event.eventFile = null;
    }
    this.waitQueue.wake(0);
  }

  /** The oldest event, or null. */
  next(): AioEvent | null {
    return this.events.shift() ?? null;
  }
  /** An event could not be handed out: it is the oldest again. */
  putBack(event: AioEvent): void {
    this.events.unshift(event);
  }

  /** Wait for a file (IOCB_CMD_POLL); the event comes when one of `mask` holds. */
  poll(file: OpenFile, mask: number, event: AioEvent): void {
    const bits = file.poll() & mask, queue = file.waitQueue;
    if (bits !== 0 || queue === null) {
      event.result = bits;
      this.complete(event);
      return;
    }
    const poll = new AioPoll(this, file.hold(), mask, event);
    this.polls.add(poll);
    queue.add(poll, 0);
  }

  /** io_cancel(2): a poll with this iocb comes with what holds now. False: there is none. */
  cancel(obj: number): boolean {
    for (const poll of this.polls) {
      if (poll.event.obj !== obj) continue;
      this.end(poll, 0);
      return true;
    }
    return false;
  }

  /** `poll` is over. */
  end(poll: AioPoll, bits: number): void {
    poll.unlink();
    this.polls.delete(poll);
    poll.event.result = bits;
    this.complete(poll.event);
    poll.file.drop();
  }

  destroy(): void {
    this.isDestroyed = true;
    AIO_REQUESTS.used -= this.wanted;
    for (const poll of this.polls) {
      poll.unlink();
      poll.event.eventFile?.drop();
      poll.file.drop();
    }
    this.polls.clear();
    this.events.length = 0;
    this.waitQueue.wake(0);
  }
}

class AioPoll extends Waiter {
  readonly context: AioContext;
  readonly file: OpenFile;
  readonly event: AioEvent;
  private readonly wanted: number;

  constructor(context: AioContext, file: OpenFile, wanted: number, event: AioEvent) {
    super();
    this.context = context;
    this.file = file;
    this.wanted = wanted;
    this.event = event;
  }

  override onWake(_events: number): void {
    const bits = this.file.poll() & this.wanted;
    if (bits !== 0) this.context.end(this, bits);
  }
}

/** All contexts of a process. */
export class AioContexts {
  readonly byId: Map<number, AioContext> = new Map();

  destroy(): void {
    for (const context of this.byId.values()) context.destroy();
    this.byId.clear();
  }
}
