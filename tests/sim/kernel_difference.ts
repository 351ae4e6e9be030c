/**
 * Compares a kernel with its copy: all state, and the contents of all memory. Not a test.
 *
 * Not compared is what rules/fields.ts and rules/numbers.ts say that a copy makes anew.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { compare } from "../../ffi/mem/native_memory.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { PageMap } from "../../kernel/mm/pages.ts";
import { FRAME_HOLDERS } from "../../kernel/snapshot/anchors/frame_holders.ts";
import { difference } from "../../kernel/snapshot/graph/compare_testing.ts";
import { FIELD_RULES } from "../../kernel/snapshot/rules/fields.ts";
import { NUMBER_RULES } from "../../kernel/snapshot/rules/numbers.ts";
import { STATE_TABLE } from "../../kernel/snapshot/state_table.ts";
import { OverlayFs } from "../../kernel/fs/overlay/overlay_fs.ts";
import { OverlayInode } from "../../kernel/fs/overlay/overlay_inode.ts";
import { TmpfsFs } from "../../kernel/fs/tmpfs/tmpfs.ts";
import { TmpfsInode } from "../../kernel/fs/tmpfs/tmpfs_inode.ts";
import { Dentry } from "../../kernel/vfs/dentry.ts";
import { DentryCache } from "../../kernel/vfs/dentry_cache.ts";
import { nameOf } from "./object_graph.ts";
import { LANGUAGE } from "./state_registry.ts";

const STATE: ReadonlySet<string> = new Set([...LANGUAGE, ...STATE_TABLE.map(({ name }) => name)]);

const TREES = [Dentry, DentryCache, TmpfsInode, TmpfsFs, OverlayInode, OverlayFs] as const;

/**
 * Trees of files: a copy has records in place of names and inodes that nothing refers to, until
 * they are looked up (snapshot/anchors/tree_fields.ts). Calls compare them.
 */
function isEnd(value: object): boolean {
  if (value instanceof PageMap || !STATE.has(nameOf(value))) return true;
  return TREES.some((made) => value instanceof made);
}

/**
 * Fields that a copy makes anew, numbers that it translates, and what depends on them: caches of
 * the last search and of the last translation, whether registers have to be loaded, what was
 * kept while they were fetched, charges of pages that only are reserved, and users of inodes, which
 * names that are left out may have been.
 */
const SKIPPED: ReadonlySet<string> = new Set([
  ...FIELD_RULES.map(({ field }) => field),
  ...NUMBER_RULES.flatMap(({ kind, field }) => /frame|address|view/.test(kind) ? [field] : []),
  ...`
    ChargeShare.pages ContainerMemory.chargedPages Inode.refs JobMemory.chargedPages
    MemoryManager.forkSeq MemoryManager.stackReservePages MemoryState.chargedPages
    ProgramBreak.reservePages Task.attention Task.regsFetched Task.result UserAccess.resolvedPages
    UserAccess.runPages VmaList.hint
  `.trim().split(/\s+/),
]);

/** Whether a field of an object of a class is skipped, by the class or one that it extends. */
function isSkipped(made: object | null, field: string): boolean {
  for (let at = made; at !== null; at = Object.getPrototypeOf(at)) {
    if (SKIPPED.has(`${at.constructor.name}.${field}`)) return true;
  }
  return false;
}

/** The fields that are skipped, by the prototypes of their objects. */
const SKIPPED_OF: ReadonlyMap<object, ReadonlySet<string>> = new Map(
  STATE_TABLE.map(({ made: { prototype }, fields }) => {
    return [prototype, new Set(fields.filter((field) => isSkipped(prototype, field)))];
  }),
);

/**
 * The frames that an object holds by their places: guest pages of a memory, else an order. A memory
 * may have filled or copied pages ahead, by what it remembers of the last accesses.
 */
function framesOf(object: object): Map<number, number> {
  const frames = new Map<number, number>();
  if (object instanceof PageMap) {
    for (let i = 0; i < object.length; i++) {
      for (let page = 0; page < object.count(i) && object.frame(i) >= 0; page++) {
        frames.set(object.start(i) + page, object.frame(i) + page);
      }
    }
    return frames;
  }
  FRAME_HOLDERS[nameOf(object)]?.frames(object, (first, count) => {
    for (let i = 0; i < count; i++) frames.set(frames.size, first + i);
  });
  return frames;
}

/** The first difference of a kernel and its copy, with the path to it; null: they are alike. */
export function kernelDifference(original: SandboxKernel, kernel: SandboxKernel): string | null {
  const [one, other] = [original, kernel].map(({ memory: { arena } }) => arena.base);
  return difference(original, kernel, {
    isEnd,
    isSkipped: (owner, field) => SKIPPED_OF.get(Object.getPrototypeOf(owner))?.has(field) === true,
    isValue: (value) => Object.getPrototypeOf(value) === Object.prototype,
    differs(a, b) {
      const frames = framesOf(a), others = framesOf(b);
      if (!(a instanceof PageMap) && frames.size !== others.size) {
        return `${frames.size} and ${others.size} pages`;
      }
      for (const [place, frame] of frames) {
        const copied = others.get(place), at = one! + frame * PAGE_SIZE;
        if (copied === undefined) continue;
        if (compare(at, other! + copied * PAGE_SIZE, PAGE_SIZE) !== 0) return `page ${place}`;
      }
      return null;
    },
  });
}
