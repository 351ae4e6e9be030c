/**
 * The files that a process maps: one registration for each backing, counted by area. A backing
 * reports through it that pages of the file are gone (truncation, hole punching).
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Backing, FileMapping } from "./backing.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_FILE, PAGE_PATCHED, PAGE_SHARED } from "./pages.ts";
import { pageUp } from "./region.ts";
import type { BackingUser, Vma } from "./vma.ts";

export class Registration implements FileMapping {
  readonly mm: MemoryManager;
  readonly backing: Backing;
  areas: number = 0;

  constructor(mm: MemoryManager, backing: Backing) {
    this.mm = mm;
    this.backing = backing;
  }

  onPagesGone(from: number, to: number): void {
    const vmas = this.mm.vmas.list;
    for (let i = 0; i < vmas.length; i++) {
      if (vmas[i]!.backing === this.backing) filePagesGone(this.mm, vmas[i]!, from, to);
    }
    this.mm.finishChange();
  }
}

export class FileMappings implements BackingUser {
  private readonly mm: MemoryManager;
  private readonly byBacking: Map<Backing, Registration> = new Map();

  constructor(mm: MemoryManager) {
    this.mm = mm;
  }

  link(backing: Backing): void {
    let registration = this.byBacking.get(backing);
    if (registration === undefined) {
      registration = new Registration(this.mm, backing);
      this.byBacking.set(backing, registration);
      backing.mappings.add(registration);
      backing.onMapped(this.mm.account);
    }
    registration.areas++;
    backing.hold();
  }

  unlink(backing: Backing): void {
    const registration = this.byBacking.get(backing);
    if (registration !== undefined && --registration.areas === 0) {
      this.byBacking.delete(backing);
      backing.mappings.delete(registration);
      backing.onUnmapped(this.mm.account);
      if (backing.mappings.size === 0) this.mm.ctx.windows.forget(backing.inode);
    }
    backing.drop();
  }
}

/**
 * Drops the pages of an area whose file pages are gone. Pages that the host maps directly from the
 * file disappear by themselves. The process's own copies of pages behind the new end are dropped
 * too; those in a punched hole stay (unmap_mapping_range).
 */
function filePagesGone(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const fileEnd = vma.offset + (vma.end - vma.start);
  const lo = Math.max(from, vma.offset), hi = Math.min(to, fileEnd);
  if (lo >= hi) return;
  const backing = vma.backing!, truncated = pageUp(backing.size());
  const pages = mm.pages, shift = vma.start - vma.offset;
  const first = pages.splitAt((lo + shift) / PAGE_SIZE);
  const last = pages.splitAt((hi + shift) / PAGE_SIZE);
  for (let i = last - 1; i >= first; i--) {
    const addr = pages.start(i) * PAGE_SIZE, len = pages.count(i) * PAGE_SIZE;
    const isFilePage = (pages.flags(i) & (PAGE_FILE | PAGE_SHARED | PAGE_PATCHED)) !== 0;
    if (pages.frame(i) < 0 || (!isFilePage && addr - shift < truncated)) continue;
    mm.addUnmap(pages.frame(i), pages.count(i));
    if (pages.shadow(i) >= 0) {
      mm.ctx.frames.releaseUntouched(pages.shadow(i) * PAGE_SIZE, pages.count(i));
    }
    pages.remove(i, i + 1);
    if (vma.isDirect) {
      mm.space.mapFile(addr, len, backing.platformFile, addr - shift, vma.directProt);
    } else {
      mm.space.unmap(addr, len);
    }
  }
  // No thread may see the old pages once the call that removed them returns.
  mm.space.flush();
}
