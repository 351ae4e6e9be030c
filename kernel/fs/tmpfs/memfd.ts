/**
 * memfd_create(2): a regular tmpfs file that never has a name, in an internal tmpfs; and file
 * sealing (F_ADD_SEALS, F_GET_SEALS of fcntl(2)).
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import {
  F_SEAL_EXEC,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_NOEXEC_SEAL,
  O_LARGEFILE,
  O_RDWR,
} from "../../../ffi/abi/fcntl.ts";
import type { Credentials } from "../../cred/credentials.ts";
import { Dentry, type Mount, Path } from "../../vfs/dentry.ts";
import { internalMount } from "../../vfs/mount_links.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { TmpfsRegular } from "./regular.ts";
import { TmpfsFile } from "./regular_file.ts";
import type { TmpfsFs } from "./tmpfs.ts";

/** The longest name: NAME_MAX without "memfd:". */
export const MFD_NAME_MAX = 249;
const EITHER = MFD_EXEC | MFD_NOEXEC_SEAL;
const KNOWN = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;

/** Whether the flags are known and do not contradict each other. */
export function areMemfdFlags(flags: number): boolean {
  return (flags & ~KNOWN) === 0 && (flags & EITHER) !== EITHER;
}

/** The tmpfs of all memfds; a kernel has one. */
export class MemfdStore {
  private readonly fs: TmpfsFs;
  private readonly mount: Mount;

  /** `fs` is a tmpfs for this purpose, without limits. */
  constructor(account: Account, vfs: Vfs, fs: TmpfsFs) {
    this.fs = fs;
    fs.isInternal = true;
    this.mount = internalMount(account, vfs, fs);
  }

  /**
   * Makes a memfd, open for reading and writing. -EINVAL: unknown or contradicting flags, a name
   * that is too long, and MFD_HUGETLB, as on a kernel without hugetlbfs.
   */
  create(name: string, flags: number, cred: Credentials, account: Account): OpenFile | number {
    if (!areMemfdFlags(flags)) return -EINVAL;
    if (name.length > MFD_NAME_MAX) return -EINVAL;
    const noExec = (flags & MFD_NOEXEC_SEAL) !== 0;
    const inode = this.fs.root.tmpfile(
      noExec ? 0o666 : 0o777,
      cred.fsuid,
      cred.fsgid,
      false,
      account,
    );
    if (typeof inode === "number") return inode;
    if (!(inode instanceof TmpfsRegular)) return -EINVAL;
    if (noExec) inode.seals = F_SEAL_EXEC;
    else if ((flags & MFD_ALLOW_SEALING) !== 0) inode.seals = 0;
    const dentry = new Dentry(this.fs, this.mount.root, `memfd:${name}`, inode);
    dentry.isUnlinked = true;
    const file = new TmpfsFile(account, inode, O_RDWR | O_LARGEFILE);
    file.attach(new Path(this.mount, dentry), cred);
    // It is not counted as a writer for ETXTBSY, because a program may be written to a memfd and
    // executed from it.
    return file;
  }
}

/** F_GET_SEALS; -EINVAL for a file that cannot be sealed. */
export function getSeals(file: OpenFile): number {
  const inode = file.inode;
  return inode instanceof TmpfsRegular && inode.isSealable ? inode.seals : -EINVAL;
}

/** F_ADD_SEALS. */
export function addSeals(file: OpenFile, seals: number): number {
  if (!file.canWrite) return -EPERM;
  if (!(file.inode instanceof TmpfsRegular) || !file.inode.isSealable) return -EINVAL;
  return file.inode.addSeals(seals);
}
