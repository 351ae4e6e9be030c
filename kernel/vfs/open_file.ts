/**
 * An open file description (open(2)): what fds of one or several tasks refer to. Files never block: they
 * return -EAGAIN, and the system call layer waits on `waitQueue` when the file is not O_NONBLOCK.
 *
 * Defaults are those of a file that cannot do it. Neighbours: fd_table.ts, io_cursor.ts, inode.ts.
 */

import type { DeferredWork, Job } from "../core/deferred_work.ts";
import { type Account, ACCOUNTING } from "../core/account.ts";
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

export const POLLIN = 1, POLLPRI = 2, POLLOUT = 4, POLLERR = 8, POLLHUP = 0x10, POLLNVAL = 0x20;
export const POLLRDNORM = 0x40,
  POLLRDBAND = 0x80,
  POLLWRNORM = 0x100,
  POLLWRBAND = 0x200,
  POLLRDHUP = 0x2000;

const O_ACCMODE = 3,
  O_WRONLY = 1,
  O_RDWR = 2,
  O_APPEND = 0o2000,
  O_NONBLOCK = 0o4000,
  O_PATH = 0o10000000;

/**
 * An entry of `OpenFile.watchers`, linked both ways: there may be 10^6, and each leaves by itself.
 */
export interface FileWatcher {
  prevWatcher: FileWatcher | null;
  nextWatcher: FileWatcher | null;
  /** Ends many of them in slices; null: there are never many. */
  readonly deferred: DeferredWork | null;
  /** The description is going away: unlink this from its `watchers`. */
  onFileGone(): void;
}

class WatchersEnd implements Job {
  private readonly file: OpenFile;

  constructor(file: OpenFile) {
    this.file = file;
  }
  step(units: number): number {
    return this.file.endWatchers(units);
  }
}

/** LIMIT: bytes of a transfer that takes one turn, for most files (1 to 2 ms). */
export const SLICE_BYTES: number = 2 << 20;

export abstract class OpenFile {
  /** What it is charged to. */
  readonly account: Account;
  /** O_* status flags and access mode, as F_GETFL shows them (without O_CLOEXEC and creation flags). */
  flags: number;
  /** File position, kept by read/write/lseek of the syscall layer for seekable files. */
  pos: number = 0;
  /** Null for anonymous files whose path is only text (pipe:[1], anon_inode:[eventpoll]). */
  path: Path | null = null;
  /** References from fd tables, messages in flight, mappings and running calls. */
  refs: number = 1;
  /** Opener's credentials. */
  cred: Credentials | null = null;
  /** Its use makes no events: inside of another description, or a descriptor of fanotify's own. */
  isQuiet: boolean = false;
  /** The open made the file (F_CREATED_QUERY). */
  isCreated: boolean = false;
  /**
   * The last read gave -EAGAIN for the sake of other tasks: it goes on in another turn of the loop,
   * O_NONBLOCK or not.
   */
  needsTurn: boolean = false;
  /**
   * LIMIT: bytes that are read or written in one turn of the loop; the rest of a longer transfer
   * lets others go first.
   */
  sliceBytes: number = SLICE_BYTES;
  /** F_SETOWN, F_SETSIG, O_ASYNC: kept by fcntl. */
  owner: object | null = null;
  /** What landlock(7) denied when it was opened, for later calls: LANDLOCK_ACCESS_FS_*. */
  deniedLater: number = 0;
  /** Called when the last reference goes: epoll items. */
  watchers: FileWatcher | null = null;
  /** 1: counted as a writer of its inode, mount and file system; -1: keeps writers out (exec); 0: neither. */
  private writeAccess: number = 0;

  /** @param isCharged false: it wraps another description, which is charged in its place */
  constructor(flags: number, isCharged: boolean = true) {
    this.flags = flags;
    // Assigned here, not where the field is declared: an initial value that is no literal makes
    // V8's constructor 0.25 us slower.
    this.account = ACCOUNTING.current;
    if (isCharged) OPEN_FILES.add(1, this.account);
  }

  abstract readonly inode: Inode;

  /** Access mode 3 can do neither: it is for ioctl only (open(2)). */
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
  /** It holds files for as long as it is there: neither a message nor a ring may hold it (io_uring). */
  get isRing(): boolean {
    return false;
  }
  /** pread/pwrite and lseek are allowed, and `pos` counts. */
  get isSeekable(): boolean {
    return false;
  }

  /** Where SEEK_END is; a block device knows better than its node. */
  get endOffset(): number {
    return this.inode.size;
  }

  /** lseek(2) goes to the start, wherever it is asked to go (/dev/null, /dev/zero, /dev/full). */
  get isRewound(): boolean {
    return false;
  }

  /** RWF_NOWAIT works on it, as it was opened (FMODE_NOWAIT) and as its file system goes about it. */
  get readsNow(): boolean {
    return false;
  }
  get writesNow(): boolean {
    return false;
  }

  /** A stream: a blocking write(2) goes on until everything is taken, and raises SIGPIPE at EPIPE. */
  get writesAll(): boolean {
    return false;
  }

  /** O_DIRECT may be set: reads and writes can pass the page cache by. */
  get canDirect(): boolean {
    return false;
  }

  /** The owner that F_SETOWN names gets a signal at its events, with O_ASYNC. */
  get canSignal(): boolean {
    return false;
  }

  /** Bind to the path that it was opened by (pins it) and to its opener. Once, by the open. */
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

  /** Gives back what it is charged as. */
  protected uncharge(): void {
    OPEN_FILES.give(1, this.account);
  }

  addWatcher(watcher: FileWatcher): void {
    watcher.prevWatcher = null;
    watcher.nextWatcher = this.watchers;
    if (this.watchers !== null) this.watchers.prevWatcher = watcher;
    this.watchers = watcher;
  }

  /** It must be among them. */
  removeWatcher(watcher: FileWatcher): void {
    const { prevWatcher, nextWatcher } = watcher;
    if (prevWatcher === null) this.watchers = nextWatcher;
    else prevWatcher.nextWatcher = nextWatcher;
    if (nextWatcher !== null) nextWatcher.prevWatcher = prevWatcher;
    watcher.prevWatcher = watcher.nextWatcher = null;
  }

  /** A slice of the end of its watchers. Those that are left find `refs` to be 0. */
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

  /** Opened for writing at its path: as long as it lives, no exec and no read-only remount. */
  countWriter(): void {
    if (this.path === null || this.writeAccess !== 0) return;
    this.writeAccess = 1;
    this.inode.writeCount++;
    this.path.mount.writers++;
    this.path.mount.fs.writers++;
  }

  /**
   * Opened to be executed: while it is open, opening for writing is ETXTBSY. False: there is a
   * writer.
   */
  denyWriters(): boolean {
    if (this.writeAccess < 0) return true;
    if (this.writeAccess > 0 || this.inode.writeCount > 0) return false;
    this.writeAccess = -1;
    this.inode.writeCount--;
    return true;
  }

  /**
   * Read into the cursor, which knows how much is wanted. `offset` is -1 for files that are not seekable.
   * Returns bytes read (0 = end), -EAGAIN when it would block, or -errno.
   */
  read(_io: IoCursor, _offset: number): number {
    return -EINVAL;
  }
  /** Write from the cursor; O_APPEND is the file's affair: it then writes at its end and sets `pos`. */
  write(_io: IoCursor, _offset: number): number {
    return -EINVAL;
  }
  /** Poll bits that hold now. */
  poll(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }
  /** Woken with poll bits when they may have changed; null when `poll` never changes. */
  get waitQueue(): WaitQueue | null {
    return null;
  }
  /** A write does much for each byte: one is enough for a turn of the loop. */
  get isSlow(): boolean {
    return false;
  }
  /** Its -EAGAIN is an answer: no caller waits. */
  get neverBlocks(): boolean {
    return false;
  }
  /** SEEK_SET, SEEK_CUR and SEEK_END are done by the caller through `size`; SEEK_DATA and SEEK_HOLE come here. */
  seek(_offset: number, _whence: number): number {
    return -ESPIPE;
  }
  /** FS_IOC_FIEMAP tells the extents that SEEK_DATA and SEEK_HOLE find. */
  get mapsExtents(): boolean {
    return false;
  }
  /** Arguments are the raw ones; pointers go through `user`. */
  ioctl(_request: number, _arg: number, _user: UserMemory): number {
    return -ENOTTY;
  }
  /** Give directory entries after `pos` (an opaque cookie); stops when the sink returns false. */
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
  /** How many of the file's pages [from, to) are in memory. */
  cachedPages(_from: number, _to: number): number {
    return 0;
  }
  /** What a mapping of this file is made of; -ENODEV when it cannot be mapped, -EACCES by access mode. */
  mmap(_writable: boolean, _shared: boolean, _offset: number = 0): Backing | number {
    return -ENODEV;
  }
  /** An fd of this description was closed (POSIX locks, flush errors). */
  onFdClose(_ownerFiles: object): number {
    return 0;
  }
  /** The last reference is gone. */
  protected release(): void {}
  /** For /proc/PID/fd when there is no path: `pipe:[17]`. */
  describe(): string {
    return "anon_inode:[file]";
  }
  /** Extra lines of /proc/PID/fdinfo/N; ids in them are those of a PID namespace. */
  fdinfo(_pids: PidSpace): string {
    return "";
  }
}
