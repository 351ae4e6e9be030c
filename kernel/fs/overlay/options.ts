/**
 * `mount -t overlay`: parses lowerdir=A:B:C,upperdir=D,workdir=E as Linux does, checks the layers,
 * and makes the overlay. Several lower directories become read-only overlays on overlays.
 * kernel/file_systems.ts calls it.
 */

import { EINVAL, ELOOP, ENOTDIR, EROFS } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { isDirectory, wantWrite } from "../../vfs/access.ts";
import type { Caller } from "../../vfs/caller.ts";
import { type Dentry, holdPath, type Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { findAt } from "../../vfs/status.ts";
import { OverlayDirectory } from "./directory.ts";
import { OverlayFs, type Payers } from "./overlay_fs.ts";

/** LIMIT: lower directories of one overlay (Linux: 500). */
const MAX_LOWER = 128;
/**
 * The most file systems that may be stacked on one another (FILESYSTEM_MAX_STACK_DEPTH of Linux).
 */
const STACK_DEPTH_MAX = 2;
/** Options without an effect here. */
const INERT: ReadonlySet<string> = new Set([
  "index",
  "redirect_dir",
  "xino",
  "metacopy",
  "nfs_export",
  "userxattr",
  "uuid",
]);

/** Splits at each `separator` that has no backslash in front of it. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\" && i + 1 < text.length) part += text[i] + text[++i]!;
    else if (text[i] === separator) {
      parts.push(part);
      part = "";
    } else part += text[i];
  }
  parts.push(part);
  return parts;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

interface Parsed {
  lower: string[];
  upper: string | null;
  work: string | null;
}

function parse(text: string): Parsed | number {
  const result: Parsed = { lower: [], upper: null, work: null };
  for (const option of split(text, ",")) {
    if (option === "" || option === "volatile") continue;
    const eq = option.indexOf("=");
    const key = eq < 0 ? option : option.slice(0, eq), value = eq < 0 ? "" : option.slice(eq + 1);
    if (key === "lowerdir") result.lower = split(value, ":").map(unescape);
    else if (key === "upperdir") result.upper = unescape(value);
    else if (key === "workdir") result.work = unescape(value);
    else if (!INERT.has(key)) return -EINVAL;
  }
  if (result.lower.length === 0 || result.lower.length > MAX_LOWER) return -EINVAL;
  if (result.lower.includes("")) return -EINVAL;
  return (result.upper === null) === (result.work === null) ? result : -EINVAL;
}

function findDirectory(caller: Caller, text: string): Path | number {
  const path = findAt(caller, AT_FDCWD, text, 0);
  if (typeof path === "number") return path;
  return isDirectory(path.dentry.inode!) ? path : -ENOTDIR;
}

/**
 * Makes an overlay from the data of mount(2), or -errno. Its layers stay pinned while it is
 * mounted.
 */
export function overlayFromOptions(
  caller: Caller,
  text: string,
  frames: FrameAllocator,
  payers: Payers | null = null,
): OverlayFs | number {
  const parsed = parse(text);
  if (typeof parsed === "number") return parsed;
  const lowers: Path[] = [];
  for (const dir of parsed.lower) {
    const path = findDirectory(caller, dir);
    if (typeof path === "number") return path;
    lowers.push(path);
  }
  let upper: Path | null = null, work: Path | null = null;
  if (parsed.upper !== null && parsed.work !== null) {
    const found = findDirectory(caller, parsed.upper);
    if (typeof found === "number") return found;
    const there = findDirectory(caller, parsed.work);
    if (typeof there === "number") return there;
    const isWithin = found.dentry.isAncestorOf(there.dentry) ||
      there.dentry.isAncestorOf(found.dentry);
    if (found.mount !== there.mount || isWithin) return -EINVAL;
    if (wantWrite(found.mount) < 0) return -EROFS;
    upper = found;
    work = there;
  }
  if (overlap(lowers, upper === null || work === null ? [] : [upper, work])) return -ELOOP;
  const stackDepth = 1 + Math.max(
    upper?.dentry.fs.stackDepth ?? 0,
    ...lowers.map((path) => path.dentry.fs.stackDepth),
  );
  if (stackDepth > STACK_DEPTH_MAX) return -EINVAL;
  const top = upper === null ? null : realUpper(upper.dentry.inode!);
  if (typeof top === "number") return top;
  const pinned = [...lowers, ...(upper === null ? [] : [upper])].map(holdPath);
  const { account, cred: mounter } = caller;
  const options = {
    devices: caller.fs.namespace.vfs.devices,
    isPersistent: true,
    account,
    payers,
    text,
    frames,
    owned: null,
    mounter,
    stackDepth,
  };
  let lower: Inode = lowers[lowers.length - 1]!.dentry.inode!;
  for (let i = lowers.length - 2; i >= 0; i--) {
    const top = lowers[i]!.dentry.inode!;
    const stack = new OverlayFs(lower, top, { ...options, pinned: [] });
    stack.readOnly = true;
    lower = stack.root;
  }
  return new OverlayFs(lower, top, { ...options, pinned });
}

/** Whether a lower layer is another layer or within one. */
function overlap(lowers: readonly Path[], others: readonly Path[]): boolean {
  const layers = new Set<Dentry>();
  for (const { dentry } of [...others, ...lowers]) {
    if (layers.has(dentry)) return true;
    layers.add(dentry);
  }
  return lowers.some(({ dentry }) => {
    for (let d = dentry; !d.isRoot; d = d.parent) if (layers.has(d.parent)) return true;
    return false;
  });
}

/**
 * The upper directory to use. An overlay cannot hold whiteouts. So when the directory is in an
 * overlay, and only in its upper layer, the directory of that layer is used; any other directory of
 * an overlay is -EINVAL, as on Linux.
 */
function realUpper(dir: Inode): Inode | number {
  let upper = dir;
  while (upper instanceof OverlayDirectory) {
    if (upper.upper === null || upper.lower !== null) return -EINVAL;
    upper.fs.isChangedBehind = true;
    upper = upper.upper;
  }
  return upper;
}
