/** The names of an open directory, a batch at a time, without "." and "..". */

import { EAGAIN, ENOENT } from "../../../../ffi/abi/errno.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import type { DirSink } from "../../../../kernel/vfs/inode.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";

/** Names of one batch. */
const BATCH = 128;

export class DirReader {
  readonly #file: OpenFile;
  readonly #sink: DirSink;
  /** The batch, last name first. */
  #names: string[] = [];
  /** The last readdir gave an entry. */
  #hasMore = true;

  /** The user of the reader closes the file. */
  constructor(file: OpenFile) {
    this.#file = file;
    this.#sink = (name) => {
      if (this.#names.length >= BATCH) return false;
      this.#hasMore = true;
      if (name !== "." && name !== "..") this.#names.push(name);
      return true;
    };
  }

  /** The next name, a byte string; null at the end; -errno, or BLOCK: again in the next turn. */
  next(): string | null | number {
    for (;;) {
      const name = this.#names.pop();
      if (name !== undefined) return name;
      if (!this.#hasMore) return null;
      const r = this.#fill();
      if (r < 0) return r;
    }
  }

  /** `next` returns this name again. */
  putBack(name: string): void {
    this.#names.push(name);
  }

  rewind(): void {
    this.#file.pos = 0;
    this.#names = [];
    this.#hasMore = true;
  }

  #fill(): number {
    const file = this.#file;
    if (file.path !== null && file.path.dentry.isUnlinked) return -ENOENT;
    this.#hasMore = false;
    const r = file.readdir(this.#sink);
    this.#names.reverse();
    if (r >= 0 || this.#names.length > 0) return 0;
    this.#hasMore = true;
    return r === -EAGAIN && file.needsTurn ? BLOCK : r;
  }
}
