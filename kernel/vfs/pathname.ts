/**
 * The text of a Path, for getcwd(2), the links of /proc/PID, /proc/PID/maps and mountinfo
 * (proc_pid_mountinfo(5)). The reverse of walk.ts, which finds the Path of a text.
 */

import { ENAMETOOLONG, ENOENT } from "../../ffi/abi/errno.ts";
import { PATH_MAX } from "../../ffi/abi/fs.ts";
import type { Path } from "./dentry.ts";
import type { FsContext } from "./fs_context.ts";

/**
 * The text of a path up to `root`, or up to where its ancestors end; `isReachable`: it ended at
 * `root`.
 */
interface Climb {
  text: string;
  isReachable: boolean;
}

/**
 * @param limit the text may stop at this length, because the caller refuses a longer one
 */
function climb(path: Path, root: Path, limit: number = Infinity): Climb {
  let mount = path.mount, dentry = path.dentry;
  let text = "";
  while (text.length < limit) {
    if (mount === root.mount && dentry === root.dentry) {
      return { text: text === "" ? "/" : text, isReachable: true };
    }
    if (dentry === mount.root) {
      if (mount.parent === null || mount.mountpoint === null) break;
      dentry = mount.mountpoint;
      mount = mount.parent;
    } else if (dentry.isRoot) {
      break;
    } else {
      text = "/" + dentry.name + text;
      dentry = dentry.parent;
    }
  }
  return { text: text === "" ? "/" : text, isReachable: false };
}

/**
 * The text from the root of the path's mount namespace, for a caller that does not know the
 * reader's root.
 */
export function mountedText(path: Path): string {
  let { mount, dentry } = path, text = "";
  for (;;) {
    if (dentry !== mount.root && !dentry.isRoot) {
      text = `/${dentry.name}${text}`;
      dentry = dentry.parent;
    } else if (mount.parent !== null && mount.mountpoint !== null) {
      dentry = mount.mountpoint;
      mount = mount.parent;
    } else {
      return text === "" ? "/" : text;
    }
  }
}

/**
 * The text when it fits a page with its NUL; else -ENAMETOOLONG, as a guest can build a longer path
 * step by step.
 */
function bounded(text: string): string | number {
  return text.length < PATH_MAX ? text : -ENAMETOOLONG;
}

/**
 * The text as readlink(2) of /proc/PID/fd/N shows it: with " (deleted)" when the name was removed.
 */
export function pathText(path: Path, root: Path): string | number {
  const { text } = climb(path, root, PATH_MAX);
  return bounded(path.dentry.isUnlinked ? text + " (deleted)" : text);
}

/** The text when `path` is below `root`, else null. */
export function reachableText(path: Path, root: Path): string | null {
  const { text, isReachable } = climb(path, root);
  return isReachable ? text : null;
}

/**
 * getcwd(2): -ENOENT for a removed directory; "(unreachable)" in front of a directory outside the
 * root.
 */
export function cwdText(fs: FsContext): string | number {
  if (fs.cwd.dentry.isUnlinked) return -ENOENT;
  const { text, isReachable } = climb(fs.cwd, fs.root, PATH_MAX);
  return bounded(isReachable ? text : "(unreachable)" + text);
}

/** The path of a dentry within its file system. */
export function dentryText(dentry: Path["dentry"]): string {
  let text = "";
  for (let d = dentry; !d.isRoot; d = d.parent) text = "/" + d.name + text;
  return text === "" ? "/" : text;
}

/** Blanks, backslashes and "#" as \ooo, as in /proc/PID/mounts. */
export function escapeMountText(text: string): string {
  return text.replace(/[ \t\n\\#]/g, (c) => "\\" + c.charCodeAt(0).toString(8).padStart(3, "0"));
}
