/**
 * Contexts of asynchronous I/O (io_setup(2)): events that the process has not fetched, and pending
 * polls. Reads, writes and syncs are complete when io_submit(2) returns, as those of most files are
 * on Linux.
 *
 * Neighbours: aio_ring.ts (stores events), aio/calls/aio.ts (the calls).
 */

import type { Account } from "../core/account.ts";
import { AIO_REQUESTS } from "../core/quota.ts";
import { Waiter, WaitQueue } from "../core/wait.ts";
import type { EventFile } from "../fs/anonfd/eventfd.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { AioRing } from "./aio_ring.ts";

/** struct io_event. `data` and `obj` are 64-bit values of the caller, as two words. */
export class AioEvent {
  dataLo: number = 0;
  dataHi: number = 0;
  /** Address of the iocb. */
  obj: number = 0;
  result: number = 0;
  /** The eventfd to signal with the event; the event holds a reference. */
  eventFile: EventFile | null = null;
}

export class AioContext {
  /** The account that the context is charged to. */
  readonly account: Account;
  /** The id that the caller uses: the address of its ring. */
  id: number;
  /** The ring, which the context and the memory that maps it hold. */
  readonly ring: AioRing;
  /** The number of requests that it reserved of AIO_REQUESTS. */
  private readonly wanted: number;
  /** Woken by events, and at the end of the context. */
  readonly waitQueue: WaitQueue = new WaitQueue();
  isDestroyed: boolean = false;
  private readonly polls: Set<AioPoll> = new Set();

  /** The caller has taken `wanted` of AIO_REQUESTS, and passes its reference to `ring`. */
  constructor(id: number, ring: AioRing, wanted: number, account: Account) {
    this.account = account;
    this.id = id;
    this.ring = ring;
    this.wanted = wanted;
  }

  /** Number of requests that it accepts, including those whose events were not fetched. */
  get capacity(): number {
    return this.ring.places - 1;
  }

  get hasRoom(): boolean {
    return this.ring.length + this.polls.size < this.capacity;
  }

  complete(event: AioEvent): void {
    // A program that moves the head back loses events, as on Linux.
    if (this.ring.length < this.capacity) {
      this.ring.push(event.dataLo, event.dataHi, event.obj, event.result);
    }
    if (event.eventFile !== null) {
      event.eventFile.signal();
      event.eventFile.drop();
      event.eventFile = null;
    }
    this.waitQueue.wake(0);
  }

  /** Waits for a file (IOCB_CMD_POLL); the event is stored when one of `mask` holds. */
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

  /** io_cancel(2): completes the poll with this iocb with what holds now. False: there is none. */
  cancel(obj: number): boolean {
    for (const poll of this.polls) {
      if (poll.event.obj !== obj) continue;
      this.end(poll, 0);
      return true;
    }
    return false;
  }

  /** Ends `poll`. */
  end(poll: AioPoll, bits: number): void {
    poll.unlink();
    this.polls.delete(poll);
    poll.event.result = bits;
    this.complete(poll.event);
    poll.file.drop();
  }

  destroy(): void {
    this.isDestroyed = true;
    AIO_REQUESTS.give(this.wanted, this.account);
    for (const poll of this.polls) {
      poll.unlink();
      poll.event.eventFile?.drop();
      poll.file.drop();
    }
    this.polls.clear();
    this.ring.drop();
    this.waitQueue.wake(0);
  }
}

export class AioPoll extends Waiter {
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

  /** mremap(2) moved the memory at `from`: the id of a context follows its ring. */
  moved(from: number, to: number): void {
    const context = this.byId.get(from);
    if (context === undefined || from === to) return;
    this.byId.delete(from);
    context.id = to;
    this.byId.set(to, context);
  }

  destroy(): void {
    for (const context of this.byId.values()) context.destroy();
    this.byId.clear();
  }
}
