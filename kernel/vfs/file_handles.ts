/**
 * File handles (open_by_handle_at(2), fanotify(7)): numbers that find a file again without its
 * name. The table keeps names and inode numbers and pins nothing, so a handle keeps no file alive.
 * DIFFERS: of a file that has several names, the one that the handle was asked for has to stay.
 */

import { ESTALE } from "../../ffi/abi/errno.ts";
import type { Dentry } from "./dentry.ts";
import type { DentryCache } from "./dentry_cache.ts";
import type { Inode } from "./inode.ts";

/** LIMIT: handles that are kept; older ones are stale. */
const HANDLES_MAX = 16384;

/**
 * The bytes of a handle: a number of the table, and a constant that distinguishes it from any other
 * eight bytes.
 */
export const HANDLE_BYTES = 8;
export const HANDLE_MARK = 0x6476736f;
/** Their type, of <linux/exportfs.h>: 32 bits of a number, 32 of a generation. */
export const FILEID_INO32_GEN = 1;

interface Entry {
  readonly dentry: Dentry;
  readonly ino: number;
}

export class FileHandles {
  private readonly entries: Map<number, Entry> = new Map();
  private last = 0;

  /** The number of a file that exists; it stays the same while the table keeps it. */
  numberOf(dentry: Dentry): number {
    const inode = dentry.inode!;
    if (this.entries.has(inode.handle)) return inode.handle;
    const number = inode.handle = ++this.last;
    this.entries.set(number, { dentry, ino: inode.ino });
    if (this.entries.size > HANDLES_MAX) {
      for (const oldest of this.entries.keys()) {
        this.entries.delete(oldest);
        break;
      }
    }
    return number;
  }

  /**
   * The number of an inode whose names are not known: the one that it has, or a new one that finds
   * no file.
   */
  numberOfInode(inode: Inode): number {
    if (inode.handle === 0) inode.handle = ++this.last;
    return inode.handle;
  }

  /** The dentry of the file, or -ESTALE. */
  find(number: number, cache: DentryCache): Dentry | number {
    const entry = this.entries.get(number);
    if (entry === undefined) return -ESTALE;
    const dentry = entry.dentry.isUnlinked ? -ESTALE : lookUpAgain(entry.dentry, cache);
    if (typeof dentry !== "number" && dentry.inode?.ino === entry.ino) return dentry;
    this.entries.delete(number);
    return -ESTALE;
  }
}

/**
 * Looks up the dentry's path again from the root of its file system. A loop: trees of directories
 * can be deeper than the stack.
 */
function lookUpAgain(dentry: Dentry, cache: DentryCache): Dentry | number {
  const names: string[] = [];
  let at = dentry;
  for (; !at.isRoot; at = at.parent) names.push(at.name);
  for (const name of names.reverse()) {
    const child = at.inode === null ? -ESTALE : cache.lookup(at, name);
    if (typeof child === "number") return child;
    at = child;
  }
  return at;
}
