/** A program file in memory, for tests of the loader. */

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Backing } from "../mm/backing.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open_file.ts";

export class ImageFile<B extends Backing = Backing> extends OpenFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What is mapped: the same bytes. */
  readonly backing: B;

  constructor(bytes: Uint8Array<ArrayBuffer>, backing: B) {
    super(TEST_ACCOUNT, 0);
    this.bytes = bytes;
    this.backing = backing;
  }
  get inode(): Inode {
    throw new Error("no inode");
  }
  override read(io: IoCursor, offset: number): number {
    const n = Math.max(0, Math.min(io.remaining, this.bytes.length - offset));
    return n === 0 ? 0 : io.putBytes(this.bytes, offset, n);
  }
  override mmap(): Backing {
    return this.backing;
  }
}
