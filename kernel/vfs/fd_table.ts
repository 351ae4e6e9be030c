/**
 * The file descriptor table of a process (or of several tasks: CLONE_FILES): fd -> open file description, with the
 * close-on-exec flag of each fd. Also the owner of POSIX record locks.
 *
 * Limits come from the caller (RLIMIT_NOFILE). Neighbours: open_file.ts, file_locks.ts.
 */

import { EBADF, EINVAL, EMFILE, ENFILE } from "../../ffi/abi/errno.ts";
import { type Account, ACCOUNTING } from "../core/account.ts";
import { FD_SLOTS, OPEN_FILES } from "../core/quota.ts";
import type { OpenFile } from "./open_file.ts";

const O_PATH = 0o10000000;

/** LIMIT: /proc/sys/fs/nr_open. */
export const NR_OPEN = 1048576;

/**
 * LIMIT: descriptors that are closed in one turn of the loop: a last reference to a pipe or socket
 * takes some us.
 */
export const CLOSES_A_TURN = 512;

export class FdTable {
  /** What its places are charged to: a table is as long as its highest fd, and forks copy it. */
  private readonly account: Account;
  /** Tasks that share the table. */
  refs: number = 1;
  private files: (OpenFile | null)[] = [];
  /** One bit an fd. */
  private used: Uint32Array = new Uint32Array(2);
  private cloexec: Uint32Array = new Uint32Array(2);
  /** No fd below this is free. */
  private firstFree: number = 0;
  /** Open fds. */
  count: number = 0;
  /**
   * Closing all that execve(2) or exit(2) closes goes on here in another turn; -1: nothing is left
   * to close.
   */
  closesFrom: number = -1;
  private isEnding: boolean = false;

  constructor(account: Account = ACCOUNTING.current) {
    this.account = account;
  }

  /** The file behind an fd that I/O may use; null: EBADF (closed, or O_PATH). HOT */
  get(fd: number): OpenFile | null {
    const file = this.getAny(fd);
    return file !== null && (file.flags & O_PATH) === 0 ? file : null;
  }

  /** The same with O_PATH files, for the calls that take them (fstat, fchdir, *at, dup, close, ...). HOT */
  getAny(fd: number): OpenFile | null {
    if (fd < 0 || fd >= this.files.length) return null;
    return this.files[fd] ?? null;
  }

  /**
   * Put a file at the lowest free fd >= `from`; the table takes over the caller's reference. The fd, or -EMFILE,
   * or -ENFILE when the sandbox has too many files (the reference stays the caller's). HOT
   */
  install(file: OpenFile, cloexec: boolean, limit: number, from: number = 0): number {
    const fd = this.lowestFree(from);
    if (fd >= limit || fd >= NR_OPEN) return -EMFILE;
    if (!OPEN_FILES.hasRoom()) return -ENFILE;
    if (fd >= this.files.length && !this.mayGrow(fd + 1)) return -ENFILE;
    this.put(fd, file, cloexec);
    return fd;
  }

  /**
   * Is an fd below `limit` free? Not a matter of `count`: files opened before the limit was lowered may lie above
   * it. HOT
   */
  hasRoom(limit: number): boolean {
    return this.lowestFree(0) < Math.min(limit, NR_OPEN);
  }

  /** F_DUPFD: another fd >= `from` for the file of `fd`; -EBADF, -EINVAL (`from` beyond the limit), -EMFILE. */
  dup(fd: number, cloexec: boolean, limit: number, from: number = 0): number {
    const file = this.getAny(fd);
    if (file === null) return -EBADF;
    if (from < 0 || from >= limit) return from === 0 ? -EMFILE : -EINVAL;
    // Held first: a fault in between must not leave a file with fewer references than users.
    file.hold();
    const to = this.install(file, cloexec, limit, from);
    if (to < 0) file.drop();
    return to;
  }

  /** dup2 and dup3 behind their argument checks: `to` becomes a duplicate of `fd`, closing what was there. */
  dupTo(fd: number, to: number, cloexec: boolean, limit: number): number {
    if (to < 0 || to >= limit || to >= NR_OPEN) return -EBADF;
    const file = this.getAny(fd);
    if (file === null) return -EBADF;
    if (fd === to) return to;
    if (to >= this.files.length && !this.mayGrow(to + 1)) return -ENFILE;
    file.hold();
    this.replace(to, file, cloexec);
    return to;
  }

  /** Put a file (whose reference the table takes) at `fd`, closing what was there. `fd` < NR_OPEN. */
  replace(fd: number, file: OpenFile, cloexec: boolean): void {
    const old = this.getAny(fd);
    if (old !== null) this.take(fd);
    this.put(fd, file, cloexec);
    if (old !== null) this.closeFile(old);
  }

  /** close(2): 0, -EBADF, or the error that the file reports (the fd is gone all the same). */
  close(fd: number): number {
    const file = this.getAny(fd);
    if (file === null) return -EBADF;
    this.take(fd);
    return this.closeFile(file);
  }

  /**
   * close_range(2) behind its checks: close, or with `onlyMark` set close-on-exec, what is open of
   * [first, last], at most `most`. The fd at which it is to go on, or -1: that was all.
   */
  closeRange(first: number, last: number, onlyMark: boolean, most: number): number {
    const end = Math.min(last, this.files.length - 1);
    for (let fd = first; fd <= end; fd++) {
      if (this.used[fd >> 5] === 0) fd |= 31;
      else if (this.files[fd] !== null) {
        if (most-- <= 0) return fd;
        if (onlyMark) this.setCloexec(fd, true);
        else this.close(fd);
      }
    }
    return -1;
  }

  isCloexec(fd: number): boolean {
    return (this.cloexec[fd >> 5]! & (1 << (fd & 31))) !== 0;
  }

  /** `fd` must be open. */
  setCloexec(fd: number, on: boolean): void {
    const bit = 1 << (fd & 31), i = fd >> 5;
    this.cloexec[i] = on ? this.cloexec[i]! | bit : this.cloexec[i]! & ~bit;
  }

  /**
   * execve: close what is marked, as much as one turn may; `closesFrom` says whether that was all.
   */
  closeOnExec(): void {
    let most = CLOSES_A_TURN;
    for (let fd = Math.max(0, this.closesFrom); fd < this.files.length; fd++) {
      if (this.cloexec[fd >> 5] === 0) fd |= 31;
      else if (this.files[fd] !== null && this.isCloexec(fd)) {
        if (most-- <= 0) {
          this.closesFrom = fd;
          return;
        }
        this.close(fd);
      }
    }
    this.closesFrom = -1;
  }

  /**
   * The only task that has the table ends: the same with all that is open, so that `drop` has
   * little left.
   */
  closeBeforeDrop(): void {
    if (this.refs > 1) return;
    const from = this.isEnding ? Math.max(0, this.closesFrom) : 0;
    this.isEnding = true;
    this.closesFrom = this.closeRange(from, NR_OPEN, false, CLOSES_A_TURN);
  }

  /** False: a copy would be one too many for the sandbox. */
  get mayCopy(): boolean {
    return FD_SLOTS.hasRoom(this.files.length);
  }

  private mayGrow(size: number): boolean {
    return FD_SLOTS.hasRoom(size - this.files.length, this.account);
  }

  /** A copy for fork, or to unshare: same files, own table. `mayCopy` was asked. */
  copy(account: Account = ACCOUNTING.current): FdTable {
    const t = new FdTable(account);
    t.files = this.files.slice();
    t.used = this.used.slice();
    t.cloexec = this.cloexec.slice();
    t.firstFree = this.firstFree;
    t.count = this.count;
    FD_SLOTS.add(t.files.length, t.account);
    for (let fd = 0; fd < t.files.length; fd++) t.files[fd]?.hold();
    return t;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  /** One task less; the last one closes everything. */
  drop(): void {
    if (--this.refs === 0) this.closeUnused();
  }

  /**
   * Close everything if no task has the table any more. Called again after a fault, it goes on with
   * the next file.
   */
  closeUnused(): void {
    if (this.refs > 0) return;
    for (let fd = 0; fd < this.files.length; fd++) {
      if (this.files[fd] !== null) this.close(fd);
    }
    FD_SLOTS.give(this.files.length, this.account);
    this.files = [];
  }

  /** Open fds, ascending. */
  openFds(): number[] {
    const fds: number[] = [];
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd] !== null) fds.push(fd);
    return fds;
  }

  /** Size of the table as /proc/PID/status shows it (FDSize). */
  get size(): number {
    return Math.max(64, this.files.length);
  }

  private lowestFree(from: number): number {
    let fd = Math.max(from, this.firstFree);
    for (let word = fd >> 5; word < this.used.length; word++) {
      const below = word === fd >> 5 ? (1 << (fd & 31)) - 1 : 0;
      const free = ~(this.used[word]! | below);
      if (free !== 0) return word * 32 + 31 - Math.clz32(free & -free);
    }
    fd = Math.max(fd, this.used.length * 32);
    return fd;
  }

  private put(fd: number, file: OpenFile, cloexec: boolean): void {
    if (fd >= this.files.length) this.grow(fd + 1);
    this.files[fd] = file;
    this.used[fd >> 5]! |= 1 << (fd & 31);
    this.setCloexec(fd, cloexec);
    this.count++;
    if (fd === this.firstFree) this.firstFree = fd + 1;
  }

  private take(fd: number): void {
    this.files[fd] = null;
    this.used[fd >> 5]! &= ~(1 << (fd & 31));
    this.setCloexec(fd, false);
    this.count--;
    if (fd < this.firstFree) this.firstFree = fd;
  }

  private closeFile(file: OpenFile): number {
    const locks = file.inode.locks;
    if (locks !== null) locks.releaseOwner(this);
    const watches = file.path?.dentry.inode?.watches;
    if (watches) watches.onFdClose(file, this);
    const result = file.onFdClose(this);
    file.drop();
    return result;
  }

  private grow(size: number): void {
    FD_SLOTS.add(size - this.files.length, this.account);
    while (this.files.length < size) this.files.push(null);
    if (size <= this.used.length * 32) return;
    const words = Math.max(this.used.length * 2, (size + 31) >> 5);
    const used = new Uint32Array(words), cloexec = new Uint32Array(words);
    used.set(this.used);
    cloexec.set(this.cloexec);
    this.used = used;
    this.cloexec = cloexec;
  }
}
