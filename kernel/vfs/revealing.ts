/**
 * Whether a new proc or sysfs would show what the mounts of its namespace hide
 * (mount_too_revealing() of Linux). Root of a user namespace may mount these only where a mount of
 * the type exists of which no mount of a more privileged namespace covers a part. The new mount is
 * as read-only as that one, and stays so.
 */

import { EPERM } from "../../ffi/abi/errno.ts";
import { MS_NOATIME, MS_NODIRATIME, MS_RDONLY, MS_RELATIME } from "../../ffi/abi/mount.ts";
import type { Mount } from "./dentry.ts";
import type { FileSystem } from "./inode.ts";
import type { MountNamespace } from "./mounts.ts";

const ATIME = MS_NOATIME | MS_NODIRATIME | MS_RELATIME;

/** The flags of a mount that its namespace cannot change. */
interface MountLocks {
  readonly flags: number;
  readonly hasAtime: boolean;
}

const NO_LOCKS: MountLocks = { flags: 0, hasAtime: false };

/**
 * The locks of a new mount of `fs` with these MS_* flags in `namespace`; -EPERM when it would show
 * too much.
 */
export function locksOfNewMount(
  namespace: MountNamespace,
  fs: FileSystem,
  flags: number,
): MountLocks | number {
  if (namespace.owner?.isInitial === true || !fs.isRevealing) return NO_LOCKS;
  for (const old of namespace.mounts) {
    if (old.fs.type !== fs.type || !old.root.isRoot || !isSeenWhole(old)) continue;
    const locked = (old.lockedFlags & MS_RDONLY) | (old.fs.readOnly ? MS_RDONLY : 0);
    if ((locked & ~flags) !== 0) continue;
    if (old.hasLockedAtime && ((old.flags ^ flags) & ATIME) !== 0) continue;
    return { flags: locked, hasAtime: old.hasLockedAtime };
  }
  return -EPERM;
}

/** A mount that the namespace may unmount itself hides nothing from it. */
function isSeenWhole(mount: Mount): boolean {
  for (const [at, child] of mount.children) {
    if (child.isLocked && at.inode?.isForMountsOnly !== true) return false;
  }
  return true;
}
