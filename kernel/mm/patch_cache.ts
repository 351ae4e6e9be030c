/**
 * The cache of code pages with patched system call sites. Processes of a user share a page if they
 * have the same page of the same file at the same address. To patch one more site, a page gets a
 * new frame: code that runs is never changed in place.
 *
 * patch.ts decides what is patched and maps the pages; patched_sites.ts has the cache of each user.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { compare, copy } from "../../ffi/mem/native_memory.ts";
import type { Account } from "../core/account.ts";
import { PATCHED_PAGES } from "../core/quota.ts";
import type { Backing } from "./backing.ts";
import { instructionAt, siteBytes } from "./call_site.ts";
import type { FrameAllocator } from "./frames.ts";
import type { FrameStore } from "./frame_pool.ts";

/**
 * LIMIT: pages that are kept for a user (8 MiB), if the account has room; the oldest is removed
 * first.
 */
const MAX_PAGES = 2048;

class PatchedPage {
  readonly file: string;
  /** Guest page number. */
  readonly page: number;
  readonly fileOffset: number;
  /** Arena page. */
  frame: number;
  /** Whether a process mapped it since the last `age`. */
  isUsed: boolean = true;
  /**
   * For each site the offset of its end in the page, and the instruction in front of its `syscall`:
   * pairs.
   */
  readonly sites: number[] = [];

  constructor(file: string, page: number, fileOffset: number, frame: number) {
    this.file = file;
    this.page = page;
    this.fileOffset = fileOffset;
    this.frame = frame;
  }

  has(end: number): boolean {
    for (let i = 0; i < this.sites.length; i += 2) if (this.sites[i] === end) return true;
    return false;
  }
}

const NONE: readonly PatchedPage[] = [];

export class PatchCache {
  private readonly arena: FrameStore;
  private readonly frames: FrameAllocator;
  private readonly account: Account;
  private readonly byFile: Map<string, PatchedPage[]> = new Map();
  /** Oldest first. */
  private readonly order: Set<PatchedPage> = new Set();

  /**
   * @param account the account that the pages are charged to
   */
  constructor(arena: FrameStore, frames: FrameAllocator, account: Account) {
    this.arena = arena;
    this.frames = frames;
    this.account = account;
  }

  get size(): number {
    return this.order.size;
  }

  static keyOf(backing: Backing): string {
    return `${backing.inode.dev}:${backing.inode.ino}`;
  }

  /** The patched pages of a file, at any address. */
  pagesOf(file: string): readonly PatchedPage[] {
    return this.byFile.get(file) ?? NONE;
  }

  find(file: string, page: number, fileOffset: number): PatchedPage | null {
    for (const entry of this.pagesOf(file)) {
      if (entry.page === page && entry.fileOffset === fileOffset) return entry;
    }
    return null;
  }

  /** Adds a page. Takes over one reference of `frame`. */
  add(file: string, page: number, fileOffset: number, frame: number): PatchedPage {
    if (this.order.size >= MAX_PAGES || !PATCHED_PAGES.hasRoom(1, this.account)) {
      for (const oldest of this.order) {
        this.remove(oldest);
        break;
      }
    }
    PATCHED_PAGES.add(1, this.account);
    const entry = new PatchedPage(file, page, fileOffset, frame);
    const list = this.byFile.get(file);
    if (list === undefined) this.byFile.set(file, [entry]);
    else list.push(entry);
    this.order.add(entry);
    return entry;
  }

  /** Replaces the frame of a page by a newer one. Takes over one reference of `frame`. */
  replace(entry: PatchedPage, frame: number): void {
    this.frames.release(entry.frame * PAGE_SIZE, 1);
    entry.frame = frame;
  }

  remove(entry: PatchedPage): void {
    if (!this.order.delete(entry)) return;
    const list = this.byFile.get(entry.file)!;
    list.splice(list.indexOf(entry), 1);
    if (list.length === 0) this.byFile.delete(entry.file);
    this.frames.release(entry.frame * PAGE_SIZE, 1);
    PATCHED_PAGES.give(1, this.account);
  }

  /** Forgets all pages. */
  clear(): void {
    for (const entry of this.order) this.remove(entry);
  }

  /**
   * Removes the pages that no process has mapped now or since the last call: often the file is
   * gone.
   */
  age(): void {
    for (const entry of this.order) {
      const isMapped = this.frames.refs(entry.frame * PAGE_SIZE) > 1;
      if (!entry.isUsed && !isMapped) this.remove(entry);
      entry.isUsed = false;
    }
  }

  /**
   * Whether the file still has the bytes that were patched; otherwise the entry is removed.
   * `bounce` is a page of host memory that may be overwritten.
   */
  isCurrent(entry: PatchedPage, backing: Backing, bounce: number): boolean {
    const frame = this.arena.base + entry.frame * PAGE_SIZE;
    const len = Math.min(PAGE_SIZE, backing.size() - entry.fileOffset);
    let same = len > 0 && backing.readInto(bounce, entry.fileOffset, len) === len;
    for (let i = 0; same && i < entry.sites.length; i += 2) {
      const end = entry.sites[i]!, before = entry.sites[i + 1]!, bytes = siteBytes(before);
      same = instructionAt(bounce, end) === before;
      copy(bounce + end - bytes, frame + end - bytes, bytes);
    }
    if (same && compare(bounce, frame, len) === 0) {
      entry.isUsed = true;
      return true;
    }
    this.remove(entry);
    return false;
  }
}
