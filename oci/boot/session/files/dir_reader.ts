/** The names of an open directory, a batch at a time, without "." and "..". */

import { DT_UNKNOWN } from "../../../../ffi/abi/dirent.ts";
import { EAGAIN, ENOENT } from "../../../../ffi/abi/errno.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import type { DirSink } from "../../../../kernel/vfs/inode.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";

/** Names of one batch. */
const BATCH = 128;

export class DirReader {
  readonly #file: OpenFile;
  readonly #sink: DirSink;
  /** The batch, last entry first. */
  #names: string[] = [];
  #types: number[] = [];
  /** DT_* of the last name that `next` returned. */
  type = DT_UNKNOWN;
  /** The last readdir gave an entry. */
  #hasMore = true;

  /** The user of the reader closes the file. */
  constructor(file: OpenFile) {
    this.#file = file;
    this.#sink = (name, _ino, type) => {
      if (this.#names.length >= BATCH) return false;
      this.#hasMore = true;
      if (name === "." || name === "..") return true;
      this.#names.push(name);
      this.#types.push(type);
      return true;
    };
  }

  /** The next name, a byte string; null at the end; -errno, or BLOCK: again in the next turn. */
  next(): string | null | number {
    for (;;) {
      const name = this.#names.pop();
      if (name !== undefined) {
        this.type = this.#types.pop() ?? DT_UNKNOWN;
        return name;
      }
      if (!this.#hasMore) return null;
      const r = this.#fill();
      if (r < 0) return r;
    }
  }

  /** `next` returns the name, its last one, again. */
  putBack(name: string): void {
    this.#names.push(name);
    this.#types.push(this.type);
  }

  rewind(): void {
    this.#file.pos = 0;
    this.#names = [];
    this.#types = [];
    this.#hasMore = true;
  }

  #fill(): number {
    const file = this.#file;
    if (file.path !== null && file.path.dentry.isUnlinked) return -ENOENT;
    this.#hasMore = false;
    const r = file.readdir(this.#sink);
    this.#names.reverse();
    this.#types.reverse();
    if (r >= 0 || this.#names.length > 0) return 0;
    this.#hasMore = true;
    return r === -EAGAIN && file.needsTurn ? BLOCK : r;
  }
}
