/** The base class of files of /sys: one value each, of 4096 bytes in stat(2), and read-only. */

import type { Account } from "../../core/account.ts";
import { EACCES } from "../../../ffi/abi/errno.ts";
import { O_ACCMODE, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { type Polling, TextInode } from "../generated/text_inode.ts";

export abstract class SysText extends TextInode {
  constructor(fs: GeneratedFs, ino: number = fs.nextIno()) {
    super(fs, ino, 0o444);
  }

  override get polling(): Polling {
    return "changed";
  }

  /** A file that cannot be written cannot be opened for writing, not even by root. */
  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    return (flags & O_ACCMODE) === O_RDONLY ? super.open(dentry, flags, cred, account) : -EACCES;
  }
}
