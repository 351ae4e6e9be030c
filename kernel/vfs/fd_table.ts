/**
 * The file descriptor table of a process, or of several tasks (CLONE_FILES): maps an fd to its open
 * file description (open_file.ts) and its close-on-exec flag. The table is also the owner of POSIX
 * record locks (file_locks.ts).
 *
 * The system calls of kernel/syscalls call it and pass RLIMIT_NOFILE. They install a file as their
 * last step, because the guest can use the fd from then on.
 */

import { EBADF, EINVAL, EMFILE, ENFILE } from "../../ffi/abi/errno.ts";
import type { Account } from "../core/account.ts";
import { O_PATH } from "../../ffi/abi/fcntl.ts";
import { FD_SLOTS, OPEN_FILES } from "../core/quota.ts";
import type { OpenFile } from "./open_file.ts";

/** LIMIT: /proc/sys/fs/nr_open. */
export const NR_OPEN = 1048576;

/**
 * LIMIT: descriptors that one turn of the loop closes. Closing the last reference to a pipe or
 * socket takes some us.
 */
export const CLOSES_A_TURN = 512;

export class FdTable {
  /**
   * The account that its places are charged to: a table is as long as its highest fd, and forks
   * copy it.
   */
  private readonly account: Account;
  /** Tasks that share the table. */
  refs: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  private files: (OpenFile | null)[] = [];
  /** One bit for each fd that is open. */
  private used: Uint32Array = new Uint32Array(2);
  private cloexec: Uint32Array = new Uint32Array(2);
  /** No fd below this one is free. */
  private firstFree: number = 0;
  /** Open fds. */
  count: number = 0;
  /**
   * The fd at which the closing for execve(2) or exit(2) continues in another turn; -1 when nothing
   * is left to close.
   */
  closesFrom: number = -1;
  private isEnding: boolean = false;

  constructor(account: Account) {
    this.account = account;
  }

  /** The file of an fd for I/O; null is EBADF (the fd is closed, or the file is O_PATH). HOT */
  get(fd: number): OpenFile | null {
    const file = this.getAny(fd);
    return file !== null && (file.flags & O_PATH) === 0 ? file : null;
  }

  /**
   * The file of an fd, O_PATH files included, for the calls that take them (fstat, fchdir, *at,
   * dup, close, ...). HOT
   */
  getAny(fd: number): OpenFile | null {
    if (fd < 0 || fd >= this.files.length) return null;
    return this.files[fd] ?? null;
  }

  /**
   * Puts a file at the lowest free fd >= `from`. The table takes over the caller's reference.
   * Returns the fd; -EMFILE; or -ENFILE when the sandbox has too many files. On an error the caller
   * keeps the reference. HOT
   */
  install(file: OpenFile, cloexec: boolean, limit: number, from: number = 0): number {
    const fd = this.lowestFree(from);
    if (fd >= limit || fd >= NR_OPEN) return -EMFILE;
    if (!OPEN_FILES.hasRoom(1, this.account)) return -ENFILE;
    if (fd >= this.files.length && !this.mayGrow(fd + 1)) return -ENFILE;
    this.put(fd, file, cloexec);
    return fd;
  }

  /**
   * Whether an fd below `limit` is free. `count` does not tell: files that were opened before the
   * limit was lowered may lie above it. HOT
   */
  hasRoom(limit: number): boolean {
    return this.lowestFree(0) < Math.min(limit, NR_OPEN);
  }

  /**
   * F_DUPFD: another fd >= `from` for the file of `fd`; -EBADF, -EINVAL (`from` beyond the limit),
   * -EMFILE.
   */
  dup(fd: number, cloexec: boolean, limit: number, from: number = 0): number {
    const file = this.getAny(fd);
    if (file === null) return -EBADF;
    if (from < 0 || from >= limit) return from === 0 ? -EMFILE : -EINVAL;
    // The reference is taken first, so that a fault in between does not leave a file with more fds
    // than references.
    file.hold();
    const to = this.install(file, cloexec, limit, from);
    if (to < 0) file.drop();
    return to;
  }

  /**
   * dup2(2) and dup3(2) after their argument checks: `to` becomes a duplicate of `fd`, and the file
   * that was there is closed.
   */
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

  /**
   * Puts a file at `fd` and closes the file that was there. The table takes over the reference;
   * `fd` < NR_OPEN.
   */
  replace(fd: number, file: OpenFile, cloexec: boolean): void {
    const old = this.getAny(fd);
    if (old !== null) this.take(fd);
    this.put(fd, file, cloexec);
    if (old !== null) this.closeFile(old);
  }

  /**
   * close(2): 0, -EBADF, or the error that the file reports. The fd is free in each case but
   * -EBADF.
   */
  close(fd: number): number {
    const file = this.getAny(fd);
    if (file === null) return -EBADF;
    this.take(fd);
    return this.closeFile(file);
  }

  /**
   * close_range(2) after its checks: closes the open fds of [first, last], or with `onlyMark` sets
   * close-on-exec, at most `most`. Returns the fd to continue at, or -1 when the range is done.
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
   * execve(2): closes the fds with close-on-exec, as many as one turn may. `closesFrom` is -1 when
   * all are closed.
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
   * The only task with this table exits: closes as many fds as one turn may, so that little is left
   * for `drop`. `closesFrom` is -1 when all are closed.
   */
  closeBeforeDrop(): void {
    if (this.refs > 1) return;
    const from = this.isEnding ? Math.max(0, this.closesFrom) : 0;
    this.isEnding = true;
    this.closesFrom = this.closeRange(from, NR_OPEN, false, CLOSES_A_TURN);
  }

  /** Whether the sandbox has room for a copy of the table. */
  mayCopy(account: Account): boolean {
    return FD_SLOTS.hasRoom(this.files.length, account);
  }

  private mayGrow(size: number): boolean {
    return FD_SLOTS.hasRoom(size - this.files.length, this.account);
  }

  /**
   * A copy for fork(2) or unshare(2): its own table with the same files. The caller has checked
   * `mayCopy`.
   */
  copy(account: Account): FdTable {
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

  /** A task drops the table; the last one closes all fds. */
  drop(): void {
    if (--this.refs === 0) this.closeUnused();
  }

  /**
   * Closes all fds if no task has the table any more. After a fault in a file's close it is called
   * again and continues with the next file.
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
