/**
 * Maps the vDSO (vdso(7)) and its data page into a process. platform/vdso has the image;
 * oci/boot/guest_clock.ts puts it into the arena.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_READ } from "../../ffi/abi/mman.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { PAGE_COW, PAGE_FILE } from "../mm/pages.ts";
import { dropPages, mapFrames, pageUp } from "../mm/region.ts";
import { findUnmapped } from "../mm/unmapped_area.ts";
import { VM_DONTDUMP, VM_SPECIAL, Vma } from "../mm/vma.ts";

/** Maps both. The address of the vDSO's ELF header, or 0 when there is no vDSO or no room. */
export function mapVdso(mm: MemoryManager): number {
  const vdso = mm.ctx.vdso;
  if (vdso === null) return 0;
  const dataBytes = pageUp(vdso.vvarBytes), imageBytes = pageUp(vdso.imageBytes);
  const at = findUnmapped(mm, dataBytes + imageBytes, false);
  if (at < 0) return 0;
  if (dataBytes > 0) mapSpecial(mm, at, dataBytes, vdso.vvarFrame, PROT_READ, "[vvar]");
  const image = at + dataBytes;
  mapSpecial(mm, image, imageBytes, vdso.imageFrame, PROT_READ | PROT_EXEC, "[vdso]");
  return image;
}

/**
 * Replaces the data page by zeros, so that the vDSO's functions ask the kernel: for a process in a
 * time namespace whose clocks are shifted.
 */
export function blankClock(mm: MemoryManager): void {
  for (let i = 0; i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i);
    if (vma.label !== "[vvar]") continue;
    const first = vma.start / PAGE_SIZE, pages = (vma.end - vma.start) / PAGE_SIZE;
    const frame = mm.ctx.frames.alloc(pages);
    // Without memory for a new page the program has no data page.
    dropPages(mm, first, first + pages);
    if (frame >= 0) {
      mapFrames(mm, first, pages, frame / PAGE_SIZE, PAGE_COW | PAGE_FILE, PROT_READ);
    } else {
      mm.space.unmap(vma.start, vma.end - vma.start);
    }
    mm.finishChange();
    return;
  }
}

function mapSpecial(
  mm: MemoryManager,
  start: number,
  bytes: number,
  frame: number,
  prot: number,
  label: string,
): void {
  const flags = VM_SPECIAL | VM_DONTDUMP, pages = bytes / PAGE_SIZE;
  const vma = new Vma(start, start + bytes, prot, prot, flags, null, start, label);
  mm.vmas.insert(vma);
  mm.counters.charge(vma, pages, 1);
  mm.ctx.frames.retain(frame, pages);
  mapFrames(mm, start / PAGE_SIZE, pages, frame / PAGE_SIZE, PAGE_COW | PAGE_FILE, prot);
  mm.finishChange();
}
