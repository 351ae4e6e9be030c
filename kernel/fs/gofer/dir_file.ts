/**
 * An open directory of a Gofer. It keeps the list of entries that it began to read (listing.ts).
 */

import type { Account } from "../../core/account.ts";
import { EISDIR } from "../../../ffi/abi/errno.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { DirSink } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GoferDirectory } from "./directory.ts";
import type { Listing } from "./listing.ts";

export class GoferDirFile extends OpenFile {
  override readonly inode: GoferDirectory;
  private list: Listing | null = null;

  constructor(account: Account, inode: GoferDirectory, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override get isSeekable(): boolean {
    return true;
  }
  override read(_io: IoCursor, _offset: number): number {
    return -EISDIR;
  }
  override write(_io: IoCursor, _offset: number): number {
    return -EISDIR;
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
