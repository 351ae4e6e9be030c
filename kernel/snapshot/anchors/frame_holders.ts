/**
 * The classes of state that hold frames: which ones, and how their numbers change in another arena.
 * numbers.ts lists the fields. Frames of scratch and of reserves are not among them: a copy has new
 * ones.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { FrameCharges } from "../../cgroup/charges.ts";
import type { FrameRule, FrameVisitor } from "../graph/class_row.ts";
import type { FrameNumbers } from "../graph/frame_numbers.ts";
import { PAGE_PATCHED, type PageMap } from "../../mm/pages.ts";

/** Frames are arena page numbers. */
interface FrameHolder {
  /** The fields with their numbers. */
  readonly holds: readonly string[];
  frames(object: object, visit: FrameVisitor): void;
  renumber(object: object, numbers: FrameNumbers): void;
}

/** Contiguous frames from the arena offset in one field on. */
function stretch(field: string, pagesOf: (object: object) => number): FrameHolder {
  return {
    holds: [field],
    frames(object, visit) {
      const base: number = Reflect.get(object, field);
      if (base >= 0) visit(base / PAGE_SIZE, pagesOf(object));
    },
    renumber(object, numbers) {
      const base: number = Reflect.get(object, field);
      if (base < 0) return;
      Reflect.set(object, field, numbers.of(base / PAGE_SIZE, pagesOf(object)) * PAGE_SIZE);
    },
  };
}

function both(one: FrameHolder, other: FrameHolder): FrameHolder {
  return {
    holds: [...one.holds, ...other.holds],
    frames(object, visit) {
      one.frames(object, visit);
      other.frames(object, visit);
    },
    renumber(object, numbers) {
      one.renumber(object, numbers);
      other.renumber(object, numbers);
    },
  };
}

function number(object: object, field: string): number {
  return Reflect.get(object, field);
}

/** Calls `visit` for the pieces of a FilePages: runs of frames, not holes. */
function piecesOf(pages: object): number[][] {
  const more: Map<number, number[]> | null = Reflect.get(pages, "more");
  return [Reflect.get(pages, "first"), ...(more === null ? [] : more.values())];
}

const FILE_PAGES: FrameHolder = {
  holds: ["first", "more"],
  frames(object, visit) {
    for (const piece of piecesOf(object)) {
      for (let i = 0; i < piece.length;) {
        const first = piece[i]!;
        let n = 1;
        while (first >= 0 && piece[i + n] === first + n) n++;
        if (first >= 0) visit(first, n);
        i += n;
      }
    }
  },
  renumber(object, numbers) {
    for (const piece of piecesOf(object)) {
      for (const [i, frame] of piece.entries()) if (frame >= 0) piece[i] = numbers.of(frame, 1);
    }
  },
};

/** Patched pages are no part of a copy: a site is patched at a later call. */
const PAGE_MAP: FrameHolder = {
  holds: ["frames", "shadows"],
  frames(object, visit) {
    const map = object as PageMap;
    for (let i = 0; i < map.length; i++) {
      const isHeld = map.frame(i) >= 0 && (map.flags(i) & PAGE_PATCHED) === 0;
      if (isHeld) visit(map.frame(i), map.count(i));
    }
  },
  renumber: (object, numbers) => (object as PageMap).renumber(numbers),
};

/** The part of SharedAnon that the rule uses. */
interface Pieces {
  readonly pieces: Map<number, number>;
  pagesOf(piece: number): number;
}

const SHARED: FrameHolder = {
  holds: ["pieces"],
  frames(object, visit) {
    const { pieces } = object as Pieces;
    for (const [piece, at] of pieces) visit(at / PAGE_SIZE, (object as Pieces).pagesOf(piece));
  },
  renumber(object, numbers) {
    const { pieces } = object as Pieces;
    for (const [piece, at] of pieces) {
      const pages = (object as Pieces).pagesOf(piece);
      pieces.set(piece, numbers.of(at / PAGE_SIZE, pages) * PAGE_SIZE);
    }
  },
};

/** The part of ForkCopies that the rule uses: a count of 0 when the child has the frames. */
interface Copies {
  readonly frames: number[];
  readonly counts: readonly number[];
}

const FORK_COPIES: FrameHolder = {
  holds: ["frames"],
  frames(object, visit) {
    const { frames, counts } = object as Copies;
    for (const [i, first] of frames.entries()) if (counts[i]! > 0) visit(first, counts[i]!);
  },
  renumber(object, numbers) {
    const { frames, counts } = object as Copies;
    for (const [i, first] of frames.entries()) {
      const count = counts[i]!;
      if (count > 0) frames[i] = numbers.of(first, count);
    }
  },
};

/** Memory of the kernel whose last reference is gone may still be reached, and has no frames. */
function whileHeld(holder: FrameHolder): FrameHolder {
  return {
    holds: holder.holds,
    frames(object, visit) {
      if (number(object, "refs") > 0) holder.frames(object, visit);
    },
    renumber(object, numbers) {
      if (number(object, "refs") > 0) holder.renumber(object, numbers);
    },
  };
}

const KERNEL_PAGES = whileHeld(
  stretch("base", (object) => number(object, "bytes") / PAGE_SIZE),
);

/** Classes that keep something about frames of others. */
export const FRAME_FOLLOWERS: Readonly<Record<string, FrameRule>> = {
  FrameCharges: {
    follow(charges, held, numberOf) {
      if (charges instanceof FrameCharges) charges.renumber(held, numberOf);
    },
  },
};

export const FRAME_HOLDERS: Readonly<Record<string, FrameHolder>> = {
  AioRing: KERNEL_PAGES,
  BlockRing: KERNEL_PAGES,
  ByteRing: stretch("base", (object) => number(object, "size") / PAGE_SIZE),
  FilePages: FILE_PAGES,
  ForkCopies: FORK_COPIES,
  MappedMemory: KERNEL_PAGES,
  PacketRing: KERNEL_PAGES,
  PageMap: PAGE_MAP,
  RecordedPages: FILE_PAGES,
  SharedAnon: SHARED,
  ShmMemory: SHARED,
  UringMemory: whileHeld(both(
    stretch("rings", (object) => number(object, "ringPages")),
    stretch("sqes", (object) => number(object, "sqePages")),
  )),
};

/** Holders whose frames the kernel writes without a look at other holders: buffers and rings. */
export const WRITTEN_IN_PLACE: ReadonlySet<string> = new Set(
  (`
    AioRing BlockRing ByteRing ForkCopies MappedMemory PacketRing UringMemory
  `).trim().split(/\s+/),
);
