/** Files of control groups: a read makes a text, a write gives a command. */

import {
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import type { Account } from "../../core/account.ts";
import { ENODEV, EPERM } from "../../../ffi/abi/errno.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { type Polling, TextFile, TextInode } from "../../fs/generated/text_inode.ts";
import type { CgroupFs } from "./cgroup_fs.ts";
import { GroupXattrs } from "./group_xattrs.ts";
import type { GroupFile, GroupHandle, GroupNode } from "./group_node.ts";

/** LIMIT: bytes of one write(2). */
const MAX_WRITE = 4095;

export class GroupFileInode extends TextInode {
  readonly file: GroupFile;
  readonly node: GroupNode;
  private readonly attributes: GroupXattrs;

  constructor(fs: CgroupFs, node: GroupNode, file: GroupFile, dir: Inode) {
    super(fs, fs.nextIno(), file.permissions);
    this.attributes = new GroupXattrs(node.account);
    this.node = node;
    this.file = file;
    if (file.changes !== null) {
      file.changes.file = this;
      file.changes.dir = dir;
    }
  }

  override get polling(): Polling {
    return "changed";
  }

  /** Only an open file has a text. */
  override render(): string | number {
    return -EPERM;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    if (this.node.isGone) return -ENODEV;
    return new OpenGroupFile(account, this, flags, this.file.open(cred));
  }

  protected override get xattrs(): GroupXattrs {
    return this.attributes;
  }

  /** Called when the group is removed, or loses the file. */
  end(): void {
    this.attributes.close();
  }
}

export class OpenGroupFile extends TextFile {
  private readonly group: GroupFileInode;
  private readonly handle: GroupHandle;
  /** Changes up to the last read; -1: it was never read. */
  private seen: number = -1;

  constructor(account: Account, inode: GroupFileInode, flags: number, handle: GroupHandle) {
    super(account, inode, flags);
    this.group = inode;
    this.handle = handle;
  }

  protected override render(): string | number {
    if (this.group.node.isGone) return -ENODEV;
    const text = this.handle.read();
    this.seen = this.group.file.changes?.count ?? 0;
    return text;
  }

  override write(io: IoCursor, _offset: number): number {
    const buf = new Uint8Array(Math.min(io.remaining, MAX_WRITE));
    const n = io.takeBytes(buf, 0, buf.length);
    if (n < 0) return n;
    if (this.group.node.isGone) return -ENODEV;
    const r = this.handle.write(bytesToString(buf, 0, n).trim());
    return r < 0 ? r : n;
  }

  override poll(): number {
    const always = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, { changes } = this.group.file;
    return (changes?.count ?? 0) === this.seen ? always : always | POLLPRI | POLLERR;
  }
  override get neverBlocks(): boolean {
    return true;
  }
  protected override release(): void {
    super.release();
    this.handle.close();
  }
  override get waitQueue(): WaitQueue | null {
    return this.group.file.changes?.queue ?? super.waitQueue;
  }
}
