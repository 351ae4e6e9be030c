/** The status of a file as messages have it. */

import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
} from "../../../../ffi/abi/stat.ts";
import type { Inode } from "../../../../kernel/vfs/inode.ts";
import type { FileStatus } from "../../../protocol/session/messages.ts";
import { wireOf } from "../../../protocol/wire_text.ts";

const TYPES: ReadonlyMap<number, FileStatus["type"]> = new Map([
  [S_IFBLK, "block"],
  [S_IFCHR, "char"],
  [S_IFDIR, "directory"],
  [S_IFIFO, "fifo"],
  [S_IFLNK, "symlink"],
  [S_IFSOCK, "socket"],
]);

/** @param name a byte string */
export function statusOf(name: string, inode: Inode): FileStatus {
  return {
    name: wireOf(name),
    type: TYPES.get(inode.mode & S_IFMT) ?? "file",
    size: inode.size,
    mode: inode.mode & 0o7777,
    uid: inode.uid,
    gid: inode.gid,
    mtimeMs: milliseconds(inode.mtimeSec, inode.mtimeNsec),
    atimeMs: milliseconds(inode.atimeSec, inode.atimeNsec),
    ctimeMs: milliseconds(inode.ctimeSec, inode.ctimeNsec),
    ino: inode.ino,
    nlink: inode.nlink,
  };
}

function milliseconds(sec: number, nsec: number): number {
  return sec * 1000 + nsec / 1e6;
}

/** The last name of a path; "/" for the root. A byte string. */
export function lastName(path: string): string {
  const names = path.split("/").filter((name) => name !== "");
  return names.at(-1) ?? "/";
}
