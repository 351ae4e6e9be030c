/** Maps the kernel's own shared object (vdso(7)) and its data page into a process. The image is made elsewhere. */

import { PROT_EXEC, PROT_READ } from "../../platform/platform.ts";
import { PAGE_SIZE } from "../mm/frames.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { PAGE_COW, PAGE_FILE } from "../mm/pages.ts";
import { dropPages, mapFrames, pageUp } from "../mm/region.ts";
import { findUnmapped } from "../mm/unmapped_area.ts";
import { VM_DONTDUMP, VM_SPECIAL, Vma } from "../mm/vma.ts";

/** Address of the ELF header of the vDSO, or 0 when there is none or no room. */
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

/** Where clocks are shifted the vDSO's functions shall ask the kernel: its data page says nothing any more. */
export function blankClock(mm: MemoryManager): void {
  for (let i = 0; i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i);
    if (vma.label !== "[vvar]") continue;
    const first = vma.start / PAGE_SIZE, pages = (vma.end - vma.start) / PAGE_SIZE;
    const frame = mm.ctx.frames.alloc(pages);
    // Without memory for it the program has to do without the page.
    dropPages(mm, first, first + pages);
    if (frame >= 0) {
      mapFrames(mm, first, pages, frame / PAGE_SIZE, PAGE_COW | PAGE_FILE, PROT_READ);
    } else {
      mm.space.unmap(vma.start, vma.end - vma.start);
    }
    mm.settle();
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
  mm.settle();
}
