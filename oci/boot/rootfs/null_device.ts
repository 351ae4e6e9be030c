/**
 * The null device of a container, as it has it at /dev/null: whatever else an image or a guest has
 * put there, a link or a FIFO, is none.
 */

import { ENXIO } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { makedev, S_IFCHR, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import type { Path } from "../../../kernel/vfs/dentry.ts";
import { findAt } from "../../../kernel/vfs/status.ts";

export const NULL_PATH = "/dev/null";
/** Its number, on every Linux. */
export const NULL_DEVICE = makedev(1, 3);

/** A Path that is not pinned, or -errno: -ENXIO for something else in its place. */
export function findNull(caller: Caller): Path | number {
  const found = findAt(caller, AT_FDCWD, NULL_PATH, AT_SYMLINK_NOFOLLOW);
  if (typeof found === "number") return found;
  const { inode } = found.dentry;
  const isNull = inode !== null && (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === NULL_DEVICE;
  return isNull ? found : -ENXIO;
}
