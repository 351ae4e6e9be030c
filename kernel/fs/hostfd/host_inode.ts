/**
 * The inode of a host descriptor that the sandbox was started with: a pipe or socket, a terminal, a
 * regular file. Only it watches the descriptor. Several open files may share it (/dev/stdout); the
 * last one closes the descriptor, so that its other end sees the close.
 *
 * Neighbours: host_file.ts (reading and writing), adopt.ts (how one is made).
 */

import { POLLERR, POLLHUP } from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { EPERM } from "../../../ffi/abi/errno.ts";
import { makedev, S_IFCHR, S_IFIFO, S_IFREG } from "../../../ffi/abi/stat.ts";
import { ANON_INODE_FS_MAGIC } from "../../../ffi/abi/statfs.ts";
import type { Host } from "../../core/host.ts";
import { Waiter, WaitQueue } from "../../core/wait.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Caller } from "../../vfs/caller.ts";
import type { Dentry, Path } from "../../vfs/dentry.ts";
import type { DeviceNumbers } from "../../vfs/device_numbers.ts";
import {
  ATTR_GID,
  ATTR_MODE,
  ATTR_SIZE,
  ATTR_UID,
  type AttrChange,
  FileSystem,
  type Inode,
  type StatFs,
} from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { InodeOpener } from "../../vfs/special_files.ts";
import { HostFile } from "./host_file.ts";
import { kindOf, REGULAR, STREAM, TERMINAL } from "./kinds.ts";

/** Memory of the host for struct iovec arrays and small structs, used within one call. */
interface ScratchPage {
  /** The host address of a page. */
  readonly bounce: number;
}

/** The file system of host descriptors; it has no tree. */
export class HostFdFs extends FileSystem {
  override readonly type = "hostfd";
  override readonly root: Inode;
  readonly host: Host;
  private readonly memory: ScratchPage;
  private lastIno: number = 1;

  constructor(host: Host, devices: DeviceNumbers, memory: ScratchPage) {
    super(devices);
    this.host = host;
    this.memory = memory;
    this.root = new HostFdInode(this, 1, -1, STREAM);
  }

  get scratch(): number {
    return this.memory.bounce;
  }

  /** Makes an inode for a descriptor, which it owns. */
  makeInode(fd: number, kind: number): HostFdInode {
    return new HostFdInode(this, ++this.lastIno, fd, kind);
  }

  override statfs(out: StatFs): number {
    out.type = ANON_INODE_FS_MAGIC;
    return 0;
  }
}

/** The device number of a terminal. */
function rdevOf(kind: number): number {
  return kind === TERMINAL ? makedev(136, 0) : 0;
}

const MODES: readonly number[] = [S_IFIFO | 0o600, S_IFCHR | 0o620, S_IFREG | 0o644];

export class HostFdInode extends PlainInode {
  override readonly fs: HostFdFs;
  /** -1 when closed; in a copy until `connect`. */
  fd: number;
  kind: number;
  readonly queue: WaitQueue = new WaitQueue();
  readonly files: Set<HostFile> = new Set();
  /** It is a FIFO of the host that a guest has opened. */
  isFifo: boolean = false;
  private readonly watch: HostWatch;
  /**
   * The poll bits that the host is going to report, and whether the descriptor was ever watched.
   */
  private armed: number = 0;
  private isWatched: boolean = false;

  constructor(fs: HostFdFs, ino: number, fd: number, kind: number) {
    super(fs, ino, MODES[kind] ?? MODES[0]!);
    this.fs = fs;
    this.fd = fd;
    this.kind = kind;
    this.rdev = rdevOf(kind);
    this.watch = new HostWatch(this);
    this.special = new HostFdOpener();
  }

  /**
   * Gives a copy the descriptor of a new start, which it owns; -1: there is none. It may be of
   * another kind. Those that wait for events look again.
   */
  connect(fd: number): void {
    const { host, scratch } = this.fs;
    this.fd = fd;
    if (fd >= 0 && this.files.size === 0) this.closeDescriptor();
    else if (fd >= 0) this.become(kindOf(host, scratch, fd));
    this.queue.wake(-1);
  }

  private become(kind: number): void {
    const before = this.kind;
    this.kind = kind;
    this.rdev = rdevOf(kind);
    if (kind !== before) this.mode = MODES[kind] ?? MODES[0]!;
    for (const file of this.files) file.onConnected(before === REGULAR);
  }

  override refresh(): number {
    if (this.fd < 0) return 0;
    return this.fs.host.fileStatus(this.fd, this);
  }

  /**
   * Pipes and terminals can change mode and owner, because programs that start others do that. A
   * regular file belongs to the host and can only be truncated.
   */
  override setattr(change: AttrChange, _cred: Credentials): number {
    if (this.kind === REGULAR) {
      if ((change.valid & (ATTR_MODE | ATTR_UID | ATTR_GID)) !== 0) return -EPERM;
      return (change.valid & ATTR_SIZE) === 0
        ? -EPERM
        : this.fs.host.ftruncate(this.fd, change.size);
    }
    if ((change.valid & ATTR_MODE) !== 0) {
      this.mode = (this.mode & ~0o7777) | (change.mode & 0o7777);
    }
    if ((change.valid & ATTR_UID) !== 0) this.uid = change.uid;
    if ((change.valid & ATTR_GID) !== 0) this.gid = change.gid;
    return 0;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return new HostFile(account, this, flags, false);
  }

  /** Returns those of the poll bits that hold now; the others will be reported to `queue`. */
  readyEvents(events: number): number {
    const now = this.fs.host.pollNow(this.fd, events);
    if (now < 0) return POLLERR;
    const missing = events & ~now;
    if (missing !== 0) this.armEvents(missing);
    return now;
  }

  /** Makes the host report these poll bits, once. */
  armEvents(events: number): void {
    if (this.kind === REGULAR || (events & ~this.armed) === 0) return;
    this.armed |= events | POLLERR | POLLHUP;
    const { host } = this.fs;
    if (this.isWatched) {
      host.arm(this.fd, this.armed);
      return;
    }
    this.isWatched = true;
    host.watch(this.fd, this.armed, this.watch);
  }

  onEvents(events: number): void {
    this.armed = 0;
    this.queue.wake(events);
  }

  /** Called when an open file is closed; the last one closes the descriptor. */
  removeFile(file: HostFile): void {
    this.files.delete(file);
    if (this.files.size === 0 && this.fd >= 0) this.closeDescriptor();
  }

  private closeDescriptor(): void {
    const { host } = this.fs;
    if (this.isWatched) host.unwatch(this.fd);
    host.close(this.fd);
    this.fd = -1;
  }
}

export class HostWatch extends Waiter {
  private readonly inode: HostFdInode;

  constructor(inode: HostFdInode) {
    super();
    this.inode = inode;
  }

  override onWake(events: number): void {
    this.inode.onEvents(events);
  }
}

/** Opens /dev/stdout or /proc/PID/fd/N: another description of the same descriptor. */
export class HostFdOpener extends InodeOpener {
  override open(caller: Caller, _path: Path, inode: Inode, flags: number): OpenFile | number {
    return inode instanceof HostFdInode && inode.fd >= 0
      ? new HostFile(caller.account, inode, flags, false)
      : -EPERM;
  }
}
