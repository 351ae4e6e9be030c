/**
 * Descriptors in queued messages (SCM_RIGHTS of unix(7)). They are counted, because they hold files
 * outside of any descriptor table, and messages that can never be received are collected: those in
 * sockets that only such messages refer to.
 */

import type { Account } from "../core/account.ts";
import { type DeferredWork, type Job, ListJob } from "../core/deferred_work.ts";
import { RIGHTS_IN_FLIGHT } from "../core/quota.ts";
import type { Message } from "./message.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/**
 * With up to this many waiting messages each close starts a search; with more, more closes do, so
 * that closing stays cheap.
 */
const CLOSES_A_LOOK = 64;

/** Units of a job for dropping a descriptor, and for a message. */
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
  private readonly all: AllRights;

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
  /** The message will not be delivered. */
  drop(): void {
    this.all.drop(this.take());
  }
}

/** The descriptors in queued messages of one kernel. */
export class AllRights {
  /** Queued messages with descriptors. */
  readonly waiting: Set<RightsInFlight> = new Set();
  /** The one that was sent last, while it waits. */
  private last: RightsInFlight | null = null;
  private readonly deferred: DeferredWork;
  /** The job that drops lost messages; null: none runs. */
  private collection: Collection | null = null;
  /** Sockets closed since the last search. */
  private closed: number = 0;
  private readonly dropping: Dropping = new Dropping();

  constructor(deferred: DeferredWork) {
    this.deferred = deferred;
  }

  /** Queue a message in `owner`. It takes over the references; null: there are none. */
  send({ rights: files, caller }: Message, owner: OpenFile): RightsInFlight | null {
    if (files === null || caller === null) return null;
    const rights = new RightsInFlight(caller.account, this, files, owner);
    this.waiting.add(rights);
    this.last = rights;
    return rights;
  }

  /** A message left its queue; false: it was in no queue. */
  end(rights: RightsInFlight): boolean {
    if (this.last === rights) this.last = null;
    return this.waiting.delete(rights);
  }

  /** True if the message that was sent last has these descriptors. */
  areUnderWay(files: readonly OpenFile[]): boolean {
    return this.last?.files === files;
  }

  /** Drop references, as many as one turn may; the job drops the rest. */
  drop(files: readonly OpenFile[]): void {
    if (this.dropping.add(files)) this.deferred.begin(this.dropping);
  }

  /**
   * Drop messages in sockets that only messages refer to, if those messages wait in such sockets
   * too: they can never be received. Called when a socket was closed that could have been the last
   * way to them.
   */
  collect(): void {
    const { waiting } = this;
    if (waiting.size === 0 || this.collection?.isUnderWay === true) return;
    if (++this.closed < waiting.size / CLOSES_A_LOOK) return;
    this.closed = 0;
    const lost = lostOwners(waiting);
    if (lost.size === 0) return;
    this.collection = new Collection([...waiting].filter(({ owner }) => lost.has(owner)));
    this.deferred.begin(this.collection);
  }
}

/**
 * The job that drops references. A socket may hold a message with a socket that holds a message,
 * and so on; the chain may be longer than the stack is deep, so it is followed by a list, over
 * several turns.
 */
class Dropping implements Job {
  private readonly files: OpenFile[] = [];
  private isUnderWay: boolean = false;

  /** Add references; true: the job has to be started. */
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
      // A job that throws is not run again: the next references start it.
      this.isUnderWay = hasMore;
    }
    return hasMore ? 0 : Math.max(units, 1);
  }
}

/** The job that drops lost messages; while it runs no other search starts. */
class Collection extends ListJob<RightsInFlight> {
  isUnderWay: boolean = true;

  constructor(messages: readonly RightsInFlight[]) {
    super(messages, MESSAGE_UNITS);
  }

  protected override each(message: RightsInFlight): void {
    message.drop();
  }

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

/** The owners of messages to which all references are in messages of such owners. */
function lostOwners(waiting: ReadonlySet<RightsInFlight>): Set<OpenFile> {
  const counts = new Map<OpenFile, number>();
  for (const { files } of waiting) {
    for (const file of files) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  const lost = new Set<OpenFile>();
  for (const [file, count] of counts) if (file.refs === count) lost.add(file);
  return withoutReachable(waiting, lost);
}

/**
 * Remove the sockets that can be reached, and those in messages that wait in them. Each message is
 * looked at once.
 */
function withoutReachable(
  waiting: ReadonlySet<RightsInFlight>,
  lost: Set<OpenFile>,
): Set<OpenFile> {
  const within = new Map<OpenFile, RightsInFlight[]>(), reached: RightsInFlight[] = [];
  for (const message of waiting) {
    if (!lost.has(message.owner)) {
      reached.push(message);
      continue;
    }
    const others = within.get(message.owner);
    if (others === undefined) within.set(message.owner, [message]);
    else others.push(message);
  }
  for (let message = reached.pop(); message !== undefined; message = reached.pop()) {
    for (const file of message.files) {
      if (lost.delete(file)) { for (const next of within.get(file) ?? []) reached.push(next); }
    }
  }
  return lost;
}
