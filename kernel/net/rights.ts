/**
 * Descriptors that are under way in a message (SCM_RIGHTS, unix(7)): counted, as they use memory
 * outside of any fd table, and collected when nothing but such messages refers to each other any
 * more.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import { type DeferredWork, type Job, ListJob } from "../core/deferred_work.ts";
import { RIGHTS_IN_FLIGHT } from "../core/quota.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/**
 * With this many waiting messages a look is worth one close; with more it takes more, so that
 * closing stays cheap.
 */
const CLOSES_A_LOOK = 64;

/** What it takes to give a descriptor up, and a message, in units of a job. */
const DROP_UNITS = 4, MESSAGE_UNITS = 16;

/** Whether the caller may send `count` more. */
export function maySendRights(count: number): boolean {
  return RIGHTS_IN_FLIGHT.hasRoom(count);
}

export class RightsInFlight {
  /** What its descriptors are charged to: the sender. */
  private readonly account: Account = ACCOUNTING.current;
  readonly files: readonly OpenFile[];
  /** The socket in whose queue the message waits. */
  readonly owner: OpenFile;
  private readonly all: AllRights;

  constructor(all: AllRights, files: readonly OpenFile[], owner: OpenFile) {
    this.all = all;
    this.files = files;
    this.owner = owner;
    RIGHTS_IN_FLIGHT.add(files.length, this.account);
  }

  /** Delivered: the references are the caller's. */
  take(): readonly OpenFile[] {
    if (!this.all.waiting.delete(this)) return [];
    RIGHTS_IN_FLIGHT.give(this.files.length, this.account);
    return this.files;
  }
  /** MSG_PEEK: more references to the same files. */
  copy(): readonly OpenFile[] {
    return this.files.map((file) => file.hold());
  }
  /** Never to be delivered. */
  drop(): void {
    this.all.drop(this.take());
  }
}

/** The descriptors under way in the sockets of one kernel. */
export class AllRights {
  /** Messages that wait with descriptors. */
  readonly waiting: Set<RightsInFlight> = new Set();
  private readonly deferred: DeferredWork;
  /** The job that drops lost messages; null: none is under way. */
  private collection: Collection | null = null;
  /** Sockets closed since the last look. */
  private closed: number = 0;
  private readonly dropping: Dropping = new Dropping();

  constructor(deferred: DeferredWork) {
    this.deferred = deferred;
  }

  /** A message waits in the queue of `owner`; takes over the references, if it has any. */
  send(files: readonly OpenFile[] | null, owner: OpenFile): RightsInFlight | null {
    if (files === null) return null;
    const rights = new RightsInFlight(this, files, owner);
    this.waiting.add(rights);
    return rights;
  }

  /** Gives references up, as many as a turn may; the loop gives up the rest. */
  drop(files: readonly OpenFile[]): void {
    if (this.dropping.add(files)) this.deferred.begin(this.dropping);
  }

  /**
   * Drop the messages that wait in sockets which only messages refer to, and those only each other:
   * they can never be received. Called when a socket that could have been the last way to them was
   * closed.
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
 * The job that gives references up. A socket may hold a message with a socket that holds a message,
 * and so on: one after the other, as that chain is longer than the stack is deep, and than a turn.
 */
class Dropping implements Job {
  private readonly files: OpenFile[] = [];
  private isUnderWay: boolean = false;

  /** More references; true: the job has to be begun. */
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
      // A job that throws is not run again: the next references begin it.
      this.isUnderWay = hasMore;
    }
    return hasMore ? 0 : Math.max(units, 1);
  }
}

/** The job that drops messages; meanwhile no other ones are looked for. */
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

/** Owners of messages whose every reference is in a message of such an owner. */
function lostOwners(waiting: ReadonlySet<RightsInFlight>): Set<OpenFile> {
  const counts = new Map<OpenFile, number>();
  for (const { files } of waiting) {
    for (const file of files) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  const lost = new Set<OpenFile>();
  for (const [file, count] of counts) if (file.refs === count) lost.add(file);
  return withoutReachable(waiting, lost);
}

/** What waits in a socket that can be reached can be reached itself. Each message is looked at once. */
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
