/**
 * The mqueue file system: one directory with the names of POSIX message queues, and the limits of
 * mq_open(3) (ipc/mqueue.c of Linux). Each IPC namespace has one, mounted or not.
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, EMFILE, ENOSPC, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFDIR } from "../../../ffi/abi/stat.ts";
import { MQUEUE_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Host } from "../../core/host.ts";
import { KernelBug } from "../../core/kernel_bug.ts";
import { TmpfsDirectory } from "../../fs/tmpfs/directory.ts";
import type { TmpfsSpace } from "../../fs/tmpfs/space.ts";
import type { UserNamespace } from "../../cred/user_namespace.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { FileSystem, type Inode, type StatFs } from "../../vfs/inode.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import type { IpcLimits } from "../ipc_limits.ts";
import { MessageQueue, type QueueSizes } from "./message_queue.ts";

/** Bounds for callers with CAP_SYS_RESOURCE (HARD_MSGMAX, HARD_MSGSIZEMAX). */
const HARD_MESSAGES = 65536, HARD_BYTES = 16 << 20;
/** The charge of a message, and of a priority in use, beside the text. */
const MESSAGE_BYTES = 48, PRIORITY_BYTES = 48;
const PRIORITIES = 32768;

/** The process that makes a queue. */
export interface QueueMaker {
  /** It has CAP_SYS_RESOURCE. */
  readonly isPrivileged: boolean;
  /** RLIMIT_MSGQUEUE. */
  readonly limitBytes: number;
}

/** Gives the running process; the kernel implements it. */
export interface MakerSource {
  queueMaker(): QueueMaker;
}

export class MqueueFs extends FileSystem implements TmpfsSpace {
  override readonly type = "mqueue";
  override readonly root: MqueueDirectory;
  readonly frames: FrameAllocator;
  readonly host: Host;
  readonly isRam: boolean = false;
  readonly records = null;
  /** The sizes that mq_open(3) asks for; null: the defaults. Set around the call that creates. */
  wanted: QueueSizes | null = null;
  private readonly limits: IpcLimits;
  private readonly makers: MakerSource;
  /** Bytes charged to each user. */
  private readonly charges: Map<number, number> = new Map();
  private queues: number = 0;
  private lastIno: number = 0;

  constructor(
    account: Account,
    frames: FrameAllocator,
    vfs: Vfs,
    limits: IpcLimits,
    makers: MakerSource,
    owner: UserNamespace,
  ) {
    super(vfs.devices);
    this.owner = owner;
    this.hasFixedOwner = true;
    this.frames = frames;
    this.host = vfs.host;
    this.limits = limits;
    this.makers = makers;
    this.source = "mqueue";
    this.root = new MqueueDirectory(account, this);
  }

  nextIno(): number {
    return ++this.lastIno;
  }
  inodeOf(): never {
    throw new KernelBug("a queue is no record");
  }
  modeOf(): never {
    throw new KernelBug("a queue is no record");
  }
  entriesOf(): never {
    throw new KernelBug("a directory of queues is no record");
  }
  takeInode(): number {
    return 0;
  }
  giveInode(): void {}
  takePages(_count: number): number {
    return 0;
  }
  givePages(_count: number): void {}

  /** Makes a queue for the running process; -ENOSPC, -EINVAL, -EMFILE. */
  make(mode: number, uid: number, gid: number, account: Account): MessageQueue | number {
    const { limits } = this, maker = this.makers.queueMaker();
    if (this.queues >= limits.queuesMax && !maker.isPrivileged) return -ENOSPC;
    const sizes = this.wanted ?? {
      maxMessages: Math.min(limits.mqMsgMax, limits.mqMsgDefault),
      maxBytes: Math.min(limits.mqMsgSizeMax, limits.mqMsgSizeDefault),
    };
    const { maxBytes, maxMessages } = sizes;
    if (this.wanted !== null) {
      const most = maker.isPrivileged ? HARD_MESSAGES : limits.mqMsgMax;
      const bytes = maker.isPrivileged ? HARD_BYTES : limits.mqMsgSizeMax;
      if (!(maxMessages > 0 && maxBytes > 0)) return -EINVAL;
      if (maxMessages > most || maxBytes > bytes) return -EINVAL;
    }
    const charge = maxMessages * (maxBytes + MESSAGE_BYTES) +
      Math.min(maxMessages, PRIORITIES) * PRIORITY_BYTES;
    const before = this.charges.get(uid) ?? 0;
    if (before + charge > maker.limitBytes) return -EMFILE;
    this.charges.set(uid, before + charge);
    this.queues++;
    return new MessageQueue(account, this, mode, uid, gid, sizes, charge);
  }

  /** Takes a queue that was freed, and its bytes, off the counts of its user. */
  release(uid: number, charge: number): void {
    this.queues--;
    const left = (this.charges.get(uid) ?? 0) - charge;
    if (left > 0) this.charges.set(uid, left);
    else this.charges.delete(uid);
  }

  /** Frees queues and messages at the end of the namespace. */
  override destroy(): void {
    for (const queue of this.root.children()) queue.evict();
  }

  override statfs(out: StatFs): number {
    out.type = MQUEUE_MAGIC;
    out.blockSize = 4096;
    out.nameMax = 255;
    return 0;
  }
}

/** The only directory, which contains queues alone. */
export class MqueueDirectory extends TmpfsDirectory {
  private readonly owner: MqueueFs;

  constructor(account: Account, owner: MqueueFs) {
    super(account, owner, S_IFDIR | 0o1777, null);
    this.owner = owner;
  }

  override create(
    name: string,
    mode: number,
    uid: number,
    gid: number,
    account: Account,
  ): Inode | number {
    const r = this.mayAdd(name, account);
    if (r < 0) return r;
    const queue = this.owner.make(mode, uid, gid, account);
    return typeof queue === "number" ? queue : this.add(name, queue);
  }

  override mkdir(): number {
    return -EPERM;
  }
  override mknod(): number {
    return -EPERM;
  }
  override symlink(): number {
    return -EPERM;
  }
  override link(): number {
    return -EPERM;
  }
  override rename(): number {
    return -EPERM;
  }
  override tmpfile(): number {
    return -EOPNOTSUPP;
  }
}
