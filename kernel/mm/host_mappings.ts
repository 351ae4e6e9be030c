/**
 * Makes the host's mappings of a memory from its areas and its page map: all of them in a space
 * that is new, or those of a range whose pages have changed.
 *
 * Neighbours: fork_slices.ts maps what changed while a fork was under way.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { AddressSpace } from "../../platform/platform.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW } from "./pages.ts";

/** Maps everything that the memory has in a space that is new. */
export function mapAll(mm: MemoryManager, space: AddressSpace): void {
  const thunks = mm.sites?.all ?? null;
  if (thunks !== null) space.useThunks(thunks);
  for (const vma of mm.vmas.list) {
    mapPages(mm, space, vma.start / PAGE_SIZE, vma.end / PAGE_SIZE, false);
  }
}

/** Makes the host's mappings of pages [from, to) match the areas and the page map. */
export function remapPages(mm: MemoryManager, from: number, to: number): void {
  mapPages(mm, mm.space, from, to, true);
}

/** @param unmaps the host may have mappings where the memory has no page */
function mapPages(
  mm: MemoryManager,
  space: AddressSpace,
  from: number,
  to: number,
  unmaps: boolean,
): void {
  const map = mm.pages;
  for (let page = from; page < to;) {
    const vma = mm.vmas.find(page * PAGE_SIZE), i = map.indexOf(page);
    const isThere = i < map.length && map.start(i) <= page;
    let end = Math.min(to, isThere ? map.end(i) : i < map.length ? map.start(i) : to);
    if (vma !== null) end = Math.min(end, vma.end / PAGE_SIZE);
    else {
      const k = mm.vmas.indexOf(page * PAGE_SIZE);
      if (k < mm.vmas.length) end = Math.min(end, mm.vmas.at(k).start / PAGE_SIZE);
    }
    const at = page * PAGE_SIZE, len = (end - page) * PAGE_SIZE;
    if (vma !== null && isThere && map.frame(i) >= 0) {
      const prot = (map.flags(i) & PAGE_COW) !== 0 ? vma.sharedProt : vma.prot;
      space.mapArena(at, len, (map.frame(i) + page - map.start(i)) * PAGE_SIZE, prot);
    } else if (vma !== null && vma.isDirect) {
      const file = vma.backing!.platformFile;
      space.mapFile(at, len, file, at - vma.start + vma.offset, vma.directProt);
    } else if (unmaps) {
      space.unmap(at, len);
    }
    page = end;
  }
}
