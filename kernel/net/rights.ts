/**
 * Descriptors that are under way in a message (SCM_RIGHTS, unix(7)): counted, as they use memory outside of any fd table,
 * and collected when nothing but such messages refers to each other any more.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import { type DeferredWork, type Job, ListJob } from "../core/deferred_work.ts";
import { RIGHTS_IN_FLIGHT } from "../core/quota.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** Messages that wait with descriptors. */
const waiting: Set<RightsInFlight> = new Set();
let isCollecting = false;
/** With this many waiting messages a look is worth one close; with more it takes more, so that closing stays cheap. */
const CLOSES_A_LOOK = 64;
/** Sockets closed since the last look. */
let closed = 0;

/** What it takes to give a descriptor up, and a message, in units of a job. */
const DROP_UNITS = 4, MESSAGE_UNITS = 16;

/** A socket, in whose queue messages wait. */
export interface RightsOwner extends OpenFile {
  readonly net: { readonly deferred: DeferredWork };
}

/** Whether the caller may send `count` more. */
export function maySendRights(count: number): boolean {
  return RIGHTS_IN_FLIGHT.hasRoom(count);
}

export class RightsInFlight {
  /** What its descriptors are charged to: the sender. */
  private readonly account: Account = ACCOUNTING.current;
  readonly files: readonly OpenFile[];
  /** The socket in whose queue the message waits. */
  readonly owner: RightsOwner;

  /** Takes over the references. */
  constructor(files: readonly OpenFile[], owner: RightsOwner) {
    this.files = files;
    this.owner = owner;
    RIGHTS_IN_FLIGHT.add(files.length, this.account);
    waiting.add(this);
  }

  /** Delivered: the references are the caller's. */
  take(): readonly OpenFile[] {
    if (!waiting.delete(this)) return [];
    RIGHTS_IN_FLIGHT.give(this.files.length, this.account);
    return this.files;
  }
  /** MSG_PEEK: more references to the same files. */
  copy(): readonly OpenFile[] {
    return this.files.map((file) => file.hold());
  }
  /** Never to be delivered. */
  drop(): void {
    for (const file of this.take()) dropped.push(file);
    if (isDropping) return;
    isDropping = true;
    this.owner.net.deferred.begin(new Dropping());
  }
}

const dropped: OpenFile[] = [];
/** A job for them has begun. */
let isDropping = false;

/**
 * The job that gives references up. A socket may hold a message with a socket that holds a message, and so on: one
 * after the other, as that chain is longer than the stack is deep, and than a turn.
 */
class Dropping implements Job {
  step(units: number): number {
    for (; units > 0 && dropped.length > 0; units -= DROP_UNITS) dropped.pop()?.drop();
    isDropping = dropped.length > 0;
    return isDropping ? 0 : Math.max(units, 1);
  }
}

/** The same for a message that may have none. */
export function inFlightOf(
  files: readonly OpenFile[] | null,
  owner: RightsOwner,
): RightsInFlight | null {
  return files === null ? null : new RightsInFlight(files, owner);
}

/**
 * Drop the messages that wait in sockets which only messages refer to, and those only each other: nobody can ever
 * receive them. Called when a socket that could have been the last way to them was closed.
 */
export function collectRights(deferred: DeferredWork): void {
  if (waiting.size === 0 || isCollecting) return;
  if (++closed < waiting.size / CLOSES_A_LOOK) return;
  closed = 0;
  const lost = lostOwners();
  if (lost.size === 0) return;
  isCollecting = true;
  deferred.begin(new Collection([...waiting].filter(({ owner }) => lost.has(owner))));
}

/** The job that drops messages; meanwhile no other ones are looked for. */
class Collection extends ListJob<RightsInFlight> {
  constructor(messages: readonly RightsInFlight[]) {
    super(messages, MESSAGE_UNITS);
  }
  protected override each(message: RightsInFlight): void {
    message.drop();
  }
  override step(units: number): number {
    const left = super.step(units);
    isCollecting = left <= 0;
    return left;
  }
}

/** Owners of messages whose every reference is in a message of such an owner. */
function lostOwners(): Set<OpenFile> {
  const counts = new Map<OpenFile, number>();
  for (const { files } of waiting) {
    for (const file of files) counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  const lost = new Set<OpenFile>();
  for (const [file, count] of counts) if (file.refs === count) lost.add(file);
  return withoutReachable(lost);
}

/** What waits in a socket that can be reached can be reached itself. Each message is looked at once. */
function withoutReachable(lost: Set<OpenFile>): Set<OpenFile> {
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
