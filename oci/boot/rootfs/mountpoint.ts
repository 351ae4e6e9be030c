/**
 * Mount points and places for nodes, made where they are missing. Symbolic links are followed
 * inside the container, also those without a target yet: a link to /etc/x means the container's
 * /etc/x.
 */

import { EEXIST, ELOOP, ENOENT } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { MAXSYMLINKS } from "../../../ffi/abi/fs.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import { isSymlink } from "../../../kernel/vfs/access.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { mkdirAt, mknodAt } from "../../../kernel/vfs/create.ts";
import type { Path } from "../../../kernel/vfs/dentry.ts";
import { findAt, readlinkAt } from "../../../kernel/vfs/status.ts";

/** Mode of directories and files that are made, as with runc. */
const MODE = 0o755;

/**
 * The place at the absolute path `path`: a directory, or a file to mount a file on. Returns a Path
 * that is not pinned, or -errno.
 */
export function makePlace(caller: Caller, path: string, isDirectory: boolean): Path | number {
  const real = makeAll(caller, path, isDirectory ? "directory" : "file");
  return typeof real === "number" ? real : findAt(caller, AT_FDCWD, real, AT_SYMLINK_NOFOLLOW);
}

/** Makes the directories above `path`. Returns the path without symbolic links, or -errno. */
export function makeParents(caller: Caller, path: string): string | number {
  const slash = path.lastIndexOf("/");
  const parent = makeAll(caller, path.slice(0, slash), "directory");
  if (typeof parent === "number") return parent;
  return `${parent === "/" ? "" : parent}/${path.slice(slash + 1)}`;
}

/** The path without links. */
function makeAll(caller: Caller, path: string, last: "directory" | "file"): string | number {
  const ahead = path.split("/").reverse();
  const names: string[] = [];
  for (let links = 0; ahead.length > 0;) {
    const name = ahead.pop();
    if (name === undefined || name === "" || name === ".") continue;
    if (name === "..") {
      names.pop();
      continue;
    }
    const here = `/${[...names, name].join("/")}`;
    const found = findAt(caller, AT_FDCWD, here, AT_SYMLINK_NOFOLLOW);
    if (typeof found !== "number" && isLink(found)) {
      if (++links > MAXSYMLINKS) return -ELOOP;
      const target = readlinkAt(caller, AT_FDCWD, here);
      if (typeof target === "number") return target;
      if (target.startsWith("/")) names.length = 0;
      ahead.push(...target.split("/").reverse());
      continue;
    }
    if (typeof found === "number") {
      if (found !== -ENOENT) return found;
      const isFile = last === "file" && ahead.every((rest) => rest === "");
      const r = isFile
        ? mknodAt(caller, AT_FDCWD, here, S_IFREG | MODE, 0)
        : mkdirAt(caller, AT_FDCWD, here, MODE);
      if (r < 0 && r !== -EEXIST) return r;
    }
    names.push(name);
  }
  return `/${names.join("/")}`;
}

function isLink(path: Path): boolean {
  const { inode } = path.dentry;
  // A magic link (/proc/self/exe) has no text to follow.
  return inode !== null && isSymlink(inode) && inode.followMagic() === null;
}
