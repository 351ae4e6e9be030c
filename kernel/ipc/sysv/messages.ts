/**
 * System V message queues (msgget(2), msgop(2), msgctl(2)): lists of messages with types, from
 * which a reader selects one (ipc/msg.c of Linux).
 *
 * Neighbours: ipc_object.ts (keys, permission), ipc/calls/msg.ts (the calls, which wait).
 */

import { POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { CAP_SYS_RESOURCE } from "../../../ffi/abi/capability.ts";
import { EPERM } from "../../../ffi/abi/errno.ts";
import type { Account } from "../../core/account.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import { WaitQueue } from "../../core/wait.ts";
import { type Credentials, hasCap } from "../../cred/credentials.ts";
import type { IpcLimits } from "../ipc_limits.ts";
import { type IpcClock, type IpcMaker, IpcObject, type IpcOwner, IpcTable } from "./ipc_object.ts";

/** Bytes of the kernel's heap for a message, beside its text. */
const MESSAGE_BYTES = 350;

/** How a reader selects a message (convert_mode of ipc/msg.c). */
export const ANY = 0, EQUAL = 1, NOT_EQUAL = 2, LOWEST = 3, AT_NUMBER = 4;

/** A 64-bit message type above 0, exact: `hi` is the upper half. */
export interface MessageType {
  readonly lo: number;
  readonly hi: number;
}

/** A message with its type and text. */
export class IpcMessage {
  /** The sender's account. */
  readonly account: Account;
  readonly type: MessageType;
  readonly data: Uint8Array<ArrayBuffer>;

  constructor(account: Account, type: MessageType, data: Uint8Array<ArrayBuffer>) {
    this.account = account;
    this.type = type;
    this.data = data;
  }

  get charge(): number {
    return this.data.length + MESSAGE_BYTES;
  }
}

function isSame(a: MessageType, b: MessageType): boolean {
  return a.lo === b.lo && a.hi === b.hi;
}
function isLess(a: MessageType, b: MessageType): boolean {
  return a.hi < b.hi || (a.hi === b.hi && a.lo < b.lo);
}

/** One message queue. */
export class IpcMessageQueue extends IpcObject {
  /** The most bytes and the most messages of the queue. */
  maxBytes: number;
  /** Bytes of all messages. */
  bytes: number = 0;
  stimeSec: number = 0;
  rtimeSec: number = 0;
  lastSender: number = 0;
  lastReceiver: number = 0;
  /**
   * Woken with POLLIN for a message, with POLLOUT for room, with all bits after a change or
   * removal.
   */
  readonly waitQueue: WaitQueue = new WaitQueue();
  private readonly owner: IpcMessages;
  private readonly messages: IpcMessage[] = [];

  constructor(account: Account, owner: IpcMessages, key: number, flags: number, cred: Credentials) {
    super(account, key, flags, cred, owner.clock.nowSec());
    this.owner = owner;
    this.maxBytes = owner.limits.msgmnb;
  }

  get count(): number {
    return this.messages.length;
  }

  /** Whether a message of this many bytes has room. */
  fits(bytes: number): boolean {
    return bytes + this.bytes <= this.maxBytes && 1 + this.count <= this.maxBytes;
  }

  put(message: IpcMessage): void {
    this.messages.push(message);
    this.bytes += message.data.length;
    IPC_BYTES.add(message.charge, message.account);
    this.lastSender = this.owner.clock.currentPid();
    this.stimeSec = this.owner.clock.nowSec();
    this.waitQueue.wake(POLLIN);
  }

  /** The message that a reader selects, or null. */
  find(type: MessageType, mode: number): IpcMessage | null {
    switch (mode) {
      case ANY:
        return this.messages[0] ?? null;
      case EQUAL:
        return this.messages.find((m) => isSame(m.type, type)) ?? null;
      case NOT_EQUAL:
        return this.messages.find((m) => !isSame(m.type, type)) ?? null;
      case AT_NUMBER:
        return type.hi === 0 ? this.messages[type.lo] ?? null : null;
      default:
        return this.lowest(type);
    }
  }

  /** Takes `message` out. */
  take(message: IpcMessage): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    this.bytes -= message.data.length;
    IPC_BYTES.give(message.charge, message.account);
    this.lastReceiver = this.owner.clock.currentPid();
    this.rtimeSec = this.owner.clock.nowSec();
    this.waitQueue.wake(POLLOUT);
  }

  /** IPC_SET: 0, -EPERM, -EINVAL. Waiters check again. */
  change(owner: IpcOwner, maxBytes: number, cred: Credentials): number {
    if (maxBytes > this.owner.limits.msgmnb && !hasCap(cred, CAP_SYS_RESOURCE)) return -EPERM;
    const r = this.setOwner(owner, this.owner.clock.nowSec());
    if (r < 0) return r;
    this.maxBytes = maxBytes;
    this.waitQueue.wake(0);
    return 0;
  }

  release(): void {
    for (const message of this.messages) IPC_BYTES.give(message.charge, message.account);
    this.messages.length = 0;
    this.bytes = 0;
    this.waitQueue.wake(0);
  }

  /** The first message with the lowest type up to `type`. */
  private lowest(type: MessageType): IpcMessage | null {
    let best: IpcMessage | null = null;
    for (const m of this.messages) {
      if (isLess(type, m.type)) continue;
      if (best === null || isLess(m.type, best.type)) best = m;
    }
    return best;
  }
}

class QueueMaker implements IpcMaker<IpcMessageQueue> {
  private readonly owner: IpcMessages;
  private readonly cred: Credentials;
  private readonly account: Account;

  constructor(owner: IpcMessages, cred: Credentials, account: Account) {
    this.owner = owner;
    this.cred = cred;
    this.account = account;
  }

  check(_queue: IpcMessageQueue): number {
    return 0;
  }
  make(key: number, flags: number): IpcMessageQueue {
    return new IpcMessageQueue(this.account, this.owner, key, flags, this.cred);
  }
}

/** All message queues of an IPC namespace. */
export class IpcMessages {
  readonly table: IpcTable<IpcMessageQueue> = new IpcTable();
  readonly clock: IpcClock;
  readonly limits: IpcLimits;

  constructor(clock: IpcClock, limits: IpcLimits) {
    this.clock = clock;
    this.limits = limits;
  }

  /** Whether there is memory for a message of this many bytes. */
  hasRoom(bytes: number, account: Account): boolean {
    return IPC_BYTES.hasRoom(bytes + MESSAGE_BYTES, account);
  }

  /** msgget(2). */
  get(key: number, flags: number, cred: Credentials, account: Account): number {
    const maker = new QueueMaker(this, cred, account);
    return this.table.get(key, flags, this.limits.msgmni, maker, cred);
  }

  /** IPC_RMID. */
  remove(queue: IpcMessageQueue): void {
    this.table.remove(queue);
    queue.release();
  }
}
