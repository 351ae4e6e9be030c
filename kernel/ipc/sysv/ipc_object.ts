/**
 * System V IPC objects (sysvipc(7)): owner, mode, key and identifier, and the table that finds them
 * (ipc/util.c of Linux). Kinds: shm.ts, semaphores.ts, messages.ts.
 */

import { CAP_IPC_OWNER, CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM } from "../../../ffi/abi/errno.ts";
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE } from "../../../ffi/abi/ipc.ts";
import type { Account } from "../../core/account.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import { type Credentials, hasCapIn, inGroup } from "../../cred/credentials.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../../cred/user_namespace.ts";

/** The time and the process that objects record for their use. The kernel implements it. */
export interface IpcClock {
  /** CLOCK_REALTIME, seconds. */
  nowSec(): number;
  /** The process whose call is served. */
  currentPid(): number;
}

/** Permission bits as the calls check them: for owner, group and others at once. */
export const IPC_READ = 0o444, IPC_WRITE = 0o222, IPC_EXEC = 0o111;

/** An identifier is a sequence number above this many bits of index. */
const INDEX_BITS = 15;
const MAX_INDEXES = 1 << INDEX_BITS;
const MAX_SEQ = 0xffff;
/** Bytes of the kernel's heap for an object without its content. */
const OBJECT_BYTES = 700;
/** Indexes are reused late: new objects take the next free one, of at least this many, in turn. */
const MIN_CYCLE = 64;

/** The owner and mode of an object; IPC_SET replaces it. */
export interface IpcOwner {
  readonly uid: number;
  readonly gid: number;
  /** The low nine bits count. */
  readonly mode: number;
}

export abstract class IpcObject {
  /** IPC_PRIVATE: found by its identifier only. */
  key: number;
  /** Set by the table. */
  id: number = -1;
  seq: number = 0;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  /** Time of creation or of the last change, seconds. */
  ctimeSec: number;
  /** The user namespace of the IPC namespace, whose capabilities count. Set by the table. */
  userNs: UserNamespace = INITIAL_USER_NAMESPACE;
  /** IPC_RMID: waiters in calls on the object get EIDRM. */
  isRemoved: boolean = false;
  /** The account that the object is charged to. */
  readonly account: Account;

  constructor(account: Account, key: number, flags: number, cred: Credentials, nowSec: number) {
    this.account = account;
    this.key = key;
    this.uid = this.cuid = cred.euid;
    this.gid = this.cgid = cred.egid;
    this.mode = flags & 0o777;
    this.ctimeSec = nowSec;
  }

  /** About the bytes that it takes of the kernel's heap; constant. */
  get kernelBytes(): number {
    return OBJECT_BYTES;
  }

  /**
   * ipcperms() of Linux: whether `cred` may do what `wanted` says (IPC_READ | ..., or the mode bits
   * of a get call). 0 or -EACCES.
   */
  permission(wanted: number, cred: Credentials): number {
    const asked = ((wanted >> 6) | (wanted >> 3) | wanted) & 7;
    let granted = this.mode;
    if (cred.euid === this.cuid || cred.euid === this.uid) granted >>= 6;
    else if (inGroup(cred, this.cgid) || inGroup(cred, this.gid)) granted >>= 3;
    return (asked & ~granted) === 0 || hasCapIn(cred, this.userNs, CAP_IPC_OWNER) ? 0 : -EACCES;
  }

  /** Whether `cred` may remove or change it: 0 or -EPERM. */
  mayControl(cred: Credentials): number {
    const owns = cred.euid === this.cuid || cred.euid === this.uid;
    return owns || hasCapIn(cred, this.userNs, CAP_SYS_ADMIN) ? 0 : -EPERM;
  }

  /** IPC_SET: 0, or -EINVAL for ids that do not exist. */
  setOwner(owner: IpcOwner, nowSec: number): number {
    if (owner.uid === 0xffffffff || owner.gid === 0xffffffff) return -EINVAL;
    this.uid = owner.uid;
    this.gid = owner.gid;
    this.mode = (this.mode & ~0o777) | (owner.mode & 0o777);
    this.ctimeSec = nowSec;
    return 0;
  }
}

/** Makes one kind of object: the second half of shmget, semget, msgget. */
export interface IpcMaker<T extends IpcObject> {
  /** A new object, or -errno. */
  make(key: number, flags: number): T | number;
  /** Whether an existing object matches the call: 0 or -EINVAL. */
  check(object: T): number;
}

/** All objects of one kind in an IPC namespace. */
export class IpcTable<T extends IpcObject> {
  userNs: UserNamespace = INITIAL_USER_NAMESPACE;
  /** Objects by index; undefined: none. */
  private readonly slots: (T | undefined)[] = [];
  private readonly byKey: Map<number, T> = new Map();
  private lastIndex: number = -1;
  private seq: number = 0;
  /** The number of objects. */
  count: number = 0;

  /** shmget(2) and the like: the identifier, or -errno. `limit`: the most objects. */
  get(key: number, flags: number, limit: number, maker: IpcMaker<T>, cred: Credentials): number {
    const found = key === IPC_PRIVATE ? undefined : this.byKey.get(key);
    if (found === undefined) {
      if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
      const made = maker.make(key, flags);
      if (typeof made === "number") return made;
      return this.add(made, limit);
    }
    if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return -EEXIST;
    const r = maker.check(found);
    if (r < 0) return r;
    const allowed = found.permission(flags, cred);
    return allowed < 0 ? allowed : found.id;
  }

  /** The object with this identifier, or null. */
  find(id: number): T | null {
    const object = this.atIndex(id);
    return object !== null && object.id === id ? object : null;
  }

  /** The object whose identifier has this index (the *_STAT commands), or null. */
  atIndex(id: number): T | null {
    return id < 0 ? null : this.slots[id & (MAX_INDEXES - 1)] ?? null;
  }

  /** The highest index in use, 0 if there is none, as IPC_INFO shows it. */
  get maxIndex(): number {
    return Math.max(0, this.slots.length - 1);
  }

  /** All objects by index. */
  all(): T[] {
    return this.slots.filter((object) => object !== undefined);
  }

  remove(object: T): void {
    if (this.find(object.id) !== object) return;
    object.isRemoved = true;
    IPC_BYTES.give(object.kernelBytes, object.account);
    this.forgetKey(object);
    this.slots[object.id & (MAX_INDEXES - 1)] = undefined;
    while (this.slots.length > 0 && this.slots[this.slots.length - 1] === undefined) {
      this.slots.pop();
    }
    this.count--;
  }

  /** Removes the key, so that no call finds the object by it. */
  forgetKey(object: T): void {
    if (object.key !== IPC_PRIVATE) this.byKey.delete(object.key);
    object.key = IPC_PRIVATE;
  }

  private add(object: T, limit: number): number {
    const most = Math.min(limit, MAX_INDEXES);
    const index = this.count >= most ? -1 : this.freeIndex(most);
    if (index < 0) return -ENOSPC;
    if (!IPC_BYTES.take(object.kernelBytes, object.account)) return -ENOMEM;
    if (index <= this.lastIndex) this.seq = this.seq === MAX_SEQ ? 0 : this.seq + 1;
    this.lastIndex = index;
    object.seq = this.seq;
    object.userNs = this.userNs;
    object.id = this.seq * MAX_INDEXES + index;
    while (this.slots.length < index) this.slots.push(undefined);
    this.slots[index] = object;
    if (object.key !== IPC_PRIVATE) this.byKey.set(object.key, object);
    this.count++;
    return object.id;
  }

  /** The next free index in turn, or -1. */
  private freeIndex(most: number): number {
    const cycle = Math.min(most, Math.max(MIN_CYCLE, Math.floor(this.count * 1.5)));
    for (let k = 1; k <= cycle; k++) {
      const index = (this.lastIndex + k) % cycle;
      if (this.slots[index] === undefined) return index;
    }
    return -1;
  }
}
