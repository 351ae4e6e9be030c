/**
 * What a fork of a kernel has for itself of the frames: buffers and rings, which kernels write in
 * place. All other frames are shared until one writes. Not a test.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { copy } from "../../ffi/mem/native_memory.ts";
import type { FrameAllocator } from "../../kernel/mm/frames.ts";
import { FRAME_HOLDERS } from "../../kernel/snapshot/anchors/frame_holders.ts";
import type { FrameRange } from "../../kernel/snapshot/graph/frame_ranges.ts";

const WRITTEN_IN_PLACE: ReadonlySet<string> = new Set(
  `AioRing BlockRing ByteRing ForkCopies MappedMemory PacketRing UringMemory`.split(" "),
);

/** The frames of buffers and rings among the objects of a kernel. */
export function writtenFrames(objects: Iterable<object>): FrameRange[] {
  const ranges = new Map<number, number>();
  for (const object of objects) {
    const { name } = object.constructor;
    if (!WRITTEN_IN_PLACE.has(name)) continue;
    FRAME_HOLDERS[name]!.frames(object, (first, count) => ranges.set(first, count));
  }
  return [...ranges].map(([first, count]) => ({ first, count }));
}

/** Copies frames. @returns the numbers of the copies */
export function copyFrames(
  arena: Arena,
  ranges: readonly FrameRange[],
  frames: FrameAllocator,
): Map<number, number> {
  const numbers = new Map<number, number>();
  for (const { first, count } of ranges) {
    const off = frames.alloc(count);
    if (off < 0) throw new Error("the copy has no memory");
    copy(frames.arena.base + off, arena.base + first * PAGE_SIZE, count * PAGE_SIZE);
    for (let i = 0; i < count; i++) numbers.set(first + i, off / PAGE_SIZE + i);
  }
  return numbers;
}
