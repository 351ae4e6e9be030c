/**
 * Writes the contents of frames into a snapshot file, a section at a time. Pages that the host has
 * not allocated, and pages of zeros, are left out.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Arena } from "../../../ffi/mem/arena.ts";
import { compare } from "../../../ffi/mem/native_memory.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import type { FrameRange } from "../../../kernel/snapshot/graph/frame_ranges.ts";
import { FrameRuns, SECTION_PAGES } from "../../protocol/snapshot/frame_runs.ts";
import type { SnapshotWriter } from "../../protocol/snapshot/writer.ts";

export class FrameSaver {
  readonly #arena: Arena;
  readonly #writer: SnapshotWriter;
  readonly #ranges: readonly FrameRange[];
  /** The pages that are written. */
  readonly runs: FrameRuns = new FrameRuns();
  readonly #zeros: Uint8Array<ArrayBuffer> = allocBuffer(PAGE_SIZE);
  readonly #zeroAddress: number = addressOf(this.#zeros);
  /** The range that is looked at, and the arena offset in it. */
  #range = 0;
  #at = -1;
  /** Behind `#at`, all pages up to here are allocated by the host. */
  #dataEnd = 0;

  /** @param ranges in ascending order */
  constructor(arena: Arena, writer: SnapshotWriter, ranges: readonly FrameRange[]) {
    this.#arena = arena;
    this.#writer = writer;
    this.#ranges = ranges;
  }

  /** Writes a section. False: there are no pages left. */
  step(): boolean {
    const parts: Uint8Array[] = [];
    let pages = 0, start = 0, end = 0;
    const { buffer } = this.#arena.dv;
    const flush = () => {
      if (end === start) return;
      this.runs.add(start / PAGE_SIZE, (end - start) / PAGE_SIZE);
      parts.push(new Uint8Array(buffer, start, end - start));
    };
    for (; pages < SECTION_PAGES; pages++) {
      const page = this.#nextPage();
      if (page < 0) break;
      if (page !== end) {
        flush();
        start = page;
      }
      end = page + PAGE_SIZE;
    }
    flush();
    if (pages > 0) this.#writer.addFrames(parts);
    return pages === SECTION_PAGES;
  }

  /** The arena offset of the next page that is not zero; -1: there is none. */
  #nextPage(): number {
    for (let range = this.#ranges[this.#range]; range !== undefined;) {
      const end = (range.first + range.count) * PAGE_SIZE;
      let at = Math.max(this.#at, range.first * PAGE_SIZE);
      while (at < end) {
        if (at >= this.#dataEnd) {
          at = this.#arena.nextData(at);
          if (at >= end) break;
          this.#dataEnd = this.#arena.nextHole(at, end);
        }
        const page = at;
        at += PAGE_SIZE;
        if (compare(this.#arena.base + page, this.#zeroAddress, PAGE_SIZE) === 0) continue;
        this.#at = at;
        return page;
      }
      // No page before `at` has data.
      this.#at = at;
      range = this.#ranges[++this.#range];
    }
    return -1;
  }
}
