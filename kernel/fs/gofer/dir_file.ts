/**
 * An open directory of a Gofer. It keeps the list of entries that it began to read (listing.ts).
 */

import type { Account } from "../../core/account.ts";
import type { DirSink } from "../../vfs/inode.ts";
import { DirFile } from "../../vfs/dir_file.ts";
import type { GoferDirectory } from "./directory.ts";
import type { Listing } from "./listing.ts";

export class GoferDirFile extends DirFile {
  override readonly inode: GoferDirectory;
  private list: Listing | null = null;

  constructor(account: Account, inode: GoferDirectory, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override readdir(sink: DirSink): number {
    let list = this.list;
    if (list === null || this.pos === 0) {
      const fresh = this.inode.entries();
      if (typeof fresh === "number") return fresh;
      this.list = list = fresh;
    }
    const { names, inos, types } = list;
    for (let i = this.pos; i < names.length; i++) {
      if (!sink(names[i]!, inos[i]!, types[i]!, i + 1)) return 0;
      this.pos = i + 1;
    }
    return 0;
  }

  override fsync(isDataOnly: boolean): number {
    const fid = this.inode.bind();
    return fid < 0 ? fid : this.inode.fs.client.fsync(fid, isDataOnly);
  }
}
