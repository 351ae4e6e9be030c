/**
 * A whole kernel as an image, and a kernel made from one. To be called while the world stands still
 * (quiesce.ts), or before the first turn of the kernel that is made.
 *
 * Neighbours: graph/ (bytes and objects), anchors/ (what the classes of a kernel need), clocks.ts.
 * Not here: the contents of frames, and files with images.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { SandboxKernel } from "../kernel.ts";
import type { VdsoPages } from "../mm/memory_context.ts";
import type { Surroundings } from "./anchors/surroundings.ts";
import { readStoppedClocks, resumeClocks, type StoppedClocks } from "./clocks.ts";
import { settleFiles, settleRecords } from "./settle_files.ts";
import { ImageError } from "./graph/byte_reader.ts";
import type { ClassTable } from "./graph/class_table.ts";
import { decodeGraph } from "./graph/decoder.ts";
import { type EncodedGraph, encodeGraph, type EncodeOptions } from "./graph/encoder.ts";
import { type CopiedFrames, numberOf, runOf } from "./graph/frame_numbers.ts";
import { type FrameRange, rangesWithout } from "./graph/frame_ranges.ts";

/** What an image is made of. */
export interface WorldRoot {
  readonly kernel: SandboxKernel;
  /** What the boot process has to know of the guests that it serves: plain objects and state. */
  readonly guests: readonly object[];
}

export interface WorldImage extends EncodedGraph {
  readonly facts: WorldFacts;
}

/** What the bytes do not say: numbers, which JSON keeps. */
interface WorldFacts {
  readonly clocks: StoppedClocks;
  /** The pages that guests have mapped, which are no frames of the image; null: none. */
  readonly vdso: VdsoPages | null;
  /** The kernel answers getcpu(2) itself (MemoryContext.hideProcessors). */
  readonly hidesProcessors: boolean;
}

/** LIMIT: bytes of files without a name in an image. */
const UNNAMED_MAX = 64 << 20;

/**
 * @throws GraphError if the kernel holds what the table does not know
 * @throws RefusedError if it holds what cannot be taken along
 * @throws Refusal if a file server does not answer
 */
export function encodeWorld(root: WorldRoot, table: ClassTable, how: EncodeOptions): WorldImage {
  const { host, memory } = root.kernel, { vdso } = memory;
  const clocks = readStoppedClocks(host), hidesProcessors = memory.hidesProcessors;
  if (how.isInProcess !== true) settleFiles(root.kernel.vfs);
  settleRecords(root.kernel.vfs);
  const fileRoom = { bytes: UNNAMED_MAX };
  const { bytes, kept, frames, written } = encodeGraph(root, table, { ...how, fileRoom });
  return {
    bytes,
    kept,
    frames: vdso === null ? frames : rangesWithout(frames, pagesOf(vdso)),
    written,
    facts: { clocks, vdso, hidesProcessors },
  };
}

/**
 * A kernel that goes on where that of the image stopped. If this fails, what it has made on the
 * host is gone again, but frames that `frames` holds are the caller's.
 *
 * @param frames what becomes of the frames of the image; the pages of the vDSO are held, too
 * @throws ImageError if no encoder with this table has made the image; rules throw their own errors
 * @throws Refusal if the surroundings lack what the kernel had
 */
export function decodeWorld(
  { bytes, kept, facts }: WorldImage,
  table: ClassTable,
  surroundings: Surroundings,
  frames: CopiedFrames,
): WorldRoot {
  const options = { host: surroundings, kept, frames: withVdso(frames, facts.vdso, surroundings) };
  const root = decodeGraph(bytes, table, options);
  if (!isWorld(root)) throw new ImageError(0, "the image of a kernel");
  const { memory } = root.kernel;
  if (facts.hidesProcessors) memory.hideProcessors();
  resumeClocks(root.kernel, facts.clocks);
  return root;
}

function isWorld(root: object): root is WorldRoot {
  return "kernel" in root && root.kernel instanceof SandboxKernel && "guests" in root &&
    Array.isArray(root.guests) && root.guests.every((guest) => guest instanceof Object);
}

/** The frames of the vDSO. */
function pagesOf({ vvarFrame, imageFrame, imageBytes }: VdsoPages): FrameRange {
  const first = vvarFrame / PAGE_SIZE;
  return { first, count: Math.ceil((imageFrame + imageBytes) / PAGE_SIZE) - first };
}

/** Guests that have the vDSO of the image mapped get that of the surroundings. */
function withVdso(
  frames: CopiedFrames,
  there: VdsoPages | null,
  { vdso: here }: Surroundings,
): CopiedFrames {
  if (there === null) return frames;
  if (here === null || !isSameImage(here, there)) {
    throw new Error("the guests of the image have the vDSO of another version");
  }
  const { first, count } = pagesOf(there), end = first + count, by = pagesOf(here).first - first;
  return {
    numberOf(frame) {
      return frame >= first && frame < end ? frame + by : numberOf(frames, frame);
    },
    // The frames of the vDSO are no frames of the image.
    runOf(frame, most) {
      if (frame >= first && frame < end) return Math.min(most, end - frame);
      return runOf(frames, frame, frame < first ? Math.min(most, first - frame) : most);
    },
    hold: (held, pages) => frames.hold(held, pages),
  };
}

/** By the sizes: the file of an image says which version made it. */
function isSameImage(one: VdsoPages, other: VdsoPages): boolean {
  return one.imageFrame - one.vvarFrame === other.imageFrame - other.vvarFrame &&
    one.imageBytes === other.imageBytes;
}
