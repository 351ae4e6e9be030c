/**
 * System V shared memory (shmget(2), shmop(2)). A segment is shared anonymous memory with an
 * identity. Every area that maps it counts as an attachment, so forks, splits and exits need no
 * code here.
 *
 * Neighbours: ipc_object.ts (keys, permission), mm/shared_anon.ts (the pages), ipc/calls/shm.ts
 * (the calls).
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { CAP_IPC_LOCK } from "../../../ffi/abi/capability.ts";
import { EINVAL, ENOMEM, ENOSPC, EPERM } from "../../../ffi/abi/errno.ts";
import { SHM_HUGETLB, SHM_NORESERVE, SHMMIN } from "../../../ffi/abi/ipc.ts";
import { type Credentials, hasCap } from "../../cred/credentials.ts";
import type { FileIdentity } from "../../mm/backing.ts";
import type { MemoryContext } from "../../mm/memory_context.ts";
import { SharedAnon, SHMEM_DEV } from "../../mm/shared_anon.ts";
import type { IpcLimits } from "../ipc_limits.ts";
import { type IpcClock, type IpcMaker, IpcObject, IpcTable } from "./ipc_object.ts";

/** Bits of the mode that shmctl(2) shows: removed at the last detach; locked. */
const SHM_DEST = 0o1000, SHM_LOCKED = 0o2000;

/** The identity of a segment: the inode number is its identifier. */
export class ShmIdentity implements FileIdentity {
  readonly dev = SHMEM_DEV;
  private readonly segment: ShmSegment;

  constructor(segment: ShmSegment) {
    this.segment = segment;
  }
  get ino(): number {
    return this.segment.id;
  }
}

/** The memory of a segment, which areas map. */
export class ShmMemory extends SharedAnon {
  readonly segment: ShmSegment;

  constructor(ctx: MemoryContext, segment: ShmSegment) {
    super(ctx, segment.pages * PAGE_SIZE, new ShmIdentity(segment));
    this.segment = segment;
  }

  override describe(): string {
    return `/SYSV${this.segment.name} (deleted)`;
  }
  override hold(): void {
    super.hold();
    this.segment.attach();
  }
  override drop(): void {
    super.drop();
    this.segment.detach();
  }

  /** The segment's own reference. */
  keep(): void {
    super.hold();
  }
  letGo(): void {
    super.drop();
  }
}

/** One segment. */
export class ShmSegment extends IpcObject {
  readonly bytes: number;
  readonly pages: number;
  /** The key it was made with, as in /proc/PID/maps. */
  readonly name: string;
  readonly memory: ShmMemory;
  attachments: number = 0;
  readonly creatorPid: number;
  lastPid: number = 0;
  atimeSec: number = 0;
  dtimeSec: number = 0;
  private readonly owner: SharedMemory;

  constructor(
    account: Account,
    owner: SharedMemory,
    key: number,
    bytes: number,
    flags: number,
    cred: Credentials,
  ) {
    super(account, key, flags, cred, owner.clock.nowSec());
    this.owner = owner;
    this.bytes = bytes;
    this.pages = Math.ceil(bytes / PAGE_SIZE);
    this.name = (key >>> 0).toString(16).padStart(8, "0");
    this.creatorPid = owner.clock.currentPid();
    this.memory = new ShmMemory(owner.memory, this);
    this.memory.keep();
  }

  attach(): void {
    this.attachments++;
    this.atimeSec = this.owner.clock.nowSec();
    this.lastPid = this.owner.clock.currentPid();
  }

  detach(): void {
    this.attachments--;
    this.dtimeSec = this.owner.clock.nowSec();
    this.lastPid = this.owner.clock.currentPid();
    if (this.attachments === 0 && (this.mode & SHM_DEST) !== 0) this.owner.destroy(this);
  }
}

/** The arguments of shmget(2). */
class SegmentMaker implements IpcMaker<ShmSegment> {
  private readonly owner: SharedMemory;
  private readonly bytes: number;
  private readonly cred: Credentials;
  private readonly account: Account;

  constructor(owner: SharedMemory, bytes: number, cred: Credentials, account: Account) {
    this.owner = owner;
    this.bytes = bytes;
    this.cred = cred;
    this.account = account;
  }

  check(segment: ShmSegment): number {
    return segment.bytes < this.bytes ? -EINVAL : 0;
  }

  make(key: number, flags: number): ShmSegment | number {
    const { bytes, owner } = this, { limits } = owner;
    if (bytes < SHMMIN || bytes > limits.shmmax) return -EINVAL;
    const pages = Math.ceil(bytes / PAGE_SIZE);
    if (owner.totalPages + pages > limits.shmall) return -ENOSPC;
    // Huge pages do not exist here, and Linux too refuses obvious overcommit.
    if ((flags & SHM_HUGETLB) !== 0) return -ENOMEM;
    if (bytes >= FILE_BYTES) return -EINVAL;
    const { memoryBytes } = owner.memory.host;
    if ((flags & SHM_NORESERVE) === 0 && bytes > memoryBytes) return -ENOMEM;
    return bytes > MAX_BYTES
      ? -ENOMEM
      : new ShmSegment(this.account, owner, key, bytes, flags, this.cred);
  }
}

/** A file of Linux's has fewer bytes. */
const FILE_BYTES = 2 ** 63;
/** LIMIT: the largest exact number. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER - PAGE_SIZE;

/** All segments of an IPC namespace. */
export class SharedMemory {
  readonly table: IpcTable<ShmSegment> = new IpcTable();
  readonly memory: MemoryContext;
  readonly clock: IpcClock;
  readonly limits: IpcLimits;

  constructor(memory: MemoryContext, clock: IpcClock, limits: IpcLimits) {
    this.memory = memory;
    this.clock = clock;
    this.limits = limits;
  }

  /** Pages of all segments, also of those that wait for their last detach. */
  get totalPages(): number {
    let pages = 0;
    for (const segment of this.table.all()) pages += segment.pages;
    return pages;
  }

  /** shmget(2). */
  get(key: number, bytes: number, flags: number, cred: Credentials, account: Account): number {
    const maker = new SegmentMaker(this, bytes, cred, account);
    return this.table.get(key, flags, this.limits.shmmni, maker, cred);
  }

  /** IPC_RMID: the segment is freed with the last attachment. */
  remove(segment: ShmSegment): void {
    if (segment.attachments === 0) {
      this.destroy(segment);
      return;
    }
    segment.mode |= SHM_DEST;
    this.table.forgetKey(segment);
  }

  destroy(segment: ShmSegment): void {
    if (segment.isRemoved) return;
    this.table.remove(segment);
    segment.memory.letGo();
  }

  /**
   * SHM_LOCK, SHM_UNLOCK: 0 or -EPERM. Kept and shown; the host decides which pages stay in memory.
   */
  lock(segment: ShmSegment, locks: boolean, cred: Credentials, mayLock: boolean): number {
    if (!hasCap(cred, CAP_IPC_LOCK)) {
      if (cred.euid !== segment.uid && cred.euid !== segment.cuid) return -EPERM;
      if (locks && !mayLock) return -EPERM;
    }
    segment.mode = locks ? segment.mode | SHM_LOCKED : segment.mode & ~SHM_LOCKED;
    return 0;
  }
}
