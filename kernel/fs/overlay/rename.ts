/**
 * rename(2) in an overlay: both files are copied up, then the upper layer renames and leaves a
 * whiteout where the lower layer would show the old name. A directory stays merged with its lower
 * directory. directory.ts calls this.
 */

import { EINVAL, ENOENT, EXDEV } from "../../../ffi/abi/errno.ts";
import { RENAME_EXCHANGE, RENAME_WHITEOUT } from "../../../ffi/abi/fcntl.ts";
import { S_IFCHR } from "../../../ffi/abi/stat.ts";
import { isDirectory } from "../../vfs/access.ts";
import type { Inode } from "../../vfs/inode.ts";
import { COPY_META, copyUpAgain } from "./copy_up.ts";
import type { OverlayDirectory } from "./directory.ts";
import { isWhiteout, markOpaque } from "./layers.ts";
import type { OverlayInode } from "./overlay_inode.ts";

export function renameInOverlay(
  dir: OverlayDirectory,
  name: string,
  source: OverlayInode,
  newDir: OverlayDirectory,
  newName: string,
  target: OverlayInode | null,
  flags: number,
): number {
  // A whiteout that the caller leaves would hide the name for good.
  if ((flags & RENAME_WHITEOUT) !== 0) return -EINVAL;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  if (mustStay(source) || (exchange && target !== null && mustStay(target))) return -EXDEV;
  let r = copyUpAs(dir, name, source);
  if (r === 0) r = newDir.copyUp(COPY_META);
  if (r < 0) return r;
  if (exchange) {
    return target === null ? -ENOENT : exchangeNames(dir, name, source, newDir, newName, target);
  }
  return moveName(dir, name, source, newDir, newName, target);
}

/**
 * Copies `inode` up under this name: a file with several names may have been copied up at another
 * one.
 */
function copyUpAs(dir: OverlayDirectory, name: string, inode: OverlayInode): number {
  let r = inode.copyUp(COPY_META);
  if (r < 0 || isDirectory(inode)) return r;
  const there = dir.upperEntry(name);
  if (there !== null) return typeof there === "number" ? there : 0;
  r = dir.copyUp(COPY_META);
  if (r === 0) r = linkInUpper(dir, name, inode);
  if (r === 0) inode.extraLinks--;
  return r;
}

/** Adds a name of a copied-up file in the upper layer: 0 or -errno. */
export function linkInUpper(dir: OverlayDirectory, name: string, inode: OverlayInode): number {
  const upper = inode.upper!, r = dir.upper!.link(name, upper);
  const isNameless = r === -ENOENT && upper.nlink === 0 && inode.nlink > 0;
  return isNameless ? copyUpAgain(inode, dir.upper!, name) : r;
}

/**
 * Whether it cannot be renamed: another mount of the upper layer would not find its lower directory
 * again.
 */
function mustStay(inode: OverlayInode): boolean {
  return inode.fs.isPersistent && isDirectory(inode) && inode.lower !== null;
}

function exchangeNames(
  dir: OverlayDirectory,
  name: string,
  source: OverlayInode,
  newDir: OverlayDirectory,
  newName: string,
  target: OverlayInode,
): number {
  let r = copyUpAs(newDir, newName, target);
  if (r < 0) return r;
  const [from, to] = [dir.upper!, newDir.upper!];
  r = from.rename(name, source.upper!, to, newName, target.upper!, RENAME_EXCHANGE, dir.fs.account);
  if (r < 0) return r;
  source.setEntry(newDir, newName);
  target.setEntry(dir, name);
  hideBelow(newDir, newName, source);
  hideBelow(dir, name, target);
  finishRename(dir, newDir, source, target);
  return 0;
}

function moveName(
  dir: OverlayDirectory,
  name: string,
  source: OverlayInode,
  newDir: OverlayDirectory,
  newName: string,
  target: OverlayInode | null,
): number {
  const covers = dir.needsWhiteout(name);
  if (covers < 0) return covers;
  const targetDir = asDirectory(target);
  if (targetDir !== null) {
    const r = targetDir.empty();
    if (r < 0) return r;
  }
  let there = newDir.upperEntry(newName);
  if (typeof there === "number") return there;
  const wasWhiteout = there !== null && isWhiteout(there);
  const to = newDir.upper!;
  if (wasWhiteout) {
    const r = to.unlink(newName, there as Inode);
    if (r < 0) return r;
    there = null;
  }
  if (there !== null) target?.keepUpper();
  const passed = covers > 0 ? RENAME_WHITEOUT : 0;
  const r = dir.upper!.rename(name, source.upper!, to, newName, there, passed, dir.fs.account);
  if (r < 0) {
    if (wasWhiteout) to.mknod(newName, S_IFCHR, 0, 0, 0, dir.fs.account);
    return r;
  }
  source.setEntry(newDir, newName);
  hideBelow(newDir, newName, source);
  if (targetDir !== null) newDir.onRemoved(targetDir, newName);
  else if (target !== null) onNameReplaced(newDir, newName, target, there === null);
  finishRename(dir, newDir, source, target);
  return 0;
}

function asDirectory(inode: OverlayInode | null): OverlayDirectory | null {
  return inode !== null && isDirectory(inode) ? inode as OverlayDirectory : null;
}

/** Records that `target` was replaced; `wasLower`: only the lower layer had this name of it. */
function onNameReplaced(
  dir: OverlayDirectory,
  name: string,
  target: OverlayInode,
  wasLower: boolean,
): void {
  if (wasLower) dir.fs.hideLink(target);
  target.clearEntry(dir, name);
  target.syncAttributes();
  dir.evictIfUnused(target);
}

/**
 * Marks a directory opaque that was moved over a lower directory, so that a later mount does not
 * merge them.
 */
function hideBelow(dir: OverlayDirectory, name: string, inode: OverlayInode): void {
  if (!isDirectory(inode) || inode.lower !== null || inode.upper === null) return;
  if (dir.needsWhiteout(name) > 0) markOpaque(inode.upper);
}

function finishRename(
  dir: OverlayDirectory,
  newDir: OverlayDirectory,
  source: OverlayInode,
  target: OverlayInode | null,
): void {
  source.syncAttributes();
  if (target !== null) target.syncAttributes();
  dir.onNamesChanged();
  newDir.onNamesChanged();
}
