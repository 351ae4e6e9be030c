/**
 * A whole kernel as an image, and a kernel made from one. To be called while the world stands still
 * (quiesce.ts), or before the first turn of the kernel that is made.
 *
 * Neighbours: graph/ (bytes and objects), anchors/ (what the classes of a kernel need), clocks.ts.
 * Not here: the contents of frames, and files with images.
 */

import { SandboxKernel } from "../kernel.ts";
import type { Surroundings } from "./anchors/surroundings.ts";
import { readStoppedClocks, resumeClocks, type StoppedClocks } from "./clocks.ts";
import { ImageError } from "./graph/byte_reader.ts";
import type { ClassTable } from "./graph/class_table.ts";
import { type CopiedFrames, decodeGraph } from "./graph/decoder.ts";
import { type EncodedGraph, encodeGraph, type EncodeOptions } from "./graph/encoder.ts";

/** What an image is made of. */
interface WorldRoot {
  readonly kernel: SandboxKernel;
  /** What the boot process has to know of the guests that it serves: plain objects and state. */
  readonly guests: readonly object[];
}

interface WorldImage extends EncodedGraph {
  readonly clocks: StoppedClocks;
}

/**
 * @throws GraphError if the kernel holds what the table does not know
 * @throws RefusedError if it holds what cannot be taken along
 */
export function encodeWorld(root: WorldRoot, table: ClassTable, how: EncodeOptions): WorldImage {
  const clocks = readStoppedClocks(root.kernel.host);
  return { ...encodeGraph(root, table, how), clocks };
}

/**
 * A kernel that goes on where that of the image stopped. If this fails, what it has made on the
 * host is gone again, but frames that `frames` holds are the caller's.
 *
 * @param frames what becomes of the frames of the image
 * @throws ImageError if no encoder with this table has made the image; rules throw their own errors
 */
export function decodeWorld(
  { bytes, kept, clocks }: WorldImage,
  table: ClassTable,
  surroundings: Surroundings,
  frames: CopiedFrames,
): WorldRoot {
  const root = decodeGraph(bytes, table, { host: surroundings, kept, frames });
  if (!isWorld(root)) throw new ImageError(0, "the image of a kernel");
  root.kernel.loop.attach();
  resumeClocks(root.kernel, clocks);
  return root;
}

function isWorld(root: object): root is WorldRoot {
  return "kernel" in root && root.kernel instanceof SandboxKernel && "guests" in root &&
    Array.isArray(root.guests) && root.guests.every((guest) => guest instanceof Object);
}
