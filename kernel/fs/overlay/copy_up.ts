/**
 * Copy-up: copies a file of the lower layer to the upper one: at the first change of its attributes
 * (a regular file without its bytes, where the upper layer is the kernel's own), at the first
 * opening for writing, and before it gets another name.
 *
 * Owner, mode, times, extended attributes and ACLs are copied too; the file's directory is copied
 * up before, and keeps its times. When a step fails, the copy is removed from the upper layer.
 */

import type { Account } from "../../core/account.ts";
import { ENOENT, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import {
  ATTR_ATIME,
  ATTR_ATIME_SET,
  ATTR_CTIME,
  ATTR_GID,
  ATTR_MODE,
  ATTR_MTIME,
  ATTR_MTIME_SET,
  ATTR_UID,
  type AttrChange,
  emptyAttrChange,
  type Inode,
} from "../../vfs/inode.ts";
import { copyBetween, setSize } from "./copy_data.ts";
import { isMark, LAYER_CRED } from "./layers.ts";
import type { OverlayInode } from "./overlay_inode.ts";

/** The parts of a regular file to copy: attributes, bytes too, or attributes of an empty file. */
export const COPY_META = 0, COPY_DATA = 1, COPY_NOTHING = 2;

/** Copies up `inode`, which has no upper file yet: 0 or -errno. */
export function copyUp(inode: OverlayInode, how: number): number {
  const lower = inode.lower!;
  let r = lower.refresh();
  if (r < 0) return r;
  const isFile = (lower.mode & S_IFMT) === S_IFREG;
  r = inode.fs.mayCopyUp(lower, isFile && how !== COPY_NOTHING);
  if (r < 0) return r;
  const names = lower.listxattr();
  if (typeof names === "number" && names !== -EOPNOTSUPP) return names;
  const upper = makeUpper(inode, lower);
  if (typeof upper === "number") return upper;
  upper.hold();
  const metaOnly = isFile && how === COPY_META && !inode.fs.isPersistent;
  if (metaOnly) r = setSize(upper, lower.size);
  else if (isFile && how !== COPY_NOTHING) {
    r = copyBetween(lower, upper, lower.size, inode.fs.buffer);
  }
  if (r === 0 && typeof names !== "number") r = copyXattrs(lower, upper, names);
  if (r === 0) r = copyAttributes(lower, upper);
  if (r < 0) {
    removeUpper(inode, upper);
    return r;
  }
  linkUpper(inode, upper, metaOnly);
  return 0;
}

/**
 * Links the upper file to the inode. Names of the lower inode that the upper one does not have
 * still count as links.
 */
function linkUpper(inode: OverlayInode, upper: Inode, metaOnly: boolean): void {
  if ((upper.mode & S_IFMT) !== S_IFDIR) inode.extraLinks += inode.lower!.nlink - upper.nlink;
  inode.upper = upper;
  inode.isDataLower = metaOnly;
  inode.fs.addUpper(inode, upper);
  inode.syncAttributes();
}

/**
 * Gives a new upper file to an inode whose upper file has lost its names while the lower layer has
 * more: the host does not name such a file again. The new one is `name` in `dir` of the upper
 * layer: 0 or -errno. DIFFERS: processes that mapped the old file keep it.
 */
export function copyUpAgain(inode: OverlayInode, dir: Inode, name: string): number {
  const old = inode.upper!, size = old.size;
  const upper = makeLike(dir, name, old, inode.fs.account);
  if (typeof upper === "number") return upper;
  upper.hold();
  const names = old.listxattr(), isFile = (old.mode & S_IFMT) === S_IFREG;
  let r = 0;
  if (isFile) {
    r = inode.isDataLower ? setSize(upper, size) : copyBetween(old, upper, size, inode.fs.buffer);
  }
  if (r === 0 && typeof names !== "number") r = copyXattrs(old, upper, names);
  if (r === 0) r = copyAttributes(old, upper);
  if (r < 0) dir.unlink(name, upper);
  else inode.fs.replaceUpper(inode, upper);
  upper.drop();
  return r;
}

/** Copies the bytes of a file whose attributes were copied before: 0 or -errno. */
export function copyUpData(inode: OverlayInode): number {
  const upper = inode.upper!, lower = inode.lower!;
  const times = timesOf(upper), size = upper.size;
  let r = copyBetween(lower, upper, Math.min(size, lower.size), inode.fs.buffer);
  if (r < 0) {
    setSize(upper, 0);
    setSize(upper, size);
  }
  const t = upper.setattr(times, LAYER_CRED);
  if (r === 0) r = t;
  if (r === 0) inode.isDataLower = false;
  inode.syncAttributes();
  return r;
}

/**
 * Makes an empty upper inode of the right type at the file's place, or without a name when the file
 * has none.
 */
function makeUpper(inode: OverlayInode, lower: Inode): Inode | number {
  const { parent, name } = inode;
  if (parent === null) return makeUnnamed(inode, lower);
  const r = copyUpAll(parent);
  if (r < 0) return r;
  const dir = parent.upper!;
  const times = timesOf(dir);
  const upper = makeLike(dir, name, lower, inode.fs.account);
  // The directory's times stay, as no user has changed it.
  dir.setattr(times, LAYER_CRED);
  return upper;
}

/** Copies up the directory and those above it, the uppermost first: 0 or -errno. */
function copyUpAll(dir: OverlayInode): number {
  const way: OverlayInode[] = [];
  for (let d: OverlayInode | null = dir; d !== null && d.upper === null; d = d.parent) way.push(d);
  for (let d = way.pop(); d !== undefined; d = way.pop()) {
    const r = d.copyUp(COPY_META);
    if (r < 0) return r;
  }
  return 0;
}

/** Makes an inode like `lower`, without its bytes, as `name` in `dir`. */
export function makeLike(dir: Inode, name: string, lower: Inode, account: Account): Inode | number {
  const { mode, uid, gid, rdev } = lower;
  switch (mode & S_IFMT) {
    case S_IFREG:
      return dir.create(name, mode, uid, gid, account);
    case S_IFDIR:
      return dir.mkdir(name, mode, uid, gid, account);
    case S_IFLNK: {
      const target = lower.readlink();
      return typeof target === "number" ? target : dir.symlink(name, target, uid, gid, account);
    }
    default:
      return dir.mknod(name, mode, rdev, uid, gid, account);
  }
}

/**
 * Makes an upper inode for a file that was removed and is still in use: only its attributes and
 * bytes matter.
 */
function makeUnnamed(inode: OverlayInode, lower: Inode): Inode | number {
  const { account } = inode.fs, root = inode.fs.root.upper;
  if (root === null) return -ENOENT;
  if ((lower.mode & S_IFMT) === S_IFDIR) return -ENOENT;
  if ((lower.mode & S_IFMT) === S_IFREG) {
    return root.tmpfile(lower.mode, lower.uid, lower.gid, false, account);
  }
  const name = `.overlay-${inode.ino}`;
  const upper = makeLike(root, name, lower, account);
  if (typeof upper === "number") return upper;
  upper.hold();
  upper.keepReachable();
  root.unlink(name, upper);
  upper.refs--;
  return upper;
}

function removeUpper(inode: OverlayInode, upper: Inode): void {
  const { parent, name } = inode;
  if (parent !== null && parent.upper !== null) {
    if ((upper.mode & S_IFMT) === S_IFDIR) parent.upper.rmdir(name, upper);
    else parent.upper.unlink(name, upper);
  }
  upper.drop();
}

/** Copies the extended attributes that the file system of `to` supports. */
export function copyXattrs(from: Inode, to: Inode, names: readonly string[]): number {
  for (const name of names) {
    if (isMark(name)) continue;
    const value = from.getxattr(name);
    if (typeof value === "number") continue;
    const r = to.setxattr(name, value, 0);
    // A layer without this name space does not get the attribute, as in overlayfs.
    if (r < 0 && r !== -EOPNOTSUPP) return r;
  }
  return 0;
}

/** Copies owner, mode and times. The last step, because all others change them. */
export function copyAttributes(from: Inode, to: Inode): number {
  const change = timesOf(from);
  change.valid |= ATTR_UID | ATTR_GID | ATTR_CTIME;
  if ((from.mode & S_IFMT) !== S_IFLNK) change.valid |= ATTR_MODE;
  change.mode = from.mode;
  change.uid = from.uid;
  change.gid = from.gid;
  return to.setattr(change, LAYER_CRED);
}

/** A change that sets the times of `inode`. */
export function timesOf(inode: Inode): AttrChange {
  const change = emptyAttrChange();
  change.valid = ATTR_ATIME | ATTR_ATIME_SET | ATTR_MTIME | ATTR_MTIME_SET;
  change.atimeSec = inode.atimeSec;
  change.atimeNsec = inode.atimeNsec;
  change.mtimeSec = inode.mtimeSec;
  change.mtimeNsec = inode.mtimeNsec;
  return change;
}
