/**
 * Copies the contents of a directory to an empty directory of another file system;
 * oci/boot/rootfs/mount_tree.ts calls it for tmpfs mounts that start with the contents of their
 * mountpoint.
 */

import type { Account } from "../../core/account.ts";
import { ENOTDIR, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { isDirectory } from "../../vfs/access.ts";
import type { Inode } from "../../vfs/inode.ts";
import { copyBetween, CopyBuffer } from "./copy_data.ts";
import { copyAttributes, copyXattrs, makeLike } from "./copy_up.ts";
import { listLayer } from "./layers.ts";

/** LIMIT: how deep directories may be nested; deeper ones are copied empty. */
const MAX_DEPTH = 256;

/** Copies a directory's contents, and its owner, mode and times: 0 or -errno. */
export function copyTree(
  account: Account,
  from: Inode,
  to: Inode,
  frames: FrameAllocator,
): number {
  if (!isDirectory(from)) return -ENOTDIR;
  const buffer = new CopyBuffer({ account }, frames);
  const r = copyInto(from, to, buffer, 0);
  buffer.release();
  return r;
}

function copyInto(from: Inode, to: Inode, buffer: CopyBuffer, depth: number): number {
  let r = from.refresh();
  if (r < 0) return r;
  if ((from.mode & S_IFMT) === S_IFDIR) r = copyEntries(from, to, buffer, depth);
  else if ((from.mode & S_IFMT) === S_IFREG) r = copyBetween(from, to, from.size, buffer);
  if (r < 0) return r;
  const names = from.listxattr();
  if (typeof names !== "number") r = copyXattrs(from, to, names);
  else if (names !== -EOPNOTSUPP) r = names;
  return r < 0 ? r : copyAttributes(from, to);
}

function copyEntries(from: Inode, to: Inode, buffer: CopyBuffer, depth: number): number {
  if (depth >= MAX_DEPTH) return 0;
  const entries = listLayer(from, buffer.account);
  if (typeof entries === "number") return entries;
  for (const { name } of entries) {
    const source = from.lookup(name);
    if (typeof source === "number") return source;
    source.hold();
    const copy = makeLike(to, name, source, buffer.account);
    const r = typeof copy === "number" ? copy : copyInto(source, copy, buffer, depth + 1);
    source.drop();
    if (r < 0) return r;
  }
  return 0;
}
