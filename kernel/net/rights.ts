/**
 * Descriptors that are under way in a message (SCM_RIGHTS, unix(7)): counted, as they use memory outside of any fd table,
 * and collected when nothing but such messages refers to each other any more.
 */

import { type Account, ACCOUNTING } from "../core/account.ts";
import { RIGHTS_IN_FLIGHT } from "../core/quota.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** Messages that wait with descriptors. */
const waiting: Set<RightsInFlight> = new Set();
let isCollecting = false;
/** With this many waiting messages a look is worth one close; with more it takes more, so that closing stays cheap. */
const CLOSES_A_LOOK = 64;
/** Sockets closed since the last look. */
let closed = 0;

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

  /** Takes over the references. */
  constructor(files: readonly OpenFile[], owner: OpenFile) {
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
    dropUndelivered(this.take());
  }
}

const dropped: OpenFile[] = [];
let isDropping = false;

/**
 * Gives references up. A socket may hold a message with a socket that holds a message, and so on: one after the other,
 * as that chain is longer than the stack is deep.
 */
export function dropUndelivered(files: readonly OpenFile[]): void {
  for (const file of files) dropped.push(file);
  if (isDropping) return;
  isDropping = true;
  for (let file = dropped.pop(); file !== undefined; file = dropped.pop()) file.drop();
  isDropping = false;
}

/** The same for a message that may have none. */
export function inFlightOf(
  files: readonly OpenFile[] | null,
  owner: OpenFile,
): RightsInFlight | null {
  return files === null ? null : new RightsInFlight(files, owner);
}

/**
 * Drop the messages that wait in sockets which only messages refer to, and those only each other: nobody can ever
 * receive them. Called when a socket that could have been the last way to them was closed.
 */
export function collectRights(): void {
  if (waiting.size === 0 || isCollecting) return;
  if (++closed < waiting.size / CLOSES_A_LOOK) return;
  closed = 0;
  const lost = lostOwners();
  if (lost.size === 0) return;
  isCollecting = true;
  for (const message of [...waiting]) if (lost.has(message.owner)) message.drop();
  isCollecting = false;
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
