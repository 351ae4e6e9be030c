/** Dentries and inodes without those that `FileCaches` leaves out. */

import { OverlayFs } from "../../fs/overlay/overlay_fs.ts";
import { Dentry } from "../../vfs/dentry.ts";
import { DentryCache } from "../../vfs/dentry_cache.ts";
import { Inode } from "../../vfs/inode.ts";
import type { FieldRule } from "../graph/class_row.ts";
import { made, type MadeFields, ZERO } from "./field_rules.ts";

/** The first one from `field` on that is not left out, in an order of the cache. */
function kept(field: string, next: "lruNext" | "lruPrev"): FieldRule {
  return {
    save(object) {
      if (object instanceof Dentry && object.isLeftOut) return null;
      let dentry: Dentry | null = Reflect.get(object, field);
      while (dentry !== null && dentry.isLeftOut) dentry = dentry[next];
      return dentry;
    },
  };
}

/** A dentry that is left out is no part of the tree, should anything refer to it. */
function unlessLeftOut(field: "isHashed" | "holdsInode"): FieldRule {
  return { save: (object) => (object as Dentry)[field] && !(object as Dentry).isLeftOut };
}

/** A table of inodes without those that are left out. */
export function usedInodes(field: string): FieldRule {
  return {
    save(object) {
      const all: Map<unknown, Inode> = Reflect.get(object, field);
      const found = new Map<unknown, Inode>();
      for (const [key, inode] of all) if (!inode.isUnused) found.set(key, inode);
      return found;
    },
  };
}

function childrenOf({ children }: Dentry): Map<string, Dentry> | null {
  if (children === null) return null;
  const found = new Map<string, Dentry>();
  for (const [name, child] of children) if (!child.isLeftOut) found.set(name, child);
  return found;
}

function countOf(newest: Dentry | null): number {
  let count = 0;
  for (let dentry = newest; dentry !== null; dentry = dentry.lruNext) count++;
  return count;
}

export const CACHE_FIELDS: readonly MadeFields[] = [
  {
    made: Dentry,
    fields: {
      children: { save: (object) => childrenOf(object as Dentry) },
      holdsInode: unlessLeftOut("holdsInode"),
      isHashed: unlessLeftOut("isHashed"),
      isLeftOut: { value: false },
      lruNext: kept("lruNext", "lruNext"),
      lruPrev: kept("lruPrev", "lruPrev"),
    },
  },
  {
    made: DentryCache,
    fields: {
      count: made((cache) => countOf(Reflect.get(cache, "newest"))),
      newest: kept("newest", "lruNext"),
      oldest: kept("oldest", "lruPrev"),
    },
  },
  {
    made: Inode,
    fields: {
      refs: { save: (object) => (object as Inode).refs - (object as Inode).unusedRefs },
      unusedRefs: ZERO,
    },
  },
  {
    made: OverlayFs,
    fields: {
      byLower: usedInodes("byLower"),
    },
  },
];
