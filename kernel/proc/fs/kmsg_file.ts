/** /proc/kmsg (proc_kmsg(5)): the kernel's log, which stays empty: readers wait. */

import type { Account } from "../../core/account.ts";
import { CAP_SYS_ADMIN, CAP_SYSLOG } from "../../../ffi/abi/capability.ts";
import { EAGAIN, EPERM } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import { WaitQueue } from "../../core/wait.ts";
import { type Credentials, hasCap } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { GeneratedInode } from "../../fs/generated/generated_inode.ts";

export class KmsgInode extends GeneratedInode {
  constructor(fs: GeneratedFs) {
    super(fs, fs.nextIno(), S_IFREG | 0o400);
  }

  override open(
    _dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const mayRead = hasCap(cred, CAP_SYSLOG) || hasCap(cred, CAP_SYS_ADMIN);
    return mayRead ? new ProcKmsgFile(account, flags, this) : -EPERM;
  }
}

export class ProcKmsgFile extends OpenFile {
  readonly inode: Inode;
  private readonly queue: WaitQueue = new WaitQueue();

  constructor(account: Account, flags: number, inode: Inode) {
    super(account, flags);
    this.inode = inode;
  }

  override read(): number {
    return -EAGAIN;
  }
  override poll(): number {
    return 0;
  }
  override get waitQueue(): WaitQueue {
    return this.queue;
  }
}
