/**
 * /proc/PID/pagemap: eight bytes for each page of a process (proc_pid_pagemap(5)).
 *
 * DIFFERS: frame numbers are 0, as for callers without privilege, and pages that the host maps
 * straight from its files are not present.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EINVAL } from "../../../ffi/abi/errno.ts";
import { PAGEMAP_SCAN } from "../../../ffi/abi/pagemap.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { PAGE_FILE, PAGE_SHARED, PAGE_WATCHED } from "../../mm/pages.ts";
import { nextTouched, nextUntouched } from "../../mm/touched.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { MemoryInode } from "./memory_inode.ts";
import { scanPages } from "./pagemap_scan.ts";
import type { TaskRef } from "./task_ref.ts";

const ENTRY_BYTES = 8;
/** The highest byte of an entry: bits 63, 61, 57 and 56. */
const TOP = 7, PRESENT = 0x80, FILE_OR_SHARED = 0x20, WATCHED = 2, EXCLUSIVE = 1;
/** Pages described at once. */
const PAGES = 512;
const entries = new Uint8Array(PAGES * ENTRY_BYTES);

export class PagemapInode extends MemoryInode {
  constructor(fs: GeneratedFs, ref: TaskRef, ino: number) {
    super(fs, ref, ino, 0o400);
  }

  protected override show(flags: number, mm: MemoryManager, account: Account): OpenFile {
    return new PagemapFile(account, this, flags, mm);
  }
}

export class PagemapFile extends OpenFile {
  readonly inode: PagemapInode;
  private readonly mm: MemoryManager;

  constructor(account: Account, inode: PagemapInode, flags: number, mm: MemoryManager) {
    super(account, flags);
    this.inode = inode;
    this.mm = mm;
    // An entry takes up to 1.5 us.
    this.sliceBytes = 2 * PAGES * ENTRY_BYTES;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request !== PAGEMAP_SCAN) return -EINVAL;
    return this.mm.isDestroyed ? -EINVAL : scanPages(this.mm, arg, user);
  }

  /** Reads whole entries, up to the last page that a process can have. */
  override read(io: IoCursor, offset: number): number {
    const { mm } = this;
    if (mm.isDestroyed) return 0;
    if (offset % ENTRY_BYTES !== 0 || io.remaining % ENTRY_BYTES !== 0) return -EINVAL;
    const end = mm.layout.maxAddress / PAGE_SIZE;
    let page = offset / ENTRY_BYTES, done = 0;
    while (io.remaining > 0 && page < end) {
      const n = Math.min(PAGES, io.remaining / ENTRY_BYTES, end - page);
      describe(mm, page, page + n);
      const put = io.putBytes(entries, 0, n * ENTRY_BYTES);
      if (put < 0) return done > 0 ? done : put;
      done += put;
      if (put < n * ENTRY_BYTES) break;
      page += n;
    }
    return done;
  }
}

/** Describes pages [from, to), at most PAGES. */
function describe(mm: MemoryManager, from: number, to: number): void {
  const map = mm.pages, { ctx } = mm;
  entries.fill(0, 0, (to - from) * ENTRY_BYTES);
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if ((map.flags(i) & PAGE_WATCHED) !== 0) {
      for (let page = Math.max(from, map.start(i)); page < Math.min(to, map.end(i)); page++) {
        entries[(page - from) * ENTRY_BYTES + TOP] = WATCHED;
      }
    }
    if (map.frame(i) < 0) continue;
    const delta = map.frame(i) - map.start(i), flags = map.flags(i);
    const end = Math.min(to, map.end(i)) + delta;
    const isShared = (flags & (PAGE_FILE | PAGE_SHARED)) !== 0;
    let bits = PRESENT | (isShared ? FILE_OR_SHARED : 0);
    if ((flags & PAGE_WATCHED) !== 0) bits |= WATCHED;
    let at = nextTouched(ctx, Math.max(from, map.start(i)) + delta, end);
    while (at < end) {
      for (const next = nextUntouched(ctx, at, end); at < next; at++) {
        // The file holds a reference too.
        const isMine = ctx.frames.refs(at * PAGE_SIZE) === (isShared ? 2 : 1);
        entries[(at - delta - from) * ENTRY_BYTES + TOP] = bits | (isMine ? EXCLUSIVE : 0);
      }
      at = nextTouched(ctx, at, end);
    }
  }
}
