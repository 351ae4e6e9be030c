/**
 * FS_IOC_SETFLAGS (ioctl_iflags(2), chattr(1)): checks whether the caller may change the flags of a
 * file, and stores them in `Inode.fileFlags`. access.ts, open.ts and attributes.ts enforce
 * immutable and append-only files.
 */

import { CAP_LINUX_IMMUTABLE } from "../../ffi/abi/capability.ts";
import { EOPNOTSUPP, EPERM } from "../../ffi/abi/errno.ts";
import { FS_APPEND_FL, FS_IMMUTABLE_FL, FS_NOATIME_FL, FS_NODUMP_FL } from "../../ffi/abi/fs.ts";
import { hasCap } from "../cred/credentials.ts";
import { ownsOrCapable } from "../cred/permission.ts";
import { wantWrite } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { Mount } from "./dentry.ts";
import type { Inode } from "./inode.ts";

/** The flags that a tmpfs stores. */
const KNOWN = FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL;
const PROTECTED = FS_IMMUTABLE_FL | FS_APPEND_FL;

/**
 * vfs_fileattr_set of Linux: 0, -EROFS, -EPERM, -EOPNOTSUPP. `isMore`: the call sets other
 * attributes too.
 */
export function changeFileFlags(
  caller: Caller,
  mount: Mount,
  inode: Inode,
  flags: number,
  isMore: boolean,
): number {
  const r = wantWrite(mount);
  if (r < 0) return r;
  if (!ownsOrCapable(inode, caller.cred)) return -EPERM;
  const changed = (flags ^ inode.fileFlags) & PROTECTED;
  if (changed !== 0 && !hasCap(caller.cred, CAP_LINUX_IMMUTABLE)) return -EPERM;
  if (isMore || (flags & ~KNOWN) !== 0) return -EOPNOTSUPP;
  return inode.setFileFlags(flags);
}
