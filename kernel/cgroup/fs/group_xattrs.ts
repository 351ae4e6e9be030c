/**
 * Extended attributes of groups and their files (xattr(7)), as in Linux's kernfs. systemd stores
 * marks in them.
 */

import { EEXIST, ENODATA, ENOSPC, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import {
  XATTR_CREATE,
  XATTR_REPLACE,
  XATTR_SECURITY_PREFIX,
  XATTR_TRUSTED_PREFIX,
  XATTR_USER_PREFIX,
} from "../../../ffi/abi/xattr.ts";
import type { Account } from "../../core/account.ts";
import { CGROUP_XATTR_BYTES } from "../../core/quota.ts";
import type { Xattrs } from "../../fs/generated/generated_inode.ts";

/** Limits of the attributes of one file: their number, and bytes of values. */
const MAX_USER = 128, MAX_USER_BYTES = 128 << 10;
/** The charge of an attribute beside its name and value, bytes. */
const OVERHEAD = 64;

export class GroupXattrs implements Xattrs {
  /** The account that attributes are charged to. */
  private readonly account: Account;
  private readonly values: Map<string, Uint8Array<ArrayBuffer>> = new Map();
  private userCount: number = 0;
  private userBytes: number = 0;
  private isClosed: boolean = false;

  constructor(account: Account) {
    this.account = account;
  }

  get(name: string): Uint8Array<ArrayBuffer> | number {
    if (!isKnown(name)) return -EOPNOTSUPP;
    return this.values.get(name) ?? -ENODATA;
  }

  set(name: string, value: Uint8Array<ArrayBuffer>, flags: number): number {
    const isUser = name.startsWith(XATTR_USER_PREFIX), old = this.values.get(name);
    if (!isKnown(name)) return -EOPNOTSUPP;
    // As Linux: a new value of an existing attribute counts as one more.
    if (isUser && this.userCount + 1 > MAX_USER) return -ENOSPC;
    if (isUser && this.userBytes + value.length > MAX_USER_BYTES) return -ENOSPC;
    if ((flags & XATTR_CREATE) !== 0 && old !== undefined) return -EEXIST;
    if ((flags & XATTR_REPLACE) !== 0 && old === undefined) return -ENODATA;
    const more = costOf(name, value) - costOf(name, old);
    const isTooMuch = more > 0 && !CGROUP_XATTR_BYTES.hasRoom(more, this.account);
    if (this.isClosed || isTooMuch) return -ENOSPC;
    CGROUP_XATTR_BYTES.add(more, this.account);
    if (isUser) {
      this.userCount += old === undefined ? 1 : 0;
      this.userBytes += value.length - (old?.length ?? 0);
    }
    this.values.set(name, value.slice());
    return 0;
  }

  remove(name: string): number {
    const old = this.get(name);
    if (typeof old === "number") return old;
    this.values.delete(name);
    CGROUP_XATTR_BYTES.give(costOf(name, old), this.account);
    if (name.startsWith(XATTR_USER_PREFIX)) {
      this.userCount--;
      this.userBytes -= old.length;
    }
    return 0;
  }

  list(): string[] {
    return [...this.values.keys()];
  }

  /** Called when the group or the file is removed: open descriptors can store no more. */
  close(): void {
    for (const name of this.list()) this.remove(name);
    this.isClosed = true;
  }
}

function costOf(name: string, value: Uint8Array | undefined): number {
  return value === undefined ? 0 : name.length + value.length + OVERHEAD;
}

function isKnown(name: string): boolean {
  return name.startsWith(XATTR_USER_PREFIX) || name.startsWith(XATTR_TRUSTED_PREFIX) ||
    name.startsWith(XATTR_SECURITY_PREFIX);
}
