/**
 * The file systems in whose directories a name that is not listed does not exist.
 *
 * That does not hold where upper and lower case are equal (vfat, some network file systems), nor
 * where a look-up makes names appear (autofs). DIFFERS: directories of ext4, f2fs and tmpfs with
 * the casefold attribute are not recognized.
 */

import {
  BTRFS_SUPER_MAGIC,
  EXT4_SUPER_MAGIC,
  OVERLAYFS_SUPER_MAGIC,
  RAMFS_MAGIC,
  Statfs,
  TMPFS_MAGIC,
  XFS_SUPER_MAGIC,
} from "../../ffi/abi/statfs.ts";
import { statDevice } from "./attributes.ts";
import { statfsFd } from "./host_calls.ts";
import { base, STATFS_AT, view } from "./scratch.ts";

const EROFS_MAGIC = 0xe0f5e1e2, SQUASHFS_MAGIC = 0x73717368;
const EXACT: ReadonlySet<number> = new Set([
  BTRFS_SUPER_MAGIC,
  EROFS_MAGIC,
  EXT4_SUPER_MAGIC,
  OVERLAYFS_SUPER_MAGIC,
  RAMFS_MAGIC,
  SQUASHFS_MAGIC,
  TMPFS_MAGIC,
  XFS_SUPER_MAGIC,
]);
/** LIMIT: devices whose answer is kept. */
const DEVICES_MAX = 1024;

const known = new Map<number, boolean>();

/** Whether the directory that statx saw last lists every name that can be found in it. */
export function hasExactNames(fd: number): boolean {
  const device = statDevice();
  const before = known.get(device);
  if (before !== undefined) return before;
  const r = statfsFd(fd, base + STATFS_AT);
  const isExact = r >= 0 && EXACT.has(view.getUint32(STATFS_AT + Statfs.at.type, true));
  if (known.size >= DEVICES_MAX) known.clear();
  known.set(device, isExact);
  return isExact;
}
