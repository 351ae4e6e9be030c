/**
 * Descriptors in queued messages (SCM_RIGHTS of unix(7)). They are counted, because they hold files
 * outside of any descriptor table, and messages that can never be received are collected: those in
 * sockets that only such messages refer to.
 */

import type { Account } from "../core/account.ts";
import { type DeferredWork, type WorkItem, WorkList } from "../core/deferred_work.ts";
import { RIGHTS_IN_FLIGHT } from "../core/quota.ts";
import type { Message } from "./message.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/**
 * With up to this many waiting messages each close starts a search; with more, more closes do, so
 * that closing stays cheap.
 */
const CLOSES_A_LOOK = 64;

/** Units of a work item for dropping a descriptor, and for a message. */
const DROP_UNITS = 4, MESSAGE_UNITS = 16;

/** Whether the caller may send `count` more descriptors. */
export function maySendRights(count: number, account: Account): boolean {
  return RIGHTS_IN_FLIGHT.hasRoom(count, account);
}

/** The descriptors of one queued message. */
export class RightsInFlight {
  /** The account of the sender, which the descriptors are charged to. */
  private readonly account: Account;
  readonly files: readonly OpenFile[];
  /** The socket in whose queue the message waits. */
  readonly owner: OpenFile;
  readonly all: AllRights;

  constructor(account: Account, all: AllRights, files: readonly OpenFile[], owner: OpenFile) {
    this.account = account;
    this.all = all;
    this.files = files;
    this.owner = owner;
    RIGHTS_IN_FLIGHT.add(files.length, this.account);
  }

  /** The message is delivered: the caller owns the references. */
  take(): readonly OpenFile[] {
    if (!this.all.end(this)) return [];
    RIGHTS_IN_FLIGHT.give(this.files.length, this.account);
    return this.files;
  }
  /** MSG_PEEK: new references to the same files. */
  copy(): readonly OpenFile[] {
    return this.files.map((file) => file.hold());
  }
  /** Drops a message that will not be delivered. */
  drop(): void {
    this.all.drop(this.take());
  }
}

/** Drops the messages of a queue that ends; null stands for a message without descriptors. */
export function dropMessages(messages: readonly (RightsInFlight | null)[]): void {
  const dropped = messages.filter((one) => one !== null);
  dropped[0]?.all.dropMessages(dropped);
}

/** The descriptors in queued messages of one kernel. */
export class AllRights {
  /** Queued messages with descriptors, by the sockets of their queues. */
  private readonly queues: Map<OpenFile, Set<RightsInFlight>> = new Map();
  private waiting: number = 0;
  /** Number of references to each file in queued messages. */
  private readonly counts: Map<OpenFile, number> = new Map();
  /** The message that was sent last, while it is queued. */
  private last: RightsInFlight | null = null;
  private readonly deferred: DeferredWork;
  /** The work item that drops lost messages; null: none runs. */
  private collection: Collection | null = null;
  /** Sockets closed since the last search. */
  private closed: number = 0;
  private readonly dropping: Dropping = new Dropping();

  constructor(deferred: DeferredWork) {
    this.deferred = deferred;
  }

  /** Queues a message in `owner`. It takes over the references; null: there are none. */
  send({ rights: files, caller }: Message, owner: OpenFile): RightsInFlight | null {
    if (files === null || caller === null) return null;
    const rights = new RightsInFlight(caller.account, this, files, owner);
    const queue = this.queues.get(owner);
    if (queue === undefined) this.queues.set(owner, new Set([rights]));
    else queue.add(rights);
    this.waiting++;
    for (const file of files) this.counts.set(file, (this.counts.get(file) ?? 0) + 1);
    this.last = rights;
    return rights;
  }

  /** A message left its queue; false: it was in no queue. */
  end(rights: RightsInFlight): boolean {
    if (this.last === rights) this.last = null;
    const { queues, counts } = this, queue = queues.get(rights.owner);
    if (queue?.delete(rights) !== true) return false;
    if (queue.size === 0) queues.delete(rights.owner);
    this.waiting--;
    for (const file of rights.files) {
      const left = counts.get(file)! - 1;
      if (left > 0) counts.set(file, left);
      else counts.delete(file);
    }
    return true;
  }

  /** True if the message that was sent last has these descriptors. */
  areUnderWay(files: readonly OpenFile[]): boolean {
    return this.last?.files === files;
  }

  /** Drops references, as many as one turn may; the work item drops the rest. */
  drop(files: readonly OpenFile[]): void {
    if (this.dropping.add(files)) this.deferred.begin(this.dropping);
  }

  /** Drops messages whose socket is closed, as many as one turn may. */
  dropMessages(messages: readonly RightsInFlight[]): void {
    this.deferred.begin(new Drops(messages));
  }

  /**
   * Drops messages in sockets that only messages refer to, if those messages wait in such sockets
   * too: they can never be received. Called when a socket was closed that could have been the last
   * way to them.
   */
  collect(): void {
    const { queues } = this;
    if (this.waiting === 0 || this.collection?.isUnderWay === true) return;
    if (++this.closed < this.waiting / CLOSES_A_LOOK) return;
    this.closed = 0;
    const lost = lostOwners(queues, this.counts);
    if (lost.size === 0) return;
    this.collection = new Collection([...lost].flatMap((owner) => [...queues.get(owner) ?? []]));
    this.deferred.begin(this.collection);
  }
}

/**
 * The item that drops references. A socket may hold a message with a socket that holds a message,
 * and so on; the chain may be longer than the stack is deep, so it is followed by a list, over
 * several turns.
 */
export class Dropping implements WorkItem {
  private readonly files: OpenFile[] = [];
  private isUnderWay: boolean = false;

  /** Adds references; true: the work item has to be started. */
  add(files: readonly OpenFile[]): boolean {
    for (const file of files) this.files.push(file);
    const mustBegin = !this.isUnderWay && this.files.length > 0;
    if (mustBegin) this.isUnderWay = true;
    return mustBegin;
  }

  step(units: number): number {
    const { files } = this;
    let hasMore = false;
    try {
      for (; units > 0 && files.length > 0; units -= DROP_UNITS) files.pop()?.drop();
      hasMore = files.length > 0;
    } finally {
      // A work item that throws is not run again: the next references start it.
      this.isUnderWay = hasMore;
    }
    return hasMore ? 0 : Math.max(units, 1);
  }
}

/** The work item that drops messages. */
export class Drops extends WorkList<RightsInFlight> {
  constructor(messages: readonly RightsInFlight[]) {
    super(messages, MESSAGE_UNITS);
  }

  protected override each(message: RightsInFlight): void {
    message.drop();
  }
}

/** The work item that drops lost messages; meanwhile no other ones are looked for. */
export class Collection extends Drops {
  isUnderWay: boolean = true;

  override step(units: number): number {
    let left = 1;
    try {
      left = super.step(units);
    } finally {
      this.isUnderWay = left <= 0;
    }
    return left;
  }
}

/** Messages that wait, by the socket in whose queue they wait. */
type Queues = ReadonlyMap<OpenFile, ReadonlySet<RightsInFlight>>;

/**
 * Owners of messages whose every reference is in a message of such an owner.
 *
 * @param counts how many references to each file are under way
 */
function lostOwners(queues: Queues, counts: ReadonlyMap<OpenFile, number>): Set<OpenFile> {
  const lost = new Set<OpenFile>();
  for (const owner of queues.keys()) if (owner.refs === counts.get(owner)) lost.add(owner);
  if (lost.size === 0) return lost;
  const within = new Map<OpenFile, number>(), reached: OpenFile[] = [];
  for (const owner of lost) {
    for (const { files } of queues.get(owner) ?? []) {
      for (const file of files) if (lost.has(file)) within.set(file, (within.get(file) ?? 0) + 1);
    }
  }
  for (const owner of lost) if (within.get(owner) !== counts.get(owner)) reached.push(owner);
  for (const owner of reached) lost.delete(owner);
  // What waits in a socket that can be reached can be reached itself.
  for (let owner = reached.pop(); owner !== undefined; owner = reached.pop()) {
    for (const { files } of queues.get(owner) ?? []) {
      for (const file of files) if (lost.delete(file)) reached.push(file);
    }
  }
  return lost;
}
