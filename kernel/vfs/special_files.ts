/**
 * The registry of openers for special files: device numbers lead to an opener, FIFOs to the pipes
 * of kernel/ipc. A kernel has one; open.ts calls it, and all openers are registered before the
 * kernel's Vfs is made.
 */

import { ENXIO } from "../../ffi/abi/errno.ts";
import { majorOf, minorOf, S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT } from "../../ffi/abi/stat.ts";
import type { Caller } from "./caller.ts";
import type { Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import type { OpenFile } from "./open_file.ts";

export interface SpecialOpener {
  /**
   * Makes a description for the special file `inode` at `path`; or -errno; or BLOCK after the
   * caller's task was linked to what it waits for (FIFOs), and then the whole open runs again. The
   * permission was checked; `flags` are O_*.
   */
  open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number;
}

/**
 * An opener in `Inode.special`, which opens that inode in place of the registered one (a FIFO of
 * the host).
 */
export abstract class InodeOpener implements SpecialOpener {
  abstract open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number;
}

/** Registers all minor numbers of a major one. */
export const ANY_MINOR = -1;

export class SpecialFiles {
  private readonly characters: Map<number, SpecialOpener> = new Map();
  private readonly blocks: Map<number, SpecialOpener> = new Map();
  private readonly fifo: SpecialOpener | null;

  /** @param fifo opens the FIFOs that are not opened by their inodes; null: nothing does */
  constructor(fifo: SpecialOpener | null = null) {
    this.fifo = fifo;
  }

  registerCharacter(major: number, minor: number, opener: SpecialOpener): void {
    this.characters.set(key(major, minor), opener);
  }

  registerBlock(major: number, minor: number, opener: SpecialOpener): void {
    this.blocks.set(key(major, minor), opener);
  }

  /** As SpecialOpener.open; -ENXIO when no opener is registered, and for sockets. */
  open(caller: Caller, path: Path, inode: Inode, flags: number): OpenFile | number {
    const opener = inode.special instanceof InodeOpener ? inode.special : this.find(inode);
    return opener === null ? -ENXIO : opener.open(caller, path, inode, flags);
  }

  private find(inode: Inode): SpecialOpener | null {
    const type = inode.mode & S_IFMT;
    if (type === S_IFIFO) return this.fifo;
    if (type !== S_IFCHR && type !== S_IFBLK) return null;
    const table = type === S_IFCHR ? this.characters : this.blocks;
    const major = majorOf(inode.rdev);
    return table.get(key(major, minorOf(inode.rdev))) ?? table.get(key(major, ANY_MINOR)) ?? null;
  }
}

/** Minor numbers have 20 bits, and ANY_MINOR is the bit above them. */
function key(major: number, minor: number): number {
  return major * 0x200000 + (minor === ANY_MINOR ? 0x100000 : minor);
}
