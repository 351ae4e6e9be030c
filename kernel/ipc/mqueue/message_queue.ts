/**
 * A POSIX message queue (mq_overview(7)): messages by priority, first in first out within one. It
 * is an inode of the mqueue file system, and lives until it has no name and no open file.
 *
 * Neighbours: mqueue_fs.ts (names and limits), mqueue_file.ts (open queues), ipc/calls/mqueue.ts
 * (the calls, which wait).
 */

import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../../ffi/abi/poll.ts";
import { EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Account } from "../../core/account.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { TmpfsInode } from "../../fs/tmpfs/tmpfs_inode.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { MqueueFile } from "./mqueue_file.ts";
import type { MqueueFs } from "./mqueue_fs.ts";

/** st_size of a queue: the length of its text (FILENT_SIZE). */
const TEXT_BYTES = 80;
/** The largest size that ftruncate(2) sets (MAX_NON_LFS). */
const MAX_SIZE = 2 ** 31 - 1;

/** The bounds of a queue: messages, and bytes of one. */
export interface QueueSizes {
  readonly maxMessages: number;
  /** Most bytes of a message. */
  readonly maxBytes: number;
}

/** Bytes of the kernel's heap for a message, beside its text. */
const MESSAGE_BYTES = 350;

/** Whether there is memory for a message of this many bytes. */
export function hasRoomForMessage(bytes: number, account: Account): boolean {
  return IPC_BYTES.hasRoom(bytes + MESSAGE_BYTES, account);
}

/** A message in a queue. */
export class QueuedMessage {
  /** The sender's account, charged while the message is queued. */
  private readonly account: Account;
  readonly priority: number;
  readonly data: Uint8Array<ArrayBuffer>;

  constructor(account: Account, priority: number, data: Uint8Array<ArrayBuffer>) {
    this.account = account;
    this.priority = priority;
    this.data = data;
  }

  charge(): void {
    IPC_BYTES.add(this.data.length + MESSAGE_BYTES, this.account);
  }
  uncharge(): void {
    IPC_BYTES.give(this.data.length + MESSAGE_BYTES, this.account);
  }
}

/** The registration of mq_notify(3). */
export interface MqueueNotifier {
  /**
   * Whether this is the descriptor table of the registered process: when it closes a descriptor of
   * the queue, the registration ends.
   */
  hasTable(files: object): boolean;
  readonly pid: number;
  /** SIGEV_*, and the signal of SIGEV_SIGNAL. */
  readonly kind: number;
  readonly signo: number;
  /** A message came to the empty queue. */
  notify(): void;
  /** Called when the registration ends without a notification. */
  removed(): void;
}

export class MessageQueue extends TmpfsInode {
  readonly sizes: QueueSizes;
  /** Woken with POLLIN for a message, with POLLOUT for room. */
  readonly waitQueue: WaitQueue = new WaitQueue();
  /** Calls of mq_receive(3) that wait: a message that one of them gets causes no notification. */
  receivers: number = 0;
  notifier: MqueueNotifier | null = null;
  /** Bytes of all messages. */
  bytes: number = 0;
  private readonly owner: MqueueFs;
  /** Bytes counted against the owner's limit. */
  private readonly charge: number;
  private readonly creator: number;
  /** Messages by priority, the highest first. */
  private readonly messages: QueuedMessage[] = [];

  constructor(
    account: Account,
    owner: MqueueFs,
    mode: number,
    uid: number,
    gid: number,
    sizes: QueueSizes,
    charge: number,
  ) {
    super(account, owner, S_IFREG | (mode & 0o7777), uid, gid);
    this.owner = owner;
    this.sizes = sizes;
    this.creator = uid;
    this.charge = charge;
    this.size = TEXT_BYTES;
  }

  get count(): number {
    return this.messages.length;
  }
  get isFull(): boolean {
    return this.messages.length >= this.sizes.maxMessages;
  }

  override open(_dentry: Dentry, flags: number, _cred: Credentials, account: Account): OpenFile {
    return new MqueueFile(account, this, flags);
  }

  /** ftruncate(2). */
  truncate(size: number): number {
    const r = this.resize(size);
    if (r === 0) this.touch(true);
    return r;
  }

  /** The size is only a number. Descriptors of mq_open(3) are without O_LARGEFILE. */
  protected override resize(size: number): number {
    if (size > MAX_SIZE) return -EINVAL;
    this.size = size;
    return 0;
  }

  override getxattr(_name: string): Uint8Array<ArrayBuffer> | number {
    return -EOPNOTSUPP;
  }
  override setxattr(_name: string, _value: Uint8Array<ArrayBuffer>, _flags: number): number {
    return -EOPNOTSUPP;
  }
  override removexattr(_name: string): number {
    return -EOPNOTSUPP;
  }

  put(message: QueuedMessage): void {
    const list = this.messages;
    let lo = 0, hi = list.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid]!.priority >= message.priority) lo = mid + 1;
      else hi = mid;
    }
    list.splice(lo, 0, message);
    message.charge();
    this.bytes += message.data.length;
    this.touch(true);
    const { notifier } = this;
    if (list.length === 1 && this.receivers === 0 && notifier !== null) {
      this.notifier = null;
      notifier.notify();
    }
    this.waitQueue.wake(POLLIN | POLLRDNORM);
  }

  /** Takes the oldest message of the highest priority; null: none. */
  take(): QueuedMessage | null {
    const message = this.messages.shift() ?? null;
    if (message === null) return null;
    message.uncharge();
    this.bytes -= message.data.length;
    this.touch(false);
    this.waitQueue.wake(POLLOUT | POLLWRNORM);
    return message;
  }

  poll(): number {
    const full = this.isFull ? 0 : POLLOUT | POLLWRNORM;
    return this.messages.length > 0 ? full | POLLIN | POLLRDNORM : full;
  }

  /** The text of the file. */
  text(): string {
    const n = this.notifier;
    const pad = (value: number, width: number): string => String(value).padEnd(width);
    return `QSIZE:${pad(this.bytes, 10)} NOTIFY:${pad(n?.kind ?? 0, 5)} ` +
      `SIGNO:${pad(n?.signo ?? 0, 5)} NOTIFY_PID:${pad(n?.pid ?? 0, 6)}\n`;
  }

  dropNotifier(): void {
    const { notifier } = this;
    this.notifier = null;
    notifier?.removed();
  }

  protected override freeData(): void {
    for (const message of this.messages.splice(0)) message.uncharge();
    this.bytes = 0;
    this.owner.release(this.creator, this.charge);
  }
}
