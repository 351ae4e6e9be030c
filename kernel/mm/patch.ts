/**
 * Patching of system call sites: seven or eight bytes (call_site.ts) of a private, executable,
 * read-only file mapping become a jump through a table of the platform, which posts the call
 * without a signal. The program computes the same as before. Debuggers (forced_access.ts) and the
 * Sentry's own reads see the original bytes. syscalls/dispatch.ts calls `patchSite` for each call
 * that arrives by signal.
 *
 * LIMIT: a site that lies across two pages stays as it is: two pages cannot be replaced at one
 * instant in general.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { copy, store16, store32, store8 } from "../../ffi/mem/native_memory.ts";
import type { Context } from "../../platform/platform.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { instructionAt, isMovable, siteBytes } from "./call_site.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_FILE, PAGE_PATCHED } from "./pages.ts";
import { PatchCache } from "./patch_cache.ts";
import type { PatchedSites } from "./patched_sites.ts";
import { dropPages, mapFrames } from "./region.ts";
import type { Vma } from "./vma.ts";

const JUMP_BYTES = 7, INVALID_OPCODE = 0x06;
/** The size of the table of sites that cannot be patched, by address. */
const REFUSED = 256;

/**
 * A call arrived by signal from the instruction before `rip`: patches its site if possible. True
 * when the site is patched now, by this call or by another thread's. `ctx` is the thread that made
 * the call, or null to patch only `mov eax, nr`.
 */
export function patchSite(
  mm: MemoryManager,
  rip: number,
  nr: number,
  ctx: Context | null = null,
): boolean {
  if (!mm.isPatching || mm.sites === null || mm.refusedSites?.[rip % REFUSED] === rip) return false;
  if (mm.unpatchedCalls > 0) {
    mm.unpatchedCalls--;
    return false;
  }
  if (tryPatch(mm, mm.sites, rip, nr, ctx)) return true;
  mm.refusedSites ??= new Float64Array(REFUSED);
  mm.refusedSites[rip % REFUSED] = rip;
  return false;
}

function tryPatch(
  mm: MemoryManager,
  sites: PatchedSites,
  rip: number,
  nr: number,
  ctx: Context | null,
): boolean {
  const last = rip - 1, page = Math.floor(last / PAGE_SIZE), end = rip - page * PAGE_SIZE;
  const vma = last < 0 ? null : mm.vmas.find(last);
  if (vma === null || !mayPatch(vma)) return false;
  const i = mm.pages.present(page);
  if (i >= 0 && (mm.pages.flags(i) & (PAGE_FILE | PAGE_PATCHED)) === 0) return false;
  const backing = vma.backing!, { frames, arena, bounce } = mm.ctx, patches = sites.pages;
  const file = PatchCache.keyOf(backing), offset = page * PAGE_SIZE - vma.start + vma.offset;
  let entry = patches.find(file, page, offset);
  if (entry !== null && !patches.isCurrent(entry, backing, bounce)) entry = null;
  if (entry === null || !entry.has(end)) {
    const off = frames.alloc(1);
    if (off < 0) return false;
    const host = arena.base + off;
    if (entry !== null) copy(host, mm.hostOf(entry.frame), PAGE_SIZE);
    else backing.readInto(host, offset, Math.min(PAGE_SIZE, backing.size() - offset));
    const before = instructionAt(host, end);
    const thunk = isMovable(before, nr, ctx, mm) ? sites.thunk(before, rip) : 0;
    if (thunk === 0) {
      frames.release(off, 1);
      return false;
    }
    writeJump(host + end - siteBytes(before), siteBytes(before), thunk);
    if (entry !== null) patches.replace(entry, off / PAGE_SIZE);
    else entry = patches.add(file, page, offset, off / PAGE_SIZE);
    entry.sites.push(end, before);
  }
  dropPages(mm, page, page + 1);
  mapPatched(mm, vma, page, entry.frame);
  mm.finishChange();
  return true;
}

/**
 * Writes `jmp [disp32]`. A byte behind it is an invalid opcode, as are the bytes of the address.
 */
function writeJump(at: number, bytes: number, thunk: number): void {
  store16(at, 0x24ff);
  store8(at + 2, 0x25);
  store32(at + 3, thunk);
  if (bytes > JUMP_BYTES) store8(at + JUMP_BYTES, INVALID_OPCODE);
}

function mayPatch(vma: Vma): boolean {
  return vma.backing !== null && !vma.isShared &&
    (vma.prot & (PROT_EXEC | PROT_WRITE)) === PROT_EXEC;
}

function mapPatched(mm: MemoryManager, vma: Vma, page: number, frame: number): void {
  const thunks = mm.sites?.all ?? null;
  if (thunks === null) throw new KernelBug("a patched page without thunks");
  mm.space.useThunks(thunks);
  mm.ctx.frames.retain(frame * PAGE_SIZE, 1);
  mapFrames(mm, page, 1, frame, PAGE_COW | PAGE_FILE | PAGE_PATCHED, vma.sharedProt);
}

/** Maps the pages that were patched before at these addresses over a new mapping of a file. */
export function applyCachedPatches(mm: MemoryManager, vma: Vma): void {
  if (!mm.isPatching || mm.sites === null || !mayPatch(vma)) return;
  const backing = vma.backing!, { bounce } = mm.ctx, patches = mm.sites.pages;
  const entries = patches.pagesOf(PatchCache.keyOf(backing));
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!, addr = entry.page * PAGE_SIZE;
    if (addr < vma.start || addr >= vma.end) continue;
    if (addr - vma.start + vma.offset !== entry.fileOffset) continue;
    if (mm.pages.present(entry.page) >= 0) continue;
    if (patches.isCurrent(entry, backing, bounce)) mapPatched(mm, vma, entry.page, entry.frame);
  }
}

/** Maps the file's own pages again where [from, to) is patched. */
export function unpatchPages(mm: MemoryManager, from: number, to: number): void {
  const map = mm.pages;
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if ((map.flags(i) & PAGE_PATCHED) === 0) continue;
    const a = Math.max(from, map.start(i)), b = Math.min(to, map.end(i));
    dropPages(mm, a, b);
    restore(mm, a, b);
    i = map.indexOf(b) - 1;
  }
  mm.finishChange();
}

function restore(mm: MemoryManager, from: number, to: number): void {
  for (let page = from; page < to;) {
    const vma = mm.vmas.find(page * PAGE_SIZE)!, end = Math.min(to, vma.end / PAGE_SIZE);
    const addr = page * PAGE_SIZE, len = (end - page) * PAGE_SIZE;
    if (vma.isDirect) {
      const offset = addr - vma.start + vma.offset;
      mm.space.mapFile(addr, len, vma.backing!.platformFile, offset, vma.directProt);
    } else {
      mm.space.unmap(addr, len);
    }
    page = end;
  }
}

/** Switches patching of system calls on, or off and restores all patched bytes. */
export function setPatching(mm: MemoryManager, enabled: boolean): void {
  if (!enabled && mm.isPatching) unpatchPages(mm, 0, Infinity);
  mm.isPatching = enabled;
}
