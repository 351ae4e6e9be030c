/**
 * Inodes of an overlay that are not directories: regular files, symbolic links, devices, FIFOs,
 * sockets. An open for writing copies the file up.
 */

import type { Account } from "../../core/account.ts";
import { O_ACCMODE, O_NOATIME, O_RDONLY, O_TRUNC, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { MAY_READ, MAY_WRITE } from "../../cred/permission.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { COPY_DATA, COPY_NOTHING } from "./copy_up.ts";
import { OverlayFile } from "./overlay_file.ts";
import { OverlayInode } from "./overlay_inode.ts";

export class OverlayNode extends OverlayInode {
  /** The inode that has the bytes. */
  get data(): Inode {
    return this.isDataLower ? this.lower! : this.real;
  }

  override get isLinkable(): boolean {
    return this.upper !== null && this.upper.isLinkable;
  }

  override readlink(): string | number {
    return this.real.readlink();
  }

  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    if ((flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0) {
      const r = this.copyUp((flags & O_TRUNC) !== 0 ? COPY_NOTHING : COPY_DATA);
      if (r < 0) return r;
    }
    const data = this.data, mode = flags & O_ACCMODE;
    const may = this.fs.mayUse(
      data,
      (mode === O_WRONLY ? 0 : MAY_READ) | (mode === O_RDONLY ? 0 : MAY_WRITE),
    );
    if (may < 0) return may;
    const real = data.open(dentry, (flags & ~O_TRUNC) | O_NOATIME, cred, account);
    return typeof real === "number" ? real : new OverlayFile(account, this, data, real, flags);
  }
}
