/**
 * Text files whose text may be long: it is made in several turns of the loop, so many rows a turn,
 * and read once it is complete. A reader that begins again gets a new text.
 *
 * DIFFERS: rows are of the moment at which they are made, as with Linux's seq_file; a reader that a
 * signal interrupted goes on with the text that was begun.
 */

import { EAGAIN, ENOMEM } from "../../../ffi/abi/errno.ts";
import { TEXT_MAX } from "../../core/quota.ts";
import { TextFile } from "./text_inode.ts";

/** A text in the making: plain data, which a file keeps from turn to turn. */
export interface TextSteps {
  /** What there is of it; a file of rows takes it out. */
  text: string;
  /** Adds so much of it as one turn may take. False: that was the last of it. */
  step(): boolean;
}

export abstract class SteppedTextFile extends TextFile {
  private steps: TextSteps | null = null;

  /** A text from its beginning, or all of it, or -errno. */
  protected abstract begin(): TextSteps | string | number;

  protected override render(): string | number {
    if (this.steps === null) {
      const text = this.begin();
      if (typeof text !== "object") return text;
      this.steps = text;
    }
    const { steps } = this, hasMore = steps.step();
    const isTooLong = steps.text.length > TEXT_MAX;
    if (hasMore && !isTooLong) return -EAGAIN;
    this.steps = null;
    return isTooLong ? -ENOMEM : steps.text;
  }

  protected override release(): void {
    super.release();
    this.steps = null;
  }
}

/** All of a text at once, for texts that are known to be short. */
export function wholeText(text: TextSteps | string): string {
  if (typeof text === "string") return text;
  while (text.step());
  return text.text;
}
