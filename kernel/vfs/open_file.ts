/**
 * An open file description (open(2)), which fds of one or several tasks refer to. Each kind of file
 * subclasses OpenFile. Files never block: they return -EAGAIN, and the system call layer waits on
 * `waitQueue` unless the file is O_NONBLOCK.
 *
 * The defaults are those of a file that supports nothing. Neighbours: fd_table.ts, mm/io_cursor.ts,
 * inode.ts.
 */

import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/abi/poll.ts";
import { O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDWR, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import type { DeferredWork, WorkItem } from "../core/deferred_work.ts";
import type { Account } from "../core/account.ts";
import { EINVAL, ENODEV, ENOTDIR, ENOTTY, ESPIPE } from "../../ffi/abi/errno.ts";
import { OPEN_FILES } from "../core/quota.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { PidSpace } from "../cred/pid.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Backing } from "../mm/backing.ts";
import { dropPath, holdPath, type Path } from "./dentry.ts";
import type { DirSink, Inode } from "./inode.ts";
import { notifyClose } from "./notify.ts";

/**
 * An entry of `OpenFile.watchers`. The list is linked both ways, because there may be 10^6 entries
 * and each is removed alone.
 */
export interface FileWatcher {
  prevWatcher: FileWatcher | null;
  nextWatcher: FileWatcher | null;
  /** The work that ends many entries in slices; null for entries that are always few. */
  readonly deferred: DeferredWork | null;
  /** The description is being freed: the entry removes itself from its `watchers`. */
  onFileGone(): void;
}

export class WatchersEnd implements WorkItem {
  private readonly file: OpenFile;

  constructor(file: OpenFile) {
    this.file = file;
  }
  step(units: number): number {
    return this.file.endWatchers(units);
  }
}

/**
 * LIMIT: bytes of one turn's transfer for most files: 0.05 to 0.3 ms. Another task waits for about
 * one such turn; a turn more costs some microseconds.
 */
export const SLICE_BYTES: number = 512 << 10;

export abstract class OpenFile {
  /** The account that it is charged to; accept(2) changes that of its socket. */
  account: Account;
  /**
   * O_* status flags and access mode, as F_GETFL shows them (without O_CLOEXEC and creation flags).
   */
  flags: number;
  /**
   * The file position of seekable files; read, write and lseek of the system call layer keep it.
   */
  pos: number = 0;
  /** Null for anonymous files whose path is only text (pipe:[1], anon_inode:[eventpoll]). */
  path: Path | null = null;
  /** References from fd tables, messages in flight, mappings and running calls. */
  refs: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  /** Opener's credentials. */
  cred: Credentials | null = null;
  /** Its use makes no events: it is inside another description, or fanotify made its descriptor. */
  isQuiet: boolean = false;
  /** The open created the file (F_CREATED_QUERY). */
  isCreated: boolean = false;
  /**
   * The last read returned -EAGAIN to let other tasks run: it continues in another turn of the
   * loop, with O_NONBLOCK too.
   */
  needsTurn: boolean = false;
  /**
   * LIMIT: bytes that one turn of the loop reads or writes; a longer transfer continues after other
   * tasks.
   */
  sliceBytes: number = SLICE_BYTES;
  /** The state of F_SETOWN, F_SETSIG and O_ASYNC; fcntl(2) sets it. */
  owner: object | null = null;
  /**
   * The rights that landlock(7) denied at the open and that later calls check:
   * LANDLOCK_ACCESS_FS_*.
   */
  deniedLater: number = 0;
  /** Epoll items; each is called when the last reference is gone. */
  watchers: FileWatcher | null = null;
  /**
   * 1: counted as a writer of its inode, mount and file system; -1: keeps writers out (execve); 0:
   * neither.
   */
  private writeAccess: number = 0;

  /**
   * @param isCharged false for a description that wraps another one, which is charged instead
   */
  constructor(account: Account, flags: number, isCharged: boolean = true) {
    this.flags = flags;
    // Assigned here, not where the field is declared: an initial value that is no literal makes
    // V8's constructor 0.25 us slower.
    this.account = account;
    if (isCharged) OPEN_FILES.add(1, this.account);
  }

  abstract readonly inode: Inode;

  /**
   * A description of access mode 3 can neither read nor write: it is for ioctl(2) only (open(2)).
   */
  get canRead(): boolean {
    return (this.flags & O_WRONLY) === 0 && (this.flags & O_PATH) === 0;
  }
  get canWrite(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (mode === O_WRONLY || mode === O_RDWR) && (this.flags & O_PATH) === 0;
  }
  get isNonblocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }
  get isAppending(): boolean {
    return (this.flags & O_APPEND) !== 0;
  }
  /** It holds files while it exists, so neither a message nor a ring may hold it (io_uring). */
  get isRing(): boolean {
    return false;
  }
  /** pread(2), pwrite(2) and lseek(2) are allowed, and `pos` is used. */
  get isSeekable(): boolean {
    return false;
  }

  /** The offset of SEEK_END; block devices override it. */
  get endOffset(): number {
    return this.inode.size;
  }

  /** lseek(2) always goes to the start (/dev/null, /dev/zero, /dev/full). */
  get isRewound(): boolean {
    return false;
  }

  /**
   * Whether RWF_NOWAIT works for reads: it depends on how the file was opened (FMODE_NOWAIT) and on
   * its file system.
   */
  get readsNow(): boolean {
    return false;
  }
  get writesNow(): boolean {
    return false;
  }

  /**
   * A stream: a blocking write(2) continues until everything is written, and EPIPE raises SIGPIPE.
   */
  get writesAll(): boolean {
    return false;
  }

  /** splice(2) and sendfile(2) can write to it (`splice_write` of Linux's file_operations). */
  get takesSplice(): boolean {
    return this.write !== OpenFile.prototype.write;
  }

  /** O_DIRECT may be set: reads and writes can bypass the page cache. */
  get canDirect(): boolean {
    return false;
  }

  /** With O_ASYNC, the owner that F_SETOWN names gets a signal at its events. */
  get canSignal(): boolean {
    return false;
  }

  /**
   * Sets the path that it was opened by, which is pinned, and the opener's credentials. The open
   * calls it once.
   */
  attach(path: Path, cred: Credentials): void {
    this.path = holdPath(path);
    if ((this.flags & O_PATH) === 0) this.inode.openCount++;
    this.cred = cred;
  }

  hold(): this {
    this.refs++;
    return this;
  }
  drop(): void {
    if (--this.refs === 0) this.finish();
  }

  /** Uncharges the account. */
  protected uncharge(): void {
    OPEN_FILES.give(1, this.account);
  }

  addWatcher(watcher: FileWatcher): void {
    watcher.prevWatcher = null;
    watcher.nextWatcher = this.watchers;
    if (this.watchers !== null) this.watchers.prevWatcher = watcher;
    this.watchers = watcher;
  }

  /** Removes a watcher, which must be in the list. */
  removeWatcher(watcher: FileWatcher): void {
    const { prevWatcher, nextWatcher } = watcher;
    if (prevWatcher === null) this.watchers = nextWatcher;
    else prevWatcher.nextWatcher = nextWatcher;
    if (nextWatcher !== null) nextWatcher.prevWatcher = prevWatcher;
    watcher.prevWatcher = watcher.nextWatcher = null;
  }

  /** Ends a slice of the watchers. The watchers that are left find `refs` to be 0. */
  endWatchers(units: number): number {
    for (; this.watchers !== null; units--) {
      if (units <= 0) return 0;
      this.watchers.onFileGone();
    }
    return units;
  }

  private finish(): void {
    this.uncharge();
    while (this.watchers !== null && this.watchers.deferred === null) this.watchers.onFileGone();
    this.watchers?.deferred?.begin(new WatchersEnd(this));
    const inode = this.inode;
    if (inode.locks !== null) inode.locks.releaseFile(this);
    if (inode.leases !== null) inode.leases.remove(this);
    notifyClose(this);
    this.release();
    const path = this.path;
    if (path === null) return;
    if ((this.flags & O_PATH) === 0) inode.openCount--;
    if (this.writeAccess !== 0) {
      inode.writeCount -= this.writeAccess;
      if (this.writeAccess > 0) {
        path.mount.writers--;
        path.mount.fs.writers--;
      }
    }
    dropPath(path);
  }

  /**
   * Counts a description that was opened for writing: while it lives, execve(2) and read-only
   * remounts fail.
   */
  countWriter(): void {
    if (this.path === null || this.writeAccess !== 0) return;
    this.writeAccess = 1;
    this.inode.writeCount++;
    this.path.mount.writers++;
    this.path.mount.fs.writers++;
  }

  /**
   * Marks a description that was opened for execve(2): while it is open, opening the file for
   * writing gives ETXTBSY. False when the file has a writer.
   */
  denyWriters(): boolean {
    if (this.writeAccess < 0) return true;
    if (this.writeAccess > 0 || this.inode.writeCount > 0) return false;
    this.writeAccess = -1;
    this.inode.writeCount--;
    return true;
  }

  /**
   * Reads into the cursor, which has the length. `offset` is -1 for files that are not seekable.
   * Returns the bytes read (0 = end), -EAGAIN when it would block, or -errno.
   */
  read(_io: IoCursor, _offset: number): number {
    return -EINVAL;
  }
  /** Writes from the cursor. With O_APPEND the file writes at its end and sets `pos`. */
  write(_io: IoCursor, _offset: number): number {
    return -EINVAL;
  }
  /** Poll bits that hold now. */
  poll(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }
  /**
   * The queue that is woken with poll bits when they may have changed; null when `poll` never
   * changes.
   */
  get waitQueue(): WaitQueue | null {
    return null;
  }
  /** A write has a high cost for each byte: the task's turn of the loop ends after one write. */
  get isSlow(): boolean {
    return false;
  }
  /** Callers return its -EAGAIN to the guest and do not wait. */
  get neverBlocks(): boolean {
    return false;
  }
  /**
   * Handles SEEK_DATA and SEEK_HOLE; the caller does SEEK_SET, SEEK_CUR and SEEK_END through
   * `size`.
   */
  seek(_offset: number, _whence: number): number {
    return -ESPIPE;
  }
  /** FS_IOC_FIEMAP lists the extents that SEEK_DATA and SEEK_HOLE find. */
  get mapsExtents(): boolean {
    return false;
  }
  /** ioctl(2) with its raw arguments; pointers are read through `user`. */
  ioctl(_request: number, _arg: number, _user: UserMemory): number {
    return -ENOTTY;
  }
  /**
   * Gives the directory entries after `pos` (an opaque cookie) to the sink until that returns
   * false.
   */
  readdir(_sink: DirSink): number {
    return -ENOTDIR;
  }
  truncate(_size: number): number {
    return -EINVAL;
  }
  fallocate(_mode: number, _offset: number, _len: number): number {
    return -ENODEV;
  }
  fsync(_dataOnly: boolean): number {
    return -EINVAL;
  }
  /** The number of the file's pages in [from, to) that are in memory. */
  cachedPages(_from: number, _to: number): number {
    return 0;
  }
  /**
   * The backing of a mapping of this file; -ENODEV when it cannot be mapped, -EACCES by the access
   * mode.
   */
  mmap(_writable: boolean, _shared: boolean, _offset: number = 0): Backing | number {
    return -ENODEV;
  }
  /** An fd of this description was closed; the result is that of close(2). */
  onFdClose(_ownerFiles: object): number {
    return 0;
  }
  /** Frees what the file holds; called once, when the last reference is gone. */
  protected release(): void {}
  /** The text of /proc/PID/fd when there is no path: `pipe:[17]`. */
  describe(): string {
    return "anon_inode:[file]";
  }
  /** The extra lines of /proc/PID/fdinfo/N, with ids of a PID namespace. */
  fdinfo(_pids: PidSpace): string {
    return "";
  }
}
