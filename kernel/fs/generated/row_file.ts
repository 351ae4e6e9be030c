/**
 * Text files of many rows that are generated while they are read: each read makes the rows of one
 * turn of the loop, as a read of Linux's seq_file makes those of a page. To reach a later offset
 * takes several turns. A read from the start makes new rows. proc/fs/net_dir.ts uses this for its
 * large tables.
 */

import { EAGAIN, ENOMEM } from "../../../ffi/abi/errno.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { TEXT_BYTES } from "../../core/quota.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { TextSteps } from "./stepped_text.ts";
import { TextFile } from "./text_inode.ts";

const NOTHING = new Uint8Array(0);

export abstract class RowFile extends TextFile {
  private steps: TextSteps | null = null;
  /** The bytes from `chunkAt` on. */
  private chunk: Uint8Array<ArrayBuffer> = NOTHING;
  private chunkAt: number = 0;
  private isAtEnd: boolean = false;

  /** Starts the text, or returns all of it. */
  protected abstract begin(): TextSteps | string;

  override read(io: IoCursor, offset: number): number {
    this.needsTurn = false;
    const isAgain = offset === 0 && this.chunkAt === 0 && this.chunk.length > 0;
    if (offset < this.chunkAt || isAgain) this.rewind();
    if (offset >= this.chunkAt + this.chunk.length) {
      if (this.isAtEnd) return 0;
      if (!this.makeChunk()) return -ENOMEM;
    }
    const from = offset - this.chunkAt, left = this.chunk.length - from;
    if (left > 0) return io.putBytes(this.chunk, from, Math.min(io.remaining, left));
    if (this.isAtEnd) return 0;
    this.needsTurn = true;
    return -EAGAIN;
  }

  private rewind(): void {
    this.setChunk(NOTHING);
    this.chunkAt = 0;
    this.steps = null;
    this.isAtEnd = false;
  }

  /** Makes the rows of one step; false when the account has no room for them. */
  private makeChunk(): boolean {
    const made = this.steps ?? this.begin();
    let text = "";
    if (typeof made === "string") {
      text = made;
      this.isAtEnd = true;
    } else {
      this.steps = made;
      this.isAtEnd = !made.step();
      text = made.text;
      made.text = "";
    }
    this.chunkAt += this.chunk.length;
    if (this.setChunk(stringToBytes(text))) return true;
    this.rewind();
    return false;
  }

  private setChunk(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!TEXT_BYTES.replace(this.chunk.length, bytes.length, this.account)) return false;
    this.chunk = bytes;
    return true;
  }

  protected override release(): void {
    this.setChunk(NOTHING);
    this.steps = null;
  }
}
