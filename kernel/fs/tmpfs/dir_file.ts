/** An open directory of a tmpfs, for getdents64(2). */

import type { Account } from "../../core/account.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import type { DirSink } from "../../vfs/inode.ts";
import { DirFile } from "../../vfs/dir_file.ts";
import type { TmpfsDirectory } from "./directory.ts";

export class TmpfsDirFile extends DirFile {
  readonly inode: TmpfsDirectory;
  /**
   * Entries with this cookie or a later one are not shown, so that a reader that renames what it
   * reads comes to an end.
   */
  private end: number;

  constructor(account: Account, dir: TmpfsDirectory, flags: number) {
    super(account, flags);
    this.inode = dir;
    this.end = dir.entries.nextCookie;
  }

  override fsync(_dataOnly: boolean): number {
    return 0;
  }

  override readdir(sink: DirSink): number {
    const dir = this.inode, entries = dir.entries, type = S_IFDIR >> 12;
    touchFileAtime(this);
    if (this.pos === 0) {
      this.end = entries.nextCookie;
      if (!sink(".", dir.ino, type, 1)) return 0;
      this.pos = 1;
    }
    if (this.pos === 1) {
      if (!sink("..", dir.parent.ino, type, 2)) return 0;
      this.pos = 2;
    }
    for (;;) {
      const entry = entries.from(this.pos);
      if (entry === null || entry.cookie >= this.end) return 0;
      const next = entry.cookie + 1, mode = entries.modeOf(entry);
      if (!sink(entry.name, entry.ino, (mode & S_IFMT) >> 12, next)) return 0;
      this.pos = next;
    }
  }
}
