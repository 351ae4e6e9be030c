/**
 * Text files whose text may be long: several turns of the loop make it, some rows a turn, and it is
 * read once it is complete. A read from the start makes a new text.
 *
 * DIFFERS: rows are of the moment at which they are made, as with Linux's seq_file; a reader that a
 * signal interrupted goes on with the text that was begun.
 */

import { EAGAIN, ENOMEM } from "../../../ffi/abi/errno.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { TEXT_MAX } from "../../core/quota.ts";
import { TextFile } from "./text_inode.ts";

/** A text that is being made: plain data that a file keeps between turns. */
export interface TextSteps {
  /** The text so far, without what the file took already. */
  text: string;
  /** Adds what one turn may make. False at the end of the text. */
  step(): boolean;
}

export abstract class SteppedTextFile extends TextFile {
  private steps: TextSteps | null = null;
  /** The bytes so far: to encode a long text at once would make a long turn. */
  private made: Uint8Array<ArrayBuffer> = NOTHING;
  private length: number = 0;

  /** Starts the text; or returns all of it, or -errno. */
  protected abstract begin(): TextSteps | string | number;

  protected override makeBytes(): Uint8Array<ArrayBuffer> | number {
    if (this.steps === null) {
      const text = this.begin();
      if (typeof text === "number") return text;
      if (typeof text === "string") return stringToBytes(text);
      this.steps = text;
    }
    const { steps } = this, hasMore = steps.step(), { text } = steps;
    const isTooLong = this.length + text.length > TEXT_MAX;
    if (!isTooLong) {
      this.append(stringToBytes(text));
      steps.text = "";
      if (hasMore) return -EAGAIN;
    }
    const bytes = this.made.subarray(0, this.length);
    this.dropSteps();
    return isTooLong ? -ENOMEM : bytes;
  }

  private append(bytes: Uint8Array<ArrayBuffer>): void {
    const end = this.length + bytes.length;
    if (end > this.made.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.made.length));
      larger.set(this.made.subarray(0, this.length));
      this.made = larger;
    }
    this.made.set(bytes, this.length);
    this.length = end;
  }

  private dropSteps(): void {
    this.steps = null;
    this.made = NOTHING;
    this.length = 0;
  }

  protected override release(): void {
    super.release();
    this.dropSteps();
  }
}

const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Makes all of a text at once, for texts that are known to be short. */
export function wholeText(text: TextSteps | string): string {
  if (typeof text === "string") return text;
  while (text.step());
  return text.text;
}
