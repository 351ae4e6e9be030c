/**
 * Faults: gives a page what an access of the guest, or of the Sentry for it, needs (a frame, a
 * copy, a larger stack), or finds the signal to send. task/exception.ts calls `handleFault`;
 * copy_user.ts comes through `resolvePage`. Linux: arch/x86/mm/fault.c and mm/memory.c.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { EFAULT, EHWPOISON, ENOMEM } from "../../ffi/abi/errno.ts";
import { SIGBUS, SIGKILL, SIGSEGV } from "../../ffi/abi/signal.ts";
import { BUS_ADRERR, BUS_MCEERR_AR, SEGV_ACCERR, SEGV_MAPERR } from "../../ffi/abi/siginfo.ts";
import { ACCESS_WRITE } from "../../platform/platform.ts";
import { breakCow, copyFilePages } from "./cow.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { thawPage } from "./freeze.ts";
import { CHANGE_EXTENTS, PAGE_COW, PAGE_FROZEN, PAGE_PATCHED, PAGE_WATCHED } from "./pages.ts";
import { populateBacked, populateChunk } from "./populate.ts";
import { pageUp } from "./region.ts";
import { growStack } from "./stack.ts";
import { askForMissing, AWAITED } from "./ask_handler.ts";
import { makeWatched, writeWatched } from "../userfault/userfault_watch.ts";
import { allows, type Vma } from "./vma.ts";
import { WINDOW_SIZE } from "./windows.ts";

/** The result of `handleFault` when the task has to wait for the handler in `mm.ctx.awaited`. */
export const FAULT_AWAITED = -1;

/**
 * The faults in a row, at a page that has all it needs, after which the page is mapped again, and
 * after which the task gets a signal.
 */
const REPAIR_AFTER = 16, GIVE_UP_AFTER = 64;
/** LIMIT: longest wait for changes of the host's mappings, ns. */
const HOST_WAIT_NS = 20_000_000;

/** The siginfo of the last fault that could not be resolved. */
export class Fault {
  signo: number = 0;
  code: number = 0;
  addr: number = 0;
}

/** Resolves a fault of the guest: 0, FAULT_AWAITED, or a signal with its siginfo in `mm.fault`. */
export function handleFault(
  mm: MemoryManager,
  addr: number,
  access: number,
  hostSigno: number,
): number {
  const page = Math.floor(addr / PAGE_SIZE);
  let vma = mm.vmas.find(addr);
  if (vma === null) {
    vma = growStack(mm, addr);
    if (vma === null) return setFault(mm, SIGSEGV, SEGV_MAPERR, addr);
  }
  if (!allows(vma.prot, access)) return setFault(mm, SIGSEGV, SEGV_ACCERR, addr);
  const isWrite = access === 0 ? (vma.prot & PROT_WRITE) !== 0 : (access & ACCESS_WRITE) !== 0;
  const isMapped = mm.pages.present(page);
  // The thread runs again after the fork has write-protected its pages.
  if (isWrite && isMapped >= 0 && awaitsFork(mm)) return 0;
  const r = makePresent(mm, vma, page, isWrite);
  if (r === AWAITED) return awaitHandler(mm, addr);
  if (r === 0) {
    mm.spuriousPage = -1;
    return 0;
  }
  if (r < 0) {
    if (r === -ENOMEM) return setFault(mm, SIGKILL, 0, addr);
    return setFault(mm, SIGBUS, r === -EHWPOISON ? BUS_MCEERR_AR : BUS_ADRERR, addr);
  }
  if (hostSigno === SIGBUS) return setFault(mm, SIGBUS, BUS_ADRERR, addr);
  return spurious(mm, vma, page, addr);
}

/**
 * A fault for the area's handler: FAULT_AWAITED, or the signal that the handler asked for instead.
 */
function awaitHandler(mm: MemoryManager, addr: number): number {
  const { awaited } = mm.ctx;
  awaited.address = addr;
  if (!awaited.handler!.isSignalling) return FAULT_AWAITED;
  awaited.handler = null;
  return setFault(mm, SIGBUS, BUS_ADRERR, addr);
}

function setFault(mm: MemoryManager, signo: number, code: number, addr: number): number {
  mm.fault.signo = signo;
  mm.fault.code = code;
  mm.fault.addr = addr;
  return signo;
}

/**
 * A fault at a page that has all it needs: another thread resolved it, or the change of the host's
 * mapping is still queued. The thread runs again. If that does not help, the page is mapped again;
 * in the end a signal is better than a loop.
 */
function spurious(mm: MemoryManager, vma: Vma, page: number, addr: number): number {
  mm.spuriousCount = mm.spuriousPage === page ? mm.spuriousCount + 1 : 0;
  mm.spuriousPage = page;
  if (mm.spuriousCount < REPAIR_AFTER) return 0;
  if (mm.spuriousCount > GIVE_UP_AFTER) return setFault(mm, SIGSEGV, SEGV_ACCERR, addr);
  const i = mm.pages.present(page);
  if (i >= 0) {
    const prot = (mm.pages.flags(i) & PAGE_COW) !== 0 ? vma.sharedProt : vma.prot;
    const frame = mm.pages.frame(i) + page - mm.pages.start(i);
    mm.space.mapArena(page * PAGE_SIZE, PAGE_SIZE, frame * PAGE_SIZE, prot);
  } else if (vma.isDirect) {
    const offset = page * PAGE_SIZE - vma.start + vma.offset;
    const file = vma.backing!.platformFile;
    mm.space.mapFile(page * PAGE_SIZE, PAGE_SIZE, file, offset, vma.directProt);
  }
  return 0;
}

/**
 * Gives `page` what it needs for this access, whatever the area's protection. 0: something was
 * done; 1: nothing is missing; AWAITED: the area's handler has to supply the page; -EFAULT: behind
 * the end of the file; -EHWPOISON; -ENOMEM.
 */
function makePresent(mm: MemoryManager, vma: Vma, page: number, isWrite: boolean): number {
  if (!mm.pages.hasRoom(CHANGE_EXTENTS)) return -ENOMEM;
  const i = mm.pages.present(page);
  if (i >= 0) {
    const flags = mm.pages.flags(i);
    if (!isWrite || (flags & PAGE_COW) === 0) return 1;
    if ((flags & PAGE_WATCHED) !== 0) return writeWatched(mm, vma, page);
    return (flags & PAGE_FROZEN) === 0 ? breakCow(mm, vma, page) : thawPage(mm, vma, page);
  }
  if (mm.pages.isPoisoned(page)) return -EHWPOISON;
  if (vma.userfault !== null) {
    const r = askForMissing(mm, vma, page, isWrite);
    if (r !== 0) return r;
  }
  if (mm.pages.isMarked(page)) {
    const r = makeWatched(mm, vma, page);
    return r < 0 || !isWrite ? r : writeWatched(mm, vma, page);
  }
  if (vma.backing === null) return populateChunk(mm, vma, page);
  if (isWrite && !vma.isShared) return copyFilePages(mm, vma, page);
  if (!vma.isDirect) {
    const r = isWrite ? thawPage(mm, vma, page) : populateBacked(mm, vma, page);
    if (r === 0 && isWrite) vma.backing.touch();
    return r;
  }
  const offset = page * PAGE_SIZE - vma.start + vma.offset;
  return offset < pageUp(vma.backing.size()) ? 1 : -EFAULT;
}

/**
 * The host address of a guest page for the Sentry's own access, or -1; `mm.runPages` pages follow
 * contiguously.
 */
export function resolvePage(mm: MemoryManager, page: number, access: number): number {
  const addr = page * PAGE_SIZE;
  const vma = mm.vmas.find(addr) ?? growStack(mm, addr);
  if (vma === null || !allows(vma.prot, access)) return -1;
  return hostPage(mm, vma, page, access === ACCESS_WRITE);
}

/** As `resolvePage`, whatever the protection. */
export function hostPage(mm: MemoryManager, vma: Vma, page: number, isWrite: boolean): number {
  const map = mm.pages;
  let i = map.present(page);
  if (i < 0 && vma.isDirect && (vma.isShared || !isWrite)) {
    return windowPage(mm, vma, page, isWrite);
  }
  if (i < 0 || (isWrite && (map.flags(i) & PAGE_COW) !== 0)) {
    if (i >= 0) waitForFork(mm);
    const r = makePresent(mm, vma, page, isWrite), { awaited } = mm.ctx;
    if (r === AWAITED && !awaited.handler!.servesCalls) awaited.handler = null;
    if (r < 0 || r === AWAITED) return -1;
    i = map.present(page);
    if (i < 0) return -1;
  }
  if ((map.flags(i) & PAGE_PATCHED) !== 0) return originalPage(mm, vma, page);
  mm.runPages = Math.min(map.end(i), vma.end / PAGE_SIZE) - page;
  return mm.hostOf(map.frame(i) + page - map.start(i));
}

/**
 * The host address of a page without a frame, which the host maps directly from a file: the Sentry
 * reaches it through a window.
 */
function windowPage(mm: MemoryManager, vma: Vma, page: number, isWrite: boolean): number {
  const backing = vma.backing!, offset = page * PAGE_SIZE - vma.start + vma.offset;
  const left = pageUp(backing.size()) - offset;
  if (left <= 0) return -1;
  const at = mm.ctx.windows.offsetOf(backing, offset, isWrite, mm.ctx);
  if (at < 0) return -1;
  const { pages } = mm, i = pages.indexOf(page);
  // The run ends at the next extent, or at the end of this one, which has a mark and no frame.
  const end = i === pages.length ? Infinity : pages.start(i) > page ? pages.start(i) : pages.end(i);
  const inWindow = (WINDOW_SIZE - offset % WINDOW_SIZE) / PAGE_SIZE;
  mm.runPages = Math.min(end - page, inWindow, left / PAGE_SIZE, vma.end / PAGE_SIZE - page);
  return mm.ctx.arena.base + at;
}

/**
 * The original bytes of a patched code page. Only that page, as the page map has the patched copy
 * in its place.
 */
function originalPage(mm: MemoryManager, vma: Vma, page: number): number {
  const host = vma.isDirect ? windowPage(mm, vma, page, false) : backedPage(mm, vma, page);
  mm.runPages = 1;
  return host;
}

function backedPage(mm: MemoryManager, vma: Vma, page: number): number {
  const frame = vma.backing!.frame(page * PAGE_SIZE - vma.start + vma.offset, false);
  return frame < 0 ? -1 : mm.ctx.arena.base + frame;
}

/**
 * Whether a fork's write protection has not reached the host yet while another thread may be
 * writing.
 */
function awaitsFork(mm: MemoryManager): boolean {
  return mm.users > 1 && mm.space.ackedSeq < mm.forkSeq;
}

/**
 * Called before the Sentry copies a page that a fork shared: until the host has removed write
 * access, a store of another thread into the old frame would be lost. Rare: it takes several
 * threads, within 0.1 ms after a fork.
 */
function waitForFork(mm: MemoryManager): void {
  if (awaitsFork(mm)) waitForHost(mm, mm.forkSeq);
}

/**
 * Waits until the host has done the changes up to `seq`, for changes that must be in force while
 * other threads run.
 */
export function waitForHost(mm: MemoryManager, seq: number): void {
  mm.space.flush();
  const until = mm.ctx.host.monotonicNs() + HOST_WAIT_NS;
  while (mm.space.ackedSeq < seq && mm.ctx.host.monotonicNs() < until);
}
