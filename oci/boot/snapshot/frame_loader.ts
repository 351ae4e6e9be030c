/**
 * Puts the frames of a snapshot file into the arena of a new sandbox, under other numbers: all
 * frames of the image are allocated, and those that the file has get their contents.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Arena } from "../../../ffi/mem/arena.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { pwrite } from "../../../ffi/sys/files.ts";
import type { FrameAllocator } from "../../../kernel/mm/frames.ts";
import { SECTION_HELD, SECTION_MAX } from "../../protocol/snapshot/format.ts";
import { FrameRuns } from "../../protocol/snapshot/frame_runs.ts";
import type { SnapshotReader } from "../../protocol/snapshot/reader.ts";
import { UserError } from "../../user_error.ts";

/** The frames of an image in a new arena. */
class LoadedFrames {
  readonly #frames: FrameAllocator;
  /** Runs of the image, and the first page of each in the arena. */
  readonly #held: FrameRuns;
  readonly #placed: number[] = [];
  /** The run in which a frame was found last. */
  #run = 0;

  /** @throws UserError if there is not enough memory */
  constructor(frames: FrameAllocator, held: FrameRuns) {
    this.#frames = frames;
    this.#held = held;
    for (let i = 0; i < held.length; i++) {
      const off = frames.alloc(held.count(i));
      if (off < 0) throw new UserError("the memory of the snapshot does not fit here");
      this.#placed.push(off / PAGE_SIZE);
    }
  }

  /** The number here of a frame of the image; -1: the image has no such frame. */
  numberOf(frame: number): number {
    const i = this.#runWith(frame);
    return i < 0 ? -1 : this.#placed[i]! + frame - this.#held.first(i);
  }

  /** Of `most` frames from `first` on: how many are in one run of the image. */
  runOf(first: number, most: number): number {
    const held = this.#held, i = this.#runWith(first);
    return i < 0 ? 0 : Math.min(most, held.first(i) + held.count(i) - first);
  }

  /** The run that has the frame, or -1. */
  #runWith(frame: number): number {
    const held = this.#held, i = this.#run;
    const isHere = i < held.length && frame >= held.first(i) &&
      frame < held.first(i) + held.count(i);
    if (isHere) return i;
    const found = this.#find(frame);
    if (found >= 0) this.#run = found;
    return found;
  }

  hold(first: number, count: number): void {
    this.#frames.retain(first * PAGE_SIZE, count);
  }

  /** Called when all holders have their references: a frame without one is free again. */
  release(): void {
    const held = this.#held;
    this.#placed.forEach((page, i) => this.#frames.release(page * PAGE_SIZE, held.count(i)));
  }

  /** The run that has the frame, or -1. */
  #find(frame: number): number {
    const held = this.#held;
    let low = 0, high = held.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (held.first(middle) + held.count(middle) <= frame) low = middle + 1;
      else high = middle;
    }
    return low < held.length && held.first(low) <= frame ? low : -1;
  }
}

/**
 * @throws UserError if there is not enough memory
 * @throws SnapshotFileError if the file is damaged
 */
export function loadFrames(
  reader: SnapshotReader,
  arena: Arena,
  frames: FrameAllocator,
): LoadedFrames {
  const loaded = new LoadedFrames(frames, FrameRuns.fromBytes(reader.bytes(SECTION_HELD)));
  const { runs } = reader, buffer = allocBuffer(SECTION_MAX);
  let run = 0, done = 0;
  for (let i = 0; i < reader.frameSections; i++) {
    const bytes = reader.frames(i, buffer), address = addressOf(bytes);
    for (let at = 0; at < bytes.length;) {
      const pages = Math.min(runs.count(run) - done, (bytes.length - at) / PAGE_SIZE);
      put(arena, loaded, runs.first(run) + done, pages, address + at);
      at += pages * PAGE_SIZE;
      done += pages;
      if (done === runs.count(run)) {
        run++;
        done = 0;
      }
    }
  }
  return loaded;
}

/**
 * Copies pages from an address to where frames of the image are. By pwrite(2), for which the host
 * neither clears nor maps the pages.
 */
function put(
  arena: Arena,
  loaded: LoadedFrames,
  first: number,
  pages: number,
  address: number,
): void {
  for (let done = 0; done < pages;) {
    const to = loaded.numberOf(first + done);
    let n = 1;
    while (done + n < pages && loaded.numberOf(first + done + n) === to + n) n++;
    if (to < 0) throw new UserError("the snapshot has pages that nothing in it holds");
    const length = n * PAGE_SIZE;
    if (pwrite(arena.fd, address + done * PAGE_SIZE, length, to * PAGE_SIZE) !== length) {
      throw new UserError("the host has no memory for that of the snapshot");
    }
    done += n;
  }
}
