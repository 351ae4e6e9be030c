/**
 * Inodes of files without a name: pipes, sockets, eventfds, epoll sets, pidfds (anon_inodefs,
 * pipefs, sockfs, pidfs). They have stat data and nothing else. The kernel has one AnonFiles with
 * these file systems.
 */

import type { Account } from "../../core/account.ts";
import { EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { DeviceNumbers } from "../../vfs/device_numbers.ts";
import {
  ATTR_GID,
  ATTR_MODE,
  ATTR_UID,
  type AttrChange,
  FileSystem,
  type Inode,
  type StatFs,
} from "../../vfs/inode.ts";
import { PlainInode } from "../../vfs/plain_inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";

/** The file system type numbers of statfs(2). */
const MAGIC: Readonly<Record<string, number>> = {
  pipefs: 0x50495045,
  sockfs: 0x534f434b,
  anon_inodefs: 0x09041934,
  pidfs: 0x50494446,
};

export class AnonFs extends FileSystem {
  override readonly type: string;
  override readonly root: Inode;
  override isInternal = true;
  /** Numbers of four digits or more, because netstat(8) does not accept shorter ones. */
  private lastIno: number = 1000;

  constructor(devices: DeviceNumbers, type: "pipefs" | "sockfs" | "anon_inodefs" | "pidfs") {
    super(devices);
    this.type = type;
    this.root = new AnonInode(this, 1, 0o600);
  }

  /** Makes an inode; `mode` includes the file type. */
  makeInode(mode: number): AnonInode {
    return new AnonInode(this, ++this.lastIno, mode);
  }

  override statfs(out: StatFs): number {
    out.type = MAGIC[this.type] ?? 0;
    out.blockSize = 4096;
    out.nameMax = 255;
    return 0;
  }
}

export class AnonInode extends PlainInode {
  /** The protocol name of a socket. */
  protocolName: string = "";

  override setattr(change: AttrChange, _cred: Credentials): number {
    if (this.fs.type === "anon_inodefs") return -EPERM;
    if (this.fs.type === "pidfs") return -EOPNOTSUPP;
    if (change.valid & ATTR_MODE) this.mode = (this.mode & ~0o7777) | (change.mode & 0o7777);
    if (change.valid & ATTR_UID) this.uid = change.uid;
    if (change.valid & ATTR_GID) this.gid = change.gid;
    return 0;
  }
}

/** The file systems of one kernel for files without a name; NetShared has those of sockets. */
export class AnonFiles {
  readonly pipes: AnonFs;
  /** Its root is the inode of every eventfd, epoll set, timerfd, ..., as on Linux. */
  readonly others: AnonFs;
  /**
   * Has an inode for each process or thread with a pidfd: equal inode numbers mean the same
   * process.
   */
  readonly pids: AnonFs;
  private nextId: number = 0;

  constructor(devices: DeviceNumbers) {
    this.pipes = new AnonFs(devices, "pipefs");
    this.others = new AnonFs(devices, "anon_inodefs");
    this.pids = new AnonFs(devices, "pidfs");
  }

  /** The id of the next eventfd in /proc/PID/fdinfo. */
  nextEventId(): number {
    return this.nextId++;
  }
}

/** The base class of files with the shared inode of anon_inodefs. */
export abstract class AnonFile extends OpenFile {
  override readonly inode: Inode;

  constructor(account: Account, anon: AnonFiles, flags: number) {
    super(account, flags);
    this.inode = anon.others.root;
  }
  override get takesSplice(): boolean {
    return false;
  }
}
