/**
 * fork(2) of a large memory, in several turns of the loop: what fork.ts does at once, some areas
 * and pages a turn, in the order of addresses. Calls that would rearrange areas wait for it
 * (change_lock.ts); other threads run on. task/clone.ts runs the turns.
 *
 * First the parent's pages are shared with the child's page map: write-protected, with a second
 * reference to their frames. Then the space is cloned, and the child gets its areas. Pages that
 * another thread changed meanwhile are mapped again in the child, which keeps the frames of the
 * turn in which they were shared. On Linux too, a thread that writes during a fork cannot know
 * which of its writes the child sees.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { UFFD_FEATURE_EVENT_FORK } from "../../ffi/abi/userfaultfd.ts";
import { copyState } from "./fork.ts";
import { remapPages } from "./host_mappings.ts";
import { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_POISONED, PAGE_SHARED, PAGE_WATCHED, PageMap } from "./pages.ts";
import { sliceEnd, TURN_AREAS, TURN_EXTENTS, TURN_PAGES } from "./slices.ts";
import type { MonitorEvent, Userfault } from "../userfault/userfault.ts";
import { inheritHandler } from "../userfault/userfault_events.ts";
import { unwatchedFlags } from "../userfault/userfault_watch.ts";
import { VM_DONTFORK, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK, type Vma } from "./vma.ts";

/** LIMIT: areas that are shared in one turn; the protection of each is a change for the host. */
const FORK_AREAS = TURN_AREAS / 2;

/** Whether a fork of this memory takes one turn. */
export function isQuickFork(mm: MemoryManager): boolean {
  if (mm.vmas.length > FORK_AREAS || mm.pages.length > TURN_EXTENTS) return false;
  return mm.counters.total <= TURN_PAGES || sliceEnd(mm, 0, Infinity) === Infinity;
}

export class ForkWork {
  /** The child, once its space is made. */
  child: MemoryManager | null = null;
  isOver: boolean = false;
  private readonly mm: MemoryManager;
  /** The account of the child. */
  private readonly account: Account;
  private readonly pages: PageMap;
  private readonly areas: Vma[] = [];
  private readonly handlers: Map<Userfault, Userfault> = new Map();
  /**
   * Pages of the parent that changed between turns, or are not mapped in the child as in the
   * parent: page, count pairs.
   */
  private readonly changed: number[] = [];
  private readonly monitorEvents: MonitorEvent[] = [];
  /** The address at which the next slice begins. */
  private next: number = 0;
  private isShared: boolean = false;
  /** The counts of areas and of changed pages that the child has got. */
  private given: number = 0;
  private remapped: number = 0;

  constructor(account: Account, mm: MemoryManager) {
    this.account = account;
    this.mm = mm;
    this.pages = new PageMap(account);
  }

  /**
   * Does one turn: true when it was the last. Then `child` is null if the host has no space for it.
   */
  run(): boolean {
    if (!this.isShared) return this.isOver = this.shareSlice();
    if (this.given < this.areas.length) this.giveAreas();
    else this.remapChanged();
    if (this.given < this.areas.length || this.remapped < this.changed.length) return false;
    this.mm.ctx.monitorEvents.unshift(...this.monitorEvents);
    return this.isOver = true;
  }

  /** Gives up the fork. */
  discard(): void {
    this.mm.pages.changed = null;
    if (this.child !== null) this.child.put();
    else {
      const { pages } = this, { frames } = this.mm.ctx;
      for (let i = 0; i < pages.length; i++) {
        if (pages.frame(i) >= 0) frames.release(pages.frame(i) * PAGE_SIZE, pages.count(i));
      }
      pages.remove(0, pages.length);
    }
  }

  /** Shares the next slice of pages. True when the host has no space for the child. */
  private shareSlice(): boolean {
    const { mm } = this, { vmas } = mm;
    mm.pages.changed = null;
    const to = sliceEnd(mm, this.next, Infinity, FORK_AREAS);
    for (let i = vmas.indexOf(this.next); i < vmas.length && vmas.at(i).start < to; i++) {
      const vma = vmas.at(i);
      if (vma.start >= this.next) this.areas.push(vma.clone());
      const from = Math.max(vma.start, this.next), end = Math.min(vma.end, to);
      this.sharePages(vma, from / PAGE_SIZE, end / PAGE_SIZE);
    }
    this.next = to;
    // The Sentry, or a task that copies a page, waits for these changes.
    mm.forkSeq = mm.space.seq;
    mm.flushTlb();
    mm.pages.changed = this.changed;
    if (to !== Infinity) return false;
    mm.pages.changed = null;
    this.isShared = true;
    return !this.cloneSpace();
  }

  private cloneSpace(): boolean {
    const { mm } = this, space = mm.space.fork();
    if (space === null) return false;
    mm.forkSeq = mm.space.seq;
    this.child = new MemoryManager(this.account, mm.ctx, space, this.pages);
    copyState(mm, this.child);
    return true;
  }

  /** Shares pages [from, to) of one area. */
  private sharePages(vma: Vma, from: number, to: number): void {
    if ((vma.flags & (VM_DONTFORK | VM_WIPEONFORK)) !== 0) return;
    const map = this.mm.pages, isWritable = (vma.prot & PROT_WRITE) !== 0;
    const handler = vma.userfault;
    const isHandled = handler !== null && (handler.features & UFFD_FEATURE_EVENT_FORK) !== 0;
    const first = map.splitAt(from), last = map.splitAt(to);
    let runStart = from, runEnd = from;
    for (let i = first; i < last; i++) {
      const isOwn = map.frame(i) >= 0 && (map.flags(i) & (PAGE_COW | PAGE_SHARED)) === 0;
      if (isOwn && !vma.isShared) {
        map.setFlags(i, map.flags(i) | PAGE_COW);
        if (isWritable) {
          if (map.start(i) !== runEnd) {
            this.protectPages(runStart, runEnd, vma.sharedProt);
            runStart = map.start(i);
          }
          runEnd = map.end(i);
        }
      }
      this.shareExtent(vma, i, isHandled);
    }
    this.protectPages(runStart, runEnd, vma.sharedProt);
    map.coalesce(first - 1, last + 1);
  }

  private protectPages(from: number, to: number, prot: number): void {
    if (from < to) this.mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, prot);
  }

  /** Gives the child extent `i`. Shadows stay with the parent. */
  private shareExtent(vma: Vma, i: number, isHandled: boolean): void {
    const map = this.mm.pages, page = map.start(i), count = map.count(i), frame = map.frame(i);
    const marks = map.flags(i), flags = isHandled ? marks : unwatchedFlags(vma, marks);
    if (frame >= 0) this.mm.ctx.frames.retain(frame * PAGE_SIZE, count);
    else if ((flags & (PAGE_POISONED | PAGE_WATCHED)) === 0) return;
    this.pages.insert(page, count, frame, -1, flags);
    // The host maps shared memory read-only only where a handler watches it.
    if (frame >= 0 && flags !== marks && vma.isShared) this.changed.push(page, count);
  }

  private giveAreas(): void {
    const child = this.child!, { ctx } = this.mm;
    const end = Math.min(this.areas.length, this.given + TURN_AREAS);
    for (; this.given < end; this.given++) {
      const vma = this.areas[this.given]!;
      const isLeft = (vma.flags & VM_DONTFORK) !== 0;
      if (isLeft || (vma.flags & VM_WIPEONFORK) !== 0) {
        child.space.unmap(vma.start, vma.end - vma.start);
      }
      if (isLeft) continue;
      vma.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
      inheritHandler(vma, child, this.handlers);
      child.vmas.insert(vma);
    }
    child.vmas.charge();
    this.monitorEvents.push(...ctx.monitorEvents.splice(0));
  }

  /** Maps the pages that changed, or that the parent maps otherwise, as the child has them. */
  private remapChanged(): void {
    const { changed } = this, end = Math.min(changed.length, this.remapped + TURN_EXTENTS);
    for (; this.remapped < end; this.remapped += 2) {
      const page = changed[this.remapped]!;
      remapPages(this.child!, page, page + changed[this.remapped + 1]!);
    }
  }
}
