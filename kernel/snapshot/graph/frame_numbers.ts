/**
 * The numbers that frames have in a copy. Frames that follow each other in the original may be
 * apart in the copy: what holds several of them has to ask for all.
 */

import { ImageError } from "./byte_reader.ts";

/** What becomes of the frames that the objects of a copy hold. */
export interface CopiedFrames {
  /**
   * The number of a frame in the copy, or -1 if the image has no such frame; without it, frames
   * have the same numbers.
   */
  numberOf?(frame: number): number;
  /**
   * Of `most` frames from `first` on: how many have numbers that follow each other; 0 if the image
   * has not even the first one. Without it, each frame is asked for.
   */
  runOf?(first: number, most: number): number;
  /** Called with the frames of each object that holds some. */
  hold(first: number, count: number): void;
}

export function numberOf(frames: CopiedFrames, frame: number): number {
  return frames.numberOf?.(frame) ?? frame;
}

/**
 * Of `most` frames from `first` on: how many have numbers that follow each other; 0 if the image
 * has not even the first one.
 */
export function runOf(frames: CopiedFrames, first: number, most: number): number {
  if (frames.numberOf === undefined) return most;
  if (frames.runOf !== undefined) return frames.runOf(first, most);
  const number = frames.numberOf(first);
  let n = number < 0 ? 0 : 1;
  while (n > 0 && n < most && frames.numberOf(first + n) === number + n) n++;
  return n;
}

/** What rules of classes ask. */
export class FrameNumbers {
  private readonly frames: CopiedFrames;
  private readonly offset: number;

  /** @param offset in the image, for errors */
  constructor(frames: CopiedFrames, offset: number) {
    this.frames = frames;
    this.offset = offset;
  }

  /**
   * The number of the first of `count` frames whose numbers follow each other.
   *
   * @throws ImageError if the image does not have all of them, or they are apart in the copy
   */
  of(first: number, count: number): number {
    const number = numberOf(this.frames, first);
    if (number >= 0 && (count === 1 || runOf(this.frames, first, count) === count)) return number;
    throw new ImageError(this.offset, `expected ${count} frames from ${first} on, and together`);
  }

  /**
   * Of `most` frames from `first` on: how many have numbers that follow each other, at least 1.
   *
   * @throws ImageError if the image does not have the first one
   */
  run(first: number, most: number): number {
    const n = runOf(this.frames, first, most);
    if (n > 0) return n;
    throw new ImageError(this.offset, `expected the frame ${first}`);
  }
}
