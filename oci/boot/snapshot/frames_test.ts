/** Frames of one arena go through a file into another arena. */

import { assertEquals, assertThrows } from "@std/assert";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { Arena, WINDOW_BYTES } from "../../../ffi/mem/arena.ts";
import { FrameAllocator } from "../../../kernel/mm/frames.ts";
import type { FrameRange } from "../../../kernel/snapshot/graph/frame_ranges.ts";
import { openCodec } from "../../protocol/snapshot/codec.ts";
import { SECTION_HELD, SECTION_RUNS } from "../../protocol/snapshot/format.ts";
import { FrameRuns } from "../../protocol/snapshot/frame_runs.ts";
import { SnapshotReader } from "../../protocol/snapshot/reader.ts";
import { SnapshotWriter } from "../../protocol/snapshot/writer.ts";
import { MFD_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { memfdCreate } from "../../../ffi/sys/files.ts";
import { UserError } from "../../user_error.ts";
import { loadFrames } from "./frame_loader.ts";
import { FrameSaver } from "./frame_saver.ts";
import { ImageFile } from "./image_file.ts";

const ARENA_BYTES = 32 * WINDOW_BYTES;

function save(arena: Arena, ranges: readonly FrameRange[], level: number): ImageFile {
  const file = new ImageFile(memfdCreate("frames-test", MFD_CLOEXEC));
  const writer = new SnapshotWriter(file, openCodec(), {}, level), held = new FrameRuns();
  for (const { first, count } of ranges) held.add(first, count);
  writer.addBytes(SECTION_HELD, held.toBytes());
  const saver = new FrameSaver(arena, writer, ranges);
  while (saver.step());
  writer.addBytes(SECTION_RUNS, saver.runs.toBytes());
  writer.finish();
  return file;
}

/** Pages of a range and what is written to its first word; null: nothing is. */
const PAGES: readonly (readonly [first: number, count: number, step: number | null])[] = [
  [0, 1, 1],
  [3, 700, 1],
  [800, 4, null],
  [1000, 600, 3],
  [5000, 1, 1],
];

for (const level of [0, 1]) {
  Deno.test(`frames are the same in another arena, with level ${level}`, () => {
    const from = Arena.create(ARENA_BYTES, 0), to = Arena.create(ARENA_BYTES, 0);
    const ranges = PAGES.map(([first, count]) => ({ first, count }));
    let pages = 0;
    for (const [first, count, step] of PAGES) {
      for (let page = first; step !== null && page < first + count; page += step) {
        from.words[page * PAGE_SIZE / 4 + page % 1024] = page + 1;
        pages++;
      }
    }
    // Zeros that were written are left out too.
    from.words[801 * PAGE_SIZE / 4] = 0;
    // What no range has is left out.
    from.words[2 * PAGE_SIZE / 4] = 7;
    const file = save(from, ranges, level), reader = SnapshotReader.open(file, openCodec());
    assertEquals(reader.runs.pages, pages);
    const frames = new FrameAllocator(to);
    frames.alloc(5);
    const loaded = loadFrames(reader, to, frames);
    for (const { first, count } of ranges) {
      for (let page = first; page < first + count; page++) {
        const here = loaded.numberOf(page), word = page % 1024;
        assertEquals(
          to.words[here * PAGE_SIZE / 4 + word],
          from.words[page * PAGE_SIZE / 4 + word],
          `page ${page}`,
        );
      }
    }
    assertEquals([2, 804, 4999, 6000].map((page) => loaded.numberOf(page)), [-1, -1, -1, -1]);
    loaded.release();
    assertEquals(frames.usedBytes, 5 * PAGE_SIZE);
    file.close();
    from.close();
    to.close();
  });
}

Deno.test("frames that do not fit are refused", () => {
  const from = Arena.create(ARENA_BYTES, 0), to = Arena.create(WINDOW_BYTES, 0);
  const file = save(from, [{ first: 0, count: 513 }], 0);
  const reader = SnapshotReader.open(file, openCodec());
  assertThrows(() => loadFrames(reader, to, new FrameAllocator(to)), UserError, "does not fit");
  file.close();
  from.close();
  to.close();
});
